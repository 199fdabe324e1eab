"""Names of functions, layers and members as other libraries have them: what means the same is taken
and computes the same bits, what means something else is refused and says what to write, and no
hint leads to another function."""
import re
import string
import unittest

import names
from support import DaemonCase, body_of

# A request at a time: there is nothing for threads to race about.
VARIANTS = ("plain", "address-undefined")
BACKPROP, GRADIENTS = "/v1/backprop", "/v1/gradients"
HINT = re.compile(r'did you mean "(.*)"\?')
TENSORS = {"cosine_embedding": {"target": [1, -1], "other": [[1, 2], [3, 5]]},
           "gaussian_nll": {"variance": [[1, 2], [3, 4]]}, "nll": {"target": [1, 0]},
           "focal": {"target": [[1, 0], [0, 1]]},
           "hinge": {"target": [[1, -1], [-1, 1]]}, "squared_hinge": {"target": [[1, -1], [-1, 1]]}}
ALPHABET = string.ascii_lowercase + "126_"


def of_activation(activation):
    return {"activation": activation, "input": [[1, 2], [3, -4]], "grad_output": [[1, 2], [3, 5]],
            "pre_activation": [[-2.5, 0.75], [0.5, -0.25]]}


def of_loss(name, like=None):
    """A network whose outputs are probabilities, which every loss takes."""
    return {"layers": [{"activation": "identity", "weight": [[0.5, 0.1], [0.2, 0.25]]}],
            "input": [[0.5, 1], [1, 0.25]],
            "loss": {"target": [[0.25, 0.75], [1, 0]], **TENSORS.get(like, {}), "name": name}}


def of_type(name, like=None):
    members = {"activation": "tanh", "weight": [[1, 2], [3, -1]]} if like == "dense" else \
        {"activation": "tanh"} if like == "activation" else {}
    return {"layers": [{"type": name, **members}], "input": [[0.5, 1], [1, 0.25]],
            "grad_output": [[1, 2], [3, 4]]}


def edits(name):
    """Every insertion, deletion, replacement and swap of one letter."""
    for i in range(len(name) + 1):
        for letter in ALPHABET:
            yield name[:i] + letter + name[i:]
    for i in range(len(name)):
        yield name[:i] + name[i + 1:]
        for letter in ALPHABET:
            yield name[:i] + letter + name[i + 1:]
    for i in range(len(name) - 1):
        yield name[:i] + name[i + 1] + name[i] + name[i + 2:]


def folded(name, ending=""):
    return re.sub("[-_ ]", "", name).lower().removesuffix(ending)


class Names(DaemonCase):
    def post(self, document, path):
        return self.daemon.post(document, path=path)

    def assert_outcome(self, row, document, path, pointer):
        library, name, outcome = row
        with self.subTest(library, name=name):
            answer = self.post(document(name, outcome[1:]), path)
            if outcome.startswith("="):
                own = self.post(document(outcome[1:], outcome[1:]), path)
                self.assertEqual((own.status, answer.status), (200, 200), answer.body)
                self.assertEqual(answer.body, own.body)
                return
            problem = self.assert_problem(answer, 422, "unknown_name", pointer=pointer)
            self.assertIn('"%s"' % name, problem["detail"])
            self.assertIn(outcome, problem["detail"])
            self.assertNotRegex(problem["detail"], HINT)

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(names.ACTIVATIONS) + len(names.LOSSES), 100)

    def test_activations(self):
        for row in names.ACTIVATIONS:
            self.assert_outcome(row, lambda name, _: {"layers": [of_activation(name)]}, GRADIENTS,
                                "/layers/0/activation")

    def test_losses(self):
        for row in names.LOSSES:
            self.assert_outcome(row, of_loss, BACKPROP, "/loss/name")

    def test_types_of_layers(self):
        for row in names.LAYER_TYPES:
            self.assert_outcome(row, of_type, BACKPROP, "/layers/0/type")

    def fields_document(self, place, name):
        if place in ("dense", "batch_norm", "layer_norm"):
            return {**of_type(place), "layers": [{"type": place, "activation": "relu", name: 1}]}
        if place in ("mse", "cross_entropy"):
            document = of_loss(place)
            document["loss"] = {name: 1, **document["loss"]}
            return document
        return {**of_type("activation"), "layers": [
            {"type": "activation", "activation": {name: 1, "name": place}}]}

    def test_fields(self):
        for library, name, place, field in names.FIELDS:
            with self.subTest(library, name=name, place=place):
                answer = self.post(self.fields_document(place, name), BACKPROP)
                problem = self.assert_problem(answer, 422, "unknown_field")
                hint = HINT.search(problem["detail"])
                self.assertEqual(hint and hint.group(1), field, problem["detail"])

    def test_info_lists_the_synonyms(self):
        info = self.daemon.get("/v1/info").json()
        for member, rows, ending in (("activations", names.ACTIVATIONS, ""),
                                     ("losses", names.LOSSES, "loss")):
            own = {folded(name, ending): f["name"] for f in info[member]
                   for name in [f["name"], *f["synonyms"]]}
            taken = [(name, outcome[1:]) for _, name, outcome in rows if outcome[0] == "="]
            for name, outcome in taken:
                self.assertEqual(own.get(folded(name, ending)), outcome, name)
            self.assertGreater(sum(len(f["synonyms"]) for f in info[member]), 8)
        self.assertEqual(info["layer_type_synonyms"]["dense"], ["linear", "fully_connected"])

    def known(self, member, rows, ending):
        """Every name that is known, folded: what it stands for here, None where nothing does."""
        known = {folded(name, ending): None for _, name, outcome in rows if outcome[0] != "="}
        for function in self.daemon.get("/v1/info").json()[member]:
            for name in [function["name"], *function["synonyms"]]:
                known[folded(name, ending)] = function["name"]
        return known

    def answers(self, slips):
        """(slip, detail) of those that are no names of activations, many a request."""
        layers = [{**of_activation(slip)} for slip in slips]
        for first in range(0, len(layers), 1000):
            part = layers[first:first + 1000]
            answer = self.post({"on_error": "continue", "layers": part}, GRADIENTS)
            self.assertEqual(answer.status, 200, answer.body[:300])
            for slip, layer in zip(slips[first:first + 1000], answer.json()["layers"]):
                if "error" in layer:
                    yield slip, layer["error"]["detail"]

    def test_no_slip_of_an_activation_leads_to_another(self):
        """Every single edit of every name of any library, ours and theirs."""
        known = self.known("activations", names.ACTIVATIONS, "")
        hints = 0
        for name, stands_for in sorted(known.items()):
            for slip, detail in self.answers(sorted(set(edits(name)))):
                hint = HINT.search(detail)
                if hint:
                    hints += 1
                    self.assertEqual(hint.group(1), stands_for, (name, slip, detail))
        self.assertGreater(hints, 5000)

    def test_no_slip_of_a_loss_leads_to_another(self):
        known = self.known("losses", names.LOSSES, "loss")
        hints = 0
        with self.daemon.connect() as connection:
            for name, stands_for in sorted(known.items()):
                for slip in sorted(set(edits(name)))[::7]:
                    answer = connection.request("POST", BACKPROP, body_of(of_loss(slip)))
                    hint = HINT.search(answer.json().get("detail", ""))
                    if hint:
                        hints += 1
                        self.assertEqual(hint.group(1), stands_for, (name, slip))
        self.assertGreater(hints, 500)

    def test_slips_are_still_told(self):
        slips = {"rleu": "relu", "sleu": "selu", "sigmod": "sigmoid", "softmxa": "softmax",
                 "mihs": "mish", "identiy": "identity", "leaky_rellu": "leaky_relu",
                 "hardswich": "hardswish", "log_sofmax": "log_softmax", "logisitc": "sigmoid"}
        told = dict(self.answers(list(slips)))
        for slip, name in slips.items():
            self.assertIn('did you mean "%s"?' % name, told[slip])


if __name__ == "__main__":
    unittest.main()

"""`notes` of an answer: what is legal and surely not meant. Each is told where it should be, in
either datatype and on each path; the answer is otherwise the same; and ordinary networks get
none."""

import json
import os
import random
import subprocess
import unittest

import nets
from nets import BACKPROP, CHECK, DATATYPES, GRADIENTS
from support import BUILD, DaemonCase, scaled


def network(activation, loss, outputs=2, samples=3, seed=1, **members):
    """One dense layer before that loss, over reals."""
    generator = random.Random(seed)
    return {"layers": [{"activation": activation, "weight": nets.reals(generator, outputs, 4)}],
            "input": nets.reals(generator, samples, 4), "loss": loss, **members}


def labelled(labels, classes, **loss):
    return network("identity", {"name": "cross_entropy", "target": labels, **loss}, classes,
                   len(labels))


def product(W, x, b):
    return [sum(w * v for w, v in zip(row, x)) + c for row, c in zip(W, b)]


def transposed(W):
    return [list(column) for column in zip(*W)]


def square_layer(N, B=3, with_bias=True, sent=transposed, seed=2):
    """A layer whose pre_activation is what sent(W) gives."""
    generator = random.Random(seed)
    W, b, x = (nets.reals(generator, *shape) for shape in ((N, N), (N,), (B, N)))
    layer = {"activation": "tanh", "weight": W, "input": x,
             "pre_activation": [product(sent(W), row, b) for row in x],
             "grad_output": nets.reals(generator, B, N)}
    return {**layer, "bias": b} if with_bias else layer


def dead_layer(activation="relu", B=8, N=4, z=-1):
    return {"activation": activation, "input": [[1, 2]] * B, "pre_activation": [[z] * N] * B,
            "grad_output": [[1] * N] * B}


class Notes(DaemonCase):
    """One daemon as it starts by default."""

    def answer(self, request, path, datatype="FP32"):
        response = self.daemon.post(request, path=path + "?datatype=" + datatype)
        self.assertEqual(response.status, 200, response)
        return response.json()

    def notes_of(self, request, path):
        """[(code, pointer)], alike in both datatypes; the answer is the same without them."""
        found = []
        for datatype in DATATYPES:
            answer = self.answer(request, path, datatype)
            notes = answer.pop("notes", None)
            self.assertNotEqual(notes, [])
            silent = self.answer({**request, "notes": False}, path, datatype)
            self.assertEqual(answer, silent)
            for note in notes or ():
                self.assertEqual(set(note), {"code", "detail", "pointer"})
            found.append([(note["code"], note["pointer"]) for note in notes or ()])
        self.assertEqual(found[0], found[1])
        return found[0]

    def test_an_activation_that_the_loss_has_of_its_own(self):
        for activation, loss in (("softmax", "cross_entropy"), ("log_softmax", "cross_entropy"),
                                 ("sigmoid", "cross_entropy"), ("sigmoid", "bce_with_logits"),
                                 ("softmax", "bce_with_logits"), ("softmax", "nll"),
                                 ("sigmoid", "nll"), ("softmax", "kl_div"),
                                 ("softmin", "cross_entropy"), ("log_sigmoid", "bce_with_logits"),
                                 ("softmin", "nll")):
            classes = loss in ("cross_entropy", "nll")
            target = [0, 1, 0] if classes else [[0.25, 0.75]] * 3
            request = network(activation, {"name": loss, "target": target})
            self.assertEqual(self.notes_of(request, BACKPROP),
                             [("activation_before_loss", "/layers/0/activation")],
                             (activation, loss))
        request = network("softmax", {"name": "cross_entropy", "target": [0, 1, 0]})
        handing_on = {"type": "activation", "activation": "identity"}
        request["layers"].append(handing_on)
        self.assertEqual(self.notes_of(request, BACKPROP),
                         [("activation_before_loss", "/layers/0/activation")])
        request["layers"][0]["name"] = "first"
        request["layers"][1] = {**handing_on, "residual": "first"}
        self.assertEqual(self.notes_of(request, BACKPROP), [])
        for activation, loss, target in (
                ("sigmoid", "binary_cross_entropy", [[0, 1]] * 3), ("sigmoid", "mse", [[0, 1]] * 3),
                ("softmax", "mse", [[0, 1]] * 3), ("softmax", "binary_cross_entropy", [[0, 1]] * 3),
                ("log_softmax", "nll", [0, 1, 0]), ("log_softmax", "kl_div", [[0.5, 0.5]] * 3),
                ("identity", "cross_entropy", [0, 1, 0]), ("tanh", "cross_entropy", [0, 1, 0]),
                ("identity", "bce_with_logits", [[0, 1]] * 3)):
            request = network(activation, {"name": loss, "target": target})
            self.assertEqual(self.notes_of(request, BACKPROP), [], (activation, loss))

    def test_a_mean_of_a_mean(self):
        loss = {"name": "mse", "target": [[1, 2]] * 3}
        request = network("identity", loss, reduction="mean")
        self.assertEqual(self.notes_of(request, BACKPROP), [("mean_of_mean", "/reduction")])
        for change in ({"loss": {**loss, "reduction": "sum"}}, {"reduction": "sum"},
                       {"reduction": "none"}):
            self.assertEqual(self.notes_of({**request, **change}, BACKPROP), [], change)
        one = network("identity", {"name": "mse", "target": [[1, 2]]}, samples=1, reduction="mean")
        self.assertEqual(self.notes_of(one, BACKPROP), [])
        layer = dead_layer("tanh")
        self.assertEqual(self.notes_of({"layers": [layer], "reduction": "mean"}, GRADIENTS), [])

    def test_labels_from_one(self):
        one_to_two = [1, 2] * 6
        self.assertEqual(self.notes_of(labelled(one_to_two, 3), BACKPROP),
                         [("no_class_zero", "/loss/target")])
        self.assertEqual(self.notes_of(labelled([1] * 8, 2), BACKPROP),
                         [("no_class_zero", "/loss/target")])
        sequences = labelled(one_to_two, 3)
        sequences["input"] = [sequences["input"][:6], sequences["input"][6:]]
        sequences["loss"]["target"] = [one_to_two[:6], one_to_two[6:]]
        self.assertEqual(self.notes_of(sequences, BACKPROP), [("no_class_zero", "/loss/target")])
        for labels, classes, loss in (
                (one_to_two[:11], 3, {}),                            # fewer than 4 a class
                (one_to_two[:11] + [0], 3, {}),                      # one that is there
                ([2] * 12, 3, {}),                                   # a batch of one class
                (one_to_two[:-1] + [-100], 3, {}),                   # fewer that count
                (one_to_two, 3, {"ignore_index": 0}),                # 0 is no class
                (one_to_two, 3, {"class_weight": [0, 1, 1]})):       # nor here
            self.assertEqual(self.notes_of(labelled(labels, classes, **loss), BACKPROP), [],
                             (labels, loss))

    def test_probabilities_that_do_not_add_up(self):
        for name, activation in (("cross_entropy", "identity"), ("kl_div", "log_softmax")):
            for target, noted in (([[0.2, 0.8], [0.3, 0.3], [1, 0]], True),
                                  ([[0.2, 0.8], [0.3, 0.7], [1, 0]], False),
                                  ([[0.333, 0.663], [0, 0], [1, 0]], False)):
                request = network(activation, {"name": name, "target": target})
                wanted = [("not_probabilities", "/loss/target")] if noted else []
                self.assertEqual(self.notes_of(request, BACKPROP), wanted, (name, target))
        logs = {"name": "kl_div", "log_target": True, "target": [[-0.7, -0.7]] * 3}
        self.assertEqual(self.notes_of(network("log_softmax", logs), BACKPROP), [])
        logs["target"] = [[-1.7, -1.7]] * 3
        self.assertEqual(self.notes_of(network("log_softmax", logs), BACKPROP),
                         [("not_probabilities", "/loss/target")])
        targets = {"name": "bce_with_logits", "target": [[1, 1]] * 3}
        self.assertEqual(self.notes_of(network("identity", targets), BACKPROP), [])

    def test_a_weight_that_is_transposed(self):
        noted = [("transposed_weight", "/layers/0/weight")]
        for N in (2, 3, 5, 40):
            for with_bias in (True, False):  # which is then told from two samples
                layer = square_layer(N, with_bias=with_bias)
                self.assertEqual(self.notes_of({"layers": [layer]}, GRADIENTS), noted, N)
                layer = square_layer(N, with_bias=with_bias, sent=lambda W: W)
                self.assertEqual(self.notes_of({"layers": [layer]}, GRADIENTS), [], N)
                layer = square_layer(N, with_bias=with_bias, sent=lambda W: nets.reals(
                    random.Random(9), len(W), len(W)))
                self.assertEqual(self.notes_of({"layers": [layer]}, GRADIENTS), [], N)
        symmetric = square_layer(2, sent=lambda W: [[1, 2], [2, 1]])
        symmetric["weight"] = [[1, 2], [2, 1]]
        self.assertEqual(self.notes_of({"layers": [symmetric]}, GRADIENTS), [])
        states = square_layer(3)
        for name in ("input", "grad_output"):
            del states[name]
        request = {"layers": [states], "input": square_layer(3)["input"],
                   "loss": {"name": "mse", "target": square_layer(3)["grad_output"]}}
        self.assertEqual(self.notes_of(request, BACKPROP), noted)

    def test_a_layer_that_is_dead(self):
        noted = [("dead_layer", "/layers/0")]
        for activation, z in (("relu", -1), ("relu", 0), ("relu6", 7), ("hard_tanh", 2),
                              ("hard_sigmoid", -4), ("softshrink", 0.25), ("threshold", -1)):
            layer = dead_layer(activation, z=z)
            self.assertEqual(self.notes_of({"layers": [layer]}, GRADIENTS), noted, activation)
        one_lives = dead_layer(B=300, N=7)
        one_lives["pre_activation"] = [[-1] * 7] * 299 + [[-1] * 6 + [0.5]]
        few = dead_layer(B=7)  # 28 elements may be so by chance
        for layer in (one_lives, few, dead_layer("identity"), dead_layer("sigmoid", z=-9),
                      dead_layer("leaky_relu"), dead_layer("softmax")):
            self.assertEqual(self.notes_of({"layers": [layer]}, GRADIENTS), [])
        norm = {"type": "layer_norm", "activation": "relu", "shift": [-9] * 4,
                "input": nets.reals(random.Random(1), 8, 4),
                "grad_output": nets.reals(random.Random(2), 8, 4)}
        self.assertEqual(self.notes_of({"layers": [norm]}, GRADIENTS), noted)
        norm["shift"] = [0] * 4
        self.assertEqual(self.notes_of({"layers": [norm]}, GRADIENTS), [])

    def test_layers_that_fail_have_no_notes(self):
        bad = {**dead_layer(), "grad_output": [[1]]}
        request = {"on_error": "continue", "layers": [bad, dead_layer(), dead_layer("tanh")]}
        self.assertEqual(self.notes_of(request, GRADIENTS), [("dead_layer", "/layers/1")])

    def test_the_first_eight_are_told(self):
        found = self.notes_of({"layers": [dead_layer()] * 11}, GRADIENTS)
        self.assertEqual(found, [("dead_layer", "/layers/%d" % i) for i in range(8)])

    def test_checks_have_them_too(self):
        request = network("softmax", {"name": "cross_entropy", "target": [0, 1, 0]})
        self.assertEqual(self.notes_of(request, CHECK),
                         [("activation_before_loss", "/layers/0/activation")])
        self.assertEqual(self.notes_of({"layers": [square_layer(3)]}, CHECK),
                         [("transposed_weight", "/layers/0/weight")])

    def test_ordinary_networks_get_none(self):
        losses = tuple(nets.LOSSES)
        for seed in range(scaled(60, 15)):
            request = nets.make_network(seed, losses[seed % len(losses)])
            self.assertEqual(self.notes_of(request, BACKPROP), [], request)
        generator = random.Random(4)
        for activation in ("relu", "tanh", "sigmoid"):  # 8 of 10 classes in a batch, and so on
            request = {"layers": [
                {"activation": activation, "weight": nets.reals(generator, 32, 16),
                 "bias": nets.reals(generator, 32)},
                {"activation": "identity", "weight": nets.reals(generator, 10, 32)}],
                "input": nets.reals(generator, 64, 16),
                "loss": {"name": "cross_entropy",
                         "target": [generator.randrange(8) for _ in range(64)]}}
            self.assertEqual(self.notes_of(request, BACKPROP), [])

    def test_the_option(self):
        request = network("softmax", {"name": "cross_entropy", "target": [0, 1, 0]})
        self.assertIn("notes", self.answer({**request, "notes": True}, BACKPROP))
        problem = self.assert_problem(
            self.daemon.post({**request, "notes": "no"}, path=BACKPROP), 422, "unexpected_type")
        self.assertEqual(problem["pointer"], "/notes")

    def test_the_command_line_tells_them_on_standard_error(self):
        request = network("softmax", {"name": "cross_entropy", "target": [0, 1, 0]})
        url = self.daemon.url
        for command in ("backprop", "check"):
            for where in (["--url", url], ["--local"]):
                for options, told in (([], True), (["--quiet"], False), (["--json"], False)):
                    run = subprocess.run(
                        [os.path.join(BUILD, "gradient"), command, *where, *options, "-"],
                        input=json.dumps(request).encode(), capture_output=True, timeout=60)
                    self.assertEqual(run.returncode, 0, run)
                    self.assertEqual(b"gradient: note: cross_entropy follows softmax" in run.stderr,
                                     told, (command, where, options, run))
                    self.assertEqual(run.stderr.count(b"\n"), told)


if __name__ == "__main__":
    unittest.main()

"""What a request for a network is told that is wrong in its loss, its layers, its options or its
size: the code, the place, what was expected. What right requests are answered is other tests'."""

import json
import random
import re
import unittest

from nets import BACKPROP, CHECK, GRADIENTS, ask
from support import Daemon, DaemonCase, body_of, values

GENERATOR = random.Random(11)

TARGET = [[1, 2, 3, 4], [5, 6, 7, 8]]
# A loss over two samples of four outputs: what is wrong with it.
BAD_LOSSES = (
    ("bad_parameter", "/target/1", {"name": "cross_entropy", "target": [0, 4]}),
    ("bad_parameter", "/target/0", {"name": "nll", "target": [-1, 0]}),
    ("bad_parameter", "/target/1", {"name": "cross_entropy", "target": [0, 0.5]}),
    ("shape_mismatch", "/target", {"name": "cross_entropy", "target": [0, 1, 2]}),
    ("shape_mismatch", "/target", {"name": "nll", "target": TARGET}),
    ("shape_mismatch", "/target", {"name": "mse", "target": [[1, 2, 3]] * 2}),
    ("shape_mismatch", "/target", {"name": "mse", "target": TARGET[:1]}),
    ("bad_parameter", "/target/0/0", {"name": "hinge", "target": TARGET[::-1]}),
    ("bad_parameter", "/target/1", {"name": "cosine_embedding", "target": [1, 2],
                                    "other": TARGET}),
    ("missing_field", "", {"name": "cosine_embedding", "target": [1, -1]}),
    ("missing_field", "", {"name": "gaussian_nll", "target": TARGET}),
    ("missing_field", "", {"name": "mse"}),
    ("missing_field", "", {"target": TARGET}),
    ("bad_parameter", "/variance/1/0", {"name": "gaussian_nll", "target": TARGET,
                                        "variance": [[1], [-1]]}),
    ("shape_mismatch", "/variance", {"name": "gaussian_nll", "target": TARGET,
                                     "variance": [[1, 2]] * 2}),
    ("bad_parameter", "/delta", {"name": "huber", "target": TARGET, "delta": 0}),
    ("bad_parameter", "/beta", {"name": "smooth_l1", "target": TARGET, "beta": -1}),
    ("bad_parameter", "/eps", {"name": "poisson_nll", "target": TARGET, "eps": -1}),
    ("bad_parameter", "/label_smoothing", {"name": "cross_entropy", "target": [0, 1],
                                           "label_smoothing": 1.5}),
    ("unsupported_value", "/ignore_index", {"name": "nll", "target": [0, 1],
                                            "ignore_index": 1.5}),
    ("unexpected_type", "/log_input", {"name": "poisson_nll", "target": TARGET, "log_input": 1}),
    ("unexpected_type", "/log_target", {"name": "kl_div", "target": TARGET, "log_target": "no"}),
    ("unknown_field", "/beta", {"name": "mse", "target": TARGET, "beta": 1}),
    ("unknown_field", "/variance", {"name": "mse", "target": TARGET, "variance": TARGET}),
    ("unsupported_value", "/reduction", {"name": "mse", "target": TARGET, "reduction": "avg"}),
    ("bad_parameter", "/sample_weight/1", {"name": "mse", "target": TARGET,
                                           "sample_weight": [1, -1]}),
    ("shape_mismatch", "/sample_weight", {"name": "mse", "target": TARGET, "sample_weight": [1]}),
    ("shape_mismatch", "/class_weight", {"name": "nll", "target": [0, 1], "class_weight": [1, 2]}),
    ("bad_parameter", "/pos_weight/3", {"name": "bce_with_logits", "target": TARGET,
                                        "pos_weight": [1, 1, 1, -1]}),
    ("unexpected_type", "/name", {"name": 3, "target": TARGET}),
    ("unexpected_type", "", 7))


def dense(N, K, **members):
    return {"activation": "identity", "weight": values(GENERATOR, N, K), **members}


def network(*layers, **members):
    """A network of three inputs and four outputs, and its loss, but for these members."""
    found = {"layers": list(layers) or [dense(3, 3, name="a"), dense(4, 3, name="b")],
             "input": values(GENERATOR, 2, 3), "loss": {"name": "mse", "target": TARGET}, **members}
    return {name: value for name, value in found.items() if value is not None}


NORM = {"type": "layer_norm"}
# What is wrong with a network or with its options.
BAD_NETWORKS = (
    ("missing_field", None, network(loss=None)),
    ("unsupported_value", "/grad_output", network(grad_output=TARGET)),
    ("missing_field", None, network(input=None)),
    ("shape_mismatch", "/grad_output", network(loss=None, grad_output=[[1, 2]] * 2)),
    ("empty_batch", "/layers", network(layers=[])),
    ("unknown_name", "/layers/0/residual", network(dense(3, 3, residual="b"),
                                                   dense(4, 3, name="b"))),
    ("unknown_name", "/layers/0/residual", network(dense(3, 3, name="a", residual="a"),
                                                   dense(4, 3))),
    ("shape_mismatch", "/layers/1/residual", network(dense(3, 3, name="a"),
                                                     dense(4, 3, residual="a"))),
    ("missing_field", "/layers/1", network(dense(3, 3), {"activation": "relu"})),
    ("shape_mismatch", "/layers/1/weight", network(dense(3, 3), dense(4, 5))),
    ("shape_mismatch", "/layers/0/bias", network(dense(3, 3, bias=[1, 2]), dense(4, 3))),
    ("shape_mismatch", "/layers/0/gain", network({**NORM, "gain": [1, 2]}, dense(4, 3))),
    ("bad_parameter", "/layers/0/epsilon", network({**NORM, "epsilon": -1}, dense(4, 3))),
    ("missing_field", "/layers/0", network({"type": "batch_norm", "running_mean": [1, 2, 3]},
                                           dense(4, 3))),
    ("shape_mismatch", "/layers/0/activation/slope",
     network(dense(3, 3, activation={"name": "prelu", "slope": [1, 2]}), dense(4, 3))),
    ("unknown_field", "/layers/0/grad_output", network(dense(3, 3, grad_output=TARGET),
                                                       dense(4, 3))),
    ("unsupported_value", "/outputs/1", network(outputs=["predictions", "loss"])),
    ("unsupported_value", "/outputs", network(outputs=[])),
    ("unsupported_value", "/outputs/1", network(outputs=["grad_input", "grad_input"])),
    ("unsupported_value", "/clip/layer_norm", network(reduction="none", clip={"layer_norm": 1})),
    ("unsupported_value", "/clip/global_norm", network(reduction="none", clip={"global_norm": 1})),
    ("unsupported_value", "/weight_decay/l2", network(reduction="none", weight_decay={"l2": 1})),
    ("bad_parameter", "/clip/value", network(clip={"value": 0})),
    ("unknown_field", "/clip/norm", network(clip={"norm": 1})),
    ("bad_parameter", "/weight_decay/l2", network(weight_decay={"l2": -1})),
    ("unexpected_type", "/scale", network(scale="2")),
    ("unexpected_type", "/statistics", network(statistics=1)),
    ("unsupported_value", "/reduction", network(reduction="avg")),
    ("unknown_field", "/check", network(check={})))


def plain(y, target, loss, **options):
    """A network that gives y as it is, and the loss."""
    return {"input": y, "layers": [{"type": "activation", "activation": "identity"}],
            "loss": {"name": loss, "target": target, **options}}


# A loss that has no number: the code, the place, all that is told of it.
NO_NUMBER = (
    (plain([[1, 2]] * 2, [-100, -100], "cross_entropy"), "non_finite", "/loss/target",
     "every class of loss/target is ignored, being ignore_index (-100), expected one that is not: "
     "the mean is NaN"),
    (plain([[1, 2]], [1], "nll", class_weight=[1, 0]), "non_finite", "/loss/class_weight",
     "every class of loss/target that counts has the weight 0, expected a positive one: the mean "
     "divides by 0"),
    (plain([[1, 2]], [0], "cross_entropy", class_weight=[0, 1], label_smoothing=0.5), "non_finite",
     "/loss/class_weight", "every class of loss/target that counts has the weight 0, expected a "
     "positive one: the mean divides by 0"),
    (plain([[1, 2]] * 2, [[1, 0], [0.5, -0.5]], "kl_div"), "bad_parameter", "/loss/target/1/1",
     "loss/target/1/1 is -0.5, expected a number that is not negative, log_target being false"),
    (plain([[0, 1], [0.5, 1.5]], [[0, 1], [1, 1]], "binary_cross_entropy"), "non_finite",
     "/loss/target/1", "loss of sample 1 is NaN, expected a finite number: output 1 of it is 1.5, "
     "expected a probability from 0 to 1"),
    (plain([[0, 1], [-0.1, 1.5]], [[0, 1], [1, 1]], "binary_cross_entropy", reduction="none"),
     "non_finite", "/loss/target/1/0", "loss of sample 1 at output 0 is NaN, expected a finite "
     "number: that output is -0.1, expected a probability from 0 to 1"),
    (plain([2, -1], [1, 1], "poisson_nll", log_input=False, reduction="sum"), "non_finite",
     "/loss/target", "loss of sample 0 is NaN, expected a finite number: output 1 of it is -1, "
     "expected a rate that is not negative, log_input being false"),
    (plain([2, 0], [1, 1], "poisson_nll", log_input=False, eps=0), "non_finite",
     "/loss/target", "loss of sample 0 is Infinity, expected a finite number: output 1 of it is 0, "
     "expected a positive rate, log_input being false and eps 0"),
    (plain([[2, 2]], [[1, 2]], "gaussian_nll", variance=[[0, 2]], eps=0), "non_finite",
     "/loss/target/0", "loss of sample 0 is NaN, expected a finite number: its variance is 0, "
     "expected a positive one, eps being 0"),
    (plain([[2, 2]], [[1, 2]], "gaussian_nll", variance=[[2, 0]], eps=0, reduction="none"),
     "non_finite", "/loss/target/0/1", "loss of sample 0 at output 1 is NaN, expected a finite "
     "number: its variance is 0, expected a positive one, eps being 0"),
    (plain([[0], [3e38]], [[0], [0]], "mse", reduction="none"), "non_finite", "/loss/target/1/0",
     "loss of sample 1 at output 0 is Infinity, expected a finite number: its outputs and targets "
     "are too large"))


def layer_of(**members):
    """The body of /v1/gradients that holds one layer of one number, but for these members."""
    return {"layers": [{"activation": "relu", "input": [[1]], "pre_activation": [[1]],
                        "grad_output": [[1]], **members}]}


def spelled(tensor):
    """The tensor as an object, whatever it was."""
    rows = tensor if isinstance(tensor[0], list) else [tensor]
    shape = [len(rows), len(rows[0])] if rows is tensor else [len(tensor)]
    return {"shape": shape, "data": sum(rows, [])}


LATER = "expected an earlier layer, found \"%s\" of layers/1, a later one"
# What else is wrong: the code, the place, all that is told of it.
WORDS = (
    (layer_of(activation={"name": "celu", "alpha": 1e-60}), "bad_parameter",
     "/layers/0/activation/alpha", "layers/0/activation/alpha is 1e-60, which is 0 as float32, "
     "expected a finite positive number"),
    (layer_of(activation={"name": "prelu", "slope": 1e39}), "number_out_of_range",
     "/layers/0/activation/slope", "expected a number within float32's range, found 1e+39; "
     "?datatype=FP64 holds it"),
    (layer_of(activation={"name": "elu", "alpha": -3.4028236e38}), "number_out_of_range",
     "/layers/0/activation/alpha", "expected a number within float32's range, found "
     "-3.4028236e+38; ?datatype=FP64 holds it"),
    (layer_of(input=[[1]] * 2), "shape_mismatch", "/layers/0/input",
     "layers/0/input has 2 rows, pre_activation has 1"),
    (layer_of(pre_activation=[[1]] * 2), "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 2 rows, grad_output has 1"),
    (layer_of(grad_output=[[1, 2]]), "shape_mismatch", "/layers/0/pre_activation",
     "layers/0/pre_activation has 1 column, grad_output has 2"),
    (layer_of(weight=[[1], [2]]), "shape_mismatch", "/layers/0/weight",
     "layers/0/weight has 2 rows, pre_activation has 1 column"),
    (layer_of(input=[[1, 2], [3]]), "ragged_array", "/layers/0/input/1",
     "expected rows of the same length: row 1 has 1 element, the first has 2"),
    (layer_of(bias=[1, 2]), "shape_mismatch", "/layers/0/bias",
     "layers/0/bias has 2 numbers, the layer has 1 output"),
    (network(dense(3, 3, residual="b"), dense(4, 3, name="b")), "unknown_name",
     "/layers/0/residual", LATER % "b"),
    (network(dense(3, 3, residual="a", name="a"), dense(4, 3)), "unknown_name",
     "/layers/0/residual", "expected an earlier layer, found \"a\", the layer itself"),
    (network(dense(3, 3), dense(4, 3, residual="x")), "unknown_name", "/layers/1/residual",
     "unknown earlier layer \"x\", expected input"),
    (plain([2, 1], [[1, 2]], "mse"), "shape_mismatch", "/loss/target", "loss/target has shape "
     "[1, 2], expected the output's, the network's output being [2], a vector; [2] is spelled "
     '[1,2] or {"shape": [2], "data": [1,2]}'),
    (plain([[2, 1]], [1, 2], "mse"), "shape_mismatch", "/loss/target", "loss/target has shape [2], "
     "expected the output's, the network's output being [1, 2]; [1,2] is spelled [[1,2]] or "
     '{"shape": [1,2], "data": [1,2]}'),
    (plain([[1, 2], [3, 4]], [[0], [1]], "cross_entropy"), "shape_mismatch", "/loss/target",
     "loss/target has shape [2, 1], expected classes as [0, 1], not as [[0], [1]], the network's "
     "output being [2, 2]"),
    (network(loss={"name": "huber", "target": TARGET, "delta": -1e-320}), "bad_parameter",
     "/loss/delta", "loss/delta is -1e-320, expected a finite positive number"),
    (network(loss={"name": "nll", "target": [0, 2147483648]}), "bad_parameter", "/loss/target/1",
     "loss/target/1 is 2147483648, expected a class from 0 to 3, or ignore_index"),
    (network(loss={"name": "mse", "target": TARGET, "reduction": "batchmean"}), "unsupported_value",
     "/loss/reduction", "loss/reduction is batchmean, expected mean, sum or none for mse"),
    (network(loss={"name": "focal", "target": [[1, 0, 1, 1], [1, 1, 0.1, 1]]}),
     "bad_parameter", "/loss/target/1/2", "loss/target/1/2 is 0.1, expected 0 or 1"),
    (network(loss={"name": "squared_hinge", "target": [[1, -1, 1, 1], [1, 1, 0.1, 1]]}),
     "bad_parameter", "/loss/target/1/2", "loss/target/1/2 is 0.1, expected -1 or 1"))


class Refusals(DaemonCase):
    """Requests that are wrong: 422, and where and why."""

    def assert_refused(self, document, code, pointer):
        body = body_of(document)
        problem = self.assert_problem(self.daemon.post(body, path=BACKPROP), 422, code)
        self.assertEqual(problem.get("pointer"), pointer, problem)
        self.assertRegex(problem["detail"], "expected|belongs|did you mean|, the l", problem)
        self.assertTrue(0 <= problem["offset"] < len(body), problem)
        return problem, body

    def test_losses(self):
        for code, pointer, loss in BAD_LOSSES:
            with self.subTest(code, loss=loss):
                problem, body = self.assert_refused(network(loss=loss), code, "/loss" + pointer)
                last = re.findall("[a-z_]+", pointer) or ["loss"]
                self.assertIn(b'"%s"' % last[0].encode(), body[:problem["offset"] + 20])

    def test_networks(self):
        for code, pointer, document in BAD_NETWORKS:
            with self.subTest(code, pointer=pointer):
                self.assert_refused(document, code, pointer)

    def test_the_nearest_name(self):
        for wrong, right in (("huberr", "huber"), ("mea", "l1"), ("cros_entropy", "cross_entropy"),
                             ("bce_with_logit", "bce_with_logits"), ("kl_dvi", "kl_div")):
            problem, _ = self.assert_refused(network(loss={"name": wrong, "target": TARGET}),
                                             "unknown_name", "/loss/name")
            self.assertIn('"%s", did you mean "%s"?' % (wrong, right), problem["detail"])

    def test_words(self):
        """Whole texts: what was found, in what the client sent, and what was expected."""
        for document, code, pointer, detail in WORDS:
            with self.subTest(pointer, detail=detail):
                path = BACKPROP if "loss" in document else "/v1/gradients"
                problem = self.assert_problem(self.daemon.post(document, path=path), 422, code)
                self.assertEqual(problem["detail"], detail)
                self.assertEqual(problem["pointer"], pointer)

    def test_losses_without_a_number(self):
        """Which sample it is, why, and where, whatever else is asked for."""
        for document, code, pointer, detail in NO_NUMBER:
            ways = ((BACKPROP, {}), (BACKPROP, {"on_error": "continue"}),
                    (BACKPROP, {"statistics": True}), (CHECK, {}))  # the last one on a worker
            for path, options in ways:
                with self.subTest(pointer, path=path, detail=detail, **options):
                    body = body_of({**document, **options})
                    problem = self.assert_problem(self.daemon.post(body, path=path), 422, code)
                    self.assertEqual(problem["detail"], detail)
                    self.assertEqual(problem["pointer"], pointer)
                    last = re.findall("[a-z_]+", pointer)[-1].encode()
                    self.assertEqual(problem["offset"],
                                     body.index(b'"%s":' % last) + len(last) + 3)

    def test_tensors_that_are_objects(self):
        """A number is at its row and column, and its byte is the tensor's, as it is of arrays."""
        bad_number = tuple((document, code, pointer, detail) for document, code, pointer, detail
                           in WORDS if code == "bad_parameter" and "loss" in document)
        for document, code, pointer, detail in NO_NUMBER + bad_number:
            loss = {name: spelled(value) if isinstance(value, list) else value
                    for name, value in document["loss"].items()}
            for path in (BACKPROP, CHECK):
                with self.subTest(pointer, path=path, detail=detail):
                    body = body_of({**document, "loss": loss})
                    problem = self.assert_problem(self.daemon.post(body, path=path), 422, code)
                    self.assertEqual((problem["pointer"], problem["detail"]), (pointer, detail))
                    last = re.findall("[a-z_]+", pointer)[-1].encode()
                    self.assertEqual(problem["offset"],
                                     body.index(b'"%s":' % last) + len(last) + 3)

    def test_layers_whose_tensors_are_objects(self):
        """The same of a layer's, as the answer's and as the layer's own error."""
        for tensor in ({"shape": [1, 2], "data": [1, "NaN"]}, [[1, "NaN"]]):
            for options in ({}, {"on_error": "continue"}):
                body = body_of({**layer_of(input=tensor), **options})
                answer = json.loads(self.daemon.post(body, path="/v1/gradients").body)
                error = answer["layers"][0]["error"] if options else answer
                self.assertEqual(error["pointer"], "/layers/0/input/0/1")
                self.assertEqual(error["offset"], body.index(b'"input":') + len(b'"input":'))

    def test_results_that_are_not_finite(self):
        """Allowed they are spelled out."""
        nobody = network(loss={"name": "nll", "target": [-100, -100]})
        huge = network(loss=None, grad_output=[[3e38] * 4] * 2)
        for document, pointer in ((nobody, "/loss"), (huge, "/layers/0/weight_delta/0/0")):
            response = self.daemon.post(document, path=BACKPROP)
            problem = self.assert_problem(response, 422, "non_finite")
            self.assertTrue(problem["pointer"].startswith(pointer[:16]), problem)
            response = self.daemon.post({**document, "non_finite": "allow"}, path=BACKPROP)
            self.assertEqual(response.status, 200, response)
            self.assertRegex(response.body, b'"(NaN|-?Infinity)"')
        for document, loss in ((nobody, "NaN"),
                               (plain([[1, 2]], [0], "nll", class_weight=[0, 1]), "NaN"),
                               (plain([[1, 2]], [0], "cross_entropy", class_weight=[0, 1],
                                      label_smoothing=0.5), "Infinity")):
            answer = ask(self.daemon, {**document, "non_finite": "allow"})
            self.assertEqual(answer["loss"], loss)


LAYER = {"activation": "identity", "input": [[1, 2]], "pre_activation": [[3, 4]]}
# What stands where no number belongs, or is no number where one does: where, what is told.
CULPRITS = (
    ({"layers": [3, LAYER]}, "/layers/0", "expected a layer, found a number"),
    ({"layers": [LAYER, 3]}, "/layers/1", "expected a layer, found a number"),
    ({"layers": [[3], LAYER]}, "/layers/0", "expected a layer, found an array of numbers"),
    ({"layers": [[3, {}], LAYER]}, "/layers/0", "expected a layer, found an array"),
    ({"layers": ["NaN", LAYER]}, "/layers/0", "expected a layer, found a string"),
    ({"scale": "0.5", "layers": [LAYER]}, "/scale",
     'expected a number, found the string "0.5"; numbers stand without quotes'),
    ({"outputs": [3, "bias_delta"], "layers": [LAYER]}, "/outputs/0",
     "expected a string, found a number"),
    ({"layers": [{**LAYER, "activation": [1, "relu"]}]}, "/layers/0/activation",
     "expected a name or an object with a name, found an array; a single value stands without "
     "brackets (R's jsonlite: auto_unbox = TRUE)"),
    ({"layers": [{**LAYER, "input": ["a", 1]}]}, "/layers/0/input/0",
     'expected a number, found the string "a"'),
    ({"layers": [{**LAYER, "input": [1, "a"]}]}, "/layers/0/input/1",
     'expected a number, found the string "a"'),
    ({"layers": [{**LAYER, "input": [[1, 2], [3, {"a": [1, [2]]}]]}]}, "/layers/0/input/1/1",
     "expected a number, found an object; a typed array? Array.from(x) makes an array of it "
     "(PHP: array_values($x), Lua: indices from 1 on)"))


class Culprits(DaemonCase):
    """The same words about the same place, whoever is asked and however the body comes."""

    def assert_told(self, response, pointer, detail):
        problem = self.assert_problem(response, 422, "unexpected_type", pointer=pointer)
        self.assertEqual(problem["detail"], detail)
        return problem

    def test_every_path(self):
        for document, pointer, detail in CULPRITS:
            for path in (GRADIENTS, BACKPROP, CHECK):
                with self.subTest(detail, path=path):
                    body = body_of({**document, **({"loss": {}} if path == BACKPROP else {})})
                    problem = self.assert_told(self.daemon.post(body, path=path), pointer, detail)
                    self.assertTrue(0 < problem["offset"] < len(body), problem)

    def test_every_cut(self):
        for document, pointer, detail in CULPRITS:
            body = body_of(document)
            with self.daemon.connect() as connection:
                for cut in range(1, len(body)):
                    response = connection.request("POST", GRADIENTS, body, chunks=[cut])
                    self.assert_told(response, pointer, detail)

    def test_going_on(self):
        """What is no layer is answered as one that is wrong, and so is a wrong tensor."""
        good = {**LAYER, "grad_output": [[5, 6]]}
        for document, pointer, detail in CULPRITS:
            if set(document) != {"layers"}:
                continue
            layers = [good if layer is LAYER else layer for layer in document["layers"]] + [good]
            answer = ask(self.daemon, {"layers": layers, "on_error": "continue"}, GRADIENTS)
            errors = [layer["error"] for layer in answer["layers"] if "error" in layer]
            self.assertEqual([(e["pointer"], e["detail"]) for e in errors], [(pointer, detail)])
            self.assertEqual(answer["layers"][-1]["bias_delta"], [5, 6])


class Limits(unittest.TestCase):
    """What is refused for its size alone."""

    def test_samples_one_by_one_count(self):
        """The limit is of numbers answered: met exactly, and passed by one."""
        document = network(outputs=["weight_delta", "bias_delta"], reduction="none")
        count = 2 * (3 * 3 + 3 + 4 * 3 + 4)
        for limit, status in ((count, 200), (count - 1, 413)):
            with Daemon("--max-result-numbers", str(limit)) as daemon:
                response = daemon.post(document, path=BACKPROP)
                self.assertEqual(response.status, status, response)
                if status == 413:
                    problem = response.json()
                    self.assertEqual(problem["code"], "max_result_numbers")
                    self.assertEqual(problem["limit"],
                                     {"name": "max_result_numbers", "value": limit})
                summed = {**document, "reduction": "sum"}
                self.assertEqual(daemon.post(summed, path=BACKPROP).status, 200)


if __name__ == "__main__":
    unittest.main()

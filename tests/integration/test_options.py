"""The options of a computation over HTTP: errors layer by layer, clipping, decay, scale,
statistics, predictions, held against the answered tensors by plain arithmetic; and what a request
with a wrong loss, network or option is told. The numbers of plain answers are other tests'."""

import copy
import math
import random
import re
import unittest

import nets
from nets import BACKPROP, DATATYPES, DELTAS, GRADIENTS, UNIT, ask, flat
from support import Daemon, DaemonCase, body_of, make_layer, scaled, values

GENERATOR = random.Random(11)
# Numbers in a network of nets.py: at most 6 layers of 7 x 7 and a few vectors.
NUMBERS = 512


def good(**members):
    """A layer of /v1/gradients that is right, but for these members (None: left out)."""
    layer = {**make_layer(random.Random(1), 3, 4, 5, "tanh", weight=True), **members}
    return {name: value for name, value in layer.items() if value is not None}


# What is wrong with a layer: its code, its pointer within the layer, the layer.
BAD_LAYERS = (
    ("unknown_name", "/activation", good(activation="rellu")),
    ("unexpected_type", "/activation", good(activation=3)),
    ("unknown_field", "/activation/beta", good(activation={"name": "elu", "beta": 1})),
    ("missing_field", "/activation", good(activation={"alpha": 1})),
    ("bad_parameter", "/activation/alpha", good(activation={"name": "celu", "alpha": 0})),
    ("unknown_name", "/type", good(type="conv")),
    ("unknown_field", "/weight", good(type="layer_norm")),
    ("unknown_field", "/colour", good(colour=1)),
    ("unknown_field", "/residual", good(residual="input")),
    ("unexpected_type", "/name", good(name=3)),
    ("unexpected_type", "", 5),
    ("missing_field", "", good(input=None)),
    ("shape_mismatch", "/input", good(input=[[1, 2, 3, 4]] * 2)),
    ("shape_mismatch", "/weight", good(weight=[[1, 2, 3, 4]] * 6)),
    ("bad_parameter", "/dropout/rate", good(dropout={"mask": [[1] * 5] * 3, "rate": 1})),
    ("non_finite", "/input/0/3", good(input=[[1, 2, 3, "NaN"]] * 3)),
    ("non_finite", "/weight_delta/0/0", good(activation="identity", input=[[3e38] * 4] * 3,
                                             grad_output=[[3e38] * 5] * 3)))


class OnError(DaemonCase):
    """on_error: one bad layer, and the others."""

    def assert_error(self, error, code, pointer):
        self.assertEqual((error["code"], error["pointer"]), (code, pointer), error)
        self.assertEqual((error["status"], error["title"]), (422, "Unprocessable Content"))
        self.assertRegex(error["detail"], "expected|did you mean|belongs to|has .* has ")

    def test_each_bad_layer_among_good_ones(self):
        for code, pointer, bad in BAD_LAYERS:
            with self.subTest(code, pointer=pointer):
                layers = [good(name="a"), bad, good(activation="relu")]
                answer = ask(self.daemon, {"on_error": "continue", "layers": layers}, GRADIENTS,
                             "FP32")
                self.assert_error(answer["layers"][1]["error"], code, "/layers/1" + pointer)
                self.assertLessEqual(set(answer["layers"][1]), {"name", "error"})
                self.assert_alone(layers, answer, (0, 2))
                problem = self.assert_problem(self.daemon.post({"layers": layers}), 422, code)
                self.assertEqual(problem["pointer"], "/layers/1" + pointer)

    def assert_alone(self, layers, answer, chosen):
        """That these layers are answered as they would be without the others, bit for bit."""
        for i in chosen:
            alone = ask(self.daemon, {"layers": [layers[i]]}, GRADIENTS, "FP32")["layers"][0]
            self.assertEqual(repr(answer["layers"][i]), repr(alone))

    def test_all_of_them_at_once(self):
        layers = []
        for _, _, bad in BAD_LAYERS:
            layers += [good(grad_output=values(GENERATOR, 3, 5)), bad]
        answer = ask(self.daemon, {"on_error": "continue", "layers": layers}, GRADIENTS, "FP32")
        for i, (code, pointer, _) in enumerate(BAD_LAYERS):
            place = "/layers/%d%s" % (2 * i + 1, pointer)
            self.assert_error(answer["layers"][2 * i + 1]["error"], code, place)
        self.assert_alone(layers, answer, range(0, len(layers), 2))

    def test_the_whole_is_of_the_good_ones(self):
        """Norms, counts and clipping know nothing of a layer that failed."""
        options = {"statistics": True, "clip": {"value": 0.5, "global_norm": 1}}
        both = {**options, "layers": [good(), good(activation="relu")]}
        wanted = ask(self.daemon, both, GRADIENTS)
        for _, _, bad in BAD_LAYERS[:-1]:  # the last is found when all norms are
            layers = [both["layers"][0], bad, both["layers"][1]]
            found = ask(self.daemon, {**options, "on_error": "continue", "layers": layers},
                        GRADIENTS)
            del found["layers"][1]
            self.assertEqual(repr(found), repr(wanted))

    def test_nothing_but_bad_layers(self):
        answer = ask(self.daemon, {"on_error": "continue", "layers": [good(type="x"), 5]},
                     GRADIENTS)
        self.assertEqual([list(layer) for layer in answer["layers"]], [["error"], ["error"]])

    def test_a_network_stands_or_falls_as_one(self):
        network = nets.make_network(1)
        network["on_error"] = "continue"
        ask(self.daemon, network)
        network["layers"][1]["activation"] = "rellu"
        problem = self.assert_problem(self.daemon.post(network, path=BACKPROP), 422, "unknown_name")
        self.assertEqual(problem["pointer"], "/layers/1/activation")


class Recomputed(DaemonCase):
    """Options whose effect plain arithmetic can tell from the answer without them."""

    def each(self):
        """Networks in both datatypes: the request, the plain deltas of each layer, the unit."""
        for seed in range(scaled(12, 3)):
            network = nets.make_network(seed, sorted(nets.LOSSES)[seed])
            for datatype in DATATYPES:
                layers = ask(self.daemon, network, datatype=datatype)["layers"]
                deltas = [{n: flat(t) for n, t in layer.items() if n in DELTAS}
                          for layer in layers]
                yield network, datatype, deltas

    def assert_near(self, found, wanted, unit, scale=0.0):
        """Of the same sums of NUMBERS terms, taken in whatever order."""
        allowed = NUMBERS * unit * max(abs(wanted), scale)
        self.assertLessEqual(abs(found - wanted), allowed, (found, wanted))

    def assert_layers(self, answer, wanted, unit):
        for layer, deltas in zip(answer["layers"], wanted):
            for name, numbers in deltas.items():
                for a, b in zip(flat(layer[name]), numbers, strict=True):
                    self.assert_near(a, b, unit)

    def test_clipping(self):
        for network, datatype, deltas in self.each():
            sizes = sorted(abs(v) for layer in deltas for t in layer.values() for v in t)
            value = sizes[len(sizes) * 3 // 4] * 1.0625 or 1  # some are beyond, none at the edge
            norm = math.hypot(*sizes) or 1
            for clip in ({"value": value}, {"layer_norm": norm / 8}, {"global_norm": norm / 8},
                         {"global_norm": norm * 2},
                         {"value": value, "layer_norm": norm / 16, "global_norm": norm / 32}):
                self.assert_clipped(network, datatype, deltas, clip)

    def assert_clipped(self, network, datatype, deltas, clip):
        answer = ask(self.daemon, {**network, "clip": clip}, datatype=datatype)
        unit = UNIT[datatype]
        bound = clip.get("value", math.inf)
        wanted, factors, reports = [], [], []
        for layer in deltas:
            held = {n: [min(max(v, -bound), bound) for v in t] for n, t in layer.items()}
            norm = math.hypot(*(v for t in held.values() for v in t))
            factors.append(min(1, clip.get("layer_norm", math.inf) / (norm + 1e-6)))
            count = sum(abs(v) > bound for t in layer.values() for v in t)
            reports.append((count, norm, factors[-1]))
            wanted.append(held)
        whole = math.hypot(*(r[1] * r[2] for r in reports))
        factor = min(1, clip.get("global_norm", math.inf) / (whole + 1e-6))
        reports.append((sum(r[0] for r in reports), whole, factor))
        for part, report in zip([*answer["layers"], answer], reports, strict=True):
            found = part["clipping"]
            self.assertEqual(found["clipped_values"], report[0])
            self.assert_near(found["norm"], report[1], unit)
            self.assert_near(found["factor"], report[2], unit)
        scaled_down = [{n: [v * f * factor for v in t] for n, t in layer.items()}
                       for layer, f in zip(wanted, factors)]
        self.assert_layers(answer, scaled_down, unit)

    def test_decay_and_scale_and_mean(self):
        for network, datatype, deltas in self.each():
            B = len(network["input"])
            for l1, l2, scale, reduction in ((0.5, 0, 1, "sum"), (0, 0.25, -2, "sum"),
                                             (0.125, 3, -0.1, "mean")):
                options = {"weight_decay": {"l1": l1, "l2": l2}, "scale": scale,
                           "reduction": reduction}
                answer = ask(self.daemon, {**network, **options}, datatype=datatype)
                for layer, found, plain in zip(network["layers"], answer["layers"], deltas):
                    for name, numbers in plain.items():
                        W = flat(layer["weight"]) if name == "weight_delta" else [0] * len(numbers)
                        self.assert_decayed(flat(found[name]), numbers, W, UNIT[datatype],
                                            (l1, l2, scale, B if reduction == "mean" else 1))

    def assert_decayed(self, found, plain, W, unit, options):
        l1, l2, scale, divisor = options
        for a, d, w in zip(found, plain, W, strict=True):
            terms = (d / divisor, l1 * ((w > 0) - (w < 0)), l2 * w)
            self.assertLessEqual(abs(a - scale * sum(terms)),
                                 8 * unit * abs(scale) * sum(map(abs, terms)))

    def test_statistics_are_of_what_is_answered(self):
        for network, datatype, _ in self.each():
            for options in ({}, {"scale": -3, "clip": {"global_norm": 0.5}},
                            {"reduction": "none"}, {"outputs": ["bias_delta", "grad_input"]}):
                answer = ask(self.daemon, {**network, **options, "statistics": True},
                             datatype=datatype)
                everything = flat(answer.get("grad_input", []))
                for layer in answer["layers"]:
                    report = dict(layer["statistics"])
                    report.pop("zero_derivative", None)
                    self.assertEqual(set(report), set(layer) & {*DELTAS})
                    for name, found in report.items():
                        self.assert_statistics(found, flat(layer[name]), UNIT[datatype])
                        everything += flat(layer[name])
                self.assert_statistics(answer["statistics"], everything, UNIT[datatype])

    def assert_statistics(self, found, numbers, unit):
        self.assert_near(found["l2_norm"], math.hypot(*numbers), unit)
        self.assertEqual((found["max_abs"], found["non_finite"]), (max(map(abs, numbers)), 0))

    def test_dead_units(self):
        """The share of f' = 0: by layer, and of the whole without those that have a matrix."""
        generator = random.Random(4)
        B, N = 7, 12
        z = {name: values(generator, B, N) for name in ("relu", "hard_tanh", "identity")}
        layers = [{"type": "activation", "activation": name, "input": rows,
                   "grad_output": values(generator, B, N)} for name, rows in z.items()]
        layers.append({**layers[0], "activation": "softmax"})
        answer = ask(self.daemon, {"statistics": True, "layers": layers}, GRADIENTS)
        dead = [sum(v <= 0 for v in flat(z["relu"])), sum(abs(v) >= 1 for v in flat(z["hard_tanh"])),
                0]
        for layer, count in zip(answer["layers"], dead):
            self.assertAlmostEqual(layer["statistics"]["zero_derivative"], count / (B * N), 15)
        self.assertNotIn("zero_derivative", answer["layers"][3]["statistics"])
        self.assertAlmostEqual(answer["statistics"]["zero_derivative"], sum(dead) / (3 * B * N), 15)

    def test_what_is_not_finite_is_counted(self):
        layer = good(activation="identity", grad_output=[["NaN", 1, 1, 1, 1]] + [[1] * 5] * 2)
        answer = ask(self.daemon, {"non_finite": "allow", "statistics": True, "layers": [layer]},
                     GRADIENTS)
        found = answer["layers"][0]["statistics"]
        self.assertEqual([found[n]["non_finite"] for n in ("weight_delta", "bias_delta",
                                                           "grad_input")], [4, 1, 4])
        self.assertEqual(found["bias_delta"]["max_abs"], "NaN")
        self.assertEqual(answer["statistics"]["non_finite"], 9)

    def test_outputs_are_those_asked_for(self):
        network = nets.make_network(3)
        everything = {"predictions", "grad_input", *DELTAS}
        whole = ask(self.daemon, {**network, "outputs": sorted(everything)})
        for name in everything:
            answer = ask(self.daemon, {**network, "outputs": [name]})
            top = {k: v for k, v in answer.items() if k not in ("layers", "loss")}
            self.assertEqual(top, {name: whole[name]} if name not in DELTAS else {})
            for layer, other in zip(answer["layers"], whole["layers"]):
                self.assertEqual(layer, {k: v for k, v in other.items() if k in ("name", name)})

    def test_samples_of_a_shared_slope(self):
        """Its tensor has one column, however wide the layer is."""
        B, N = 64, 300
        layer = {"type": "activation", "activation": "prelu", "input": [[-1] * N] * B,
                 "grad_output": [[1] * N] * B}
        for datatype in DATATYPES:
            answer = ask(self.daemon, {"reduction": "none", "outputs": ["slope_delta"],
                                       "layers": [layer]}, GRADIENTS, datatype)
            self.assertEqual(answer["layers"], [{"slope_delta": [[-N]] * B}])


TARGET = [[1, 2, 3, 4], [5, 6, 7, 8]]
SIGNS = [[1, -1, 1, 1], [1, 1, -1, -1]]
# A loss over two samples of four outputs: what is wrong with it.
BAD_LOSSES = (
    ("bad_parameter", "/target/1", {"name": "cross_entropy", "target": [0, 4]}),
    ("bad_parameter", "/target/0", {"name": "nll", "target": [-1, 0]}),
    ("bad_parameter", "/target/1", {"name": "cross_entropy", "target": [0, 0.5]}),
    ("shape_mismatch", "/target", {"name": "cross_entropy", "target": [0, 1, 2]}),
    ("shape_mismatch", "/target", {"name": "nll", "target": TARGET}),
    ("shape_mismatch", "/target", {"name": "mse", "target": [[1, 2, 3]] * 2}),
    ("shape_mismatch", "/target", {"name": "mse", "target": TARGET[:1]}),
    ("bad_parameter", "/target/0", {"name": "hinge", "target": TARGET[::-1]}),
    ("bad_parameter", "/target/1", {"name": "cosine_embedding", "target": [1, 2],
                                    "other": TARGET}),
    ("missing_field", "", {"name": "cosine_embedding", "target": [1, -1]}),
    ("missing_field", "", {"name": "gaussian_nll", "target": TARGET}),
    ("missing_field", "", {"name": "mse"}),
    ("missing_field", "", {"target": TARGET}),
    ("bad_parameter", "/variance/1", {"name": "gaussian_nll", "target": TARGET,
                                      "variance": [[1], [-1]]}),
    ("shape_mismatch", "/variance", {"name": "gaussian_nll", "target": TARGET,
                                     "variance": [[1, 2]] * 2}),
    ("bad_parameter", "/delta", {"name": "huber", "target": TARGET, "delta": 0}),
    ("bad_parameter", "/beta", {"name": "smooth_l1", "target": TARGET, "beta": -1}),
    ("bad_parameter", "/eps", {"name": "poisson_nll", "target": TARGET, "eps": 0}),
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
    ("bad_parameter", "/layers/0/epsilon", network({**NORM, "epsilon": 0}, dense(4, 3))),
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
        for wrong, right in (("huberr", "huber"), ("mea", "mse"), ("crossentropy", "cross_entropy"),
                             ("bce_with_logit", "bce_with_logits"), ("kldiv", "kl_div")):
            problem, _ = self.assert_refused(network(loss={"name": wrong, "target": TARGET}),
                                             "unknown_name", "/loss/name")
            self.assertIn('"%s", did you mean "%s"?' % (wrong, right), problem["detail"])

    def test_results_that_are_not_finite(self):
        """Found when all is done, so without an offset; allowed they are spelled out."""
        nobody = network(loss={"name": "nll", "target": [-100, -100]})
        huge = network(loss=None, grad_output=[[3e38] * 4] * 2)
        for document, pointer in ((nobody, "/loss"), (huge, "/layers/0/weight_delta/0/0")):
            response = self.daemon.post(document, path=BACKPROP)
            problem = self.assert_problem(response, 422, "non_finite")
            self.assertTrue(problem["pointer"].startswith(pointer[:16]), problem)
            response = self.daemon.post({**document, "non_finite": "allow"}, path=BACKPROP)
            self.assertEqual(response.status, 200, response)
            self.assertRegex(response.body, b'"(NaN|-?Infinity)"')
        self.assertEqual(ask(self.daemon, {**nobody, "non_finite": "allow"})["loss"], "NaN")


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
                summed = {**copy.deepcopy(document), "reduction": "sum"}
                self.assertEqual(daemon.post(summed, path=BACKPROP).status, 200)


if __name__ == "__main__":
    unittest.main()

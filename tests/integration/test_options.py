"""The options of a computation over HTTP: errors layer by layer, clipping, decay, scale,
statistics, predictions, held against the answered tensors by plain arithmetic. The numbers of plain
answers are other tests', wrong options are test_refusals.py's."""

import math
import random
import unittest

import nets
from nets import BACKPROP, DATATYPES, DELTAS, GRADIENTS, UNIT, ask, flat
from support import DaemonCase, body_of, make_layer, scaled, values

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
    # of tensors, wherever in them
    ("unexpected_type", "/input/0/0", good(input=[["a", 2, 3, 4]] * 3)),
    ("unexpected_type", "/input/0/1", good(input=[[1, "a", 3, 4]] * 3)),
    ("unexpected_type", "/weight/4/3", good(weight=[[1, 2, 3, 4]] * 4 + [[1, 2, 3, None]])),
    ("unexpected_type", "/input/data/1", good(input={"shape": [1, 2], "data": [1, {"a": [2]}]})),
    ("ragged_array", "/input/1", good(input=[[1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4]])),
    ("ragged_array", "/input/2", good(input=[[1, 2, 3, 4], [1, 2, 3, 4], 5])),
    ("number_out_of_range", "/input/2/3", good(input=[[1, 2, 3, 4]] * 2 + [[1, 2, 3, 1e39]])),
    ("empty_tensor", "/input", good(input=[[], [1, 2, 3, 4]])),
    ("non_finite", "/weight_delta/0/0", good(activation="identity", input=[[3e38] * 4] * 3,
                                             grad_output=[[3e38] * 5] * 3)))


class Absent(DaemonCase):
    """Which deltas there are where parameters are not."""

    def deltas(self, **members):
        layer = {"activation": "identity", "input": [[1, 2], [3, 5]],
                 "pre_activation": [[1, 2], [3, 5]], "grad_output": [[1, 1], [1, 2]], **members}
        return set(ask(self.daemon, {"layers": [layer]}, GRADIENTS)["layers"][0])

    def test_gain_and_shift_have_none(self):
        for kind in ("layer_norm", "batch_norm"):
            self.assertEqual(self.deltas(type=kind), {"grad_input"})
            self.assertEqual(self.deltas(type=kind, gain=[1, 2]), {"grad_input", "gain_delta"})
            self.assertEqual(self.deltas(type=kind, shift=[1, 2]), {"grad_input", "shift_delta"})

    def test_weight_and_bias_have_theirs(self):
        both = {"weight_delta", "bias_delta"}
        self.assertEqual(self.deltas(), both)
        self.assertEqual(self.deltas(weight=[[1, 2], [3, 4]]), both | {"grad_input"})


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
                answer = ask(self.daemon, {"layers": layers, "on_error": "continue"}, GRADIENTS,
                             "FP32")
                error = answer["layers"][1]["error"]
                self.assert_error(error, code, "/layers/1" + pointer)
                self.assertLessEqual(set(answer["layers"][1]), {"name", "error"})
                self.assert_alone(layers, answer, (0, 2))
                problem = self.assert_problem(self.daemon.post({"layers": layers}), 422, code)
                self.assertEqual(error, {k: v for k, v in problem.items() if k != "request_id"})
                self.assertEqual("offset" in error, not pointer.startswith("/weight_delta"), error)

    def test_faults_among_many_numbers(self):
        """What is passed over behind a fault is held against no limit of what is kept."""
        bad = good(input=[None] + [0.25, "0.5", None] * 100000)
        layers = [good(name="a"), bad, good(activation="relu")]
        answer = ask(self.daemon, {"on_error": "continue", "layers": layers}, GRADIENTS, "FP32")
        self.assert_error(answer["layers"][1]["error"], "unexpected_type", "/layers/1/input/0")
        self.assert_alone(layers, answer, (0, 2))

    def test_what_is_wrong_with_the_document_itself(self):
        """Fails all of it, though it stands in one layer."""
        for code, status, pointer, member in (
                ("duplicate_field", 422, "/name", b'"name": "a", "name": "b"'),
                ("number_out_of_range", 422, "/epsilon", b'"epsilon": 1e400'),
                ("unsupported_value", 422, "/name", b'"name": "\\u0000"'),
                ("malformed_number", 400, "/input/1", b'"input": [1, 01]'),
                ("malformed_json", 400, "/input", b'"input": [null, 1 2]'),
                ("malformed_json", 400, "/input/0", b'"input": [nil]'),
                ("max_depth", 413, "/input", b'"input": [null, ' + b"[" * 40)):
            with self.subTest(code, member=member):
                body = b'{"on_error": "continue", "layers": [%s, {"activation": "relu", %s}]}' % (
                    body_of(good()), member)
                self.assert_problem(self.daemon.post(body), status, code,
                                    pointer="/layers/1" + pointer)

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
        wanted = ask(self.daemon, both, GRADIENTS, "FP32")
        for _, _, bad in BAD_LAYERS[:-1]:  # the last is found when all norms are
            layers = [both["layers"][0], bad, both["layers"][1]]
            found = ask(self.daemon, {**options, "on_error": "continue", "layers": layers},
                        GRADIENTS, "FP32")
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
        dead = [sum(v <= 0 for v in flat(z["relu"])),
                sum(abs(v) >= 1 for v in flat(z["hard_tanh"])), 0]
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


if __name__ == "__main__":
    unittest.main()

"""f and f' where there is a convention or a limit and no derivative: at kinks, at NaN, at infinity;
and parameters and targets that a function has no reading of. The values are those of PyTorch 2.14
(docs/mathematics.md has the table), typed here, wherever in a tensor an element stands."""

import unittest
from decimal import Decimal, getcontext

from nets import BACKPROP, DATATYPES, GRADIENTS, ask
from support import DaemonCase

INFINITIES = ["-Infinity", "Infinity"]

# Each kink: the activation, z, f'(z).
KINKS = (
    ("relu", 0, 0), ("relu", -0.0, 0), ("relu6", 0, 0), ("relu6", 6, 0),
    ("leaky_relu", 0, 0.01), ({"name": "leaky_relu", "negative_slope": 2}, 0, 2),
    ("prelu", 0, 0.25), ({"name": "prelu", "slope": 2}, 0, 2),
    ({"name": "threshold", "threshold": 0.5, "value": 2}, 0.5, 0),
    ("hard_tanh", -1, 0), ("hard_tanh", 1, 0),
    ({"name": "hard_tanh", "min_val": 1, "max_val": 1}, 1, 0),
    ("hard_sigmoid", -3, 0), ("hard_sigmoid", 3, 0), ("hardswish", -3, 0), ("hardswish", 3, 1),
    ("softshrink", 0.5, 0), ("softshrink", -0.5, 0), ({"name": "softshrink", "lambda": 0}, 0, 0),
    ("hardshrink", 0.5, 0), ("hardshrink", -0.5, 0), ({"name": "hardshrink", "lambda": 0}, 0, 0),
    ("squared_relu", 0, 0),
    ({"name": "elu", "alpha": 0.5}, 0, 0.5), ({"name": "elu", "alpha": 2}, 0, 2),
    ({"name": "celu", "alpha": 0.5}, 0, 1), ("selu", 0, 1.7580993408473766),
    ({"name": "softplus", "beta": 2, "threshold": 3}, 1.5, 0.9525741268224333))

# f(-∞), f(∞), f'(-∞), f'(∞). As words: infinities.
LIMITS = {
    "identity": ("-Infinity", "Infinity", 1, 1), "relu": (0, "Infinity", 0, 1),
    "relu6": (0, 6, 0, 0), "leaky_relu": ("-Infinity", "Infinity", 0.01, 1),
    "prelu": ("-Infinity", "Infinity", 0.25, 1), "threshold": (0, "Infinity", 0, 1),
    "hard_tanh": (-1, 1, 0, 0), "hard_sigmoid": (0, 1, 0, 0), "hardswish": (0, "Infinity", 0, 1),
    "softshrink": ("-Infinity", "Infinity", 1, 1), "hardshrink": ("-Infinity", "Infinity", 1, 1),
    "squared_relu": (0, "Infinity", 0, "Infinity"),
    "exp": (0, "Infinity", 0, "Infinity"), "elu": (-1, "Infinity", 0, 1),
    "celu": (-1, "Infinity", 0, 1), "selu": (-1.7580993408473766, "Infinity", 0,
                                             1.0507009873554805),
    "sigmoid": (0, 1, 0, 0), "log_sigmoid": ("-Infinity", 0, 1, 0),
    "softplus": (0, "Infinity", 0, 1), "silu": (0, "Infinity", 0, 1),
    "mish": (0, "Infinity", 0, 1), "tanh": (-1, 1, 0, 0),
    "tanhshrink": ("-Infinity", "Infinity", 1, 1), "softsign": (-1, 1, 0, 0),
    "snake": ("-Infinity", "Infinity", "NaN", "NaN"),
    "gelu": (0, "Infinity", 0, 1), "gelu_tanh": (0, "Infinity", 0, 1),
    "quick_gelu": (0, "Infinity", 0, 1)}
ROWS = ("softmax", "log_softmax", "softmin")


def layer(activation, z, dy):
    """One activation layer as a network that starts from ∂L/∂y: f is predictions, δ grad_input."""
    return {"layers": [{"type": "activation", "activation": activation}], "input": z,
            "grad_output": dy, "non_finite": "allow", "outputs": ["predictions", "grad_input"]}


class Conventions(DaemonCase):
    def f_and_delta(self, activation, z, dy, datatype):
        path = BACKPROP + "?datatype=" + datatype
        response = self.daemon.post(layer(activation, z, dy), path)
        self.assertEqual(response.status, 200, response)
        answer = response.json()
        return answer["predictions"], answer["grad_input"]

    def assert_all(self, found, expected, what):
        for value in found:
            if isinstance(expected, str):
                self.assertEqual(value, expected, what)
            else:
                self.assertNotIsInstance(value, str, what)
                self.assertAlmostEqual(value, expected, delta=1e-6 * max(1, abs(expected)),
                                       msg=what)


class Kinks(Conventions):
    def test_slopes_at_kinks_are_those_of_pytorch(self):
        for datatype in DATATYPES:
            for activation, z, slope in KINKS:
                _, delta = self.f_and_delta(activation, [z] * 37, [3] * 37, datatype)
                self.assert_all(delta, 3 * slope, (activation, z, datatype))

    def test_the_weight_delta_has_them_too(self):
        document = {"layers": [{"activation": "hardswish", "input": [[2], [2], [2]],
                                "pre_activation": [[-3], [3], [-3.0000002]],
                                "grad_output": [[5], [5], [5]]}], "reduction": "none"}
        for datatype in DATATYPES:
            found = ask(self.daemon, document, GRADIENTS, datatype)["layers"][0]
            self.assertEqual(found["weight_delta"], [[[0]], [[10]], [[0]]])

    def test_info_says_so(self):
        info = self.daemon.get("/v1/info").json()
        derivatives = {f["name"]: f["derivative"] for f in info["activations"]}
        self.assertTrue(derivatives["hardswish"].startswith("z <= -3 ? 0"))
        gradients = {loss["name"]: loss["gradient"] for loss in info["losses"]}
        self.assertIn("c > margin ? 1 : 0", gradients["cosine_embedding"])

    def test_cosine_embedding_at_its_margin_and_of_zeros(self):
        for y, other, target, margin, slope in (
                ([1, 0], [0, 1], -1, 0, [0, 0]), ([1, 0], [0, 1], -1, -0.25, [0, 1]),
                ([1, 0], [0, 1], -1, 0.25, [0, 0]), ([3, 4], [4, 3], -1, 0.96, [0, 0]),
                ([0, 0], [1, 2], -1, 0, [0, 0]), ([1, 2], [0, 0], -1, 0, [0, 0]),
                ([0, 0], [0, 0], -1, 0, [0, 0]), ([1, 2], [0, 0], 1, 0, [0, 0]),
                ([0, 0], [1, 2], 1, 0, [-1e6 / 5 ** 0.5, -2e6 / 5 ** 0.5])):
            document = {"layers": [{"type": "activation", "activation": "identity"}],
                        "input": [y], "outputs": ["grad_input"],
                        "loss": {"name": "cosine_embedding", "target": [target],
                                 "other": [other], "margin": margin}}
            for datatype in DATATYPES:
                found = ask(self.daemon, document, BACKPROP, datatype)["grad_input"][0]
                for value, expected in zip(found, slope):
                    self.assertAlmostEqual(value, expected, delta=1e-6 * max(1, abs(expected)),
                                           msg=(y, other, target, margin, datatype))

    def test_a_far_softplus_of_small_beta_is_right_in_double(self):
        """e^(beta z) is subnormal there, and its rounding was multiplied by 1 / beta."""
        for beta, z in ((0.3, -2430.9), (0.3, -2370.6), (0.01, -71500), (0.9, -800)):
            f, _ = self.f_and_delta({"name": "softplus", "beta": beta}, [z], [1], "FP64")
            self.assertGreater(f[0], 0)
            self.assertLessEqual(abs(f[0] - exact_softplus(beta, z)), 5e-324, (beta, z))


class NotANumber(Conventions):
    """Where f is NaN, so is f', also where ∂L/∂y is 0; identity's f' does not depend on z."""

    def test_a_nan_is_passed_on_by_all(self):
        others = ({"name": "elu", "alpha": 0.5}, {"name": "celu", "alpha": 0.5},
                  {"name": "softplus", "beta": 0.5}, {"name": "prelu", "slope": [0.5] * 37},
                  {"name": "leaky_relu", "negative_slope": 0})
        for datatype in DATATYPES:
            for activation in (*LIMITS, *ROWS, *others):
                dy = [0, 1, 2] * 12 + [0]
                f, delta = self.f_and_delta(activation, ["NaN"] * 37, dy, datatype)
                self.assertEqual(f, ["NaN"] * 37, (activation, datatype))
                expected = dy if activation == "identity" else ["NaN"] * 37
                self.assertEqual(delta, expected, (activation, datatype))

    def test_one_nan_touches_no_other_element(self):
        for datatype in DATATYPES:
            for activation in LIMITS:
                clean = self.f_and_delta(activation, [0.75] * 37, [2] * 37, datatype)
                found = self.f_and_delta(activation, [0.75] * 20 + ["NaN"] + [0.75] * 16,
                                         [2] * 37, datatype)
                for with_nan, without in zip(found, clean):
                    del with_nan[20], without[20]
                    self.assertEqual(with_nan, without, (activation, datatype))


class Infinities(Conventions):
    def test_f_and_its_slope_have_their_limits(self):
        for datatype in DATATYPES:
            for activation, limits in LIMITS.items():
                for i, z in enumerate(INFINITIES):
                    f, delta = self.f_and_delta(activation, [z] * 37, [1] * 37, datatype)
                    self.assert_all(f, limits[i], (activation, "f", z, datatype))
                    self.assert_all(delta, limits[2 + i], (activation, "f'", z, datatype))

    def test_a_row_whose_largest_is_infinite_is_nan(self):
        for datatype in DATATYPES:
            for name in ROWS:
                largest, least = INFINITIES if name == "softmin" else INFINITIES[::-1]
                for row in ([0, largest, 1], [largest, largest, 0], [largest, least, 0],
                            [least, least, least], [largest], [0] * 30 + [largest] + [1] * 9,
                            ["NaN", 0, 1]):
                    f, delta = self.f_and_delta(name, [row], [[1] * len(row)], datatype)
                    self.assertEqual(f, [["NaN"] * len(row)], (name, row, datatype))
                    self.assertEqual(delta, [["NaN"] * len(row)], (name, row, datatype))

    def test_a_row_with_a_least_that_is_infinite_is_a_row_without_it(self):
        for datatype in DATATYPES:
            for name in ROWS:
                least = INFINITIES[name == "softmin"]
                f, delta = self.f_and_delta(name, [[0.5, least, 1.5]], [[1, 2, 4]], datatype)
                self.assertEqual(f[0].pop(1), "-Infinity" if name == "log_softmax" else 0)
                self.assertEqual(delta[0].pop(1), 2 if name == "log_softmax" else 0)
                short = self.f_and_delta(name, [[0.5, 1.5]], [[1, 4]], datatype)
                self.assertEqual(f, short[0])
                if name != "log_softmax":  # whose δ has the sum of all of ∂L/∂y
                    self.assertEqual(delta, short[1])


class Refusals(Conventions):
    """422 with the place and the value, in both paths that compute."""

    def refused(self, document, path, pointer, detail):
        for datatype in DATATYPES:
            response = self.daemon.post(document, path + "?datatype=" + datatype)
            self.assert_problem(response, 422, "bad_parameter", pointer=pointer, detail=detail)

    def test_activations_with_no_reading(self):
        for parameters, where, detail in (
                ({"name": "hard_tanh", "min_val": 2, "max_val": -2}, "min_val",
                 "is 2, expected a number that is not above max_val (-2)"),
                ({"name": "hard_tanh", "min_val": 1.5}, "min_val",
                 "is 1.5, expected a number that is not above max_val (1)"),
                ({"name": "hard_tanh", "max_val": -1.5}, "min_val",
                 "is -1, expected a number that is not above max_val (-1.5)"),
                ({"name": "softshrink", "lambda": -0.5}, "lambda",
                 "is -0.5, expected a number that is not negative")):
            states = {"activation": parameters, "input": [[1]], "pre_activation": [[0]],
                      "grad_output": [[1]]}
            place = "layers/0/activation/" + where
            self.refused({"layers": [states]}, GRADIENTS, "/" + place, place + " " + detail)
            self.refused(layer(parameters, [[1]], [[1]]), BACKPROP, "/" + place,
                         place + " " + detail)

    def test_targets_of_binary_cross_entropy_that_are_no_probabilities(self):
        for activation in ("identity", "sigmoid"):  # on its own and fused
            for target in (-0.25, 1.25, "NaN", "Infinity"):
                document = {"layers": [{"type": "activation", "activation": activation}],
                            "input": [[0.5, 0.25], [0.5, 0.25]], "non_finite": "allow",
                            "loss": {"name": "binary_cross_entropy",
                                     "target": [[0, 1], [0.5, target]]}}
                self.refused(document, BACKPROP, "/loss/target/1/1",
                             "loss/target/1/1 is %s, expected a probability from 0 to 1" % target)

    def test_what_stays_allowed(self):
        for activation in ({"name": "hard_tanh", "min_val": 1, "max_val": 1},
                           {"name": "softshrink", "lambda": 0},
                           {"name": "softshrink", "lambda": -0.0},
                           {"name": "hardshrink", "lambda": -1}):
            self.f_and_delta(activation, [[0.5]], [[1]], "FP64")
        for target in (0, 1, 0.5):
            ask(self.daemon, {"layers": [{"type": "activation", "activation": "sigmoid"}],
                              "input": [[0.5]], "loss": {"name": "binary_cross_entropy",
                                                         "target": [[target]]}}, BACKPROP)
        ask(self.daemon, {"layers": [{"type": "activation", "activation": "identity"}],
                          "input": [[0.5]], "loss": {"name": "bce_with_logits",
                                                     "target": [[1.25]]}}, BACKPROP)


def exact_softplus(beta, z):
    """log(1 + e^(beta z)) / beta of those doubles, far to the left, by fifty digits."""
    getcontext().prec = 50
    beta, z = Decimal(beta), Decimal(z)
    return float((beta * z).exp() / beta)


if __name__ == "__main__":
    unittest.main()

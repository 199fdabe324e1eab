"""Our side of each row of docs/conventions.md: defaults, slopes at kinks, divisors and layouts, by
numbers worked out by hand. What other libraries do is shown by findings/, not here."""
import math
import unittest

from support import DaemonCase

BACKPROP = "/v1/backprop"


class Conventions(DaemonCase):
    def slope(self, activation, z, **members):
        """f'(z), as the delta of a bias where ∂L/∂y is 1."""
        answer = self.daemon.post({"layers": [{"activation": activation, "input": [1],
                                               "pre_activation": [z], "grad_output": [1]}],
                                   **members})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["layers"][0]["bias_delta"][0]

    def run_layer(self, layer, x, **members):
        answer = self.daemon.post({"layers": [layer], "input": x, **members}, path=BACKPROP)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def loss(self, x, **loss):
        return self.run_layer({"type": "activation", "activation": "identity"}, x, loss=loss)

    def test_leaky_relu(self):
        self.assertAlmostEqual(self.slope("leaky_relu", -2), 0.01, 7)
        self.assertEqual(self.slope("leaky_relu", 2), 1)

    def test_prelu(self):
        self.assertEqual(self.slope("prelu", -2), 0.25)

    def test_hard_sigmoid(self):
        self.assertAlmostEqual(self.slope("hard_sigmoid", 2.75), 1 / 6, 7)

    def test_threshold(self):
        self.assertEqual([self.slope("threshold", z) for z in (0.5, -0.5)], [1, 0])

    def test_relu(self):
        layer = {"type": "activation", "activation": "relu"}
        answer = self.run_layer(layer, [[-1, 2]], grad_output=[[1, 1]],
                                outputs=["predictions", "grad_input"])
        self.assertEqual((answer["predictions"], answer["grad_input"]), ([[0, 2]], [[0, 1]]))

    def test_slope_is_taken_at_z(self):
        for activation, slope in (("sigmoid", math.e / (1 + math.e) ** 2), ("softsign", 0.25)):
            self.assertAlmostEqual(self.slope(activation, 1), slope, 6)

    def test_slopes_at_kinks(self):
        self.assertEqual(self.slope("relu6", 6), 0)
        self.assertEqual(self.loss([[3, 5]], name="l1", target=[[3, 4]])["grad_input"], [[0, 0.5]])

    def test_softsign(self):
        self.assertEqual([self.slope("softsign", z) for z in (-1, 1)], [0.25, 0.25])

    def test_steepness(self):
        self.assertEqual(self.slope("identity", 1), 1)
        self.assertAlmostEqual(self.slope("tanh", 1), 1 - math.tanh(1) ** 2, 6)

    def test_saturated_slopes(self):
        small = math.exp(-10) / (1 + math.exp(-10)) ** 2
        self.assertAlmostEqual(self.slope("sigmoid", 10) / small, 1, 5)
        self.assertEqual([self.slope("hard_tanh", 4), self.slope("tanh", 800)], [0, 0])

    def test_not_a_number(self):
        for activation in ("threshold", "hardshrink"):
            self.assertEqual(self.slope(activation, "NaN", non_finite="allow"), "NaN")

    def test_softmax_axis(self):
        """∂L/∂y of the first row only: nothing comes through to the second."""
        answer = self.run_layer({"type": "activation", "activation": "softmax"},
                                [[[1, 2], [3, 4]]], grad_output=[[[1, 0], [0, 0]]])
        first, second = answer["grad_input"][0]
        slope = math.e / (1 + math.e) ** 2
        self.assertAlmostEqual(first[0], slope, 6)
        self.assertAlmostEqual(first[1], -slope, 6)
        self.assertEqual(second, [0, 0])

    def test_epsilon(self):
        """Where the variance is 0, 1 / √epsilon is all that is left of the slope."""
        layer = {"type": "batch_norm", "running_mean": [0], "running_variance": [0]}
        answer = self.run_layer(layer, [[1]], grad_output=[[1]])
        self.assertAlmostEqual(answer["grad_input"][0][0], 1 / math.sqrt(1e-5), 3)

    def test_numbers_far_from_0(self):
        """A mean of 10^6 beside deviations of 1 changes no digit."""
        near, far = (self.run_layer({"type": "layer_norm"},
                                    [[mean + 1, mean + 3, mean + 2, mean + 6]],
                                    grad_output=[[1, 0, 2, 0]],
                                    outputs=["predictions", "grad_input"])
                     for mean in (0, 1000000))
        self.assertEqual(far, near)

    def test_squares_that_overflow(self):
        rows = [[1e20, 2e20, 3e20, -1e20]]
        answer = self.run_layer({"type": "layer_norm", "epsilon": 0}, rows,
                                grad_output=[[1, 0, 0, 0]], outputs=["predictions"])
        deviation = math.sqrt((0.25**2 + 0.75**2 + 1.75**2 + 2.25**2) / 4)
        for y, distance in zip(answer["predictions"][0], (-0.25, 0.75, 1.75, -2.25)):
            self.assertAlmostEqual(y, distance / deviation, 6)

    def test_clipping_large_gradients(self):
        layers = [{"activation": "identity", "input": [1], "pre_activation": [1],
                   "grad_output": [g]} for g in (3e20, 4e20)]
        answer = self.daemon.post({"layers": layers, "outputs": ["bias_delta"],
                                   "clip": {"global_norm": 1}}).json()
        for layer, right in zip(answer["layers"], (0.6, 0.8)):
            self.assertAlmostEqual(layer["bias_delta"][0], right, 6)

    def test_sums_over_many_rows(self):
        rows = 1 << 18
        answer = self.run_layer({"type": "layer_norm", "shift": [0]}, [[0]] * rows,
                                grad_output=[[0.1]] * rows, outputs=["shift_delta"])
        self.assertAlmostEqual(answer["layers"][0]["shift_delta"][0] / (rows * 0.1), 1, 6)

    def test_weight_decay(self):
        """Two samples of gradient 0.5, and half the weight of 2, whatever the batch's size."""
        layer = {"activation": "identity", "input": [[1], [1]], "pre_activation": [[1], [1]],
                 "weight": [[2]], "grad_output": [[0.5], [0.5]]}
        answer = self.daemon.post({"layers": [layer], "outputs": ["weight_delta"],
                                   "weight_decay": {"l2": 0.5}}).json()
        self.assertEqual(answer["layers"][0]["weight_delta"], [[2]])

    def test_gelu_to_the_last_digit(self):
        for activation, value in (("gelu", 0.053982783727702904),
                                  ("gelu_tanh", 0.053982751045435165)):
            answer = self.run_layer({"type": "activation", "activation": activation}, [[0.1]],
                                    outputs=["predictions"])
            self.assertAlmostEqual(answer["predictions"][0][0], value, 8)

    def test_a_sigmoid_far_out(self):
        request = {"layers": [{"activation": "sigmoid", "weight": [[1]], "bias": [0]}],
                   "input": [[-16]], "loss": {"name": "binary_cross_entropy", "target": [[1]]},
                   "outputs": ["grad_input", "bias_delta", "predictions"]}
        answer = self.daemon.post(request, path="/v1/backprop").json()
        self.assertAlmostEqual(answer["loss"], math.log1p(math.exp(16)), 5)
        self.assertAlmostEqual(answer["predictions"][0][0] * 1e7, 1e7 / (1 + math.exp(16)), 5)
        self.assertAlmostEqual(answer["layers"][0]["bias_delta"][0], -1 / (1 + math.exp(-16)), 6)

    def test_data_of_a_shape_is_by_rows(self):
        layer = {"activation": "identity", "input": {"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]},
                 "pre_activation": [[1], [1]], "grad_output": [[0], [1]]}
        answer = self.daemon.post({"layers": [layer], "outputs": ["weight_delta"]}).json()
        self.assertEqual(answer["layers"][0]["weight_delta"], [[4, 5, 6]])

    def test_sample_weights(self):
        answer = self.loss([[1], [2]], name="mse", target=[[0], [0]], sample_weight=[2, 0])
        self.assertEqual((answer["loss"], answer["grad_input"]), (1, [[2], [0]]))

    def test_squared_error(self):
        answer = self.loss([[3]], name="mse", target=[[1]])
        self.assertEqual((answer["loss"], answer["grad_input"]), (4, [[4]]))

    def test_squared_error_of_two(self):
        for reduction, loss, grad in (("mean", 5, [-1, -3]), ("sum", 10, [-2, -6])):
            answer = self.loss([[0, 0]], name="mse", target=[[1, 3]], reduction=reduction)
            self.assertEqual((answer["loss"], answer["grad_input"]), (loss, [grad]))

    def test_squared_error_of_a_batch(self):
        answer = self.loss([[2, -1]] * 2, name="mse", target=[[1, 1]] * 2)
        self.assertEqual((answer["loss"], answer["grad_input"]), (2.5, [[0.5, -1]] * 2))

    def test_log_cosh(self):
        answer = self.loss([[2, -1]], name="log_cosh", target=[[1, 1]], reduction="sum")
        for slope, e in zip(answer["grad_input"][0], (1, -2)):
            self.assertAlmostEqual(slope, math.tanh(e), 6)

    def test_output_slope(self):
        """At z = 1, for a target of 0.25: 2 e f'(z)."""
        answer = self.run_layer({"type": "activation", "activation": "tanh"}, [[1]],
                                loss={"name": "mse", "target": [[0.25]]})
        y = math.tanh(1)
        self.assertAlmostEqual(answer["grad_input"][0][0], 2 * (y - 0.25) * (1 - y * y), 6)

    def test_hinge_targets(self):
        wrong = {"layers": [{"type": "activation", "activation": "identity"}], "input": [[0.5]],
                 "loss": {"name": "hinge", "target": [[0]]}}
        self.assert_problem(self.daemon.post(wrong, path=BACKPROP), 422, "bad_parameter")
        answer = self.loss([[0.5]], name="hinge", target=[[-1]])
        self.assertEqual((answer["loss"], answer["grad_input"]), (1.5, [[1]]))

    def test_cosine(self):
        answer = self.loss([[3, 4]], name="cosine_embedding", target=[1], other=[[6, 8]])
        self.assertAlmostEqual(answer["loss"], 0, 6)

    def test_cross_entropy(self):
        answer = self.loss([[0, math.log(3)]], name="cross_entropy", target=[[0, 1]])
        self.assertAlmostEqual(answer["loss"], -math.log(0.75), 6)

    def test_dense_weight(self):
        layer = {"activation": "identity", "weight": [[1, 2, 3], [4, 5, 6]]}
        self.assertEqual(self.run_layer(layer, [[1, 1, 1]], grad_output=[[1, 0]])["grad_input"],
                         [[1, 2, 3]])

    def test_dropout(self):
        layer = {"type": "activation", "activation": "identity",
                 "dropout": {"mask": [[1, 0]], "rate": 0.5}}
        self.assertEqual(self.run_layer(layer, [[1, 1]], grad_output=[[1, 1]])["grad_input"],
                         [[2, 0]])


if __name__ == "__main__":
    unittest.main()

"""Batches with more than one axis of samples: `input` [B,T,K] is B·T samples, in their order. So
the answer is that to [B·T,K], to the bit, with its samples in the axes that they came in: held on
random networks of all layers, losses and options, and on layers of their own. What the answer to
[B·T,K] should be is held elsewhere."""

import copy
import json
import random
import re
import unittest

import nets
from nets import BACKPROP, CHECK, DATATYPES, GRADIENTS
from support import DaemonCase, scaled

SEEDS = range(scaled(30, 6))
KINDS = tuple(kind for kind in nets.KINDS if kind != "batch_norm" and "running" not in kind)
OF_A_SAMPLE = ("grad_input", "predictions", "loss")  # in the order of the samples always


def folded(tensor, axes):
    """A list of B·T things as the nested list of these axes."""
    for length in reversed(axes[1:]):
        tensor = [tensor[i:i + length] for i in range(0, len(tensor), length)]
    return tensor


def fold_members(document, names, axes):
    for name in names:
        if name in document:
            document[name] = folded(document[name], axes)


def fold_request(request, axes):
    """The same request with its samples in these axes."""
    found = copy.deepcopy(request)
    fold_members(found, ("input", "grad_output"), axes)
    for layer in found["layers"]:
        fold_members(layer, ("input", "pre_activation", "grad_output"), axes)
        fold_members(layer.get("dropout", {}), ("mask",), axes)
    fold_members(found.get("loss", {}), ("target", "sample_weight", "variance", "other"), axes)
    return found


def fold_answer(answer, request, axes):
    """The answer to the folded request, given that to the other."""
    found = copy.deepcopy(answer)
    per_sample = request.get("reduction") == "none"
    fold_members(found, [n for n in OF_A_SAMPLE if isinstance(found.get(n), list)], axes)
    for layer in found["layers"]:
        fold_members(layer, ("grad_input", *(nets.DELTAS if per_sample else ())), axes)
    return found


def make_samples(seed, B, loss, **options):
    """A random network over B samples."""
    generator = random.Random(seed)
    network = nets.make_network(seed, loss, kinds=KINDS, **options)
    N = nets.widths_of(network)[-1]
    network["input"] = nets.reals(generator, B, len(network["input"][0]))
    for layer in network["layers"]:
        if "dropout" in layer:
            width = len(layer["dropout"]["mask"][0])
            layer["dropout"]["mask"] = [[generator.randint(0, 1) for _ in range(width)]
                                        for _ in range(B)]
    network["loss"] = nets.make_loss(generator, loss, B, N, generator.choice(("mean", "sum",
                                                                            "none")))
    network["reduction"] = generator.choice(("sum", "mean", "none"))
    network["outputs"] = ["weight_delta", "bias_delta", "gain_delta", "shift_delta", "slope_delta",
                          "grad_input", "predictions"]
    return network


class Sequences(DaemonCase):
    """One daemon as it starts by default."""

    def test_batchmean_divides_by_the_first_axis(self):
        y = [[-0.5, -1], [-2, -0.25], [-1, -1], [-3, -0.125]]  # L = -Σ t y, t = 1: 8.875
        for tensor, divisor in ((y, 4), (folded(y, (2, 2)), 2), (folded(y, (1, 4)), 1)):
            ones = json.loads(re.sub(r"-?[\d.]+", "1", json.dumps(tensor)))
            answer = self.answer({
                "layers": [{"type": "activation", "activation": "identity"}], "input": tensor,
                "loss": {"name": "kl_div", "target": ones, "reduction": "batchmean"}},
                nets.BACKPROP)
            self.assertEqual(answer["loss"], 8.875 / divisor)
            self.assertEqual(set(nets.flat(answer["grad_input"])), {-1 / divisor})
        vector = self.answer({
            "layers": [{"type": "activation", "activation": "identity"}], "input": [-0.5, -1],
            "loss": {"name": "kl_div", "target": [1, 1], "reduction": "batchmean"}}, nets.BACKPROP)
        self.assertEqual((vector["loss"], vector["grad_input"]), (1.5, [-1, -1]))

    def answer(self, request, path, datatype="FP32"):
        response = self.daemon.post(request, path=path + "?datatype=" + datatype)
        self.assertEqual(response.status, 200, response)
        return response.json()

    def assert_folds(self, request, axes, path, datatype="FP32"):
        flat = self.answer(request, path, datatype)
        found = self.answer(fold_request(request, axes), path, datatype)
        self.assertEqual(found, fold_answer(flat, request, axes), (axes, request))

    def test_networks_of_all_kinds(self):
        losses = tuple(nets.LOSSES)
        for seed in SEEDS:
            axes = ((2, 3), (3, 2), (1, 4), (4, 1), (2, 1, 3), (2, 2, 2))[seed % 6]
            count = axes[0] * axes[1] * (axes[2] if len(axes) > 2 else 1)
            with self.subTest(seed=seed, axes=axes):
                network = make_samples(seed, count, losses[seed % len(losses)])
                self.assert_folds(network, axes, BACKPROP, DATATYPES[seed % 2])

    def test_a_network_that_starts_from_grad_output(self):
        network = make_samples(3, 6, "mse")
        del network["loss"]
        network["grad_output"] = nets.reals(random.Random(3), 6, nets.widths_of(network)[-1])
        self.assert_folds(network, (3, 2), BACKPROP)

    def test_layers_of_their_own(self):
        generator = random.Random(5)
        for activation in ("relu", "softmax", {"name": "prelu", "slope": [0.1, 0.2, 0.3]}):
            layer = {"activation": activation, "weight": nets.reals(generator, 3, 4),
                     **{name: nets.reals(generator, 6, n) for name, n in
                        (("input", 4), ("pre_activation", 3), ("grad_output", 3))}}
            for reduction in ("sum", "mean", "none"):
                self.assert_folds({"layers": [layer], "reduction": reduction}, (2, 3), GRADIENTS)

    def test_by_hand(self):
        """z of the four samples is 1, 2, 3, 4; ΔW the sum of δ x, here of x."""
        layer = {"activation": "relu", "input": [[[1, 0], [0, 1]], [[1, 1], [2, 1]]],
                 "weight": [[1, 2]], "grad_output": [[[1], [1]], [[1], [1]]]}
        found = self.answer({"layers": [layer]}, GRADIENTS)["layers"][0]
        self.assertEqual(found, {"weight_delta": [[4, 3]], "bias_delta": [4],
                                 "grad_input": [[[1, 2], [1, 2]], [[1, 2], [1, 2]]]})
        found = self.answer({"layers": [layer], "reduction": "mean"}, GRADIENTS)["layers"][0]
        self.assertEqual(found["weight_delta"], [[1, 0.75]])
        found = self.answer({"layers": [layer], "reduction": "none"}, GRADIENTS)["layers"][0]
        self.assertEqual(found["weight_delta"], [[[[1, 0]], [[0, 1]]], [[[1, 1]], [[2, 1]]]])
        self.assertEqual(found["bias_delta"], [[[1], [1]], [[1], [1]]])

    def test_the_mean_of_a_loss_is_over_all_samples(self):
        identity = {"type": "activation", "activation": "identity"}
        request = {"layers": [identity], "input": [[[1], [2]], [[3], [6]]],
                   "loss": {"name": "mse", "target": [[[0], [0]], [[0], [0]]]}}
        self.assertEqual(self.answer(request, BACKPROP)["loss"], (1 + 4 + 9 + 36) / 4)
        request["input"] = [[[0, 0], [0, 0]]]
        request["loss"] = {"name": "cross_entropy", "target": [[0, -100]]}
        found = self.answer(request, BACKPROP)
        self.assertAlmostEqual(found["loss"], 0.6931471805599453)
        self.assertEqual(found["grad_input"], [[[-0.5, 0.5], [0, 0]]])

    def test_checks(self):
        for seed in range(3):
            network = fold_request(make_samples(seed, 6, "mse"), (2, 3))
            for name in ("reduction", "outputs"):
                del network[name]
            found = self.answer(network, CHECK, "FP64")
            self.assertEqual(found["verdict"], "pass", found)
            shapes = {t["tensor"]: t["shape"] for t in found["tensors"]}
            self.assertEqual(shapes["grad_input"], [2, 3, len(network["input"][0][0])])

    def refuse(self, request, path, pointer, *words):
        problem = self.assert_problem(self.daemon.post(request, path=path), 422, "shape_mismatch")
        self.assertEqual(problem["pointer"], pointer)
        for word in words:
            self.assertIn(word, problem["detail"])

    def test_axes_that_differ_are_named(self):
        layer = {"activation": "relu", "input": nets.reals(random.Random(1), 2, 3, 4),
                 "weight": [[1, 2, 3, 4]], "grad_output": nets.reals(random.Random(1), 3, 2, 1)}
        self.refuse({"layers": [layer]}, GRADIENTS, "/layers/0/grad_output", "[3, 2, 1]", "[2, 3]",
                    "input")
        layer["grad_output"] = nets.reals(random.Random(1), 6, 1)
        self.refuse({"layers": [layer]}, GRADIENTS, "/layers/0/grad_output", "rank 2", "3")
        network = {"layers": [{"activation": "relu", "weight": [[1, 2, 3, 4]]}],
                   "input": layer["input"], "loss": {"name": "mse", "target": layer["grad_output"]}}
        self.refuse(network, BACKPROP, "/loss/target", "[6, 1]", "[2, 3, 1]")
        network["loss"] = {"name": "mse", "target": nets.reals(random.Random(1), 2, 3, 1),
                           "sample_weight": [1, 1]}
        self.refuse(network, BACKPROP, "/loss/sample_weight", "[2]", "one number a sample")
        network["loss"].pop("sample_weight")
        network["layers"][0]["dropout"] = {"rate": 0.5, "mask": [[1], [0]]}
        self.refuse(network, BACKPROP, "/layers/0/dropout/mask", "rank 2", "3")

    def test_batch_norm_is_refused(self):
        """PyTorch and others have the channels of such an input in the second axis, not the
        last: what the client means cannot be known."""
        for more in ({}, {"running_mean": [0, 0], "running_variance": [1, 1]}):
            layer = {"type": "batch_norm", "input": [[[1, 2], [3, 4]]],
                     "grad_output": [[[1, 2], [3, 4]]], **more}
            self.refuse({"layers": [layer]}, GRADIENTS, "/layers/0", "batch_norm", "rank 3",
                        "[B,N]")

    def test_more_axes_than_a_tensor_has(self):
        five = [[[[[1, 2]]]]]
        layer = {"activation": "relu", "input": five, "weight": [[1, 1]],
                 "grad_output": [[[[[1]]]]]}
        found = self.answer({"layers": [layer]}, GRADIENTS)["layers"][0]
        self.assertEqual(found, {"weight_delta": [[1, 2]], "bias_delta": [1],
                                 "grad_input": [[[[[1, 1]]]]]})
        self.refuse({"layers": [layer], "reduction": "none"}, GRADIENTS, "/layers/0", "rank 5",
                    "at most 4")


if __name__ == "__main__":
    unittest.main()

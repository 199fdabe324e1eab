"""Batches of no samples, as the last of a data set or a shard of one may be: the deltas are zeros
of the parameters' shapes, what there is one of a sample is empty, and whatever has no value then
says so."""

import itertools
import unittest

from nets import BACKPROP, CHECK, DATATYPES, GRADIENTS
from support import DaemonCase


def none(*shape):
    """A tensor of no numbers."""
    return {"shape": list(shape), "data": []}


def dense(*axes, **more):
    """A layer of three inputs and two outputs over samples in these axes."""
    return {"activation": "relu", "input": none(*axes, 3), "pre_activation": none(*axes, 2),
            "grad_output": none(*axes, 2), "weight": [[1, 2, 3], [4, 5, 6]], **more}


def chain(loss=None, **more):
    """Every kind of layer, residual connections and a mask, over no samples."""
    layers = [{"name": "fc", "activation": "tanh", "weight": [[1, 2, 3], [4, 5, 6]],
               "bias": [1, 2], "dropout": {"mask": none(0, 2), "rate": 0.5}},
              {"type": "layer_norm", "gain": [1, 2], "shift": [3, 4], "residual": "fc"},
              {"type": "batch_norm", "gain": [1, 2], "shift": [3, 4], "running_mean": [0, 0],
               "running_variance": [1, 1]},
              {"type": "activation", "activation": {"name": "prelu", "slope": [0.5, 0.25]}},
              {"type": "activation", "activation": "softmax"}]
    start = {"loss": loss} if loss else {"grad_output": none(0, 2)}
    return {"layers": layers, "input": none(0, 3), **start, **more}


DELTAS = ({"weight_delta": [[0, 0, 0], [0, 0, 0]], "bias_delta": [0, 0]},
          {"gain_delta": [0, 0], "shift_delta": [0, 0]},
          {"gain_delta": [0, 0], "shift_delta": [0, 0]},
          {"slope_delta": [0, 0]}, {})


class NoSamples(DaemonCase):
    """One daemon as it starts by default."""

    def answer(self, request, path=GRADIENTS, datatype="FP32"):
        response = self.daemon.post(request, path=path + "?datatype=" + datatype)
        self.assertEqual(response.status, 200, response)
        return response.json()

    def refusal(self, request, path, code, pointer):
        problem = self.daemon.post(request, path=path)
        self.assertEqual(problem.status, 422, problem)
        self.assertEqual((problem.json()["code"], problem.json()["pointer"]), (code, pointer))
        return problem.json()["detail"]

    def test_deltas_are_zeros(self):
        for axes, datatype, reduction in itertools.product(((0,), (2, 0), (0, 4), (3, 0, 2)),
                                                           DATATYPES, ("sum", "mean")):
            with self.subTest(axes=axes, datatype=datatype, reduction=reduction):
                answer = self.answer({"reduction": reduction, "layers": [dense(*axes)]},
                                     datatype=datatype)
                self.assertEqual(answer, {"layers": [{
                    "weight_delta": [[0, 0, 0], [0, 0, 0]], "bias_delta": [0, 0],
                    "grad_input": none(*axes, 3)}]})

    def test_wide_layers_have_zeros_too(self):
        for N, K in ((1, 300), (300, 1), (130, 140)):
            layer = {"activation": "identity", "input": none(0, K), "pre_activation": none(0, N),
                     "grad_output": none(0, N), "weight": [[1] * K] * N}
            found = self.answer({"reduction": "mean", "scale": 3, "layers": [layer]})["layers"][0]
            self.assertEqual(found["weight_delta"], [[0] * K] * N)
            self.assertEqual(found["bias_delta"], [0] * N)

    def test_deltas_of_each_sample_are_empty(self):
        found = self.answer({"reduction": "none", "layers": [dense(2, 0)]})["layers"][0]
        self.assertEqual(found, {"weight_delta": none(2, 0, 2, 3),
                                 "bias_delta": none(2, 0, 2), "grad_input": none(2, 0, 3)})

    def test_full_layers_beside_it_are_answered_as_alone(self):
        full = {"activation": "relu", "input": [[1, 2]], "pre_activation": [[3]],
                "grad_output": [[5]]}
        alone = self.answer({"layers": [full]})["layers"]
        self.assertEqual(self.answer({"layers": [dense(0), full, dense(0)]})["layers"][1:2], alone)

    def test_decay_clipping_and_statistics(self):
        found = self.answer({"statistics": True, "clip": {"value": 1, "global_norm": 1},
                             "weight_decay": {"l2": 0.5}, "scale": 2, "layers": [dense(0)]})
        layer = found["layers"][0]
        zero = {"l2_norm": 0, "max_abs": 0, "non_finite": 0}
        self.assertEqual(layer["weight_delta"], [[1, 2, 3], [4, 5, 6]])
        self.assertEqual(layer["clipping"], {"clipped_values": 0, "norm": 0, "factor": 1})
        self.assertEqual(layer["statistics"]["bias_delta"], zero)
        self.assertEqual(layer["statistics"]["grad_input"], zero)
        self.assertEqual(layer["statistics"]["weight_delta"]["max_abs"], 6)
        self.assertNotIn("zero_derivative", layer["statistics"])
        self.assertNotIn("zero_derivative", found["statistics"])

    def test_networks(self):
        losses = (None, {"name": "mse", "target": none(0, 2), "reduction": "sum"},
                  {"name": "nll", "target": none(0), "reduction": "sum"},
                  {"name": "cross_entropy", "target": none(0, 2), "reduction": "sum",
                   "sample_weight": none(0)})
        for loss, datatype, reduction in itertools.product(losses, DATATYPES, ("sum", "mean")):
            outputs = ["weight_delta", "bias_delta", "gain_delta", "shift_delta", "slope_delta",
                       "grad_input", "predictions"]
            with self.subTest(loss=loss, datatype=datatype, reduction=reduction):
                answer = self.answer(chain(loss, outputs=outputs, notes=False,
                                           reduction=reduction), BACKPROP, datatype)
                layers = [{k: v for k, v in layer.items() if k != "name"}
                          for layer in answer["layers"]]
                self.assertEqual(layers, list(DELTAS))
                self.assertEqual(answer["grad_input"], none(0, 3))
                self.assertEqual(answer["predictions"], none(0, 2))
                self.assertEqual(answer.get("loss"), 0 if loss else None)

    def test_losses_of_each_sample_are_empty(self):
        for name, target, shape in (("mse", none(0, 2), (0, 2)), ("nll", none(0), (0,))):
            loss = {"name": name, "target": target, "reduction": "none"}
            self.assertEqual(self.answer(chain(loss), BACKPROP)["loss"], none(*shape))

    def test_predictions_alone(self):
        request = {"layers": [{"activation": "relu", "weight": [[1, 2, 3]]}],
                   "input": none(0, 3), "outputs": ["predictions"]}
        self.assertEqual(self.answer(request, BACKPROP)["predictions"], none(0, 1))

    def test_a_mean_of_no_losses_has_no_value(self):
        for name, target in (("mse", none(0, 2)), ("nll", none(0)),
                             ("cross_entropy", none(0, 2))):
            loss = {"name": name, "target": target}
            detail = self.refusal(chain(loss), BACKPROP, "non_finite", "/loss/reduction")
            self.assertIn("expected sum or none", detail)
            answer = self.answer(chain(loss, non_finite="allow"), BACKPROP)
            self.assertEqual(answer["loss"], "NaN")
            self.assertEqual(answer["layers"][0]["weight_delta"], [[0, 0, 0], [0, 0, 0]])

    def test_batch_norm_needs_samples_to_train(self):
        layer = {"type": "batch_norm", "input": none(0, 2), "grad_output": none(0, 2),
                 "gain": [1, 2]}
        detail = self.refusal({"layers": [layer]}, GRADIENTS, "empty_tensor", "/layers/0")
        self.assertIn("expected at least one", detail)
        found = self.answer({"on_error": "continue", "layers": [layer, dense(0)]})["layers"]
        self.assertEqual(found[0]["error"]["code"], "empty_tensor")
        self.assertEqual(found[1]["bias_delta"], [0, 0])

    def test_nothing_is_checked(self):
        for request, pointer in ((chain(), "/input"), ({"layers": [dense(0)]}, "/layers/0/input")):
            self.refusal(request, CHECK, "empty_tensor", pointer)

    def test_other_axes_are_not_of_length_0(self):
        for tensors, pointer in (({"input": none(0, 0)}, "input"),
                                 ({"weight": none(0, 3)}, "weight"),
                                 ({"weight": none(2, 0)}, "weight"),
                                 ({"input": []}, "input"), ({"input": [[], []]}, "input")):
            detail = self.refusal({"layers": [dense(0, **tensors)]}, GRADIENTS, "empty_tensor",
                                  "/layers/0/" + pointer)
            if isinstance(tensors.get("input"), list):
                self.assertIn('{"shape": [0, 3], "data": []}', detail)

    def test_samples_must_agree(self):
        for tensors, pointer in (({"grad_output": [[1, 2]]}, "pre_activation"),
                                 ({"input": none(0, 1, 3)}, "pre_activation"),
                                 ({"dropout": {"mask": [[1, 1]], "rate": 0.5}}, "dropout/mask")):
            self.refusal({"layers": [dense(0, **tensors)]}, GRADIENTS, "shape_mismatch",
                         "/layers/0/" + pointer)

    def test_data_of_a_shape_without_0_is_there(self):
        self.refusal({"layers": [dense(0, weight=none(2, 3))]}, GRADIENTS, "empty_tensor",
                     "/layers/0/weight/data")


if __name__ == "__main__":
    unittest.main()

"""The right answer to a request, by PyTorch's autograd in double. What lives here builds the graph of
the document: every parameter a leaf, every layer PyTorch's own function. What the options make of
the gradients is in options.py, how far an answer may be off in twin.py.

Under "reduction": "none" every parameter is a leaf of its own for each sample, so that autograd
gives the deltas sample by sample. States that the client supplies stand in for what the forward
pass would give, and hand their gradient on."""

import torch
import torch.nn.functional as F

import activations
import losses
import tensors
from tensors import DOUBLE

PARAMETERS = ("weight_delta", "bias_delta", "slope_delta", "gain_delta", "shift_delta")


class Replace(torch.autograd.Function):
    """The second argument's value, the first one's gradient."""

    @staticmethod
    def forward(context, computed, supplied):
        return supplied.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient, None


def is_network(request):
    return any(name in request for name in ("input", "loss", "grad_output"))


class Layer:
    """One layer of a request, its leaves, and after forward() its output y."""

    def __init__(self, document, index, datatype, per_sample):
        self.document, self.index = document, index
        self.kind = document.get("type", "dense")
        self.name = document.get("name")
        self.activation, self.parameters = activations.read(
            document.get("activation", "identity"), datatype)
        self.per_sample = per_sample
        self.leaves = {}
        self.datatype = datatype

    def given(self, name):
        value = self.document.get(name)
        return None if value is None else tensors.tensor_of(value)

    def state(self, name):
        value = self.document.get(name)
        return None if value is None else tensors.matrix_of(value)

    def leaf(self, output, value, B):
        """A parameter as a leaf: [...], or one for each sample [B,...]."""
        if self.per_sample:
            value = value.expand(B, *value.shape).clone()
        self.leaves[output] = value.requires_grad_(True)
        return self.leaves[output]

    def width(self, K):
        for name in ("pre_activation", "grad_output"):
            if name in self.document:
                return self.state(name).shape[1]
        return self.given("weight").shape[0] if self.kind == "dense" else K

    def forward(self, x):
        """y of x [B,K], before a residual."""
        supplied = self.state("pre_activation")
        z = getattr(self, "_" + self.kind)(x)
        self.z = z if supplied is None else Replace.apply(z, supplied)
        self.x = x
        y = self._activate(self.z)
        mask = self.document.get("dropout")
        if mask is not None:
            y = y * tensors.tensor_of(mask["mask"]).reshape(y.shape) / (1 - mask["rate"])
        return y

    def _dense(self, x):
        B, N = x.shape[0], self.width(x.shape[1])
        W, b = self.given("weight"), self.given("bias")
        W = self.leaf("weight_delta", torch.zeros(N, x.shape[1], dtype=DOUBLE) if W is None else W,
                      B)
        b = self.leaf("bias_delta", torch.zeros(N, dtype=DOUBLE) if b is None else b, B)
        if self.per_sample:
            return torch.einsum("bk,bnk->bn", x, W) + b
        return F.linear(x, W, b)

    def _activation(self, x):
        return x * 1

    def _layer_norm(self, x):
        gain, shift = self._affine(x)
        normalized = F.layer_norm(x, x.shape[1:], eps=self.document.get("epsilon", 1e-5))
        return normalized * gain + shift

    def _batch_norm(self, x):
        gain, shift = self._affine(x)
        mean, variance = self.given("running_mean"), self.given("running_variance")
        epsilon = self.document.get("epsilon", 1e-5)
        if mean is None and x.shape[0] == 1:
            return (x - x) / epsilon ** 0.5 * gain + shift  # F.batch_norm refuses one sample
        return F.batch_norm(x, mean, variance, training=mean is None, eps=epsilon) * gain + shift

    def _affine(self, x):
        gain, shift = self.given("gain"), self.given("shift")
        ones = torch.ones(x.shape[1], dtype=DOUBLE)
        return (ones if gain is None else self.leaf("gain_delta", gain, x.shape[0]),
                0 * ones if shift is None else self.leaf("shift_delta", shift, x.shape[0]))

    def _activate(self, z):
        if self.activation != "prelu":
            return activations.function_of(self.activation, self.parameters)(z)
        slope = slope_of(self.document, self.datatype)
        slope = self.leaf("slope_delta", slope, z.shape[0])
        if self.per_sample:
            return torch.where(z > 0, z, slope * z)
        return F.prelu(z, slope)


def slope_of(document, datatype):
    """prelu's slope, [1] or [N]."""
    activation = document["activation"]
    slope = activation.get("slope", 0.25) if isinstance(activation, dict) else 0.25
    if isinstance(slope, (int, float)):
        slope = [tensors.parameter(slope, datatype)]
    return tensors.tensor_of(slope)


class Reference:
    """The graph of a request, run forward and backward. values: what is answered before options."""

    def __init__(self, request, datatype="FP32"):
        self.request, self.datatype = request, datatype
        self.per_sample = request.get("reduction") == "none"
        self.layers = [Layer(document, i, datatype, self.per_sample)
                       for i, document in enumerate(request["layers"])]
        self.values = {}
        if is_network(request):
            self._network()
        else:
            self._independent()
        for layer in self.layers:
            for name, leaf in layer.leaves.items():
                gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
                self.values[("layers", layer.index, name)] = gradient

    def _independent(self):
        for layer in self.layers:
            x = layer.state("input").requires_grad_(True)
            layer.forward(x).backward(layer.state("grad_output"))
            if layer.kind != "dense" or "weight" in layer.document:
                self.values[("layers", layer.index, "grad_input")] = x.grad

    def _network(self):
        first = self.request.get("input")
        first = self.layers[0].state("input") if first is None else tensors.matrix_of(first)
        x = first.requires_grad_(True)
        outputs, y = {}, x
        for layer in self.layers:
            supplied = layer.state("input") if layer.index else None
            y = layer.forward(y if supplied is None else Replace.apply(y, supplied))
            source = layer.document.get("residual")
            if source is not None:
                y = y + (outputs[source] if source in outputs else x)
            outputs[layer.name] = y
        self._end(y)
        self.values["predictions"] = y.detach()
        first = self.layers[0]
        if first.kind != "dense" or "weight" in first.document:
            self.values["grad_input"] = x.grad

    def _end(self, y):
        """The loss, or grad_output, and the backward pass."""
        if "loss" not in self.request:
            y.backward(tensors.matrix_of(self.request["grad_output"]))
            return
        last = self.layers[-1]
        plain = "dropout" not in last.document and "residual" not in last.document
        name = self.request["loss"]["name"]
        self.fused = losses.FUSED.get((last.activation, name)) if plain else None
        loss = losses.Loss(self.request["loss"], self.fused)
        argument = last.z if self.fused else y
        loss.total(argument).backward()
        with torch.no_grad():
            self.values["loss"] = loss.losses(argument) if loss.reduction == "none" \
                else loss.total(argument)

"""The naive twin of a network that carries bounds: forward and backward by hand, layer by layer, on
numbers with their errors. Its bounds are the tolerances of the comparison with PyTorch; its values
are a second opinion. What the options make of the deltas is in options.py."""

import torch

import activations
import losses
import reference
import tensors
import twin_losses
from bounds import Bounded, Rounding, product
from twin_rows import ROW_NAMES, Norm, row_backward, row_forward


class TwinLayer:
    """One layer. forward() keeps what backward() needs; deltas: those of its parameters, each
    sample's apart where per_sample, else summed over the batch."""

    def __init__(self, layer, rounding, per_sample):
        self.layer, self.rounding, self.per_sample = layer, rounding, per_sample
        self.document, self.kind = layer.document, layer.kind
        self.deltas = {}

    def _exact(self, name):
        value = self.layer.given(name)
        return None if value is None else self.rounding.exact(value)

    def forward(self, x):
        self.x = x
        z = getattr(self, "_" + self.kind)(x)
        supplied = self.layer.state("pre_activation")
        self.z = z if supplied is None else self.rounding.exact(supplied)
        return self._dropped(self._activate())

    def _dense(self, x):
        self.W = self.rounding.exact(
            self.layer.leaves["weight_delta"].detach()[0 if self.per_sample else ...])
        b = self._exact("bias")
        return product(x, self.W.t(), b)

    def _activation(self, x):
        return x

    def _layer_norm(self, x):
        return self._normalized(Norm(x, 1, self.document.get("epsilon", 1e-5)))

    def _batch_norm(self, x):
        mean, variance = self._exact("running_mean"), self._exact("running_variance")
        running = None if mean is None else (mean, variance)
        return self._normalized(Norm(x, 0, self.document.get("epsilon", 1e-5), running))

    def _normalized(self, norm):
        self.norm, self.gain = norm, self._exact("gain")
        return norm.forward(self.gain, self._exact("shift"))

    def _function(self):
        """f, and f' as a function of z."""
        if self.layer.activation == "prelu":
            slope = reference.slope_of(self.document, self.layer.datatype)
            return (lambda z: torch.where(z > 0, z, slope * z),
                    lambda z: torch.where(z > 0, torch.ones_like(z), slope * torch.ones_like(z)))
        f = activations.function_of(self.layer.activation, self.layer.parameters)
        return f, activations.slope_function(f)

    def _activate(self):
        name = self.layer.activation
        if name in ROW_NAMES:
            return row_forward(name, self.z)
        y = self.z.apply(self._function()[0])
        return y.loosened(activations.value_noise(name, self.rounding.datatype, self.z.value,
                                                  y.value)).stored()

    def _dropped(self, y):
        mask = self.document.get("dropout")
        if mask is None:
            return y
        kept = tensors.tensor_of(mask["mask"]).reshape(y.shape) / (1 - mask["rate"])
        return (y * self.rounding.exact(kept).stored()).stored()

    def backward(self, g):
        """∂L/∂x, or None where there are no weights for it."""
        return self.backward_from_z(self._slope(self._dropped(g)))

    def _slope(self, g):
        """δ = g f'(z)."""
        name = self.layer.activation
        if name in ROW_NAMES:
            return row_backward(name, self.z, g)
        if name == "prelu":
            self._slope_delta(g)
        slope = self.z.apply(self._function()[1], worked=0)
        noise = activations.slope_noise(name, self.rounding.datatype, self.z.value, slope.value)
        self.slope = slope.loosened(noise)
        return (g * self.slope).stored()

    def _slope_delta(self, g):
        below = self.z.apply(lambda z: z.clamp(max=0), worked=0)
        each = (g * below).stored()
        if reference.slope_of(self.document, self.layer.datatype).numel() == 1:
            each = summed(each, 1).unsqueeze(1)
        self.deltas["slope_delta"] = each if self.per_sample else summed(each, 0)

    def backward_from_z(self, dz):
        if self.kind == "activation":
            return dz
        if self.kind == "dense":
            self._keep("bias_delta", dz)
            self.deltas["weight_delta"] = (dz.unsqueeze(2) * self.x.unsqueeze(1)).stored() \
                if self.per_sample else product(dz.t(), self.x)
            return product(dz, self.W) if "weight" in self.document else None
        if self.gain is not None:
            self._keep("gain_delta", (dz * self.norm.normalized).stored())
        if "shift" in self.document:
            self._keep("shift_delta", dz)
        return self.norm.backward(dz, self.gain)

    def _keep(self, name, each):
        self.deltas[name] = each if self.per_sample else summed(each, 0)


def summed(each, axis):
    """A sum of stored numbers, in the datatype and in whatever order."""
    r = each.rounding
    size = (each.value.abs() + each.error).sum(axis)
    total = Bounded(each.value.sum(axis), each.error.sum(axis)
                    + (each.value.shape[axis] + 1) * r.unit * size, r)
    return Bounded(total.value, torch.where(size <= r.largest, total.error,
                                            torch.full_like(size, float("inf"))), r)


class Twin:
    """The twin of a Reference (whose layers it reads). values: the same members, with bounds."""

    def __init__(self, graph, datatype):
        self.request, self.graph = graph.request, graph
        self.rounding = Rounding(datatype)
        self.layers = [TwinLayer(layer, self.rounding, graph.per_sample) for layer in graph.layers]
        self.values = {}
        if reference.is_network(self.request):
            self._network()
        else:
            self._independent()
        for i, layer in enumerate(self.layers):
            for name, delta in layer.deltas.items():
                self.values[("layers", i, name)] = delta

    def _given(self, spelled):
        return self.rounding.exact(tensors.matrix_of(spelled))

    def _independent(self):
        for i, layer in enumerate(self.layers):
            layer.forward(self._given(layer.document["input"]))
            dx = layer.backward(self._given(layer.document["grad_output"]))
            if dx is not None:
                self.values[("layers", i, "grad_input")] = dx

    def _network(self):
        first = self.request.get("input")
        y = x = self._given(self.layers[0].document["input"] if first is None else first)
        outputs = []
        for i, layer in enumerate(self.layers):
            supplied = layer.document.get("input") if i else None
            y = layer.forward(y if supplied is None else self._given(supplied))
            source = self._source(i)
            if source is not None:
                y = (y + (x if source < 0 else outputs[source])).stored()
            outputs.append(y)
        self.values["predictions"] = y
        self._backward(y)

    def _source(self, i):
        """The index of the layer that is added to this one, -1 for the input; or None."""
        name = self.layers[i].document.get("residual")
        if name is None:
            return None
        return max([j for j in range(i) if self.layers[j].layer.name == name], default=-1)

    def _backward(self, y):
        """gradients[i + 1]: of the output of layer i; [0]: of the input."""
        count = len(self.layers)
        gradients = [None] * (count + 1)
        fused = self._begin(y, gradients)
        for i in reversed(range(count)):
            g = gradients[i + 1]
            source = self._source(i)
            if source is not None:
                gradients[source + 1] = plus(gradients[source + 1], g)
            layer = self.layers[i]
            dx = layer.backward_from_z(g) if fused and i == count - 1 else layer.backward(g)
            if dx is not None:
                gradients[i] = plus(gradients[i], dx)
        if gradients[0] is not None and dx is not None:
            self.values["grad_input"] = gradients[0]

    def _begin(self, y, gradients):
        """The gradient the backward pass begins with; whether it is that of z."""
        if "loss" not in self.request:
            gradients[-1] = self._given(self.request["grad_output"])
            return False
        fused = self.graph.fused
        loss = losses.Loss(self.request["loss"], fused)
        argument = self.layers[-1].z if fused else y
        self.values["loss"], gradients[-1] = twin_losses.value_and_gradient(loss, argument)
        return fused is not None


def plus(a, b):
    return b if a is None else (a + b).stored()

"""The reference: layers and networks as PyTorch works them out, in double, from a request whose
tensors are torch's. Every tensor on the way is kept with its gradient. Bounds are bounds.py's, what
becomes of the deltas (reduction, clipping, decay) options.py's."""

import torch
import torch.nn.functional as F

from functions import Function
from losses import FUSED, Loss

DELTAS = ("weight_delta", "bias_delta", "slope_delta", "gain_delta", "shift_delta")


class Believe(torch.autograd.Function):
    """A state that the request brings: its value is taken, its gradient goes on to what it would
    have been worked out from."""

    @staticmethod
    def forward(context, computed, given):
        return given.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient, None


def kept(tensor):
    tensor.retain_grad()
    return tensor


def leaf(tensor):
    return tensor.clone().requires_grad_()


def sets(x, kind, groups):
    """The axis over which a norm's sets lie, and x cut into them."""
    if kind == "group_norm":
        return 2, x.reshape(x.shape[0], groups, x.shape[1] // groups)
    return (0 if kind == "batch_norm" else 1), x


def normalized(x, kind, epsilon, groups=1):
    """x̂ by plain operations, whose gradients keep their digits at any scale."""
    dim, parts = sets(x, kind, groups)
    d = parts if kind == "rms_norm" else parts - parts.mean(dim, keepdim=True)
    hat = d / torch.sqrt(d.square().mean(dim, keepdim=True) + epsilon)
    return hat.reshape(x.shape)


def is_tame(x, dim, epsilon):
    """Whether PyTorch's own kernels, which subtract large from large, keep enough digits."""
    if x.shape[dim] < 2:
        return False
    s = (x.var(dim, unbiased=False) + epsilon).rsqrt()
    return bool((x.abs().amax(dim) * s).max() < 30)


class Node:
    """A layer of the reference: x, z, f (f(z)), y, each with .grad behind the backward pass."""

    def __init__(self, spelled, x, unit):
        self.spelled, self.unit, self.x = spelled, unit, x
        self.kind = spelled.get("type", "dense")
        self.given_z = spelled.get("pre_activation")
        self.residual = None
        self.leaves = {}
        self._take_parameters(x)
        slope = self.leaves.get("slope_delta")
        self.function = Function(spelled.get("activation", "identity"), unit, slope)
        z = self._forward(x)
        self.z = kept(z.clone() if self.given_z is None else Believe.apply(z, self.given_z))
        self.f = kept(self.function(self.z))
        self.rate = 1.0
        self.y = self.f
        if "dropout" in spelled:
            self.rate = 1 / (1 - spelled["dropout"]["rate"])
            self.y = self.f * spelled["dropout"]["mask"] * self.rate

    def _take_parameters(self, x):
        s = self.spelled
        if self.kind == "dense":
            N = (s["weight"] if "weight" in s else self.given_z.T).shape[0]
            weight = s.get("weight", torch.zeros(N, x.shape[1], dtype=x.dtype))
            self.leaves["weight_delta"] = leaf(weight)
            self.leaves["bias_delta"] = leaf(s.get("bias", torch.zeros(N, dtype=x.dtype)))
        for name in ("gain", "shift"):
            if name in s:
                self.leaves[name + "_delta"] = leaf(s[name])
        f = s.get("activation")
        if f == "prelu" or isinstance(f, dict) and f["name"] == "prelu":
            slope = 0.25 if f == "prelu" else f.get("slope", 0.25)
            if not torch.is_tensor(slope):
                slope = torch.tensor([self.unit.round_number(slope)], dtype=x.dtype)
            self.leaves["slope_delta"] = leaf(slope)

    def _forward(self, x):
        if self.kind == "dense":
            return F.linear(x, self.leaves["weight_delta"], self.leaves["bias_delta"])
        if self.kind == "activation":
            return x * 1
        gain, shift = self.leaves.get("gain_delta"), self.leaves.get("shift_delta")
        epsilon, N = self.epsilon(), x.shape[1]
        if "running_mean" in self.spelled:
            return F.batch_norm(x, self.spelled["running_mean"], self.spelled["running_variance"],
                                gain, shift, False, 0.0, epsilon)
        if self.kind == "layer_norm" and is_tame(x.detach(), 1, epsilon):
            return F.layer_norm(x, (N,), gain, shift, epsilon)
        if self.kind == "batch_norm" and is_tame(x.detach(), 0, epsilon):
            return F.batch_norm(x, None, None, gain, shift, True, 0.0, epsilon)
        hat = normalized(x, self.kind, epsilon, self.spelled.get("groups", 1))
        hat = hat if gain is None else hat * gain
        return hat if shift is None else hat + shift

    def epsilon(self):
        """Of a norm; PyTorch's rms_norm takes the number type's where there is none."""
        default = self.unit.epsilon if self.kind == "rms_norm" else 1e-5
        return self.spelled.get("epsilon", default)

    def hat(self):
        """x̂ of a norm."""
        x, epsilon = self.x.detach(), self.epsilon()
        if "running_mean" in self.spelled:
            return ((x - self.spelled["running_mean"])
                    * (self.spelled["running_variance"] + epsilon).rsqrt())
        return normalized(x, self.kind, epsilon, self.spelled.get("groups", 1))

    def add(self, source):
        self.residual = source
        self.y = self.y + source

    def gradient(self, tensor):
        return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad

    def sample_deltas(self):
        """{name: delta of each sample}."""
        dz, df, x, z = (self.gradient(self.z), self.gradient(self.f), self.x.detach(),
                        self.z.detach())
        made = {"weight_delta": lambda: torch.einsum("bn,bk->bnk", dz, x),
                "bias_delta": lambda: dz, "shift_delta": lambda: dz,
                "gain_delta": lambda: dz * self.hat(), "slope_delta": lambda: self._slopes(df, z)}
        return {name: made[name]() for name in self.leaves}

    def _slopes(self, df, z):
        terms = torch.where(z > 0, z * 0, z * df)
        shared = self.leaves["slope_delta"].numel() == 1
        return terms.sum(1, keepdim=True) if shared else terms

    def deltas(self):
        """{name: PyTorch's gradient of the parameter}."""
        return {name: self.gradient(t) for name, t in self.leaves.items()}


class Network:
    """A request of /v1/backprop, worked out."""

    def __init__(self, request, unit):
        self.unit, self.nodes, self.loss = unit, [], None
        layers = request["layers"]
        self.x = leaf(layers[0].get("input", request.get("input")))
        before = self.x
        for spelled in layers:
            if self.nodes and "input" in spelled:
                before = Believe.apply(before, spelled["input"])
            node = Node(spelled, kept(before.clone()), unit)
            if "residual" in spelled:
                node.source = self._source(spelled["residual"])
                node.add(self.x if node.source is None else self.nodes[node.source].y)
            node.y = kept(node.y.clone())
            self.nodes.append(node)
            before = node.y
        self._start(request)

    def _source(self, name):
        """The number of the layer that a residual comes from; None for the network's input."""
        for i, node in enumerate(self.nodes):
            if node.spelled.get("name") == name:
                return i
        return None

    def _start(self, request):
        last = self.nodes[-1]
        self.predictions = last.y.detach()
        self.loss_value = None
        if "grad_output" in request:
            last.y.backward(request["grad_output"])
            return
        plain = last.residual is None and "dropout" not in last.spelled
        fused = FUSED.get((last.function.name, request["loss"]["name"])) if plain else None
        self.loss, self.is_fused = Loss(request["loss"], fused), fused is not None
        self.met = last.z if self.is_fused else last.y
        L, self.loss_value = self.loss.total(self.met)
        L.backward()


def single(spelled, unit):
    """A layer of /v1/gradients, worked out."""
    node = Node(spelled, kept(leaf(spelled["input"])), unit)
    node.y = kept(node.y.clone())
    node.y.backward(spelled["grad_output"])
    return node

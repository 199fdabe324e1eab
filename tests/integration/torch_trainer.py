"""The network and the losses of trainers.py in PyTorch's own words: its modules' functions and its
autograd. Skips the test where PyTorch is not installed (python3-torch)."""

import math
import unittest

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    raise unittest.SkipTest("PyTorch (python3-torch) is not installed") from error

from trainers import TRAINED

torch.set_num_threads(1)

ACTIVATIONS = {
    "identity": lambda z: z, "relu": F.relu, "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu,
    "mish": F.mish, "hardswish": F.hardswish, "softsign": F.softsign, "softplus": F.softplus,
    "elu": F.elu, "sigmoid": torch.sigmoid, "softmax": lambda z: F.softmax(z, 1),
    "log_softmax": lambda z: F.log_softmax(z, 1)}

LOSSES = {
    "mse": F.mse_loss, "l1": F.l1_loss, "smooth_l1": F.smooth_l1_loss,
    "huber": lambda y, t, delta: F.huber_loss(y, t, delta=delta),
    "log_cosh": lambda y, t: ((y - t).abs() + F.softplus(-2 * (y - t).abs())
                              - math.log(2)).mean(),
    "binary_cross_entropy": F.binary_cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy, "nll": F.nll_loss, "kl_div": F.kl_div,
    "hinge": lambda y, t: (1 - t * y).clamp(min=0).mean(),
    "squared_hinge": lambda y, t: (1 - t * y).clamp(min=0).square().mean(),
    "poisson_nll": F.poisson_nll_loss,
    "gaussian_nll": lambda y, t, variance: F.gaussian_nll_loss(y, t, variance),
    "cosine_embedding": lambda y, t, other, margin: F.cosine_embedding_loss(y, other, t, margin)}


class TorchTrainer:
    """The same steps as trainers.Asking, by autograd."""

    def __init__(self, layers, dtype):
        self.dtype, self.layers, self.parameters = dtype, [], []
        for layer in layers:
            own = {name: self.parameter(layer[name]) for name in TRAINED if name in layer}
            activation = layer["activation"]
            if isinstance(activation, dict):
                own["slope"] = self.parameter(activation["slope"])
            self.layers.append((layer, own))

    def tensor(self, values):
        return torch.tensor(values, dtype=self.dtype)

    def parameter(self, values):
        found = self.tensor(values).requires_grad_()
        self.parameters.append(found)
        return found

    def forward(self, x, masks=None):
        outputs = {}
        for layer, own in self.layers:
            if layer.get("type") == "layer_norm":
                z = F.layer_norm(x, x.shape[1:], own["gain"], own["shift"])
            else:
                z = F.linear(x, own["weight"], own["bias"])
            if "slope" in own:
                x = F.prelu(z, own["slope"])
            else:
                x = ACTIVATIONS[layer["activation"]](z)
            if "dropout" in layer and masks is not None:
                x = x * self.tensor(masks) / (1 - layer["dropout"]["rate"])
            if "residual" in layer:
                x = x + outputs[layer["residual"]]
            outputs[layer.get("name")] = x
        return x

    def loss(self, y, loss):
        """Of a member "loss" of a request."""
        options = {k: self.tensor(v) if isinstance(v, list) else v for k, v in loss.items()
                   if k not in ("name", "target")}
        if loss["name"] in ("cross_entropy", "nll"):
            target = torch.tensor(loss["target"])
        else:
            target = self.tensor(loss["target"])
        return LOSSES[loss["name"]](y, target, **options)

    def step(self, pixels, loss, rate, masks):
        value = self.loss(self.forward(self.tensor(pixels), masks), loss)
        gradients = torch.autograd.grad(value, self.parameters)
        with torch.no_grad():
            for parameter, gradient in zip(self.parameters, gradients):
                parameter -= rate * gradient
        return value.item()

    def predict(self, pixels):
        with torch.no_grad():
            return self.forward(self.tensor(pixels)).tolist()

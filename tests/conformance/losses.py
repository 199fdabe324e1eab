"""Every loss as PyTorch has it, in double: the losses of a batch element by element or sample by
sample, and their total. What lives here knows y and the members of a request's "loss", no network.

PyTorch 1.13 has no log_cosh and no elementwise hinge: those are composed of its functions here, and
checked a second time by the plain twins of tests/integration/loss_twins.py. Sample weights multiply
a sample's losses and leave the divisor as it is."""

import math

import torch
import torch.nn.functional as F

import tensors

DEFAULTS = {
    "smooth_l1": {"beta": 1.0}, "huber": {"delta": 1.0},
    "cross_entropy": {"label_smoothing": 0.0, "ignore_index": -100}, "nll": {"ignore_index": -100},
    "kl_div": {"log_target": False}, "hinge": {"margin": 1.0}, "squared_hinge": {"margin": 1.0},
    "poisson_nll": {"log_input": True, "full": False, "eps": 1e-8},
    "gaussian_nll": {"full": False, "eps": 1e-6}, "cosine_embedding": {"margin": 0.0},
}
NAMES = ("mse", "l1", "smooth_l1", "huber", "log_cosh", "binary_cross_entropy", "bce_with_logits",
         "cross_entropy", "nll", "kl_div", "hinge", "squared_hinge", "poisson_nll", "gaussian_nll",
         "cosine_embedding")
BY_ROW = {"cross_entropy", "nll", "cosine_embedding"}  # one loss a sample, not one an element
FUSED = {("sigmoid", "binary_cross_entropy"): "bce_with_logits",
         ("log_softmax", "nll"): "cross_entropy"}


class ExactBce(torch.autograd.Function):
    """F.binary_cross_entropy; its backward with the least denominator 1e-12 in double."""

    @staticmethod
    def forward(context, y, t, reduction):
        context.save_for_backward(y, t)
        context.by = y.numel() if reduction == "mean" else 1
        return F.binary_cross_entropy(y, t, reduction=reduction)

    @staticmethod
    def backward(context, gradient):
        y, t = context.saved_tensors
        return gradient * (y - t) / (y * (1 - y)).clamp(min=1e-12) / context.by, None, None


class Loss:
    """A request's loss, read. y is [B,N]."""

    def __init__(self, document, fused_name=None):
        self.name = document["name"]
        self.computed_as = fused_name or self.name
        self.reduction = document.get("reduction", "mean")
        self.parameters = {k: document.get(k, v) for k, v in DEFAULTS.get(self.name, {}).items()}
        self.target = tensors.tensor_of(document["target"])
        for name in ("sample_weight", "class_weight", "pos_weight", "variance", "other"):
            value = document.get(name)
            setattr(self, name, None if value is None else tensors.tensor_of(value))

    def fit(self, y):
        """The target as the loss of y takes it: classes, or a number an element."""
        t = self.target
        if self.has_classes(y):
            return t.reshape(-1).long()
        if self.name == "cosine_embedding":
            return t.reshape(-1)
        return t.reshape(y.shape)

    def has_classes(self, y):
        if self.name == "nll":
            return True
        return self.name == "cross_entropy" and tuple(self.target.shape) != tuple(y.shape) \
            and self.target.numel() == y.shape[0] and self.target.dim() == 1

    def losses(self, y):
        """[B] or [B,N], weighted by the samples."""
        found = getattr(self, "_" + self.computed_as)(y, self.fit(y), "none", **self.parameters)
        if self.sample_weight is not None:
            weight = self.sample_weight.reshape(-1)
            found = found * (weight if found.dim() == 1 else weight.unsqueeze(1))
        return found

    def divisor(self, y):
        """What the mean divides by."""
        if self.has_classes(y):
            classes = self.fit(y)
            kept = classes != self.parameters["ignore_index"]
            weight = torch.ones(y.shape[1], dtype=tensors.DOUBLE) \
                if self.class_weight is None else self.class_weight
            return weight[classes[kept]].sum().item()
        return float(y.shape[0] if self.name in BY_ROW else y.numel())

    def total(self, y):
        """The scalar whose gradient is asked for: under none that of the sum."""
        if self.sample_weight is None and self.reduction != "none" and self.name != "kl_div":
            return getattr(self, "_" + self.computed_as)(y, self.fit(y), self.reduction,
                                                         **self.parameters)
        total = self.losses(y).sum()
        return total / self.divisor(y) if self.reduction == "mean" else total

    # Each: y, target, PyTorch's reduction, parameters.

    def _mse(self, y, t, reduction):
        return F.mse_loss(y, t, reduction=reduction)

    def _l1(self, y, t, reduction):
        return F.l1_loss(y, t, reduction=reduction)

    def _smooth_l1(self, y, t, reduction, beta):
        return F.smooth_l1_loss(y, t, reduction=reduction, beta=beta)

    def _huber(self, y, t, reduction, delta):
        return F.huber_loss(y, t, reduction=reduction, delta=delta)

    def _log_cosh(self, y, t, reduction):
        d = y - t
        far = d.abs() + torch.log1p(torch.exp(-2 * d.abs())) - math.log(2)
        return reduced(torch.where(d.abs() < 1, torch.log(torch.cosh(d.clamp(-1, 1))), far),
                       reduction)

    def _binary_cross_entropy(self, y, t, reduction):
        """PyTorch's, whose gradient holds 1e-12 as a float32; the daemon's is the double."""
        return ExactBce.apply(y, t, reduction)

    def _bce_with_logits(self, y, t, reduction):
        return F.binary_cross_entropy_with_logits(y, t, reduction=reduction,
                                                  pos_weight=self.pos_weight)

    def _cross_entropy(self, y, t, reduction, ignore_index, label_smoothing=0.0):
        return F.cross_entropy(y, t, weight=self.class_weight, reduction=reduction,
                               ignore_index=ignore_index, label_smoothing=label_smoothing)

    def _nll(self, y, t, reduction, ignore_index):
        return F.nll_loss(y, t, weight=self.class_weight, reduction=reduction,
                          ignore_index=ignore_index)

    def _kl_div(self, y, t, reduction, log_target):
        return F.kl_div(y, t, reduction=reduction, log_target=log_target)

    def _hinge(self, y, t, reduction, margin):
        return reduced(torch.relu(margin - t * y), reduction)

    def _squared_hinge(self, y, t, reduction, margin):
        return reduced(torch.relu(margin - t * y) ** 2, reduction)

    def _poisson_nll(self, y, t, reduction, log_input, full, eps):
        return F.poisson_nll_loss(y, t, log_input=log_input, full=full, eps=eps,
                                  reduction=reduction)

    def _gaussian_nll(self, y, t, reduction, full, eps):
        variance = self.variance.reshape(y.shape[0], -1).expand(y.shape)
        return F.gaussian_nll_loss(y, t, variance, full=full, eps=eps, reduction=reduction)

    def _cosine_embedding(self, y, t, reduction, margin):
        return F.cosine_embedding_loss(y, self.other.reshape(y.shape), t, margin=margin,
                                       reduction=reduction)


def reduced(losses, reduction):
    return {"none": lambda v: v, "sum": torch.sum, "mean": torch.mean}[reduction](losses)

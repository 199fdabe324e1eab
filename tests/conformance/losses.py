"""The losses as PyTorch has them, in double: L and the losses themselves. How far the daemon's may
be from them is in loss_bounds.py. Those that PyTorch lacks (log_cosh, hinge, squared_hinge,
weights by sample) are written here with its plain operations, and so is what its versions do not
agree on (versions.py): nothing stands on clamp, whose slope at its ends changed. Knows y and the
target, no layers."""

import math

import torch
import torch.nn.functional as F

DEFAULTS = {
    "mse": {}, "l1": {}, "smooth_l1": {"beta": 1.0}, "huber": {"delta": 1.0}, "log_cosh": {},
    "binary_cross_entropy": {}, "bce_with_logits": {},
    "cross_entropy": {"label_smoothing": 0.0, "ignore_index": -100}, "nll": {"ignore_index": -100},
    "kl_div": {"log_target": False}, "hinge": {"margin": 1.0}, "squared_hinge": {"margin": 1.0},
    "poisson_nll": {"log_input": True, "full": False, "eps": 1e-8},
    "gaussian_nll": {"full": False, "eps": 1e-6}, "cosine_embedding": {"margin": 0.0},
    "focal": {"alpha": 0.25, "gamma": 2.0},
}
NAMES = list(DEFAULTS)
BEFORE_2_14 = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 14)
BY_SAMPLE = ("cross_entropy", "nll", "cosine_embedding")
# A last layer's f and its loss that are one function of z where they meet.
FUSED = {("sigmoid", "binary_cross_entropy"): "bce_with_logits",
         ("log_softmax", "nll"): "cross_entropy"}


def log_cosh(y, t):
    d = (y - t).abs()
    far = d + torch.log1p(torch.exp(-2 * d)) - math.log(2)
    small = torch.where(d > 1, torch.zeros_like(d), y - t)  # sinh would overflow
    near = torch.log1p(2 * torch.sinh(small / 2).square())
    return torch.where(d > 1, far, near)


def cosine_of(y, other):
    """That of F.cosine_embedding_loss with its 1e-12 in double: PyTorch's is a float32."""
    return (y * other).sum(1) / torch.sqrt((y.square().sum(1) + 1e-12)
                                           * (other.square().sum(1) + 1e-12))


def cosine(y, other, t, margin):
    s = cosine_of(y, other)
    return torch.where(t > 0, 1 - s, F.relu(s - margin))


def focal(y, t, alpha, gamma):
    """-alpha_t (1 - p_t)^gamma log p_t of the paper, arXiv:1708.02002, by logarithms: 1 - p_t has
    no digits where p_t is 1."""
    logit = torch.where(t > 0, y, -y)
    weight = torch.where(t > 0, torch.full_like(y, alpha), torch.full_like(y, 1 - alpha))
    return -weight * torch.exp(gamma * F.logsigmoid(-logit)) * F.logsigmoid(logit)


class Loss:
    """A loss as spelled in a document whose tensors are torch's."""

    def __init__(self, spelled, fused=None):
        self.name = fused or spelled["name"]
        names = DEFAULTS[spelled["name"]]
        self.p = {**names, **{k: v for k, v in spelled.items() if k in names}}
        self.reduction = spelled.get("reduction", "mean")
        for name in ("target", "sample_weight", "class_weight", "pos_weight", "variance", "other"):
            setattr(self, name, spelled.get(name))
        self.has_classes = (self.name in ("cross_entropy", "nll") and self.target.dim() == 1)
        if self.has_classes:
            self.target = self.target.long()

    def losses(self, y, reduction="none"):
        """PyTorch's, [B,N] or [B]; or by its own reduction, a number."""
        p, t, name, how = self.p, self.target, self.name, {"reduction": reduction}
        if name == "cross_entropy":
            return F.cross_entropy(y, t, self.class_weight, **how,
                                   ignore_index=p.get("ignore_index", -100),
                                   label_smoothing=p.get("label_smoothing", 0.0))
        if name == "nll":
            return F.nll_loss(y, t, self.class_weight, ignore_index=p["ignore_index"], **how)
        if name == "bce_with_logits":
            return F.binary_cross_entropy_with_logits(y, t, pos_weight=self.pos_weight, **how)
        if name == "gaussian_nll":
            variance = self.variance
            return F.gaussian_nll_loss(y, t, variance, full=p["full"], eps=p["eps"], **how)
        if name == "cosine_embedding":
            least = min(float(v.detach().square().sum(1).min()) for v in (y, self.other))
            over = (cosine_of(y, self.other) - p["margin"]).abs()
            at_margin = BEFORE_2_14 and bool(((t < 0) & (over < 1e-12)).any())
            if least < 1 or at_margin:  # where 1e-12 counts in double; where versions differ
                return reduced(cosine(y, self.other, t, p["margin"]), reduction)
            return F.cosine_embedding_loss(y, self.other, t, p["margin"], **how)
        simple = {
            "mse": lambda: F.mse_loss(y, t, **how), "l1": lambda: F.l1_loss(y, t, **how),
            # PyTorch's manual has beta 0 as l1; its backward pass has -1, not 0, where y = t.
            "smooth_l1": lambda: (F.smooth_l1_loss(y, t, beta=p["beta"], **how) if p["beta"] > 0
                                  else F.l1_loss(y, t, **how)),
            "huber": lambda: F.huber_loss(y, t, delta=p["delta"], **how),
            "binary_cross_entropy": lambda: F.binary_cross_entropy(y, t, **how),
            "kl_div": lambda: F.kl_div(y, t, log_target=p["log_target"], **how),
            "poisson_nll": lambda: F.poisson_nll_loss(y, t, log_input=p["log_input"],
                                                      full=p["full"], eps=p["eps"], **how),
            "log_cosh": lambda: reduced(log_cosh(y, t), reduction),
            "focal": lambda: reduced(focal(y, t, p["alpha"], p["gamma"]), reduction),
            "hinge": lambda: reduced(F.relu(p["margin"] - t * y), reduction),
            "squared_hinge": lambda: reduced(F.relu(p["margin"] - t * y).square(), reduction),
        }
        return simple[name]()

    def weights(self, y):
        """u_b, in the shape of the losses, to multiply with."""
        u = torch.ones(y.shape[0], dtype=y.dtype)
        u = u if self.sample_weight is None else self.sample_weight
        return u if self.name in BY_SAMPLE else u[:, None].expand_as(y)

    def divisor(self, y):
        """What mean divides by."""
        if self.reduction == "batchmean":
            return float(y.shape[0])
        if self.reduction != "mean":
            return 1.0
        if self.has_classes:
            w = torch.ones(y.shape[1], dtype=y.dtype)
            w = w if self.class_weight is None else self.class_weight
            counted = self.target[self.target != self.p["ignore_index"]]
            return float(w[counted].sum())
        return float(y.shape[0] if self.name in BY_SAMPLE else y.numel())

    def total(self, y):
        """L to differentiate, and what the daemon answers as loss: L, or the losses."""
        if self.reduction == "none":
            losses = self.losses(y) * self.weights(y)
            return losses.sum(), losses.detach()
        if self.sample_weight is None:
            L = self.losses(y, self.reduction)
        else:
            L = (self.losses(y) * self.weights(y)).sum() / self.divisor(y)
        return L, L.detach()


def reduced(losses, how):
    return losses if how == "none" else losses.mean() if how == "mean" else losses.sum()

"""How far the daemon's states and deltas may be from the reference's: absolute errors pushed
through the same graph. The values that they meet are PyTorch's, network.py's.

Derivation. Beside x stands e_x with |x' - x| <= e_x, x' being the daemon's; u, eta and the bound of
a product are units.py's, f's errors functions.py's. Forward:

    z = x Wᵀ + b     e_z = e_x |W|ᵀ + (K + 4) u (|x| |W|ᵀ + |b|)
    y = m f(z) + r   e_y = m e_f + e_r + 3 u |terms|, m the mask times 1 / (1 - rate)
    norms            d = x - μ: e_d = e_x + mean(e_x) + (n + 3) (u' (|x| + mean |x|) + η'), u' and
                     η' double's
                     v = mean d²: e_v = mean(2 |d| e_d + e_d²) + (n + 3) u' v
                     s = 1 / √(v + ε): relative error ρ = e_v / (v + ε - e_v) / 2
                     x̂ = d s: e_x̂ = e_d s + |x̂| ρ + 3 u' |x̂|, and z = γ x̂ + β

A z that is exact is known to be so: integers of few digits, whose products and sums have no
rounding, or a z that the request brings. Backward, with δ = dz, g = γ δ:

    ΔW = δᵀ x        e_δᵀ (|x| + e_x) + |δ|ᵀ e_x + (B + 4) u |δ|ᵀ |x|; so the other products
    ∂L/∂x of norms   = s (g - mean g - x̂ mean(g x̂)): each factor's error times the others' sizes,
                     ρ for s, and (n + 8) u' of all terms
    ∂L/∂y            the sum of what comes back: errors add, u a sum

The answers' own rounding ends each chain. All this is first an upper bound of Higham's kind: linear
in the depth, and sharp within it to about the square root of the sizes."""

import torch

from loss_bounds import loss_error
from network import sets
from units import BOTH


def is_exact(*tensors):
    """Whether products and sums of these have no rounding in float: quarters of small numbers."""
    return all(bool(((t * 4) == (t * 4).round()).all() and (t.abs() <= 64).all()) for t in tensors)


class Bounds:
    """The errors of one node: x, z, f, y, and, once the way back is done, dy, df, dz, dx."""

    def __init__(self, node, e_x, e_source=None):
        self.node, self.unit = node, node.unit
        self.x = torch.zeros_like(node.x) if "input" in node.spelled else e_x
        x, z = node.x.detach(), node.z.detach()
        self.norm = self._norm_errors(x) if node.kind.endswith("_norm") else None
        self.z = torch.zeros_like(z) if node.given_z is not None else self._forward(x, z)
        self.f = node.function.value_error(z, self.z)
        y = node.y.detach()
        mask = self._mask()
        self.y = self.f if mask is None else self.unit.stored(node.f.detach() * mask,
                                                              self.f * mask, 2)
        if e_source is not None:
            size = y.abs() + node.residual.detach().abs()
            self.y = self.unit.stored(size, self.y + e_source)

    def _mask(self):
        dropout = self.node.spelled.get("dropout")
        return None if dropout is None else dropout["mask"] * self.node.rate

    def _forward(self, x, z):
        p = {k: v.detach() for k, v in self.node.leaves.items()}
        if self.node.kind == "activation":
            return self.x
        if self.node.kind == "dense":
            W, b = p["weight_delta"], p["bias_delta"]
            if not self.x.any() and is_exact(x, W, b) and x.shape[1] < 1000:
                return torch.zeros_like(z)
            size = x.abs() @ W.abs().T + b.abs()
            return self.unit.stored(size, self.unit.product(self.x @ W.abs().T, size, x.shape[1]))
        gain = p.get("gain_delta", torch.ones(x.shape[1], dtype=x.dtype)).abs()
        shift = p.get("shift_delta", torch.zeros(x.shape[1], dtype=x.dtype)).abs()
        hat, e_hat = self.norm["hat"], self.norm["e_hat"]
        return self.unit.stored(gain * hat.abs() + shift, gain * e_hat, 2)

    def _norm_errors(self, x):
        node, hat = self.node, self.node.hat()
        epsilon = node.epsilon()
        if "running_mean" in node.spelled:
            mean, s = node.spelled["running_mean"], node.spelled["running_variance"] + epsilon
            s = s.rsqrt()
            e_hat = (self.x + BOTH * (x.abs() + mean.abs())) * s + BOTH * hat.abs()
            return {"hat": hat, "e_hat": e_hat, "s": s, "rho": torch.zeros_like(s) + BOTH}
        groups, centred = node.spelled.get("groups", 1), node.kind != "rms_norm"
        dim, x = sets(x, node.kind, groups)
        e_x, hat = sets(self.x, node.kind, groups)[1], sets(hat, node.kind, groups)[1]
        n = x.shape[dim]
        mean = lambda t: t.mean(dim, keepdim=True)  # noqa: E731
        d = (x - centred * mean(x)).abs()
        e_d = e_x + centred * (mean(e_x) + (n + 3) * (BOTH * (x.abs() + mean(x.abs()))
                                                      + 2.0 ** -1073))
        v = mean(d * d) + epsilon
        e_v = mean(2 * d * e_d + e_d * e_d) + (n + 3) * BOTH * v
        rho = torch.where(e_v < v / 2, e_v / (v - e_v) / 2, torch.full_like(v, float("inf")))
        e_hat = e_d * v.rsqrt() * (1 + rho) + hat.abs() * rho + BOTH * hat.abs()
        whole = lambda t: t.expand(x.shape).reshape(node.x.shape)  # noqa: E731
        return {"hat": whole(hat), "e_hat": whole(e_hat), "s": whole(v.rsqrt()),
                "rho": whole(rho), "groups": groups, "count": n,
                "centred": centred}

    # ---- Backward ----

    def back(self, e_dy, e_dz=None):
        """From the error of ∂L/∂y (or, of a fused loss, of δ) to those of df, dz and dx."""
        node = self.node
        df, z = node.gradient(node.f), node.z.detach()
        mask = self._mask()
        self.dy = e_dy
        self.df = e_dy if mask is None else self.unit.stored(df, e_dy * mask, 2)
        self.dz = node.function.delta_error(z, self.z, df, self.df) if e_dz is None else e_dz
        self.dx = self._dx()

    def _dx(self):
        node, dz = self.node, self.node.gradient(self.node.z)
        if node.kind == "activation":
            return self.dz
        if node.kind == "dense":
            W = node.leaves["weight_delta"].detach().abs()
            size = dz.abs() @ W
            return self.unit.stored(size, self.unit.product(self.dz @ W, size, W.shape[0]))
        gain = node.leaves.get("gain_delta", torch.ones(1, dtype=dz.dtype)).detach().abs()
        n, g, e_g = self.norm, gain * dz.abs(), gain * self.dz
        e_g = e_g + BOTH * g
        if "groups" not in n:
            return self.unit.stored(g * n["s"], (e_g + BOTH * g) * n["s"], 2)

        def mean(t):
            dim, parts = sets(t, node.kind, n["groups"])
            return parts.mean(dim, keepdim=True).expand(parts.shape).reshape(t.shape)
        hat = n["hat"].abs()
        centred = n["centred"]
        product, terms = mean(g * hat), g + centred * mean(g) + hat * mean(g * hat)
        e_product = mean(e_g * (hat + n["e_hat"]) + g * n["e_hat"])
        error = (e_g + centred * mean(e_g) + n["e_hat"] * (product + e_product) + hat * e_product
                 + (n["rho"] + (n["count"] + 8) * BOTH) * terms + 2.0 ** -1070)
        return self.unit.stored(n["s"] * terms, n["s"] * (1 + n["rho"]) * error)

    def sample_deltas(self):
        """{name: (error, size of the terms) of the deltas of each sample}."""
        node = self.node
        dz, df = node.gradient(node.z).abs(), node.gradient(node.f).abs()
        x, z = node.x.detach().abs(), node.z.detach()
        outer = lambda a, b: torch.einsum("bn,bk->bnk", a, b)  # noqa: E731
        made = {"weight_delta": lambda: (outer(self.dz, x + self.x) + outer(dz, self.x),
                                         outer(dz, x)),
                "bias_delta": lambda: (self.dz, dz), "shift_delta": lambda: (self.dz, dz),
                "gain_delta": lambda: self._gains(dz),
                "slope_delta": lambda: self._slopes(df, z)}
        return {name: made[name]() for name in node.leaves}

    def _gains(self, dz):
        hat, e_hat = self.norm["hat"].abs(), self.norm["e_hat"]
        # PyTorch sums δ d, and multiplies with s then: each product may have lost eta.
        error = self.dz * (hat + e_hat) + dz * e_hat + 2.0 ** -1072 * self.norm["s"]
        return error, dz * hat

    def _slopes(self, df, z):
        below = (z - self.z).clamp(max=0).abs()
        parts = self.df * below + df * self.z * (z <= self.z), df * below
        if self.node.leaves["slope_delta"].numel() == 1:
            return tuple(t.sum(1, keepdim=True) for t in parts)
        return parts


def of_network(network, request):
    """The bounds of every node, of the loss (or None) and of grad_input."""
    unit, nodes, made = network.unit, network.nodes, []
    error = torch.zeros_like(network.x)
    for node in nodes:
        source = None
        if node.residual is not None:
            source = (torch.zeros_like(network.x) if node.source is None
                      else made[node.source].y)
        made.append(Bounds(node, error, source))
        error = made[-1].y
    last, loss = made[-1], None
    e_dy, e_dz = torch.zeros_like(last.y), None
    if network.loss is not None:
        met = network.met.detach()
        losses = network.loss.losses(met).detach()
        loss, e_dy = loss_error(network.loss, met, last.z if network.is_fused else last.y, losses,
                                network.met.grad, unit)
        if network.is_fused:
            e_dy, e_dz = torch.zeros_like(e_dy), e_dy
    for i in reversed(range(len(nodes))):
        if i + 1 < len(nodes):
            e_dy = joined(nodes, made, i, made[i + 1].dx, nodes[i + 1].x)
        made[i].back(e_dy, e_dz)
        e_dz = None
    return made, loss, joined(nodes, made, None, made[0].dx, nodes[0].x)


def joined(nodes, made, source, e_dx, x):
    """The error of ∂L/∂y of layer source (None: of the network's input): what the next layer
    passes back, e_dx, and those whose residual comes from there."""
    size, error = nodes[0].gradient(x).abs(), e_dx
    for node, bound in zip(nodes, made):
        if node.residual is not None and node.source == source:
            size = size + node.gradient(node.y).abs()
            error = node.unit.stored(size, error + bound.dy)
    return error

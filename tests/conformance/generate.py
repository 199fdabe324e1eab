"""Random numbers, layers and losses of requests: plain ones and adversarial ones. What lives here makes
documents (everything a request may say), and judges nothing; cases.py says which are asked for.

Every number is one of its datatype exactly, so that both sides read the same."""

import math

import torch

import activations
import tensors

MODES = ("plain", "kinks", "zeros", "subnormal", "huge", "saturated", "ill_scaled", "constant")
SIZES = (1, 2, 3, 5, 7, 8, 11, 13, 16, 17, 31)
HUGE = {"FP32": 1e17, "FP64": 1e60}
SUBNORMAL = {"FP32": 2.0 ** -138, "FP64": 2.0 ** -1060}
# f grows like exp: what saturates the others overflows it.
GROWING = ("exp",)


class Source:
    """Random choices and numbers of one datatype, by one seed."""

    def __init__(self, generator, datatype):
        self.random, self.datatype = generator, datatype
        self.torch = torch.Generator().manual_seed(generator.getrandbits(31))

    def choice(self, options):
        return self.random.choice(list(options))

    def chance(self, probability):
        return self.random.random() < probability

    def size(self):
        return self.choice(SIZES)

    def normal(self, *shape, scale=1.0):
        return self.rounded(torch.randn(*shape, generator=self.torch, dtype=tensors.DOUBLE) * scale)

    def uniform(self, *shape, low=0.0, high=1.0):
        unit = torch.rand(*shape, generator=self.torch, dtype=tensors.DOUBLE)
        return self.rounded(low + (high - low) * unit)

    def among(self, values, *shape):
        values = torch.tensor(values, dtype=tensors.DOUBLE)
        return self.rounded(values[torch.randint(len(values), shape, generator=self.torch)])

    def rounded(self, tensor):
        return tensors.rounded(tensor, self.datatype)

    def classes(self, B, N, ignored=None):
        """B classes, of which the first is not the one to ignore, and another one may be."""
        found = torch.randint(N, (B,), generator=self.torch).tolist()
        if ignored is not None and B > 1:
            found[self.random.randrange(1, B)] = ignored
        if found[0] == ignored:
            found[0] = (ignored + 1) % N
        return found

    def numbers(self, mode, B, N, kinks=(0.0,)):
        """[B,N] of that mode."""
        if mode == "kinks":
            return self.among(neighbours(kinks, self.datatype), B, N)
        if mode == "zeros":
            return self.among((0.0, -0.0, 1.0, -1.0), B, N)
        if mode == "constant":
            return torch.full((B, N), self.normal(1).item(), dtype=tensors.DOUBLE)
        if mode == "saturated":
            return self.uniform(B, N, low=15, high=95) * self.among((-1.0, 1.0), B, N)
        if mode == "ill_scaled":
            powers = torch.pow(10.0, self.uniform(N, low=-6, high=6))
            return self.rounded(self.normal(B, N) * powers)
        scale = {"huge": HUGE, "subnormal": SUBNORMAL}.get(mode, {}).get(self.datatype, 1.0)
        return self.normal(B, N, scale=scale)


def neighbours(values, datatype):
    """The values, their negatives, and the numbers of the datatype beside each."""
    kind = torch.float32 if datatype == "FP32" else torch.float64
    here = torch.tensor([*values, *(-v for v in values)], dtype=kind)
    sides = [torch.nextafter(here, here + side) for side in (1, -1)]
    return sorted({v for t in (here, *sides) for v in t.to(tensors.DOUBLE).tolist()})


def kinks_of(activation):
    """Where f has kinks: those of its defaults and its parameters."""
    if isinstance(activation, str):
        return activations.KINKS.get(activation, (0.0,))
    values = [v for k, v in activation.items() if k != "name" and isinstance(v, (int, float))]
    return tuple(activations.KINKS.get(activation["name"], ())) + tuple(values)


def activation(source, N, names=activations.NAMES):
    """An activation as a layer of N outputs spells it."""
    name = source.choice(names)
    if name == "prelu":
        slope = source.choice((None, 0.5, [0.125], "each"))
        if slope is None:
            return name
        if slope == "each":
            slope = tensors.spelled(source.normal(N))
        return {"name": name, "slope": slope}
    others = [p for n, p in activations.OTHER_PARAMETERS if n == name]
    if others and source.chance(0.3):
        return {"name": name, **source.choice(others)}
    return name


def dropout(source, B, N):
    rate = source.choice((0.0, 0.25, 0.5, 0.3))
    return {"mask": tensors.spelled(source.among((0.0, 1.0, 1.0), B, N)), "rate": rate}


def norm_parameters(source, kind, N):
    """What a norm layer may have besides its activation."""
    found = {"type": kind}
    if source.chance(0.8):
        found["gain"] = tensors.spelled(source.normal(N))
    if source.chance(0.8):
        found["shift"] = tensors.spelled(source.normal(N))
    if source.chance(0.3):
        found["epsilon"] = source.choice((1e-3, 0.5, 1e-5))
    if kind == "batch_norm" and source.chance(0.4):
        found["running_mean"] = tensors.spelled(source.normal(N))
        found["running_variance"] = tensors.spelled(source.uniform(N, low=0.1, high=3))
    return found


def dense_parameters(source, K, N):
    found = {"weight": tensors.spelled(source.normal(N, K, scale=1 / math.sqrt(K)))}
    if source.chance(0.8):
        found["bias"] = tensors.spelled(source.normal(N))
    return found


# ---- Losses ------------------------------------------------------------------------------------

LOSS_PARAMETERS = {
    "smooth_l1": ({}, {"beta": 0.5}, {"beta": 0}, {"beta": 3}),
    "huber": ({}, {"delta": 0.25}, {"delta": 4}),
    "cross_entropy": ({}, {"label_smoothing": 0.25}, {"label_smoothing": 1}, {"ignore_index": 1}),
    "nll": ({}, {"ignore_index": 1}),
    "kl_div": ({}, {"log_target": True}, {"log_target": False}),
    "hinge": ({}, {"margin": 0.5}), "squared_hinge": ({}, {"margin": 2}),
    "poisson_nll": ({}, {"full": True}, {"log_input": False},
                    {"log_input": False, "full": True, "eps": 0.0078125}),
    "gaussian_nll": ({}, {"full": True}, {"eps": 0.5}),
    "cosine_embedding": ({}, {"margin": 0.25}, {"margin": -0.5}),
}


def loss(source, name, B, N, parameters=None):
    """A loss of y [B,N] with random targets."""
    choices = LOSS_PARAMETERS.get(name, ({},))
    found = {"name": name, **(source.choice(choices) if parameters is None else parameters)}
    found.update(targets(source, name, B, N, found))
    if source.chance(0.6):
        found["reduction"] = source.choice(("mean", "sum", "none"))
    if source.chance(0.4):
        found["sample_weight"] = tensors.spelled(source.among((0.0, 0.5, 1.0, 1.25, 3.0), B))
    if name in ("cross_entropy", "nll") and source.chance(0.4):
        found["class_weight"] = tensors.spelled(source.uniform(N, low=0.25, high=2))
    if name == "bce_with_logits" and source.chance(0.5):
        found["pos_weight"] = tensors.spelled(source.uniform(N, low=0.25, high=4))
    return found


def targets(source, name, B, N, parameters):
    """The target, and what else the loss must have."""
    if name in ("cross_entropy", "nll"):
        if name == "cross_entropy" and "ignore_index" not in parameters and source.chance(0.4):
            masses = source.uniform(B, N, low=0.01)
            return {"target": tensors.spelled(source.rounded(
                masses / masses.sum(1, keepdim=True)))}
        ignored = parameters.get("ignore_index", -100)
        return {"target": source.classes(B, N, None if ignored >= N else ignored)}
    if name in ("binary_cross_entropy", "bce_with_logits"):
        return {"target": tensors.spelled(source.choice((source.among((0.0, 1.0), B, N),
                                                         source.uniform(B, N))))}
    if name == "kl_div":
        masses = source.uniform(B, N) * source.among((0.0, 1.0, 1.0), B, N)
        return {"target": tensors.spelled(source.normal(B, N) if parameters.get("log_target")
                                          else masses)}
    if name in ("hinge", "squared_hinge"):
        return {"target": tensors.spelled(source.among((-1.0, 1.0), B, N))}
    if name == "poisson_nll":
        return {"target": tensors.spelled(source.among((0.0, 1.0, 2.0, 3.0, 7.5), B, N))}
    if name == "gaussian_nll":
        columns = source.choice((1, N))
        return {"target": tensors.spelled(source.normal(B, N)),
                "variance": tensors.spelled(source.uniform(B, columns, low=0.05, high=3))}
    if name == "cosine_embedding":
        return {"target": tensors.spelled(source.among((-1.0, 1.0), B)),
                "other": tensors.spelled(source.normal(B, N))}
    return {"target": tensors.spelled(source.normal(B, N))}


def domain_of(name, parameters):
    """What y a loss takes: any number, a probability, or a positive number."""
    if name == "binary_cross_entropy":
        return "probability"
    if name == "poisson_nll" and parameters.get("log_input", True) is False:
        return "positive"
    return "any"

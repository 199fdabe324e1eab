"""The requests that are compared with PyTorch: losses, layers, activations. Whole networks and the
options are in generate_networks.py. Every request is a dictionary whose tensors are torch's; seeds
make it repeatable."""

import torch

from functions import Function, NAMES as ACTIVATIONS, kinks
from losses import BY_SAMPLE, NAMES as LOSSES
from numbers_of import Numbers
from units import UNITS

BATCHED = ("input", "pre_activation", "grad_output", "mask", "target", "variance", "other")


class Case:
    """A request, the route it takes, the categories it is counted in."""

    def __init__(self, name, tags, datatype, request, vectors=False):
        self.name = "%s %s" % (datatype, name)
        self.tags = ["%s %s" % (tag, datatype) for tag in tags]
        self.datatype, self.request, self.vectors = datatype, request, vectors
        self.is_network = "loss" in request or "grad_output" in request

    def sent(self):
        """The request as it is sent: without the axis of the batch where it is of vectors."""
        return self._vectors(self.request) if self.vectors else self.request

    def _vectors(self, value, key=None):
        if isinstance(value, dict):
            return {k: self._vectors(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self._vectors(v) for v in value]
        if torch.is_tensor(value) and key in BATCHED and value.dim() == 2:
            return value[0]
        return value


# ---- Losses ----

VARIANTS = {
    "smooth_l1": [{}, {"beta": 0.3}, {"beta": 0}, {"beta": 2}],
    "huber": [{}, {"delta": 0.3}, {"delta": 2.5}],
    "bce_with_logits": [{}, {"pos_weight": True}],
    "cross_entropy": [{}, {"class_weight": True}, {"label_smoothing": 0.1},
                      {"class_weight": True, "label_smoothing": 0.3}, {"label_smoothing": 1},
                      {"ignore_index": 0}, {"ignored": True, "class_weight": True},
                      {"full": True}, {"full": True, "class_weight": True, "label_smoothing": 0.2}],
    "nll": [{}, {"class_weight": True}, {"ignore_index": 1}, {"ignored": True}],
    "kl_div": [{}, {"log_target": True}, {"zeros": True}],
    "hinge": [{}, {"margin": 0.3}], "squared_hinge": [{}, {"margin": 0.3}],
    "poisson_nll": [{}, {"full": True}, {"log_input": False}, {"log_input": False, "full": True},
                    {"log_input": False, "eps": 0.5}],
    "gaussian_nll": [{}, {"full": True}, {"column": True}, {"eps": 0.25}, {"column": True,
                                                                          "full": True}],
    "cosine_embedding": [{}, {"margin": 0.3}, {"margin": -0.4}],
    "focal": [{}, {"alpha": 0.75, "gamma": 0}, {"gamma": 0.5}, {"alpha": 1, "gamma": 5}],
}
MARKS = ("full", "ignored", "zeros", "column", "class_weight", "pos_weight")


def y_for(numbers, loss, style, shape):
    """What the loss is applied to: in its domain."""
    name = loss["name"]
    if name == "binary_cross_entropy":
        edge = numbers.among((0, 1, 1e-12, 1e-30, 0.5, 1 - 1e-6), *shape)
        inner = numbers.uniform(0.001, 0.999, *shape)
        return inner if style == "gauss" else torch.where(numbers.mask(0.5, *shape) > 0, edge,
                                                          inner)
    if name == "poisson_nll":
        y = numbers.styled("gauss" if style in ("huge", "saturated", "ill_scaled") else style,
                           *shape)
        return y if loss.get("log_input", True) else numbers.unit.round(y.abs() + 0.125)
    return numbers.styled(style, *shape)


def target_for(numbers, name, variant, y):
    B, N = y.shape
    if name == "nll" or name == "cross_entropy" and not variant.get("full"):
        t = numbers.integers(0, N - 1, B)
        if variant.get("ignored"):
            t = torch.where(numbers.mask(0.4, B) > 0, torch.full_like(t, -100.0), t)
        return t
    if name == "cosine_embedding":
        return numbers.among((-1, 1), B)
    if name == "focal":
        return numbers.mask(0.5, B, N)
    if name in ("hinge", "squared_hinge"):
        return numbers.among((-1, 1), B, N)
    if name in ("binary_cross_entropy", "bce_with_logits", "cross_entropy"):
        return numbers.uniform(0, 1, B, N) if numbers.chance(0.5) else numbers.mask(0.5, B, N)
    if name == "kl_div":
        t = numbers.uniform(0, 1, B, N)
        if variant.get("zeros"):
            t = t * numbers.mask(0.5, B, N)
        return numbers.unit.round(torch.log(t + 0.01)) if variant.get("log_target") else t
    if name == "poisson_nll":
        return numbers.integers(0, 6, B, N)
    # On some elements exactly the kink: y itself, or 1 away.
    t = numbers.unit.round(y + numbers.normal(B, N) * 1.5)
    exact = y + numbers.integers(-1, 1, B, N)
    return torch.where(numbers.mask(0.3, B, N) > 0, numbers.unit.round(exact), t)


def loss_for(numbers, name, variant, style, shape):
    """A loss of the document and y for it."""
    B, N = shape
    loss = {"name": name, **{k: v for k, v in variant.items()
                             if k not in MARKS or name in ("poisson_nll", "gaussian_nll")
                             and k == "full"}}
    y = y_for(numbers, loss, style, shape)
    loss["target"] = target_for(numbers, name, variant, y)
    if name in ("hinge", "squared_hinge"):  # often exactly at the hinge
        y = torch.where(numbers.mask(0.2, B, N) > 0, loss["target"] * variant.get("margin", 1), y)
        y = numbers.unit.round(y)
    if variant.get("class_weight"):
        loss["class_weight"] = numbers.uniform(0.25, 3, N)
    if variant.get("pos_weight"):
        loss["pos_weight"] = numbers.uniform(0, 3, N)
    if name == "gaussian_nll":
        loss["variance"] = numbers.uniform(0, 2, B, 1 if variant.get("column") else N)
    if name == "cosine_embedding":
        loss["other"] = numbers.styled("gauss" if numbers.chance(0.9) else "zeros", B, N)
    return loss, y


def loss_cases(seed, rounds):
    """Every loss, variant and reduction, on y as it is: through one activation layer of identity,
    so that y is exact."""
    for datatype, unit in UNITS.items():
        for name in LOSSES:
            for v, variant in enumerate(VARIANTS.get(name, [{}])):
                for r in range(rounds):
                    numbers = Numbers("%s %s %d %d %d" % (datatype, name, v, r, seed), unit)
                    yield loss_case(numbers, name, variant, r)


def loss_case(numbers, name, variant, r):
    style = numbers.choice(("gauss", "gauss", "integers", "zeros", "saturated", "ill_scaled",
                            "subnormal"))
    vectors = numbers.chance(0.1) and name != "gaussian_nll"
    B, N = 1 if vectors else numbers.size(), numbers.size(2)
    loss, y = loss_for(numbers, name, variant, style, (B, N))
    reductions = ("mean", "sum", "none", "batchmean")[:4 if name == "kl_div" else 3]
    loss["reduction"] = reductions[r % len(reductions)]
    if numbers.chance(0.4):
        loss["sample_weight"] = numbers.uniform(0, 2, B) * numbers.mask(0.8, B)
    request = {"input": y, "layers": [{"type": "activation", "activation": "identity"}],
               "loss": loss, "non_finite": "allow", "outputs": ["predictions", "grad_input"]}
    text = "loss %s %s %s %s [%d,%d]" % (name, variant, loss["reduction"], style, B, N)
    return Case(text, ["losses", "loss " + name], numbers.unit.name, request, vectors)


# ---- Activations ----

PARAMETERS = {
    "leaky_relu": [{"negative_slope": 0.2}, {"negative_slope": -1.5}],
    "threshold": [{"threshold": 0.5, "value": 20}, {"threshold": -2, "value": -7}],
    "hard_tanh": [{"min_val": -0.25, "max_val": 3}], "softshrink": [{"lambda": 1.25}],
    "hardshrink": [{"lambda": 0}], "elu": [{"alpha": 0.3}], "celu": [{"alpha": 2.5}],
    "softplus": [{"beta": 2, "threshold": 3}, {"beta": 0.25}],
    "snake": [{"alpha": 0.3}, {"alpha": 11}],
}


def activation_for(numbers, name, N, parameters=None):
    """An activation as spelled in a layer."""
    if name == "prelu":
        kind = numbers.choice(("bare", "number", "one", "channels"))
        if kind == "bare":
            return "prelu"
        slope = {"number": -0.375, "one": numbers.uniform(-1, 1, 1),
                 "channels": numbers.uniform(-1, 1, N)}[kind]
        return {"name": "prelu", "slope": slope}
    if parameters is None and name in PARAMETERS and numbers.chance(0.5):
        parameters = numbers.choice(PARAMETERS[name])
    return {"name": name, **parameters} if parameters else name


def z_for(numbers, activation, style, shape):
    """Numbers of a style; "kinks": exactly those of the activation, both signs of 0, and others."""
    if style != "kinks":
        return numbers.styled(style, *shape)
    name = activation if isinstance(activation, str) else activation["name"]
    places = [0.0, -0.0]
    if name not in ("prelu", "leaky_relu"):
        places += [k[0] for k in kinks(name, Function(activation, numbers.unit).parameters)]
    return torch.where(numbers.mask(0.6, *shape) > 0, numbers.among(places, *shape),
                       numbers.styled("gauss", *shape))


def activation_cases(seed, rounds):
    """Every activation: in a layer of /v1/gradients with its states, and in a network of two."""
    for datatype, unit in UNITS.items():
        for name in ACTIVATIONS:
            for r in range(rounds):
                numbers = Numbers("%s %s %d %d" % (datatype, name, r, seed), unit)
                yield activation_case(numbers, name, r)
                yield inside_case(numbers, name)


def activation_case(numbers, name, r):
    style = ("kinks", "gauss", "saturated", "zeros", "subnormal", "huge")[r % 6]
    B, K, N = numbers.size(), numbers.size(), numbers.size()
    activation = activation_for(numbers, name, N)
    layer = {"activation": activation, "input": numbers.styled("gauss", B, K),
             "pre_activation": z_for(numbers, activation, style, (B, N)),
             "grad_output": numbers.styled(numbers.choice(("gauss", "integers")), B, N)}
    if numbers.chance(0.5):
        layer["weight"] = numbers.styled("gauss", N, K)
    request = {"layers": [layer], "non_finite": "allow", "statistics": numbers.chance(0.3)}
    return Case("activation %s %s [%d,%d,%d]" % (activation, style, B, K, N),
                ["activations", "activation " + name], numbers.unit.name, request)


def inside_case(numbers, name):
    B, K, N, M = numbers.size(), numbers.size(), numbers.size(), numbers.size()
    style = numbers.choice(("gauss", "integers"))
    request = {
        "input": numbers.styled(style, B, K), "non_finite": "allow",
        "layers": [{"activation": activation_for(numbers, name, N),
                    "weight": numbers.styled(style, N, K), "bias": numbers.styled(style, N)},
                   {"activation": "tanh", "weight": numbers.styled("gauss", M, N)}],
        "loss": {"name": "mse", "target": numbers.styled("gauss", B, M)},
        "outputs": ["predictions", "weight_delta", "bias_delta", "slope_delta", "grad_input"]}
    return Case("inside %s %s [%d,%d,%d,%d]" % (name, style, B, K, N, M),
                ["activations", "activation " + name], numbers.unit.name, request)


def loss_names_for(N):
    return [name for name in LOSSES if N > 1 or name not in BY_SAMPLE]

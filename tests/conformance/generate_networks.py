"""The requests of layers and networks that are compared with PyTorch: every kind of layer, dropout,
residuals, states that are brought along, and every option. Losses and activations by themselves
are in generate.py."""

from functions import NAMES as ACTIVATIONS
from generate import Case, VARIANTS, activation_for, loss_for, loss_names_for, z_for
from numbers_of import Numbers
from units import UNITS

KINDS = ("dense", "activation", "layer_norm", "batch_norm", "batch_norm inference", "rms_norm",
         "group_norm")
TAME = [n for n in ACTIVATIONS if n != "exp"]


def options_for(numbers, request):
    """Adds options at random; returns the categories that they count in."""
    tags = []
    layers, is_network = request["layers"], "input" in request
    how = numbers.choice(("sum", "mean", "none"))
    tags.append("option reduction " + how)
    request["reduction"] = how
    if numbers.chance(0.5):
        tags.append("option scale")
        request["scale"] = numbers.choice((-0.01, 0, 3, -1, 1e-3))
    clip = {}
    if numbers.chance(0.4):
        clip["value"] = numbers.choice((0.01, 0.25, 1.0, 100.0))
    if how != "none" and numbers.chance(0.4):
        clip["layer_norm"] = numbers.choice((0.01, 0.5, 2.0, 1e4))
    if how != "none" and numbers.chance(0.4):
        clip["global_norm"] = numbers.choice((0.01, 0.5, 2.0, 1e4))
    if clip:
        request["clip"] = clip
        tags += ["option clip " + name for name in clip]
    has_weights = all("weight" in s for s in layers if s.get("type", "dense") == "dense")
    if how != "none" and has_weights and numbers.chance(0.5):
        tags.append("option weight_decay")
        request["weight_decay"] = {k: numbers.choice((0.01, 0.5)) for k in ("l1", "l2")
                                   if numbers.chance(0.7)}
    if numbers.chance(0.4):
        names = ["weight_delta", "bias_delta", "grad_input", "slope_delta", "gain_delta",
                 "shift_delta"] + ["predictions"] * is_network
        picked = [n for n in names if numbers.chance(0.6)]
        if has_weights and picked:
            request["outputs"] = picked
            tags.append("option outputs")
    if numbers.chance(0.3):
        request["statistics"] = True
        tags.append("option statistics")
    return tags


def parameters_for(numbers, kind, style, K, N):
    """The parameters of a layer; those that may be left out sometimes are."""
    if kind == "activation":
        return {"type": "activation"}
    if kind == "dense":
        layer = {"weight": numbers.styled(style, N, K)}
        if numbers.chance(0.8):
            layer["bias"] = numbers.styled(style, N)
        return layer
    layer = {"type": kind.split()[0]}
    for name in ("gain",) if kind == "rms_norm" else ("gain", "shift"):
        if numbers.chance(0.8):
            layer[name] = numbers.styled("gauss", N)
    if numbers.chance(0.5):
        layer["epsilon"] = numbers.choice((1e-3, 0.1, 1e-12))
    if kind == "group_norm":
        layer["groups"] = numbers.choice([g for g in range(1, N + 1) if N % g == 0])
    if kind.endswith("inference"):
        layer["running_mean"] = numbers.styled("gauss", N)
        layer["running_variance"] = numbers.uniform(0, 2, N)
    return layer


def input_for(numbers, kind, style, shape):
    """x: for norms sometimes far from 0 and narrow, or all the same."""
    if "norm" in kind and numbers.chance(0.4):
        offset = numbers.choice((10.0, 1000.0, -1e5))
        width = numbers.choice((0.0, 1e-3, 1.0))
        return numbers.unit.round(offset + width * numbers.normal(*shape))
    return numbers.styled(style, *shape)


def dropout_for(numbers, B, N):
    return {"mask": numbers.mask(0.7, B, N), "rate": numbers.choice((0, 0.5, 0.3, 0.9))}


# ---- /v1/gradients ----

def layer_cases(seed, rounds):
    """Every kind of layer in /v1/gradients, several a request, with options."""
    for datatype, unit in UNITS.items():
        for kind in KINDS:
            for r in range(rounds):
                yield layer_case(Numbers("%s %s %d %d" % (datatype, kind, r, seed), unit), kind)


def layer_case(numbers, kind):
    vectors = numbers.chance(0.1)
    B = 1 if vectors else numbers.size()
    request = {"non_finite": "allow", "layers": [
        one_layer(numbers, kind if i == 0 else numbers.choice(KINDS), B)
        for i in range(numbers.choice((1, 1, 2, 3)))]}
    tags = options_for(numbers, request)
    return Case("layer %s" % described(request), ["layers", "layer " + kind, *tags],
                numbers.unit.name, request, vectors)


def one_layer(numbers, kind, B):
    style = numbers.choice(("gauss", "gauss", "integers", "zeros", "ill_scaled", "subnormal",
                            "huge", "saturated"))
    K = numbers.size()
    N = numbers.size() if kind == "dense" else K
    layer = parameters_for(numbers, kind, "gauss", K, N)
    name = numbers.choice(ACTIVATIONS if kind in ("dense", "activation") else TAME)
    layer["activation"] = activation_for(numbers, name, N)
    layer["input"] = input_for(numbers, kind, style, (B, K))
    layer["grad_output"] = numbers.styled(numbers.choice(("gauss", "integers", "zeros")), B, N)
    if numbers.chance(0.4):
        layer["pre_activation"] = z_for(numbers, layer["activation"],
                                        numbers.choice(("kinks", "gauss", "saturated")), (B, N))
        if kind == "dense" and numbers.chance(0.3):
            del layer["weight"]
            layer.pop("bias", None)
    if numbers.chance(0.3):
        layer["dropout"] = dropout_for(numbers, B, N)
    return layer


# ---- /v1/backprop ----

def network_cases(seed, rounds):
    """Chains of all kinds with losses, residuals, dropout, states and options."""
    for datatype, unit in UNITS.items():
        for r in range(rounds):
            yield network_case(Numbers("%s network %d %d" % (datatype, r, seed), unit))


def network_case(numbers):
    vectors = numbers.chance(0.1)
    style = numbers.choice(("gauss", "gauss", "gauss", "integers", "zeros", "ill_scaled",
                            "saturated", "subnormal"))
    B, K = 1 if vectors else numbers.size(), numbers.size()
    request = {"input": input_for(numbers, "", style, (B, K)), "layers": [], "non_finite": "allow"}
    widths, tags = [K], set()
    for i in range(numbers.choice((1, 2, 2, 3, 4, 6))):
        kind = numbers.choice(("dense", "dense", *KINDS))
        N = numbers.size(2) if kind == "dense" else widths[-1]
        layer = parameters_for(numbers, kind, "integers" if style == "integers" else "gauss",
                               widths[-1], N)
        layer["activation"] = activation_for(numbers, numbers.choice(TAME), N)
        layer["name"] = "l%d" % i
        tags |= connections(numbers, layer, B, N, widths)
        tags.add("layer " + kind)
        request["layers"].append(layer)
        widths.append(N)
    tags |= states(numbers, request["layers"], B, widths)
    tags |= set(start(numbers, request, B, widths[-1]))
    tags |= set(options_for(numbers, request))
    return Case("network %s %s" % (style, described(request)), ["networks", *sorted(tags)],
                numbers.unit.name, request, vectors)


def connections(numbers, layer, B, N, widths):
    tags = set()
    if numbers.chance(0.3):
        layer["dropout"] = dropout_for(numbers, B, N)
        tags.add("layer with dropout")
    sources = [i for i, w in enumerate(widths) if w == N]
    if sources and numbers.chance(0.5):
        source = numbers.choice(sources)
        layer["residual"] = "input" if source == 0 else "l%d" % (source - 1)
        tags.add("layer with residual")
    return tags


def states(numbers, layers, B, widths):
    """Now and then a layer brings its own input or pre_activation."""
    tags = set()
    for i, layer in enumerate(layers):
        if i > 0 and numbers.chance(0.08):
            layer["input"] = numbers.styled("gauss", B, widths[i])
            tags.add("layer with states")
        if numbers.chance(0.08):
            layer["pre_activation"] = z_for(numbers, layer["activation"], "kinks",
                                            (B, widths[i + 1]))
            tags.add("layer with states")
    return tags


def start(numbers, request, B, N):
    """A loss, or grad_output; the last layer's activation is sometimes the one that is fused."""
    if numbers.chance(0.2):
        request["grad_output"] = numbers.styled("gauss", B, N)
        return ["networks from grad_output"]
    name = numbers.choice(loss_names_for(N))
    if name == "poisson_nll":
        variant = {"log_input": True}
    else:
        variant = numbers.choice(VARIANTS.get(name, [{}]))
    loss, _ = loss_for(numbers, name, variant, "gauss", (B, N))
    last = request["layers"][-1]
    fusing = {"binary_cross_entropy": "sigmoid", "nll": "log_softmax"}.get(name)
    if fusing == "sigmoid" or fusing and numbers.chance(0.7):
        last["activation"] = fusing
    if name == "binary_cross_entropy":
        last.pop("residual", None)  # which could leave [0, 1]
        if "dropout" in last:
            last["dropout"]["rate"] = 0
    loss["reduction"] = numbers.choice(("mean", "sum", "none"))
    if numbers.chance(0.3):
        loss["sample_weight"] = numbers.uniform(0, 2, B)
    request["loss"] = loss
    fused = fusing and last["activation"] == fusing and not {"dropout", "residual"} & set(last)
    return ["loss " + name, "networks with a fused loss" if fused else "networks with a loss"]


def described(request):
    parts = []
    for layer in request["layers"]:
        x = layer.get("weight", layer.get("pre_activation", layer.get("input")))
        parts.append("%s/%s%s%s" % (layer.get("type", "dense"), layer.get("activation"),
                                  "" if x is None else list(x.shape), "".join(
                                        "+" + k for k in ("dropout", "residual", "input",
                                                          "pre_activation") if k in layer)))
    options = {k: request[k] for k in ("reduction", "scale", "clip", "weight_decay", "outputs")
               if k in request}
    loss = request.get("loss", {})
    return "%s %s %s" % ("; ".join(parts), options, {k: v for k, v in loss.items()
                                                     if not hasattr(v, "shape")})

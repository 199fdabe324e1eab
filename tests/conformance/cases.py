"""Which requests are compared: the categories of the conformance test, each a generator of (path,
request) for a source of random numbers. What a document looks like is generate.py's business."""

import copy

import activations
import generate
import losses
import tensors
from generate import MODES


def activation_layer(source, spelled, mode, B, N, K=None):
    """A layer of /v1/gradients whose z is of that mode: dense with K inputs, or "activation"."""
    z = source.numbers(mode, B, N, generate.kinks_of(spelled))
    name = spelled if isinstance(spelled, str) else spelled["name"]
    if name in generate.GROWING and mode in ("saturated", "huge"):
        z = -z.abs()
    layer = {"activation": spelled, "grad_output": tensors.spelled(source.normal(B, N))}
    if K is None:
        return {**layer, "type": "activation", "input": tensors.spelled(z)}
    layer.update(input=tensors.spelled(source.normal(B, K)), pre_activation=tensors.spelled(z))
    if source.chance(0.7):
        layer["weight"] = tensors.spelled(source.normal(N, K))
    return layer


def spellings():
    """Every activation, with its defaults and with other parameters."""
    for name in activations.NAMES:
        yield name
    for name, parameters in activations.OTHER_PARAMETERS:
        yield {"name": name, **parameters}


def activation_cases(source):
    """Every activation in every mode, dense and alone."""
    for spelled in spellings():
        layers = []
        for mode in MODES:
            B, N = source.size(), source.size()
            layers.append(activation_layer(source, spelled, mode, B, N,
                                           source.choice((None, source.size()))))
        yield "/v1/gradients", {"layers": layers, "non_finite": "allow"}


def loss_cases(source):
    """Every loss with each of its parameters, in every mode, straight on the input."""
    for name in losses.NAMES:
        for parameters in generate.LOSS_PARAMETERS.get(name, ({},)):
            for mode in MODES:
                B, N = source.size(), source.size()
                document = generate.loss(source, name, B, N, parameters)
                y = predictions(source, mode, name, document, B, N)
                yield "/v1/backprop", {
                    "input": tensors.spelled(y), "loss": document, "outputs": ["grad_input"],
                    "layers": [{"type": "activation", "activation": "identity"}]}


def predictions(source, mode, name, document, B, N):
    """y of a mode, in the domain of the loss."""
    domain = generate.domain_of(name, document)
    if domain == "probability":
        edges = source.among((0.0, 1.0, 0.5, 2.0 ** -24), B, N)
        return edges if mode in ("kinks", "zeros") else source.uniform(B, N)
    y = source.numbers(mode, B, N, (0.0, 1.0, document.get("beta", 1), document.get("delta", 1)))
    if mode == "kinks" and name in ("l1", "smooth_l1", "huber", "mse", "log_cosh"):
        y = source.rounded(y + tensors.tensor_of(document["target"]))
    if name == "poisson_nll" and mode in ("huge", "saturated", "ill_scaled"):
        y = source.normal(B, N, scale=3)
    return y.abs() if domain == "positive" else y


def fused_cases(source):
    """sigmoid with binary_cross_entropy, log_softmax with nll: in every mode."""
    for f, name in losses.FUSED:
        for mode in MODES:
            B, N = source.size(), source.size()
            yield "/v1/backprop", {
                "input": tensors.spelled(source.numbers(mode, B, N)),
                "loss": generate.loss(source, name, B, N), "outputs": ["grad_input"],
                "layers": [{"type": "activation", "activation": f}]}


def kind_cases(source):
    """Every kind of layer alone, in every mode."""
    for kind in ("layer_norm", "batch_norm", "batch_norm", "dense", "activation"):
        for mode in MODES:
            B, K = source.size() + (kind == "batch_norm"), source.size()
            N = source.size() if kind == "dense" else K
            layer = {"type": kind, "activation": generate.activation(source, N)}
            if kind == "dense":
                layer.update(generate.dense_parameters(source, K, N))
            elif kind != "activation":
                layer.update(generate.norm_parameters(source, kind, N))
            if source.chance(0.4):
                layer["dropout"] = generate.dropout(source, B, N)
            layer.update(input=tensors.spelled(tame(source, mode, B, K)),
                         grad_output=tensors.spelled(source.normal(B, N)))
            yield "/v1/gradients", {"layers": [layer], "non_finite": "allow",
                                    "reduction": source.choice(("sum", "mean", "none"))}


def tame(source, mode, B, N):
    """Numbers that a forward pass through any activation can bear in float32."""
    if mode in ("huge", "saturated", "ill_scaled"):
        return source.rounded(source.numbers("ill_scaled", B, N).clamp(-30, 30))
    return source.numbers(mode, B, N)


# ---- Networks ----------------------------------------------------------------------------------

BOUNDED = [n for n in activations.NAMES if n not in ("exp", "log_softmax")]


def hidden_layer(source, B, K, names):
    kind = source.choice(("dense", "dense", "dense", "activation", "layer_norm", "batch_norm"))
    if kind == "batch_norm" and B == 1:
        kind = "layer_norm"
    N = source.size() if kind == "dense" else K
    layer = {"activation": generate.activation(source, N, BOUNDED)}
    if kind == "dense":
        layer.update(generate.dense_parameters(source, K, N))
    elif kind == "activation":
        layer["type"] = kind
    else:
        layer.update(generate.norm_parameters(source, kind, N))
    if source.chance(0.2):
        layer["dropout"] = generate.dropout(source, B, N)
    if source.chance(0.8) or names:
        layer["name"] = "layer %d" % len(names)
    sources = [name for name, width in names if width == N]
    if sources and source.chance(0.4):
        layer["residual"] = source.choice(sources)
    return layer, N


def chain(source, B, depth, mode="plain"):
    """A network without its end: (request, width of its output)."""
    K = source.size()
    request = {"input": tensors.spelled(tame(source, mode, B, K)), "layers": []}
    names = [("input", K)]
    for _ in range(depth):
        layer, K = hidden_layer(source, B, K, names)
        request["layers"].append(layer)
        names.append((layer["name"], K))
    return request, K


def end(source, request, B, N):
    """A loss or a grad_output; a layer before it where the loss needs its y in some domain."""
    if source.chance(0.25):
        request["grad_output"] = tensors.spelled(source.normal(B, N))
        return
    name = source.choice(losses.NAMES)
    request["loss"] = generate.loss(source, name, B, N)
    last = {"probability": "sigmoid", "positive": "softplus"}.get(
        generate.domain_of(name, request["loss"]))
    last = {"nll": "log_softmax", "kl_div": "log_softmax"}.get(name, last)
    if last is not None:
        request["layers"].append({"type": "activation", "activation": last})


def network(source, mode="plain"):
    B = source.size()
    request, N = chain(source, B, source.choice((1, 2, 3, 4)), mode)
    end(source, request, B, N)
    request["outputs"] = [*ALL_OUTPUTS, "predictions"]
    return request


ALL_OUTPUTS = ("weight_delta", "bias_delta", "slope_delta", "gain_delta", "shift_delta",
               "grad_input")


def network_cases(source):
    for mode in MODES:
        for _ in range(3):
            yield "/v1/backprop", network(source, mode)


def option_cases(source):
    """Reduction, scale, clipping, weight decay and statistics, together and apart."""
    for reduction in ("sum", "mean", "none"):
        for _ in range(4):
            request = network(source)
            request["reduction"] = reduction
            if source.chance(0.5):
                request["scale"] = source.choice((-0.0625, 3, 0.1, 0))
            clip = {"value": source.choice((0.01, 0.25, 2))} if source.chance(0.6) else {}
            if reduction != "none":
                if source.chance(0.6):
                    clip["layer_norm"] = source.choice((0.01, 1, 100))
                if source.chance(0.6):
                    clip["global_norm"] = source.choice((0.01, 1, 100))
                if source.chance(0.6):
                    request["weight_decay"] = {"l1": source.choice((0, 0.125)), "l2": 0.01}
            if clip:
                request["clip"] = clip
            request["statistics"] = source.chance(0.7)
            yield "/v1/backprop", request


def with_states(request, graph, source, share):
    """The request with the states of its forward pass in its layers; share: how many of them."""
    found = copy.deepcopy(request)
    for layer, document in zip(graph.layers, found["layers"]):
        for name, state in (("input", layer.x), ("pre_activation", layer.z)):
            if source.chance(share):
                document[name] = tensors.spelled(source.rounded(state.detach()))
    return found


def state_cases(source):
    """Networks whose layers carry all or some of their states."""
    import reference
    for share in (1, 1, 0.5, 0.5, 0.25):
        request = network(source)
        graph = reference.Reference(request, source.datatype)
        found = with_states(request, graph, source, share)
        if "input" in found["layers"][0]:
            del found["input"]
        yield "/v1/backprop", found


CATEGORIES = {"activations": activation_cases, "losses": loss_cases, "fused": fused_cases,
              "kinds": kind_cases, "networks": network_cases, "options": option_cases,
              "states": state_cases}

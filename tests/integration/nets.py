"""Random networks as documents of /v1/backprop: every kind of layer, every activation, every loss
in a form that suits it. Says nothing of right answers; what is asked of the daemon with them is
in the tests."""

import array
import copy
import json
import random

import support

BACKPROP, CHECK, GRADIENTS = "/v1/backprop", "/v1/check", "/v1/gradients"
DATATYPES = ("FP32", "FP64")
UNIT = {"FP32": 2.0 ** -24, "FP64": 2.0 ** -53}  # the unit roundoff
DELTAS = ("weight_delta", "bias_delta", "slope_delta", "gain_delta", "shift_delta")

ACTIVATIONS = (
    "identity", "relu", "relu6", {"name": "leaky_relu", "negative_slope": 0.1}, "prelu",
    {"name": "prelu", "slope": [0.125]}, {"name": "threshold", "threshold": 0.25, "value": -0.5},
    {"name": "hard_tanh", "min_val": -0.75, "max_val": 1.5}, "hard_sigmoid", "hardswish",
    {"name": "softshrink", "lambda": 0.25}, "hardshrink", "squared_relu",
    "exp", {"name": "elu", "alpha": 0.75},
    {"name": "celu", "alpha": 1.5}, "selu", "sigmoid", "log_sigmoid",
    {"name": "softplus", "beta": 2, "threshold": 3}, "silu", "mish", "tanh", "tanhshrink",
    "softsign", {"name": "snake", "alpha": 1.5}, "gelu", "gelu_tanh", "quick_gelu",
    "softmax", "log_softmax", "softmin")
SMOOTH = ("exp", "sigmoid", "log_sigmoid", "silu", "mish", "tanh", "tanhshrink", "snake", "gelu",
          "gelu_tanh", "quick_gelu", "softmax", "log_softmax", "softmin", "identity")
KINDS = ("dense", "activation", "layer_norm", "batch_norm", "batch_norm running", "rms_norm")

# name: what the last layer's activation must be, and the loss's options. None: any.
LOSSES = {
    "mse": (None, {}), "l1": (None, {}), "smooth_l1": (None, {"beta": 0.5}),
    "huber": (None, {"delta": 0.75}), "log_cosh": (None, {}),
    "binary_cross_entropy": ("sigmoid", {}), "bce_with_logits": ("identity", {}),
    "cross_entropy": ("identity", {"label_smoothing": 0.125}), "nll": ("log_softmax", {}),
    "kl_div": ("log_softmax", {}), "hinge": ("identity", {"margin": 0.5}),
    "squared_hinge": ("identity", {"margin": 1.5}), "poisson_nll": ("tanh", {"full": True}),
    "gaussian_nll": (None, {"full": True}), "cosine_embedding": (None, {"margin": 0.25}),
    "focal": ("identity", {"alpha": 0.75, "gamma": 1.5})}
FUSED = ("binary_cross_entropy", "nll")  # one function with the activation before them


def reals(generator, *shape, scale=1.0):
    """A nested list of that shape, of numbers of four digits within the scale."""
    if not shape:
        return round(generator.uniform(-scale, scale), 4)
    return [reals(generator, *shape[1:], scale=scale) for _ in range(shape[0])]


def positives(generator, *shape):
    """The same, between a half and one and a half."""
    if not shape:
        return round(generator.uniform(0.5, 1.5), 4)
    return [positives(generator, *shape[1:]) for _ in range(shape[0])]


def simplex(generator, B, N):
    """Rows of probabilities."""
    rows = positives(generator, B, N)
    return [[round(v / sum(row), 4) for v in row] for row in rows]


def make_target(generator, name, B, N):
    """What that loss takes for a target."""
    if name in ("cross_entropy", "nll"):
        return [generator.randrange(N) for _ in range(B)]
    if name in ("hinge", "squared_hinge"):
        return [[generator.choice((-1, 1)) for _ in range(N)] for _ in range(B)]
    if name == "focal":
        return [[generator.randrange(2) for _ in range(N)] for _ in range(B)]
    if name == "cosine_embedding":
        return [generator.choice((-1, 1)) for _ in range(B)]
    if name == "poisson_nll":
        return [[generator.randrange(5) for _ in range(N)] for _ in range(B)]
    if name in ("kl_div", "binary_cross_entropy", "bce_with_logits"):
        return simplex(generator, B, N)
    return reals(generator, B, N, scale=2)


def make_loss(generator, name, B, N, reduction="mean"):
    """A loss with all the tensors that it can have."""
    loss = {"name": name, "target": make_target(generator, name, B, N), "reduction": reduction,
            "sample_weight": positives(generator, B), **LOSSES[name][1]}
    if name in ("cross_entropy", "nll"):
        loss["class_weight"] = positives(generator, N)
    if name == "bce_with_logits":
        loss["pos_weight"] = positives(generator, N)
    if name == "gaussian_nll":
        loss["variance"] = positives(generator, B, N)
    if name == "cosine_embedding":
        loss["other"] = reals(generator, B, N)
    return loss


def make_norm(generator, kind, N):
    layer = {"type": kind.split()[0], "gain": positives(generator, N),
             "shift": reals(generator, N), "epsilon": 0.01}
    if kind == "rms_norm":
        del layer["shift"]
    if kind == "group_norm":
        layer["groups"] = generator.choice([g for g in range(1, N + 1) if N % g == 0])
    if kind.endswith("running"):
        layer["running_mean"] = reals(generator, N)
        layer["running_variance"] = positives(generator, N)
    return layer


def make_layer(generator, kind, B, K, N, activation):
    """A layer without states; K = N but for the dense one."""
    layer = {"type": kind}
    if kind == "dense":
        layer["weight"] = reals(generator, N, K, scale=(3 / K) ** 0.5)
        layer["bias"] = reals(generator, N)
    elif kind != "activation":
        layer = make_norm(generator, kind, N)
    layer["activation"] = copy.deepcopy(activation)
    if activation == "prelu":
        layer["activation"] = {"name": "prelu", "slope": positives(generator, N)}
    if generator.random() < 0.3:
        layer["dropout"] = {"rate": 0.25, "mask": [[int(generator.random() < 0.75)
                                                    for _ in range(N)] for _ in range(B)]}
    return layer


def add_residuals(generator, layers, widths):
    """To some layers the output of an earlier one of the same width (widths[i] goes into i)."""
    for i, layer in enumerate(layers):
        layer["name"] = "layer%d" % i
        earlier = [j for j in range(i + 1) if widths[j] == widths[i + 1]]
        if earlier and generator.random() < 0.5:
            j = generator.choice(earlier)
            layer["residual"] = "layer%d" % (j - 1) if j > 0 else "input"


def make_network(seed, loss="mse", kinds=KINDS, activations=ACTIVATIONS, residuals=True,
                 reduction="mean"):
    """A network that has a layer of each of those kinds, in some order, and a dense one last."""
    generator = random.Random(seed)
    B, width = generator.randint(3, 6), generator.randint(3, 6)
    order = generator.sample(kinds, len(kinds))
    chosen = generator.sample(activations, len(kinds) + 1)
    layers, widths = [], [width]
    for kind, activation in zip(order, chosen):
        N = generator.choice((width, width, 7)) if kind == "dense" else widths[-1]
        layers.append(make_layer(generator, kind, B, widths[-1], N, activation))
        widths.append(N)
    N = generator.randint(2, 6)
    layers.append(make_layer(generator, "dense", B, widths[-1], N, LOSSES[loss][0] or chosen[-1]))
    widths.append(N)
    layers[-1].pop("dropout", None)  # not between a loss and the activation that it stands on
    if residuals:
        add_residuals(generator, layers[:-1], widths)
    return {"layers": layers, "input": reals(generator, B, width),
            "loss": make_loss(generator, loss, B, N, reduction)}


def widths_of(network):
    """What goes into each layer, and what comes out of the last."""
    found = [len(network["input"][0])]
    for layer in network["layers"]:
        found.append(len(layer.get("weight", ())) or found[-1])
    return found


def cut(network, count):
    """The first so many layers of it, asked for their predictions and nothing else."""
    zeros = [[0] * widths_of(network)[count] for _ in network["input"]]
    return {"layers": copy.deepcopy(network["layers"][:count]), "input": network["input"],
            "grad_output": zeros, "outputs": ["predictions"]}


def flat(tensor):
    """The numbers of a nested list, in order."""
    if not isinstance(tensor, list):
        return [tensor]
    return [v for part in tensor for v in flat(part)]


def tensors(answer):
    """Every tensor of an answer by (layer, name); layer is None for those of the whole."""
    found = {(None, name): answer[name] for name in ("loss", "grad_input", "predictions")
             if name in answer}
    for i, layer in enumerate(answer["layers"]):
        found.update({(i, name): layer[name] for name in (*DELTAS, "grad_input") if name in layer})
    return found


def nudged(value, generator, relative):
    """The numbers of a nested list, each up or down by that much of itself."""
    if isinstance(value, list):
        return [nudged(v, generator, relative) for v in value]
    return value * (1 + generator.choice((-relative, relative)))


def nudge(network, generator, relative):
    """A network whose every real parameter and state is off by that much of itself."""
    found = copy.deepcopy(network)
    found["input"] = nudged(found["input"], generator, relative)
    if "sample_weight" in found.get("loss", ()):
        found["loss"]["sample_weight"] = nudged(found["loss"]["sample_weight"], generator, relative)
    for layer in found["layers"]:
        for name in ("weight", "bias", "gain", "shift", "running_mean", "running_variance"):
            if name in layer:
                layer[name] = nudged(layer[name], generator, relative)
    return found


def narrowed(value):
    """An answer whose every tensor has the float32 that the decimals stand for. Numbers that are in
    no tensor (loss, statistics) are doubles."""
    if isinstance(value, dict):
        return {name: narrowed(member) for name, member in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], float):
        return array.array("f", value).tolist()
    return [narrowed(part) for part in value] if isinstance(value, list) else value


def ask(daemon, document, path=BACKPROP, datatype="FP64"):
    """The answer to a document that is right."""
    response = daemon.post(document, path="%s?datatype=%s" % (path, datatype))
    if response.status != 200:
        raise AssertionError("%s\n%s" % (response.body, support.body_of(document)))
    answer = json.loads(response.body, parse_int=float)  # keeps the sign of -0
    return answer if datatype == "FP64" else narrowed(answer)


def moves(daemon, network, relative=2.0 ** -30, draws=3):
    """By how many times the size of a rounding error each tensor of the answer may be off, for all
    its elements. Rounding errors are moves of the parameters (a computed dot product is exact for
    weights moved by K unit roundoffs), so: how far the tensor moves when all parameters move by
    `relative` of themselves, in units of that. And errors of its own sum: the samples' absolute
    values."""
    one_by_one = tensors(ask(daemon, {**network, "reduction": "none"}))
    base = tensors(ask(daemon, network))
    found = {name: sum_of_sizes(one_by_one[name], tensor) for name, tensor in base.items()}
    for draw in range(draws):
        other = tensors(ask(daemon, nudge(network, random.Random(draw), relative)))
        for name, tensor in base.items():
            far = max(abs(a - b) for a, b in zip(flat(tensor), flat(other[name])))
            found[name] = max(found[name], far / relative)
    return found


def sum_of_sizes(samples, total):
    """The largest sum, over the samples, of an element's absolute values."""
    width = len(flat(total))
    numbers = list(map(abs, flat(samples)))
    return max(sum(numbers[i::width]) for i in range(width))

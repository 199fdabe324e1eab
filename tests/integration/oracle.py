"""What the right answer is, by an independent reading of the formulae in plain Python doubles, and
how far a float32 answer may be from it. Knows requests as dictionaries; knows no HTTP and shares
no code with the library."""

import math
import struct

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# float32 has a unit roundoff of 6e-8; sums of products and a few roundings of δ leave room.
RELATIVE_TOLERANCE = 4e-6


def float32(value):
    """The nearest float32, as a double."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def bits(value):
    """The bit pattern of a number of an answer, as float32."""
    return struct.unpack("<I", struct.pack("<f", NON_FINITE.get(value, value)))[0]


def sigmoid(z):
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    return math.exp(z) / (1 + math.exp(z))


def silu_slope(z):
    s = sigmoid(z)
    return s * (1 + z * (1 - s))


def gelu_slope(z):
    return 0.5 * math.erfc(-z / math.sqrt(2)) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu_tanh_slope(z):
    c = math.sqrt(2 / math.pi)
    t = math.tanh(c * (z + 0.044715 * z ** 3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)


def softplus_slope(z, beta=1.0, threshold=20.0):
    return 1.0 if z * beta > threshold else sigmoid(beta * z)


SLOPES = {
    "identity": lambda z: 1.0,
    "relu": lambda z: 1.0 if z > 0 else 0.0,
    "leaky_relu": lambda z, negative_slope=0.01: 1.0 if z > 0 else float32(negative_slope),
    "elu": lambda z, alpha=1.0: 1.0 if z > 0 else float32(alpha) * math.exp(z),
    "sigmoid": lambda z: sigmoid(z) * sigmoid(-z),
    "tanh": lambda z: 1 - math.tanh(z) ** 2 if abs(z) < 1 else 4 * sigmoid(2 * z) * sigmoid(-2 * z),
    "softplus": softplus_slope,
    "silu": silu_slope,
    "gelu": gelu_slope,
    "gelu_tanh": gelu_tanh_slope,
}
ACTIVATIONS = sorted(SLOPES) + ["softmax"]


def softmax_delta(z, g):
    top = max(z)
    e = [math.exp(v - top) for v in z]
    total = math.fsum(e)
    y = [v / total for v in e]
    inner = math.fsum(a * b for a, b in zip(y, g))
    return [a * (b - inner) for a, b in zip(y, g)]


def delta_of(activation, z, g):
    """δ of every sample: rows of z and ∂L/∂y."""
    name, parameters = activation, {}
    if isinstance(activation, dict):
        parameters = {k: v for k, v in activation.items() if k != "name"}
        name = activation["name"]
    if name == "softmax":
        return [softmax_delta(zr, gr) for zr, gr in zip(z, g)]
    slope = SLOPES[name]
    return [[gv * slope(zv, **parameters) for zv, gv in zip(zr, gr)] for zr, gr in zip(z, g)]


def matrix(tensor):
    """A tensor of a request, in any spelling, as rows of doubles that are float32 values."""
    if isinstance(tensor, dict):
        flat = list(flatten(tensor["data"]))
        width = tensor["shape"][-1]
        tensor = [flat[i:i + width] for i in range(0, len(flat), width)]
    if not isinstance(tensor[0], list):
        tensor = [tensor]
    return [[float32(NON_FINITE.get(v, v)) for v in row] for row in tensor]


def flatten(nested):
    if not isinstance(nested, list):
        yield nested
        return
    for item in nested:
        yield from flatten(item)


def layer_gradients(request, layer):
    """{output: (values, magnitudes)} as flat lists; a magnitude is the sum of |terms|, by which an
    error of rounding is measured."""
    x, z, g = (matrix(layer[k]) for k in ("input", "pre_activation", "grad_output"))
    delta = delta_of(layer["activation"], z, g)
    B, K, N = len(x), len(x[0]), len(z[0])
    factor = request.get("scale", 1) / (B if request.get("reduction") == "mean" else 1)
    result = {"weight_delta": ([], []), "bias_delta": ([], [])}

    def add(name, terms, by):
        result[name][0].append(math.fsum(terms) * by)
        result[name][1].append(math.fsum(map(abs, terms)) * abs(by))

    for n in range(N):
        add("bias_delta", [delta[b][n] for b in range(B)], factor)
        for k in range(K):
            add("weight_delta", [delta[b][n] * x[b][k] for b in range(B)], factor)
    if "weight" in layer:
        W = matrix(layer["weight"])
        result["grad_input"] = ([], [])
        for b in range(B):
            for k in range(K):
                add("grad_input", [delta[b][n] * W[n][k] for n in range(N)], 1)
    wanted = request.get("outputs") or list(result)
    return {name: result[name] for name in result if name in wanted}


def shape_of(value):
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def expected_shapes(layer):
    x, z = layer["input"], layer["pre_activation"]
    vector = isinstance(x, list) and not isinstance(x[0], list)
    vector = vector or (isinstance(x, dict) and len(x["shape"]) == 1)
    B, K, N = len(matrix(x)), len(matrix(x)[0]), len(matrix(z)[0])
    return {"weight_delta": [N, K], "bias_delta": [N], "grad_input": [K] if vector else [B, K]}


def compare_layer(request, layer, answer):
    """The first difference between an answered layer and the right one, in words, or None."""
    expected = layer_gradients(request, layer)
    found = set(answer) - {"name"}
    if found != set(expected):
        return "outputs %s instead of %s" % (sorted(found), sorted(expected))
    shapes = expected_shapes(layer)
    for name, (values, magnitudes) in expected.items():
        if shape_of(answer[name]) != shapes[name]:
            return "%s has shape %s, not %s" % (name, shape_of(answer[name]), shapes[name])
        for i, (a, e, m) in enumerate(zip(flatten(answer[name]), values, magnitudes)):
            a = NON_FINITE.get(a, a)
            if float32(a) != float32(a) and e != e:
                continue
            if not abs(a - e) <= RELATIVE_TOLERANCE * m + 1e-38 and a != e:
                return "%s[%d] is %r, not %r" % (name, i, a, e)
    return None


def compare(request, answer):
    """The first difference between an answer and the right one, in words, or None."""
    if answer.get("id") != request.get("id"):
        return "id %r instead of %r" % (answer.get("id"), request.get("id"))
    if len(answer["layers"]) != len(request["layers"]):
        return "%d layers instead of %d" % (len(answer["layers"]), len(request["layers"]))
    for i, (layer, found) in enumerate(zip(request["layers"], answer["layers"])):
        if found.get("name") != layer.get("name"):
            return "layer %d is called %r" % (i, found.get("name"))
        difference = compare_layer(request, layer, found)
        if difference:
            return "layer %d: %s" % (i, difference)
    return None

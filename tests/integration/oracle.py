"""What the right answer is, by an independent reading of the formulae in plain Python doubles, and
how far a float32 answer may be from it. Knows requests as dictionaries; knows no HTTP and shares
no code with the library."""

import math
import struct

from slopes import SLOPES, delta_of, float32

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# float32 has a unit roundoff of 6e-8; sums of products and a few roundings of δ leave room.
RELATIVE_TOLERANCE = 4e-6

ACTIVATIONS = sorted(SLOPES) + ["softmax", "log_softmax", "softmin"]


def bits(value):
    """The bit pattern of a number of an answer, as float32."""
    return struct.unpack("<I", struct.pack("<f", NON_FINITE.get(value, value)))[0]


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


def decay_of(request, weight):
    """What weight decay adds to the delta of that weight."""
    decay = request.get("weight_decay", {})
    return decay.get("l1", 0) * ((weight > 0) - (weight < 0)) + decay.get("l2", 0) * weight


def layer_gradients(request, layer):
    """{output: (values, magnitudes)} as flat lists; a magnitude is the sum of |terms|, by which an
    error of rounding is measured."""
    x, z, g = (matrix(layer[k]) for k in ("input", "pre_activation", "grad_output"))
    delta = delta_of(layer["activation"], z, g)
    B, K, N = len(x), len(x[0]), len(z[0])
    W = matrix(layer["weight"]) if "weight" in layer else None
    divisor = B if request.get("reduction") == "mean" else 1
    factor = request.get("scale", 1) / divisor
    result = {"weight_delta": ([], []), "bias_delta": ([], [])}

    def add(name, terms, by):
        result[name][0].append(math.fsum(terms) * by)
        result[name][1].append(math.fsum(map(abs, terms)) * abs(by))

    for n in range(N):
        add("bias_delta", [delta[b][n] for b in range(B)], factor)
        for k in range(K):
            decay = decay_of(request, W[n][k]) * divisor if W else 0
            add("weight_delta", [*(delta[b][n] * x[b][k] for b in range(B)), decay], factor)
    if W:
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

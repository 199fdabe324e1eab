"""Tensors of requests and answers as PyTorch's, and back to JSON. Knows the four words that stand
for numbers JSON does not have; knows nothing of layers."""

import struct

import torch

WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
DOUBLE = torch.float64


def float32(value):
    """The nearest float32, as a double."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def parameter(value, datatype):
    """A parameter of an activation: rounded to float where the batch is FP32."""
    return float32(value) if datatype == "FP32" else float(value)


def flatten(nested):
    if isinstance(nested, list):
        for item in nested:
            yield from flatten(item)
    else:
        yield WORDS.get(nested, nested)


def shape_of(nested):
    shape = []
    while isinstance(nested, list):
        shape.append(len(nested))
        nested = nested[0] if nested else None
    return shape


def tensor_of(spelled):
    """A tensor from its JSON, nested arrays or {"shape", "data"}: doubles of that shape."""
    shape = spelled["shape"] if isinstance(spelled, dict) else shape_of(spelled)
    data = spelled["data"] if isinstance(spelled, dict) else spelled
    return torch.tensor(list(flatten(data)), dtype=DOUBLE).reshape(shape)


def matrix_of(spelled):
    """The same; a vector is a batch of one sample."""
    tensor = tensor_of(spelled)
    return tensor.unsqueeze(0) if tensor.dim() == 1 else tensor


def word(value):
    if value != value:
        return "NaN"
    return value if abs(value) != WORDS["Infinity"] else ("-" * (value < 0)) + "Infinity"


def spelled(tensor):
    """The JSON of a tensor: nested lists of doubles, each as Python prints it (which reads back as
    the same double, and so as the same float32 where it is one)."""
    values = tensor.tolist() if isinstance(tensor, torch.Tensor) else tensor
    return [spelled(v) for v in values] if isinstance(values, list) else word(values)


def rounded(tensor, datatype):
    """What a tensor is in the datatype, in doubles."""
    return tensor.to(torch.float32).to(DOUBLE) if datatype == "FP32" else tensor.to(DOUBLE)

"""Bodies of safetensors, made and read by struct and json alone."""

import json
import struct

LETTERS = {"F32": "f", "F64": "d", "F16": "e"}
SIZES = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2}
MEDIA_TYPE = "application/vnd.safetensors"


def pack(numbers, dtype):
    if dtype == "BF16":  # the upper half of a float
        return b"".join(struct.pack("<f", n)[2:] for n in numbers)
    return struct.pack("<%d%s" % (len(numbers), LETTERS[dtype]), *numbers)


def unpack(content, dtype):
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + content[i:i + 2])[0]
                for i in range(0, len(content), 2)]
    return list(struct.unpack("<%d%s" % (len(content) // SIZES[dtype], LETTERS[dtype]), content))


def flat(tensor):
    return [n for row in tensor for n in flat(row)] if isinstance(tensor, list) else [tensor]


def shape_of(tensor):
    return [len(tensor), *shape_of(tensor[0])] if isinstance(tensor, list) else []


def join(header, data=b"", padding=True):
    """A body of that header, an object or its bytes."""
    text = header if isinstance(header, bytes) else json.dumps(
        header, ensure_ascii=False, separators=(",", ":")).encode()
    if padding:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def save(tensors, document, metadata=(), padding=True):
    """As Hugging Face's writer does it: metadata first, tensors by falling width, then by name.
    tensors are (numbers nested, dtype) by name."""
    header, data = {"__metadata__": {"document": json.dumps(document), **dict(metadata)}}, b""
    for name in sorted(tensors, key=lambda name: (-SIZES[tensors[name][1]], name)):
        tensor, dtype = tensors[name]
        content = pack(flat(tensor), dtype)
        header[name] = {"dtype": dtype, "shape": shape_of(tensor),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    return join(header, data, padding)


def nest(numbers, shape):
    for length in reversed(shape[1:]):
        numbers = [numbers[i:i + length] for i in range(0, len(numbers), length)]
    return numbers


def load(body):
    """The document and the tensors (numbers nested, dtype) of a body, which must be sound."""
    length = struct.unpack("<Q", body[:8])[0]
    assert length % 8 == 0 and body[8:9] == b"{", body[:100]
    header, data, end = json.loads(body[8:8 + length]), body[8 + length:], 0
    metadata, tensors = header.pop("__metadata__"), {}
    assert list(metadata) == ["document"], metadata
    for name, entry in header.items():
        begin, stop = entry["data_offsets"]
        assert begin == end, (name, header)
        numbers, end = unpack(data[begin:stop], entry["dtype"]), stop
        tensors[name] = nest(numbers, entry["shape"]), entry["dtype"]
    assert end == len(data), (end, len(data))
    return json.loads(metadata["document"]), tensors

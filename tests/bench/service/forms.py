"""The forms on the wire in which the service benchmark sends a case: what a request's body and
headers are, and how ΔW and Δb are read from an answer."""

import json
import struct

LENGTH = "Inference-Header-Content-Length"
OPTIONS = {"outputs": ["weight_delta", "bias_delta"]}


def rows(values, shape):
    return [values[i:i + shape[1]] for i in range(0, shape[0] * shape[1], shape[1])]


def floats(data):
    return struct.unpack("<%df" % (len(data) // 4), data)


class Json:
    """Nested arrays of numbers."""

    @staticmethod
    def request(case):
        return case.body, {}

    @staticmethod
    def deltas(headers, answer):
        layer = json.loads(answer)["layers"][0]
        return layer["weight_delta"], layer["bias_delta"]


class Binary:
    """The bytes behind a document, both ways: gradientd's."""

    @staticmethod
    def request(case):
        layer, tail = {"activation": "relu"}, b""
        for name, shape, values in case.tensors():
            data = struct.pack("<%df" % len(values), *values)
            layer[name] = {"shape": shape, "datatype": "FP32", "binary_data_size": len(data)}
            tail += data
        document = json.dumps({**OPTIONS, "encoding": "binary", "layers": [layer]}).encode()
        return document + tail, {LENGTH: str(len(document))}

    @staticmethod
    def deltas(headers, answer):
        found, at = [], int(headers[LENGTH])
        for tensor in json.loads(answer[:at])["layers"][0].values():
            size = tensor["binary_data_size"]
            found.append((tensor["shape"], floats(answer[at:at + size])))
            at += size
        (W_shape, W), (_, b) = found
        return rows(W, W_shape), b


class Msgpack:
    """The peer's own."""

    @staticmethod
    def request(case):
        import msgpack
        layer = {name: {"shape": shape, "bytes": struct.pack("<%df" % len(values), *values)}
                 for name, shape, values in case.tensors()}
        document = {"layers": [{"activation": "relu", **layer}]}
        return msgpack.packb(document), {"Content-Type": "application/msgpack"}

    @staticmethod
    def deltas(headers, answer):
        import msgpack
        layer = msgpack.unpackb(answer)["layers"][0]
        W, b = layer["weight_delta"], layer["bias_delta"]
        return rows(floats(W["bytes"]), W["shape"]), floats(b["bytes"])

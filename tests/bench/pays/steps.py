"""The steps of training that pays.py times: networks of dense layers with relu between them and
the cross-entropy of classes; at home by numpy, PyTorch or plain Python, and at the service, in each
form on the wire. A step gives the deltas of every weight and bias as arrays of float32."""

import base64
import gzip
import http.client
import importlib.util
import json
import zlib

import numpy

LENGTH = "Inference-Header-Content-Length"
OPTIONS = {"outputs": ["weight_delta", "bias_delta"]}


class Network:
    """Weights and one batch."""

    def __init__(self, B, *widths):
        generator = numpy.random.default_rng(B)
        self.name = "%s, B=%d" % ("-".join(map(str, widths)), B)
        self.B = B
        self.layers = [
            ((generator.standard_normal((N, K)) * (2 / K) ** 0.5).astype(numpy.float32),
             (generator.standard_normal(N) * 0.1).astype(numpy.float32))
            for K, N in zip(widths, widths[1:])]
        self.x = generator.standard_normal((B, widths[0])).astype(numpy.float32)
        self.target = generator.integers(widths[-1], size=B)

    def multiplications(self):
        """Of the products forward, of ΔW, and of ∂L/∂x behind the first layer."""
        sizes = [W.size for W, _ in self.layers]
        return self.B * (2 * sum(sizes) + sum(sizes[1:]))


# ---- At home ------------------------------------------------------------------------------------

def by_numpy(network):
    y, inputs = network.x, []
    for W, b in network.layers:
        inputs.append(y)
        y = y @ W.T + b
        if len(inputs) < len(network.layers):
            y = numpy.maximum(y, 0)
    delta = numpy.exp(y - y.max(1, keepdims=True))
    delta /= delta.sum(1, keepdims=True)
    delta[numpy.arange(network.B), network.target] -= 1
    delta /= network.B
    deltas = []
    for i in reversed(range(len(network.layers))):
        deltas.append((delta.T @ inputs[i], delta.sum(0)))
        if i > 0:
            delta = (delta @ network.layers[i][0]) * (inputs[i] > 0)
    return deltas[::-1]


class Torch:
    def __init__(self, network):
        import torch
        torch.set_num_threads(1)
        self.torch = torch
        self.x = torch.tensor(network.x)
        self.target = torch.tensor(network.target)
        self.layers = [(torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True))
                       for W, b in network.layers]

    def __call__(self, network):
        functional, y = self.torch.nn.functional, self.x
        for i, (W, b) in enumerate(self.layers):
            y = functional.linear(y, W, b)
            y = self.torch.relu(y) if i + 1 < len(self.layers) else y
            W.grad = b.grad = None
        functional.cross_entropy(y, self.target).backward()
        return [(W.grad.numpy(), b.grad.numpy()) for W, b in self.layers]


def multiply(rows, columns):
    """Of lists, without a library: rows times the transposed of columns."""
    return [[sum(map(float.__mul__, row, column)) for column in columns] for row in rows]


def by_plain_python(network):
    from math import exp
    y, inputs = network.x.tolist(), []
    layers = [(W.tolist(), b.tolist()) for W, b in network.layers]
    for W, b in layers:
        inputs.append(y)
        y = [[v + c for v, c in zip(row, b)] for row in multiply(y, W)]
        if len(inputs) < len(layers):
            y = [[max(v, 0.0) for v in row] for row in y]
    delta = []
    for row, label in zip(y, network.target.tolist()):
        powers = [exp(v - max(row)) for v in row]
        total = sum(powers) * network.B
        delta.append([p / total - (n == label) / network.B for n, p in enumerate(powers)])
    deltas = []
    for i in reversed(range(len(layers))):
        columns = list(zip(*inputs[i]))
        deltas.append((multiply(zip(*delta), columns), [sum(c) for c in zip(*delta)]))
        if i > 0:
            slopes = multiply(delta, list(zip(*layers[i][0])))
            delta = [[d * (v > 0) for d, v in zip(*both)] for both in zip(slopes, inputs[i])]
    return [(numpy.array(W, numpy.float32), numpy.array(b, numpy.float32))
            for W, b in deltas[::-1]]


def home(network, has_plain):
    """{name: step}"""
    steps = {"numpy": by_numpy}
    if importlib.util.find_spec("torch"):
        steps["PyTorch"] = Torch(network)
    if has_plain:
        steps["plain Python"] = by_plain_python
    return steps


# ---- On the wire --------------------------------------------------------------------------------

def document_of(network, tensor, **options):
    """The request, its tensors as that function spells them, called in their order."""
    last = len(network.layers) - 1
    x = tensor(network.x)
    layers = [{"activation": "relu" if i < last else "identity", "weight": tensor(W),
               "bias": tensor(b)} for i, (W, b) in enumerate(network.layers)]
    return {**OPTIONS, **options, "input": x, "layers": layers,
            "loss": {"name": "cross_entropy", "target": network.target.tolist()}}


def deltas_of(document, array):
    return [(array(layer["weight_delta"]), array(layer["bias_delta"]))
            for layer in document["layers"]]


def bytes_of(array):
    return numpy.ascontiguousarray(array, "<f4").tobytes()


class Json:
    """The standard library's json, of lists."""
    name = "json"

    def request(self, network):
        return json.dumps(document_of(network, numpy.ndarray.tolist)).encode(), {}

    def read(self, body, headers):
        return deltas_of(json.loads(body), lambda rows: numpy.array(rows, numpy.float32))


class Gzip(Json):
    name = "json, gzip"

    def request(self, network):
        body, headers = super().request(network)
        return gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip",
                                        "Accept-Encoding": "gzip"}

    def read(self, body, headers):
        if headers["Content-Encoding"] == "gzip":
            body = zlib.decompress(body, 31)
        return super().read(body, headers)


class Zstd(Json):
    name = "json, zstd"

    def __init__(self):
        import zstandard
        self.zstandard = zstandard

    def request(self, network):
        body, headers = super().request(network)
        body = self.zstandard.ZstdCompressor(level=1).compress(body)
        return body, {**headers, "Content-Encoding": "zstd", "Accept-Encoding": "zstd"}

    def read(self, body, headers):
        if headers["Content-Encoding"] == "zstd":
            body = self.zstandard.ZstdDecompressor().decompressobj().decompress(body)
        return super().read(body, headers)


class Ujson(Json):
    """Of lists; its dumps cuts nothing of a double's digits."""
    name = "json by ujson"

    def __init__(self):
        import ujson
        self.ujson = ujson

    def request(self, network):
        return self.ujson.dumps(document_of(network, numpy.ndarray.tolist)).encode(), {}

    def read(self, body, headers):
        return deltas_of(self.ujson.loads(body), lambda rows: numpy.array(rows, numpy.float32))


class Orjson(Json):
    """Of arrays as they are, in float32's digits."""
    name = "json by orjson"

    def __init__(self):
        import orjson
        self.orjson = orjson

    def request(self, network):
        document = document_of(network, lambda array: array)
        return self.orjson.dumps(document, option=self.orjson.OPT_SERIALIZE_NUMPY), {}

    def read(self, body, headers):
        return deltas_of(self.orjson.loads(body), lambda rows: numpy.array(rows, numpy.float32))


class Base64:
    name = "base64"

    @staticmethod
    def _tensor(array):
        return {"shape": array.shape, "datatype": "FP32",
                "base64": base64.b64encode(bytes_of(array)).decode()}

    @staticmethod
    def _array(tensor):
        data = base64.b64decode(tensor["base64"])
        return numpy.frombuffer(data, "<f4").reshape(tensor["shape"])

    def request(self, network):
        document = document_of(network, self._tensor, encoding="base64")
        return json.dumps(document).encode(), {}

    def read(self, body, headers):
        return deltas_of(json.loads(body), self._array)


class Binary:
    name = "binary"

    def request(self, network):
        tail = []

        def tensor(array):
            tail.append(bytes_of(array))
            return {"shape": array.shape, "datatype": "FP32", "binary_data_size": len(tail[-1])}

        document = json.dumps(document_of(network, tensor, encoding="binary")).encode()
        return b"".join([document, *tail]), {LENGTH: str(len(document))}

    def read(self, body, headers):
        at = int(headers[LENGTH])
        document = json.loads(body[:at])

        def array(tensor):
            nonlocal at
            begin, at = at, at + tensor["binary_data_size"]
            return numpy.frombuffer(body, "<f4", tensor["binary_data_size"] // 4,
                                    begin).reshape(tensor["shape"])

        return deltas_of(document, array)


def forms():
    """Those whose modules are installed."""
    needs = ((Json, "json"), (Ujson, "ujson"), (Orjson, "orjson"), (Gzip, "gzip"),
             (Zstd, "zstandard"), (Base64, "base64"), (Binary, "json"))
    return [kind() for kind, module in needs if importlib.util.find_spec(module)]


class Remote:
    """A step at the service over one kept connection."""

    def __init__(self, form, host, port):
        self.form = form
        self.connection = http.client.HTTPConnection(host, port, timeout=120)
        self.sent = self.received = 0

    def __call__(self, network):
        body, headers = self.form.request(network)
        self.connection.request("POST", "/v1/backprop", body,
                                {"Content-Type": "application/json", **headers})
        response = self.connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit("%s: %d %r" % (self.form.name, response.status, answer[:300]))
        self.sent, self.received = len(body), len(answer)
        return self.form.read(answer, response.headers)

"""The Open Inference Protocol, version 2: what clients for Triton and KServe ask, byte by byte, and
what they read. The gradients are those of /v1/gradients, to the bit."""

import gzip
import json
import random
import struct
import unittest
import zlib

from nets import GRADIENTS
from support import Daemon, DaemonCase, patience, values

MODEL = "/v2/models/dense"
INFER = MODEL + "/infer"
HEADER = "Inference-Header-Content-Length"
UNTYPED = ("Content-Type", None)
STATES = ("input", "pre_activation", "grad_output", "weight")


def flat(tensor):
    return [n for row in tensor for n in flat(row)] if isinstance(tensor, list) else [tensor]


def shape_of(tensor):
    return [len(tensor), *shape_of(tensor[0])] if isinstance(tensor, list) else []


def pack(tensor):
    numbers = flat(tensor)
    return struct.pack("<%df" % len(numbers), *numbers)


def layer_of(generator, B, K, N):
    return {"activation": "tanh", "input": values(generator, B, K),
            "pre_activation": values(generator, B, N), "grad_output": values(generator, B, N),
            "weight": values(generator, N, K)}


def request_of(layer, binary=(), **members):
    """The document of a request, and the bytes behind it of the inputs that are named."""
    inputs, tail = [], b""
    for name in STATES:
        if name not in layer:
            continue
        tensor = {"name": name, "shape": shape_of(layer[name]), "datatype": "FP32"}
        if name in binary:
            tensor["parameters"] = {"binary_data_size": 4 * len(flat(layer[name]))}
            tail += pack(layer[name])
        else:
            tensor["data"] = flat(layer[name])
        inputs.append(tensor)
    parameters = {"activation": layer["activation"], **members.pop("parameters", {})}
    document = {"inputs": inputs, "parameters": parameters, **members}
    return json.dumps(document, separators=(",", ":")).encode(), tail


def read(response):
    """The outputs by their names, as (shape, list of numbers)."""
    length = response.headers.get(HEADER.lower())
    document = response.body if length is None else response.body[:int(length)]
    tail = response.body[len(document):]
    outputs = {}
    for output in json.loads(document)["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            numbers = [struct.unpack("<f", struct.pack("<f", n))[0] for n in output["data"]]
        else:
            numbers = list(struct.unpack("<%df" % (size // 4), tail[:size]))
            tail = tail[size:]
        assert output["datatype"] == "FP32", output
        outputs[output["name"]] = (output["shape"], numbers)
    assert tail == b"", tail
    return outputs


class Pages(DaemonCase):

    def page(self, path):
        response = self.daemon.get(path)
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.headers["content-type"], "application/json")
        return response.json()

    def test_server(self):
        server = self.page("/v2")
        self.assertEqual(server["name"], "gradientd")
        self.assertEqual(server["version"], self.page("/v1/info")["version"])
        self.assertIn("binary_tensor_data", server["extensions"])

    def test_health(self):
        self.assertEqual(self.page("/v2/health/live"), {"live": True})
        self.assertEqual(self.page("/v2/health/ready"), {"ready": True})
        for path in (MODEL, MODEL + "/versions/1"):
            self.assertEqual(self.page(path + "/ready"), {"name": "dense", "ready": True})

    def test_model(self):
        model = self.page(MODEL)
        self.assertEqual(model, self.page(MODEL + "/versions/1"))
        self.assertEqual((model["name"], model["versions"]), ("dense", ["1"]))
        self.assertEqual({t["name"] for t in model["inputs"]}, {*STATES, "bias"})
        self.assertEqual([t["name"] for t in model["outputs"]],
                         ["weight_delta", "bias_delta", "grad_input"])
        for tensor in model["inputs"] + model["outputs"]:
            self.assertEqual(set(tensor), {"name", "datatype", "shape"})
            self.assertEqual(set(tensor["shape"]), {-1})

    def test_configuration(self):
        """What perf_analyzer reads: it leaves out inputs that are optional."""
        model, config = self.page(MODEL), self.page(MODEL + "/config")
        self.assertEqual(config["max_batch_size"], 0)
        self.assertEqual([t["name"] for t in config["input"] if not t.get("optional")],
                         ["input", "grad_output"])
        for key, other in (("input", "inputs"), ("output", "outputs")):
            self.assertEqual([(t["name"], t["dims"], t["data_type"]) for t in config[key]],
                             [(t["name"], t["shape"], "TYPE_" + t["datatype"])
                              for t in model[other]])

    def test_unknown(self):
        """Clients show `error`, and nothing else of an answer that is none."""
        for path in ("/v2/models/conv", "/v2/models/dense/versions/2", "/v2/models/dense/stats",
                     "/v2/repository/index", "/v2/"):
            response = self.daemon.get(path)
            self.assert_problem(response, 404, "unknown_path")
            self.assertIn(response.json()["detail"], response.json()["error"])
        self.assertNotIn("error", self.daemon.get("/v2x").json())
        wrong = self.daemon.get(INFER)
        self.assert_problem(wrong, 405, "method_not_allowed")
        self.assertIsInstance(wrong.json()["error"], str)

    def test_draining(self):
        with Daemon("--drain-delay", "5m", "--drain-timeout", "9m", expect_exit=3) as daemon:
            daemon.signal()
            daemon.wait_metric(lambda value: value == 1, patience(10), "gradientd_draining")
            for path in ("/v2/health/ready", MODEL + "/ready"):
                response = daemon.get(path)
                self.assert_problem(response, 503, "draining")
                self.assertIsInstance(response.json()["error"], str)
            self.assertEqual(daemon.get("/v2/health/live").status, 200)


class Inference(DaemonCase):

    def infer(self, document, tail=None, headers=(), path=INFER, **options):
        """As tritonclient does: no Content-Type, and the length only where bytes follow."""
        if tail is not None:
            headers = [*headers, (HEADER, str(len(document)))]
        return self.daemon.post(document + (tail or b""), path, headers=[UNTYPED, *headers],
                                **options)

    def outputs(self, *request, **options):
        response = self.infer(*request, **options)
        self.assertEqual(response.status, 200, response.body)
        return read(response)

    def wanted(self, layer, **members):
        answer = self.daemon.post({"layers": [layer], **members}).json()["layers"][0]
        return {name: (shape_of(t), [struct.unpack("<f", struct.pack("<f", n))[0]
                                     for n in flat(t)])
                for name, t in answer.items()}

    def test_vector(self):
        """A request of tritonclient's, to the byte."""
        document = (b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","parameters":'
                    b'{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}')
        self.assertEqual(len(document), 138)
        response = self.infer(document, bytes.fromhex("0000803f00002040"))
        self.assert_problem(response, 422, "missing_field")
        self.assertEqual(response.json()["error"],
                         'expected "activation" in "parameters", found none (/parameters)')
        document = (b'{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","parameters":'
                    b'{"binary_data_size":8}},{"name":"pre_activation","shape":[1,1],"datatype":'
                    b'"FP32","parameters":{"binary_data_size":4}},{"name":"grad_output","shape":'
                    b'[1,1],"datatype":"FP32","parameters":{"binary_data_size":4}}],"parameters":'
                    b'{"binary_data_output":true,"activation":"relu"}}')
        tail = struct.pack("<4f", 1, 2.5, 1, 3)
        response = self.infer(document, tail)
        expected = (b'{"model_name":"dense","model_version":"1","outputs":[{"name":'
                    b'"weight_delta","datatype":"FP32","shape":[1,2],"parameters":'
                    b'{"binary_data_size":8}},{"name":"bias_delta","datatype":"FP32","shape":[1],'
                    b'"parameters":{"binary_data_size":4}}]}\n')
        self.assertEqual(response.headers[HEADER.lower()], str(len(expected)))
        self.assertEqual(response.headers["content-type"], "application/octet-stream")
        self.assertEqual(response.body, expected + struct.pack("<3f", 3, 7.5, 3))

    def test_same_bits(self):
        generator = random.Random(1)
        for B, K, N in ((1, 1, 1), (3, 5, 2), (40, 33, 17), (64, 300, 200)):
            layer = layer_of(generator, B, K, N)
            wanted = self.wanted(layer)
            for binary in ((), STATES, STATES[:2], STATES[1:]):
                for output in (False, True):
                    document, tail = request_of(layer, binary,
                                                parameters={"binary_data_output": output})
                    with self.subTest(B=B, binary=binary, output=output):
                        self.assertEqual(self.outputs(document, tail if binary else None), wanted)

    def test_options(self):
        layer = {**layer_of(random.Random(2), 4, 3, 2), "activation": "leaky_relu"}
        document, _ = request_of(layer, parameters={
            "negative_slope": 0.25, "reduction": "mean", "scale": -3, "priority": 1,
            "timeout": 1000}, id="step-1", model_name="dense")
        own = {**layer, "activation": {"name": "leaky_relu", "negative_slope": 0.25}}
        self.assertEqual(self.outputs(document), self.wanted(own, reduction="mean", scale=-3))
        self.assertEqual(self.infer(document).json()["id"], "step-1")
        document, _ = request_of(layer, parameters={"reduction": "none"})
        self.assertEqual(self.outputs(document)["weight_delta"][0], [4, 2, 3])

    def test_models_of_activations(self):
        """perf_analyzer sends no parameters over HTTP; Triton's C++ client leaves them out of
        requests that name outputs."""
        for name in ("relu", "leaky_relu", "softmax"):
            layer = {**layer_of(random.Random(13), 4, 3, 2), "activation": name}
            document, tail = request_of(layer, STATES)
            request = json.loads(document)
            del request["parameters"]
            request.update(id="", outputs=[{"name": "bias_delta",
                                            "parameters": {"binary_data": True}}])
            document = json.dumps(request).encode()
            wanted = self.wanted(layer)
            for path in (MODEL + "_" + name, MODEL + "_" + name + "/versions/1"):
                response = self.infer(document, tail, path=path + "/infer")
                self.assertEqual(response.status, 200, response.body)
                self.assertEqual(read(response), {"bias_delta": wanted["bias_delta"]})
                self.assertIn(b'"model_name":"dense_%s"' % name.encode(), response.body)
                for page in ("", "/ready", "/config"):
                    answer = self.daemon.get(path + page)
                    self.assertEqual(answer.status, 200, answer.body)
                    self.assertEqual(answer.json()["name"], "dense_" + name)
            self.assert_problem(self.infer(document, tail), 422, "missing_field")
        for name in ("rleu", "linear", "", "relu_", "r" * 40, "relu/x"):
            self.assert_problem(self.daemon.get(MODEL + "_" + name), 404, "unknown_path")
        document, _ = request_of(layer_of(random.Random(14), 1, 1, 1))
        self.assert_problem(self.infer(document, path=MODEL + "_relu/infer"), 422,
                            "unsupported_value", pointer="/parameters/activation")
        self.assert_problem(self.daemon.get(MODEL + "_relu/infer"), 405, "method_not_allowed")

    def test_outputs(self):
        layer = layer_of(random.Random(3), 4, 3, 2)
        wanted = self.wanted(layer)
        for names in (("bias_delta",), ("grad_input", "weight_delta")):
            for flags in ((True, True), (False, False), (True, False)):
                asked = [{"name": name, "parameters": {"binary_data": flag}}
                         for name, flag in zip(names, flags)]
                document, _ = request_of(layer, outputs=asked)
                response = self.infer(document)
                self.assertEqual(read(response), {name: wanted[name] for name in names})
                is_binary = all(flag for _, flag in zip(names, flags))
                self.assertEqual(HEADER.lower() in response.headers, is_binary)

    def test_headers(self):
        """C++ clients send the length always; aiohttp's send octet-stream for JSON, too."""
        layer = layer_of(random.Random(4), 4, 3, 2)
        wanted = self.wanted(layer)
        document, _ = request_of(layer)
        for path in (INFER, MODEL + "/versions/1/infer"):
            for kind in (None, "application/json", "application/octet-stream",
                         "application/json; charset=utf-8"):
                for length in ([], [(HEADER, str(len(document)))]):
                    headers = [("Content-Type", kind), *length]
                    response = self.daemon.post(document, path, headers=headers)
                    self.assertEqual(response.status, 200, (kind, length, response.body))
                    self.assertEqual(read(response), wanted)
        for kind in ("text/plain", "application/vnd.safetensors"):
            response = self.daemon.post(document, INFER, headers=[("Content-Type", kind)])
            self.assert_problem(response, 415, "unsupported_media_type")
            self.assertIsInstance(response.json()["error"], str)
            self.assertEqual(response.headers["accept"],
                             "application/json, application/octet-stream")
            self.assertIn("application/json, application/octet-stream or none, found " + kind,
                          response.json()["detail"])
        response = self.infer(document, headers=[("Accept", "application/vnd.safetensors")])
        self.assertEqual(read(response), wanted)
        self.assert_problem(self.daemon.post(b"{}", GRADIENTS, headers=[UNTYPED]), 415)

    def test_chunks(self):
        layer = layer_of(random.Random(5), 3, 4, 2)
        wanted = self.wanted(layer)
        document, tail = request_of(layer, STATES)
        for size in (1, 2, 7, 64, len(document), len(document) + 1):
            body = document + tail
            chunks = [size] * (len(body) // size)
            self.assertEqual(self.outputs(document, tail, chunks=chunks), wanted)

    def test_codings(self):
        """The length is that of the document before it is compressed."""
        layer = layer_of(random.Random(6), 30, 40, 20)
        wanted = self.wanted(layer)
        document, tail = request_of(layer, STATES, parameters={"binary_data_output": True})
        for coding, compress in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            headers = [UNTYPED, (HEADER, str(len(document))), ("Content-Encoding", coding),
                       ("Accept-Encoding", "gzip, deflate")]
            response = self.daemon.post(compress(document + tail), INFER, headers=headers)
            self.assertEqual(response.status, 200, response.body)
            self.assertNotIn("content-encoding", response.headers)
            self.assertEqual(read(response), wanted)
        text, _ = request_of(layer)
        response = self.infer(text, headers=[("Accept-Encoding", "gzip, deflate")])
        self.assertEqual(response.headers["content-encoding"], "gzip")
        response.body = gzip.decompress(response.body)
        self.assertEqual(read(response), wanted)
        for path in ("/v2", MODEL, "/v2/models/conv"):
            plain = self.daemon.get(path, headers=[("Accept-Encoding", "gzip, deflate")])
            self.assertNotIn("content-encoding", plain.headers)

    def test_no_samples(self):
        """As KServe's client sends what is empty: null, a size of 0, and no length."""
        document = json.dumps({"inputs": [
            {"name": "input", "shape": [0, 3], "datatype": "FP32", "data": None,
             "parameters": {"binary_data_size": 0}},
            {"name": "grad_output", "shape": [0, 2], "datatype": "FP32", "data": []},
            {"name": "weight", "shape": [2, 3], "datatype": "FP32", "data": [1] * 6}],
            "parameters": {"activation": "identity"}}).encode()
        self.assertEqual(self.outputs(document), {
            "weight_delta": ([2, 3], [0] * 6), "bias_delta": ([2], [0] * 2),
            "grad_input": ([0, 3], [])})

    def test_all_outputs(self):
        """What is not asked for by name comes with all."""
        layer = layer_of(random.Random(6), 2, 3, 2)
        for activation, more in (("relu", set()), ("prelu", {"slope_delta"})):
            document = request_of({**layer, "activation": activation})[0]
            names = {output["name"] for output in self.infer(document).json()["outputs"]}
            self.assertEqual(names, {"weight_delta", "bias_delta", "grad_input"} | more)

    def test_errors(self):
        """Where the document is wrong, by its own names."""
        layer = layer_of(random.Random(7), 2, 3, 2)
        rows = (
            ({"grad_output": values(random.Random(8), 2, 3)}, "shape_mismatch", "/inputs/1",
             "pre_activation has 2 columns, grad_output has 3 (/inputs/1)"),
            ({"activation": "rleu"}, "unknown_name", "/parameters/activation",
             'unknown activation "rleu", did you mean "relu"? (/parameters/activation)'),
            ({"weight": [[3e38] * 3] * 2, "grad_output": [[3e38] * 2] * 2}, "non_finite",
             "/outputs/weight_delta/1/0", None),
        )
        for change, code, pointer, error in rows:
            document, _ = request_of({**layer, **change})
            response = self.infer(document)
            self.assert_problem(response, 422, code, pointer=pointer)
            self.assertEqual(response.json()["error"], error or response.json()["error"])
            self.assertNotIn("layers", response.body.decode())
        document = request_of({**layer, "activation": "softplus"}, parameters={"beta": 0})[0]
        response = self.infer(document)
        self.assert_problem(response, 422, "bad_parameter", pointer="/parameters/beta")
        self.assertEqual(response.json()["offset"], document.index(b'"beta"') + len('"beta":'))
        missing = {name: layer[name] for name in layer if name != "input"}
        response = self.infer(request_of(missing)[0])
        self.assert_problem(response, 422, "missing_field")
        self.assertIn("the request has no input", response.json()["error"])

    def test_lengths(self):
        layer = layer_of(random.Random(9), 2, 3, 2)
        document, tail = request_of(layer, STATES)
        for body, length in ((document + tail, len(document) + 1), (document + tail, 0),
                             (document + tail[:-1], len(document)),
                             (document + tail + b"\0", len(document)),
                             (document, len(document)), (document + tail, 10**17),
                             (document + tail, "99999999999999999999"), (document + tail, "-1")):
            response = self.daemon.post(body, INFER, headers=[UNTYPED, (HEADER, str(length))])
            self.assertEqual(response.status, 400, (length, response.body))
            self.assertIsInstance(response.json()["error"], str)
        self.assert_problem(self.infer(document), 400, "length_mismatch")
        self.assert_problem(self.infer(document + tail), 400, "malformed_json")
        self.assert_alive()

    def test_double(self):
        document = json.dumps({"inputs": [
            {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [0.1]}
            for name in ("input", "pre_activation", "grad_output")],
            "parameters": {"activation": "identity"}}).encode()
        output = self.infer(document, path=INFER + "?datatype=FP64").json()["outputs"][0]
        self.assertEqual((output["datatype"], output["data"]), ("FP64", [0.1 * 0.1]))
        self.assert_problem(self.infer(document), 422, "unsupported_value",
                            pointer="/inputs/0/datatype")

    def test_limits(self):
        """Numbers of tensors do not count as the rest of a document."""
        with Daemon("--max-envelope", "4KiB", "--max-numbers", "10000") as daemon:
            layer = layer_of(random.Random(10), 100, 20, 20)
            document, _ = request_of(layer)
            self.assertEqual(daemon.post(document, INFER).status, 200)
            layer = layer_of(random.Random(10), 100, 100, 20)
            for binary in ((), STATES):
                document, tail = request_of(layer, binary)
                response = daemon.post(document + tail, INFER,
                                       headers=[UNTYPED, (HEADER, str(len(document)))])
                self.assert_problem(response, 413, "max_numbers")
            document, _ = request_of(layer_of(random.Random(11), 1, 1, 1), id="a" * 5000)
            self.assert_problem(daemon.post(document, INFER), 413,
                                "max_envelope")

    def test_metrics(self):
        before = self.daemon.metrics().value("gradientd_requests_total", route=INFER, status="200")
        document, _ = request_of(layer_of(random.Random(12), 1, 1, 1))
        self.outputs(document)
        self.daemon.wait_metric(lambda value: value == before + 1, patience(10),
                                "gradientd_requests_total", route=INFER, status="200")


if __name__ == "__main__":
    unittest.main()

"""Bodies and answers as safetensors: what comes so is computed as the same numbers in text, to the
bit; what goes out so has the numbers that the text says. The bodies are made and read by struct,
and by Hugging Face's own library where the machine has it."""

import base64
import gzip
import hashlib
import importlib.util
import json
import random
import struct
import unittest

from nets import BACKPROP, CHECK, GRADIENTS
from safetensors_bodies import MEDIA_TYPE, SIZES, join, load, pack, save
from support import Daemon, DaemonCase

STATES = ("input", "pre_activation", "grad_output", "weight")
DELTAS = ("weight_delta", "bias_delta", "grad_input")
AS_SAFETENSORS = ("Accept", MEDIA_TYPE)


def representable(generator, rows, columns):
    """Numbers that every datatype holds."""
    return [[generator.randrange(-64, 64) / 8 for _ in range(columns)] for _ in range(rows)]


def layer_of(generator, B, K, N):
    return {"name": "é\"\n", "activation": "tanh", "input": representable(generator, B, K),
            "pre_activation": representable(generator, B, N),
            "grad_output": representable(generator, B, N), "weight": representable(generator, N, K)}


def as_body(layers, dtypes, **options):
    """The layers' tensors apart from their options."""
    tensors = {"layers.%d.%s" % (i, name): (layer[name], dtypes[STATES.index(name)])
               for i, layer in enumerate(layers) for name in STATES}
    rest = [{name: value for name, value in layer.items() if name not in STATES}
            for layer in layers]
    return save(tensors, {"layers": rest, **options})


def as_floats(numbers):
    if isinstance(numbers, list):
        return [as_floats(number) for number in numbers]
    return struct.unpack("<f", struct.pack("<f", numbers))[0]


class Safetensors(DaemonCase):

    def send(self, body, path=GRADIENTS, headers=(), daemon=None, **options):
        return (daemon or self.daemon).post(
            body, path, headers=[("Content-Type", MEDIA_TYPE), *headers], **options)

    def load(self, response):
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.headers["content-type"], MEDIA_TYPE)
        self.assertNotIn("inference-header-content-length", response.headers)
        return load(response.body)

    def test_requests(self):
        """A dozen layers, so that the tensors' order by name is not the document's."""
        generator = random.Random(1)
        for count, B, K, N in ((12, 2, 3, 2), (1, 64, 300, 200)):
            layers = [layer_of(generator, B, K, N) for _ in range(count)]
            for query, dtypes in (("", ("F32",) * 4), ("", ("BF16", "F16", "F32", "BF16")),
                                  ("?datatype=FP64", ("F64", "F32", "F16", "BF16"))):
                with self.subTest(dtypes, B=B):
                    wanted = self.daemon.post({"layers": layers}, GRADIENTS + query).body
                    found = self.send(as_body(layers, dtypes), GRADIENTS + query)
                    self.assertEqual(found.headers["content-type"], "application/json")
                    self.assertEqual(found.body, wanted)

    def test_every_cut(self):
        layers = [layer_of(random.Random(2), 2, 3, 2)]
        wanted = self.daemon.post({"layers": layers}).body
        body = as_body(layers, ("F32", "BF16", "F16", "F32"))
        with self.daemon.connect() as connection:
            for cut in range(1, len(body), 3):
                found = connection.request("POST", GRADIENTS, body, chunks=[cut],
                                           headers=[("Content-Type", MEDIA_TYPE)])
                self.assertEqual(found.body, wanted, cut)

    def test_answers(self):
        """By Accept or by the document, to a request of either kind; each number is the text's."""
        for B, K, N in ((1, 1, 1), (64, 300, 200)):
            layers = [layer_of(random.Random(3), B, K, N) for _ in range(2)]
            request = {"id": "a", "layers": layers}
            for query, dtype in (("", "F32"), ("?datatype=FP64", "F64")):
                text = self.daemon.post(request, GRADIENTS + query).json()
                body = as_body(layers, (dtype,) * 4, id="a")
                found = self.send(body, GRADIENTS + query, [AS_SAFETENSORS])
                for other in (self.daemon.post(request, GRADIENTS + query,
                                               headers=[AS_SAFETENSORS]),
                              self.daemon.post({**request, "encoding": "safetensors"},
                                               GRADIENTS + query)):
                    self.assertEqual(other.body, found.body)
                document, tensors = self.load(found)
                self.assertEqual(document, {"id": "a", "layers": [{"name": "é\"\n"}] * 2})
                self.assertEqual(len(tensors), 6)
                for i, layer in enumerate(text["layers"]):
                    for name in DELTAS:
                        numbers, found_dtype = tensors["layers.%d.%s" % (i, name)]
                        self.assertEqual(found_dtype, dtype)
                        self.assertEqual(numbers, (as_floats if dtype == "F32" else list)(
                            layer[name]))

    def test_what_accept_asks_for(self):
        body = as_body([layer_of(random.Random(4), 2, 2, 2)], ("F32",) * 4)
        for accept, is_asked in (
                ("*/*", False), ("application/json", False), ("application/*", False),
                (MEDIA_TYPE + ";q=0", False), (MEDIA_TYPE + ";q=0.5, application/json", False),
                (MEDIA_TYPE.upper(), True), ("text/html, %s;q=0.1" % MEDIA_TYPE, True),
                ("application/json, " + MEDIA_TYPE, True),
                ("application/json;q=0.5, %s;q=0.6" % MEDIA_TYPE, True)):
            found = self.send(body, headers=[("Accept", accept)])
            self.assertEqual(found.headers["content-type"],
                             MEDIA_TYPE if is_asked else "application/json", accept)

    def test_a_whole_network(self):
        generator = random.Random(5)
        layers = [{"activation": "relu", "weight": representable(generator, 7, 5),
                   "bias": [0.5] * 7, "dropout": {"mask": [[1.0] * 7] * 6, "rate": 0.5}},
                  {"activation": "identity", "weight": representable(generator, 3, 7)}]
        request = {"layers": layers, "input": representable(generator, 6, 5), "outputs": [
            "weight_delta", "bias_delta", "grad_input", "predictions"],
            "loss": {"name": "mse", "target": representable(generator, 6, 3), "reduction": "none"}}
        text = self.daemon.post(request, BACKPROP).json()
        tensors = {"input": (request["input"], "BF16"), "loss.target": (
            request["loss"]["target"], "F32"), "layers.0.weight": (layers[0]["weight"], "F16"),
            "layers.0.dropout.mask": (layers[0]["dropout"]["mask"], "F16"),
            "layers.1.weight": (layers[1]["weight"], "F32")}
        rest = {**request, "layers": [
            {"activation": "relu", "bias": [0.5] * 7, "dropout": {"rate": 0.5}},
            {"activation": "identity"}], "loss": {"name": "mse", "reduction": "none"}}
        del rest["input"]
        self.assertEqual(self.send(save(tensors, rest), BACKPROP).json(), text)
        document, found = self.load(self.send(save(tensors, rest), BACKPROP, [AS_SAFETENSORS]))
        self.assertEqual(document, {"layers": [{}, {}], **{
            key: value for key, value in text.items() if key == "notes"}})
        for name in ("loss", "predictions", "grad_input"):
            self.assertEqual(found[name], (as_floats(text[name]), "F32"))
        for name in ("weight_delta", "bias_delta"):
            self.assertEqual(found["layers.1." + name][0], as_floats(text["layers"][1][name]))
        report = self.send(save(tensors, {**rest, "loss": {"name": "mse"}}), CHECK,
                           [AS_SAFETENSORS])
        self.assertEqual(report.json()["verdict"], "pass")

    def test_a_loss_of_one_number(self):
        tensors = {"input": ([[1.0, 2.0]], "F32"), "layers.0.weight": ([[1.0, 1.0]], "F32"),
                   "layers.0.bias": (0.5, "F32"), "loss.target": ([[1.0]], "F32")}
        found = self.send(save(tensors, {"layers": [{"activation": "identity"}],
                                         "loss": {"name": "mse"}}), BACKPROP, [AS_SAFETENSORS])
        self.assertEqual(self.load(found)[0]["loss"], 6.25)

    def test_narrow_answers(self):
        layers = [layer_of(random.Random(6), 9, 40, 30)]
        for datatype, dtype in (("FP16", "F16"), ("BF16", "BF16")):
            wanted = self.daemon.post({"layers": layers, "encoding": "base64",
                                       "datatype": datatype}).json()["layers"][0]
            body = as_body(layers, ("F32",) * 4, encoding="safetensors", datatype=datatype)
            tensors = self.load(self.send(body))[1]
            for name in DELTAS:
                numbers, found = tensors["layers.0." + name]
                self.assertEqual(found, dtype)
                flat = [n for row in numbers for n in (row if isinstance(row, list) else [row])]
                self.assertEqual(pack(flat, dtype), base64.b64decode(wanted[name]["base64"]))

    def test_no_samples(self):
        header = {"__metadata__": {"document": '{"layers":[{"activation":"relu"}]}'}}
        for name, columns in (("input", 3), ("pre_activation", 2), ("grad_output", 2)):
            header["layers.0." + name] = {"dtype": "F32", "shape": [0, columns],
                                          "data_offsets": [0, 0]}
        tensors = self.load(self.send(join(header), headers=[AS_SAFETENSORS]))[1]
        self.assertEqual(tensors["layers.0.weight_delta"], ([[0.0] * 3] * 2, "F32"))

    def test_layer_by_layer(self):
        layer = layer_of(random.Random(7), 2, 2, 2)
        body = as_body([{**layer, "activation": "x"}, layer], ("F32",) * 4, on_error="continue")
        document, tensors = self.load(self.send(body, headers=[AS_SAFETENSORS]))
        self.assertEqual(document["layers"][0]["error"]["code"], "unknown_name")
        self.assertEqual(sorted({name.split(".")[1] for name in tensors}), ["1"])

    def test_coded_bodies(self):
        """Compressed, of unknown length, with a digest: the filters know no payload. Answers are
        compressed only where nothing else is accepted."""
        layers = [layer_of(random.Random(8), 8, 40, 30)]
        body, wanted = as_body(layers, ("F32",) * 4), self.daemon.post({"layers": layers}).body
        digest = "sha-256=:%s:" % base64.b64encode(
            hashlib.sha256(gzip.compress(body, mtime=0)).digest()).decode()
        coded = [("Content-Encoding", "gzip"), ("Content-Digest", digest)]
        self.assertEqual(self.send(gzip.compress(body, mtime=0), headers=coded).body, wanted)
        self.assert_problem(self.send(gzip.compress(body + b" ", mtime=0), headers=coded[:1]), 400,
                            "length_mismatch")
        plain = self.send(body, headers=[AS_SAFETENSORS, ("Accept-Encoding", "gzip")])
        self.assertNotIn("content-encoding", plain.headers)
        packed = self.send(body, headers=[AS_SAFETENSORS,
                                          ("Accept-Encoding", "gzip, identity;q=0")])
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        answered = self.send(body, headers=[AS_SAFETENSORS, ("Want-Content-Digest", "sha-256=1")])
        self.assertEqual(answered.headers["content-digest"], "sha-256=:%s:" % base64.b64encode(
            hashlib.sha256(plain.body).digest()).decode())

    def test_hostile_headers(self):
        """Refused while the body comes, with what was expected and found; the connection or the
        next one goes on."""
        good = as_body([layer_of(random.Random(9), 2, 2, 2)], ("F32",) * 4)
        length = struct.unpack("<Q", good[:8])[0]
        header = json.loads(good[8:8 + length])

        def changed(**entry):
            other = {**header, "layers.0.input": {**header["layers.0.input"], **entry}}
            return join(other, good[8 + length:])

        for body, status, code, detail in (
                (b"", 400, "length_mismatch", "found a body of 0"),
                (good[:7], 400, "length_mismatch", "found a body of 7"),
                (good[:100], 400, "length_mismatch", "after 92 of them"),
                (good[:-1], 400, "length_mismatch", "after 15 of them"),
                (good + b"x", 400, "length_mismatch", "found more"),
                (b"\0" * 8 + good[8:], 400, "malformed_safetensors", "found 0"),
                (b"\xff" * 8 + good[8:], 413, "max_envelope", "18446744073709551615"),
                (changed(data_offsets=[0, 1]), 400, "length_mismatch", "expected 16 bytes"),
                (changed(data_offsets=[4, 20]), 400, "length_mismatch", "an overlap"),
                (changed(data_offsets=[2 ** 60, 2 ** 60 + 16]), 400, "length_mismatch", "a gap"),
                (changed(shape=[2 ** 32, 2 ** 32]), 400, "length_mismatch", "more bytes"),
                (changed(shape=[2, -2]), 400, "malformed_safetensors", "found -"),
                (changed(dtype="I32"), 422, "unsupported_value", "found I32"),
                (changed(dtype="F64", shape=[2]), 422, None, "FP64"),
                (join(b"{}"), 422, "missing_field", "document"),
                (join(b"[" * 200000), 400, "malformed_safetensors", "found ["),
                (json.dumps({"layers": []}).encode(), 400, "malformed_safetensors",
                 "send that as application/json")):
            with self.subTest(detail):
                found = self.send(body)
                self.assertEqual(found.status, status, found.body)
                self.assertIn(detail, found.json()["detail"])
                if code is not None:
                    self.assert_problem(found, status, code)
        self.assertEqual(self.send(good).status, 200)

    def test_not_with_a_length_of_json(self):
        good = as_body([layer_of(random.Random(10), 1, 1, 1)], ("F32",) * 4)
        found = self.send(good, headers=[("Inference-Header-Content-Length", "8")])
        problem = self.assert_problem(found, 400, "length_mismatch")
        self.assertIn("first 8 bytes", problem["detail"])

    def test_media_types(self):
        good = as_body([layer_of(random.Random(11), 1, 1, 1)], ("F32",) * 4)
        found = self.daemon.post(good, headers=[("Content-Type", "application/safetensors")])
        problem = self.assert_problem(found, 415, "unsupported_media_type")
        self.assertIn(MEDIA_TYPE, problem["detail"])
        self.assertIn(MEDIA_TYPE, found.headers["accept"])

    def test_limits(self):
        """Of numbers, whatever their width, and of memory: held as it is received."""
        with Daemon("--max-numbers", "1000") as daemon:
            for count, status in ((990, 200), (1000, 413)):
                for dtype in SIZES:
                    query = "?datatype=FP64" if dtype == "F64" else ""
                    tensors = {"layers.0.input": ([[1.0] * count], dtype),
                               "layers.0.pre_activation": ([[1.0]], "F32"),
                               "layers.0.grad_output": ([[1.0]], "F32")}
                    body = save(tensors, {"layers": [{"activation": "relu"}]})
                    found = self.send(body, GRADIENTS + query, daemon=daemon)
                    self.assertEqual(found.status, status, found.body)
                    if status == 413:
                        self.assert_problem(found, 413, "max_numbers")
        with Daemon("--max-envelope", "1KiB") as daemon:
            problem = self.assert_problem(self.send(join(b" " * 1032), daemon=daemon), 413,
                                          "max_envelope")
            self.assertEqual(problem["limit"], {"name": "max_envelope", "value": 1024})

    @unittest.skipUnless(importlib.util.find_spec("safetensors") and
                         importlib.util.find_spec("numpy"), "python3-safetensors is not installed")
    def test_the_library_itself(self):
        from numpy import allclose, arange, float32, ones
        from safetensors.numpy import load as load_file, save as save_file

        x, g = arange(6, dtype=float32).reshape(2, 3), ones((2, 4), float32)
        body = save_file({"layers.0.input": x, "layers.0.pre_activation": g,
                          "layers.0.grad_output": g}, metadata={
            "format": "np", "document": json.dumps({"layers": [{"activation": "identity"}]})})
        found = load_file(self.send(body, headers=[AS_SAFETENSORS]).body)
        self.assertTrue(allclose(found["layers.0.weight_delta"], g.T @ x))


if __name__ == "__main__":
    unittest.main()

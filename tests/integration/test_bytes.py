"""Tensors as bytes, in base64 and behind the document: what comes so is computed as the same
numbers in text, to the bit; what goes out so has the numbers that the text says. The bytes are made
and read by `struct`."""

import base64
import gzip
import json
import random
import struct
import unittest

from nets import BACKPROP, GRADIENTS
from support import Daemon, DaemonCase

LETTERS = {"FP32": "f", "FP64": "d", "FP16": "e"}


def pack(numbers, datatype):
    if datatype == "BF16":  # the upper half of a float
        return b"".join(struct.pack("<f", n)[2:] for n in numbers)
    return struct.pack("<%d%s" % (len(numbers), LETTERS[datatype]), *numbers)


def unpack(content, datatype):
    if datatype == "BF16":
        return [struct.unpack("<f", b"\0\0" + content[i:i + 2])[0]
                for i in range(0, len(content), 2)]
    size = struct.calcsize(LETTERS[datatype])
    return list(struct.unpack("<%d%s" % (len(content) // size, LETTERS[datatype]), content))


def flat(tensor):
    return [n for row in tensor for n in flat(row)] if isinstance(tensor, list) else [tensor]


def shape_of(tensor):
    return [len(tensor), *shape_of(tensor[0])] if isinstance(tensor, list) else []


def in_base64(tensor, datatype):
    return {"shape": shape_of(tensor), "datatype": datatype,
            "base64": base64.b64encode(pack(flat(tensor), datatype)).decode()}


def representable(generator, rows, columns):
    """Numbers that every datatype holds."""
    return [[generator.randrange(-64, 64) / 8 for _ in range(columns)] for _ in range(rows)]


def layer_of(generator, B, K, N):
    return {"name": "é/1", "activation": "tanh", "input": representable(generator, B, K),
            "pre_activation": representable(generator, B, N),
            "grad_output": representable(generator, B, N), "weight": representable(generator, N, K)}


STATES = ("input", "pre_activation", "grad_output", "weight")


def read_answer(answer, datatype):
    """The answer with its tensors as the text has them, nested."""
    if isinstance(answer, dict) and "base64" in answer:
        assert answer["datatype"] == datatype, answer
        numbers = unpack(base64.b64decode(answer["base64"], validate=True), datatype)
        for length in reversed(answer["shape"][1:]):
            numbers = [numbers[i:i + length] for i in range(0, len(numbers), length)]
        return numbers
    if isinstance(answer, dict):
        return {name: read_answer(value, datatype) for name, value in answer.items()}
    if isinstance(answer, list):
        return [read_answer(value, datatype) for value in answer]
    return answer


def as_floats(answer):
    """Every number of a text rounded to float32, as which it was printed."""
    if isinstance(answer, dict):
        return {name: as_floats(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [as_floats(value) for value in answer]
    if isinstance(answer, float):
        return struct.unpack("<f", struct.pack("<f", answer))[0]
    return answer


class Base64(DaemonCase):

    def answer(self, request, path=GRADIENTS, **options):
        response = self.daemon.post(request, path, **options)
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.headers["content-type"], "application/json")
        return response

    def test_requests(self):
        """Whatever datatype the bytes are of, the answer has the bits of that to the text."""
        generator = random.Random(1)
        for B, K, N in ((1, 1, 1), (3, 5, 2), (40, 33, 17), (64, 300, 200)):
            layer = layer_of(generator, B, K, N)
            for query, datatypes in (("", ("FP32", "FP16", "BF16")),
                                     ("?datatype=FP64", ("FP64", "FP32", "FP16", "BF16"))):
                wanted = self.answer({"layers": [layer]}, GRADIENTS + query).body
                for datatype in datatypes:
                    with self.subTest(datatype, B=B, query=query):
                        other = {**layer, **{name: in_base64(layer[name], datatype)
                                             for name in STATES}}
                        self.assertEqual(self.answer({"layers": [other]}, GRADIENTS + query).body,
                                         wanted)

    def test_spellings_may_be_mixed(self):
        layer = layer_of(random.Random(2), 4, 3, 2)
        wanted = self.answer({"layers": [layer]}).body
        for i, name in enumerate(STATES):
            other = {**layer, name: in_base64(layer[name], "FP32")}
            text = json.dumps({"layers": [other]})
            for written in (text, text.replace("/", "\\/"), text.replace("+", "\\u002B"),
                            text.replace('"shape"', '"sizes"'), text.replace("=", "\\u003d")):
                self.assertEqual(self.answer(written.encode()).body, wanted, i)

    def test_every_cut(self):
        layer = layer_of(random.Random(3), 2, 3, 2)
        wanted = self.answer({"layers": [layer]}).body
        other = {**layer, **{name: in_base64(layer[name], d)
                             for name, d in zip(STATES, ("FP32", "BF16", "FP16", "FP32"))}}
        text = json.dumps({"layers": [other]}).encode()
        with self.daemon.connect() as connection:
            for cut in range(1, len(text), 3):
                found = connection.request("POST", GRADIENTS, text, chunks=[cut])
                self.assertEqual(found.body, wanted, cut)

    def test_a_whole_network(self):
        generator = random.Random(4)
        layers = [{"activation": "relu", "weight": representable(generator, 7, 5),
                   "bias": [0.5] * 7},
                  {"activation": "identity", "weight": representable(generator, 3, 7)}]
        request = {"layers": layers, "input": representable(generator, 6, 5),
                   "outputs": ["weight_delta", "bias_delta", "grad_input", "predictions"],
                   "loss": {"name": "mse", "target": representable(generator, 6, 3),
                            "reduction": "none"}}
        text = self.answer(request, BACKPROP).json()
        found = self.answer({**request, "input": in_base64(request["input"], "BF16"),
                             "encoding": "base64"}, BACKPROP).json()
        self.assertEqual(found["loss"]["shape"], [6, 3])
        self.assertEqual(read_answer(found, "FP32"), as_floats(text))

    def test_answers(self):
        for B, K, N in ((1, 1, 1), (5, 4, 3), (64, 300, 200)):
            layer = layer_of(random.Random(5), B, K, N)
            for query, datatype in (("", "FP32"), ("?datatype=FP64", "FP64")):
                with self.subTest(datatype, B=B):
                    request = {"id": "a", "layers": [layer], "statistics": True}
                    text = self.answer(request, GRADIENTS + query).json()
                    found = self.answer({**request, "encoding": "base64"}, GRADIENTS + query).json()
                    self.assertEqual(found["layers"][0]["weight_delta"]["shape"], [N, K])
                    read = read_answer(found, datatype)
                    self.assertEqual(read["layers"][0]["statistics"],
                                     text["layers"][0].pop("statistics"))
                    read["layers"][0].pop("statistics")
                    self.assertEqual(read["layers"], (as_floats if datatype == "FP32" else list)(
                        text["layers"]))

    def test_narrow_answers(self):
        """Rounded once, to the nearest; struct rounds halves alike."""
        layer = layer_of(random.Random(6), 9, 40, 30)
        for query in ("", "?datatype=FP64"):
            text = self.answer({"layers": [layer]}, GRADIENTS + query).json()["layers"][0]
            for datatype in ("FP16", "BF16"):
                found = self.answer({"layers": [layer], "encoding": "base64", "datatype": datatype},
                                    GRADIENTS + query).json()["layers"][0]
                for name in ("weight_delta", "bias_delta", "grad_input"):
                    self.assertEqual(found[name]["datatype"], datatype)
                    numbers = flat(text[name])
                    content = base64.b64decode(found[name]["base64"])
                    if datatype == "FP16" and query:
                        self.assertEqual(content, pack(numbers, "FP16"))
                    for number, rounded in zip(numbers, unpack(content, datatype)):
                        self.assertLessEqual(abs(number - rounded), abs(number) * (
                            2 ** -11 if datatype == "FP16" else 2 ** -8) + 2 ** -25)

    def test_what_is_not_finite(self):
        layer = {"activation": "identity", "input": in_base64([[float("inf"), 1]], "BF16"),
                 "pre_activation": [[0]], "grad_output": [[1]]}
        problem = self.assert_problem(self.daemon.post({"layers": [layer]}), 422, "non_finite")
        self.assertEqual(problem["pointer"], "/layers/0/input/0/0")
        allowed = {"layers": [layer], "non_finite": "allow", "outputs": ["weight_delta"]}
        self.assertEqual(self.answer(allowed).json()["layers"][0]["weight_delta"],
                         [["Infinity", 1]])
        found = self.answer({**allowed, "encoding": "base64"}).json()["layers"][0]
        self.assertEqual(base64.b64decode(found["weight_delta"]["base64"]),
                         struct.pack("<2f", float("inf"), 1))

    def test_beyond_the_narrow_datatype(self):
        """An infinity that only the rounding made is refused as any other."""
        layer = {"activation": "identity", "input": [[65519, 65520]], "pre_activation": [[0]],
                 "grad_output": [[1]]}
        request = {"layers": [layer], "encoding": "base64", "datatype": "FP16",
                   "outputs": ["weight_delta"]}
        self.assert_problem(self.daemon.post(request), 422, "non_finite",
                            pointer="/layers/0/weight_delta/0/1",
                            detail="expected a number that FP16 holds, found 65520")
        found = self.answer({**request, "non_finite": "allow"}).json()["layers"][0]
        self.assertEqual(unpack(base64.b64decode(found["weight_delta"]["base64"]), "FP16"),
                         [65504, float("inf")])

    def test_no_samples(self):
        none = {"shape": [0, 3], "datatype": "FP32", "base64": ""}
        layer = {"activation": "relu", "input": none, "pre_activation": {**none, "shape": [0, 2]},
                 "grad_output": {**none, "shape": [0, 2]}, "weight": [[1, 2, 3], [4, 5, 6]]}
        found = self.answer({"layers": [layer], "encoding": "base64"}).json()["layers"][0]
        self.assertEqual(found["grad_input"], none)
        self.assertEqual(base64.b64decode(found["weight_delta"]["base64"]), bytes(24))

    def test_layer_by_layer(self):
        """A layer's error is told in its place, the others are answered."""
        layer = layer_of(random.Random(7), 2, 2, 2)
        found = self.answer({"on_error": "continue", "encoding": "base64",
                             "layers": [{**layer, "activation": "x"}, layer]}).json()["layers"]
        self.assertEqual(found[0]["error"]["code"], "unknown_name")
        self.assertEqual(found[1]["weight_delta"]["shape"], [2, 2])

    def test_refused(self):
        good = {"shape": [1, 2], "datatype": "FP32", "base64": "AACAPwAAIEA="}
        layer = {"activation": "relu", "pre_activation": [[1]], "grad_output": [[1]]}
        for tensor, code, pointer in (
                ({**good, "base64": "AACAPwAAIEA"}, "malformed_base64", "/base64"),
                ({**good, "base64": "AACAPwAAIEB="}, "malformed_base64", "/base64"),
                ({**good, "base64": "AACAPwAA\nIEA="}, "malformed_base64", "/base64"),
                ({**good, "base64": "AACAPwAAI-A="}, "malformed_base64", "/base64"),
                ({**good, "shape": [1, 3]}, "length_mismatch", ""),
                ({**good, "shape": [2 ** 53, 2 ** 53]}, "length_mismatch", "")):
            with self.subTest(tensor):
                response = self.daemon.post({"layers": [{**layer, "input": tensor}]})
                self.assert_problem(response, 400, code, pointer="/layers/0/input" + pointer)
        self.answer({"layers": [{**layer, "input": good}]})

    def test_limits_count_numbers(self):
        """Bytes count as what they become: two of them a number of BF16."""
        with Daemon("--max-numbers", "1000") as daemon:
            for count, status in ((990, 200), (1000, 413)):
                for datatype in ("FP32", "BF16", "FP16"):
                    layer = {"activation": "relu", "input": in_base64([[1.0] * count], datatype),
                             "pre_activation": [[1]], "grad_output": [[1]]}
                    found = daemon.post({"layers": [layer]})
                    self.assertEqual(found.status, status, found.body)
                    if status == 413:
                        self.assert_problem(found, 413, "max_numbers")


LENGTH = "Inference-Header-Content-Length"


def in_binary(tensor, datatype, tail):
    """The tensor's object; its bytes are added to the tail."""
    content = pack(flat(tensor), datatype)
    tail.append(content)
    return {"shape": shape_of(tensor), "datatype": datatype, "binary_data_size": len(content)}


def split_answer(response):
    """The document of an answer, and the bytes behind it."""
    length = int(response.headers[LENGTH.lower()])
    return json.loads(response.body[:length]), response.body[length:]


class Binary(DaemonCase):

    def send(self, request, tail, path=GRADIENTS, headers=(), length=None, **options):
        document = request if isinstance(request, bytes) else json.dumps(request).encode()
        length = len(document) if length is None else length
        return self.daemon.post(document + tail, path, headers=[
            ("Content-Type", "application/json"), (LENGTH, str(length)), *headers], **options)

    def make(self, B, K, N, datatypes):
        """A request in text, and the same in bytes with their tail."""
        layer, tail = layer_of(random.Random(8), B, K, N), []
        other = {name: in_binary(value, datatypes[STATES.index(name)], tail)
                 if name in STATES else value for name, value in layer.items()}
        return {"layers": [layer]}, {"layers": [other]}, b"".join(tail)

    def test_requests(self):
        for B, K, N in ((1, 1, 1), (3, 5, 2), (64, 300, 200)):
            for query, datatypes in (("", ("FP32",) * 4), ("", ("BF16", "FP16", "FP32", "BF16")),
                                     ("?datatype=FP64", ("FP64", "FP32", "FP16", "BF16"))):
                text, request, tail = self.make(B, K, N, datatypes)
                wanted = self.daemon.post(text, GRADIENTS + query).body
                found = self.send(request, tail, GRADIENTS + query)
                self.assertEqual(found.body, wanted, (B, datatypes))

    def test_every_cut(self):
        text, request, tail = self.make(2, 3, 2, ("FP32", "BF16", "FP16", "FP32"))
        wanted = self.daemon.post(text).body
        document = json.dumps(request).encode()
        with self.daemon.connect() as connection:
            for cut in range(1, len(document) + len(tail), 5):
                headers = [("Content-Type", "application/octet-stream"),
                           (LENGTH, str(len(document)))]
                found = connection.request("POST", GRADIENTS, document + tail, chunks=[cut],
                                           headers=headers)
                self.assertEqual(found.body, wanted, cut)

    def test_answers(self):
        for datatype in ("FP32", "BF16", "FP16"):
            layer = layer_of(random.Random(9), 64, 300, 200)
            request = {"layers": [layer, {**layer, "activation": "relu"}]}
            if datatype != "FP32":
                request["datatype"] = datatype
            base = self.daemon.post({**request, "encoding": "base64"}).json()
            response = self.daemon.post({**request, "encoding": "binary"})
            self.assertEqual(response.headers["content-type"], "application/octet-stream")
            document, tail = split_answer(response)
            for one, other in zip(base["layers"], document["layers"]):
                for name in ("weight_delta", "bias_delta", "grad_input"):
                    content = base64.b64decode(one[name].pop("base64"))
                    self.assertEqual(other[name].pop("binary_data_size"), len(content))
                    self.assertEqual(other[name], one[name])
                    self.assertEqual(tail[:len(content)], content)
                    tail = tail[len(content):]
            self.assertEqual(tail, b"")

    def test_both_ways(self):
        text, request, tail = self.make(3, 4, 5, ("FP32",) * 4)
        wanted = as_floats(self.daemon.post(text).json()["layers"][0])
        document, content = split_answer(self.send({**request, "encoding": "binary"}, tail))
        found = document["layers"][0]
        for name in ("weight_delta", "bias_delta", "grad_input"):
            size = found[name]["binary_data_size"]
            self.assertEqual(unpack(content[:size], "FP32"), flat(wanted[name]))
            content = content[size:]

    def test_compressed(self):
        """The length is that of the document before it is compressed, both ways. Answers in binary
        are compressed only where nothing else is accepted."""
        text, request, tail = self.make(64, 30, 50, ("FP32",) * 4)
        request["encoding"] = "binary"
        plain = self.send(request, tail)
        document = json.dumps(request).encode()
        packed = gzip.compress(document + tail)
        headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip"),
                   (LENGTH, str(len(document)))]
        found = self.daemon.post(packed, headers=[*headers, ("Accept-Encoding", "gzip, deflate")])
        self.assertNotIn("content-encoding", found.headers)
        self.assertEqual(found.body, plain.body)
        found = self.daemon.post(packed, headers=[*headers,
                                                  ("Accept-Encoding", "gzip, identity;q=0")])
        self.assertEqual(found.headers["content-encoding"], "gzip")
        self.assertEqual(found.headers[LENGTH.lower()], plain.headers[LENGTH.lower()])
        self.assertEqual(gzip.decompress(found.body), plain.body)

    def test_no_tail(self):
        """A length that is the whole body's is right, in requests and in answers."""
        text, _, _ = self.make(2, 3, 2, ("FP32",) * 4)
        self.assertEqual(self.send(text, b"").body, self.daemon.post(text).body)
        none = {"layers": [{"activation": "relu", "input": {"shape": [0, 1], "data": []},
                            "pre_activation": {"shape": [0, 1], "data": []},
                            "grad_output": {"shape": [0, 1], "data": []}, "weight": [[1]]}],
                "outputs": ["grad_input"], "encoding": "binary"}
        document, tail = split_answer(self.daemon.post(none))
        self.assertEqual((document["layers"][0]["grad_input"]["binary_data_size"], tail), (0, b""))

    def test_refused(self):
        text, request, tail = self.make(2, 3, 2, ("FP32",) * 4)
        length = len(json.dumps(request))
        for change, detail in (
                ({"tail": tail[:-1]}, "ends after"), ({"tail": tail + b"\0"}, "found more"),
                ({"length": length + len(tail) + 1}, "within the body"),
                ({"length": "x"}, "a number of bytes"), ({"length": "-1"}, "a number of bytes"),
                ({"length": ""}, "a number of bytes"), ({"length": "9" * 30}, "a number of bytes")):
            with self.subTest(change):
                found = self.send(request, **{"tail": tail, **change})
                problem = self.assert_problem(found, 400, "length_mismatch")
                self.assertIn(detail, problem["detail"])
        self.assert_problem(self.send(request, tail, length=length - 1), 400, "malformed_json")
        self.assert_problem(self.send(request, tail, length=0), 400, "malformed_json")
        self.assert_problem(self.send(request, tail, headers=[(LENGTH, str(length))]), 400,
                            "bad_framing")
        problem = self.assert_problem(self.daemon.post(request), 400, "length_mismatch")
        self.assertIn(LENGTH, problem["detail"])
        self.assert_alive()

    def test_chunked_and_short(self):
        """What a chunked body lacks is known at its end only."""
        text, request, tail = self.make(2, 3, 2, ("FP32",) * 4)
        document = json.dumps(request).encode()
        for body, length in ((document + tail[:-1], len(document)), (document, len(document) + 1)):
            with self.daemon.connect() as connection:
                found = connection.request("POST", GRADIENTS, body, chunks=[7], headers=[
                    ("Content-Type", "application/json"), (LENGTH, str(length))])
            self.assert_problem(found, 400, "length_mismatch")



if __name__ == "__main__":
    unittest.main()

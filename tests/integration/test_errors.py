"""Refusals: every status that the interface has, as a problem document with code, place and words.
What is refused for its size on both sides of a limit is in test_limits.py, hostile framing in
test_hostile.py."""

import json
import unittest

from support import Daemon, DaemonCase, body_of, make_request, patience

GOOD = body_of(make_request(2, 2, 2))


def layer_with(**members):
    """A request of one good layer whose members are replaced; None leaves one out."""
    layer = {"activation": "relu", "input": [[1, 2], [3, 4]], "pre_activation": [[1], [2]],
             "grad_output": [[5], [6]]}
    layer.update(members)
    return {"layers": [{k: v for k, v in layer.items() if v is not None}]}


def request_with(**members):
    return {**layer_with(), **members}


# name: (request, code, pointer, words of the detail)
INVALID = {
    "columns differ": (layer_with(grad_output=[[5, 1], [6, 1]]), "shape_mismatch",
                       "/layers/0/pre_activation", ("has 1 column,", "has 2")),
    "rows differ": (layer_with(input=[[1, 2]]), "shape_mismatch", "/layers/0/", ("1", "2")),
    "vector and matrix": (layer_with(input=[1, 2]), "shape_mismatch", "/layers/0/", ()),
    "weight of another shape": (layer_with(weight=[[1, 2], [3, 4]]), "shape_mismatch",
                                "/layers/0/weight", ()),
    "rank 0": (layer_with(input=5), None, "/layers/0/input", ()),
    "ragged": (layer_with(input=[[1, 2], [3]]), "ragged_array", "/layers/0/input", ("1", "2")),
    "ragged by nesting": (layer_with(input=[[1, 2], 3]), "ragged_array", "/layers/0/input", ()),
    "empty tensor": (layer_with(input=[[], []]), "empty_tensor", "/layers/0/input", ()),
    "shape and data disagree": (layer_with(input={"shape": [2, 2], "data": [1, 2, 3]}),
                                "shape_mismatch", "/layers/0/input", ("2, 2", "3")),
    "shape of strings": (layer_with(input={"shape": ["2"], "data": [1, 2]}), None,
                         "/layers/0/input/shape", ()),
    "shape without data": (layer_with(input={"shape": [2, 2]}), "missing_field",
                           "/layers/0/input", ("data",)),
    "no layers": ({}, "missing_field", "", ("layers",)),
    "layers is no array": ({"layers": 3}, "unexpected_type", "/layers", ("array",)),
    "layers is empty": ({"layers": []}, None, "/layers", ()),
    "no input": (layer_with(input=None), "missing_field", "/layers/0", ("input",)),
    "no activation": (layer_with(activation=None), "missing_field", "/layers/0", ("activation",)),
    "no grad_output": (layer_with(grad_output=None), "missing_field", "/layers/0",
                       ("grad_output",)),
    "grad_input without weight": (request_with(outputs=["grad_input"]), "missing_field",
                                  "/layers/0", ("weight",)),
    "unknown activation": (layer_with(activation="rellu"), "unknown_name",
                           "/layers/0/activation", ("rellu",)),
    "unknown parameter": (layer_with(activation={"name": "relu", "slope": 1}), "unknown_field",
                          "/layers/0/activation/slope", ("slope",)),
    "bad parameter": (layer_with(activation={"name": "softplus", "beta": -1}), "bad_parameter",
                      "/layers/0/activation/beta", ()),
    "unknown field": (request_with(colour="blue"), "unknown_field", "/colour", ("colour",)),
    "unknown field of a layer": (layer_with(wait=1), "unknown_field", "/layers/0/wait",
                                 ("wait",)),
    "unknown reduction": (request_with(reduction="max"), None, "/reduction", ("max",)),
    "unknown output": (request_with(outputs=["loss"]), None, "/outputs/0", ("loss",)),
    "scale of a string": (request_with(scale="2"), "unexpected_type", "/scale", ("number",)),
    "id of a number": (request_with(id=7), "unexpected_type", "/id", ("string",)),
    "encoding of another version": (request_with(encoding="msgpack"), "unsupported_value",
                                    "/encoding", ("msgpack",)),
    "NaN under reject": (layer_with(input=[[1, "NaN"], [3, 4]]), "non_finite",
                         "/layers/0/input", ()),
    "a string in a tensor": (layer_with(input=[[1, "2"], [3, 4]]), None, "/layers/0/input", ()),
    "an object in a tensor": (layer_with(input=[[1, {}], [3, 4]]), None, "/layers/0/input", ()),
    "overflow under reject": (layer_with(input=[[3e38, 1], [3e38, 1]], grad_output=[[9], [9]]),
                              "non_finite", "/layers/0", ("weight_delta",)),
    "an array at the top": ([1, 2, 3], None, "", ("object",)),
}

# Texts that no JSON reader takes: (text, byte of the error or None)
MALFORMED = {
    b"": None, b"{": None, b"nonsense": None, b"{\"layers\":[}": None, b"[1,]": None,
    b"{\"a\":1,}": None,
    b"{\"layers\":[{\"input\":[01]}]}": None, b"{\"layers\":[{\"input\":[+1]}]}": 21,
    b"{\"layers\":[{\"input\":[.5]}]}": 21, b"{\"layers\":[{\"input\":[5.]}]}": None,
    b"{\"layers\":[{\"input\":[1,]}]}": None, b"{\"layers\":[{\"input\":[NaN]}]}": 21,
    b"{\"layers\":[{\"input\":[1 2]}]}": 23, b"{\"layers\":[{\"input\":[1e]}]}": None,
    b"{\"layers\":[{\"input\":[-]}]}": None, b"{\"layers\":[{\"input\":[Infinity]}]}": 21,
    GOOD + b"x": len(GOOD), GOOD + b"{}": len(GOOD), GOOD[:-1]: None,
    b"{\"id\":\"\xff\xfe\",\"layers\":[]}": None, b"{\"id\":\"\x01\"}": None,
    b"{'layers':[]}": None, b"\xff\xfe{\x00}\x00": 0, b"{\"id\":\"\\ud800\"}": None,
    b"// comment\n{}": None,
}


class Errors(DaemonCase):
    """Documents and headers that are refused."""

    def test_invalid_documents(self):
        for name, (request, code, pointer, words) in INVALID.items():
            with self.subTest(name):
                body = json.dumps(request).encode()
                problem = self.assert_problem(self.daemon.post(body), 422, code)
                found = problem.get("pointer", "")
                if pointer.endswith("/"):
                    self.assertTrue(found.startswith(pointer), problem)
                else:
                    self.assertTrue(found == pointer or found.startswith(pointer + "/"), problem)
                for word in words:
                    self.assertIn(word, problem["detail"])
                if "offset" in problem:
                    self.assertTrue(0 <= problem["offset"] <= len(body), problem)

    def test_offsets_point_at_the_value(self):
        body = b'{"layers":[{"activation":"relu","input":[1],"pre_activation":[1,2],' \
               b'"grad_output":[1]}]}'
        problem = self.assert_problem(self.daemon.post(body), 422, "shape_mismatch")
        self.assertEqual(problem["offset"], body.index(b"[1,2]"))
        body = b'{"layers":[{"activation":"rellu","input":[1],"pre_activation":[1],' \
               b'"grad_output":[1]}]}'
        problem = self.assert_problem(self.daemon.post(body), 422, "unknown_name")
        self.assertEqual(problem["offset"], body.index(b'"rellu"'))

    def test_paths_are_taken_as_they_are_spelled(self):
        for path in ("/v1/gradients%00x", "/v1%2Fgradients", "/v1/%67radients", "/v1/gradients/",
                     "http://test", "http://test/v1", "http:///v1/gradients", "ftp://test/v1/info"):
            with self.subTest(path):
                self.assert_problem(self.daemon.post(GOOD, path=path), 404, "unknown_path")

    def test_targets_of_absolute_form(self):
        self.assertEqual(self.daemon.get("http://test/livez").status, 200)
        self.assertEqual(self.daemon.get("HTTP://test:80/v1/info").status, 200)
        response = self.daemon.post(GOOD, path="http://test/v1/gradients?datatype=FP32")
        self.assertEqual(response.status, 200, response)

    def test_duplicate_fields(self):
        for body, pointer in (
                (b'{"scale":1,"scale":2,"layers":[]}', "/scale"),
                (GOOD.replace(b'"input":', b'"input":[[1,2],[3,4]],"input":'), "/layers/0/input"),
                (GOOD.replace(b'"input":', b'"activation":"relu","input":'), None)):
            response = self.daemon.post(body)
            with self.subTest(body[:60]):
                self.assertIn(response.status, (400, 422))
                problem = self.assert_problem(response, response.status, "duplicate_field")
                if pointer and "pointer" in problem:
                    self.assertEqual(problem["pointer"], pointer)

    def test_numbers_out_of_range(self):
        for text in ("1e39", "-3.4028236e38", "1e999", "1" + "0" * 60):
            body = GOOD.replace(b'"grad_output":[[', b'"grad_output":[[%s,' % text.encode())
            self.assert_problem(self.daemon.post(body), 422)
        body = b'{"layers":[{"input":[%s]}]}' % (b"1" * 2000)
        problem = self.assert_problem(self.daemon.post(body), 413)
        self.assertEqual(problem["limit"], {"name": "max_number_text", "value": 1024})

    def test_malformed_documents(self):
        for body, offset in MALFORMED.items():
            with self.subTest(body[:60]):
                problem = self.assert_problem(self.daemon.post(body), 400)
                if offset is not None:
                    self.assertEqual(problem.get("offset"), offset, problem)

    def test_nothing_after_an_error_is_lost(self):
        """A refused body leaves the connection in step: the next request is answered."""
        with self.daemon.connect() as connection:
            for body in (b"{", b"[1,2", GOOD + b"!"):
                self.assertEqual(connection.request("POST", "/v1/gradients", body).status, 400)
            for chunks in (None, 5):
                response = connection.request("POST", "/v1/gradients", GOOD, chunks=chunks)
                self.assertEqual(response.status, 200, response)

    def test_unknown_paths(self):
        for path in ("/v1", "/v1/gradient", "/v1/gradients/", "/v1/gradients/x",
                     "//v1/gradients", "/V1/gradients", "/metrics"):
            with self.subTest(path):
                self.assert_problem(self.daemon.get(path), 404)
        self.assert_problem(self.daemon.post(GOOD, path="/nowhere"), 404)
        self.assert_problem(self.daemon.get("/v1/info", admin=True), 404)

    def test_unknown_paths_are_explained(self):
        for path, words in (("/v1/gradient", "did you mean /v1/gradients?"),
                            ("/gradients", "did you mean /v1/gradients?"),
                            ("/v1/backward", "did you mean /v1/backprop?"),
                            ("/v1/grad", "did you mean /v1/gradients?"),
                            ("/v1/train", "expected one of"),
                            ("/v1/health", "expected one of"),
                            ("/V1/INFO", "did you mean /v1/info?"),
                            ("/v1/info/", "did you mean /v1/info?"),
                            ("/metrics", "/metrics is on the admin listener (admin-listen)"),
                            ("/x" * 100, "/v1/gradients, /v1/backprop, /v1/check, /v1/info")):
            with self.subTest(path):
                problem = self.assert_problem(self.daemon.get(path), 404, "unknown_path")
                self.assertIn(words, problem["detail"])
        problem = self.assert_problem(self.daemon.get("/v1/info", admin=True), 404, "unknown_path")
        self.assertIn("service's listener", problem["detail"])

    def test_root(self):
        """Whoever opens the address learns what is there; every path of it is."""
        for admin in (False, True):
            response = self.daemon.get("/", admin=admin)
            self.assertEqual(response.status, 200, response)
            found = response.json()
            self.assertEqual(found["name"], "gradientd")
            self.assertEqual(found["version"], self.daemon.get("/v1/info").json()["version"])
            for row in found["paths"]:
                with self.daemon.connect(admin=admin) as connection:
                    options = connection.request("OPTIONS", row["path"])
                    self.assertEqual(options.status, 204)
                    self.assertEqual(options.headers["allow"], row["methods"])
            self.assertEqual("/metrics" in [row["path"] for row in found["paths"]], admin)
            with self.daemon.connect(admin=admin) as connection:
                self.assertEqual(connection.request("HEAD", "/").status, 200)

    def test_unknown_query(self):
        for query, code in (("?datatype=FP16", "unsupported_value"), ("?x=1", "unknown_field")):
            response = self.daemon.post(GOOD, path="/v1/gradients" + query)
            self.assert_problem(response, 422, code)

    def test_unknown_query_words_are_explained(self):
        for query, code, meant in (("dtype=FP64", "unknown_field", "datatype"),
                                   ("data_type=FP64", "unknown_field", "datatype"),
                                   ("DataType=FP64", "unknown_field", "datatype"),
                                   ("precision=double", "unknown_field", "datatype"),
                                   ("datatype=fp64", "unsupported_value", "FP64"),
                                   ("datatype=double", "unsupported_value", "FP64"),
                                   ("datatype=float32", "unsupported_value", "FP32"),
                                   ("datatype=FP16", "unsupported_value", None),
                                   ("seed=1", "unknown_field", None),
                                   ("datatype", "unsupported_value", None)):
            with self.subTest(query):
                response = self.daemon.post(GOOD, path="/v1/gradients?" + query)
                problem = self.assert_problem(response, 422, code)
                hint = 'did you mean "%s"?' % meant if meant else "did you mean"
                (self.assertIn if meant else self.assertNotIn)(hint, problem["detail"])
        problem = self.assert_problem(self.daemon.get("/v1/info?x=1"), 422, "unknown_field")
        self.assertIn("/v1/info takes no query", problem["detail"])

    def test_methods(self):
        for method, path, allowed in (("GET", "/v1/gradients", {"POST"}),
                                      ("PUT", "/v1/gradients", {"POST"}),
                                      ("DELETE", "/v1/info", {"GET", "HEAD"}),
                                      ("POST", "/livez", {"GET", "HEAD"})):
            with self.subTest(method + path), self.daemon.connect() as connection:
                body = GOOD if method in ("PUT", "POST") else None
                response = connection.request(method, path, body)
                self.assert_problem(response, 405)
                found = {m.strip() for m in response.headers["allow"].split(",")}
                self.assertTrue(allowed & found and method not in found, found)

    def test_media_types(self):
        for value in ("text/plain", "application/x-www-form-urlencoded", "application/xml",
                      "application/jsonx", "application/json; charset=latin-1", "json"):
            with self.subTest(value):
                response = self.daemon.post(GOOD, headers=[("Content-Type", value)])
                self.assert_problem(response, 415)
        for value, words in (("text/plain", "found text/plain"),
                             ("application/json; charset=utf-16", "found charset=utf-16"),
                             ("application/json; a=1; charset=\"latin1\"",
                              "found charset=\"latin1\""),
                             ("application/json; charset", "found charset")):
            response = self.daemon.post(GOOD, headers=[("Content-Type", value)])
            problem = self.assert_problem(response, 415, "unsupported_media_type")
            self.assertIn(words, problem["detail"])
            self.assertEqual(response.headers["accept"],
                             "application/json, application/vnd.safetensors")
        for value in ("application/json; charset=utf-8", "Application/JSON", "application/json;",
                      "application/json; charset=utf8", "application/json; Charset=\"Utf-8\";",
                      "application/json;charset=UTF-8"):
            with self.subTest(value):
                response = self.daemon.post(GOOD, headers=[("Content-Type", value)])
                self.assertEqual(response.status, 200, response)

    def test_request_ids(self):
        for sent in ("abc-123", "x" * 64):
            response = self.daemon.post(GOOD, headers=[("X-Request-Id", sent)])
            self.assertEqual(response.headers["x-request-id"], sent)
            response = self.daemon.post(b"{", headers=[("X-Request-Id", sent)])
            self.assert_problem(response, 400, request_id=sent)
        made = set()
        for sent in ("x" * 65, "with blank", "\x80\xff", ""):
            response = self.daemon.post(GOOD, headers=[("X-Request-Id", sent)])
            self.assertNotEqual(response.headers["x-request-id"], sent)
            made.add(response.headers["x-request-id"])
        self.assertEqual(len(made), 4)
        self.assertTrue(all(0 < len(i) <= 64 and i.isascii() for i in made), made)


class Deadlines(unittest.TestCase):
    """Times of the daemon's own: 503 in the queue, 504 in work."""

    def test_request_timeout(self):
        with Daemon("--request-timeout", "1ms", "--inline-cost", "0s") as daemon:
            # A million numbers to print: tens of milliseconds, however fast the machine.
            response = daemon.post(make_request(32, 1000, 1000))
            self.assertEqual(response.status, 504, response)
            self.assertEqual(response.headers["content-type"], "application/problem+json")
            rejected = daemon.metrics().value("gradientd_rejections_total", reason="deadline")
            self.assertEqual(rejected, 1)
            daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_memory_leased_bytes")


if __name__ == "__main__":
    unittest.main()

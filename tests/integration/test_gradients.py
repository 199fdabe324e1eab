"""Right answers: POST /v1/gradients against the double-precision oracle, for every activation,
option and spelling; and the same bits whatever the path a request takes through the daemon."""

import itertools
import json
import random
import unittest

import oracle
import slopes
from support import SLOW, Daemon, DaemonCase, body_of, make_layer, make_request, scaled, values


class Gradients(DaemonCase):
    """Values, shapes and members of answers."""

    def check(self, request):
        response = self.daemon.post(request)
        self.assertEqual(response.status, 200, response)
        self.assertEqual(response.headers["content-type"], "application/json")
        answer = response.json()
        self.assertIsNone(oracle.compare(request, answer), request)
        return answer

    def test_every_activation(self):
        generator = random.Random(1)
        for activation in oracle.ACTIVATIONS:
            with self.subTest(activation):
                layer = make_layer(generator, 5, 4, 6, activation, weight=True)
                layer["pre_activation"][0] = [0.0, -0.0, 1e-8, -1e-8, 4.5, -4.5]
                self.check({"layers": [layer]})

    def test_activation_parameters(self):
        generator = random.Random(2)
        for activation in ({"name": "leaky_relu", "negative_slope": 0.2},
                           {"name": "leaky_relu", "negative_slope": -1.5}, {"name": "leaky_relu"},
                           {"name": "elu", "alpha": 0.5}, {"name": "relu"},
                           {"name": "softplus", "beta": 2, "threshold": 3},
                           {"name": "softplus", "threshold": 1},
                           {"name": "celu", "alpha": 0.3}, {"name": "hard_tanh", "min_val": -2},
                           {"name": "hard_tanh", "min_val": -0.5, "max_val": 0.25},
                           {"name": "threshold", "threshold": 0.3, "value": 20},
                           {"name": "softshrink", "lambda": 0.1}, {"name": "hardshrink"},
                           {"name": "hardshrink", "lambda": 1.25}):
            with self.subTest(str(activation)):
                self.check({"layers": [make_layer(generator, 3, 2, 7, activation)]})

    def test_kinks(self):
        generator = random.Random(11)
        z = [-3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0]
        for activation in oracle.ACTIVATIONS:
            with self.subTest(activation):
                layer = make_layer(generator, 1, 2, len(z), activation)
                layer["pre_activation"][0] = z
                self.check({"layers": [layer]})

    def test_extreme_states_stay_finite(self):
        limits = dict.fromkeys(oracle.ACTIVATIONS, (1, 0))
        limits.update({
            "identity": (1, 1), "softshrink": (1, 1), "hardshrink": (1, 1), "tanhshrink": (1, 1),
            "leaky_relu": (1, 0.01), "selu": (1.0507010, 0), "log_sigmoid": (0, 1)})
        limits.update(dict.fromkeys(("sigmoid", "tanh", "relu6", "hard_tanh", "hard_sigmoid"),
                                    (0, 0)))
        magnitudes = [88.0, 1e4, 3e38, 104.0]
        for activation in set(oracle.ACTIVATIONS) - {"exp", "softsign", "squared_relu", "snake"}:
            with self.subTest(activation):
                z = [sign * magnitude for magnitude in magnitudes for sign in (1, -1)]
                layer = {"activation": activation, "input": [1.0], "pre_activation": z,
                         "grad_output": [1.0] * len(z)}
                response = self.daemon.post({"layers": [layer]})
                self.assertEqual(response.status, 200, response)
                found = response.json()["layers"][0]["bias_delta"]
                if activation in slopes.SLOPES:
                    for value, limit in zip(found, limits[activation] * len(magnitudes)):
                        self.assertAlmostEqual(value, limit, delta=1e-6)

    def test_several_layers_of_mixed_shapes(self):
        generator = random.Random(3)
        shapes = [(1, 1, 1), (3, 17, 2), (8, 1, 31), (2, 64, 10), (33, 5, 3)]
        layers = [make_layer(generator, *shape, activation, weight=i % 2 == 0, name="layer %d" % i)
                  for i, (shape, activation) in enumerate(zip(shapes, oracle.ACTIVATIONS))]
        layers.append(make_layer(generator, 4, 4, 4, "softmax"))
        self.check({"layers": layers})

    def test_a_layer_of_many_tiles(self):
        generator = random.Random(4)
        self.check({"layers": [make_layer(generator, 9, 131, 67, "gelu", weight=True)]})

    def test_reduction_and_scale(self):
        for options in ({"reduction": "sum"}, {"reduction": "mean"}, {"scale": -0.01},
                        {"scale": 1e-3, "reduction": "mean"}, {"scale": 0}, {"scale": 12}):
            with self.subTest(str(options)):
                request = make_request(7, 3, 4, **options)
                request["layers"][0]["weight"] = values(random.Random(5), 4, 3)
                self.check(request)

    def test_outputs(self):
        names = ("weight_delta", "bias_delta", "grad_input")
        for count in (1, 2, 3):
            for outputs in itertools.combinations(names, count):
                with self.subTest(str(outputs)):
                    request = make_request(3, 4, 2, outputs=list(outputs))
                    if "grad_input" in outputs:
                        request["layers"][0]["weight"] = values(random.Random(6), 2, 4)
                    answer = self.check(request)
                    self.assertEqual(set(answer["layers"][0]), set(outputs))

    def test_default_outputs_follow_the_weights(self):
        generator = random.Random(7)
        answer = self.check({"layers": [make_layer(generator, 2, 2, 2, weight=True),
                                        make_layer(generator, 2, 2, 2)]})
        self.assertIn("grad_input", answer["layers"][0])
        self.assertNotIn("grad_input", answer["layers"][1])

    def test_vectors_are_a_batch_of_one(self):
        generator = random.Random(8)
        for activation in ("tanh", "softmax"):
            layer = {"activation": activation, "input": values(generator, 4),
                     "pre_activation": values(generator, 3), "grad_output": values(generator, 3),
                     "weight": values(generator, 3, 4)}
            answer = self.check({"layers": [layer], "reduction": "mean"})
            self.assertEqual(oracle.shape_of(answer["layers"][0]["grad_input"]), [4])

    def test_shape_and_data(self):
        request = make_request(3, 4, 2)
        plain = self.daemon.post(request).body
        for flat in (True, False):
            other = json.loads(json.dumps(request))
            for name in ("input", "pre_activation", "grad_output"):
                rows = other["layers"][0][name]
                data = list(oracle.flatten(rows)) if flat else rows
                other["layers"][0][name] = {"shape": [len(rows), len(rows[0])], "data": data}
                # One tensor after the other: the mixtures are tried on the way.
                self.assertEqual(self.daemon.post(other).body, plain)
            other["layers"][0]["input"] = dict(reversed(other["layers"][0]["input"].items()))
            self.assertEqual(self.daemon.post(other).body, plain)

    def test_spelling_does_not_matter(self):
        request = make_request(2, 3, 2, scale=2, id="a")
        plain = self.daemon.post(request).body
        backwards = {k: request[k] for k in reversed(list(request))}
        backwards["layers"] = [dict(reversed(layer.items())) for layer in request["layers"]]
        spaced = json.dumps(backwards, indent=3).replace("\n", "\r\n\t ").encode()
        escaped = body_of(request).replace(b'"input"', b'"\\u0069nput"')
        for body in (body_of(backwards), spaced, b" \n" + body_of(request) + b"\r\n ", escaped):
            self.assertEqual(self.daemon.post(body).body, plain)

    def test_id_and_names_are_echoed(self):
        for text in ("step-417", "", "\u00e4\u20ac\U0001f642", 'quote " and \\', "tab\tnl\n\u0001"):
            with self.subTest(repr(text)):
                request = make_request(1, 1, 1, id=text)
                request["layers"][0]["name"] = text
                self.check(request)

    def test_numbers_are_read_exactly(self):
        texts = {
            "1.00000017881393421514957253748434595763683319091796875": 1 + 2 ** -23,
            "16777217.0000000000000000001": 16777218.0, "16777217": 16777216.0,
            "7.0064923216240853e-46": 0.0, "7.0064923216240861e-46": 2.0 ** -149,
            "1.01161128282547": 1.0116113424301147, "1e-60": 0.0,
            "3.4028234663852886e38": oracle.float32(3.4028234663852886e38), "-0.0": 0.0}
        for text, wanted in texts.items():
            with self.subTest(text):
                body = ('{"outputs":["bias_delta"],"layers":[{"activation":"identity","input":[0],'
                        '"pre_activation":[0],"grad_output":[%s]}]}' % text).encode()
                found = self.daemon.post(body).json()["layers"][0]["bias_delta"][0]
                self.assertEqual(oracle.bits(found), oracle.bits(wanted))

    def test_non_finite_numbers_are_allowed_on_request(self):
        layer = {"activation": "identity", "input": [[1, "Infinity"], [2, 3]],
                 "pre_activation": [[0], ["NaN"]], "grad_output": [[1], [3]]}
        answer = self.check({"non_finite": "allow", "layers": [layer]})
        self.assertEqual(answer["layers"][0]["weight_delta"], [[7, "Infinity"]])
        layer["grad_output"] = [["-Infinity"], [3]]
        answer = self.check({"non_finite": "allow", "layers": [layer]})
        self.assertEqual(answer["layers"][0]["weight_delta"], [["-Infinity", "-Infinity"]])
        layer["grad_output"] = [[1], ["NaN"]]
        answer = self.check({"non_finite": "allow", "layers": [layer]})
        self.assertEqual(answer["layers"][0]["bias_delta"], ["NaN"])
        layer.update(input=[[3e38, 1], [3e38, 1]], grad_output=[[1], [1]])
        answer = self.daemon.post({"non_finite": "allow", "layers": [layer]}).json()
        self.assertEqual(answer["layers"][0]["weight_delta"], [["Infinity", 2]])

    def test_every_cut_gives_the_same_bytes(self):
        request = make_request(2, 3, 2, id="cut", scale=-0.5)
        body = body_of(request)
        plain = self.daemon.post(body).body
        self.assertIsNone(oracle.compare(request, json.loads(plain)))
        with self.daemon.connect() as connection:
            for cut in range(1, len(body), scaled(1, 7)):
                found = connection.request("POST", "/v1/gradients", body, chunks=[cut])
                self.assertEqual((found.status, found.body), (200, plain), "cut at %d" % cut)
            for size in (1, 2, 3, 7, 64):
                found = connection.request("POST", "/v1/gradients", body, chunks=size)
                self.assertEqual((found.status, found.body), (200, plain), "pieces of %d" % size)

    def test_segments_of_tcp_do_not_matter(self):
        request = make_request(2, 2, 2)
        plain = self.daemon.post(request).body
        with self.daemon.connect() as connection:
            data = b"POST /v1/gradients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" \
                   b"Content-Length: %d\r\n\r\n" % len(body_of(request)) + body_of(request)
            for i in range(len(data)):
                connection.send(data[i:i + 1])
            self.assertEqual(connection.read_response().body, plain)


class SameBits(unittest.TestCase):
    """Inline or pooled, one worker or several: not a bit differs."""

    def test_paths_through_the_daemon(self):
        generator = random.Random(9)
        small = {"layers": [make_layer(generator, 4, 8, 8, "tanh", weight=True)]}
        large = {"layers": [make_layer(generator, 33, 200, 90, name, weight=True)
                            for name in ("gelu", "softmax", "relu")], "reduction": "mean"}
        answers = []
        for flags in (("--inline-cost", "1s"), ("--inline-cost", "0s", "--workers", "1"),
                      ("--inline-cost", "0s", "--workers", "4", "--event-loops", "3")):
            with Daemon(*flags) as daemon:
                responses = [daemon.post(request) for request in (small, large)]
                self.assertEqual([r.status for r in responses], [200, 200])
                answers.append([r.body for r in responses])
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])
        self.assertIsNone(oracle.compare(small, json.loads(answers[0][0])))
        if not SLOW:  # the oracle takes seconds
            self.assertIsNone(oracle.compare(large, json.loads(answers[0][1])))


if __name__ == "__main__":
    unittest.main()

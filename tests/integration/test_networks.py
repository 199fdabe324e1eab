"""POST /v1/backprop and /v1/check as the daemon serves them: each path takes its own bodies, in
either datatype, the same bits whoever computes, a deadline in the middle of long work, counts by
route. Whether the numbers are right is the unit tests' and tests/conformance/'s to say; here one
small network is worked out by hand."""

import json
import random
import unittest

from support import (Case, Daemon, DaemonCase, body_of, make_layer, make_request, patience, scaled,
                     values)

BACKPROP, CHECK, GRADIENTS = "/v1/backprop", "/v1/check", "/v1/gradients"
IN_DOUBLES = "?datatype=FP64"

# z = 3 + 2 * 4 = 11, L = (11 - 10)^2 = 1, dL/dz = 2.
BY_HAND = {"id": "h", "layers": [{"name": "fc", "activation": "identity", "weight": [[1, 2]]}],
           "input": [[3, 4]], "loss": {"name": "mse", "target": [[10]]},
           "outputs": ["weight_delta", "bias_delta", "grad_input", "predictions"]}
ANSWER_BY_HAND = {"id": "h", "loss": 1, "predictions": [[11]], "grad_input": [[2, 4]],
                  "layers": [{"name": "fc", "weight_delta": [[6, 8]], "bias_delta": [2]}]}


def make_network(B, widths, seed=1, activation="tanh", **members):
    """A network of dense layers of these widths, with a norm behind the first, and its loss."""
    generator = random.Random(seed)
    layers = [{"activation": activation, "weight": values(generator, n, k),
               "bias": values(generator, n)} for k, n in zip(widths, widths[1:])]
    layers.insert(1, {"type": "layer_norm", "gain": values(generator, widths[1]),
                      "shift": values(generator, widths[1])})
    return {"layers": layers, "input": values(generator, B, widths[0]),
            "loss": {"name": "mse", "target": values(generator, B, widths[-1])}, **members}


class Networks(DaemonCase):
    """One daemon as it starts by default."""

    def test_by_hand(self):
        for path in (BACKPROP, BACKPROP + IN_DOUBLES, BACKPROP + "?datatype=FP32"):
            response = self.daemon.post(BY_HAND, path=path)
            self.assertEqual(response.status, 200, response)
            self.assertEqual(response.json(), ANSWER_BY_HAND)

    def test_each_path_takes_its_own_bodies(self):
        for body, path, word in ((BY_HAND, GRADIENTS, "input"),
                                 (make_request(2, 3, 4), BACKPROP, ""),
                                 ({"layers": []}, CHECK, "layer")):
            response = self.daemon.post(body, path=path)
            problem = self.assert_problem(response, 422)
            self.assertIn(word, problem["detail"])
        for path in (BACKPROP, CHECK):
            self.assert_problem(self.daemon.post(b"{", path=path), 400, "malformed_json")
            self.assert_problem(self.daemon.get(path), 405, "method_not_allowed")
            response = self.daemon.post(BY_HAND, path=path, headers=[("Content-Type", "text/x")])
            self.assert_problem(response, 415)

    def test_an_error_found_in_the_measuring_has_its_place(self):
        body = json.dumps({**BY_HAND, "input": [[1, 2, 3]]}).encode()
        problem = self.assert_problem(self.daemon.post(body, path=BACKPROP), 422, "shape_mismatch")
        self.assertIn("offset", problem)
        self.assertLess(problem["offset"], len(body))

    def test_predictions_alone_need_no_start(self):
        """A forward pass: no loss, no grad_output, and no answer but y."""
        request = {name: BY_HAND[name] for name in ("layers", "input")}
        request["outputs"] = ["predictions"]
        for path in (BACKPROP, BACKPROP + IN_DOUBLES):
            response = self.daemon.post(request, path=path)
            self.assertEqual(response.status, 200, response)
            self.assertEqual(response.json(), {"predictions": [[11]], "layers": [{"name": "fc"}]})
        for outputs in (["predictions", "weight_delta"], ["grad_input"]):
            problem = self.assert_problem(
                self.daemon.post({**request, "outputs": outputs}, path=BACKPROP), 422,
                "missing_field")
            self.assertIn("grad_output", problem["detail"])
        self.assert_problem(self.daemon.post(request, path=CHECK), 422, "missing_field")

    def test_losses_of_one_sample(self):
        """As docs/losses.md has them: [N] or [1] where the sample is a vector; a target [1] of one
        output is a probability, whatever number it is."""
        for y, loss, none_gives in (
                ([2, 1], {"name": "mse", "target": [1, 2]}, [1, 1]),
                ([2, 1], {"name": "gaussian_nll", "target": [2, 1], "variance": [1]}, [0, 0]),
                ([4, 3], {"name": "cosine_embedding", "target": [1], "other": [-3, 4]}, [1]),
                ([9, -900], {"name": "cross_entropy", "target": [0]}, [0]),
                ([9, -900], {"name": "cross_entropy", "target": [1]}, [909]),
                ([9, -900], {"name": "nll", "target": [1]}, [900]),
                ([9], {"name": "cross_entropy", "target": [5]}, [0]),
                ([9], {"name": "cross_entropy", "target": [-100]}, [0])):
            body = {"layers": [{"type": "activation", "activation": "identity"}], "input": y,
                    "loss": {**loss, "reduction": "none"}}
            response = self.daemon.post(body, path=BACKPROP)
            self.assertEqual(response.status, 200, response)
            self.assertEqual(response.json()["loss"], none_gives, loss)

    def test_doubles_are_written_in_15_digits_at_least(self):
        response = self.daemon.post({"layers": [{"activation": "identity", "input": [5e-324],
                                                 "pre_activation": [0], "grad_output": [1]}]},
                                    path=GRADIENTS + IN_DOUBLES)
        self.assertIn(b'"weight_delta":[[4.94065645841247e-324]]', response.body)

    def test_stages_and_log(self):
        for path, body in ((BACKPROP, BY_HAND), (CHECK, BY_HAND)):
            response = self.daemon.post(body, path=path,
                                        headers=[("X-Request-Id", "stages" + path)])
            self.assertEqual(response.status, 200, response)
            for stage in ("decode", "compute", "encode"):
                self.assertIn(stage, response.headers["server-timing"])
            line = self.daemon.wait_log(patience(5), request_id="stages" + path)
            self.assertEqual((line["path"], line["layers"]), (path, 1))
            self.assertGreaterEqual(line["numbers"], 3)


class Datatypes(DaemonCase):
    """?datatype=, on the paths that compute and only there."""

    def layer(self, **members):
        return {"layers": [{"activation": "identity", "input": [1], "pre_activation": [0],
                            "grad_output": [0.1], **members}]}

    def test_numbers_are_doubles_where_the_query_says_so(self):
        for value in (0.1, 1e39, 1.7976931348623157e308, 5e-324, 0.30000000000000004):
            response = self.daemon.post(self.layer(grad_output=[value]),
                                        path=GRADIENTS + IN_DOUBLES)
            self.assertEqual(response.status, 200, response)
            self.assertEqual(response.json()["layers"][0]["bias_delta"], [value])
        response = self.daemon.post(self.layer(grad_output=[1e39]))
        self.assert_problem(response, 422, "number_out_of_range")
        narrow = self.daemon.post(self.layer(grad_output=[0.30000000000000004]))
        self.assertEqual(narrow.json()["layers"][0]["bias_delta"], [0.3])

    def test_unknown_datatypes(self):
        for path in (GRADIENTS, BACKPROP, CHECK):
            for value in ("FP16", "fp64", "", "FP64x", "FP32%20"):
                response = self.daemon.post(BY_HAND, path="%s?datatype=%s" % (path, value))
                problem = self.assert_problem(response, 422, "unsupported_value")
                self.assertIn("FP32", problem["detail"])
                self.assertIn("FP64", problem["detail"])
            self.assert_problem(self.daemon.post(BY_HAND, path=path + "?datatype"), 422,
                                "unsupported_value")

    def test_two_datatypes(self):
        for query in ("?datatype=FP32&datatype=FP64", "?datatype=FP64&datatype=FP64"):
            response = self.daemon.post(BY_HAND, path=BACKPROP + query)
            self.assert_problem(response, 422, "duplicate_field")

    def test_other_parameters_and_other_paths(self):
        for query in ("?dtype=FP64", "?datatype=FP64&x=1", "?Datatype=FP64"):
            self.assert_problem(self.daemon.post(BY_HAND, path=BACKPROP + query), 422,
                                "unknown_field")
        self.assert_problem(self.daemon.get("/v1/info" + IN_DOUBLES), 422, "unknown_field")


class Checks(DaemonCase):
    """What POST /v1/check answers."""

    def test_right_gradients_pass(self):
        generator = random.Random(3)
        layers = [make_layer(generator, 3, 4, 5, "tanh", weight=True, name="l"),
                  make_layer(generator, 2, 3, 2, "softmax")]
        for body in (BY_HAND, make_network(4, (5, 6, 3)), {"layers": layers}):
            for query in ("", IN_DOUBLES):
                response = self.daemon.post(body, path=CHECK + query)
                self.assertEqual(response.status, 200, response)
                report = response.json()
                self.assertEqual(report["verdict"], "pass", report)
                self.assertEqual(report["tolerance"], 1e-6 if query else 1e-4)
                self.assertGreaterEqual(len(report["tensors"]), 2)
                self.assertEqual("loss" in report, "loss" in body)

    def test_a_wrong_claim_fails_and_a_right_one_passes(self):
        for delta, verdict in ([6, 8], "pass"), ([6, -8], "fail"):
            body = json.loads(json.dumps(BY_HAND))
            body["layers"][0]["weight_delta"] = [delta]
            response = self.daemon.post(body, path=CHECK + IN_DOUBLES)
            self.assertEqual(response.status, 200, response)
            report = response.json()
            self.assertEqual(report["verdict"], verdict)
            found = {t["tensor"]: t for t in report["tensors"]}
            self.assertEqual(found["weight_delta"]["verdict"], "pass")
            self.assertEqual(found["weight_delta"]["claim"]["verdict"], verdict)
            self.assertNotIn("claim", found["bias_delta"])

    def test_an_option_that_a_check_has_no_use_for(self):
        response = self.daemon.post({**BY_HAND, "on_error": "continue"}, path=CHECK)
        problem = self.assert_problem(response, 422, "unsupported_value")
        self.assertEqual(problem["pointer"], "/on_error")

    def test_a_claim_of_another_shape(self):
        body = json.loads(json.dumps(BY_HAND))
        body["layers"][0]["weight_delta"] = [[6, 8, 1]]
        problem = self.assert_problem(self.daemon.post(body, path=CHECK), 422, "shape_mismatch")
        self.assertEqual(problem["pointer"], "/layers/0/weight_delta")


class WhoeverComputes(Case):
    """The same bits from the event loop and from any number of workers."""

    def test_same_bytes(self):
        size = scaled(160, 48)
        network = body_of(make_network(size, (size, size // 2, 10), outputs=["predictions",
                                                                             "weight_delta"]))
        check = body_of({**make_network(5, (7, 6, 3)), "check": {"samples": 3}})
        answers = set()
        for flags in (("--inline-cost", "1s"), ("--inline-cost", "0s", "--workers", "1"),
                      ("--inline-cost", "0s", "--workers", "4", "--event-loops", "3")):
            with Daemon(*flags) as daemon:
                answer = []
                for body, path in ((network, BACKPROP), (network, BACKPROP + IN_DOUBLES),
                                   (check, CHECK), (check, CHECK + IN_DOUBLES)):
                    response = daemon.post(body, path=path)
                    self.assertEqual(response.status, 200, response)
                    answer.append(response.body)
                answers.add(tuple(answer))
        self.assertEqual(len(answers), 1)


class Bounds(Case):
    """Deadlines, budgets and counts of the new paths."""

    def test_a_long_check_ends_at_its_deadline(self):
        network = make_network(32, (300, 300, 200, 10))
        body = body_of({**network, "check": {"samples": 200}})  # some seconds
        with Daemon("--request-timeout", "200ms", "--workers", "2") as daemon:
            response = daemon.post(body, path=CHECK, headers=[("X-Request-Id", "long")])
            self.assertEqual(response.status, 504, response)
            self.assertEqual(response.json()["code"], "deadline_exceeded")
            line = daemon.wait_log(patience(5), request_id="long")
            self.assertLess(line["total_us"], patience(5) * 1e6)
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("gradientd_rejections_total", reason="deadline"), 1)
            daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_memory_leased_bytes")
            self.assertEqual(daemon.post(BY_HAND, path=BACKPROP).status, 200)

    def test_memory_is_leased_for_what_a_network_holds(self):
        """The states of a forward pass, which neither request nor answer have."""
        request = make_network(4, (8, 4000, 8), outputs=["bias_delta"])
        body = body_of({**request, "input": {"shape": [400, 8], "data": [1] * 3200},
                        "loss": {"name": "mse",
                                 "target": {"shape": [400, 8], "data": [1] * 3200}}})
        with Daemon("--memory-budget", "16MiB") as daemon:
            problem = self.assert_problem(daemon.post(body, path=BACKPROP), 413,
                                          "memory_budget_too_small")
            self.assertEqual(problem["limit"]["name"], "memory_budget")
        with Daemon("--memory-budget", "64MiB") as daemon:
            self.assertEqual(daemon.post(body, path=BACKPROP).status, 200)

    def test_results_by_sample_are_held_against_their_limit(self):
        request = make_network(50, (20, 20, 4), reduction="none")
        with Daemon("--max-result-numbers", "10000") as daemon:
            self.assert_problem(daemon.post(request, path=BACKPROP), 413, "max_result_numbers")
            request["reduction"] = "sum"
            self.assertEqual(daemon.post(request, path=BACKPROP).status, 200)

    def test_counts_by_route(self):
        with Daemon() as daemon:
            for path, times in ((GRADIENTS, 1), (BACKPROP, 2), (CHECK, 3)):
                for _ in range(times):
                    daemon.post(make_request(1, 1, 1) if path == GRADIENTS else BY_HAND, path=path)
                daemon.wait_metric(lambda found, times=times: found == times, patience(5),
                                   "gradientd_requests_total", route=path, status="200")


if __name__ == "__main__":
    unittest.main()

"""Long work beside short work: a check that would take minutes leaves the workers to others, ends
at its deadline, and is refused where it would cost more than it may."""

import random
import statistics
import time
import unittest

from support import (Case, Daemon, DaemonCase, body_of, build_request, make_layer, patience, scaled,
                     values)

RUN_ALONE = True


def check_of(B, K, N, samples, layers=1):
    generator = random.Random(1)
    shapes = [(K, N)] + [(N, N)] * (layers - 1)
    return body_of({"layers": [{"activation": "gelu", "weight": values(generator, n, k)}
                               for k, n in shapes],
                    "input": values(generator, B, K), "grad_output": values(generator, B, N),
                    "check": {"samples": samples}})


SMALL = body_of({"layers": [make_layer(random.Random(2), 4, 30, 20)]})
LARGE = body_of({"layers": [make_layer(random.Random(3), 64, scaled(256, 128),
                                       scaled(256, 128))]})


class Beside(DaemonCase):
    """One worker, which a check has."""

    FLAGS = ("--workers", "1", "--inline-cost", "0s", "--queue-timeout", "3s")

    def begin_check(self, body):
        connection = self.daemon.connect()
        connection.send(build_request("POST", "/v1/check", body))
        self.daemon.wait_metric(lambda v: v >= 1, patience(20), "gradientd_jobs_running")
        return connection

    def seconds_of(self, body, times, source=None):
        """The median of so many requests, all of which must be answered."""
        taken = []
        with self.daemon.connect(source=source) as connection:
            for _ in range(times):
                began = time.monotonic()
                response = connection.request("POST", "/v1/gradients", body)
                taken.append(time.monotonic() - began)
                self.assertEqual(response.status, 200, response)
        return statistics.median(taken)

    def test_requests_are_answered_beside_a_check(self):
        """Of many short tiles, and of few that are long themselves."""
        for body in (check_of(16, 64, 64, 30000), check_of(scaled(512, 128), 512, 512, 30)):
            alone = self.seconds_of(SMALL, 15), self.seconds_of(LARGE, 5)
            check = self.begin_check(body)
            beside = self.seconds_of(SMALL, 15), self.seconds_of(LARGE, 5)
            self.assertEqual(self.daemon.metrics().value("gradientd_jobs_running"), 1)
            check.reset()
            for a, b in zip(alone, beside):
                self.assertLess(b, 4 * a + patience(0.1))
        self.assertEqual(self.daemon.metrics().value("gradientd_requests_total", status="503"), 0)

    def test_requests_are_answered_beside_long_ones(self):
        """That are no checks: an outer product, most of which is printing and compressing."""
        size = scaled(1500, 1300)
        outer = body_of({"outputs": ["weight_delta"],
                         "layers": [make_layer(random.Random(4), 1, size, size)]})
        self.seconds_of(SMALL, 1, source="127.0.0.2")
        alone = self.seconds_of(LARGE, 5, source="127.0.0.2")
        long_ones = [self.daemon.connect(receive_buffer=4096) for _ in range(4)]
        for connection in long_ones:
            connection.send(build_request("POST", "/v1/gradients?datatype=FP64", outer,
                                          [("Accept-Encoding", "gzip")]))
        self.daemon.wait_metric(lambda v: v >= 2, patience(20), "gradientd_jobs_running")
        beside = []
        while len(beside) < 5 and self.daemon.metrics().value("gradientd_jobs_running") > 0:
            beside.append(self.seconds_of(LARGE, 1, source="127.0.0.2"))
        for connection in long_ones:
            connection.reset()
        self.assertLess(statistics.median(beside), 4 * alone + patience(0.1))

    def test_beside_as_many_checks_as_take_turns(self):
        checks = [self.begin_check(check_of(16, 64, 64, 30000)) for _ in range(6)]
        self.seconds_of(SMALL, 10)
        for check in checks:
            check.reset()
        self.assertEqual(self.daemon.metrics().value("gradientd_requests_total", status="503"), 0)


class Deadline(Case):
    """check-timeout, and request-timeout where that is shorter."""

    def assert_late(self, flags, option):
        with Daemon(*flags) as daemon:
            began = time.monotonic()
            problem = self.assert_problem(
                daemon.post(check_of(64, 512, 512, 400), path="/v1/check"), 504,
                "deadline_exceeded")
            self.assertIn(option, problem["detail"])
            self.assertLess(time.monotonic() - began, patience(1.5))
            self.assertEqual(daemon.post(LARGE).status, 200)

    def test_check_timeout(self):
        self.assert_late(("--check-timeout", "0.3s"), "check-timeout")

    def test_request_timeout_is_never_exceeded(self):
        self.assert_late(("--request-timeout", "0.3s"), "request-timeout")
        self.assert_late(("--request-timeout", "0.3s", "--check-timeout", "10s"),
                         "request-timeout")


class Cost(Case):
    """max-check-flops: the bound of a check's work, known before any of it."""

    def test_a_check_that_costs_more_is_refused(self):
        few, many = check_of(8, 16, 8, 1), check_of(8, 16, 8, 100)
        with Daemon("--max-check-flops", "3M") as daemon:
            self.assertEqual(daemon.get("/v1/info").json()["limits"]["max_check_flops"], 3000000)
            self.assertEqual(daemon.post(few, path="/v1/check").status, 200)
            began = time.monotonic()
            problem = self.assert_problem(daemon.post(many, path="/v1/check"), 413,
                                          "max_check_flops", pointer="/check",
                                          limit={"name": "max_check_flops", "value": 3000000})
            self.assertLess(time.monotonic() - began, patience(1))
            self.assertIn("expected differences of at most 3e+06 operations, found up to",
                          problem["detail"])
            self.assertEqual(daemon.post(many.replace(b'{"samples":100}', b'{"samples":1}'),
                                         path="/v1/check").status, 200)


if __name__ == "__main__":
    unittest.main()

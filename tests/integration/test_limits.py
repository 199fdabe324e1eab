"""Limits on both sides: what is exactly at one passes, what is one beyond is refused with the
limit's name and value, and before the body is read where the headers suffice."""

import json
import random
import socket
import threading
import time
import unittest

from support import (Broken, Case, Daemon, DaemonCase, body_of, build_request, make_layer,
                     make_request, patience, values)

MAX_BODY = 20000


def padded(size):
    """A good request of exactly that many bytes."""
    body = body_of(make_request(2, 3, 4))
    return body + b" " * (size - len(body))


class Limits(DaemonCase):
    """Sizes of one request."""

    FLAGS = ("--max-body", str(MAX_BODY), "--max-layers", "3", "--max-numbers", "400",
             "--max-result-numbers", "300", "--max-envelope", "1KiB", "--inline-cost", "0s",
             "--linger-size", "32MiB")

    def assert_limit(self, response, name, value, status=413):
        problem = self.assert_problem(response, status)
        self.assertEqual(problem.get("limit"), {"name": name, "value": value}, problem)
        return problem

    def test_body(self):
        for chunks in (None, 1000):
            response = self.daemon.post(padded(MAX_BODY), chunks=chunks)
            self.assertEqual(response.status, 200, response)
            response = self.daemon.post(padded(MAX_BODY + 1), chunks=chunks)
            self.assert_limit(response, "max_body", MAX_BODY)

    def test_body_is_refused_before_it_is_sent(self):
        with self.daemon.connect() as connection:
            connection.send(build_request("POST", "/v1/gradients", b"", [
                ("Content-Length", str(10 ** 15)), ("Expect", "100-continue")]))
            self.assert_limit(connection.read_response(interim=True), "max_body", MAX_BODY)

    def test_bodies_that_nobody_expects(self):
        body = b" " * 65536
        for chunks in (None, 1000):
            with self.daemon.connect() as connection:
                response = connection.request("GET", "/v1/info", body, chunks=chunks)
                self.assertEqual(response.status, 200, response)
            with self.daemon.connect() as connection:
                response = connection.request("GET", "/v1/info", body + b" ", chunks=chunks)
                self.assert_limit(response, "max_ignored_body", 65536)

    def test_chunked_growth_is_refused(self):
        """A body without a declared length is cut off some time after the limit."""
        piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        with self.daemon.connect() as connection:
            connection.send(b"POST /v1/gradients HTTP/1.1\r\nHost: a\r\nContent-Type: application/"
                            b"json\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent = 0
            try:
                while sent < 2 ** 30:
                    connection.send(piece)
                    sent += len(piece)
            except (ConnectionError, socket.timeout):
                pass
            self.assertLess(sent, 2 ** 27)
            self.assert_limit(connection.read_response(), "max_body", MAX_BODY)

    def test_layers(self):
        generator = random.Random(1)
        layers = [make_layer(generator, 1, 2, 2) for _ in range(4)]
        self.assertEqual(self.daemon.post({"layers": layers[:3]}).status, 200)
        self.assert_limit(self.daemon.post({"layers": layers}), "max_layers", 3)

    def test_numbers(self):
        # B(K + 2N): 400 and 404 numbers; the outputs are N.
        def request(K):
            return {"outputs": ["bias_delta"],
                    "layers": [make_layer(random.Random(2), 4, K, 10)]}
        self.assertEqual(self.daemon.post(request(80)).status, 200)
        self.assert_limit(self.daemon.post(request(81)), "max_numbers", 400)

    def test_result_numbers(self):
        # N(K + 1): 300 and 310.
        def request(K):
            return {"layers": [make_layer(random.Random(3), 1, K, 10)]}
        self.assertEqual(self.daemon.post(request(29)).status, 200)
        problem = self.assert_limit(self.daemon.post(request(30)), "max_result_numbers", 300)
        self.assertIn("310", problem["detail"])

    def test_envelope(self):
        # The envelope is the document without its arrays of numbers; how much the daemon adds for
        # each of them is its own affair, so both sides keep a distance.
        self.assertEqual(self.daemon.post(make_request(1, 1, 1, id="x" * 600)).status, 200)
        problem = self.assert_problem(self.daemon.post(make_request(1, 1, 1, id="x" * 1100)), 413)
        self.assertEqual(problem["limit"], {"name": "max_envelope", "value": 1024})

    def test_depth(self):
        body = b'{"layers":' + b"[" * 60 + b"1" + b"]" * 60 + b"}"
        self.assert_limit(self.daemon.post(body), "max_depth", 32)

    def test_each_limit_is_in_the_information(self):
        """All that the tests of this class hit, by the names that the problems give them."""
        wanted = {"max_body": MAX_BODY, "max_layers": 3, "max_numbers": 400,
                  "max_result_numbers": 300, "max_envelope": 1024, "max_depth": 32,
                  "max_number_text": 1024, "max_check_flops": 10 ** 12, "max_headers": 61440,
                  "max_ignored_body": 65536, "max_expansion": 20, "max_connections": 4096,
                  "queue_depth": 4096}
        found = self.daemon.get("/v1/info").json()["limits"]
        self.assertGreater(found.pop("memory_budget"), 0)
        self.assertEqual(found, wanted)

    def test_fixed_limits_are_those_that_are_hit(self):
        """On both sides of what the information says."""
        limits = self.daemon.get("/v1/info").json()["limits"]
        most = limits["max_depth"] - 2  # an object and an array are around it already
        for depth, status in ((most, 422), (most + 1, 413)):
            body = b'{"layers":[' + b"[" * depth + b"1" + b"]" * depth + b"]}"
            self.assertEqual(self.daemon.post(body).status, status, depth)
        for length, status in ((limits["max_number_text"], 200),
                               (limits["max_number_text"] + 1, 413)):
            body = b'{"layers":[{"activation":"relu","input":[%s],"pre_activation":[1],' \
                   b'"grad_output":[1]}]}' % (b"1." + b"0" * (length - 2))
            self.assertEqual(self.daemon.post(body).status, status, length)

    def test_headers(self):
        for size, wanted in ((1000, (200,)), (400000, (431,))):
            with self.subTest(size), self.daemon.connect() as connection:
                connection.send(build_request("GET", "/livez", headers=[("X-Long", "y" * size)]))
                self.assertIn(connection.read_response().status, wanted)
        with self.daemon.connect() as connection:
            path = "/livez?" + "z" * 400000
            try:
                self.assertIn(connection.request("GET", path).status, (414, 431))
            except (Broken, ConnectionError):
                pass


class Headers(DaemonCase):
    """Headers leave room in a connection's buffer for those of the reply, or are refused."""

    NOTE = 64  # bytes that are added for each header

    def assert_sides(self, limit, build, admin=False):
        """That a request of limit bytes is answered, and one of a byte more refused. build makes
        the request with a header of so many bytes, and says how many headers it has."""
        data, count = build(0)
        fill = limit - len(data) - count * self.NOTE
        for more in (0, 1, 1000, 2000, 3000):
            with self.subTest(more), self.daemon.connect(admin=admin) as connection:
                connection.send(build(fill + more)[0])
                response = connection.read_response()
                if more == 0:
                    self.assertEqual(response.status, 200, response)
                    continue
                problem = self.assert_problem(response, 431, "headers_too_large")
                self.assertEqual(problem["limit"], {"name": "max_headers", "value": limit})
                self.assertEqual(response.headers["connection"], "close")

    def test_one_long_header(self):
        def build(size):
            return build_request("GET", "/v1/info", headers=[("X-Long", "y" * size)]), 2
        self.assert_sides(61440, build)

    def test_many_short_headers(self):
        def build(size):
            many = [("X-%03d" % i, "y") for i in range(700)]
            return build_request("GET", "/v1/info", headers=many + [("X-Long", "y" * size)]), 702
        self.assert_sides(61440, build)

    def test_the_admin_listener(self):
        def build(size):
            return build_request("GET", "/metrics", headers=[("X-Long", "y" * size)]), 2
        self.assert_sides(28672, build, admin=True)

    def test_a_post_is_not_computed(self):
        with self.daemon.connect() as connection:
            response = connection.request("POST", "/v1/gradients", padded(1000),
                                          headers=[("X-Long", "y" * 62600)])
            self.assert_problem(response, 431, "headers_too_large")
        self.assert_alive()


class Results(DaemonCase):
    """Answers, or the work for them, far larger than their requests."""

    def test_a_check_of_too_many_places(self):
        limit = self.daemon.get("/v1/info").json()["limits"]["max_check_flops"]
        generator = random.Random(4)
        document = {"layers": [{"activation": "relu", "weight": values(generator, 256, 256)}],
                    "input": values(generator, 64, 256), "grad_output": values(generator, 64, 256)}
        for samples, status in ((2, 200), (10 ** 6, 413)):
            response = self.daemon.post({**document, "check": {"samples": samples}},
                                        path="/v1/check")
            self.assertEqual(response.status, status, response)
        problem = self.assert_problem(response, 413, "max_check_flops")
        self.assertEqual(problem["limit"], {"name": "max_check_flops", "value": limit})

    def test_a_result_of_10_to_the_12(self):
        million = 1000000
        vector = b"[" + b",".join([b"1"] * million) + b"]"
        body = b'{"layers":[{"activation":"relu","input":%s,"pre_activation":%s,' \
               b'"grad_output":%s}]}' % (vector, vector, vector)
        self.daemon.reset_peak_memory()
        before = self.daemon.peak_memory()
        response = self.daemon.post(body)
        problem = self.assert_problem(response, 413)
        self.assertEqual(problem["limit"]["name"], "max_result_numbers")
        self.assertIn("1000001000000", problem["detail"].replace(",", "").replace(" ", ""))
        self.assertLess(self.daemon.peak_memory() - before, 200e6)


class Tree(Case):
    """A small document whose tree is large: 80 bytes a byte while it is read."""

    DOCUMENT = b'{"layers":[' + b"{}," * 60000 + b"{}]}"

    def test_the_tree_is_leased_before_it_is_made(self):
        for budget, status, code in (("8MiB", 413, "memory_budget_too_small"),
                                     ("64MiB", 413, "max_layers")):
            with Daemon("--memory-budget", budget) as daemon:
                self.assert_problem(daemon.post(self.DOCUMENT), status, code)
                daemon.wait_metric(lambda v: v == 0, patience(5), "gradientd_memory_leased_bytes")


class Turns(Case):
    """Results that do not all fit into memory at once."""

    def test_what_was_read_waits_for_memory(self):
        """A request whose body is here waits rather than being sent away: all are answered."""
        body = body_of(make_request(1, 700, 700))
        answers = []
        with Daemon("--memory-budget", "16MiB", "--workers", "4", "--max-wait", "60s",
                    "--queue-timeout", "60s") as daemon:
            def ask():
                answers.append(daemon.post(body))

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([answer.status for answer in answers], [200] * 8, answers[0])
            self.assertEqual(len({answer.body for answer in answers}), 1)
            daemon.wait_metric(lambda v: v == 0, patience(5), "gradientd_memory_leased_bytes")


class Connections(Case):
    """The number of connections, and of requests in the queue."""

    def test_connections(self):
        with Daemon("--max-connections", "4") as daemon:
            held = [daemon.connect() for _ in range(4)]
            for connection in held:
                self.assertEqual(connection.request("GET", "/livez").status, 200)
            response = daemon.get("/livez")
            self.assertEqual(response.status, 503)
            self.assertIn("retry-after", response.headers)
            self.assertEqual(daemon.get("/livez", admin=True).status, 200)
            rejected = daemon.metrics().value("gradientd_rejections_total", reason="connections")
            self.assertGreaterEqual(rejected, 1)
            held.pop().close()
            deadline = time.monotonic() + patience(5)
            while daemon.get("/livez").status != 200:
                self.assertLess(time.monotonic(), deadline)
            for connection in held:
                connection.close()

    def test_queue(self):
        """One worker, a queue of one: of many at once some are told to come back."""
        body = json.dumps(make_request(64, 600, 600)).encode()
        with Daemon("--workers", "1", "--queue-depth", "1", "--inline-cost", "0s") as daemon:
            connections = [daemon.connect() for _ in range(12)]
            data = build_request("POST", "/v1/gradients", body)
            for connection in connections:
                connection.send(data[:-1])
            for connection in connections:
                connection.send(data[-1:])
            responses = [connection.read_response() for connection in connections]
            refused = [r for r in responses if r.status != 200]
            self.assertTrue(0 < len(refused) < 12, [r.status for r in responses])
            for response in refused:
                self.assert_problem(response, 503)
                self.assertGreaterEqual(int(response.headers["retry-after"]), 1)
            rejected = daemon.metrics().value("gradientd_rejections_total", reason="queue_full")
            self.assertEqual(rejected, len(refused))
            for connection in connections:
                connection.close()


if __name__ == "__main__":
    unittest.main()

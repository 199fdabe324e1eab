"""Peers that are slow, that vanish, that send strange but legal things: each costs the daemon a
bounded time and no memory, and nobody else notices."""

import socket
import time
import unittest

from rawhttp import send_slowly
from support import Broken, DaemonCase, body_of, build_request, make_request, patience, scaled

RUN_ALONE = True
GOOD = body_of(make_request(2, 3, 4))
BIG = body_of(make_request(64, scaled(400, 100), scaled(400, 100)))


class Slow(DaemonCase):
    """Deadlines that a peer runs into."""

    FLAGS = ("--header-timeout", "1s", "--body-timeout", "1s", "--min-body-rate", "1000",
             "--idle-timeout", "1500ms", "--reply-timeout", "1s", "--min-reply-rate", "100k",
             "--inline-cost", "0s")

    def rejected(self, reason):
        return self.daemon.metrics().value("gradientd_rejections_total", reason=reason)

    def test_slow_headers(self):
        with self.daemon.connect() as connection:
            lost = send_slowly(connection, build_request("GET", "/livez", headers=[
                ("X-%d" % i, "y") for i in range(40)]), 10, patience(8))
            self.assertIsNotNone(lost, "one byte every 100 ms lived on")
            self.assertLess(lost, patience(4))
        self.assertGreaterEqual(self.rejected("slow_header"), 1)

    def test_half_a_request_line(self):
        with self.daemon.connect() as connection:
            connection.send(b"POST /v1/gr")
            self.assertTrue(connection.closed_within(patience(4)))

    def test_nothing_at_all(self):
        with self.daemon.connect() as connection:
            self.assertTrue(connection.closed_within(patience(5)))

    def test_slow_body(self):
        for chunks in (None, 1):
            with self.subTest(chunks), self.daemon.connect() as connection:
                data = build_request("POST", "/v1/gradients", GOOD, chunks=chunks)
                head = data.index(b"\r\n\r\n") + 4
                connection.send(data[:head])
                begin = time.monotonic()
                try:
                    lost = send_slowly(connection, data[head:], 10, patience(8))
                except Broken:
                    lost = time.monotonic() - begin
                self.assertIsNotNone(lost, "ten bytes a second lived on")
                self.assertLess(lost, patience(5))
        self.assertGreaterEqual(self.rejected("slow_body"), 2)

    def test_body_that_stops(self):
        with self.daemon.connect(timeout=patience(6)) as connection:
            connection.send(build_request("POST", "/v1/gradients", GOOD)[:-5])
            with self.assertRaisesRegex(Broken, "closed|reset"):
                while connection.read_response().status == 408:
                    pass

    def test_slow_reader(self):
        with self.daemon.connect(receive_buffer=4096, timeout=patience(20)) as connection:
            connection.send(build_request("POST", "/v1/gradients", make_large_answer()))
            began = time.monotonic()
            self.daemon.wait_metric(lambda v: v >= 1, patience(15), "gradientd_rejections_total",
                                    reason="slow_reader")
            self.assertLess(time.monotonic() - began, patience(10))
            with self.assertRaises((Broken, ConnectionError)):
                connection.read_response()
        self.assert_alive()

    def test_idle_connection_is_closed(self):
        with self.daemon.connect() as connection:
            self.assertEqual(connection.request("GET", "/livez").status, 200)
            began = time.monotonic()
            self.assertTrue(connection.closed_within(patience(6)))
            self.assertGreater(time.monotonic() - began, 1)


def make_large_answer():
    """A request whose answer (some megabytes) no socket buffer holds."""
    size = scaled(1200, 900)
    vector = b"[" + b",".join(b"%d.2345678" % (i % 9 + 1) for i in range(size)) + b"]"
    return b'{"layers":[{"activation":"identity","input":%s,"pre_activation":%s,' \
           b'"grad_output":%s}]}' % (vector, vector, vector)


class Gone(DaemonCase):
    """Peers that vanish."""

    FLAGS = ("--inline-cost", "0s", "--body-timeout", "3s")

    def settle(self):
        for gauge in ("in_flight", "memory_leased_bytes"):
            self.daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_" + gauge)
        self.assert_alive()

    def test_gone_mid_headers(self):
        for how in ("close", "reset"):
            for _ in range(20):
                connection = self.daemon.connect()
                connection.send(b"POST /v1/gradients HTTP/1.1\r\nHost:")
                getattr(connection, how)()
        self.settle()

    def test_gone_mid_body(self):
        data = build_request("POST", "/v1/gradients", BIG)
        for how in ("close", "reset"):
            for share in (0.1, 0.5, 0.999):
                for _ in range(4):
                    connection = self.daemon.connect()
                    connection.send(data[:int(len(data) * share)])
                    getattr(connection, how)()
        self.settle()

    def test_gone_while_computed(self):
        for how in ("close", "reset"):
            for _ in range(6):
                connection = self.daemon.connect()
                connection.send(build_request("POST", "/v1/gradients", BIG))
                getattr(connection, how)()
        self.settle()

    def test_gone_mid_reply(self):
        for how in ("close", "reset"):
            for _ in range(4):
                connection = self.daemon.connect(receive_buffer=4096)
                connection.send(build_request("POST", "/v1/gradients", make_large_answer()))
                connection.socket.recv(1000)
                getattr(connection, how)()
        self.settle()


class GoneAtOnce(DaemonCase):
    """Peers whose end comes with their last bytes, long before any deadline."""

    FLAGS = ("--header-timeout", "60s", "--body-timeout", "60s", "--idle-timeout", "60s")

    def send_and_end(self, connection, data):
        """The end travels in the same segment as the last bytes."""
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_WR)

    def send_and_vanish(self, data):
        for _ in range(200):
            with self.daemon.connect() as connection:
                self.send_and_end(connection, data)
        for gauge in ("connections", "in_flight", "memory_leased_bytes"):
            self.daemon.wait_metric(lambda v: v == 0, patience(3), "gradientd_" + gauge)

    def test_part_of_a_body(self):
        data = build_request("POST", "/v1/gradients", GOOD)
        self.send_and_vanish(data[:-20])
        self.daemon.wait_log(patience(3), code="connection_lost")

    def test_part_of_the_headers(self):
        self.send_and_vanish(b"POST /v1/gradients HTTP/1.1\r\nHost:")

    def test_part_of_a_request_line(self):
        self.send_and_vanish(b"POST /v1")

    def test_end_behind_a_whole_request(self):
        wanted = self.daemon.post(GOOD).body
        for pipelined in (1, 3):
            with self.subTest(pipelined), self.daemon.connect() as connection:
                self.send_and_end(connection,
                                  build_request("POST", "/v1/gradients", GOOD) * pipelined)
                for _ in range(pipelined):
                    self.assertEqual(connection.read_response().body, wanted)
                self.assertTrue(connection.closed_within(patience(3)))

    def test_end_while_computed(self):
        with self.daemon.connect() as connection:
            self.send_and_end(connection, build_request("POST", "/v1/gradients", BIG))
            self.assertEqual(connection.read_response().status, 200)
            self.assertTrue(connection.closed_within(patience(3)))


class Strange(DaemonCase):
    """Legal things that few clients do."""

    def test_pipelining(self):
        requests = [body_of(make_request(2, 2, n, id="p%d" % n)) for n in range(1, 9)]
        alone = [self.daemon.post(body).body for body in requests]
        data = b"".join(build_request("POST", "/v1/gradients", body, chunks=n % 2 and 3)
                        if n % 2 else build_request("POST", "/v1/gradients", body)
                        for n, body in enumerate(requests))
        with self.daemon.connect() as connection:
            connection.send(data)
            self.assertEqual([connection.read_response().body for _ in requests], alone)

    def test_pipelining_behind_an_error(self):
        data = build_request("POST", "/v1/gradients", b"{") + build_request("GET", "/livez")
        with self.daemon.connect() as connection:
            connection.send(data)
            self.assertEqual(connection.read_response().status, 400)
            self.assertEqual(connection.read_response().status, 200)

    def test_tiny_chunks_of_a_larger_body(self):
        body = body_of(make_request(16, 30, 20))
        plain = self.daemon.post(body).body
        self.assertEqual(self.daemon.post(body, chunks=scaled(1, 5)).body, plain)

    def test_chunk_extensions_and_trailers(self):
        head = build_request("POST", "/v1/gradients", headers=[
            ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
        # libmicrohttpd 1.0.1 refuses extensions by itself, 0.9.75 skips them.
        for size, statuses in ((b"%x", (200,)), (b"%x;name=value", (200, 400))):
            body = (size + b"\r\n%s\r\n0\r\nX-Trailer: yes\r\n\r\n") % (len(GOOD), GOOD)
            with self.subTest(size), self.daemon.connect() as connection:
                connection.send(head + body)
                self.assertIn(connection.read_response().status, statuses)

    def test_expect_continue(self):
        with self.daemon.connect() as connection:
            for _ in range(2):
                connection.send(build_request("POST", "/v1/gradients", b"", [
                    ("Content-Length", str(len(GOOD))), ("Expect", "100-continue")]))
                self.assertEqual(connection.read_response(interim=True).status, 100)
                connection.send(GOOD)
                self.assertEqual(connection.read_response().status, 200)

    def test_expect_continue_of_what_is_refused(self):
        for path, headers, wanted in (("/nowhere", [], 404),
                                      ("/v1/gradients", [("Content-Type", "text/plain")], 415)):
            with self.daemon.connect() as connection:
                connection.send(build_request("POST", path, b"", headers + [
                    ("Content-Length", "5000000"), ("Expect", "100-continue")]))
                self.assertEqual(connection.read_response(interim=True).status, wanted)

    def test_expect_of_something_else(self):
        with self.daemon.connect() as connection:
            connection.send(build_request("POST", "/v1/gradients", GOOD, [("Expect", "tea")]))
            self.assertIn(connection.read_response().status, (200, 417))

    def test_head(self):
        with self.daemon.connect() as connection:
            whole = connection.request("GET", "/v1/info")
            head = connection.request("HEAD", "/v1/info")
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.headers["content-length"], str(len(whole.body)))
            self.assertEqual(connection.request("GET", "/livez").status, 200)

    def test_http_1_0(self):
        response = self.daemon.post(GOOD, version="1.0", host=None)
        self.assertEqual(response.status, 200)
        with self.daemon.connect() as connection:
            connection.send(build_request("GET", "/livez", version="1.0", host=None))
            self.assertEqual(connection.read_response().status, 200)
            self.assertTrue(connection.closed_within(patience(5)))

    def test_connection_close(self):
        with self.daemon.connect() as connection:
            response = connection.request("POST", "/v1/gradients", GOOD,
                                          [("Connection", "close")])
            self.assertEqual(response.status, 200)
            self.assertTrue(connection.closed_within(patience(5)))

    def test_get_with_a_body(self):
        with self.daemon.connect() as connection:
            for path in ("/livez", "/v1/info"):
                response = connection.request("GET", path, b"x" * 1000)
                self.assertIn(response.status, (200, 400, 413), response)
                if response.headers.get("connection") == "close":
                    return
            self.assertEqual(connection.request("GET", "/livez").status, 200)

    def test_an_absolute_target(self):
        with self.daemon.connect() as connection:
            connection.send(b"GET http://test/livez HTTP/1.1\r\nHost: test\r\n\r\n")
            self.assertIn(connection.read_response().status, (200, 400, 404))


if __name__ == "__main__":
    unittest.main()

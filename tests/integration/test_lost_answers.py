"""Answers that are given before the request has been read arrive, whatever the client does: the
connection lingers, reading and discarding, for a bounded time, size and number of connections.
Behind proxies it is tests/proxies that looks."""

import contextlib
import os
import tempfile
import time
import unittest

import uploaders
from support import Broken, Case, Daemon, build_request, make_request, patience, scaled

SMALL = 5_000_000
LARGE = scaled(99_000_000, 20_000_000)
BUDGET = 64 << 20

LIMIT = ("--max-body", "1MiB")
FULL = ("--memory-budget", str(BUDGET))


@contextlib.contextmanager
def budget_held(daemon):
    """Holds what large requests may have of the budget, but a MiB: one request whose body does not
    end. Each of its numbers has four bytes on the wire and in memory."""
    held = BUDGET * 15 // 16 - (1 << 20)
    with daemon.connect() as holder:
        holder.send(build_request("POST", "/v1/gradients", None, [
            ("Content-Type", "application/json"), ("Content-Length", str(held + 100))])
                    + b'{"layers":[{"input":[[' + b"0.5," * (held // 4))
        daemon.wait_metric(lambda v: v >= held, patience(10), "gradientd_memory_leased_bytes")
        yield


def ended(daemon, reason):
    return daemon.metrics().value("gradientd_lingering_ended_total", reason=reason)


class Arrives(Case):
    """The problem document, with every client that a test machine has."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = {}
        for size in (SMALL, LARGE):
            cls.files[size] = os.path.join(cls.folder.name, "%d.json" % size)
            with open(cls.files[size], "wb") as file:
                file.write(uploaders.document(size))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def upload_all(self, daemon, wanted, wanted_of_chunked=None):
        url = daemon.url
        for size, path in self.files.items():
            for name, upload in uploaders.DIRECT.items():
                with self.subTest(name, size=size):
                    chunked = wanted_of_chunked if "chunked" in name else None
                    self.assertEqual(upload(url, path), chunked or wanted)
        daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_lingering_connections")
        self.assertGreaterEqual(ended(daemon, "peer_closed"), 1)
        self.assertEqual(ended(daemon, "crowded_out") + ended(daemon, "too_long"), 0)

    def test_body_above_its_limit(self):
        with Daemon(*LIMIT) as daemon:
            self.upload_all(daemon, (413, "body_too_large"))
            # One upload a command: what is permanent is not tried again.
            uploads = len(self.files) * len(uploaders.DIRECT)
            lines = daemon.wait_logs(uploads, patience(10), message="request", status=413)
            self.assertEqual(len(lines), uploads)

    def test_full_budget(self):
        with Daemon(*FULL, "--body-timeout", "60m", "--queue-timeout", "300ms") as daemon:
            with budget_held(daemon):
                self.upload_all(daemon, (503, "queue_timeout"), (503, "out_of_memory"))


def give_all(connection, request, body, seconds=60):
    """Sends the request and all of the body, as clients do that only then read."""
    connection.socket.settimeout(patience(seconds))
    connection.send(request + body)


class Every(Case):
    """Each refusal that comes before the body, each cause of an early close."""

    BODY = b" " * (3 << 20)

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*LIMIT)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def assert_arrives(self, status, code, method, path, headers=(), admin=False, **options):
        headers = [("Content-Length", str(len(self.BODY))), *headers]
        with self.daemon.connect(admin=admin) as connection:
            give_all(connection, build_request(method, path, b"", headers, **options), self.BODY)
            self.assert_problem(connection.read_response(head=method == "HEAD"), status, code)
            self.assertTrue(connection.closed_within(patience(5)))

    def test_statuses(self):
        self.assert_arrives(404, "unknown_path", "POST", "/nowhere")
        self.assert_arrives(405, "method_not_allowed", "PUT", "/v1/gradients")
        self.assert_arrives(413, "body_too_large", "POST", "/v1/gradients")
        self.assert_arrives(413, "body_too_large", "GET", "/v1/info")
        self.assert_arrives(400, "bad_framing", "POST", "/v1/gradients", [
            ("Content-Type", "text/plain"), ("Content-Type", "application/json")])

    def test_media_type_and_query(self):
        with Daemon() as daemon:
            for status, code, path, media_type in (
                    (415, "unsupported_media_type", "/v1/gradients", "text/plain"),
                    (422, "unknown_field", "/v1/gradients?a=1", "application/json")):
                with daemon.connect() as connection:
                    head = build_request("POST", path, b"", [
                        ("Content-Length", str(len(self.BODY))), ("Content-Type", media_type)])
                    give_all(connection, head, self.BODY)
                    self.assert_problem(connection.read_response(), status, code)

    def test_admin_listener(self):
        self.assert_arrives(404, "unknown_path", "POST", "/v1/gradients", admin=True)
        self.assert_arrives(413, "body_too_large", "GET", "/metrics", admin=True)

    def test_request_behind_the_last(self):
        """Bytes that nobody reads after a reply that ends the connection."""
        good = build_request("GET", "/livez", headers=[("Connection", "close")])
        for _ in range(10):
            with self.daemon.connect() as connection:
                give_all(connection, good, build_request("GET", "/livez") + self.BODY)
                self.assertEqual(connection.read_response().status, 200)

    def test_more_connections_than_may_be(self):
        with Daemon("--max-connections", "1") as daemon, daemon.connect() as first:
            self.assertEqual(first.request("GET", "/livez").status, 200)
            for _ in range(5):
                with daemon.connect() as connection:
                    give_all(connection, build_request("POST", "/v1/gradients", b"", [
                        ("Content-Length", str(len(self.BODY)))]), self.BODY)
                    response = connection.read_response()
                    self.assertEqual((response.status, response.json()["code"]),
                                     (503, "too_many_connections"))
            self.assertEqual(first.request("GET", "/livez").status, 200)
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_connections")


class Midway(Case):
    """Bodies found wrong midway are read on; where that goes too far the answer comes early."""

    WRONG = b'{"layers":[{"activation":"relu","input":[[oops'

    def test_longer_than_anybody_reads(self):
        """Chunked: 16 MiB beyond the error."""
        with Daemon() as daemon, daemon.connect() as connection:
            body = self.WRONG + b" " * (40 << 20)
            connection.socket.settimeout(patience(60))
            connection.send(build_request("POST", "/v1/gradients", body, chunks=1 << 20))
            self.assert_problem(connection.read_response(), 400)
            self.assertTrue(connection.closed_within(patience(5)))
            line = daemon.wait_log(patience(5), message="request", status=400)
            self.assertLess(line["bytes_in"], 20 << 20)

    def test_later_than_anybody_reads(self):
        with Daemon("--body-timeout", "500ms", "--min-body-rate", "1") as daemon:
            with daemon.connect() as connection:
                connection.send(build_request("POST", "/v1/gradients", b"", [
                    ("Content-Length", str(10 ** 8))]) + self.WRONG)
                began = time.monotonic()
                while time.monotonic() - began < 1:
                    connection.send(b" " * 1000)
                    time.sleep(0.02)
                response = connection.read_response()
                self.assert_problem(response, 400)
                self.assertEqual(response.headers["connection"], "close")


class Bounds(Case):
    """What lingers ends."""

    def linger(self, daemon):
        """A connection that was answered and whose body does not end."""
        connection = daemon.connect()
        connection.send(build_request("POST", "/v1/gradients", b"", [
            ("Content-Length", str(10 ** 12)), ("Content-Type", "application/json")]))
        self.assert_problem(connection.read_response(), 413, "body_too_large")
        return connection

    def send_until_reset(self, connection, most):
        """How many bytes went out before the connection was reset."""
        sent = 0
        while sent < most:
            try:
                sent += connection.socket.send(b" " * 65536)
            except ConnectionError:
                return sent
        raise AssertionError("%d bytes were taken" % sent)

    def test_time(self):
        with Daemon("--linger-timeout", "700ms") as daemon, self.linger(daemon) as connection:
            began = time.monotonic()
            with self.assertRaises(ConnectionError):
                while time.monotonic() - began < patience(10):
                    connection.send(b" " * 100)
                    time.sleep(0.01)
            self.assertGreater(time.monotonic() - began, 0.4)
            self.assertEqual(ended(daemon, "too_long"), 1)

    def test_silence(self):
        with Daemon("--linger-timeout", "300ms") as daemon, self.linger(daemon):
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_lingering_ended_total",
                               reason="too_long")

    def test_size(self):
        with Daemon("--linger-size", "1MiB") as daemon, self.linger(daemon) as connection:
            self.assertGreater(self.send_until_reset(connection, 100 << 20), 1 << 20)
            self.assertEqual(ended(daemon, "too_large"), 1)

    def test_none(self):
        with Daemon("--linger-timeout", "0s") as daemon, self.linger(daemon):
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_lingering_ended_total",
                               reason="too_long")

    def test_number(self):
        """The 1,025th ends the first; none counts as open."""
        with Daemon("--max-connections", "16") as daemon, contextlib.ExitStack() as stack:
            all_of_them = [stack.enter_context(self.linger(daemon)) for _ in range(1030)]
            daemon.wait_metric(lambda v: v == 6, patience(10), "gradientd_lingering_ended_total",
                               reason="crowded_out")
            daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_connections")
            self.assertEqual(daemon.metrics().value("gradientd_lingering_connections"), 1024)
            self.assertEqual(daemon.post(make_request(2, 3, 4)).status, 200)
            all_of_them[-1].send(b" " * (1 << 20))  # the newest is still read
            with self.assertRaises((ConnectionError, Broken)):
                all_of_them[0].send(b" ")
                time.sleep(0.1)
                all_of_them[0].send(b" ")

    def test_stopping(self):
        """Half a second at the end for those that are left; in it they may end themselves."""
        with Daemon() as daemon:
            with self.linger(daemon) as connection:
                began = time.monotonic()
                daemon.signal()
                connection.send(b" " * (1 << 20))
                daemon.stop()
                self.assertLess(time.monotonic() - began, patience(3))


if __name__ == "__main__":
    unittest.main()

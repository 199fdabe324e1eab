"""Early refusals through proxies: with the examples of deploy/proxies, every client gets the
service's own problem document, whatever it uploads. A test of `make long`; what goes directly is
tests/integration/test_lost_answers.py's."""

import contextlib
import os
import pathlib
import sys
import tempfile
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "integration")]
import proxies  # noqa: E402
import uploaders  # noqa: E402
from support import Case, Connection, Daemon, build_request  # noqa: E402
from test_lost_answers import FULL, LIMIT, budget_held  # noqa: E402

SIZES = (5_000_000, 99_000_000)
ROUNDS = 2

# What cannot work, and is in docs/proxies.md: Caddy answers, waits half a second and closes without
# reading on. A client that reads only when it has sent everything is reset before.
LOST = {("caddy", "http.client"), ("caddy", "http.client, chunked")}
# The same may meet a client that is held up for half a second; so this one may try again.
RESET_NOW_AND_THEN = {("caddy", "gradient")}


def clients():
    program = proxies.program("node")
    return {**uploaders.DIRECT, "node": uploaders.node(False, program),
            "node, chunked": uploaders.node(True, program)}


class Proxies(Case):
    """One method a proxy; http.client, curl, Node's fetch and the command line behind each."""

    @classmethod
    def setUpClass(cls):
        cls.clients = clients()
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = []
        for size in SIZES:
            cls.files.append(os.path.join(cls.folder.name, "%d.json" % size))
            with open(cls.files[-1], "wb") as file:
                file.write(uploaders.document(size))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def upload_all(self, proxy, url, wanted):
        for name, upload in self.clients.items():
            for path in self.files:
                for _ in range(ROUNDS):
                    with self.subTest(proxy, client=name, file=os.path.basename(path)):
                        if (proxy, name) in LOST:
                            with contextlib.suppress(uploaders.Lost):
                                self.assertEqual(upload(url, path), wanted)
                        else:
                            self.assertEqual(upload(url, path), wanted)

    def uploads(self, daemon, client):
        """Uploads of that client that the daemon saw, by the requests in its log."""
        path = self.files[-1]
        before = len(daemon.records(message="request"))
        for _ in range(10):
            self.clients[client](self.url, path)
        return len(daemon.records(message="request")) - before

    def refuse_all(self, proxy):
        with Daemon(*LIMIT) as daemon:
            with proxies.running(proxy, daemon.address) as self.url:
                self.upload_all(proxy, self.url, (413, "body_too_large"))
                # What is permanent is told after one upload.
                most = 12 if (proxy, "gradient") in RESET_NOW_AND_THEN else 10
                self.assertLessEqual(self.uploads(daemon, "gradient"), most)
        with Daemon(*FULL, "--body-timeout", "60m") as daemon:
            with proxies.running(proxy, daemon.address) as url, budget_held(daemon):
                self.upload_all(proxy, url, (503, "out_of_memory"))

    def test_haproxy(self):
        self.refuse_all("haproxy")

    def test_nginx(self):
        self.refuse_all("nginx")

    def test_nginx_that_buffers(self):
        """The way nginx is installed: it takes in the whole upload before it asks."""
        def buffering(text):
            self.assertIn("proxy_request_buffering off;", text)
            return text.replace("proxy_request_buffering off;", "")
        with Daemon(*LIMIT) as daemon:
            with proxies.running("nginx", daemon.address, buffering) as self.url:
                self.upload_all("nginx", self.url, (413, "body_too_large"))
                self.assertEqual(self.uploads(daemon, "gradient"), 10)

    def test_apache(self):
        self.refuse_all("apache")

    def test_caddy(self):
        self.refuse_all("caddy")


class Passes(Case):
    """What is right passes the examples unchanged."""

    def test_answers(self):
        body = uploaders.document(5_000_000)
        with Daemon() as daemon:
            direct = daemon.post(body)
            self.assertEqual(direct.status, 200)
            for proxy in proxies.EXAMPLE_OF:
                with self.subTest(proxy), proxies.running(proxy, daemon.address) as url:
                    host, port = url.split("//")[1].split(":")
                    for chunks in (None, 100_000):
                        with Connection((host, int(port)), timeout=60) as connection:
                            connection.send(build_request("POST", uploaders.PATH, body,
                                                          chunks=chunks, host=host))
                            through = connection.read_response()
                        self.assertEqual(through.status, 200, through)
                        self.assertEqual(through.body, direct.body)


if __name__ == "__main__":
    unittest.main()

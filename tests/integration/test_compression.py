"""Compressed answers: which coding a client gets by its Accept-Encoding, and that what it holds is
the answer of one that asked for none."""

import base64
import hashlib
import unittest

from codings import DECODE, ENCODE, gzipped
from support import Daemon, DaemonCase, body_of, build_request, make_request, patience

LARGE = body_of(make_request(2, 300, 200, seed=3))  # answered by 60,000 numbers
SMALL = body_of(make_request(1, 2, 1))
BROWSER = "gzip, deflate, br, zstd"

# Accept-Encoding, and the coding of the answer.
CHOICES = (
    (None, None), ("", None), ("identity", None), ("br", None), ("compress;q=1", None),
    ("gzip", "gzip"), ("GZIP", "gzip"), ("x-gzip", "gzip"), ("deflate", "deflate"),
    ("zstd", "zstd"), ("gzip, deflate", "gzip"), ("deflate, gzip;q=1.0", "gzip"),
    (BROWSER, "zstd"), ("gzip;q=0.9, zstd;q=0.8", "gzip"), ("gzip;q=0.1,deflate;q=0.2", "deflate"),
    ("*", "gzip"), ("*;q=0.1", "gzip"), ("*;q=0", None), ("gzip;q=0, *", "deflate"),
    ("gzip;q=0", None), ("gzip;q=0.000", None), ("gzip;q=0.001", "gzip"),
    ("identity, gzip;q=0.5", None), ("identity;q=0.5, gzip;q=0.4", None),
    ("identity;q=0.5, gzip;q=0.5", "gzip"), ("identity;q=0", None), ("identity;q=0, zstd", "zstd"),
    ("gzip;q=2", None), ("gzip;q=0.1234", None), ("gzip;q=", None), ("gzip;r=1", None),
    ("gzip ; q=1", "gzip"), (" ,, gzip\t;\tq=0.5 ,", "gzip"), ("gzi p", None), ("gzipp", None),
    (";q=1", None), ("gzip;q=-1, deflate", "deflate"),
)


def accepting(*values):
    return [("Accept-Encoding", value) for value in values if value is not None]


class CompressedAnswers(DaemonCase):
    def ask(self, *values, body=LARGE, path="/v1/gradients"):
        return self.daemon.post(body, path, headers=accepting(*values))

    def assert_coded(self, response, coding, plain):
        """It is whole, and the plain answer once it is decoded."""
        self.assertEqual(response.status, 200, response)
        self.assertEqual(response.headers.get("content-encoding"), coding)
        self.assertEqual(response.headers["vary"], "Accept-Encoding")
        self.assertEqual(int(response.headers["content-length"]), len(response.body))
        body = DECODE[coding](response.body) if coding else response.body
        self.assertEqual(body, plain)
        if coding:
            self.assertLess(len(response.body), 0.6 * len(plain))

    def test_the_client_chooses(self):
        plain = self.ask().body
        for value, coding in CHOICES:
            with self.subTest(value):
                self.assert_coded(self.ask(value), coding, plain)
        self.assert_coded(self.ask("gzip", "zstd"), None, plain)  # two lines: as good as none

    def test_every_kind_of_request(self):
        check = body_of(make_request(2, 30, 20, seed=3))
        for path, body in (("/v1/gradients?datatype=FP64", LARGE), ("/v1/check", check)):
            plain = self.daemon.post(body, path).body
            for coding in ENCODE:
                response = self.ask(coding, body=body, path=path)
                if len(plain) < 1024:
                    coding = None
                self.assert_coded(response, coding, plain)

    def test_small_answers_are_not(self):
        plain = self.ask(body=SMALL).body
        for coding in ENCODE:
            self.assert_coded(self.ask(coding, body=SMALL), None, plain)
            response = self.ask(coding + ", identity;q=0", body=SMALL)
            self.assertEqual(response.headers["content-encoding"], coding)
            self.assertEqual(DECODE[coding](response.body), plain)

    def test_nothing_else_is(self):
        """Clients decode answers of 200, and not all of them problems or metadata."""
        for response in (self.ask(BROWSER, body=b"{" + b" " * 5000),
                         self.daemon.get("/v1/info", headers=accepting(BROWSER)),
                         self.daemon.get("/metrics", admin=True, headers=accepting(BROWSER))):
            self.assertNotIn("content-encoding", response.headers)
            self.assertNotIn("vary", response.headers)

    def test_both_ways(self):
        plain = self.ask().body
        for coding, encode in ENCODE.items():
            response = self.daemon.post(encode(LARGE), headers=[
                ("Content-Encoding", coding), ("Accept-Encoding", coding)])
            self.assert_coded(response, coding, plain)

    def test_the_same_bytes_each_time(self):
        for coding in ENCODE:
            self.assertEqual(len({self.ask(coding).body for _ in range(5)}), 1)

    def test_a_digest_is_of_the_encoded_bytes(self):
        for coding in ENCODE:
            response = self.daemon.post(LARGE, headers=[
                ("Accept-Encoding", coding), ("Want-Content-Digest", "sha-256=1")])
            self.assertEqual(response.headers["content-digest"], "sha-256=:%s:" % base64.b64encode(
                hashlib.sha256(response.body).digest()).decode())

    def test_many_at_once_give_back_their_memory(self):
        connections = [self.daemon.connect() for _ in range(20)]
        plain = self.ask().body
        for i, connection in enumerate(connections):
            connection.send(build_request("POST", "/v1/gradients", LARGE,
                                          accepting(list(ENCODE)[i % 3])))
        for i, connection in enumerate(connections):
            self.assert_coded(connection.read_response(), list(ENCODE)[i % 3], plain)
            connection.close()
        self.daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_memory_leased_bytes")


class Switched(unittest.TestCase):
    """The option."""

    def test_off(self):
        with Daemon("--compression", "off") as daemon:
            response = daemon.post(LARGE, headers=accepting(BROWSER))
            self.assertNotIn("content-encoding", response.headers)
            self.assertNotIn("vary", response.headers)
            # Requests may be compressed all the same.
            self.assertEqual(daemon.post(gzipped(LARGE), headers=[
                ("Content-Encoding", "gzip")]).body, response.body)

    def test_without_workers_it_is_the_same(self):
        with Daemon() as one, Daemon("--inline-cost", "1s") as other:
            for coding in ENCODE:
                bodies = [d.post(LARGE, headers=accepting(coding)).body for d in (one, other)]
                self.assertEqual(bodies[0], bodies[1])


if __name__ == "__main__":
    unittest.main()

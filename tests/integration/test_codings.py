"""Compressed bodies: Content-Encoding of requests, byte by byte."""

import hashlib
import base64
import random
import time
import unittest

from codings import ENCODE, gzipped, zstd
from support import Broken, Daemon, DaemonCase, body_of, build_request, make_request, patience

BODY = body_of(make_request(8, 20, 12, seed=7))
CUT_OFF = "the body is cut off"
BEHIND = "bytes behind its end"
SKIPPABLE = b"\x53\x2a\x4d\x18\x03\0\0\0abc"


def coded(coding, *more):
    return [("Content-Encoding", coding), *more]


class CompressedBodies(DaemonCase):
    def post_coded(self, coding, body, **options):
        return self.daemon.post(body, headers=coded(coding), **options)

    def assert_malformed(self, coding, body, words):
        with self.subTest(coding, words=words):
            problem = self.assert_problem(self.post_coded(coding, body), 400, "malformed_encoding")
            self.assertIn(words, problem["detail"])

    def test_the_answer_is_that_of_the_plain_body(self):
        plain = self.daemon.post(BODY)
        self.assertEqual(plain.status, 200)
        for coding, encode in ENCODE.items():
            for name in (coding, coding.upper()):
                response = self.post_coded(name, encode(BODY))
                self.assertEqual((response.status, response.body), (200, plain.body), response)
        for name, body in (("x-gzip", gzipped(BODY)), ("gzip", gzipped(BODY, 0)),
                           ("zstd", zstd(BODY, checksum=False)), ("zstd", zstd(BODY, 19))):
            response = self.post_coded(name, body)
            self.assertEqual((response.status, response.body), (200, plain.body), response)

    def test_members_and_frames_are_one_text(self):
        plain = self.daemon.post(BODY)
        a, b, c = BODY[:100], BODY[100:101], BODY[101:]
        for coding, body in (("gzip", gzipped(a) + gzipped(b) + gzipped(b"") + gzipped(c)),
                             ("zstd", zstd(a) + SKIPPABLE + zstd(b) + zstd(c) + SKIPPABLE)):
            for chunks in (None, 1, 7):
                response = self.post_coded(coding, body, chunks=chunks)
                self.assertEqual((response.status, response.body), (200, plain.body), response)

    def test_every_chunk_cut(self):
        body = body_of(make_request(1, 2, 1))
        plain = self.daemon.post(body)
        for coding, encode in ENCODE.items():
            whole = encode(body)
            with self.daemon.connect() as connection:
                for cut in range(1, len(whole)):
                    response = connection.request("POST", "/v1/gradients", whole,
                                                  coded(coding), chunks=[cut])
                    self.assertEqual((response.status, response.body), (200, plain.body), cut)

    def test_every_cut_off_body_is_refused(self):
        body = body_of(make_request(1, 2, 1))
        for coding, encode in ENCODE.items():
            whole = encode(body)
            with self.daemon.connect() as connection:
                for length in range(len(whole)):
                    response = connection.request("POST", "/v1/gradients", whole[:length],
                                                  coded(coding))
                    problem = self.assert_problem(response, 400, "malformed_encoding")
                    self.assertIn(CUT_OFF, problem["detail"])

    def test_what_is_behind_the_end(self):
        for rest in (b"\0", b"{}", b"\x1e" * 30, BODY):
            self.assert_malformed("gzip", gzipped(BODY) + rest, BEHIND)
            self.assert_malformed("deflate", ENCODE["deflate"](BODY) + rest, BEHIND)
            self.assert_malformed("zstd", zstd(BODY) + rest, BEHIND)
        self.assert_malformed("deflate", 2 * ENCODE["deflate"](BODY), BEHIND)
        self.assert_malformed("gzip", gzipped(BODY) + gzipped(BODY)[:1], CUT_OFF)
        self.assert_malformed("zstd", zstd(BODY) + zstd(BODY)[:3], CUT_OFF)

    def test_wrong_sums_and_other_formats(self):
        for at, words in ((-8, "incorrect data check"), (-4, "incorrect length check")):
            wrong = bytearray(gzipped(BODY))
            wrong[at] ^= 1
            self.assert_malformed("gzip", bytes(wrong), words)
        wrong = bytearray(ENCODE["deflate"](BODY))
        wrong[-1] ^= 1
        self.assert_malformed("deflate", bytes(wrong), "incorrect data check")
        wrong = bytearray(zstd(BODY))
        wrong[-1] ^= 1
        self.assert_malformed("zstd", bytes(wrong), "checksum")
        for coding in ENCODE:
            self.assert_malformed(coding, BODY, "expected " + coding)
        self.assert_malformed("deflate", ENCODE["deflate"](BODY)[2:-4], "incorrect header check")
        # A format that the RFC does not know, though libzstd may read it.
        self.assert_malformed("zstd", b"\x27\xb5\x2f\xfd" + zstd(BODY)[4:], "another format")

    def test_the_window_is_bounded(self):
        generator = random.Random(3)
        text = BODY + bytes(generator.choice(b" \t\r\n") for _ in range(9 << 20))
        self.assertEqual(self.post_coded("zstd", zstd(text, 1, window_log=23)).status, 200)
        self.assert_malformed("zstd", zstd(text, 1, window_log=24), "a window of at most 8 MiB")

    def test_unknown_codings_are_told_what_is_known(self):
        for coding in ("br", "compress", "gzip, gzip", "identity, gzip", "gzip;q=1", "zstandard"):
            response = self.post_coded(coding, BODY)
            problem = self.assert_problem(response, 415, "unsupported_content_encoding")
            self.assertIn("found the Content-Encoding " + coding, problem["detail"])
            self.assertEqual(response.headers["accept-encoding"], "identity, gzip, deflate, zstd")
        self.assertEqual(self.post_coded("Identity", BODY).status, 200)

    def test_errors_are_those_of_the_document(self):
        wrong = BODY.replace(b"relu", b"rule")
        plain = self.daemon.post(wrong).json()
        for coding, encode in ENCODE.items():
            problem = self.post_coded(coding, encode(wrong)).json()
            for member in ("status", "code", "detail", "pointer", "offset"):
                self.assertEqual(problem[member], plain[member])

    def test_a_digest_is_of_the_encoded_bytes(self):
        """RFC 9530: of the content, which is what Content-Encoding has made of it."""
        def digest(data):
            return "sha-256=:%s:" % base64.b64encode(hashlib.sha256(data).digest()).decode()

        for coding, encode in ENCODE.items():
            body = encode(BODY)
            for data, status in ((body, 200), (BODY, 400)):
                response = self.daemon.post(
                    body, headers=coded(coding, ("Content-Digest", digest(data))))
                self.assertEqual(response.status, status, response)

    def test_continue_is_asked_for_and_refusals_come_early(self):
        body = gzipped(BODY)
        for coding, statuses in (("gzip", [100, 200]), ("br", [415])):
            with self.daemon.connect() as connection:
                request = build_request("POST", "/v1/gradients", body,
                                        coded(coding, ("Expect", "100-continue")))
                head, _ = request.split(b"\r\n\r\n", 1)
                connection.send(head + b"\r\n\r\n")
                for status in statuses:
                    self.assertEqual(connection.read_response(interim=True).status, status)
                    if status == 100:
                        connection.send(body)

    def test_info_names_them(self):
        self.assertEqual(self.daemon.get("/v1/info").json()["content_encodings"],
                         ["identity", "gzip", "deflate", "zstd"])


LAYER = b'{"layers":[{"activation":"relu","input":['


class Limits(unittest.TestCase):
    """What comes out is counted."""

    def test_what_comes_later_is_not_decoded_at_once(self):
        """A body may save up only so much for a part of it that is longer."""
        generator = random.Random(5)
        noise = ",".join("%.8g" % generator.gauss(0, 1) for _ in range(200000)).encode()
        for coding, encode in ENCODE.items():
            part = noise + b"," + b" " * (7 << 20)
            body = encode(LAYER + part + part + b" " * (3 << 20))
            with Daemon("--workers", "1") as daemon:
                response = daemon.post(body, headers=coded(coding))
                self.assertEqual(response.status, 413, response)
                self.assertEqual(response.json()["limit"]["name"], "max_expansion")

    def test_the_limit_counts_what_comes_out(self):
        text = BODY + b" \n" * 1000
        with Daemon("--max-body", str(len(text))) as daemon:
            for coding, encode in ENCODE.items():
                self.assertEqual(daemon.post(encode(text), headers=coded(coding)).status, 200)
                response = daemon.post(encode(text + b" "), headers=coded(coding))
                self.assertEqual(response.status, 413, response)
                self.assertEqual(response.json()["limit"],
                                 {"name": "max_body", "value": len(text)})

    def test_memory_is_reserved_as_it_comes_out(self):
        """A body that fits compressed and not decompressed is refused, and nothing stays."""
        text = body_of(make_request(400, 300, 200, seed=9))
        with Daemon("--memory-budget", "1MiB", "--max-body", "256MiB") as daemon:
            for coding, encode in ENCODE.items():
                response = daemon.post(encode(text), headers=coded(coding))
                self.assertIn(response.status, (413, 503), response)
                daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_memory_leased_bytes")
                self.assertEqual(daemon.post(gzipped(BODY), headers=coded("gzip")).status, 200)

    def test_slow_bodies_are_counted_as_they_come(self):
        """min-body-rate is of the bytes on the wire, however many they become."""
        body = gzipped(BODY + b" " * 100000)
        with Daemon("--body-timeout", "1s", "--min-body-rate", "2k") as daemon:
            with daemon.connect(timeout=patience(30)) as connection:
                head = build_request("POST", "/v1/gradients", None, coded(
                    "gzip", ("Content-Type", "application/json"),
                    ("Content-Length", "%d" % len(body))))
                connection.send(head)
                with self.assertRaises((Broken, ConnectionError)):
                    for i in range(0, len(body), 100):
                        connection.send(body[i:i + 100])
                        time.sleep(0.2)
                    connection.read_response()


if __name__ == "__main__":
    unittest.main()

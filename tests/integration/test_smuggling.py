"""Framing that two readers could understand differently, and bytes that are no HTTP at all: refused
with 400 and a closed connection, and nothing behind them is ever answered."""

import unittest

from support import Broken, DaemonCase, body_of, build_request, make_request, patience

BODY = body_of(make_request(1, 2, 1))
LENGTH = b"%d" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

# Headers of a POST after Host and Content-Type, and what follows them.
AMBIGUOUS = {
    "length and chunked": (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "chunked and length": (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", CHUNKED),
    "two lengths": (b"Content-Length: 5\r\nContent-Length: " + LENGTH + b"\r\n", BODY),
    "two equal lengths": (b"Content-Length: " + LENGTH + b"\r\nContent-Length: " + LENGTH + b"\r\n",
                          BODY),
    "a list of lengths": (b"Content-Length: " + LENGTH + b", " + LENGTH + b"\r\n", BODY),
    "a blank before the colon": (b"Content-Length : " + LENGTH + b"\r\n", BODY),
    "a blank in the coding's name": (b"Transfer-Encoding : chunked\r\n", CHUNKED),
    "length +N": (b"Content-Length: +" + LENGTH + b"\r\n", BODY),
    "length -1": (b"Content-Length: -1\r\n", BODY),
    "length 0x": (b"Content-Length: 0x" + LENGTH + b"\r\n", BODY),
    "empty length": (b"Content-Length: \r\n", BODY),
    "length beyond 64 bits": (b"Content-Length: 184467440737095516160000\r\n", BODY),
    "length of words": (b"Content-Length: ten\r\n", BODY),
    "unknown coding": (b"Transfer-Encoding: gzip\r\n", CHUNKED),
    "identity": (b"Transfer-Encoding: identity\r\n", CHUNKED),
    "two codings": (b"Transfer-Encoding: gzip, chunked\r\n", CHUNKED),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "chunked, chunked": (b"Transfer-Encoding: chunked, chunked\r\n", CHUNKED),
    "xchunked": (b"Transfer-Encoding: xchunked\r\n", CHUNKED),
    "chunked with a tab inside": (b"Transfer-Encoding: chun\tked\r\n", CHUNKED),
    "vertical tab": (b"Transfer-Encoding: \x0bchunked\r\n", CHUNKED),
    "two hosts": (b"Host: other\r\nContent-Length: " + LENGTH + b"\r\n", BODY),
    "two content types": (b"Content-Type: application/json\r\nContent-Length: " + LENGTH + b"\r\n",
                          BODY),
    "a name that is no token": (b"X(y): 1\r\nContent-Length: " + LENGTH + b"\r\n", BODY),
    "an empty name": (b": 1\r\nContent-Length: " + LENGTH + b"\r\n", BODY),
    "a control character": (b"X-Y: a\x01b\r\nContent-Length: " + LENGTH + b"\r\n", BODY),
}

# Whole requests.
BROKEN = {
    "no host": b"POST /v1/gradients HTTP/1.1\r\nContent-Type: application/json\r\n"
               b"Content-Length: " + LENGTH + b"\r\n\r\n" + BODY,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(1, 200)) + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "HTTP/9.9": b"GET /livez HTTP/9.9\r\nHost: a\r\n\r\n",
    "NUL in the target": b"GET /li\0vez HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Y: a\0b\r\n\r\n",
    "noise": bytes(range(128, 256)) * 8 + b"\r\n\r\n",
}

# Bodies in a broken chunked coding.
CHUNKS = {
    "size with a sign": b"+%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    "size 0x": b"0x%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    "size that overflows": b"fffffffffffffffff%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    "no size": b"\r\n%s\r\n0\r\n\r\n" % BODY,
    "a size of letters": b"zz\r\n%s\r\n0\r\n\r\n" % BODY,
    "data longer than its size": b"4\r\n%s\r\n0\r\n\r\n" % BODY,
}

SMUGGLED = build_request("GET", "/v1/info")


class Smuggling(DaemonCase):
    """Whether a request can hide in another."""

    FLAGS = ("--header-timeout", "2s", "--body-timeout", "2s", "--idle-timeout", "5s")

    def answers(self, data):
        """Every response to these bytes until the daemon closes the connection."""
        found = []
        with self.daemon.connect(timeout=patience(8)) as connection:
            try:
                connection.send(data)
                while True:
                    found.append(connection.read_response())
            except Broken as error:
                self.assertNotIn("silence", str(error), "the connection is still open")
            except ConnectionError:
                pass
        return found

    def assert_refused(self, name, data, statuses=(400,)):
        with self.subTest(name):
            answers = self.answers(data + SMUGGLED)
            self.assertLessEqual(len(answers), 1, answers)
            for answer in answers:
                self.assertIn(answer.status, statuses, answer)
            return answers

    def test_ambiguous_framing(self):
        head = b"POST /v1/gradients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        for name, (headers, body) in AMBIGUOUS.items():
            answers = self.assert_refused(name, head + headers + b"\r\n" + body, (400, 413))
            self.assert_problem(answers[0], answers[0].status)
        self.assert_alive()

    def test_broken_requests(self):
        for name, data in BROKEN.items():
            self.assert_refused(name, data, (400, 404, 405, 505))
        self.assert_alive()

    def test_broken_chunks(self):
        head = build_request("POST", "/v1/gradients", headers=[
            ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
        for name, body in CHUNKS.items():
            self.assert_refused(name, head + body, (400, 413))
        self.assert_alive()

    def test_the_same_bytes_unbroken_are_fine(self):
        head = b"POST /v1/gradients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        for headers, body in ((b"Content-Length: " + LENGTH + b"\r\n", BODY),
                              (b"Transfer-Encoding: chunked\r\n", CHUNKED),
                              (b"transfer-encoding:  Chunked\r\n", CHUNKED)):
            with self.daemon.connect() as connection:
                connection.send(head + headers + b"\r\n" + body + SMUGGLED)
                self.assertEqual(connection.read_response().status, 200)
                self.assertEqual(connection.read_response().status, 200)


if __name__ == "__main__":
    unittest.main()

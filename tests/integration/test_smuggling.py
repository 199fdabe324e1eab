"""Framing that two readers could understand differently, and bytes that are no HTTP at all: refused
with 400 and a closed connection, and nothing behind them is ever answered."""

import unittest

import odd_requests
from odd_requests import BODY, CHUNKED, CHUNKED_POST, LENGTH, here
from support import Broken, DaemonCase, build_request, patience

SMUGGLED = build_request("GET", "/v1/info")

# A whole body was read, that holds something else: the connection goes on.
WHOLE = ("400 malformed_json", "400 malformed_encoding")


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

    def assert_refused(self, table, before=b""):
        """What is refused is refused once, and nothing behind it is ever answered."""
        for name, row in table.items():
            wanted = here(row[1])
            if wanted[:3] not in ("400", "413", "clo") or wanted in WHOLE:
                continue
            with self.subTest(name):
                answers = self.answers(before + row[0] + SMUGGLED)
                self.assertLessEqual(len(answers), 1, answers)
                for answer in answers:
                    self.assertIn(answer.status, (400, 413), answer)
        self.assert_alive()

    def test_request_lines(self):
        self.assert_refused(odd_requests.LINES)

    def test_header_fields(self):
        self.assert_refused(odd_requests.FIELDS)

    def test_bodies(self):
        self.assert_refused(odd_requests.BODIES)

    def test_chunks(self):
        self.assert_refused(odd_requests.CHUNKS, CHUNKED_POST)

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

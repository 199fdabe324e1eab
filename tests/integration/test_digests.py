"""Content-Digest and Want-Content-Digest (RFC 9530), against Python's hashlib."""

import base64
import hashlib
import unittest

from support import DaemonCase, body_of, make_request

GOOD = body_of(make_request(30, 20, 10))


def digest(name, content):
    hashed = hashlib.new(name.replace("-", ""), content).digest()
    return "%s=:%s:" % (name, base64.b64encode(hashed).decode())


SHA_256, SHA_512 = digest("sha-256", GOOD), digest("sha-512", GOOD)


class Digests(DaemonCase):
    def send(self, field, body=GOOD, **options):
        return self.daemon.post(body, headers=[("Content-Digest", field)], **options)

    def test_right_ones(self):
        plain = self.daemon.post(GOOD).body
        for field in (SHA_256, SHA_512, SHA_256 + ", " + SHA_512, "md5=:AAAA:," + SHA_256,
                      'unixsum="30637, \\" x";q=1 , ' + SHA_512, SHA_256 + ";a;b=2", "md5=:AAAA:",
                      digest("sha-256", b"") + "," + SHA_256):
            answer = self.send(field)
            self.assertEqual((answer.status, answer.body), (200, plain), field)

    def test_wrong_ones(self):
        other = GOOD + b" "  # a document still
        for name, field in (("sha-256", SHA_256), ("sha-512", SHA_512),
                            ("sha-512", digest("sha-256", other) + ", " + SHA_512)):
            problem = self.assert_problem(self.send(field, other), 400, "digest_mismatch")
            self.assertIn("expected content with %s, found %s" % (
                digest(name, GOOD), digest(name, other)), problem["detail"])
        self.assert_alive()

    def test_a_body_in_pieces(self):
        for body, status in ((GOOD, 200), (GOOD + b" ", 400)):
            with self.daemon.connect() as connection:
                connection.send(b"POST /v1/gradients HTTP/1.1\r\nHost: a\r\nContent-Type: "
                                b"application/json\r\nTransfer-Encoding: chunked\r\n"
                                b"Content-Digest: " + SHA_256.encode() + b"\r\n\r\n")
                for at in range(0, len(body), 999):
                    piece = body[at:at + 999]
                    connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.send(b"0\r\n\r\n")
                self.assertEqual(connection.read_response().status, status)
                # The connection goes on.
                self.assertEqual(connection.request("GET", "/livez").status, 200)

    def test_malformed_ones(self):
        for field in ("", "sha-256", "sha-256=", "sha-256=47DEQpj8", "sha-256=::", "=:AAAA:",
                      SHA_256[:-1], SHA_256 + ",", SHA_256.replace("sha-256", "sha-512"),
                      SHA_256.replace("=:", "=:!", 1), "SHA-256" + SHA_256[7:],
                      SHA_256 + " " + SHA_512):
            answer = self.send(field)
            if field == "":
                self.assertEqual(answer.status, 200)
            else:
                self.assert_problem(answer, 400, "malformed_digest")
        answer = self.daemon.post(GOOD, headers=[("Content-Digest", SHA_256)] * 2)
        self.assert_problem(answer, 400, "bad_framing")

    def test_wanted(self):
        for field, name in (("sha-256=1", "sha-256"), ("sha-512=3, sha-256=10", "sha-256"),
                            ("sha-256=3,sha-512=10, unixsum=0", "sha-512")):
            for body, status in ((GOOD, 200), (b"{", 400)):
                answer = self.daemon.post(body, headers=[("Want-Content-Digest", field)])
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.headers["content-digest"], digest(name, answer.body))

    def test_not_wanted(self):
        for field in ("", "sha-256=0", "md5=5", "sha-256=11", "sha-256=x", "sha-256"):
            answer = self.daemon.post(GOOD, headers=[("Want-Content-Digest", field)])
            self.assertEqual(answer.status, 200)
            self.assertNotIn("content-digest", answer.headers)
        self.assertNotIn("content-digest", self.daemon.post(GOOD).headers)


if __name__ == "__main__":
    unittest.main()

"""The table of odd requests in docs/api.md: what each gets, once, on both listeners, by version of
libmicrohttpd. Most of them libmicrohttpd would answer itself, with a page of HTML."""

import ctypes
import os
import ssl
import unittest

from certificates import Authority
from support import Broken, Daemon, DaemonCase, body_of, build_request, make_request, patience

BODY = body_of(make_request(1, 2, 1))
LENGTH = b"%d" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
HOST = b"Host: a\r\n"

FRAMING = "400 bad_framing"
LARGE = "413 body_too_large"
VERSION = "505 unsupported_version"
CLOSED = "closed"  # without an answer


def library_version():
    """Of the library that the daemon loads, too."""
    get = ctypes.CDLL("libmicrohttpd.so.12").MHD_get_version
    get.restype = ctypes.c_char_p
    return tuple(int(part) for part in get().decode().split("."))


VERSIONS = ("0.9.75", "1.0.1", "1.0.10")  # Debian 12's, 13's and testing's


def here(outcome):
    """What this version of libmicrohttpd gives; a newer one is taken for the newest known."""
    if isinstance(outcome, str):
        return outcome
    version = library_version()
    return outcome[0 if version < (1, 0) else 1 if version < (1, 0, 2) else 2]


def get(target=b"/livez", headers=HOST, version=b"HTTP/1.1"):
    return b"GET " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def post(headers, body=BODY):
    return b"POST /livez HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


# name: bytes, what they get; the words that the detail must hold, where it is the same everywhere
HEADS = {
    "no host": (get(headers=b""), FRAMING, "expected a Host, found none"),
    "no host, but a body": (b"POST /livez HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", FRAMING,
                            "expected a Host, found none"),
    "two hosts": (get(headers=HOST + HOST), FRAMING),
    "5, 5": (post(b"Content-Length: 5, 5\r\n", b"12345"), FRAMING,
             "expected a Content-Length of digits alone"),
    "length +N": (post(b"Content-Length: +" + LENGTH + b"\r\n"), FRAMING),
    "length -1": (post(b"Content-Length: -1\r\n"), FRAMING),
    "length 0x": (post(b"Content-Length: 0x5\r\n"), FRAMING),
    "length of nothing": (post(b"Content-Length: \r\n"), FRAMING),
    "length of words": (post(b"Content-Length: ten\r\n"), FRAMING),
    "length beyond 64 bits": (post(b"Content-Length: 184467440737095516160000\r\n"),
                              (LARGE, LARGE, FRAMING), "Content-Length"),
    "two lengths": (post(b"Content-Length: 5\r\nContent-Length: " + LENGTH + b"\r\n"), FRAMING),
    "length and chunked": (post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
                           FRAMING),
    "another coding": (post(b"Transfer-Encoding: gzip\r\n", CHUNKED), FRAMING),
    "two codings": (post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKED), FRAMING),
    "chunked in HTTP/1.0": (post(b"Transfer-Encoding: chunked\r\n", CHUNKED).replace(
        b"HTTP/1.1", b"HTTP/1.0"), FRAMING),
    "a blank before the colon": (get(headers=b"Host : a\r\n"), FRAMING),
    "no colon": (get(headers=HOST + b"foo\r\n"), FRAMING),
    "a name that is no token": (get(headers=HOST + b"X(y): 1\r\n"), FRAMING),
    "an empty name": (get(headers=HOST + b": 1\r\n"), FRAMING),
    "a control character": (get(headers=HOST + b"X: a\x01b\r\n"), FRAMING),
    "NUL in a value": (get(headers=HOST + b"X: a\0b\r\n"), FRAMING),
    "a folded line": (get(headers=HOST + b"X: a\r\n b\r\n"), FRAMING),
    "bare line feeds": (b"GET /livez HTTP/1.1\nHost: a\n\n", FRAMING),
    "no version": (b"GET /livez\r\n\r\n", FRAMING),
    "another protocol": (get(version=b"HTTP/1.1x"), FRAMING),
    "HTTP/2": (get(version=b"HTTP/2.0"), VERSION, "expected HTTP/1.1 or HTTP/1.0"),
    "HTTP/0.9": (get(version=b"HTTP/0.9"), VERSION),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    "a long line": (get(target=b"/" + b"a" * 70000), "414 uri_too_long"),
    "long headers": (get(headers=HOST + b"X: " + b"a" * 70000 + b"\r\n"), "431 headers_too_large"),
    "many headers": (get(headers=HOST + b"X: a\r\n" * 3000), "431 headers_too_large"),
    "a stray percent sign": (get(target=b"/%"), "404 unknown_path", "/%"),
    "an escape of no digits": (get(target=b"/livez%zz"), "404 unknown_path", "/livez%zz"),
    "an escaped NUL": (get(target=b"/livez%00"), "404 unknown_path", "/livez%00"),
    "an escaped letter": (get(target=b"/%6Civez"), "404 unknown_path", "/%6Civez"),
    "a stray percent sign in the query": (get(target=b"/livez?a=%"), "422 unknown_field", "\"a\""),
    "two blanks": (get(target=b" /livez"), ("200", FRAMING, FRAMING)),
    "a blank in the target": (get(target=b"/li vez"), (CLOSED, FRAMING, FRAMING)),
    "a tab in the line": (b"GET\t/livez HTTP/1.1\r\n" + HOST + b"\r\n",
                          (FRAMING, CLOSED, CLOSED)),
    "NUL in the target": (get(target=b"/li\0vez"), (FRAMING, CLOSED, CLOSED)),
    "a blank line before": (b"\r\n" + get(), "200"),
    "two blank lines before": (b"\r\n\r\n" + get(), ("200", CLOSED, CLOSED)),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(1, 200)) + b"\r\n\r\n",
            CLOSED),
}

# The same of bodies in chunks, which only the service reads.
CHUNKS = {
    "an extension": (CHUNKED.replace(b"\r\n", b";a=b\r\n", 1), ("200", FRAMING, "200")),
    "an extension in quotes": (CHUNKED.replace(b"\r\n", b';a="b c"\r\n', 1),
                               ("200", FRAMING, "200")),
    "an extension behind a blank": (CHUNKED.replace(b"\r\n", b" ;a=b\r\n", 1),
                                    (FRAMING, FRAMING, "200")),
    "zeros before the size": (b"000" + CHUNKED, "200"),
    "a trailer": (CHUNKED[:-2] + b"X: 1\r\n\r\n", "200"),
    "a trailer without a colon": (CHUNKED[:-2] + b"X 1\r\n\r\n", FRAMING),
    "a size with a sign": (b"+" + CHUNKED, FRAMING),
    "a size with 0x": (b"0x" + CHUNKED, FRAMING),
    "a size beyond 64 bits": (b"fffffffffffffffff" + CHUNKED, LARGE),
    "a size of letters": (b"zz\r\n" + CHUNKED, FRAMING),
    "no size": (b"\r\n" + CHUNKED, FRAMING),
    "data longer than its size": (b"4\r\n" + BODY + b"\r\n0\r\n\r\n", FRAMING),
    "bare line feeds": (CHUNKED.replace(b"\r\n", b"\n"), ("200", FRAMING, FRAMING)),
}

CHUNKED_POST = build_request("POST", "/v1/gradients", headers=[
    ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])


class OddRequests(DaemonCase):
    """One answer each, and a problem document where it is a refusal."""

    ON_ADMIN = (False, True)

    def answer_to(self, data, admin):
        """The answer, or CLOSED; nothing may follow a refusal but the end."""
        with self.daemon.connect(admin=admin, timeout=patience(2)) as connection:
            try:
                connection.send(data)
                response = connection.read_response()
            except Broken as error:
                self.assertNotIn("silence", str(error))
                return CLOSED
            except ConnectionError:
                return CLOSED
            if response.headers.get("connection", "").lower() == "close":
                self.assertEqual(connection._until_close(), b"")
            return response

    def assert_outcome(self, name, data, wanted, words="", admin=False):
        with self.subTest(name, admin=admin):
            response = self.answer_to(data, admin)
            wanted = here(wanted)
            if CLOSED in (wanted, response):
                self.assertEqual(response, wanted)
            elif wanted == "200":
                self.assertEqual(response.status, 200, response)
            else:
                status, code = wanted.split(" ")
                problem = self.assert_problem(response, int(status), code)
                self.assertIn(words, problem["detail"])
                self.assertEqual(response.headers["server"], "gradientd")

    def test_heads(self):
        for name, row in HEADS.items():
            for admin in self.ON_ADMIN:
                self.assert_outcome(name, *row, admin=admin)
        self.assert_alive()

    def test_chunks(self):
        for name, (body, wanted) in CHUNKS.items():
            self.assert_outcome(name, CHUNKED_POST + body, wanted)
        self.assert_alive()

    def test_head_gets_a_head(self):
        """A refusal of HEAD has no body, as of any HEAD."""
        with self.daemon.connect() as connection:
            connection.send(b"HEAD /livez HTTP/1.1\r\n\r\n")
            response = connection.read_response(head=True)
            self.assertEqual(response.status, 400)
            self.assertEqual(response.headers["content-type"], "application/problem+json")

    def test_arriving_byte_by_byte(self):
        """The answer is ours also where other requests come between the bytes of one."""
        data = get(headers=b"X: 1\r\n")
        with self.daemon.connect() as slow, self.daemon.connect() as other:
            for at in range(len(data)):
                slow.send(data[at:at + 1])
                self.assertEqual(other.request("GET", "/livez").status, 200)
            problem = self.assert_problem(slow.read_response(), 400, "bad_framing")
            self.assertEqual(problem["detail"], "expected a Host, found none")
            self.assertEqual(other.request("GET", "/livez").status, 200)

    def test_the_log_knows(self):
        """The line in the log has the request's identity, status and code."""
        with self.daemon.connect() as connection:
            connection.send(b"GET /v1/info?odd HTTP/1.1\r\n\r\n")
            problem = self.assert_problem(connection.read_response(), 400, "bad_framing")
        line = self.daemon.wait_log(patience(5), request_id=problem["request_id"])
        self.assertEqual((line["path"], line["status"], line["code"]),
                         ("/v1/info", 400, "bad_framing"))

    def test_the_query_s_escapes(self):
        """They are undone in names and values, the same in each version."""
        for query, status in (("d%61tatype=FP64", 200), ("datatype=FP%33%32", 200),
                              ("datatype=%46P64", 200), ("datatype=FP32%00", 422),
                              ("datatype=FP3%", 422), ("data%zztype=FP32", 422),
                              ("datatype%3DFP32", 422)):
            with self.subTest(query):
                response = self.daemon.post(BODY, path="/v1/gradients?" + query)
                self.assertEqual(response.status, status, response)

    def test_a_reply_that_looks_like_one_of_the_library_s(self):
        """A name may hold the text of an answer, of any length, and comes back as it was."""
        fake = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
        for count in (1, 100, 5000):
            request = {**make_request(1, 2, 1), "id": fake * count}
            response = self.daemon.post(request)
            if response.status == 200:
                self.assertEqual(response.json()["id"], fake * count)
            else:
                self.assertEqual(response.json()["code"], "max_envelope")


class OddRequestsByTls(OddRequests):
    """The same by TLS, where libmicrohttpd sends by other calls."""

    ON_ADMIN = (False,)

    @classmethod
    def setUpClass(cls):
        authority = Authority()
        cls.addClassCleanup(authority.close)
        pair = authority.issue("service", "IP:127.0.0.1")
        cls.daemon = Daemon("--tls-certificate", pair.certificate, "--tls-key", pair.key)
        cls.daemon.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        cls.daemon.tls.load_verify_locations(authority.certificate)


class Documents(unittest.TestCase):
    """docs/api.md names every refusal, and what differs between versions."""

    def setUp(self):
        path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "api.md")
        with open(path) as file:
            self.text = file.read()

    def test_the_codes(self):
        for row in [*HEADS.values(), *CHUNKS.values()]:
            for outcome in ([row[1]] if isinstance(row[1], str) else row[1]):
                if " " in outcome:
                    self.assertIn("`%s`" % outcome.split(" ")[1], self.text)

    def test_the_table_of_versions(self):
        rows = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
                for line in self.text.splitlines() if line.startswith("|")]
        begin = rows.index(["request", *VERSIONS]) + 2
        told = {}
        for row in rows[begin:]:
            if len(row) != 4:
                break
            told[row[0]] = tuple(row[1:])
        wanted = {name: row[1] for name, row in HEADS.items() if not isinstance(row[1], str)}
        wanted.update({"chunks: " + name: row[1] for name, row in CHUNKS.items()
                       if not isinstance(row[1], str)})
        self.assertEqual(told, wanted)


if __name__ == "__main__":
    unittest.main()

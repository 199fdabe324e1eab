"""The table of odd requests in docs/api.md: what each gets, once, on both listeners, by version of
libmicrohttpd. Most of them libmicrohttpd would answer itself, with a page of HTML."""

import os
import socket
import ssl
import unittest

import odd_requests
from certificates import Authority
from odd_requests import BODY, CHUNKED_POST, CLOSED, VERSIONS, get, here
from support import Broken, Daemon, DaemonCase, make_request, patience


class OddRequests(DaemonCase):
    """One answer each, and a problem document where it is a refusal."""

    ON_ADMIN = (False, True)

    def answer_to(self, data, admin, ends):
        """The answer, or CLOSED; nothing may follow a refusal but the end."""
        with self.daemon.connect(admin=admin, timeout=patience(2)) as connection:
            try:
                connection.send(data)
                if ends:
                    connection.socket.shutdown(socket.SHUT_WR)
                response = connection.read_response()
            except Broken as error:
                self.assertNotIn("silence", str(error))
                return CLOSED
            except ConnectionError:
                return CLOSED
            if response.headers.get("connection", "").lower() == "close":
                self.assertEqual(connection._until_close(), b"")
            return response

    def assert_outcome(self, name, data, wanted, words="", admin=False, ends=False):
        with self.subTest(name, admin=admin):
            response = self.answer_to(data, admin, ends)
            wanted = here(wanted)
            if CLOSED in (wanted, response):
                self.assertEqual(response, wanted)
            elif wanted in ("200", "204"):
                self.assertEqual(str(response.status), wanted, response)
            else:
                status, code = wanted.split(" ")
                problem = self.assert_problem(response, int(status), code)
                self.assertIn(words, problem["detail"])
                self.assertEqual(response.headers["server"], "gradientd")

    def assert_table(self, table, before=b"", listeners=(False,), ends=False):
        for name, (data, *wanted) in table.items():
            for admin in listeners:
                self.assert_outcome(name, before + data, *wanted, admin=admin, ends=ends)
        self.assert_alive()

    def test_request_lines(self):
        self.assert_table(odd_requests.LINES, listeners=self.ON_ADMIN)

    def test_header_fields(self):
        self.assert_table(odd_requests.FIELDS, listeners=self.ON_ADMIN)

    def test_bodies(self):
        self.assert_table(odd_requests.BODIES)

    def test_chunks(self):
        self.assert_table(odd_requests.CHUNKS, before=CHUNKED_POST)

    def test_ends(self):
        self.assert_table(odd_requests.ENDS, ends=True)

    def test_there_are_enough(self):
        self.assertGreaterEqual(sum(len(table) for _, table in odd_requests.TABLES), 200)

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
    test_ends = None  # TLS has an end of its own, behind which nothing is read

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
        for row in [row for _, table in odd_requests.TABLES for row in table.values()]:
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
        wanted = {prefix + name: row[1] for prefix, table in odd_requests.TABLES
                  for name, row in table.items() if not isinstance(row[1], str)}
        self.assertEqual(told, wanted)


if __name__ == "__main__":
    unittest.main()

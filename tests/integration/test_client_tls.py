"""The command line by TLS, by Unix sockets, and with replicas: whom it trusts, what it shows, where
it goes on when one fails, and what it says and exits with."""

import os
import socket
import tempfile
import unittest

from certificates import Authority
from peers import ANSWER, DOCUMENT, Peer, answers, gradient
from support import Daemon, body_of, make_request, patience

UNREACHABLE, BAD_INPUT, USAGE, PROTOCOL = 4, 3, 2, 8


def closed_port():
    """The URL of an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return "http://127.0.0.1:%d" % found.getsockname()[1]


class ByTls(unittest.TestCase):
    """One service with a certificate, one that asks for clients' too."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.pair = cls.authority.issue("service", "DNS:localhost,IP:127.0.0.1")
        cls.worker = cls.authority.issue("worker")
        flags = ("--tls-certificate", cls.pair.certificate, "--tls-key", cls.pair.key)
        cls.plain = Daemon(*flags)
        cls.addClassCleanup(cls.plain.stop)
        cls.mutual = Daemon(*flags, "--tls-client-ca", cls.authority.certificate)
        cls.addClassCleanup(cls.mutual.stop)

    def ask(self, daemon, *options, host="127.0.0.1"):
        return gradient("info", "--url", "https://%s:%d" % (host, daemon.address[1]), "--retries",
                        "0", *options)

    def test_trusted(self):
        result = self.ask(self.plain, "--ca-file", self.authority.certificate)
        self.assertEqual((result.code, result.err), (0, ""))

    def test_not_trusted(self):
        other = Authority("other")
        self.addCleanup(other.close)
        for options in ((), ("--ca-file", other.certificate)):
            result = self.ask(self.plain, *options)
            self.assertEqual(result.code, PROTOCOL, result.err)
            self.assertIn("isn't trusted", result.err)

    def test_of_another_name(self):
        result = self.ask(self.plain, "--ca-file", self.authority.certificate, host="127.0.0.2")
        self.assertIn(result.code, (PROTOCOL, UNREACHABLE), result.err)  # 127.0.0.2 may be unheard

    def test_a_certificate_for_another(self):
        pair = self.authority.issue("other", "DNS:other.example")
        with Daemon("--tls-certificate", pair.certificate, "--tls-key", pair.key) as daemon:
            result = self.ask(daemon, "--ca-file", self.authority.certificate)
        self.assertEqual(result.code, PROTOCOL, result.err)
        self.assertIn("isn't trusted", result.err)

    def test_with_a_certificate_of_its_own(self):
        trust = ("--ca-file", self.authority.certificate)
        result = self.ask(self.mutual, *trust, "--certificate", self.worker.certificate, "--key",
                          self.worker.key)
        self.assertEqual((result.code, result.err), (0, ""))
        result = self.ask(self.mutual, *trust)
        self.assertEqual(result.code, UNREACHABLE, result.err)
        self.assertIn("alert", result.err.lower())

    def test_files_that_are_wrong(self):
        trust = ("--ca-file", self.authority.certificate)
        for options in (("--ca-file", "/nowhere"),
                        (*trust, "--certificate", "/nowhere", "--key", self.worker.key),
                        (*trust, "--certificate", self.worker.certificate, "--key", "/nowhere")):
            result = self.ask(self.mutual, *options)
            self.assertEqual(result.code, BAD_INPUT, (options, result.err))
            self.assertIn("/nowhere: No such file", result.err)
        result = self.ask(self.mutual, "--ca-file", self.authority.write("empty", ""))
        self.assertIn(result.code, (BAD_INPUT, PROTOCOL), result.err)  # by libcurl's own judgement
        result = self.ask(self.mutual, *trust, "--certificate", self.worker.certificate)
        self.assertEqual(result.code, USAGE, result.err)
        self.assertIn("expected a certificate and its key, found no key", result.err)

    def test_https_where_there_is_none(self):
        with Daemon() as daemon:
            result = self.ask(daemon)
        self.assertEqual(result.code, UNREACHABLE, result.err)

    def test_http_where_there_is_tls(self):
        result = gradient("info", "--url", "http://127.0.0.1:%d" % self.plain.address[1])
        self.assertEqual(result.code, BAD_INPUT)
        self.assertIn("use https://", result.err)


class ByUnixSocket(unittest.TestCase):
    """unix:/path, as the daemon spells it."""

    def test_a_request(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            with Daemon(arguments=["--listen", "unix:" + path, "--admin-listen", "127.0.0.1:0"]):
                result = gradient("compute", "-", "--url", "unix:" + path,
                                  stdin=body_of(make_request(2, 3, 2)))
                self.assertEqual((result.code, result.err), (0, ""))
            result = gradient("info", "--url", "unix:" + path, "--retries", "0")
            self.assertEqual(result.code, UNREACHABLE)
            self.assertIn("unix:" + path + " can't be reached", result.err)

    def test_spelling(self):
        for url in ("unix:", "unix:relative", "unix:/" + "x" * 107):
            result = gradient("info", "--url", url)
            self.assertEqual(result.code, USAGE, result.err)


class Replicas(unittest.TestCase):
    """--url given again."""

    def compute(self, *urls, retries=4):
        words = [word for url in urls for word in ("--url", url)]
        return gradient("compute", "-", "--retries", str(retries), *words, stdin=DOCUMENT)

    def test_the_next_one_answers_at_once(self):
        with Peer(answers(200, ANSWER)) as good, Peer(answers(503, b"{}")) as busy:
            for first in (closed_port(), busy.url, "unix:/nowhere"):
                result = self.compute(first, good.url, retries=1)
                self.assertEqual((result.code, result.err, result.out), (0, "", ANSWER))

    def test_after_a_round_it_begins_anew(self):
        with Peer(answers(503, b"{}"), answers(200, ANSWER)) as second:
            result = self.compute(closed_port(), second.url, retries=3)
            self.assertEqual((result.code, result.err), (0, ""))
            self.assertEqual(len(second.requests), 2)

    def test_what_no_replica_mends_is_not_asked_again(self):
        with Peer(answers(422, b"{}")) as first, Peer(answers(200, ANSWER)) as second:
            result = self.compute(first.url, second.url)
            self.assertEqual(result.code, BAD_INPUT)
            self.assertEqual(len(second.requests), 0)

    def test_all_are_gone(self):
        result = self.compute(closed_port(), closed_port(), retries=3)
        self.assertEqual(result.code, UNREACHABLE)
        self.assertIn("(4 tries)", result.err)

    def test_each_is_checked(self):
        result = self.compute("http://127.0.0.1:1", "no url")
        self.assertEqual(result.code, USAGE)
        self.assertIn('found "no url"', result.err)

    def test_one_of_two_daemons_stops_under_load(self):
        """Every command succeeds while the daemons stop and start in turn."""
        daemons = [Daemon() for _ in range(2)]
        document = body_of(make_request(2, 3, 2))
        try:
            for i in range(6):
                urls = ["http://127.0.0.1:%d" % d.address[1] for d in daemons]
                daemons[i % 2].signal()
                for _ in range(3):
                    words = [word for url in urls for word in ("--url", url)]
                    result = gradient("compute", "-", *words, stdin=document)
                    self.assertEqual((result.code, result.err), (0, ""))
                daemons[i % 2].stop()
                daemons[i % 2] = Daemon()
        finally:
            for daemon in daemons:
                daemon.stop()


if __name__ == "__main__":
    unittest.main()

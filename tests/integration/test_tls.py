"""TLS on the service's listener, and who may not come in: real handshakes by Python's ssl, openssl
and curl. Whoever is refused gets no answer of the service, and no request of theirs is counted."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

from certificates import DAY, Authority, Pair, openssl
from support import (Broken, Case, Connection, DAEMON, Daemon, body_of, build_request, make_request,
                     patience)

REQUEST = make_request(2, 3, 2)
LOCAL = "DNS:localhost,IP:127.0.0.1"


def client(authority, pair=None, most=None, least=None):
    """A context of a client that trusts the authority, with a certificate of its own or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.certificate)
    context.minimum_version = least or ssl.TLSVersion.TLSv1_2
    if most:
        context.maximum_version = most
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def files_of(pair):
    return ("--tls-certificate", pair.certificate, "--tls-key", pair.key)


class TlsCase(Case):
    """An authority, a daemon of its own with these flags more, and what both are asked."""

    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.pair = cls.authority.issue("service", LOCAL)
        cls.daemon = Daemon(*files_of(cls.pair), "--log-level", "debug", *cls.more_flags())
        cls.daemon.tls = client(cls.authority)

    @classmethod
    def more_flags(cls):
        return cls.FLAGS

    @classmethod
    def tearDownClass(cls):
        try:
            cls.daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_in_flight")
            cls.daemon.stop()
        finally:
            if not cls.daemon.stopped:
                cls.daemon.kill()

    def ask(self, context, **options):
        """The status that GET /v1/info gets, or what kept it from one."""
        try:
            with self.daemon.connect(tls=context, timeout=patience(5), **options) as connection:
                return connection.request("GET", "/v1/info").status
        except (Broken, OSError) as error:
            return str(error)

    @contextlib.contextmanager
    def none_in(self, reason):
        """Within, a refusal of that reason is counted, and no request."""
        self.daemon.wait_metric(lambda v: v == 0, patience(5), "gradientd_in_flight")
        before = self.daemon.metrics()
        yield
        self.daemon.wait_metric(
            lambda v: v > before.value("gradientd_rejections_total", reason=reason), patience(5),
            "gradientd_rejections_total", reason=reason)
        after = self.daemon.metrics()
        for route in ("/v1/info", "/v1/gradients", "other"):
            self.assertEqual(after.value("gradientd_requests_total", route=route),
                             before.value("gradientd_requests_total", route=route), route)

    def assert_refused(self, context, reason, words=""):
        with self.none_in(reason):
            outcome = self.ask(context)
        self.assertIsInstance(outcome, str)
        self.assertRegex(outcome.lower().replace("_", " "), words)


class Records:
    """A client that sees the records behind its handshake: TLS in memory, carried here."""

    def __init__(self, daemon, context):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.connection = daemon.connect(tls=None, timeout=patience(10))
        self.plain, self.sizes, self.cut = b"", [], b""
        self.until(self.tls.do_handshake)

    def take(self):
        """What has come, and the sizes of its records of application data (type 23)."""
        data = self.connection.socket.recv(65536)
        self.incoming.write(data)
        self.cut += data
        while len(self.cut) >= 5 and len(self.cut) >= 5 + int.from_bytes(self.cut[3:5], "big"):
            length = int.from_bytes(self.cut[3:5], "big")
            self.sizes += [length] if self.cut[0] == 23 else []
            self.cut = self.cut[5 + length:]

    def until(self, step, *arguments):
        """Repeats a step of TLS until it needs no more of the peer."""
        while True:
            try:
                result = step(*arguments)
            except ssl.SSLWantReadError:
                result = None
            self.connection.send(self.outgoing.read())
            if result is not None or step == self.tls.do_handshake and self.tls.cipher():
                return result
            self.take()

    def ask(self, request, end):
        """The response, which ends so, and the sizes of its records."""
        self.sizes, plain = [], b""
        self.until(self.tls.write, request)
        while not plain.endswith(end):
            plain += self.until(self.tls.read, 1 << 16)
        return plain, self.sizes


class Served(TlsCase):
    """What works over TLS as it does without."""

    def test_a_request(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version), \
                    self.daemon.connect(tls=client(self.authority, most=version,
                                                   least=version)) as connection:
                for _ in range(3):  # on one connection
                    response = connection.request("POST", "/v1/gradients", body_of(REQUEST))
                    self.assertEqual(response.status, 200, response)
                self.assertEqual(connection.socket.cipher()[0].count("GCM")
                                 + connection.socket.cipher()[0].count("CHACHA20"), 1)
                self.assertEqual(connection.socket.selected_alpn_protocol(), None)

    def test_the_same_bytes_as_without(self):
        """Replies of one segment and of many, of a few bytes and of megabytes."""
        with Daemon() as plain:
            for shape in ((1, 1, 1), (8, 30, 20), (4, 700, 600)):
                body = body_of(make_request(*shape, seed=shape[0]))
                with self.subTest(shape):
                    self.assertEqual(self.daemon.post(body).body, plain.post(body).body)

    def test_many_large_replies_at_once(self):
        body = body_of(make_request(2, 500, 400))
        wanted = self.daemon.post(body).body
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(self.daemon.connect()) for _ in range(8)]
            for connection in connections:
                connection.send(build_request("POST", "/v1/gradients", body))
            for connection in connections:
                self.assertEqual(connection.read_response().body, wanted)

    def test_a_slow_reader_gets_all(self):
        body = body_of(make_request(2, 500, 400))
        wanted = self.daemon.post(body).body
        with self.daemon.connect(receive_buffer=4096) as connection:
            connection.send(build_request("POST", "/v1/gradients", body))
            time.sleep(0.3)
            self.assertEqual(connection.read_response().body, wanted)

    def test_pipelined(self):
        with self.daemon.connect() as connection:
            connection.send(build_request("POST", "/v1/gradients", body_of(REQUEST)) * 20)
            bodies = {connection.read_response().body for _ in range(20)}
        self.assertEqual(len(bodies), 1)

    def test_head_and_body_share_a_record(self):
        small = build_request("POST", "/v1/gradients", body_of(REQUEST))
        large = build_request("POST", "/v1/gradients", body_of(make_request(8, 200, 100)))
        for most in (None, ssl.TLSVersion.TLSv1_2):
            with self.subTest(most=most):
                client_of = Records(self.daemon, client(self.authority, most=most))
                client_of.ask(small, b"]}]}\n")  # behind it come no more tickets
                self.assertEqual(len(client_of.ask(small, b"]}]}\n")[1]), 1)
                sizes = client_of.ask(large, b"]}]}\n")[1]
                self.assertGreater(sizes[0], 16384)
                head, sizes = client_of.ask(build_request("HEAD", "/v1/info"), b"\r\n\r\n")
                self.assertEqual((head[:12], len(sizes)), (b"HTTP/1.1 200", 1))
                self.assertEqual(len(client_of.ask(build_request("GET", "/none"), b"}\n")[1]), 1)
                client_of.connection.close()

    def test_answers_that_wait_for_room(self):
        body = body_of(make_request(1, 40, 30))
        count, request = 300, build_request("POST", "/v1/gradients", body)
        with self.daemon.connect(receive_buffer=4096) as connection:
            connection.send(request * count)
            seen = self.settled()
            bodies = [connection.read_response().body for _ in range(count)]
        self.assertLess(seen, self.taken(), "all were sent at once")
        self.assertEqual(len(set(bodies)), 1)

    def test_a_peer_with_small_records(self):
        """Who has little memory says so (RFC 8449): a head may take two of its records."""
        request = build_request("GET", "/v1/info", headers=[("Connection", "close")])
        wanted = self.daemon.get("/v1/info").json()["losses"]
        for size in (512, 1024, 4096):
            with self.subTest(size), subprocess.Popen(
                    ["gnutls-cli", "--x509cafile", self.authority.certificate, "--recordsize",
                     str(size), "--port", str(self.daemon.address[1]), "127.0.0.1"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                patient = threading.Timer(patience(20), process.kill)
                patient.start()
                process.stdin.write(request)
                process.stdin.flush()
                printed = process.stdout.read()
                patient.cancel()
                head, _, body = printed[printed.index(b"HTTP/1.1 200"):].partition(b"\r\n\r\n")
                length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                self.assertEqual(json.loads(body[:length])["losses"], wanted)

    def settled(self):
        """How many requests have been taken, when no more are for a while."""
        seen, more = self.taken(), None
        while more != seen:
            time.sleep(0.5)
            seen, more = more, self.taken()
        return seen

    def taken(self):
        return self.daemon.metrics().value("gradientd_requests_total", route="/v1/gradients",
                                           status="200")

    def test_in_chunks_byte_by_byte(self):
        with self.daemon.connect() as connection:
            response = connection.request("POST", "/v1/gradients", body_of(REQUEST), chunks=1)
            self.assertEqual(response.status, 200)

    def test_expect_continue(self):
        body = body_of(REQUEST)
        head = build_request("POST", "/v1/gradients", None, (
            ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
            ("Expect", "100-continue")))
        with self.daemon.connect() as connection:
            connection.send(head)
            self.assertEqual(connection.read_response(interim=True).status, 100)
            connection.send(body)
            self.assertEqual(connection.read_response().status, 200)

    def test_a_refusal_in_the_middle_of_a_body(self):
        """libmicrohttpd takes no answer then: it goes into the session by hand, not beside it."""
        with Daemon(*files_of(self.pair), "--max-body", "1KiB") as daemon:
            daemon.tls = client(self.authority)
            with daemon.connect() as connection:
                connection.send(build_request("POST", "/v1/gradients", None, (
                    ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))))
                piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
                with contextlib.suppress(OSError):  # it ends the connection behind its answer
                    for _ in range(400):
                        connection.send(piece)
                self.assert_problem(connection.read_response(), 413, "body_too_large")

    def test_the_end_is_told(self):
        """A close_notify says that nothing is missing (RFC 8446, section 6.1)."""
        with self.daemon.connect() as connection:
            connection.send(b"GET /v1/info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            connection.socket.suppress_ragged_eofs = False
            self.assertEqual(connection.read_response().status, 200)
            self.assertEqual(connection.socket.recv(1), b"")

    def test_an_absolute_target(self):
        with self.daemon.connect() as connection:
            self.assertEqual(connection.request("GET", "https://localhost/v1/info").status, 200)

    def test_curl(self):
        done = subprocess.run(["curl", "-sS", "--cacert", self.authority.certificate,
                               "https://127.0.0.1:%d/v1/info" % self.daemon.address[1]],
                              capture_output=True, timeout=patience(10), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'"gradientd"', done.stdout)

    def test_a_session_is_resumed(self):
        context = client(self.authority, most=ssl.TLSVersion.TLSv1_2)
        with self.daemon.connect(tls=context) as connection:
            connection.request("GET", "/v1/info")
            session = connection.socket.session
        raw = socket.create_connection(self.daemon.address, timeout=patience(5))
        with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as again:
            self.assertTrue(again.session_reused)

    def test_metrics_know_how_long_the_certificate_lasts(self):
        left = self.daemon.metrics().value("gradientd_tls_certificate_left_seconds")
        self.assertTrue(89 * DAY < left <= 90 * DAY, left)
        with Daemon() as plain:
            self.assertNotIn("gradientd_tls_certificate_left_seconds", plain.metrics().names())

    def test_an_idle_connection_is_ended(self):
        with Daemon(*files_of(self.pair), "--idle-timeout", "300ms") as daemon:
            daemon.tls = client(self.authority)
            with daemon.connect() as connection:
                connection.request("GET", "/v1/info")
                self.assertTrue(connection.closed_within(patience(5)))

    def test_ending_answers_what_has_begun(self):
        daemon = Daemon(*files_of(self.pair))
        daemon.tls = client(self.authority)
        with daemon:
            data = build_request("POST", "/v1/gradients", body_of(make_request(2, 300, 300)))
            with daemon.connect() as connection:
                connection.send(data[:-1])
                daemon.wait_metric(lambda v: v == 1, patience(5), "gradientd_in_flight")
                daemon.signal()
                daemon.wait_log(patience(5), message="draining")
                connection.send(data[-1:])
                response = connection.read_response()
                self.assertEqual((response.status, response.headers["connection"]), (200, "close"))
            daemon.check_exit(patience(10))


class Strangers(TlsCase):
    """What is no TLS, or none that is spoken here."""

    FLAGS = ("--header-timeout", "1s")

    def test_old_versions(self):
        for name in ("-tls1", "-tls1_1"):
            with self.subTest(name), self.none_in("tls_handshake"):
                done = subprocess.run(
                    ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.daemon.address[1],
                     name, "-cipher", "ALL:@SECLEVEL=0"], input=b"GET /v1/info HTTP/1.0\r\n\r\n",
                    capture_output=True, timeout=patience(10), check=False)
                self.assertIn(b"protocol version", done.stderr)
                self.assertNotIn(b"200 OK", done.stdout)

    def test_weak_ciphers(self):
        """No forward secrecy, or no authenticated encryption."""
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"):
            context = client(self.authority, most=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(cipher)
            with self.subTest(cipher):
                self.assert_refused(context, "tls_handshake", "handshake failure")

    def test_renegotiation(self):
        """A client of TLS 1.2 that asks for another handshake is cut off."""
        with subprocess.Popen(
                ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.daemon.address[1],
                 "-tls1_2", "-CAfile", self.authority.certificate, "-legacy_renegotiation"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as asks:
            time.sleep(0.3)
            asks.stdin.write(b"R\n")
            asks.stdin.flush()
            time.sleep(0.3)
            with contextlib.suppress(BrokenPipeError):
                asks.stdin.write(b"GET /v1/info HTTP/1.0\r\n\r\n")
                asks.stdin.flush()
            output, _ = asks.communicate(timeout=patience(10))
        self.assertIn(b"RENEGOTIATING", output)
        self.assertNotIn(b"200 OK", output)

    def test_plain_http_is_told(self):
        with self.none_in("tls_handshake"), Connection(self.daemon.address) as connection:
            response = connection.request("POST", "/v1/gradients", body_of(REQUEST))
            self.assertEqual((response.status, response.json()["code"]), (400, "tls_expected"))
            self.assertTrue(connection.closed_within(patience(5)))

    def test_noise(self):
        for noise in (b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"\1" * 200, b"{}" * 50,
                      b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x80\x2e\x01\x00\x02" * 20):
            with self.subTest(noise[:8]), self.none_in("tls_handshake"), \
                    Connection(self.daemon.address, timeout=patience(5)) as connection:
                connection.send(noise)
                connection.socket.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    answer = connection.socket.recv(1000)
                    self.assertNotIn(b"HTTP", answer)

    def test_half_a_handshake_is_cut_off(self):
        """By header-timeout, whose beginning is the accepting."""
        hello = client_hello()
        for part in (b"", hello[:3], hello[:100], hello[:-1], hello):
            began = time.monotonic()
            with self.subTest(len(part)), Connection(self.daemon.address) as connection:
                before = self.daemon.metrics().value("gradientd_rejections_total",
                                                     reason="slow_header")
                connection.send(part)
                while connection.socket.recv(10000):  # the service's half
                    pass
                self.assertLess(0.9, time.monotonic() - began)
                self.assertLess(time.monotonic() - began, patience(5))
                self.daemon.wait_metric(lambda v, b=before: v > b, patience(5),
                                        "gradientd_rejections_total", reason="slow_header")

    def test_above_the_limit_nothing_is_said(self):
        with Daemon(*files_of(self.pair), "--max-connections", "1") as daemon:
            daemon.tls = client(self.authority)
            with daemon.connect() as first:
                self.assertEqual(first.request("GET", "/v1/info").status, 200)
                with Connection(daemon.address) as second:
                    self.assertEqual(second.socket.recv(100), b"")
                self.assertEqual(first.request("GET", "/v1/info").status, 200)
            daemon.wait_metric(lambda v: v == 0, patience(5), "gradientd_connections")


def client_hello():
    """The first flight of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


class Clients(TlsCase):
    """Mutual TLS: no one without a good certificate of the right authority comes in."""

    @classmethod
    def more_flags(cls):
        cls.good = cls.authority.issue("worker-1", "DNS:worker-1.example")
        return ("--tls-client-ca", cls.authority.certificate)

    def test_a_good_one(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.ask(client(self.authority, self.good, version, version)), 200)
        line = self.daemon.wait_log(patience(5), message="request", path="/v1/info", status=200)
        self.assertEqual(line["client"], "worker-1.example")

    def test_none(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assert_refused(client(self.authority, None, version, version), "tls_client",
                                "certificate required|handshake failure")
        self.daemon.wait_log(patience(5), message="client refused",
                             reason="it showed no certificate")

    def test_of_a_foreign_authority(self):
        other = Authority("test authority")  # of the same name
        self.addCleanup(other.close)
        self.assert_refused(client(self.authority, other.issue("worker-1", "DNS:worker-1.example")),
                            "tls_client", "certificate|unknown ca")
        self.daemon.wait_log(patience(5), message="client refused", client="worker-1.example")

    def test_signed_by_itself(self):
        folder = self.authority.folder
        key, certificate = os.path.join(folder, "own.key"), os.path.join(folder, "own.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=worker-1")
        context = client(self.authority)
        context.load_cert_chain(certificate, key)
        self.assert_refused(context, "tls_client", "certificate|unknown ca")

    def test_expired(self):
        pair = self.authority.issue("old", begins=-2 * DAY, ends=-DAY)
        self.assert_refused(client(self.authority, pair), "tls_client", "certificate")
        self.daemon.wait_log(patience(5), message="client refused", client="old",
                             reason="its certificate has expired")

    def test_not_yet_valid(self):
        pair = self.authority.issue("young", begins=DAY)
        self.assert_refused(client(self.authority, pair), "tls_client", "certificate")
        self.daemon.wait_log(patience(5), message="client refused", client="young",
                             reason="its certificate is not valid yet")

    def test_not_for_clients(self):
        pair = self.authority.issue("server only", purpose="serverAuth")
        self.assert_refused(client(self.authority, pair), "tls_client", "certificate")
        self.assertEqual(self.ask(client(self.authority, self.authority.issue(
            "both", purpose="serverAuth,clientAuth"))), 200)

    def test_issued_by_a_client(self):
        """A client's certificate makes no authority."""
        folder = self.authority.folder
        key, request = os.path.join(folder, "below.key"), os.path.join(folder, "below.csr")
        below = os.path.join(folder, "below.pem")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", request, "-subj", "/CN=worker-1")
        signed = openssl("x509", "-req", "-in", request, "-CA", self.good.certificate, "-CAkey",
                         self.good.key, "-set_serial", "7", "-days", "2")
        with open(below, "wb") as file, open(self.good.certificate, "rb") as issuer:
            file.write(signed + issuer.read())
        context = client(self.authority)
        context.load_cert_chain(below, key)
        self.assert_refused(context, "tls_client", "certificate|unknown ca")

    def test_with_another_s_certificate(self):
        """Who shows a certificate must have its key."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.daemon.address[1], "-cert",
             self.good.certificate, "-key", self.authority.issue("thief").key],
            input=b"GET /v1/info HTTP/1.0\r\n\r\n", capture_output=True, timeout=patience(10),
            check=False)
        self.assertNotIn(b"200 OK", done.stdout)

    def test_no_session_is_resumed(self):
        """A resumed session would show no certificate again."""
        context = client(self.authority, self.good, most=ssl.TLSVersion.TLSv1_2)
        with self.daemon.connect(tls=context) as connection:
            connection.request("GET", "/v1/info")
            session = connection.socket.session
        if session is None:
            return
        raw = socket.create_connection(self.daemon.address, timeout=patience(5))
        with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as again:
            self.assertFalse(again.session_reused)

    def test_health_checks_need_none(self):
        self.assertEqual(self.daemon.get("/livez", admin=True).status, 200)

    def test_plain_http(self):
        with self.none_in("tls_handshake"), Connection(self.daemon.address) as connection:
            self.assertEqual(connection.request("GET", "/v1/info").status, 400)


class Names(TlsCase):
    """Of the authority's clients those that are listed."""

    @classmethod
    def more_flags(cls):
        cls.names = cls.authority.write("names", "# those of ours\n\n  worker-1.example \r\n"
                                                 "Common # by its common name\n"
                                                 "spiffe://example/worker\n")
        return ("--tls-client-ca", cls.authority.certificate, "--tls-client-names", cls.names)

    def ask_as(self, name, alternative=None):
        return self.ask(client(self.authority, self.authority.issue(name, alternative)))

    def test_listed(self):
        for name, alternative in (("x", "DNS:worker-1.example"), ("x", "DNS:WORKER-1.example"),
                                  ("x", "DNS:a.example,DNS:worker-1.example"), ("common", None),
                                  ("", "URI:spiffe://example/worker")):
            with self.subTest(alternative or name):
                self.assertEqual(self.ask_as(name, alternative), 200)
        lines = self.daemon.records(message="request", status=200, client="worker-1.example")
        self.assertGreaterEqual(len(lines), 2)

    def test_others(self):
        for name, alternative in (("x", None), ("x", "DNS:worker-2.example"), ("", None),
                                  ("worker-1.example", "DNS:worker-2.example"),
                                  ("x", "DNS:a.worker-1.example"), ("x", "DNS:*.example"),
                                  ("x", "DNS:worker-1.exampl"), ("x", "DNS:worker-1.example.org"),
                                  ("# those of ours", None), ("Common # by its common name", None),
                                  ("x", "URI:spiffe://example/worker/2"),
                                  ("common", "URI:spiffe://example/other")):
            with self.subTest(alternative or name), self.none_in("tls_client"):
                self.assertIsInstance(self.ask_as(name, alternative), str)


class Reloading(Case):
    """SIGHUP reads the files again."""

    def setUp(self):
        self.authority = Authority()
        self.addCleanup(self.authority.close)
        first = self.authority.issue("first", LOCAL)
        self.certificate = self.authority.path("service.pem")
        self.key = self.authority.path("service.key")
        self.put(first)

    def put(self, pair):
        shutil.copyfile(pair.certificate, self.certificate)
        shutil.copyfile(pair.key, self.key)
        os.chmod(self.key, 0o600)

    def start(self, *flags):
        daemon = Daemon("--tls-certificate", self.certificate, "--tls-key", self.key, *flags)
        daemon.tls = client(self.authority)
        return daemon

    def reload(self, daemon, message="certificates reloaded"):
        count = len(daemon.records(message=message))
        daemon.signal(1)
        return daemon.wait_logs(count + 1, patience(10), message=message)[-1]

    def subject(self, connection):
        return dict(pair[0] for pair in connection.socket.getpeercert()["subject"])["commonName"]

    def test_new_connections_meet_the_new_and_open_ones_go_on(self):
        with self.start() as daemon, daemon.connect() as old:
            self.assertEqual(old.request("GET", "/v1/info").status, 200)
            half = socket.create_connection(daemon.address, timeout=patience(10))
            self.put(self.authority.issue("second", LOCAL))
            self.reload(daemon)
            self.assertEqual(old.request("GET", "/v1/info").status, 200)
            with daemon.connect() as new:
                self.assertEqual(self.subject(new), "second")
                self.assertEqual(new.request("GET", "/v1/info").status, 200)
            with client(self.authority).wrap_socket(half, server_hostname="127.0.0.1") as late:
                late.sendall(b"GET /v1/info HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b"200 OK", late.recv(1000))

    def test_under_load_nothing_is_lost(self):
        """Handshakes and requests while the files change twenty times."""
        pairs = [self.authority.issue("number %d" % i, LOCAL) for i in range(4)]
        with self.start("--log-requests", "off") as daemon, daemon.connect() as kept:
            for i in range(20):
                self.put(pairs[i % len(pairs)])
                daemon.signal(1)
                for _ in range(5):
                    self.assertEqual(daemon.get("/v1/info").status, 200)
                self.assertEqual(kept.request("GET", "/v1/info").status, 200)

    def test_what_is_wrong_changes_nothing(self):
        other = self.authority.issue("other", LOCAL)
        empty = Pair(self.authority.write("empty", ""), self.authority.path("empty"))
        first = Pair(self.authority.path("first.pem"), self.authority.path("first.key"))
        shutil.copyfile(self.certificate, first.certificate)
        shutil.copyfile(self.key, first.key)
        with self.start() as daemon:
            for pair, mode, words in (
                    (Pair(other.certificate, first.key), 0o600, "expected the key of the first"),
                    (Pair(first.certificate, other.key), 0o600, "expected the key of the first"),
                    (Pair(first.key, first.key), 0o600, "expected certificates in PEM"),
                    (Pair(empty.certificate, first.key), 0o600, "expected certificates in PEM"),
                    (Pair(first.certificate, empty.key), 0o600, "expected a private key in PEM"),
                    (first, 0o604, "lets others read it"), (first, 0o602, "lets others write it")):
                self.put(pair)
                os.chmod(self.key, mode)
                line = self.reload(daemon, "certificates not reloaded: the old ones stay")
                self.assertIn(words, line["reason"])
                with daemon.connect() as connection:
                    self.assertEqual(self.subject(connection), "first")
            self.put(other)
            self.reload(daemon)
            with daemon.connect() as connection:
                self.assertEqual(self.subject(connection), "other")

    def test_a_client_that_a_reload_revokes(self):
        """It gets no further request in, on no connection, old or new."""
        one, two = (self.authority.issue(name) for name in ("one", "two"))
        crl = self.authority.revoked()
        with self.start("--tls-client-ca", self.authority.certificate, "--tls-client-crl",
                        crl) as daemon:
            as_one, as_two = (client(self.authority, pair) for pair in (one, two))
            with daemon.connect(tls=as_one) as first, daemon.connect(tls=as_two) as second:
                for connection in (first, second):
                    self.assertEqual(connection.request("GET", "/v1/info").status, 200)
                self.authority.revoked(one)
                self.reload(daemon)
                response = first.request("POST", "/v1/gradients", body_of(REQUEST))
                self.assert_problem(response, 403, "client_refused")
                self.assertIn("revoked", response.json()["detail"])
                self.assertTrue(first.closed_within(patience(5)))
                self.assertEqual(second.request("GET", "/v1/info").status, 200)
                self.assertEqual(second.request("GET", "/v1/info").status, 200)
            with self.assertRaises((Broken, OSError)), daemon.connect(tls=as_one) as again:
                again.request("GET", "/v1/info")
            with daemon.connect(tls=as_two) as again:
                self.assertEqual(again.request("GET", "/v1/info").status, 200)

    def test_an_authority_that_a_reload_takes_away(self):
        other = Authority("other")
        self.addCleanup(other.close)
        path = self.authority.path("clients.pem")
        shutil.copyfile(self.authority.certificate, path)
        context = client(self.authority, self.authority.issue("one"))
        with self.start("--tls-client-ca", path) as daemon, \
                daemon.connect(tls=context) as connection:
            self.assertEqual(connection.request("GET", "/v1/info").status, 200)
            shutil.copyfile(other.certificate, path)
            self.reload(daemon)
            self.assertEqual(connection.request("GET", "/v1/info").status, 403)

    def test_a_name_that_a_reload_takes_away(self):
        names = self.authority.write("names", "one\ntwo\n")
        context = client(self.authority, self.authority.issue("one"))
        with self.start("--tls-client-ca", self.authority.certificate, "--tls-client-names",
                        names) as daemon, daemon.connect(tls=context) as connection:
            self.assertEqual(connection.request("GET", "/v1/info").status, 200)
            self.authority.write("names", "two\n")
            self.reload(daemon)
            self.assertEqual(connection.request("GET", "/v1/info").status, 403)

    def test_a_certificate_that_expires_soon_is_told(self):
        for days, message in ((29, "tls-certificate expires soon"),
                              (-1, "tls-certificate has expired")):
            self.put(self.authority.issue("soon", LOCAL, begins=-3 * DAY, ends=days * DAY))
            with self.subTest(days), self.start() as daemon:
                line = daemon.wait_log(patience(10), message=message, level="warning")
                self.assertEqual(line["file"], self.certificate)


class Starting(Case):
    """What is wrong with the files is said, and by which one."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.pair = cls.authority.issue("service", LOCAL)

    def assert_fails(self, words, *flags):
        done = subprocess.run([DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "none", *flags],
                              capture_output=True, timeout=patience(20), check=False,
                              env={k: v for k, v in os.environ.items()
                                   if not k.startswith("GRADIENTD_")})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr.decode(), words)

    def test_one_without_the_others(self):
        pair, authority = self.pair, self.authority.certificate
        self.assert_fails("expected tls-key beside", "--tls-certificate", pair.certificate)
        self.assert_fails("expected tls-certificate beside", "--tls-key", pair.key)
        self.assert_fails("expected tls-certificate beside", "--tls-client-ca", authority)
        self.assert_fails("expected tls-client-ca beside tls-client-names", *files_of(pair),
                          "--tls-client-names", authority)
        self.assert_fails("expected tls-client-ca beside tls-client-crl", *files_of(pair),
                          "--tls-client-crl", authority)

    def test_what_is_in_the_files(self):
        pair, write = self.pair, self.authority.write
        empty = write("empty", "")
        os.chmod(empty, 0o600)
        other = self.authority.issue("other")
        locked = self.authority.path("locked.key")
        openssl("ec", "-in", pair.key, "-aes128", "-passout", "pass:secret", "-out", locked)
        os.chmod(locked, 0o600)
        open_to_all = self.authority.path("open.key")
        shutil.copyfile(pair.key, open_to_all)
        os.chmod(open_to_all, 0o644)
        for words, certificate, key in (
                ("tls-certificate: cannot read /nowhere: No such file", "/nowhere", pair.key),
                ("tls-key: cannot read /nowhere: No such file", pair.certificate, "/nowhere"),
                ("tls-certificate .*: expected certificates in PEM", empty, pair.key),
                ("tls-key .*: expected a private key in PEM", pair.certificate, empty),
                ("tls-key .*: expected a private key in PEM without a passphrase",
                 pair.certificate, locked),
                ("tls-key .*: expected the key of the first certificate", pair.certificate,
                 other.key),
                ("tls-key: cannot read .*: expected a mode of 0640 or less, found 0644",
                 pair.certificate, open_to_all)):
            with self.subTest(words):
                self.assert_fails(words, "--tls-certificate", certificate, "--tls-key", key)

    def test_of_clients(self):
        empty, flags = self.authority.write("nothing", ""), files_of(self.pair)
        other = Authority("other")
        self.addCleanup(other.close)
        other.issue("one")
        self.assert_fails("tls-client-ca .*: expected certificates", *flags, "--tls-client-ca",
                          empty)
        for crl in (empty, other.revoked()):
            self.assert_fails("tls-client-crl .*: expected lists in PEM, signed by", *flags,
                              "--tls-client-ca", self.authority.certificate, "--tls-client-crl",
                              crl)


if __name__ == "__main__":
    unittest.main()

"""Who may come in: tokens, their quotas, reloads of the token file, and what strangers are told."""

import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from peers import gradient
from support import (DAEMON, Case, Daemon, DaemonCase, body_of, build_request, make_request,
                     patience, scaled)

BODY = body_of(make_request(1, 2, 1))
GOOD, OTHER = "gd_" + "a" * 43, "gd_" + "b" * 43
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
FOLDER = tempfile.TemporaryDirectory(prefix="gradientd-tokens-")


def line_of(name, token, *words):
    return " ".join([name, "sha256:" + hashlib.sha256(token.encode()).hexdigest(), *words])


class TokenFile:
    """A token file that may be written anew."""

    def __init__(self, *lines, mode=0o600):
        descriptor, self.path = tempfile.mkstemp(dir=FOLDER.name)
        os.close(descriptor)
        self.write(*lines, mode=mode)

    def write(self, *lines, mode=0o600):
        with open(self.path, "w") as out:
            out.write("\n".join(lines) + "\n")
        os.chmod(self.path, mode)


def bearer(token, *others):
    return [("Authorization", "Bearer " + token), *others]


def reload(daemon):
    """Reloads; the lines that it logged, up to the last."""
    seen = len(daemon.records(message="reloaded"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_logs(seen + 1, patience(10), message="reloaded")


class Login(DaemonCase):
    """Two tokens without quotas, and one of each kind that is no good."""

    FILE = TokenFile("# those who may", "", line_of("alice", GOOD), "  " + line_of("bob", OTHER),
                     line_of("late", "late", "expires=2020-01-01"),
                     line_of("soon", "soon", "expires=2999-12-31T23:59:59+01:00"))
    FLAGS = ("--token-file", FILE.path, "--allow-origin", "https://app.example")

    def post(self, *headers):
        return self.daemon.post(BODY, headers=headers)

    def assert_challenge(self, response, error=None):
        challenge = response.headers["www-authenticate"]
        self.assertTrue(challenge.startswith('Bearer realm="gradientd"'), challenge)
        self.assertEqual(re.findall(r'error="(\w+)"', challenge), [error] if error else [])

    def test_a_good_token(self):
        for name, value in (("Authorization", "Bearer " + GOOD),
                            ("Authorization", "bearer " + GOOD),
                            ("authorization", "BEARER   " + GOOD + " "),
                            ("Authorization", "Bearer soon")):
            with self.subTest(value):
                self.assertEqual(self.post((name, value)).status, 200)

    def test_no_token(self):
        for headers in ([], [("Authorization", "Basic YTpi")], [("X-Token", GOOD)],
                        [("Cookie", "token=" + GOOD)], [("Authorization", GOOD)]):
            with self.subTest(headers):
                response = self.post(*headers)
                self.assert_problem(response, 401, "unauthorized")
                self.assert_challenge(response)

    def test_a_token_in_the_query(self):
        """RFC 6750, section 2.3, is not supported: addresses are logged."""
        self.assert_problem(self.daemon.post(BODY, path="/v1/gradients?access_token=" + GOOD), 401)

    def test_a_wrong_token(self):
        for token in ("x", GOOD[:-1], GOOD + "a", GOOD.upper(), "alice", "sha256:x",
                      hashlib.sha256(GOOD.encode()).hexdigest(), "a" * 5000):
            with self.subTest(token):
                response = self.post(*bearer(token)) if ":" not in token else None
                if response is not None:
                    self.assert_problem(response, 401, "invalid_token")
                    self.assert_challenge(response, "invalid_token")

    def test_an_expired_token(self):
        response = self.post(*bearer("late"))
        self.assertIn("expired", self.assert_problem(response, 401, "invalid_token")["detail"])
        self.assert_challenge(response, "invalid_token")
        self.assertIn("error_description", response.headers["www-authenticate"])

    def test_a_malformed_header(self):
        for value in ("Bearer", "Bearer ", "Bearer a b", "Bearer\t" + GOOD, "Bearer " + GOOD + ",",
                      'Bearer "%s"' % GOOD, "Bearer =", "Bearer a=b", "BearerX " + GOOD,
                      "Bearer " + GOOD + ", Basic YTpi"):
            with self.subTest(value):
                response = self.post(("Authorization", value))
                self.assert_problem(response, 400, "bad_authorization")
                self.assert_challenge(response, "invalid_request")

    def test_two_headers(self):
        for second in (GOOD, OTHER, "x"):
            response = self.post(*bearer(GOOD), ("authorization", "Bearer " + second))
            self.assert_problem(response, 400, "bad_framing")

    def test_every_path_but_health(self):
        for method, path in (("GET", "/"), ("GET", "/v1/info"), ("POST", "/v1/gradients"),
                             ("POST", "/v1/backprop"), ("POST", "/v1/check"), ("HEAD", "/v1/info")):
            with self.subTest(path), self.daemon.connect() as connection:
                response = connection.request(method, path, BODY if method == "POST" else None)
                self.assertEqual(response.status, 401)
        for path in ("/livez", "/readyz"):
            self.assertEqual(self.daemon.get(path).status, 200)
            self.assertEqual(self.daemon.get(path, headers=bearer("x")).status, 200)
        for path in ("/livez", "/metrics", "/"):
            self.assertEqual(self.daemon.get(path, admin=True).status, 200)

    def test_a_head_has_no_body(self):
        with self.daemon.connect() as connection:
            response = connection.request("HEAD", "/v1/info")
            self.assertEqual((response.status, response.body), (401, b""))
            self.assertEqual(connection.request("HEAD", "/v1/info", headers=bearer(GOOD)).status,
                             200)

    def test_a_preflight_has_no_token(self):
        headers = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"),
                   ("Access-Control-Request-Headers", "authorization,content-type")]
        with self.daemon.connect() as connection:
            connection.send(build_request("OPTIONS", "/v1/gradients", headers=headers))
            response = connection.read_response()
        self.assertEqual(response.status, 204)
        self.assertIn("Authorization", response.headers["access-control-allow-headers"])

    def test_a_page_reads_what_it_lacks(self):
        response = self.post(("Origin", "https://app.example"))
        self.assertEqual(response.status, 401)
        self.assertEqual(response.headers["access-control-allow-origin"], "https://app.example")
        exposed = response.headers["access-control-expose-headers"]
        for name in ("WWW-Authenticate", "RateLimit", "RateLimit-Policy", "Retry-After"):
            self.assertIn(name, exposed)

    def test_another_token_on_the_same_connection(self):
        with self.daemon.connect() as connection:
            for token, status, name in ((GOOD, 200, "alice"), (OTHER, 200, "bob"),
                                        ("x", 401, None), ("late", 401, "late"),
                                        (GOOD, 200, "alice")):
                response = connection.request("POST", "/v1/gradients", BODY, headers=bearer(token))
                self.assertEqual(response.status, status)
                line = self.daemon.wait_log(patience(10),
                                            request_id=response.headers["x-request-id"],
                                            message="request")
                self.assertEqual(line.get("token"), name)

    def test_before_the_body(self):
        """A body that is large, or that waits to be asked for, is not."""
        for headers in ([("Expect", "100-continue"), ("Content-Length", "9")],
                        [("Content-Length", "99999999")], [("Transfer-Encoding", "chunked")]):
            with self.subTest(headers), self.daemon.connect() as connection:
                connection.send(build_request("POST", "/v1/gradients", headers=[
                    ("Content-Type", "application/json"), *headers]))
                self.assert_problem(connection.read_response(), 401, "unauthorized")

    def test_no_secret_is_logged(self):
        secret = "gd_" + "s" * 43
        self.post(*bearer(secret))
        self.post(("Authorization", "Bearer %s,%s" % (secret, secret)))
        self.post(*bearer(GOOD))
        self.assertNotIn(secret, "\n".join(self.daemon.lines))
        self.assertNotIn(GOOD, "\n".join(self.daemon.lines))

    def test_pipelined(self):
        with self.daemon.connect() as connection:
            connection.send(b"".join(
                build_request("POST", "/v1/gradients", BODY, headers=bearer(token))
                for token in (GOOD, OTHER, GOOD)))
            self.assertEqual([connection.read_response().status for _ in range(3)], [200] * 3)

    def test_wrong_tokens_wait_for_their_answer(self):
        """So that nobody tries fast; nobody else waits, whoever sent nothing at all least."""
        def seconds(headers, status, **options):
            begin = time.monotonic()
            self.assertEqual(self.daemon.post(BODY, headers=headers, **options).status, status)
            return time.monotonic() - begin

        for headers, status in ((bearer("x"), 401), (bearer("late"), 401),
                                ([("Authorization", "Bearer")], 400),
                                (bearer("x", ("Expect", "100-continue")), 401)):
            with self.subTest(headers):
                self.assertTrue(0.3 <= seconds(headers, status) < patience(2))
        self.assertGreaterEqual(seconds(bearer("x"), 401, chunks=20), 0.3)
        self.assertLess(min(seconds([], 401) for _ in range(5)), 0.25)
        self.assertLess(min(seconds(bearer(GOOD), 200) for _ in range(5)), 0.25)

    def test_many_wait_side_by_side(self):
        """Their wait takes no thread and no turn of others."""
        connections = [self.daemon.connect() for _ in range(100)]
        begin = time.monotonic()
        for connection in connections:
            connection.send(build_request("POST", "/v1/gradients", BODY, headers=bearer("x")))
        self.assertEqual(self.post(*bearer(GOOD)).status, 200)
        good = time.monotonic() - begin
        for connection in connections:
            with connection:
                self.assertEqual(connection.read_response().status, 401)
        self.assertLess(good, patience(1))
        self.assertLess(time.monotonic() - begin, patience(3))

    def test_whoever_leaves_while_it_waits(self):
        for _ in range(20):
            with self.daemon.connect() as connection:
                connection.send(build_request("POST", "/v1/gradients", BODY, headers=bearer("x")))
                connection.reset()
        self.daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_in_flight")
        self.assertEqual(self.post(*bearer(GOOD)).status, 200)

    def test_a_stop_while_some_wait(self):
        with Daemon("--token-file", self.FILE.path) as daemon, daemon.connect() as connection:
            connection.send(build_request("POST", "/v1/gradients", BODY, headers=bearer("x")))
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_in_flight")
            daemon.signal()
            self.assertEqual(connection.read_response().status, 401)
            daemon.check_exit(patience(20))

    def test_failures_are_counted(self):
        def count(reason):
            return self.daemon.metrics().value("gradientd_login_failures_total", reason=reason)

        for reason, headers in (("missing", []), ("unknown", bearer("x")), ("expired",
                                                                            bearer("late")),
                                ("malformed", [("Authorization", "Bearer")])):
            before = count(reason)
            self.post(*headers)
            self.assertEqual(count(reason), before + 1)

    def test_failures_are_logged_at_most_once_a_second(self):
        time.sleep(1.1)
        begin, before = time.monotonic(), len(self.daemon.records(message="login failed"))
        for _ in range(50):
            self.post()
        elapsed = time.monotonic() - begin
        lines = self.daemon.records(message="login failed")[before:]
        self.assertEqual(lines[0]["reason"], "missing")
        self.assertLessEqual(1, len(lines))
        self.assertLessEqual(len(lines), elapsed + 1)


class Quotas(Case):
    """What is left, what is too much, and when to come again."""

    def start(self, *words):
        self.file = TokenFile(line_of("alice", GOOD, *words), line_of("bob", OTHER))
        daemon = Daemon("--token-file", self.file.path)
        self.addCleanup(daemon.kill)
        return daemon

    def post(self, daemon, token=GOOD, **options):
        return daemon.post(BODY, headers=bearer(token), **options)

    def test_no_quota_says_nothing(self):
        daemon = self.start()
        response = self.post(daemon)
        self.assertNotIn("ratelimit", response.headers)
        self.assertNotIn("ratelimit-policy", response.headers)
        daemon.stop()

    def test_rate(self):
        daemon = self.start("rate=3/1h")
        for left in (2, 1, 0):
            response = self.post(daemon)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["ratelimit-policy"], '"rate";q=3;w=3600')
            self.assertRegex(response.headers["ratelimit"], r'^"rate";r=%d;t=\d+$' % left)
        response = self.post(daemon)
        problem = self.assert_problem(response, 429, "quota_exceeded",
                                      limit={"name": "rate", "value": 3})
        self.assertIn("alice", problem["detail"])
        again = int(response.headers["retry-after"])
        self.assertTrue(1100 < again <= 1200, again)
        self.assertEqual(response.headers["ratelimit"], '"rate";r=0;t=%d' % again)
        self.assertEqual(self.post(daemon, OTHER).status, 200)
        self.assertEqual(daemon.metrics().value("gradientd_rejections_total", reason="quota"), 1)
        daemon.stop()

    def test_a_rate_comes_back(self):
        daemon = self.start("rate=1/s")
        self.assertEqual(self.post(daemon).status, 200)
        response = self.post(daemon)
        self.assertEqual((response.status, response.headers["retry-after"]), (429, "1"))
        time.sleep(1.05)
        self.assertEqual(self.post(daemon).status, 200)
        daemon.stop()

    def test_refusals_keep_the_connection(self):
        daemon = self.start("rate=1/h")
        with daemon.connect() as connection:
            for status in (200, 429, 429):
                self.assertEqual(connection.request("POST", "/v1/gradients", BODY,
                                                    headers=bearer(GOOD)).status, status)
            self.assertEqual(connection.request("GET", "/livez").status, 200)
        daemon.stop()

    def test_concurrent(self):
        daemon = self.start("concurrent=1")
        request = build_request("POST", "/v1/gradients", BODY, headers=bearer(GOOD))
        with daemon.connect() as slow:
            slow.send(request[:-1])
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_in_flight")
            response = self.post(daemon)
            self.assert_problem(response, 429, "quota_exceeded",
                                limit={"name": "concurrent", "value": 1})
            self.assertEqual(response.headers["retry-after"], "1")
            self.assertEqual(response.headers["ratelimit-policy"],
                             '"concurrent";q=1;qu="concurrent-requests"')
            self.assertEqual(response.headers["ratelimit"], '"concurrent";r=0')
            slow.send(request[-1:])
            self.assertEqual(slow.read_response().status, 200)
        daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_in_flight")
        self.assertEqual(self.post(daemon).status, 200)
        daemon.stop()

    def test_a_peer_that_leaves_gives_its_place_back(self):
        daemon = self.start("concurrent=1")
        with daemon.connect() as gone:
            gone.send(build_request("POST", "/v1/gradients", BODY, headers=bearer(GOOD))[:-1])
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_in_flight")
            gone.reset()
        daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_in_flight")
        self.assertEqual(self.post(daemon).status, 200)
        daemon.stop()

    def test_bytes(self):
        """Whether the length is declared or not; a body larger than what is left is let in."""
        for chunks in (None, 7):
            with self.subTest(chunks=chunks):
                daemon = self.start("bytes=%d/h" % (len(BODY) + 1))
                self.assertEqual(self.post(daemon, chunks=chunks).status, 200)
                daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_in_flight")
                self.assertEqual(self.post(daemon, chunks=chunks).status, 200)
                daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_in_flight")
                response = self.post(daemon)
                self.assert_problem(response, 429, "quota_exceeded",
                                    limit={"name": "bytes", "value": len(BODY) + 1})
                self.assertEqual(response.headers["ratelimit-policy"],
                                 '"bytes";q=%d;qu="content-bytes";w=3600' % (len(BODY) + 1))
                self.assertGreater(int(response.headers["retry-after"]), 3000)
                daemon.stop()

    def test_what_is_wrong_does_not_count(self):
        """A request that is refused before its quota is asked for takes nothing of it."""
        daemon = self.start("rate=1/h")
        self.assertEqual(daemon.post(BODY, path="/v1/nothing", headers=bearer(GOOD)).status, 404)
        self.assertEqual(self.post(daemon, OTHER).status, 200)
        self.assertEqual(self.post(daemon).status, 200)
        daemon.stop()

    def test_a_reload_keeps_what_was_used(self):
        daemon = self.start("rate=2/h")
        self.assertEqual(self.post(daemon).status, 200)
        reload(daemon)
        self.assertIn('"rate";r=0', self.post(daemon).headers["ratelimit"])
        self.file.write(line_of("alice", GOOD, "rate=4/m"))
        reload(daemon)
        response = self.post(daemon)
        self.assertEqual(response.status, 200)
        self.assertIn("q=4;", response.headers["ratelimit-policy"])
        self.assertIn("r=1;", response.headers["ratelimit"])
        daemon.stop()


class Reloading(Case):
    """The token file anew, by SIGHUP."""

    def test_revoked_and_added(self):
        tokens = TokenFile(line_of("alice", GOOD))
        with Daemon("--token-file", tokens.path) as daemon, daemon.connect() as connection:
            def ask(token):
                return connection.request("POST", "/v1/gradients", BODY,
                                          headers=bearer(token)).status

            self.assertEqual([ask(GOOD), ask(OTHER)], [200, 401])
            tokens.write(line_of("bob", OTHER))
            reload(daemon)
            self.assertEqual([ask(GOOD), ask(OTHER)], [401, 200])
            line = daemon.wait_log(patience(10), message="tokens reloaded")
            self.assertEqual([line[name] for name in ("tokens", "added", "removed")], [1, 1, 1])

    def test_a_request_that_runs_goes_on(self):
        tokens = TokenFile(line_of("alice", GOOD, "concurrent=1"))
        with Daemon("--token-file", tokens.path) as daemon, daemon.connect() as connection:
            request = build_request("POST", "/v1/gradients", BODY, headers=bearer(GOOD))
            connection.send(request[:-1])
            daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_in_flight")
            tokens.write("# nobody")
            reload(daemon)
            connection.send(request[-1:])
            self.assertEqual(connection.read_response().status, 200)
            connection.send(request)
            self.assertEqual(connection.read_response().status, 401)

    def test_a_file_with_a_mistake_changes_nothing(self):
        tokens = TokenFile(line_of("alice", GOOD))
        with Daemon("--token-file", tokens.path) as daemon:
            for lines, mode, told in (
                    ((line_of("alice", OTHER), "bob gd_secret"), 0o600, "line 2: expected sha256:"),
                    ((line_of("alice", OTHER),), 0o644, "others read it"),
                    ((line_of("alice", OTHER), line_of("alice", "c")), 0o600, "that of line 1")):
                with self.subTest(told):
                    seen = len(daemon.records(level="error"))
                    tokens.write(*lines, mode=mode)
                    reload(daemon)
                    errors = daemon.records(level="error")[seen:]
                    self.assertIn("old ones stay", errors[0]["message"])
                    self.assertIn(told, errors[0]["reason"])
                    self.assertNotIn("gd_secret", errors[0]["reason"])
                    self.assertEqual(daemon.post(BODY, headers=bearer(GOOD)).status, 200)
                    self.assertEqual(daemon.post(BODY, headers=bearer(OTHER)).status, 401)

    def test_beside_requests(self):
        """Many reloads beside many requests: none is refused, none answered wrong."""
        tokens = TokenFile(line_of("alice", GOOD), *(line_of("n%d" % i, "t%d" % i)
                                                     for i in range(200)))
        with Daemon("--token-file", tokens.path, "--log-requests", "off") as daemon:
            wrong, ended = [], threading.Event()

            def ask():
                with daemon.connect() as connection:
                    while not ended.is_set():
                        response = connection.request("POST", "/v1/gradients", BODY,
                                                      headers=bearer(GOOD))
                        if response.status != 200:
                            wrong.append(response)
                            return

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(scaled(30, 10)):
                reload(daemon)
            ended.set()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])


class CommandLine(Case):
    """gradient, with a token from a file, against the service itself."""

    def run_with(self, daemon, token, *words):
        path = os.path.join(FOLDER.name, "token-of-the-command-line")
        with open(path, "w") as out:
            out.write(token + "\n")
        return gradient("compute", "-", "--url", daemon.url, "--token-file",
                        path, *words, stdin=BODY)

    def test_tokens(self):
        tokens = TokenFile(line_of("alice", GOOD), line_of("late", "late", "expires=2020-01-01"))
        with Daemon("--token-file", tokens.path) as daemon:
            self.assertEqual(self.run_with(daemon, GOOD).code, 0)
            for token, told in (("x", "is valid, found another one (a token was sent)"),
                                ("late", "has expired (a token was sent)")):
                result = self.run_with(daemon, token)
                self.assertEqual(result.code, 7)
                self.assertIn(told, result.err)
            result = gradient("compute", "-", "--url", daemon.url, stdin=BODY)
            self.assertEqual(result.code, 7)
            self.assertIn("found none (no token was sent)", result.err)

    def test_a_quota_is_waited_for(self):
        """As long as Retry-After says, within the time for the whole command."""
        tokens = TokenFile(line_of("alice", GOOD, "rate=1/2s"))
        with Daemon("--token-file", tokens.path) as daemon:
            self.assertEqual(self.run_with(daemon, GOOD).code, 0)
            begin = time.monotonic()
            self.assertEqual(self.run_with(daemon, GOOD, "--timeout", "30").code, 0)
            self.assertGreater(time.monotonic() - begin, 1)

    def test_a_quota_that_takes_too_long(self):
        tokens = TokenFile(line_of("alice", GOOD, "rate=1/h"))
        with Daemon("--token-file", tokens.path) as daemon:
            self.assertEqual(self.run_with(daemon, GOOD).code, 0)
            begin = time.monotonic()
            result = self.run_with(daemon, GOOD, "--timeout", "60")
            self.assertEqual(result.code, 5)
            self.assertLess(time.monotonic() - begin, patience(10))
            self.assertIn("1 requests in 3600 s of the token alice", result.err)
            self.assertRegex(result.err, r"it asks to wait 3\d\d\d s")


class Starting(Case):
    """Which files a daemon starts with, and the subcommand that makes their lines."""

    def refusal(self, path):
        daemon = subprocess.run([DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "none",
                                 "--token-file", path], capture_output=True, text=True,
                                timeout=patience(20), env=ENVIRONMENT)
        self.assertEqual(daemon.returncode, 1, daemon.stderr)
        return json.loads(daemon.stderr.splitlines()[-1])["reason"]

    def test_modes(self):
        for mode, told in ((0o644, "0644, which lets others read it"), (0o602, "others write it"),
                           (0o660, "its group write it"), (0o604, "others read it")):
            with self.subTest(oct(mode)):
                self.assertIn(told, self.refusal(TokenFile(line_of("a", GOOD), mode=mode).path))
        for mode in (0o600, 0o640, 0o400, 0o440):
            tokens = TokenFile(line_of("a", GOOD), mode=mode)
            with self.subTest(oct(mode)), Daemon("--token-file", tokens.path) as daemon:
                self.assertEqual(daemon.get("/v1/info", headers=bearer(GOOD)).status, 200)

    def test_files_that_cannot_be_read(self):
        self.assertIn("No such file", self.refusal("/nonexistent"))
        self.assertIn("line 2: expected a name", self.refusal(TokenFile("", "*").path))

    def test_an_empty_file_lets_nobody_in(self):
        with Daemon("--token-file", TokenFile("# nobody yet").path) as daemon:
            self.assertEqual(daemon.get("/v1/info", headers=bearer(GOOD)).status, 401)

    def test_the_subcommand(self):
        made = subprocess.run([DAEMON, "token", "alice", "--rate", "5/s", "--concurrent=2",
                               "--bytes", "1MiB/d", "--expires", "2999-01-01T00:00:00Z"],
                              capture_output=True, text=True, timeout=patience(20),
                              env=ENVIRONMENT)
        self.assertEqual(made.returncode, 0, made.stderr)
        token, line = made.stdout.splitlines()
        self.assertRegex(token, r"^gd_[A-Za-z0-9_-]{43}$")
        self.assertEqual(line, line_of("alice", token, "rate=5/s", "concurrent=2", "bytes=1MiB/d",
                                       "expires=2999-01-01T00:00:00Z"))
        with Daemon("--token-file", TokenFile(line).path) as daemon:
            response = daemon.get("/v1/info", headers=bearer(token))
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["ratelimit-policy"],
                             '"rate";q=5;w=1, "bytes";q=1048576;qu="content-bytes";w=86400, '
                             '"concurrent";q=2;qu="concurrent-requests"')

    def test_wrong_words_of_the_subcommand(self):
        for words, told in (((), "NAME"), (("--rate", "5/s"), "NAME"), (("a", "--rate", "5"),
                                                                        "NUMBER/TIME"),
                            (("a", "--colour", "red"), "expected rate="), (("a", "b"), "NAME"),
                            (("a", "--rate"), "NAME"), (("a", "--expires", "2027-02-30"),
                                                        "RFC 3339")):
            with self.subTest(words):
                made = subprocess.run([DAEMON, "token", *words], capture_output=True, text=True,
                                      timeout=patience(20), env=ENVIRONMENT)
                self.assertEqual((made.returncode, made.stdout), (2, ""))
                self.assertIn(told, made.stderr)


if __name__ == "__main__":
    unittest.main()

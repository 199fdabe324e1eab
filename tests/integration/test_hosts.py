"""Under which names the service may be called (allow-host), against pages whose own name leads to
it (DNS rebinding); and that nobody serves the world by mistake (insecure)."""

import json
import os
import socket
import subprocess
import tempfile
import unittest

from support import DAEMON, Case, Daemon, body_of, build_request, make_request, patience

BODY = body_of(make_request(1, 2, 1))
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
BY_DEFAULT = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]


def ask(daemon, host, path="/v1/info", method="GET", admin=False, **options):
    with daemon.connect(admin=admin) as connection:
        connection.send(build_request(method, path, host=host, **options))
        return connection.read_response()


class Hosts(Case):

    def assert_allowed(self, daemon, hosts, path="/v1/info", **options):
        for host in hosts:
            with self.subTest(host, **options):
                self.assertEqual(ask(daemon, host, path, **options).status, 200)

    def assert_rejected(self, daemon, hosts, path="/v1/info", **options):
        for host in hosts:
            with self.subTest(host, **options):
                self.assert_problem(ask(daemon, host, path, **options), 421, "unknown_host")

    def test_on_the_loopback(self):
        """The names of this machine, with any port; on the admin listener too."""
        with Daemon(arguments=BY_DEFAULT) as daemon:
            for admin, path in ((False, "/v1/info"), (True, "/metrics")):
                self.assert_allowed(daemon, ("localhost", "LOCALHOST:1", "127.0.0.1",
                                             "127.0.0.1:8080", "[::1]", "[::1]:65535",
                                             "localhost:"), path, admin=admin)
                self.assert_rejected(daemon, ("evil.example", "evil.example:8080", "127.0.0.2",
                                              "localhost.evil.example", "evil.localhost",
                                              "localhost.", "[::2]", "::1", "localhost:x",
                                              "localhost:80@evil.example", "localhost, a", "*"),
                                     path, admin=admin)
            self.assertGreater(
                daemon.metrics().value("gradientd_rejections_total", reason="host"), 10)

    def test_the_address_it_listens_on(self):
        with Daemon(arguments=["--listen", "127.1.2.3:0",
                               "--admin-listen", "127.0.0.1:0"]) as daemon:
            self.assert_allowed(daemon, ("127.1.2.3", "127.1.2.3:80", "localhost"))
            self.assert_rejected(daemon, ("127.1.2.4",))

    def test_a_list(self):
        """Names nothing but what it says; the admin listener keeps its own names."""
        with Daemon(arguments=[*BY_DEFAULT, "--allow-host", "api.example, [2001:db8::1]"]
                    ) as daemon:
            self.assert_allowed(daemon, ("api.example", "API.example:443", "[2001:DB8::1]:1"))
            self.assert_rejected(daemon, ("localhost", "127.0.0.1", "example", "xapi.example"))
            self.assert_allowed(daemon, ("localhost", "127.0.0.1:1", "api.example"), "/metrics",
                                admin=True)
            self.assert_rejected(daemon, ("evil.example",), "/metrics", admin=True)

    def test_any(self):
        with Daemon(arguments=[*BY_DEFAULT, "--allow-host=*"]) as daemon:
            self.assert_allowed(daemon, ("evil.example", "x", "[::7]"))

    def test_beyond_the_loopback(self):
        """The names by which others call it are not known: any, unless there is a list."""
        everywhere = ["--listen", "*:0", "--admin-listen", "127.0.0.1:0", "--insecure"]
        with Daemon(arguments=everywhere) as daemon:
            daemon.address = ("127.0.0.1", daemon.address[1])
            self.assert_allowed(daemon, ("gradientd:8080", "localhost", "10.0.0.7"))
            self.assert_rejected(daemon, ("evil.example",), "/metrics", admin=True)

    def test_targets_that_are_whole_uris(self):
        """Their host counts, and Host does not (RFC 9112, section 3.2.2)."""
        with Daemon(arguments=BY_DEFAULT) as daemon:
            for target, host, status in (
                    ("http://localhost/v1/info", "evil.example", 200),
                    ("http://127.0.0.1:80/v1/info", "localhost", 200),
                    ("HTTP://[::1]/v1/info", "localhost", 200),
                    ("http://evil.example/v1/info", "localhost", 421),
                    ("http://localhost@evil.example/v1/info", "localhost", 421),
                    ("http://evil.example:80/v1/info?a=http://localhost/", "localhost", 421)):
                with self.subTest(target):
                    self.assertEqual(ask(daemon, host, target).status, status)

    def test_unix_sockets(self):
        """No page reaches one, and its clients name whatever their URL says."""
        with tempfile.TemporaryDirectory() as folder, \
                Daemon(arguments=["--listen", "127.0.0.1:0", "--admin-listen",
                                  "127.0.0.1:0"]) as other:
            path = os.path.join(folder, "s")
            process = subprocess.Popen(
                [DAEMON, "--listen", "unix:" + path, "--admin-listen", "none"], env=ENVIRONMENT,
                stderr=subprocess.PIPE)
            try:
                while b"started" not in process.stderr.readline():
                    pass
                with other.connect() as connection, \
                        socket.socket(socket.AF_UNIX) as to_unix:
                    to_unix.settimeout(patience(20))
                    to_unix.connect(path)
                    for peer, status in ((to_unix, b"200"), (connection.socket, b"421")):
                        peer.sendall(build_request("GET", "/v1/info", host="any.example"))
                        self.assertEqual(peer.recv(12)[9:], status)
            finally:
                process.terminate()
                process.communicate(timeout=patience(20))

    def test_no_host(self):
        """HTTP/1.0 needs none, and no page speaks it; an empty one is none of ours."""
        with Daemon(arguments=BY_DEFAULT) as daemon:
            self.assertEqual(ask(daemon, None, version="1.0").status, 200)
            self.assert_problem(ask(daemon, None), 400, "bad_framing")
            self.assert_problem(ask(daemon, ""), 421, "unknown_host")

    def test_health_checks_name_any_host(self):
        with Daemon(arguments=BY_DEFAULT) as daemon:
            for admin in (False, True):
                self.assert_allowed(daemon, ("10.1.2.3:8080", "evil.example"), "/livez",
                                    admin=admin)

    def test_before_anything_is_done(self):
        """A request with a body, and a preflight."""
        with Daemon(arguments=[*BY_DEFAULT, "--allow-origin", "*"]) as daemon:
            self.assert_rejected(daemon, ("evil.example",), "/v1/gradients", method="POST",
                                 body=BODY)
            self.assert_rejected(daemon, ("evil.example",), "/v1/gradients", method="OPTIONS",
                                 headers=(("Origin", "https://evil.example"),
                                          ("Access-Control-Request-Method", "POST")))
            with daemon.connect() as connection:
                for host, status in (("localhost", 200), ("evil.example", 421), ("localhost", 200)):
                    connection.send(build_request("POST", "/v1/gradients", BODY, host=host))
                    self.assertEqual(connection.read_response().status, status)


class Insecure(Case):
    """Beyond the loopback with nobody asked who they are."""

    def run_briefly(self, *flags):
        return subprocess.run([DAEMON, "--admin-listen", "none", *flags], env=ENVIRONMENT,
                              capture_output=True, text=True, timeout=patience(20), check=False)

    def warning(self, daemon):
        return daemon.wait_log(patience(10), level="warning", role="service")["message"]

    def test_it_does_not_start(self):
        for listen in ("0.0.0.0:0", "*:0"):
            with self.subTest(listen):
                done = self.run_briefly("--listen", listen)
                self.assertEqual(done.returncode, 1)
                line = json.loads(done.stderr.splitlines()[-1])
                self.assertEqual(line["message"], "cannot start")
                for word in (listen, "token-file", "gradientd token", "127.0.0.1", "insecure"):
                    self.assertIn(word, line["reason"])

    def test_it_starts_where_it_was_told_to(self):
        for flags in (("--insecure",), ("--insecure", "on"), ("--insecure=yes",),
                      ("--insecure", "--log-level", "info")):
            with self.subTest(flags), Daemon(arguments=["--listen", "0.0.0.0:0", "--admin-listen",
                                                        "127.0.0.1:0", *flags]) as daemon:
                self.assertIn("insecure is on", self.warning(daemon))

    def test_tokens_do(self):
        path = os.path.join(os.path.dirname(os.path.abspath(DAEMON)), "tokens-of-test-hosts")
        with open(path, "w") as out:
            out.write("# nobody yet\n")
        os.chmod(path, 0o600)
        self.addCleanup(os.remove, path)
        with Daemon(arguments=["--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0",
                               "--token-file", path]) as daemon:
            self.assertIn("tokens travel in the clear", self.warning(daemon))
            self.assertEqual(ask(daemon, "anything").status, 401)


if __name__ == "__main__":
    unittest.main()

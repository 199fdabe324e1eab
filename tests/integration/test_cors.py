"""Pages of other origins: preflights, and the headers by which a browser lets a page read what came
back, with refusals too; OPTIONS without a page."""

import subprocess
import unittest

from support import DAEMON, Case, Daemon, body_of, build_request, make_request, patience

BODY = body_of(make_request(1, 2, 1))
PAGE = "http://localhost:3000"
OTHER = "https://evil.example"
PREFLIGHT = (("Access-Control-Request-Method", "POST"),
             ("Access-Control-Request-Headers", "content-type"))


def names(value):
    return {name.strip().lower() for name in value.split(",")}


def options(daemon, path, headers=(), admin=False):
    with daemon.connect(admin=admin) as connection:
        connection.send(build_request("OPTIONS", path, headers=headers))
        response = connection.read_response()
        # A 204 has no body; whatever came would stand before the next answer.
        assert connection.request("GET", "/livez").status == 200
        return response

VARIES = ("vary", "Origin")


class NoOrigins(Case):
    """The default."""

    def test_nothing_is_said_of_origins(self):
        with Daemon() as daemon:
            for response in (daemon.post(BODY, headers=[("Origin", PAGE)]),
                             daemon.post(b"{", headers=[("Origin", PAGE)]),
                             options(daemon, "/v1/gradients", [("Origin", PAGE), *PREFLIGHT])):
                self.assertEqual([pair for pair in response.header_list
                                  if "access-control" in pair[0] or pair == VARIES], [])

    def test_options(self):
        with Daemon() as daemon:
            for path, admin, allowed in (("/v1/gradients", False, {"post", "options"}),
                                         ("/v1/info", False, {"get", "head", "options"}),
                                         ("/", False, {"get", "head", "options"}),
                                         ("*", False, {"get", "head", "post", "options"}),
                                         ("/metrics", True, {"get", "head", "options"})):
                with self.subTest(path):
                    response = options(daemon, path, admin=admin)
                    self.assertEqual(response.status, 204, response)
                    self.assertEqual(names(response.headers["allow"]), allowed)
                    self.assertNotIn("content-type", response.headers)
            self.assert_problem(options(daemon, "/nowhere"), 404, "unknown_path")
            self.assert_problem(options(daemon, "/metrics"), 404, "unknown_path")


class SomeOrigins(Case):
    """A list of two."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--allow-origin", "https://app.example, " + PAGE)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def assert_allowed(self, response, origin=PAGE):
        self.assertEqual(response.headers.get("access-control-allow-origin"), origin, response)
        self.assertEqual(response.headers["vary"], "Origin")
        self.assertEqual(
            [name for name, _ in response.header_list].count("access-control-allow-origin"), 1)

    def test_answers_may_be_read(self):
        for origin in (PAGE, "https://app.example"):
            response = self.daemon.post(BODY, headers=[("Origin", origin)])
            self.assertEqual(response.status, 200)
            self.assert_allowed(response, origin)
            readable = names(response.headers["access-control-expose-headers"])
            self.assertLessEqual({"x-request-id", "retry-after", "server-timing"}, readable)

    def test_refusals_may_be_read(self):
        origin = ("Origin", PAGE)
        for response, status in (
                (self.daemon.post(b"{", headers=[origin]), 400),
                (self.daemon.get("/nowhere", headers=[origin]), 404),
                (self.daemon.get("/v1/gradients", headers=[origin]), 405),
                (self.daemon.post(BODY, headers=[origin, ("Content-Type", "text/plain")]), 415),
                (self.daemon.post(BODY, path="/v1/gradients?x=1", headers=[origin]), 422),
                (self.daemon.get("/livez", headers=[origin, ("Host", "two")]), None)):
            if status is None:
                # Two hosts: libmicrohttpd 1.0.10 refuses before it tells the origin.
                self.assertEqual(response.status, 400)
            else:
                self.assert_problem(response, status)
                self.assert_allowed(response)

    def test_early_refusals_may_be_read(self):
        """A body that is too long is refused before it is read."""
        with self.daemon.connect() as connection:
            connection.send(build_request("POST", "/v1/gradients", headers=[
                ("Origin", PAGE), ("Content-Type", "application/json"),
                ("Content-Length", str(1 << 40))]))
            response = connection.read_response()
            self.assert_problem(response, 413)
            self.assert_allowed(response)

    def test_other_origins_may_not(self):
        for origin in (OTHER, "null", "http://localhost", PAGE + "0", PAGE[:-1], PAGE + "/", "*",
                       ""):
            for response in (self.daemon.post(BODY, headers=[("Origin", origin)]),
                             options(self.daemon, "/v1/gradients", [("Origin", origin),
                                                                    *PREFLIGHT])):
                self.assertIn(response.status, (200, 204))
                self.assertNotIn("access-control-allow-origin", response.headers, origin)
                self.assertEqual(response.headers["vary"], "Origin")

    def test_without_a_page(self):
        response = self.daemon.post(BODY)
        self.assertNotIn("access-control-allow-origin", response.headers)
        self.assertEqual(response.headers["vary"], "Origin")

    def test_preflight(self):
        for path in ("/v1/gradients", "/v1/backprop", "/v1/check", "/v1/info"):
            response = options(self.daemon, path, [("Origin", PAGE), *PREFLIGHT])
            self.assertEqual(response.status, 204)
            self.assert_allowed(response)
            self.assertEqual(response.headers["access-control-allow-methods"],
                             response.headers["allow"])
            self.assertLessEqual({"content-type", "x-request-id"},
                                 names(response.headers["access-control-allow-headers"]))
            self.assertEqual(response.headers["access-control-max-age"], "7200")
            self.assertEqual("post" in names(response.headers["allow"]), path != "/v1/info")

    def test_preflight_of_a_wrong_path(self):
        """Granted, so that the page can read which path it is that is wrong."""
        response = options(self.daemon, "/v1/gradient", [("Origin", PAGE), *PREFLIGHT])
        self.assertEqual(response.status, 204)
        self.assert_allowed(response)

    def test_the_admin_listener_has_no_pages(self):
        response = self.daemon.get("/livez", admin=True, headers=[("Origin", PAGE)])
        self.assertNotIn("access-control-allow-origin", response.headers)


class AllOrigins(Case):
    """A star."""

    def test_every_answer_may_be_read(self):
        with Daemon("--allow-origin", "*") as daemon:
            with daemon.connect() as connection:
                connection.send(b"GET /livez HTTP/1.1\r\n\r\n")
                unread = connection.read_response()  # refused before its headers were known
            for response in (daemon.post(BODY), daemon.post(BODY, headers=[("Origin", OTHER)]),
                             daemon.get("/nowhere"), unread):
                self.assertEqual(response.headers["access-control-allow-origin"], "*")
                self.assertNotIn(VARIES, response.header_list)
            response = options(daemon, "/v1/gradients", [("Origin", OTHER), *PREFLIGHT])
            self.assertEqual(response.status, 204)
            self.assertEqual(response.headers["access-control-allow-origin"], "*")
            self.assertIn("POST", response.headers["access-control-allow-methods"])


class Words(unittest.TestCase):
    """What the option takes."""

    def check(self, value):
        return subprocess.run([DAEMON, "--check-config", "--allow-origin", value],
                              capture_output=True, timeout=patience(20), env={}, check=False)

    def test_good(self):
        for value in ("none", "*", "https://a.example", "http://[::1]:8000",
                      "https://a.example,http://localhost:3000", "app://local"):
            with self.subTest(value):
                found = self.check(value)
                self.assertEqual(found.returncode, 0, found)
                self.assertIn(b"allow-origin = " + value.encode() + b" ", found.stdout)

    def test_wrong(self):
        for value in ("a.example", "https://a.example/", "https://a.example/x", "https://", "null",
                      "*,https://a.example", "https://a.example:", "https://a b", "http://[::1",
                      "https://*.example", "https://a.example,,x", ","):
            with self.subTest(value):
                found = self.check(value)
                self.assertEqual(found.returncode, 2, found)
                self.assertIn(b"https://a.example", found.stderr)


if __name__ == "__main__":
    unittest.main()

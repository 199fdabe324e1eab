"""The client through a proxy that wants to know who asks, and serves below a path: what is sent, to
whom, and what never stands in a message."""

import os
import stat
import tempfile
import unittest

from peers import ANSWER, DOCUMENT, Peer, answers, gradient, sends

SECRET = "s3cr3t.T0ken_~+/="
READY = answers(200, b'{"status":"ready"}')


class Access(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, text):
        path = os.path.join(self.folder, "token")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, stat.S_IRUSR)
        return path

    def assert_silent(self, result, *secrets):
        for secret in secrets:
            self.assertNotIn(secret, result.err + result.out.decode())

    def authorization(self, *arguments, **variables):
        with Peer(answers(200, ANSWER)) as peer:
            result = peer.run(*arguments, environment=variables)
        self.assertEqual((result.code, result.err, result.out), (0, "", ANSWER))
        return peer.requests[0].headers.get("authorization")

    def test_where_a_token_comes_from(self):
        path = self.file(SECRET + "\n")
        bearer = "Bearer " + SECRET
        self.assertIsNone(self.authorization())
        self.assertIsNone(self.authorization(GRADIENT_TOKEN="", GRADIENT_TOKEN_FILE=""))
        self.assertEqual(self.authorization("--token-file", path), bearer)
        self.assertEqual(self.authorization(GRADIENT_TOKEN=SECRET), bearer)
        self.assertEqual(self.authorization(GRADIENT_TOKEN_FILE=path), bearer)
        self.assertEqual(self.authorization(GRADIENT_TOKEN=SECRET, GRADIENT_TOKEN_FILE="/x"),
                         bearer)
        self.assertEqual(self.authorization("--token-file", path, GRADIENT_TOKEN="other"), bearer)

    def test_of_every_request(self):
        for words in (("health",), ("info",)):
            with Peer(READY) as peer:
                result = gradient(*words, "--url", peer.url, "--header", "X-Trace: a b",
                                  environment={"GRADIENT_TOKEN": SECRET})
            self.assertEqual(result.code, 0, result.err)
            headers = peer.requests[0].headers
            self.assertEqual((headers["authorization"], headers["x-trace"]),
                             ("Bearer " + SECRET, "a b"))
            self.assertNotIn("content-type", headers)

    def test_headers(self):
        with Peer(answers(200, ANSWER)) as peer:
            result = peer.run("--header", "X-Tenant: blue", "--header", "x-priority: 3")
        self.assertEqual(result.code, 0, result.err)
        headers = peer.requests[0].headers
        self.assertEqual((headers["x-tenant"], headers["content-type"]),
                         ("blue", "application/json"))

    def test_a_path_before_ours(self):
        for prefix in ("/svc", "/svc/", "/a/b.c", "/v1/of/theirs"):
            with self.subTest(prefix), Peer(answers(200, ANSWER)) as peer:
                result = gradient("backprop", "-", "--url", peer.url + prefix, stdin=DOCUMENT)
                self.assertEqual(peer.requests[0].line.split()[1],
                                 prefix.rstrip("/") + "/v1/backprop", result.err)
        with Peer(READY) as peer:
            self.assertEqual(gradient("health", "--url", peer.url + "/svc").code, 0)
            self.assertEqual(peer.requests[0].line.split()[1], "/svc/readyz")

    def test_who_wants_a_token_is_told_of(self):
        for variables, word in (({}, "(no token was sent)"),
                                ({"GRADIENT_TOKEN": SECRET}, "(a token was sent)")):
            with Peer(answers(401, b"<html>", kind="text/html")) as peer:
                result = peer.run(environment=variables)
            self.assertEqual(result.code, 7)
            self.assertIn("HTTP status 401 " + word, result.err)
            self.assert_silent(result, SECRET)
            self.assertEqual(len(peer.requests), 1)

    def test_a_redirection_is_not_followed(self):
        for status in (301, 302, 303, 307, 308):
            with Peer(answers(200, ANSWER)) as other:
                where = "Location: %s/v1/gradients" % other.url
                with Peer(answers(status, b"", where)) as peer:
                    result = peer.run(environment={"GRADIENT_TOKEN": SECRET})
            self.assertEqual((result.code, other.requests), (8, []))
            self.assert_silent(result, SECRET)

    def test_tokens_and_headers_that_cannot_be_sent(self):
        for variables in ({"GRADIENT_TOKEN": SECRET + "\x07"}, {"GRADIENT_TOKEN": "two " + SECRET},
                          {"GRADIENT_TOKEN": SECRET + "\u00e9"}):
            result = gradient("health", environment=variables)
            self.assertEqual(result.code, 2, result.err)
            self.assertIn("expected a token of letters, digits", result.err)
            self.assert_silent(result, SECRET)
        for header, word in (
                ("X-Key: %s\r\nX-Evil: 1", "X-Key: expected a value of one line"),
                ("X-Key: %s\n", "X-Key: expected a value of one line"),
                ("X-Key: %s\x7f", "X-Key: expected a value of one line"),
                ("X-Key:", "X-Key: expected a value, found none"),
                ("no colon %s", 'expected a header as "Name: value"'),
                (": %s", 'expected a header as "Name: value"'),
                ("X Key: %s", 'expected a header as "Name: value"'),
                ("content-length: 7", "content-length is a header of the client's own"),
                ("Transfer-Encoding: chunked", "is a header of the client's own"),
                ("Authorization: Bearer %s", "use --token-file"),
                ("cookie: a=%s", "use --token-file")):
            header = header.replace("%s", SECRET)
            with self.subTest(header):
                result = gradient("health", "--header", header)
                self.assertEqual(result.code, 2, result.err)
                self.assertIn(word, result.err)
                self.assert_silent(result, SECRET)

    def test_token_files_that_hold_none(self):
        for path, word in ((self.file("\n" + SECRET), "expected a line with a token, found none"),
                           ("/nonexistent/token", "No such file"), ("/", "Is a directory")):
            result = gradient("health", "--token-file", path)
            self.assertEqual(result.code, 3, result.err)
            self.assertTrue(result.err.startswith("gradient: %s: " % path), result.err)
            self.assertIn(word, result.err)
            self.assert_silent(result, SECRET)

    def test_a_token_file_has_one_line(self):
        path = self.file("a\n" + SECRET + "\n")
        result = gradient("health", "--token-file", path)
        self.assertEqual((result.code, result.err), (3, "gradient: %s: expected one line with a "
                                                     "token, found several\n" % path))

    def test_a_token_is_no_flag_s_value(self):
        for words in (("--token", SECRET), ("--token=" + SECRET,)):
            result = gradient("health", *words)
            self.assertEqual(result.code, 2)
            self.assertIn("--token-file", result.err)
            self.assert_silent(result, SECRET)
        result = gradient("health", "--tokn=" + SECRET)
        self.assertIn("there is no option --tokn", result.err)
        self.assert_silent(result, SECRET)

    def test_secrets_in_a_url_are_not_printed(self):
        for url in ("http://user:%s@127.0.0.1:1", "http://%s@127.0.0.1:1/a",
                    "user:%s@127.0.0.1:1", "http://u:a/%s?x#@127.0.0.1:1",
                    "http://127.0.0.1:1/?token=%s", "http://127.0.0.1:1#%s",
                    "http://127.0.0.1:1/a?b@%s"):
            url = url.replace("%s", SECRET.replace("/", ""))
            for words in (("health",), ("compute", "-"), ("info", "--json")):
                for arguments, variables in (
                        ((*words, "--url", url), {}), (words, {"GRADIENT_URL": url})):
                    with self.subTest(url, words=words):
                        result = gradient(*arguments, stdin=DOCUMENT, environment=variables)
                        self.assertEqual(result.code, 2, result.err)
                        self.assertIn("***", result.err)
                        self.assert_silent(result, "s3cr3t")
        self.assertNotIn("s3cr3t", gradient("--help", environment={
            "GRADIENT_URL": "http://u:s3cr3t@h", "GRADIENT_TOKEN": SECRET}).out.decode())

    def test_secrets_of_a_proxy_are_not_printed(self):
        """What libcurl says of a proxy of the environment is its own text."""
        for proxy in ("http://user:s3cr3t@127.0.0.1:1", "user:s3cr3t@nowhere.invalid:1",
                      "http://user:s3cr3t@127.0.0.1:99999", "bogus://user:s3cr3t@127.0.0.1:1"):
            with self.subTest(proxy):
                result = gradient("health", "--url", "http://192.0.2.1",
                                  environment={"http_proxy": proxy, "no_proxy": ""})
                self.assertIn(result.code, (4, 9), result.err)
                self.assert_silent(result, "s3cr3t")

    def test_an_answer_that_is_wrong_names_no_token(self):
        with Peer(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as peer:
            result = peer.run(environment={"GRADIENT_TOKEN": SECRET})
        self.assertEqual(result.code, 8)
        self.assert_silent(result, SECRET)


if __name__ == "__main__":
    unittest.main()

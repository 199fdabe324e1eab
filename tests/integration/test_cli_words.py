"""The words of the command line: usage, help, errors as text and as JSON, colour. No daemon."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import pty
import re
import subprocess
import tempfile
import unittest
import zipfile

from peers import DOCUMENT, GRADIENT, Peer, answers, clean_environment, closes, gradient
from support import patience

PROBLEM = (b'{"type":"about:blank","title":"Service Unavailable","status":503,'
           b'"detail":"256 requests wait already","code":"queue_full",'
           b'"limit":{"name":"queue_depth","value":256},"request_id":"r-9"}')


def on_a_terminal(*arguments, **variables):
    """Exit code and what a terminal shows of stdout and stderr."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([GRADIENT, *arguments], stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs, env=clean_environment(TERM="xterm", **variables))
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(patience(30)), shown.decode()


class Usage(unittest.TestCase):
    def assert_usage(self, word, *arguments):
        result = gradient(*arguments)
        self.assertEqual((result.code, result.out), (2, b""), result.err)
        self.assertRegex(result.err, r"^gradient: .*%s.*\n$" % re.escape(word))

    def test_wrong_words(self):
        for word, arguments in (
                ("a command is missing", ()), ('no command "compile"', ("compile",)),
                ("compute takes a file", ("compute",)), ("check takes a file", ("check",)),
                ("backprop takes a file", ("backprop",)),
                ('"b" is one word', ("compute", "a", "b")),
                ('"x" is one word', ("health", "x")), ("--frob", ("info", "--frob")),
                ("--url needs a value", ("info", "--url")), ("--local", ("info", "--local")),
                ("--datatype", ("health", "--datatype", "FP64")),
                ('there are compute, backprop, check,', ("backpropagate", "x")),
                ("-x", ("-x", "health"))):
            with self.subTest(arguments):
                self.assert_usage(word, *arguments)

    def test_wrong_values(self):
        for option, values in (("--timeout", ("0", "-1", "x", "1s", "", "nan", "inf", "1e9")),
                               ("--retries", ("-1", "1.5", "x", "", "1001", "99999999999")),
                               ("--datatype", ("", "FP16", "fp64", "FP64 ", "double")),
                               ("--url", ("", "127.0.0.1:8080", "ftp://h:1", "http://h:1/v1"))):
            for value in values:
                with self.subTest((option, value)):
                    word = option if option != "--url" else "http://HOST:PORT"
                    self.assert_usage(word, "health", option, value)

    def test_usage_as_json(self):
        result = gradient("frob", "--json")
        self.assertEqual(result.err.count("\n"), 1)
        self.assertEqual((result.code, result.out), (2, b""))
        report = json.loads(result.err)
        self.assertEqual((report["error"], report["exit_code"]), ("usage", 2))
        self.assertIn("frob", report["message"])

    def test_help(self):
        whole = gradient("--help")
        self.assertEqual((whole.code, whole.err), (0, ""))
        for word in (b"compute", b"backprop", b"check", b"health", b"info",
                     b"GRADIENT_URL", b"Exit codes", b"NO_COLOR"):
            self.assertIn(word, whole.out)
        self.assertEqual(gradient("help").out, whole.out)
        for command in ("compute", "backprop", "check", "health", "info"):
            told = gradient(command, "--help")
            self.assertEqual((told.code, told.err), (0, ""))
            self.assertTrue(told.out.startswith(b"gradient " + command.encode()), told.out)
            self.assertEqual(gradient("help", command).out, told.out)
            self.assertEqual(b"--datatype" in told.out, command not in ("health", "info"))
        for line in whole.out.decode().splitlines():
            self.assertLessEqual(len(line), 100)

    def test_version(self):
        result = gradient("--version")
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertRegex(result.out, rb"^gradient \d+\.\d+\.\d+\n$")

    def test_help_that_cannot_be_printed(self):
        with open("/dev/full", "wb") as full:
            for words in (("--help",), ("--version",)):
                self.assertEqual(gradient(*words, stdout=full).code, 9)


class Reports(unittest.TestCase):
    def test_files_that_cannot_be_read(self):
        for where in (("--local",), ()):
            for file, word in (("/nonexistent", "No such file"), ("/", "Is a directory")):
                result = gradient("compute", *where, file)
                self.assertEqual((result.code, result.out), (3, b""))
                self.assertRegex(result.err, r"^gradient: %s: %s" % (file, word))

    def test_files_that_are_no_documents(self):
        """Named with what they are, wherever they would have gone."""
        zipped = {}
        for name in ("weight.npy", "net/data.pkl", "net/.format_version", "a.txt"):
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as file:
                file.writestr(name, b"1")
            zipped[name] = archive.getvalue()
        header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        for content, kind in (
                (b"", "nothing"), (b"\xef\xbb\xbf", "nothing"),
                (b"x1,x2,y\n1,2,3\n", "a table"), (b"1;2;3\r\n4;5;6", "a table"),
                (b"1\t2\n", "a table"), (b"1.0e+00 2.0e+00\n", "a table"),
                (b"\xef\xbb\xbfa,b\n1,2\n", "a table"),
                (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "a NumPy array (.npy)"),
                (zipped["weight.npy"], "an archive of NumPy arrays (.npz)"),
                (zipped["net/data.pkl"], "saved by PyTorch (.pt)"),
                (zipped["net/.format_version"], "saved by PyTorch (.pt)"),
                (zipped["a.txt"], "a zip archive"), (pickle.dumps([1.0]), "a Python pickle"),
                (len(header).to_bytes(8, "little") + header + b"\0" * 4, "a safetensors file"),
                (gzip.compress(DOCUMENT), "compressed by gzip"), (bz2.compress(DOCUMENT), "bzip2"),
                (lzma.compress(DOCUMENT), "compressed by xz"),
                (b"\x28\xb5\x2f\xfd\x04", "compressed by zstd"),
                (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"), (b"<html>", "XML or HTML"),
                (DOCUMENT.decode().encode("utf-16"), "text in UTF-16"),
                (DOCUMENT.decode().encode("utf-16-le"), "text in UTF-16"),
                (DOCUMENT.decode().encode("utf-16-be"), "text in UTF-16")):
            for where in (("--local",), ("--url", "http://127.0.0.1:1")):
                with self.subTest(kind, where=where), tempfile.NamedTemporaryFile() as file:
                    file.write(content)
                    file.flush()
                    for name, said in ((file.name, file.name), ("-", "standard input")):
                        result = gradient("compute", *where, name, stdin=content)
                        self.assertEqual((result.code, result.out), (3, b""), result.err)
                        self.assertIn("gradient: %s: expected a JSON document, found " % said,
                                      result.err)
                        self.assertIn(kind, result.err)

    def test_documents_are_not_taken_for_others(self):
        for content in (DOCUMENT, b" \n\t" + DOCUMENT, b"\xef\xbb\xbf" + DOCUMENT):
            result = gradient("compute", "--local", "-", stdin=content)
            self.assertEqual((result.code, result.err), (0, ""))
        for content in (b"[1, 2]", b'"a, b"', b"nan", b"tru", b"7"):
            result = gradient("compute", "--local", "-", stdin=content)
            self.assertEqual(result.code, 3)
            self.assertNotIn("standard input", result.err)

    def test_the_service_s_problem_as_json(self):
        with Peer(answers(503, PROBLEM, kind="application/problem+json")) as peer:
            result = peer.run("--json", "--retries", "1")
        self.assertEqual(result.err.count("\n"), 1)
        self.assertEqual((result.code, result.out), (5, b""))
        report = json.loads(result.err)
        self.assertEqual(report["error"], "busy")
        self.assertEqual(report["exit_code"], 5)
        self.assertEqual(report["attempts"], 2)
        self.assertEqual(report["message"], "256 requests wait already (2 tries)")
        self.assertEqual(report["problem"], json.loads(PROBLEM))

    def test_a_connection_fault_as_json(self):
        with Peer(closes) as peer:
            result = peer.run("--json", "--retries", "0")
        report = json.loads(result.err)
        self.assertEqual((result.code, report["error"], report["attempts"]), (4, "unreachable", 1))
        self.assertNotIn("problem", report)

    def test_quiet(self):
        for arguments in (("compute", "/nonexistent", "-q"), ("frob", "--quiet"),
                          ("health", "--url", "http://127.0.0.1:1", "--quiet")):
            result = gradient(*arguments)
            self.assertNotEqual(result.code, 0)
            self.assertEqual((result.out, result.err), (b"", ""))

    def test_local_needs_no_setting_of_threads(self):
        for threads in ({}, {"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "3"}):
            result = gradient("compute", "--local", "-", stdin=DOCUMENT, environment=threads)
            self.assertEqual((result.code, result.err), (0, ""))

    def test_colour(self):
        code, shown = on_a_terminal("compute", "/nonexistent")
        self.assertEqual(code, 3)
        self.assertTrue(shown.startswith("\033[1;31mgradient:\033[0m "), shown)
        self.assertNotIn("\033", on_a_terminal("compute", "/nonexistent", NO_COLOR="1")[1])
        self.assertIn("\033", on_a_terminal("compute", "/nonexistent", NO_COLOR="")[1])
        self.assertNotIn("\033", gradient("compute", "/nonexistent").err)
        with Peer(answers(200, b'{"version":"1","limits":{"max_layers":7}}')) as peer:
            code, shown = on_a_terminal("info", "--url", peer.url)
            self.assertEqual((code, "\033[1mversion" in shown), (0, True), shown)
            code, shown = on_a_terminal("info", "--url", peer.url, NO_COLOR="1")
            self.assertEqual(shown.split(), ["version", "1", "limits/max_layers", "7"])

    def test_another_server_s_answers(self):
        for body in (b"<html>", b"", b'{"version":', b'"ready"'):
            for words in (("info",), ("info", "--json"), ("health",), ("health", "--json")):
                if body == b'"ready"' and words[0] == "info":
                    continue
                with Peer(answers(200, body)) as peer:
                    result = gradient(*words, "--url", peer.url)
                self.assertEqual((result.code, result.out), (8, b""), (words, body))


if __name__ == "__main__":
    unittest.main()

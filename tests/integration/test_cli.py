"""The command line with the real daemon: every command, data on stdout, messages on stderr, --local
the same bytes as the service."""

import json
import os
import random
import tempfile
import unittest

from peers import DOCUMENT, gradient
from support import Daemon, DaemonCase, body_of, make_layer, make_request, scaled

ACTIVATIONS = ("identity", "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus", "silu",
               "gelu", "gelu_tanh", "softmax")


def requests():
    """Documents of many kinds, right ones."""
    generator = random.Random(2)
    yield DOCUMENT
    for seed, (B, K, N) in enumerate(((1, 1, 1), (3, 5, 7), (17, 64, 10), (64, 33, 65))):
        yield body_of(make_request(B, K, N, seed=seed, layers=2, reduction="mean", scale=-0.01))
    for activation in ACTIVATIONS:
        layer = make_layer(generator, 4, 3, 5, activation, weight=True, name="\u03b4 \"x\"")
        yield body_of({"id": "caf\u00e9", "layers": [layer]})
        yield json.dumps({"outputs": ["grad_input"], "layers": [layer]}, indent=2).encode()
    yield (b'{"non_finite":"allow","layers":[{"activation":"identity","input":[["NaN",1]],'
           b'"pre_activation":[[0]],"grad_output":[["-Infinity"]]}]}')
    yield (b'{"layers":[{"activation":{"name":"elu","alpha":0.5},"input":{"shape":[1,2],'
           b'"data":[1e-45,-0.0]},"pre_activation":[[-3e38]],"grad_output":[[1e38]]}]}')
    large = scaled(256, 64)
    yield body_of(make_request(large, large, large))


class WithDaemon(DaemonCase):
    def run_ok(self, *arguments, **options):
        result = gradient(*arguments, **options)
        self.assertEqual((result.code, result.err), (0, ""), result.out[:300])
        return result.out

    def test_local_prints_the_bytes_of_the_service(self):
        for document in requests():
            with self.subTest(document[:100]):
                local = self.run_ok("compute", "--local", "-", stdin=document)
                remote = self.run_ok("compute", "-", "--url", self.daemon.url, stdin=document)
                self.assertEqual(local, remote)
                self.assertEqual(remote, self.daemon.post(document).body)
                self.assertIn("layers", json.loads(local))

    def test_local_refuses_what_the_service_refuses(self):
        documents = (b"{", b"[]", b"{}", DOCUMENT + b"x", DOCUMENT.replace(b"[0]", b"[0,0]"),
                     DOCUMENT.replace(b"tanh", b"tank"), DOCUMENT.replace(b"[1]", b"[01]"),
                     DOCUMENT.replace(b"input", b"imput"), DOCUMENT.replace(b"[1]", b"[[1],[]]"),
                     DOCUMENT.replace(b"[1]", b'["NaN"]'), DOCUMENT.replace(b"[1]", b"[1e39]"),
                     DOCUMENT.replace(b"[2,4]", b"[3e38,3e38]").replace(b"[1]", b"[3e38]"))
        for document in documents:
            with self.subTest(document):
                local = gradient("compute", "--local", "--json", "-", stdin=document)
                remote = gradient("compute", "--json", "-", "--url", self.daemon.url,
                                  stdin=document)
                self.assertEqual((local.code, local.out), (3, b""), local.err)
                self.assertEqual((remote.code, remote.out), (3, b""), remote.err)
                ours, theirs = json.loads(local.err), json.loads(remote.err)
                theirs["problem"].pop("request_id")
                self.assertEqual(theirs.pop("attempts"), 1)
                self.assertEqual(ours, theirs)
                words = [gradient("compute", *where, "-", stdin=document).err
                         for where in (("--local",), ("--url", self.daemon.url))]
                self.assertEqual(*words)

    def test_a_file_and_the_variable(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(DOCUMENT)
            file.flush()
            out = self.run_ok("compute", file.name, environment={"GRADIENT_URL": self.daemon.url})
            self.assertEqual(out, self.run_ok("compute", "--local", file.name))

    def test_the_option_beats_the_variable(self):
        self.run_ok("health", "--url", self.daemon.url,
                    environment={"GRADIENT_URL": "http://127.0.0.1:1"})

    def test_health(self):
        self.assertEqual(self.run_ok("health", "--url", self.daemon.url), b"ready\n")
        admin = "http://%s:%d" % self.daemon.admin
        self.assertEqual(self.run_ok("health", "--url", admin), b"ready\n")
        self.assertEqual(self.run_ok("health", "--json", "--url", self.daemon.url).rstrip(b"\n"),
                         self.daemon.get("/readyz").body.rstrip(b"\n"))

    def test_info(self):
        lines = self.run_ok("info", "--url", self.daemon.url).decode().splitlines()
        names = dict(line.split(None, 1) for line in lines if len(line.split(None, 1)) == 2)
        document = json.loads(self.run_ok("info", "--json", "--url", self.daemon.url))
        self.assertEqual(document, self.daemon.get("/v1/info").json())
        self.assertEqual(names["version"], document["version"])
        self.assertEqual(int(names["limits/max_layers"]), document["limits"]["max_layers"])

    def test_a_document_over_the_service_s_limit(self):
        with Daemon("--max-body", "1KiB") as small:
            url = small.url
            result = gradient("compute", "-", "--json", "--url", url, stdin=DOCUMENT + b" " * 2000)
            self.assertEqual(result.code, 3, result.err)
            self.assertEqual(json.loads(result.err)["problem"]["status"], 413)

    def test_another_server_on_that_port(self):
        admin = "http://%s:%d" % self.daemon.admin
        result = gradient("compute", "-", "--url", admin, stdin=DOCUMENT)
        self.assertIn(result.code, (3, 8), result.err)
        self.assertEqual(result.out, b"")

    def test_standard_output_that_takes_nothing(self):
        with open("/dev/full", "wb") as full:
            for arguments in (("compute", "-"), ("compute", "--local", "-"), ("info",),
                              ("health",)):
                where = () if "--local" in arguments else ("--url", self.daemon.url)
                result = gradient(*arguments, *where, stdin=DOCUMENT, stdout=full)
                self.assertEqual(result.code, 9, result.err)
                self.assertIn("No space left on device", result.err)

    def test_standard_output_that_nobody_reads(self):
        document = body_of(make_request(1, 300, 300))
        for where in (("--local",), ("--url", self.daemon.url)):
            read_end, write_end = os.pipe()
            os.close(read_end)
            try:
                result = gradient("compute", *where, "-", stdin=document, stdout=write_end)
            finally:
                os.close(write_end)
            self.assertEqual(result.code, 9, result.err)
            self.assertIn("Broken pipe", result.err)


if __name__ == "__main__":
    unittest.main()

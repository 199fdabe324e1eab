"""`gradient backprop` and `gradient check`: the service's bytes and the same without it, either
datatype; the table of a check, its verdict as exit code. The table's words are tested with answers
of a scripted peer, the rest with the real daemon."""

import json
import tempfile
import unittest

from peers import DOCUMENT, Peer, answers, gradient
from support import DaemonCase
from test_cli_words import on_a_terminal
from test_networks import BY_HAND, make_network

NETWORKS = [json.dumps(n).encode() for n in (
    BY_HAND, make_network(4, (5, 6, 3)), make_network(3, (4, 3, 2), activation="softmax"),
    {**make_network(2, (3, 2, 2)), "reduction": "none", "statistics": True, "id": "caf\u00e9"})]

FINDING = {"verdict": "pass", "largest_error": 1.5e-9, "index": [1, 2], "gradient": 0.25,
           "difference": -3, "checked": 7, "kinks": 0}
ALONG = {**{k: v for k, v in FINDING.items() if k != "index"}, "direction": True}


def tensor(which="weight_delta", layer=0, shape=(2, 3), finding=None, **members):
    return {"layer": layer, "tensor": which, "shape": list(shape), **(finding or FINDING),
            **members}


def report(*tensors, verdict="pass"):
    return json.dumps({"verdict": verdict, "tolerance": 1e-6, "tensors": tensors}).encode()


class Table(unittest.TestCase):
    """What is printed of a report."""

    def check(self, body, *arguments):
        with Peer(answers(200, body)) as peer:
            result = gradient("check", "-", "--url", peer.url, *arguments, stdin=DOCUMENT)
            self.assertEqual(peer.requests[0].line, "POST /v1/check HTTP/1.1")
        self.assertEqual(result.err, "")
        return result.code, result.out.decode()

    def test_a_table(self):
        claim = {**FINDING, "verdict": "fail", "largest_error": 0.5, "index": [0, 0], "order": 1,
                 "interval": [1, 2.5]}
        code, out = self.check(report(
            tensor("weight_delta", name="fc1", claim=claim, order=1.998),
            tensor("bias_delta", layer=3, shape=(4,), finding=ALONG, no_order="linear"),
            {k: v for k, v in tensor("grad_input").items() if k != "layer"}, verdict="fail"))
        self.assertEqual(code, 1)
        self.assertEqual([line.rstrip() for line in out.splitlines()], [
            "layer     tensor        error    where      gradient  difference  order   verdict",
            "fc1       weight_delta  1.5e-09  [1,2]      0.25      -3          2.00    pass",
            "            yours       5.0e-01  [0,0]      0.25      -3          1.00    "
            "FAIL [1, 2.5]",
            "layers/3  bias_delta    1.5e-09  direction  0.25      -3          linear  pass",
            "network   grad_input    1.5e-09  [1,2]      0.25      -3          -       pass",
            "fail: 1 of 4 gradients are off by more than 1e-06"])

    def test_kinks_are_told_and_pass(self):
        code, out = self.check(report(tensor(verdict="kink", kinks=2, interval=[0, 0.5])))
        self.assertEqual(code, 0)
        self.assertIn("kink [0, 0.5] (2 of 7 at kinks)\n", out)
        self.assertIn("pass: 1 gradients, none off by more than 1e-06; 1 of them with places at "
                      "kinks", out)

    def test_json_is_the_document(self):
        for verdict, wanted in ("pass", 0), ("fail", 1):
            body = report(tensor(), verdict=verdict) + b"  \n"
            self.assertEqual(self.check(body, "--json"), (wanted, body.decode()))

    def test_places_of_every_rank(self):
        for shape, index in ((4,), (3,)), ((2, 3), (1, 0)), ((2, 3, 4), (1, 2, 3)):
            out = self.check(report(tensor(shape=shape, index=list(index))))[1]
            self.assertIn("[%s]" % ",".join(map(str, index)), out)

    def test_names_are_aligned_cut_and_defused(self):
        rows = [tensor(name=name) for name in ("\u00e9\u00e9", "a\u001b[2Jb", "x" * 500)]
        lines = self.check(report(*rows))[1].splitlines()
        self.assertEqual({line.index("weight_delta") for line in lines[1:4]}, {65})
        self.assertIn("a?[2Jb", lines[2])
        self.assertEqual(lines[3].split()[0], "x" * 63)

    def test_colours_on_a_terminal(self):
        body = report(tensor(), tensor(verdict="fail"), verdict="fail")
        with Peer(answers(200, body)) as peer, tempfile.NamedTemporaryFile() as file:
            file.write(DOCUMENT)
            file.flush()
            code, shown = on_a_terminal("check", file.name, "--url", peer.url)
            self.assertEqual(code, 1)
            self.assertIn("\033[32mpass\033[0m", shown)
            self.assertIn("\033[1;31mFAIL\033[0m", shown)
            shown = on_a_terminal("check", file.name, "--url", peer.url, NO_COLOR="1")[1]
            self.assertNotIn("\033", shown)

    def test_answers_that_are_no_report(self):
        for body in (b"", b"{}", b"[]", report(tensor())[:-1],
                     b'{"layers":[{"weight_delta":[[2,4]],"bias_delta":[1]}]}'):
            with Peer(answers(200, body)) as peer:
                result = gradient("check", "-", "--url", peer.url, stdin=DOCUMENT)
            self.assertEqual((result.code, result.out), (8, b""), body)

    def test_full_output(self):
        with open("/dev/full", "wb") as full, Peer(answers(200, report(tensor()))) as peer:
            for words in ((), ("--json",)):
                result = gradient("check", "-", "--url", peer.url, *words, stdin=DOCUMENT,
                                  stdout=full)
                self.assertEqual(result.code, 9)


class Paths(unittest.TestCase):
    """Where each command posts to."""

    def test_path_and_query(self):
        for command in ("compute", "backprop", "check"):
            for words, query in ((), ""), (("--datatype", "FP32"), ""), (("--datatype", "FP64"),
                                                                         "?datatype=FP64"):
                path = "/v1/" + {"compute": "gradients"}.get(command, command)
                with Peer(answers(503)) as peer:
                    gradient(command, "-", "--url", peer.url, "--retries", "0", *words,
                             stdin=DOCUMENT)
                    self.assertEqual(peer.requests[0].line,
                                     "POST %s%s HTTP/1.1" % (path, query))
                    self.assertEqual(peer.requests[0].body, DOCUMENT)


class WithDaemon(DaemonCase):
    def both(self, *arguments, stdin):
        """The result of the service, which is that of --local too."""
        remote = gradient(*arguments, "-", "--url", self.daemon.url, stdin=stdin)
        local = gradient(*arguments, "-", "--local", stdin=stdin)
        self.assertEqual((remote.code, remote.out, remote.err), (local.code, local.out, local.err))
        return remote

    def test_networks_with_and_without_the_service(self):
        for document in NETWORKS:
            for datatype in ("FP32", "FP64"):
                with self.subTest(document[:80], datatype=datatype):
                    result = self.both("backprop", "--datatype", datatype, stdin=document)
                    self.assertEqual((result.code, result.err), (0, ""))
                    path = "/v1/backprop?datatype=" + datatype
                    self.assertEqual(result.out, self.daemon.post(document, path=path).body)
                    self.assertIn("loss", json.loads(result.out))

    def test_compute_in_doubles(self):
        document = DOCUMENT.replace(b"[1]", b"[0.1]")
        result = self.both("compute", "--datatype", "FP64", stdin=document)
        self.assertEqual(json.loads(result.out)["layers"][0]["bias_delta"], [0.1])

    def test_checks_with_and_without_the_service(self):
        for document in (DOCUMENT, *NETWORKS[:3]):
            for datatype in ("FP32", "FP64"):
                table = self.both("check", "--datatype", datatype, stdin=document)
                self.assertEqual((table.code, table.err), (0, ""), table.out)
                self.assertIn(b"\npass: ", table.out)
                whole = self.both("check", "--json", "--datatype", datatype, stdin=document)
                self.assertEqual(json.loads(whole.out)["verdict"], "pass")
                rows = table.out.count(b"\n") - 2
                self.assertEqual(rows, len(json.loads(whole.out)["tensors"]))

    def test_a_wrong_delta_of_ones_own(self):
        document = json.loads(json.dumps(BY_HAND))
        document["layers"][0].update(weight_delta=[[6, 8]], bias_delta=[-2])
        result = self.both("check", "--datatype", "FP64", stdin=json.dumps(document).encode())
        self.assertEqual((result.code, result.err), (1, ""))
        verdicts = [line.split()[-1] for line in result.out.decode().splitlines()[1:5]]
        self.assertEqual(verdicts, ["pass", "pass", "pass", "FAIL"], result.out)
        self.assertIn(b"\nfail: 1 of ", result.out)

    def test_a_kink_passes(self):
        document = (b'{"layers":[{"activation":"relu","input":[1],"pre_activation":[0],'
                    b'"grad_output":[1]}]}')
        result = self.both("check", "--datatype", "FP64", stdin=document)
        self.assertEqual(result.code, 0, result.out)
        self.assertIn(b"kink", result.out)

    def test_refusals_are_the_same(self):
        for command, document in (("backprop", DOCUMENT), ("check", b"{}"), ("backprop", b"["),
                                  ("check", b'{"on_error":"continue",' + NETWORKS[0][1:]),
                                  ("backprop", NETWORKS[0].replace(b"[[3, 4]]", b"[[3]]"))):
            with self.subTest(document[:80]):
                result = self.both(command, stdin=document)
                self.assertEqual((result.code, result.out), (3, b""), result.err)
                self.assertTrue(result.err.startswith("gradient: "), result.err)


if __name__ == "__main__":
    unittest.main()

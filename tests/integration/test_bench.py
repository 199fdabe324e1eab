"""`gradient bench` with the real daemon: it counts what was answered, sees wrong answers, and lets
a stall show in every request that it delayed."""

import http.server
import json
import signal
import subprocess
import threading
import time
import unittest

from peers import GRADIENT, clean_environment, gradient
from support import DaemonCase, patience

LENGTH = "Inference-Header-Content-Length"
LAYERS = ("--layer", "8x16x4*3", "--layer", "2x3x4")


class Relay(http.server.ThreadingHTTPServer):
    """Passes requests on to the daemon; `spoil` changes or replaces the answers from the count-th
    on."""

    daemon_threads = True

    def __init__(self, daemon, after, spoil):
        self.target, self.after, self.spoil = daemon, after, spoil
        self.count, self.lock = 0, threading.Lock()
        super().__init__(("127.0.0.1", 0), Relayed)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.shutdown()
        self.server_close()

    def is_spoiled(self):
        with self.lock:
            self.count += 1
            return self.count > self.after


class Relayed(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        document = self.rfile.read(int(self.headers["Content-Length"]))
        length = self.headers[LENGTH]
        response = self.server.target.post(document,
                                           headers=[(LENGTH, length)] if length else [])
        status, body = response.status, response.body
        if self.server.is_spoiled():
            status, body = self.server.spoil(status, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if LENGTH.lower() in response.headers:
            self.send_header(LENGTH, response.headers[LENGTH.lower()])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused):
        pass


class Bench(DaemonCase):
    def report(self, *arguments, code=0):
        result = gradient("bench", "--json", "--seconds", "1", *arguments)
        self.assertEqual(result.code, code, result.err)
        return json.loads(result.out)

    def served(self):
        return self.daemon.metrics().value("gradientd_requests_total", route="/v1/gradients",
                                           status="200")

    def test_each_connection_sends_when_it_is_answered(self):
        before = self.served()
        found = self.report("--connections", "3", *LAYERS, self.daemon.url)
        served = self.served() - before
        first, second = found["layers"]
        self.assertEqual((found["connections"], found["rate"]), (3, None))
        self.assertEqual([first[key] for key in ("B", "K", "N", "weight")], [8, 16, 4, 3])
        self.assertEqual([second[key] for key in ("B", "K", "N", "weight")], [2, 3, 4, 1])
        total = found["all"]["answers_ms"]["count"]
        self.assertEqual(total, first["answers_ms"]["count"] + second["answers_ms"]["count"])
        self.assertGreater(total, 10)
        # Those of the first second are not counted, nor the two that gave the answers.
        self.assertGreater(served, total)
        self.assertAlmostEqual(first["answers_ms"]["count"], 0.75 * total, delta=0.02 * total + 5)
        self.assertEqual([found["all"][key] for key in ("wrong", "failed")], [0, 0])

    def test_encodings(self):
        """Each of the nine pairs is verified; the daemon says that it was asked so."""
        names = ("json", "base64", "binary")
        pairs = [(request, answer) for request in names for answer in names]
        words = [word for pair in pairs for word in ("--layer", "8x16x4:%s:%s" % pair)]
        found = self.report("--connections", "2", *words, self.daemon.url)
        self.assertEqual([(row["encoding"], row["answer_encoding"]) for row in found["layers"]],
                         pairs)
        for row in found["layers"]:
            self.assertGreater(row["answers_ms"]["count"], 0)
            self.assertEqual((row["wrong"], row["failed"]), (0, 0))
        sizes = {pair: (row["request_bytes"], row["answer_bytes"])
                 for pair, row in zip(pairs, found["layers"])}
        numbers = {"base64": 4 / 3 * 4, "binary": 4}
        for name, bytes_each in numbers.items():
            document = sizes[name, name][0] - bytes_each * 8 * (16 + 2 * 4)
            self.assertTrue(0 < document < 400, (name, document))
            self.assertTrue(0 < sizes["json", name][1] - bytes_each * 4 * 17 < 250, sizes)

    def test_the_answer_is_encoded_as_the_request_is(self):
        found = self.report("--layer", "2x3x4:binary*2", "--layer", "2x3x4", self.daemon.url)
        self.assertEqual([(row["encoding"], row["answer_encoding"], row["weight"])
                          for row in found["layers"]],
                         [("binary", "binary", 2), ("json", "json", 1)])

    def test_wrong_bytes_behind_a_document_are_told(self):
        def other(status, body):
            return status, body[:-1] + bytes([body[-1] ^ 1])
        with Relay(self.daemon, 3, other) as peer:
            result = gradient("bench", "--seconds", "1", "--layer", "2x3x4:binary", peer.url)
        self.assertEqual(result.code, 8, result.err)
        self.assertRegex(result.err, r"\d+ answers had other bytes than the first")

    def test_times_are_in_order(self):
        times = self.report(self.daemon.url, "--layer", "8x16x4")["all"]["answers_ms"]
        names = ("p50", "p90", "p99", "p99.9", "max")
        self.assertEqual([times[name] for name in names], sorted(times[name] for name in names))
        self.assertLessEqual(times["mean"], times["max"])
        self.assertGreater(times["p50"], 0)

    def test_a_rate_is_kept(self):
        found = self.report("--rate", "150", "--layer", "2x3x4", self.daemon.url)
        self.assertEqual(found["rate"], 150)
        self.assertEqual(found["all"]["failed"], 0)
        self.assertAlmostEqual(found["all"]["answers_ms"]["count"], 150, delta=1)

    def wait_until_served(self, count):
        deadline = time.monotonic() + patience(30)
        while self.served() < count and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertGreaterEqual(self.served(), count)

    def stall(self, after):
        self.wait_until_served(after)
        self.daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        self.daemon.process.send_signal(signal.SIGCONT)

    def test_a_stall_shows_in_all_that_it_delays(self):
        """Of the requests of two seconds those of one are late, by half of it on average: by the
        plan, though hardly any was sent in that time."""
        # A hundred while it warms up, and a few of those that are measured.
        stall = threading.Thread(target=self.stall, args=(self.served() + 120,))
        stall.start()
        try:
            found = self.report("--rate", "100", "--connections", "2", "--seconds", "2", "--layer",
                                "2x3x4", self.daemon.url)
        finally:
            stall.join()
        self.assertEqual(found["all"]["answers_ms"]["count"], 200)
        self.assertGreater(found["all"]["answers_ms"]["p90"], 500)
        self.assertGreater(found["all"]["answers_ms"]["mean"], 200)

    def test_what_is_due_and_never_sent_has_failed(self):
        def late(status, body):
            time.sleep(0.5)
            return status, body
        with Relay(self.daemon, 1, late) as slow:
            result = gradient("bench", "--seconds", "1", "--rate", "50", "--connections", "1",
                              "--layer", "2x3x4", "--json", slow.url)
        self.assertEqual(result.code, 4, result.err)
        self.assertIn("not sent", result.err)
        found = json.loads(result.out)["all"]
        self.assertEqual(found["failed"] + found["answers_ms"]["count"], 50)
        self.assertGreater(found["failed"], 40)

    def test_percentiles_for_plotters(self):
        result = gradient("bench", "--hdr", "--seconds", "1", "--layer", "2x3x4", self.daemon.url)
        self.assertEqual((result.code, result.err), (0, ""))
        lines = result.out.decode().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount",
                                            "1/(1-Percentile)"])
        rows = [[float(field) for field in line.split()] for line in lines[2:]
                if not line.startswith("#")]
        for column in range(3):
            self.assertEqual([row[column] for row in rows], sorted(row[column] for row in rows))
        self.assertEqual((rows[0][1], rows[-1][1]), (0, 1))
        self.assertIn("Total count    = %12d]" % rows[-1][2], lines[-2])
        for row in rows[:-1]:
            self.assertGreaterEqual(row[2], row[1] * rows[-1][2])

    def test_a_table_for_people(self):
        result = gradient("bench", "--seconds", "1", "--connections", "2", *LAYERS, "--layer",
                          "2x3x4:json:binary", self.daemon.url)
        self.assertEqual((result.code, result.err), (0, ""))
        lines = result.out.decode().splitlines()
        self.assertIn("2 connections", lines[0])
        self.assertEqual([line.split()[0] for line in lines[2:]],
                         ["layer", "8x16x4", "2x3x4", "2x3x4:json:binary", "all"])

    def test_wrong_answers_are_told(self):
        def other(status, body):
            return status, body.replace(b"[", b"[1", 3)
        with Relay(self.daemon, 3, other) as peer:
            result = gradient("bench", "--seconds", "1", "--layer", "2x3x4", peer.url)
        self.assertEqual(result.code, 8, result.err)
        self.assertRegex(result.err, r"\d+ answers had other bytes than the first")

    def test_a_wrong_first_answer_ends_it(self):
        answer = b'{"layers":[{"weight_delta":[[1,2,3]],"bias_delta":[1]}]}'
        with Relay(self.daemon, 0, lambda status, body: (status, answer)) as peer:
            result = gradient("bench", "--seconds", "1", "--layer", "2x3x1", peer.url)
        self.assertEqual((result.code, result.out), (8, b""))
        self.assertIn("the answer to 2x3x1 isn't what this program computes", result.err)

    def test_refusals_and_failures_are_counted(self):
        for status, code, word in ((503, 5, "every request was refused"), (500, 4, "answered 500")):
            with self.subTest(status), \
                    Relay(self.daemon, 1, lambda _, body, s=status: (s, b"{}")) as peer:
                result = gradient("bench", "--seconds", "1", "--json", "--connections", "2",
                                  "--layer", "2x3x4", peer.url)
                self.assertEqual(result.code, code, result.err)
                self.assertIn(word, result.err)
                found = json.loads(result.out)["all"]
                counts = found["refusals_ms"]["count"], found["failed"]
                self.assertEqual([count > 0 for count in counts], [status == 503, status == 500])

    def test_no_service(self):
        result = gradient("bench", "--seconds", "1", "--retries", "0", "http://127.0.0.1:1")
        self.assertEqual(result.code, 4)

    def test_an_interrupt_ends_it_with_a_report(self):
        words = ("--seconds", "600", "--rate", "100", "--layer", "2x3x4", "--json",
                 self.daemon.url)
        before = self.served()
        process = subprocess.Popen([GRADIENT, "bench", *words], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=clean_environment())
        self.wait_until_served(before + 150)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=patience(30))
        self.assertEqual(process.returncode, 0, err)
        self.assertGreater(json.loads(out)["all"]["answers_ms"]["count"], 0)

    def test_words_that_are_wrong(self):
        for words, what in ((("--layer", "2x3"), "BxKxN"), (("--layer", "0x3x4"), "BxKxN"),
                            (("--layer", "2x3x4*0"), "WEIGHT"), (("--layer", "2x3x4x5"), "BxKxN"),
                            (("--layer", "2x3x4:"), "ENCODING"),
                            (("--layer", "2x3x4:text"), "json, base64 or binary"),
                            (("--layer", "2x3x4:json:binary:json"), "ENCODING"),
                            (("--layer", "2x3x4:binary*"), "WEIGHT"),
                            (("--connections", "0"), "from 1 to"), (("--rate", "-1"), "above 0"),
                            (("--seconds", "nan"), "above 0"), (("--seconds", "1x"), "above 0")):
            with self.subTest(words):
                result = gradient("bench", *words, self.daemon.url)
                self.assertEqual((result.code, result.out), (2, b""))
                self.assertIn(what, result.err)
        result = gradient("info", "--rate", "5", "--url", self.daemon.url)
        self.assertEqual(result.code, 2)
        self.assertIn("options of bench", result.err)


if __name__ == "__main__":
    unittest.main()

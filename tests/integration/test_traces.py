"""What ties a request to others and to its time: the trace that it belongs to (W3C Trace Context),
in its line of the log and its response; and the line of a slow one, with shapes and stages."""

import re
import unittest

from support import Case, Daemon, body_of, make_request, patience

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
STAGES = ("receive", "decode", "queue", "compute", "encode")
GOOD = body_of(make_request(3, 4, 5))


class Traces(Case):
    def test_a_trace_is_logged_and_answered(self):
        headers = [("traceparent", "00-%s-%s-01" % (TRACE, PARENT)), ("tracestate", "a=b"),
                   ("X-Request-Id", "traced")]
        with Daemon() as daemon:
            for body, status in ((GOOD, 200), (b"{", 400)):
                answer = daemon.post(body, headers=headers)
                self.assertEqual(answer.status, status)
                found = re.fullmatch("00-%s-([0-9a-f]{16})-00" % TRACE,
                                     answer.headers["traceresponse"])
                self.assertTrue(found, answer.headers)
                line = daemon.wait_log(patience(5), message="request", status=status)
                self.assertEqual((line["trace_id"], line["parent_id"], line["span_id"]),
                                 (TRACE, PARENT, found.group(1)))
                self.assertNotEqual(line["span_id"], PARENT)

    def test_what_is_no_trace_is_ignored(self):
        good = ("traceparent", "00-%s-%s-01" % (TRACE, PARENT))
        with Daemon() as daemon:
            for number, headers in enumerate((
                    [], [("traceparent", "00-%s-%s" % (TRACE, PARENT))], [good, good],
                    [("traceparent", "00-%s-%s-01" % ("0" * 32, PARENT))])):
                name = "plain-%d" % number
                answer = daemon.post(GOOD, headers=[*headers, ("X-Request-Id", name)])
                self.assertEqual(answer.status, 200)
                self.assertNotIn("traceresponse", answer.headers)
                line = daemon.wait_log(patience(5), message="request", request_id=name)
                self.assertNotIn("trace_id", line)


class Slow(Case):
    def test_a_slow_request_is_told_with_its_shapes(self):
        with Daemon("--slow-request", "1ms", "--log-requests", "off") as daemon:
            self.assertEqual(daemon.post(make_request(64, 50, 40, layers=6)).status, 200)
            line = daemon.wait_log(patience(5), message="slow request")
            self.assertEqual((line["level"], line["status"], line["layers"]), ("warning", 200, 6))
            self.assertGreater(line["total_us"], 1000)
            self.assertIn(line["slowest_stage"], STAGES)
            one = "activation input 64x50, pre_activation 64x40, grad_output 64x40"
            self.assertEqual(line["shapes"].replace("dense", "activation"),
                             "; ".join([one] * 4) + "; and 2 more")
            self.assertEqual(daemon.records(message="request"), [])

    def test_others_are_not(self):
        for flags in ((), ("--slow-request", "0")):
            with Daemon(*flags) as daemon:
                daemon.post(GOOD)
                daemon.wait_log(patience(5), message="request")
                self.assertEqual(daemon.records(message="slow request"), [])


if __name__ == "__main__":
    unittest.main()

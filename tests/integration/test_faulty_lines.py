"""Requests over lines with faults (tests/support/fault_proxy.py): where a fault only delays, every
request is answered; where it loses the line, no answer is wrong, and nothing is left behind in the
daemon. The load generator compares every answer byte by byte with the one given without a fault.
With GRADIENTD_LONG=1 10,000 requests through each."""

import os
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "fire"), str(TESTS / "support")]

import fault_proxy  # noqa: E402
import target  # noqa: E402
from support import BUILD, DaemonCase, patience, scaled  # noqa: E402

LONG = os.environ.get("GRADIENTD_LONG", "0") not in ("", "0")
COUNT = 10000 if LONG else scaled(300, 120)
# How a request may end on a line that is lost.
LOST = {"200", "closed", "reset", "cut off", "timeout"}


class Faults(DaemonCase):
    FLAGS = ("--body-timeout", "2s", "--header-timeout", "2s", "--reply-timeout", "2s",
             "--log-requests", "off")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.requests = [target.of_layer("small", 8, 8, 4), target.of_layer("reply", 2, 40, 40),
                        target.of_check("check", 16, 4, 8, 4)]
        for request in cls.requests:
            request.learn(cls.daemon)

    def through(self, name, timeout):
        """The outcomes of that many requests through that fault, how many lines were lost, and how
        many requests were sent again because a kept connection was found closed."""
        each = COUNT // len(self.requests)
        with fault_proxy.FaultProxy(self.daemon.address, fault_proxy.ALL[name]()) as proxy:
            measured = target.generate(BUILD, proxy, *(
                ["name=" + request.name, *request.keys(), "busy=8", "count=%d" % each,
                 "seconds=100000", "pause=0", "timeout=%g" % timeout]
                for request in self.requests))
        outcomes = {}
        for one in measured.values():
            for outcome, count in one["outcomes"].items():
                outcomes[outcome] = outcomes.get(outcome, 0) + count
        self.assertEqual(sum(outcomes.values()), each * len(self.requests))
        retried = sum(one["retried"] for one in measured.values())
        self.assertEqual([one["wrong"] for one in measured.values()], [0, 0, 0], outcomes)
        for gauge in ("in_flight", "memory_leased_bytes", "jobs_running"):
            self.daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_" + gauge)
        return outcomes, proxy.lost, retried

    def assert_all_answered(self, name):
        outcomes, _, _ = self.through(name, patience(60))
        self.assertEqual(set(outcomes), {"200"}, outcomes)

    def assert_only_lost(self, name, timeout=30):
        """Some lines are lost, most requests are answered, and no end is of another kind."""
        outcomes, lost, _ = self.through(name, timeout)
        self.assertLessEqual(set(outcomes), LOST, outcomes)
        self.assertGreater(lost, COUNT // 200, outcomes)
        self.assertGreater(outcomes["200"], COUNT // 2, outcomes)
        return outcomes

    def test_latency(self):
        self.assert_all_answered("latency")

    def test_jitter(self):
        self.assert_all_answered("jitter")

    def test_rate(self):
        self.assert_all_answered("rate")

    def test_tiny_segments(self):
        self.assert_all_answered("slices")

    def test_resets(self):
        outcomes = self.assert_only_lost("reset")
        self.assertNotIn("timeout", outcomes)

    def test_half_closes(self):
        outcomes = self.assert_only_lost("half-close")
        self.assertNotIn("timeout", outcomes)

    def test_dead_lines(self):
        outcomes = self.assert_only_lost("blackhole", timeout=patience(1))
        self.assertIn("timeout", outcomes)

"""The daemon ends while it is busy: killed, it leaves nobody with a wrong answer; asked to stop, it
answers everyone whom it has taken."""

import os
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fire"))

import target  # noqa: E402
from support import BUILD, Daemon, patience, scaled  # noqa: E402

RUN_ALONE = True
VARIANTS = ("plain",)


class EndsUnderLoad(unittest.TestCase):
    """Three kinds of requests, 18 connections, every answer compared byte by byte."""

    CONNECTIONS = 18

    @classmethod
    def setUpClass(cls):
        cls.requests = [target.of_layer("small", 8, 8, 4), target.of_layer("reply", 8, 80, 80),
                        target.of_check("check", 16, 4, 8, 4)]
        with Daemon() as daemon:
            for request in cls.requests:
                request.learn(daemon)

    def load_until(self, end, expect_exit):
        """{outcome: count} of the requests to a daemon that is ended in the middle of them, and
        how many it took and did not answer."""
        with Daemon(expect_exit=expect_exit) as daemon:
            def later():
                time.sleep(scaled(0.4, 1))
                end(daemon)
            ending = threading.Thread(target=later)
            ending.start()
            found = target.generate(BUILD, daemon, *(
                ["name=" + request.name, *request.keys(), "pause=0.05",
                 "busy=%d" % (self.CONNECTIONS // 3),
                 "seconds=%g" % scaled(0.9, 2.5), "timeout=%g" % patience(20)]
                for request in self.requests))
            ending.join()
            daemon.check_exit(patience(20))
            lost = len(daemon.records(message="request", status=0))
        outcomes = {}
        for one in found.values():
            self.assertEqual(one["wrong"], 0, one["outcomes"])
            for name, count in one["outcomes"].items():
                outcomes[name] = outcomes.get(name, 0) + count
        self.assertGreater(outcomes["200"], 20, outcomes)
        return outcomes, lost

    def test_killed(self):
        for _ in range(scaled(5, 1)):
            outcomes, _ = self.load_until(lambda daemon: daemon.signal(signal.SIGKILL),
                                          -signal.SIGKILL)
            self.assertLessEqual(set(outcomes), {"200", "reset", "closed", "refused"})

    @unittest.skipUnless(os.environ.get("GRADIENTD_LONG"), "it is part of make long")
    def test_stopped(self):
        """A connection that is idle may end while its client sends once more, and one that was not
        accepted yet is reset (RFC 9112, section 9.3.1): once for each, before it is refused."""
        for _ in range(scaled(5, 2)):
            outcomes, lost = self.load_until(lambda daemon: daemon.signal(signal.SIGTERM), 0)
            self.assertLessEqual(set(outcomes), {"200", "refused", "closed", "reset"})
            self.assertLessEqual(outcomes.get("closed", 0) + outcomes.get("reset", 0),
                                 self.CONNECTIONS)
            self.assertEqual(lost, 0)


if __name__ == "__main__":
    unittest.main()

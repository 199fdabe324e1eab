"""The daemon ends while it is busy: killed, it leaves nobody with a wrong answer; asked to stop, it
answers everyone whom it has taken."""

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

    @classmethod
    def setUpClass(cls):
        cls.requests = [target.of_layer("small", 8, 8, 4), target.of_layer("reply", 8, 80, 80),
                        target.of_check("check", 16, 4, 8, 4)]
        with Daemon() as daemon:
            for request in cls.requests:
                request.learn(daemon)

    def load_until(self, end, expect_exit):
        """{outcome: count} of the requests to a daemon that is ended in the middle of them."""
        with Daemon("--log-requests", "off", expect_exit=expect_exit) as daemon:
            def later():
                time.sleep(scaled(0.4, 1))
                end(daemon)
            ending = threading.Thread(target=later)
            ending.start()
            found = target.generate(BUILD, daemon, *(
                ["name=" + request.name, *request.keys(), "busy=6", "pause=0.05",
                 "seconds=%g" % scaled(0.9, 2.5), "timeout=%g" % patience(20)]
                for request in self.requests))
            ending.join()
            daemon.check_exit(patience(20))
        outcomes = {}
        for one in found.values():
            self.assertEqual(one["wrong"], 0, one["outcomes"])
            for name, count in one["outcomes"].items():
                outcomes[name] = outcomes.get(name, 0) + count
        self.assertGreater(outcomes["200"], 20, outcomes)
        return outcomes

    def test_killed(self):
        for _ in range(scaled(5, 1)):
            outcomes = self.load_until(lambda daemon: daemon.signal(signal.SIGKILL),
                                       -signal.SIGKILL)
            self.assertLessEqual(set(outcomes), {"200", "reset", "closed", "cut off", "refused"},
                                 outcomes)

    def test_stopped(self):
        for _ in range(scaled(5, 2)):
            outcomes = self.load_until(lambda daemon: daemon.signal(signal.SIGTERM), 0)
            self.assertLessEqual(set(outcomes), {"200", "refused"}, outcomes)


if __name__ == "__main__":
    unittest.main()

"""How long the client waits before it tries again: Retry-After as seconds and as a date, jittered
backoff without it, and the total deadline over all. Times are measured at the peer."""

import email.utils
import time
import unittest

from peers import ANSWER, Peer, answers, resets
from support import patience

RUN_ALONE = True


def gaps(peer):
    """Seconds between the requests that the peer saw."""
    times = [request.time for request in peer.requests]
    return [later - earlier for earlier, later in zip(times, times[1:])]


class Waits(unittest.TestCase):
    def test_retry_after_in_seconds(self):
        with Peer(answers(503, b"", "Retry-After: 1"), answers(200, ANSWER)) as peer:
            result = peer.run()
            self.assertEqual(result.code, 0, result.err)
        self.assertGreaterEqual(gaps(peer)[0], 0.99)
        self.assertLess(gaps(peer)[0], patience(2))

    def test_retry_after_as_a_date(self):
        def busy_for_three_seconds(peer):
            date = email.utils.formatdate(time.time() + 3, usegmt=True)
            return answers(503, b"", "Retry-After: " + date)(peer)

        with Peer(busy_for_three_seconds, answers(200, ANSWER)) as peer:
            result = peer.run()
            self.assertEqual(result.code, 0, result.err)
        # A date has whole seconds.
        self.assertGreater(gaps(peer)[0], 1.9)
        self.assertLess(gaps(peer)[0], patience(4))

    def test_retry_after_that_means_now(self):
        past = email.utils.formatdate(time.time() - 86400, usegmt=True)
        for value in ("0", "-5", past, "soon", ""):
            with self.subTest(value):
                with Peer(answers(429, b"", "Retry-After: " + value), answers(200, ANSWER)) as peer:
                    self.assertEqual(peer.run().code, 0)
                self.assertLess(gaps(peer)[0], patience(0.6))

    def test_a_wait_beyond_the_deadline_is_not_begun(self):
        with Peer(answers(503, b"", "Retry-After: 3600")) as peer:
            result = peer.run("--timeout", "5")
        self.assertEqual(result.code, 5, result.err)
        self.assertEqual(len(peer.requests), 1)
        self.assertLess(result.seconds, patience(1))

    def test_backoff_grows_and_is_jittered(self):
        seen = []
        for _ in range(3):
            with Peer(resets) as peer:
                self.assertEqual(peer.run("--retries", "4").code, 4)
            self.assertEqual(len(peer.requests), 5)
            for gap, most in zip(gaps(peer), (0.1, 0.2, 0.4, 0.8)):
                self.assertLess(gap, most + patience(0.3))
            seen.append(tuple(round(gap, 3) for gap in gaps(peer)))
        self.assertEqual(len(set(seen)), 3, "the waits of three runs are the same: no jitter")

    def test_the_deadline_ends_the_tries(self):
        with Peer(resets) as peer:
            result = peer.run("--retries", "1000", "--timeout", "1.5")
        self.assertEqual(result.code, 4, result.err)
        self.assertLess(result.seconds, patience(2.5))
        self.assertGreater(len(peer.requests), 2)


if __name__ == "__main__":
    unittest.main()

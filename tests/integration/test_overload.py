"""More than the daemon can do: who would wait too long is told so at once, another peer is served
beside, and what headers promise holds nothing."""

import contextlib
import random
import statistics
import threading
import time
import unittest

from support import (Broken, Daemon, DaemonCase, body_of, build_request, make_layer,
                     make_request, patience, scaled)

RUN_ALONE = True
MiB = 1 << 20

LARGE = body_of({"layers": [make_layer(random.Random(1), 64, scaled(512, 128),
                                       scaled(256, 128))]})


class Overload(DaemonCase):
    """One worker; one peer has 48 connections, each of which sends as fast as it is answered. A
    request may wait as long as eight take on this machine: 48 wait longer, a newcomer does not."""

    FLAGS = ("--workers", "1", "--event-loops", "1", "--inline-cost", "0s")
    GREEDY = 48

    @classmethod
    def setUpClass(cls):
        with Daemon(*cls.FLAGS) as daemon, daemon.connect() as connection:
            taken = []
            for _ in range(10):
                began = time.monotonic()
                connection.request("POST", "/v1/gradients", LARGE)
                taken.append(time.monotonic() - began)
        longest = 8 * statistics.median(taken)
        cls.daemon = Daemon(*cls.FLAGS, "--max-wait", f"{max(1, round(1000 * longest))}ms")

    def refuse(self, response, refused):
        problem = response.json()
        self.assertEqual((response.status, problem["status"], problem["code"]),
                         (503, 503, "overloaded"))
        self.assertGreaterEqual(int(response.headers["retry-after"]), 1)
        refused.append(problem["detail"])
        return response.headers.get("connection", "").lower() == "close"

    def send_until(self, end, right, refused, errors):
        """One connection after the other; who is refused while it sends may lose the answer."""
        try:
            while time.monotonic() < end:
                with self.daemon.connect() as connection:
                    closes = False
                    while time.monotonic() < end and not closes:
                        response = connection.request("POST", "/v1/gradients", LARGE)
                        if response.status == 200:
                            self.assertTrue(response.body == right, "other bits")
                        else:
                            closes = self.refuse(response, refused)
        except (ConnectionError, Broken):
            refused.append("")
        except BaseException as error:  # noqa: B902 (handed on)
            errors.append(error)

    def overload(self, seconds, meanwhile):
        right = self.daemon.post(LARGE).body
        refused, errors = [], []
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.send_until, args=(end, right, refused, errors))
                   for _ in range(self.GREEDY)]
        for thread in threads:
            thread.start()
        try:
            return meanwhile(), refused
        finally:
            for thread in threads:
                thread.join()
            if errors:
                raise errors[0]

    def polite(self):
        """Requests of another address, one after the other."""
        statuses = []
        with self.daemon.connect(source="127.0.0.2") as connection:
            for _ in range(10):
                statuses.append(connection.request("POST", "/v1/gradients", LARGE).status)
        return statuses

    def test_who_waits_too_long_is_told_and_a_newcomer_is_served(self):
        seconds = scaled(2, 6)

        def meanwhile():
            time.sleep(seconds / 4)
            return self.polite()
        statuses, refused = self.overload(seconds, meanwhile)
        self.assertEqual(statuses, [200] * 10)
        self.assertTrue(any("of work ahead" in detail for detail in refused), refused[:3])
        counted = self.daemon.metrics().value("gradientd_rejections_total", reason="overloaded")
        self.assertGreaterEqual(counted, sum(1 for detail in refused if detail))

    def test_soon_after_all_is_as_before(self):
        self.overload(scaled(1, 4), lambda: None)
        began = time.monotonic()
        self.assertEqual(self.daemon.post(LARGE).status, 200)
        self.assertLess(time.monotonic() - began, patience(0.5))


class Promises(DaemonCase):
    """Requests of which nothing comes but the headers, for more than all of the memory."""

    FLAGS = ("--memory-budget", "64MiB", "--max-body", "64MiB")

    def test_headers_hold_nothing(self):
        with_length = [("Content-Type", "application/json"), ("Content-Length", str(60 * MiB))]
        head = build_request("POST", "/v1/gradients", None, with_length)
        promises = [self.daemon.connect() for _ in range(8)]
        try:
            for connection in promises:
                connection.send(head)
            for _ in range(20):
                self.assertEqual(self.daemon.post(make_request(2, 3, 4)).status, 200)
                self.assertEqual(self.daemon.post(LARGE).status, 200)
            self.daemon.wait_metric(lambda held: 0 < held < 64 * MiB / 100, patience(5),
                                    "gradientd_memory_leased_bytes")
        finally:
            for connection in promises:
                connection.close()

    def test_bodies_that_do_not_come_keep_nobody_waiting(self):
        """Of a length that is known, or not; without a byte, or with one: more of them than are
        served at once."""
        for framing, first in ((("Transfer-Encoding", "chunked"), b"1\r\n{\r\n"),
                               (("Content-Length", "100000"), b"{")):
            for begun in (b"", first):
                head = build_request("POST", "/v1/gradients", None,
                                     [("Content-Type", "application/json"), framing])
                with self.subTest(framing, begun=begun), contextlib.ExitStack() as stack:
                    for _ in range(40):
                        stack.enter_context(self.daemon.connect()).send(head + begun)
                    began = time.monotonic()
                    self.assertEqual(self.daemon.post(LARGE).status, 200)
                    self.assertEqual(self.daemon.post(make_request(2, 3, 4)).status, 200)
                    self.assertLess(time.monotonic() - began, patience(2))


if __name__ == "__main__":
    unittest.main()

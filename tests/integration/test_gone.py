"""Clients that leave while their request waits or is worked on: the work stops, within 50 ms of a
reset, and half-close-timeout after an end that may be half of one."""

import random
import socket
import time
import unittest

from support import (DaemonCase, body_of, build_request, make_layer, make_request, patience,
                     values)

RUN_ALONE = True
# From the reset to the moment in which no job runs any more. Loaded machines take longer: the best
# of some tries counts.
AT_ONCE = patience(0.05)
TRIES = 20


def long_check(samples=20000):
    """Minutes of work for one worker."""
    generator = random.Random(1)
    network = {"layers": [{"activation": "gelu", "weight": values(generator, 96, 96)}],
               "input": values(generator, 32, 96), "grad_output": values(generator, 32, 96),
               "check": {"samples": samples}}
    return build_request("POST", "/v1/check", body_of(network))


CHECK = long_check()
POOLED = body_of({"layers": [make_layer(random.Random(2), 32, 128, 96)]})


class Leaving(DaemonCase):
    """What has to stop."""

    FLAGS = ("--workers", "1", "--inline-cost", "0s", "--log-level", "debug", "--max-wait", "60s")

    def gone(self):
        return self.daemon.metrics().value("gradientd_rejections_total", reason="client_gone")

    def jobs(self):
        """Those that run, and those that wait."""
        metrics = self.daemon.metrics()
        return sum(metrics.value("gradientd_" + gauge)
                   for gauge in ("jobs_running", "queue_waiting"))

    def begin(self, count=1):
        """So many clients whose checks run or wait."""
        connections = [self.daemon.connect() for _ in range(count)]
        for connection in connections:
            connection.send(CHECK)
        deadline = time.monotonic() + patience(20)
        while self.jobs() < count:
            self.assertLess(time.monotonic(), deadline)
        return connections

    def seconds_until_idle(self):
        began = time.monotonic()
        while self.jobs() > 0:
            self.assertLess(time.monotonic() - began, patience(10))
        return time.monotonic() - began

    def leave_and_measure(self, count, leave):
        taken = []
        for _ in range(TRIES):
            before = self.gone()
            connections = self.begin(count)
            for connection in connections:
                leave(connection)
            taken.append(self.seconds_until_idle())
            self.daemon.wait_metric(lambda v: v == before + count, patience(5),
                                    "gradientd_rejections_total", reason="client_gone")
            if taken[-1] < AT_ONCE:
                break
        return min(taken)

    def test_a_reset_stops_a_check(self):
        self.assertLess(self.leave_and_measure(1, lambda c: c.reset()), AT_ONCE)

    def test_a_reset_stops_those_that_wait_too(self):
        self.assertLess(self.leave_and_measure(20, lambda c: c.reset()), AT_ONCE)
        self.assert_alive()

    def test_closing_stops_a_check(self):
        self.assertLess(self.leave_and_measure(1, lambda c: c.close()), AT_ONCE)

    def test_leaving_as_turns_come(self):
        """Those that leave make way for those that leave next: a turn and an end at once."""
        generator = random.Random(3)
        for _ in range(20):
            connections = self.begin(8)
            generator.shuffle(connections)
            for connection in connections:
                connection.reset()
        self.assert_alive()

    def test_what_the_log_says(self):
        self.begin()[0].reset()
        line = self.daemon.wait_log(patience(10), code="client_gone")
        self.assertEqual((line["status"], line["path"]), (0, "/v1/check"))
        self.assertGreater(line["compute_us"], 0)
        self.daemon.wait_metric(lambda v: v >= 1, patience(5), "gradientd_requests_total",
                                route="/v1/check", status="0")

    def test_one_that_stays_is_answered(self):
        """Beside 12 that leave, and after them."""
        leaving = self.begin(12)
        with self.daemon.connect() as staying:
            staying.send(build_request("POST", "/v1/gradients", POOLED))
            for connection in leaving:
                connection.reset()
            self.assertEqual(staying.read_response().status, 200)

    def test_half_of_an_end(self):
        """Work that ends soon is answered, also to requests that are pipelined; other work is
        not."""
        for count in (1, 5):
            with self.daemon.connect() as connection:
                connection.send(build_request("POST", "/v1/gradients",
                                              body_of(make_request(2, 3, 4))) * count)
                connection.socket.shutdown(socket.SHUT_WR)
                for _ in range(count):
                    self.assertEqual(connection.read_response().status, 200)
        with self.daemon.connect() as connection:
            connection.send(CHECK)
            connection.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.socket.recv(100), b"")


class Patient(DaemonCase):
    """A long half-close-timeout."""

    FLAGS = ("--workers", "1", "--inline-cost", "0s", "--half-close-timeout", "60m")

    def begin(self, samples):
        connection = self.daemon.connect()
        connection.send(long_check(samples))
        connection.socket.shutdown(socket.SHUT_WR)
        self.daemon.wait_metric(lambda v: v == 1, patience(10), "gradientd_jobs_running")
        return connection

    def test_a_check_goes_on(self):
        with self.begin(100) as connection:
            self.assertEqual(connection.read_response().status, 200)

    def test_a_reset_after_half_of_an_end(self):
        connection = self.begin(20000)
        time.sleep(0.1)
        connection.reset()
        self.daemon.wait_metric(lambda v: v == 0, patience(5), "gradientd_jobs_running")


if __name__ == "__main__":
    unittest.main()

"""Many at once: every answer right to the bit, overload refused within bounded memory, the admin
listener never behind work, and a drain that loses nothing it accepted."""

import contextlib
import random
import signal
import threading
import time
import unittest

import oracle
from support import (SANITIZED, Broken, Case, Daemon, DaemonCase, body_of, build_request,
                     make_layer, make_request, patience, scaled)

RUN_ALONE = True
MiB = 1 << 20


def together(count, work):
    """Runs work(i) for i < count in as many threads; raises the first error."""
    errors = []

    def run(i):
        try:
            work(i)
        except BaseException as error:  # noqa: B902 (handed on)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def mixed_requests():
    """Requests of very different sizes: inline ones, pooled ones, ones of several tiles."""
    generator = random.Random(1)
    shapes = [(1, 3, 2), (8, 64, 32), (2, 5, 300), (32, 100, 80), (1, 1, 1),
              (64, scaled(300, 80), scaled(200, 60))]
    return [{"id": str(i), "layers": [make_layer(generator, *shape, name, weight=i % 2 == 1)]}
            for i, (shape, name) in enumerate(zip(shapes, oracle.ACTIVATIONS))]


class Many(DaemonCase):
    """200 connections, kept alive, of mixed sizes, who may wait as long as they need."""

    FLAGS = ("--max-wait", "3600s")

    def test_200_connections(self):
        requests = mixed_requests()
        bodies = [body_of(request) for request in requests]
        right = [self.daemon.post(body).body for body in bodies]
        small = self.daemon.post(bodies[0]).json()
        self.assertIsNone(oracle.compare(requests[0], small))
        rounds = scaled(8, 3)

        def work(i):
            generator = random.Random(i)
            with self.daemon.connect(timeout=patience(60)) as connection:
                for _ in range(rounds):
                    which = generator.choices(range(len(bodies)), (8, 8, 4, 2, 8, 1))[0]
                    chunks = generator.choice((None, None, 1000, 65536))
                    response = connection.request("POST", "/v1/gradients", bodies[which],
                                                  chunks=chunks)
                    self.assertEqual(response.status, 200, response)
                    self.assertTrue(response.body == right[which], "other bits under load")

        together(200, work)
        # A request is counted once its reply is on its way, which the client may see first.
        all_of_them = 200 * rounds + len(bodies) + 1
        self.daemon.wait_metric(lambda answered: answered == all_of_them, patience(5),
                                "gradientd_requests_total", route="/v1/gradients", status="200")


class Overload(Case):
    """More than the daemon may hold."""

    BUDGET = scaled(64, 8) * MiB
    CONNECTIONS = scaled(80, 20)
    # What the process may hold besides the budget and what it had when idle. Each connection: its
    # buffer. malloc: what it keeps at the end of its arena (docs/architecture.md). The
    # rest: OpenBLAS's buffer of the worker, stacks, and half again for fragments.
    BUFFER = 64 << 10
    KEPT_BY_MALLOC = 16 * MiB
    REST = 16 * MiB

    @staticmethod
    def large_body():
        """A request of one layer that is held as 3 MiB of floats, with a small answer."""
        generator = random.Random(7)
        B, K = scaled(1536, 400), 512
        row, one = make_layer(generator, 1, K, 1), {"activation": "relu"}
        one.update({name: row[name] * B for name in ("input", "pre_activation", "grad_output")})
        return body_of({"layers": [one]})

    def ask(self, connection, data, right, statuses, pause):
        """Sends all but the last byte, pauses, sends the rest. Returns whether the connection goes
        on. Who is refused before a body is read may learn it by a broken connection: status 0."""
        try:
            connection.send(data[:-1])
            pause()
            connection.send(data[-1:])
            response = connection.read_response()
        except (ConnectionError, Broken):
            statuses.append(0)
            return False
        statuses.append(response.status)
        if response.status == 200:
            self.assertTrue(response.body == right.body, "other bits")
        else:
            self.assert_problem(response, 503)
            self.assertGreaterEqual(int(response.headers["retry-after"]), 1)
        return response.headers.get("connection", "").lower() != "close"

    def wait_until_full(self, daemon):
        """Until half of the budget and more is leased, and it stays so for some seconds."""
        leased, since = 0, time.monotonic()
        while leased < self.BUDGET / 2 or time.monotonic() < since + 3:
            before, leased = leased, daemon.metrics().value("gradientd_memory_leased_bytes")
            if leased != before:
                since = time.monotonic()
            time.sleep(0.1)

    def test_memory_stays_under_the_budget(self):
        """Requests that want their last byte fill the memory; those of the other connections wait
        for it before their bodies are read: together they would take more than three times the
        budget. Then the last bytes come, and each asks twice more, as fast as it can. All are
        served in turn, but for who gave way where all waited for each other."""
        body = self.large_body()
        data = build_request("POST", "/v1/gradients", body)
        statuses = []
        full = threading.Event()
        with Daemon("--memory-budget", str(self.BUDGET), "--workers", "1", "--queue-depth", "200",
                    "--inline-cost", "0s", "--body-timeout", "300s", "--queue-timeout", "300s",
                    "--request-timeout", "300s", "--max-wait", "300s") as daemon:
            idle = daemon.resident_memory()
            right = daemon.post(body)
            self.assertEqual(right.status, 200)
            daemon.reset_peak_memory()

            def pause():
                full.wait(patience(60))

            def work(i):
                if i == self.CONNECTIONS:
                    self.wait_until_full(daemon)
                    self.assertGreater(daemon.metrics().value("gradientd_queue_waiting"), 0)
                    full.set()
                    return
                with daemon.connect(timeout=patience(120)) as connection:
                    goes_on = self.ask(connection, data, right, statuses, pause)
                    for _ in range(2):
                        goes_on = goes_on and self.ask(connection, data, right, statuses, int)

            together(self.CONNECTIONS + 1, work)
            self.assertGreater(statuses.count(200), 2 * self.CONNECTIONS)
            metrics = daemon.metrics()
            refused = metrics.value("gradientd_rejections_total", reason="memory")
            self.assertEqual(refused, statuses.count(503) + statuses.count(0))
            self.assertEqual(metrics.value("gradientd_memory_budget_bytes"), self.BUDGET)
            if not SANITIZED:
                allowed = (idle + self.BUDGET + self.CONNECTIONS * self.BUFFER
                           + self.KEPT_BY_MALLOC + self.REST)
                self.assertLess(daemon.peak_memory(), allowed)

    def test_an_idle_daemon_is_small_again(self):
        """What a large request took is the kernel's again soon after, and not only the next
        request's."""
        body = body_of(make_request(scaled(256, 32), scaled(1024, 100), scaled(1024, 100)))
        with Daemon("--inline-cost", "0s") as daemon:
            self.assertEqual(daemon.post(make_request(1, 2, 3)).status, 200)
            before = daemon.resident_memory()
            daemon.reset_peak_memory()
            self.assertEqual(daemon.post(body).status, 200)
            deadline = time.monotonic() + patience(5)
            while not SANITIZED and daemon.resident_memory() > before + 8 * MiB:
                self.assertLess(time.monotonic(), deadline, daemon.resident_memory() - before)
                time.sleep(0.1)
            if not SANITIZED:
                self.assertGreater(daemon.peak_memory(), before + 16 * MiB)

    def test_queue_timeout(self):
        """Six requests end at once; the one worker is busy with the first for longer than the
        others may wait. On a loaded machine they may end one after the other: then again."""
        size = scaled(1500, 1000)
        data = build_request("POST", "/v1/gradients", body_of(make_request(64, size, size)))
        with Daemon("--workers", "1", "--inline-cost", "0s", "--queue-timeout",
                    scaled("5ms", "20ms")) as daemon:
            refused = []
            for _ in range(20):
                responses = self.end_at_once(daemon, 6, data)
                refused += [response for response in responses if response.status != 200]
                self.assertLess(len(refused), 6, responses)
                if refused:
                    break
            self.assertNotEqual(refused, [])
            for response in refused:
                self.assert_problem(response, 503, "queue_timeout")
                self.assertGreaterEqual(int(response.headers["retry-after"]), 1)
            rejected = daemon.metrics().value("gradientd_rejections_total", reason="queue_timeout")
            self.assertEqual(rejected, len(refused))

    def end_at_once(self, daemon, count, data):
        """The responses to so many requests whose last bytes are sent together."""
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(daemon.connect()) for _ in range(count)]
            for part in (data[:-1], data[-1:]):
                for connection in connections:
                    connection.send(part)
            return [connection.read_response() for connection in connections]

    def test_a_request_larger_than_the_budget_is_413(self):
        body = body_of(make_request(64, 600, 400))
        with Daemon("--memory-budget", "1MiB") as daemon:
            self.assert_problem(daemon.post(body), 413)
            self.assertEqual(daemon.post(make_request(1, 2, 3)).status, 200)


class Admin(DaemonCase):
    """The admin listener while every worker and event loop has work."""

    FLAGS = ("--workers", "1", "--inline-cost", "0s")

    def test_admin_answers_under_load(self):
        body = body_of(make_request(64, scaled(512, 200), scaled(512, 200)))
        stop = threading.Event()

        def load(_):
            with self.daemon.connect(timeout=patience(60)) as connection:
                while not stop.is_set():
                    connection.request("POST", "/v1/gradients", body)

        threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        slowest = 0
        for path in ("/livez", "/readyz", "/metrics") * 7:
            began = time.monotonic()
            self.assertEqual(self.daemon.get(path, admin=True).status, 200)
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertLess(slowest, patience(1))


class Drain(Case):
    """SIGTERM."""

    def test_sigterm_under_load_loses_nothing(self):
        body = body_of(make_request(32, 100, 100))
        data = build_request("POST", "/v1/gradients", body)
        outcomes = []
        lock = threading.Lock()
        with Daemon("--inline-cost", "0s", "--queue-depth", "1000") as daemon:
            right = daemon.post(body).body

            def client(_):
                with daemon.connect(timeout=patience(30)) as connection:
                    while True:
                        sent = None
                        try:
                            connection.send(data)
                            sent = time.monotonic()
                            response = connection.read_response()
                            outcome = response.status, response.body == right
                        except (Broken, OSError):
                            outcome = "broken", False
                        with lock:
                            outcomes.append((sent, *outcome))
                        if outcome[0] != 200:
                            return

            threads = [threading.Thread(target=client, args=(i,)) for i in range(20)]
            for thread in threads:
                thread.start()
            time.sleep(patience(0.4))
            terminated = time.monotonic()
            daemon.signal()
            for thread in threads:
                thread.join()
            daemon.check_exit(patience(10))
        before = [o for o in outcomes if o[0] is not None and o[0] < terminated]
        self.assertGreater(len(before), 20)
        self.assertEqual([o for o in before if o[1:] != (200, True)], [])
        for _, status, same in outcomes:
            self.assertIn(status, (200, 503, "broken"))
            self.assertTrue(same or status != 200)

    def test_requests_that_wait_in_the_kernel_are_answered(self):
        """The daemon is halted, so that requests on idle connections and on ones not yet accepted
        lie in the kernel when the signal arrives."""
        body = body_of(make_request(16, 40, 30))
        data = build_request("POST", "/v1/gradients", body)
        with Daemon("--event-loops", "1") as daemon:
            right = daemon.post(body).body
            idle = [daemon.connect() for _ in range(150)]
            for connection in idle:
                self.assertEqual(connection.request("GET", "/livez").status, 200)
            daemon.signal(signal.SIGSTOP)
            waiting = idle + [daemon.connect() for _ in range(50)]
            for connection in waiting:
                connection.send(data)
            daemon.signal(signal.SIGTERM)
            daemon.signal(signal.SIGCONT)
            for connection in waiting:
                response = connection.read_response()
                self.assertEqual((response.status, response.body == right), (200, True), response)
                connection.close()
            daemon.check_exit(patience(10))

    def hold(self, daemon):
        """A request whose body is not complete, so that the daemon has to wait for it."""
        body = body_of(make_request(2, 2, 2))
        connection = daemon.connect()
        data = build_request("POST", "/v1/gradients", body)
        connection.send(data[:-1])
        daemon.wait_metric(lambda v: v >= 1, patience(5), "gradientd_in_flight")
        return connection, data[-1:]

    def await_refusal(self, daemon):
        """New connections are refused soon; one that came before the listener closed is served."""
        deadline = time.monotonic() + patience(5)
        while time.monotonic() < deadline:
            try:
                self.assertEqual(daemon.post(make_request(1, 1, 1)).status, 200)
            except (ConnectionError, Broken):
                return
        self.fail("new connections are still served while draining")

    def test_readiness_falls_and_the_request_finishes(self):
        with Daemon() as daemon:
            idle = daemon.connect()
            self.assertEqual(idle.request("GET", "/readyz").status, 200)
            self.assertEqual(daemon.get("/readyz", admin=True).status, 200)
            held, rest = self.hold(daemon)
            daemon.signal()
            daemon.wait_metric(lambda v: v == 1, patience(5), "gradientd_draining")
            response = daemon.get("/readyz", admin=True)
            self.assertEqual(response.status, 503)
            self.assertEqual(daemon.get("/livez", admin=True).status, 200)
            self.await_refusal(daemon)
            self.assertIsNone(daemon.process.poll())
            held.send(rest)
            response = held.read_response()
            self.assertEqual(response.status, 200, response)
            self.assertEqual(response.headers.get("connection", "").lower(), "close")
            daemon.check_exit(patience(10))
            idle.close()
            held.close()

    def test_drain_timeout(self):
        with Daemon("--drain-timeout", "500ms", expect_exit=3) as daemon:
            held, _ = self.hold(daemon)
            began = time.monotonic()
            daemon.signal()
            daemon.check_exit(patience(10))
            self.assertLess(time.monotonic() - began, patience(3))
            held.close()

    def test_second_signal_stops_at_once(self):
        with Daemon("--drain-timeout", "60s", expect_exit=3) as daemon:
            held, _ = self.hold(daemon)
            daemon.signal()
            daemon.wait_metric(lambda v: v == 1, patience(5), "gradientd_draining")
            began = time.monotonic()
            daemon.signal()
            daemon.check_exit(patience(10))
            self.assertLess(time.monotonic() - began, patience(1.5))
            held.close()

    def test_idle_stop_is_quick_and_sigint_is_the_same(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Daemon() as daemon:
                idle = daemon.connect()
                self.assertEqual(idle.request("GET", "/livez").status, 200)
                began = time.monotonic()
                daemon.signal(number)
                daemon.check_exit(patience(5))
                self.assertLess(time.monotonic() - began, patience(1.5))
                idle.close()


if __name__ == "__main__":
    unittest.main()

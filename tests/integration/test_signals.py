"""Signals: what a reload changes and what it leaves, and which signals end the daemon. That no
request is lost at the end is test_concurrency.py's."""

import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from support import DAEMON, Case, Daemon, body_of, build_request, make_request, patience

# Whatever may change at a reload and shows in /v1/info.
LIMITS = {"max-body": ("2MiB", 2 << 20), "max-layers": ("7", 7), "max-numbers": ("5000", 5000),
          "max-result-numbers": ("6000", 6000), "max-envelope": ("64KiB", 64 << 10)}
# Whatever may not: a value that differs from the default.
FIXED = {"listen": "127.0.0.1:1", "admin-listen": "none", "event-loops": "3", "workers": "3",
         "queue-depth": "9", "max-connections": "77", "memory-budget": "123MiB"}


class Signals(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "gradientd.conf")
        self.put({})

    def put(self, options):
        # Whole or not at all, as whoever edits the file of a running daemon should.
        with open(self.path + ".new", "w") as file:
            file.writelines("%s = %s\n" % pair for pair in options.items())
        os.rename(self.path + ".new", self.path)

    def start(self, *flags, **options):
        return Daemon("--config", self.path, *flags, **options)

    def reload(self, daemon, message="reloaded"):
        """Sends SIGHUP and returns the line that says how it went."""
        before = len(daemon.records(message=message))
        daemon.signal(signal.SIGHUP)
        deadline = time.monotonic() + patience(10)
        while len(daemon.records(message=message)) == before:
            self.assertLess(time.monotonic(), deadline, daemon.tail())
            self.assertIsNone(daemon.process.poll(), daemon.tail())
            time.sleep(0.01)
        return daemon.records(message=message)[-1]

    def limits(self, daemon):
        return daemon.get("/v1/info").json()["limits"]

    def test_limits_change(self):
        body = body_of(make_request(1, 2, 3, layers=8))
        with self.start() as daemon:
            before = self.limits(daemon)
            self.assertEqual(daemon.post(body).status, 200)
            self.put({name: spelled for name, (spelled, _) in LIMITS.items()})
            line = self.reload(daemon)
            self.assertEqual((line["changed"], line["need_restart"]), (len(LIMITS), 0), line)
            for name, (spelled, value) in LIMITS.items():
                self.assertEqual(self.limits(daemon)[name.replace("-", "_")], value)
                told = daemon.records(message="option changed", option=name)
                self.assertEqual(len(told), 1)
                self.assertRegex(told[0]["source"], r"gradientd\.conf:\d+$")
                self.assertTrue(told[0]["from"] and told[0]["to"] and
                                told[0]["from"] != told[0]["to"], told)
            self.assert_problem(daemon.post(body), 413, "max_layers",
                                limit={"name": "max_layers", "value": 7})
            self.put({})
            self.reload(daemon)
            self.assertEqual(self.limits(daemon), before)
            self.assertEqual(daemon.post(body).status, 200)

    def test_flags_and_variables_still_overrule_the_file(self):
        with self.start("--max-layers", "3", environment={"GRADIENTD_MAX_NUMBERS": "99"}) as daemon:
            self.put({"max-layers": "4", "max-numbers": "100", "max-envelope": "5KiB"})
            line = self.reload(daemon)
            self.assertEqual((line["changed"], line["need_restart"]), (1, 0), line)
            limits = self.limits(daemon)
            self.assertEqual((limits["max_layers"], limits["max_numbers"]), (3, 99))
            self.assertEqual(limits["max_envelope"], 5 << 10)

    def test_the_log_changes(self):
        # One connection: its next request begins when the line of the one before is written.
        with self.start() as daemon, daemon.connect() as kept:
            kept.request("GET", "/livez")
            kept.request("GET", "/v1/info")
            self.put({"log-level": "debug"})
            self.reload(daemon)
            kept.request("GET", "/livez")
            probe = daemon.wait_log(patience(10), path="/livez")
            self.assertEqual(probe["level"], "debug")
            self.assertEqual(len(daemon.records(path="/livez")), 1)
            self.assertEqual(len(daemon.records(message="request")), 2, daemon.tail())
            self.put({"log-level": "debug", "log-requests": "off"})
            self.reload(daemon)
            kept.request("GET", "/v1/info")
            kept.request("GET", "/livez")
            self.put({"log-requests": "on"})
            self.reload(daemon)
            kept.request("GET", "/v1/info?datatype=x")
            daemon.wait_log(patience(10), code="unknown_field")
            self.assertEqual(len(daemon.records(message="request")), 3, daemon.tail())

    def test_deadlines_change(self):
        """Of connections that are open already, too."""
        with self.start("--drain-timeout", "5s") as daemon, daemon.connect() as idle:
            self.assertEqual(idle.request("GET", "/livez").status, 200)
            self.assertFalse(idle.closed_within(0.5))
            self.put({"idle-timeout": "100ms"})
            self.reload(daemon)
            self.assertTrue(idle.closed_within(patience(3)))

    def test_what_needs_a_restart_stays_and_is_told_each_time(self):
        with Daemon("--config", self.path, arguments=["--config", self.path]) as daemon:
            before = daemon.get("/v1/info").json()
            self.put(FIXED)
            for times in (1, 2):
                line = self.reload(daemon)
                self.assertEqual((line["changed"], line["need_restart"]), (0, len(FIXED)), line)
                for name in FIXED:
                    told = daemon.records(level="warning", option=name)
                    self.assertEqual(len(told), times, told)
                    self.assertIn("needs a restart", told[0]["message"])
            self.assertEqual(daemon.get("/v1/info").json(), before)
            self.assertEqual(daemon.get("/livez", admin=True).status, 200)
            self.put({})
            self.assertEqual(self.reload(daemon)["need_restart"], 0)

    def test_a_broken_file_leaves_everything(self):
        broken = "not reloaded: the old configuration stays"
        with self.start() as daemon:
            before = self.limits(daemon)
            for text, reason in (
                    ("max-layers = 7\nmax-bodi = 1MiB\n", ":2: unknown key max-bodi; did you mean"),
                    ("max-layers = 7\nmax-body = much\n", ":2: max-body: expected a size"),
                    ("max-layers", ":1: expected key = value"),
                    (None, "cannot read the configuration file")):
                with self.subTest(text):
                    if text is None:
                        os.unlink(self.path)
                    else:
                        with open(self.path, "w") as file:
                            file.write(text)
                    line = self.reload(daemon, broken)
                    self.assertEqual(line["level"], "error")
                    self.assertIn(reason, line["reason"])
                    self.assertEqual(self.limits(daemon), before)
            self.put({"max-layers": "7"})
            self.reload(daemon)
            self.assertEqual(self.limits(daemon)["max_layers"], 7)

    def test_without_a_file(self):
        with Daemon() as daemon:
            line = self.reload(daemon)
            self.assertEqual((line["changed"], line["need_restart"]), (0, 0))
            self.assertEqual(daemon.get("/livez").status, 200)

    def test_before_it_is_ready(self):
        """While it still reads its configuration, which comes through a pipe here; what that is
        for is done when it runs."""
        fifo = self.path + ".fifo"
        os.mkfifo(fifo)
        with open(self.path + ".log", "wb") as log:
            process = subprocess.Popen(
                [DAEMON, "--listen", "127.0.0.1:0", "--admin-listen", "none", "--config", fifo],
                stdin=subprocess.DEVNULL, stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")})
            self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
            lines = b""
            deadline = time.monotonic() + patience(20)
            while b'"reloaded"' not in lines:
                self.assertIsNone(process.poll(), lines)
                self.assertLess(time.monotonic(), deadline, lines)
                try:  # it can be opened once the daemon is at the other end
                    with open(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "wb") as end:
                        if b'"started"' not in lines:
                            process.send_signal(signal.SIGHUP)
                        end.write(b"# nothing, perhaps twice\n")
                except OSError:
                    time.sleep(0.01)
                with open(log.name, "rb") as written:
                    lines = written.read()
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(patience(20)), 0)

    def test_many_under_load(self):
        """Every answer is right under one configuration or the other."""
        small, large = body_of(make_request(1, 2, 3)), body_of(make_request(1, 2, 3, layers=8))
        with self.start("--inline-cost", "0s") as daemon:
            right = {body: daemon.post(body).body for body in (small, large)}
            stop = threading.Event()
            outcomes = []

            def client(body):
                with daemon.connect() as connection:
                    while not stop.is_set():
                        response = connection.request("POST", "/v1/gradients", body)
                        outcomes.append((body is large, response.status,
                                         response.body == right[body]))

            clients = [threading.Thread(target=client, args=(b,)) for b in (small, large) * 2]
            for thread in clients:
                thread.start()
            for i in range(30):
                self.put({"max-layers": str(7 + i % 2), "inline-cost": "%dms" % (i % 3),
                          "body-timeout": "%ds" % (9 + i % 2), "request-timeout": "5%ds" % (i % 2),
                          "log-level": ("info", "debug")[i % 2]})
                self.reload(daemon)
            stop.set()
            for thread in clients:
                thread.join()
        self.assertEqual({o for o in outcomes if not o[0]}, {(False, 200, True)})
        self.assertLessEqual({o for o in outcomes if o[0]},
                             {(True, 200, True), (True, 413, False)})
        self.assertIn((True, 413, False), outcomes)

    def test_a_burst(self):
        with self.start() as daemon:
            self.put({"max-layers": "7"})
            for _ in range(200):
                daemon.signal(signal.SIGHUP)
            self.reload(daemon)
            self.assertEqual(self.limits(daemon)["max_layers"], 7)
            self.assertEqual(len(daemon.records(message="option changed")), 1)

    def test_stray_signals_are_told_and_no_more(self):
        strays = (signal.SIGUSR2, signal.SIGIO, signal.SIGVTALRM, signal.SIGTTOU,
                  signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX)
        with self.start() as daemon:
            for number in strays:
                daemon.signal(number)
                name = str(int(number)) if number >= signal.SIGRTMIN else (
                    "SIGPOLL" if number == signal.SIGIO else signal.Signals(number).name)
                line = daemon.wait_log(patience(10), message="signal ignored", signal=name)
                self.assertEqual(line["level"], "warning")
            daemon.signal(signal.SIGPIPE)
            daemon.signal(signal.SIGXFSZ)
            self.assertEqual(daemon.post(make_request(1, 2, 3)).status, 200)

    def test_the_state_is_told(self):
        """Connections by phase, memory and who holds it, work: while it serves, and as it ends."""
        body = body_of(make_request(8, 200, 100))
        data = build_request("POST", "/v1/gradients", body)
        with self.start() as daemon, daemon.connect() as idle, daemon.connect() as held, \
                daemon.connect():
            idle.request("GET", "/v1/info")
            held.send(data[:-1])
            daemon.wait_metric(lambda v: v > 0, patience(5),
                               "gradientd_memory_leased_bytes")
            daemon.wait_metric(lambda v: v == 3, patience(5), "gradientd_connections")
            for times in (1, 2):
                daemon.signal(signal.SIGUSR1)
                told = daemon.wait_logs(times, patience(5), message="state", of="connection")[-1]
                self.assertEqual((told["phase"], told["request"]), ("body", 1), told)
                self.assertGreater(told["leased"], len(body) / 4)
                memory = daemon.records(message="state", of="memory")[-1]
                self.assertGreaterEqual(memory["leased"], told["leased"])
                self.assertGreater(memory["descriptors"], 5)
                work = daemon.records(message="state", of="work")[-1]
                self.assertEqual((work["in_flight"], work["draining"]), (1, times - 1))
                connections = daemon.records(message="state", of="connections")[-1]
                if times == 1:
                    self.assertEqual((connections["new"], connections["body"],
                                      connections["idle"], connections["open"]), (1, 1, 1, 3))
                    daemon.signal()
                    daemon.wait_metric(lambda v: v == 1, patience(5), "gradientd_draining")
            held.send(data[-1:])
            self.assertEqual(held.read_response().status, 200)
            daemon.check_exit(patience(10))

    def test_signals_that_end_it_are_named(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGPWR):
            with self.subTest(number), Daemon() as daemon:
                daemon.signal(number)
                daemon.check_exit(patience(10))
                self.assertEqual(daemon.records(message="draining")[0]["signal"], number.name)

    def test_a_reload_does_not_end_the_drain(self):
        body = body_of(make_request(2, 2, 2))
        data = build_request("POST", "/v1/gradients", body)
        with self.start() as daemon, daemon.connect() as held:
            held.send(data[:-1])
            daemon.wait_metric(lambda v: v >= 1, patience(5), "gradientd_in_flight")
            daemon.signal()
            daemon.wait_metric(lambda v: v == 1, patience(5), "gradientd_draining")
            for number in (signal.SIGHUP, signal.SIGUSR2):
                daemon.signal(number)
                daemon.wait_log(patience(5), message="draining: signal ignored",
                                signal=number.name)
            held.send(data[-1:])
            self.assertEqual(held.read_response().status, 200)
            daemon.check_exit(patience(10))


if __name__ == "__main__":
    unittest.main()

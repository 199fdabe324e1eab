"""The harness of the integration tests: starts the real daemon on free ports, talks to it over real
sockets, stops it, and holds that it ended well (exit 0, no report of a sanitizer).
Builds random requests. What a right answer is, oracle.py knows; what bytes are sent, rawhttp.py."""

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import unittest

import oracle
from rawhttp import Broken, Connection, build_request  # noqa: F401 (re-exported)

BUILD = os.environ.get("GRADIENTD_BUILD", "build")
DAEMON = os.path.join(BUILD, "gradientd")
SANITIZED = "address" in os.path.basename(BUILD) or "thread" in os.path.basename(BUILD)
# The trees of the sanitizers are slow; GRADIENTD_SLOW=1 says so of any other, 0 of none.
SLOW = os.environ.get("GRADIENTD_SLOW", "1" if SANITIZED else "0") not in ("", "0")

REPORTS = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed")

# For tests that work long between the requests of one connection, longer where much else runs.
PATIENT = ("--header-timeout", "30m", "--idle-timeout", "30m")


def scaled(plain, slow):
    """A size of a test: what it is in the plain build, and under a sanitizer."""
    return slow if SLOW else plain


def patience(seconds):
    """A time limit of a test: under a sanitizer everything takes longer."""
    return seconds * 5 if SLOW else seconds


class Daemon:
    """A running gradientd. Use as a context manager: leaving it stops the daemon and checks it."""

    def __init__(self, *flags, environment=None, arguments=None, expect_exit=0,
                 prepare=None, command=(DAEMON,), close_fds=True):
        self.expect_exit = expect_exit
        self.lines = []
        self.arrived = threading.Condition()
        self.stopped = False
        self.tls = None  # the context of ssl that connect() takes for the service
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
        # Whoever is not root reads less of a process that keeps its memory to itself.
        variables["GRADIENTD_CORE_DUMPS"] = "on"
        variables.update(environment or {})
        if arguments is None:
            # Requests of tests name whatever host they like; test_hosts.py tests which may.
            arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                         "--allow-host", "*", *flags]
        self.process = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=variables, preexec_fn=prepare,
                                        close_fds=close_fds)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        try:
            self.address = self._listening("service")
            self.admin = self._listening("admin")
        except AssertionError:
            self.kill()
            raise

    def _read_log(self):
        for raw in self.process.stderr:
            with self.arrived:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.arrived.notify_all()
        with self.arrived:
            self.lines.append("")
            self.arrived.notify_all()

    def _listening(self, role):
        line = self.wait_log(patience(20), message="listening", role=role)
        if line["address"].startswith("unix:"):
            return line["address"][len("unix:"):]
        host, port = line["address"].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def records(self, **wanted):
        """The log lines so far, parsed, whose fields have these values."""
        found = []
        for line in list(self.lines):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if all(record.get(name) == value for name, value in wanted.items()):
                found.append(record)
        return found

    def wait_logs(self, count, seconds, **wanted):
        """All log lines with these fields, waited for until there are so many: the line of a
        request is written when its answer has gone, which the client may see first."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while True:
                found = self.records(**wanted)
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and "" in self.lines):
                    raise AssertionError("%d of %d log lines %s in:\n%s"
                                         % (len(found), count, wanted, self.tail()))
                self.arrived.wait(min(left, 1))

    def wait_log(self, seconds, **wanted):
        """The first log line with these fields, waited for."""
        return self.wait_logs(1, seconds, **wanted)[0]

    def tail(self, count=25):
        return "\n".join(self.lines[-count:])

    @property
    def url(self):
        return "http://%s:%d" % self.address

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            self.kill()
            reports = [line for line in self.lines if REPORTS.search(line)]
            if reports:
                print("\n".join(self.lines))

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def stop(self):
        """Ends the daemon with SIGTERM and checks how it ended."""
        if self.stopped:
            return
        if self.process.poll() is None:
            self.signal()
        self.check_exit(patience(20))

    def check_exit(self, seconds):
        """Waits for an end already asked for; checks the exit status and the sanitizers."""
        self.stopped = True
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("still running after %g s:\n%s" % (seconds, self.tail())) from None
        self.reader.join(5)
        self.process.stderr.close()
        reports = [i for i, line in enumerate(self.lines) if REPORTS.search(line)]
        if reports:
            first = max(0, reports[0] - 1)
            raise AssertionError("sanitizer report:\n"
                                 + "\n".join(self.lines[first:first + 200]))
        if self.expect_exit is not None and status != self.expect_exit:
            raise AssertionError("exit status %d:\n%s" % (status, self.tail()))

    def kill(self):
        self.stopped = True
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.process.stderr.close()

    def connect(self, admin=False, **options):
        options.setdefault("timeout", patience(30))
        if not admin:
            options.setdefault("tls", self.tls)
        return Connection(self.admin if admin else self.address, **options)

    def get(self, path, admin=False, **options):
        with self.connect(admin=admin) as connection:
            return connection.request("GET", path, **options)

    def post(self, document, path="/v1/gradients", **options):
        """POSTs a document (bytes, or anything json.dumps takes) on a connection of its own."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        with self.connect() as connection:
            return connection.request("POST", path, body, **options)

    def metrics(self):
        return Metrics(self.get("/metrics", admin=True).body.decode())

    def wait_metric(self, wanted, seconds, name, **labels):
        """Waits until that metric satisfies wanted(value); returns the value."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.metrics().value(name, **labels)
            if wanted(value):
                return value
            if time.monotonic() > deadline:
                raise AssertionError("%s%s is %g after %g s" % (name, labels, value, seconds))
            time.sleep(0.02)

    def _memory(self, field):
        with open("/proc/%d/status" % self.pid) as status:
            return int(re.search(field + r":\s+(\d+) kB", status.read()).group(1)) * 1024

    def resident_memory(self):
        """Bytes of the resident set."""
        return self._memory("VmRSS")

    def peak_memory(self):
        """Bytes of the highest resident set since the last reset_peak_memory()."""
        return self._memory("VmHWM")

    def reset_peak_memory(self):
        with open("/proc/%d/clear_refs" % self.pid, "w") as control:
            control.write("5")

    def cpu_seconds(self):
        """CPU time of the daemon so far, user and system."""
        with open("/proc/%d/schedstat" % self.pid) as stat:
            main = int(stat.read().split()[0])
        total = 0
        for task in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.pid, task)) as stat:
                total += int(stat.read().split()[0])
        return max(total, main) / 1e9


class Metrics:
    """A Prometheus exposition, read. Unknown samples count as 0."""

    LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = self.LINE.match(line)
            if not match:
                raise AssertionError("not a sample: %r" % line)
            labels = frozenset(self.LABEL.findall(match.group(2) or ""))
            self.samples[(match.group(1), labels)] = float(match.group(3))

    def value(self, name, **labels):
        """The sum of the samples of that name that carry these labels."""
        wanted = set(labels.items())
        return sum(v for (n, found), v in self.samples.items() if n == name and wanted <= found)

    def names(self):
        return {name for name, _ in self.samples}


class Case(unittest.TestCase):
    """A test case with what many of them need."""

    maxDiff = 2000

    def assert_problem(self, response, status, code=None, **members):
        """That a response is a problem document of that status and code, whole and consistent."""
        self.assertEqual(response.status, status, response)
        self.assertEqual(response.headers.get("content-type"), "application/problem+json", response)
        problem = response.json()
        self.assertEqual(problem["status"], status)
        self.assertTrue({"type", "title", "detail", "code"} <= set(problem), problem)
        self.assertEqual(problem["request_id"], response.headers.get("x-request-id"), problem)
        if code is not None:
            self.assertEqual(problem["code"], code, problem)
        for name, value in members.items():
            self.assertEqual(problem.get(name), value, problem)
        return problem


def values(generator, *shape):
    """A nested list of that shape of short decimals in [-2, 2]."""
    if len(shape) == 1:
        return [round(generator.uniform(-2, 2), 4) for _ in range(shape[0])]
    return [values(generator, *shape[1:]) for _ in range(shape[0])]


def make_layer(generator, B, K, N, activation="relu", weight=False, **members):
    """A layer of a request with random states."""
    layer = {"activation": activation, "input": values(generator, B, K),
             "pre_activation": values(generator, B, N), "grad_output": values(generator, B, N)}
    if weight:
        layer["weight"] = values(generator, N, K)
    layer.update(members)
    return layer


def make_request(B, K, N, seed=1, layers=1, **options):
    """A request of one or several random layers; options are the request's own members."""
    generator = random.Random(seed)
    return {**options, "layers": [make_layer(generator, B, K, N) for _ in range(layers)]}


def body_of(request):
    return json.dumps(request, separators=(",", ":")).encode()


class DaemonCase(Case):
    """Test cases that share one daemon with these flags. When they are through it must be idle:
    no request in flight, no memory leased; and it must stop cleanly."""

    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*cls.FLAGS)

    @classmethod
    def tearDownClass(cls):
        try:
            for gauge in ("in_flight", "memory_leased_bytes", "queue_waiting", "jobs_running"):
                cls.daemon.wait_metric(lambda v: v == 0, patience(10), "gradientd_" + gauge)
            cls.daemon.stop()
        finally:
            if not cls.daemon.stopped:
                cls.daemon.kill()

    def assert_alive(self):
        """That the daemon still computes, on a connection of its own."""
        request = make_request(2, 3, 4)
        response = self.daemon.post(request)
        self.assertEqual(response.status, 200, response)
        self.assertIsNone(oracle.compare(request, response.json()))

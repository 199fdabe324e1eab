"""The daemon under fire: any build of it, in a box, with its log in a file; and its requests, whose
right answers it gave before the load."""

import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from box import Box  # noqa: E402
from rawhttp import Connection  # noqa: E402
from support import Metrics  # noqa: E402

ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")


class Target:
    """A running daemon. A context manager that ends it, however it is."""

    def __init__(self, program, *flags, cpus=None, memory=None):
        self.box = Box(cpus, memory)
        self.log = tempfile.NamedTemporaryFile("w+", prefix="gradientd-fire-")
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")}
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             "--log-requests", "off", *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log, env=variables,
            preexec_fn=self.box.enter)
        self.pid = self.process.pid
        self.address, self.admin = self._listening("service"), self._listening("admin")

    def _listening(self, role):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.log_lines():
                if line.get("message") == "listening" and line.get("role") == role:
                    return "127.0.0.1", int(ADDRESS.search(line["address"]).group(1))
            time.sleep(0.05)
        self.end()
        raise RuntimeError("it does not start: %s" % self.log_text()[-1000:])

    def log_text(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def log_lines(self):
        for line in self.log_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.end()
        self.log.close()

    def end(self):
        """SIGTERM, and SIGKILL where that does not end it soon. Its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.box.remove()
        return self.process.returncode

    def is_alive(self):
        return self.process.poll() is None

    def connect(self, data=b"", receive=None, source=None):
        """A plain socket to it, which has sent these bytes. receive: its buffer's size."""
        found = socket.socket()
        if receive:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        found.settimeout(90)
        if source:
            found.bind((source, 0))
        found.connect(self.address)
        found.sendall(data)
        return found

    def post(self, request, timeout=30):
        """(status, code or None, seconds) of one request on a connection of its own; status 0:
        no answer."""
        began = time.monotonic()
        try:
            with Connection(self.address, timeout=timeout) as connection:
                response = connection.request("POST", request.path, request.body)
        except Exception:  # noqa: BLE001: whatever went wrong, there was no answer
            return 0, None, time.monotonic() - began
        code = response.json().get("code") if response.status != 200 else None
        return response.status, code, time.monotonic() - began

    def metrics(self):
        with Connection(self.admin, timeout=10) as connection:
            return Metrics(connection.request("GET", "/metrics").body.decode())

    def leased(self):
        """Bytes of the memory budget that requests hold."""
        return self.metrics().value("gradientd_memory_leased_bytes")

    def unsent(self):
        """Bytes of responses that the kernel holds; 0 of a build that does not tell."""
        return self.metrics().value("gradientd_unsent_bytes")

    def info(self):
        with Connection(self.address, timeout=10) as connection:
            return connection.request("GET", "/v1/info").json()

    def resident(self):
        with open("/proc/%d/statm" % self.pid) as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.pid))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def cpu_seconds(self):
        """Of all its threads, the ended ones too."""
        with open("/proc/%d/stat" % self.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        running = 0
        for task in os.listdir("/proc/%d/task" % self.pid):
            try:
                with open("/proc/%d/task/%s/schedstat" % (self.pid, task)) as stat:
                    running += int(stat.read().split()[0])
            except OSError:
                pass
        return max(ticks, running / 1e9)


class Request:
    """A body in a file, and once a daemon was asked, the answer beside it."""

    def __init__(self, name, body, path="/v1/gradients"):
        self.name, self.body, self.path = name, body, path
        self.folder = tempfile.TemporaryDirectory(prefix="gradientd-fire-")
        self.body_file = os.path.join(self.folder.name, "body")
        self.answer_file = None
        pathlib.Path(self.body_file).write_bytes(body)

    def learn(self, target):
        """Asks an idle daemon for the answer that all others are held to."""
        with Connection(target.address, timeout=120) as connection:
            response = connection.request("POST", self.path, self.body)
        if response.status != 200:
            raise RuntimeError("%s: %d %r" % (self.name, response.status, response.body[:300]))
        self.answer_file = os.path.join(self.folder.name, "answer")
        pathlib.Path(self.answer_file).write_bytes(response.body)
        return self

    def raw(self, length=None):
        """The bytes of the request; length: what Content-Length says instead of the truth."""
        head = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: %d\r\n\r\n" % (self.path, length or len(self.body)))
        return head.encode() + self.body

    def keys(self):
        """Its part of a class of the load generator."""
        found = ["body=" + self.body_file, "path=" + self.path]
        return found + (["reference=" + self.answer_file] if self.answer_file else [])


def matrix(generator, rows, columns):
    return [[round(generator.gauss(0, 1), 6) for _ in range(columns)] for _ in range(rows)]


def layer(B, K, N, seed=1):
    generator = random.Random(seed)
    return {"activation": "gelu", "input": matrix(generator, B, K),
            "pre_activation": matrix(generator, B, N), "grad_output": matrix(generator, B, N)}


def text(document):
    return json.dumps(document, separators=(",", ":")).encode()


def of_layer(name, B, K, N):
    return Request(name, text({"layers": [layer(B, K, N)]}))


def of_check(name, samples, B, K, N):
    return Request(name, text({"check": {"samples": samples}, "layers": [layer(B, K, N)]}),
                   "/v1/check")


def of_size(name, size):
    """A request of about that many bytes whose answer is small: many rows, all alike."""
    K, N = 512, 256
    one = layer(1, K, N)
    rows = {key: text(one[key][0]) for key in ("input", "pre_activation", "grad_output")}
    count = max(1, size // sum(len(row) + 1 for row in rows.values()))
    arrays = b",".join(b'"%s":[%s]' % (key.encode(), b",".join([row] * count))
                       for key, row in rows.items())
    return Request(name, b'{"layers":[{"activation":"gelu",%s}]}' % arrays)


def generate(build, target, *classes, row_ms=1000, abandon=False):
    """Runs the load generator; what it measured, by the classes' names. classes: lists of its
    key=value."""
    command = [os.path.join(build, "fire", "load"), "--target=%s:%d" % target.address,
               "--row-ms=%d" % row_ms, *(["--abandon"] if abandon else [])]
    for one in classes:
        command += ["--class", *one]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {one["name"]: one for one in found["classes"]}

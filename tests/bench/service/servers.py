"""Starts and stops the servers that the service benchmark compares: the daemon and its peers,
each with its defaults and its log in a file, each with one thread in every matrix product."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
PROGRAMS = ("naive", "simdjson")
APPLICATIONS = {"fastapi": "fastapi, torch, ujson, uvicorn",
                "orjson": "fastapi, numpy, orjson, uvicorn",
                "msgpack": "fastapi, msgpack, numpy, uvicorn"}
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")},
               "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server; a context manager that stops it."""

    def __init__(self, name, command, port, cwd=None):
        self.name, self.port = name, port
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                sys.exit("%s does not start: %s" % (self.name, self.log.read().decode()[-2000:]))
            time.sleep(0.1)
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def post(self, body, headers):
        """One request; the headers and the body of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", "/v1/gradients", body,
                           {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status != 200:
            sys.exit("%s answers %d: %r" % (self.name, response.status, answer[:300]))
        return response.headers, answer

    def load(self, body_file, headers, connections, seconds):
        """Keeps that many connections busy for that long, or until each was answered; what wrk
        measured."""
        for duration in (seconds, 3 * seconds, 9 * seconds):
            measured = self._wrk(body_file, headers, connections, duration)
            # uvicorn closes connections whose next request waits while its loop computes: a peer
            # may lose some, the daemon none.
            if measured["refused"] or (measured["broken"] and self.name == "gradientd"):
                break
            if measured["requests"] >= connections:
                return {
                    "requests_per_second": measured["requests"] / measured["duration_us"] * 1e6,
                    "p50_ms": measured["p50_us"] / 1e3, "p99_ms": measured["p99_us"] / 1e3,
                    "broken": measured["broken"]}
        return sys.exit("%s under load: %s" % (self.name, measured))

    def _wrk(self, body_file, headers, connections, seconds):
        script = pathlib.Path(__file__).with_name("post.lua")
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--timeout", "120s",
                   "--duration", "%ds" % seconds, "--script", str(script),
                   "http://127.0.0.1:%d/v1/gradients" % self.port, "--", body_file,
                   *("%s=%s" % header for header in headers.items())]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return json.loads([line for line in output.splitlines() if line.startswith("{")][-1])


def start(name, build):
    """The server of that name: gradientd, or one of PROGRAMS or APPLICATIONS."""
    port = free_port()
    if name == "gradientd":
        command = [os.path.join(build, "gradientd"), "--listen", "127.0.0.1:%d" % port,
                   "--admin-listen", "127.0.0.1:0"]
        return Server(name, command, port)
    if name in PROGRAMS:
        return Server(name, [os.path.join(build, "bench", name + "_daemon"), str(port)], port)
    command = [sys.executable, "-m", "uvicorn", "--workers", "2", "--host", "127.0.0.1",
               "--port", str(port), name + "_peer:app"]
    return Server(name, command, port, cwd=PEERS)


def missing(name):
    """Why that server cannot be started here, or None."""
    if shutil.which("wrk") is None:
        return "wrk is not installed"
    modules = APPLICATIONS.get(name)
    if modules:
        run = subprocess.run([sys.executable, "-c", "import " + modules], capture_output=True)
        if run.returncode:
            return "one of %s is not installed" % modules
    return None

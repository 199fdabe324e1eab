"""The service end to end: requests a second against its peers, the memory and the CPU time that
a request costs. Every server's answer is held right before it is timed. Used by ../bench.py."""

import contextlib
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "integration"))

from cases import all_cases
from forms import Binary, Json, Msgpack
from servers import missing, start

ROUNDS = 3
# What is compared: text with text, bytes with bytes.
TEXT = {"gradientd": Json, "naive": Json, "fastapi": Json, "orjson": Json, "simdjson": Json}
BYTES = {"gradientd": Binary, "msgpack": Msgpack}


def throughput(build, cases, forms, seconds):
    """{case: {server: measured}}. The servers run side by side, but one has load at a time, in
    rounds, so that what else the machine does meets all of them; the median round counts."""
    results = {case.name: {} for case in cases}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start(name, build)) for name in forms if present(name)]
        for case in cases:
            with tempfile.TemporaryDirectory() as folder:
                loads = {s: Load(s, case, forms[s.name], folder) for s in servers}
                # A slow server gets the time to answer each connection twice.
                times = {s: max(seconds / ROUNDS, 2 * loads[s].prepare() * case.connections)
                         for s in servers}
                rounds = [{s: loads[s].run(math.ceil(times[s])) for s in servers}
                          for _ in range(ROUNDS)]
            for s in servers:
                order = sorted((r[s] for r in rounds), key=lambda m: m["requests_per_second"])
                results[case.name][s.name] = order[ROUNDS // 2]
    return results


def present(name):
    reason = missing(name)
    if reason:
        print("service: %s left out: %s" % (name, reason), file=sys.stderr)
    return reason is None


class Load:
    """A case in the form that a server reads."""

    def __init__(self, server, case, form, folder):
        self.server, self.case, self.form = server, case, form
        self.body, self.headers = form.request(case)
        self.file = os.path.join(folder, server.name)
        with open(self.file, "wb") as file:
            file.write(self.body)

    def prepare(self):
        """Validates and warms up (two processes may each have to); seconds of the fastest."""
        fastest = math.inf
        for _ in range(4):
            began = time.monotonic()
            answer = self.server.post(self.body, self.headers)
            fastest = min(fastest, time.monotonic() - began)
            self.case.validate(self.server.name, *self.form.deltas(*answer))
        return fastest

    def run(self, seconds):
        return self.server.load(self.file, self.headers, self.case.connections, seconds)


def add_ratios(cases, results):
    """To each case: the daemon's requests a second over each peer's, and the goal."""
    for case in cases:
        measured = results[case.name]
        for peer in list(measured):
            if peer != "gradientd" and "gradientd" in measured:
                mine = measured["gradientd"]["requests_per_second"]
                ratio = mine / measured[peer]["requests_per_second"]
                measured["over_" + peer] = {"ratio": ratio, "goal": case.goals.get(peer)}


def resident(pid):
    with open("/proc/%d/statm" % pid) as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def memory(case):
    """Peak memory that one request adds to a daemon that has served a small one before, over four
    bytes a number in and out plus the reply's text."""
    from support import Daemon
    with Daemon() as daemon:
        small = b'{"layers":[{"activation":"relu","input":[1],"pre_activation":[1],' \
                b'"grad_output":[1]}]}'
        daemon.post(small)
        before = resident(daemon.pid)
        daemon.reset_peak_memory()
        reply = daemon.post(case.body)
        added = daemon.peak_memory() - before
    needed = 4 * case.numbers_in_and_out() + len(reply.body)
    return {"added_bytes": added, "needed_bytes": needed, "ratio": added / needed, "goal": 1.25}


def processor_time(build, case, seconds):
    """CPU time of the daemon for one request, over the library's decode + compute + encode of the
    same body in one process."""
    from support import Daemon
    with tempfile.NamedTemporaryFile() as file:
        file.write(case.body)
        file.flush()
        output = subprocess.run([os.path.join(build, "bench", "stages"), "gradients",
                                 file.name, str(seconds)],
                                check=True, capture_output=True, text=True,
                                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}).stdout
    stages = json.loads(output)
    alone = stages["decode_s"] + stages["compute_s"] + stages["encode_s"]
    count = max(5, min(2000, int(seconds / alone)))
    with Daemon() as daemon, daemon.connect() as connection:
        for _ in range(3):
            connection.request("POST", "/v1/gradients", case.body)
        before = daemon.cpu_seconds()
        for _ in range(count):
            connection.request("POST", "/v1/gradients", case.body)
        taken = (daemon.cpu_seconds() - before) / count
    return {**stages, "daemon_s": taken, "ratio": taken / alone, "goal": 1.15}


def measure(build, seconds):
    os.environ["GRADIENTD_BUILD"] = build
    cases = all_cases()
    results = throughput(build, cases, TEXT, seconds)
    add_ratios(cases, results)
    bytes_results = throughput(build, cases, BYTES, seconds)
    add_ratios(cases, bytes_results)
    return {"throughput": results, "throughput_bytes": bytes_results,
            "memory": {case.name: memory(case) for case in cases[:2]},
            "cpu": {case.name: processor_time(build, case, min(2, seconds)) for case in cases}}


def describe_throughput(results, form):
    for name, measured in results.items():
        yield "%s, %s" % (name, form)
        for server, m in measured.items():
            if not server.startswith("over_"):
                yield "  %-10s %9.1f requests/s   p50 %8.2f ms   p99 %8.2f ms" % (
                    server, m["requests_per_second"], m["p50_ms"], m["p99_ms"])
        for key, over in measured.items():
            if key.startswith("over_"):
                goal = "   to reach: %g" % over["goal"] if over["goal"] else ""
                yield "  %.1f times %s%s" % (over["ratio"], key[5:], goal)


def describe(results):
    """The results as lines for people."""
    yield from describe_throughput(results["throughput"], "JSON")
    yield from describe_throughput(results["throughput_bytes"], "bytes")
    for name, m in results["memory"].items():
        yield "%s: a request adds %.2f MB, %.2f times its numbers and reply   to reach: %g" % (
            name, m["added_bytes"] / 1e6, m["ratio"], m["goal"])
    for name, m in results["cpu"].items():
        yield ("%s: CPU %.3f ms a request; decode %.3f + compute %.3f + encode %.3f alone; "
               "ratio %.2f   to reach: %g" % (
                   name, m["daemon_s"] * 1e3, m["decode_s"] * 1e3, m["compute_s"] * 1e3,
                   m["encode_s"] * 1e3, m["ratio"], m["goal"]))

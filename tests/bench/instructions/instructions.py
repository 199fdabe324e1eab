#!/usr/bin/python3
"""Counts instructions under `valgrind --tool=callgrind` and holds them to the baseline: of the
codec by instructions.c, of the request path by a daemon that is sent requests one by one. Ends with
the totals.

    tests/bench/instructions/instructions.py BUILD [--update]

Only functions of the project's own programs count, each without what it calls, so that versions of
libc, jansson, OpenBLAS and libmicrohttpd change nothing. The compiler does: baseline.json has a set
of counts for each compiler. One without a set, or without valgrind or AVX2, is a skip with its
reason. --update writes this compiler's set anew."""

import argparse
import collections
import glob
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
MARGIN = 0.03
REQUESTS = 200
DUMP = "config_reload"  # what the daemon calls once at a SIGHUP
# What an idle daemon runs too, as often as time goes by, and not as requests do.
BY_THE_CLOCK = {"tick", "line_tick", "line_note_outside", "connections_unsent", "registry_main",
                "pass_time", "deadlines_interval", "deadlines_judge"}
VALGRIND = ("valgrind", "-q", "--tool=callgrind", "--dump-line=no")
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if not k.startswith("GRADIENTD_")},
               "OPENBLAS_NUM_THREADS": "1"}
LENGTH = "Inference-Header-Content-Length"


# ---- callgrind's files --------------------------------------------------------------------------

def self_costs(path, program):
    """{function: instructions of its own} of the functions of that program, from one dump."""
    names, costs = {"ob": {}, "fn": {}}, collections.Counter()
    is_ours, function, is_call = False, None, False
    with open(path) as dump:
        for line in dump:
            named = re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?$", line)
            if named:
                called, kind, number, name = named.groups()
                name = names[kind].setdefault(number, name)
                if not called and kind == "ob":
                    is_ours = os.path.basename(name) == program
                elif not called:
                    function = name
            elif line.startswith("calls="):
                is_call = True  # the next line has what the callee cost
            elif re.match(r"[+*\d-]", line):
                if is_ours and not is_call:
                    costs[function] += int(line.split()[1])
                is_call = False
    return costs


def count(path, program):
    return sum(n for name, n in self_costs(path, program).items() if name not in BY_THE_CLOCK)


def dumps(out):
    """The parts that were dumped on the way, in order; what was left at the end has no number."""
    numbered = [(int(path.rsplit(".", 1)[1]), path) for path in glob.glob(out + ".*")]
    return [path for _, path in sorted(numbered)]


# ---- The codec ----------------------------------------------------------------------------------

def cases():
    return re.findall(r"^CASE\((\w+),", (HERE / "instructions.c").read_text(), re.MULTILINE)


def numbers_of(name):
    """How many numbers that case reads or prints; 0: it is counted as a whole."""
    if name.endswith("_small"):
        return 0
    return 64 * (256 + 64 + 64) if name.startswith("read_") else 64 * (256 + 1)


def codec(build, folder):
    """{case: instructions, of a number or of the whole}; a text says why there are none."""
    out = os.path.join(folder, "codec")
    names = cases()
    # Each by name: a pattern that two options share is lost on the second.
    words = ["--collect-atstart=no", "--callgrind-out-file=" + out, "--toggle-collect=case_*",
             *("--dump-after=case_" + name for name in names)]
    run = subprocess.run([*VALGRIND, *words, os.path.join(build, "bench", "instructions")],
                         capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if run.returncode:
        sys.exit("instructions: valgrind ends with %d: %s" % (run.returncode, run.stderr[-2000:]))
    if run.stdout.strip() != "AVX2":
        return "valgrind shows %s here, not AVX2" % run.stdout.strip()
    paths = dumps(out)
    if len(paths) != len(names):
        sys.exit("instructions: expected %d dumps, found %d" % (len(names), len(paths)))
    return {name: count(path, "instructions") / (numbers_of(name) or 1)
            for name, path in zip(names, paths)}


# ---- The request path ---------------------------------------------------------------------------

def tensor(generator, rows, columns):
    return [[round(next(generator), 6) for _ in range(columns)] for _ in range(rows)]


def some_numbers():
    state = 1
    while True:
        state = state * 6364136223846793005 % 2**64 + 1442695040888963407
        yield (state % 2**64 >> 40) / 2**23 - 1


def json_request(B, K, N):
    generator = some_numbers()
    layer = {"activation": "relu", "input": tensor(generator, B, K),
             "pre_activation": tensor(generator, B, N), "grad_output": tensor(generator, B, N)}
    return json.dumps({"layers": [layer]}).encode(), {}


def binary_request(B, K, N):
    layer, tail = {"activation": "relu"}, b""
    generator = some_numbers()
    for name, width in (("input", K), ("pre_activation", N), ("grad_output", N)):
        layer[name] = {"shape": [B, width], "datatype": "FP32", "binary_data_size": 4 * B * width}
        tail += struct.pack("<%df" % (B * width), *(next(generator) for _ in range(B * width)))
    document = json.dumps({"encoding": "binary", "layers": [layer]}).encode()
    return document + tail, {LENGTH: str(len(document))}


def phases():
    """{name: (method, path, body, headers)}"""
    json_headers = {"Content-Type": "application/json"}
    made = {"request of 1 number, JSON": json_request(1, 1, 1),
            "request of 1 KB, JSON": json_request(4, 16, 4),
            "request of 8x64x32, JSON": json_request(8, 64, 32),
            "request of 8x64x32, binary": binary_request(8, 64, 32)}
    return {name: ("POST", "/v1/gradients", body, {**json_headers, **headers})
            for name, (body, headers) in made.items()}


def wait_for(condition, what, process):
    deadline = time.monotonic() + 120
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit("instructions: the daemon under valgrind: " + what)
        time.sleep(0.02)


def send(connection, request, times):
    for _ in range(times):
        connection.request(*request)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            sys.exit("instructions: %d: %r" % (response.status, body[:300]))


def requests(build, folder):
    """{phase: instructions of one request}. A SIGHUP before and behind each phase has callgrind
    write what was counted, and begin again."""
    out, log = os.path.join(folder, "daemon"), os.path.join(folder, "log")
    words = ["--callgrind-out-file=" + out, "--dump-before=" + DUMP]
    daemon = [os.path.join(build, "gradientd"), "--listen", "127.0.0.1:0", "--admin-listen",
              "127.0.0.1:0", "--sandbox", "off", "--workers", "1", "--event-loops", "1"]
    counts = {}
    with open(log, "wb") as file:
        process = subprocess.Popen([*VALGRIND, *words, *daemon], stderr=file, env=ENVIRONMENT)

    def said(word):
        return len(re.findall('"message":"%s"' % word, pathlib.Path(log).read_text()))

    def dump():
        before = said("reloaded")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: said("reloaded") > before, "it does not reload", process)

    try:
        wait_for(lambda: said("started"), "it does not start", process)
        address = re.search('"role":"service","address":"([^"]*)"', pathlib.Path(log).read_text())
        for name, request in phases().items():
            connection = http.client.HTTPConnection(address.group(1), timeout=60)
            send(connection, request, 5)
            dump()
            send(connection, request, REQUESTS)
            dump()
            counts[name] = count(dumps(out)[-1], "gradientd") / REQUESTS
            connection.close()
    finally:
        process.terminate()
        process.wait()
    return counts


# ---- Verdicts -----------------------------------------------------------------------------------

def compiler():
    """As baseline.json names it: the compiler decides which instructions there are."""
    command = os.environ.get("CC", "gcc").split() + ["-dumpfullversion"]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return "gcc %s, %s" % (version, os.uname().machine)


def measure(build):
    """{case: count}, or a text that says why nothing can be counted."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    with tempfile.TemporaryDirectory() as folder:
        counts = codec(build, folder)
        if not isinstance(counts, str):
            counts.update(requests(build, folder))
    return counts


def judge(name, found, expected):
    """The word of one line."""
    if expected is None:
        return "FAILED", "%10.2f  not in the baseline: make instructions-baseline" % found
    change = found / expected - 1
    text = "%10.2f  baseline %10.2f  %+5.1f %%" % (found, expected, 100 * change)
    if change > MARGIN:
        return "FAILED", text + "  more than %g %%" % (100 * MARGIN)
    return "ok", text + ("  make instructions-baseline" if change < -MARGIN else "")


def compare(counts, expected):
    """Prints a line each; (passed, failed)."""
    verdicts = collections.Counter()
    for name in sorted({*counts, *expected}):
        if name in counts:
            verdict, text = judge(name, counts[name], expected.get(name))
        else:
            verdict, text = "FAILED", "in the baseline, and not counted"
        verdicts[verdict] += 1
        print("%-7s %-32s %s" % (verdict, name, text))
    return verdicts["ok"], verdicts["FAILED"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    names = [*cases(), *phases()]
    counts = measure(os.path.abspath(arguments.build))
    if isinstance(counts, str) or (compiler() not in baseline and not arguments.update):
        reason = counts if isinstance(counts, str) else "no baseline for %s" % compiler()
        print("skipped %s: %s" % (", ".join(names), reason))
        print("0 passed, 0 failed, %d skipped" % len(names))
        return 0
    if arguments.update:
        baseline[compiler()] = {name: round(n, 2) for name, n in sorted(counts.items())}
        BASELINE.write_text(json.dumps(dict(sorted(baseline.items())), indent=1) + "\n")
    passed, failed = compare(counts, baseline[compiler()])
    print("instructions of a number (read_, print_) or of one request")
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

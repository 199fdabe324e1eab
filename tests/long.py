#!/usr/bin/python3
"""Runs what takes minutes: the tests of everything against PyTorch, over all of float32, with many
thousand random networks, the mutants, and arm64 under an emulator. One after the other; each works
on all processors that it can use. Shows what they print and ends with the totals.

    tests/long.py [--only WORD] [--rounds N] BUILD

What lives here: which programs these are. How a program is counted is in support/results.py."""
import argparse
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import run  # noqa: E402
from run import results  # noqa: E402


def python(path, *arguments):
    return [sys.executable, str(ROOT / path), *arguments]


def unit_test(build, name):
    return [str(ROOT / build / "tests" / "unit" / name)]


def programs(build, rounds):
    """(name, command, how its output is counted) of each, the shorter ones first."""
    return (
        ("conformance: networks, losses, options",
         python("tests/conformance/conform.py", build, str(rounds)), results.of_totals),
        ("conformance: versions of PyTorch", python("tests/conformance/versions.py"),
         results.of_totals),
        ("conformance: activations",
         python("tests/conformance/test_activations.py", build, str(rounds)), results.of_totals),
        ("conformance: training",
         [sys.executable, "-m", "unittest", "-v", "test_training"], results.of_unittest),
        ("faults: 10,000 requests through each of seven",
         [sys.executable, "-m", "unittest", "-v", "test_faulty_lines"], results.of_unittest),
        ("numbers written and read, all of float32", unit_test(build, "test_number_write"),
         results.of_cmocka),
        ("coverage: lines of lib and server", ["make", "--no-print-directory", "coverage"],
         results.of_totals),
        ("alerts, by promtool", python("tests/alerts/test_alerts.py", "-v"), results.of_unittest),
        ("early refusals behind proxies", python("tests/proxies/test_proxies.py", "-v"),
         results.of_unittest),
        ("fuzzers, a minute each", ["make", "--no-print-directory", "fuzz", "FUZZ_SECONDS=60"],
         results.of_totals),
        ("arm64, emulated", ["make", "--no-print-directory", "test-arm64"], results.of_totals),
        ("mutation", python("tests/mutation/mutate.py"), results.of_totals),
        ("random networks checked", unit_test(build, "test_check_random"), results.of_cmocka),
        ("accuracy over all float32", unit_test(build, "test_activation_accuracy"),
         results.of_cmocka))


def environment_of(build):
    return {**os.environ, **run.environment_of(build), "GRADIENTD_LONG": "1",
            "PYTHONPATH": str(ROOT / "tests" / "integration"), "PYTHONUNBUFFERED": "1"}


def show(command, environment):
    """Runs it; prints its lines as they come. (exit status, output)."""
    output = ""
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            output += line
    return process.returncode, output


def main():
    parser = argparse.ArgumentParser(description="Runs the tests that take minutes each.")
    parser.add_argument("--only", default="", help="only those whose name holds this word")
    parser.add_argument("--rounds", default=40, type=int, help="of conformance")
    parser.add_argument("build", help="a plain tree: build")
    arguments = parser.parse_args()

    totals, lines = results.Totals(), []
    for name, command, count in programs(arguments.build, arguments.rounds):
        if arguments.only in name:
            print(f"--- {name}", flush=True)
            started = time.monotonic()
            status, output = show(command, environment_of(arguments.build))
            found = results.checked(count(output), status)
            totals += found
            lines.append(f"{name:40} {found}, {time.monotonic() - started:.0f} s")
    print("\n".join(lines))
    print(totals)
    sys.exit(0 if totals.passed and not totals.failed else 1)


if __name__ == "__main__":
    main()

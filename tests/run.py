#!/usr/bin/python3
"""Runs the tests of one or more build trees and prints the totals.

    tests/run.py [--lint] [--only WORD] BUILD...
    tests/run.py --through EMULATOR build/arm64

What lives here: which programs run in which tree, each with a time limit, and the counting. What a
test does is its own business; how its output is read is in tests/support/results.py.

Every program has a time limit; GRADIENTD_TEST_PATIENCE=10 multiplies them, for slow machines.

A tree of another processor is run through an emulator: the unit tests, and what its daemon answers
beside the one of build/ (tests/emulated).

A build tree is build/ or the name of its sanitizers: build/address-undefined, build/thread. In the
thread tree the unit tests run that include a header of server/ or <pthread.h>: the others have one
thread. An integration test may say, on a line of its own,
    RUN_ALONE = True            nothing else runs meanwhile (its timing would be disturbed)
    VARIANTS = ("plain",)       the trees it runs in; all of them if it does not say
"""
import argparse
import ast
import concurrent.futures
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import results  # noqa: E402

TIME_LIMIT = {"plain": 180, "address-undefined": 420, "thread": 420}
EMULATED_LIMIT = 1800
# An emulated or much loaded machine needs longer: all limits are multiplied by this.
PATIENCE = float(os.environ.get("GRADIENTD_TEST_PATIENCE", "1"))
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


class Program:
    """One test program in one tree."""

    def __init__(self, name, command, count, environment=None, alone=False, limit=180):
        self.name, self.command, self.count = name, command, count
        self.environment, self.alone = environment or {}, alone
        self.limit = limit * PATIENCE

    def run(self):
        """Runs it in a process group of its own and counts what it says."""
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                self.command, cwd=ROOT, env={**os.environ, **self.environment}, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                errors="replace", start_new_session=True)
        except OSError as error:
            return results.Totals(failed=1), f"{self.name} does not start: {error}\n", 0
        try:
            output, _ = process.communicate(timeout=self.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\n{self.name}: over its time limit of {self.limit:g} s, killed\n"
        totals = results.checked(self.count(output), process.returncode)
        return totals, output, time.monotonic() - started


def variant_of(build):
    """plain, or the sanitizers that the directory is named after."""
    name = pathlib.Path(build).name
    return name if name in TIME_LIMIT else "plain"


def has_threads(source):
    """Whether a unit test is of the server, or starts threads itself."""
    headers = re.findall(r'#include ["<]([^">]+)[">]', source.read_text())
    return any(h == "pthread.h" or (ROOT / "server" / h).exists() for h in headers)


def unit_tests(build, variant, through=()):
    """The unit test binaries of that tree, by source: a source without a binary is an error."""
    for source in sorted((ROOT / "tests" / "unit").glob("test_*.c")):
        if variant != "thread" or has_threads(source):
            binary = ROOT / build / "tests" / "unit" / source.stem
            yield Program(f"{variant} {source.stem}", [*through, str(binary)], results.of_cmocka,
                          environment_of(build), limit=TIME_LIMIT.get(variant, EMULATED_LIMIT))


def constant(source, name, default):
    """The value of a module-level NAME = literal of a Python file, without importing it."""
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    return default


def integration_tests(build, variant):
    """The Python tests that run against the daemon and the client of that tree."""
    folder = ROOT / "tests" / "integration"
    for source in sorted(folder.glob("test_*.py")):
        if variant in constant(source, "VARIANTS", tuple(TIME_LIMIT)):
            environment = {**environment_of(build), "PYTHONPATH": str(folder)}
            yield Program(f"{variant} {source.stem}",
                          [sys.executable, "-m", "unittest", "-v", source.stem],
                          results.of_unittest, environment,
                          constant(source, "RUN_ALONE", False), 2 * TIME_LIMIT[variant])


def emulated_tests(build, through):
    """All that is tested of a tree of another processor."""
    variant = pathlib.Path(build).name
    yield from unit_tests(build, variant, through)
    folders = [str(ROOT / "tests" / name) for name in ("emulated", "integration", "conformance")]
    environment = {**environment_of("build"), "PYTHONPATH": os.pathsep.join(folders),
                   "GRADIENTD_SLOW": "1", "GRADIENTD_THROUGH": shlex.join(through),
                   "GRADIENTD_EMULATED_BUILD": str(ROOT / build)}
    yield Program(f"{variant} test_same_bytes",
                  [sys.executable, "-m", "unittest", "-v", "test_same_bytes"],
                  results.of_unittest, environment, limit=EMULATED_LIMIT)


def environment_of(build):
    """What every test program sees."""
    return {**SANITIZER_OPTIONS, "GRADIENTD_BUILD": str(ROOT / build), "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1"}


def report(program, outcome):
    """One line a program; all of its output where it failed."""
    totals, output, seconds = outcome
    mark = "FAIL" if totals.failed else "ok  "
    print(f"{mark} {program.name:52} {totals}  {seconds:.1f} s", flush=True)
    if totals.failed:
        print(output, flush=True)
    for line in output.splitlines() if totals.skipped and not totals.failed else ():
        if "skip" in line.lower():
            print(f"     {line.strip()}", flush=True)
    return totals


def run_all(programs):
    """One more at a time than there are processors, as some mostly wait; then those that want to
    be alone."""
    totals = results.Totals()
    together = [p for p in programs if not p.alone]
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        running = {pool.submit(p.run): p for p in together}
        for done in concurrent.futures.as_completed(running):
            totals += report(running[done], done.result())
    for program in programs:
        if program.alone:
            totals += report(program, program.run())
    return totals


def main():
    parser = argparse.ArgumentParser(description="Runs the tests of one or more build trees.")
    parser.add_argument("--lint", action="store_true", help="run and count tests/lint/lint.py too")
    parser.add_argument("--only", default="", help="only the programs whose name holds this word")
    parser.add_argument("--through", default="", help="the emulator's command, for such trees")
    parser.add_argument("build", nargs="+", help="build, build/address-undefined, build/thread")
    arguments = parser.parse_args()

    programs = []
    if arguments.lint:
        command = [sys.executable, str(ROOT / "tests" / "lint" / "lint.py")]
        programs.append(Program("lint", command, results.of_totals, limit=300))
    through = shlex.split(arguments.through)
    for build in arguments.build:
        if through:
            programs += emulated_tests(build, through)
            continue
        programs += unit_tests(build, variant_of(build))
        programs += integration_tests(build, variant_of(build))
    totals = run_all([p for p in programs if arguments.only in p.name])
    print(totals)
    sys.exit(0 if totals.passed and not totals.failed else 1)


if __name__ == "__main__":
    main()

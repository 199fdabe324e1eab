#!/usr/bin/python3
"""Breaks the library on purpose, one change at a time, and looks whether the tests see it.

    tests/mutation/mutate.py [--only WORD] [--jobs N] [--keep]    a line a mutant, then the totals
    tests/mutation/mutate.py --check                              do the lists fit the sources?
    tests/mutation/mutate.py --list                               what is broken, who must see it

Works in copies of the tree in a temporary directory; the tree itself is only read. A mutant that
does not apply or does not compile is an error of its list, and fails. What lives here: copying,
building, running, counting. The mutants are in list_*.py."""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
sys.path[:0] = [str(HERE), str(TESTS / "lint"), str(TESTS / "support")]
import files  # noqa: E402
import mutant as mutants_of  # noqa: E402
from results import Totals  # noqa: E402

LEAST_LIMIT, LIMIT_FACTOR = 30, 10  # seconds; times what the test takes on the right sources
FAILED_C = re.compile(r"^\[  FAILED  \] (\w+)$", re.MULTILINE)
FAILED_PYTHON = re.compile(r"^(?:FAIL|ERROR): (\w+)", re.MULTILINE)


@dataclasses.dataclass
class Outcome:
    killed: bool
    how: str


def copy_tree(folder):
    """The files of the repository as they stand, without what is built."""
    for name in files.tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(files.ROOT / name, target)


def kill(process):
    """With all that it started, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def run(command, folder, limit=None, stop=None, **variables):
    """(exit status, or None at the limit; output; seconds), in a process group of its own. What
    prints a line like stop has failed: the rest of it is not waited for."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", start_new_session=True)
    timer = threading.Timer(limit or threading.TIMEOUT_MAX, kill, [process])
    timer.daemon = True
    timer.start()
    output, has_failed = "", False
    with process:
        for line in process.stdout:
            output += line
            has_failed = stop is not None and stop.match(line) is not None
            if has_failed:
                kill(process)
                break
    timer.cancel()
    seconds = time.monotonic() - started
    if has_failed:
        return 1, output, seconds
    return None if limit is not None and seconds >= limit else process.returncode, output, seconds


def build(folder, tests, jobs):
    """Builds these tests and what they stand on, as far as it goes. The error's text, or None. A
    mutant may leave a variable unused: warnings are none of its faults, in CI either. Nobody looks
    at it with a debugger: a third of the compiler's time would go into what that reads. No rule
    that is built into make makes anything here: it would look for one for every file."""
    targets = ["all" if test.endswith(".py") else f"build/tests/unit/{test}" for test in tests]
    status, output, _ = run(["make", "--no-print-directory", "-s", "-k", "-r", f"-j{jobs}",
                             "SANITIZE=", "CI=", "BUILD=build", "OPTIMIZE=-O2",
                             *sorted(set(targets))], folder)
    return None if status == 0 else output


def run_test(folder, test, limit):
    if not test.endswith(".py"):
        return run([f"build/tests/unit/{test}"], folder, limit, stop=FAILED_C)
    path = folder / mutants_of.source_of(test)
    return run([sys.executable, "-m", "unittest", "-v", path.stem], folder, limit,
               GRADIENTD_BUILD=str(folder / "build"), PYTHONPATH=str(path.parent),
               PYTHONDONTWRITEBYTECODE="1")


def outcome_of(folder, mutant, limits):
    """Builds the mutated tree and runs the mutant's tests until one of them has a failure."""
    for test in mutant.tests:
        if limits[test] is None:
            return Outcome(False, f"{test} fails without a mutant")
        error = build(folder, [test], 1)
        if error is not None:
            return Outcome(False, "does not compile\n" + error)
        status, output, _ = run_test(folder, test, limits[test])
        if status is None:
            return Outcome(True, f"{test}, over {limits[test]:.0f} s")
        if status != 0:
            seen = (FAILED_PYTHON if test.endswith(".py") else FAILED_C).search(output)
            return Outcome(True, f"{test}: {seen.group(1) if seen else f'exit {status}'}")
    return Outcome(False, "SURVIVED " + ", ".join(mutant.tests))


def try_mutant(folder, mutant, limits):
    """Applies the mutant, judges it, and takes it back."""
    path = folder / mutant.file
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return outcome_of(folder, mutant, limits)
    finally:
        path.write_text(right, encoding="utf-8")


def limit_of(folder, test):
    """How long a test may take with a mutant; None where it fails without one."""
    error = build(folder, [test], 1)
    status, output, seconds = run_test(folder, test, None) if error is None else (1, error, 0)
    if status == 0:
        return max(LEAST_LIMIT, LIMIT_FACTOR * seconds)
    print(f"{test} fails without a mutant\n{output}", flush=True)
    return None


def run_all(mutants, temporary, jobs):
    """Judges them on as many trees as there are jobs, in order of the list as far as it goes."""
    first = temporary / "tree0"
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    copy_tree(first)
    build(first, tests, jobs)
    trees = queue.SimpleQueue()
    trees.put(first)
    for number in range(1, jobs):
        trees.put(pathlib.Path(shutil.copytree(first, temporary / f"tree{number}", symlinks=True)))

    def in_a_tree(work, *arguments):
        folder = trees.get()
        try:
            return work(folder, *arguments)
        finally:
            trees.put(folder)

    def judge(mutant):
        return in_a_tree(try_mutant, mutant, limits)

    totals = Totals()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        limits = dict(zip(tests, pool.map(lambda test: in_a_tree(limit_of, test), tests)))
        for mutant, outcome in zip(mutants, pool.map(judge, mutants)):
            print(f"{'killed ' if outcome.killed else 'FAILED '} {str(mutant):64} {outcome.how}",
                  flush=True)
            totals += Totals(passed=1) if outcome.killed else Totals(failed=1)
    return totals


def in_copies(mutants, jobs, keep):
    temporary = pathlib.Path(tempfile.mkdtemp(prefix="mutation-"))
    try:
        return run_all(mutants, temporary, jobs)
    finally:
        if keep:
            print(f"the trees are in {temporary}")
        else:
            shutil.rmtree(temporary)


def main():
    parser = argparse.ArgumentParser(description="Breaks the library on purpose.")
    parser.add_argument("--check", action="store_true", help="only see whether the lists fit")
    parser.add_argument("--list", action="store_true", help="only print the mutants")
    parser.add_argument("--only", default="", help="only mutants whose file or name holds this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", action="store_true", help="leave the trees for a look")
    arguments = parser.parse_args()

    mutants = [m for m in mutants_of.every() if arguments.only in f"{m.file} {m}"]
    wrong = list(mutants_of.problems(files.ROOT, mutants))
    for problem in wrong:
        print(problem)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.file}: {mutant.what} ({', '.join(mutant.tests)})")
    totals = Totals(max(0, len(mutants) - len(wrong)), len(wrong))
    if not (wrong or arguments.check or arguments.list):
        totals = in_copies(mutants, max(1, arguments.jobs), arguments.keep)
    print(totals)
    sys.exit(0 if totals.passed and not totals.failed else 1)


if __name__ == "__main__":
    main()

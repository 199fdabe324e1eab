#!/usr/bin/python3
"""Runs findings one after the other, and prints a line each and the totals: `make findings`.
What a finding is, and what its exit status means, stands in README.md beside this file."""
import argparse
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
from results import Totals  # noqa: E402

SKIPPED = 77
SECONDS = 600


def run(script, seconds):
    """(exit status, what it printed); a script that does not end in time has failed."""
    try:
        done = subprocess.run(["sh", str(script)], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=seconds)
    except subprocess.TimeoutExpired:
        return 1, f"not finished after {seconds} s"
    return done.returncode, done.stdout.strip()


def judge(script, seconds):
    """Prints the line of one finding, and all that it printed where it has changed."""
    began = time.monotonic()
    status, output = run(script, seconds)
    took = f"{time.monotonic() - began:.1f} s"
    last = output.splitlines()[-1] if output else "printed nothing"
    if status == 0 and last.startswith("ok:"):
        print(f"ok      {script.stem} ({took}): {last[3:].strip()}", flush=True)
        return Totals(passed=1)
    if status == SKIPPED:
        print(f"skipped {script.stem}: {last.removeprefix('skipped:').strip()}", flush=True)
        return Totals(skipped=1)
    print(f"CHANGED {script.stem} ({took}, exit status {status})", flush=True)
    for line in output.splitlines():
        print(f"        {line}", flush=True)
    return Totals(failed=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD", help="those whose name holds WORD")
    parser.add_argument("--folder", default=HERE, type=pathlib.Path, help="where they lie")
    parser.add_argument("--seconds", default=SECONDS, type=float, help="the limit of each")
    options = parser.parse_args()
    totals = Totals()
    for script in sorted(options.folder.glob("*.sh")):
        if options.only in script.stem:
            totals += judge(script, options.seconds)
    print(totals)
    sys.exit(0 if totals.failed == 0 and totals.passed + totals.skipped > 0 else 1)


if __name__ == "__main__":
    main()

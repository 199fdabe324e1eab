#!/usr/bin/python3
"""Runs the tests in a tree that counts which lines ran, and says which lines of lib/ and server/
did not. Fails where less than 98 % of the lines of either ran.

    tests/coverage/coverage.py [--only WORD] [--keep] build/coverage

With --keep the counts of earlier runs stay and no test runs. A process that is killed leaves no
counts. Which tests pass is for the other trees to say: this one is slower than they are."""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAST = 0.98


def lines_run(build):
    """{source: {line: how often it ran}}, from the counts of all objects of lib/ and server/."""
    found = collections.defaultdict(collections.Counter)
    for room in ("lib", "server"):
        notes = sorted((build / "obj" / room).rglob("*.gcno"))
        printed = subprocess.run(["gcov", "--json-format", "--stdout", *map(str, notes)], cwd=ROOT,
                                 check=True, capture_output=True, text=True).stdout
        for document in map(json.loads, filter(None, printed.splitlines())):
            for file in document["files"]:
                for line in file["lines"]:
                    found[file["file"]][line["line_number"]] += line["count"]
    return found


def as_ranges(numbers):
    """12-14, 20"""
    ranges = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def report(room, found):
    """Prints the lines of this room that did not run; whether enough of them did."""
    counts = {name: lines for name, lines in found.items() if name.startswith(room + "/")}
    for name, lines in sorted(counts.items()):
        missed = [number for number, count in lines.items() if count == 0]
        if missed:
            print(f"{name}: {len(missed)} of {len(lines)}: {as_ranges(missed)}")
    total = sum(map(len, counts.values()))
    run = sum(count > 0 for lines in counts.values() for count in lines.values())
    print(f"{room}: {run} of {total} lines, {100 * run / max(total, 1):.2f} %", flush=True)
    return run >= LEAST * total > 0


def main():
    parser = argparse.ArgumentParser(description="Says which lines the tests do not run.")
    parser.add_argument("--only", default="", help="only the tests whose name holds this word")
    parser.add_argument("--keep", action="store_true", help="run nothing, read what is there")
    parser.add_argument("build", type=pathlib.Path, help="build/coverage")
    arguments = parser.parse_args()

    if not arguments.keep:
        for counts in arguments.build.rglob("*.gcda"):
            counts.unlink()
        subprocess.run([sys.executable, str(ROOT / "tests" / "run.py"), "--only", arguments.only,
                        str(arguments.build)], cwd=ROOT, check=False,
                       env={"GRADIENTD_TEST_PATIENCE": "4", **os.environ})
    found = lines_run(arguments.build)
    good = [report(room, found) for room in ("lib", "server")]
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()

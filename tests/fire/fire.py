#!/usr/bin/python3
"""Measures the daemon under overload, greed, and slow or gone peers, beside other builds of it.

    make fire [FIRE_ONLY=word] [FIRE_SECONDS=60]
    tests/fire/fire.py [--only WORD[,WORD]] [--seconds S] [--body WORD] [--json FILE] BUILD

FIRE_DAEMON=/path/to/gradientd measures that program beside BUILD/gradientd, row by row in turn;
FIRE_DAEMON=old=/path names it, and several are separated by commas. --only chooses rows by a word
of their names (--list prints them), --seconds is the length of an overload (the other loads are
parts of it), --body chooses among large, medium, small and check where a row is for each of these;
--flag=--queue-depth --flag=8 are flags of the daemon, which logs no requests unless told so.

The daemon runs in a control group with a quota of 0.25 CPU, so that figures repeat on a machine
that does other things too; the generator runs outside it. Rows of memory have a limit of memory
and no quota. Where no control group can be made, the table says so and the figures are the whole
machine's. Every answer with 200 is compared with the one that the idle daemon gave: `wrong` must
be 0. What the rows do is in rows.py."""

import argparse
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import rows  # noqa: E402


def builds_of(build):
    """(name, program) of each build that is measured."""
    found = [("this build", os.path.join(build, "gradientd"))]
    for one in filter(None, os.environ.get("FIRE_DAEMON", "").split(",")):
        name, separator, path = one.partition("=")
        found.append((name, path) if separator else ("the other", one))
    return found


def measure(row, programs, options):
    """{build: (text, figures)} of a row, one build after the other."""
    found = {}
    for name, program in programs:
        began = time.monotonic()
        try:
            figures = row.measure(program, options)
            line = row.describe(figures)
        except Exception as error:  # noqa: BLE001: the other rows are still wanted
            figures = {"error": repr(error)}
            line = "failed: %r" % error
        found[name] = (line, figures)
        print("  %-10s %s  [%.0f s]" % (name, line, time.monotonic() - began), flush=True)
    return found


def table(results, programs):
    """The results as a Markdown table."""
    names = [name for name, _ in programs]
    lines = ["| what | to reach | %s |" % " | ".join(names), "|%s" % ("---|" * (2 + len(names)))]
    for row, found in results:
        lines.append("| %s | %s | %s |" % (row.title, row.goal,
                                           " | ".join(found[name][0] for name in names)))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Measures the daemon under fire.")
    parser.add_argument("--only", default="", help="rows whose name holds one of these words")
    parser.add_argument("--seconds", type=float, default=60, help="length of an overload")
    parser.add_argument("--cpus", type=float, default=0.25, help="the quota; 0: none")
    parser.add_argument("--flag", action="append", default=[], help="one more flag of the daemon")
    parser.add_argument("--body", default="", help="large, medium, small or check")
    parser.add_argument("--json", help="writes all figures there")
    parser.add_argument("--list", action="store_true", help="names the rows")
    parser.add_argument("build", help="build")
    options = parser.parse_args()
    chosen = [row for row in rows.all_rows(options.body)
              if any(word in row.name for word in options.only.split(","))]
    if options.list:
        print("\n".join("%-24s %s" % (row.name, row.title) for row in chosen))
        return
    programs = builds_of(options.build)
    reason = rows.missing_box(options)
    if reason:
        print("without a quota of CPU time or a limit of memory: %s" % reason)
    results = []
    for row in chosen:
        print("%s: %s" % (row.name, row.title), flush=True)
        results.append((row, measure(row, programs, options)))
    print(table(results, programs))
    if options.json:
        everything = {row.name: {name: figures for name, (_, figures) in found.items()}
                      for row, found in results}
        pathlib.Path(options.json).write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()

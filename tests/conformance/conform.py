#!/usr/bin/python3
"""Every activation, loss, kind of layer, option and reduction against PyTorch's, over HTTP: starts
the daemon of BUILD, sends what generate.py and generate_networks.py make of the seed, and holds the
answers within the bounds of bounds.py. Prints cases and comparisons by category, then the totals.

    tests/conformance/conform.py BUILD [ROUNDS [SEED]]
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

SHOWN = 20  # problems


def cases(seed, rounds):
    import generate
    import generate_networks
    for make in (generate.loss_cases, generate.activation_cases, generate_networks.layer_cases,
                 generate_networks.network_cases):
        yield from make(seed, rounds)


def compare(connection, seed, rounds):
    """The report of all cases of that seed, asked on a connection to the daemon."""
    import torch
    from compare import Comparison, Report
    torch.set_num_threads(1)
    report = Report()
    for case in cases(seed, rounds):
        Comparison(case, report).run(connection)
    return report


# Each comparison is counted under several categories; these hold every case once.
WHOLES = ("losses", "activations", "layers", "networks")


def total(counts):
    return sum(count for tag, count in counts.items() if tag.rsplit(" ", 1)[0] in WHOLES)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    os.environ["GRADIENTD_BUILD"] = os.path.abspath(build)
    from support import Daemon
    with Daemon() as daemon, daemon.connect() as connection:
        report = compare(connection, seed, rounds)
    print("\n".join(report.lines()))
    for problem in report.problems[:SHOWN]:
        print(problem[:600])
    print("%d cases, %d comparisons" % (total(report.cases), total(report.compared)))
    print("%d passed, %d failed" % (total(report.compared), len(report.problems)))
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Every activation, loss, kind of layer, option and reduction against PyTorch's, over HTTP: starts
the daemon of BUILD, sends what generate.py and generate_networks.py make of the seed, and holds the
answers within the bounds of bounds.py. Prints cases and comparisons by category, then how many
cases passed.

    tests/conformance/conform.py BUILD [ROUNDS [SEED]]
"""

import os
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

SHOWN = 20  # problems


def cases(seed, rounds):
    """All cases; a round of the random layers and networks is several, as they have more ways to
    differ and each is one request."""
    import generate
    import generate_networks
    for make, times in ((generate.loss_cases, 1), (generate.activation_cases, 1),
                        (generate_networks.layer_cases, 4), (generate_networks.network_cases, 20)):
        yield from make(seed, times * rounds)


def compare(connection, seed, rounds):
    """The report of all cases of that seed, asked on a connection to the daemon."""
    import torch
    from compare import Comparison, Report
    torch.set_num_threads(1)
    report = Report()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of kl_div's mean
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
    from support import PATIENT, Daemon
    with Daemon(*PATIENT) as daemon, daemon.connect() as connection:
        report = compare(connection, seed, rounds)
    print("\n".join(report.lines()))
    for problem in report.problems[:SHOWN]:
        print(problem[:600])
    print("%d comparisons, %d wrong, %d bounds too wide to tell; of %d cases" % (
        total(report.compared), len(report.problems), total(report.wide), total(report.cases)))
    print("%d passed, %d failed" % (total(report.cases) - report.failed_cases,
                                    report.failed_cases))
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""The running daemon against PyTorch: losses, layers, activations inside networks, options, both
datatypes, over HTTP. Prints cases and comparisons by category, then the totals. How a bound comes
about is in the modules beside this one: functions.py, loss_bounds.py, bounds.py, options.py.

    tests/conformance/test_networks.py BUILD [ROUNDS [SEED]]"""

import os
import pathlib
import sys
import warnings

import torch

import compare
import generate
import generate_networks

# name: the cases, and how many rounds of them make one of ours
FAMILIES = {"losses": (generate.loss_cases, 3), "activations": (generate.activation_cases, 3),
            "layers": (generate_networks.layer_cases, 12),
            "networks": (generate_networks.network_cases, 40)}
SEED = 3
PROBLEMS_SHOWN = 20


def compare_family(name, connection, rounds, seed=SEED, report=None):
    """Compares that family's cases on an open connection; the report."""
    report = compare.Report() if report is None else report
    torch.set_num_threads(1)
    cases, times = FAMILIES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of kl_div's mean
        for case in cases(seed, max(1, round(rounds * times))):
            compare.Comparison(case, report).run(connection)
    return report


def totals(report):
    """(cases, comparisons, too wide to tell) of the four families."""
    return tuple(sum(counter[tag] for tag in counter if tag.split()[0] in FAMILIES
                     and len(tag.split()) == 2)
                 for counter in (report.cases, report.compared, report.wide))


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
    rounds = float(sys.argv[2]) if len(sys.argv) > 2 else 8
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else SEED
    os.environ["GRADIENTD_BUILD"] = str(build)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
    from support import Daemon  # which reads GRADIENTD_BUILD
    report = compare.Report()
    with Daemon() as daemon, daemon.connect() as connection:
        for name in FAMILIES:
            compare_family(name, connection, rounds, seed, report)
    print("\n".join(report.lines()))
    print("\n".join(report.problems[:PROBLEMS_SHOWN]))
    cases, compared, wide = totals(report)
    failed = len(report.problems)
    print("%d cases, %d comparisons, %d bounds too wide to tell" % (cases, compared, wide))
    print("%d passed, %d failed" % (compared, failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

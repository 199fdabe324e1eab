#!/usr/bin/python3
"""The running daemon against PyTorch, over HTTP: every activation, loss, kind of layer, option and
reduction, in FP32 and FP64, on random and adversarial numbers. Prints the cases and comparisons of
each category, then the totals.

    tests/conformance/test_daemon.py [ROUNDS [CATEGORY...]]

GRADIENTD_BUILD names the build tree. Tolerances are the bounds of bounds.py: an error analysis of
each answer, none tuned. A comparison is one number; "weak" are those whose bound is above 1 % of the
largest of its tensor, "unbounded" those that may overflow: they are not compared."""

import sys

import cases
import compare
import service

LINE = "%-14s %6d cases %9d comparisons %7d weak %6d unbounded %6d failed"


def line(name, tally):
    return LINE % (name, tally.cases, tally.compared, tally.weak, tally.unbounded, tally.failed)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    chosen = sys.argv[2:] or list(cases.CATEGORIES)
    total = compare.Tally()
    with service.Service(*service.FLAGS) as daemon:
        for name in chosen:
            tally = compare.Tally()
            for seed in range(rounds):
                for datatype in ("FP32", "FP64"):
                    tally += service.run_category(daemon, cases.CATEGORIES[name], seed, datatype)
            print(line(name, tally), flush=True)
            total += tally
    print(line("all", total))
    print("%d passed, %d failed" % (total.compared - total.failed, total.failed))
    sys.exit(1 if total.failed or not total.compared else 0)


if __name__ == "__main__":
    main()

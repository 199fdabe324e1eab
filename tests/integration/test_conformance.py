"""A seeded sample of the comparisons with PyTorch that `make conformance` makes many more of: see
tests/conformance/conform.py. Skipped, with its reason, where PyTorch is not installed. And the
table of PyTorch's versions in the manual, which needs none."""

import importlib.util
import pathlib
import sys
import unittest

from support import PATIENT, Daemon

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "conformance"))

VARIANTS = ("plain",)
SEED, ROUNDS = 20, 6  # six styles of numbers for each activation
LEAST = {"losses": 20000, "activations": 20000, "layers": 2000, "networks": 1000}


class Versions(unittest.TestCase):
    def test_the_manual_has_the_table(self):
        import versions
        manual = (ROOT / "docs" / "mathematics.md").read_text()
        self.assertIn("\n" + "\n".join(versions.markdown()) + "\n\n", manual)


@unittest.skipIf(importlib.util.find_spec("torch") is None, "PyTorch (python3-torch) is missing")
class Conformance(unittest.TestCase):
    def test_a_sample_agrees_with_pytorch(self):
        import conform
        with Daemon(*PATIENT) as daemon, daemon.connect() as connection:
            report = conform.compare(connection, SEED, ROUNDS)
        self.assertEqual(report.problems, [])
        for category, least in LEAST.items():
            for datatype in ("FP32", "FP64"):
                self.assertGreater(report.compared["%s %s" % (category, datatype)], least)


if __name__ == "__main__":
    unittest.main()

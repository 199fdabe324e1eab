"""A sample of `make conformance`: the running daemon's answers against PyTorch's, over HTTP. The
comparison itself, and where its bounds come from, is in tests/conformance."""

import pathlib
import sys
import unittest

from support import DaemonCase

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "conformance"))
try:
    import test_networks as conformance
except ImportError as error:
    conformance, MISSING = None, str(error)

VARIANTS = ("plain",)


@unittest.skipIf(conformance is None, "PyTorch cannot be imported: deploy/packages.sh test")
class Conformance(DaemonCase):
    def compare(self, family, rounds, least):
        with self.daemon.connect() as connection:
            report = conformance.compare_family(family, connection, rounds)
        cases, compared, wide = conformance.totals(report)
        print("%s: %d cases, %d comparisons, %d bounds too wide" % (family, cases, compared, wide))
        self.assertEqual(report.problems[:5], [])
        self.assertGreater(compared, least)
        self.assertLess(wide, compared / 10)

    def test_losses(self):
        self.compare("losses", 1, 60000)

    def test_activations(self):
        self.compare("activations", 1, 60000)

    def test_layers(self):
        self.compare("layers", 1, 20000)

    def test_networks(self):
        self.compare("networks", 1, 20000)


if __name__ == "__main__":
    unittest.main()

"""The daemon of another processor, under its emulator, beside the one of this machine: every answer
in FP32 has the same bytes, but for products of matrices, whose sums OpenBLAS makes in an order of
its own on each kind of processor. Those are within the bounds of docs/mathematics.md, "Accuracy",
which tests/conformance/bounds.py pushes through the layers.

Run by `tests/run.py --through EMULATOR BUILD`."""

import json
import os
import shlex
import unittest

import conform
from compare import Comparison, Report, spelled
from support import PATIENT, Daemon

EMULATED = [*shlex.split(os.environ["GRADIENTD_THROUGH"]),
            os.path.join(os.environ["GRADIENTD_EMULATED_BUILD"], "gradientd")]
SEED, ROUNDS = 8, 1
OF_PRODUCTS = {"weight_delta", "grad_input", "clipping", "statistics"}


class Given:
    """A connection that has its answer already."""

    def __init__(self, response):
        self.response = response

    def request(self, *_):
        return self.response


def has_products(case):
    return any(layer.get("kind", "dense") == "dense" for layer in case.request["layers"])


def without_products(case, response):
    """What of an answer depends on no product: all but these members of independent layers."""
    answer = response.json()
    if case.is_network:
        return {}
    return [{k: v for k, v in layer.items() if k not in OF_PRODUCTS} for layer in answer["layers"]]


class SameBytes(unittest.TestCase):
    def test_answers_differ_by_products_alone(self):
        asked, differing, report = 0, 0, Report()
        with Daemon(*PATIENT) as here, Daemon(*PATIENT, command=EMULATED) as there, \
                here.connect() as ours, there.connect() as theirs:
            for case in conform.cases(SEED, ROUNDS):
                if case.datatype != "FP32":
                    continue
                path = "/v1/backprop" if case.is_network else "/v1/gradients"
                body = json.dumps(spelled(case.sent())).encode()
                expected, found = (c.request("POST", path, body) for c in (ours, theirs))
                asked += 1
                with self.subTest(case.name):
                    self.assertEqual((found.status, expected.status), (200, 200))
                    if found.body == expected.body:
                        continue
                    differing += 1
                    self.assertTrue(has_products(case), "other bytes without a product")
                    self.assertEqual(without_products(case, found),
                                     without_products(case, expected))
                    Comparison(case, report).run(Given(found))
        print("%d requests, %d answers with other bytes" % (asked, differing))
        self.assertEqual(report.problems, [])
        self.assertGreaterEqual(asked, 60)
        self.assertLess(differing, asked / 2)


if __name__ == "__main__":
    unittest.main()

"""Normalizing layers over HTTP, against vectors worked out by PyTorch and by hand: the results of
one layer, its default epsilon, and the check of its gradients."""
import math
import unittest

import nets
from nets import CHECK, DATATYPES, GRADIENTS, ask
from support import DaemonCase


class Norms(DaemonCase):
    def layer(self, datatype="FP64", **members):
        """The deltas of one layer, with its x̂ sent as none: z is worked out from x."""
        layer = {"activation": "identity", **members}
        return ask(self.daemon, {"layers": [layer]}, GRADIENTS, datatype)["layers"][0]

    def assert_close(self, found, expected, digits=6):
        for a, b in zip(nets.flat(found), nets.flat(expected), strict=True):
            self.assertLess(abs(a - b), 10.0 ** -digits * max(1, abs(b)), (found, expected))

    def test_rms_norm(self):
        found = self.layer(type="rms_norm", gain=[1, 2], epsilon=3.5, input=[[3, 4]],
                           grad_output=[[1, 0]])
        self.assertEqual(found, {"gain_delta": [0.75, 0], "grad_input": [[0.1796875, -0.09375]]})

    def test_the_epsilon_of_rms_norm_is_the_datatype_s(self):
        """PyTorch's RMSNorm(eps=None): finfo(dtype).eps. A row of zeros has a finite gradient."""
        for datatype, epsilon in (("FP32", 2.0 ** -23), ("FP64", 2.0 ** -52)):
            found = self.layer(datatype, type="rms_norm", input=[[0, 0]], grad_output=[[1, -3]])
            self.assert_close(found["grad_input"], [[v / math.sqrt(epsilon) for v in (1, -3)]])
        for type, default in (("layer_norm", 1e-5), ("batch_norm", 1e-5)):
            row = {"type": type, "input": [[1, 2], [1.001, 2.01]], "grad_output": [[1, 2], [3, 5]]}
            self.assertEqual(self.layer(**row), self.layer(**row, epsilon=default))

    def test_its_gradients_pass_the_check(self):
        for datatype in DATATYPES:
            for seed in range(4):
                network = nets.make_network(seed, "mse", kinds=("dense", "rms_norm"))
                network["check"] = {"samples": 1000}
                report = ask(self.daemon, network, CHECK, datatype)
                self.assertIn(report["verdict"], ("pass", "kink"), report)


if __name__ == "__main__":
    unittest.main()

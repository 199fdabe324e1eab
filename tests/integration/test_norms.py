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

    def test_group_norm(self):
        row = {"type": "group_norm", "gain": [1, 2, 3, 4], "shift": [0, 0, 0, 0],
               "input": [[1, 3, 2, 6]], "grad_output": [[1, 2, 3, 5]]}
        found, a, b = self.layer(**row, groups=2), 1.499978e-5, 6.874974e-6
        self.assert_close(found["gain_delta"], [-.999995, 1.99999, -2.999996, 4.999994])
        self.assertEqual(found["shift_delta"], [1, 2, 3, 5])
        self.assert_close(found["grad_input"], [[-a, a, -b, b]], 11)
        one = {name: value for name, value in row.items() if name != "type"}
        self.assertEqual(self.layer(**row, groups=1), self.layer(type="layer_norm", **one))
        self.assertEqual(self.layer(**{**row, "type": "GroupNorm"}, groups=2), found)

    def test_groups_are_a_divisor(self):
        row = {"type": "group_norm", "activation": "identity", "input": [[1, 2, 3, 4, 5, 6]],
               "grad_output": [[1, 1, 1, 1, 1, 1]]}
        for groups, code, pointer, detail in (
                (4, "shape_mismatch", "/layers/0/groups",
                 "is 4, expected a divisor of the layer's 6"),
                (0, "bad_parameter", "/layers/0/groups",
                 "is 0, expected a whole number, at least 1"),
                (1.5, "bad_parameter", "/layers/0/groups", "is 1.5, expected a whole number"),
                (-2, "bad_parameter", "/layers/0/groups", "is -2, expected a whole number"),
                ("2", "unexpected_type", "/layers/0/groups", "a number"),
                (None, "missing_field", "/layers/0", "has no groups, expected a whole number")):
            answer = self.daemon.post({"layers": [{**row, "groups": groups}]}, path=GRADIENTS)
            problem = self.assert_problem(answer, answer.status, code, pointer=pointer)
            self.assertIn(answer.status, (400, 422))
            self.assertIn(detail, problem["detail"])
        deep = {**row, "groups": 2, "input": [[[1, 2], [3, 4]]], "grad_output": [[[1, 1], [1, 1]]]}
        answer = self.daemon.post({"layers": [deep]}, path=GRADIENTS)
        self.assertIn("is a group_norm over an input of rank 3", answer.json()["detail"])

    def test_its_gradients_pass_the_check(self):
        for datatype in DATATYPES:
            for seed in range(4):
                network = nets.make_network(seed, "mse", kinds=("dense", "rms_norm", "group_norm"))
                network["check"] = {"samples": 1000}
                report = ask(self.daemon, network, CHECK, datatype)
                self.assertIn(report["verdict"], ("pass", "kink"), report)


if __name__ == "__main__":
    unittest.main()

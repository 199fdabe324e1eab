"""A network learns the handwritten digits through POST /v1/backprop, step by step as the same
network does under PyTorch: every loss, a sample of activations, both datatypes. How each of the
two trains is in trainers.py and torch_trainer.py.

Each is trained to its end in FP32; in FP64 with GRADIENTD_LONG=1, else for its first steps."""

import os
import unittest
import warnings

import torch_trainer
import trainers
from nets import UNIT
from support import DaemonCase

VARIANTS = ("plain",)  # what it exercises in the daemon, the other tests do under the sanitizers

LONG = os.environ.get("GRADIENTD_LONG", "0") not in ("", "0")
TO_THE_END = tuple(UNIT) if LONG else ("FP32",)  # datatypes
FIRST_STEPS, STEPS, BATCH = 8, 400, 32
HELD_OUT = 300
LEARNT = 0.9  # of the digits held out at the least; by chance it is 0.1

# loss, its parameters, the activations of the two layers, the learning rate
WAYS = (
    ("cross_entropy", {}, "relu", "identity", 0.5),
    ("cross_entropy", {"label_smoothing": 0.125}, "gelu", "identity", 0.5),
    ("cross_entropy", {}, "mish", "identity", 0.5),
    ("cross_entropy", {}, "hardswish", "identity", 0.5),
    ("nll", {}, "tanh", "log_softmax", 0.5),
    ("kl_div", {}, "silu", "log_softmax", 4),
    ("mse", {}, "elu", "identity", 0.5),
    ("mse", {}, "softsign", "identity", 1),
    ("mse", {}, "prelu", "softmax", 4),
    ("l1", {}, "tanh", "softmax", 8),
    ("smooth_l1", {"beta": 0.5}, "silu", "identity", 2),
    ("huber", {"delta": 0.75}, "gelu", "tanh", 4),
    ("log_cosh", {}, "prelu", "identity", 2),
    ("binary_cross_entropy", {}, "relu", "sigmoid", 2),
    ("bce_with_logits", {}, "softplus", "identity", 2),
    ("hinge", {}, "tanh", "identity", 1),
    ("squared_hinge", {}, "silu", "tanh", 0.5),
    ("poisson_nll", {}, "tanh", "identity", 1),
    ("gaussian_nll", {}, "gelu", "identity", 1),
    ("cosine_embedding", {"margin": 0.25}, "tanh", "identity", 2))


def tolerance(step, loss, unit):
    """How far the losses of two runs may be apart at that step. A forward and backward pass sums
    over 64 pixels, 16 hidden units, 10 classes and 32 samples: its relative error is within as
    many unit roundoffs of either run (as backward error: of the weights). Each step leaves its own
    in the weights; at these learning rates none is amplified much, so they add up."""
    terms = trainers.PIXELS + trainers.HIDDEN + trainers.CLASSES + BATCH
    return (step + 1) * terms * unit * max(1, abs(loss))


class Training(DaemonCase):
    """One daemon; both trainers step together."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        warnings.filterwarnings("ignore", "reduction: 'mean'")  # kl_div: it is meant
        cls.digits = trainers.read_digits(1200)
        cls.connection = cls.daemon.connect()

    @classmethod
    def tearDownClass(cls):
        cls.connection.close()
        super().tearDownClass()

    def trainers_of(self, layers, datatype):
        dtype = torch_trainer.torch.float32 if datatype == "FP32" else torch_trainer.torch.float64
        return (trainers.Asking(self.connection, layers, datatype),
                torch_trainer.TorchTrainer(layers, dtype))

    def train(self, way, datatype, steps, full=False):
        """Both trainers after so many steps, at each of which they agreed, and our losses."""
        name, options, hidden, output, rate = way
        ours, torchs = self.trainers_of(trainers.begin(hidden, output, norm=full), datatype)
        losses = []
        for step in range(steps):
            pixels, labels = trainers.batch_of(self.digits[:-HELD_OUT], step, BATCH)
            loss = trainers.loss_of(name, options, labels)
            masks = trainers.mask_of(step, BATCH, trainers.HIDDEN) if full else None
            a, b = (t.step(pixels, loss, rate, masks) for t in (ours, torchs))
            losses.append(a)
            self.assertLessEqual(abs(a - b), tolerance(step, b, UNIT[datatype]), (step, a, b))
        return ours, torchs, losses

    def test_the_first_steps(self):
        for way in WAYS:
            for datatype in UNIT:
                with self.subTest(way, datatype=datatype):
                    losses = self.train(way, datatype, FIRST_STEPS)[2]
                    self.assertLess(sum(losses[-3:]), sum(losses[:3]))

    def test_with_all_that_a_layer_can_have(self):
        for way in (WAYS[0], ("mse", {}, "prelu", "sigmoid", 1)):
            for datatype in UNIT:
                with self.subTest(way, datatype=datatype):
                    self.train(way, datatype, FIRST_STEPS, full=True)

    def test_what_is_learnt(self):
        """Of digits that were held out."""
        held_out = self.digits[-HELD_OUT:]
        pixels, labels = [p for p, _ in held_out], [label for _, label in held_out]
        for way in WAYS:
            for datatype in TO_THE_END:
                with self.subTest(way, datatype=datatype):
                    ours, torchs, losses = self.train(way, datatype, STEPS)
                    a, b = (trainers.accuracy(t.predict(pixels), labels) for t in (ours, torchs))
                    print("%-20s %-9s %s loss %.4f -> %.4f, right %.1f %% (PyTorch %.1f %%)"
                          % (way[0], way[2], datatype, losses[0], losses[-1], 100 * a, 100 * b))
                    self.assertLessEqual(abs(a - b), 0.015)
                    self.assertGreater(a, LEARNT)


if __name__ == "__main__":
    unittest.main()

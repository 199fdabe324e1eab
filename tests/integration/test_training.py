"""A network learns the handwritten digits through POST /v1/backprop, step by step as the same
network does under PyTorch: every loss, a sample of activations, both datatypes. How each of the
two trains is in trainers.py and torch_trainer.py.

GRADIENTD_LONG=1 compares what is learnt in 200 steps of every loss, not of the first only."""

import os
import unittest
import warnings

import torch_trainer
import trainers
from nets import UNIT
from support import DaemonCase

VARIANTS = ("plain",)  # what it exercises in the daemon, the other tests do under the sanitizers

LONG = os.environ.get("GRADIENTD_LONG", "0") not in ("", "0")
STEPS, BATCH = 8, 32
HELD_OUT = 300

# loss, its parameters, the activations of the two layers, the learning rate
WAYS = (
    ("cross_entropy", {}, "relu", "identity", 0.5),
    ("cross_entropy", {"label_smoothing": 0.125}, "gelu", "identity", 0.5),
    ("nll", {}, "tanh", "log_softmax", 0.5),
    ("kl_div", {}, "silu", "log_softmax", 4),
    ("mse", {}, "elu", "identity", 0.5),
    ("mse", {}, "prelu", "softmax", 2),
    ("l1", {}, "tanh", "sigmoid", 1),
    ("smooth_l1", {"beta": 0.5}, "silu", "identity", 0.5),
    ("huber", {"delta": 0.75}, "gelu", "tanh", 1),
    ("log_cosh", {}, "prelu", "identity", 0.5),
    ("binary_cross_entropy", {}, "relu", "sigmoid", 1),
    ("bce_with_logits", {}, "elu", "identity", 1),
    ("hinge", {}, "tanh", "identity", 0.5),
    ("squared_hinge", {}, "silu", "tanh", 0.5),
    ("poisson_nll", {}, "tanh", "identity", 0.5),
    ("gaussian_nll", {}, "gelu", "identity", 0.5),
    ("cosine_embedding", {"margin": 0.25}, "tanh", "identity", 0.5))


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
        """Both trainers after so many steps, and the losses of ours."""
        name, options, hidden, output, rate = way
        ours, torchs = self.trainers_of(trainers.begin(hidden, output, norm=full), datatype)
        losses = []
        for step in range(steps):
            pixels, labels = trainers.batch_of(self.digits[:-HELD_OUT], step, BATCH)
            loss = trainers.loss_of(name, options, labels)
            masks = trainers.mask_of(step, BATCH, trainers.HIDDEN)
            a, b = (t.step(pixels, loss, rate, masks) for t in (ours, torchs))
            losses.append(a)
            if step < STEPS:
                self.assertLessEqual(abs(a - b), tolerance(step, b, UNIT[datatype]), (step, a, b))
        return ours, torchs, losses

    def test_every_loss_step_by_step(self):
        for way in WAYS:
            for datatype in UNIT:
                with self.subTest(way, datatype=datatype):
                    losses = self.train(way, datatype, STEPS)[2]
                    self.assertLess(sum(losses[-3:]), sum(losses[:3]))

    def test_with_all_that_a_layer_can_have(self):
        for way in (WAYS[0], ("mse", {}, "prelu", "sigmoid", 1)):
            for datatype in UNIT:
                with self.subTest(way, datatype=datatype):
                    self.train(way, datatype, STEPS, full=True)

    def test_what_is_learnt(self):
        """Of digits that were held out."""
        held_out = self.digits[-HELD_OUT:]
        pixels, labels = [p for p, _ in held_out], [label for _, label in held_out]
        for way in WAYS if LONG else WAYS[:1]:
            with self.subTest(way):
                ours, torchs, losses = self.train(way, "FP32", 200)
                a, b = (trainers.accuracy(t.predict(pixels), labels) for t in (ours, torchs))
                print("%-20s loss %.4f -> %.4f, right %.1f %% (PyTorch %.1f %%)"
                      % (way[0], losses[0], losses[-1], 100 * a, 100 * b))
                self.assertLessEqual(abs(a - b), 0.015)
                if way[0] == "cross_entropy":
                    self.assertGreater(a, 0.9)


if __name__ == "__main__":
    unittest.main()

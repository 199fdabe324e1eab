"""Two trainers of the same network: one that computes nothing itself and asks POST /v1/backprop for
every step, in plain Python, and one of PyTorch (imported where it is built). Same weights to begin
with, same data in the same order, same plain gradient descent. What they must agree in is
test_training.py's to say."""

import gzip
import json
import math
import os
import random

import nets

PIXELS, HIDDEN, CLASSES = 64, 16, 10
DIGITS = os.path.join(os.path.dirname(__file__), "..", "..", "data", "digits.csv.gz")
TRAINED = ("weight", "bias", "gain", "shift")  # with a delta each
DELTA = {name: name + "_delta" for name in (*TRAINED, "slope")}


def read_digits(count):
    """That many digits, the same ones in the same order every time: pixels from 0 to 1, labels."""
    with gzip.open(DIGITS, "rt") as file:
        lines = [list(map(int, line.split(","))) for line in file]
    random.Random(7).shuffle(lines)
    return [([p / 16 for p in line[:PIXELS]], line[PIXELS]) for line in lines[:count]]


def target_of(loss, labels):
    """The labels as that loss takes them."""
    if loss in ("cross_entropy", "nll"):
        return labels
    low = -1 if loss in ("hinge", "squared_hinge") else 0
    return [[1 if n == label else low for n in range(CLASSES)] for label in labels]


def loss_of(loss, options, labels):
    """The member "loss" of a request for these samples."""
    found = {"name": loss, "target": target_of(loss, labels), **options}
    if loss == "cosine_embedding":  # towards the label; every fourth away from some other class
        signs = [-1 if i % 4 == 3 else 1 for i in range(len(labels))]
        others = [label if sign > 0 else (label + 1 + i // 4) % CLASSES
                  for i, (label, sign) in enumerate(zip(labels, signs))]
        found.update(target=signs, other=target_of("mse", others))
    if loss == "gaussian_nll":
        found["variance"] = [[0.5] for _ in labels]
    return found


def begin(hidden, output, seed=5, norm=False):
    """Layers as documents have them, with weights of float32 within Glorot's bounds."""
    generator = random.Random(seed)
    layers = []
    for K, N, activation in ((PIXELS, HIDDEN, hidden), (HIDDEN, CLASSES, output)):
        bound = math.sqrt(6 / (K + N))
        weight = [[generator.uniform(-bound, bound) for _ in range(K)] for _ in range(N)]
        layers.append({"activation": activation, "weight": nets.narrowed(weight),
                       "bias": [0.0] * N})
        if activation == "prelu":
            layers[-1]["activation"] = {"name": "prelu", "slope": [0.25] * N}
    if norm:  # and all that a layer can have besides
        layers[0].update(name="first", dropout={"rate": 0.25, "mask": None})
        layers.insert(1, {"type": "layer_norm", "gain": [1.0] * HIDDEN, "shift": [0.0] * HIDDEN,
                          "activation": "silu", "residual": "first"})
    return layers


def mask_of(step, B, N):
    """The dropout mask of that step, the same for both trainers."""
    generator = random.Random(step)
    return [[int(generator.random() < 0.75) for _ in range(N)] for _ in range(B)]


def batch_of(digits, step, B):
    """The pixels and the labels of that step: in order, round and round."""
    chosen = [digits[(step * B + i) % len(digits)] for i in range(B)]
    return [pixels for pixels, _ in chosen], [label for _, label in chosen]


class Asking:
    """Trains through the daemon. Weights are kept in the datatype's precision."""

    def __init__(self, connection, layers, datatype):
        self.connection, self.layers = connection, json.loads(json.dumps(layers))
        self.path = "%s?datatype=%s" % (nets.BACKPROP, datatype)
        self.kept = nets.narrowed if datatype == "FP32" else lambda values: values

    def post(self, document):
        response = self.connection.request("POST", self.path, json.dumps(document).encode())
        if response.status != 200:
            raise AssertionError(response)
        return response.json()

    def step(self, pixels, loss, rate, masks):
        """The loss before the step."""
        for layer in self.layers:
            if "dropout" in layer:
                layer["dropout"]["mask"] = masks
        answer = self.post({"layers": self.layers, "input": pixels, "loss": loss,
                            "outputs": list(nets.DELTAS), "scale": -rate})
        for layer, deltas in zip(self.layers, answer["layers"]):
            self.descend(layer, TRAINED, deltas)
            if isinstance(layer["activation"], dict):
                self.descend(layer["activation"], ("slope",), deltas)
        return answer["loss"]

    def descend(self, holder, names, deltas):
        for name in names:
            if name in holder:
                holder[name] = self.kept(added(holder[name], deltas[DELTA[name]]))

    def predict(self, pixels):
        """The outputs of the network as it is, nothing dropped."""
        layers = [{k: v for k, v in layer.items() if k != "dropout"} for layer in self.layers]
        return self.post(nets.cut({"layers": layers, "input": pixels},
                                  len(layers)))["predictions"]


def added(values, deltas):
    if isinstance(values, list):
        return [added(v, d) for v, d in zip(values, deltas)]
    return values + deltas


def accuracy(rows, labels):
    """The share of rows whose largest number is at the label."""
    return sum(row.index(max(row)) == label for row, label in zip(rows, labels)) / len(labels)

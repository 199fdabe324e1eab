"""The requests that the service benchmark sends, and whether an answer to one is right. Bodies are
made once. Every server that reads JSON gets the same bytes, numbers of nine significant digits; the
others get the same float32 in the form of their own."""

import json
import math
import random
import struct
import sys


class Case:
    """One size of request. goals: the ratio to each peer that the project wants to reach."""

    def __init__(self, name, B, K, N, connections, goals):
        self.name, self.B, self.K, self.N = name, B, K, N
        self.connections, self.goals = connections, goals
        generator = random.Random(B * K * N)
        self.x = numbers(generator, B * K)
        self.z = numbers(generator, B * N)
        self.g = numbers(generator, B * N)
        self.body = self._body()

    def numbers_in_and_out(self):
        return self.B * (self.K + 2 * self.N) + self.N * (self.K + 1)

    def _body(self):
        rows = [self._rows(self.x, self.K), self._rows(self.z, self.N), self._rows(self.g, self.N)]
        text = ('{"outputs":["weight_delta","bias_delta"],"layers":[{"activation":"relu",'
                '"input":%s,"pre_activation":%s,"grad_output":%s}]}' % tuple(rows))
        return text.encode()

    def _rows(self, values, width):
        texts = ["%.9g" % v for v in values]
        return "[%s]" % ",".join("[%s]" % ",".join(texts[i:i + width])
                                 for i in range(0, len(texts), width))

    def tensors(self):
        """(name, shape, values) of each that a request has."""
        return (("input", (self.B, self.K), self.x), ("pre_activation", (self.B, self.N), self.z),
                ("grad_output", (self.B, self.N), self.g))

    def validate(self, server, W, b):
        """Exits where an answer is not right: all shapes, all of Δb, and some rows of ΔW."""
        shapes_right = len(W) == self.N and all(len(row) == self.K for row in W)
        if not shapes_right or len(b) != self.N:
            fail(server, self.name, "the shapes are not [N,K] and [N]")
        step = max(1, self.N // 4)
        for n in range(self.N):
            delta = [self.g[i] if self.z[i] > 0 else 0.0 for i in range(n, self.B * self.N, self.N)]
            self._check(server, "bias_delta/%d" % n, b[n], delta)
            for k in range(self.K if n % step == 0 else 0):
                self._check(server, "weight_delta/%d/%d" % (n, k), W[n][k],
                            [d * self.x[i * self.K + k] for i, d in enumerate(delta)])

    def _check(self, server, what, found, terms):
        tolerance = 4e-6 * math.fsum(map(abs, terms)) + 1e-37
        if not abs(found - math.fsum(terms)) <= tolerance:
            fail(server, self.name, "%s is %r instead of %r" % (what, found, math.fsum(terms)))


def numbers(generator, count):
    """float32 values, as doubles."""
    values = [generator.gauss(0, 1) for _ in range(count)]
    return struct.unpack("<%df" % count, struct.pack("<%df" % count, *values))


def fail(server, name, why):
    sys.exit("%s, %s: a wrong answer, nothing is timed: %s" % (server, name, why))


def all_cases():
    return [
        Case("B=64 K=512 N=256", 64, 512, 256, 8, {"naive": 15, "fastapi": 30}),
        Case("B=256 K=N=1024", 256, 1024, 1024, 4, {"naive": 15, "fastapi": 30}),
        Case("B=8 K=64 N=32", 8, 64, 32, 16, {"fastapi": 15}),
    ]

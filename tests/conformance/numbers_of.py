"""Random and adversarial numbers for the requests, seeded, already rounded to their datatype. What
layers and losses are made of them is generate.py's."""

import random

import torch

SIZES = (1, 2, 3, 5, 7, 11, 13, 17, 23, 31)
LARGE = (67, 131, 521)  # beyond a block of the daemon's loops
STYLES = ("gauss", "integers", "zeros", "subnormal", "huge", "saturated", "ill_scaled")


class Numbers:
    """A source of tensors in the numbers of a datatype."""

    def __init__(self, seed, unit):
        self.unit, self.random = unit, random.Random(seed)
        self.torch = torch.Generator()
        self.torch.manual_seed(self.random.getrandbits(40))

    def normal(self, *shape):
        return torch.randn(shape, generator=self.torch, dtype=torch.float64)

    def uniform(self, low, high, *shape):
        raw = torch.rand(shape, generator=self.torch, dtype=torch.float64)
        return self.unit.round(low + (high - low) * raw)

    def integers(self, low, high, *shape):
        return torch.randint(low, high + 1, shape, generator=self.torch).double()

    def mask(self, share, *shape):
        return (torch.rand(shape, generator=self.torch) < share).double()

    def among(self, values, *shape):
        """Each element one of the values."""
        values = torch.tensor(values, dtype=torch.float64)
        return self.unit.round(values[torch.randint(0, len(values), shape, generator=self.torch)])

    def styled(self, style, *shape):
        """Numbers of a style of STYLES."""
        if style == "integers":
            return self.integers(-3, 3, *shape)
        if style == "zeros":
            signs = torch.where(self.mask(0.5, *shape) > 0, 0.0, -0.0).double()
            return self.unit.round(torch.where(self.mask(0.6, *shape) > 0, signs,
                                               self.normal(*shape)))
        if style == "subnormal":
            return self.unit.round(self.normal(*shape) * self.unit.eta * 1000)
        if style == "huge":
            top = 1e12 if self.unit.name == "FP32" else 1e60
            return self.unit.round(self.normal(*shape) * top)
        if style == "saturated":
            return self.unit.round(self.normal(*shape) * 60)
        if style == "ill_scaled":
            powers = 10.0 ** self.integers(-5, 5, *shape[-1:])
            return self.unit.round(self.normal(*shape) * powers)
        return self.unit.round(self.normal(*shape))

    def size(self, least=1):
        if self.chance(0.02):
            return self.random.choice(LARGE)
        return self.random.choice([s for s in SIZES if s >= least])

    def choice(self, values):
        return self.random.choice(list(values))

    def chance(self, share):
        return self.random.random() < share

"""Inception-v3 equals a plain model of torch.nn."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gradient_difference,
    images,
    jittered,
)

# The plain model calls its parts as the spec does.
RULES = [Rule("(.+)", r"\1")]


class Unit(nn.Module):
    def __init__(self, features, width, kernel=1, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(features, width, kernel, stride, padding, bias=False)
        self.batch_norm = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x):
        return self.batch_norm(self.conv(x)).relu()


class Module(nn.Module):
    """A module of units, numbered as the spec numbers them."""

    def __init__(self, *units):
        super().__init__()
        self.units = [Unit(*unit) for unit in units]
        for order, unit in enumerate(self.units, 1):
            self.add_module("unit" if order == 1 else f"unit_{order}", unit)


def averaged(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1)


class A(Module):
    """Figure 5: a 5x5, and two 3x3 in a row."""

    def __init__(self, features, pooled):
        super().__init__(
            (features, 64),
            (features, 48),
            (48, 64, 5, 1, 2),
            (features, 64),
            (64, 96, 3, 1, 1),
            (96, 96, 3, 1, 1),
            (features, pooled),
        )

    def forward(self, x):
        one, two, two_5, three, three_3, three_33, four = self.units
        branches = (one(x), two_5(two(x)), three_33(three_3(three(x))))
        return torch.cat((*branches, four(averaged(x))), 1)


class ReductionA(Module):
    def __init__(self, features):
        super().__init__(
            (features, 384, 3, 2), (features, 64), (64, 96, 3, 1, 1), (96, 96, 3, 2)
        )

    def forward(self, x):
        one, two, two_3, two_33 = self.units
        return torch.cat((one(x), two_33(two_3(two(x))), F.max_pool2d(x, 3, 2)), 1)


class B(Module):
    """Figure 6: a 7x7 as a 1x7 and a 7x1, and two of them in a row."""

    def __init__(self, features, width):
        wide, tall = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
        super().__init__(
            (features, 192),
            (features, width),
            (width, width, *wide),
            (width, 192, *tall),
            (features, width),
            (width, width, *tall),
            (width, width, *wide),
            (width, width, *tall),
            (width, 192, *wide),
            (features, 192),
        )

    def forward(self, x):
        u = self.units
        two, three = u[3](u[2](u[1](x))), u[8](u[7](u[6](u[5](u[4](x)))))
        return torch.cat((u[0](x), two, three, u[9](averaged(x))), 1)


class ReductionB(Module):
    def __init__(self, features):
        super().__init__(
            (features, 192),
            (192, 320, 3, 2),
            (features, 192),
            (192, 192, (1, 7), 1, (0, 3)),
            (192, 192, (7, 1), 1, (3, 0)),
            (192, 192, 3, 2),
        )

    def forward(self, x):
        u = self.units
        two = u[5](u[4](u[3](u[2](x))))
        return torch.cat((u[1](u[0](x)), two, F.max_pool2d(x, 3, 2)), 1)


class Fork(Module):
    def __init__(self, features):
        wide, tall = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
        super().__init__((features, 384, *wide), (features, 384, *tall))

    def forward(self, x):
        return torch.cat([unit(x) for unit in self.units], 1)


class C(Module):
    """Figure 7: branches that fork at their end."""

    def __init__(self, features):
        super().__init__(
            (features, 320),
            (features, 384),
            (features, 448),
            (448, 384, 3, 1, 1),
            (features, 192),
        )
        self.fork, self.fork_2 = Fork(384), Fork(384)

    def forward(self, x):
        one, two, three, three_3, four = self.units
        forks = (self.fork(two(x)), self.fork_2(three_3(three(x))))
        return torch.cat((one(x), *forks, four(averaged(x))), 1)


class Inception(Module):
    def __init__(self, classes=1000):
        super().__init__(
            (3, 32, 3, 2), (32, 32, 3), (32, 64, 3, 1, 1), (64, 80), (80, 192, 3)
        )
        self.inception_a = nn.Sequential(A(192, 32), A(256, 64), A(288, 64))
        self.reduction_a = ReductionA(288)
        self.inception_b = nn.Sequential(*(B(768, w) for w in (128, 160, 160, 192)))
        self.reduction_b = ReductionB(768)
        self.inception_c = nn.Sequential(C(1280), C(2048))
        self.linear = nn.Linear(2048, classes)

    def forward(self, x):
        u = self.units
        x = F.max_pool2d(u[2](u[1](u[0](x))), 3, 2)
        x = F.max_pool2d(u[4](u[3](x)), 3, 2)
        x = self.inception_b(self.reduction_a(self.inception_a(x)))
        x = self.inception_c(self.reduction_b(x))
        return self.linear(x.mean((2, 3)))


@pytest.fixture(scope="module")
def both():
    torch.manual_seed(0)
    theirs = jittered(Inception())
    return fill(archdsl.load(f"{SPECS}/inception_v3.arch"), theirs, RULES), theirs


@pytest.mark.parametrize(
    "size", [(75, 107), pytest.param((299, 299), marks=pytest.mark.slow)]
)
def test_inception_equals_a_plain_one(both, size):
    assert difference(*both, images(*size)) <= TOLERANCE


def test_its_gradients_equal_those_of_a_plain_one(both):
    ours, theirs = both
    assert gradient_difference(ours, theirs, RULES, images(107, 75)) <= TOLERANCE


def test_another_order_of_its_kernels_is_seen(both):
    ours, theirs = both
    fork = theirs.inception_c[1].fork
    fork.units.reverse()
    assert difference(ours, theirs, images(75, 107)) > CLEARLY
    fork.units.reverse()

"""DenseNet-121 equals a plain model of torch.nn."""

from collections import OrderedDict

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
    gap,
    gradient_difference,
    images,
    jittered,
    state,
)

# The plain models call their parts as the specs do.
RULES = [Rule("(.+)", r"\1")]


class DenseLayer(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.batch_norm = nn.BatchNorm2d(features)
        self.conv = nn.Conv2d(features, 4 * growth, 1, bias=False)
        self.batch_norm_2 = nn.BatchNorm2d(4 * growth)
        self.new = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv(self.batch_norm(x).relu())
        return torch.cat((x, self.new(self.batch_norm_2(y).relu())), 1)


class Transition(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.batch_norm = nn.BatchNorm2d(features)
        self.conv = nn.Conv2d(features, features // 2, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(self.batch_norm(x).relu()), 2)


class Densenet(nn.Module):
    """Huang et al. 2017, DenseNet-BC: halves the features between its blocks."""

    def __init__(self, depths, growth, classes):
        super().__init__()
        features = 2 * growth
        conv = nn.Conv2d(3, features, 7, 2, 3, bias=False)
        norm = nn.BatchNorm2d(features)
        self.conv_bn = nn.Sequential(OrderedDict(conv=conv, batch_norm=norm))
        self.stage = nn.ModuleList()
        for stage, depth in enumerate(depths):
            parts = OrderedDict()
            if stage:
                parts["transition"] = Transition(features)
                features //= 2
            layers = [DenseLayer(features + i * growth, growth) for i in range(depth)]
            parts["dense_layer"] = nn.Sequential(*layers)
            features += depth * growth
            self.stage.append(nn.Sequential(parts))
        self.batch_norm = nn.BatchNorm2d(features)
        self.linear = nn.Linear(features, classes)

    def forward(self, x):
        x = F.max_pool2d(self.conv_bn(x).relu(), 3, 2, 1)
        for stage in self.stage:
            x = stage(x)
        return self.linear(self.batch_norm(x).relu().mean((2, 3)))


def densenets(depths=(6, 12, 24, 16), growth=32, classes=1000):
    torch.manual_seed(0)
    theirs = jittered(Densenet(depths, growth, classes))
    settings = {"depths": list(depths), "growth": growth, "classes": classes}
    ours = archdsl.load(f"{SPECS}/densenet121.arch", settings=settings)
    return fill(ours, theirs, RULES), theirs


@pytest.mark.slow
def test_densenet_121_equals_a_plain_one():
    ours, theirs = densenets()
    assert difference(ours, theirs, images(224, 224)) <= TOLERANCE


@pytest.mark.parametrize("size", [(64, 96), (75, 65)])
def test_a_small_densenet_equals_a_plain_one(size):
    ours, theirs = densenets((2, 3, 1), 6, 10)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


def test_training_a_densenet_equals_training_a_plain_one():
    ours, theirs = densenets((2, 3, 1), 6, 10)
    ours.train()
    theirs.train()
    assert gradient_difference(ours, theirs, RULES, images(64, 48)) <= TOLERANCE
    mine, yours = state(ours), state(theirs)
    assert max(gap(mine[k].double(), yours[k].double()) for k in mine) <= TOLERANCE


def test_the_order_of_what_is_joined_is_seen():
    ours, theirs = densenets((2, 3, 1), 6, 10)
    with torch.no_grad():
        weight = theirs.stage[0].dense_layer[1].conv.weight
        weight.copy_(weight.roll(6, 1))
    assert difference(ours, theirs, images(64, 64)) > CLEARLY

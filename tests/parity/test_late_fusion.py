"""Late fusion computes what transformers' ResNet and torch.nn's LSTM make together."""

import pytest
import torch
from torch import nn
from transformers import ResNetConfig, ResNetModel

import archdsl
from tests.parity.beside import paired
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    STATISTICS,
    TOLERANCE,
    Rule,
    difference,
    gap,
    gradient_difference,
    images,
    jittered,
    state,
    translated,
    words,
)

PARTS = {"convolution": "conv", "normalization": "batch_norm"}


class LateFusion(nn.Module):
    """Both towers by others, and a head of two layers on their features."""

    def __init__(self, vocab, dim, hidden, classes):
        super().__init__()
        widths = [64, 128, 256, 512]
        config = ResNetConfig(depths=[2] * 4, layer_type="basic", hidden_sizes=widths)
        self.look = ResNetModel(config)
        self.words = nn.Embedding(vocab, dim)
        self.read = nn.LSTM(dim, hidden, batch_first=True, bidirectional=True)
        self.first = nn.Linear(512 + 2 * hidden, 256)
        self.second = nn.Linear(256, classes)

    def forward(self, image, text):
        seen = self.look(image).pooler_output.flatten(1)
        _, (h, _) = self.read(self.words(text))
        return self.second(self.first(torch.cat((seen, h[0], h[1]), 1)).relu())


def renamed(match):
    """`….layers.1.layer.1.normalization.bias` as `….basic_2.conv_bn_2.….bias`."""
    stage, unit, path, part, leaf = match.groups()
    basic = "basic" if unit == "0" else "basic_2"
    places = {"shortcut": "shortcut.conv_bn", "layer.0": "conv_bn"}
    place = places.get(path, "conv_bn_2")
    return f"seen.stage.{stage}.{basic}.{place}.{PARTS[part]}.{leaf}"


RULES = [
    Rule(
        r"look\.embedder\.embedder\.(\w+)\.(\w+)",
        lambda m: f"seen.conv_bn.{PARTS[m[1]]}.{m[2]}",
    ),
    Rule(
        r"look\.encoder\.stages\.(\d)\.layers\.(\d)\.(layer\.\d|shortcut)\.(\w+)\.(\w+)",
        renamed,
    ),
    Rule(r"words\.weight", "embedding.weight"),
    Rule(r"read\.(\w+)", r"told.\1"),
    Rule(r"first\.(\w+)", r"linear.\1"),
    Rule(r"second\.(\w+)", r"linear_2.\1"),
]


def pair(height=64, width=64, length=20, **settings):
    size = {"vocab": 10000, "dim": 128, "hidden": 128, "classes": 10, **settings}
    ours = archdsl.load(
        f"{SPECS}/late_fusion.arch",
        settings=settings,
        sizes={"H": height, "W": width, "T": length},
    )
    torch.manual_seed(0)
    theirs = jittered(LateFusion(**size))
    return paired(ours, theirs, RULES, words(length, size["vocab"]))


def small():
    return pair(33, 48, 7, vocab=50, dim=6, hidden=5, classes=3)


def test_late_fusion_equals_its_parts():
    ours, theirs, _ = pair()
    assert difference(ours, theirs, images(64, 64)) <= TOLERANCE


def test_it_equals_them_at_other_sizes_with_its_gradients():
    ours, theirs, rules = small()
    x = images(33, 48)
    assert difference(ours, theirs, x) <= TOLERANCE
    assert gradient_difference(ours, theirs, rules, x) <= TOLERANCE


def test_training_equals_theirs_statistics_and_gradients():
    ours, theirs, rules = small()
    ours.train()
    theirs.train()
    x = images(33, 48)
    assert gradient_difference(ours, theirs, rules, x) <= TOLERANCE
    mine, yours = state(ours), translated(state(theirs), rules)
    moved = [name for name in mine if name.endswith(STATISTICS)]
    assert moved
    assert max(gap(mine[k].double(), yours[k].double()) for k in moved) <= TOLERANCE


@pytest.mark.parametrize("fault", ["towers", "directions"])
def test_another_order_of_the_features_is_seen(fault):
    ours, theirs, _ = small()
    weight = ours.model.linear.weight
    image, forwards, backwards = weight.split([512, 5, 5], 1)
    parts = {
        "towers": (forwards, backwards, image),
        "directions": (image, backwards, forwards),
    }
    with torch.no_grad():
        weight.copy_(torch.cat(parts[fault], 1))
    assert difference(ours, theirs, images(33, 48)) > CLEARLY


def test_another_text_is_seen():
    ours, theirs, _ = small()
    ours.other = ours.other.roll(1, 1)
    assert difference(ours, theirs, images(33, 48)) > CLEARLY

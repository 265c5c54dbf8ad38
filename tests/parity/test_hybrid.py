"""The hybrid vision transformer computes what timm's does, and its maps are BiT's."""

import pytest
import torch
from torch import nn
from transformers import BitConfig, BitModel

import archdsl
from tests.parity.reference import (
    CLEARLY,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gradient_difference,
    images,
    jittered,
)

PARTS = {"conv": "conv", "norm": "group_norm"}


def unit(match):
    """`1.2.conv3.weight` as `stage.1.bottleneck.2.conv_gn_3.conv.weight`."""
    stage, block, part, number, leaf = match.groups()
    place = f"conv_gn_{number}" if number != "1" else "conv_gn"
    return f"bit.stage.{stage}.bottleneck.{block}.{place}.{PARTS[part]}.{leaf}"


def skip(match):
    stage, block, part, leaf = match.groups()
    place = f"bit.stage.{stage}.bottleneck.{block}.shortcut.conv_gn"
    return f"{place}.{PARTS[part]}.{leaf}"


STAGES = r"bit\.encoder\.stages\.(\d)\.layers\.(\d)\."
BIT = [
    Rule(r"bit\.embedder\.convolution\.(\w+)", r"bit.conv_gn.conv.\1"),
    Rule(r"bit\.embedder\.norm\.(\w+)", r"bit.conv_gn.group_norm.\1"),
    Rule(STAGES + r"(conv|norm)(\d)\.(\w+)", unit),
    Rule(STAGES + r"downsample\.(conv|norm)\.(\w+)", skip),
]
MAPS = """
use hybrid_vit (bit)

model maps(depths = [1, 2, 1], width = 32) {
  input image: [B, C = 3, H, W]
  bit(depths, width)
  output features
}
"""


class Maps(nn.Module):
    """What comes out of transformers' BiT, before it is pooled."""

    def __init__(self, **facts):
        super().__init__()
        config = BitConfig(**{
            "layer_type": "bottleneck",
            "global_padding": "same",
            "embedding_dynamic_padding": True,
            "embedding_size": 32,
            "hidden_sizes": [128, 256, 512],
            "depths": [1, 2, 1],
            **facts,
        })  # fmt: skip
        torch.manual_seed(0)
        self.bit = BitModel(config)

    def forward(self, x):
        return self.bit(x).last_hidden_state


def maps(height, width, **facts):
    theirs = jittered(Maps(**facts))
    ours = archdsl.load(MAPS, sizes={"H": height, "W": width})
    return fill(ours, theirs, BIT), theirs


@pytest.mark.parametrize("size", [(64, 64), (61, 50), (33, 40)])
def test_its_maps_equal_those_of_transformers(size):
    ours, theirs = maps(*size)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


def test_the_gradients_of_its_maps_equal_those_of_transformers():
    ours, theirs = maps(48, 37)
    assert gradient_difference(ours, theirs, BIT, images(48, 37)) <= TOLERANCE


def test_more_zeros_before_than_behind_are_seen():
    ours, theirs = maps(64, 64)
    theirs.bit.embedder.convolution.pad = nn.ZeroPad2d((2, 3, 2, 3))
    assert difference(ours, theirs, images(64, 64)) <= TOLERANCE
    theirs.bit.embedder.convolution.pad = nn.ZeroPad2d((3, 2, 3, 2))
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_another_epsilon_of_the_weights_is_seen():
    ours, theirs = maps(64, 64)
    for module in theirs.modules():
        if isinstance(module, nn.Conv2d):
            module.eps = 1e-5  # a norm follows, so that it is seen by its rest only
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_weights_as_they_are_are_seen():
    ours, theirs = maps(64, 64)
    ours.bit.conv_gn.conv.weight.data.add_(1.0)  # no difference: it has no mean
    assert difference(ours, theirs, images(64, 64)) <= TOLERANCE
    ours.bit.conv_gn.conv.__class__ = nn.Conv2d
    assert difference(ours, theirs, images(64, 64)) > CLEARLY

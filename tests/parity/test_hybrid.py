"""The hybrid vision transformer computes what timm's does, and its maps are BiT's."""

from functools import partial

import pytest
import torch
from torch import nn
from transformers import BitConfig, BitModel

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


# ---------------------------------------------------------------------- the maps

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


# --------------------------------------------------------------------- the whole

BLOCK, OURS = r"blocks\.(\d+)\.", r"transformer_layer.\1."
STAGE = r"patch_embed\.backbone\.stages\.(\d)\.blocks\.(\d)\."
TIMM = [
    Rule(r"patch_embed\.backbone\.stem\.conv\.(\w+)", r"bit.conv_gn.conv.\1"),
    Rule(r"patch_embed\.backbone\.stem\.norm\.(\w+)", r"bit.conv_gn.group_norm.\1"),
    Rule(STAGE + r"(conv|norm)(\d)\.(\w+)", unit),
    Rule(STAGE + r"downsample\.(conv|norm)\.(\w+)", skip),
    Rule(r"patch_embed\.proj\.(\w+)", r"conv.\1"),
    Rule("cls_token", "class_token.weight", lambda x: x[0]),
    Rule("pos_embed", "position_embedding.weight", lambda x: x[0]),
    Rule(BLOCK + r"norm1\.(\w+)", OURS + r"layer_norm.\2"),
    Rule(BLOCK + r"norm2\.(\w+)", OURS + r"layer_norm_2.\2"),
    *(Rule(BLOCK + r"attn\.qkv\.(\w+)", OURS + rf"attention.{name}.\2",
           partial(lambda i, x: x.chunk(3)[i], i))
      for i, name in enumerate("qkv")),
    Rule(BLOCK + r"attn\.proj\.(\w+)", OURS + r"attention.out.\2"),
    Rule(BLOCK + r"mlp\.fc1\.(\w+)", OURS + r"feed_forward.linear.\2"),
    Rule(BLOCK + r"mlp\.fc2\.(\w+)", OURS + r"feed_forward.linear_2.\2"),
    Rule(r"norm\.(\w+)", r"layer_norm.\1"),
    Rule(r"head\.(\w+)", r"linear.\1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "width"),
    [
        (96, 32),
        pytest.param(224, 64, marks=pytest.mark.slow),
        pytest.param(384, 64, marks=pytest.mark.slow),
    ],
)
def test_it_equals_timms(size, width):
    timm = pytest.importorskip("timm")
    if width == 64:
        theirs = jittered(
            timm.create_model("vit_base_r50_s16_224", num_classes=1000, img_size=size)
        )
        ours = archdsl.load(f"{SPECS}/hybrid_vit.arch:hybrid_vit_{size}")
    else:
        theirs = jittered(narrow(size))
        settings = {"depths": [1, 2, 1], "width": 32, "dim": 64, "depth": 2, "heads": 4}
        ours = archdsl.load(
            f"{SPECS}/hybrid_vit.arch:hybrid_vit",
            settings={**settings, "size": size, "classes": 10},
        )
    fill(ours, theirs, TIMM)
    x = images(size, size, batch=1 if width == 64 else 2)
    assert difference(ours, theirs, x) <= TOLERANCE
    if width == 32:
        assert gradient_difference(ours, theirs, TIMM, x) <= TOLERANCE
        theirs.norm.eps = 1e-5
        assert difference(ours, theirs, x) > CLEARLY


def narrow(size):
    """timm's parts, with fewer and narrower layers."""
    from timm.layers import StdConv2dSame
    from timm.models.resnetv2 import ResNetV2
    from timm.models.vision_transformer import VisionTransformer
    from timm.models.vision_transformer_hybrid import HybridEmbed

    torch.manual_seed(0)
    backbone = ResNetV2(
        (1, 2, 1),
        channels=(128, 256, 512),
        stem_chs=32,
        num_classes=0,
        global_pool="",
        preact=False,
        stem_type="same",
        conv_layer=partial(StdConv2dSame, eps=1e-8),
    )
    return VisionTransformer(
        img_size=size,
        num_classes=10,
        embed_dim=64,
        depth=2,
        num_heads=4,
        embed_layer=partial(HybridEmbed, backbone=backbone, proj=True),
        patch_size=1,
    )

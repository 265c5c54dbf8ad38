"""Layouts beside that of the table of systems: other libraries' files of one model."""

from functools import partial

import pytest
import timm
import torch
from torch import nn
from torchvision.models import swin_transformer
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
)

from tests.parity.reference import CLEARLY, TOLERANCE
from tests.parity.systems import Pair, System
from tests.parity.zoo.vision import deit, swin, swinv2, vit

SWIN = {"embed_dim": 24, "depths": [2, 2, 2], "num_heads": [2, 3, 4]}
TIMM = {**SWIN, "window_size": 4, "img_size": 64, "num_classes": 10}
TIMM_VIT = {"embed_dim": 64, "depth": 3, "num_heads": 4, "patch_size": 8}
TIMM_VIT |= {"img_size": 48, "num_classes": 10}
VIT = {"image_size": 48, "patch_size": 8, "num_layers": 3, "num_heads": 4}
VIT |= {"hidden_dim": 64, "mlp_dim": 256, "num_classes": 10}


def of_swin(**facts):
    """torchvision's Swin, which leaves branches out at random unless told not to."""
    return SwinTransformer(
        [4, 4], 24, [2, 2, 2], [2, 3, 4], [4, 4], num_classes=10, **facts
    )


def mean_of_both(model, image):
    """What a distilled DeiT of timm says: the mean of its two heads."""
    words = model.forward_features(image)
    return (model.head(words[:, 0]) + model.head_dist(words[:, 1])) / 2


CONVNEXT = System(
    "convnext_t",
    "image CNN",
    "",
    nn.Identity,
    narrow={},
    settings={"depths": [1, 2, 1, 2], "widths": [8, 16, 24, 32], "classes": 10},
    sizes={"H": 64, "W": 64},
)
RESNET = CONVNEXT._replace(
    spec="resnet18", settings={"depths": [1, 2, 1, 2], "classes": 10}
)


def resnet_of_transformers():
    """Of a basic block each 1, 2, 1 and 2."""
    facts = {"depths": [1, 2, 1, 2], "hidden_sizes": [64, 128, 256, 512]}
    config = ResNetConfig(**facts, layer_type="basic", num_labels=10)
    return ResNetForImageClassification(config)


def convnext_of_transformers():
    """With the epsilon of the authors' code in its last norm, too."""
    facts = {"depths": [1, 2, 1, 2], "hidden_sizes": [8, 16, 24, 32]}
    config = ConvNextConfig(**facts, num_labels=10, layer_norm_eps=1e-6)
    return ConvNextForImageClassification(config)


def of_timm(name, **facts):
    """A model of timm."""
    return partial(timm.create_model, name, **facts)


V2 = {
    "block": swin_transformer.SwinTransformerBlockV2,
    "downsample_layer": swin_transformer.PatchMergingV2,
}
CASES = [
    (vit("vit_b16"), "torchvision", partial(VisionTransformer, **VIT)),
    (vit("vit_b16"), "timm", of_timm("vit_base_patch16_224", **TIMM_VIT)),
    (swin("swin_t"), "torchvision", of_swin),
    (swin("swin_t"), "timm", of_timm("swin_tiny_patch4_window7_224", **TIMM)),
    (swinv2("swinv2_t"), "torchvision", partial(of_swin, **V2)),
    (swinv2("swinv2_t"), "timm", of_timm("swinv2_tiny_window8_256", **TIMM)),
    (
        deit("deit_s_distilled")._replace(run=mean_of_both),
        "timm",
        of_timm("deit_small_distilled_patch16_224", **TIMM_VIT),
    ),
    (
        CONVNEXT,
        "timm",
        of_timm(
            "convnext_tiny", depths=(1, 2, 1, 2), dims=(8, 16, 24, 32), num_classes=10
        ),
    ),
    (CONVNEXT, "transformers", convnext_of_transformers),
    (RESNET, "transformers", resnet_of_transformers),
]


@pytest.mark.parametrize(
    ("system", "layout", "make"), CASES, ids=[f"{s.spec}-{n}" for s, n, _ in CASES]
)
def test_a_file_of_another_library_is_loaded(system, layout, make):
    pair = Pair(system._replace(make=make, narrow={}, checkpoint=layout))
    assert pair.gap() <= TOLERANCE
    pair.theirs.double()
    with torch.no_grad():
        last = list(pair.theirs.parameters())[-1]
        last.copy_(last.flip(0))
    assert pair.gap() > CLEARLY

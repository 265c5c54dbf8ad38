"""Transformers for images."""

from functools import partial

import timm
from transformers import (
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    SwinConfig,
    SwinForImageClassification,
    Swinv2Config,
    Swinv2ForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from tests.parity.systems import System

FAMILY = "vision transformer"


def of_transformers(model, config, **facts):
    """A classifier of transformers, by facts of its configuration.

    Their eager attention computes the softmax in float32, so it is not the one to
    take, but where there is no other: Swin v2's leaves the type alone.
    """
    facts = {"num_labels": 1000, **facts}
    if config is not Swinv2Config:
        facts["attn_implementation"] = "sdpa"
    return model(config(**facts))


def swin(spec, **facts):
    """A Swin of transformers; the small one has windows of 4 on maps of 16, 8 and 4."""
    return System(
        spec,
        FAMILY,
        "transformers SwinForImageClassification",
        partial(of_transformers, SwinForImageClassification, SwinConfig, **facts),
        narrow={
            "embed_dim": 24,
            "depths": [2, 2, 2],
            "num_heads": [2, 3, 4],
            "window_size": 4,
            "num_labels": 10,
            "image_size": 64,
        },
        settings={
            "dim": 24,
            "depths": [2, 2, 2],
            "heads": [2, 3, 4],
            "window": 4,
            "classes": 10,
        },
        sizes={"H": 64, "W": 64},
        checkpoint="transformers",
        trained=spec == "swin_t",
        repeated=spec != "swin_t",
    )


def swinv2(spec, **facts):
    """A Swin v2 of transformers; the small one is like that of `swin`."""
    facts = {"window_size": 8, "image_size": 256, **facts}
    small, model = swin(spec), Swinv2ForImageClassification
    return small._replace(
        reference="transformers Swinv2ForImageClassification",
        make=partial(of_transformers, model, Swinv2Config, **facts),
        narrow={**small.narrow, "pretrained_window_sizes": [0, 0, 0]},
        settings={**small.settings, "pretrained": [None] * 3},
        trained=spec == "swinv2_t",
        repeated=spec != "swinv2_t",
    )


def vit(spec, **facts):
    """A ViT of transformers with the epsilon of the authors' code."""
    facts = {"layer_norm_eps": 1e-6, **facts}
    return System(
        spec,
        FAMILY,
        "transformers ViTForImageClassification",
        partial(of_transformers, ViTForImageClassification, ViTConfig, **facts),
        narrow={
            "hidden_size": 64,
            "intermediate_size": 256,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "patch_size": 8,
            "num_labels": 10,
            "image_size": 48,
        },
        settings={"dim": 64, "depth": 3, "heads": 4, "patch": 8, "classes": 10},
        sizes={"H": 48, "W": 48},
        checkpoint="transformers",
        trained=spec == "vit_b16",
        repeated=spec != "vit_b16",
    )


def deit(spec, **facts):
    """A distilled DeiT of transformers with the epsilon of the authors' code."""
    small, model = vit(spec), DeiTForImageClassificationWithTeacher
    facts = {"layer_norm_eps": 1e-6, **facts}
    return small._replace(
        reference="transformers DeiTForImageClassificationWithTeacher",
        make=partial(of_transformers, model, DeiTConfig, **facts),
        trained=spec == "deit_s_distilled",
        repeated=spec != "deit_s_distilled",
    )


def hybrid(spec, size):
    """timm's, on the maps of a whole ResNet without its last stage."""
    return System(
        spec,
        FAMILY,
        "timm vit_base_r50_s16_224",
        partial(
            timm.create_model, "vit_base_r50_s16_224", num_classes=1000, img_size=size
        ),
        narrow={
            "embed_dim": 64,
            "depth": 2,
            "num_heads": 4,
            "num_classes": 10,
            "img_size": 64,
        },
        settings={"dim": 64, "depth": 2, "heads": 4, "classes": 10},
        sizes={"H": 64, "W": 64},
        checkpoint="timm",
        trained=size == 224,
        repeated=size != 224,
    )


LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
SMALL = {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6}
TINY = {"hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3}
DEEP = {"depths": [2, 2, 18, 2]}
WIDE = {"embed_dim": 128, "num_heads": [4, 8, 16, 32]}
WIDEST = {"embed_dim": 192, "num_heads": [6, 12, 24, 48]}
AT_384 = {"image_size": 384, "window_size": 12}
GROWN = {"window_size": 24, "pretrained_window_sizes": [12, 12, 12, 6]}

VISION = [
    vit("vit_b16"),
    vit("vit_b16:vit_b32", patch_size=32),
    vit("vit_b16:vit_l16", num_hidden_layers=24, **LARGE),
    vit("vit_b16:vit_b16_384", image_size=384),
    vit("deit_s", **SMALL),
    vit("deit_s:deit_t", **TINY),
    vit("deit_s:deit_b"),
    deit("deit_s_distilled", **SMALL),
    deit("deit_s_distilled:deit_t_distilled", **TINY),
    deit("deit_s_distilled:deit_b_distilled"),
    hybrid("hybrid_vit:hybrid_vit_224", 224),
    hybrid("hybrid_vit:hybrid_vit_384", 384),
    swin("swin_t"),
    swin("swin_s", **DEEP),
    swin("swin_b", **DEEP, **WIDE),
    swin("swin_b:swin_b_384", **DEEP, **WIDE, **AT_384),
    swin("swin_l", **DEEP, **WIDEST),
    swin("swin_l:swin_l_384", **DEEP, **WIDEST, **AT_384),
    swinv2("swinv2_t"),
    swinv2("swinv2_t:swinv2_t_w16", window_size=16),
    swinv2("swinv2_t:swinv2_s", **DEEP),
    swinv2("swinv2_t:swinv2_b", **DEEP, **WIDE),
    swinv2("swinv2_t:swinv2_b_384", **DEEP, **WIDE, **GROWN, image_size=384),
]

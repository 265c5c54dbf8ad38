"""Vision transformers compute what those of transformers compute."""

import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    difference,
    fill,
    images,
    jittered,
)

RULES = "transformers"  # as the spec declares them


def reference(**facts):
    """A ViT with the epsilon of the authors' code, unless other facts are given.

    Its eager attention computes the softmax in float32, so it is not the one to take.
    """
    facts = {"num_labels": 1000, "layer_norm_eps": 1e-6, **facts}
    config = ViTConfig(**facts, attn_implementation="sdpa")
    torch.manual_seed(0)
    return jittered(ViTForImageClassification(config))


def small(height=48, width=48, **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec."""
    dim = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3}
    rest = {"num_attention_heads": 4, "patch_size": 8, "num_labels": 10}
    theirs = reference(**{**dim, **rest, "image_size": (height, width), **facts})
    ours = archdsl.load(
        f"{SPECS}/vit_b16.arch",
        settings={"dim": 64, "depth": 3, "heads": 4, "patch": 8, "classes": 10},
        sizes={"H": height, "W": width},
    )
    return fill(ours, theirs, RULES), theirs


@pytest.mark.parametrize("size", [(48, 48), (24, 56)])
def test_it_equals_the_reference_at_other_sizes_and_widths(size):
    ours, theirs = small(*size)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"layer_norm_eps": 1e-5},
        {"layer_norm_eps": 1e-12},
        {"hidden_act": "gelu_new"},
        {"hidden_act": "quick_gelu"},
        {"num_attention_heads": 8},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, images(48, 48)) > CLEARLY


def test_another_order_of_the_patches_is_seen():
    ours, theirs = small()
    table = ours.position_embedding.weight
    with torch.no_grad():
        table[1:] = table[1:].unflatten(0, (6, 6)).transpose(0, 1).flatten(0, 1)
    assert difference(ours, theirs, images(48, 48)) > CLEARLY

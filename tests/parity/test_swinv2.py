"""Swin transformers V2 compute what those of transformers compute."""

import pytest
import torch
from transformers import Swinv2Config, Swinv2ForImageClassification

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
    """A Swin of transformers' second version, some of its scales beyond what counts."""
    config = Swinv2Config(**{"num_labels": 1000, **facts})
    torch.manual_seed(0)
    model = jittered(Swinv2ForImageClassification(config))
    with torch.no_grad():
        for attention in attentions(model):
            attention.logit_scale[0] = 5.0  # exp(5) is 148, and 100 counts
    return model


def attentions(theirs):
    """The attention of each block of the reference."""
    return [b.attention.self for s in theirs.swinv2.encoder.layers for b in s.blocks]


def small(height=64, width=64, **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec.

    Windows of 4 on maps of 16, 8 and 4: the last stage is one window.
    """
    size = {"embed_dim": 24, "depths": [2, 2, 2], "num_heads": [2, 3, 4]}
    rest = {"window_size": 4, "num_labels": 10, "image_size": (height, width)}
    given = {**size, **rest, **facts}
    theirs = reference(**given)
    settings = {"dim": 24, "depths": [2, 2, 2], "heads": [2, 3, 4], "classes": 10}
    settings["window"] = given["window_size"]
    windows = given.get("pretrained_window_sizes", [0, 0, 0])
    settings["pretrained"] = [w or None for w in windows]
    ours = archdsl.load(
        f"{SPECS}/swinv2_t.arch:swinv2",
        settings=settings,
        sizes={"H": height, "W": width},
    )
    return fill(ours, theirs, RULES), theirs


@pytest.mark.parametrize(
    ("size", "window", "pretrained"),
    [
        ((64, 64), 4, [0, 0, 0]),
        ((64, 64), 8, [0, 0, 0]),  # that covers the second stage's and the third's map
        ((96, 144), 3, [0, 0, 0]),
        ((96, 96), 3, [2, 6, 4]),
    ],
)
def test_it_equals_the_reference_at_other_sizes_and_windows(size, window, pretrained):
    facts = {"window_size": window, "pretrained_window_sizes": pretrained}
    ours, theirs = small(*size, **facts)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"layer_norm_eps": 1e-6},
        {"hidden_act": "gelu_new"},
        {"pretrained_window_sizes": [0, 3, 0]},
    ],
    ids=str,
)
def test_another_fact_is_seen(fact):
    _, theirs = small(**fact)
    ours, _ = small()
    fill(ours, theirs, RULES)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def below_the_limit(theirs):
    """A scale of 99.5, for one of 148 of which 100 counts."""
    for attention in attentions(theirs):
        attention.logit_scale[0] = 4.6


def transpose_bias(theirs):
    """The bias of a key towards a query, for that of a query towards a key."""
    for attention in attentions(theirs):
        index = attention.relative_position_index
        index.copy_(index.t().clone())


def linear_distances(theirs):
    """Distances as they are, not their logarithms."""
    for attention in attentions(theirs):
        table = attention.relative_coords_table
        table.copy_(table.sign() * (2 ** (table.abs() * 3) - 1) / 8)


def norm_first(theirs):
    """The norm of a merge before its map: of as many features, so only scaled."""
    for stage in theirs.swinv2.encoder.layers[:-1]:
        stage.downsample.norm = torch.nn.Identity()


def forget_mask(theirs):
    """Shifted windows in which everything sees everything."""
    for stage in theirs.swinv2.encoder.layers:
        stage.blocks[1].get_attn_mask = lambda *_, **__: None


@pytest.mark.parametrize(
    "plant",
    [below_the_limit, transpose_bias, linear_distances, norm_first, forget_mask],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_fault_is_seen(plant):
    ours, theirs = small()
    with torch.no_grad():
        plant(theirs)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY

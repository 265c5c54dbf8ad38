"""Swin transformers compute what those of transformers compute."""

import pytest
import torch
from transformers import SwinConfig, SwinForImageClassification

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

# The same network on maps that the windows do not fit: zeros fill them up.
TEXT = (SPECS / "swin_t.arch").read_text(encoding="utf-8")
VARIANT = TEXT[TEXT.index("\nmodel swin_t") : TEXT.index("\n# How checkpoints")]
PADDED = (
    TEXT.replace(VARIANT, "")
    .replace("relative_bias = true", "relative_bias = true, pad = true")
    .replace("patch_merge }", "patch_merge(pad = true) }")
)


def reference(**facts):
    """A Swin of transformers.

    Its eager attention computes the softmax in float32, so it is not the one to take.
    """
    config = SwinConfig(**{"num_labels": 1000, **facts}, attn_implementation="sdpa")
    torch.manual_seed(0)
    return jittered(SwinForImageClassification(config))


def small(height=64, width=64, *, spec=f"{SPECS}/swin_t.arch", **facts):
    """Both models, narrow; facts of the reference may differ from those of the spec.

    Windows of 4 on maps of 16, 8 and 4: the last stage is one window.
    """
    size = {"embed_dim": 24, "depths": [2, 2, 2], "num_heads": [2, 3, 4]}
    rest = {"window_size": 4, "num_labels": 10, "image_size": (height, width)}
    theirs = reference(**{**size, **rest, **facts})
    settings = {"dim": 24, "depths": [2, 2, 2], "heads": [2, 3, 4], "classes": 10}
    settings["window"] = theirs.config.window_size
    ours = archdsl.load(spec, settings=settings, sizes={"H": height, "W": width})
    return fill(ours, theirs, RULES), theirs


@pytest.mark.parametrize(
    ("size", "window"),
    [((64, 64), 4), ((64, 96), 2), ((96, 144), 3), ((112, 112), 7), ((192, 192), 12)],
)
def test_it_equals_the_reference_at_other_sizes_and_windows(size, window):
    ours, theirs = small(*size, window_size=window)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


@pytest.mark.parametrize(
    ("size", "window"), [((76, 84), 4), ((92, 72), 3), ((116, 100), 5)]
)
def test_padded_it_equals_the_reference_where_windows_do_not_fit(size, window):
    ours, theirs = small(*size, spec=PADDED, window_size=window)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


@pytest.mark.parametrize(
    "fact", [{"layer_norm_eps": 1e-6}, {"hidden_act": "gelu_new"}], ids=str
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def attentions(theirs):
    """The attention of each block of the reference."""
    return [b.attention for s in theirs.swin.encoder.layers for b in s.blocks]


def transpose_bias(theirs):
    """The bias of a key towards a query, for that of a query towards a key."""
    for attention in attentions(theirs):
        index = attention.relative_position_bias.relative_position_index
        index.copy_(index.view(16, 16).t().flatten())


def swap_bias_axes(theirs):
    """Rows for columns in the table of relative positions."""
    for attention in attentions(theirs):
        table = attention.relative_position_bias.relative_position_bias_table
        table.copy_(table.unflatten(0, (7, 7)).transpose(0, 1).flatten(0, 1))


def scale_otherwise(theirs):
    """Scores divided by the size of a head, not by its root."""
    for attention in attentions(theirs):
        attention.scaling **= 2


def merge_row_by_row(theirs):
    """Neighbours along the first row and then the second, as one reads."""
    for stage in theirs.swin.encoder.layers[:-1]:
        for weight in (
            *stage.downsample.norm.parameters(),
            stage.downsample.reduction.weight,
        ):
            by_place = weight.unflatten(-1, (2, 2, -1))
            weight.copy_(by_place.transpose(-3, -2).flatten(-3))


def shift_by_one(theirs):
    """Another shift of the windows."""
    for stage in theirs.swin.encoder.layers[:-1]:
        stage.blocks[1].shift_size = 1


def forget_mask(theirs):
    """Shifted windows in which everything sees everything."""
    for stage in theirs.swin.encoder.layers:
        stage.blocks[1].get_attn_mask = lambda *_, **__: None


@pytest.mark.parametrize(
    "plant",
    [
        transpose_bias,
        swap_bias_axes,
        scale_otherwise,
        merge_row_by_row,
        shift_by_one,
        forget_mask,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_fault_is_seen(plant):
    ours, theirs = small()
    with torch.no_grad():
        plant(theirs)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY

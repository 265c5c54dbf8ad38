"""Swin transformers V2 compute what those of transformers compute."""

import pytest
import torch
from transformers import Swinv2Config, Swinv2ForImageClassification

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
    logits,
)

BLOCK = r"swinv2\.encoder\.layers\.(\d+)\.blocks\.(\d+)\."
OURS = r"stage.\1.swinv2_block.\2."
ATTENTION = OURS + "window_attention."
MLP = BLOCK + r"attention\.self\.continuous_position_bias_mlp\."
RULES = [
    Rule(r"swinv2\.embeddings\.patch_embeddings\.projection\.(\w+)", r"conv.\1"),
    Rule(r"swinv2\.embeddings\.norm\.(\w+)", r"layer_norm.\1"),
    Rule(BLOCK + r"attention\.self\.query\.(\w+)", ATTENTION + r"q.\3"),
    Rule(BLOCK + r"attention\.self\.key\.(\w+)", ATTENTION + r"k.\3"),
    Rule(BLOCK + r"attention\.self\.value\.(\w+)", ATTENTION + r"v.\3"),
    Rule(BLOCK + r"attention\.output\.dense\.(\w+)", ATTENTION + r"out.\3"),
    Rule(BLOCK + r"attention\.self\.(logit_scale)", ATTENTION + r"\3"),
    Rule(MLP + r"0\.(\w+)", ATTENTION + r"continuous_bias.hidden.\3"),
    Rule(MLP + r"2\.(\w+)", ATTENTION + r"continuous_bias.out.\3"),
    Rule(BLOCK + r"layernorm_before\.(\w+)", OURS + r"layer_norm.\3"),
    Rule(BLOCK + r"layernorm_after\.(\w+)", OURS + r"layer_norm_2.\3"),
    Rule(BLOCK + r"intermediate\.dense\.(\w+)", OURS + r"linear.\3"),
    Rule(BLOCK + r"output\.dense\.(\w+)", OURS + r"linear_2.\3"),
    # Theirs stands at the end of a stage, ours at the beginning of the next.
    Rule(
        r"swinv2\.encoder\.layers\.(\d+)\.downsample\.(.+)",
        lambda m: f"stage.{int(m[1]) + 1}.patch_merge.{m[2]}",
    ),
    Rule(r"swinv2\.layernorm\.(\w+)", r"layer_norm_2.\1"),
    Rule(r"classifier\.(\w+)", r"linear.\1"),
]


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


BASE = {"depths": [2, 2, 18, 2], "embed_dim": 128, "num_heads": [4, 8, 16, 32]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "facts"),
    [
        ("swinv2_t", 256, {"window_size": 8}),
        ("swinv2_t_w16", 256, {"window_size": 16}),
        ("swinv2_s", 256, {"window_size": 8, "depths": [2, 2, 18, 2]}),
        ("swinv2_b", 256, {"window_size": 8, **BASE}),
        (
            "swinv2_b_384",
            384,
            {"window_size": 24, "pretrained_window_sizes": [12, 12, 12, 6], **BASE},
        ),
    ],
)
def test_a_swin_equals_the_reference(name, size, facts):
    theirs = reference(image_size=size, **facts)
    ours = fill(archdsl.load(f"{SPECS}/swinv2_t.arch:{name}"), theirs, RULES)
    assert difference(ours, theirs, images(size, size, batch=1)) <= TOLERANCE


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


def test_its_gradients_equal_the_references():
    ours, theirs = small()
    with torch.no_grad():  # a scale beyond what counts has none
        for attention in attentions(theirs):
            attention.logit_scale[0] = 2.0
    fill(ours, theirs, RULES)
    assert gradient_difference(ours, theirs, RULES, images(64, 64)) <= TOLERANCE


def test_it_trains_as_the_reference_where_nothing_is_left_out():
    ours, theirs = small(drop_path_rate=0.0)
    x = images(64, 64)
    found, expected = logits(ours.train(), x), logits(theirs.train(), x)
    assert gap(found, expected) <= TOLERANCE


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

"""ConvNeXts compute what those of transformers compute."""

import pytest
import torch
from transformers import ConvNextConfig, ConvNextForImageClassification

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

PARTS = {
    "dwconv": "conv",
    "layernorm": "layer_norm",
    "pwconv1": "linear",
    "pwconv2": "linear_2",
}
STEM = {"patch_embeddings": "conv", "layernorm": "layer_norm"}
STAGE = r"convnext\.encoder\.stages\.(\d)\."
RULES = [
    Rule(r"convnext\.embeddings\.(\w+)\.(\w+)", lambda m: f"{STEM[m[1]]}.{m[2]}"),
    Rule(STAGE + r"downsampling_layer\.0\.(\w+)", r"stage.\1.layer_norm.\2"),
    Rule(STAGE + r"downsampling_layer\.1\.(\w+)", r"stage.\1.conv.\2"),
    Rule(
        STAGE + r"layers\.(\d+)\.layer_scale_parameter",
        r"stage.\1.convnext_block.\2.parameter.weight",
    ),
    Rule(
        STAGE + r"layers\.(\d+)\.(\w+)\.(\w+)",
        lambda m: f"stage.{m[1]}.convnext_block.{m[2]}.{PARTS[m[3]]}.{m[4]}",
    ),
    Rule(r"convnext\.layernorm\.(\w+)", r"layer_norm_2.\1"),
    Rule(r"classifier\.(\w+)", r"linear.\1"),
]


def reference(depths, widths, classes=1000, **facts):
    config = ConvNextConfig(
        depths=depths,
        hidden_sizes=widths,
        num_stages=len(depths),
        num_labels=classes,
        layer_scale_init_value=0.5,
        **{"layer_norm_eps": 1e-6, **facts},
    )
    torch.manual_seed(0)
    return jittered(ConvNextForImageClassification(config))


def small(**facts):
    depths, widths = [1, 2, 1], [16, 24, 40]
    theirs = reference(depths, widths, 10, **facts)
    settings = {"depths": depths, "widths": widths, "classes": 10}
    ours = archdsl.load(f"{SPECS}/convnext_t.arch:convnext_t", settings=settings)
    return fill(ours, theirs, RULES), theirs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "depth", "width"),
    [("convnext_t", 9, 96), ("convnext_s", 27, 96), ("convnext_b", 27, 128)],
)
def test_a_convnext_equals_the_reference(spec, depth, width):
    theirs = reference([3, 3, depth, 3], [width << i for i in range(4)])
    ours = fill(archdsl.load(f"{SPECS}/{spec}.arch:{spec}"), theirs, RULES)
    assert difference(ours, theirs, images(224, 224)) <= TOLERANCE


@pytest.mark.parametrize("size", [(64, 96), (75, 33)])
def test_a_small_one_equals_the_reference(size):
    ours, theirs = small()
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


def test_its_gradients_in_training_equal_the_references():
    ours, theirs = small()
    ours.train()
    theirs.train()
    assert gradient_difference(ours, theirs, RULES, images(64, 96)) <= TOLERANCE


def test_its_branches_are_left_out_as_often_as_the_references():
    settings = {"depths": [1, 2, 3], "widths": [8, 8, 8], "drop_path": 0.4}
    text = f"{SPECS}/convnext_t.arch:convnext"
    ours = archdsl.load(text, settings=settings, sizes={"H": 32, "W": 32})
    rates = [m.rate for m in ours.modules() if type(m).__name__ == "DropPath"]
    config = ConvNextConfig(depths=[1, 2, 3], hidden_sizes=[8] * 3, num_stages=3,
                            drop_path_rate=0.4)  # fmt: skip
    theirs = ConvNextForImageClassification(config)
    drops = [m for m in theirs.modules() if type(m).__name__ == "ConvNextDropPath"]
    assert rates == pytest.approx([m.drop_prob for m in drops])


def test_its_layer_scale_starts_where_the_references_does():
    ours = archdsl.load(f"{SPECS}/convnext_t.arch:convnext_t")
    scale = ours.stage[0].convnext_block[0].parameter.weight
    assert torch.equal(scale, torch.full((96,), 1e-6))


@pytest.mark.parametrize("fact", [{"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-3}])
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY

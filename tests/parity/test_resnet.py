"""ResNets compute what those of transformers compute."""

import pytest
import torch
from transformers import ResNetConfig, ResNetForImageClassification

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    STATISTICS,
    TOLERANCE,
    difference,
    fill,
    gap,
    images,
    jittered,
    logits,
    state,
    translated,
)

RULES = "transformers"  # as the spec declares them


def reference(depths, *, basic=False, **facts):
    """A ResNet of transformers, with torchvision's facts unless others are given."""
    widths = [64, 128, 256, 512] if basic else [256, 512, 1024, 2048]
    config = ResNetConfig(
        depths=depths,
        layer_type="basic" if basic else "bottleneck",
        hidden_sizes=widths[: len(depths)],
        **{"num_labels": 1000, "downsample_in_bottleneck": False, **facts},
    )
    torch.manual_seed(0)
    return jittered(ResNetForImageClassification(config))


def small(spec="resnet50", **facts):
    """Both models, of three stages; facts of the reference may differ from the spec."""
    theirs = reference([1, 2, 1], **{"num_labels": 10, **facts})
    settings = {"depths": [1, 2, 1], "classes": 10}
    ours = archdsl.load(f"{SPECS}/{spec}.arch", settings=settings)
    return fill(ours, theirs, RULES), theirs


@pytest.mark.parametrize(("spec", "basic"), [("resnet18", True), ("resnet50", False)])
@pytest.mark.parametrize("size", [(64, 96), (75, 33)])
def test_it_equals_the_reference_at_other_sizes_and_depths(spec, basic, size):
    ours, theirs = small(spec, basic=basic)
    assert difference(ours, theirs, images(*size)) <= TOLERANCE


@pytest.mark.parametrize(("spec", "basic"), [("resnet18", True), ("resnet50", False)])
def test_training_updates_its_statistics_as_the_references(spec, basic):
    ours, theirs = small(spec, basic=basic)
    before = {k: v.clone() for k, v in state(ours).items()}
    ours.train()
    theirs.train()
    for seed in (1, 2):
        x = images(64, 96, seed=seed)
        with torch.no_grad():
            assert gap(logits(ours, x), logits(theirs, x)) <= TOLERANCE
    mine, yours = state(ours), translated(state(theirs), RULES, ours)
    moved = {k for k in mine if not torch.equal(mine[k], before[k])}
    assert moved == {k for k in mine if k.endswith(STATISTICS)}
    assert max(gap(mine[k].double(), yours[k].double()) for k in moved) <= TOLERANCE


@pytest.mark.parametrize(
    "fact",
    [
        {"downsample_in_bottleneck": True},
        {"downsample_in_first_stage": True},
        {"hidden_act": "relu6"},
    ],
    ids=lambda fact: next(iter(fact)),
)
def test_another_fact_is_seen(fact):
    ours, theirs = small(**fact)
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_another_epsilon_is_seen():
    ours, theirs = small()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3
    assert difference(ours, theirs, images(64, 64)) > CLEARLY


def test_another_momentum_is_seen():
    ours, theirs = small()
    ours.train()
    theirs.train()
    theirs.resnet.embedder.embedder.normalization.momentum = 0.01
    x = images(64, 64)
    ours(x)
    theirs(x)
    mine, yours = state(ours), translated(state(theirs), RULES, ours)
    name = "conv_bn.batch_norm.running_mean"
    assert gap(mine[name], yours[name]) > CLEARLY

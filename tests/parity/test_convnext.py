"""How a ConvNeXt begins, which no comparison of weights tells."""

import pytest
import torch
from transformers import ConvNextConfig, ConvNextForImageClassification

import archdsl
from tests.parity.reference import SPECS


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

"""Pools of three axes on one example, in whatever order its axes lie."""

import itertools

import pytest
import torch
import torch.nn.functional as F

import archdsl
from archdsl.backends.torch.load import load

AXES = {"C": 3, "D": 2, "H": 4, "W": 5}


@pytest.mark.parametrize("order", list(itertools.permutations(AXES)), ids="".join)
def test_a_max_pool_takes_one_volume(order):
    axes = ", ".join(f"{a} = {AXES[a]}" for a in order)
    code = "max_pool(2, over = [D, H, W])"
    text = f"model m {{\n  input x: [{axes}]\n  {code}\n  output y\n}}\n"
    x = torch.randn([AXES[a] for a in order])
    volume = x.permute([order.index(a) for a in "CDHW"]).contiguous()
    expected = F.max_pool3d(volume[None], 2)[0]
    found = load(archdsl.parse(text))(x)
    torch.testing.assert_close(
        found.permute([order.index(a) for a in "CDHW"]), expected
    )

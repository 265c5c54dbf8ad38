"""Lists of tensors: given to blocks, returned, labelled in nested loops."""

from __future__ import annotations

import torch

import archdsl

HEADS = """
block laterals[features](dim) { return [f -> conv(dim, 1) for f in features] }

block weighted[xs, gain](bias = 0) { xs[0] + xs[1] * gain + bias }

block heads[xs, xs_0]() { xs[0] + xs[1] + xs_0 }

model net() {
  input image: [B, C = 3, H = 8, W = 8]
  repeat(3) { conv(4, 3, stride = 2) as levels }
  let low, middle, top = levels -> laterals(6)
  let more = [middle, low] -> laterals(6)
  let gain = parameter(C = 6, init = "ones")
  output two = [middle, middle] -> weighted[gain](bias = 1)
  output all = [low, more[1]] -> heads[low]
  output pyramid = [low, middle, top]
}
"""


def test_a_list_of_features_goes_into_a_block():
    net = archdsl.load(HEADS)
    image = torch.randn(2, 3, 8, 8)
    made = net(image)
    levels, x = [], image
    for layer in net.levels:
        x = layer(x)
        levels.append(x)
    sides = [conv(level) for conv, level in zip(net.laterals.conv, levels, strict=True)]
    assert all(map(torch.equal, made["pyramid"], sides))
    low, middle, top = made["pyramid"]
    assert [t.shape[-1] for t in (low, middle, top)] == [4, 2, 1]
    assert torch.allclose(made["two"], 2 * middle + 1)
    assert made["all"].shape == low.shape


def test_lists_of_another_length_make_another_specialisation():
    graph = archdsl.parse(HEADS)
    counts = [len(node.inputs) for node in graph if node.path[0].startswith("lateral")]
    assert counts == [3, 2]
    assert (
        archdsl.analyze(HEADS).totals.params
        == 3 * 4 * 9 + 4 + 2 * (4 * 4 * 9 + 4) + 3 * (4 * 6 + 6) + 2 * (6 * 6 + 6) + 6
    )


def test_a_name_that_an_item_would_take_stays_the_blocks():
    graph = archdsl.parse(HEADS)
    heads = next(node for node in graph if node.path[0] == "heads")
    assert [port for port, _ in heads.inputs] == ["xs_0_", "xs_1", "xs_0"]


def test_labels_in_nested_loops_are_nested_lists():
    text = """
    model net() {
      input x: [B, C = 4]
      for i in range(2) { for j in range(3) { linear(4) as grid } }
      output corner = grid[1][2]
      output first = grid[0]
    }
    """
    net, x = archdsl.load(text), torch.randn(2, 4)
    made = net(x)
    assert len(made["first"]) == 3
    assert len(dict(net.named_parameters())) == 12


def test_a_labelled_residual_in_a_loop_is_a_scope():
    text = """
    model net() {
      input x: [B, C = 4]
      repeat(2) { residual { linear(4) -> relu } as grown }
      output y = grown
    }
    """
    net = archdsl.load(text)
    assert [n for n, _ in net.named_parameters()][:1] == ["layers.0.linear.weight"]

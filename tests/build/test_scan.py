"""Recurrent cells written in the language: `scan` against PyTorch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl

LSTM = """
block lstm_cell[x, h, c](hidden) {
  let gates = x -> linear(4 * hidden)
  let all = gates + (h -> linear(4 * hidden))
  let i = all -> slice(C, 0, hidden) -> sigmoid
  let f = all -> slice(C, hidden, 2 * hidden) -> sigmoid
  let g = all -> slice(C, 2 * hidden, 3 * hidden) -> tanh
  let o = all -> slice(C, 3 * hidden, 4 * hidden) -> sigmoid
  let new = f * c + i * g
  return o * (new -> tanh), new
}

model net(hidden = 6, reverse = false) {
  input x: [B, T = 5, C = 4]
  let ys, last_h, last_c = x -> scan(T, reverse = reverse, states = true)
      [x, h = zeros(C = hidden), c = zeros(C = hidden)] {
    let out, cell = x -> lstm_cell[h, c](hidden)
    return out, (out, cell)
  }
  output y = ys
  output h = last_h
  output c = last_c
}
""".replace("states = true)\n     ", "states = true)")


def run(net, *args):
    with FlopCounterMode(display=False) as counter:
        made = net(*args)
    return made, counter.get_total_flops()


def agrees(text: str, net: nn.Module, *args: torch.Tensor, **settings):
    """The output, after what is static was found equal to what is measured."""
    batch = {"B": args[0].shape[0]}
    report = archdsl.analyze(text, sizes=batch, settings=settings)
    made, flops = run(net, *args)
    assert report.totals.matmul_flops == flops
    assert report.totals.params == sum(p.numel() for p in net.parameters())
    assert report.totals.macs == sum(layer.macs for layer in report.layers)
    return made


@pytest.mark.parametrize("reverse", [False, True])
def test_a_cell_of_ones_own_equals_nn_lstm(reverse):
    oracle = nn.LSTM(4, 6, batch_first=True).double()
    net = archdsl.load(LSTM, settings={"reverse": reverse}).double()
    cell = net.scan.lstm_cell
    cell.linear.load_state_dict(
        {"weight": oracle.weight_ih_l0, "bias": oracle.bias_ih_l0}
    )
    cell.linear_2.load_state_dict(
        {"weight": oracle.weight_hh_l0, "bias": oracle.bias_hh_l0}
    )
    x = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    made = agrees(LSTM, net, x, reverse=reverse)
    y, (h, c) = oracle(x.flip(1) if reverse else x)
    y = y.flip(1) if reverse else y
    assert torch.allclose(made["y"], y, atol=1e-12)
    assert torch.allclose(made["h"], h[0], atol=1e-12)
    assert torch.allclose(made["c"], c[0], atol=1e-12)
    ours, theirs = (torch.autograd.grad(v.square().sum(), x)[0] for v in (made["y"], y))
    assert torch.allclose(ours, theirs, atol=1e-12)


def test_the_built_in_lstm_costs_as_much():
    built_in = LSTM[: LSTM.index("  let ys")] + "  lstm(hidden)\n  output y\n}\n"
    one, other = archdsl.analyze(LSTM), archdsl.analyze(built_in)
    assert one.totals.macs == other.totals.macs
    assert one.totals.params == other.totals.params


GRU = """
model net(hidden = 6) {
  input x: [B, T = 7, C = 4]
  scan(T, last = true) [x, h = zeros(C = hidden)] {
    let from_x = x -> linear(3 * hidden)
    let from_h = h -> linear(3 * hidden)
    let two = (from_x -> slice(C, 0, 2 * hidden)) + (from_h -> slice(C, 0, 2 * hidden))
    let gates = two -> sigmoid
    let r = gates -> slice(C, 0, hidden)
    let z = gates -> slice(C, hidden, 2 * hidden)
    let n = (from_x -> slice(C, 2 * hidden, 3 * hidden))
        + r * (from_h -> slice(C, 2 * hidden, 3 * hidden)) -> tanh
    n + z * (h - n)
  }
  output y
}
""".replace("\n        + r", " + r")


def test_a_gated_unit_equals_nn_gru():
    oracle = nn.GRU(4, 6, batch_first=True).double()
    net = archdsl.load(GRU).double()
    for layer, kind in ((net.scan.linear, "ih"), (net.scan.linear_2, "hh")):
        layer.weight.data = getattr(oracle, f"weight_{kind}_l0").data
        layer.bias.data = getattr(oracle, f"bias_{kind}_l0").data
    x = torch.randn(3, 7, 4, dtype=torch.float64)
    assert torch.allclose(agrees(GRU, net, x), oracle(x)[1][0], atol=1e-12)


SUM = """
model net() {
  input x: [B, T = 6, H = 2, C = 3]
  input gain: [B, T = 6]
  input start: [B, H = 2, C = 3]
  x -> scan(T) [x, gain, sum = start] { sum + gain * x }
  output y
}
"""


def test_several_sequences_and_a_given_state():
    net = archdsl.load(SUM)
    x, gain, start = torch.randn(2, 6, 2, 3), torch.randn(2, 6), torch.randn(2, 2, 3)
    weighted = x * gain[:, :, None, None]
    wanted = start[:, None] + weighted.cumsum(1)
    assert torch.allclose(agrees(SUM, net, x, gain, start), wanted, atol=1e-5)


AROUND = """
block stack[x](hidden) {
  let memory = x -> mean(T)
  let pair = [memory, x]
  scan(T) [x, h = memory] { tanh(h) + x * memory + (pair[1] -> max(T)) }
  linear(hidden)
}

model net() {
  input x: [B, T = 4, C = 3]
  stack(3) -> stack(3)
  for hidden in [5, 6, 7] { scan(T) [x, h = zeros(C = hidden)] {
    concat([x, h]) -> linear(hidden) -> tanh
  } }
  output y
}
""".replace("tanh(h)", "(h -> tanh)")


def test_what_stands_around_a_scan_can_be_read():
    net = archdsl.load(AROUND)
    x = torch.randn(2, 4, 3)
    y = agrees(AROUND, net, x)
    assert y.shape == (2, 4, 7)

    def stack(x, linear):
        memory = h = x.mean(1)
        made = []
        for now in x.unbind(1):
            h = torch.tanh(h) + now * memory + x.amax(1)
            made.append(h)
        return linear(torch.stack(made, 1))

    wanted = stack(stack(x, net.stack.linear), net.stack_2.linear)
    for cell in (turn["scan"] for turn in net.layers):
        h, made = torch.zeros(2, cell.linear.out_features), []
        for now in wanted.unbind(1):
            h = torch.tanh(cell.linear(torch.cat([now, h], 1)))
            made.append(h)
        wanted = torch.stack(made, 1)
    assert torch.allclose(y, wanted, atol=1e-5)


NESTED = """
model net() {
  input x: [B, C = 2, H = 3, W = 4]
  scan(H) [row, up = zeros(W = 4, C = 2)] {
    let out = row + up -> scan(W, reverse = true) [x, left = zeros(C = 2)] {
      x * 2 + left
    }
    return out, (out,)
  }
  output y: [B, C = 2, H, W]
}
"""


def test_scans_nest_along_two_axes():
    net = archdsl.load(NESTED)
    x = torch.randn(2, 2, 3, 4)
    up, rows = torch.zeros(2, 2, 4), []
    for row in x.unbind(2):
        up = (2 * (row + up)).flip(-1).cumsum(-1).flip(-1)
        rows.append(up)
    assert torch.allclose(agrees(NESTED, net, x), torch.stack(rows, 2), atol=1e-5)


def test_a_scan_over_an_open_axis_runs_at_any_length():
    net = archdsl.load(GRU, sizes={"T": None})
    formula = archdsl.analyze(GRU, sizes={"T": None}).totals.macs
    for length in (1, 4, 9):
        closed = archdsl.load(GRU, sizes={"T": length})
        closed.load_state_dict(net.state_dict())
        x = torch.randn(2, length, 4)
        assert torch.equal(net(x), closed(x))
        macs = archdsl.analyze(GRU, sizes={"T": length}).totals.macs
        assert eval(str(formula), {"T": length}) == macs


def test_scans_export_and_compile():
    net, x = archdsl.load(LSTM), torch.randn(2, 5, 4)
    wanted = net(x)["y"]
    exported = torch.export.export(net, (x,)).module()
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    assert torch.allclose(exported(x)["y"], wanted, atol=1e-6)
    assert torch.allclose(compiled(x)["y"], wanted, atol=1e-6)


HIERARCHY = """
model net() {
  input x: [B, T = 3, S = 4, C = 5]
  scan(T) [row, h = zeros(C = 6)] {
    row -> scan(S, last = true) [word, g = h] {
      concat([word, g]) -> linear(6) -> tanh
    }
  }
  output y: [B, T, C = 6]
}
"""


def test_a_state_has_no_more_axes_than_the_body_needs():
    net, x = archdsl.load(HIERARCHY), torch.randn(2, 3, 4, 5)
    y = agrees(HIERARCHY, net, x)
    linear, h = net.scan.scan.linear, torch.zeros(2, 6)
    for row in range(3):
        for word in range(4):
            h = torch.tanh(linear(torch.cat([x[:, row, word], h], 1)))
        assert torch.allclose(y[:, row], h, atol=1e-6)


def test_a_state_of_a_map_gets_the_positions_that_the_body_needs():
    text = """
    block cell[x, h]() { concat([x, h]) -> conv(x.C, 3) -> tanh }
    model net() {
      input x: [B, T = 3, C = 5, H = 4, W = 4]
      scan(T) [x, h = zeros(C = 5)] { x -> cell[h] }
      output y: [B, T, C = 5, H = 4, W = 4]
    }
    """
    assert agrees(text, archdsl.load(text), torch.randn(2, 3, 5, 4, 4)).shape[1] == 3

"""A recurrence that is written out with `scan` is that of torch.nn, either way."""

import pytest
import torch
from torch import nn

import archdsl
from tests.parity.reference import CLEARLY, SPECS, TOLERANCE, Rule, fill, gap, jittered


@pytest.mark.parametrize("reverse", [False, True])
def test_the_cell_that_is_written_out_equals_nn_lstm(reverse):
    theirs = jittered(nn.LSTM(128, 256, batch_first=True))
    ours = archdsl.load(f"{SPECS}/lstm_scan.arch", settings={"reverse": reverse})
    rules = [
        Rule(r"(weight|bias)_ih_l0", r"all.lstm_cell.linear.\1"),
        Rule(r"(weight|bias)_hh_l0", r"all.lstm_cell.linear_2.\1"),
    ]
    fill(ours, theirs, rules)
    x = torch.randn(2, 20, 128, dtype=torch.float64, requires_grad=True)
    made = ours(x)
    states, (last, cell) = theirs(x.flip(1) if reverse else x)
    states = states.flip(1) if reverse else states
    pairs = [("states", states), ("last", last[0]), ("cell", cell[0])]
    assert max(gap(made[name], wanted) for name, wanted in pairs) <= TOLERANCE
    one, two = (
        torch.autograd.grad(y.square().sum(), x)[0] for y in (made["states"], states)
    )
    assert gap(one, two) <= TOLERANCE
    assert gap(made["states"], states.flip(1)) > CLEARLY


def test_an_lstm_by_scan_costs_what_the_op_costs():
    text = (
        "model m {\n  input words: [B, T = 20, C = 128]\n  lstm(256)\n"
        "  output states\n}\n"
    )
    ours, op = archdsl.analyze("lstm_scan").totals, archdsl.analyze(text).totals
    assert (ours.params, ours.macs) == (op.params, op.macs)
    assert ours.flops == op.flops

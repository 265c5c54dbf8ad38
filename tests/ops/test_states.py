"""Recurrent layers begin and end with the states of PyTorch's, in float64."""

import itertools

import pytest
import torch
from torch import nn

import archdsl
from tests.parity.reference import CLEARLY, TOLERANCE, gap, jittered

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SIZE, HIDDEN, STEPS, BATCH = 3, 4, 5, 2


def theirs(kind: str, layers: int, both: bool) -> nn.Module:
    cells = KINDS[kind](SIZE, HIDDEN, layers, batch_first=True, bidirectional=both)
    return jittered(cells).double()


def ours(kind: str, layers: int, both: bool, last: str, length: int) -> nn.Module:
    words = f"{HIDDEN}, {layers}, bidirectional = {str(both).lower()}, last = {last}"
    text = (
        f"model m {{\n  input x: [B, T = {STEPS}, C = {SIZE}]\n"
        f"  input s: [B, C = {length}]\n  x -> {kind}({words}, state = s)\n"
        "  output y\n}\n"
    )
    return archdsl.load(text).double()


def cut(state: torch.Tensor, count: int) -> list[torch.Tensor]:
    """What torch takes: a tensor (layers and directions, B, hidden) of each kind."""
    parts = state.split(HIDDEN, -1)
    return [torch.stack(parts[i : i + count]) for i in range(0, len(parts), count)]


def results(module: nn.Module, kind: str, x, first: list[torch.Tensor]):
    """Every state, the last layer's final one, and all that is held at the end."""
    cells = kind == "lstm"
    every, final = module(x, tuple(first) if cells else first[0])
    states, *rest = final if cells else (final,)
    ways = 1 + module.bidirectional
    whole = torch.cat([part for kind in (states, *rest) for part in kind], -1)
    return {
        "false": every,
        "true": torch.cat(list(states[-ways:]), -1),
        '"all"': whole,
    }


@pytest.mark.parametrize("last", ["false", "true", '"all"'])
@pytest.mark.parametrize(
    ("kind", "layers", "both"), list(itertools.product(KINDS, (1, 2), (False, True)))
)
def test_a_first_state_and_the_final_ones_are_those_of_torch(kind, layers, both, last):
    count = layers * (1 + both)
    length = count * HIDDEN * (1 + (kind == "lstm"))
    reference, made = theirs(kind, layers, both), ours(kind, layers, both, last, length)
    (part,) = made.children()
    part.load_state_dict(reference.state_dict())
    x = torch.randn(BATCH, STEPS, SIZE, dtype=torch.float64, requires_grad=True)
    s = torch.randn(BATCH, length, dtype=torch.float64, requires_grad=True)
    y, wanted = made(x, s), results(reference, kind, x, cut(s, count))[last]
    assert gap(y, wanted) <= TOLERANCE
    pairs = zip(
        torch.autograd.grad(y.square().sum(), (x, s, *part.parameters())),
        torch.autograd.grad(wanted.square().sum(), (x, s, *reference.parameters())),
        strict=True,
    )
    assert max(gap(one, two) for one, two in pairs) <= TOLERANCE
    assert gap(made(x, s.roll(HIDDEN // 2, 1)), wanted) > CLEARLY


def test_states_in_another_order_are_not_those_of_torch():
    """The lie that this file is to find: cells in the place of states."""
    made, reference = ours("lstm", 1, False, '"all"', 8), theirs("lstm", 1, False)
    (part,) = made.children()
    part.load_state_dict(reference.state_dict())
    x = torch.randn(BATCH, STEPS, SIZE, dtype=torch.float64)
    s = torch.randn(BATCH, 8, dtype=torch.float64)
    wanted = results(reference, "lstm", x, cut(s, 1)[::-1])['"all"']
    assert gap(made(x, s), wanted) > CLEARLY


def test_a_decoder_goes_on_where_an_encoder_ended():
    """Two halves one after another are the whole, with the same weights."""
    text = """model m {
  input x: [B, T = 8, C = 3]

  x -> lstm(4, layers = 2, last = "all") as middle
  x -> lstm(4, layers = 2, state = middle)
  output y
}
"""
    made = archdsl.load(text).double()
    x = torch.randn(BATCH, 8, 3, dtype=torch.float64)
    first, second = [m for m in made.modules() if isinstance(m, nn.LSTM)]
    second.load_state_dict(first.state_dict())
    twice, _ = first(torch.cat((x, x), 1))
    assert gap(made(x), twice[:, 8:]) <= TOLERANCE

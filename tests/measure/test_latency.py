"""Latency: every module is found, nothing is counted twice, and slow layers show."""

import time

import pytest
import torch
from torch import nn

import archdsl
from archdsl.backends.torch.measure.latency import measure
from archdsl.backends.torch.measure.trial import Trial


class Sleeping(Trial):
    """A trial in which one layer sleeps, 20 ms forwards and 40 ms backwards."""

    def model(self, turn=0):
        model = super().model(turn)
        model.unit[1].linear = _Sleeper(model.unit[1].linear)
        return model


class _Sleeper(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return _Sleep.apply(self.inner(x))


class _Sleep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        time.sleep(0.02)
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        time.sleep(0.04)
        return g


SPEC = """block unit[x] { residual { linear(8) -> relu } }
model m {
  input x: [B = 2, C = 8]
  repeat(3) { unit }
  linear(4)
  output y
}
"""


def test_a_slow_layer_shows_where_it_is():
    found = measure(Sleeping(archdsl.parse(SPEC)), runs=3, warm_up=1, backward=True)
    times = {module.path: module for module in found.modules}
    assert next(iter(times)) == ""
    for path in ("", "unit", "unit.1", "unit.1.linear"):
        assert 0.02 <= times[path].forward < 0.04
        assert 0.04 <= times[path].backward < 0.08
    for path in ("unit.0", "unit.2", "linear"):
        assert times[path].forward < 0.01
        assert times[path].backward < 0.02
    assert times["unit.1"].own < 0.01
    assert 0.02 <= found.fastest <= found.forward <= found.slowest
    assert found.backward >= 0.04


def test_modules_are_those_that_run_with_their_work():
    found = measure(Trial(archdsl.parse("resnet18", sizes={"H": 64, "W": 64})), 2, 0)
    model = archdsl.load("resnet18")
    lists = [n for n, m in model.named_modules() if isinstance(m, nn.ModuleList)]
    names = {n for n, _ in model.named_modules()} - set(lists)
    assert {module.path for module in found.modules} == names
    report = archdsl.analyze("resnet18", sizes={"H": 64, "W": 64})
    times = {module.path: module for module in found.modules}
    assert times[""].macs == report.totals.macs
    first = next(layer for layer in report.layers if layer.macs)
    assert times[first.path].macs == first.macs
    assert all(module.backward is None for module in found.modules)
    own = sum(module.own for module in found.modules)
    assert own == pytest.approx(times[""].forward, rel=0.5)


def test_a_shared_layer_is_called_often_and_ids_have_no_gradient():
    text = """model m {
  input tokens: int[B, T = 5]
  layer f = linear(4)
  tokens -> embedding(7, 4) -> f -> f -> lstm(3, last = true)
  output y
}
"""
    found = measure(Trial(archdsl.parse(text)), 2, 1, backward=True)
    times = {module.path: module for module in found.modules}
    assert times["f"].calls == 2
    assert all(times[n].backward > 0 for n in ("", "embedding", "f", "lstm"))
    assert times[""].backward >= times["lstm"].backward


def test_several_outputs_are_timed_without_a_warning(recwarn):
    text = SPEC.replace(
        "linear(4)\n  output y", "linear(4) as y\n  output y\n  output z = y"
    )
    found = measure(Trial(archdsl.parse(text)), 1, 0, backward=True)
    assert found.modules[0].backward >= found.modules[-1].backward > 0
    assert not recwarn.list


def test_threads_are_set_for_the_run_alone():
    before = torch.get_num_threads()
    found = measure(Trial(archdsl.parse(SPEC)), 1, 0, threads=before + 1)
    assert found.threads == before + 1
    assert torch.get_num_threads() == before

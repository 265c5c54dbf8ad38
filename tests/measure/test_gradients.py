"""Gradients of layers: those of autograd by hand, and what vanishes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import archdsl
from archdsl.backends.torch.measure.gradients import measure
from archdsl.backends.torch.measure.trial import Trial, Unmeasurable, chance

BODY = "\n  input x: {}\n  {}\n  output y\n}}\n"


def graph(body, shape="[B = 4, C = 3]"):
    return archdsl.parse("model m {" + BODY.format(shape, body))


def by_path(found):
    return {layer.path: layer for layer in found.layers}


def test_norms_are_those_that_autograd_gives_by_hand():
    trial = Trial(graph("linear(5) -> tanh -> linear(2)"), double=True)
    found = by_path(measure(trial, samples=1))
    model, (x,) = trial.model(), trial.inputs()
    w, b, v, c = (p.detach().clone().requires_grad_() for p in model.parameters())
    h = F.linear(x, w, b)
    h.retain_grad()
    y = F.linear(torch.tanh(h), v, c)
    drawn = torch.randn(
        4, 2, generator=torch.Generator().manual_seed(chance(0, 0, "gradient"))
    ).double()
    y.backward(drawn / drawn.norm())
    first, last = found["linear"], found["linear_2"]
    assert last.output == pytest.approx(1)
    assert first.output == pytest.approx(h.grad.norm().item())
    for layer, weights in ((first, (w, b)), (last, (v, c))):
        gradient = math.hypot(*(p.grad.norm().item() for p in weights))
        there = math.hypot(*(p.detach().norm().item() for p in weights))
        assert layer.weight == pytest.approx(gradient)
        assert layer.update == pytest.approx(gradient / there)
    assert (first.params, last.params) == (20, 12)
    # The same in closed form, with no autograd at all.
    back = (drawn / drawn.norm()) @ v * (1 - torch.tanh(h) ** 2)
    assert_close(back.norm().item(), first.output)


def test_samples_are_averaged_as_squares():
    trial = Trial(graph("linear(5) -> linear(2)"), double=True)
    both = measure(trial, samples=2).layers[0].output
    one = measure(trial, samples=1).layers[0].output
    second = 2 * both**2 - one**2
    assert second > 0
    assert second != pytest.approx(one**2)


def test_gradients_vanish_in_a_deep_plain_net_and_not_in_its_residual_twin():
    plain = measure(Trial(graph("repeat(30) { linear(3) -> sigmoid }")))
    twin = measure(Trial(graph("repeat(30) { residual { linear(3) -> sigmoid } }")))
    assert plain.ratio < 1e-6
    assert plain.layers[0].verdict == "vanishes"
    assert plain.layers[-1].verdict == ""
    assert twin.ratio > 0.1
    assert {layer.verdict for layer in twin.layers} == {""}


def test_gradients_explode_where_layers_enlarge():
    large = "block large[x] { 20 * x }\nmodel m {"
    text = large + BODY.format("[B = 4, C = 3]", "repeat(12) { linear(3) -> large }")
    made = archdsl.parse(text)
    found = measure(Trial(made))
    assert found.ratio > 1000
    assert found.layers[0].verdict == "explodes"


def test_a_shared_layer_is_one_row_with_all_its_uses():
    found = measure(Trial(graph("layer f = linear(3)\n  x -> f -> f -> f")), samples=1)
    (layer,) = found.layers
    assert layer.path == "f"
    assert layer.output > 1


def test_parts_of_an_op_are_its_own():
    found = measure(Trial(graph("attention(1)", "[B = 2, T = 4, C = 4]")), samples=1)
    (layer,) = found.layers
    assert (layer.path, layer.params) == ("attention", 80)
    assert layer.output == pytest.approx(1)


def test_states_of_lstms_and_several_outputs_have_gradients():
    text = """model m {
  input tokens: int[B = 2, T = 5]
  embedding(7, 4) -> lstm(3, last = true) as h
  output a = h -> linear(2)
  output b = h -> linear(3)
}
"""
    found = by_path(measure(Trial(archdsl.parse(text)), samples=1))
    assert list(found) == ["embedding", "h", "linear", "linear_2"]
    norms = [found[name].output for name in ("linear", "linear_2")]
    assert math.hypot(*norms) == pytest.approx(1)
    assert all(layer.output > 0 for layer in found.values())


def test_what_has_no_gradient_says_so():
    with pytest.raises(Unmeasurable, match="no gradient"):
        measure(Trial(graph("relu")))
    body, shape = "conv(2, 3) -> mean(T) -> batch_norm", "[B = 1, C = 3, T = 4]"
    with pytest.raises(Unmeasurable, match="--batch 8"):
        measure(Trial(graph(body, shape)))

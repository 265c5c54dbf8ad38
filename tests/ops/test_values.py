"""What ops compute equals what their papers write, in plain formulas."""

import pytest
import torch
from torch import nn

import archdsl
from archdsl.backends.torch.load import load
from archdsl.ops.registry import ops
from tests.ops.test_conformance import graph_of
from tests.tools import inputs_for, jittered, outputs_of


def ran(graph):
    """The names of the input's axes, the module, what goes in and what comes out."""
    (tensor,) = graph.inputs.values()
    module = jittered(load(graph))
    (x,) = inputs_for(graph, 3, torch.float64)
    (y,) = outputs_of(graph, module(x)).values()
    names, order = tensor.names, graph.result_orders[0]
    return names, module, x, y.permute([order.index(axis) for axis in names])


def learned(module, name, count):
    """A learned scale or shift, or what does nothing, for C moved to the end."""
    found = [p for n, p in module.state_dict().items() if n.endswith(name)]
    neutral = torch.ones(count) if name == "weight" else torch.zeros(count)
    return found[0] if found else neutral


@pytest.mark.parametrize("name", ["rms_norm", "group_norm", "instance_norm"])
def test_norms_are_what_their_papers_write(name):
    for example in ops()[name].examples:
        graph = graph_of(example)
        names, module, x, y = ran(graph)
        op = list(graph)[-1].payload
        x, y = x.movedim(names.index("C"), -1), y.movedim(names.index("C"), -1)
        count = x.shape[-1]
        expected = normal(op, [n for n in names if n != "C"], x)
        scale, shift = (learned(module, n, count) for n in ("weight", "bias"))
        torch.testing.assert_close(y, expected * scale + shift)


def normal(op, names, x):
    """Of x with C at the end: over the square's mean, or by groups and positions."""
    if op.name == "rms_norm":
        return x / (x.square().mean(-1, keepdim=True) + op.eps).sqrt()
    over = op.over or [n for n in names if n != "B"]
    groups = op.groups if op.name == "group_norm" else x.shape[-1]
    parts = x.unflatten(-1, (groups, -1))
    dims = (*(names.index(axis) for axis in over), parts.ndim - 1)
    parts = parts - parts.mean(dims, keepdim=True)
    variance = parts.square().mean(dims, keepdim=True)
    return (parts / (variance + op.eps).sqrt()).flatten(-2)


def test_a_frozen_norm_is_one_of_pytorch_in_inference_and_takes_its_weights():
    text = """model m {
  input x: [B, C = 4, H = 3, W = 5]
  batch_norm(1e-3, frozen = true)
  output y
}
"""
    ours, theirs = load(archdsl.parse(text)), jittered(nn.BatchNorm2d(4, eps=1e-3))
    state = theirs.state_dict()
    del state["num_batches_tracked"]
    ours.load_state_dict({f"batch_norm.{n}": value for n, value in state.items()})
    assert not list(ours.parameters())
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    for training in (True, False):
        found = ours.double().train(training)(x)
        torch.testing.assert_close(found, theirs(x))


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("4, stride = 2, padding = 1", {"stride": 2, "padding": 1}),
        ("3, stride = 3, padding = 0", {"stride": 3}),
        ("3, 2, padding = 1, output_padding = 1", {"stride": 2, "padding": 1}),
        (
            "2, padding = 1, dilation = 2, groups = 2",
            {"padding": 1, "dilation": 2, "groups": 2},
        ),
    ],
)
def test_a_transposed_convolution_is_the_transpose_of_one(words, given):
    """``<conv(y), x> = <y, conv_transpose(x)>`` with the same weights, for all x, y."""
    text = f"""model m {{
  input x: [B, C = 4, H = 5, W = 6]
  conv_transpose(6, {words}, bias = false)
  output y
}}
"""
    graph = archdsl.parse(text)
    _, module, x, out = ran(graph)
    (weight,) = module.parameters()
    y = torch.randn_like(out)
    conv = torch.nn.functional.conv2d(y, weight, **given)
    assert conv.shape == x.shape
    torch.testing.assert_close((conv * x).sum(), (y * out).sum())


@pytest.mark.parametrize("kernel", range(1, 8))
@pytest.mark.parametrize("stride", range(1, 6))
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_a_transposed_convolution_makes_an_axis_as_many_times_longer(
    kernel, stride, dilation
):
    text = f"""model m {{
  input x: [B, T, C = 4]
  conv_transpose(4, {kernel}, {stride}, dilation = {dilation})
  output y
}}
"""
    size = archdsl.parse(text, sizes={"T": 7}).outputs[0]["T"]
    more = kernel % 2 == 0 and stride == dilation == 1
    assert size == 7 * stride + more
    size = archdsl.parse(text).outputs[0]["T"]
    assert str(size - more) == ("T" if stride == 1 else f"{stride}*T")

"""Windows over a border, one output at a time: what is put around, and what counts."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl.ops.spread import Sown, Taps

WINDOWS = [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (4, 2), (5, 3), (3, 4), (1, 3)]


def run(code: str, *sizes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A map of one feature, and what an op makes of it."""
    axes = ", ".join(f"{a} = {n}" for a, n in zip("HW", sizes, strict=False))
    text = f"model m {{\n  input x: [B, C = 1, {axes}]\n  {code}\n  output y\n}}\n"
    x = torch.randn(1, 1, *sizes, dtype=torch.float64)
    module = archdsl.load(text).double().eval()
    return x[0, 0], module(x)[0, 0]


def tensorflow(size: int, kernel: int, stride: int) -> list[list[int]]:
    """The positions of each window on an axis, as TensorFlow lays them for "SAME"."""
    count = math.ceil(size / stride)
    missing = max((count - 1) * stride + kernel - size, 0)
    starts = [i * stride - missing // 2 for i in range(count)]
    return [[j for j in range(s, s + kernel) if 0 <= j < size] for s in starts]


def up(size: int, kernel: int, stride: int, padding: int) -> list[list[int]]:
    """Those where a last window may lie partly behind, if it begins before that."""
    starts = range(-padding, size, stride)
    ends = [
        s
        for i, s in enumerate(starts)
        if i == 0 or s - stride + kernel < size + padding
    ]
    return [[j for j in range(s, s + kernel) if 0 <= j < size] for s in ends]


@pytest.mark.parametrize(("kernel", "stride"), WINDOWS)
@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("size", [7, 8, 9])
def test_a_pool_with_the_padding_of_tensorflow(kind, kernel, stride, size):
    code = f'{kind}_pool([{kernel}, 3], [{stride}, 2], "tf_same")'
    x, y = run(code, size, 6)
    rows, columns = tensorflow(size, kernel, stride), tensorflow(6, 3, 2)
    assert y.shape == (len(rows), len(columns))
    reduce = torch.amax if kind == "max" else torch.mean
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        torch.testing.assert_close(y[i, j], reduce(x[row][:, column]))


@pytest.mark.parametrize(("kernel", "stride"), WINDOWS)
@pytest.mark.parametrize("size", [7, 8, 9])
def test_a_convolution_with_the_padding_of_tensorflow(kernel, stride, size):
    code = f'conv(1, {kernel}, {stride}, "tf_same", bias = false)'
    text = f"model m {{\n  input x: [B, C = 1, T = {size}]\n  {code}\n  output y\n}}\n"
    module = archdsl.load(text).double()
    module.conv.weight.data.fill_(1.0)  # it adds what it sees
    x = torch.randn(1, 1, size, dtype=torch.float64)
    windows = tensorflow(size, kernel, stride)
    expected = torch.stack([x[0, 0, window].sum() for window in windows])
    torch.testing.assert_close(module(x)[0, 0], expected)


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(2, 2, 0), (3, 2, 0), (3, 2, 1), (4, 3, 2), (2, 3, 0), (3, 3, 1)],
)
@pytest.mark.parametrize("size", [6, 7, 8])
def test_a_pool_that_rounds_up(kernel, stride, padding, size, counted):
    flags = f"{padding}, ceil_mode = true"
    windows = up(size, kernel, stride, padding)
    x, y = run(f"max_pool({kernel}, {stride}, {flags})", size)
    torch.testing.assert_close(y, torch.stack([x[w].amax() for w in windows]))
    include = f"count_include_pad = {'true' if counted else 'false'}"
    x, y = run(f"avg_pool({kernel}, {stride}, {flags}, {include})", size)
    if not counted:
        torch.testing.assert_close(y, torch.stack([x[w].mean() for w in windows]))
        return
    starts = [i * stride - padding for i in range(len(windows))]
    lengths = [min(s + kernel, size + padding) - s for s in starts]
    sums = [x[w].sum() / n for w, n in zip(windows, lengths, strict=True)]
    torch.testing.assert_close(y, torch.stack(sums))


@pytest.mark.parametrize("sides", [(0, 0), (2, 0), (0, 1), (1, 2)])
def test_each_side_has_its_padding(sides):
    before, behind = sides
    text = "\n".join([
        "model m {",
        "  input x: [B, C = 1, T = 7]",
        f"  conv(1, 3, padding = [[{before}, {behind}]], bias = false)",
        "  output y",
        "}",
    ])  # fmt: skip
    module = archdsl.load(text).double()
    x = torch.randn(1, 1, 7, dtype=torch.float64)
    row = torch.cat([x.new_zeros(before), x[0, 0], x.new_zeros(behind)])
    expected = row.unfold(0, 3, 1) @ module.conv.weight[0, 0]
    torch.testing.assert_close(module(x)[0, 0], expected)


def test_an_open_size_of_tensorflow_is_a_multiple_of_the_stride():
    text = "\n".join([
        "model m {",
        "  input x: [B, C = 1, T]",
        '  conv(1, 5, 2, "tf_same") -> max_pool(3, 2, "tf_same")',
        "  output y",
        "}",
    ])  # fmt: skip
    assert str(archdsl.parse(text).outputs[0]["T"]) == "T//4"
    fixed = archdsl.parse(text, sizes={"T": 24}).outputs[0]["T"]
    assert fixed == 6
    module = archdsl.load(text)
    assert module(torch.randn(2, 1, 24)).shape == (2, 1, 6)
    with pytest.raises(ValueError, match="4 divides T"):
        module(torch.randn(2, 1, 26))


def test_weights_are_standardized_for_each_feature():
    text = "\n".join([
        "model m {",
        "  input x: [B, C = 2, H = 5, W = 4]",
        "  conv(4, 3, groups = 2, standardize = 1e-3)",
        "  output y",
        "}",
    ])  # fmt: skip
    module = archdsl.load(text).double()
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64)
    weight = module.conv.weight
    mean = weight.mean((1, 2, 3), keepdim=True)
    variance = (weight - mean).square().mean((1, 2, 3), keepdim=True)
    even = (weight - mean) / (variance + 1e-3).sqrt()
    bias = module.conv.bias
    expected = torch.nn.functional.conv2d(x, even, bias, padding=1, groups=2)
    torch.testing.assert_close(module(x), expected)


@given(
    size=st.integers(1, 12),
    kernel=st.integers(1, 9),
    stride=st.integers(1, 7),
    dilation=st.integers(1, 7),
    padding=st.integers(0, 9),
    place=st.integers(0, 40),
)
def test_what_a_window_reaches_is_what_its_taps_reach_one_by_one(
    size, kernel, stride, dilation, padding, place
):
    shape = size, kernel, stride, dilation, padding
    taps = [place * stride - padding + tap * dilation for tap in range(kernel)]
    found = Taps("H", *shape).sources({"H": place})
    assert list(found) == [i for i in taps if 0 <= i < size]
    lands = [
        i
        for i in range(size)
        for tap in range(kernel)
        if i * stride - padding + tap * dilation == place
    ]
    assert list(Sown("H", *shape).sources({"H": place})) == lands

"""What is warned about, and what is not: every `.arch` of tests/lints.

``fires*.arch`` is warned about as its ``.err`` says; ``fine*.arch``, which comes close,
is not. ``ARCHDSL_UPDATE=1 pytest tests/analysis/test_lints.py`` rewrites the former.
"""

from __future__ import annotations

import pathlib
import re
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.check import check
from archdsl.analysis.lints import windows
from archdsl.build import read
from archdsl.build.session import MOST_ERRORS
from archdsl.diagnostics import Lint, lints
from archdsl.diagnostics.render import render
from archdsl.ir.facts import Facts
from archdsl.ir.tensor import Tensor
from archdsl.ops.conv import Conv
from archdsl.ops.registry import public_ops
from archdsl.ops.spread import Sown, Taps
from archdsl.ops.windows import default_padding
from archdsl.source import Source
from tests.diagnostics.test_errors import diagnose, golden
from tests.randoms.maker import specs
from tests.tools import examples, jittered

LINTS = pathlib.Path(__file__).parents[1] / "lints"
FIRES = sorted(LINTS.glob("*/fires*.arch"))
FINE = sorted(LINTS.glob("*/fine*.arch"))
# W100 is about the comments that allow warnings; its cases are in tests/errors.
CODES = {c.code for c in vars(lints).values() if isinstance(c, type)}
CODES -= {Lint.code, "W100"}

PUBLIC = list(public_ops())


def name(path: pathlib.Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", FIRES, ids=name)
def test_what_is_probably_not_meant_is_warned_about(path):
    found = diagnose(path)
    assert render(found) == golden(path, render(found))
    assert {d.code for d in found} == {path.parent.name}
    assert {d.severity for d in found} == {"warning"}


@pytest.mark.parametrize("path", FINE, ids=name)
def test_what_comes_close_is_not(path):
    assert render(diagnose(path)) == ""


def test_every_warning_has_a_case_and_a_near_miss():
    assert {p.parent.name for p in FIRES} == {p.parent.name for p in FINE} == CODES


def said(text: str) -> list[str]:
    """The codes of what is said of a text."""
    return [d.code for d in check(read(Source("spec.arch", text)))]


@pytest.mark.parametrize("path", sorted((LINTS / "nets").glob("*.arch")), ids=name)
def test_nets_as_people_write_them_are_fine(path):
    """Those that ship are in tests/specs."""
    assert render(diagnose(path)) == ""


# --- where there is nothing to say --------------------------------------------------


def test_a_file_with_errors_has_no_warnings():
    text = "model m {\n  input x: [B, C = 8]\n\n  let a = 1\n  linear(aa)\n"
    text += "  output y\n}\n"
    assert said(text) == ["E201"]
    assert said(text.replace("aa", "8")) == ["W101"]


def test_a_line_is_warned_about_if_it_is_odd_wherever_it_is_used():
    text = """
block unit[x](norm) {
  conv(8, 3)
  if norm { batch_norm }
}

model m(last = true) {
  input x: [B, C = 8, H = 8, W = 8]

  unit(norm = true) -> relu -> unit(norm = last)
  output y
}
"""
    assert said(text) == ["W201"]
    assert said(text + "\nmodel plain = m(last = false)\n") == []


def test_a_value_that_a_label_replaces_on_one_way_only_is_read():
    text = """
model m(deep = false) {
  input x: [B, C = 8]

  let y = x -> linear(8)
  if deep { x -> linear(4) -> relu -> linear(8) as y }
  y -> relu
  output z
}
"""
    assert said(text) == ["W108"]
    assert said(text.replace("  y -> relu", "  relu")) == ["W101", "W108"]


def test_open_sizes_are_no_obstacle():
    for path in [*FIRES, *FINE]:
        text = path.read_text(encoding="utf-8")
        for axis in "TNHW":
            text = re.sub(rf"(input .*\b{axis}) = \d+", r"\1", text)
        assert isinstance(check(read(Source(path.name, text))), tuple)


def test_there_is_an_end_to_warnings():
    lines = "\n".join(f"  let a{i} = {i}" for i in range(500))
    text = f"model m {{\n  input x: [B, C = 8]\n{lines}\n  relu\n  output y\n}}\n"
    assert said(text) == ["W101"] * MOST_ERRORS


# --- rules, one by one --------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_skipped_positions_are_counted(kernel, stride, dilation):
    """Against the indices that the windows read, in the middle of a long axis."""
    text = (
        "model m {\n  input x: [B, C = 1, T = 600]\n"
        f"  conv(1, {kernel}, {stride}, dilation = {dilation})\n  output y\n}}\n"
    )
    found = [d for d in check(read(Source("m", text))) if d.code == "W202"]
    taps = Taps("T", 600, kernel, stride, dilation)
    read_at = {i for o in range(600 // stride) for i in taps.sources({"T": o})}
    middle = range(240, 240 + 12 * stride)
    share = Fraction(len(read_at.intersection(middle)), len(middle))
    if kernel == 1 or share == 1:
        assert found == []
    else:
        (warning,) = found
        assert Fraction(warning.fault.seen, stride) == share


@pytest.mark.parametrize("kernel", [1, 3, 4, 7, 12])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_taps_outside_are_counted(kernel, size, stride, dilation):
    taps = windows_of(kernel, size, stride, dilation)
    room = size + 2 * taps.padding - dilation * (kernel - 1) - 1
    if room < 0:
        return
    count = room // stride + 1
    inside = {
        t
        for o in range(count)
        for t in range(kernel)
        if 0 <= o * stride - taps.padding + t * dilation < size
    }
    assert windows.taps_outside(taps, size, count) <= kernel - len(inside)
    if stride == 1:
        assert windows.taps_outside(taps, size, count) == kernel - len(inside)


@pytest.mark.parametrize("padding", [None, 0, 2, ((0, 3),), "tf_same"], ids=str)
def test_of_a_plain_convolution_its_windows_say_nothing(padding):
    plain = 0
    for numbers in product(range(1, 6), range(1, 4), range(1, 4), range(1, 14)):
        kernel, stride, dilation, size = numbers
        op = Conv(
            features=1, kernel=kernel, stride=stride, dilation=dilation, padding=padding
        )
        x = Tensor((("B", 1), ("C", 1), ("T", size)))
        if windows._is_plain(op, x):
            plain += 1
            taps, (out,) = op.taps(x), op.outputs({"x": x}, Facts())
            assert windows._skipped(op, taps, out) is None
            assert windows._kernel(op, taps, x, out) is None
    assert plain > 100


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_taps_of_a_checkerboard_are_counted(kernel, stride, dilation):
    """Against the inputs that reach outputs in the middle of a long axis."""
    text = (
        "model m {\n  input x: [B, C = 1, T = 60]\n"
        f"  conv_transpose(1, {kernel}, {stride}, dilation = {dilation})\n"
        "  output y\n}\n"
    )
    sown = Sown("T", 60, kernel, stride, dilation)
    counts = {len(sown.sources({"T": i})) for i in range(30, 60)}
    found = [d.fault for d in check(read(Source("m.arch", text)))]
    expected = [] if len(counts) == 1 else [(min(counts), max(counts))]
    assert [(f.fewest, f.most) for f in found] == expected


def windows_of(kernel: int, size: int, stride: int, dilation: int) -> Taps:
    padding = default_padding(kernel, stride, dilation)
    return Taps("T", size, kernel, stride, dilation, padding)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(
    "steps",
    [
        "conv(4, K)",
        "conv(4, K, dilation = 3) -> conv(4, K)",
        "conv(4, K, stride = 2) -> avg_pool(3, 1)",
        "window_attention(2, 8) -> conv(4, K)",
        "conv(4, K) -> attention(2, causal = true) -> slice(T, 0, 9)",
    ],
)
def test_what_is_unseen_has_no_gradient(kernel, steps):
    """The positions that are counted are those that the compiled module looks at."""
    import torch

    from archdsl.backends.torch.load import load

    steps = steps.replace("K", str(kernel))
    text = f"model m {{\n  input x: [B, C = 4, T = 64]\n\n  {steps}\n"
    text += "  select(T, 5)\n  output y\n}\n"
    (warning,) = check(read(Source("m", text)))
    x = torch.randn(1, 4, 64, dtype=torch.float64, requires_grad=True)
    jittered(load(archdsl.parse(text)))(x).square().sum().backward()
    assert warning.code == "W205"
    assert warning.fault.seen == int((x.grad.abs().sum((0, 1)) > 0).sum())


# --- specs that are right -----------------------------------------------------------

SHIPPED = sorted((LINTS.parents[1] / "specs").rglob("*.arch"))


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_nothing_is_said_of_what_ships(path):
    assert render(diagnose(path)) == ""


def test_random_specs_have_warnings_at_most():
    seen = 0

    @settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
    @seed(0)
    @given(st.sampled_from(PUBLIC).flatmap(specs))
    def law(text: str) -> None:
        nonlocal seen
        found = check(read(Source("m", text)))
        assert not [d for d in found if d.severity == "error"]
        seen += bool(render(found))

    law()
    assert seen

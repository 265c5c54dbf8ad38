"""Promises: what `check` says of them is what the figures are."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis import promises
from archdsl.analysis.settle import Verdict, settle
from archdsl.build import check, read
from archdsl.diagnostics import Refused
from archdsl.ir.assumption import Assumption
from archdsl.ir.dim import Poly, ceil_div, substitute, symbol
from archdsl.ir.promise import FIGURES
from archdsl.source import Source
from tests.randoms.maker import specs
from tests.tools import examples

ROOT = Path(__file__).parents[2]
SIGNS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
NET = """\
model net(width = 16, {parameters}) {{
  input image: [B, C = 3, H = 32, W = {w}]
  {promises}

  conv(width, kernel = 3) -> relu -> max_pool(2) as features
  mean(H, W) -> linear(10)
  output logits: [B, C = 10]
}}
{after}
"""


def net(*lines: str, after: str = "", parameters: str = "depth = 2", w: str = "32"):
    text = "\n  ".join(f"expect {line}" for line in lines)
    return NET.format(promises=text, after=after, parameters=parameters, w=w)


def codes(text: str) -> list[str]:
    return [d.code for d in archdsl.check(text, allow=["all"])]


def one(width: int) -> dict[str, int]:
    """The figures of the model, by hand."""
    conv, linear = width * (9 * 3 + 1), 10 * (width + 1)
    macs = 9 * 3 * width * 32 * 32 + 10 * width
    return {
        "params": conv + linear, "buffers": 0, "macs": macs, "matmul_flops": 2 * macs,
        "weight_bytes": 4 * (conv + linear), "buffer_bytes": 0,
    }  # fmt: skip


# --- figures ------------------------------------------------------------------------


def test_every_figure_that_elaboration_knows_is_computed():
    assert promises.FIGURES.keys() == FIGURES.keys()


@pytest.mark.parametrize("name", one(1))
def test_a_figure_is_what_it_is_and_nothing_else(name):
    figure = one(16)[name]
    assert codes(net(f"{name} == {figure}", f"{figure} <= {name} <= {figure}")) == []
    wrong = (f"{name} == {figure + 1}", f"{name} != {figure}", f"{figure} < {name}")
    assert codes(net(*wrong)) == ["E701"] * 3


@pytest.mark.parametrize("spec", ["swin_t", "gpt2", "bilstm", "resnet18"])
def test_figures_are_those_of_the_report(spec):
    totals = archdsl.analyze(spec).totals
    names = [name for name in FIGURES if hasattr(totals, name)]
    text = "".join(f"  expect {name} == {getattr(totals, name)}\n" for name in names)
    assert codes(f"use {spec} ({spec})\n\nmodel m = {spec} {{\n{text}}}\n") == []
    near = text.replace("\n", " + 1\n")
    found = codes(f"use {spec} ({spec})\n\nmodel m = {spec} {{\n{near}}}\n")
    assert found == ["E701"] * len(names)


def test_figures_of_sections_are_those_of_the_sections():
    """Swin-T's steps and paths, as ``analyze --paths`` counts them."""
    right = "expect sequential_steps == 104\n  expect path_length(H) == 5"
    for text, found in ((right, []), (right.replace("==", "<"), ["E701"] * 2)):
        assert (
            codes(f"use swin_t (swin_t)\nmodel m = swin_t {{\n  {text}\n}}\n") == found
        )


# Models that others are variants of, whose variants promise.
BODIES = {
    "bert", "clip", "convnext", "deit_distilled", "gpt", "hybrid_vit", "llama",
    "nonlocal_resnet", "recurrent", "resnet", "swin", "swinv2", "text_cnn",
    "transformer", "vgg", "vilt", "vit",
}  # fmt: skip


def test_every_shipped_model_promises_its_figures_exactly():
    for path in sorted((ROOT / "specs").glob("*.arch")):
        assert archdsl.check(path, allow=["all"]) == ()
        program = read(Source(path.name, path.read_text("utf-8")), path.parent)
        found = check(program)
        assert not found.diagnostics
        pinned = {
            graph.name: {
                getattr(p.terms[0], "name", "")
                for p in graph.promises
                if p.signs == ("==",)
            }
            for graph in found.graphs
        }
        for name in program.models:
            assert name in BODIES or pinned[name] >= {"params", "macs"}, name


# --- what a promise is about --------------------------------------------------------


def test_a_promise_knows_hyperparameters_values_and_outputs():
    lines = (
        "params == width * (9 * image.C + 1) + 10 * (width + 1)",
        "features.H == H // 2",
        "logits.C == 10",
        "max(params, 2 ** width) == 65536",
        "round(macs / 1e4) == 44",
        "-params < 0 < +params",
    )
    assert codes(net(*lines)) == []


def test_a_hyperparameter_goes_before_a_figure_of_its_name():
    assert codes(net("macs + H == 39", parameters="macs = 7")) == []


def test_a_name_that_only_a_promise_reads_is_read():
    text = net("features.C == half * 2", parameters="half = 8")
    assert [d.fault.message() for d in archdsl.check(text)] == []
    (odd,) = archdsl.check(net("params > 0", parameters="half = 8"))
    assert odd.fault.message() == "hyperparameter `half` of `net` is never used"


def test_a_base_promises_for_itself_and_a_variant_for_its_own():
    after = "model wide = net(width = 32) { expect params == %d }"
    own, wide = one(16)["params"], one(32)["params"]
    assert codes(net(f"params == {own}", after=after % wide)) == []
    assert codes(net(f"params == {own}", after=after % own)) == ["E701"]


def test_promises_name_what_is_below_them_and_a_variant_names_it_too():
    lines = [
        "pyramid[1].H == H // 2", "steps[1].C == n + 6", "low.C * macs == 8 * macs",
    ]  # fmt: skip
    stated = "".join(f"  expect {line}\n" for line in lines)
    text = (
        f"model m(n = 2, deep = true) {{\n{stated}  input x: [B, C = 8, H = 8, W = 8]\n"
        "  if deep { expect macs > 3 } else { expect macs < 3 }\n"
        "  residual { conv(8, 3) as low }\n  repeat(n) { relu as steps }\n  output y\n"
        "  output pyramid = [low, low -> max_pool(2)]\n}\n"
        f"model v = m(2) {{\n{stated}}}\n"
    )
    assert codes(text) == []
    assert codes(text.replace("n + 6", "n + 5")) == ["E701", "E701"]


def test_a_model_that_lacks_a_value_promises_for_all_its_variants():
    text = net("params == 38 * width + 10", parameters="deep")
    assert codes(text) == []
    both = text + "model a = net(2, 3)\nmodel b = net(4, deep = 3)\n"
    assert codes(both) == []
    assert codes(both.replace("38", "39")) == ["E701", "E701"]


def test_a_model_in_another_one_is_not_asked_again(tmp_path):
    (tmp_path / "net.arch").write_text(net("params == 3", "features.T == 3"))
    user = (
        "use net (net)\n\nmodel user {\n  input x: [B, C = 3, H = 8, W = 8]\n"
        "  net -> relu\n  output y\n}\n\nmodel other = net(8)\n"
    )
    (tmp_path / "user.arch").write_text(user)
    assert archdsl.check(tmp_path / "user.arch") == ()
    assert codes((tmp_path / "net.arch").read_text()) == ["E410", "E701"]


def test_only_check_looks_at_promises():
    text = net("params == 3", "features.T == 3", "nothing")
    assert archdsl.analyze(text).totals.params == one(16)["params"]
    assert "expect" not in archdsl.compile(text, settings={"width": 8})


# --- open sizes ---------------------------------------------------------------------

H, W = symbol("H"), symbol("W")
ATOMS = [1, 2, H, W, H * W, H // 2, ceil_div(H, 3), H * H, (H + W) // 4]


@st.composite
def sizes(draw):
    size = draw(st.integers(-3, 3))
    for atom in draw(st.lists(st.sampled_from(ATOMS), max_size=4)):
        size = size + draw(st.integers(-3, 3)) * atom
    return size


@settings(max_examples=300, deadline=None)
@given(sizes(), st.sampled_from(sorted(SIGNS)), sizes() | st.floats(-50, 50))
@example(H // 2 + ceil_div(H, 2), "==", H)
@example(-H, "<=", -4.5)
@example(-H, "<", -3.5)
@example(H, ">=", 4.5)
@example(H, ">", 3.5)
def test_what_is_settled_holds_at_every_size(left, sign, right):
    taken = (Assumption("divides", H, 2), Assumption("at least", H, 4))
    verdict = settle(sign, left, right, taken)
    points = [{"H": h, "W": w} for h in range(4, 17, 2) for w in range(1, 9)]
    held = [
        SIGNS[sign](
            substitute(left, p),
            right if isinstance(right, float) else substitute(right, p),
        )
        for p in points
    ]
    if verdict.holds:
        assert all(held)
    if verdict.holds is False:
        assert verdict.example or not any(held)
    if verdict.example:
        point = {"H": 4, "W": 1} | verdict.example
        assert point["H"] % 2 == 0
        assert point["H"] >= 4
        other = right if isinstance(right, float) else substitute(right, point)
        assert not SIGNS[sign](substitute(left, point), other)


K = symbol("K")
DIVISORS = [2, 3, 4, 7, H, 2 * W, H + W, H - 4, 3 - W, H - W]
TAKEN = [
    Assumption("divides", H - 1, 6),
    Assumption("divides", H, 4),
    Assumption("divides", (H - 1) // 2, 2),
    Assumption("divides", W + 1, 3),
    Assumption("divides", H - W, 4),
    Assumption("at least", H, W + 2),
    Assumption("at most", W, 5),
    Assumption("equals", H, 13),
    Assumption("equals", H, 2 * W + 1),
    Assumption("equals", H + W, 6),
]
POINTS = [
    {"H": h, "W": w, "K": k}
    for h in (*range(1, 14), 24, 25, 36) for w in range(1, 8) for k in (1, 2, 5)
]  # fmt: skip


@st.composite
def formulas(draw, depth=0):
    kind = draw(st.sampled_from("nssss" if depth > 2 else "nss+-*/%c"))
    if kind == "n":
        return draw(st.integers(-4, 5))
    if kind == "s":
        return draw(st.sampled_from([H, W, K]))
    left = draw(formulas(depth + 1))
    if kind in "+-*":
        right = draw(formulas(depth + 1))
        return {"+": left + right, "-": left - right, "*": left * right}[kind]
    by = draw(st.sampled_from(DIVISORS))
    return {"/": left // by, "%": left % by, "c": ceil_div(left, by)}[kind]


def valued(size, point):
    """What it is at a point; None where it divides by zero."""
    try:
        return substitute(size, point)
    except Refused:
        return None


@settings(max_examples=examples(150), deadline=None)
@given(
    formulas(),
    st.sampled_from(sorted(SIGNS)),
    formulas(),
    st.lists(st.sampled_from(TAKEN), max_size=3, unique=True),
)
@example(H, ">=", 5, [TAKEN[0], TAKEN[2]])
@example(K // (H - 4), ">", -1, [])
@example(H // (H - W), ">=", 0, [Assumption("equals", H, W)])
@example(3 % H, "<", 3, [])
def test_no_formula_makes_a_false_promise_hold(left, sign, right, taken):
    """Open divisors, remainders and assumptions that are about several sizes."""
    points = [p for p in POINTS if all(a.holds(p) for a in taken)]
    assume(points)
    try:
        verdict = settle(sign, left, right, taken)
    except Refused:
        return
    values = [(valued(left, p), valued(right, p)) for p in points]
    held = [SIGNS[sign](*pair) for pair in values if None not in pair]
    if verdict.holds:
        assert all(held)
    if verdict.holds is False and not verdict.example:
        assert not any(held)
    if verdict.example:
        point = {"H": 1, "W": 1, "K": 1} | verdict.example
        assert all(a.holds(point) for a in taken)
        assert not SIGNS[sign](substitute(left, point), substitute(right, point))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("expect macs > 7 % T", ["E701"]),
        ("expect macs >= T % (T - 4)", ["E701"]),
        ("require T >= T % (T - 4)", []),
        ("require T == S\n  expect macs >= T // (T - S)", ["E408"]),
    ],
)
def test_divisions_by_an_open_size_end_in_a_message(line, found):
    text = (
        f"model m {{\n  input x: [B, T, S, C = 4]\n  relu\n  output y\n  {line}\n}}\n"
    )
    assert codes(text) == found


@given(sizes())
def test_a_formula_is_itself_and_no_other(size):
    assume(isinstance(size, Poly))
    assert settle("==", size, size, ()) == Verdict(True)
    assert settle("==", size, size + 1, ()).holds is False
    assert settle("<", size, size + 1, ()) == Verdict(True)


def test_formulas_of_a_model_are_compared_as_formulas():
    text = (
        "model one(heads = 8) {\n  input x: [B, C = 64, H, W]\n  attention(heads)\n"
        "  output y\n  expect macs == 4 * H * W * C ** 2 + 2 * (H * W) ** 2 * C\n}\n"
    )
    assert codes(text) == []
    for wrong in ("3 * H", "4 * H * H", "4 * H + 0 * H"):
        assert codes(text.replace("4 * H", wrong)) == ["E701"]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["linear", "lstm", "attention", "concat"]).flatmap(specs))
def test_a_random_model_promises_what_it_is(text):
    graph = archdsl.parse(text)
    totals = archdsl.analyze(text).totals
    names = [name for name in FIGURES if hasattr(totals, name)]
    for off in (0, 1):
        rows = [f"  expect {n} == {getattr(totals, n)} + {off}\n" for n in names]
        promised = f"{text}\nmodel promised = {graph.name} {{\n{''.join(rows)}}}\n"
        assert codes(promised) == ["E701"] * len(names) * off


# --- costs of promises --------------------------------------------------------------


def test_a_spec_without_promises_does_not_load_their_analysis():
    code = (
        "import sys, archdsl.cli\n"
        "try: archdsl.cli.cli(['check', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print('archdsl.analysis.promises' in sys.modules)\n"
    )
    for name, loaded in (("resnet", "False"), ("resnet50", "True")):
        path = ROOT / "specs" / f"{name}.arch"
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == loaded, done.stderr


def test_much_work_with_formulas_comes_to_an_end():
    factor = "(" + " + ".join(f"H ** {n} * W" for n in range(1, 12)) + ")"
    line = " * ".join(["flops", factor])
    text = (
        "model m {\n  input x: [B, C = 4, H, W]\n  attention(2)\n  output y\n"
        + f"  expect {line} > 0\n" * 1000
        + "}\n"
    )
    found = codes(text)
    assert found == ["E601"]

"""`archdsl sweep`: a grid of variants, and its front."""

import csv
import json

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.figures import FIGURES
from archdsl.analysis.pareto import front
from archdsl.analysis.report import Report
from archdsl.analysis.report import report as full_report
from archdsl.analysis.sections import SECTIONS
from archdsl.build.operands import operand, split
from archdsl.cli import cli
from tests.pages import ROOT
from tests.tools import examples

TINY = str(ROOT / "specs" / "textcnn.arch")
SPEC = """block ff[x](ratio) { linear(ratio * x.C) -> relu -> linear(x.C) }

model net(dim = 16, heads = 4, depth = 2, act = "a,b") {
  input x: [B, T = 8, C = 4]

  linear(dim)
  repeat(depth) { residual { attention(heads) } -> residual { ff(4) } }
  scan(T) [y, h = zeros(C = 3)] {
    let new = concat([y, h]) -> linear(3)
    return new, new
  }
  output z
}

model small = net(depth = 1)
"""


@pytest.fixture(autouse=True)
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.arch").write_text(SPEC)


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["sweep", *words])
    assert done.exit_code == code, done.output
    return done.stderr if code == 2 else done.stdout


def report(*words: str, code: int = 0) -> dict:
    return json.loads(run(*words, "--json", code=code))


def test_the_figures_of_every_point_are_those_of_analyze():
    every = ",".join(FIGURES)
    words = ("--set", "dim=8..24:8", "--set", "depth=1,2,0", "--size", "T=4,8,T2")
    found = report("net.arch", *words[:4], "--size", "T=4,9", "--columns", every)
    assert len(found["points"]) == 3 * 3 * 2
    for point in found["points"]:
        settings = dict(point["settings"])
        sizes = {"T": settings.pop("T")}
        graph = archdsl.parse("net.arch", settings=settings, sizes=sizes)
        single = full_report(graph, [section.key for section in SECTIONS])
        assert point["figures"] == {key: figure(single, key) for key in FIGURES}


def figure(single: Report, key: str) -> object:
    """A figure of a model as its own report has it."""
    totals = single.totals.model_dump() | {"layers": len(single.layers)}
    if key in totals:
        return totals[key]
    if key == "receptive_field":
        seen = single.receptive_field.outputs
        return max((o.map_field or o.field).size for o in seen)
    section, name = {
        "sequential": ("paths", "sequential"),
        "path_length": ("paths", "maximum"),
        "training_bytes": ("memory", "training"),
        "inference_bytes": ("memory", "inference"),
    }[key]
    return getattr(getattr(single, section), name)


def test_points_that_are_no_models_are_told():
    found = report("net.arch", "--set", "dim=16,18,20,-4", "--set", "depth=1,2")
    assert [p["settings"]["dim"] for p in found["points"]] == [16, 16, 20, 20]
    failed = found["failed"]
    assert [f["settings"] for f in failed] == [
        {"dim": dim, "depth": depth} for dim in (18, -4) for depth in (1, 2)
    ]
    for point in failed:
        with pytest.raises(archdsl.SpecError) as error:
            archdsl.parse("net.arch", settings=point["settings"])
        first = error.value.diagnostics[0]
        assert (point["code"], point["message"]) == (first.code, first.fault.message())
        assert (point["line"], point["column"]) == (first.span.line, first.span.column)
    text = run("net.arch", "--set", "dim=16,18,22")
    assert "2 points are no valid model" in text
    assert report("net.arch", "--set", "dim=18,22", code=1)["points"] == []


def test_what_is_wrong_in_a_block_is_told_of_every_point():
    found = report("swin_t", "--set", "window=5,7", "--set", "classes=10,20,30")
    assert len(found["points"]) == 3
    assert [f["code"] for f in found["failed"]] == ["E301"] * 3


def test_values_are_lists_ranges_and_side_by_side():
    found = report("swin_t", "--set", "depths=[2,2,2,2],[2,2,18,2]")
    depths = [p["settings"]["depths"] for p in found["points"]]
    assert depths == ["[2,2,2,2]", "[2,2,18,2]"]
    found = report("net.arch", "--set", "dim=32..8:-8,48", "--set", "depth=3")
    assert [p["settings"]["dim"] for p in found["points"]] == [32, 24, 16, 8, 48]
    assert found["fixed"] == {"depth": 3}
    words = ("--set", "dim=8,16", "--set", "heads=2,4", "--set", "depth=1,2")
    found = report("net.arch", *words, "--together", "dim,heads")
    settings = [tuple(p["settings"].values()) for p in found["points"]]
    assert settings == [(8, 2, 1), (8, 2, 2), (16, 4, 1), (16, 4, 2)]
    size = ("--size", "H=224,448", "--size", "W=224,448", "--together", "H,W")
    found = report("swin_t", *size)
    assert [p["settings"] for p in found["points"]] == [
        {"H": n, "W": n} for n in (224, 448)
    ]
    assert report("swin_t", "--size", "H=224,448,W=448")["fixed"] == {"W": 448}


def test_conditions_are_of_settings_sizes_and_figures():
    every = report("net.arch", "--set", "dim=8..40:8", "--set", "depth=1,2")
    most = sorted(p["figures"]["params"] for p in every["points"])[4]
    where = f"params <= {most} and dim % 16 == 0 and T == 8"
    found = report(
        "net.arch", "--set", "dim=8..40:8", "--set", "depth=1,2", "--where", where
    )
    expected = [
        p for p in every["points"]
        if p["figures"]["params"] <= most and p["settings"]["dim"] % 16 == 0
    ]  # fmt: skip
    assert found["points"] == expected
    assert found["left_out"] == 10 - len(expected)


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "dimm=8"),
        ("--set", "dim"),
        ("--set", "dim=8,,9"),
        ("--set", "dim=1..2:0"),
        ("--set", "dim=9..2:3"),
        ("--set", "dim=8", "--set", "dim=9"),
        ("--set", "dim=1..100000", "--set", "heads=1..2"),
        ("--size", "N=3"),
        ("--size", "3"),
        ("--size", "T=0"),
        ("--size", "T=3,T=4"),
        ("--together", "dim,heads"),
        ("--set", "dim=8,16", "--set", "heads=1", "--together", "dim,heads"),
        ("--columns", "parms"),
        ("--pareto", "params,-mac"),
        ("--sort", "size"),
        ("--where", "params <"),
        ("--where", "params"),
        ("--where", "parms < 3"),
        ("--where", "conv(3)"),
        ("--where", "x -> relu"),
        ("--where", "1 / 0 > 1"),
        ("--where", "__import__(3) == 3"),
        ("--where", "+".join(["dim"] * 3000) + "> 1"),
        ("--where", "(" * 500 + "1" + ")" * 500 + "> 1"),
        ("--plot", "points.pdf"),
        ("--plot", "points.svg", "--columns", "macs"),
        ("--plot", "points.svg", "--size", "T"),
        ("--where", "macs > 10000", "--size", "T"),
        ("--pareto", "macs", "--size", "T"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told(words):
    assert "Error: " in run("net.arch", *words, code=2)


def test_a_spec_with_errors_is_reported_once(tmp_path):
    (tmp_path / "bad.arch").write_text(SPEC.replace("repeat(", "repeet{("))
    done = CliRunner().invoke(cli, ["sweep", "bad.arch:net", "--set", "dim=8,9,10"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("error[") == 1


def test_open_sizes_stay_formulas():
    found = report("net.arch", "--size", "T", "--set", "dim=8,16")
    single = archdsl.analyze("net.arch:net", settings={"dim": 8}, sizes={"T": None})
    assert found["points"][0]["figures"]["macs"] == single.totals.macs


def test_sorted_and_cut():
    words = ("net.arch", "--set", "dim=8..40:8", "--sort", "-macs")
    macs = [p["figures"]["macs"] for p in report(*words)["points"]]
    assert macs == sorted(macs, reverse=True)
    text = run(*words, "--limit", "2")
    assert "the first 2 are shown" in text
    assert text.count(" k  ") == 2
    rows = list(csv.DictReader(run(*words, "--csv").splitlines()))
    assert [int(r["macs"]) for r in rows] == macs


# --- the front ----------------------------------------------------------------------

ROWS = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.tuples(*[st.integers(0, 6)] * n), max_size=25)
)


@given(ROWS)
def test_the_front_is_what_nothing_dominates(rows):
    def dominated(row) -> bool:
        return any(
            all(a <= b for a, b in zip(other, row, strict=True)) and other != row
            for other in rows
        )

    assert front(rows) == {i for i, row in enumerate(rows) if not dominated(row)}


def test_the_front_is_marked():
    words = ("net.arch", "--set", "dim=8..40:8", "--set", "depth=1..3")
    found = report(*words, "--pareto", "-layers,macs")
    rows = [(-p["figures"]["layers"], p["figures"]["macs"]) for p in found["points"]]
    marked = {i for i, p in enumerate(found["points"]) if p["front"]}
    assert marked == front(rows)
    assert 1 < len(marked) < len(rows)
    assert "most layers and least MACs" in run(*words, "--pareto", "-layers,macs")


# --- texts --------------------------------------------------------------------------


def test_items_stand_between_commas_outside_of_brackets():
    assert split('[1,2],(3,4), "a,\\",b",5') == ["[1,2]", "(3,4)", ' "a,\\",b"', "5"]
    assert split("") == [""]


@pytest.mark.parametrize(
    ("text", "spec", "settings", "sizes"),
    [
        ("swin_t", "swin_t", {}, {}),
        ("a(1).arch", "a(1).arch", {}, {}),
        ("a(1).arch:m(d = [1, 2])", "a(1).arch:m", {"d": "[1, 2]"}, {}),
        ('m(a = f(1, "x)"), H = 3, W)', "m", {"a": 'f(1, "x)")'}, {"H": 3, "W": None}),
        ("m( )", "m", {}, {}),
    ],
)  # fmt: skip
def test_operands(text, spec, settings, sizes):
    assert operand(text) == (spec, settings, sizes)


@pytest.mark.parametrize("text", ["m(3)", "m(a = )", "m(a = 1, a = 2)", "m(a = 1,)",
                                  "m(H = 0)", "m(= 3)"])  # fmt: skip
def test_wrong_operands(text):
    with pytest.raises(ValueError, match=r"m\(|=|argument"):
        operand(text)


# --- the plot -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["points.svg", "points.png"])
def test_a_plot_is_the_same_each_time(name, tmp_path):
    pytest.importorskip("matplotlib")
    words = ("net.arch", "--set", "dim=8..40:8", "--set", "depth=1..3")
    words = (*words, "--pareto=-layers,macs", "--plot", name)
    text = run(*words)
    assert "15 points" in text
    before = (tmp_path / name).read_bytes()
    run(*words)
    assert (tmp_path / name).read_bytes() == before


def test_a_plot_has_every_point_and_what_it_is_about(tmp_path):
    pytest.importorskip("matplotlib")
    words = ("net.arch", "--set", "dim=8..40:4", "--set", "depth=1..3")
    run(*words, "--columns", "params,macs", "--plot", "points.svg")
    drawn = (tmp_path / "points.svg").read_text()
    assert drawn.count("<use ") > 3 * 9
    for word in ("net", "MACs", "params", "depth = 2"):
        assert f"<!-- {word} -->" in drawn


WORDS = st.text('dimhetsTHparcs=,.:;()[]{}"\\<>-+*/%0123456789 e_\n|é', max_size=24)


@settings(max_examples=examples(60))
@given(st.sampled_from(["--set", "--size", "--where", "--together", "--sort",
                        "--columns", "--pareto"]), WORDS, st.booleans())  # fmt: skip
def test_any_text_ends_in_a_table_or_a_message(option, text, begun):
    begin = {"--set": "dim=", "--size": "T=", "--where": "params <"}
    text = begin.get(option, "") * begun + text
    done = CliRunner().invoke(cli, ["sweep", TINY, f"{option}={text}"])
    assert done.exit_code in (0, 1, 2)
    assert isinstance(done.exception, SystemExit | None)
    assert done.stdout or done.stderr


@settings(max_examples=examples(40))
@given(WORDS)
def test_any_operand_ends_in_a_diff_or_a_message(text):
    done = CliRunner().invoke(cli, ["diff", TINY, f"{TINY}({text})"])
    assert done.exit_code in (0, 1, 2)
    assert isinstance(done.exception, SystemExit | None)

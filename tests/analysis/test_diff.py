"""`archdsl diff`: what differs between two models, and only that."""

import csv
import re
from collections import Counter
from itertools import combinations, pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.analysis.candidates import Named
from archdsl.analysis.cost import Costs, layers
from archdsl.analysis.diff.align import align
from archdsl.analysis.diff.report import diff
from archdsl.analysis.diff.tokens import Token
from archdsl.api import parse
from archdsl.cli import cli
from archdsl.diagnostics import SpecError
from archdsl.ir.formula import read
from archdsl.ir.text import text as ir_text
from archdsl.ops.registry import public_ops
from tests.randoms.maker import specs
from tests.tools import examples

ANY = st.sampled_from(sorted(public_ops())).flatmap(specs)
NET = """block ff[x](ratio = 4) { linear(ratio * x.C) -> gelu -> linear(x.C) }

model net(dim = 32, depth = 2) {
  input x: [B, T = 16, C = 8]

  linear(dim)
  repeat(depth) {
    residual { layer_norm -> attention(4) }
    residual { layer_norm -> ff }
  }
  mean(T) -> linear(10)
  output y
}
"""
WIRED = NET.replace("linear(dim)", "linear(dim) as start").replace(
    "residual { layer_norm -> ff }", "relu as skip -> layer_norm -> ff -> add(skip)"
)
SHARED = """model net {
  input x: [B, T = 16, C = 8]

  layer one = linear(8)
  one -> relu -> one
  output y
}
"""
BLOCK = """block twice[x] { layer one = linear(8)
  x -> one -> one }

model net {
  input x: [B, T = 16, C = 8]

  twice
  output y
}
"""
SCAN = """model net {
  input x: [B, T = 16, C = 8]

  scan(T) [x, h = zeros(C = 8)] {
    let new = concat([x, h]) -> linear(8) -> tanh
    return new, new
  }
  output y
}
"""
# What is replaced by what, and the lines that say so; costs are told apart below.
CASES = {
    "inserted layer": (
        NET, "linear(dim)\n", "linear(dim) -> relu -> linear(dim)\n",
        ["+ relu: relu : [B, T = 16, C = 32]",
         "+ linear_2: linear(features = 32) : [B, T = 16, C = 32], 1,056 params",
         "= linear_2 -> linear_3: "],
    ),
    "inserted turn": (
        NET, "depth = 2", "depth = 3",
        ["~ depth: 2 -> 3",
         "+ layers.2.layer_norm: layer_norm : [B, T = 16, C = 32], 64 params",
         "+ layers.2.attention: attention(heads = 4) : [B, T = 16, C = 32],"
         " 4,224 params",
         "+ layers.2.add: add : [B, T = 16, C = 32]",
         "+ layers.2.layer_norm_2: layer_norm : [B, T = 16, C = 32], 64 params",
         "+ layers.2.ff: ff : [B, T = 16, C = 32], 8,352 params",
         "+ layers.2.add_2: add : [B, T = 16, C = 32]"],
    ),
    "changed width": (
        NET, "dim = 32", "dim = 64",
        ["~ dim: 32 -> 64",
         "~ linear: features = 32 -> 64",
         "~ layers.0.layer_norm and 10 others: C = 32 -> 64",
         "~ layers.[0-1].ff.linear: features = 128 -> 256",
         "~ layers.0.ff.gelu and 1 other: C = 128 -> 256",
         "~ layers.[0-1].ff.linear_2: features = 32 -> 64",
         "~ linear_2: linear(features = 10): takes C = 32 -> 64"],
    ),
    "renamed block": (
        NET, "ff", "mlp",
        ["= layers.[0-1].ff -> layers.[0-1].mlp: "],
    ),
    "renamed layer": (
        NET, "linear(dim)", "linear(dim) as stem",
        ["= linear -> stem: ", "= linear_2 -> linear: "],
    ),
    "reordered": (
        NET, "layer_norm -> attention(4)", "attention(4) -> layer_norm",
        ["> layers.[0-1].attention: moved: attention(heads = 4)"],
    ),
    "other op": (
        NET, "gelu", "relu",
        ["~ layers.[0-1].ff.relu: gelu -> relu"],
    ),
    "other wires": (
        WIRED, "add(skip)", "add(start)",
        ["~ layers.[0-1].add_2: takes skip -> start"],
    ),
    "unshared": (
        SHARED, "-> one", "-> linear(8)",
        ["= one -> linear: ", "~ linear: weights of one -> its own"],
    ),
    "unshared in a block": (
        BLOCK, "-> one }", "-> linear(8) }",
        ["= twice.one -> twice.linear: ", "~ twice.linear: weights of one -> its own"],
    ),
    "scanned from the end": (
        SCAN, "scan(T)", "scan(T, reverse = true)",
        ["~ scan: reverse = default -> true"],
    ),
    "output": (
        NET, "output y", "output z",
        ["- y: [B, C = 10]", "+ z: [B, C = 10]"],
    ),
    "other output": (
        SHARED, "output y", "output y = x",
        ["~ output y takes one -> input x: "],
    ),
    "input": (
        SHARED, "T = 16", "T = 8",
        ["~ x: [B, T = 16, C = 8] -> [B, T = 8, C = 8]",
         "~ y: [B, T = 16, C = 8] -> [B, T = 8, C = 8]",
         "~ one and 2 others: T = 16 -> 8"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_lines(name):
    from archdsl.analysis.diff.lines import layers as changed
    from archdsl.analysis.diff.lines import values

    text, old, new, lines = CASES[name]
    report = compared(text, text.replace(old, new))
    found = [*(line for each in values(report).values() for line in each)]
    found += changed(report)
    assert [f"{x.mark} {x.about}: {x.what}" for x in found] == lines


def named(text: str, **how: object) -> Named:
    return Named("net", "net.arch", {}, parse(text, **how))


def compared(before: str, after: str):
    return diff(named(before), named(after))


# --- laws ---------------------------------------------------------------------------


@settings(max_examples=examples(40))
@given(ANY)
def test_a_model_does_not_differ_from_itself(text):
    report = compared(text, text)
    assert report.same
    assert not report.layers


@settings(max_examples=examples(60))
@given(ANY, st.data())
def test_a_changed_number_is_found_exactly_where_the_graph_changes(text, data):
    places = [m.span() for m in re.finditer(r"\b\d+\b", text)]
    start, end = data.draw(st.sampled_from(places)) if places else (0, 0)
    number = data.draw(st.integers(1, 9))
    other = f"{text[:start]}{number}{text[end:]}"
    try:
        before, after = named(text), named(other)
    except SpecError:
        return
    hyper = dict(before.graph.hyper) == dict(after.graph.hyper)
    equal = ir_text(before.graph) == ir_text(after.graph) and hyper
    assert diff(before, after).same == equal


@settings(max_examples=examples(40))
@given(ANY, ANY)
def test_exchanging_the_models_exchanges_what_came_and_went(one, other):
    there, back = compared(one, other), compared(other, one)
    swapped = {"added": "removed", "removed": "added"}
    kinds = Counter(c.kind for c in there.layers)
    assert kinds == Counter(swapped.get(c.kind, c.kind) for c in back.layers)
    assert [f.change for f in there.figures] == [-f.change for f in back.figures]


# --- alignment ----------------------------------------------------------------------


def token(number: int, path: str = "") -> Token:
    kind = number // 4
    return Token(number, number, kind, kind, (path or str(number),), str(number))


TOKENS = st.lists(st.integers(0, 11).map(token), max_size=7)


@given(TOKENS, TOKENS)
def test_an_alignment_is_in_order_and_the_best_there_is(left, right):
    pairs = align(left, right)
    for before, after in pairwise(pairs):
        assert before[0] < after[0]
        assert before[1] < after[1]
    assert all(left[i].kind == right[j].kind for i, j in pairs)
    assert sorted((b, a) for a, b in pairs) == sorted(align(right, left))
    found = sum(18 if left[i].exact == right[j].exact else 5 for i, j in pairs)
    assert found == best(tuple(left), tuple(right))


def best(left: tuple[Token, ...], right: tuple[Token, ...]) -> int:
    """The highest sum of scores over all pairs of subsequences of one length."""
    most = 0
    for size in range(min(len(left), len(right)) + 1):
        for one in combinations(left, size):
            for other in combinations(right, size):
                scores = [score(a, b) for a, b in zip(one, other, strict=True)]
                most = max(most, sum(scores))
    return most


def score(a: Token, b: Token) -> int:
    return 18 if a.exact == b.exact else 5 * (a.kind == b.kind)


def test_long_models_are_aligned_soon():
    inserted = [token(i) for i in range(4000)]
    other = [*inserted[:1000], token(9999), *inserted[1000:3000], *inserted[3001:]]
    pairs = dict(align(inserted, other))
    assert len(pairs) == 3999
    assert all(inserted[i].exact == other[j].exact for i, j in pairs.items())
    alike = [Token(i, i, 0, 0, (str(i),), str(i)) for i in range(8000)]
    shifted = [t._replace(exact=-t.exact - 1, same=-t.exact - 1) for t in alike]
    assert len(align(alike, shifted)) == 8000


# --- the command --------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.arch").write_text(NET)
    (tmp_path / "new.arch").write_text(NET.replace("dim = 32", "dim = 64"))
    (tmp_path / "bad.arch").write_text(NET.replace("gelu", "gellu"))


def run(*words: str, code: int) -> str:
    done = CliRunner().invoke(cli, ["diff", *words])
    assert done.exit_code == code, done.output
    return done.stdout


def test_exit_codes_are_those_of_diff(files):
    assert run("old.arch", "old.arch", code=0) == ""
    assert "~ dim  32 -> 64" in run("old.arch", "new.arch", code=1)
    assert run("old.arch", "new.arch", "--set", "dim=16", code=0) == ""
    assert run("old.arch", "new.arch(dim = 32)", code=0) == ""
    run("old.arch", "bad.arch", code=2)
    run("old.arch", "missing.arch", code=2)
    run("old.arch", "new.arch", "--set", "dimm=3", code=2)
    run("old.arch", "new.arch(dim)", code=2)


def test_every_shape_of_the_report_says_the_same(files):
    import json

    report = json.loads(run("old.arch", "new.arch", "--json", code=1))
    assert report["same"] is False
    assert report["hyperparameters"] == [{"name": "dim", "before": "32", "after": "64"}]
    figures = {f["figure"]: f for f in report["figures"]}
    params = figures["params"]
    assert params["change"] == params["after"] - params["before"]
    before = sum(x.cost.params for x in layers(parse(NET)))
    assert params["before"] == before
    rows = list(
        csv.DictReader(run("old.arch", "new.arch", "--csv", code=1).splitlines())
    )
    assert sum(r["section"] == "layers" for r in rows) == len(report["layers"])
    assert "32 -> 64" in run("old.arch", "new.arch", "--markdown", code=1)
    assert json.loads(run("old.arch", "old.arch", "--json", code=0))["same"] is True


def test_colour_is_for_terminals(files):
    assert "\x1b[" not in run("old.arch", "new.arch", code=1)
    colored = run("old.arch", "new.arch", "--color", "always", code=1)
    assert "\x1b[31m--- " in colored
    assert re.sub(r"\x1b\[\d*m", "", colored) == run("old.arch", "new.arch", code=1)


def test_a_copy_of_a_spec_finds_what_lies_beside_the_original(files, tmp_path):
    (tmp_path / "lib.arch").write_text("block two[x] { relu -> relu }\n")
    spec = "use lib (two)\n\n" + NET.replace("-> gelu", "-> two")
    (tmp_path / "new.arch").write_text(spec)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "new.arch").write_text(spec.replace("dim = 32", "dim = 16"))
    run("copy/new.arch", "new.arch", code=2)
    assert "16 -> 32" in run("copy/new.arch", "new.arch", "--beside", ".", code=1)


def test_open_sizes_differ_by_formulas():
    report = diff(named(NET, sizes={"T": None}), named(NET, sizes={"T": "2*n"}))
    figures = {f.figure: f for f in report.figures}
    assert figures["params"].change == 0
    change = read(figures["macs"].change).substitute({"n": 3, "T": 5})
    six, five = (Costs().total(parse(NET, sizes={"T": t})).macs for t in (6, 5))
    assert change == six - five

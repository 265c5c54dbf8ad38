"""A layout says the same of a model, whatever it was written out over before."""

from pathlib import Path

import pytest

from archdsl.analysis.weights.expansion import Expander, expanded
from archdsl.analysis.weights.ours import keys
from archdsl.build import Program, check, read
from archdsl.build.checkpoints.layouts import Layouts
from archdsl.source import Source

SPECS = Path(__file__).resolve().parents[3] / "specs"
FILES = [p for p in sorted(SPECS.glob("*.arch")) if "\ncheckpoint " in p.read_text()]

# Of `b`, another rotary step, another key of theirs and other pieces than of `a`.
SIZES = """
model a(heads = 2, dim = 8, at = 3) {
  input x: [B, T = 4, C = dim]
  attention(heads, bias = false)
  repeat(2) { linear(dim) -> relu }
  output y
}
model b = a(heads = 4, dim = 16, at = 5)
model c = a(dim = 8, at = 3)

checkpoint theirs for a {
  "in" -> ["attention.{q,k}.weight"]
  "v" -> rotary(heads = heads) -> "attention.v"
  "out" -> "attention.out"
  "layer_{at + i}" -> "layers.{i}.linear"
}
"""


def over_all(program: Program) -> int:
    """How many layouts of models are the same written out together and alone."""
    checked = check(program)
    layouts, together, seen = Layouts(program.module), dict[int, Expander](), 0
    for graph in checked.graphs:
        for layout in layouts.of(graph.name):
            expander = together.setdefault(id(layout), Expander(layout))
            assert expander.over(graph, keys(graph)) == expanded(layout, graph)
            seen += 1
    return seen


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_models_of_a_file_do_not_mix(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert over_all(read(Source("<text>", text), SPECS))


def test_models_differ_where_a_rule_reads_what_they_set() -> None:
    program = read(Source("<text>", SIZES))
    assert over_all(program) == 3
    (layout,) = Layouts(program.module).of("a")
    expander = Expander(layout)
    a, b, c = [expander.over(g, keys(g)).moves for g in check(program).graphs]
    assert a == c
    q, v = "attention.q.weight", "attention.v.weight"
    assert (a[q].cut.sizes, b[q].cut.sizes) == ((8, 8), (16, 16))
    assert (a[v].step, b[v].step) == ("rotary(heads = 2)", "rotary(heads = 4)")
    names = [key for key in a if key.endswith("1.linear.weight")]
    assert [m[names[0]].theirs for m in (a, b)] == [
        ("layer_4.weight",), ("layer_6.weight",)
    ]  # fmt: skip


SWAPPED = """
model net { input x: [B, C = 4]
  linear(2)
  output y
}
checkpoint theirs for net {
  "t{i}{j}" -> ["a.{i}.{j}", "b.{j}.{i}"]
}
"""


def test_pieces_may_name_what_they_capture_in_any_order() -> None:
    program = read(Source("<text>", SWAPPED))
    (layout,) = Layouts(program.module).of("net")
    (graph,) = check(program).graphs
    both = [(i, j) for i in range(2) for j in range(2)]
    ours = {f"{n}.{i}.{j}": (1 + 2 * i + 5 * j, 3) for n in "ab" for i, j in both}
    made = Expander(layout).over(graph, ours).moves
    for i, j in both:
        pieces = f"a.{i}.{j}", f"b.{j}.{i}"
        for at, key in enumerate(pieces):
            assert made[key].theirs == (f"t{i}{j}",)
            assert made[key].cut.index == at
            assert made[key].cut.sizes == tuple(ours[piece][0] for piece in pieces)

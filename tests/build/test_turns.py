"""Turns of `repeat` that are copied are those that would be elaborated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

import archdsl
from archdsl.build import check, flow, read, turns
from archdsl.ir.graph import Graph, reachable
from archdsl.ir.text import text as ir_text
from archdsl.source import Source, Span
from benchmarks import big
from tests.randoms.maker import specs

SPECS = Path(__file__).resolve().parents[2] / "specs"


def made(text: str) -> tuple[list[Graph], list[object]]:
    """The graphs of a text's models, and what is wrong with it."""
    checked = check(read(Source("<text>", text), SPECS))
    wrong = [
        (d.fault.code, d.fault.message(), place(d.span)) for d in checked.diagnostics
    ]
    return list(checked.graphs), wrong


def place(span: Span) -> tuple[str, int, int]:
    return span.source.name, span.start, span.end


def shown(graph: Graph) -> list[object]:
    """All that is said of a graph, and of those that it calls."""
    found: list[object] = [ir_text(graph)]
    for one in reachable(graph):
        found += [
            (n.path, n.inputs, n.outputs, place(n.span), n.label, n.weights_from)
            for n in one.nodes
        ]
        found += [one.hints, one.named, one.results]
        found += [(a.relation, a.left, a.right) for a in one.assumptions]
    return found


def copied(text: str) -> int:
    """How many turns are copied, once the graphs are found to be as without."""
    count = 0

    def counting(*args: object) -> None:
        nonlocal count
        count += len(args[-1])  # type: ignore[arg-type]
        turns.copy(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "copy", counting)
        graphs, wrong = made(text)
        patch.setattr(flow, "settled", lambda *_: False)
        others, faults = made(text)
    assert wrong == faults
    alike = [shown(g) for g in graphs] == [shown(g) for g in others]
    assert alike  # not a sum of two long lists
    return count


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.arch")), ids=lambda p: p.stem)
def test_a_spec_is_the_same_without_copies(path: Path) -> None:
    copied(path.read_text(encoding="utf-8"))


def test_a_large_spec_is_the_same_without_copies() -> None:
    assert copied(big.spec(20_000, 1)) > 50


def test_random_specs_are_the_same_without_copies() -> None:
    count = 0

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @seed(3)
    @given(specs("add"))
    def law(text: str) -> None:
        nonlocal count
        count += copied(re.sub(r"repeat\(\w+\)", "repeat(6)", text))  # most are of few

    law()
    assert count > 5


BLOCKS = """
block two[x] { return x, x }
block b[x](n = 2) { linear(n * x.C) -> relu -> linear(x.C) }
"""
BODIES = {
    "linear(8)": 3,
    "b": 3,
    "b -> relu\n b(3)": 3,
    "residual { b }": 3,
    "linear(8) -> add(z)": 3,  # of outside
    "x -> linear(8) -> add(z)": 3,  # of nothing that flows
    "linear(4) -> linear(8)": 3,
    "lstm(8)": 3,
    "attention(2)": 3,
    "repeat(5) { relu }": 9,  # in two turns outside, which is copied, too
    "if x.C > 4 { relu } else { gelu }": 3,
    "concat([z -> linear(8) for k in [1, 2]]) -> linear(8)": 3,
    "linear(8) as kept": 0,
    "let named = z -> relu\nadd(named)": 0,
    "shared": 0,
    "layer own = linear(8, bias = false)\nown -> own.transposed": 3,
    "linear(C + 1)": 0,
    "max_pool(1, stride = 2, over = T)": 0,
    "wrong": 0,
    "linear(8) -> subtract(z, z)": 0,
    "two as pair\nz -> linear(8)": 0,
    "": 0,
    "scan(T, last = true) [now, h = zeros(C = 8)] { concat([now, h]) -> linear(8) as n"
    "\nreturn n, n }\nadd(z)": 0,
}


@pytest.mark.parametrize("body", BODIES)
def test_turns_are_copied_where_they_are_alike(body: str) -> None:
    text = (
        BLOCKS + "model m { input x: [B, T = 64, C = 8]\n layer shared = linear(8)\n"
        "x -> linear(8) as z\n repeat(5) {\n" + body + "\n}\n output y }"
    )
    assert copied(text) == BODIES[body]


@pytest.mark.parametrize(
    ("body", "turns"),
    [
        ("if C > 4 { add(z) } else { z }", 2),  # the second turn adds z to itself
        ("if C > 4 { linear(8)\n z } else { linear(8) }", 0),
        ("linear(8) -> add(z)", 3),
    ],
)
def test_what_a_turn_takes_or_gives_may_be_of_outside(body: str, turns: int) -> None:
    text = (
        "model m { input x: [B, C = 4]\n let z = x -> linear(8)\n x\n"
        "repeat(5) { " + body + " }\n add(z)\n output y }"
    )
    assert copied(text) == turns


def test_many_turns_end_at_the_limit() -> None:
    text = "model m { input x: [B, C = 8]\n repeat(100_000) { relu }\n output y }"
    with pytest.raises(archdsl.SpecError, match="too many layers"):
        archdsl.parse(text)

"""Sizes for a model that leaves some open: a few that it takes, drawn at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import lcm
from random import Random

from archdsl.ir.dim import Poly, substitute
from archdsl.ir.graph import Graph

_TRIES = 5_000
_FEW = 32  # every size up to it is tried, and so many multiples
_SPAN = 4  # how many times the smallest sizes may be taken

Values = Mapping[str, int]


def symbols(graph: Graph) -> frozenset[str]:
    """The symbols of the sizes of a model's inputs."""
    sizes = [size for tensor in graph.inputs.values() for _, size in tensor.axes]
    return frozenset().union(*(s.symbols for s in sizes if isinstance(s, Poly)))


def draw(graph: Graph, seed: int) -> Iterator[Values]:
    """Values of the symbols that all assumptions of a graph admit, small ones first."""
    random = Random(seed)
    names = sorted(symbols(graph))
    choices = {name: _choices(graph, name) for name in names}
    found: dict[tuple[int, ...], None] = {}
    for _ in range(_TRIES):
        values = {name: random.choice(choices[name]) for name in names}
        if all(a.holds(values) is not False for a in graph.assumptions):
            found[tuple(values.values())] = None
    # Small ones, which are quick, but not the smallest alone: these all round alike.
    least = min(map(sum, found), default=0)
    rows = [row for row in found if sum(row) <= _SPAN * least]
    random.shuffle(rows)
    for row in rows:
        yield dict(zip(names, row, strict=True))


def axes(graph: Graph, values: Values) -> dict[str, int]:
    """The sizes of the open axes of a model's inputs."""
    found: dict[str, int] = {}
    for tensor in graph.inputs.values():
        for axis, size in tensor.axes:
            number = substitute(size, dict(values))
            if isinstance(size, Poly) and isinstance(number, int):
                found[axis] = number
    return found


def _choices(graph: Graph, name: str) -> list[int]:
    """Sizes that are worth a try: small ones, multiples, and what is about a bound."""
    own = [a for a in graph.assumptions if name in a.symbols]
    sides = [side for a in own for side in (a.left, a.right)]
    bounds = [side for side in sides if isinstance(side, int) and side > 0]
    by = [a.right for a in own if a.relation == "divides" and isinstance(a.right, int)]
    unit = lcm(*by)
    found = {*range(1, _FEW + 1), *(unit * i for i in range(1, _FEW + 1))}
    for bound in bounds:
        found |= {bound * i // 8 for i in range(1, 8 * _SPAN)}
    return sorted(found - {0})

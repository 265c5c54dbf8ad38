"""Figures of open sizes, as formulas.

A model with open sizes takes any: the stand-in runs it at several, and the polynomial
through what it finds, of degree 2 at most in each size, is exact where it also tells
what the stand-in finds at others. Where it does not (the peak is a maximum, and may
change its place) there is no formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import lcm, prod

from archdsl.ir.dim import Poly, Size, substitute, symbol
from archdsl.ir.graph import Graph

_DEGREE = 2
_MOST_SYMBOLS = 3
_STEPS = (1, 2, 8, 32, 56, 224)  # what halves a map again and again, and cuts it
_START = 6  # a map that a window covers, and others that are small, cost otherwise
_FAR = (3, 5, 38, 97, 251, 509)  # steps from the first: where a formula is checked
_CHECKS = 3  # at least
_BATCHES = 2  # the first of the batch: a batch of one may be laid out otherwise

Point = Mapping[str, int]


def open_sizes(graph: Graph) -> tuple[str, ...]:
    """The symbols of a model's inputs."""
    sizes = [s for t in graph.inputs.values() for s in t.sizes.values()]
    found = (s.symbols for s in sizes if isinstance(s, Poly))
    return tuple(sorted(frozenset().union(*found)))


@dataclass(frozen=True)
class Fitted:
    """Formulas of some figures.

    Attributes:
        sizes: One for each figure; None where there is none.
        step: For sizes that are multiples of this they are right, the batch aside.
    """

    sizes: tuple[Size | None, ...]
    step: int = 1


def fitted(graph: Graph, figures: Callable[[Point], Sequence[int]]) -> Fitted:
    """A formula for each figure.

    Args:
        graph: A model with open sizes.
        figures: The figures at some sizes, the most important one first.
    """
    names = open_sizes(graph)
    count = 0
    if len(names) <= _MOST_SYMBOLS:
        for step in _STEPS:
            near, far = _places(names, step)
            far = [place for place in far if _fits(graph, names, place)]
            fits = all(_fits(graph, names, place) for place in near)
            if fits and len(far) >= _CHECKS:
                points = [dict(zip(names, p, strict=True)) for p in (*near, *far)]
                found = [tuple(figures(point)) for point in points]
                count = len(found[0])
                sizes = _through(names, near, far, found)
                if sizes[0] is not None:
                    return Fitted(sizes, step)
    return Fitted((None,) * count)


def _places(
    names: tuple[str, ...], step: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Sizes that a formula goes through, and sizes that it must tell."""
    starts = [(_BATCHES, 1) if n == "B" else (_START * step, step) for n in names]
    rows = [[a + i * by for i in range(_DEGREE + 1)] for a, by in starts]
    far = [tuple(a + i * by for a, by in starts) for i in _FAR]
    return list(product(*rows)), far


def _fits(graph: Graph, names: tuple[str, ...], place: tuple[int, ...]) -> bool:
    """Whether the model takes these sizes."""
    point = dict(zip(names, place, strict=True))
    return all(a.holds(point) is not False for a in graph.assumptions)


def _through(
    names: tuple[str, ...],
    near: list[tuple[int, ...]],
    far: list[tuple[int, ...]],
    found: list[tuple[int, ...]],
) -> tuple[Size | None, ...]:
    """The polynomial of each figure, where it tells those far away."""
    powers = list(product(range(_DEGREE + 1), repeat=len(names)))
    rows = [[Fraction(_monomial(place, e)) for e in powers] for place in near]
    sizes: list[Size | None] = []
    for values in zip(*found, strict=True):
        inside, outside = values[: len(near)], list(values[len(near) :])
        size = _written(names, powers, _solved(rows, [Fraction(v) for v in inside]))
        told = [substitute(size, dict(zip(names, p, strict=True))) for p in far]
        sizes.append(size if told == outside else None)
    return tuple(sizes)


def _monomial(values: Iterable[int], powers: Iterable[int]) -> int:
    return prod(value**power for value, power in zip(values, powers, strict=True))


def _solved(rows: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """The coefficients of the polynomial through some points (Gauss)."""
    table = [[*row, value] for row, value in zip(rows, right, strict=True)]
    for i in range(len(table)):
        pivot = next(j for j in range(i, len(table)) if table[j][i])
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [value / table[i][i] for value in table[i]]
        for j in range(len(table)):
            if j != i and table[j][i]:
                factor = table[j][i]
                pairs = zip(table[j], table[i], strict=True)
                table[j] = [a - factor * b for a, b in pairs]
    return [row[-1] for row in table]


def _written(
    names: tuple[str, ...], powers: list[tuple[int, ...]], parts: list[Fraction]
) -> Size:
    """The polynomial as a size: fractions over one divisor."""
    by = lcm(*(part.denominator for part in parts))
    whole: Size = 0
    for exponents, part in zip(powers, parts, strict=True):
        term: Size = int(part * by)
        for name, power in zip(names, exponents, strict=True):
            term = term * symbol(name) ** power
        whole = whole + term
    return whole // by

"""Comparisons of formulas: whether they hold for every size that a model can take."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from math import lcm
from typing import NamedTuple, TypeAlias

from archdsl.diagnostics import Refused
from archdsl.ir.assumption import Assumption, Relation
from archdsl.ir.dim import Poly, Size, substitute
from archdsl.ir.facts import Facts

Value: TypeAlias = Size | float

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
POINTS = 150  # sizes that are tried
_SMALL = (1, 2, 3, 4, 5, 7, 8, 10, 16, 32, 64, 224, 1024)


class Verdict(NamedTuple):
    """Whether a comparison holds, None where that is open, and sizes against it."""

    holds: bool | None
    example: Mapping[str, int] | None = None


def settle(
    sign: str, left: Value, right: Value, assumptions: Sequence[Assumption]
) -> Verdict:
    """Whether ``left sign right`` holds for all sizes that the assumptions allow."""
    if not isinstance(left, Poly) and not isinstance(right, Poly):
        return Verdict(_COMPARE[sign](left, right))
    if isinstance(left, float):
        sign, left, right = TURNED[sign], right, left
    if isinstance(right, float):
        if sign in ("==", "!=") and not right.is_integer():
            return Verdict(sign == "!=")
        right = math.ceil(right) if sign in ("<", ">=") else math.floor(right)
    assert isinstance(left, int | Poly)
    answer = _follows(sign, left, right, assumptions)
    if answer:
        return Verdict(True)
    found = _against(sign, left, right, assumptions)
    return Verdict(answer if found is None else False, found)


def at(value: Value, sizes: Mapping[str, int]) -> int | float:
    """What a formula is worth at some sizes, all of which are given."""
    found = value if isinstance(value, float) else substitute(value, sizes)
    assert not isinstance(found, Poly)
    return found


def _follows(
    sign: str, left: Size, right: Size, assumptions: Sequence[Assumption]
) -> bool | None:
    """What the assumptions say of a comparison of sizes."""
    facts = Facts()
    for assumption in assumptions:
        facts.take(assumption)
    if sign in ("==", "!="):
        same = _answer(facts, "equals", left, right)
        return same if same is None or sign == "==" else not same
    if sign in ("<", "<="):
        left, right = right, left
    return _answer(facts, "at least", left, right + (sign in ("<", ">")))


def _answer(facts: Facts, relation: Relation, left: Size, right: Size) -> bool | None:
    return facts.answer(Assumption(relation, left, right, costs=True))


# --- examples -----------------------------------------------------------------------


def _against(
    sign: str, left: Size, right: Size, assumptions: Sequence[Assumption]
) -> dict[str, int] | None:
    """Sizes for which a comparison does not hold; None where none was found."""
    of = [s.symbols for s in (left, right) if isinstance(s, Poly)]
    names = frozenset().union(*of, *(a.symbols for a in assumptions))
    for point in _points(sorted(names), assumptions):
        try:
            values = [at(size, point) for size in (left, right)]
        except Refused:
            continue
        if not _COMPARE[sign](*values):
            return point
    return None


def _points(
    names: Sequence[str], assumptions: Sequence[Assumption]
) -> Iterator[dict[str, int]]:
    """Sizes that a model can take, small ones first."""
    moduli = [
        a.right
        for a in assumptions
        if a.relation == "divides" and isinstance(a.right, int)
    ]
    bounds = {s for a in assumptions for s in (a.left, a.right) if isinstance(s, int)}
    step = min(lcm(*moduli), 10**6)
    high = max(bounds, default=1) // step + 1
    multiples = (step * n for n in (1, 2, 3, 7, high, high + 1))
    choices = sorted(n for n in {*_SMALL, *bounds, *multiples} if 0 < n < 10**9)
    equal = ((n,) * len(names) for n in choices)
    mixed = islice(product(choices, repeat=len(names)), 20 * POINTS)
    allowed = (
        point
        for sizes in (*equal, *mixed)
        if _allows(assumptions, point := dict(zip(names, sizes, strict=True)))
    )
    return islice(allowed, POINTS)


def _allows(assumptions: Sequence[Assumption], point: dict[str, int]) -> bool:
    """Whether a model takes some sizes."""
    return all(assumption.holds(point) for assumption in assumptions)

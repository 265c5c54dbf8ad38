"""Between which numbers a size lies, from what is known of its symbols."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

from archdsl.ir.dim import Floor, Monomial, Poly, Size

Least: TypeAlias = Mapping[str, tuple[int, int | None]]  # symbol: from, and up to
Range: TypeAlias = tuple[Fraction | None, Fraction | None]


def at_least(size: Size, bound: Size, known: Least | None = None) -> bool | None:
    """Whether `size >= bound` for all symbols; None where it depends.

    Symbols are positive, and within the ranges that are known.
    """
    gap = size - bound
    if isinstance(gap, int):
        return gap >= 0
    if _rises(gap) and sum(c for _, c in gap.terms) >= 0:
        return True
    known = known or {}
    low, high = _sum(dict(gap.terms), known)
    lows = low, _sum(_relaxed(gap, 0), known)[0]
    highs = high, _sum(_relaxed(gap, 1), known)[1]
    if any(low is not None and ceil(low) >= 0 for low in lows):
        return True
    if any(high is not None and floor(high) < 0 for high in highs):
        return False
    return None


def _rises(size: Poly) -> bool:
    """Whether it is least where each symbol is 1, as most that are asked about are."""
    return all(
        not monomial or (c > 0 and all(type(atom) is not Floor for atom, _ in monomial))
        for monomial, c in size.terms
    )


def _relaxed(size: Poly, side: int) -> dict[Monomial, Fraction]:
    """Floors opened, as low (side 0) or as high (side 1) as they may be."""
    terms: dict[Monomial, Fraction] = {}
    for monomial, coefficient in size.terms:
        atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == 1 else ""
        if not isinstance(atom, Floor) or not isinstance(atom.divisor, int):
            terms[monomial] = terms.get(monomial, Fraction()) + coefficient
            continue
        by = atom.divisor
        up = (coefficient > 0) == (side == 1)
        for inner, c in (atom.numerator - (0 if up else by - 1)).terms:  # type: ignore[union-attr]
            terms[inner] = terms.get(inner, Fraction()) + Fraction(coefficient * c, by)
    return terms


def _sum(terms: Mapping[Monomial, int | Fraction], known: Least) -> Range:
    low: Fraction | None = Fraction()
    high: Fraction | None = Fraction()
    for monomial, coefficient in terms.items():
        if not coefficient:
            continue
        least, most = _product(monomial, known)
        if coefficient < 0:
            least, most = most, least
        low = None if low is None or least is None else low + coefficient * least
        high = None if high is None or most is None else high + coefficient * most
    return low, high


def _product(monomial: Monomial, known: Least) -> Range:
    if any(power < 0 for _, power in monomial):
        return Fraction(1), None  # a division that leaves nothing over
    low: Fraction | None = Fraction(1)
    high: Fraction | None = Fraction(1)
    for atom, power in monomial:
        least, most = _atom(atom, known)
        if least is None or least < 0:
            return None, None
        low = None if low is None else low * least**power
        high = None if high is None or most is None else high * most**power
    return low, high


def _atom(atom: str | Floor, known: Least) -> Range:
    if isinstance(atom, str):
        least, most = known.get(atom, (1, None))
        return Fraction(least), None if most is None else Fraction(most)
    low, high = _sum(dict(atom.numerator.terms), known)
    by = atom.divisor
    if isinstance(by, int):
        return (
            None if low is None else Fraction(low // by),
            None if high is None else Fraction(high // by),
        )
    divisor = _sum(dict(by.terms), known)[0]
    if divisor is None or divisor < 1:
        return None, None  # no division, or one by less than nothing
    nonnegative = low is not None and low >= 0
    return Fraction(0) if nonnegative else None, high if nonnegative else None

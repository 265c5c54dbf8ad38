"""Sizes: integers, or polynomials with integer coefficients over named sizes.

A size is a plain `int` wherever it is known, and a `Poly` otherwise; every operation
returns an `int` again when the symbols cancel, so rules are written once for both.
An atom of a polynomial is a symbol (a positive integer) or an exact floor division.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, Union

from archdsl.diagnostics import Refused

MOST_FACTORS = 1_000  # of a formula
_MOST_PAIRS = 20_000  # of terms that are multiplied
_BITS = 1_024  # of a coefficient

Size: TypeAlias = Union[int, "Poly"]
Atom: TypeAlias = Union[str, "Floor"]
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]


@dataclass(frozen=True)
class Floor:
    """``numerator // divisor``, where no exact division was possible."""

    numerator: Poly
    divisor: Size

    def __str__(self) -> str:
        top, low = f"({self.numerator})", str(self.divisor)
        if len(self.numerator.terms) == 1 and self.numerator.degree == 1:
            top = str(self.numerator)
        if isinstance(self.divisor, Poly) and not self.divisor.is_symbol:
            low = f"({low})"
        return f"({top}//{low})"


@dataclass(frozen=True)
class Poly:
    """A polynomial; `terms` maps monomials to non-zero coefficients, sorted."""

    terms: tuple[tuple[Monomial, int], ...]

    # -- making ----------------------------------------------------------------------

    @staticmethod
    def of(terms: Mapping[Monomial, int]) -> Size:
        """The size with these terms; an `int` when only a constant is left.

        Raises:
            Refused: The formula is longer than anyone reads.
        """
        kept = {m: c for m, c in terms.items() if c}
        if not kept:
            return 0
        if len(kept) == 1 and () in kept:
            return kept[()]
        most = max(c.bit_length() for c in kept.values())
        if sum(map(_factors, kept)) > MOST_FACTORS or most > _BITS:
            raise _too_long()
        return Poly(tuple(sorted(kept.items(), key=lambda t: _monomial_key(t[0]))))

    # -- asking ----------------------------------------------------------------------

    @property
    def is_symbol(self) -> bool:
        """Whether this is one bare symbol."""
        return self.terms[0][1] == 1 and str(self).isidentifier()

    @cached_property
    def factors(self) -> int:
        """How long the formula is, floors opened."""
        return sum(_factors(monomial) for monomial, _ in self.terms)

    @cached_property
    def degree(self) -> int:
        """The highest total power."""
        return max(sum(p for _, p in m) for m, _ in self.terms)

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The names that the size depends on."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                found |= {atom} if isinstance(atom, str) else _floor_symbols(atom)
        return frozenset(found)

    def substitute(self, values: Mapping[str, Size]) -> Size:
        """The size with some symbols replaced."""
        total: Size = 0
        for monomial, coefficient in self.terms:
            product: Size = coefficient
            for atom, power in monomial:
                product = product * _value(atom, values) ** power
            total = total + product
        return total

    # -- arithmetic ------------------------------------------------------------------

    def __add__(self, other: Size) -> Size:
        if not isinstance(other, int | Poly):
            return NotImplemented
        terms = dict(self.terms)
        for monomial, coefficient in _terms(other):
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Poly.of(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, int | Poly):
            return NotImplemented
        return self + other * -1

    def __rsub__(self, other: int) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        if not isinstance(other, int | Poly):
            return NotImplemented
        terms: dict[Monomial, int] = {}
        others = _terms(other)
        if len(self.terms) * len(others) > _MOST_PAIRS:
            raise _too_long()
        for left, a in self.terms:
            for right, b in others:
                monomial = _times(left, right)
                terms[monomial] = terms.get(monomial, 0) + a * b
        return Poly.of(terms)

    __rmul__ = __mul__

    def __pow__(self, power: int) -> Size:
        result: Size = 1
        for _ in range(power):
            result = result * self
        return result

    def __floordiv__(self, other: Size) -> Size:
        if not isinstance(other, int | Poly):
            return NotImplemented
        return _floor(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        if other == 0:
            return 0
        return Poly.of({((Floor(_poly(other), self), 1),): 1})

    def __mod__(self, other: Size) -> Size:
        return self - (self // other) * other

    # -- printing --------------------------------------------------------------------

    @cached_property
    def _text(self) -> str:
        parts: list[str] = []
        for monomial, coefficient in self.terms:
            factors = [str(abs(coefficient))] if abs(coefficient) != 1 else []
            factors += [f"{a}**{p}" if p > 1 else str(a) for a, p in monomial]
            sign = "-" if coefficient < 0 else "+"
            parts += [sign, "*".join(factors) or "1"]
        head = "-" + parts[1] if parts[0] == "-" else parts[1]
        return " ".join([head, *parts[2:]])

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def symbol(name: str) -> Poly:
    """A size that is only known by name."""
    return Poly(((((name, 1),), 1),))


def total(sizes: Iterable[Size]) -> Size:
    """All sizes added, in one go: many formulas are added much faster so."""
    terms: dict[Monomial, int] = {}
    for size in sizes:
        for monomial, coefficient in _terms(size):
            terms[monomial] = terms.get(monomial, 0) + coefficient
    return Poly.of(terms)


def product(sizes: Iterable[Size]) -> Size:
    """All sizes multiplied; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def ceil_div(size: Size, by: Size) -> Size:
    """Division rounded up."""
    return (size + by - 1) // by


def divides(by: Size, size: Size) -> bool | None:
    """Whether `by` divides `size`; None where that depends on a symbol."""
    if isinstance(size, int) and isinstance(by, int):
        return size % by == 0
    return True if (size // by) * by == size else None


def near_divisors(number: int, size: int) -> list[int]:
    """The divisors of a size that are next to a number, 1 left out."""
    small = [d for d in range(1, min(math.isqrt(size), 10**5) + 1) if size % d == 0]
    found = sorted({d for low in small for d in (low, size // low)} - {1})
    below, above = [d for d in found if d < number], [d for d in found if d > number]
    return below[-1:] + above[:1]


def at_least(size: Size, bound: Size) -> bool | None:
    """Whether `size >= bound` for all positive symbols; None where it depends."""
    gap = size - bound
    if isinstance(gap, int):
        return gap >= 0
    constant = dict(gap.terms).get((), 0)
    others = [c for m, c in gap.terms if m]
    if any(isinstance(a, Floor) for m, _ in gap.terms for a, _ in m):
        lowest = constant  # a floor may be zero
    else:
        lowest = constant + sum(others)
    if all(c > 0 for c in others) and lowest >= 0:
        return True
    if all(c < 0 for c in others) and lowest < 0:
        return False
    return None


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """`size` with some symbols replaced."""
    return size if isinstance(size, int) else size.substitute(values)


# -- details -------------------------------------------------------------------------


def _monomial_key(monomial: Monomial) -> tuple[int, str]:
    return -sum(p for _, p in monomial), "*".join(f"{a}^{p}" for a, p in monomial)


def _terms(size: Size) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(size, Poly):
        return size.terms
    return (((), size),) if size else ()


def _factors(monomial: Monomial) -> int:
    """How many names and numbers a term has, those in its floors too."""
    count = 1
    for atom, power in monomial:
        if isinstance(atom, Floor):
            below = atom.divisor.factors if isinstance(atom.divisor, Poly) else 1
            count += power * (atom.numerator.factors + below)
        else:
            count += power
    return count


def _too_long() -> Refused:
    from archdsl.diagnostics.faults import TooMuchWork

    limit = f"{MOST_FACTORS:,} factors"
    mend = "give an input axis a size"
    return Refused(TooMuchWork("this formula grows too long", limit, mend))


def _poly(size: Size) -> Poly:
    return size if isinstance(size, Poly) else Poly(_terms(size))


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _over(monomial: Monomial, by: Monomial) -> Monomial | None:
    powers = dict(monomial)
    for atom, power in by:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return tuple((a, p) for a, p in powers.items() if p)


def _floor(size: Poly, by: Size) -> Size:
    """Exact where it can be: divisible terms leave the floor, floors of floors join."""
    if isinstance(by, int) and by == 1:
        return size
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    lead = _terms(by)
    for monomial, coefficient in size.terms:
        divisor, low = lead[0] if len(lead) == 1 else ((("", 1),), 1)
        over = _over(monomial, divisor)
        if over is not None and coefficient % low == 0:
            whole[over] = whole.get(over, 0) + coefficient // low
        else:
            rest[monomial] = coefficient
    remainder = Poly.of(rest)
    if isinstance(remainder, int):
        inner: Size = remainder // by
    else:
        inner = _nested(remainder, by)
    return Poly.of(whole) + inner


def _nested(size: Poly, by: Size) -> Size:
    """``(a // m) // n == a // (m * n)`` for positive m and n."""
    if isinstance(by, int) and len(size.terms) == 1:
        (monomial, coefficient) = size.terms[0]
        atom = monomial[0][0]
        single = coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1
        if single and isinstance(atom, Floor) and isinstance(atom.divisor, int):
            return _floor(atom.numerator, atom.divisor * by)
    return Poly.of({((Floor(size, by), 1),): 1})


def _floor_symbols(atom: Floor) -> frozenset[str]:
    below = atom.divisor.symbols if isinstance(atom.divisor, Poly) else frozenset()
    return atom.numerator.symbols | below


def _value(atom: Atom, values: Mapping[str, Size]) -> Size:
    if isinstance(atom, str):
        return values.get(atom, symbol(atom))
    return substitute(atom.numerator, values) // substitute(atom.divisor, values)

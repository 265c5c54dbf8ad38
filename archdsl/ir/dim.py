"""Sizes: integers, or polynomials with integer coefficients over named sizes.

A size is a plain `int` wherever it is known, and a `Poly` otherwise; every operation
returns an `int` again when the symbols cancel, so rules are written once for both.
An atom of a polynomial is a symbol (a positive integer) or a floor division. A power
may be negative, ``H * M**-1``, where `quotient` was told that nothing is left over:
such a term is a positive whole number as any other, and M times it is H.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TypeAlias, Union

from archdsl.diagnostics import Refused

MOST_FACTORS = 1_000  # of a formula
_MOST_PAIRS = 20_000  # of terms that are multiplied
_BITS = 1_024  # of a coefficient

Size: TypeAlias = Union[int, "Poly"]
Atom: TypeAlias = Union[str, "Floor"]
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]


class Setting(str):
    """The symbol of a hyperparameter; a formula writes it before the axes."""

    __slots__ = ()


@dataclass(frozen=True)
class Floor:
    """``numerator // divisor``, where no exact division was possible.

    Where the divisor is a number, the coefficients of the numerator are at least 0 and
    below it, so that equal sizes are equal formulas.
    """

    numerator: Poly
    divisor: Size

    @cached_property
    def key(self) -> str:
        """What sorts it among others."""
        by = self.divisor.key if isinstance(self.divisor, Poly) else self.divisor
        return f"({self.numerator.key}//{by})"

    @property
    def symbols(self) -> frozenset[str]:
        """The names that it depends on."""
        below = self.divisor.symbols if isinstance(self.divisor, Poly) else frozenset()
        return self.numerator.symbols | below

    def __str__(self) -> str:
        from archdsl.ir.formula import atom

        return atom(self)


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
        most = max([c.bit_length() for c in kept.values()])
        if most > _BITS or sum(map(_factors, kept)) > MOST_FACTORS:
            raise _too_long()
        if len(kept) == 1:
            return Poly(tuple(kept.items()))
        return Poly(tuple(sorted(kept.items(), key=lambda t: _monomial_key(t[0]))))

    # -- asking ----------------------------------------------------------------------

    @property
    def is_symbol(self) -> bool:
        """Whether this is one bare symbol."""
        ((monomial, coefficient), *others) = self.terms
        bare = len(monomial) == 1 and monomial[0][1] == 1 and not others
        return bare and coefficient == 1 and isinstance(monomial[0][0], str)

    @cached_property
    def key(self) -> str:
        """A plain text, different for different sizes."""
        return "+".join(f"{c}*{_monomial_key(m)[1]}" for m, c in self.terms)

    @cached_property
    def factors(self) -> int:
        """How long the formula is, floors opened."""
        return sum(_factors(monomial) for monomial, _ in self.terms)

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The names that the size depends on."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                found |= {atom} if isinstance(atom, str) else atom.symbols
        return frozenset(found)

    @property
    def constant(self) -> int:
        """The term without a symbol."""
        return dict(self.terms).get((), 0)

    def substitute(self, values: Mapping[str, Size]) -> Size:
        """The size with some symbols replaced.

        Raises:
            Refused: It divides by zero there.
        """
        total: Size = 0
        for monomial, coefficient in self.terms:
            top: Size = coefficient
            low: Size = 1
            for atom, power in monomial:
                if power > 0:
                    top = top * _value(atom, values) ** power
                else:
                    low = low * _value(atom, values) ** -power
            total = total + quotient(top, low)
        return total

    # -- arithmetic ------------------------------------------------------------------

    def __add__(self, other: Size) -> Size:
        if not isinstance(other, (int, Poly)):
            return NotImplemented
        if other == 0:
            return self
        terms = dict(self.terms)
        for monomial, coefficient in _terms(other):
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Poly.of(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, (int, Poly)):
            return NotImplemented
        return self + other * -1

    def __rsub__(self, other: int) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        if not isinstance(other, (int, Poly)):
            return NotImplemented
        if other == 1:
            return self
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

    def __rmod__(self, other: int) -> Size:
        return other - (other // self) * self

    # -- printing --------------------------------------------------------------------

    @cached_property
    def _text(self) -> str:
        from archdsl.ir.formula import written

        return written(self)

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


def quotient(size: Size, by: Size) -> Size:
    """``size // by`` where `by` is known to divide `size`, so that it cancels."""
    if isinstance(size, int) or isinstance(by, int):
        return size // by
    if len(size.terms) > 1 or len(by.terms) > 1 or by.terms[0][1] != 1:
        return size // by
    (monomial, coefficient), (divisor, _) = size.terms[0], by.terms[0]
    return Poly.of({_times(monomial, tuple((a, -p) for a, p in divisor)): coefficient})


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


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """`size` with some symbols replaced.

    Raises:
        Refused: It divides by zero there.
    """
    return size if isinstance(size, int) else size.substitute(values)


# -- details -------------------------------------------------------------------------


def _monomial_key(monomial: Monomial) -> tuple[int, str]:
    return -sum(p for _, p in monomial), "*".join(f"{_key(a)}^{p}" for a, p in monomial)


def _key(atom: Atom) -> str:
    return atom if isinstance(atom, str) else atom.key


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
            count += abs(power) * (atom.numerator.factors + below)
        else:
            count += abs(power)
    return count


def _too_long() -> Refused:
    from archdsl.diagnostics.faults.limits import TooMuchWork

    limit = f"{MOST_FACTORS:,} factors"
    mend = "give an input axis a size"
    return Refused(TooMuchWork("this formula grows too long", limit, mend))


def _poly(size: Size) -> Poly:
    return size if isinstance(size, Poly) else Poly(_terms(size))


def _times(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    kept = (item for item in powers.items() if item[1])
    return _sorted(kept)


def _sorted(factors: Iterable[tuple[Atom, int]]) -> Monomial:
    return tuple(sorted(factors, key=lambda factor: _key(factor[0])))


def _over(monomial: Monomial, by: Monomial) -> Monomial | None:
    """A monomial without the factors of another; None where that may be no number."""
    powers = dict(monomial)
    if by and min(powers.values(), default=0) < 0:
        return None if monomial != by else ()
    for atom, power in by:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return _sorted(item for item in powers.items() if item[1])


def _floor(size: Poly, by: Size) -> Size:
    """Exact where it can be: divisible terms leave the floor, floors of floors join."""
    if size == by:
        return 1
    if isinstance(by, int):
        return _floor(_poly(-size), -by) if by < 0 else _floor_number(size, by)
    if len(by.terms) > 1:
        return Poly.of({((Floor(size, by), 1),): 1})
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    divisor, low = by.terms[0]
    for monomial, coefficient in size.terms:
        over = _over(monomial, divisor)
        if over is not None and coefficient % low == 0:
            whole[over] = whole.get(over, 0) + coefficient // low
        else:
            rest[monomial] = coefficient
    left = Poly.of(rest)
    inner = (
        left // by if isinstance(left, int) else Poly.of({((Floor(left, by), 1),): 1})
    )
    return Poly.of(whole) + inner


def _floor_number(size: Poly, by: int) -> Size:
    """``(g*a + c) // (g*n) == (a + c//g) // n``, and so for a floor in a floor."""
    whole = {m: c // by for m, c in size.terms}
    rest = {m: c % by for m, c in size.terms if c % by}
    constant = rest.pop((), 0)
    if not rest:
        return Poly.of(whole)
    common = gcd(by, *rest.values())
    by, constant = by // common, constant // common
    open_part = {m: c // common for m, c in rest.items()}
    if by == 1:
        return Poly.of(whole) + Poly.of({**open_part, (): constant})
    (monomial, coefficient), *others = open_part.items()
    atom, power = monomial[0]
    inner: Size
    if (
        isinstance(atom, Floor)
        and isinstance(atom.divisor, int)
        and (power, coefficient, len(monomial), len(others)) == (1, 1, 1, 0)
    ):
        inner = (atom.numerator + constant * atom.divisor) // (atom.divisor * by)
    else:
        numerator = _poly(Poly.of({**open_part, (): constant}))
        inner = Poly.of({((Floor(numerator, by), 1),): 1})
    return Poly.of(whole) + inner


def _value(atom: Atom, values: Mapping[str, Size]) -> Size:
    if isinstance(atom, str):
        return values.get(atom, symbol(atom))
    below = substitute(atom.divisor, values)
    if below == 0:
        from archdsl.diagnostics.faults.arguments import BadArithmetic

        detail = f"{atom.divisor} is 0 for a size that it may have"
        raise Refused(BadArithmetic("division by zero", detail))
    return substitute(atom.numerator, values) // below

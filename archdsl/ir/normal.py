"""What an assumption says: decided at once, or as a remainder, a bound or a value.

Two that are about the same size have the same `base` and can be compared.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd, lcm
from typing import TYPE_CHECKING, NamedTuple

from archdsl.ir.assumption import Assumption
from archdsl.ir.dim import Floor, Poly, Size, divides, symbol

if TYPE_CHECKING:
    from archdsl.ir.ranges import Least


def decided(asked: Assumption, ranges: Least) -> bool | None:
    """The answer where it does not depend on a symbol."""
    from archdsl.ir.ranges import at_least  # fractions take long to import

    left, right = asked.left, asked.right
    if asked.relation == "divides":
        impossible = isinstance(right, int) and isinstance(left, Poly)
        if impossible and remainder(left, right) is None:  # type: ignore[arg-type]
            return False
        return divides(right, left)
    if asked.relation == "at least":
        return at_least(left, right, ranges)
    if asked.relation == "at most":
        return at_least(right, left, ranges)
    gap = left - right
    if isinstance(gap, int):
        return gap == 0
    if gap.constant % gcd(*(c for m, c in gap.terms if m)):
        return False
    apart = at_least(left, right + 1, ranges) or at_least(right, left + 1, ranges)
    return False if apart else None


class Remainder(NamedTuple):
    """``base // by`` leaves `rest` when divided by `modulus`."""

    base: Poly
    by: int
    modulus: int
    rest: int


def remainder(size: Poly, by: int) -> Remainder | None:
    """What `by` divides `size` says of it; None where it never does."""
    constant: int = size.constant
    open_part = {m: c % by for m, c in size.terms if m and c % by}
    common = gcd(by, *open_part.values())
    if constant % common:
        return None
    by, constant = by // common, constant // common
    base = Poly.of({m: c // common for m, c in open_part.items()})
    if isinstance(base, int):  # cannot be: what always holds is decided before
        return Remainder(size, 1, 1, 0)
    if len(base.terms) == 1:
        ((monomial, coefficient),) = base.terms
        constant = constant * pow(coefficient, -1, by)
        base = Poly(((monomial, 1),))
        atom, power = monomial[0]
        single = len(monomial) == 1 and power == 1
        if single and isinstance(atom, Floor) and isinstance(atom.divisor, int):
            return Remainder(atom.numerator, atom.divisor, by, -constant % by)
    return Remainder(base, 1, by, -constant % by)


def coarser(known: Remainder, by: int) -> Remainder | None:
    """What is known of ``base // by``, from what is of a part of it, if anything."""
    k, left = divmod(by, known.by)
    if left or known.modulus % k:
        return None
    return known._replace(by=by, modulus=known.modulus // k, rest=known.rest // k)


def joined(known: Remainder, asked: Remainder) -> Remainder:
    """Both at once, said of the finer size; they do not contradict each other."""
    k = asked.by // known.by
    modulus, rest = k * asked.modulus, k * asked.rest + known.rest % k
    common = gcd(known.modulus, modulus)
    step = (rest - known.rest) // common
    turns = step * pow(known.modulus // common, -1, modulus // common)
    both = lcm(known.modulus, modulus)
    rest = (known.rest + known.modulus * turns) % both
    return known._replace(modulus=both, rest=rest)


def of_remainder(known: Remainder, cause: Assumption) -> Assumption:
    """``M divides H - 3``."""
    size = known.base // known.by
    rest = known.rest if 2 * known.rest <= known.modulus else known.rest - known.modulus
    return replace(cause, relation="divides", left=size - rest, right=known.modulus)


def bound_of(gap: Size) -> tuple[Poly, int]:
    """``gap >= 0`` as ``base >= bound``."""
    assert isinstance(gap, Poly)
    constant = gap.constant
    common = gcd(*(c for m, c in gap.terms if m))
    base = open_size(Poly.of({m: c // common for m, c in gap.terms if m}))
    bound = -(constant // common)
    if len(base.terms) > 1:
        return base, bound
    ((monomial, sign),) = base.terms
    atom, power = monomial[0]
    lone = len(monomial) == 1 and power == 1 and isinstance(atom, Floor)
    if not lone or not isinstance(atom, Floor) or not isinstance(atom.divisor, int):
        return base, bound
    if sign > 0:  # a // n >= k: a >= k * n
        return bound_of(atom.numerator - bound * atom.divisor)
    return bound_of((1 - bound) * atom.divisor - 1 - atom.numerator)


def of_bound(base: Poly, bound: int, cause: Assumption) -> Assumption:
    """``H >= 7``, ``T <= 1024``, ``N >= H + 3``."""
    above = {m: c for m, c in base.terms if c > 0}
    below = {m: -c for m, c in base.terms if c < 0}
    if not above:
        left, right = Poly.of(below), -bound
        return replace(cause, relation="at most", left=left, right=right)
    more: Size = Poly.of(below) + bound
    return replace(cause, relation="at least", left=Poly.of(above), right=more)


def solution(gap: Poly) -> tuple[str, Size] | None:
    """The symbol that ``gap == 0`` gives a value, and the value."""
    from archdsl.ir.ranges import at_least

    for monomial, coefficient in gap.terms:
        name = name_of(Poly(((monomial, 1),))) if monomial else ""
        rest = gap - coefficient * symbol(name) if name else gap
        if not name or (isinstance(rest, Poly) and name in rest.symbols):
            continue
        if isinstance(rest, int) and rest % coefficient == 0:
            return name, -rest // coefficient
        if abs(coefficient) == 1 and at_least(-coefficient * rest, 1):
            return name, -coefficient * rest
    return None


def name_of(size: Size) -> str:
    """The symbol that a size is, or ""."""
    return str(size) if isinstance(size, Poly) and size.is_symbol else ""


def open_size(size: Size) -> Poly:
    """A size that is known to be open."""
    assert isinstance(size, Poly)
    return size

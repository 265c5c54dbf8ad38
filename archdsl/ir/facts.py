"""What a graph takes for granted of its open sizes.

A rule asks whether a number divides a size, whether one is at least another, whether
two are equal. Where that depends on a symbol, it is assumed and written down; what
follows from earlier assumptions is not written again, and what contradicts them is
refused. An assumption holds for the shapes, so that other sizes do not run, or only
for the costs, whose formulas need it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd, lcm
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from archdsl.diagnostics import Note, Refused
from archdsl.diagnostics.faults.shapes import Contradiction
from archdsl.ir.dim import Floor, Poly, Size, divides, substitute, symbol
from archdsl.source import Span, nowhere

if TYPE_CHECKING:
    from archdsl.ir.ranges import Least

_NOWHERE = nowhere()
Relation: TypeAlias = Literal["divides", "at least", "at most", "equals"]


@dataclass(frozen=True)
class Assumption:
    """A relation between sizes, and what needs it.

    Attributes:
        relation: ``right`` divides ``left``; or ``left`` is at least, at most, or
            equal to ``right``.
        left: A size.
        right: A size.
        costs: Whether only costs need it, and every size runs.
        cause: The op or statement that needs it.
        span: Where that stands in the spec.
    """

    relation: Relation
    left: Size
    right: Size
    costs: bool = False
    cause: str = ""
    span: Span = _NOWHERE

    def __str__(self) -> str:
        if self.relation == "divides":
            return f"{self.right} divides {self.left}"
        return f"{self.left} {_SIGNS[self.relation]} {self.right}"

    @property
    def condition(self) -> str:
        """As Python writes it: ``H % 32 == 0``."""
        if self.relation == "divides":
            return f"{_operand(self.left)} % {_operand(self.right)} == 0"
        return str(self)

    @property
    def symbols(self) -> frozenset[str]:
        """The names that it is about."""
        sizes = (self.left, self.right)
        return frozenset().union(*(s.symbols for s in sizes if isinstance(s, Poly)))

    def with_values(self, values: dict[str, Size]) -> Assumption:
        """The same with some symbols replaced."""
        left, right = (substitute(s, values) for s in (self.left, self.right))
        return replace(self, left=left, right=right)


_SIGNS: dict[str, str] = {"at least": ">=", "at most": "<=", "equals": "=="}


def _operand(size: Size) -> str:
    text = str(size)
    return text if text.isidentifier() or isinstance(size, int) else f"({text})"


class _Remainder(NamedTuple):
    """``base // by`` leaves `rest` when divided by `modulus`."""

    base: Poly
    by: int
    modulus: int
    rest: int


class Facts:
    """The assumptions of a graph; answers questions about sizes."""

    def __init__(self) -> None:
        self.cause, self.span = "", _NOWHERE
        self._values: dict[str, tuple[Size, Assumption]] = {}  # H == 20
        self._remainders: dict[tuple[bool, Poly, int], tuple[_Remainder, Assumption]]
        self._remainders = {}
        self._bounds: dict[tuple[bool, Poly], tuple[int, Assumption]] = {}
        self._others: dict[tuple[bool, Relation, Size, Size], Assumption] = {}

    # -- questions -------------------------------------------------------------------

    def at(self, cause: str, span: Span) -> None:
        """Says who asks from now on, and where that stands."""
        self.cause, self.span = cause, span

    def divides(self, by: Size, size: Size, *, costs: bool = False) -> bool:
        """Whether `by` divides `size`; assumed, and written down, where it is open."""
        if isinstance(size, int) and isinstance(by, int):
            return size % by == 0
        return self._ask(self._assumption("divides", size, by, costs))

    def at_least(self, size: Size, bound: Size, *, costs: bool = False) -> bool:
        """Whether ``size >= bound``; assumed, and written down, where it is open."""
        gap = size - bound
        if isinstance(gap, int):
            return gap >= 0
        return self._ask(self._assumption("at least", size, bound, costs))

    def equal(self, left: Size, right: Size, *, costs: bool = False) -> bool:
        """Whether two sizes are one; assumed, and written down, where it is open."""
        gap = left - right
        if isinstance(gap, int):
            return gap == 0
        return self._ask(self._assumption("equals", left, right, costs))

    def _assumption(
        self, relation: Relation, left: Size, right: Size, costs: bool
    ) -> Assumption:
        return Assumption(relation, left, right, costs, self.cause, self.span)

    def take(self, assumption: Assumption) -> None:
        """Adds what a block that is called assumes.

        Raises:
            Refused: It contradicts an earlier assumption.
        """
        if not self._ask(assumption):
            raise _contradiction(assumption, None)

    def assumptions(self) -> tuple[Assumption, ...]:
        """What was assumed, none that follows from the others."""
        found = [a for _, a in self._values.values()]
        found += [_of_remainder(r, a) for r, a in self._remainders.values()]
        found += [a for key, (_, a) in self._bounds.items() if not self._clear(key, a)]
        found += self._others.values()
        return tuple(sorted(dict.fromkeys(found), key=lambda a: a.costs))

    # -- answers ---------------------------------------------------------------------

    def _ask(self, asked: Assumption) -> bool:
        plain = _decided(asked, {})
        if plain is not None:
            return plain
        pinned = asked.with_values({n: v for n, (v, _) in self._values.items()})
        answer = _decided(pinned, self._ranges(asked.costs))
        if answer is None:
            answer = self._by_remainders(pinned)
        if answer is None:
            return self._assume(pinned)
        if not answer:
            raise _contradiction(asked, self._culprit(asked))
        return True

    def _assume(self, new: Assumption) -> bool:
        if new.relation == "divides":
            return self._assume_divides(new)
        if new.relation == "equals":
            return self._assume_equal(new)
        return self._assume_bound(new)

    def _culprit(self, asked: Assumption) -> Assumption | None:
        """An earlier assumption about one of the symbols."""
        earlier = [a for _, a in self._values.values()]
        earlier += [_of_remainder(r, a) for r, a in self._remainders.values()]
        earlier += [a for _, a in self._bounds.values()]
        return next((a for a in earlier if a.symbols & asked.symbols), None)

    def _ranges(self, costs: bool) -> Least:
        """What is known of bare symbols."""
        found: dict[str, tuple[int, int | None]] = {}
        for (of_costs, base), (bound, _) in self._bounds.items():
            for sign in (1, -1):
                name = _name(sign * base)
                if name and (costs or not of_costs):
                    low, high = found.get(name, (1, None))
                    at_most = -bound if high is None else min(high, -bound)
                    found[name] = (
                        (max(low, bound), high) if sign > 0 else (low, at_most)
                    )
        return found

    def _by_remainders(self, asked: Assumption) -> bool | None:
        """The answer with each symbol written as a multiple, where that decides."""
        values: dict[str, Size] = {}
        ranges: dict[str, tuple[int, int | None]] = {}
        for (of_costs, base, by), (known, _) in self._remainders.items():
            name = _name(base)
            if name and by == 1 and (asked.costs or not of_costs):
                values[name] = known.modulus * symbol(name) + known.rest
                ranges[name] = (0 if known.rest else 1, None)
        return _decided(asked.with_values(values), ranges) if values else None

    # -- divisibility ----------------------------------------------------------------

    def _assume_divides(self, new: Assumption) -> bool:
        if isinstance(new.right, Poly) or isinstance(new.left, int):
            return self._assume_divides_open(new)
        asked = _remainder(new.left, new.right)
        if asked is None:
            return False
        for (of_costs, _, _), (known, old) in list(self._remainders.items()):
            kept = _coarser(known, asked.by) if known.base == asked.base else None
            if kept is None:
                continue
            if (kept.rest - asked.rest) % gcd(kept.modulus, asked.modulus):
                raise _contradiction(new, _of_remainder(known, old))
            if kept.modulus % asked.modulus == 0 and (new.costs or not of_costs):
                return True
            if of_costs == new.costs:
                asked = _joined(known, asked)
        self._check_range(asked, new)
        self._remainders[new.costs, asked.base, asked.by] = asked, new
        self._fold(asked, new)
        return True

    def _fold(self, coarse: _Remainder, new: Assumption) -> None:
        """Takes in what is known of the same size, divided further."""
        for (of_costs, base, by), (_, old) in list(self._remainders.items()):
            inside = base == coarse.base and by % coarse.by == 0 and by != coarse.by
            if (
                inside
                and of_costs == new.costs
                and coarse.modulus % (by // coarse.by) == 0
            ):
                del self._remainders[of_costs, base, by]
                self._ask(old)

    def _check_range(self, asked: _Remainder, new: Assumption) -> None:
        """Refuses a remainder that no number in the known range has."""
        name = _name(asked.base)
        low, high = self._ranges(True).get(name, (1, None))
        first = low + (asked.rest - low) % asked.modulus
        if asked.by == 1 and high is not None and first > high:
            raise _contradiction(new, self._culprit(new))

    def _assume_divides_open(self, new: Assumption) -> bool:
        for (of_costs, relation, left, right), _ in list(self._others.items()):
            if relation != "divides" or right != new.right:
                continue
            if (new.costs or not of_costs) and divides(left, new.left):
                return True
            if (of_costs or not new.costs) and divides(new.left, left):
                del self._others[of_costs, relation, left, right]
        self._others[new.costs, new.relation, new.left, new.right] = new
        return True

    # -- bounds ----------------------------------------------------------------------

    def _assume_bound(self, new: Assumption) -> bool:
        sign = 1 if new.relation == "at least" else -1
        base, bound = _bound(sign * (new.left - new.right))
        for of_costs in (False, True):
            known = self._bounds.get((of_costs, base))
            if known and known[0] >= bound and (new.costs or not of_costs):
                return True
            against = self._bounds.get((of_costs, _poly(-base)))
            if against and -against[0] < bound:
                raise _contradiction(new, against[1])
        self._bounds[new.costs, base] = bound, _of_bound(base, bound, new)
        for known_rest, _ in self._remainders.values():
            if known_rest.base in (base, -base):
                self._check_range(known_rest, new)
        return True

    def _clear(self, key: tuple[bool, Poly], assumption: Assumption) -> bool:
        """Whether a bound follows from what divides its symbol."""
        return self._by_remainders(assumption) is True

    # -- equality --------------------------------------------------------------------

    def _assume_equal(self, new: Assumption) -> bool:
        gap = new.left - new.right
        assert isinstance(gap, Poly)
        solved = _solved(gap)
        if solved is None:
            return self._assume_equal_open(new, gap)
        name, value = solved
        if isinstance(value, int) and value < 1:
            return False
        known = Assumption("equals", symbol(name), value, False, new.cause, new.span)
        self._values = {
            n: (substitute(v, {name: value}), a) for n, (v, a) in self._values.items()
        }
        self._values[name] = value, known
        self._again(known)
        return True

    def _again(self, new: Assumption) -> None:
        """Asks all that was assumed again, now that a symbol has a value."""
        earlier = [_of_remainder(r, a) for r, a in self._remainders.values()]
        earlier += [a for _, a in self._bounds.values()]
        earlier += self._others.values()
        self._remainders, self._bounds, self._others = {}, {}, {}
        for old in earlier:
            values = {n: v for n, (v, _) in self._values.items()}
            asked = old.with_values(values)
            if _decided(asked, {}) is False or not self._ask(asked):
                raise _contradiction(new, old)

    def _assume_equal_open(self, new: Assumption, gap: Poly) -> bool:
        for (_, relation, left, right), old in self._others.items():
            if relation != "equals":
                continue
            between = gap - (left - right)
            opposite = gap + (left - right)
            if 0 in (between, opposite):
                return True
            if isinstance(between, int) or isinstance(opposite, int):
                raise _contradiction(new, old)
        self._others[new.costs, new.relation, new.left, new.right] = new
        return True


# --- details ------------------------------------------------------------------------


def _decided(asked: Assumption, ranges: Least) -> bool | None:
    """The answer where it does not depend on a symbol."""
    from archdsl.ir.ranges import at_least  # fractions take long to import

    left, right = asked.left, asked.right
    if asked.relation == "divides":
        impossible = isinstance(right, int) and isinstance(left, Poly)
        if impossible and _remainder(left, right) is None:  # type: ignore[arg-type]
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


def _remainder(size: Poly, by: int) -> _Remainder | None:
    """What `by` divides `size` says of it; None where it never does."""
    constant: int = size.constant
    open_part = {m: c % by for m, c in size.terms if m and c % by}
    common = gcd(by, *open_part.values())
    if constant % common:
        return None
    by, constant = by // common, constant // common
    base = Poly.of({m: c // common for m, c in open_part.items()})
    if isinstance(base, int):  # cannot be: what always holds is decided before
        return _Remainder(size, 1, 1, 0)
    if len(base.terms) == 1:
        ((monomial, coefficient),) = base.terms
        constant = constant * pow(coefficient, -1, by)
        base = Poly(((monomial, 1),))
        atom, power = monomial[0]
        single = len(monomial) == 1 and power == 1
        if single and isinstance(atom, Floor) and isinstance(atom.divisor, int):
            return _Remainder(atom.numerator, atom.divisor, by, -constant % by)
    return _Remainder(base, 1, by, -constant % by)


def _coarser(known: _Remainder, by: int) -> _Remainder | None:
    """What is known of ``base // by``, from what is of a part of it, if anything."""
    k, left = divmod(by, known.by)
    if left or known.modulus % k:
        return None
    return known._replace(by=by, modulus=known.modulus // k, rest=known.rest // k)


def _joined(known: _Remainder, asked: _Remainder) -> _Remainder:
    """Both at once, said of the finer size; they do not contradict each other."""
    k = asked.by // known.by
    modulus, rest = k * asked.modulus, k * asked.rest + known.rest % k
    common = gcd(known.modulus, modulus)
    step = (rest - known.rest) // common
    turns = step * pow(known.modulus // common, -1, modulus // common)
    both = lcm(known.modulus, modulus)
    rest = (known.rest + known.modulus * turns) % both
    return known._replace(modulus=both, rest=rest)


def _of_remainder(known: _Remainder, cause: Assumption) -> Assumption:
    size = known.base // known.by
    rest = known.rest if 2 * known.rest <= known.modulus else known.rest - known.modulus
    return replace(cause, relation="divides", left=size - rest, right=known.modulus)


def _bound(gap: Size) -> tuple[Poly, int]:
    """``gap >= 0`` as ``base >= bound``."""
    assert isinstance(gap, Poly)
    constant = gap.constant
    common = gcd(*(c for m, c in gap.terms if m))
    base = _poly(Poly.of({m: c // common for m, c in gap.terms if m}))
    bound = -(constant // common)
    if len(base.terms) > 1:
        return base, bound
    ((monomial, sign),) = base.terms
    atom, power = monomial[0]
    lone = len(monomial) == 1 and power == 1 and isinstance(atom, Floor)
    if not lone or not isinstance(atom, Floor) or not isinstance(atom.divisor, int):
        return base, bound
    if sign > 0:  # a // n >= k: a >= k * n
        return _bound(atom.numerator - bound * atom.divisor)
    return _bound((1 - bound) * atom.divisor - 1 - atom.numerator)


def _of_bound(base: Poly, bound: int, cause: Assumption) -> Assumption:
    """``H >= 7``, ``T <= 1024``, ``N >= H + 3``."""
    above = {m: c for m, c in base.terms if c > 0}
    below = {m: -c for m, c in base.terms if c < 0}
    if not above:
        left, right = Poly.of(below), -bound
        return replace(cause, relation="at most", left=left, right=right)
    more: Size = Poly.of(below) + bound
    return replace(cause, relation="at least", left=Poly.of(above), right=more)


def _solved(gap: Poly) -> tuple[str, Size] | None:
    """The symbol that ``gap == 0`` gives a value, and the value."""
    from archdsl.ir.ranges import at_least

    for monomial, coefficient in gap.terms:
        name = _name(Poly(((monomial, 1),))) if monomial else ""
        rest = gap - coefficient * symbol(name) if name else gap
        if not name or (isinstance(rest, Poly) and name in rest.symbols):
            continue
        if isinstance(rest, int) and rest % coefficient == 0:
            return name, -rest // coefficient
        if abs(coefficient) == 1 and at_least(-coefficient * rest, 1):
            return name, -coefficient * rest
    return None


def _name(size: Size) -> str:
    """The symbol that a size is, or ""."""
    return str(size) if isinstance(size, Poly) and size.is_symbol else ""


def _poly(size: Size) -> Poly:
    assert isinstance(size, Poly)
    return size


def _contradiction(new: Assumption, old: Assumption | None) -> Refused:
    if old is None:
        return Refused(Contradiction(str(new), "what came before"))
    words = f"{old} is needed here" + (f", by {old.cause}" if old.cause else "")
    fault = Contradiction(str(new), str(old))
    return Refused(fault, notes=(Note(words, old.span),))

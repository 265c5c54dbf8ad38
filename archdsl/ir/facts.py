"""What a graph takes for granted of its open sizes.

A rule asks whether a number divides a size, whether one is at least another, whether
two are equal. Where that depends on a symbol, it is assumed and written down; what
follows from earlier assumptions is not written again, and what contradicts them is
refused. An assumption holds for the shapes, so that other sizes do not run, or only
for the costs, whose formulas need it.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from archdsl.diagnostics import Note, Refused
from archdsl.diagnostics.faults.shapes import Contradiction
from archdsl.ir.assumption import NOWHERE, Assumption, Relation
from archdsl.ir.dim import Poly, Size, divides, substitute, symbol
from archdsl.ir.normal import (
    Remainder,
    bound_of,
    coarser,
    decided,
    joined,
    name_of,
    of_bound,
    of_remainder,
    open_size,
    remainder,
    solution,
)
from archdsl.source import Span

if TYPE_CHECKING:
    from archdsl.ir.ranges import Least


class Facts:
    """The assumptions of a graph; answers questions about sizes."""

    def __init__(self) -> None:
        self.cause, self.span = "", NOWHERE
        self.consulted = 0  # how often an answer hung on what is assumed here
        self._values: dict[str, tuple[Size, Assumption]] = {}  # H == 20
        self._remainders: dict[tuple[bool, Poly, int], tuple[Remainder, Assumption]]
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
        if not self.consulted:
            return ()
        found = [a for _, a in self._values.values()]
        found += [of_remainder(r, a) for r, a in self._remainders.values()]
        found += [a for key, (_, a) in self._bounds.items() if not self._clear(key, a)]
        found += self._others.values()
        return tuple(sorted(dict.fromkeys(found), key=lambda a: a.costs))

    # -- answers ---------------------------------------------------------------------

    def answer(self, asked: Assumption) -> bool | None:
        """What follows from the assumptions; None where they do not decide it."""
        return self._answer(self._pinned(asked))

    def _pinned(self, asked: Assumption) -> Assumption:
        values = {n: v for n, (v, _) in self._values.items()}
        return asked.with_values(values) if values else asked

    def _answer(self, pinned: Assumption) -> bool | None:
        answer = decided(pinned, self._ranges(pinned.costs))
        return self._by_remainders(pinned) if answer is None else answer

    def _ask(self, asked: Assumption) -> bool:
        plain = decided(asked, {})
        if plain is not None:
            return plain
        self.consulted += 1
        pinned = self._pinned(asked)
        answer = self._answer(pinned)
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
        earlier += [of_remainder(r, a) for r, a in self._remainders.values()]
        earlier += [a for _, a in self._bounds.values()]
        return next((a for a in earlier if a.symbols & asked.symbols), None)

    def _ranges(self, costs: bool) -> Least:
        """What is known of bare symbols."""
        found: dict[str, tuple[int, int | None]] = {}
        for (of_costs, base), (bound, _) in self._bounds.items():
            for sign in (1, -1):
                name = name_of(sign * base)
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
        for (of_costs, base, by), (known, _) in self._remainders.items():
            name = name_of(base)
            if name and by == 1 and (asked.costs or not of_costs):
                # The symbol stays positive, as all are that formulas are made of.
                least = known.rest or known.modulus
                values[name] = known.modulus * (symbol(name) - 1) + least
        return decided(asked.with_values(values), {}) if values else None

    # -- divisibility ----------------------------------------------------------------

    def _assume_divides(self, new: Assumption) -> bool:
        if isinstance(new.right, Poly) or isinstance(new.left, int):
            return self._assume_divides_open(new)
        asked = remainder(new.left, new.right)
        if asked is None:
            return False
        for (of_costs, _, _), (known, old) in list(self._remainders.items()):
            kept = coarser(known, asked.by) if known.base == asked.base else None
            if kept is None:
                continue
            if (kept.rest - asked.rest) % gcd(kept.modulus, asked.modulus):
                raise _contradiction(new, of_remainder(known, old))
            if kept.modulus % asked.modulus == 0 and (new.costs or not of_costs):
                return True
            if of_costs == new.costs:
                asked = joined(known, asked)
        self._check_range(asked, new)
        self._remainders[new.costs, asked.base, asked.by] = asked, new
        self._fold(asked, new)
        return True

    def _fold(self, coarse: Remainder, new: Assumption) -> None:
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

    def _check_range(self, asked: Remainder, new: Assumption) -> None:
        """Refuses a remainder that no number in the known range has."""
        name = name_of(asked.base)
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
        base, bound = bound_of(sign * (new.left - new.right))
        for of_costs in (False, True):
            known = self._bounds.get((of_costs, base))
            if known and known[0] >= bound and (new.costs or not of_costs):
                return True
            against = self._bounds.get((of_costs, open_size(-base)))
            if against and -against[0] < bound:
                raise _contradiction(new, against[1])
        self._bounds[new.costs, base] = bound, of_bound(base, bound, new)
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
        solved = solution(gap)
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
        earlier = [of_remainder(r, a) for r, a in self._remainders.values()]
        earlier += [a for _, a in self._bounds.values()]
        earlier += self._others.values()
        self._remainders, self._bounds, self._others = {}, {}, {}
        for old in earlier:
            values = {n: v for n, (v, _) in self._values.items()}
            asked = old.with_values(values)
            if decided(asked, {}) is False or not self._ask(asked):
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


def _contradiction(new: Assumption, old: Assumption | None) -> Refused:
    if old is None:
        return Refused(Contradiction(str(new), "what came before"))
    words = f"{old} is needed here" + (f", by {old.cause}" if old.cause else "")
    fault = Contradiction(str(new), str(old))
    return Refused(fault, notes=(Note(words, old.span),))

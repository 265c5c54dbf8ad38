"""The LALR(1) machine: reads words by the table and makes the tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from archdsl.source import Source, Span
from archdsl.syntax.actions import LISTS, NODES
from archdsl.syntax.table import table
from archdsl.syntax.words import Word

DEEPEST = 200  # nodes in nodes: what comes later may recurse


class _Rule(NamedTuple):
    origin: str
    size: int
    gather: Callable[..., Any] | None  # makes a list or chooses a part
    make: Callable[..., Any] | None  # makes a node


class _Tables(NamedTuple):
    rows: list[dict[str, int]]
    rules: list[_Rule]
    settled: dict[tuple[int, int, str], int]  # see Machine._settle


class TooDeepError(Exception):
    """Raised where a node has too many others below it."""

    def __init__(self, span: Span) -> None:
        super().__init__(str(span))
        self.span = span


@cache
def _tables() -> _Tables:
    known = table()
    rules = [
        _Rule(origin, size, LISTS.get(action), NODES.get(action))
        for origin, action, size in known.rules
    ]
    return _Tables(known.states, rules, {})


class Machine:
    """A stack of values with the state of the parse above each.

    Beside each value lie the offsets where its text begins and ends, and how many
    nodes it has above one another: so every span is exact, parentheses included,
    and no tree is too deep for those who walk it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rows, self._rules, self._settled = _tables()
        self._states = [0]
        self._values: list[Any] = [None]
        self._starts = [0]
        self._ends = [0]
        self._depths = [0]

    def __len__(self) -> int:
        return len(self._states)

    @property
    def result(self) -> Any:  # noqa: ANN401
        """What was made of the whole text, once its end is fed."""
        return self._values[1]

    def cut(self, size: int) -> None:
        """Forgets all but the first values."""
        for stack in self._stacks():
            del stack[size:]

    def _stacks(self) -> tuple[list[Any], ...]:
        return self._states, self._values, self._starts, self._ends, self._depths

    def feed(self, word: Word) -> bool:
        """Takes a word, or says that it cannot stand here.

        Raises:
            TooDeepError: if a node would have too many others below it.
        """
        states, kind = self._states, word.kind
        if not self._takes(kind):
            return False  # before anything is reduced, so that a mend can be tried
        while True:
            if len(states) > 1:
                states[-1] = self._settle(states[-2], states[-1], kind)
            action = self._rows[states[-1]][kind]
            if action >= 0:
                break
            self._reduce(self._rules[~action])
        states.append(action)
        self._values.append(word)
        self._starts.append(word.start)
        self._ends.append(word.end)
        self._depths.append(0)
        return True

    def _settle(self, below: int, state: int, kind: str) -> int:
        """The state after the rules that only rename the last value.

        A number is a literal, an atom, a power, a product, a sum and so on, up to
        an argument: a dozen rules, remembered as one step.
        """
        key = below, state, kind
        known = self._settled.get(key)
        if known is not None:
            return known
        rows = self._rows
        while (action := rows[state].get(kind, 0)) < 0:
            rule = self._rules[~action]
            if rule.gather or rule.make:
                break
            state = rows[below][rule.origin]
        self._settled[key] = state
        return state

    def _reduce(self, rule: _Rule) -> None:
        origin, size, gather, make = rule
        states, starts, ends = self._states, self._starts, self._ends
        if not size:
            self._push(states[-1], origin, gather() if gather else None)
            return
        depth = max(self._depths[-size:])
        if make:
            span = Span(self._source, starts[-size], ends[-1])
            value = make(span, *self._values[-size:])
            depth += 1
            if depth > DEEPEST and origin != "file":
                raise TooDeepError(span)
        else:
            assert gather
            value = gather(*self._values[-size:])
        ...

    def accepted(self) -> frozenset[str]:
        """The kinds of words that can stand here."""
        row = self._rows[self._states[-1]]
        return frozenset(kind for kind in row if kind.isupper() and self._takes(kind))

    def _takes(self, kind: str) -> bool:
        """Whether a word of a kind can stand here; changes nothing."""
        base, above = len(self._states), list[int]()
        while True:
            top = above[-1] if above else self._states[base - 1]
            action = self._rows[top].get(kind)
            if action is None or action >= 0:
                return action is not None
            rule = self._rules[~action]
            kept = max(0, len(above) - rule.size)
            base -= rule.size - (len(above) - kept)
            del above[kept:]
            top = above[-1] if above else self._states[base - 1]
            above.append(self._rows[top][rule.origin])

"""The LALR(1) machine: reads words by the table and makes the tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

from archdsl.source import Source, Span
from archdsl.syntax.actions import LISTS, NODES
from archdsl.syntax.table import table
from archdsl.syntax.words import Word

_span = partial(tuple.__new__, Span)  # a span without a call of Python's for it
DEEPEST = 200  # nodes in nodes: what comes later may recurse


class _Rule(NamedTuple):
    origin: str
    size: int
    make: Callable[..., Any] | None  # makes a node
    gather: Callable[..., Any]  # makes a list, or chooses a part
    renames: bool  # has one part, which stays as it is


class _Move(NamedTuple):
    """What is done where a word comes up: a rule is applied, or the word is taken."""

    top: int  # the state before, once the value is renamed as far as it can be
    rule: _Rule | None
    to: int  # the state once the word is taken


_Key: TypeAlias = tuple[int, int, str]  # the states at the top, and the word's kind


class _Tables(NamedTuple):
    rows: list[dict[str, int]]
    rules: list[_Rule]
    settled: dict[_Key, int]  # see Machine._settle
    moves: dict[_Key, _Move | None]  # see made_whole


class TooDeepError(Exception):
    """Raised where a node has too many others below it."""

    def __init__(self, span: Span) -> None:
        super().__init__(str(span))
        self.span = span


@cache
def _tables() -> _Tables:
    known = table()
    rules = [
        _Rule(origin, size, NODES.get(action), LISTS.get(action, list), not action)
        for origin, action, size in known.rules
    ]
    return _Tables(known.states, rules, {}, {})


class Machine:
    """A stack of values with the state of the parse above each.

    Beside each value lie the offsets where its text begins and ends, and how many
    nodes it has above one another: so every span is exact, parentheses included,
    and no tree is too deep for those who walk it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rows, self._rules, self._settled, _ = _tables()
        self._states = [0]
        self._values: list[Any] = [None]
        self._starts = [0]
        self._ends = [0]
        self._depths = [0]

    def __len__(self) -> int:
        return len(self._states)

    @property
    def result(self) -> Any:  # noqa: ANN401 - as the grammar's actions make it
        """What was made of the whole text, once its end is fed."""
        return self._values[1]

    def cut(self, size: int) -> None:
        """Forgets all but the first values."""
        del self._states[size:]
        del self._values[size:]
        del self._starts[size:]
        del self._ends[size:]
        del self._depths[size:]

    def feed(self, word: Word, value: object = None) -> bool:
        """Takes a word, or says that it cannot stand here.

        Args:
            word: The word.
            value: What stands for it in the tree; the word itself by default.

        Raises:
            TooDeepError: if a node would have too many others below it.
        """
        kind = word.kind
        if not self._takes(kind):
            return False  # before anything is reduced, so that a mend can be tried
        states = self._states
        while True:
            if len(states) > 1:
                states[-1] = self._settle(states[-2], states[-1], kind)
            action = self._rows[states[-1]][kind]
            if action >= 0:
                break
            self._reduce(self._rules[~action])
        self._push(action, value or word, word.start, word.end, 0)
        return True

    def _push(
        self, state: int, value: object, start: int, end: int, depth: int
    ) -> None:
        self._states.append(state)
        self._values.append(value)
        self._starts.append(start)
        self._ends.append(end)
        self._depths.append(depth)

    def _reduce(self, rule: _Rule) -> None:
        """Puts what a rule makes in the place of its parts."""
        size = len(self._states) - rule.size
        start = end = self._ends[-1]
        depth = 0
        if rule.size == 1:
            start, depth = self._starts[size], self._depths[size]
        elif rule.size:
            start, depth = self._starts[size], max(self._depths[size:])
        parts = self._values[size:]
        if rule.make:
            span = Span(self._source, start, end)
            value = rule.make(span, *parts)
            depth += 1
            if depth > DEEPEST and rule.origin != "file":
                raise TooDeepError(span)
        else:
            value = rule.gather(*parts)
        self.cut(size)
        self._push(self._rows[self._states[-1]][rule.origin], value, start, end, depth)

    def _settle(self, below: int, state: int, kind: str) -> int:
        """The state after the rules that only rename the last value.

        A number is a literal, an atom, a power, a product, a sum and so on, up to
        an argument: a dozen rules, remembered as one step.
        """
        key = below, state, kind
        known = self._settled.get(key)
        if known is None:
            known = _settled(self._rows, self._rules, below, state, kind)
            self._settled[key] = known
        return known

    def accepted(self) -> frozenset[str]:
        """The kinds of words that can stand here."""
        row = self._rows[self._states[-1]]
        return frozenset(kind for kind in row if kind.isupper() and self._takes(kind))

    def _takes(self, kind: str) -> bool:
        """Whether a word of a kind can stand here; changes nothing."""
        rows, states = self._rows, self._states
        kept = len(states)
        top = self._settle(states[-2], states[-1], kind) if kept > 1 else states[-1]
        action = rows[top].get(kind)
        above: list[int] = []  # the stack would be states[:kept] + above
        while action is not None and action < 0:
            rule = self._rules[~action]
            left = len(above) - rule.size
            if left < 0:
                kept += left
            del above[max(left, 0) :]
            below = above[-1] if above else states[kept - 1]
            top = self._settle(below, rows[below][rule.origin], kind)
            above.append(top)
            action = rows[top].get(kind)
        return action is not None


def _settled(
    rows: list[dict[str, int]], rules: list[_Rule], below: int, state: int, kind: str
) -> int:
    while (action := rows[state].get(kind, 0)) < 0:
        rule = rules[~action]
        if not rule.renames:
            break
        state = rows[below][rule.origin]
    return state


def _move(below: int, state: int, kind: str) -> _Move | None:
    """What a word does to the states at the top; None where it cannot stand."""
    rows, rules, _, moves = _tables()
    top = _settled(rows, rules, below, state, kind) if state else state
    action = rows[top].get(kind)
    move = None
    if action is not None:
        move = (
            _Move(top, None, action) if action >= 0 else _Move(top, rules[~action], 0)
        )
    moves[below, state, kind] = move
    return move


def made_whole(  # noqa: C901, PLR0912 - one loop without calls is quick
    source: Source, words: Sequence[Word], highest: int
) -> object:
    """What the grammar makes of a text, or None if a word of it cannot stand.

    The same as a `Machine` that is fed each word; but a word is reduced for before it
    is known to fit, and the stack is in local names. Texts are right most of the time,
    and half of the time of a check goes by here.

    Args:
        source: The text.
        words: Its words, the end of the text last.
        highest: How many values may wait for what follows them.
    """
    rows, _, _, moves = _tables()
    # A state more than a `Machine` has, so that there is one below the first.
    states, values, starts, ends, depths = [0, 0], list[object]([None]), [0], [0], [0]
    for word in words:
        kind, _, first, last = word
        while True:
            below = states[-2]
            key = below, states[-1], kind
            try:
                move = moves[key]
            except KeyError:
                move = _move(*key)
            if move is None:
                return None
            states[-1], rule, action = move
            if rule is None:
                break
            origin, size, make, gather, _ = rule
            if size == 1:  # most have one part, whose place they take
                if make is None:
                    values[-1] = gather(values[-1])
                else:
                    values[-1] = make(_span((source, starts[-1], ends[-1])), values[-1])
                    depths[-1] += 1
                    if depths[-1] > DEEPEST and origin != "file":
                        return None
                states[-1] = rows[below][origin]
                continue
            start = starts[-size] if size else ends[-1]
            depth = max(depths[-size:]) if size else 0
            parts = values[-size:] if size else ()
            if make is None:
                value = gather(*parts)
            else:
                value = make(_span((source, start, ends[-1])), *parts)
                depth += 1
                if depth > DEEPEST and origin != "file":
                    return None
            end = ends[-1]
            if size:
                del states[-size:], values[-size:], starts[-size:]
                del ends[-size:], depths[-size:]
            states.append(rows[states[-1]][origin])
            values.append(value)
            starts.append(start)
            ends.append(end)
            depths.append(depth)
        if len(values) >= highest:
            return None
        states.append(action)
        values.append(word)
        starts.append(first)
        ends.append(last)
        depths.append(0)
    return values[1]

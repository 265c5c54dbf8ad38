"""The LALR(1) machine: reads words by the table and makes the tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

from archdsl.source import Source, Span
from archdsl.syntax.actions import LISTS, NODES
from archdsl.syntax.table import table
from archdsl.syntax.words import Word

_span = partial(tuple.__new__, Span)  # a span without a call of Python's for it
DEEPEST = 200  # nodes in nodes: what comes later may recurse

_Make: TypeAlias = Callable[..., Any]  # a value of the parts of a rule


class TooDeepError(Exception):
    """Raised where a node has too many others below it."""

    def __init__(self, span: Span) -> None:
        super().__init__(str(span))
        self.span = span


# --- what a word does, found out of the table when first asked for ------------------


class _Rule(NamedTuple):
    origin: str
    size: int
    others: range  # a turn for each part but the last
    make: _Make
    spans: bool  # whether that is a node: it takes its span before its parts
    renames: bool  # whether it has one part, which stays as it is


class _Move(NamedTuple):
    """What is done where a word comes up.

    A number is a literal, an atom, a power, a product, a sum and so on, up to an
    argument and a list of one: a dozen rules of one part, which are taken together.
    """

    makes: tuple[tuple[_Make, bool], ...]  # of rules of one part; with `_Rule.spans`
    nodes: int  # how many of those are nodes
    state: _State  # then at the top
    rule: _Rule | None  # another rule that is applied then; None if the word is taken


class _State(dict[str, "_Top"]):
    """A state of the table; what is at the top once a symbol stands above it."""

    def __init__(self, actions: dict[str, int]) -> None:
        super().__init__()
        self.actions = actions

    def __missing__(self, symbol: str) -> _Top:
        state = _tables().states[self.actions[symbol]]
        top = self[symbol] = _Top(self, state)
        return top


class _Top(dict[str, _Move | None]):
    """The two states at the top; what a kind of word does there, None if it cannot."""

    def __init__(self, below: _State, state: _State) -> None:
        super().__init__()
        self.below = below
        self.state = state

    def __missing__(self, kind: str) -> _Move | None:
        move = self[kind] = self._move(kind)
        return move

    def _move(self, kind: str) -> _Move | None:
        states, rules = _tables()
        state, nodes = self.state, 0
        makes: list[tuple[_Make, bool]] = []
        while (action := state.actions.get(kind)) is not None:
            rule = rules[~action] if action < 0 else None
            if rule is None or rule.size != 1:
                return _Move(tuple(makes), nodes, state, rule)
            if not rule.renames:
                makes.append((rule.make, rule.spans))
                nodes += rule.spans and rule.origin != "file"
            state = states[self.below.actions[rule.origin]]
        return None


class _Tables(NamedTuple):
    states: list[_State]
    rules: list[_Rule]


@cache
def _tables() -> _Tables:
    known = table()
    return _Tables(
        [_State(actions) for actions in known.states],
        [_rule(origin, action, size) for origin, action, size in known.rules],
    )


def _rule(origin: str, action: str, size: int) -> _Rule:
    make = NODES.get(action) or LISTS.get(action, list)
    renames = size == 1 and action in ("", "same")
    return _Rule(origin, size, range(size - 1), make, action in NODES, renames)


# --- the machine --------------------------------------------------------------------


class Machine:
    """A stack of values, each with the states of the parse at its place.

    Beside each value lie the offsets where its text begins and ends, and how many
    nodes it has above one another: so every span is exact, parentheses included,
    and no tree is too deep for those who walk it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        first = _tables().states[0]
        self._stack: list[tuple[_Top, Any, int, int, int]] = [
            (_Top(first, first), None, 0, 0, 0)
        ]

    def __len__(self) -> int:
        return len(self._stack)

    @property
    def result(self) -> Any:  # noqa: ANN401 - as the grammar's actions make it
        """What was made of the whole text, once its end is fed."""
        return self._stack[1][1]

    def cut(self, size: int) -> None:
        """Forgets all but the first values."""
        del self._stack[size:]

    def feed(self, word: Word, value: object = None) -> bool:
        """Takes a word; false, and nothing is changed, where it cannot stand.

        Args:
            word: The word.
            value: What stands for it in the tree; its text by default.

        Raises:
            TooDeepError: if a node would have too many others below it. What the
                machine held of the statement is to be cut then.
        """
        kind, text, start, end = word
        if not self._takes(kind):
            return False  # before anything is reduced, so that a mend can be tried
        return self.take([(kind, text if value is None else value, start, end)])

    def take(  # noqa: C901, PLR0912 - one loop without calls is quick
        self,
        words: Iterable[tuple[str, object, int, int]],
        highest: int = sys.maxsize,
    ) -> bool:
        """Takes words; false, and the machine is of no use, once one cannot stand.

        A word is reduced for before it is known to fit; what is at the top is in
        local names, as more than half of the time of reading a file goes by here.

        Args:
            words: For each its kind, its value, and where it begins and ends.
            highest: How many values may wait for what follows them.

        Raises:
            TooDeepError: if a node would have too many others below it.
        """
        source, stack = self._source, self._stack
        top, value, start, end, depth = stack.pop()
        for kind, text, first, last in words:
            while True:
                move = top[kind]
                if move is None:
                    return False
                makes, nodes, state, rule = move
                if makes:
                    span = _span((source, start, end))
                    depth += nodes
                    if depth > DEEPEST:
                        raise TooDeepError(span)
                    for make, spans in makes:
                        value = make(span, value) if spans else make(value)
                if rule is None:
                    break
                origin, size, others, make, spans, _ = rule
                if not size:
                    stack.append((top, value, start, end, depth))
                    top, value = state[origin], make()
                    start, depth = end, 0
                    continue
                parts = [value]
                for _ in others:
                    top, value, start, _, below = stack.pop()
                    if below > depth:  # noqa: PLR1730 - no call
                        depth = below
                    parts.append(value)
                parts.reverse()
                top = top.below[origin]
                if spans:
                    span = _span((source, start, end))
                    depth += 1
                    if depth > DEEPEST:
                        raise TooDeepError(span)
                    value = make(span, *parts)
                else:
                    value = make(*parts)
            stack.append((top, value, start, end, depth))
            if len(stack) >= highest:
                return False
            top, depth = state[kind], 0
            value, start, end = text, first, last
        stack.append((top, value, start, end, depth))
        return True

    def accepted(self) -> frozenset[str]:
        """The kinds of words that can stand here."""
        kinds = self._stack[-1][0].state.actions
        return frozenset(kind for kind in kinds if kind.isupper() and self._takes(kind))

    def _takes(self, kind: str) -> bool:
        """Whether a word of a kind can stand here; changes nothing."""
        stack = self._stack
        kept = len(stack)
        above: list[_Top] = []  # the stack would be stack[:kept] and these
        move = stack[-1][0][kind]
        while move is not None and move.rule is not None:
            origin, size, *_ = move.rule
            state = move.state
            if size:
                left = len(above) - size
                state = (above[left] if left >= 0 else stack[kept + left][0]).below
                kept += min(left, 0)
                del above[max(left, 0) :]
            above.append(state[origin])
            move = above[-1][kind]
        return move is not None


def made_whole(
    source: Source, words: Iterable[tuple[str, object, int, int]], highest: int
) -> object:
    """What the grammar makes of a text, None if a word of it cannot stand.

    Args:
        source: The text.
        words: Its words, the end of the text last.
        highest: How many values may wait for what follows them.
    """
    machine = Machine(source)
    try:
        return machine.result if machine.take(words, highest) else None
    except TooDeepError:
        return None

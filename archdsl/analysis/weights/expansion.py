"""Layouts written out over the keys of a model: how each of them is filled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from archdsl.analysis.weights.ours import COUNTER, Shape, keys
from archdsl.build.checkpoints.keys import Keys
from archdsl.build.checkpoints.layouts import OWN, Layout
from archdsl.build.checkpoints.patterns import Pattern, joined
from archdsl.build.checkpoints.rules import Rule
from archdsl.build.checkpoints.steps import Step
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.checkpoints import TakenTwice
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.graph import Graph
from archdsl.record import record

_MOST_WORK = 3_000_000  # keys times rules


@dataclass(frozen=True)
class Cut:
    """One of the pieces that a tensor is split into along dim 0.

    Attributes:
        index: Which one.
        sizes: The size of each; None for the one that is dropped: what is left over.
    """

    index: int
    sizes: tuple[int | None, ...]

    def bounds(self, rows: int) -> tuple[int, int] | None:
        """Where the piece lies in so many rows; None if they are not as many."""
        known = sum(size for size in self.sizes if size is not None)
        rest = rows - known
        if rest < 0 or (None not in self.sizes and rest):
            return None
        sizes = [rest if size is None else size for size in self.sizes]
        start = sum(sizes[: self.index])
        return start, start + sizes[self.index]


@record
class Move:
    """How one of our keys is filled.

    Attributes:
        ours: Our key.
        shape: Its shape.
        theirs: What is concatenated along dim 0; nothing where it is made up.
        fill: "zeros" or "ones", where it is.
        steps: What happens on the way.
        cut: Which piece it is of what comes out; None for all.
    """

    ours: str
    shape: Shape
    theirs: tuple[str, ...]
    fill: str = ""
    steps: tuple[Step, ...] = ()
    cut: Cut | None = None

    @property
    def step(self) -> str:
        """What happens on the way, in words; "" for nothing."""
        words = ["concatenate"] if len(self.theirs) > 1 else []
        words += [self.fill] if self.fill else []
        vector = len(self.shape) < 2  # its own transpose
        steps = [s for s in self.steps if not (vector and s.name == "transpose")]
        words += [str(step) for step in steps]
        if self.cut is not None:
            words.append(f"piece {self.cut.index + 1} of {len(self.cut.sizes)}")
        return ", ".join(words)


@dataclass(frozen=True)
class Expanded:
    """A layout, written out over the keys of one model.

    Attributes:
        layout: Its name.
        model: The model's name.
        ours: All keys of the model, in order, with their shapes.
        moves: How each is filled, but for those that no rule fits.
        idle: Rules that fit none of our keys.
        drops: What of theirs is left out.
    """

    layout: str
    model: str
    ours: Mapping[str, Shape]
    moves: Mapping[str, Move]
    idle: tuple[Rule, ...] = ()
    drops: tuple[re.Pattern[str], ...] = ()

    @property
    def unfilled(self) -> tuple[str, ...]:
        """Keys of ours that no rule fits; a counter of batches may start anew."""
        left = [key for key in self.ours if key not in self.moves]
        return tuple(key for key in left if not counts(key))


def counts(key: str) -> bool:
    """Whether a key is a counter of batches, which may start anew."""
    return key.rpartition(".")[2] == COUNTER


def own(graph: Graph) -> Expanded:
    """The layout of the compiled module itself."""
    ours = keys(graph)
    moves = {key: Move(key, shape, (key,)) for key, shape in ours.items()}
    return Expanded(OWN, graph.name, ours, moves)


def expanded(
    layout: Layout, graph: Graph, ours: Mapping[str, Shape] | None = None
) -> Expanded:
    """A layout over the keys of a model.

    Args:
        layout: The layout.
        graph: The model.
        ours: What `keys` says of the model, if it is known.

    Raises:
        SpecError: An expression in a rule is wrong for this model, or a tensor of
            theirs would go to two places.
    """
    return _Expansion(layout, graph, keys(graph) if ours is None else ours).run()


class _Target(NamedTuple):
    """A pattern of ours: the key that a rule fills, or a piece of what it fills."""

    rule: Rule
    at: int
    captures: tuple[str, ...]
    groups: tuple[int, ...]  # the whole key, what is captured, and what follows


class _Targets:
    """Finds the first rule that fits a key, in one look at it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._known: dict[int, _Target] = {}  # by a group that is empty
        words, count = [], 0
        for rule in rules:
            for at, pattern in enumerate(rule.ours):
                if pattern is None:
                    continue
                captures = tuple(dict.fromkeys(pattern.captures))
                first, count = count + 1, count + len(captures) + 2
                groups = (0, *range(first, count))
                self._known[count] = _Target(rule, at, captures, groups)
                words.append(f"{pattern.regex(f'_{count}')}()")
        self._fits = re.compile("|".join(words) or r"(?!)").fullmatch

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> tuple[_Target, tuple[str, ...], str | None] | None:
        """The target, the numbers that it captures, and what of the key follows."""
        match = self._fits(key)
        if match is None:
            return None
        assert match.lastindex is not None
        target = self._known[match.lastindex]
        _, *numbers, rest = match.group(*target.groups)
        return target, tuple(numbers), rest


_Theirs: TypeAlias = tuple[tuple[str, ...], tuple[Step, ...]]  # keys, steps


@dataclass
class _Expansion:
    layout: Layout
    graph: Graph
    ours: Mapping[str, Shape]
    taken: dict[tuple[str, int], str] = field(default_factory=dict)
    known: dict[tuple[int, tuple[str, ...]], _Theirs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = Keys(self.layout, self.graph)
        self.targets = _Targets(self.layout.rules)

    def run(self) -> Expanded:
        if len(self.ours) * len(self.targets) > _MOST_WORK:
            what = "this checkpoint has too many rules for so many keys"
            fault = TooMuchWork(what, f"{_MOST_WORK:,} keys times rules")
            raise SpecError.at(self.layout.span, fault)
        moves: dict[str, Move] = {}
        used: set[int] = set()
        for key, shape in self.ours.items():
            found = self.targets.find(key)
            if found is not None:
                rule = found[0].rule
                used.add(id(rule))
                moves[key] = move = self._move(key, shape, *found)
                self._take(move, rule)
        idle = tuple(rule for rule in self.layout.rules if id(rule) not in used)
        drops = tuple(self._drop(rule) for rule in self.layout.drops)
        name, model = self.layout.name, self.graph.name
        return Expanded(name, model, self.ours, moves, idle, drops)

    def _move(
        self,
        key: str,
        shape: Shape,
        target: _Target,
        numbers: tuple[str, ...],
        rest: str | None,
    ) -> Move:
        rule = target.rule
        heads, steps = self._theirs(target, numbers)
        theirs = tuple([joined(head, rest) for head in heads])
        if len(rule.ours) == 1:
            return Move(key, shape, theirs, rule.fill, steps)
        captured = _captured(target, numbers)
        sizes = [
            None if p is None else self._rows(p.filled(captured, rest))
            for p in rule.ours
        ]
        cut = Cut(target.at, tuple(sizes))
        return Move(key, shape, theirs, rule.fill, steps, cut)

    def _theirs(self, target: _Target, numbers: tuple[str, ...]) -> _Theirs:
        """What a rule says of theirs, the same for a weight and what is beside it."""
        found = id(target), numbers
        if found not in self.known:
            rule, captured = target.rule, _captured(target, numbers)
            heads = tuple([self.names.key(p, captured) for p in rule.theirs])
            steps = tuple([self.names.step(step, captured) for step in rule.steps])
            self.known[found] = heads, steps
        return self.known[found]

    def _rows(self, key: str) -> int:
        """The size of a piece along dim 0; a key that we have not takes none."""
        shape = self.ours.get(key, ())
        return shape[0] if shape and isinstance(shape[0], int) else 0

    def _take(self, move: Move, rule: Rule) -> None:
        piece = move.cut.index if move.cut else -1
        for theirs in move.theirs:
            other = self.taken.setdefault((theirs, piece), move.ours)
            if other != move.ours:
                fault = TakenTwice(theirs, self.graph.name, other, move.ours)
                raise SpecError.at(rule.span, fault)

    def _drop(self, rule: Rule) -> re.Pattern[str]:
        (pattern,) = rule.theirs
        parts = tuple(self.names.known(part) for part in pattern.parts)
        return re.compile(Pattern(parts, pattern.span).regex())


def _captured(target: _Target, numbers: Sequence[str]) -> dict[str, int]:
    return dict(zip(target.captures, map(int, numbers), strict=True))

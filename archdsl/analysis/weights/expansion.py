"""Layouts written out over the keys of a model: how each of them is filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from archdsl.analysis.weights.ours import COUNTER, Shape, keys
from archdsl.analysis.weights.targets import Fit, Targets
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


def expanded(layout: Layout, graph: Graph) -> Expanded:
    """A layout over the keys of a model.

    Raises:
        SpecError: An expression in a rule is wrong for this model, or a tensor of
            theirs would go to two places.
    """
    return Expander(layout).over(graph, keys(graph))


class Expander:
    """Writes a layout out over one model after another.

    Most keys of a model are keys of its variants too, and most rules say the same of
    a key whatever the model is.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.targets = Targets(layout.rules)
        self.fits: dict[str, Fit | None] = {}  # by our key
        self.said: dict[str, _Said] = {}  # by our key, where it is so for all models

    def over(self, graph: Graph, ours: Mapping[str, Shape]) -> Expanded:
        """As `expanded`, what `keys` says of the model being known."""
        return _Expansion(self, graph, ours).run()


class _Said(NamedTuple):
    """What a rule says of a key: what fills it, and what happens on the way."""

    fit: Fit
    theirs: tuple[str, ...]
    steps: tuple[Step, ...]


_Numbers: TypeAlias = tuple[str, ...]


class _Expansion:
    def __init__(
        self, known: Expander, graph: Graph, ours: Mapping[str, Shape]
    ) -> None:
        self.known, self.graph, self.ours = known, graph, ours
        self.names = Keys(known.layout, graph)
        self.heads: dict[tuple[int, _Numbers], tuple[str, ...]] = {}
        self.steps: dict[tuple[int, _Numbers], tuple[Step, ...]] = {}
        self.sizes: dict[tuple[int, _Numbers, str | None], tuple[int | None, ...]] = {}

    def run(self) -> Expanded:
        layout = self.known.layout
        if len(self.ours) * len(self.known.targets) > _MOST_WORK:
            what = "this checkpoint has too many rules for so many keys"
            fault = TooMuchWork(what, f"{_MOST_WORK:,} keys times rules")
            raise SpecError.at(layout.span, fault)
        moves: dict[str, Move] = {}
        used: set[int] = set()
        known = self.known.said
        for key, shape in self.ours.items():
            said = known.get(key) or self._said(key)
            if said is not None:
                fit, theirs, steps = said
                rule = fit.target.rule
                used.add(id(rule))
                cut = self._cut(fit) if len(rule.ours) > 1 else None
                moves[key] = Move(key, shape, theirs, rule.fill, steps, cut)
        self._check_taken(moves)
        idle = tuple(rule for rule in layout.rules if id(rule) not in used)
        drops = tuple(self._drop(rule) for rule in layout.drops)
        return Expanded(layout.name, self.graph.name, self.ours, moves, idle, drops)

    def _said(self, key: str) -> _Said | None:
        """What the first rule that fits a key says of it, if one does."""
        fit = self._fit(key)
        if fit is None:
            return None
        heads, steps = self._heads(fit), self._steps(fit)
        said = _Said(fit, tuple([joined(head, fit.rest) for head in heads]), steps)
        if fit.target.general:
            self.known.said[key] = said
        return said

    def _fit(self, key: str) -> Fit | None:
        fits = self.known.fits
        if key not in fits:
            fits[key] = self.known.targets.find(key)
        return fits[key]

    def _heads(self, fit: Fit) -> tuple[str, ...]:
        """How theirs begin, the same for a weight and what is beside it."""
        found = id(fit.target), fit.numbers
        if found not in self.heads:
            captured, theirs = fit.captured, fit.target.rule.theirs
            self.heads[found] = tuple([self.names.key(p, captured) for p in theirs])
        return self.heads[found]

    def _steps(self, fit: Fit) -> tuple[Step, ...]:
        """What happens on the way, of most rules the same for all that it fits."""
        steps = fit.target.rule.steps
        if not steps:
            return ()
        found = id(steps), () if fit.target.steady else fit.numbers
        if found not in self.steps:
            captured = fit.captured
            self.steps[found] = tuple([self.names.step(s, captured) for s in steps])
        return self.steps[found]

    def _cut(self, fit: Fit) -> Cut:
        """Which piece a key is; the sizes are looked up once for all pieces."""
        rule, pieces = fit.target.rule, (id(fit.target.rule), fit.numbers, fit.rest)
        if pieces not in self.sizes:
            captured = fit.captured
            self.sizes[pieces] = tuple([
                None if p is None else self._rows(p.filled(captured, fit.rest))
                for p in rule.ours
            ])  # fmt: skip
        return Cut(fit.target.at, self.sizes[pieces])

    def _rows(self, key: str) -> int:
        """The size of a piece along dim 0; a key that we have not takes none."""
        shape = self.ours.get(key, ())
        return shape[0] if shape and isinstance(shape[0], int) else 0

    def _check_taken(self, moves: Mapping[str, Move]) -> None:
        """Refuses a tensor of theirs, or a piece of one, that goes to two places."""
        taken = [
            (name, move.cut.index if move.cut else None)
            for move in moves.values()
            for name in move.theirs
        ]
        if len(set(taken)) == len(taken):
            return
        keys = iter([move.ours for move in moves.values() for _ in move.theirs])
        first: dict[tuple[str, int | None], str] = {}
        for part, key in zip(taken, keys, strict=True):
            other = first.setdefault(part, key)
            fit = self._fit(key)
            if other != key and fit is not None:
                fault = TakenTwice(part[0], self.graph.name, other, key)
                raise SpecError.at(fit.target.rule.span, fault)

    def _drop(self, rule: Rule) -> re.Pattern[str]:
        (pattern,) = rule.theirs
        parts = tuple(self.names.known(part) for part in pattern.parts)
        return re.compile(Pattern(parts, pattern.span).regex())

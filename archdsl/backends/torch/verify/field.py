"""Receptive fields: which input positions the outputs and some layers feel.

At a few positions of each, changing all that lies outside of the interval that the
analysis claims must change nothing there, and changing its first or its last position
must change something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from archdsl.analysis.receptive_field import find
from archdsl.analysis.receptive_field.result import AxisField, ReceptiveField
from archdsl.analysis.verification import Row, equal, skipped
from archdsl.backends.torch.layout import Plan
from archdsl.backends.torch.verify.steps import Place, Steps, Taken, places
from archdsl.backends.torch.verify.subject import Check, Subject
from archdsl.diagnostics import SpecError
from archdsl.ir.graph import Enter, Graph, Path

NAME = "receptive-field"
_LEAK = 1e-13  # of the largest number: below lies what comes through a mask of -100
# Other numbers, or other ids, that are tried before a position counts as not felt.
_TRIES, _IDS = 10, 60
_MOST_MACS = 40 * 10**9  # of all runs
_LAYERS = 4  # besides those that make the outputs

At: TypeAlias = Mapping[str, int]


_Target: TypeAlias = tuple[Place, At]


class _Stop(Exception):
    """The layer that is looked at has run."""


def rows(subject: Subject) -> Iterator[Row]:
    """Tries the outputs, the maps before them, and some layers between."""
    if subject.left_out:
        yield skipped(NAME, "layers", subject.left_out)
        return
    try:
        targets = _targets(subject, find(subject.graph))
    except SpecError as error:
        yield skipped(NAME, "layers", str(error.diagnostics[0].fault.message()))
        return
    cheap = targets if subject.full else _affordable(subject, targets)
    if cheap:
        subject.progress("changing the inputs of the model")
    trial = _Trial(subject)
    for place, at in cheap:
        yield trial.row(place, at)
    if len(cheap) < len(targets):
        what = f"{len(targets) - len(cheap)} of {len(targets)} positions"
        yield skipped(NAME, what, "too many MACs; --full tries them")


def _affordable(subject: Subject, targets: list[_Target]) -> list[_Target]:
    """Those that take few MACs, the first ones first."""
    runs = 1 + 3 * sum(len(t.positions) for t in subject.graph.inputs.values())
    until: dict[str, int] = {}  # what the model takes until a layer is done
    total = 0
    for place in places(subject.plan):
        cost = subject.costs.node(place.plan.graph, place.node)
        total += subject.size(cost.macs)
        until[".".join(place.path)] = total
    found, left = [], _MOST_MACS
    for place, at in targets:
        macs = runs * until[".".join(place.path)]
        if macs <= left:
            found.append((place, at))
            left -= macs
    return found


def _targets(subject: Subject, fields: ReceptiveField) -> list[_Target]:
    """The layers and positions that are looked at, the last maps first."""
    first: dict[str, Place] = {}
    for place in _once(subject.plan):
        first.setdefault(".".join(place.path), place)
    paths = list(first)[::-1]
    step = max(1, len(paths) // (_LAYERS + 1))
    maps = [output.map for output in fields.outputs if output.map in first]
    wanted = dict.fromkeys([*maps, *paths[:1], *paths[step::step]])
    if not any(t.positions for t in subject.graph.inputs.values()):
        return []  # there is nowhere to look
    middles = [(first[path], _middle(first[path])) for path in wanted if path]
    firsts = [(place, dict.fromkeys(at, 0)) for place, at in middles if at]
    return middles + [(p, at) for p, at in firsts if any(_middle(p).values())]


def _once(plan: Plan, prefix: Path = ()) -> Iterator[Place]:
    """Every op in order, but those in the body of a scan, which run once a turn."""
    for node in plan.graph:
        path = prefix + node.path
        if node.id in plan.callees:
            if plan.callees[node.id].graph.scan is None:
                yield from _once(plan.callees[node.id], path)
        elif not isinstance(node.payload, Enter):
            yield Place(path, plan, node)


def _middle(place: Place) -> At:
    """The position in the middle of what a layer makes."""
    tensor = place.node.outputs[0]
    return {axis: _int(tensor[axis]) // 2 for axis in tensor.positions}


def _int(size: object) -> int:
    assert isinstance(size, int)
    return size


class _Felt(NamedTuple):
    """What lies along one axis of an input, said and felt."""

    said: str
    felt: str


class _Trial:
    """The model, run up to a layer with one input changed or another."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.generator = torch.Generator().manual_seed(subject.seed)
        self.names = list(subject.graph.inputs)
        # All is positive, so that no relu hides anything and nothing cancels out.
        self.inputs = [
            (x.abs() + 0.1) * subject.loudness if x.is_floating_point() else x
            for x in subject.inputs(torch.float64)
        ]
        # An id is no number to be made large: there, features that differ in sign let
        # a maximum feel it in one of them.
        self.of_numbers = Steps(subject.plan, subject.positive)
        self.of_ids = Steps(subject.plan, subject.shaken)

    def row(self, place: Place, at: At) -> Row:
        """What one position of a layer sees, along each axis of each input."""
        path = ".".join(place.path)
        where = ", ".join(f"{axis} = {index}" for axis, index in at.items())
        of = f"{path}[{where}]" if where else path
        try:
            found = find(self.subject.graph, at)
        except SpecError:
            return skipped(NAME, of, "too many positions to follow")
        fields = next((x.fields for x in found.layers if x.path == path), ())
        felt = [
            self._felt(place, at, name, axis, seen)
            for name, axis, seen in _claims(self.subject.graph, fields, at)
        ]
        said = ", ".join(f.said for f in felt)
        return equal(NAME, of, said, ", ".join(f.felt for f in felt))

    def _felt(self, place: Place, at: At, name: str, axis: str, seen: range) -> _Felt:
        along = f"{name}.{axis}"
        said = f"{along} {seen[0]} to {seen[-1]}" if seen else f"nothing of {along}"
        number = self.names.index(name)
        x = self.inputs[number]
        self.steps = self.of_numbers if x.is_floating_point() else self.of_ids
        self.before = self._value(place, at, self.inputs)
        dim = self.subject.graph.inputs[name].names.index(axis)
        index = torch.arange(x.shape[dim])
        index = index.view([-1 if i == dim else 1 for i in range(x.dim())])

        def moved(where: Tensor, turn: int, leak: float) -> bool:
            return self._moves(place, at, number, where, turn, leak)

        numbers = all(x.is_floating_point() for x in self.inputs)
        tries = _TRIES if numbers else _IDS
        outside = (index < seen.start) | (index >= seen.stop)
        if outside.any() and moved(outside, 0, _LEAK):
            return _Felt(said, f"more than {said}" if seen else f"some of {along}")
        for end in (seen[0], seen[-1]) if seen else ():
            if not any(moved(index == end, turn, 0.0) for turn in range(tries)):
                return _Felt(said, f"{along} not {end}")
        return _Felt(said, said)

    def _other(self, x: Tensor, turn: int) -> Tensor:
        """An input with other numbers everywhere.

        They are ever larger: a maximum feels that. At last they are smaller: where the
        maximum lies feels that, too.
        """
        if x.dtype == torch.bool:
            return ~x
        if not x.is_floating_point():
            return self._other_ids(x)
        drawn = torch.rand(x.shape, generator=self.generator, dtype=x.dtype)
        if turn >= _TRIES - 2:
            return x * drawn / 8
        return x + (1 + drawn) * 2 * (turn + 1) * self.subject.loudness

    def _other_ids(self, x: Tensor) -> Tensor:
        """Other ids everywhere; truth values by chance."""
        if x.dtype == torch.bool:
            return torch.rand(x.shape, generator=self.generator) < 0.5
        ids = self.subject.ids
        step = torch.randint(1, max(ids, 2), x.shape, generator=self.generator)
        return (x + step) % ids

    def _moves(
        self, place: Place, at: At, number: int, where: Tensor, turn: int, leak: float
    ) -> bool:
        """Whether a position feels another input at some places.

        Ids and truth values may say where to look, so that from the second turn on all
        are others.
        """
        inputs, before = list(self.inputs), self.before
        ids = [i for i, x in enumerate(inputs) if not x.is_floating_point()]
        if turn and ids:
            for i in ids:
                inputs[i] = self._other_ids(inputs[i])
            before = self._value(place, at, inputs)
        x = inputs[number]
        inputs[number] = torch.where(where, self._other(x, turn), x)
        after = self._value(place, at, inputs)
        most = leak * before.abs().max().clamp(min=1e-30).item()
        return bool(((after - before).abs() > most).any())

    def _value(self, place: Place, at: At, inputs: list[Tensor]) -> Tensor:
        """What a layer makes at a position, the last time that it runs."""
        kept: list[Tensor] = []
        index = tuple(at.get(axis, slice(None)) for axis in place.layouts[0])

        def watch(here: Place, taken: Taken, made: tuple[Tensor, ...]) -> None:
            if here.node is place.node and here.path == place.path:
                kept.append(made[0][index].double())
                raise _Stop

        self.steps.watch = watch
        with torch.no_grad(), suppress(_Stop):
            self.steps.run(inputs)
        return kept[-1]


def _claims(
    graph: Graph, fields: Iterable[AxisField], at: At
) -> Iterator[tuple[str, str, range]]:
    """What a position is said to see, along each axis of each input.

    Without those of one position, of which a report does not say who sees them, and
    those of which only the size of what is seen is known.
    """
    known = {(field.input, field.axis): field for field in fields}
    blind = {name for (name, _), field in known.items() if at and field.at is None}
    for name, tensor in graph.inputs.items():
        for axis in tensor.positions:
            length, field = _int(tensor[axis]), known.get((name, axis))
            if field is None or name in blind:
                yield name, axis, range(0)
            elif field.at is not None:
                yield name, axis, range(field.at[0], field.at[1] + 1)
            elif field.size == length:
                yield name, axis, range(length)


CHECK = Check(NAME, "which input positions some layers feel", rows, formulas=False)

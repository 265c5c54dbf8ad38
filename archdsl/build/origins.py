"""Where things come from, for the notes of an error: calls, turns, sizes, axes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archdsl.build.values import Definition, StepValue, TensorValue, Value, kind
from archdsl.diagnostics import Note
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ir.tensor import Tensor
from archdsl.ops.spelling import spelled
from archdsl.source import Span

_MOST_CALLS = 3  # that an error names, the innermost ones
_MOST_SIZES = 12  # of an axis on its way that a note shows
_LONGEST_WORD = 60  # characters of an argument in a note
_LONGEST_CALL = 40  # characters of a call that says more than the block's name
_FARTHEST = 10_000  # nodes that are looked at for a note


@dataclass(frozen=True)
class Frame:
    """A call of a block that is being elaborated."""

    definition: Definition
    words: Callable[[], str]  # the call, as notes name it
    span: Span
    caller: Graph
    sources: Mapping[str, TensorValue]
    where: str


class Turn(NamedTuple):
    """A turn of a loop that is being elaborated, `depth` calls deep."""

    number: int  # from 1
    depth: int
    span: Span
    names: Mapping[str, Value]

    def note(self) -> Note:
        """Which turn it is, and what its variables are."""
        names = [f"{n} = {kind(v)}" for n, v in self.names.items()]
        inside = f" ({', '.join(names)})" if names else ""
        words = f"in turn {self.number} of the loop{inside}"
        return Note(words, self.span, shown=False)


def surroundings(
    frames: Sequence[Frame], turns: Sequence[Turn], *, first_turns: bool
) -> list[Note]:
    """The calls and turns around an error, innermost first.

    Args:
        frames: The open calls.
        turns: The open turns of loops.
        first_turns: Whether the first turn of a loop is worth a note too: an error
            that would be the same in each shows up there.
    """
    notes: list[Note] = []
    for depth in range(len(frames), max(len(frames) - _MOST_CALLS, -1), -1):
        here = [t for t in turns if t.depth == depth and (t.number > 1 or first_turns)]
        notes += [turn.note() for turn in reversed(here[-2:])]
        if depth:
            frame = frames[depth - 1]
            words = f"in {frame.words()}, called in {frame.where}"
            notes.append(Note(words, frame.span, shown=False))
    return notes


def first_at(name: str, span: Span | None) -> tuple[Note, ...]:
    """Where a name was defined before."""
    return (Note(f"`{name}` is first defined here", span),) if span else ()


def call_words(name: str, given: Mapping[str, Value]) -> str:
    """A call as it is named in notes."""
    inside = ", ".join(f"{k} = {_word(v)}" for k, v in given.items())
    return f"{name}({inside})" if inside else name


def _word(value: Value) -> str:
    text = value.name if isinstance(value, StepValue) else spelled(value)
    return text if len(text) <= _LONGEST_WORD else text[: _LONGEST_WORD - 1] + "…"


# --- sizes --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A tensor in a body, with the calls that are open there."""

    graph: Graph
    ref: Ref
    frames: tuple[Frame, ...]

    @property
    def node(self) -> Node:
        """What makes the tensor."""
        return self.graph[self.ref.node]

    @property
    def type(self) -> Tensor:
        """The tensor."""
        return self.graph.tensor(self.ref)

    def before(self) -> Iterator[_Place]:
        """What the tensor is made from; before an input of a block, its caller's."""
        payload = self.node.payload
        if isinstance(payload, Enter) and self.frames:
            *frames, frame = self.frames
            if payload.name in frame.sources:
                ref = frame.sources[payload.name].ref
                yield _Place(frame.caller, ref, tuple(frames))
        for _, ref in self.node.inputs:
            yield _Place(self.graph, ref, self.frames)


def origin(
    frames: Sequence[Frame], graph: Graph, value: TensorValue, axis: str
) -> Note:
    """Where a tensor got the size that an axis has, through the open calls."""
    place = _changes(_Place(graph, value.ref, tuple(frames)), axis)[0]
    words = f"{axis} = {value.type[axis]} comes from {_words(place.node)}"
    return Note(words, place.node.span)


def shrinking(
    frames: Sequence[Frame], graph: Graph, value: TensorValue, axis: str
) -> tuple[Note, ...]:
    """The sizes of an axis on its way here, where there were several."""
    places = _changes(_Place(graph, value.ref, tuple(frames)), axis)
    sizes = [str(place.type[axis]) for place in places[::-1]]
    if len(sizes) < 3:
        return ()
    if len(sizes) > _MOST_SIZES:
        sizes[2 : len(sizes) - _MOST_SIZES + 3] = ["…"]
    return (Note(f"on the way here {axis} goes {' -> '.join(sizes)}"),)


def lost(
    frames: Sequence[Frame], graph: Graph, value: TensorValue, axis: str
) -> tuple[Note, ...]:
    """The step that took an axis away, or, with "", the last positions; if one did."""
    waiting = deque([_Place(graph, value.ref, tuple(frames))])
    for _ in range(_FARTHEST):
        if not waiting:
            break
        place = waiting.popleft()
        for before in place.before():
            gone = [axis] if axis in before.type else []
            gone = gone if axis else list(before.type.positions)
            if gone:
                sizes = " and ".join(f"{a} = {before.type[a]}" for a in gone)
                verb = "end" if len(gone) > 1 else "ends"
                words = f"{sizes} {verb} at {_words(place.node)}"
                return (Note(words, place.node.span),)
            waiting.append(before)
    return ()


def _changes(place: _Place, axis: str) -> list[_Place]:
    """The places that gave an axis its sizes, the last one first."""
    found: list[_Place] = []
    for _ in range(_FARTHEST):
        size = place.type[axis]
        same = [p for p in place.before() if p.type.sizes.get(axis) == size]
        if same:
            place = same[0]
            continue
        found.append(place)
        other = [p for p in place.before() if axis in p.type]
        if not other:
            break
        place = other[0]
    return found or [place]


def _words(node: Node) -> str:
    """What a node is, for a person, with its turns where loops are around it."""
    if isinstance(node.payload, Enter):
        return f"input {node.payload.name}"
    if isinstance(node.payload, Call):
        graph = node.payload.graph
        words = call_words(graph.name, graph.hyper)  # type: ignore[arg-type]
        name = words if len(words) <= _LONGEST_CALL else graph.name
    else:
        name = node.payload.name
    return name if len(node.path) == 1 else f"{name} ({node.name})"

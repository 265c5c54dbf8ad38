"""One run of the builder: diagnostics, memory of specialisations, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from archdsl.build.functions import LONGEST_LIST
from archdsl.build.values import Definition, TensorValue, Value
from archdsl.diagnostics import Diagnostic, Fault, Lint, Note, Refused
from archdsl.diagnostics.faults import RecursiveBlock, TooDeep, TooMuchWork
from archdsl.ir.dim import Poly
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ir.tensor import Tensor
from archdsl.source import Span

MOST_NODES = 25_000
MOST_WORK = 1_000_000
MOST_ELEMENTS = 2**63 - 1  # of a tensor, as PyTorch counts them
MOST_AXES = 32
DEEPEST_CALL = 40
MOST_ERRORS = 100
DEEPEST_LIST = 32
_ERRORS = f"{MOST_ERRORS} errors"
_ERROR = 20  # steps of evaluation that an error is worth
_FACTOR = 10  # steps of evaluation that a factor of a formula is worth
_TEXT = 16  # characters of a text that are worth one


class Exhausted(Exception):
    """The spec asked for more than the limits allow; it is reported already."""


@dataclass(frozen=True)
class Frame:
    """A call of a block that is being elaborated."""

    definition: Definition
    words: str
    span: Span
    caller: Graph
    sources: Mapping[str, TensorValue]
    where: str


@dataclass
class Session:
    """What all bodies of a run share."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    memo: dict[object, Graph | None] = field(default_factory=dict)
    variants: dict[int, Value] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    work: int = 0
    nodes: int = 0
    _seen: set[tuple[str, Span]] = field(default_factory=set)

    def report(self, fault: Fault, span: Span, notes: Iterable[Note] = ()) -> None:
        """Keeps a diagnostic; the first of one code at one place only.

        Raises:
            Exhausted: There are more than anyone reads.
        """
        self.work += _ERROR
        if (fault.code, span) in self._seen:
            return
        self._seen.add((fault.code, span))
        if len(self.diagnostics) == MOST_ERRORS:
            mend = "mend the first ones: later ones often follow from them"
            fault = TooMuchWork("this spec has too many errors", _ERRORS, mend)
            self.diagnostics.append(Diagnostic(fault, span))
            raise Exhausted
        calls = [
            Note(f"in {frame.words}, called in {frame.where}", frame.span, shown=False)
            for frame in reversed(self.frames[-3:])
        ]
        self.diagnostics.append(Diagnostic(fault, span, (*notes, *calls)))

    def warn(self, lint: Lint, span: Span, notes: Iterable[Note] = ()) -> None:
        """Keeps a warning; the first of one code at one place only."""
        if (lint.code, span) not in self._seen and len(self.warnings) < MOST_ERRORS:
            self._seen.add((lint.code, span))
            self.warnings.append(Diagnostic(lint, span, tuple(notes)))

    def tick(self, span: Span, work: int = 1) -> None:
        """Counts one evaluation, or as much work as some.

        Raises:
            Exhausted: There were too many.
        """
        self.work += work
        if self.work > MOST_WORK:
            what = "this spec takes too much work to elaborate"
            self._give_up(TooMuchWork(what, f"{MOST_WORK:,} steps of evaluation"), span)

    def weigh(self, values: Iterable[object], span: Span) -> None:
        """Counts the items of lists, those in their lists too, before they are used.

        Raises:
            Exhausted: There were too many, or too many in one list.
        """
        for value in values:
            if isinstance(value, tuple):
                self.tick(span, self._items(value, span))
            elif isinstance(value, str):
                self.tick(span, len(value) // _TEXT)

    def _items(self, value: tuple[object, ...], span: Span) -> int:
        count, open_lists = 0, [(value, 1)]
        while open_lists:
            items, depth = open_lists.pop()
            count += len(items)
            if count > LONGEST_LIST:
                limit = f"{LONGEST_LIST:,} items"
                fault = TooMuchWork("this list holds too many items", limit)
                self._give_up(fault, span)
            if depth > DEEPEST_LIST:
                self._give_up(TooDeep("this list", DEEPEST_LIST, "make it flat"), span)
            open_lists += [(i, depth + 1) for i in items if isinstance(i, tuple)]
        return count

    def new_node(self, node: Node) -> None:
        """Counts one node of a graph; formulas and many inputs are much work.

        Raises:
            Exhausted: There were too many, or one is too large.
        """
        span = node.span
        self.tick(span, len(node.inputs) ** 2 // 2)
        for tensor in node.outputs:
            self._check(tensor, span)
        self.nodes += 1
        if self.nodes > MOST_NODES:
            what = "this spec makes too many layers"
            mend = "put what repeats into a block: equal calls are elaborated once"
            self._give_up(TooMuchWork(what, f"{MOST_NODES:,} layers", mend), span)

    def _check(self, tensor: Tensor, span: Span) -> None:
        if len(tensor.axes) > MOST_AXES:
            what = f"this tensor has {len(tensor.axes)} axes"
            self._give_up(TooMuchWork(what, f"{MOST_AXES} axes"), span)
        try:
            count = tensor.numel
        except Refused as refused:
            self._give_up(refused.fault, span)
        if isinstance(count, Poly):
            self.tick(span, _FACTOR * count.factors)
        elif count > MOST_ELEMENTS:
            limit = "2**63 elements, which is all that PyTorch can count"
            self._give_up(TooMuchWork("this tensor is too large", limit), span)

    def _give_up(self, fault: Fault, span: Span) -> NoReturn:
        self.report(fault, span)
        raise Exhausted

    def enter(self, frame: Frame) -> bool:
        """Opens a call; False, with a report, if blocks would go round or too deep."""
        names = [f.definition for f in self.frames]
        if frame.definition in names:
            start = names.index(frame.definition)
            circle = [d.name for d in names[start:]] + [frame.definition.name]
            self.report(RecursiveBlock(" -> ".join(circle)), frame.span)
            return False
        if len(self.frames) >= DEEPEST_CALL:
            mend = "call several blocks in a row, not each inside the next"
            self.report(TooDeep("a call", DEEPEST_CALL, mend), frame.span)
            return False
        self.frames.append(frame)
        return True

    def origin(self, graph: Graph, value: TensorValue, axis: str) -> Note:
        """Where a tensor got the size that an axis has, through the open calls."""
        size = value.type[axis]
        frames = list(self.frames)
        node = _source(graph, value.ref, axis, size)
        while isinstance(node.payload, Enter) and frames:
            frame = frames.pop()
            graph, value = frame.caller, frame.sources[node.payload.name]
            node = _source(graph, value.ref, axis, size)
        return Note(f"{axis} = {size} comes from {_words(node)}", node.span)


def _words(node: Node) -> str:
    if isinstance(node.payload, Call):
        return node.payload.graph.name
    before = "input " if isinstance(node.payload, Enter) else ""
    return before + node.payload.name


def _source(graph: Graph, ref: Ref, axis: str, size: object) -> Node:
    """The node that gave an axis its size."""
    while True:
        node = graph[ref.node]
        came = [r for _, r in node.inputs if _has(graph.tensor(r), axis, size)]
        if not came:
            return node
        ref = came[0]


def _has(tensor: Tensor, axis: str, size: object) -> bool:
    return axis in tensor and tensor[axis] == size

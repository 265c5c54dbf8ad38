"""One run of the builder: diagnostics, memory of specialisations, limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NoReturn

from archdsl.build.functions import LONGEST_LIST
from archdsl.build.known import KNOWN, Known
from archdsl.build.origins import Frame, Turn, origin, surroundings
from archdsl.build.values import TensorValue, Value
from archdsl.diagnostics import Diagnostic, Fault, Note, Refused
from archdsl.diagnostics.faults.limits import TooDeep, TooMuchWork
from archdsl.diagnostics.faults.names import RecursiveBlock
from archdsl.ir.dim import Poly
from archdsl.ir.graph import Graph, Node
from archdsl.ir.tensor import Tensor
from archdsl.source import Span

MOST_NODES = 25_000  # of a model
MOST_NODES_IN_ALL = 120_000  # of all models of a file that is checked
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
_OF_VALUES = ("E3", "E403", "E408", "E409", "E509")  # that one turn may have, not all


class Exhausted(Exception):
    """The spec asked for more than the limits allow; it is reported already."""


@dataclass
class Session:
    """What all bodies of a run share."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    memo: dict[object, Graph | None] = field(default_factory=dict)
    known: Known = KNOWN  # of ops, whatever the run
    variants: dict[int, Value] = field(default_factory=dict)
    steps: dict[tuple[str, Span], tuple[Value]] = field(default_factory=dict)  # by name
    frames: list[Frame] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    work: int = 0
    nodes: int = 0
    nodes_before: int = 0  # this model
    most_nodes: int = MOST_NODES
    promising: bool = False  # whether the promises of models are read
    _seen: dict[tuple[str, Span], int] = field(default_factory=dict)
    _checked: set[Tensor] = field(default_factory=set)  # of known size, small enough
    _fine: dict[int, Tensor] = field(
        default_factory=dict
    )  # those, found without a look
    _again: dict[int, int] = field(default_factory=dict)

    def report(self, fault: Fault, span: Span, notes: Iterable[Note] = ()) -> None:
        """Keeps a diagnostic; the first of one code at one place only.

        Raises:
            Exhausted: There are more than anyone reads.
        """
        self.work += _ERROR
        place = fault.code, span
        if place in self._seen:
            self._repeated(self._seen[place])
            return
        self._seen[place] = len(self.diagnostics)
        if len(self.diagnostics) == MOST_ERRORS:
            mend = "mend the first ones: later ones often follow from them"
            fault = TooMuchWork("this spec has too many errors", _ERRORS, mend)
            self.diagnostics.append(Diagnostic(fault, span))
            raise Exhausted
        values = fault.code.startswith(_OF_VALUES)
        around = surroundings(self.frames, self.turns, first_turns=values)
        self.diagnostics.append(Diagnostic(fault, span, (*notes, *around)))

    @contextmanager
    def trying(self) -> Iterator[None]:
        """What is wrong inside is not reported, and asked again the next time."""
        before = len(self.diagnostics), dict(self._seen), dict(self._again)
        failed = {key for key, graph in self.memo.items() if graph is None}
        yield
        del self.diagnostics[before[0] :]
        _, self._seen, self._again = before
        for key in [k for k, graph in self.memo.items() if graph is None]:
            if key not in failed:
                del self.memo[key]

    def forget_failures(self) -> None:
        """Blocks that could not be made are tried, and reported, again."""
        for key in [k for k, graph in self.memo.items() if graph is None]:
            del self.memo[key]

    def _repeated(self, index: int) -> None:
        """Notes that what is wrong inside a block is so in other calls of it too."""
        if not self.frames:
            return
        count = self._again[index] = self._again.get(index, 0) + 1
        found = self.diagnostics[index]
        notes = found.notes if count == 1 else found.notes[:-1]
        more = f"{count} other call{'s' * (count > 1)}"
        of = self.frames[-1].definition.name
        note = Note(f"the same in {more} of {of}", shown=False)
        self.diagnostics[index] = replace(found, notes=(*notes, note))

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
        if len(node.inputs) > 1:
            self.tick(span, len(node.inputs) ** 2 // 2)
        for tensor in node.outputs:
            if id(tensor) not in self._fine:
                self._check(tensor, span)
        self.nodes += 1
        if self.nodes > self.most_nodes:
            self._too_many(span)

    def next_model(self) -> None:
        """Begins another model of the same file."""
        self.nodes_before = self.nodes
        self.most_nodes = min(self.nodes + MOST_NODES, MOST_NODES_IN_ALL)

    def _too_many(self, span: Span) -> NoReturn:
        if self.nodes - self.nodes_before > MOST_NODES:
            what = "this model makes too many layers"
            mend = "put what repeats into a block: equal calls are elaborated once"
            self._give_up(TooMuchWork(what, f"{MOST_NODES:,} layers", mend), span)
        what = "the models of this spec make too many layers"
        mend = "spread them over several files"
        limit = f"{MOST_NODES_IN_ALL:,} layers"
        self._give_up(TooMuchWork(what, limit, mend), span)

    def _check(self, tensor: Tensor, span: Span) -> None:
        if tensor in self._checked:
            self._fine[id(tensor)] = tensor
            return
        if len(tensor.axes) > MOST_AXES:
            what = f"this tensor has {len(tensor.axes)} axes"
            self._give_up(TooMuchWork(what, f"{MOST_AXES} axes"), span)
        try:
            count = tensor.numel
        except Refused as refused:
            self._give_up(refused.fault, span)
        if isinstance(count, Poly):  # each is work, again
            self.tick(span, _FACTOR * count.factors)
            return
        if count > MOST_ELEMENTS:
            limit = "2**63 elements, which is all that PyTorch can count"
            self._give_up(TooMuchWork("this tensor is too large", limit), span)
        self._checked.add(tensor)
        self._fine[id(tensor)] = tensor

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
        return origin(self.frames, graph, value, axis)

    def open_turn(self, index: int, span: Span, names: Mapping[str, Value]) -> None:
        """Opens one turn of a loop, with its variables: errors name it."""
        self.turns.append(Turn(index + 1, len(self.frames), span, dict(names)))

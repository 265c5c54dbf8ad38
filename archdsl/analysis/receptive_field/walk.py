"""What every layer of a model sees of every input, blocks opened.

A block is walked once for each call: what a layer inside sees follows from what the
call is given, and only so is the result exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import NamedTuple

from archdsl.analysis.receptive_field import closed, hulls, seen
from archdsl.analysis.receptive_field.hulls import TooMany
from archdsl.analysis.receptive_field.numbers import Numbers
from archdsl.analysis.receptive_field.passing import Passing
from archdsl.analysis.receptive_field.seen import Lines, Seen, Value
from archdsl.analysis.receptive_field.through import Profile
from archdsl.analysis.receptive_field.turns import joined, turn_of
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.spread import Reach, Same, Spread, Whole

MOST_OPS = 300_000  # those of a recurrence once a turn
MOST_INTERVALS = 5_000_000  # of all of them
GATES = ("multiply", "divide")


@dataclass
class Layer:
    """One op of the model.

    Attributes:
        path: Its name from the model down.
        node: The op.
        tensor: Its first output.
        turns: What that sees, by input; several where a recurrence runs the op.
        parents: By input, the layers through which it sees it.
    """

    path: Path
    node: Node
    tensor: Tensor
    turns: list[Mapping[str, Seen]] = field(default_factory=list)
    parents: dict[str, set[int]] = field(default_factory=dict)


class _Way(NamedTuple):
    """How an output of an op depends on a port of it.

    Attributes:
        is_pointwise: Whether each position depends on itself alone.
        reaches: By axis of the port, what an output asks.
        out: The output.
        profiles: The answers; none where sizes are open.
    """

    is_pointwise: bool
    reaches: Mapping[str, Reach]
    out: Tensor
    profiles: Mapping[str, Profile]


class Walk:
    """One walk from a model's inputs to its outputs.

    Args:
        model: The model.
        gates: Whether a factor that lacks positions, as the gate of a
            squeeze-and-excitation block, counts for what it was made from.
        passing: What other walks found out.

    Attributes:
        layers: All ops in order, blocks opened.
        results: What the outputs see.
        gated: Whether there are gates in the model.

    Raises:
        SpecError: There are too many positions to follow.
    """

    def __init__(
        self,
        model: Graph,
        numbers: Numbers,
        *,
        gates: bool,
        passing: Passing | None = None,
    ) -> None:
        self.layers: list[Layer] = []
        self.gated = False
        self._gates = gates
        self._numbers = numbers
        self._asked: dict[tuple[int, int], Spread] = {}
        self._ways: dict[tuple[int, int, int, str], _Way | None] = {}
        self._places: dict[tuple[int, ...], int] = {}
        self._passing = passing or Passing()
        self._ops = self._intervals = 0
        given = {e.name: self._input(e.name, node) for e, node in model.entries}
        self.results = self._graph(model, given, (), ())

    def _input(self, name: str, node: Node) -> Value:
        tensor = self._numbers.tensor(node.outputs[0])
        sizes = {a: self._numbers.whole(tensor[a]) for a in tensor.positions}
        with _blaming(node):
            field = {} if self._numbers.are_open else seen.entering(sizes)
        lines = {a: closed.Line(a, 1, 0, 0) for a in sizes}
        return Value({name: Seen(field, lines)}, -1)

    def _graph(
        self,
        graph: Graph,
        given: Mapping[str, Value],
        prefix: Path,
        place: tuple[int, ...],
    ) -> list[Value]:
        values: dict[Ref, Value] = {}
        for node in graph:
            if isinstance(node.payload, Enter):
                values[Ref(node.id)] = given[node.payload.name]
                continue
            ins = {port: values[ref] for port, ref in node.inputs}
            path, here = prefix + node.path, (*place, node.id)
            if isinstance(node.payload, Call):
                inner = node.payload.graph
                run = self._graph if inner.scan is None else self._scan
                with _blaming(node):
                    outs = run(inner, ins, path, here)
            else:
                with _blaming(node):
                    outs = self._op(graph, node, ins, path, here)
            values |= {Ref(node.id, i): value for i, value in enumerate(outs)}
        return [values[ref] for ref in graph.results]

    # -- ops -------------------------------------------------------------------------

    def _op(
        self,
        graph: Graph,
        node: Node,
        ins: Mapping[str, Value],
        path: Path,
        place: tuple[int, ...],
    ) -> list[Value]:
        at = self._layer(node, path, place)
        layer, outs, both = self.layers[at], [], self._passing.pool.both
        assert isinstance(node.payload, Op)
        may_gate = node.payload.name in GATES
        for i in range(len(node.outputs)):
            found: dict[str, Seen] = {}
            for port, value in ins.items():
                for name, one in value.seen.items():
                    if may_gate and self._is_shut(graph, node, ins, port, name):
                        continue
                    new = self._through(graph, node, port, i, one)
                    if new is None:
                        continue
                    old = found.get(name)
                    found[name] = new if old is None else both(old, new)
                    layer.parents.setdefault(name, set()).add(value.made)
            outs.append(Value(found, at))
        layer.turns.append(outs[0].seen)
        self._ops += 1
        if self._ops > MOST_OPS or self._intervals > MOST_INTERVALS:
            raise TooMany
        return outs

    def _layer(self, node: Node, path: Path, place: tuple[int, ...]) -> int:
        """The index of a layer, a new one on the first turn."""
        if place not in self._places:
            self._places[place] = len(self.layers)
            tensor = self._numbers.tensor(node.outputs[0])
            self.layers.append(Layer(path, node, tensor))
        return self._places[place]

    def _is_shut(
        self,
        graph: Graph,
        node: Node,
        ins: Mapping[str, Value],
        port: str,
        name: str,
    ) -> bool:
        """Whether a port holds a gate that does not count.

        That is a factor that lacks some of the positions, beside one that has them
        all and sees the input too.
        """
        types = graph.ins(node)
        every = set(node.outputs[0].positions)
        if every <= set(types[port].positions):
            return False
        beside = (p for p in ins if p != port and every <= set(types[p].positions))
        is_gate = any(name in ins[p].seen for p in beside)
        self.gated |= is_gate
        return is_gate and not self._gates

    def _through(
        self, graph: Graph, node: Node, port: str, i: int, one: Seen
    ) -> Seen | None:
        """What an output sees through a port; None for nothing."""
        key = id(graph), node.id, i, port
        if key not in self._ways:
            self._ways[key] = self._way(graph, node, port, i)
        way = self._ways[key]
        if way is None or way.is_pointwise:
            return way and one
        lines = partial(_lines, one, way.reaches, way.out)
        if self._numbers.are_open:
            return self._passing.pool.one(Seen({}, lines()))
        found, count = self._passing.through(one, way.profiles, lines)
        self._intervals += count
        return found

    def _way(self, graph: Graph, node: Node, port: str, i: int) -> _Way | None:
        """From a port to an output; None where only the port's sizes are read."""
        spread = self._spread(graph, node)
        if port not in spread:
            return None
        reaches = spread[port]
        out = self._numbers.tensor(node.outputs[i])
        ports = self._numbers.tensor(graph.ins(node)[port])
        pointwise, asked = _is_pointwise(reaches, ports, out), {}
        if not pointwise and not self._numbers.are_open:
            asked = self._asking(reaches, ports, out)
        return _Way(pointwise, reaches, out, asked)

    def _spread(self, graph: Graph, node: Node) -> Spread:
        key = id(graph), node.id
        if key not in self._asked:
            ins = {p: self._numbers.tensor(t) for p, t in graph.ins(node).items()}
            outs = tuple(map(self._numbers.tensor, node.outputs))
            assert isinstance(node.payload, Op)
            self._asked[key] = self._numbers.op(node.payload).spread(ins, outs)
        return self._asked[key]

    def _asking(
        self, reaches: Mapping[str, Reach], ports: Tensor, out: Tensor
    ) -> dict[str, Profile]:
        """The profile of each axis of a port; an axis that is not named is whole."""
        sizes = {a: self._numbers.whole(n) for a, n in out.axes}
        found = {}
        for axis in ports.positions:
            whole = self._numbers.whole(ports[axis])
            reach = reaches.get(axis) or Whole(whole)
            found[axis] = self._passing.profile(reach, sizes)
        return found

    # -- recurrences -----------------------------------------------------------------

    def _scan(
        self,
        graph: Graph,
        given: Mapping[str, Value],
        prefix: Path,
        place: tuple[int, ...],
    ) -> list[Value]:
        """Turn by turn, as it runs; with open sizes only that there is no line."""
        scan = graph.scan
        assert scan is not None
        now = dict(given)
        steps = 1 if self._numbers.are_open else self._numbers.whole(scan.steps)
        if steps * len(graph) > MOST_OPS:
            raise TooMany
        turns: list[list[Value]] = []
        order = range(steps)
        for t in reversed(order) if scan.reverse else order:
            now |= {n: turn_of(given[n], scan.axis, t) for n in scan.sequences}
            turns.append(self._graph(graph, now, prefix, place))
            final = turns[-1][len(graph.results) - len(scan.states) :]
            now |= dict(zip(scan.states, final, strict=True))
        count = len(graph.results) - len(scan.states)
        made = [joined([turn[i] for turn in turns], scan) for i in range(count)]
        return made + (turns[-1][count:] if scan.keep else [])


def _is_pointwise(reaches: Mapping[str, Reach], ports: Tensor, out: Tensor) -> bool:
    """Whether each position depends on itself alone."""
    return all(
        isinstance(reach := reaches.get(a), Same) and reach.axis == a and a in out
        for a in ports.positions
    )


def _lines(one: Seen, reaches: Mapping[str, Reach], out: Tensor) -> Lines:
    """What an output sees through a port on maps without borders."""
    return {
        a: line and closed.through(line, reaches.get(line.axis), _size(out, line))
        for a, line in one.lines.items()
    }


def _size(out: Tensor, line: closed.Line) -> int:
    size = out.sizes.get(line.axis, 1)
    assert isinstance(size, int)
    return size


class _blaming:  # noqa: N801 - used as a function
    """Too many positions are an error at a node."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, TooMany):
            what = "the receptive field has too many positions to follow"
            mend = "give smaller sizes with --size"
            fault = TooMuchWork(what, f"{hulls.MOST_WORK:,} at once", mend)
            raise SpecError.at(self.node.span, fault) from None


def inputs_of(layer: Layer) -> Iterator[str]:
    """The inputs that a layer sees in any turn."""
    yield from dict.fromkeys(chain.from_iterable(layer.turns))

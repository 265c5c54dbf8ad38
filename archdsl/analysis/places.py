"""Where in the input the positions of a value lie: patches, tokens, merged maps.

A convolution's position lies at the middle of its window; what relates positions, such
as attention, leaves each where it is. A learned token lies nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.spread import Affine, Digit, Joined, Reach, Some, Sown, Taps

Coordinates: TypeAlias = dict[str, float]  # by "input.axis", in positions of the input
Place: TypeAlias = Callable[[Mapping[str, float]], Coordinates | None]
Values: TypeAlias = dict[Ref, Place | None]

_MOVING = (Taps, Sown, Affine, Digit, Joined, Some)


@dataclass(frozen=True)
class Site:
    """An op of a model with the places of what goes into it.

    Attributes:
        path: Its name from the model down.
        graph: The specialisation that it stands in.
        node: The op.
        places: Where the positions of each port's tensor lie; None if nobody knows, as
            inside of a scan.
    """

    path: Path
    graph: Graph
    node: Node
    places: Mapping[str, Place | None]


def sites(graph: Graph) -> Iterator[Site]:
    """Every op of a model in order, blocks opened, with the places of its inputs."""
    values: Values = {
        Ref(node.id): _of_input(enter.name, node.outputs[0])
        for enter, node in graph.entries
    }
    yield from _walk(graph, (), values)


def _of_input(name: str, tensor: Tensor) -> Place:
    axes = tensor.positions

    def place(at: Mapping[str, float]) -> Coordinates:
        return {f"{name}.{axis}": at[axis] for axis in axes}

    return place


def _walk(graph: Graph, prefix: Path, values: Values) -> Iterator[Site]:
    """The sites of a graph whose entries are placed; places all its values."""
    for node in graph:
        if isinstance(node.payload, Enter):
            continue
        given = {port: values.get(ref) for port, ref in node.inputs}
        if isinstance(node.payload, Call):
            inner = node.payload.graph
            known: Values = {
                Ref(n.id): None if inner.scan else given[enter.name]
                for enter, n in inner.entries
            }
            yield from _walk(inner, prefix + node.path, known)
            for i, ref in enumerate(inner.results[: len(node.outputs)]):
                values[Ref(node.id, i)] = None if inner.scan else known.get(ref)
            continue
        yield Site(prefix + node.path, graph, node, given)
        for i in range(len(node.outputs)):
            values[Ref(node.id, i)] = _after(graph, node, given)


def _after(graph: Graph, node: Node, given: Mapping[str, Place | None]) -> Place | None:
    """Where the positions of an op's output lie: as the first port says that knows."""
    assert isinstance(node.payload, Op)
    ins, after = graph.ins(node), node.outputs[0]
    spread = node.payload.spread(ins, node.outputs)
    found = []
    for port, reaches in spread.items():
        place = given.get(port)
        if place is None or port not in ins:
            continue
        moving = any(isinstance(r, _MOVING) for r in reaches.values())
        if not moving and set(ins[port].positions) == set(after.positions):
            return place
        found.append(_moved(place, ins[port].positions, reaches))
    if not found:
        return None
    return found[0] if len(found) == 1 else _first(found)


def _first(found: list[Place]) -> Place:
    """What the first of several knows: tokens of several tensors stand in a row."""

    def place(at: Mapping[str, float]) -> Coordinates | None:
        answers = (known(at) for known in found)
        return next((a for a in answers if a is not None), None)

    return place


def _moved(before: Place, axes: tuple[str, ...], reaches: Mapping[str, Reach]) -> Place:
    """The place of an output position, from that of the input."""

    def place(at: Mapping[str, float]) -> Coordinates | None:
        earlier = {}
        for axis in axes:
            index = _index(axis, reaches[axis], at)
            if index is None:
                return None
            earlier[axis] = index
        return before(earlier)

    return place


def _index(axis: str, reach: Reach, at: Mapping[str, float]) -> float | None:
    """The one input index that an output position comes from, if there is one."""
    if isinstance(reach, Taps):
        middle = reach.dilation * (reach.kernel - 1) / 2
        return at[reach.axis] * reach.stride - reach.padding + middle
    if isinstance(reach, Sown):
        middle = reach.dilation * (reach.kernel - 1) / 2
        return (at[reach.axis] + reach.padding - middle) / reach.stride
    if isinstance(reach, Affine):
        index = reach.start + reach.step * at[reach.axis]
        return index if 0 <= index <= reach.size - 1 else None
    if isinstance(reach, _MOVING):
        whole = {a: int(i) for a, i in at.items()}
        if any(whole[a] != at[a] for a in at):
            return None  # between two positions, which no row of tokens has
        sources = reach.sources(whole)
        return float(sources[0]) if len(sources) == 1 else None
    return at.get(axis)

"""What is known of ops: most layers are like one seen before, in this file or another.

An editor or a server checks a file again after each edit, and nearly all of its layers
are those of the last time. So what is found out serves the whole process, and holds no
place of a spec and no more than a few thousand layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from archdsl.build.bind import bind_op
from archdsl.build.values import Given, Tensors, TensorValue
from archdsl.ir.dim import Poly
from archdsl.ir.graph import Node, Ref
from archdsl.ir.operation import Outputs
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.fields import AxisName
from archdsl.source import Span

Call: TypeAlias = tuple[object, ...]

MOST = 1 << 14  # of layers and calls that are known, long ones for more than one
_PLAIN = frozenset([int, bool, str, AxisName, type(None)])
_SHORT = 64  # characters
_FLOW = -1


def as_call(op: type[Op], given: Sequence[Given]) -> Call | None:
    """A call of an op but for its places; None for one that is not looked up.

    Values stand beside their types, since 1, 1.0 and true are equal to Python, and
    tensors are their types. A zero among the fractions may have a sign, and lists and
    steps are left to `bind_op`.
    """
    call: list[object] = [op]
    for one in given:
        value = one.value
        kind = type(value)
        if kind in _PLAIN or (kind is float and value):
            call += (one.name, kind, value)
        elif isinstance(value, TensorValue):
            call += (one.name, kind, value.type)
        else:
            return None
    return tuple(call)


class Layer(NamedTuple):
    """An op at work: what goes into its ports, by argument, and what comes out."""

    ports: tuple[tuple[str, int], ...]
    outputs: Outputs

    def inputs(
        self, flow: TensorValue, given: Sequence[Given]
    ) -> tuple[tuple[str, Ref], ...]:
        """The tensors by port."""
        if len(self.ports) == 1 and self.ports[0][1] == _FLOW:  # of most ops
            return ((self.ports[0][0], flow.ref),)
        return tuple([(port, _source(flow, given, i)) for port, i in self.ports])


def _source(flow: TensorValue, given: Sequence[Given], index: int) -> Ref:
    value = flow if index == _FLOW else given[index].value
    assert isinstance(value, TensorValue)
    return value.ref


class Bound(NamedTuple):
    """A call of an op that is understood.

    Attributes:
        op: The op with its parameters.
        ports: Which argument each of its ports is, what flows being none.
        parameters: Which argument each of its ports and parameters is.
        layers: What it is on each type that has flowed in.
    """

    op: Op
    ports: tuple[tuple[str, int], ...]
    parameters: tuple[tuple[str, int], ...]
    layers: dict[Tensor, Layer]

    def tensors(self, given: Sequence[Given]) -> Tensors:
        """The tensors among the arguments, by port."""
        return {port: given[i].value for port, i in self.ports}  # type: ignore[misc]

    def spans(self, given: Sequence[Given]) -> dict[str, Span]:
        """Where each argument stands, by port or parameter."""
        return {name: given[i].span for name, i in self.parameters}


class Known:
    """Ops by the calls that made them, and layers by what flowed in, too.

    An op is frozen, so one serves all layers that are called alike. When it knows too
    much it forgets all, and soon knows again what is still asked.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._calls: dict[Call, Bound | None] = {}

    def bound(
        self, op: type[Op], given: Sequence[Given], axes: Sequence[str]
    ) -> Bound | None:
        """What `bind_op` says of a call; None for one that it is asked about anew.

        Raises:
            Blamed: As there.
        """
        call = as_call(op, given)
        if call is None:
            return None
        if call in self._calls:
            return self._calls[call]
        made = _bound(op, given, axes)
        self._grow(_texts(call))
        self._calls[call] = made
        return made

    def keep(self, bound: Bound, flow: Tensor, node: Node) -> None:
        """Remembers a layer by the type of what flowed in."""
        given = dict(bound.ports)
        ports = tuple([(port, given.get(port, _FLOW)) for port, _ in node.inputs])
        self._grow(sum([_formulas(tensor) for tensor in node.outputs]))
        bound.layers[flow] = Layer(ports, node.outputs)

    def forget(self) -> None:
        """Knows nothing, as in a new process."""
        self._calls = {}
        self._size = 0

    def _grow(self, more: int) -> None:
        self._size += 1 + more
        if self._size > self._most:
            self.forget()


KNOWN = Known()


def _texts(call: Call) -> int:
    """What the texts of a call take beyond the usual."""
    return sum([len(part) // _SHORT for part in call if isinstance(part, str)])


def _formulas(tensor: Tensor) -> int:
    """What the formulas of a type take."""
    return sum([n.factors for _, n in tensor.axes if isinstance(n, Poly)])


def _bound(op: type[Op], given: Sequence[Given], axes: Sequence[str]) -> Bound | None:
    made, tensors, spans = bind_op(op, given, axes)
    if not spans.keys() >= tensors.keys():
        return None
    index = {id(one.span): i for i, one in enumerate(given)}
    places = tuple((name, index[id(span)]) for name, span in spans.items())
    ports = tuple((name, i) for name, i in places if name in tensors)
    return Bound(made, ports, places, {})

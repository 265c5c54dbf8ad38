"""What is known of the ops of a run: most layers are like one seen before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from archdsl.build.bind import bind_op
from archdsl.build.values import Given, Tensors, TensorValue
from archdsl.ir.graph import Node
from archdsl.ir.operation import Outputs
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.fields import AxisName
from archdsl.source import Span

Call: TypeAlias = tuple[object, ...]

_PLAIN = frozenset([int, bool, str, AxisName, type(None)])
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

    def sources(self, flow: TensorValue, given: Sequence[Given]) -> Tensors:
        """The tensors by port."""
        return {
            port: flow if i == _FLOW else given[i].value  # type: ignore[misc]
            for port, i in self.ports
        }


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

    def keep(self, flow: Tensor, node: Node) -> None:
        """Remembers a layer by the type of what flowed in."""
        given = dict(self.ports)
        ports = tuple([(port, given.get(port, _FLOW)) for port, _ in node.inputs])
        self.layers[flow] = Layer(ports, node.outputs)


class Known:
    """Ops by the calls that made them, and layers by what flowed in, too.

    An op is frozen, so one serves all layers that are called alike.
    """

    def __init__(self) -> None:
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
        if call not in self._calls:
            self._calls[call] = _bound(op, given, axes)
        return self._calls[call]


def _bound(op: type[Op], given: Sequence[Given], axes: Sequence[str]) -> Bound | None:
    made, tensors, spans = bind_op(op, given, axes)
    if not spans.keys() >= tensors.keys():
        return None
    index = {id(one.span): i for i, one in enumerate(given)}
    places = tuple((name, index[id(span)]) for name, span in spans.items())
    ports = tuple((name, i) for name, i in places if name in tensors)
    return Bound(made, ports, places, {})

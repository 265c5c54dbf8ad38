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
    for name, value in [(one.name, one.value) for one in given]:
        kind = type(value)
        if isinstance(value, TensorValue):
            call += (name, kind, value.type)
        elif kind in _PLAIN or (kind is float and value):
            call += (name, kind, value)
        else:
            return None
    return tuple(call)


class _Bound(NamedTuple):
    """An op, and which argument each of its ports and parameters is."""

    op: Op
    ports: tuple[tuple[str, int], ...]
    parameters: tuple[tuple[str, int], ...]


class Layer(NamedTuple):
    """An op at work: what goes into its ports, by argument, and what comes out."""

    op: Op
    ports: tuple[tuple[str, int], ...]
    outputs: Outputs

    def sources(self, flow: TensorValue, given: Sequence[Given]) -> Tensors:
        """The tensors by port."""
        return {
            port: flow if i == _FLOW else given[i].value  # type: ignore[misc]
            for port, i in self.ports
        }


class Known:
    """Ops by the calls that made them, and layers by what flowed in, too.

    An op is frozen, so one serves all layers that are called alike.
    """

    def __init__(self) -> None:
        self._calls: dict[Call, _Bound] = {}
        self.layers: dict[Call, Layer] = {}

    def bound(
        self, call: Call, op: type[Op], given: Sequence[Given], axes: Sequence[str]
    ) -> tuple[Op, Tensors, dict[str, Span]]:
        """What `bind_op` says of a call.

        Raises:
            Blamed: As there.
        """
        known = self._calls.get(call)
        if known is None:
            made, tensors, spans = bind_op(op, given, axes)
            if spans.keys() >= tensors.keys():
                index = {id(one.span): i for i, one in enumerate(given)}
                places = tuple((name, index[id(span)]) for name, span in spans.items())
                ports = tuple((name, i) for name, i in places if name in tensors)
                self._calls[call] = _Bound(made, ports, places)
            return made, tensors, spans
        tensors = {port: given[i].value for port, i in known.ports}  # type: ignore[misc]
        return known.op, tensors, {n: given[i].span for n, i in known.parameters}

    def keep(self, call: Call, flow: Tensor, node: Node) -> None:
        """Remembers a layer, by the call and the type of what flowed in."""
        bound = self._calls.get(call)
        if bound is not None:
            given = dict(bound.ports)
            ports = tuple((port, given.get(port, _FLOW)) for port, _ in node.inputs)
            self.layers[*call, flow] = Layer(bound.op, ports, node.outputs)

"""What is known of the ops of a run: most layers are like one seen before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from archdsl.build.bind import bind_op
from archdsl.build.values import Given, Tensors, TensorValue
from archdsl.ir.facts import Facts
from archdsl.ir.operation import Inputs, Outputs
from archdsl.ops.base import Op
from archdsl.ops.fields import AxisName
from archdsl.source import Span

Call: TypeAlias = tuple[object, ...]

_PLAIN = frozenset([int, bool, str, AxisName, type(None)])


def as_call(op: type[Op], given: Sequence[Given]) -> Call | None:
    """A call of an op but for its places and tensors; None for one like no other.

    Values stand beside their types, since 1, 1.0 and true are equal to Python; a zero
    among the fractions may have a sign, and lists and steps are left to `bind_op`.
    """
    call: list[object] = [op]
    for one in given:
        kind = type(one.value)
        if kind is TensorValue:
            call += (one.name, kind)
        elif kind in _PLAIN or (kind is float and one.value):
            call += (one.name, kind, one.value)
        else:
            return None
    return tuple(call)


class _Bound(NamedTuple):
    """An op, and which argument each of its ports and parameters is."""

    op: Op
    ports: tuple[tuple[str, int], ...]
    parameters: tuple[tuple[str, int], ...]


class Known:
    """Ops by the calls that made them, and what they make of what goes in.

    An op is frozen, so one serves all layers that are called alike.
    """

    def __init__(self) -> None:
        self._calls: dict[Call, _Bound] = {}
        self._shapes: dict[int, dict[tuple[object, ...], Outputs]] = {}  # by id

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
                self._keep(call, made, tensors, spans, given)
            return made, tensors, spans
        tensors = {port: given[i].value for port, i in known.ports}  # type: ignore[misc]
        return known.op, tensors, {n: given[i].span for n, i in known.parameters}

    def _keep(
        self,
        call: Call,
        op: Op,
        tensors: Tensors,
        spans: dict[str, Span],
        given: Sequence[Given],
    ) -> None:
        index = {id(one.span): i for i, one in enumerate(given)}
        places = tuple((name, index[id(span)]) for name, span in spans.items())
        ports = tuple((name, i) for name, i in places if name in tensors)
        self._calls[call] = _Bound(op, ports, places)
        self._shapes[id(op)] = {}

    def outputs(self, op: Op, ins: Inputs, facts: Facts) -> Outputs:
        """What an op makes; only asked where its answer hangs on what is assumed.

        Raises:
            Refused: The inputs do not fit.
        """
        shapes = self._shapes.get(id(op))
        if shapes is None:
            return op.outputs(ins, facts)
        key = tuple(ins.items())
        found = shapes.get(key)
        if found is None:
            before = facts.consulted
            found = op.outputs(ins, facts)
            if facts.consulted == before:
                shapes[key] = found
        return found

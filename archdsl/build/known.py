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
from archdsl.ir.graph import Ref
from archdsl.ir.operation import Outputs
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op
from archdsl.ops.fields import AxisName

Call: TypeAlias = tuple[object, ...]

MOST = 1 << 14  # of layers and calls that are known, long ones for more than one
_PLAIN = frozenset([int, bool, str, AxisName, type(None)])
_SHORT = 64  # characters
FLOW = -1  # in the place of an argument


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


class Bound(NamedTuple):
    """A call of an op that is understood.

    Attributes:
        op: The op with its parameters.
        ports: Which argument each of its ports takes, `FLOW` being what flows.
        places: Which argument each of its ports and parameters is, if it is given.
        layers: What comes out, by the type of what flows in.
    """

    op: Op
    ports: tuple[tuple[str, int], ...]
    places: dict[str, int]
    layers: dict[Tensor, Outputs]

    def inputs(
        self, flow: TensorValue, given: Sequence[Given]
    ) -> tuple[tuple[str, Ref], ...]:
        """Where each port takes its tensor from."""
        if len(self.ports) == 1 and self.ports[0][1] == FLOW:  # of most ops
            return ((self.ports[0][0], flow.ref),)
        return tuple([(p, v.ref) for p, v in self.sources(flow, given).items()])

    def sources(self, flow: TensorValue, given: Sequence[Given]) -> Tensors:
        """The tensors by port, in the order of the ports."""
        return {
            port: flow if i == FLOW else given[i].value  # type: ignore[misc]
            for port, i in self.ports
        }


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
        try:
            return self._calls[call]
        except KeyError:
            pass  # and not here, where what is refused would keep this as its cause
        made = _bound(op, given, axes)
        self._grow(_texts(call))
        self._calls[call] = made
        return made

    def keep(self, bound: Bound, flow: Tensor, outputs: Outputs) -> None:
        """Remembers what a call makes of a type that flows in."""
        more = 0
        for tensor in outputs:
            for _, size in tensor.axes:
                if isinstance(size, Poly):
                    more += size.factors
        self._grow(more)
        bound.layers[flow] = outputs

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


def _bound(op: type[Op], given: Sequence[Given], axes: Sequence[str]) -> Bound | None:
    made, tensors, places = bind_op(op, given, axes)
    ports: list[tuple[str, int]] = []
    for number, port in enumerate(op.ports):
        if port.many or (number and not port.optional and port.name not in tensors):
            return None
        if port.name in tensors:
            ports.append((port.name, places[port.name]))
        elif not number:
            ports.append((port.name, FLOW))
    return Bound(made, tuple(ports), places, {})

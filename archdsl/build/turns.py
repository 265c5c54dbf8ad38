"""Turns of `repeat` that are like the one before: copied, not elaborated again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archdsl.build.values import TensorValue, Value
from archdsl.ir.graph import Call, Path, Ref

if TYPE_CHECKING:
    from archdsl.build.flow import Flow


class Mark(NamedTuple):
    """How far a body is where a turn begins, and what flows there."""

    nodes: int
    named: int
    faults: int
    flow: Value

    @classmethod
    def of(cls, body: Flow) -> Mark:
        """Of a body as it is now."""
        graph, found = body.graph, body.session.diagnostics
        return cls(len(graph), len(graph.hints), len(found), body.flow)


def settled(body: Flow, before: Mark, last: Mark, path: Path) -> bool:
    """Whether all further turns are like the last one but for where they begin.

    No variable tells turns apart. So one that gave the type that it got, which came
    from the turn before and has no other name, is followed by its like: if it named
    nothing, all that it made lies in it, and nothing was wrong.

    Args:
        body: The body, after the last turn.
        before: Where the turn before the last one began.
        last: Where the last turn began.
        path: The path of the last turn.
    """
    came, gave = last.flow, body.flow
    if not isinstance(came, TensorValue) or not isinstance(gave, TensorValue):
        return False
    made = body.graph.nodes[last.nodes :]
    return (
        came.type == gave.type
        and came.ref.node >= before.nodes
        and gave.ref.node >= last.nodes
        and not body.scope.labels
        and last[1:3] == (len(body.graph.hints), len(body.session.diagnostics))
        and all(n.path[: len(path)] == path for n in made)
        and not any(isinstance(n.payload, Call) and n.payload.graph.scan for n in made)
    )


def copy(body: Flow, last: Mark, path: Path, others: Sequence[Path]) -> None:
    """Adds turns like the last one, under other paths.

    Args:
        body: The body, after the last turn.
        last: Where the last turn began.
        path: The path of the last turn.
        others: The paths of the further ones, in order.
    """
    came, gave = last.flow, body.flow
    assert isinstance(came, TensorValue)
    assert isinstance(gave, TensorValue)
    made, deep = body.graph.nodes[last.nodes :], len(path)
    taken = gave.ref  # what flows into the next turn
    for number, other in enumerate(others, 1):
        shift = number * len(made)
        for node in made:
            inputs = []
            for port, ref in node.inputs:
                if ref.node >= last.nodes:
                    inputs.append((port, Ref(ref.node + shift, ref.output)))
                else:
                    inputs.append((port, taken if ref == came.ref else ref))
            tied = node.weights_from
            if tied is not None and tied[:deep] == path:
                tied = other + tied[deep:]
            here = other + node.path[deep:]
            body.put(
                node.payload, tuple(inputs), node.outputs, here, node.span,
                node.label, tied,
            )  # fmt: skip
        taken = Ref(gave.ref.node + shift, gave.ref.output)
    body.flow = TensorValue(taken, gave.type)

"""A compiled module run op by op, so that what each op makes and does can be seen.

The source that `compile` writes fuses expressions and rolls loops up. Here the plan
that it is written from is walked instead, and each op's expression is evaluated alone,
with the layers of the module itself. That both ways give the same numbers is a check of
its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archdsl.backends.torch.layout import Plan, along
from archdsl.ir.dim import Poly, Size, substitute
from archdsl.ir.graph import Call, Enter, Node, Path, Ref
from archdsl.ir.operation import Inputs
from archdsl.ir.tensor import Layout
from archdsl.ops.base import Op

_NAMES = {"torch": torch, "F": F, "nn": nn}


class Place(NamedTuple):
    """One op of a model: its path from the model down, and where it stands."""

    path: Path
    plan: Plan
    node: Node

    @property
    def op(self) -> Op:
        """The op."""
        assert isinstance(self.node.payload, Op)
        return self.node.payload

    @property
    def ins(self) -> Inputs:
        """The types that go in."""
        return self.plan.graph.ins(self.node)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The order of the axes of what comes out."""
        count = len(self.node.outputs)
        return tuple(self.plan.layouts[Ref(self.node.id, i)] for i in range(count))


class StepFailed(Exception):
    """An op that PyTorch refuses to run."""

    def __init__(self, place: Place, error: Exception) -> None:
        super().__init__(str(error))
        self.place = place
        self.error = error


Taken = Mapping[str, Tensor]
Watch = Callable[[Place, Taken, tuple[Tensor, ...]], None]


def _unwatched(place: Place, taken: Taken, made: tuple[Tensor, ...]) -> None:
    """Looks at nothing."""


@dataclass(eq=False)
class Steps:
    """The ops of a module, one after the other.

    Attributes:
        plan: The plan that the module was written from.
        module: The module.
        values: What the symbols of open sizes are.
        watch: Called after each op, with what it took and made.
    """

    plan: Plan
    module: nn.Module
    values: Mapping[str, int] = field(default_factory=dict)
    watch: Watch = _unwatched

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """What comes out, in order; lists of outputs flat.

        Raises:
            StepFailed: An op does not run on what it gets.
        """
        return self._run(self.plan, (), list(inputs))

    def one(self, place: Place, taken: Taken) -> tuple[Tensor, ...]:
        """What one op makes of inputs that lie as it takes them."""
        emit = place.plan.emits[place.node.id]
        slots: dict[str, object] = {f"_{port}": x for port, x in taken.items()}
        for arg in emit.literals:
            value = arg.value
            slots[f"_{arg.name}"] = (
                self.size(value) if isinstance(value, Poly) else value
            )
        if emit.make is not None:
            slots["_self"] = self.layer(place.path)
        if place.node.weights_from is not None:
            prefix = place.path[: len(place.path) - len(place.node.path)]
            owner = self.layer((*prefix, *place.node.weights_from))
            slots["_weight"] = owner.weight
        result = eval(_code(emit.forward), _NAMES, slots)
        return (result,) if isinstance(result, Tensor) else tuple(result)

    def layer(self, path: Path) -> nn.Module:
        """The layer at a path."""
        return self.module.get_submodule(".".join(path))

    def size(self, size: Size) -> int:
        """A size as a number."""
        number = substitute(size, dict(self.values))
        assert isinstance(number, int)
        return number

    # -- graphs ----------------------------------------------------------------------

    def _run(self, plan: Plan, prefix: Path, given: list[Tensor]) -> list[Tensor]:
        if plan.graph.scan is not None:
            return self._turns(plan, prefix, given)
        body = self._body(plan, prefix, given)
        return [body[key] for key in plan.returned]

    def _turns(self, plan: Plan, prefix: Path, given: list[Tensor]) -> list[Tensor]:
        scan = plan.graph.scan
        assert scan is not None
        names = [enter.name for enter, _ in plan.graph.entries]
        inputs = dict(zip(names, given, strict=True))
        layouts = dict(zip(names, plan.given, strict=True))
        rows = {
            n: inputs[n].unbind(layouts[n].index(scan.axis)) for n in scan.sequences
        }
        order = range(len(rows[scan.sequences[0]]))
        made: list[list[Tensor]] = []
        for turn in reversed(order) if scan.reverse else order:
            inputs |= {name: rows[name][turn] for name in scan.sequences}
            body = self._body(plan, prefix, [inputs[name] for name in names])
            made.append([body[key] for key in plan.made])
            states = zip(scan.states, plan.carried, strict=True)
            inputs |= {name: body[key] for name, key in states}
        if scan.last:
            results = made[-1]
        else:
            made = made[::-1] if scan.reverse else made
            results = [
                torch.stack(
                    [row[i] for row in made], along(lies, scan).index(scan.axis)
                )
                for i, (_, lies) in enumerate(plan.made)
            ]
        return results + ([inputs[n] for n in scan.states] if scan.keep else [])

    def _body(
        self, plan: Plan, prefix: Path, given: list[Tensor]
    ) -> Mapping[tuple[Ref, Layout], Tensor]:
        """What a body returns, by value and layout."""
        left = plan.uses()
        known: dict[Ref, Tensor] = {}
        inputs = iter(given)
        for node in plan.graph:
            if isinstance(node.payload, Enter):
                known[Ref(node.id)] = next(inputs)
                continue
            taken = {
                port: _laid(known[ref], plan.layouts[ref], plan.needs[node.id, port])
                for port, ref in node.inputs
            }
            for i, x in enumerate(self._node(plan, prefix, node, taken)):
                known[Ref(node.id, i)] = x
            left.subtract(ref for _, ref in node.inputs)
            for _, ref in node.inputs:
                if left[ref] == 0:
                    known.pop(ref, None)
        return {
            (ref, need): _laid(known[ref], plan.layouts[ref], need)
            for ref, need in plan.returned
        }

    def _node(
        self, plan: Plan, prefix: Path, node: Node, taken: Taken
    ) -> Sequence[Tensor]:
        path = prefix + node.path
        if isinstance(node.payload, Call):
            return self._run(plan.callees[node.id], path, list(taken.values()))
        place = Place(path, plan, node)
        try:
            made = self.one(place, taken)
        except Exception as error:
            raise StepFailed(place, error) from error
        self.watch(place, taken, made)
        return made


def places(plan: Plan, prefix: Path = ()) -> Iterator[Place]:
    """Every op of a model in order, blocks opened, the body of a scan once."""
    for node in plan.graph:
        path = prefix + node.path
        if isinstance(node.payload, Call):
            yield from places(plan.callees[node.id], path)
        elif not isinstance(node.payload, Enter):
            yield Place(path, plan, node)


def _laid(x: Tensor, have: Layout, need: Layout) -> Tensor:
    """A tensor with its axes in another order."""
    return x if have == need else x.permute([have.index(axis) for axis in need])


@lru_cache(maxsize=4096)
def _code(template: str) -> CodeType:
    """An op's expression; a slot ``{x}`` is the name ``_x``."""
    return compile(re.sub(r"\{(\w+)\}", r"_\1", template), "<op>", "eval")

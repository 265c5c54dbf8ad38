"""Tensors side by side on an axis of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument
from archdsl.diagnostics.faults.shapes import AxisTaken, WrongAxes, WrongDtype
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Port
from archdsl.ops.emit import Emit, Site
from archdsl.ops.fields import Axis
from archdsl.ops.rules import need_axes, need_equal
from archdsl.ops.spread import At, Spread, same_positions


class Stack(Op):
    """Tensors put side by side on a new axis, in the order of the list.

    Their axes must agree by name and size; they may come in any order, and the result
    has that of the first tensor. A list of one gives a tensor an axis of size 1. Costs
    nothing but the copy.

    Shape:
        The axes of the first tensor, then `over`, as long as the list.

    Args:
        over: The new axis.
    """

    name = "stack"
    group = "joining and cutting"
    ports = (Port("xs", many=True, dtype="any"),)
    examples = (
        Example(
            "stack([x, y], over = C)",
            {"x": "[B, H = 3, W = 5]", "y": "[B, W = 5, H = 3]"},
        ),
        Example(
            "stack([x, y, x], over = T)",
            {"x": "[B, H = 2, C = 4]", "y": "[B, C = 4, H = 2]"},
        ),
        Example("stack([x], over = N)", {"x": "[B, C = 4]"}),
    )

    over: Axis

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        if not ins:
            raise Refused(MissingArgument("stack", "xs", "stack([a, b], over = N)"))
        first, *others = ins.values()
        if self.over == BATCH:
            needs = "makes features or a position, not the batch"
            raise Refused(WrongAxes("stack", needs, str(first)), "over")
        if self.over in first:
            raise Refused(AxisTaken("stack", self.over, str(first)), "over")
        for other in others:
            if other.dtype != first.dtype:
                raise Refused(WrongDtype("stack", first.dtype, other.dtype), "xs")
            need_axes(self, other, first.names, "xs")
            need_axes(self, first, other.names, "xs")
            need_equal(self, facts, (first, other), first.names, at="xs")
        return (first.resized({self.over: len(ins)}),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        if self.over == FEATURES:
            return {port: same_positions(tensor) for port, tensor in ins.items()}
        return {
            port: {axis: _Slice(axis, self.over, i) for axis in tensor.positions}
            for i, (port, tensor) in enumerate(ins.items())
        }

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        most = Counter(given.values()).most_common(1)[0][0]
        return dict.fromkeys(ins, most)

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        return tuple(a for a in after if a != self.over) if after else None

    def emit(self, site: Site) -> Emit:
        layout = next(iter(site.layouts.values()))
        slots = ", ".join(f"{{{port}}}" for port in site.ins)
        dim = layout[:1].count(BATCH)  # behind the batch: as maps have their features
        code = f"torch.stack(({slots}{',' * (len(site.ins) == 1)}), dim={dim})"
        return Emit(code, ((*layout[:dim], self.over, *layout[dim:]),))

    def label(self, ins: Inputs) -> str:
        return f"stack over {self.over}"


@dataclass(frozen=True)
class _Slice:
    """An axis of one of the tensors, which is one index of the new axis."""

    axis: str
    over: str
    index: int

    def sources(self, at: At) -> Sequence[int]:
        """The same position, where the output is of this tensor."""
        return (at[self.axis],) if at[self.over] == self.index else ()

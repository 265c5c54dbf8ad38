"""Joining tensors on an axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument
from archdsl.diagnostics.faults.shapes import WrongAxes, WrongDtype
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Port, Tensor
from archdsl.ops.emit import Emit, Site
from archdsl.ops.fields import Axis
from archdsl.ops.rules import need_axes, need_equal
from archdsl.ops.spread import Affine, Reach, Spread, same_positions


class Concat(Op):
    """Tensors joined on one axis, in the order of the list.

    The other axes must agree by name and size; they may come in any order, and the
    result has that of the first tensor. Costs nothing but the copy.

    Shape:
        The axis `over` becomes as long as those of all the tensors together; the others
        are those of the first.

    Args:
        over: The axis on which they are joined: C, or a position.
    """

    name = "concat"
    group = "joining and cutting"
    ports = (Port("xs", many=True, dtype="any"),)
    examples = (
        Example(
            "concat([x, y])",
            {"x": "[B, C = 4, H = 3, W = 5]", "y": "[B, H = 3, W = 5, C = 2]"},
        ),
        Example(
            "concat([x, y, z], over = T)",
            {
                "x": "[B, T = 2, C = 4]",
                "y": "[B, T = 5, C = 4]",
                "z": "[B, C = 4, T = 1]",
            },
        ),
        Example("concat([x, y])", {"x": "[B, C = 4]", "y": "[B, C = 3]"}),
    )

    over: Axis = FEATURES

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        if not ins:
            raise Refused(MissingArgument("concat", "xs", "concat([a, b])"))
        first, *others = ins.values()
        if self.over == BATCH:
            needs = "joins features or positions, not the batch"
            raise Refused(WrongAxes("concat", needs, str(first)), "over")
        need_axes(self, first, (self.over,), "over")
        for other in others:
            self._check(first, other, facts)
        total = sum((t[self.over] for t in others), first[self.over])
        return (first.resized({self.over: total}),)

    def _check(self, first: Tensor, other: Tensor, facts: Facts) -> None:
        if other.dtype != first.dtype:
            raise Refused(WrongDtype("concat", first.dtype, other.dtype), "xs")
        need_axes(self, other, first.names, "xs")
        need_axes(self, first, other.names, "xs")
        rest = [a for a in first.names if a != self.over]
        need_equal(self, facts, (first, other), rest, at="xs")

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        spread: dict[str, dict[str, Reach]] = {}
        offset = 0
        for port, tensor in ins.items():
            spread[port] = same_positions(tensor)
            if self.over in tensor.positions:
                size = tensor[self.over]
                assert isinstance(size, int)
                spread[port][self.over] = Affine(self.over, size, start=-offset)
                offset += size
        return spread

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        most = Counter(given.values()).most_common(1)[0][0]
        return dict.fromkeys(ins, most)

    def emit(self, site: Site) -> Emit:
        layout = next(iter(site.layouts.values()))
        slots = ", ".join(f"{{{port}}}" for port in site.ins)
        comma = "," if len(site.ins) == 1 else ""
        dim = layout.index(self.over)
        return Emit(f"torch.cat(({slots}{comma}), dim={dim})", (layout,))

    def label(self, ins: Inputs) -> str:
        return "concat" if self.over == FEATURES else f"concat over {self.over}"

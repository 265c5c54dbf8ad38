"""Rows picked by index, and the index of the largest."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import WrongAxes, WrongDtype
from archdsl.ir.dim import Size
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Port,
    Tensor,
)
from archdsl.ops.emit import Emit, Make, Site, positional
from archdsl.ops.fields import Axis
from archdsl.ops.rules import need_axes, need_equal
from archdsl.ops.spread import Reach, Spread, Whole, same_positions


class Gather(Op):
    """Picks indices of one axis, for each example its own.

    The indices are a tensor of ids, from 0 to one less than the axis is long.
    ``gather(T, ends)`` takes from ``[B, T, C]`` the features at the position that
    ``ends: int[B]`` says; with ``int[B, K]`` it takes K positions. Axes that both have
    are gone through side by side. An index that is not there is an error of the run.
    ``select`` picks an index that is known. Costs nothing but the reading.

    Shape:
        The axis goes; in its place stand the axes of the indices that x has not.

    Args:
        axis: The axis that is picked from: C, or a position.
    """

    name = "gather"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"), Port("index", dtype="int"))
    examples = (
        Example("gather(T, y)", {"x": "[B, T = 5, C = 4]", "y": "int[B]"}),
        Example("gather(T, y)", {"x": "[B, C = 4, T = 5]", "y": "int[B, K = 3]"}),
        Example("gather(N, y)", {"x": "[N = 4, C = 3]", "y": "int[B, T = 5]"}),
        Example(
            "gather(H, y)", {"x": "[B, C = 2, H = 4, W = 3]", "y": "int[B, W = 3]"}
        ),
        Example("gather(T, y)", {"x": "[B, T = 5, C = 2]", "y": "int[K = 2, N = 3]"}),
        Example("gather(T, y)", {"x": "[B, T = 4, C = 2]", "y": "int[B, T = 6]"}),
        Example("gather(C, y)", {"x": "[B, T = 3, C = 4]", "y": "int[T = 3, B]"}),
        Example(
            "gather(T, y)",
            {"x": "[B, H = 2, T = 4, C = 3]", "y": "int[B, K = 2, H = 2, N = 2]"},
        ),
    )

    axis: Axis

    def shared(self, ins: Inputs) -> Layout:
        """The axes that both have, in the order of x."""
        x, index = ins["x"], ins["index"]
        return tuple(a for a in x.names if a in index and a != self.axis)

    def new(self, ins: Inputs) -> Layout:
        """The axes of the indices that are new."""
        shared = self.shared(ins)
        return tuple(a for a in ins["index"].names if a not in shared)

    def ids(self, ins: Inputs) -> Size | None:
        return ins["x"][self.axis]

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x, index = ins["x"], ins["index"]
        if self.axis == BATCH:
            needs = "picks inside one example, and B counts examples"
            raise Refused(WrongAxes(self.name, needs, str(x)), "axis")
        need_axes(self, x, (self.axis,), "axis")
        if index.dtype != "int":
            mend = "indices come from an input such as `input ends: int[B]`"
            raise Refused(WrongDtype(self.name, "int", index.dtype, mend), "index")
        need_equal(self, facts, (x, index), self.shared(ins), at="index")
        sizes = {**x.sizes, **index.sizes}
        layout = self._replaced(x.names, ins)
        if BATCH not in x:
            layout = tuple(sorted(layout, key=lambda a: a != BATCH))  # it comes first
        return (Tensor(tuple((a, sizes[a]) for a in layout), x.dtype),)

    def _replaced(self, layout: Layout, ins: Inputs) -> Layout:
        """A layout of x with the new axes where the one that goes has been."""
        at = layout.index(self.axis)
        return (*layout[:at], *self.new(ins), *layout[at + 1 :])

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        found: dict[str, Reach] = same_positions(x)
        size = x[self.axis]
        if self.axis in found and isinstance(size, int):
            found[self.axis] = Whole(size)
        if size == 1:
            return {"x": found}  # there is nothing to choose
        return {"x": found, "index": same_positions(ins["index"])}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        shared, new = self.shared(ins), self.new(ins)
        ahead = (*shared, self.axis)
        x = given["x"]
        if shared:
            x = (*ahead, *(a for a in x if a not in ahead))
        return {"x": x, "index": (*shared, *new)}

    def emit(self, site: Site) -> Emit:
        x = site.layouts["x"]
        layouts = (self._replaced(x, site.ins),)
        shared, new = self.shared(site.ins), self.new(site.ins)
        if len(shared) > 1:
            make = Make("GatherRows", (positional("ahead", len(shared)),))
            return Emit("{self}({x}, {index})", layouts, make)
        if shared:
            wide = f"[:{', None' * len(new)}]" if new else ""
            rows = f"torch.arange({{x}}.shape[0], device={{x}}.device){wide}"
            return Emit(f"{{x}}[{rows}, {{index}}]", layouts)
        colons = ":, " * x.index(self.axis)
        return Emit(f"{{x}}[{colons}{{index}}]", layouts)

    def label(self, ins: Inputs) -> str:
        return f"gather from {self.axis}"


class Argmax(Op):
    """The index of the largest value along one axis; the first, if there are several.

    The axis goes, and what comes out are ids, for `gather`. CLIP takes its features
    where the largest id is, that of the end of the text. No gradient comes back. Costs
    ``n - 1`` comparisons for the largest of n.

    Shape:
        The axis goes.

    Args:
        over: The axis: ``argmax(T)``.
    """

    name = "argmax"
    group = "reduction"
    ports = (Port("x", dtype="any"),)
    paper = "Radford et al. 2021, Learning Transferable Visual Models (CLIP)"
    examples = (
        Example("argmax(T)", {"x": "int[B, T = 5]"}),
        Example("argmax(C)", {"x": "[B, T = 3, C = 4]"}),
        Example("argmax(H)", {"x": "[B, C = 2, H = 4, W = 3]"}),
        Example("argmax(T)", {"x": "[B, T = 1, C = 3]"}),
    )

    over: Axis

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        if x.dtype == "bool":
            raise Refused(WrongDtype(self.name, "float or int", x.dtype))
        if self.over == BATCH:
            needs = "works inside one example, and B counts examples"
            raise Refused(WrongAxes(self.name, needs, str(x)), "over")
        need_axes(self, x, (self.over,), "over")
        return (x.without((self.over,)).cast("int"),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"reduce": ins["x"].numel - outs[0].numel})

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        return Cost()

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        found: dict[str, Reach] = same_positions(x)
        size = x[self.over]
        if size == 1:
            return {}  # it is 0, whatever there is
        if self.over in found and isinstance(size, int):
            found[self.over] = Whole(size)
        return {"x": found}

    def emit(self, site: Site) -> Emit:
        left = tuple(a for a in site.layouts["x"] if a != self.over)
        return Emit(f"{{x}}.argmax({site.dim(self.over)})", (left,))

    def label(self, ins: Inputs) -> str:
        return f"argmax over {self.over}"


def _runtime() -> None:
    import torch
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class GatherRows(nn.Module):
        """Picks by index, for each place of the first dimensions its own."""

        def __init__(self, ahead: int) -> None:
            super().__init__()
            self.ahead = ahead  # dimensions that both have

        def forward(self, x: Tensor, index: Tensor) -> Tensor:
            rows = x.flatten(0, self.ahead - 1)  # (rows, picked from, …)
            index = index.flatten(0, self.ahead - 1)  # (rows, …)
            each = torch.arange(rows.shape[0], device=x.device)
            each = each.reshape(-1, *[1] * (index.dim() - 1))
            return rows[each, index].unflatten(0, x.shape[: self.ahead])

"""Reductions: axes that are averaged, added up or searched for the largest, and go."""

from __future__ import annotations

from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size
from archdsl.ops.base import Cost, Example, Facts, Inputs, Op, Outputs
from archdsl.ops.emit import Emit, Site
from archdsl.ops.fields import Axes
from archdsl.ops.rules import need_axes, need_float
from archdsl.ops.spread import Spread, Whole, same_positions


class _Reduction(Op):
    """What the reductions share.

    Shape:
        The named axes go.
    """

    group = "reduction"
    rest = "over"
    method: ClassVar[str]  # of a torch.Tensor

    over: Axes

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        if not self.over:
            raise Refused(MissingArgument(self.name, "over", f"{self.name}(H, W)"))
        need_float(self, x)
        if "B" in self.over:
            needs = "works inside one example, and B counts examples"
            raise Refused(WrongAxes(self.name, needs, str(x)), "over")
        need_axes(self, x, self.over, "over")
        return (x.without(self.over),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        gone = {a: s for a, s in x.axes if a in self.over and isinstance(s, int)}
        reach = {a: Whole(gone[a]) for a in x.positions if a in gone}
        return {"x": {**same_positions(x), **reach}}

    def emit(self, site: Site) -> Emit:
        layout = site.layouts["x"]
        dims = sorted(site.dim(a) for a in self.over)
        where = str(dims[0]) if len(dims) == 1 else str(tuple(dims))
        kept = tuple(a for a in layout if a not in self.over)
        return Emit(f"{{x}}.{self.method}({where})", (kept,))

    def label(self, ins: Inputs) -> str:
        return f"{self.name} over {', '.join(self.over)}"


class Mean(_Reduction):
    """The mean over some axes, which go.

    Positions or C may go, the batch may not. Costs an operation for each number that
    comes in: the additions and a division.

    Args:
        over: The axes: ``mean(H, W)``.
    """

    name = "mean"
    method: ClassVar[str] = "mean"
    paper = "Lin et al. 2014, Network in Network"
    examples = (
        Example("mean(H, W)", {"x": "[B, C = 3, H = 5, W = 4]"}),
        Example("mean(T)", {"x": "[B, T = 7, C = 2]"}),
        Example("mean(W, C)", {"x": "[B, H = 4, W = 3, C = 2]"}),
    )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"reduce": ins["x"].numel})


class Max(_Reduction):
    """The largest value over some axes, which go.

    Positions or C may go, the batch may not. Costs ``n - 1`` comparisons for the
    largest of n.

    Args:
        over: The axes: ``max(T)``.
    """

    name = "max"
    method: ClassVar[str] = "amax"
    paper = "Collobert et al. 2011, Natural Language Processing"
    examples = (
        Example("max(T)", {"x": "[B, C = 3, T = 7]"}),
        Example("max(C)", {"x": "[B, C = 3, H = 4, W = 5]"}),
        Example("max(H, W)", {"x": "[B, H = 3, W = 4, C = 2]"}),
    )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"reduce": _pairs(ins, outs)})


class Sum(_Reduction):
    """The sum over some axes, which go.

    Positions or C may go, the batch may not. Costs ``n - 1`` additions for a sum of n.

    Args:
        over: The axes: ``sum(T)``.
    """

    name = "sum"
    method: ClassVar[str] = "sum"
    examples = (
        Example("sum(T)", {"x": "[B, T = 7, C = 2]"}),
        Example("sum(C)", {"x": "[B, T = 7, C = 2]"}),
        Example("sum(D, W)", {"x": "[B, C = 2, D = 3, H = 4, W = 2]"}),
    )

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"reduce": _pairs(ins, outs)})


def _pairs(ins: Inputs, outs: Outputs) -> Size:
    """Taking n numbers together two by two is n - 1 steps."""
    return ins["x"].numel - outs[0].numel

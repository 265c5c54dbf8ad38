"""Vectors brought to length 1."""

from __future__ import annotations

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import Cost, Example, Facts, Inputs, Op, Outputs
from archdsl.ops.emit import Arg, Emit, Site
from archdsl.ops.fields import Axes
from archdsl.ops.norm import Small
from archdsl.ops.rules import need_axes, need_float
from archdsl.ops.spread import Reach, Spread, Whole, same_positions


class Normalize(Op):
    """Divides each vector by its length, so that it has length 1.

    The vectors lie along C, or along the axes that are named, several of which make
    one vector. The product of two such vectors is the cosine of their angle. Nothing
    is learned. Costs 3 operations for each number: its square, their sum, the
    division.

    Args:
        over: The axes along which a vector lies; C, if none is named.
        eps: The least that is divided by.
    """

    name = "normalize"
    group = "normalisation"
    paper = "Radford et al. 2021, Learning Transferable Visual Models (CLIP)"
    examples = (
        Example("normalize", {"x": "[B, T = 3, C = 4]"}),
        Example("normalize(eps = 0.5)", {"x": "[B, C = 6]"}),
        Example("normalize(T)", {"x": "[B, C = 2, T = 5, N = 3]"}),
        Example("normalize(over = [H, W])", {"x": "[B, C = 2, H = 3, W = 4]"}),
    )

    over: Axes = (FEATURES,)
    eps: Small = 1e-12

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        if not self.over:
            raise Refused(
                MissingArgument(self.name, "over", "normalize(over = C)"), "over"
            )
        if BATCH in self.over:
            needs = "works inside one example, and B counts examples"
            raise Refused(WrongAxes(self.name, needs, str(x)), "over")
        need_axes(self, x, self.over, "over")
        return (x,)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={"norm": outs[0].numel * 3})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread: dict[str, Reach] = same_positions(x)
        for axis in self.over:
            size = x[axis]
            if axis in spread and isinstance(size, int):
                spread[axis] = Whole(size)
        return {"x": spread}

    def emit(self, site: Site) -> Emit:
        dims = tuple(sorted(site.dim(a) for a in self.over))
        where = f"dim={dims[0] if len(dims) == 1 else dims}"
        layouts = (site.layouts["x"],)
        if self.eps == 1e-12:
            return Emit(f"F.normalize({{x}}, {where})", layouts)
        forward = f"F.normalize({{x}}, {where}, eps={{eps}})"
        return Emit(forward, layouts, literals=(Arg("eps", self.eps),))

    def label(self, ins: Inputs) -> str:
        axes = "" if self.over == (FEATURES,) else f" over {', '.join(self.over)}"
        return f"normalize{axes}"

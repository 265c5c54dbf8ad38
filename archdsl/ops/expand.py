"""One tensor repeated along the axes of another."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import AxisTaken
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Port, Tensor
from archdsl.ops.emit import Emit, Site
from archdsl.ops.fields import Axes
from archdsl.ops.rules import need_axes
from archdsl.ops.spread import Spread, same_positions


class Expand(Op):
    """Tensor repeated along axes that it lacks, as long as they are in another one.

    Arithmetic broadcasts by itself; this is for what must have the batch, or a
    position, before: a learned query, a first state. Only the other tensor's sizes are
    read. Costs nothing: no number is copied.

    Shape:
        The axes of x and the new ones, these as long as in the other tensor.

    Args:
        over: The axes to repeat along; all that are missing by default.
    """

    name = "expand"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"), Port("like", dtype="any"))
    view = True
    sized = ("like",)
    examples = (
        Example("expand(y)", {"x": "[N = 3, C = 4]", "y": "[B, N = 3, C = 4]"}),
        Example(
            "expand(y, over = B)", {"x": "[N = 3, C = 4]", "y": "[B, H = 2, C = 5]"}
        ),
        Example(
            "expand(y, over = [W, B])",
            {"x": "[T = 3, C = 4]", "y": "[B, C = 2, H = 3, W = 5]"},
        ),
    )

    over: Axes = ()

    def new(self, ins: Inputs) -> tuple[str, ...]:
        """The axes that are repeated, in the other tensor's order."""
        x, like = ins["x"], ins["like"]
        wanted = self.over or [a for a in like.names if a not in x]
        return tuple(a for a in like.names if a in wanted)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x, like = ins["x"], ins["like"]
        need_axes(self, like, self.over, "over")
        for axis in self.over:
            if axis in x:
                raise Refused(AxisTaken(self.name, axis, str(x)), "over")
        axes = [(a, like[a]) for a in self.new(ins)]
        ahead = [a for a in axes if a[0] == BATCH]
        behind = [a for a in axes if a[0] != BATCH]
        return (Tensor((*ahead, *x.axes, *behind), x.dtype),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        return {"x": same_positions(ins["x"])}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return dict(given)

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        return None

    def emit(self, site: Site) -> Emit:
        new = self.new(site.ins)
        x = site.layouts["x"]
        if not new:
            return Emit("{x}", (x,))
        sizes = [f"{{like}}.shape[{site.dim(a, 'like')}]" for a in new]
        kept = ["-1"] * len(x)
        return Emit(f"{{x}}.expand({', '.join(sizes + kept)})", ((*new, *x),))

    def label(self, ins: Inputs) -> str:
        return f"expand over {', '.join(self.new(ins))}"

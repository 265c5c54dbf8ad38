"""Regularisation by leaving out, in training only."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import AxisMissing
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Size
from archdsl.ops.emit import Emit, Make, Site, positional
from archdsl.ops.fields import Rate
from archdsl.ops.rules import need_float


class Dropout(Op):
    """Sets numbers to 0 at random in training, and scales the others up.

    Works on each number by itself. Costs nothing in inference, where it does nothing.

    Args:
        rate: The chance of each number to be left out.
    """

    name = "dropout"
    group = "regularisation"
    paper = "Srivastava et al. 2014, Dropout"
    examples = (
        Example("dropout(0.5)", {"x": "[B, C = 6]"}),
        Example("dropout(rate = 0.1)", {"x": "[B, C = 3, H = 4, W = 5]"}),
    )

    rate: Rate

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_float(self, ins["x"])
        return (ins["x"],)

    def steps(self, ins: Inputs) -> Size:
        return 0

    def emit(self, site: Site) -> Emit:
        make = Make("nn.Dropout", (positional("p", self.rate),))
        return Emit("{self}({x})", (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return f"dropout {self.rate:g}"


class DropPath(Op):
    """Sets whole examples to 0 at random in training, and scales the others up.

    At the end of a residual branch this leaves the branch out: stochastic depth.
    Costs nothing in inference, where it does nothing.

    Args:
        rate: The chance of each example to be left out.
    """

    name = "drop_path"
    group = "regularisation"
    paper = "Huang et al. 2016, Deep Networks with Stochastic Depth"
    examples = (
        Example("drop_path(0.2)", {"x": "[B, T = 5, C = 4]"}),
        Example("drop_path(rate = 0.1)", {"x": "[B, C = 3, H = 4, W = 5]"}),
    )

    rate: Rate

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        if "B" not in x:
            mend = "it leaves out examples of a batch; `dropout` leaves out numbers"
            raise Refused(AxisMissing(self.name, "B", str(x), mend))
        return (x,)

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": ("B", *(a for a in given["x"] if a != "B"))}

    def steps(self, ins: Inputs) -> Size:
        return 0

    def emit(self, site: Site) -> Emit:
        make = Make("DropPath", (positional("rate", self.rate),))
        return Emit("{self}({x})", (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        return f"drop path {self.rate:g}"


def _runtime() -> None:
    from torch import Tensor, nn

    class DropPath(nn.Module):
        """Stochastic depth (Huang et al. 2016): drops whole examples in training."""

        def __init__(self, rate: float) -> None:
            super().__init__()
            self.rate = rate

        def forward(self, x: Tensor) -> Tensor:
            """Maps (B, ...) to (B, ...)."""
            if not self.training or self.rate == 0.0:
                return x
            keep = 1.0 - self.rate
            ones = [1] * (x.ndim - 1)
            kept = x.new_full((x.shape[0], *ones), keep).bernoulli()  # (B, 1, ...)
            return x * (kept / keep)

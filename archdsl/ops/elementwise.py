"""Functions of one number that are no activations."""

from __future__ import annotations

from math import inf, isfinite
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument, WrongValue
from archdsl.ops.base import Cost, Example, Facts, Inputs, Op, Outputs
from archdsl.ops.emit import Arg, Emit, Site
from archdsl.ops.fields import Real
from archdsl.ops.rules import need_float


class _Elementwise(Op):
    """What functions of one number share.

    Shape:
        The one that goes in: each number is taken by itself.
    """

    group = "arithmetic"
    pointwise = 1
    method: ClassVar[str]  # of a torch.Tensor

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_float(self, ins["x"])
        return (ins["x"],)

    def emit(self, site: Site) -> Emit:
        return Emit(f"{{x}}.{self.method}()", (site.layouts["x"],))

    def label(self, ins: Inputs) -> str:
        return self.name


class Exp(_Elementwise):
    """The exponential function: e to the power of the number.

    A learned number stays positive through it, as CLIP's temperature does. Costs 1
    operation for each number.
    """

    name = "exp"
    method: ClassVar[str] = "exp"
    examples = (
        Example("exp", {"x": "[B, T = 5, C = 4]"}),
        Example("exp", {"x": "[B, C = 3, H = 2, W = 4]"}),
    )


class Log(_Elementwise):
    """The natural logarithm; of 0 it is -inf, of a negative number nan.

    Costs 1 operation for each number.
    """

    name = "log"
    method: ClassVar[str] = "log"
    examples = (
        Example("sigmoid -> log", {"x": "[B, T = 5, C = 4]"}),
        Example("exp -> log", {"x": "[B, C = 3, H = 2, W = 4]"}),
    )


class Sqrt(_Elementwise):
    """The square root; of a negative number it is nan.

    Of a number that is known, ``sqrt(2)`` is a number. Costs 1 operation for each
    number.
    """

    name = "sqrt"
    method: ClassVar[str] = "sqrt"
    examples = (
        Example("sigmoid -> sqrt", {"x": "[B, T = 5, C = 4]"}),
        Example("exp -> sqrt", {"x": "[B, C = 3, H = 2, W = 4]"}),
    )


class Abs(_Elementwise):
    """The number without its sign.

    Of a number that is known, ``abs(-2)`` is a number. Costs 1 operation for each
    number.
    """

    name = "abs"
    method: ClassVar[str] = "abs"
    examples = (
        Example("abs", {"x": "[B, T = 5, C = 4]"}),
        Example("abs", {"x": "[B, C = 3, H = 2, W = 4]"}),
    )


class Clamp(Op):
    """The number where it is between two bounds, otherwise the nearer bound.

    Costs 1 operation for each number and bound: the comparison.

    Shape:
        The one that goes in: each number is taken by itself.

    Args:
        min: The lower bound; without one, there is none.
        max: The upper bound; without one, there is none.
    """

    name = "clamp"
    group = "arithmetic"
    examples = (
        Example("clamp(-0.5, 0.5)", {"x": "[B, T = 5, C = 4]"}),
        Example("clamp(min = 0.1)", {"x": "[B, C = 3, H = 2, W = 4]"}),
        Example("clamp(max = 1)", {"x": "[B, H = 3, C = 4]"}),
    )

    min: Real | None = None
    max: Real | None = None

    def bounds(self) -> tuple[Arg, ...]:
        """The bounds that there are."""
        given = (Arg("min", self.min, None), Arg("max", self.max, None))
        return tuple(arg for arg in given if arg.value is not None)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        need_float(self, ins["x"])
        if not self.bounds():
            raise Refused(MissingArgument(self.name, "min or max", "clamp(0, 1)"))
        for name, value in (("min", self.min), ("max", self.max)):
            if value is not None and not isfinite(value):
                fault = WrongValue(self.name, name, "must be finite", f"{value:g}")
                raise Refused(fault, name)
        low = -inf if self.min is None else self.min
        if self.max is not None and self.max < low:
            problem = f"must not be below min, {low:g}"
            fault = WrongValue(self.name, "max", problem, f"{self.max:g}")
            raise Refused(fault, "max")
        return (ins["x"],)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        return Cost(elementwise={self.kind: outs[0].numel * len(self.bounds())})

    def emit(self, site: Site) -> Emit:
        bounds = self.bounds()
        words = ", ".join(f"{a.name}={{{a.name}}}" for a in bounds)
        return Emit(f"{{x}}.clamp({words})", (site.layouts["x"],), literals=bounds)

    def label(self, ins: Inputs) -> str:
        low = "" if self.min is None else f"{self.min:g}"
        high = "" if self.max is None else f"{self.max:g}"
        return f"clamp {low} … {high}".replace("  ", " ").strip()

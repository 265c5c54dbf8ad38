"""Arithmetic of two tensors, by the names of their axes, or of one and a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import GivenTwice, MissingArgument, WrongValue
from archdsl.diagnostics.faults.shapes import WrongDtype
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Port, Tensor
from archdsl.ops.emit import Emit, Site, positional
from archdsl.ops.fields import Real
from archdsl.ops.rules import need_equal, need_float


class _Arithmetic(Op):
    """What the four operations share.

    Shape:
        The axes of x, then those that only `other` has.

    Args:
        number: The second operand, where that is a number.
    """

    group = "arithmetic"
    ports = (
        Port("x", dtype="any"),
        Port("other", optional=True, dtype="any"),
    )
    pointwise = 1
    sign: ClassVar[str]

    number: Real | None = None

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        self._check_dtype(x)
        if "other" not in ins:
            self._check_number(x)
            return (x,)
        other = ins["other"]
        if self.number is not None:
            raise Refused(GivenTwice(self.name, "other"), "number")
        if other.dtype != x.dtype:
            raise Refused(WrongDtype(self.name, x.dtype, other.dtype), "other")
        if other == x:  # as where a residual ends
            return (x,)
        shared = [a for a in x.names if a in other]
        need_equal(self, facts, (x, other), shared, _projection(x, other), "other")
        new = [a for a in other.axes if a[0] not in x]
        ahead = [a for a in new if a[0] == BATCH]
        behind = [a for a in new if a[0] != BATCH]
        return (Tensor((*ahead, *x.axes, *behind), x.dtype),)

    def _check_dtype(self, x: Tensor) -> None:
        if x.dtype == "bool":
            raise Refused(WrongDtype(self.name, "float", "bool"))

    def _check_number(self, x: Tensor) -> None:
        if self.number is None:
            usage = f"{self.name}(skip) or {self.name}(2)"
            raise Refused(MissingArgument(self.name, "other", usage))
        found = f"{self.number:g}"
        if not math.isfinite(self.number):
            fault = WrongValue(self.name, "number", "must be finite", found)
            raise Refused(fault, "number")
        if x.dtype == "int" and not self.number.is_integer():
            problem = "must be whole where the tensor is int"
            raise Refused(WrongValue(self.name, "number", problem, found), "number")

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        full = _joined(ins, given)
        return {p: tuple(a for a in full if a in t) for p, t in ins.items()}

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        return tuple(a for a in after if a in ins[port]) if after else None

    def emit(self, site: Site) -> Emit:
        full = _joined(site.ins, site.layouts)
        x = _aligned("x", site.layouts["x"], full)
        if "other" in site.ins:
            other = _aligned("other", site.layouts["other"], full)
            return Emit(f"{x} {self.sign} {other}", (full,))
        assert self.number is not None
        whole = site.ins["x"].dtype == "int"
        number = positional("number", int(self.number) if whole else self.number)
        return Emit(f"{x} {self.sign} {{number}}", (full,), literals=(number,))

    def label(self, ins: Inputs) -> str:
        return self.name if self.number is None else f"{self.name} {self.number:g}"


def _projection(x: Tensor, other: Tensor) -> str:
    """What brings a skip to the features, and by its stride the positions, of x."""
    if FEATURES not in x or FEATURES not in other:
        return ""
    if 1 in (x[FEATURES], other[FEATURES]):
        return "a size of 1 does not broadcast; drop the axis: `-> select(C, 0)`"
    if not x.positions:
        return f"project the other side first: `-> linear({x[FEATURES]})`"
    pairs = [(x[a], other[a]) for a in x.positions if a in other]
    steps = {b // a for a, b in pairs if isinstance(a, int) and isinstance(b, int)}
    stride = f", stride = {max(steps)}" if len(steps) == 1 and max(steps) > 1 else ""
    if x[FEATURES] == other[FEATURES] and not stride:
        return ""
    step = f"conv({x[FEATURES]}, kernel = 1{stride})"
    return f"project the other side first: `-> {step}`"


def _joined(ins: Inputs, layouts: Mapping[str, Layout]) -> Layout:
    """The layout of the operand with the most axes, and the axes that it lacks."""
    full: list[str] = []
    for layout in layouts.values():
        full = list(layout) if len(layout) > len(full) else full
    for tensor in ins.values():
        for axis in tensor.names:
            if axis not in full:
                behind = len(full) - (full[-1:] == [FEATURES] and axis != FEATURES)
                full.insert(0 if axis == BATCH else behind, axis)
    return tuple(full)


def _aligned(port: str, layout: Layout, full: Layout) -> str:
    """The operand with an empty dimension for each axis that it lacks."""
    marks = [":" if a in layout else "None" for a in full]
    while marks[:1] == ["None"]:
        marks.pop(0)  # PyTorch adds leading dimensions by itself
    return f"{{{port}}}[{', '.join(marks)}]" if "None" in marks else f"{{{port}}}"


class Add(_Arithmetic):
    """Sum of two tensors, or of a tensor and a number.

    Axes meet by name: a missing one broadcasts, and one of the same name must have the
    same size. Costs 1 operation an element.

    Args:
        number: The second operand, where that is a number: ``add(1)``. A tensor goes
            to the port `other` instead: ``add(skip)``. Exactly one of them is given.
    """

    name = "add"
    sign: ClassVar[str] = "+"
    examples = (
        Example(
            "add(y)", {"x": "[B, C = 4, H = 3, W = 5]", "y": "[B, H = 3, W = 5, C = 4]"}
        ),
        Example("add(0.5)", {"x": "[B, T = 5, C = 4]"}),
        Example("add(y)", {"x": "[B, C = 4]", "y": "[B, C = 4, T = 7]"}),
        Example("add(y)", {"x": "[B, H = 3, C = 4]", "y": "[B, W = 5, C = 4]"}),
    )


class Subtract(_Arithmetic):
    """Difference of two tensors, or of a tensor and a number.

    Axes meet by name: a missing one broadcasts, and one of the same name must have the
    same size. Costs 1 operation an element.

    Args:
        number: What is taken away, where that is a number: ``subtract(1)``. A tensor
            goes to the port `other` instead. Exactly one of them is given.
    """

    name = "subtract"
    sign: ClassVar[str] = "-"
    examples = (
        Example("subtract(y)", {"x": "[B, T = 5, C = 4]", "y": "[B, C = 4]"}),
        Example("subtract(1)", {"x": "[B, C = 3, T = 6]"}),
    )


class Multiply(_Arithmetic):
    """Product of two tensors element by element, or of a tensor and a number.

    Axes meet by name: a missing one broadcasts, so a gate of each feature
    ``[B, C]`` scales a map ``[B, C, H, W]`` as it is. One of the same name must have
    the same size. Costs 1 operation an element.

    Args:
        number: The factor, where that is a number: ``multiply(0.5)``. A tensor goes to
            the port `other` instead: ``multiply(gate)``. Exactly one of them is given.
    """

    name = "multiply"
    sign: ClassVar[str] = "*"
    examples = (
        Example("multiply(y)", {"x": "[B, C = 4, H = 3, W = 5]", "y": "[B, C = 4]"}),
        Example(
            "multiply(y)", {"x": "[B, C = 4, H = 3, W = 5]", "y": "[B, W = 5, H = 3]"}
        ),
        Example("multiply(8 ** 0.5)", {"x": "[B, T = 5, C = 4]"}),
        Example("multiply(y)", {"x": "[B, T = 5]", "y": "[B, T = 5, C = 2]"}),
    )


class Divide(_Arithmetic):
    """Quotient of two tensors element by element, or of a tensor and a number.

    Axes meet by name: a missing one broadcasts, and one of the same name must have the
    same size. Ids cannot be divided. Costs 1 operation an element.

    Args:
        number: The divisor, where that is a number: ``divide(2)``. A tensor goes to the
            port `other` instead. Exactly one of them is given.
    """

    name = "divide"
    sign: ClassVar[str] = "/"
    examples = (
        Example("divide(y)", {"x": "[B, T = 5, C = 4]", "y": "[B, T = 5]"}),
        Example("divide(3)", {"x": "[B, H = 3, W = 2, C = 4]"}),
    )

    def _check_dtype(self, x: Tensor) -> None:
        need_float(self, x)

    def _check_number(self, x: Tensor) -> None:
        super()._check_number(x)
        if self.number == 0:
            fault = WrongValue(self.name, "number", "must not be 0", "0")
            raise Refused(fault, "number")

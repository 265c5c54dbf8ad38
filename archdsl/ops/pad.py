"""Axes made longer, shifted or turned round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes, WrongDtype
from archdsl.ir.dim import Size
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import (
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Port,
    Tensor,
)
from archdsl.ops.emit import Arg, Emit, Site, positional
from archdsl.ops.fields import Axes, Axis, Integer, Real
from archdsl.ops.rules import need_axes
from archdsl.ops.spread import Affine, At, Spread, same_positions

_MODES = ("constant", "reflect", "replicate", "circular")


def _mode(value: object) -> str:
    if isinstance(value, str) and value in _MODES:
        return value
    raise ValueError("must be " + " or ".join(f'"{mode}"' for mode in _MODES))


Mode = Annotated[
    str, PlainValidator(_mode), " or ".join(f'"{mode}"' for mode in _MODES)
]


@dataclass(frozen=True)
class _Around:
    """An axis that goes on before and after: mirrored, or with its ends repeated."""

    axis: str
    size: int
    before: int
    mode: str

    def sources(self, at: At) -> Sequence[int]:
        """The one index that stands there."""
        index = at[self.axis] - self.before
        last = self.size - 1
        if self.mode == "circular":
            return (index % self.size,)
        if self.mode == "replicate":
            return (min(max(index, 0), last),)
        return (abs(last - abs(last - index)),)


class Pad(Op):
    """More positions before and after those of one axis.

    They hold `value`, or what `mode` takes from the axis: "reflect" mirrors it at
    its first and last position, "replicate" repeats these, "circular" goes on at the
    other end. Negative numbers are not taken: `slice` cuts. Ids and truth values are
    taken, too, where `value` is a whole number, of which 0 is false. Costs nothing but
    the copy.

    Shape:
        The axis becomes `before` plus `after` longer.

    Args:
        axis: The axis: C, or a position.
        before: How many positions before the first.
        after: How many after the last.
        value: What they hold where the mode is "constant".
        mode: Where the numbers come from.
    """

    name = "pad"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"),)
    examples = (
        Example("pad(T, 2, 1)", {"x": "[B, T = 5, C = 4]"}),
        Example("pad(W, after = 3, value = 0.5)", {"x": "[B, C = 2, H = 3, W = 4]"}),
        Example('pad(H, 2, 1, mode = "reflect")', {"x": "[B, C = 2, H = 5, W = 3]"}),
        Example('pad(T, 1, 3, mode = "replicate")', {"x": "[B, T = 4, C = 2]"}),
        Example('pad(T, 2, 3, mode = "circular")', {"x": "[B, C = 2, T = 4, N = 3]"}),
        Example("pad(C, 1, 2)", {"x": "[B, C = 2, T = 4]"}),
        Example("pad(T, after = 3, value = 1)", {"x": "bool[B, T = 4]"}),
        Example("pad(T, 1, 2, value = 1)", {"x": "int[B, T = 4]"}),
    )

    axis: Axis
    before: Integer = 0
    after: Integer = 0
    value: Real = 0.0
    mode: Mode = "constant"

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        self._check_kind(x)
        _check_axis(self, x, self.axis)
        for name, number in (("before", self.before), ("after", self.after)):
            if not 0 <= number <= 10**6:
                problem = "must not be negative, and at most 1,000,000"
                mend = f"`slice({self.axis}, …)` cuts" if number < 0 else ""
                fault = WrongValue(self.name, name, problem, str(number), mend)
                raise Refused(fault, name)
        if not isfinite(self.value) or (self.value and self.mode != "constant"):
            problem = 'must be finite, and goes with mode = "constant" only'
            fault = WrongValue(self.name, "value", problem, f"{self.value:g}")
            raise Refused(fault, "value")
        self._check_size(x[self.axis], facts)
        return (x.resized({self.axis: x[self.axis] + self.before + self.after}),)

    def _check_kind(self, x: Tensor) -> None:
        """Refuses what ids and truth values cannot hold, or PyTorch does not pad."""
        if x.dtype == "float":
            return
        if self.mode != "constant":
            raise Refused(WrongDtype(f"pad: {self.mode}", "float", x.dtype))
        if not self.value.is_integer():
            problem = f"must be a whole number for {x.dtype} values"
            fault = WrongValue(self.name, "value", problem, f"{self.value:g}")
            raise Refused(fault, "value")

    def _check_size(self, size: Size, facts: Facts) -> None:
        """Refuses to mirror more than there is."""
        name = "before" if self.before >= self.after else "after"
        most = max(self.before, self.after)
        needed = {"reflect": most + 1, "circular": most}.get(self.mode, 0)
        if needed > 1 and not facts.at_least(size, needed):
            limit = "below" if self.mode == "reflect" else "at most"
            problem = f'must be {limit} {self.axis} = {size} with mode = "{self.mode}"'
            raise Refused(WrongValue(self.name, name, problem, str(most)), name)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        size = x[self.axis]
        if self.axis in spread and isinstance(size, int):
            if self.mode == "constant":
                spread[self.axis] = Affine(self.axis, size, -self.before)
            else:
                around = _Around(self.axis, size, self.before, self.mode)
                spread[self.axis] = around
        return {"x": spread}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        if self.mode == "constant":
            return dict(given)
        # PyTorch pads the last of three dimensions in these modes.
        rest = tuple(a for a in given["x"] if a != self.axis)
        return {"x": (*sorted(rest, key=lambda a: a != BATCH), self.axis)}

    def emit(self, site: Site) -> Emit:
        layout = site.layouts["x"]
        behind = len(layout) - 1 - layout.index(self.axis)
        ends = positional("pad", (0, 0) * behind + (self.before, self.after))
        if self.mode == "constant":
            literals: tuple[Arg, ...] = (ends,)
            forward = "F.pad({x}, {pad})"
            if self.value:
                literals += (Arg("value", self.value),)
                forward = "F.pad({x}, {pad}, value={value})"
            return Emit(forward, (layout,), literals=literals)
        mode = positional("mode", self.mode)
        forward = "F.pad({x}, {pad}, mode={mode})"
        if len(layout) != 3:  # as rows
            ahead = len(layout) - 1
            joined = (
                "{x}.unsqueeze(0)" if ahead < 2 else f"{{x}}.flatten(0, {ahead - 1})"
            )
            end = (
                f".unflatten(0, {{x}}.shape[:{ahead}])" if ahead > 1 else ".squeeze(0)"
            )
            forward = f"F.pad({joined}, {{pad}}, mode={{mode}}){end}"
        return Emit(forward, (layout,), literals=(ends, mode))

    def label(self, ins: Inputs) -> str:
        mode = "" if self.mode == "constant" else f", {self.mode}"
        return f"pad {self.axis} {self.before} + {self.after}{mode}"


@dataclass(frozen=True)
class _Turned:
    """An axis that goes round."""

    axis: str
    size: int
    shift: int

    def sources(self, at: At) -> Sequence[int]:
        """The index that has been shifted here."""
        return ((at[self.axis] - self.shift) % self.size,)


class Roll(Op):
    """Shifts one axis; what leaves it at one end comes back at the other.

    Costs nothing but the copy.

    Args:
        axis: The axis: C, or a position.
        shift: By how many positions; a negative number shifts towards the first.
    """

    name = "roll"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"),)
    examples = (
        Example("roll(T, 2)", {"x": "[B, T = 5, C = 4]"}),
        Example("roll(W, -1)", {"x": "[B, C = 2, H = 3, W = 4]"}),
        Example("roll(C, 3)", {"x": "[B, C = 4, T = 3]"}),
    )

    axis: Axis
    shift: Integer

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        _check_axis(self, ins["x"], self.axis)
        if abs(self.shift) >= 2**63:
            fault = WrongValue(self.name, "shift", "is too large", str(self.shift))
            raise Refused(fault, "shift")
        return (ins["x"],)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        size = x[self.axis]
        if self.axis in spread and isinstance(size, int):
            spread[self.axis] = _Turned(self.axis, size, self.shift)
        return {"x": spread}

    def emit(self, site: Site) -> Emit:
        literals = (
            positional("shift", self.shift),
            positional("dim", site.dim(self.axis)),
        )
        forward = "torch.roll({x}, {shift}, {dim})"
        return Emit(forward, (site.layouts["x"],), literals=literals)

    def label(self, ins: Inputs) -> str:
        return f"roll {self.axis} by {self.shift}"


class Flip(Op):
    """Turns axes round: the last index comes first.

    Costs nothing but the copy.

    Args:
        axes: The axes: C, or positions.
    """

    name = "flip"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"),)
    rest = "axes"
    examples = (
        Example("flip(T)", {"x": "[B, T = 5, C = 4]"}),
        Example("flip(H, W)", {"x": "[B, C = 2, H = 3, W = 4]"}),
        Example("flip(C)", {"x": "[B, H = 3, C = 4]"}),
    )

    axes: Axes

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        for axis in self.axes:
            _check_axis(self, ins["x"], axis, "axes")
        return (ins["x"],)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        for axis in self.axes:
            size = x[axis]
            if axis in spread and isinstance(size, int):
                spread[axis] = Affine(axis, size, size - 1, -1)
        return {"x": spread}

    def emit(self, site: Site) -> Emit:
        dims = positional("dims", tuple(sorted(site.dim(a) for a in self.axes)))
        return Emit("{x}.flip({dims})", (site.layouts["x"],), literals=(dims,))

    def label(self, ins: Inputs) -> str:
        return f"flip {', '.join(self.axes)}"


def _check_axis(op: Op, x: Tensor, axis: str, at: str = "axis") -> None:
    if axis == BATCH:
        needs = "works inside one example, and B counts examples"
        raise Refused(WrongAxes(op.name, needs, str(x)), at)
    need_axes(op, x, (axis,), at)

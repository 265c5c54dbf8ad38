"""Maps brought to another size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from struct import pack, unpack
from typing import Annotated

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument, WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Port,
)
from archdsl.ops.conv import one
from archdsl.ops.emit import Arg, Emit, Site, features_first, positional
from archdsl.ops.fields import Axes, Each, Flag, SizeEach
from archdsl.ops.rules import chosen, each, need_axes, need_float
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import At, Spread, same_positions

_MODES = ("nearest", "linear", "cubic")
_TAPS = {"nearest": 1, "linear": 2, "cubic": 4}
_NAMES = {
    "nearest": ("nearest",) * 3,
    "linear": ("linear", "bilinear", "trilinear"),
    "cubic": ("", "bicubic", ""),
}


def _mode(value: object) -> str:
    if isinstance(value, str) and value in _MODES:
        return value
    named = value if isinstance(value, str) else ""
    plain = next((m for m, names in _NAMES.items() if named in names and named), "")
    also = f': write "{plain}", for any number of axes' if plain else ""
    raise ValueError('must be "nearest", "linear" or "cubic"' + also)


Mode = Annotated[
    str, PlainValidator(_mode), " or ".join(f'"{mode}"' for mode in _MODES)
]


def _float32(number: float) -> float:
    """The number as a float of 32 bits has it."""
    (rounded,) = unpack("f", pack("f", number))
    return float(rounded)


@dataclass(frozen=True)
class _Sampled:
    """An axis that is read at other places than its own, as PyTorch reads it."""

    axis: str
    size: int
    out: int
    mode: str
    aligned: bool

    def sources(self, at: At) -> Sequence[int]:
        """The indices that are read, rising."""
        index, last = at[self.axis], self.size - 1
        if self.size == self.out:
            return (index,)
        if self.mode == "nearest":
            # PyTorch finds it in 32 bits, and so it may be one less than exact.
            near = floor(_float32(index * _float32(self.size / self.out)))
            return (min(near, last),)
        place = self._place(index)
        if self.mode == "linear":
            place = max(place, Fraction(0))
        first = floor(place)
        taps = range(2) if self.mode == "linear" else range(-1, 3)
        taps = taps if place != first else range(1)  # the others weigh nothing
        return sorted({min(max(first + tap, 0), last) for tap in taps})

    def _place(self, index: int) -> Fraction:
        """Where it is read: between two indices, or at one."""
        if self.aligned:
            return Fraction(index * (self.size - 1), max(self.out - 1, 1))
        return (index + Fraction(1, 2)) * Fraction(self.size, self.out) - Fraction(1, 2)


class Interpolate(Op):
    """Brings maps to another size, by numbers between the positions.

    Works on all positions, or those of `over`, to a `size`, by a whole `factor`, or to
    the sizes that these axes have in another tensor, `like`; exactly one of them is
    given. "nearest" repeats what is nearest before, "linear" weighs the two neighbours
    along each axis (bilinear on maps), "cubic" four. Costs nothing for the nearest,
    else a product for each number that is read and the sums: 7 operations for each
    number of a map that comes out by "linear", 31 by "cubic".

    Shape:
        Each axis has the new size.

    Args:
        size: The new size, one number or one for each axis.
        factor: How many times longer an axis becomes, one number or one for each.
        mode: How numbers between positions are found; "cubic" on two axes.
        align_corners: Whether the first and the last positions stay where they are;
            otherwise positions are the middles of cells. Not for "nearest".
        over: The position axes; all, if none is named.
    """

    name = "interpolate"
    group = "convolution and pooling"
    ports = (Port("x"), Port("like", optional=True, dtype="any"))
    sized = ("like",)
    paper = "Long et al. 2015, Fully Convolutional Networks for Semantic Segmentation"
    examples = (
        Example("interpolate(factor = 2)", {"x": "[B, C = 3, H = 4, W = 3]"}),
        Example('interpolate(7, mode = "linear")', {"x": "[B, T = 4, C = 2]"}),
        Example(
            'interpolate([3, 9], mode = "linear")', {"x": "[B, C = 2, H = 5, W = 4]"}
        ),
        Example(
            'interpolate([7, 2], mode = "linear", align_corners = true)',
            {"x": "[B, C = 2, H = 4, W = 5]"},
        ),
        Example(
            'interpolate(factor = [2, 3], mode = "cubic")',
            {"x": "[B, C = 2, H = 3, W = 4]"},
        ),
        Example(
            "interpolate(like = y)",
            {"x": "[B, C = 2, H = 3, W = 4]", "y": "[B, H = 5, C = 4, W = 10]"},
        ),
        Example(
            "interpolate(5, over = W)", {"x": "[B, T = 2, C = 2, H = 2, W = 3]"}
        ),
    )  # fmt: skip

    size: SizeEach | None = None
    factor: Each | None = None
    mode: Mode = "nearest"
    align_corners: Flag = False
    over: Axes = ()

    def targets(self, ins: Inputs) -> dict[str, Size]:
        """The new sizes."""
        x = ins["x"]
        axes = chosen(self, x, self.over)
        if self.size is not None:
            return dict(zip(axes, each(self, self.size, axes, "size"), strict=True))
        if self.factor is not None:
            factors = each(self, self.factor, axes, "factor")
            return {a: x[a] * f for a, f in zip(axes, factors, strict=True)}
        need_axes(self, ins["like"], axes, "like")
        return {a: ins["like"][a] for a in axes}

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        ways = {"size": self.size, "factor": self.factor, "like": ins.get("like")}
        given = [name for name, value in ways.items() if value is not None]
        if not given:
            usage = "interpolate(factor = 2)"
            raise Refused(MissingArgument(self.name, "size, factor or like", usage))
        if len(given) > 1:
            problem = f"is given beside {given[0]}, which says the size, too"
            mend = "keep one of the two"
            twice = WrongValue(self.name, given[1], problem, "a second size", mend)
            raise Refused(twice, given[1])
        sizes = self.targets(ins)
        if not _NAMES[self.mode][min(len(sizes), 3) - 1] or len(sizes) > 3:
            needs = "works on one to three axes, and by cubes on two"
            where = WrongAxes(self.name, needs, str(x), "name them: over = [H, W]")
            raise Refused(where, "mode" if self.mode == "cubic" else "over")
        if self.align_corners and self.mode == "nearest":
            problem = 'goes with mode = "linear" or "cubic"'
            fault = WrongValue(self.name, "align_corners", problem, "true")
            raise Refused(fault, "align_corners")
        return (x.resized(sizes),)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        taps = _TAPS[self.mode] ** len(self.targets(ins))
        count = outs[0].numel * (2 * taps - 1)
        return Cost(elementwise={"pool": count} if taps > 1 else {})

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        for axis in self.targets(ins):
            size, out = x[axis], outs[0][axis]
            assert isinstance(size, int) and isinstance(out, int)
            spread[axis] = _Sampled(axis, size, out, self.mode, self.align_corners)
        return {"x": spread}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        over = chosen(self, ins["x"], self.over)
        return {**given, "x": features_first(ins["x"], over)}

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        return self.arrange(ins, {})["x"] if port == "x" else None

    def emit(self, site: Site) -> Emit:
        layout = site.layouts["x"]
        axes = tuple(self.targets(site.ins))
        words, literals = self._size(site, axes)
        if self.mode != "nearest":
            literals.append(positional("mode", _NAMES[self.mode][len(axes) - 1]))
            words += ", mode={mode}"
        if self.align_corners:
            words += ", align_corners=True"
        ahead = len(layout) - len(axes)
        x, end = "{x}", ""
        if ahead > 2:
            x = f"{{x}}.flatten(0, {ahead - 2})"
            end = f".unflatten(0, {{x}}.shape[:{ahead - 1}])"
        elif ahead < 2:
            x, end = ("{x}[None]", "[0]") if ahead else ("{x}[None, None]", "[0, 0]")
        forward = f"F.interpolate({x}, {words}){end}"
        return Emit(forward, (layout,), literals=tuple(literals))

    def _size(self, site: Site, axes: tuple[str, ...]) -> tuple[str, list[Arg]]:
        """The new size in Python, and the numbers that it uses."""
        if self.factor is not None:
            factors = one(list(each(self, self.factor, axes, "factor")))
            return "scale_factor={factor}", [positional("factor", factors)]
        if self.size is not None:
            sizes = each(self, self.size, axes, "size")
            size = sizes[0] if len(sizes) == 1 else sizes
            return "size={size}", [positional("size", size)]
        shapes = [f"{{like}}.shape[{site.dim(a, 'like')}]" for a in axes]
        comma = "," if len(shapes) == 1 else ""
        return f"size=({', '.join(shapes)}{comma})", []

    def label(self, ins: Inputs) -> str:
        if self.factor is not None:
            return f"{self.mode} × {spelled(self.factor)}"
        return f"{self.mode} to {' × '.join(map(str, self.targets(ins).values()))}"

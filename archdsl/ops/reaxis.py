"""Several axes made one, and one made several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import MissingArgument, WrongValue
from archdsl.diagnostics.faults.shapes import AxisTaken, NotDivisible, WrongAxes
from archdsl.ir.dim import Poly, Size, product
from archdsl.ir.tensor import BATCH, FEATURES
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Port, Tensor
from archdsl.ops.emit import Arg, Emit, Make, Site, positional
from archdsl.ops.fields import Axes, Axis, AxisSizes
from archdsl.ops.rules import need_axes
from archdsl.ops.spread import At, Digit, Joined, Reach, Spread, Whole, same_positions


class Merge(Op):
    """Several axes made one; the last of them runs fastest.

    ``merge(H, W, into = N)`` makes a row of patches of a map, ``merge(C, H, W, into =
    C)`` features of everything, and ``merge(H, into = T)`` gives one axis another name.
    The batch is left alone. Costs nothing.

    Shape:
        The merged axes go; `into` is as long as their product.

    Args:
        axes: The axes that are merged, the slowest first.
        into: The name of the axis that they make; one of theirs, or a new one.
    """

    name = "merge"
    group = "axes"
    ports = (Port("x", dtype="any"),)
    rest = "axes"
    view = True
    examples = (
        Example("merge(H, W, into = N)", {"x": "[B, C = 4, H = 3, W = 5]"}),
        Example("merge(C, H, W, into = C)", {"x": "[B, C = 4, H = 3, W = 2]"}),
        Example("merge(W, H, into = N)", {"x": "[B, H = 3, T = 2, W = 4, C = 2]"}),
        Example("merge(H, into = T)", {"x": "[B, C = 2, H = 5]"}),
        Example("merge(T, C, into = N)", {"x": "[B, T = 5, C = 3]"}),
    )

    axes: Axes
    into: Axis

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        if not self.axes:
            usage = "merge(H, W, into = N)"
            raise Refused(MissingArgument("merge", "axes", usage), "axes")
        need_axes(self, x, self.axes, "axes")
        if BATCH in self.axes or self.into == BATCH:
            fault = WrongAxes("merge", "leaves the batch alone", str(x))
            raise Refused(fault, "axes" if BATCH in self.axes else "into")
        if self.into in x and self.into not in self.axes:
            raise Refused(AxisTaken("merge", self.into, str(x)), "into")
        sizes = {**x.sizes, self.into: x.extent(self.axes)}
        layout = _put(x.names, self.axes, (self.into,))
        return (Tensor(tuple((a, sizes[a]) for a in layout), x.dtype),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        inner = 1
        for axis in reversed(self.axes):
            size = x[axis]
            assert isinstance(size, int)
            if axis in spread:
                whole = self.into == FEATURES
                spread[axis] = Whole(size) if whole else Digit(self.into, size, inner)
            inner *= size
        return {"x": spread}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": _put(given["x"], self.axes, self.axes)}

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        return _put(after, (self.into,), self.axes) if after else None

    def emit(self, site: Site) -> Emit:
        layout = site.layouts["x"]
        left = _put(layout, self.axes, (self.into,))
        if len(self.axes) == 1:
            return Emit("{x}", (left,))
        first = layout.index(self.axes[0])
        last = first + len(self.axes) - 1
        last = -1 if last == len(layout) - 1 else last
        dims = f"{first}" if last == -1 else f"{first}, {last}"
        ends = (Arg("start_dim", first, 1), Arg("end_dim", last, -1))
        return Emit(f"{{x}}.flatten({dims})", (left,), module=Make("nn.Flatten", ends))

    def label(self, ins: Inputs) -> str:
        return f"{' '.join(self.axes)} → {self.into}"


class Split(Op):
    """One axis made several; the last of them runs fastest.

    ``split(N, H = 14, W = 14)`` makes a map of a row of patches again. One size may be
    left out: ``split(N, H = 14, W)``. The batch is left alone. Costs nothing.

    Shape:
        The axis goes; the axes of `into` stand in its place.

    Args:
        axis: The axis that is split.
        into: The axes that it makes, the slowest first, with their sizes.
    """

    name = "split"
    group = "axes"
    ports = (Port("x", dtype="any"),)
    axis_keywords = "into"
    view = True
    examples = (
        Example("split(N, H = 3, W = 5)", {"x": "[B, N = 15, C = 4]"}),
        Example("split(T, D = 2, T, W = 3)", {"x": "[B, C = 2, T = 24]"}),
        Example("split(C, G = 2, C = 4)", {"x": "[B, C = 8, H = 3]"}),
        Example("split(T, T, C = 4)", {"x": "[B, T = 12]"}),
    )

    axis: Axis
    into: AxisSizes

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_axes(self, x, (self.axis,), "axis")
        names = tuple(a for a, _ in self.into)
        if BATCH in (self.axis, *names):
            raise Refused(WrongAxes("split", "leaves the batch alone", str(x)), "axis")
        for i, name in enumerate(names):
            if name in names[:i] or (name in x and name != self.axis):
                raise Refused(AxisTaken("split", name, str(x)), "into")
        sizes = {**x.sizes, **self._sizes(x[self.axis], facts)}
        layout = _put(x.names, (self.axis,), names)
        return (Tensor(tuple((a, sizes[a]) for a in layout), x.dtype),)

    def _sizes(self, size: Size, facts: Facts) -> dict[str, Size]:
        """The sizes of the new axes, the one left out inferred."""
        known = {a: s for a, s in self.into if s is not None}
        for name, part in known.items():
            if isinstance(part, int) and part < 1:
                fault = WrongValue("split", name, "must be at least 1", str(part))
                raise Refused(fault, "into")
        whole = product(known.values())
        words = " * ".join(known)
        if len(known) == len(self.into):
            if not facts.equal(whole, size):
                problem = f"must be {self.axis} = {size}"
                mend = "leave one size out, and it is inferred: `split(N, H = 14, W)`"
                found = f"{words} = {whole}"
                raise Refused(WrongValue("split", words, problem, found, mend), "into")
            return known
        if len(known) < len(self.into) - 1:
            found = ", ".join(a for a, s in self.into if s is None)
            fault = WrongValue("split", found, "cannot all be inferred", "no size")
            raise Refused(fault, "into")
        if known and not facts.divides(whole, size):
            raise Refused(NotDivisible(words, whole, self.axis, size), "into")
        return {a: size // whole if s is None else s for a, s in self.into}

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        spread: dict[str, Reach] = same_positions(ins["x"])
        if self.axis in spread:
            axes = tuple(a for a, _ in self.into)
            sizes = tuple(s for a in axes if isinstance(s := outs[0][a], int))
            join = _Parts if FEATURES in axes else Joined
            spread[self.axis] = join(axes, sizes)
        return {"x": spread}

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        names = tuple(a for a, _ in self.into)
        return _put(after, names, (self.axis,)) if after else None

    def emit(self, site: Site) -> Emit:
        layout = site.layouts["x"]
        names = tuple(a for a, _ in self.into)
        left = _put(layout, (self.axis,), names)
        if len(names) == 1:
            return Emit("{x}", (left,))
        dim = layout.index(self.axis)
        sizes = tuple(-1 if s is None else s for _, s in self.into)
        if -1 not in sizes:
            inferred = [s for s in sizes if isinstance(s, Poly)][:1]
            sizes = tuple(-1 if s in inferred else s for s in sizes)
        literal = positional("sizes", sizes)
        make = Make("nn.Unflatten", (positional("dim", dim), literal))
        code = f"{{x}}.unflatten({dim}, {{sizes}})"
        return Emit(code, (left,), literals=(literal,), module=make)

    def label(self, ins: Inputs) -> str:
        return f"{self.axis} → {' '.join(a for a, _ in self.into)}"


@dataclass(frozen=True)
class _Parts:
    """An axis that was split in positions and features, the last running fastest."""

    axes: tuple[str, ...]
    sizes: tuple[int, ...]

    def sources(self, at: At) -> Sequence[int]:
        """The indices before the split, for every feature."""
        rows = zip(self.axes, self.sizes, strict=True)
        parts = [range(s) if a == FEATURES else (at[a],) for a, s in rows]
        return [self._joined(place) for place in combinations(*parts)]

    def _joined(self, place: tuple[int, ...]) -> int:
        index = 0
        for i, size in zip(place, self.sizes, strict=True):
            index = index * size + i
        return index


def _put(layout: Layout, old: tuple[str, ...], new: tuple[str, ...]) -> Layout:
    """The layout with the new axes in the place of the first of the old ones."""
    put: Layout = ()
    for axis in layout:
        if axis == old[0]:
            put += new
        elif axis not in old:
            put += (axis,)
    return put

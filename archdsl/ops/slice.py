"""Taking a part of a tensor."""

from __future__ import annotations

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import BadIndex, WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import Size, ceil_div
from archdsl.ir.tensor import BATCH
from archdsl.ops.base import Example, Facts, Inputs, Layout, Op, Outputs, Port, Tensor
from archdsl.ops.emit import Arg, Emit, Site, positional
from archdsl.ops.fields import Axis, Count, Integer
from archdsl.ops.rules import need_axes
from archdsl.ops.spread import Affine, Some, Spread, same_positions


class Slice(Op):
    """A stretch of one axis, as a slice in Python.

    Works on C or a position; the other axes are left alone. Costs nothing: nothing
    is copied.

    Shape:
        The axis becomes as long as what is taken.

    Args:
        axis: The axis that is cut.
        start: The first index; a negative one counts from the end.
        stop: The index after the last; a negative one counts from the end, and without
            one the slice goes to the end.
        step: The distance from index to index.
    """

    name = "slice"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"),)
    view = True
    examples = (
        Example("slice(T, 2, 5)", {"x": "[B, T = 9, C = 4]"}),
        Example("slice(C, -3, -1)", {"x": "[B, C = 5, H = 3, W = 2]"}),
        Example("slice(W, 1, step = 2)", {"x": "[B, H = 3, W = 6, C = 2]"}),
        Example("slice(T, 0, 8, 3)", {"x": "[B, C = 2, T = 9]"}),
    )

    axis: Axis
    start: Integer = 0
    stop: Integer | None = None
    step: Count = 1

    def bounds(self, size: Size) -> tuple[Size, Size]:
        """The first index and the one after the last, counted from the start."""
        stop = size if self.stop is None else _place(self.stop, size)
        return _place(self.start, size), stop

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        size = _size(self, x, self.axis)
        start, stop = self.bounds(size)
        _inside(facts, self.start, "start", self.axis, size)
        if self.stop is not None:
            _inside(facts, self.stop, "stop", self.axis, size, end=True)
        if not facts.at_least(stop, start + 1):
            problem = f"must come after the start, {start}"
            raise Refused(WrongValue("slice", "stop", problem, str(stop)), "stop")
        return (x.resized({self.axis: ceil_div(stop - start, self.step)}),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        if self.axis in x.positions:
            size = x[self.axis]
            start, _ = self.bounds(size)
            assert isinstance(size, int) and isinstance(start, int)
            spread[self.axis] = Affine(self.axis, size, start, self.step)
        return {"x": spread}

    def emit(self, site: Site) -> Emit:
        literals: tuple[Arg, ...] = ()
        words = []
        for name, value, default in (
            ("start", self.start, 0),
            ("stop", self.stop, None),
            ("step", self.step, 1),
        ):
            words.append("" if value == default else f"{{{name}}}")
            if value != default:
                literals += (positional(name, value),)
        stretch = ":".join(words if words[2] else words[:2])
        layout = site.layouts["x"]
        return Emit(_indexed(layout, self.axis, stretch), (layout,), literals=literals)

    def label(self, ins: Inputs) -> str:
        stop = "" if self.stop is None else self.stop
        step = "" if self.step == 1 else f":{self.step}"
        return f"{self.axis}[{self.start or ''}:{stop}{step}]"


class Select(Op):
    """One index of one axis; the axis is gone.

    Works on C or a position; the other axes are left alone. ``select(N, 0)`` takes
    the class token. Costs nothing: nothing is copied.

    Shape:
        The axis goes.

    Args:
        axis: The axis that goes.
        index: Which of its indices stays; a negative one counts from the end.
    """

    name = "select"
    group = "joining and cutting"
    ports = (Port("x", dtype="any"),)
    view = True
    examples = (
        Example("select(N, 0)", {"x": "[B, N = 5, C = 4]"}),
        Example("select(T, -2)", {"x": "[B, C = 4, H = 3, T = 5]"}),
        Example("select(C, 1)", {"x": "[B, H = 3, W = 2, C = 4]"}),
    )

    axis: Axis
    index: Integer

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        size = _size(self, x, self.axis)
        _inside(facts, self.index, "index", self.axis, size)
        return (x.without((self.axis,)),)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread = same_positions(x)
        if self.axis in x.positions:
            place = _place(self.index, x[self.axis])
            assert isinstance(place, int)
            spread[self.axis] = Some((place,))
        return {"x": spread}

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        if after is None:
            return None
        ahead = int(BATCH in after[:1])
        return (*after[:ahead], self.axis, *after[ahead:])

    def emit(self, site: Site) -> Emit:
        layout = site.layouts["x"]
        left = tuple(a for a in layout if a != self.axis)
        index = positional("index", self.index)
        return Emit(_indexed(layout, self.axis, "{index}"), (left,), literals=(index,))

    def label(self, ins: Inputs) -> str:
        return f"{self.axis}[{self.index}]"


def _size(op: Op, x: Tensor, axis: str) -> Size:
    need_axes(op, x, (axis,), "axis")
    if axis == BATCH:
        needs = "works on features or positions, not on the batch"
        raise Refused(WrongAxes(op.name, needs, str(x)), "axis")
    return x[axis]


def _place(index: int, size: Size) -> Size:
    return index if index >= 0 else size + index


def _inside(
    facts: Facts, index: int, at: str, axis: str, size: Size, *, end: bool = False
) -> None:
    """Refuses an index that is not there; an end may be one behind the last."""
    if not facts.at_least(size, index + (not end) if index >= 0 else -index):
        raise Refused(BadIndex(f"axis {axis}", index, f"size {size}"), at)


def _indexed(layout: Layout, axis: str, word: str) -> str:
    """``{x}[:, word]``, with the word at the axis."""
    dim = layout.index(axis)
    if dim == len(layout) - 1 and dim > 1:
        return f"{{x}}[..., {word}]"
    return "{x}[" + ":, " * dim + word + "]"

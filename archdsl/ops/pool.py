"""Pooling over any number of position axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NoReturn

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes
from archdsl.ir.dim import product
from archdsl.ops.base import Cost, Example, Facts, Inputs, Layout, Op, Outputs, Tensor
from archdsl.ops.conv import one
from archdsl.ops.emit import (
    Arg,
    Emit,
    Literal,
    Make,
    Site,
    features_first,
    positional,
)
from archdsl.ops.fields import TF_SAME, Axes, Each, Flag, Padding
from archdsl.ops.rules import chosen, need_float
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Spread, Taps, same_positions
from archdsl.ops.windows import around, lopsided, slid, windows


class _Pool(Op):
    """What the pools that slide a window share.

    Shape:
        An axis of n that the window slides over becomes
        ``(n + 2 * padding - reach) // stride + 1``, where the window reaches over as
        many positions as it is long, those between its taps counted. `ceil_mode`
        rounds up instead of down; with "tf_same" it is ``ceil(n / stride)``.
    """

    group = "convolution and pooling"
    around: ClassVar[str]  # what is put around, in Python

    kernel: Each
    stride: Each | None = None
    padding: Padding | None = None

    def taps(self, x: Tensor) -> dict[str, Taps]:
        """The window along each axis that it slides over."""
        raise NotImplementedError

    def windows(
        self, x: Tensor, over: tuple[str, ...], dilations: Each
    ) -> dict[str, Taps]:
        """The windows over the chosen axes."""
        axes = pooled_axes(self, x, over)
        stride = self.kernel if self.stride is None else self.stride
        return windows(self, x, axes, (self.kernel, stride, dilations), self.padding)

    @property
    def up(self) -> bool:
        """Whether a last window may lie partly behind the axis."""
        raise NotImplementedError

    @property
    def plain(self) -> bool:
        """Whether putting something around first, and then pooling, does the same."""
        return not self.up

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        need_float(self, x)
        taps = self.taps(x)
        for axis, t in taps.items():
            if 2 * max(t.padding, t.behind) > t.reach:
                problem = (
                    f"must be at most {t.reach // 2} on {axis}, half of the window"
                )
                self._refuse("padding", problem)
        rows = tuple(taps.values())
        if self.up and (self.padding == TF_SAME or lopsided(rows)):
            problem = "says nothing where the padding says what lies behind"
            self._refuse("ceil_mode", problem, "leave it out")
        if not self.plain and self.separate(rows):
            self._refuse_around(rows)
        return (slid(self, x, taps, facts, up=self.up),)

    def _refuse(self, field: str, problem: str, mend: str = "") -> NoReturn:
        found = spelled(getattr(self, field))
        raise Refused(WrongValue(self.name, field, problem, found, mend), field)

    def _refuse_around(self, taps: tuple[Taps, ...]) -> NoReturn:
        """Refuses what would be put around in a step before, where it would count."""
        when = "with ceil_mode" if self.up else "with count_include_pad = false"
        if self.padding == TF_SAME:
            when = f'with padding = "{TF_SAME}"'
        elif lopsided(taps):
            self._refuse("padding", f"must be the same before and behind {when}")
        if not self.overlooked(taps):
            most = min(t.kernel for t in taps) // 2
            problem = f"must be at most {most}, half of the kernel, {when}"
            self._refuse("padding", problem)
        short = [t for t in taps if t.size < t.kernel]
        axis, size = short[0].axis, short[0].size
        problem = f"must be at most {size} on {axis}, its length, for three axes {when}"
        if size < 1:
            problem = f"may be longer than {axis}, which is open, for three axes {when}"
        self._refuse("kernel", problem)

    def separate(self, taps: tuple[Taps, ...]) -> bool:
        """Whether PyTorch cannot pad by itself, so that it is done in a step before."""
        if not any(around(taps)):
            return False
        if self.padding != TF_SAME and lopsided(taps):
            return True
        wide = any(2 * max(t.padding, t.behind) > t.kernel for t in taps)
        return wide or self.overlooked(taps)

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        return {"x": {**same_positions(ins["x"]), **self.taps(ins["x"])}}

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_first(ins["x"], tuple(self.taps(ins["x"])))}

    def emit(self, site: Site) -> Emit:
        taps = tuple(self.taps(site.ins["x"]).values())
        kernel = one([t.kernel for t in taps])
        pad = around(taps) if self.separate(taps) else ()
        padding, up, late = [0] * len(taps), self.up, [False] * len(taps)
        if not pad:
            # One more behind than before: a window more if rounded up; of those that
            # move by one, all begin one position later.
            late = [t.behind > t.padding and t.stride == 1 for t in taps]
            padding = [
                t.behind if z else t.padding for z, t in zip(late, taps, strict=True)
            ]
            up = up or any(t.behind > t.padding and t.stride > 1 for t in taps)
        args = (
            positional("kernel_size", kernel),
            Arg("stride", one([t.stride for t in taps]), kernel),
            Arg("padding", one(padding), 0),
            Arg("dilation", one([t.dilation for t in taps]), 1),
            Arg("ceil_mode", up, False),
            *self.more(any(padding)),
        )
        return emit_pool(self, site, args, late, pad)

    def more(self, padded: bool) -> tuple[Arg, ...]:
        """Further arguments of PyTorch's function."""
        return ()

    def overlooked(self, taps: tuple[Taps, ...]) -> bool:
        """Whether PyTorch forgets the padding when it checks the size."""
        return False

    def label(self, ins: Inputs) -> str:
        stride = "" if self.stride is None else f" /{spelled(self.stride)}"
        return f"{self.name.replace('_', ' ')} {times(self.kernel)}{stride}"


class MaxPool(_Pool):
    """The largest value of the window around each position, feature by feature.

    It slides over all position axes, or those of `over`. Windows that overlap are
    centred (``padding = dilation * (kernel - 1) // 2``), windows that do not, tile
    (``padding = 0``), unless `padding` is given; what is put around never wins.
    Costs ``kernel - 1`` comparisons for each number that comes out.

    Args:
        kernel: The length of the window, one number or one for each axis.
        stride: The step from window to window; `kernel` if not given.
        padding: How far the axis is extended: a number for both sides, or a pair of
            numbers, before and behind, at most half a window each. "tf_same" is
            TensorFlow's "SAME": so far that every stride has a window, and where that
            is odd, by one more behind; of an open size, the stride must be a divisor.
        dilation: The distance between neighbouring taps.
        over: The position axes that the window slides over; all, if none is named.
        ceil_mode: Whether a last window may lie partly behind the axis and its
            padding, as long as it begins before that.
    """

    name = "max_pool"
    around = "-torch.inf"
    paper = "Riesenhuber & Poggio 1999, Hierarchical Models of Objects"
    examples = (
        Example("max_pool(2)", {"x": "[B, C = 3, H = 7, W = 6]"}),
        Example("max_pool(3, stride = 2)", {"x": "[B, C = 2, H = 8, W = 9]"}),
        Example("max_pool(3, 1, dilation = 2)", {"x": "[B, T = 9, C = 4]"}),
        Example("max_pool(2, 1, [1, 0], 2)", {"x": "[B, C = 2, H = 5, W = 6]"}),
        Example(
            "max_pool([1, 2, 3], padding = [0, 1, 0])",
            {"x": "[B, C = 2, D = 3, H = 5, W = 6]"},
        ),
        Example(
            "max_pool([3, 2], over = [H, W])", {"x": "[B, T = 3, H = 6, W = 5, C = 2]"}
        ),
        Example(
            "max_pool(3, stride = 2, padding = 0, ceil_mode = true)",
            {"x": "[B, C = 2, H = 8, W = 7]"},
        ),
        Example('max_pool(3, [2, 1], "tf_same")', {"x": "[B, C = 2, H = 8, W = 5]"}),
        Example('max_pool(2, 1, "tf_same")', {"x": "[B, C = 2, T = 6]"}),
        Example("max_pool(3, padding = [[1, 0]])", {"x": "[B, C = 2, T = 8]"}),
    )

    dilation: Each = 1
    over: Axes = ()
    ceil_mode: Flag = False

    @property
    def up(self) -> bool:
        return self.ceil_mode

    def taps(self, x: Tensor) -> dict[str, Taps]:
        return self.windows(x, self.over, self.dilation)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        window = product(t.kernel for t in self.taps(ins["x"]).values())
        return Cost(elementwise={"pool": outs[0].numel * (window - 1)})


class AvgPool(_Pool):
    """The mean of the window around each position, feature by feature.

    It slides over all position axes, or those of `over`, with the padding rule of
    `max_pool`; zeros put around count as values, as PyTorch has it, but not those of
    "tf_same".
    Costs ``kernel`` operations for each number that comes out: additions, a division.

    Args:
        kernel: The length of the window, one number or one for each axis.
        stride: The step from window to window; `kernel` if not given.
        padding: Zeros put around each axis: a number for both sides, a pair of numbers,
            before and behind, or "tf_same", as of `max_pool`.
        over: The position axes that the window slides over; all, if none is named.
        ceil_mode: Whether a last window may lie partly behind the axis and its
            padding, as long as it begins before that; what lies there is not counted.
        count_include_pad: Whether zeros put around count as values.
    """

    name = "avg_pool"
    around = "0.0"
    paper = "LeCun et al. 1998, Gradient-Based Learning"
    examples = (
        Example("avg_pool(2)", {"x": "[B, C = 3, H = 8, W = 7]"}),
        Example("avg_pool(3, stride = 1)", {"x": "[B, T = 6, C = 2]"}),
        Example("avg_pool(4, 3, padding = 2)", {"x": "[B, C = 2, H = 7, W = 5]"}),
        Example("avg_pool(2, over = T)", {"x": "[B, C = 2, T = 6, H = 2, W = 3]"}),
        Example("avg_pool(3, 1)", {"x": "[B, C = 2, D = 4, H = 2, W = 3]"}),
        Example("avg_pool(2, ceil_mode = true)", {"x": "[B, C = 2, H = 5, W = 4]"}),
        Example(
            "avg_pool(3, 2, count_include_pad = false)",
            {"x": "[B, C = 2, H = 8, W = 7]"},
        ),
        Example(
            'avg_pool([3, 2], [2, 1], "tf_same")', {"x": "[B, C = 2, H = 8, W = 5]"}
        ),
    )

    over: Axes = ()
    ceil_mode: Flag = False
    count_include_pad: Flag = True

    @property
    def up(self) -> bool:
        return self.ceil_mode

    @property
    def plain(self) -> bool:
        counted = self.count_include_pad and self.padding != TF_SAME
        return counted and not self.up

    def more(self, padded: bool) -> tuple[Arg, ...]:
        counted = self.count_include_pad and self.padding != TF_SAME
        return (Arg("count_include_pad", counted or not padded, True),)

    def taps(self, x: Tensor) -> dict[str, Taps]:
        return self.windows(x, self.over, 1)

    def overlooked(self, taps: tuple[Taps, ...]) -> bool:
        return len(taps) == 3 and any(t.size < t.kernel for t in taps)  # -1 if open

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        window = product(t.kernel for t in self.taps(ins["x"]).values())
        return Cost(elementwise={"pool": outs[0].numel * window})


def pooled_axes(op: Op, x: Tensor, over: tuple[str, ...]) -> tuple[str, ...]:
    """The axes that a pool works on: those of `over`, or all positions."""
    axes = chosen(op, x, over)
    if len(axes) > 3:
        needs = "works on at most 3 axes"
        raise Refused(WrongAxes(op.name, needs, str(x), "name them: over = [H, W]"))
    return axes


def times(value: int | tuple[int, ...]) -> str:
    """A size in words: 3, or 3×5."""
    return str(value) if isinstance(value, int) else "×".join(map(str, value))


def emit_pool(
    op: Op,
    site: Site,
    args: tuple[Arg, ...],
    late: Sequence[bool],
    pad: tuple[Literal, ...] = (),
) -> Emit:
    """The call of PyTorch's function, and the module that does the same.

    Their names are ours: ``F.max_pool2d`` and ``nn.MaxPool2d`` for `MaxPool`.
    They take one or two axes before those that are pooled. `pad` is put around first;
    where `late`, an axis loses its first result.
    """
    layout = site.layouts["x"]
    count = len(late)
    ahead = len(layout) - count
    written = tuple(a for a in args if a.value != a.default)
    slots = "".join(
        f", {a.name}={{{a.name}}}" if a.keyword else f", {{{a.name}}}" for a in written
    )
    x = f"F.pad({{x}}, {{pad}}, value={getattr(op, 'around')})" if pad else "{x}"  # noqa: B009
    literals = tuple(positional(a.name, a.value) for a in written)
    # PyTorch takes one map of three axes for a batch of maps of two where its features
    # happen to run fastest, and then refuses it.
    alone = op.name == "max_pool" and count == 3 and ahead == 1
    module = Make(f"nn.{type(op).__name__}{count}d", args)
    cut = f"[..., {', '.join('1:' if z else ':' for z in late)}]" if any(late) else ""
    as_module = ahead in (1, 2) and not pad and not alone and not cut
    return Emit(
        forward=_fitted(f"F.{op.name}{count}d({x}{slots})", ahead, alone) + cut,
        layouts=(layout,),
        literals=(positional("pad", pad), *literals) if pad else literals,
        module=module if as_module else None,
    )


def _fitted(call: str, ahead: int, alone: bool = False) -> str:
    """The call on a tensor with any number of axes before those that are pooled.

    `alone` has it called on a batch of one, where a batch may be missing.
    """
    if ahead == 0 or alone:
        return call.replace("{x}", "{x}[None]") + "[0]"
    if ahead <= 2:
        return call
    inner = call.replace("{x}", f"{{x}}.flatten(0, {ahead - 2})")
    return f"{inner}.unflatten(0, {{x}}.shape[:{ahead - 1}])"

"""Attention inside windows, after Swin."""
# The module's constructor says what the op says, one argument each.

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import ClassVar, NamedTuple

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WindowDoesNotDivide
from archdsl.ir.dim import Poly, Size, ceil_div, near_divisors, product, quotient
from archdsl.ops.base import (
    Cost,
    Example,
    Facts,
    Inputs,
    Layout,
    Op,
    Outputs,
    Paths,
    Tensor,
    Weight,
    doubled,
)
from archdsl.ops.emit import (
    Arg,
    Emit,
    Make,
    Site,
    batch_axes,
    features_last,
    positional,
)
from archdsl.ops.fields import Axes, Count, Flag, NonNegativeSizeEach, Rate, SizeEach
from archdsl.ops.heads import check_heads, projections
from archdsl.ops.patch_merge import zeros_behind
from archdsl.ops.rules import chosen, each, need_features
from archdsl.ops.spelling import spelled
from archdsl.ops.spread import Reach, Spread, Tiles, same_positions


class _Cut(NamedTuple):
    """How one axis is cut in windows."""

    axis: str
    size: Size  # after padding
    declared: Size  # the window, as written
    window: Size  # the window, no larger than the axis
    moved: Size  # the shift, as written
    shift: Size  # the shift, none where the window covers the axis


class WindowAttention(Op):
    """Attention among the positions of each window (Swin).

    Cuts all position axes, or those of `over`, in windows, on any number of axes; other
    positions are batch. With `shift`, the windows are moved, and those that the border
    cuts are masked apart. On an axis that a window covers, the axis is the window, and
    nothing shifts. Four linear maps (q, k, v, out) stand around it, and `heads` must
    divide C. Costs
    ``4 * n * C**2 + 2 * M**2 * n * C`` MACs over n positions in windows of M by M, and
    for each of the ``heads * M**2 * n`` scores 1 operation to scale it, 5 for the
    softmax, and 1 each to add the position bias and the mask; n counts padding.

    Args:
        heads: Into how many parts C is cut, each with scores of its own.
        window: The length of a window, one number or one for each axis.
        shift: How far the windows are moved, one number or one for each axis.
        relative_bias: Whether each head adds a learned number to a score, by how far
            its two positions are apart on each axis.
        bias: Whether the four linear maps add a learned number to each feature.
        dropout: The share of weights that training sets to zero.
        pad: Whether zeros fill an axis up to a multiple of the window; else a window
            that does not divide it is refused. Padding takes part as it does in
            torchvision and transformers.
        over: The position axes that are cut; all, if none is named.
    """

    name = "window_attention"
    group = "attention"
    paper = "Liu et al. 2021, Swin Transformer"
    examples = (
        Example("window_attention(2, 3)", {"x": "[B, H = 6, W = 9, C = 4]"}),
        Example(
            "window_attention(2, 4, shift = 2, relative_bias = true)",
            {"x": "[B, C = 4, H = 8, W = 4]"},
        ),
        Example(
            "window_attention(1, [2, 3], [1, 1], true, bias = false, pad = true)",
            {"x": "[B, H = 5, W = 7, C = 2]"},
        ),
        Example("window_attention(2, 3, 1, dropout = 0.1)", {"x": "[B, T = 9, C = 4]"}),
        Example(
            "window_attention(2, 2, 1, true, over = [H, W])",
            {"x": "[B, H = 4, T = 3, W = 6, C = 4]"},
        ),
        Example(
            "window_attention(1, [2, 4, 2], [1, 1, 0], true)",
            {"x": "[B, D = 4, H = 3, W = 4, C = 2]"},
        ),
    )

    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "heads": ("h",),
        "window": ("M",),
    }
    varying: ClassVar[tuple[str, ...]] = ("shift",)

    heads: Count
    window: SizeEach
    shift: NonNegativeSizeEach = 0
    relative_bias: Flag = False
    bias: Flag = True
    dropout: Rate = 0.0
    pad: Flag = False
    over: Axes = ()

    def cuts(self, x: Tensor) -> tuple[_Cut, ...]:
        """How each axis is cut."""
        axes = chosen(self, x, self.over)
        windows = each(self, self.window, axes, "window")
        shifts = each(self, self.shift, axes, "shift")
        found = []
        for axis, window, shift in zip(axes, windows, shifts, strict=True):
            size = x[axis]
            if _covers(window, size):
                found.append(_Cut(axis, size, window, size, shift, 0))
            else:
                size = ceil_div(size, window) * window if self.pad else size
                found.append(_Cut(axis, size, window, window, shift, shift))
        return tuple(found)

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        check_heads(self.heads, need_features(self, x), facts)
        cuts = self.cuts(x)
        for cut in cuts:
            if not facts.at_least(cut.declared - 1, cut.moved):
                problem = f"must be less than the window, {cut.declared}"
                found = spelled(self.shift)
                mend = f"Swin shifts by half a window: {cut.declared // 2}"
                fault = WrongValue("window_attention", "shift", problem, found, mend)
                raise Refused(fault, "shift")
            if self.pad:
                facts.at_least(x[cut.axis], cut.window)
            elif not facts.divides(cut.window, cut.size):
                raise Refused(self._misfit(cut, cuts), "window")
            if cut.shift:  # a window that covers the axis would not be shifted
                facts.at_least(cut.shift, 1, costs=True)
                facts.at_least(cut.size, cut.window + 1, costs=True)
        return (x,)

    def _misfit(self, cut: _Cut, cuts: tuple[_Cut, ...]) -> WindowDoesNotDivide:
        """The fault, with windows that fit: one number, or one for each axis."""
        cut_up = [c.size for c in cuts if isinstance(c.size, int)]
        shared = (
            near_divisors(cut.declared, math.gcd(*cut_up))
            if isinstance(cut.declared, int)
            else []
        )
        if isinstance(self.window, int) and shared:
            better = " or ".join(map(str, shared))
        else:
            better = spelled([_nearest(c.declared, c.size) for c in cuts])
        return WindowDoesNotDivide(cut.declared, cut.axis, cut.size, better)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        x = ins["x"]
        cuts = self.cuts(x)
        inside = product(c.window for c in cuts)
        weights = list(projections(x["C"], x["C"], x["C"], self.bias))
        if self.relative_bias:
            entries = product(2 * c.declared - 1 for c in cuts)
            weights.append(Weight("relative_bias", (entries, self.heads)))
            weights.append(Weight("index", (inside, inside), False, itemsize=8))
        if any(c.shift for c in cuts):
            windows = product(quotient(c.size, c.window) for c in cuts)
            weights.append(Weight("mask", (windows, inside, inside), False))
        return tuple(weights)

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        x = ins["x"]
        cuts = self.cuts(x)
        batch = x.extent(batch_axes(x, tuple(c.axis for c in cuts)))
        positions = batch * product(c.size for c in cuts)
        inside = product(c.window for c in cuts)
        macs = positions * x["C"] * (4 * x["C"] + 2 * inside)
        scores = positions * inside * self.heads
        elementwise = {"scale": scores, "softmax": 5 * scores}
        added = self.relative_bias + any(c.shift for c in cuts)
        if self.bias or added:
            linear = 4 * positions * x["C"] if self.bias else 0
            elementwise["bias"] = linear + added * scores
        return Cost(macs, elementwise)

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        x, cost = ins["x"], self.cost(ins, outs)
        cuts = self.cuts(x)
        batch = x.extent(batch_axes(x, tuple(c.axis for c in cuts)))
        once = batch * product(c.size for c in cuts) * x["C"] * x["C"]
        macs = 2 * cost.macs - (0 if needs else 3 * once)  # q, k and v read x
        return Cost(macs, doubled(cost.elementwise))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        x = ins["x"]
        spread: dict[str, Reach] = same_positions(x)
        for cut in self.cuts(x):
            size, window = x[cut.axis], cut.window
            assert isinstance(size, int) and isinstance(window, int)
            assert isinstance(cut.shift, int)
            spread[cut.axis] = Tiles(cut.axis, size, window, cut.shift)
        return {"x": spread}

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        x = ins["x"]
        cuts = self.cuts(x)
        batch = x.extent(batch_axes(x, tuple(c.axis for c in cuts)))
        seen = product(c.size * c.window for c in cuts)
        windows = tuple(quotient(c.size, c.window) for c in cuts)
        ends = tuple(2 * count - 1 for count in windows)
        return Paths(batch * seen * x["C"], maximum=ends, meet=windows)

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        return {"x": features_last(ins["x"], chosen(self, ins["x"], self.over))}

    def emit(self, site: Site) -> Emit:
        x = site.ins["x"]
        cuts = self.cuts(x)
        if any(isinstance(c.size, Poly) for c in cuts):
            return self._emit_open(site, cuts)
        make = Make(
            "WindowAttention",
            (
                positional("dim", x["C"]),
                Arg("heads", self.heads),
                Arg("window", tuple(c.declared for c in cuts)),
                Arg("size", tuple(c.size for c in cuts)),
                Arg("shift", tuple(c.moved for c in cuts)),
                Arg("relative_bias", self.relative_bias, False),
                Arg("bias", self.bias, True),
                Arg("dropout", self.dropout, 0.0),
            ),
        )
        padded, literals = zeros_behind(x, {c.axis: c.size for c in cuts})
        code = _fold(padded, len(batch_axes(x, tuple(c.axis for c in cuts))))
        if literals:
            code += _crop(x, cuts)
        return Emit(code, (site.layouts["x"],), make, literals)

    def _emit_open(self, site: Site, cuts: tuple[_Cut, ...]) -> Emit:
        """On a map whose size only the input tells."""
        x = site.ins["x"]
        windows = tuple(c.window for c in cuts)
        make = Make(
            "OpenWindowAttention",
            (
                positional("dim", x["C"]),
                Arg("heads", self.heads),
                Arg("window", windows),
                Arg("shift", tuple(c.moved for c in cuts)),
                Arg("declared", tuple(c.declared for c in cuts), windows),
                Arg("relative_bias", self.relative_bias, False),
                Arg("bias", self.bias, True),
                Arg("dropout", self.dropout, 0.0),
                Arg("pad", self.pad, False),
            ),
        )
        code = _fold("{x}", len(batch_axes(x, tuple(c.axis for c in cuts))))
        return Emit(code, (site.layouts["x"],), make)

    def label(self, ins: Inputs) -> str:
        window = spelled(self.window)
        shift = f", shift {spelled(self.shift)}" if self.shift else ""
        heads = f"{self.heads} head{'s' * (self.heads > 1)}"
        return f"window attention {window}{shift}, {heads}"


def _covers(window: Size, size: Size) -> bool:
    """Whether a window is known to take all of an axis."""
    if isinstance(window, int) and isinstance(size, int):
        return window >= size
    return window == size


def _fold(x: str, ahead: int) -> str:
    """Code that calls the module on a tensor with any number of batch axes."""
    if ahead > 1:
        folded = f"{{self}}({x}.flatten(0, {ahead - 1}))"
        return f"{folded}.unflatten(0, {{x}}.shape[:{ahead}])"
    return f"{{self}}({x})" if ahead else f"{{self}}({x}[None])[0]"


def _nearest(window: Size, size: Size) -> Size:
    """The window that is next to one and divides an axis."""
    if isinstance(window, Poly) or isinstance(size, Poly) or size % window == 0:
        return window
    found = near_divisors(window, size) or [1]
    return min(found, key=lambda d: abs(d - window))


def _crop(x: Tensor, cuts: tuple[_Cut, ...]) -> str:
    """Code that takes the padding off again."""
    words = ["..."]
    for place, cut in enumerate(cuts, -1 - len(cuts)):
        if cut.size != x[cut.axis]:
            words.append(f": {{x}}.shape[{place}]")
        elif len(words) > 1:
            words.append(":")
    return f"[{', '.join(words)}, :]"


def _runtime() -> None:  # noqa: C901 - classes, not branches
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn  # noqa: F401 - ours is another Tensor

    class WindowAttention(nn.Module):
        """Multi-head attention inside windows of a map (Liu et al. 2021).

        A map is (B, *size, C), of any number of axes; n is the positions of a window.
        Windows that are shifted out at one end come in at the other, where a mask
        keeps apart what does not belong together. A window that covers an axis takes
        all of it, unshifted.
        """

        relative_bias: nn.Parameter | None
        index: Tensor
        mask: Tensor | None

        def __init__(
            self,
            dim: int,
            heads: int,
            window: tuple[int, ...],
            size: tuple[int, ...],
            shift: tuple[int, ...],
            *,
            relative_bias: bool = False,
            bias: bool = True,
            dropout: float = 0.0,
        ) -> None:
            super().__init__()
            self.heads = heads
            self.size = size
            self.table = tuple(2 * w - 1 for w in window)
            self.window = tuple(map(min, window, size))
            moved = zip(shift, window, size, strict=True)
            self.shift = tuple(s if w < n else 0 for s, w, n in moved)
            self.grid = tuple(n // w for n, w in zip(size, self.window, strict=True))
            self.dropout = dropout
            self.q = nn.Linear(dim, dim, bias)
            self.k = nn.Linear(dim, dim, bias)
            self.v = nn.Linear(dim, dim, bias)
            self.out = nn.Linear(dim, dim, bias)
            table = nn.Parameter(torch.empty(torch.Size(self.table).numel(), heads))
            nn.init.trunc_normal_(table, std=0.02)
            self.relative_bias = table if relative_bias else None
            self.reset_buffers()

        def reset_buffers(self) -> None:
            """Makes the tables that follow from the sizes alone."""
            if self.relative_bias is not None:
                self.register_buffer("index", self._index(), persistent=False)
            mask = self._mask() if any(self.shift) else None
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            x = self._partition(self._roll(x, -1))  # (B, windows, n, C)
            y = F.scaled_dot_product_attention(
                self._split(self.q(x)),  # (B, windows * heads, n, C / heads)
                self._split(self.k(x)),
                self._split(self.v(x)),
                attn_mask=self._added(),
                dropout_p=self.dropout if self.training else 0.0,
            )
            y = y.unflatten(1, (-1, self.heads))  # (B, windows, heads, n, C / heads)
            y = self.out(y.transpose(2, 3).flatten(3))  # (B, windows, n, C)
            return self._roll(self._merge(y), 1)  # (B, *size, C)

        def _roll(self, x: Tensor, sign: int) -> Tensor:
            """The map, shifted by `sign` times the shift of each axis."""
            if not any(self.shift):
                return x
            shift = tuple(sign * s for s in self.shift)
            return torch.roll(x, shift, tuple(range(1, 1 + len(shift))))

        def _partition(self, x: Tensor) -> Tensor:
            """(B, *size, C) to (B, windows, n, C)."""
            for axis, window in enumerate(self.window, 1):
                x = x.unflatten(axis, (-1, window)).movedim(axis + 1, -2)
            x = x.flatten(1, len(self.grid))  # (B, windows, *window, C)
            return x.flatten(2, -2)

        def _merge(self, x: Tensor) -> Tensor:
            """(B, windows, n, C) to (B, *size, C)."""
            x = x.unflatten(2, self.window).unflatten(1, self.grid)
            for axis in range(1, 1 + len(self.grid)):
                x = x.movedim(len(self.grid) + 1, axis + 1).flatten(axis, axis + 1)
            return x

        def _split(self, x: Tensor) -> Tensor:
            """(B, windows, n, C) to (B, windows * heads, n, C / heads)."""
            return x.unflatten(-1, (self.heads, -1)).transpose(2, 3).flatten(1, 2)

        def _added(self) -> Tensor | None:
            """What is added to the scores, if anything: (1, windows * heads, n, n)."""
            added = None if self.mask is None else self.mask[:, None]
            if self.relative_bias is not None:
                bias = self.relative_bias[self.index].permute(2, 0, 1)  # (heads, n, n)
                added = bias if added is None else added + bias
            if added is None:
                return None
            windows = torch.Size(self.grid).numel()
            return added.expand(windows, self.heads, -1, -1).flatten(0, 1)[None]

        def _index(self) -> Tensor:
            """The entry of the table for each query and key of a window: (n, n)."""
            places = torch.meshgrid(*map(torch.arange, self.window), indexing="ij")
            place = torch.stack(places, -1).flatten(0, -2)  # (n, axes)
            apart = place[:, None] - place  # (n, n, axes)
            index = torch.zeros_like(apart[..., 0])
            for axis, width in enumerate(self.table):
                index = index * width + apart[..., axis] + width // 2
            return index

        def _mask(self) -> Tensor:
            """-100 between positions that only the shift brought together."""
            ends = zip(self.size, self.shift, strict=True)
            moved = [torch.arange(n) >= n - s for n, s in ends]
            region = torch.stack(torch.meshgrid(*moved, indexing="ij"), -1)
            region = self._partition(region[None])[0]  # (windows, n, axes)
            apart = (region[:, :, None] != region[:, None]).any(-1)
            return torch.where(apart, -100.0, 0.0)  # (windows, n, n)

    class OpenWindowAttention(nn.Module):
        """Multi-head attention inside windows of a map of any size (Liu et al. 2021).

        A map is (B, *size, C); n is the positions of a window. Windows that are shifted
        out at one end come in at the other, where a mask keeps apart what does not
        belong together. An axis that is one window is not shifted. The table of
        positions is that of the declared windows, which may be longer than an axis.
        """

        relative_bias: nn.Parameter | None
        index: Tensor

        def __init__(
            self,
            dim: int,
            heads: int,
            window: tuple[int, ...],
            shift: tuple[int, ...],
            declared: tuple[int, ...] = (),
            *,
            relative_bias: bool = False,
            bias: bool = True,
            dropout: float = 0.0,
            pad: bool = False,
        ) -> None:
            super().__init__()
            self.heads = heads
            self.window = window
            self.shift = shift
            self.declared = declared or window
            self.dropout = dropout
            self.pad = pad
            self.q = nn.Linear(dim, dim, bias)
            self.k = nn.Linear(dim, dim, bias)
            self.v = nn.Linear(dim, dim, bias)
            self.out = nn.Linear(dim, dim, bias)
            entries = torch.Size([2 * w - 1 for w in self.declared]).numel()
            table = nn.Parameter(torch.empty(entries, heads))
            nn.init.trunc_normal_(table, std=0.02)
            self.relative_bias = table if relative_bias else None
            self.reset_buffers()

        def reset_buffers(self) -> None:
            """Makes the table that follows from the window alone."""
            if self.relative_bias is not None:
                self.register_buffer("index", self._index(), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            given = x.shape[1:-1]
            if self.pad:
                x = self._padded(x)
            size = x.shape[1:-1]
            sides = zip(self.shift, self.window, size, strict=True)
            shift = [s if w < n else 0 for s, w, n in sides]
            axes = tuple(range(1, 1 + len(size)))
            if any(shift):
                x = torch.roll(x, [-s for s in shift], axes)
            x = self._partition(x)  # (B, windows, n, C)
            y = F.scaled_dot_product_attention(
                self._split(self.q(x)),  # (B, windows * heads, n, C / heads)
                self._split(self.k(x)),
                self._split(self.v(x)),
                attn_mask=self._added(x, size, shift),
                dropout_p=self.dropout if self.training else 0.0,
            )
            y = y.unflatten(1, (-1, self.heads))  # (B, windows, heads, n, C / heads)
            y = self.out(y.transpose(2, 3).flatten(3))  # (B, windows, n, C)
            y = self._merge(y, size)  # (B, *size, C)
            if any(shift):
                y = torch.roll(y, shift, axes)
            if self.pad:
                for axis, n in enumerate(given, 1):
                    y = y.narrow(axis, 0, n)
            return y

        def _padded(self, x: Tensor) -> Tensor:
            """The map with zeros behind each axis, up to a multiple of the window."""
            padding = [0, 0]
            for axis in range(len(self.window), 0, -1):
                padding += [0, -x.shape[axis] % self.window[axis - 1]]
            return F.pad(x, padding)

        def _partition(self, x: Tensor) -> Tensor:
            """(B, *size, C) to (B, windows, n, C)."""
            for axis, window in enumerate(self.window, 1):
                x = x.unflatten(axis, (-1, window)).movedim(axis + 1, -2)
            x = x.flatten(1, len(self.window))  # (B, windows, *window, C)
            return x.flatten(2, -2)

        def _merge(self, x: Tensor, size: torch.Size) -> Tensor:
            """(B, windows, n, C) to (B, *size, C)."""
            grid = [n // w for n, w in zip(size, self.window, strict=True)]
            x = x.unflatten(2, self.window).unflatten(1, grid)
            for axis in range(1, 1 + len(grid)):
                x = x.movedim(len(grid) + 1, axis + 1).flatten(axis, axis + 1)
            return x

        def _split(self, x: Tensor) -> Tensor:
            """(B, windows, n, C) to (B, windows * heads, n, C / heads)."""
            return x.unflatten(-1, (self.heads, -1)).transpose(2, 3).flatten(1, 2)

        def _added(
            self, x: Tensor, size: torch.Size, shift: list[int]
        ) -> Tensor | None:
            """What is added to the scores, if anything: (1, windows * heads, n, n)."""
            added = self._mask(x, size, shift)[:, None] if any(shift) else None
            if self.relative_bias is not None:
                bias = self.relative_bias[self.index].permute(2, 0, 1)  # (heads, n, n)
                added = bias if added is None else added + bias
            if added is None:
                return None
            return added.expand(x.shape[1], self.heads, -1, -1).flatten(0, 1)[None]

        def _index(self) -> Tensor:
            """The entry of the table for each query and key of a window: (n, n)."""
            places = torch.meshgrid(*map(torch.arange, self.window), indexing="ij")
            place = torch.stack(places, -1).flatten(0, -2)  # (n, axes)
            apart = place[:, None] - place  # (n, n, axes)
            index = torch.zeros_like(apart[..., 0])
            for axis, window in enumerate(self.declared):
                index = index * (2 * window - 1) + apart[..., axis] + window - 1
            return index

        def _mask(self, x: Tensor, size: torch.Size, shift: list[int]) -> Tensor:
            """-100 between positions that only the shift brought together."""
            ends = zip(size, shift, strict=True)
            moved = [torch.arange(n, device=x.device) >= n - s for n, s in ends]
            region = torch.stack(torch.meshgrid(*moved, indexing="ij"), -1)
            region = self._partition(region[None])[0]  # (windows, n, axes)
            apart = (region[:, :, None] != region[:, None]).any(-1)
            mask = torch.zeros(apart.shape, dtype=x.dtype, device=x.device)
            return mask.masked_fill(apart, -100.0)  # (windows, n, n)

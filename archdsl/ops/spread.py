"""How information spreads: which input positions an output position depends on.

An op answers with one map per input port and position axis. A map takes the indices
of an output position, by axis, to the input indices along its own axis; the set for
a whole position is the product over the input's axes. Sizes are concrete here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Protocol, TypeAlias

from archdsl.ir.tensor import Tensor
from archdsl.record import record

At: TypeAlias = Mapping[str, int]


class Reach(Protocol):
    """One input axis, seen from an output position."""

    def sources(self, at: At) -> Sequence[int]:
        """The input indices, rising."""
        ...


@record
class Same:
    """Index i depends on index i."""

    axis: str

    def sources(self, at: At) -> Sequence[int]:
        """The index itself."""
        return (at[self.axis],)


@dataclass(frozen=True)
class Whole:
    """Every index depends on all of them."""

    size: int

    def sources(self, at: At) -> Sequence[int]:
        """All indices."""
        return range(self.size)


@dataclass(frozen=True)
class Upto:
    """Index i depends on 0 … i: causal attention, a forward recurrence."""

    axis: str

    def sources(self, at: At) -> Sequence[int]:
        """The prefix that ends here."""
        return range(at[self.axis] + 1)


@record
class Taps:
    """A sliding window, as in convolutions and pools (Araujo et al. 2019).

    `padding` is what lies before the input, `behind` what lies after it.
    """

    axis: str
    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    behind: int = 0

    @property
    def reach(self) -> int:
        """How many positions the window is long, those between its taps counted."""
        return self.dilation * (self.kernel - 1) + 1

    def sources(self, at: At) -> Sequence[int]:
        """The taps that fall inside the input."""
        first = at[self.axis] * self.stride - self.padding
        return _inside(first, self.dilation, self.kernel, self.size)


@dataclass(frozen=True)
class Sown:
    """A window laid out from each input position: a transposed convolution.

    Input i lands on ``i * stride - padding + tap * dilation``.
    """

    axis: str
    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    def sources(self, at: At) -> Sequence[int]:
        """The positions of the input that land here; maybe none."""
        first = at[self.axis] + self.padding - self.dilation * (self.kernel - 1)
        common = gcd(self.dilation, self.stride)
        if first % common:
            return ()
        # Of so many taps one after another, one lands: the first is `tap`.
        apart = self.stride // common
        tap = -(first // common) * pow(self.dilation // common, -1, apart) % apart
        index = (first + tap * self.dilation) // self.stride
        count = max(0, -((tap - self.kernel) // apart))
        return _inside(index, self.dilation // common, count, self.size)


@dataclass(frozen=True)
class Tiles:
    """Windows side by side, shifted by `shift` and cut apart at the border."""

    axis: str
    size: int
    window: int
    shift: int = 0

    def sources(self, at: At) -> Sequence[int]:
        """The window of this index, as far as it lies inside the input."""
        turn = (at[self.axis] - self.shift) // self.window
        start = self.shift + turn * self.window
        return range(max(0, start), min(self.size, start + self.window))


@dataclass(frozen=True)
class Some:
    """Every output depends on these indices and no others."""

    indices: tuple[int, ...]

    def sources(self, at: At) -> Sequence[int]:
        """The fixed indices."""
        return self.indices


@dataclass(frozen=True)
class Affine:
    """Index i depends on ``start + step * i`` where that lies inside the input."""

    axis: str
    size: int
    start: int = 0
    step: int = 1

    def sources(self, at: At) -> Sequence[int]:
        """One index, or none outside the input."""
        index = self.start + self.step * at[self.axis]
        return (index,) if 0 <= index < self.size else ()


@dataclass(frozen=True)
class Digit:
    """One axis of several that were merged, the last running fastest."""

    axis: str
    size: int
    inner: int  # the product of the sizes of the axes that run faster

    def sources(self, at: At) -> Sequence[int]:
        """This axis' share of the merged index."""
        return (at[self.axis] // self.inner % self.size,)


@dataclass(frozen=True)
class Joined:
    """An axis that was split in several, the last running fastest."""

    axes: tuple[str, ...]
    sizes: tuple[int, ...]

    def sources(self, at: At) -> Sequence[int]:
        """The index before the split."""
        index = 0
        for axis, size in zip(self.axes, self.sizes, strict=True):
            index = index * size + at[axis]
        return (index,)


def _inside(first: int, step: int, count: int, size: int) -> range:
    """Those of some indices, evenly apart, that are below a size and not negative."""
    start = max(0, -(first // step))
    stop = min(count, -((first - size) // step))
    return range(first + start * step, first + max(start, stop) * step, step)


Spread: TypeAlias = Mapping[str, Mapping[str, Reach]]  # port → input axis → reach


@dataclass(frozen=True)
class Weighing:
    """An axis of what only weighs others: without effect where there is but one."""

    reach: Reach
    weighed: tuple[Reach, ...]

    def sources(self, at: At) -> Sequence[int]:
        """The indices that have a say in the weights."""
        several = any(len(reach.sources(at)) > 1 for reach in self.weighed)
        return self.reach.sources(at) if several else ()


def weighing(
    reaches: Mapping[str, Reach], weighed: Mapping[str, Reach]
) -> dict[str, Reach]:
    """The axes of a tensor that only weighs what other reaches take."""
    return {a: Weighing(r, tuple(weighed.values())) for a, r in reaches.items()}


def same_positions(tensor: Tensor) -> dict[str, Reach]:
    """Every position of a tensor depends on itself."""
    return {axis: Same(axis) for axis in tensor.positions}

"""The closed figures of convolutions and pools, on maps without borders.

Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural
Networks": along an axis, unit i of a value covers ``lo + i * stride`` up to
``hi + i * stride``. They need no sizes, and hold where all between is sliding windows
and branches meet with one stride; elsewhere there are none.
"""

from __future__ import annotations

from typing import NamedTuple

from archdsl.analysis.receptive_field.numbers import LARGEST
from archdsl.ops.adaptive_pool import Shares
from archdsl.ops.spread import Affine, Reach, Same, Sown, Taps


class Line(NamedTuple):
    """Intervals that follow each other evenly.

    Attributes:
        axis: The axis of the value along which they do.
        stride: The input positions from one to the next.
        lo: Where the first begins; negative inside the padding.
        hi: Where the first ends.
    """

    axis: str
    stride: int
    lo: int
    hi: int

    @property
    def size(self) -> int:
        """The input positions that one of them covers."""
        return self.hi - self.lo + 1

    @property
    def padding(self) -> int:
        """How far the first one lies before the input."""
        return -self.lo

    @property
    def offset(self) -> float:
        """The middle of the first one."""
        return (self.lo + self.hi) / 2


def through(line: Line, reach: Reach | None, out_size: int) -> Line | None:
    """The line of an output; None where windows are uneven or hang on open sizes."""
    found = _through(line, reach, out_size)
    if found is None or max(found.stride, -found.lo, abs(found.hi)) > LARGEST:
        return None
    return found


def _through(line: Line, reach: Reach | None, out_size: int) -> Line | None:
    stride, lo, hi = line.stride, line.lo, line.hi
    match reach:
        case Same(to):
            return Line(to, stride, lo, hi)
        case Taps(to, kernel=k, stride=s, dilation=d, padding=p):
            lo -= p * stride
            return Line(to, s * stride, lo, hi + (d * (k - 1) - p) * stride)
        case Sown(to, kernel=k, stride=1, dilation=d, padding=p):
            lo -= (d * (k - 1) - p) * stride
            return Line(to, stride, lo, hi + p * stride)
        case Shares(to, size, parts) if size % parts == 0:
            k = size // parts
            return Line(to, k * stride, lo, hi + (k - 1) * stride)
        case Affine(to, size, start, step):
            last = start + step * (out_size - 1)
            if step < 1 or start < 0 or last >= size:
                return None
            return Line(to, step * stride, lo + start * stride, hi + start * stride)
        case _:
            return None


def union(one: Line | None, other: Line | None) -> Line | None:
    """The line of a value that sees both; None where their strides differ."""
    if one is None or other is None:
        return None
    if (one.axis, one.stride) != (other.axis, other.stride):
        return None
    return one._replace(lo=min(one.lo, other.lo), hi=max(one.hi, other.hi))

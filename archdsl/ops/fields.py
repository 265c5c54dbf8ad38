"""The types of an op's arguments: what each takes, and what it says to all else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, PlainValidator

from archdsl.ir.dim import Poly, Size

S = TypeVar("S", int, Size)


class AxisName(str):
    """The name of an axis, as an argument of a call."""

    __slots__ = ()


def _whole(value: object) -> Size:
    """Whole numbers only: no truth values, no fractions; 768.0 is 768."""
    if isinstance(value, bool) or not isinstance(value, int | float | Poly):
        raise ValueError("must be a whole number")
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _integer(value: object) -> int:
    size = _whole(value)
    if isinstance(size, Poly):
        raise ValueError("must be a number, not an open size")
    return size


def _from(
    least: int, problem: str, whole: Callable[[object], S]
) -> Callable[[object], S]:
    """Whole numbers from the least one on; most are plain, and checked no further."""

    def validate(value: object) -> S:
        size = value if type(value) is int else whole(value)
        if isinstance(size, int) and size < least:  # type: ignore[redundant-expr]
            raise ValueError(problem)
        return size

    return validate


_positive = _from(1, "must be at least 1", _whole)
_natural_size = _from(0, "must not be negative", _whole)
_count = _from(1, "must be at least 1", _integer)
_natural = _from(0, "must not be negative", _integer)


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number from 0 to 1")
    if not 0 <= value < 1:
        raise ValueError("must be at least 0 and below 1")
    return float(value)


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _axis(value: object) -> str:
    if not isinstance(value, AxisName):
        raise ValueError("must be an axis, such as H")
    return str(value)


def _axes(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, tuple | list) else (value,)
    names = tuple(_axis(v) for v in items)
    if len(set(names)) < len(names):
        raise ValueError("must name each axis once")
    return names


def _each(check: Callable[[object], S]) -> Callable[[object], S | tuple[S, ...]]:
    def validate(value: object) -> S | tuple[S, ...]:
        if isinstance(value, tuple | list):
            if not value:
                raise ValueError("must have a number for each axis")
            return tuple(check(v) for v in value)
        return check(value)

    return validate


TF_SAME = "tf_same"


def _padding(value: object) -> str | int | tuple[int | tuple[int, int], ...]:
    if isinstance(value, str):
        if value != TF_SAME:
            raise ValueError(f'must be a number, a list of them, or "{TF_SAME}"')
        return value
    if not isinstance(value, tuple | list):
        return _natural(value)
    if not value:
        raise ValueError("must have a number for each axis")
    return tuple(_side(v) for v in value)


def _side(value: object) -> int | tuple[int, int]:
    if not isinstance(value, tuple | list):
        return _natural(value)
    if len(value) != 2:
        raise ValueError("must have two numbers for an axis, before and behind it")
    return _natural(value[0]), _natural(value[1])


# The last item of each says in the manual what an argument may be.
SizeField = Annotated[
    int | Poly, PlainValidator(_positive), "a whole number ≥ 1, or an open size"
]
Count = Annotated[int, PlainValidator(_count), "a whole number ≥ 1"]
Natural = Annotated[int, PlainValidator(_natural), "a whole number ≥ 0"]
Integer = Annotated[int, PlainValidator(_integer)]
Rate = Annotated[float, PlainValidator(_rate), "a number ≥ 0 and < 1"]
Real = Annotated[float, PlainValidator(_real)]
Flag = Annotated[bool, PlainValidator(_flag)]
Axis = Annotated[str, PlainValidator(_axis), "an axis"]
Axes = Annotated[  # one or several, or ()
    tuple[str, ...], PlainValidator(_axes), "an axis, or a list of them"
]
Each = Annotated[
    int | tuple[int, ...],
    PlainValidator(_each(_count)),
    "a whole number ≥ 1, or a list of them",
]
NonNegativeEach = Annotated[
    int | tuple[int, ...],
    PlainValidator(_each(_natural)),
    "a whole number ≥ 0, or a list of them",
]
Padding = Annotated[  # of each axis, or before and behind each
    str | int | tuple[int | tuple[int, int], ...],
    PlainValidator(_padding),
    f'a whole number ≥ 0, a list of them or of pairs, or "{TF_SAME}"',
]
SizeEach = Annotated[
    int | Poly | tuple[int | Poly, ...],
    PlainValidator(_each(_positive)),
    "a whole number ≥ 1 or an open size, or a list of them",
]
NonNegativeSizeEach = Annotated[
    int | Poly | tuple[int | Poly, ...],
    PlainValidator(_each(_natural_size)),
    "a whole number ≥ 0 or an open size, or a list of them",
]
AxisSizes = Annotated[  # ``N = 100, C = 256``; None for a size that is inferred
    tuple[tuple[str, int | Poly | None], ...],
    BeforeValidator(tuple),
    "axes with their sizes",
]

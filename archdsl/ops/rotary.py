"""How rotary positions are written: the base, the pairs, and how they are slowed."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator


def _base(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 1:
        raise ValueError("must be a number above 1, such as 10000")
    return float(value)


def _pairing(value: object) -> str:
    if isinstance(value, str) and value in ("half", "interleaved"):
        return str(value)
    raise ValueError('must be "half" or "interleaved"')


def _stretch(value: object) -> tuple[float, ...]:
    numbers = value if isinstance(value, tuple | list) else ()
    if len(numbers) != 4 or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and n > 0
        for n in numbers
    ):
        raise ValueError("must be four numbers above 0: [factor, low, high, context]")
    if not numbers[1] < numbers[2]:
        raise ValueError("must have a low factor below the high one")
    return tuple(map(float, numbers))


Base = Annotated[float, PlainValidator(_base), "a number > 1"]
Pairing = Annotated[str, PlainValidator(_pairing), '"half" or "interleaved"']
Stretch = Annotated[
    tuple[float, ...], PlainValidator(_stretch), "[factor, low, high, context]"
]

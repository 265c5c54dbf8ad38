"""What attention of every kind shares: heads, the maps around it, the scale of scores.

The maps are called ``q``, ``k``, ``v`` and ``out``, in weights and in arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from typing import Annotated

from pydantic import PlainValidator

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.shapes import NotDivisible
from archdsl.ir.dim import Size, near_divisors
from archdsl.ir.facts import Facts
from archdsl.ir.operation import Weight

MAPS = ("q", "k", "v", "out")
# The weight of a scale that is learned, by how it is written: one number for each head.
LEARNED_SCALES = {"cosine": "logit_scale", "learned": "head_scale"}


def _scale(value: object) -> float | str:
    if isinstance(value, str) and value in LEARNED_SCALES:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('must be a number above 0, "cosine" or "learned"')
    if not 0 < value < inf:
        raise ValueError("must be above 0")
    return float(value)


def _biased(value: object) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    if not isinstance(value, tuple | list):
        raise ValueError('must be true, false, or a list such as ["q", "v", "out"]')
    if not all(isinstance(item, str) and item in MAPS for item in value):
        raise ValueError('may only list the maps "q", "k", "v" and "out"')
    if len(set(value)) < len(value):
        raise ValueError("must name each map once")
    found = tuple(name for name in MAPS if name in value)
    return found if 0 < len(found) < len(MAPS) else bool(found)


Scale = Annotated[
    float | str, PlainValidator(_scale), 'a number > 0, "cosine" or "learned"'
]
Biased = Annotated[  # true and false where all maps have one, or none
    bool | tuple[str, ...],
    PlainValidator(_biased),
    'true, false, or a list of "q", "k", "v" and "out"',
]


def biased(bias: bool | tuple[str, ...]) -> tuple[str, ...]:
    """The maps that add a learned number to each feature."""
    if isinstance(bias, bool):
        return MAPS if bias else ()
    return bias


def check_heads(heads: int, size: Size, facts: Facts, cut: str = "C") -> None:
    """Refuses heads that do not divide C, or another size that is cut."""
    if facts.divides(heads, size):
        return
    better = near_divisors(heads, size) if isinstance(size, int) else []
    mend = "use heads = " + " or ".join(map(str, better or [1]))
    raise Refused(NotDivisible("heads", heads, cut, size, mend), "heads")


def projections(
    maps: Mapping[str, tuple[Size, Size]], has: Collection[str]
) -> list[Weight]:
    """The weights of linear maps around attention, from features out and in of each.

    Args:
        maps: By name.
        has: Those that add a learned number to each feature.
    """
    weights: list[Weight] = []
    for name, shape in maps.items():
        weights.append(Weight(f"{name}.weight", shape))
        if name in has:
            weights.append(Weight(f"{name}.bias", shape[:1]))
    return weights

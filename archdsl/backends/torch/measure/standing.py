"""Where the queries and keys of a layer's attention lie in the input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product as combinations
from typing import TYPE_CHECKING, TypeAlias

from archdsl.analysis.places import Coordinates, Place, Site
from archdsl.ir.tensor import Tensor
from archdsl.ops.attention import Attention
from archdsl.ops.window_attention import WindowAttention

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Field:
    """One layer's queries and keys, in groups that only see themselves.

    Attributes:
        axes: The axes of the input that the places are along; () if nobody knows.
        queries: The place of each query, (groups, queries, axes); NaN for nowhere.
        keys: The same of the keys.
        apart: The distance of each query to each key, (groups, queries, keys); NaN if
            one of them lies nowhere.
    """

    axes: tuple[str, ...]
    queries: torch.Tensor
    keys: torch.Tensor
    apart: torch.Tensor


def field_of(site: Site) -> Field:
    """Who stands where in an op that is known."""
    import torch

    asking, asked = _indices(site)
    queries = [[_at(site.places.get("x"), at) for at in group] for group in asking]
    port = "key" if "key" in site.places else "x"
    keys = [[_at(site.places.get(port), at) for at in group] for group in asked]
    axes = _varying([c for group in keys for c in group if c])
    of_queries, of_keys = _tensor(queries, axes), _tensor(keys, axes)
    if axes:
        mode = "donot_use_mm_for_euclid_dist"
        apart = torch.cdist(of_queries, of_keys, compute_mode=mode)
    else:
        apart = torch.full((*of_queries.shape[:2], of_keys.shape[1]), math.nan)
    return Field(axes, of_queries, of_keys, apart)


def _varying(places: list[Coordinates]) -> tuple[str, ...]:
    """The axes that tell places apart; those of the batch do not."""
    values: dict[str, set[float]] = {}
    for place in places:
        for axis, index in place.items():
            values.setdefault(axis, set()).add(index)
    several = tuple(axis for axis, found in values.items() if len(found) > 1)
    return several or tuple(values)[-1:]


_At: TypeAlias = Mapping[str, float] | None  # None: padding


def _at(place: Place | None, at: _At) -> Coordinates | None:
    return None if place is None or at is None else place(at)


def _tensor(
    groups: list[list[Coordinates | None]], axes: tuple[str, ...]
) -> torch.Tensor:
    import torch

    rows = [
        [[c.get(a, math.nan) if c else math.nan for a in axes] for c in group]
        for group in groups
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _indices(site: Site) -> tuple[list[list[_At]], list[list[_At]]]:
    """The index of each query and of each key, by group."""
    op, ins = site.node.payload, site.graph.ins(site.node)
    if isinstance(op, WindowAttention):
        found = _windows(op, ins["x"])
        return found, found
    assert isinstance(op, Attention)
    roles = op.roles(ins)
    return (
        [_rows(roles.x, roles.asking, roles.batch)],
        [_rows(roles.key, roles.asked, roles.batch)],
    )


def _rows(tensor: Tensor, axes: tuple[str, ...], batch: tuple[str, ...]) -> list[_At]:
    """The positions of some axes, the last running fastest; the others at 0."""
    beside = dict.fromkeys(batch, 0.0)
    sizes = [range(_int(tensor[axis])) for axis in axes]
    return [
        {**beside, **{a: float(i) for a, i in zip(axes, index, strict=True)}}
        for index in combinations(*sizes)
    ]


def _windows(op: WindowAttention, x: Tensor) -> list[list[_At]]:
    """The positions of each window, where they were before the shift."""
    cuts = op.cuts(x)
    batch = dict.fromkeys(x.positions, 0.0)
    starts = [range(0, _int(c.size), _int(c.window)) for c in cuts]
    inside = [range(_int(c.window)) for c in cuts]

    def at(corner: tuple[int, ...], place: tuple[int, ...]) -> _At:
        found = dict(batch)
        for cut, i, j in zip(cuts, corner, place, strict=True):
            index = (i + j + _int(cut.shift)) % _int(cut.size)
            if index >= _int(x[cut.axis]):
                return None
            found[cut.axis] = float(index)
        return found

    return [[at(c, p) for p in combinations(*inside)] for c in combinations(*starts)]


def _int(size: object) -> int:
    assert isinstance(size, int)
    return size


def ranks(values: torch.Tensor) -> torch.Tensor:
    """The place of each value among all different ones; NaN is 0."""
    import torch

    there = torch.unique(values[~values.isnan()])
    return torch.searchsorted(there, values.nan_to_num(float(there[0])).contiguous())

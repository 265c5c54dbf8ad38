"""The Pareto front: the points that no other point is better than in everything."""

from __future__ import annotations

from collections.abc import Sequence

Row = tuple[float, ...]


def front(rows: Sequence[Row]) -> set[int]:
    """The indices of the rows that no row dominates; smaller is better.

    A row dominates another if it is nowhere larger and somewhere smaller: of equal
    rows none dominates the other. In the order of the rows' values a row can only be
    dominated by an earlier one, and then also by one of the front (Kung, Luccio and
    Preparata 1975, "On Finding the Maxima of a Set of Vectors"): two figures cost one
    look at the best so far, more cost one at each of the front.
    """
    best: set[int] = set()
    kept: list[Row] = []
    width = len(rows[0]) if rows else 0
    for i in sorted(range(len(rows)), key=lambda i: rows[i]):
        row = rows[i]
        if kept and kept[-1] == row:
            best.add(i)
        elif width <= 2:
            if not kept or (width == 2 and row[1] < kept[-1][1]):
                kept.append(row)
                best.add(i)
        elif not any(_dominates(k, row) for k in kept):
            kept.append(row)
            best.add(i)
    return best


def _dominates(one: Row, other: Row) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))

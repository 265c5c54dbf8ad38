"""Rows of a picture that has room for so many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

MOST = 40
T = TypeVar("T")


def fewer(
    rows: Sequence[T], weight: Callable[[T], float], together: Callable[[list[T]], T]
) -> list[T]:
    """The heaviest rows in their order, and the others as one, if they are too many."""
    if len(rows) <= MOST:
        return list(rows)
    ranked = sorted(range(len(rows)), key=lambda i: (-weight(rows[i]), i))
    kept = sorted(ranked[: MOST - 1])
    rest = [rows[i] for i in sorted(ranked[MOST - 1 :])]
    return [*(rows[i] for i in kept), together(rest)]

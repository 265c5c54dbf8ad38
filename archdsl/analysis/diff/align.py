"""Aligning the nodes of two graphs in order, as diff(1) aligns lines.

A pair scores by how much it has in common; the alignment with the highest sum is taken
(Needleman and Wunsch 1970, "A general method applicable to the search for similarities
in the amino acid sequence of two proteins"). An inserted node so leaves those after it
paired, whatever they are called. The two sequences are put in an order of their own
first, so that exchanging them gives the same pairs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from archdsl.analysis.diff.tokens import Token

_MOST_CELLS = 1_000_000  # of a table of scores
_EXACT, _SAME, _KIND, _GROUP, _PATH = 16, 8, 5, 1, 2


def align(left: Sequence[Token], right: Sequence[Token]) -> list[tuple[int, int]]:
    """The pairs, by index, rising on both sides."""
    keys = [t.text for t in left], [t.text for t in right]
    if keys[1] < keys[0]:
        return [(a, b) for b, a in _align(right, left)]
    return _align(left, right)


def _align(left: Sequence[Token], right: Sequence[Token]) -> list[tuple[int, int]]:
    """Equal ends first, then what is only once on both sides, then by scores."""
    start = 0
    end = min(len(left), len(right))
    while start < end and _equal(left[start], right[start]):
        start += 1
    tail = 0
    while tail < end - start and _equal(left[-1 - tail], right[-1 - tail]):
        tail += 1
    pairs = [(i, i) for i in range(start)]
    a, b = left[start : len(left) - tail], right[start : len(right) - tail]
    pairs += [(start + i, start + j) for i, j in _inner(a, b)]
    pairs += [(len(left) - i, len(right) - i) for i in range(tail, 0, -1)]
    return pairs


def _equal(one: Token, other: Token) -> bool:
    return one.exact == other.exact and one.path == other.path


def _inner(left: Sequence[Token], right: Sequence[Token]) -> list[tuple[int, int]]:
    if len(left) * len(right) <= _MOST_CELLS:
        return _by_scores(left, right)
    anchors = list(_anchors(left, right))
    if not anchors:
        return [(i, i) for i, (a, b) in enumerate(zip(left, right, strict=False))
                if _score(a, b)]  # fmt: skip
    pairs: list[tuple[int, int]] = []
    at = (0, 0)
    for i, j in [*anchors, (len(left), len(right))]:
        inner = _inner(left[at[0] : i], right[at[1] : j])
        pairs += [(at[0] + a, at[1] + b) for a, b in inner]
        pairs += [(i, j)] * (i < len(left))
        at = (i + 1, j + 1)
    return pairs


def _score(one: Token, other: Token) -> int:
    """How much two nodes have in common; 0 if they are no pair."""
    if one.exact == other.exact:
        score = _EXACT
    elif one.same == other.same:
        score = _SAME
    elif one.kind == other.kind:
        score = _KIND
    elif one.group == other.group:
        score = _GROUP
    else:
        return 0
    return score + _PATH * (one.path == other.path)


def _by_scores(left: Sequence[Token], right: Sequence[Token]) -> list[tuple[int, int]]:
    """The pairs of the highest sum, of equal ones those that stand first."""
    width = len(right) + 1
    best = [[0] * width for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        below, row, one = best[i + 1], best[i], left[i]
        for j in range(width - 2, -1, -1):
            score = _score(one, right[j])
            most = max(below[j], row[j + 1])
            row[j] = max(most, score + below[j + 1]) if score else most
    pairs, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        score = _score(left[i], right[j])
        if score and best[i][j] == score + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _anchors(
    left: Sequence[Token], right: Sequence[Token]
) -> Iterator[tuple[int, int]]:
    """Nodes that are once on either side, in the longest rising row (patience)."""
    once = [Counter(t.exact for t in side) for side in (left, right)]
    places = {t.exact: j for j, t in enumerate(right) if once[1][t.exact] == 1}
    both = [(i, places[t.exact]) for i, t in enumerate(left)
            if once[0][t.exact] == 1 and t.exact in places]  # fmt: skip
    ends: list[int] = []
    rows: list[tuple[int, int]] = []
    before: dict[int, tuple[int, int]] = {}
    for i, j in both:
        at = bisect_left(ends, j)
        ends[at : at + 1] = [j]
        rows[at : at + 1] = [(i, j)]
        if at:
            before[i] = rows[at - 1]
    chain = rows[-1:]
    while chain and chain[-1][0] in before:
        chain.append(before[chain[-1][0]])
    return reversed(chain)

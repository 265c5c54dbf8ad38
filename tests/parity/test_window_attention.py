"""Window attention, and patch merging, equal what their definitions say, one by one."""

from itertools import product
from math import prod

import pytest
import torch

import archdsl
from tests.parity.reference import CLEARLY, TOLERANCE, gap, jittered

AXES = "DHW"


def load(call, sizes, dim=4):
    """A model of one op, on a map of one, two or three axes."""
    axes = ", ".join(
        f"{a} = {n}" for a, n in zip(AXES[-len(sizes) :], sizes, strict=True)
    )
    text = (
        f"model one {{\n  input x: [B, {axes}, C = {dim}]\n  {call}\n  output out\n}}"
    )
    return jittered(archdsl.load(text))


def random_map(sizes, dim=4):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, *sizes, dim, generator=generator, dtype=torch.float64)


class Windows:
    """Where each position of a map goes: by axis, all of it.

    Attributes:
        full: The map's sizes, with zeros up to a multiple of the window.
        window: The declared window.
        inside: How much of it there is; an axis that it covers is one window.
        shift: How far the map moves back; not at all along such an axis.
    """

    def __init__(self, sizes, window, shift):
        self.window = window
        self.inside = [min(w, n) for w, n in zip(window, sizes, strict=True)]
        covered = zip(shift, window, sizes, strict=True)
        self.shift = [s if w < n else 0 for s, w, n in covered]
        self.full = [-(-n // w) * w for n, w in zip(sizes, self.inside, strict=True)]

    def moved(self, place):
        """Where a position is after the shift."""
        ways = zip(place, self.shift, self.full, strict=True)
        return [(p - s) % n for p, s, n in ways]

    def home(self, place):
        """The window that a position is in after the shift."""
        return [p // w for p, w in zip(self.moved(place), self.inside, strict=True)]

    def carried(self, place):
        """Along which axes the shift takes a position over the border."""
        return [p < s for p, s in zip(place, self.shift, strict=True)]

    def entry(self, query, key):
        """The row of the bias table for two positions of a window."""
        row = 0
        pairs = zip(self.moved(query), self.moved(key), self.window, strict=True)
        for a, b, w in pairs:
            row = row * (2 * w - 1) + a - b + w - 1
        return row


def by_definition(op, x, windows, *, heads=2, bias=True, mask=True):
    """What each position takes from those of its window, computed for it alone.

    Those that the shift has carried over the border, and those that it has not, score
    100 less with each other.

    Args:
        op: The compiled op, for its weights.
        x: A map.
        windows: Who is where.
        heads: Of the op.
        bias: Whether the relative positions count.
        mask: Whether to keep apart what the shift has joined.
    """
    inner = [slice(n) for n in x.shape[1:-1]]
    padded = x.new_zeros(x.shape[0], *windows.full, x.shape[-1])
    padded[:, *inner] = x
    q, k, v = (m(padded).unflatten(-1, (heads, -1)) for m in (op.q, op.k, op.v))
    everywhere = list(product(*map(range, windows.full)))

    def score(place, other):
        found = (q[:, *place] * k[:, *other]).sum(-1) / q.shape[-1] ** 0.5
        if bias:
            found = found + op.relative_bias[windows.entry(place, other)]
        if mask and windows.carried(place) != windows.carried(other):
            found = found - 100
        return found

    out = torch.empty_like(x)
    for place in product(*map(range, x.shape[1:-1])):
        near = [p for p in everywhere if windows.home(p) == windows.home(place)]
        scores = torch.stack([score(place, p) for p in near], -1)  # (B, heads, near)
        values = torch.stack([v[:, *p] for p in near], 2)  # (B, heads, near, C / heads)
        found = (scores.softmax(-1)[..., None] * values).sum(2)
        out[:, *place] = op.out(found.flatten(1))
    return out


# Sizes of a map, window and shift, by axis.
MAPS = {
    "a line": ((9,), (3,), (1,)),
    "a square": ((8, 8), (4, 4), (2, 2)),
    "no shift": ((6, 4), (2, 2), (0, 0)),
    "one window": ((4, 4), (4, 4), (2, 2)),
    "a window that covers more": ((3, 3), (4, 4), (2, 2)),
    "a window that covers one axis": ((8, 4), (4, 4), (2, 2)),
    "unequal axes": ((4, 9), (2, 3), (1, 2)),
    "a volume": ((4, 3, 4), (2, 4, 2), (1, 1, 0)),
}
PADDED = {
    "a line": ((8,), (3,), (1,)),
    "both axes": ((5, 7), (3, 4), (1, 2)),
    "one axis": ((4, 5), (2, 2), (1, 1)),
    "a border window of one": ((5, 4), (4, 4), (2, 2)),
}


def both(sizes, window, shift, *, pad=False, **facts):
    """Our output and that by definition."""
    words = f"2, {list(window)}, {list(shift)}, relative_bias = true"
    ours = load(f"window_attention({words}, pad = {str(pad).lower()})", sizes)
    x = random_map(sizes)
    windows = Windows(sizes, window, shift)
    with torch.no_grad():
        return ours(x), by_definition(ours.window_attention, x, windows, **facts)


@pytest.mark.parametrize("case", MAPS)
def test_window_attention_is_as_defined(case):
    assert gap(*both(*MAPS[case])) <= TOLERANCE


@pytest.mark.parametrize("case", PADDED)
def test_padded_window_attention_is_as_defined(case):
    assert gap(*both(*PADDED[case], pad=True)) <= TOLERANCE


@pytest.mark.parametrize("fact", [{"bias": False}, {"mask": False}], ids=str)
def test_another_definition_is_seen(fact):
    assert gap(*both(*MAPS["a square"], **fact)) > CLEARLY


@pytest.mark.parametrize("sizes", [(6,), (4, 6), (4, 2, 6)])
def test_patch_merge_is_as_defined(sizes):
    """Neighbours along the first axis follow one another, then those along the next."""
    ours = load("patch_merge", sizes)
    x = random_map(sizes)
    op = ours.patch_merge
    with torch.no_grad():
        out = ours(x)
        for place in product(*(range(n // 2) for n in sizes)):
            near = product(*((2 * p, 2 * p + 1) for p in reversed(place)))
            row = torch.cat([x[:, *reversed(n)] for n in near], -1)
            assert row.shape[-1] == 4 * prod(2 for _ in sizes)
            assert gap(out[:, *place], op.reduction(op.norm(row))) <= TOLERANCE

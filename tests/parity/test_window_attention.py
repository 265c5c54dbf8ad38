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


def by_definition(op, x, heads, window, shift, *, bias, mask=True):
    """What each position takes from those of its window, computed for it alone.

    A position's window is found where the shift has moved it. Of those in the window,
    the shift has carried some over the border, which has them 100 further away.
    Positions beyond the map are zeros, as many as the last window needs.

    Args:
        op: The compiled op, for its weights.
        x: A map.
        heads: Of the op.
        window: By axis.
        shift: By axis; none along an axis that a window covers.
        bias: Whether the relative positions count.
        mask: Whether to keep apart what the shift has joined.
    """
    sizes = x.shape[1:-1]
    table = [2 * w - 1 for w in window]
    inside = [min(w, n) for w, n in zip(window, sizes, strict=True)]
    shift = [s if w < n else 0 for s, w, n in zip(shift, window, sizes, strict=True)]
    full = [-(-n // w) * w for n, w in zip(sizes, inside, strict=True)]
    padded = x.new_zeros(x.shape[0], *full, x.shape[-1])
    padded[:, *(slice(n) for n in sizes)] = x
    q, k, v = (m(padded).unflatten(-1, (heads, -1)) for m in (op.q, op.k, op.v))
    out = torch.empty_like(x)

    def moved(place):
        return [(p - s) % n for p, s, n in zip(place, shift, full, strict=True)]

    def home(place):
        return [p // w for p, w in zip(moved(place), inside, strict=True)]

    def carried(place):
        return [p < s for p, s in zip(place, shift, strict=True)]

    everywhere = list(product(*map(range, full)))
    for place in product(*map(range, sizes)):
        near = [p for p in everywhere if home(p) == home(place)]
        scores = []
        for other in near:
            score = (q[:, *place] * k[:, *other]).sum(-1) / q.shape[-1] ** 0.5
            if bias:
                entry = 0
                pairs = zip(moved(place), moved(other), window, table, strict=True)
                for a, b, w, t in pairs:
                    entry = entry * t + (a - b + w - 1)
                score = score + op.relative_bias[entry]
            if mask and carried(place) != carried(other):
                score = score - 100
            scores.append(score)
        weights = torch.stack(scores, -1).softmax(-1)  # (B, heads, near)
        values = torch.stack([v[:, *p] for p in near], 2)  # (B, heads, near, C / heads)
        found = (weights[..., None] * values).sum(2)
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
    op = ours.window_attention
    with torch.no_grad():
        facts = {"bias": True, **facts}
        return ours(x), by_definition(op, x, 2, window, shift, **facts)


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
    """The first axis runs fastest among the neighbours, then the next; C before all."""
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

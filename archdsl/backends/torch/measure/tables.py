"""Tables of what was measured, for a terminal, a page or a program."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archdsl.analysis.tables import Cell, Column, Table, collapsed
from archdsl.backends.torch.measure.attention import AttentionFindings
from archdsl.backends.torch.measure.effective_field import EffectiveField
from archdsl.backends.torch.measure.gradients import GradientFindings
from archdsl.backends.torch.measure.latency import ModuleLatency, Profile

BETWEEN = "(between)"


def _drawn(samples: int, trained: bool) -> str:
    """How much was averaged, in words."""
    what = "inputs" if trained else "inputs and weights"
    return (
        f"mean over {samples} draws of {what}" if samples > 1 else f"one draw of {what}"
    )


def of_field(found: EffectiveField) -> Table:
    """A row for each axis of the input."""
    place = ", ".join(f"{axis} = {index}" for axis, index in found.at.items())
    rows: list[tuple[Cell, ...]] = []
    for axis in found.axes:
        first, last = axis.first, axis.last
        whole = None if first is None or last is None else last - first + 1
        rows.append(
            (
                axis.axis,
                axis.size,
                whole,
                axis.inside,
                round(axis.mean, 1),
                axis.std,
                axis.static,
                None if axis.static is None else axis.static * math.sqrt(2),
                axis.fit,
            )
        )
    return Table(
        "effective_field",
        f"{found.model}: what of {found.input} reaches {found.value} at {place}",
        (
            Column("axis", "axis"),
            Column("size", "size", "exact"),
            Column("theoretical", "theoretical", "exact"),
            Column("inside", "above 4.55 %", "exact"),
            Column("mean", "centre", "exact"),
            Column("std", "std", "ratio"),
            Column("estimate", "if even", "ratio"),
            Column("estimate_random", "if random", "ratio"),
            Column("fit", "R²", "ratio"),
        ),
        tuple(rows),
        (
            f"{_drawn(found.samples, found.trained)}; lengths in the input's positions",
            "theoretical: what can reach it; above 4.55 %: of the largest impact",
            "std: measured; if even: estimated, of layers that average what they see;"
            " if random: √2 times",
            "R²: how much of the profile the Gaussian of that std explains",
        ),
    )


def of_attention(found: AttentionFindings) -> Table:
    """A row for each layer."""
    rows: list[tuple[Cell, ...]] = []
    for layer in found.layers:
        far = layer.distances or (None,)
        known = [d for d in far if d is not None]
        mean = math.fsum(known) / len(known) if known else None
        low, high = (min(known), max(known)) if known else (None, None)
        bits = math.fsum(layer.entropies) / len(layer.entropies)
        heads = len(layer.entropies)
        rows.append((layer.path, heads, mean, low, high, layer.uniform, bits))
    return Table(
        "attention",
        f"{found.model}: how far attention reaches",
        (
            Column("layer", "layer"),
            Column("heads", "heads", "exact"),
            Column("mean_distance", "mean distance", "ratio"),
            Column("nearest_head", "nearest head", "ratio"),
            Column("farthest_head", "farthest head", "ratio"),
            Column("uniform", "if even", "ratio"),
            Column("entropy_bits", "entropy, bits", "ratio"),
        ),
        tuple(rows),
        (
            f"{_drawn(found.samples, found.trained)}; distances in positions of the"
            " input, weighted by attention",
            "if even: with the same weight for every key that a query sees",
        ),
    )


def of_gradients(found: GradientFindings) -> Table:
    """A row for each layer."""
    notes = [
        f"{_drawn(found.samples, found.trained)}, in training; Euclidean norms",
        "the gradient to the model's outputs has norm 1",
        "relative: the gradient to the weights over the weights themselves",
    ]
    if found.ratio is not None:
        notes.append(f"first layer / last layer: {found.ratio:.3g}")
    return Table(
        "gradients",
        f"{found.model}: gradients",
        (
            Column("layer", "layer"),
            Column("op", "op"),
            Column("params", "params", "exact"),
            Column("output_gradient", "to its output", "ratio"),
            Column("weight_gradient", "to its weights", "ratio"),
            Column("relative", "relative", "ratio"),
            Column("verdict", ""),
        ),
        tuple(
            (x.path, x.op, x.params, x.output, x.weight, x.update, x.verdict)
            for x in found.layers
        ),
        tuple(notes),
    )


def of_profile(found: Profile, depth: int) -> Table:
    """A row for what `depth` names of a path share; the rows together are the whole."""
    groups: dict[str, list[ModuleLatency]] = {}
    for module in found.modules:
        groups.setdefault(collapsed(module.path, depth), []).append(module)
    between = groups.pop("", [])
    sums = (
        math.fsum(module.own for module in found.modules),
        math.fsum(module.own_backward or 0 for module in found.modules),
    )
    rows = [_row(path, group, sums) for path, group in groups.items()]
    rows += [_row(BETWEEN, between, sums)] if between else []
    columns = [
        Column("layer", "layer"),
        Column("module", "module"),
        Column("macs", "MACs", "short"),
        Column("seconds", "forward", "seconds"),
        Column("percent", "%", "exact"),
        Column("macs_per_second", "MACs/s", "short"),
    ]
    if found.backward is not None:
        columns.append(Column("backward_seconds", "backward", "seconds"))
        columns.append(Column("backward_percent", "%", "exact"))
    cut = len(columns)
    return Table(
        "profile", "", tuple(columns), tuple(row[:cut] for row in rows),
        (
            f"medians of {found.runs} run{'s' * (found.runs > 1)} on {_device(found)},"
            " each module watched",
            "functions count in the module that calls them;"
            f" {BETWEEN}: those of the model itself",
        ),
    )  # fmt: skip


def of_whole(found: Profile) -> Table:
    """The model as a whole."""
    rows: list[tuple[Cell, ...]] = [
        ("forward", found.forward, found.fastest, found.slowest)
    ]
    if found.backward is not None:
        rows.append(("backward", found.backward, None, None))
    return Table(
        "whole",
        f"{found.model}: the whole model, by itself",
        (
            Column("pass", "pass"),
            Column("seconds", "median", "seconds"),
            Column("fastest", "fastest", "seconds"),
            Column("slowest", "slowest", "seconds"),
        ),
        tuple(rows),
    )


def _device(found: Profile) -> str:
    if found.threads is None:
        return found.device
    return f"{found.device}, {found.threads} thread{'s' * (found.threads > 1)}"


def _row(
    path: str, group: Sequence[ModuleLatency], sums: tuple[float, float]
) -> tuple[Cell, ...]:
    forward = math.fsum(module.own for module in group)
    backward = math.fsum(module.own_backward or 0 for module in group)
    macs = sum(module.own_macs for module in group)
    shares = [
        round(100 * part / whole, 1) if whole else None
        for part, whole in zip((forward, backward), sums, strict=True)
    ]
    kind = group[0].kind if group[0].path == path else ""
    rate = macs / forward if macs and forward else None
    return path, kind, macs, forward, shares[0], rate, backward, shares[1]

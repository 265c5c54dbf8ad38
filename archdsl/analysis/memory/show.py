"""Memory, training and time as tables."""

from __future__ import annotations

from collections.abc import Iterable

from archdsl.analysis.memory.result import Memory, Roofline, Training
from archdsl.analysis.part import Number
from archdsl.analysis.tables import Cell, Column, Table, collapsed, unit
from archdsl.ir.dim import total
from archdsl.ir.formula import read


def memory_tables(part: Memory, depth: int) -> tuple[Table, ...]:
    """Bytes by what they are for, then what is saved by layer, then caches."""
    tables = [_kinds(part)]
    if part.saved_by_layer:
        tables.append(_saved(part, depth))
    if part.caches:
        tables.append(_caches(part, depth))
    return tuple(tables)


def _kinds(part: Memory) -> Table:
    trained = f"{part.precision}, {part.optimizer}"
    rows: list[tuple[Cell, ...]] = [
        ("weights", part.weights, f"the parameters, in {part.precision}"),
        ("gradients", part.gradients, "one for each parameter that is trained"),
        ("optimizer state", part.optimizer_state, f"of {trained}"),
        ("buffers", part.buffers, "held and not learned"),
        ("saved for backward", part.saved, "what autograd holds after a forward pass"),
        ("training", part.training, "all of these, when the forward pass is done"),
        ("peak live", part.peak, "tensors at once in inference, eager"),
        ("inference", part.inference, "weights, buffers and the peak"),
    ]
    notes = ["activations are in fp32, those of batches as --size B=… says"]
    if part.multiples > 1:
        notes.append(f"formulas are for sizes that are multiples of {part.multiples}")
    if part.unknown:
        notes.append(part.unknown)
    columns = (
        Column("what", "memory"),
        Column("bytes", "bytes", "exact"),
        Column("meaning", "what it is"),
    )
    return Table("memory", "Memory", columns, tuple(rows), tuple(notes))


def _saved(part: Memory, depth: int) -> Table:
    sums: dict[tuple[str, str], int] = {}
    for row in part.saved_by_layer:
        what = "" if depth else row.function
        key = collapsed(row.path, depth) or "(model)", what
        sums[key] = sums.get(key, 0) + row.bytes
    whole = sum(sums.values()) or 1
    columns = [
        Column("layer", "layer"),
        Column("function", "function"),
        Column("bytes", "saved", "bytes"),
        Column("share", "share", "ratio"),
    ]
    rows = [
        (path, what, size, round(size / whole, 3))
        for (path, what), size in sums.items()
    ]
    if depth:
        del columns[1]
        found = tuple((path, size, share) for path, _, size, share in rows)
        return Table("saved", "Saved for backward", tuple(columns), found)
    return Table("saved", "Saved for backward", tuple(columns), tuple(rows))


def _caches(part: Memory, depth: int) -> Table:
    groups: dict[tuple[str, bool], list[tuple[Number, Number]]] = {}
    for row in part.caches:
        key = collapsed(row.path, depth), row.cross
        groups.setdefault(key, []).append((row.position_bytes, row.bytes))
    rows: list[tuple[Cell, ...]] = []
    for (path, cross), sizes in groups.items():
        kind = "another tensor" if cross else "itself"
        each, whole = zip(*sizes, strict=True)
        rows.append((path, kind, _sum(each), _sum(whole)))
    grown = [row for row in part.caches if not row.cross]
    rows.append(
        (
            "all",
            "",
            _sum(row.position_bytes for row in grown),
            _sum(row.bytes for row in part.caches),
        )
    )
    columns = (
        Column("layer", "layer"),
        Column("of", "attends to"),
        Column("position_bytes", "per position", "exact"),
        Column("bytes", "in all", "bytes"),
    )
    count = grown[0].positions
    note = f"in {part.precision}, for {count} positions; per position: what grows"
    return Table("cache", "Keys and values cached", columns, tuple(rows), (note,))


def training_tables(part: Training, depth: int) -> tuple[Table, ...]:
    """FLOPs of a step by kind, and by layer with their intensity."""
    return _by_kind(part), _by_layer(part, depth)


def _by_kind(part: Training) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for kind in dict.fromkeys([*part.forward, *part.backward]):
        ahead, back = part.forward.get(kind, 0), part.backward.get(kind, 0)
        rows.append((kind, ahead, back, _sum([ahead, back])))
    first, second = _sum(part.forward.values()), _sum(part.backward.values())
    rows.append(("all", first, second, _sum([first, second])))
    columns = (
        Column("kind", "FLOPs"),
        Column("forward", "forward", "short"),
        Column("backward", "backward", "short"),
        Column("step", "step", "short"),
    )
    notes = (
        "matmul: 2 a MAC; backward: gradients of weights, and of what depends on one",
        "element-wise gradients are counted by convention (docs/memory.md)",
    )
    return Table("training", "A step of training", columns, tuple(rows), notes)


def _by_layer(part: Training, depth: int) -> Table:
    groups: dict[str, list[tuple[Number, Number, Number, str]]] = {}
    for row in part.layers:
        found = groups.setdefault(collapsed(row.path, depth), [])
        found.append((row.forward, row.backward, row.bytes, row.kind))
    rows: list[tuple[Cell, ...]] = []
    for path, group in groups.items():
        ahead, back, moved, kinds = zip(*group, strict=True)
        sums = _sum(ahead), _sum(back), _sum(moved)
        kind = kinds[0] if len(set(kinds)) == 1 else _most(group)
        rows.append((path, kind, *sums, _ratio(sums[0], sums[2])))
    columns = (
        Column("layer", "layer"),
        Column("kind", "mostly"),
        Column("forward", "forward", "short"),
        Column("backward", "backward", "short"),
        Column("bytes", "moved", "bytes"),
        Column("intensity", "FLOPs/byte", "ratio"),
    )
    note = "moved: inputs, weights and outputs of each forward pass, in fp32"
    return Table("work", "By layer", columns, tuple(rows), (note,))


def _most(group: list[tuple[Number, Number, Number, str]]) -> str:
    """The kind with the most FLOPs, where these are numbers."""
    counts: dict[str, int] = {}
    for ahead, _, _, kind in group:
        if isinstance(ahead, int):
            counts[kind] = counts.get(kind, 0) + ahead
    return max(counts, key=lambda kind: counts[kind]) if counts else "matmul"


def _ratio(flops: Number, moved: Number) -> float | None:
    if isinstance(flops, str) or isinstance(moved, str) or not moved:
        return None
    return flops / moved


def roofline_tables(part: Roofline, depth: int) -> tuple[Table, ...]:
    """The least time by layer."""
    groups: dict[str, list[tuple[int, int, float, str]]] = {}
    for row in part.layers:
        found = groups.setdefault(collapsed(row.path, depth), [])
        found.append((row.flops, row.bytes, row.seconds, row.bound))
    rows: list[tuple[Cell, ...]] = []
    for path, group in groups.items():
        flops, moved, times, _ = zip(*group, strict=True)
        waits = {
            b: sum(r[2] for r in group if r[3] == b) for b in ("compute", "memory")
        }
        bound = max(waits, key=lambda b: waits[b]) if sum(times) else ""
        share = round(sum(times) / part.seconds, 3) if part.seconds else None
        rows.append((path, sum(flops), sum(moved), bound, sum(times), share))
    rows.append(
        (
            "all",
            sum(row.flops for row in part.layers),
            sum(row.bytes for row in part.layers),
            "",
            part.seconds,
            1.0 if part.seconds else None,
        )
    )
    columns = (
        Column("layer", "layer"),
        Column("flops", "FLOPs", "short"),
        Column("bytes", "moved", "bytes"),
        Column("bound", "waits for"),
        Column("seconds", "at least", "seconds"),
        Column("share", "share", "ratio"),
    )
    title = f"Forward pass on {part.device}, at least"
    return (Table("roofline", title, columns, tuple(rows), _assumed(part)),)


def _assumed(part: Roofline) -> tuple[str, ...]:
    how = "element-wise ops fused" if part.fused else "eager, every op by itself"
    peaks = f"{unit(part.matmul_peak)}FLOP/s of matmul in {part.precision}"
    return (
        f"assumed: {peaks}, {unit(part.vector_peak)}FLOP/s of all else,",
        f"{unit(part.bandwidth)}B/s of memory; {how}; launches cost nothing",
        "an op takes the longer of FLOPs / peak and bytes / bandwidth: a lower bound",
        f"source: {part.source}",
    )


def _sum(values: Iterable[Number]) -> Number:
    found = list(values)
    texts = [v for v in found if isinstance(v, str)]
    plain = sum(v for v in found if isinstance(v, int))
    return str(total([plain, *map(read, texts)])) if texts else plain

"""A report for people's eyes: as text, and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.analysis.part import Number
from archdsl.analysis.report import LayerReport, Report, number
from archdsl.analysis.sections import SECTIONS
from archdsl.analysis.tables import Column, Table, collapsed, markdown, text, unit
from archdsl.ir.dim import total
from archdsl.ir.formula import read, terms

BASE = ("params", "flops", "memory")  # what every report holds
_WIDTH = 100  # columns of a line

_COLUMNS = {
    "params": (Column("params", "params", "exact"),),
    "flops": (Column("macs", "MACs", "short"), Column("flops", "FLOPs", "short")),
}


def as_text(report: Report, shown: Sequence[str], depth: int) -> str:
    """The report for a terminal.

    Args:
        report: What to show.
        shown: Of `BASE`, and keys of sections that the report has.
        depth: How many names of a path make a row; 0 for every op.
    """
    parts = [_head(report)]
    if base := _base(report, shown):
        parts += [*map(text, _by_layer(report, base, depth)), _totals(report, base)]
    parts += map(text, _sections(report, shown, depth))
    return "\n\n".join(parts + _assumptions(report))


def as_markdown(report: Report, shown: Sequence[str], depth: int) -> str:
    """The report as a page; arguments as for `as_text`."""
    head, *rows = _head(report).split("\n")
    lists = "\n".join(f"- `{' '.join(row.split())}`" for row in rows)
    parts = [f"## {head}\n\n{lists}", markdown(as_tables(report, shown, depth))]
    found = (line for part in _assumptions(report) for line in part.split("\n"))
    return "\n\n".join([*parts, *found])


def as_tables(report: Report, shown: Sequence[str], depth: int) -> list[Table]:
    """All tables of a report, the one by layer first; arguments as for `as_text`."""
    base = _base(report, shown)
    own = [*_by_layer(report, base, depth), _summed(report, base)] if base else []
    return [*own, *_sections(report, shown, depth)]


def _base(report: Report, shown: Sequence[str]) -> list[str]:
    """What is shown of every report, but for what a section says better."""
    return [n for n in BASE if n in shown and getattr(report, n, None) is None]


def _sections(report: Report, shown: Sequence[str], depth: int) -> list[Table]:
    found: list[Table] = []
    for section in SECTIONS:
        part = getattr(report, section.key)
        if part is not None and section.key in shown:
            found += part.tables(depth)
    return found


def _head(report: Report) -> str:
    rows = [(f"input {n}", str(t)) for n, t in report.inputs.items()]
    rows += [(f"output {n}", str(t)) for n, t in report.outputs.items()]
    width = max(len(words) for words, _ in rows)
    return "\n".join([report.model, *(f"  {w:{width}}  {t}" for w, t in rows)])


# --- layers -------------------------------------------------------------------------


def _by_layer(report: Report, shown: Sequence[str], depth: int) -> list[Table]:
    """The table by layer, if there is a figure for it."""
    columns = [c for name in shown for c in _COLUMNS.get(name, ())]
    if not columns or not report.layers:
        return []
    rows = []
    for path, group in _grouped(report.layers, depth):
        sums = (_sum(getattr(layer, c.key) for layer in group) for c in columns)
        rows.append((path, str(group[-1].output), *sums))
    head = (Column("layer", "layer"), Column("output", "output"), *columns)
    return [Table("layers", "", head, tuple(rows))]


def _grouped(
    layers: Iterable[LayerReport], depth: int
) -> list[tuple[str, list[LayerReport]]]:
    groups: dict[str, list[LayerReport]] = {}
    for layer in layers:
        groups.setdefault(collapsed(layer.path, depth), []).append(layer)
    return list(groups.items())


def _sum(values: Iterable[Number]) -> Number:
    found = list(values)
    texts = [v for v in found if isinstance(v, str)]
    plain = sum(v for v in found if isinstance(v, int))
    return number(total([plain, *map(read, texts)])) if texts else plain


# --- totals -------------------------------------------------------------------------


def _summed(report: Report, shown: Sequence[str]) -> Table:
    """The totals as a table."""
    columns = (
        Column("figure", "figure"),
        Column("value", "value", "exact"),
        Column("meaning", "meaning"),
    )
    rows = tuple((n.strip(), v, words) for n, v, words in _figures(report, shown))
    return Table("totals", "Totals", columns, rows, (f"for {_batch(report)}",))


def _figures(report: Report, shown: Sequence[str]) -> list[tuple[str, Number, str]]:
    t = report.totals
    rows: list[tuple[str, Number, str]] = []
    if "params" in shown:
        rows += [("params", t.params, "learned elements, shared ones once")]
        if t.trainable_params != t.params:
            words = "those that training changes; the others are frozen"
            rows += [("  trainable", t.trainable_params, words)]
        rows += [("buffers", t.buffers, "elements held and not learned")]
    if "flops" in shown:
        rows += [("MACs", t.macs, "multiply-accumulates of matrix products")]
        rows += [("matmul FLOPs", t.matmul_flops, "2 x MACs")]
        rows += [("FLOPs", t.flops, "matmul FLOPs and:")]
        rows += [
            (f"  {kind}", count, "") for kind, count in t.elementwise.items() if count
        ]
        rows += _of_a_token(report)
    if "memory" in shown:
        rows += [("weight bytes", t.weight_bytes, "the parameters, in float32")]
        rows += [("activation bytes", t.activation_bytes, "all tensors that ops write")]
    return rows


def _of_a_token(report: Report) -> list[tuple[str, Number, str]]:
    """What the last token costs, where those before it are cached.

    Of all positions together it is one share: a causal mask saves nothing, so that
    each position asks all.
    """
    caches = report.memory.caches if report.memory else ()
    counts = {row.positions for row in caches}
    flops, count = report.totals.flops, next(iter(counts), 0)
    if any(row.cross for row in caches) or len(counts) != 1:
        return []
    if not isinstance(flops, int) or not isinstance(count, int):
        return []
    words = f"of the {count:,}th, those before it cached"
    return [("FLOPs a token", flops // count, words)]


def _totals(report: Report, shown: Sequence[str]) -> str:
    """The totals as text: long formulas go over several lines."""
    rows = _figures(report, shown)
    names = max(len(name) for name, _, _ in rows)
    numbers = max([len(f"{v:,}") for _, v, _ in rows if isinstance(v, int)], default=0)
    lines = []
    for name, value, words in rows:
        if isinstance(value, str):
            lines += _wrapped(f"{name:{names}}  ", value)
            continue
        figures = f"{value:>{numbers},}  {unit(value):>7}"
        lines.append(f"{name:{names}}  {figures}  {words}".rstrip())
    return "\n".join([*lines, "", f"for {_batch(report)}"])


def _wrapped(head: str, formula: str) -> list[str]:
    """A formula on as many lines as it needs, broken between its terms."""
    lines, line = [], head
    for term in terms(formula):
        if len(line) + len(term) >= _WIDTH and line.strip() and line != head:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += f"{term} "
    return [*lines, line.rstrip()]


def _assumptions(report: Report) -> list[str]:
    """What the shapes need of open sizes, and what only the figures do."""
    parts = []
    for needed_for, words in (("shapes", "holds for"), ("costs", "costs are for")):
        found = [a for a in report.assumptions if a.needed_for == needed_for]
        wide = max((len(a.text) for a in found), default=0)
        rows = [f"{a.text:{wide}}  {a.cause}, {a.file}:{a.line}" for a in found]
        if rows:
            parts.append(f"{words} " + f"\n{' ' * len(words)} ".join(rows))
    return parts


def _batch(report: Report) -> str:
    batches = {size for t in report.inputs.values() for n, size in t.axes if n == "B"}
    return (
        " and ".join(f"a batch of {b}" for b in sorted(batches, key=str)) or "one run"
    )

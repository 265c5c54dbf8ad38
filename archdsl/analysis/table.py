"""A report as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.analysis.report import LayerReport, Number, Report, TensorReport, number
from archdsl.ir.dim import total
from archdsl.ir.formula import read, short, terms

_WIDEST, _WIDTH = 36, 100  # columns of a formula in a row, and of a line


def table(report: Report, shown: Sequence[str], depth: int) -> str:
    """The report as text.

    Args:
        report: What to show.
        shown: Of "params", "flops" and "memory".
        depth: How many names of a path make a row; 0 for every op.
    """
    parts = [_head(report), _rows(report, shown, depth), _totals(report, shown)]
    if "…" in parts[1]:
        parts.append("… stands for the rest of a formula; --json prints all of it")
    parts += _assumptions(report)
    return "\n\n".join(parts)


def _head(report: Report) -> str:
    rows = [(report.model, "", "")]
    rows += [("", f"input {n}", _shape(t)) for n, t in report.inputs.items()]
    rows += [("", f"output {n}", _shape(t)) for n, t in report.outputs.items()]
    width = max(len(middle) for _, middle, _ in rows[1:])
    return "\n".join([report.model, *(f"  {m:{width}}  {t}" for _, m, t in rows[1:])])


def _shape(tensor: TensorReport) -> str:
    inside = ", ".join(
        n if (n == "B" and s == 1) or n == s else f"{n} = {s}" for n, s in tensor.axes
    )
    return f"{'' if tensor.dtype == 'float' else tensor.dtype}[{inside}]"


# --- layers -------------------------------------------------------------------------


def _rows(report: Report, shown: Sequence[str], depth: int) -> str:
    head = ["layer", "output"]
    head += ["params"] * ("params" in shown) + ["MACs", "FLOPs"] * ("flops" in shown)
    rows = [head]
    for path, group in _grouped(report.layers, depth):
        row = [path, _shape(group[-1].output)]
        if "params" in shown:
            params = _sum(g.params for g in group)
            row.append(_short(params) if isinstance(params, str) else _exact(params))
        if "flops" in shown:
            row += [
                _short(_sum(g.macs for g in group)),
                _short(_sum(g.flops for g in group)),
            ]
        rows.append(row)
    return _aligned(rows)


def _grouped(
    layers: Iterable[LayerReport], depth: int
) -> list[tuple[str, list[LayerReport]]]:
    groups: dict[str, list[LayerReport]] = {}
    for layer in layers:
        names = layer.path.split(".")
        key = ".".join(names[:depth] if depth else names)
        groups.setdefault(key, []).append(layer)
    return list(groups.items())


def _sum(values: Iterable[Number]) -> Number:
    found = list(values)
    texts = [v for v in found if isinstance(v, str)]
    plain = sum(v for v in found if isinstance(v, int))
    return number(total([plain, *map(read, texts)])) if texts else plain


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# --- totals -------------------------------------------------------------------------


def _totals(report: Report, shown: Sequence[str]) -> str:
    t = report.totals
    rows: list[tuple[str, Number, str]] = []
    if "params" in shown:
        rows += [("params", t.params, "learned elements, shared ones once")]
        rows += [("buffers", t.buffers, "elements held and not learned")]
    if "flops" in shown:
        rows += [("MACs", t.macs, "multiply-accumulates of matrix products")]
        rows += [("matmul FLOPs", t.matmul_flops, "2 x MACs")]
        rows += [("FLOPs", t.flops, "matmul FLOPs and:")]
        rows += [
            (f"  {kind}", count, "") for kind, count in t.elementwise.items() if count
        ]
    if "memory" in shown:
        rows += [("weight bytes", t.weight_bytes, "the parameters, in float32")]
        rows += [("activation bytes", t.activation_bytes, "all tensors that ops write")]
    names = max(len(name) for name, _, _ in rows)
    numbers = max([len(_exact(v)) for _, v, _ in rows if isinstance(v, int)], default=0)
    lines = []
    for name, value, words in rows:
        if isinstance(value, str):
            lines += _wrapped(f"{name:{names}}  ", value)
            continue
        figures = f"{_exact(value):>{numbers}}  {_unit(value):>7}"
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


def _exact(value: Number) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _short(value: Number) -> str:
    if isinstance(value, str):
        return short(value, _WIDEST)
    return (_unit(value) or _exact(value)) if value else "0"


def _unit(value: Number) -> str:
    """``4.491 G``, or "" for a small number or a formula."""
    if not isinstance(value, int):
        return ""
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return ""

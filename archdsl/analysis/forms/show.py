"""Closed forms of a model, made and shown; docs/paths.md has the names in them."""

from __future__ import annotations

from archdsl.analysis.forms.blocks import forms
from archdsl.analysis.forms.result import ClosedForm, ClosedForms
from archdsl.analysis.tables import Column, Table
from archdsl.ir.dim import Size
from archdsl.ir.graph import Graph

_COLUMNS = (
    Column("layer", "layer"),
    Column("count", "uses", "exact"),
    Column("macs", "MACs"),
    Column("flops", "FLOPs", "short"),
)
_NOTES = (
    "in the sizes of a layer itself: axes of what goes in, hyperparameters by name",
    "k: kernel, M: window, h: heads, D: features that come out where these are not C",
)


def find(graph: Graph) -> ClosedForms:
    """The closed forms of a model's blocks, then of its ops with matrix products.

    Raises:
        SpecError: A formula grows too long.
    """
    rows = [
        ClosedForm(
            layer=row.name,
            block=row.block,
            count=row.count,
            macs=str(row.form.macs),
            params=_text(row.form.params),
            flops=_text(row.form.flops),
        )
        for row in forms(graph)
    ]
    return ClosedForms(layers=tuple(rows))


def _text(size: Size | None) -> str | None:
    return None if size is None else str(size)


def tables(part: ClosedForms, depth: int) -> tuple[Table, ...]:
    """One table, of what --flops is about; none where nothing has a formula.

    Args:
        part: The closed forms.
        depth: Does not matter.
    """
    rows = tuple((row.layer, row.count, row.macs, row.flops) for row in part.layers)
    title = "Closed forms by layer"
    table = Table("closed_forms", title, _COLUMNS, rows, _NOTES)
    return (table,) if rows else ()

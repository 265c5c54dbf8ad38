"""Closed forms as a part of a report."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.analysis.part import Part, Section
from archdsl.analysis.tables import Table


class ClosedForm(Part):
    """What uses of a block or op cost in their own sizes.

    Attributes:
        layer: The block or op.
        block: Whether it is a block.
        count: How many uses of it have this formula.
        macs: Its MACs.
        params: Its parameters; None where the uses differ.
        flops: Its FLOPs; None where the uses differ.
    """

    layer: str
    block: bool
    count: int
    macs: str
    params: str | None
    flops: str | None


class ClosedForms(Section):
    """The closed forms of a model, blocks before ops with matrix products."""

    layers: tuple[ClosedForm, ...]

    def tables(self, depth: int) -> Sequence[Table]:
        """One for the model as a whole, others by layer."""
        from archdsl.analysis.forms.show import tables

        return tables(self, depth)

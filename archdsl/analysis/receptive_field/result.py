"""Receptive fields as a part of a report, and for promises in a spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from archdsl.analysis.part import Part, Section
from archdsl.analysis.tables import Table

Sees: TypeAlias = Literal["all", "prefix", "suffix", "window", "unknown"]


class AxisField(Part):
    """What the positions of a value see along one axis of an input.

    Sizes are counted in input positions, and are those of the hull: from the first to
    the last position that has an effect, borders cut off. Where sizes are open they
    are None. The closed figures are those of Araujo et al. 2019, on a map without
    borders and without gates; None where windows are not even.

    Attributes:
        input: The input.
        axis: Its axis.
        length: The size of that axis, or None where it is open.
        size: The largest field of any position.
        least: The smallest field of a position that sees any of the input.
        centre: The field of the position in the middle of every axis; None where that
            sees nothing.
        at: First and last input position that the asked position sees.
        sees: "all" where every position sees the whole axis; "prefix" where position i
            sees 0 … i, "suffix" where i sees i and all after it; else "window".
        ungated: `size` where gates do not count; None without gates.
        unbounded: The field where there are no borders.
        stride: The input positions between the fields of two neighbours.
        padding: How far the first field begins before the input.
        offset: The middle of the first field.
    """

    input: str
    axis: str
    length: int | None = None
    size: int | None = None
    least: int | None = None
    centre: int | None = None
    at: tuple[int, int] | None = None
    sees: Sees = "unknown"
    ungated: int | None = None
    unbounded: int | None = None
    stride: int | None = None
    padding: int | None = None
    offset: float | None = None


class LayerField(Part):
    """What the output of one op sees.

    Attributes:
        path: The op.
        fields: One for each axis of each input of which it sees anything.
    """

    path: str
    fields: tuple[AxisField, ...]


class OutputField(Part):
    """What an output of the model sees along one axis of one input.

    Attributes:
        output: The output.
        field: What it sees.
        everything_from: The layer from which on all layers that lead to it see the
            whole axis from every position; None where it does not itself.
        everything_from_ungated: The same where gates do not count; None without gates.
        map: The last layer before it that has positions, if it has none itself.
        map_field: What that sees.
    """

    output: str
    field: AxisField
    everything_from: str | None = None
    everything_from_ungated: str | None = None
    map: str | None = None
    map_field: AxisField | None = None


class ReceptiveField(Section):
    """Which input positions layers and outputs depend on, nothing being run.

    Attributes:
        outputs: For each output, and each axis of each input that it sees.
        layers: Every op in order, blocks opened.
        has_gates: Whether a factor without positions multiplies what has some.
        open: Sizes without which only the closed figures are known.
    """

    outputs: tuple[OutputField, ...]
    layers: tuple[LayerField, ...]
    has_gates: bool
    open: tuple[str, ...]

    def size(
        self,
        axis: str,
        *,
        input: str | None = None,
        output: str | None = None,
        gates: bool = True,
    ) -> int | None:
        """The largest field of any position of the outputs.

        Args:
            axis: An axis of an input.
            input: Only that of this input.
            output: Only that of this output.
            gates: Whether gates count.

        Returns:
            Input positions, 0 where no output sees any; None where the size is open.
        """
        found = [
            (o.field.size if gates or not self.has_gates else o.field.ungated)
            for o in self.outputs
            if o.field.axis == axis
            and input in (None, o.field.input)
            and output in (None, o.output)
        ]
        if any(size is None for size in found):
            return None
        return max((size for size in found if size is not None), default=0)

    def published(self, axis: str, input: str = "") -> int | None:
        """The field as papers count it: of the last map before an output.

        Without borders and gates where windows are even, else within the input; the
        largest, where there are several outputs.

        Args:
            axis: An axis of an input.
            input: Only that of this input; "" for all.

        Returns:
            Input positions, 0 where no output sees any; None where the size is open.
        """
        found = []
        for output in self.outputs:
            field = output.map_field or output.field
            if field.axis == axis and input in ("", field.input):
                size = field.ungated if self.has_gates else field.size
                found.append(size if field.unbounded is None else field.unbounded)
        if any(size is None for size in found):
            return None
        return max((size for size in found if size is not None), default=0)

    def tables(self, depth: int) -> Sequence[Table]:
        """One for the model as a whole, others by layer."""
        from archdsl.analysis.receptive_field.show import tables

        return tables(self, depth)

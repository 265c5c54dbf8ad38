"""The paths of a model as a part of its report; docs/paths.md has the definitions."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.analysis.part import Number, Part, Section
from archdsl.analysis.tables import Table


class KindPaths(Part):
    """Layers of one kind, in numbers and in closed form.

    Attributes:
        layer: The op or block; "scan" for a recurrence that is written out.
        block: Whether it is a block.
        count: How many layers of the kind the model runs.
        sizes: What the names in the formulas stand for.
        complexity: Multiply-accumulates that relate positions, without constants.
        complexity_form: Its formula.
        sequential: Operations of one layer that wait for one another.
        stacks: Whether the layer keeps its positions, so that it can stand on itself.
        maximum: Layers until every position depends on all that it ever will; steps,
            of a recurrence. None for never, and for layers that do not stack.
        maximum_form: Its formula, where one is known that gives the number.
        meet: Layers until some position depends on all.
        meet_form: Its formula.
    """

    layer: str
    block: bool
    count: int
    sizes: dict[str, Number]
    complexity: Number | None
    complexity_form: str | None
    sequential: Number
    stacks: bool
    maximum: Number | None
    maximum_form: str | None
    meet: Number | None
    meet_form: str | None


class InputPaths(Part):
    """Where the positions of an axis of an input meet in the model.

    Attributes:
        input: The input.
        axis: The axis.
        size: How long it is.
        layers: The layers until every two positions have met; None for never.
        first: For each distance from 1 on, the layers until some two positions so far
            apart have met; None for never.
        every: The same for every two positions so far apart.
    """

    input: str
    axis: str
    size: int
    layers: int | None
    first: tuple[int | None, ...]
    every: tuple[int | None, ...]


class ModelPaths(Section):
    """How far apart positions are.

    Attributes:
        sequential: The longest chain of operations that wait for one another.
        depth: Those of such a chain that multiply matrices.
        maximum: The layers on the longest of the shortest paths over which two
            positions of an input meet; None for never, and where that is not known.
        inputs: The same by input, axis and distance; none where that is not known.
        unknown: Why it is not: a size is open, or there are too many positions.
        kinds: The kinds of layers that relate positions.
    """

    sequential: Number
    depth: Number
    maximum: int | None
    inputs: tuple[InputPaths, ...]
    unknown: str
    kinds: tuple[KindPaths, ...]

    def tables(self, depth: int) -> Sequence[Table]:
        """One for the model as a whole, others by layer."""
        from archdsl.analysis.paths.show import tables

        return tables(self, depth)

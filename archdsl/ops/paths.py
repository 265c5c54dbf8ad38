"""How a layer relates positions, in closed form, as Vaswani et al. (2017) compare them.

Every figure is a size: a number where the sizes are, a formula where they are open.
The analysis asks for both, and prints a formula only where it gives the number that
was found by following dependences (docs/paths.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from archdsl.ir.dim import Size


@dataclass(frozen=True)
class Paths:
    """What table 1 of Vaswani et al. 2017 says of a layer.

    Attributes:
        complexity: The multiply-accumulates that relate positions, without constant
            factors and without maps of each position by itself.
        maximum: How many layers of this kind, one upon another, until every output
            position depends on every input position that it ever will: for each axis,
            of which the largest counts. Of a recurrence, how many steps.
        meet: How many until some output position depends on all, for each axis.
    """

    complexity: Size
    maximum: tuple[Size, ...] = ()
    meet: tuple[Size, ...] = ()

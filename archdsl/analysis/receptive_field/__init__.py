"""Receptive fields: exact, nothing being run, along each axis of each input.

From the input on, every value has for each of its positions the interval of input
positions that it depends on; every op says what it asks of those before it
(`Op.spread`). See docs/receptive-fields.md.
"""

from __future__ import annotations

from archdsl.analysis.receptive_field.find import intervals, receptive_field
from archdsl.analysis.receptive_field.result import ReceptiveField

__all__ = ["ReceptiveField", "intervals", "receptive_field"]

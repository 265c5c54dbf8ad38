"""Receptive fields: exact, nothing being run, along each axis of each input.

From the input on, every value has for each of its positions the interval of input
positions that it depends on; every op says what it asks of those before it
(`Op.spread`). See docs/receptive-fields.md.
"""

from __future__ import annotations

from archdsl.analysis.receptive_field.reader import find, intervals, published
from archdsl.analysis.receptive_field.result import ReceptiveField
from archdsl.analysis.receptive_field.show import tables

__all__ = ["ReceptiveField", "find", "intervals", "published", "tables"]

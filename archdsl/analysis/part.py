"""What every part of a report is: frozen, and the same in Python and in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from archdsl.analysis.tables import Table

Number: TypeAlias = int | str
"""A figure; a formula where a size is open."""


class Part(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Section(Part):
    """A part that is made when it is asked for."""

    def tables(self, depth: int) -> Sequence[Table]:
        """Its tables, collapsed to so many names of a path; 0 for every op."""
        raise NotImplementedError

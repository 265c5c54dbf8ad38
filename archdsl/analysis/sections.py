"""The parts of a report that are made when they are asked for.

An analysis is a module with two functions: ``find(graph, …)`` makes its part of the
report, a frozen pydantic model, and ``tables(part, depth)`` shows it. A `Section` here
gives it its option, its key in a report and what it needs of the options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.analysis.tables import Table
from archdsl.ir.graph import Graph


@dataclass(frozen=True)
class Options:
    """What the options of a command say to the analyses."""

    at: Mapping[str, int] = field(default_factory=dict)


class Section(NamedTuple):
    """One part of a report.

    Attributes:
        key: The field of `Report`; its option is the same with dashes.
        help: What the option does.
        find: Makes the part.
        tables: Shows it, collapsed to so many names of a path; 0 for every op.
    """

    key: str
    help: str
    find: Callable[[Graph, Options], object]
    tables: Callable[[object, int], Sequence[Table]]

    @property
    def option(self) -> str:
        """As written on a command line."""
        return "--" + self.key.replace("_", "-")


SECTIONS: tuple[Section, ...] = ()

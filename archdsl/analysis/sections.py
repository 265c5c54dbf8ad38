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


def _paths(graph: Graph, options: Options) -> object:
    from archdsl.analysis.paths.find import find

    return find(graph)


def _path_tables(part: object, depth: int) -> Sequence[Table]:
    from archdsl.analysis.paths.result import ModelPaths
    from archdsl.analysis.paths.show import tables

    assert isinstance(part, ModelPaths)
    return tables(part, depth)


def _closed_forms(graph: Graph, options: Options) -> object:
    from archdsl.analysis.forms.show import find

    return find(graph)


def _form_tables(part: object, depth: int) -> Sequence[Table]:
    from archdsl.analysis.forms.result import ClosedForms
    from archdsl.analysis.forms.show import tables

    assert isinstance(part, ClosedForms)
    return tables(part, depth)


SECTIONS: tuple[Section, ...] = (
    Section(
        "paths",
        "Show sequential steps, and how many layers lie between positions.",
        _paths,
        _path_tables,
    ),
    Section(
        "closed_forms",
        "Show the costs of blocks in their own sizes; --flops does so too.",
        _closed_forms,
        _form_tables,
    ),
)

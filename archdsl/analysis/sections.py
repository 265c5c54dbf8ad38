"""The parts of a report that are made when they are asked for.

An analysis is a module with two functions: ``find(graph, …)`` makes its part of the
report, a frozen pydantic model, and ``tables(part, depth)`` shows it. A `Section` here
gives it its option, its key in a report and what it needs of the options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import NamedTuple

from archdsl.analysis.memory.names import Optimizer, Precision
from archdsl.analysis.tables import Table
from archdsl.ir.graph import Graph


@dataclass(frozen=True)
class Options:
    """What the options of a command say to the analyses."""

    at: Mapping[str, int] = field(default_factory=dict)
    optimizer: Optimizer = "adam"
    precision: Precision = "fp32"
    device: str = "h100"
    fused: bool = False


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


def _memory(graph: Graph, options: Options) -> object:
    # What a run holds hangs on the code that is written for it.
    compiled = import_module("archdsl.backends.torch.memory")
    return compiled.memory(graph, options.optimizer, options.precision)


def _memory_tables(part: object, depth: int) -> Sequence[Table]:
    from archdsl.analysis.memory.result import Memory
    from archdsl.analysis.memory.show import memory_tables

    assert isinstance(part, Memory)
    return memory_tables(part, depth)


def _training(graph: Graph, options: Options) -> object:
    from archdsl.analysis.memory.find import training

    return training(graph)


def _training_tables(part: object, depth: int) -> Sequence[Table]:
    from archdsl.analysis.memory.result import Training
    from archdsl.analysis.memory.show import training_tables

    assert isinstance(part, Training)
    return training_tables(part, depth)


def _roofline(graph: Graph, options: Options) -> object:
    from archdsl.analysis.memory.find import roofline

    fused, precision = options.fused, options.precision
    return roofline(graph, options.device, precision, fused=fused)


def _roofline_tables(part: object, depth: int) -> Sequence[Table]:
    from archdsl.analysis.memory.result import Roofline
    from archdsl.analysis.memory.show import roofline_tables

    assert isinstance(part, Roofline)
    return roofline_tables(part, depth)


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
        "memory",
        "Show bytes of weights, training, inference and caches.",
        _memory,
        _memory_tables,
    ),
    Section(
        "training",
        "Show FLOPs of a step of training, and FLOPs a byte.",
        _training,
        _training_tables,
    ),
    Section(
        "roofline",
        "Show the least time of each layer on --device.",
        _roofline,
        _roofline_tables,
    ),
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

"""The parts of a report that are made when they are asked for.

An analysis has a function ``find(graph, …)`` that makes its part of the report, and the
part knows its tables. A `Section` here gives it its option, its key in a report and
what it needs of the options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import NamedTuple

from archdsl.analysis.memory.names import Optimizer, Precision
from archdsl.analysis.part import Section as Part
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
    """

    key: str
    help: str
    find: Callable[[Graph, Options], Part]

    @property
    def option(self) -> str:
        """As written on a command line."""
        return "--" + self.key.replace("_", "-")


def _fields(graph: Graph, options: Options) -> Part:
    from archdsl.analysis.receptive_field import find

    return find(graph, options.at)


def _memory(graph: Graph, options: Options) -> Part:
    # What a run holds hangs on the code that is written for it.
    compiled = import_module("archdsl.backends.torch.memory")
    found = compiled.memory(graph, options.optimizer, options.precision)
    assert isinstance(found, Part)
    return found


def _training(graph: Graph, options: Options) -> Part:
    from archdsl.analysis.memory.find import training

    return training(graph)


def _roofline(graph: Graph, options: Options) -> Part:
    from archdsl.analysis.memory.find import roofline

    fused, precision = options.fused, options.precision
    return roofline(graph, options.device, precision, fused=fused)


def _paths(graph: Graph, options: Options) -> Part:
    from archdsl.analysis.paths.find import find

    return find(graph)


def _closed_forms(graph: Graph, options: Options) -> Part:
    from archdsl.analysis.forms.show import find

    return find(graph)


SECTIONS: tuple[Section, ...] = (
    Section(
        "receptive_field",
        "Show which input positions layers and outputs depend on.",
        _fields,
    ),
    Section(
        "memory",
        "Show bytes of weights, training, inference and caches.",
        _memory,
    ),
    Section(
        "training",
        "Show FLOPs of a step of training, and FLOPs a byte.",
        _training,
    ),
    Section(
        "roofline",
        "Show the least time of each layer on --device.",
        _roofline,
    ),
    Section(
        "paths",
        "Show sequential steps, and how many layers lie between positions.",
        _paths,
    ),
    Section(
        "closed_forms",
        "Show the costs of blocks in their own sizes; --flops does so too.",
        _closed_forms,
    ),
)

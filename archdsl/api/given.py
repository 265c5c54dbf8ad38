"""What is given with a spec: settings, sizes and outputs, as Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from archdsl.build import build
from archdsl.build.opening import Opened
from archdsl.ir.graph import Graph

Settings: TypeAlias = Mapping[str, object]
Sizes: TypeAlias = Mapping[str, "int | str | None"]


def graph_of(
    opened: Opened,
    settings: Settings | None,
    sizes: Sizes | None,
    outputs: Sequence[str],
) -> Graph:
    """The graph of the model that was named with a spec.

    Raises:
        SpecError: The spec is not right.
        TypeError: The outputs are one text, not a list.
    """
    if isinstance(outputs, str):
        raise TypeError(f"outputs are a list of names: write outputs=[{outputs!r}]")
    return build(opened.program, opened.model, words(settings), sizes, outputs)


def words(settings: Settings | None) -> dict[str, str]:
    """Settings as written in a spec."""
    return {name: word(value) for name, value in (settings or {}).items()}


def word(value: object) -> str:
    """A value as written in a spec; a text is that already."""
    from archdsl.ops.spelling import spelled

    return value if isinstance(value, str) else spelled(value)

"""Every code with its class and the page that explains it.

A page is ``pages/<code>.md``: what the rule means and why there is one, then examples
in fences that say ``arch wrong`` and ``arch right``. A mistake that no spec alone can
hold is shown by commands on the spec of an ``arch`` fence, in ``sh wrong`` and
``sh right``. The text is ``archdsl explain``'s, docs/errors' and SARIF's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import ModuleType

from archdsl.diagnostics import Fault, lints
from archdsl.diagnostics.faults import (
    arguments,
    checkpoints,
    limits,
    models,
    names,
    promises,
    shapes,
    syntax,
)

MODULES = (
    syntax, names, shapes, arguments, models, limits, promises, checkpoints, lints
)  # fmt: skip
_FENCE = re.compile(r"^```([a-z ]+)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A piece of a page: ``arch wrong``, ``sh right`` and so on, and what it holds."""

    kind: str
    text: str


@dataclass(frozen=True)
class Page:
    """What explains a code: paragraphs and examples."""

    prose: str
    examples: tuple[Example, ...]


@cache
def classes() -> dict[str, type[Fault]]:
    """The classes of faults and warnings by code, in the order of the codes."""
    found = [c for module in MODULES for c in _of(module)]
    return {c.code: c for c in sorted(found, key=lambda c: c.code)}


def _of(module: ModuleType) -> list[type[Fault]]:
    """The classes that a module defines."""
    kinds = [c for c in vars(module).values() if isinstance(c, type)]
    own = [c for c in kinds if c.__module__ == module.__name__]
    return [c for c in own if issubclass(c, Fault)]


def warnings() -> list[str]:
    """The codes of the warnings."""
    return [code for code, kind in classes().items() if kind.severity == "warning"]


def title(code: str) -> str:
    """A few words for what a code stands for."""
    text = (classes()[code].__doc__ or "").strip().partition("\n")[0]
    return text.replace("``", "`").rstrip(".")


@cache
def page(code: str) -> Page:
    """The explanation of a code."""
    text = (files("archdsl.diagnostics") / "pages" / f"{code}.md").read_text("utf-8")
    examples = tuple(Example(*match.groups()) for match in _FENCE.finditer(text))
    prose = re.sub(r"\n{3,}", "\n\n", _FENCE.sub("", text)).strip()
    return Page(prose, examples)

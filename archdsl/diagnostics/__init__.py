"""What can be wrong with a spec, as data: a fault says what, a diagnostic also where.

Rules that do not know places (ops, sizes) raise `Refused`; the builder gives it a
span and notes, and collects. Commands and the Python API raise `SpecError`, which
carries every diagnostic of a run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from archdsl.source import Span


@dataclass(frozen=True)
class Fault:
    """What is wrong, without its place.

    A subclass has a stable `code` and three templates over its fields: `title`, the
    sentence; `label`, a few words beside the caret; `help`, the mend. Empty means none.
    """

    code: ClassVar[str] = "E000"
    title: ClassVar[str] = ""
    label: ClassVar[str] = ""
    help: ClassVar[str] = ""

    def _fill(self, template: str) -> str:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return template.format_map(values)

    def message(self) -> str:
        """The sentence."""
        return self._fill(self.title)

    def beside(self) -> str:
        """The words beside the caret."""
        return self._fill(self.label)

    def helps(self) -> tuple[str, ...]:
        """The mends, likeliest first."""
        text = self._fill(self.help)
        return (text,) if text else ()


@dataclass(frozen=True)
class Note:
    """A further fact, with a second place where there is one."""

    message: str
    span: Span | None = None


@dataclass(frozen=True)
class Diagnostic:
    """A fault at a place."""

    fault: Fault
    span: Span
    notes: tuple[Note, ...] = ()

    @property
    def code(self) -> str:
        """The stable code, such as ``E301``."""
        return self.fault.code


class Refused(Exception):
    """Raised by rules that know no places.

    Args:
        fault: What is wrong.
        at: The name of the argument to blame, or "" for the whole call.
    """

    def __init__(self, fault: Fault, at: str = "") -> None:
        super().__init__(fault.message())
        self.fault = fault
        self.at = at


class SpecError(ValueError):
    """A spec that is not right; `diagnostics` holds every error that was found."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self._text())

    def _text(self) -> str:
        from archdsl.diagnostics.render import render

        return "\n" + render(self.diagnostics)


def near(name: str, known: Iterable[str]) -> str:
    """A help that names what was probably meant, or "" if nothing is near."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if not close:
        close = [k for k in names if len(name) > 2 and (name in k or k in name)][:3]
    if not close:
        return ""
    return "did you mean " + " or ".join(f"`{c}`" for c in close) + "?"

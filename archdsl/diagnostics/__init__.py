"""What can be wrong with a spec, as data: a fault says what, a diagnostic also where.

Rules that do not know places (ops, sizes) raise `Refused`; the builder gives it a
span and notes, and collects. Commands and the Python API raise `SpecError`, which
carries every diagnostic of a run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, TypeAlias, dataclass_transform

from archdsl.record import record
from archdsl.source import Span

Severity: TypeAlias = Literal["error", "warning"]
LONGEST_NAME = 60  # that another is suggested for
_MOST_NAMES = 500  # that are compared for a suggestion
_NEXT_BEST = 0.1  # how much less alike than the best another suggestion may be


@dataclass_transform(frozen_default=True)
class Fault:
    """What is wrong, without its place.

    A subclass has a stable `code` and three templates over its fields: `title`, the
    sentence; `label`, a few words beside the caret; `help`, the mend. Empty means none.
    Its annotations are its fields, as in a frozen dataclass; but making a hundred
    dataclasses would take a good part of a short command's time.
    """

    severity: ClassVar[Severity] = "error"
    code: ClassVar[str] = "E000"
    title: ClassVar[str] = ""
    label: ClassVar[str] = ""
    help: ClassVar[str] = ""

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = (n for n, kind in cls.__annotations__.items() if "ClassVar" not in kind)
        cls._fields = (*cls._fields, *own)

    def __init__(self, *args: object, **kwargs: object) -> None:
        values = dict(zip(self._fields, args, strict=False)) | kwargs
        left = [f for f in self._fields if f not in values and not hasattr(self, f)]
        if left or len(args) > len(self._fields) or values.keys() - set(self._fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields)}")
        self.__dict__.update(values)

    def _values(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self._fields}

    def __eq__(self, other: object) -> bool:
        same = type(self) is type(other)
        return same and isinstance(other, Fault) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values().values()))

    def _fill(self, template: str) -> str:
        return template.format_map(self._values())

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


class Lint(Fault):
    """What is legal and probably not meant: a warning, with a code ``W…``."""

    severity = "warning"


@record
class Note:
    """A further fact, with a second place where there is one.

    Attributes:
        message: The fact.
        span: The place.
        shown: Whether the line of that place is worth printing with the error's own,
            where both are in one file.
    """

    message: str
    span: Span | None = None
    shown: bool = True


@record
class Diagnostic:
    """A fault at a place."""

    fault: Fault
    span: Span
    notes: tuple[Note, ...] = ()

    @property
    def code(self) -> str:
        """The stable code, such as ``E301``."""
        return self.fault.code

    @property
    def severity(self) -> Severity:
        """Whether the spec is wrong, or only odd."""
        return self.fault.severity


class Refused(Exception):
    """Raised by rules that know no places.

    Args:
        fault: What is wrong.
        at: The name of the argument to blame, or "" for the whole call.
        notes: Further facts that the rule knows.
    """

    def __init__(
        self, fault: Fault, at: str = "", notes: tuple[Note, ...] = ()
    ) -> None:
        super().__init__(fault.message())
        self.fault = fault
        self.at = at
        self.notes = notes


class SpecError(ValueError):
    """A spec that is not right; `diagnostics` holds every error that was found."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self._text())

    @classmethod
    def at(cls, span: Span, fault: Fault) -> SpecError:
        """One error, at its place."""
        return cls([Diagnostic(fault, span)])

    def _text(self) -> str:
        from archdsl.diagnostics.render import render

        return "\n" + render(self.diagnostics)


def near(name: str, known: Iterable[str]) -> str:
    """A help that names what was probably meant, or "" if nothing is near."""
    names = sorted(n for n in set(known) if len(n) <= LONGEST_NAME)
    if len(name) > LONGEST_NAME:
        return ""
    if len(names) > _MOST_NAMES:
        names = [n for n in names if n[:1] == name[:1]][:_MOST_NAMES]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
    if close:  # near each other, too: `linaer` means `linear`, not `linspace`
        least = difflib.SequenceMatcher(None, close[0], name).ratio() - _NEXT_BEST
        close = difflib.get_close_matches(name, close, n=3, cutoff=least)
    else:
        close = [k for k in names if _akin(name, k)][:3]
    if not close:
        return ""
    return "did you mean " + " or ".join(f"`{c}`" for c in close) + "?"


def _akin(name: str, other: str) -> bool:
    """Whether one is the other's beginning or a word of it: `norm`, `layer_norm`."""
    short, long = sorted((name, other), key=len)
    return len(short) > 2 and (long.startswith(short) or short in long.split("_"))

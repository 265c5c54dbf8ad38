"""Steps: what happens to a tensor on its way from key to key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.checkpoints import BadRule, BadStep, UnknownStep
from archdsl.ir.dim import Poly, Size
from archdsl.source import Span
from archdsl.syntax import tree

WHOLE, POSITIVE = "a whole number from 0", "a whole number from 1"
GRID, TRUTH = "a list of two sizes from 1", "true or false"
# The steps between keys, and what their arguments are.
STEPS: dict[str, dict[str, str]] = {
    "transpose": {},
    "reshape": {},
    "flip": {"dim": WHOLE},
    "rotary": {"heads": POSITIVE},
    "interpolate": {
        "tokens": WHOLE,
        "grid": GRID,
        "antialias": TRUTH,
        "align_corners": TRUTH,
    },
}
TO_OURS = ("reshape", "interpolate")  # what has to know the shape of one key of ours
_NEEDED = ("dim", "heads")

Argument: TypeAlias = int | bool | tuple[Size, ...]


@dataclass(frozen=True)
class Step:
    """What happens to a tensor on its way, its arguments known."""

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ", ".join(f"{k} = {_spelled(v)}" for k, v in self.arguments.items())
        return f"{self.name}({inside})" if inside else self.name


def _spelled(value: Argument) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower()


@dataclass(frozen=True)
class StepRule:
    """A step as it is written: its arguments may depend on what is captured."""

    name: str
    arguments: tuple[tuple[str, tree.Expr], ...]
    span: Span


def read_step(e: tree.Expr) -> StepRule:
    """The step that an expression names, with its arguments.

    Raises:
        SpecError: It is none, or takes others.
    """
    head = e.function if isinstance(e, tree.Call) else e
    if not isinstance(head, tree.Name):
        known = ", ".join(STEPS)
        mend = f"the steps are {known}"
        raise SpecError.at(e.span, BadRule("this is no step", "not a name", mend))
    if head.id not in STEPS:
        raise SpecError.at(head.span, UnknownStep(head.id, tuple(STEPS)))
    names = STEPS[head.id]
    given: dict[str, tree.Expr] = {}
    for argument in e.arguments if isinstance(e, tree.Call) else ():
        free = [n for n in names if n not in given]
        name = argument.name or (free[0] if free else "")
        if name not in free:
            takes = ", ".join(names) or "no arguments"
            found = "given twice" if name in given else "unknown argument"
            fault = BadStep(head.id, f"takes {takes}", found)
            raise SpecError.at(argument.span, fault)
        given[name] = argument.value
    for name in names:
        if name in _NEEDED and name not in given:
            mend = f"write `{head.id}({name} = …)`"
            fault = BadStep(head.id, f"needs `{name}`", "missing", mend)
            raise SpecError.at(e.span, fault)
    return StepRule(head.id, tuple(given.items()), e.span)


def fits(wanted: str, value: object) -> bool:
    """Whether a value is what an argument is to be."""
    if wanted == TRUTH:
        return isinstance(value, bool)
    if wanted == GRID:
        sizes = value if isinstance(value, tuple) else ()
        return len(sizes) == 2 and all(
            _whole(v, 1) or isinstance(v, Poly) for v in sizes
        )
    return _whole(value, 1 if wanted == POSITIVE else 0)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least

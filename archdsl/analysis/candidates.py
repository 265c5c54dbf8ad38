"""Several models that are looked at together, each with settings of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archdsl.build import Program, Signature, build, signature
from archdsl.build.operands import Operand
from archdsl.build.settings import Extent
from archdsl.diagnostics import near
from archdsl.ir.graph import Graph


@dataclass(frozen=True)
class Candidate:
    """A model that was named.

    Attributes:
        asked: What was named, with its own settings.
        program: The file.
        file: What the file is called.
        model: The name of the model in it, "" for the one that is meant.
    """

    asked: Operand
    program: Program
    file: str
    model: str


@dataclass(frozen=True)
class Named:
    """A model, elaborated.

    Attributes:
        name: What it is called here, unlike all others.
        file: Where it comes from.
        settings: What was set of it, as text.
        graph: The model.
    """

    name: str
    file: str
    settings: dict[str, str]
    graph: Graph


def elaborated(
    candidates: Sequence[Candidate],
    settings: Mapping[str, str],
    sizes: Mapping[str, Extent],
) -> tuple[Named, ...]:
    """The models, with settings for all that have such a hyperparameter or axis.

    A candidate's own settings go before those for all.

    Raises:
        SpecError: A spec has errors.
        ValueError: A setting is for none of them.
    """
    found = [(c, signature(c.program, c.model)) for c in candidates]
    _check(settings, {n for _, s in found for n in s.hyperparameters}, "hyperparameter")
    _check(sizes, {n for _, s in found for n in s.axes} | {"B"}, "input axis")
    return _told_apart([_elaborated(c, s, settings, sizes) for c, s in found])


def _elaborated(
    candidate: Candidate,
    of: Signature,
    settings: Mapping[str, str],
    sizes: Mapping[str, Extent],
) -> Named:
    asked = candidate.asked
    chosen = {n: v for n, v in settings.items() if n in of.hyperparameters}
    extents = {n: v for n, v in sizes.items() if n in (*of.axes, "B")}
    chosen |= asked.settings
    extents |= asked.sizes
    graph = build(candidate.program, of.model, chosen, extents)
    own = {**asked.settings, **{n: _said(n, v) for n, v in asked.sizes.items()}}
    words = ", ".join(f"{n} = {v}" if v != n else n for n, v in own.items())
    every = {**chosen, **{n: _said(n, v) for n, v in extents.items()}}
    name = f"{of.model}({words})" if words else of.model
    return Named(name, candidate.file, every, graph)


def _said(axis: str, size: Extent) -> str:
    return axis if size is None else str(size)


def _check(given: Mapping[str, object], known: set[str], what: str) -> None:
    for name in given:
        if name not in known:
            hint = near(name, known) or f"there are {', '.join(sorted(known))}"
            raise ValueError(f"none of the models has a {what} {name}; {hint}")


def _told_apart(models: Sequence[Named]) -> tuple[Named, ...]:
    """Models of one name with their files before it, or else a number after it."""
    names = [m.name for m in models]
    if len(set(names)) < len(names):
        names = [f"{m.file}:{m.name}" if names.count(m.name) > 1 else m.name
                 for m in models]  # fmt: skip
    seen: list[str] = []
    for name in names:
        seen.append(
            name
            if names.count(name) == 1
            else f"{name} #{names[: len(seen)].count(name) + 1}"
        )
    return tuple(replace(m, name=n) for m, n in zip(models, seen, strict=True))

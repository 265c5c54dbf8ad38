"""Choosing the layout of a checkpoint, and what is said where none fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from archdsl.analysis.weights.expansion import Expanded, counts, expanded, own
from archdsl.analysis.weights.plan import Misshapen, Plan, best, called
from archdsl.build import Program
from archdsl.build.checkpoints.layouts import OWN, Layout, Layouts
from archdsl.diagnostics import near
from archdsl.ir.graph import Graph

MOST = 20  # keys of a kind that an error lists


class Misfitting(ValueError):
    """A checkpoint that does not fit the model; the text lists every key, sensibly.

    Attributes:
        plan: All of it.
    """

    def __init__(self, words: str, plan: Plan) -> None:
        super().__init__(words)
        self.plan = plan


class Entry(Protocol):
    """What is known of a tensor in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...

    @property
    def dtype(self) -> str:
        """The type of its numbers, as PyTorch names it."""
        ...


def declared(layouts: Layouts, model: str, name: str | None = None) -> list[Layout]:
    """The layouts declared for a model, or the one of a name.

    Raises:
        SpecError: One of them is wrong.
        ValueError: There is none of that name.
    """
    found = layouts.of(model)
    if name is None:
        return list(found)
    chosen = [layout for layout in found if layout.name == name]
    if not chosen:
        names = [layout.name for layout in found]
        there = f"there are {', '.join(names)}" if names else "none is declared"
        words = near(name, names) or there
        raise ValueError(f"model {model} has no checkpoint {name!r}; {words}")
    return chosen


def written_out(
    program: Program, graph: Graph, name: str | None = None
) -> tuple[Expanded, ...]:
    """The layouts that a checkpoint of a model may have: its own, then those declared.

    Args:
        program: The file of the model.
        graph: The model.
        name: The only one that counts, "archdsl" for its own; None for all.

    Raises:
        SpecError: One of them is wrong, or another checkpoint of the file is: a name
            that is mistyped there may be this model's.
        ValueError: There is none of that name.
    """
    layouts = Layouts(program.module)
    layouts.ensure()
    mine = [own(graph)] if name in (None, OWN) else []
    if name == OWN:
        return tuple(mine)
    others = declared(layouts, graph.name, name)
    return (*mine, *(expanded(layout, graph) for layout in others))


def fit(
    program: Program, graph: Graph, held: Mapping[str, Entry], name: str | None = None
) -> Plan:
    """How a checkpoint fills a model: by the first layout that fits, or the nearest.

    Args:
        program: The file of the model.
        graph: The model.
        held: The checkpoint's tensors, by key.
        name: The layout to use; None for any.

    Raises:
        SpecError: A layout is wrong.
        ValueError: There is none of that name.
    """
    return nearest(written_out(program, graph, name), held)


def nearest(layouts: Sequence[Expanded], held: Mapping[str, Entry]) -> Plan:
    """The plan of the first layout that fits a checkpoint, or of the nearest.

    Weights are of floating point: whole numbers are those of a quantized checkpoint,
    whose scales are elsewhere, and nothing takes complex ones.
    """
    plan = best(layouts, {key: tuple(entry.shape) for key, entry in held.items()})
    wrong = tuple(_mistyped(plan, held))
    names = {found.ours for found in wrong}
    moves = tuple(move for move in plan.moves if move.ours not in names)
    return replace(plan, moves=moves, misshapen=(*plan.misshapen, *wrong))


def _mistyped(plan: Plan, held: Mapping[str, Entry]) -> Iterator[Misshapen]:
    for move in plan.moves:
        if counts(move.ours):
            continue
        for name in move.theirs:
            entry = held[plan.prefix + name]
            if not entry.dtype.startswith(("float", "bfloat")):
                why = f"{entry.dtype} are no weights"
                shape = tuple(entry.shape)
                yield Misshapen(move.ours, move.shape, move.theirs, shape, why)
                break


def ensure(plan: Plan, where: str, model: str) -> None:
    """Raises an error that lists what does not fit.

    Raises:
        Misfitting: The plan does not fit.
    """
    if not plan.fits:
        raise Misfitting(explained(plan, where, model), plan)


def explained(plan: Plan, where: str, model: str) -> str:
    """What does not fit, in lines."""
    name = called(plan.layout)
    lines = [f"{where} does not fit {model}; the nearest layout is {name}:"]
    for count, what, found in _kinds(plan):
        lines.append(f"  {count} {what}:")
        lines += [f"    {line}" for line in found[:MOST]]
        if len(found) > MOST:
            lines.append(f"    … and {len(found) - MOST} more")
    return "\n".join(lines)


def _kinds(plan: Plan) -> Iterator[tuple[int, str, Sequence[str]]]:
    missing = [f"{name} (for {ours})" for name, ours in plan.missing]
    wrong = [f"{', '.join(m.theirs)} for {m.ours}: {m.why}" for m in plan.misshapen]
    kinds: tuple[tuple[str, Sequence[str]], ...] = (
        ("missing", missing),
        ("of the model, which no rule fills", plan.unfilled),
        ("surplus", plan.surplus),
        ("misshapen", wrong),
    )
    for what, found in kinds:
        if found:
            yield len(found), what, found

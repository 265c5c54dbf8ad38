"""Whether a compiled module is what the analyses say of it: run, and compared.

A check is a module here with a `CHECK`: a function that compares what is said of a
`Subject` with what is measured on it, one `Row` for each figure. `CHECKS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import torch

from archdsl.analysis.verification import Row, Verification, equal
from archdsl.backends.torch.verify import (
    field,
    flops,
    memory,
    params,
    shapes,
    sizes,
    spread,
    values,
)
from archdsl.backends.torch.verify.subject import Check, Subject, silent
from archdsl.diagnostics import SpecError
from archdsl.ir.graph import Graph

__all__ = ["CHECKS", "Options", "Unverifiable", "verify"]

CHECKS: tuple[Check, ...] = (
    shapes.CHECK, params.CHECK, flops.CHECK, values.CHECK, spread.CHECK, field.CHECK,
    memory.CHECK,
)  # fmt: skip

Rebuild = Callable[[Mapping[str, int]], Graph]


class Unverifiable(ValueError):
    """A model that cannot be run as it is: too much of it is open."""


@dataclass(frozen=True)
class Options:
    """How to verify.

    Attributes:
        only: Names of checks; all, if there is none.
        seed: Of weights, inputs, and sizes that are drawn.
        full: Whether to run what is large, too.
        draws: At how many sizes a model is run that leaves some open.
        progress: Called with a few words before what takes long.
    """

    only: Collection[str] = ()
    seed: int = 0
    full: bool = False
    draws: int = 3
    progress: Callable[[str], None] = silent

    def __post_init__(self) -> None:
        known = [check.name for check in CHECKS]
        for name in self.only:
            if name not in known:
                raise ValueError(f"no check {name!r}; there are {', '.join(known)}")


def verify(
    graph: Graph, rebuild: Rebuild, options: Options | None = None
) -> Verification:
    """Runs the compiled module of a model and compares it with what is said of it.

    Args:
        graph: The model. Where it leaves sizes open, its formulas are compared, at a
            few sizes that are drawn.
        rebuild: The same model with some axes of its inputs fixed.
        options: How to verify.

    Raises:
        SpecError: The model cannot be compiled.
        Unverifiable: A hyperparameter is open, or no sizes were found that it takes.
    """
    options = options or Options()
    with torch.random.fork_rng(devices=[]):
        rows = tuple(_rows(graph, rebuild, options))
    return Verification(model=graph.name, seed=options.seed, rows=rows)


def _rows(graph: Graph, rebuild: Rebuild, options: Options) -> Iterator[Row]:
    if not sizes.symbols(graph):
        _need_numbers(graph)
        subject = _subject(graph, {}, options)
        yield from _compared(subject, subject, options)
        return
    for drawn, concrete in _drawn(graph, rebuild, options):
        at = ", ".join(f"{a} = {n}" for a, n in sizes.axes(graph, drawn).items())
        fixed = _subject(concrete, {}, options)
        found = [*_formulas(graph, drawn, concrete)]
        found += _compared(_open(graph, drawn, options) or fixed, fixed, options)
        yield from (row.model_copy(update={"at": at}) for row in found)


def _subject(graph: Graph, drawn: Mapping[str, int], options: Options) -> Subject:
    return Subject(graph, drawn, options.seed, options.full, options.progress)


def _compared(subject: Subject, fixed: Subject, options: Options) -> Iterator[Row]:
    """The rows of all checks, of formulas where these can be compared."""
    yield _runs(subject)
    if subject.problem is not None and not subject.problem.built:
        return
    for check in CHECKS:
        if not options.only or check.name in options.only:
            yield from check.rows(subject if check.formulas else fixed)


def _runs(subject: Subject) -> Row:
    """Whether the module can be made and run at all."""
    problem = subject.problem
    if problem is None:
        return equal("runs", "module", "runs", "runs")
    row = equal("runs", problem.of, "runs", "does not run")
    return row.model_copy(update={"note": problem.why})


# --- open sizes ---------------------------------------------------------------------


def _need_numbers(graph: Graph) -> None:
    from archdsl.analysis.report import symbols

    found = symbols(graph)
    if found:
        names = " and ".join(found)
        raise Unverifiable(f"{names} has no value: a module is made of numbers")


def _drawn(
    graph: Graph, rebuild: Rebuild, options: Options
) -> Iterator[tuple[Mapping[str, int], Graph]]:
    """Some sizes that the model takes, and the model with these."""
    count = 0
    for drawn in sizes.draw(graph, options.seed):
        try:
            concrete = rebuild(sizes.axes(graph, drawn))
        except SpecError:
            continue  # what it asks of its sizes is more than its assumptions say
        _need_numbers(concrete)
        yield drawn, concrete
        count += 1
        if count == options.draws:
            return
    if not count:
        names = ", ".join(sorted(sizes.symbols(graph)))
        raise Unverifiable(f"found no sizes that it takes; give them: --size {names}=…")


def _open(graph: Graph, drawn: Mapping[str, int], options: Options) -> Subject | None:
    """The model that takes all sizes; None where it cannot be compiled so."""
    subject = _subject(graph, drawn, options)
    return subject if subject.compiles else None


def _formulas(graph: Graph, drawn: Mapping[str, int], concrete: Graph) -> Iterator[Row]:
    """The formulas of a model's totals, against the same model with numbers."""
    one, two = Subject(graph, drawn), Subject(concrete)
    said, found = one.costs.total(graph), two.costs.total(concrete)
    for what in ("params", "macs", "flops", "activation_bytes"):
        pair = one.size(getattr(said, what)), two.size(getattr(found, what))
        yield equal("formulas", what.replace("_", " "), *pair)

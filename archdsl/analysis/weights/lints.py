"""What is wrong with the checkpoints of a file, seen against its models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archdsl.analysis.weights.expansion import Expanded, Expander
from archdsl.analysis.weights.ours import keys
from archdsl.build.checkpoints.layouts import Layout, Layouts
from archdsl.build.checkpoints.patterns import Capture, Part
from archdsl.build.checkpoints.rules import Rule
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.diagnostics.lints import IdleRule, LeftEmpty
from archdsl.ir.graph import Graph
from archdsl.source import Span

_FEW = 8  # names that a mend lists


def lint_checkpoints(layouts: Layouts, models: Iterable[Graph]) -> list[Diagnostic]:
    """Errors and warnings about the layouts of a file, over all of its models."""
    found: dict[Diagnostic, None] = {}
    by_layout: dict[str, list[tuple[Layout, Expanded]]] = {}
    expanders: dict[int, Expander] = {}
    for graph in models:
        try:
            declared = layouts.of(graph.name)
        except SpecError as error:  # in a file that this one uses
            found |= dict.fromkeys(error.diagnostics)
            continue
        ours = keys(graph) if declared else {}
        for layout in declared:
            if layout.module is not layouts.module:
                continue
            if id(layout) not in expanders:
                expanders[id(layout)] = Expander(layout)
            try:
                made = expanders[id(layout)].over(graph, ours)
            except SpecError as error:
                found |= dict.fromkeys(error.diagnostics)
                continue
            by_layout.setdefault(str(layout.span), []).append((layout, made))
    for pairs in by_layout.values():
        found |= dict.fromkeys(_warnings(pairs))
    return list(found)


def _warnings(pairs: list[tuple[Layout, Expanded]]) -> Iterator[Diagnostic]:
    """What a layout says of nothing, and where it says nothing."""
    idle = [{(rule.span, rule.ours) for rule in made.idle} for _, made in pairs]
    first = pairs[0][0]
    models = ", ".join(made.model for _, made in pairs)
    known = [key for _, made in pairs for key in made.ours]
    for rule in first.rules:
        if rule.span.source is not first.span.source:
            continue  # inherited
        if all((rule.span, rule.ours) in each for each in idle):
            fault = IdleRule(models, first.name, _mend(rule, known))
            yield Diagnostic(fault, _place(rule))
    for layout, made in pairs:
        if left := made.unfilled:
            total = len(made.ours)
            filled = total - len(left)
            empty = LeftEmpty(layout.name, made.model, filled, total, left[0])
            yield Diagnostic(empty, layout.span)


def _place(rule: Rule) -> Span:
    return next(p for p in rule.ours if p is not None).span


def _mend(rule: Rule, known: list[str]) -> str:
    """How the keys go on from where the rule leaves them."""
    first = next(p for p in rule.ours if p is not None)
    for count in range(len(first.parts), 0, -1):
        words = _head(first.parts[:count])
        if words and (after := _next(words, known)):
            return f"after `{words}` our keys go on with {after}"
    return f"our keys begin with {_next('', known)}"


def _head(parts: tuple[Part, ...]) -> str:
    """The names that parts of a pattern are sure of, with numbers as 0."""
    text = "".join("0" if isinstance(p, Capture) else str(p) for p in parts)
    return text.rpartition(".")[0]


def _next(head: str, known: list[str]) -> str:
    before = f"{head}." if head else ""
    words = [k[len(before) :].partition(".")[0] for k in known if k.startswith(before)]
    return ", ".join(f"`{word}`" for word in list(dict.fromkeys(words))[:_FEW])

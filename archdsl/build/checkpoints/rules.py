"""Rules: the lines of a checkpoint, ``"theirs" -> "ours"``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.build.checkpoints.alternatives import alternatives
from archdsl.build.checkpoints.patterns import Pattern, read_pattern
from archdsl.build.checkpoints.steps import TO_OURS, StepRule, read_step
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.checkpoints import BadPattern, BadRule
from archdsl.diagnostics.faults.models import Misplaced
from archdsl.source import Span
from archdsl.syntax import tree

FILLS = ("zeros", "ones")
_ITEM = 'a rule is written `"theirs" -> "ours"`'


@dataclass(frozen=True)
class Rule:
    """One way of keys, alternatives taken.

    Attributes:
        theirs: What is concatenated along dim 0, mostly one.
        fill: "zeros" or "ones", where nothing of theirs is taken.
        steps: What happens on the way.
        ours: What the result is split into along dim 0, mostly one; None for a piece
            that is dropped. Nothing at all drops the whole.
        span: Where it is written.
    """

    theirs: tuple[Pattern, ...]
    fill: str
    steps: tuple[StepRule, ...]
    ours: tuple[Pattern | None, ...]
    span: Span


def read_rules(statement: tree.Statement) -> list[Rule]:
    """The rules of a line.

    Raises:
        SpecError: It is none.
    """
    if not isinstance(statement, tree.Flow):
        what = " ".join(statement.span.text.split())[:30].partition(" ")[0]
        raise SpecError.at(statement.span, Misplaced(what, "in a checkpoint", _ITEM))
    steps = statement.value
    if not isinstance(steps, tree.Pipeline):
        found = "goes nowhere" if _is_text(steps) else "not a key"
        raise SpecError.at(statement.span, BadRule("this is no rule", found))
    first, *between, last = steps.steps
    dropped = isinstance(last, tree.Literal) and last.value is None
    if dropped and between:
        problem = "what is dropped takes no steps"
        raise SpecError.at(
            between[0].span, BadRule(problem, "no use", 'write `"…" -> none`')
        )
    fill = first.id if isinstance(first, tree.Name) and first.id in FILLS else ""
    theirs = [] if fill else _side(first, ours=False, stars=dropped)
    ours = [] if dropped else _side(last, ours=True)
    if fill and dropped:
        raise SpecError.at(
            statement.span, BadRule("this takes nothing nowhere", "no key")
        )
    taken = tuple(read_step(step) for step in between)
    lists = isinstance(first, tree.ListOf), isinstance(last, tree.ListOf)
    _check_steps(taken, lists[1], fill)
    patterns = [p for p in theirs if p is not None]
    _check_captures(ours)
    made = [
        Rule(left, fill, taken, right, statement.span)
        for left, right in alternatives(patterns, ours, lists)
    ]
    if lists[1] and any(len(rule.ours) < 2 for rule in made):
        problem = "a list on the right splits, and this has one key"
        mend = 'leave the brackets out, or name all: `["….{q,k,v}"]`'
        raise SpecError.at(last.span, BadRule(problem, "no pieces", mend))
    return made


def _side(e: tree.Expr, *, ours: bool, stars: bool = False) -> list[Pattern | None]:
    """The patterns of one side of a rule."""
    if _is_text(e):
        return [read_pattern(e, ours=ours, stars=stars)]  # type: ignore[arg-type]
    if not isinstance(e, tree.ListOf) or stars:
        raise SpecError.at(e.span, _no_keys(e, ours=ours))
    found: list[Pattern | None] = []
    for item in e.items:
        if _is_text(item):
            found.append(read_pattern(item, ours=ours))  # type: ignore[arg-type]
        elif ours and isinstance(item, tree.Literal) and item.value is None:
            found.append(None)
        else:
            raise SpecError.at(
                item.span, BadRule("a list of keys holds texts", "not a key")
            )
    if not any(found):
        problem = "a list of keys holds at least one"
        raise SpecError.at(e.span, BadRule(problem, "no key"))
    if found.count(None) > 1:
        problem = "one piece of a list may be dropped"
        raise SpecError.at(e.span, BadRule(problem, "how large is each?"))
    return found


def _no_keys(e: tree.Expr, *, ours: bool) -> BadRule:
    """What is no side of a rule."""
    what = "one text, or `none`" if ours else "a text, a list of texts, or `zeros`"
    problem = f"on the {'right' if ours else 'left'} of a rule stands {what}"
    whose = "no key of ours" if ours else "no key of theirs"
    if isinstance(e, tree.Name | tree.Attribute):
        return BadRule(problem, whose, f'keys stand in quotes: `"{e.span.text}"`')
    return BadRule(problem, whose)


def _is_text(e: tree.Expr) -> bool:
    return isinstance(e, tree.Literal) and isinstance(e.value, str)


def _check_captures(ours: Sequence[Pattern | None]) -> None:
    patterns = [p for p in ours if p is not None]
    for pattern in patterns[1:]:
        if set(pattern.captures) != set(patterns[0].captures):
            problem = "all pieces capture the same numbers"
            raise SpecError.at(pattern.span, BadPattern(problem, "others here"))


def _check_steps(steps: Sequence[StepRule], split: bool, fill: str) -> None:
    for step in steps:
        if fill:
            problem = f"`{fill}` are of the shape that is needed"
            raise SpecError.at(
                step.span, BadRule(problem, "no use", "leave the step out")
            )
        if split and step.name in TO_OURS:
            problem = f"`{step.name}` makes the shape of one key of ours"
            raise SpecError.at(
                step.span, BadRule(problem, "several here", "write a rule for each")
            )

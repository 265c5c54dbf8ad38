"""The patterns of a layout: which of its rules is for a key of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archdsl.build.checkpoints.patterns import Hole
from archdsl.build.checkpoints.rules import Rule
from archdsl.syntax import tree


class Target(NamedTuple):
    """A pattern of ours: the key that a rule fills, or a piece of what it fills."""

    rule: Rule
    at: int
    captures: tuple[str, ...]
    groups: tuple[int, ...]  # the whole key, what is captured, and what follows
    general: bool  # all that it reads is captured, so it is the same for all models
    steady: bool  # its steps read nothing that is captured


class Fit(NamedTuple):
    """What fits a key: the target, the numbers it captures, what of the key follows."""

    target: Target
    numbers: tuple[str, ...]
    rest: str | None

    @property
    def captured(self) -> dict[str, int]:
        """The numbers by name."""
        return dict(zip(self.target.captures, map(int, self.numbers), strict=True))


class Targets:
    """Finds the first rule that fits a key, in one look at it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._known: dict[int, Target] = {}  # by a group that is empty
        words, count = [], 0
        for rule in rules:
            captures: dict[str, None] = {}  # of a rule: all its pieces have the same
            for at, pattern in enumerate(rule.ours):
                if pattern is None:
                    continue
                here = list(dict.fromkeys(pattern.captures))
                captures = captures or dict.fromkeys(here)
                first, count = count + 1, count + len(captures) + 2
                groups = (0, *[first + here.index(n) for n in captures], count - 1)
                steps = _read(e for step in rule.steps for _, e in step.arguments)
                general = steps | _read(_holes(rule)) <= captures.keys()
                steady = steps.isdisjoint(captures)
                self._known[count] = Target(
                    rule, at, tuple(captures), groups, general, steady
                )
                words.append(f"{pattern.regex(f'_{count}')}()")
        self._fits = re.compile("|".join(words) or r"(?!)").fullmatch

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> Fit | None:
        """What fits a key, if anything does."""
        match = self._fits(key)
        if match is None:
            return None
        assert match.lastindex is not None
        target = self._known[match.lastindex]
        _, *numbers, rest = match.group(*target.groups)
        return Fit(target, tuple(numbers), rest)


def _holes(rule: Rule) -> list[tree.Expr]:
    """The expressions in a rule's keys of theirs."""
    return [p.expression for t in rule.theirs for p in t.parts if isinstance(p, Hole)]


def _read(expressions: Iterable[tree.Expr]) -> set[str]:
    """The names and axes that expressions read."""
    waiting: list[tree.Node] = list(expressions)
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.Name | tree.Axis):
            found.add(node.id)
        waiting += tree.children(node)
    return found

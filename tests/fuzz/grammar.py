"""Random texts that the grammar allows, nearly all of them without a meaning."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import NamedTuple

from lark import Lark
from lark.lexer import PatternStr

from archdsl.syntax.table import grammar
from tests.fuzz.corpus import AXES, EXTREMES, names

_DEEPEST = 9
_LONGEST = 400  # words


class _Rules(NamedTuple):
    made_of: dict[str, list[tuple[str, ...]]]  # by rule: what may stand for it
    height: dict[str, int]  # how many rules lie above one another, at least
    fixed: dict[str, str]  # terminals with one text


@cache
def _rules() -> _Rules:
    text = (grammar() / "arch.lark").read_text(encoding="utf-8")
    lark = Lark(text, parser="lalr", start="file")
    made_of: dict[str, list[tuple[str, ...]]] = {}
    for rule in lark.rules:
        parts = tuple(symbol.name for symbol in rule.expansion)
        made_of.setdefault(rule.origin.name, []).append(parts)
    fixed = {
        t.name: t.pattern.value
        for t in lark.terminals
        if isinstance(t.pattern, PatternStr)
    }
    height = {name: 1 if name.isupper() else 99 for name in [*made_of, *fixed, *_DRAWN]}
    height |= {t.name: 0 for t in lark.terminals}
    for _ in made_of:
        for name, choices in made_of.items():
            height[name] = min(1 + _tallest(parts, height) for parts in choices)
    return _Rules(made_of, height, fixed)


def _tallest(parts: tuple[str, ...], height: dict[str, int]) -> int:
    return max((height[part] for part in parts), default=0)


_DRAWN = {
    "NAME": lambda random: random.choice([*"xyab", "relu", random.choice(names())]),
    "AXIS": lambda random: random.choice(AXES),
    "INT": lambda random: str(random.choice([0, 1, 2, 3, 4, 8, 64, 10**9])),
    "FLOAT": lambda random: random.choice(["0.5", "1e-5", ".1", "1.0"]),
    "STRING": lambda random: random.choice(['"tanh"', '""', '"a b"']),
    "COMPARE": lambda random: random.choice(["==", "!=", "<", "<=", ">", ">="]),
    "NEWLINE": lambda _random: "\n",
}


def derived(random: Random) -> str:
    """A text made by the rules; a third of them a model with an input and an output."""
    if random.random() < 0.3:
        return _text(random, "file", _DEEPEST + 6)
    body = "\n  ".join(_text(random, "statement", _DEEPEST) for _ in range(4))
    shape = random.choice(["[B, C = 8, H = 8, W = 8]", "int[B, T]", "[B, T, C = 8]"])
    return (
        f"model m {{\n  input x: {shape}\n  {body}\n  output y = {_value(random)}\n}}\n"
    )


def _value(random: Random) -> str:
    return random.choice(["x", "x", "y", _text(random, "expression", 5)])


def _text(random: Random, start: str, deepest: int) -> str:
    rules, words = _rules(), list[str]()
    todo = [(start, deepest)]
    while todo:
        name, left = todo.pop()
        if name not in rules.made_of:
            draw = _DRAWN.get(name)
            words.append(draw(random) if draw else rules.fixed.get(name, name))
            continue
        choices = rules.made_of[name]
        fitting = [c for c in choices if _tallest(c, rules.height) < left]
        if not fitting or len(words) > _LONGEST:
            lowest = min(_tallest(c, rules.height) for c in choices)
            fitting = [c for c in choices if _tallest(c, rules.height) == lowest]
        todo += [(part, left - 1) for part in reversed(random.choice(fitting))]
    if words and random.random() < 0.1:
        words[random.randrange(len(words))] = random.choice(EXTREMES)
    return " ".join(words)

"""The inputs, each made from a seed and its number alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

from archdsl.ops.registry import public_ops
from tests.fuzz.corpus import (
    AXES,
    EXTREMES,
    Base,
    base,
    bases,
    names,
    right_bases,
    tokens,
)
from tests.fuzz.grammar import derived
from tests.fuzz.mutate import mutated
from tests.randoms.maker import Maker
from tests.randoms.steps import Invalid

# How many of a hundred inputs are made in which way.
SHARES = {"mutation": 68, "grammar": 10, "right": 8, "right, mutated": 10, "bytes": 4}


@dataclass(frozen=True)
class Case:
    """One input: a text, and what a command line says beside it."""

    way: str
    text: str
    settings: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int | None] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()


class _Dice:
    """Chooses for `Maker` without hypothesis, which takes ten times as long."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def of(self, choices: list[Any]) -> Any:
        return self.random.choice(choices)

    def between(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def shuffled(self, items: list[Any]) -> list[Any]:
        return self.random.sample(items, len(items))


def case(seed: int, index: int) -> Case:
    """The input of a number."""
    random = Random(f"{seed}/{index}")
    way = random.choices(list(SHARES), list(SHARES.values()))[0]
    text = _WAYS[way](random)
    if random.random() < 0.85:
        return Case(way, text)
    return Case(
        way, text, _settings(random, text), _sizes(random), _outputs(random, text)
    )


def _mutation(random: Random) -> str:
    pool = right_bases() if random.random() < 0.85 else bases()
    return mutated(random, random.choice(pool), _count(random))


def _count(random: Random) -> int:
    return random.choice([1, 1, 1, 1, 1, 1, 2, 2, 3, 6])


def _right(random: Random) -> str:
    """A spec that is right, unless the dice found none."""
    public = [name for name, op in public_ops().items() if op.examples]
    try:
        return Maker(_Dice(random)).spec(random.choice(public))
    except Invalid:
        return random.choice(bases()).text


def _right_mutated(random: Random) -> str:
    text = _right(random)
    start: Base = base(text) if random.random() < 0.3 else Base(text, (), ())
    if not start.tokens:
        start = Base(text, tuple(tokens(text)), (("Name", 0, 0),))
    return mutated(random, start, _count(random))


def _bytes(random: Random) -> str:
    """Bytes that nobody chose, read as a file is."""
    size = random.choice([0, 1, 5, 50, 500])
    if random.random() < 0.5:
        return random.randbytes(size).decode("utf-8-sig", errors="replace")
    words = [*names(), *AXES, *EXTREMES, *"+-*/%=<>()[]{}:,.\n\n\n", "->", "**", "#"]
    return random.choice(["", " "]).join(random.choices(words, k=size // 3))


_WAYS = {
    "mutation": _mutation,
    "grammar": derived,
    "right": _right,
    "right, mutated": _right_mutated,
    "bytes": _bytes,
}


# --- the command line ---------------------------------------------------------------


def _settings(random: Random, text: str) -> dict[str, str]:
    known = re.findall(r"(\w+) *=", text) or ["depth"]
    pool = [*known, *known, *known, random.choice(names())]
    values = [*EXTREMES, "[1, 1]", "relu", "linear(8)", "4", "8", "(", "1 +", "", "a b"]
    return {
        random.choice(pool): random.choice(values) for _ in range(random.randrange(3))
    }


def _sizes(random: Random) -> dict[str, int | None]:
    values = [None, None, 1, 2, 3, 8, 32, 33, 224, 10**6, 999_999_999_999]
    return {
        random.choice(AXES): random.choice(values) for _ in range(random.randrange(3))
    }


def _outputs(random: Random, text: str) -> tuple[str, ...]:
    if random.random() < 0.7:
        return ()
    known = re.findall(r"[a-z_]\w*", text) or ["y"]
    return tuple(random.choice(known) for _ in range(random.randrange(1, 3)))

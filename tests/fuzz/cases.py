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
SHARES = {
    "mutation": 62, "two files": 6, "grammar": 10, "right": 8, "right, mutated": 10,
    "bytes": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One input: a text, and what a command line says beside it.

    `lib` is another file beside it, which it may use.
    """

    way: str
    text: str
    settings: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int | None] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    lib: str = ""


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
    lib = _lib(random) if way == "two files" else ""
    text = _WAYS[way](random) if way in _WAYS else _user(random, lib)
    if random.random() < 0.85:
        return Case(way, text, lib=lib)
    settings, outputs = _settings(random, text + lib), _outputs(random, text)
    return Case(way, text, settings, _sizes(random), outputs, lib)


def _mutation(random: Random) -> str:
    pool = right_bases() if random.random() < 0.85 else bases()
    return mutated(random, random.choice(pool), _count(random))


def _lib(random: Random) -> str:
    """A file for another: mostly right, often with checkpoints, or changed."""
    rules = [one for one in bases() if "checkpoint " in one.text]
    start = random.choice(right_bases() if random.random() < 0.7 else rules)
    return start.text if random.random() < 0.4 else mutated(random, start, 1)


def _user(random: Random, lib: str) -> str:
    """A file that uses what another may define: blocks, variants, their checkpoints."""
    known = re.findall(r"\b(?:block|model) +([a-z_]\w*)", lib) or ["m"]
    some = random.sample(known, random.randint(1, len(known)))
    rows = [random.choice(["use lib", f"use lib ({', '.join(some)})"])]
    for i, name in enumerate(some):
        hyper = [f"{n} = {v}" for n, v in _settings(random, lib).items()]
        call = f"{name}({', '.join(hyper)})"
        block = f"{{\n  {random.choice(_INPUTS)}\n  {call}\n  output y\n}}"
        rows.append(f"model m{i} {block}" if i % 2 else f"model m{i} = {call}")
        if random.random() < 0.4:
            found = re.findall(r"checkpoint \w+ for \w+ (\{.*?\n\})", lib, re.DOTALL)
            rules = random.choice([*found, '{\n  "{i}.x" -> "layer.{i}"\n}'])
            rows.append(f"checkpoint own for {random.choice([name, f'm{i}'])} {rules}")
    text = "\n".join([*rows, ""])
    start = base(text) if random.random() < 0.3 else None
    return mutated(random, start, 1) if start and start.tokens else text


_INPUTS = ["input x: [B, C = 8, H = 8, W = 8]", "input x: int[B, T = 8]",
           "input x: [B, C = 8, T]"]  # fmt: skip


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

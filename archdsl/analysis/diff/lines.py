"""Differences as lines that a person reads: like ones together, what is equal left out.

Layers of one name in many turns of a loop, `stage.2.block.[0-5].linear`, are one line
where the same happened to all; so are layers of which only a size changed, alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

from archdsl.analysis.diff.report import ChangeReport, DiffReport, SideReport
from archdsl.analysis.part import Number
from archdsl.analysis.report import TensorReport
from archdsl.build.operands import split

MARKS = {
    "added": "+", "removed": "-", "changed": "~", "reshaped": "~", "moved": ">",
    "rewired": "~", "shared": "~", "renamed": "=",
}  # fmt: skip


class Line(NamedTuple):
    """A line: a mark, what it is about, and what happened to it."""

    mark: str
    about: str
    what: str


def values(report: DiffReport) -> dict[str, list[Line]]:
    """Hyperparameters, inputs and outputs that differ, by section."""
    found = {
        "hyperparameters": report.hyperparameters,
        "inputs": report.inputs,
        "outputs": report.outputs,
    }
    return {
        section: [_value(v.name, v.before, v.after) for v in each]
        for section, each in found.items()
        if each
    }


def _value(name: str, before: str | None, after: str | None) -> Line:
    if before is None:
        return Line("+", name, after or "")
    if after is None:
        return Line("-", name, before)
    return Line("~", name, f"{before} -> {after}")


def layers(report: DiffReport) -> list[Line]:
    """Differences in structure, like ones in one line."""
    groups: dict[tuple[str, ...], list[ChangeReport]] = {}
    for change in report.layers:
        groups.setdefault(_key(change), []).append(change)
    return [_line(group) for group in groups.values()]


def _key(change: ChangeReport) -> tuple[str, ...]:
    """What changes of one line have in common."""
    what = _what(change)
    if change.kind == "reshaped":
        return change.kind, what
    names = [_pattern(s.path) if s else "" for s in (change.before, change.after)]
    return change.kind, what, *names


def _line(group: Sequence[ChangeReport]) -> Line:
    first = group[0]
    mark = MARKS[first.kind]
    sides = [change.after or change.before for change in group]
    paths = [side.path for side in sides if side is not None]
    if first.kind == "reshaped":
        return Line(mark, f"{paths[0]}{_others(len(paths) - 1)}", _what(first))
    about = _paths(paths)
    if not about:
        return Line(mark, _what(first), "")
    if first.kind in ("moved", "renamed"):
        olds = [change.before.path for change in group if change.before]
        old = _paths(olds)
        about = about if old == about else f"{old} -> {about}"
    held = _params(first)
    layers = len(set(paths))  # a shared one holds its own once
    times = f"{layers:,} x " if layers > 1 and held else ""
    return Line(mark, about, _what(first) + (held and f", {times}{held}"))


def _params(change: ChangeReport) -> str:
    """The learned elements of what came or went."""
    one = change.after if change.kind == "added" else change.before
    if change.kind not in ("added", "removed") or one is None or one.params == 0:
        return ""
    return f"{_exact(one.params)} params"


def _exact(value: Number) -> str:
    return f"{value:,}" if isinstance(value, int) else value


# --- what happened ------------------------------------------------------------------


def _what(change: ChangeReport) -> str:
    before, after = change.before, change.after
    if before is None or after is None:
        one = after or before
        assert one is not None
        return f"{one.text} : {', '.join(map(str, one.makes))}"
    if change.kind in ("moved", "renamed"):
        return f"moved: {after.text}" if change.kind == "moved" else ""
    if change.kind == "reshaped":
        same = f"{after.text}: " if before.makes == after.makes else ""
        return same + _sizes(before, after)
    words = _texts(before.text, after.text, after.path)
    sizes = _sizes(before, after) if before.makes != after.makes else ""
    said = words.partition(": ")[2] or words
    if "[" not in sizes:  # what an argument says already is left out
        every = sizes.split(", ")
        sizes = ", ".join(s for s in every if s.partition(" = ")[2] not in said)
    return "; ".join(filter(None, (words, sizes)))


def _texts(before: str, after: str, path: str) -> str:
    """``conv: features = 96 -> 48``, or both where these are different ops.

    The op is left out where the layer is called after it.
    """
    (old, left), (new, right) = _arguments(before), _arguments(after)
    if old != new or not (left or right):
        return _wires(before, after)
    names = [n for n in {**left, **right} if left.get(n) != right.get(n)]
    changed = (f"{n} = {left.get(n, 'default')} -> {right.get(n, 'default')}"
               for n in names)  # fmt: skip
    called = re.search(r"([a-z]\w*?)(_\d+)?(\.\d+)*$", path)
    own = f"{new}: " if called is None or called[1] != new else ""
    return own + ", ".join(changed)


def _wires(before: str, after: str) -> str:
    """Two texts, the words that both begin with given once."""
    old, new = before.split(" "), after.split(" ")
    same = 0
    while same < min(len(old), len(new)) - 1 and old[same] == new[same]:
        same += 1
    return f"{before} -> {' '.join(new[same:])}"


def _arguments(text: str) -> tuple[str, dict[str, str]]:
    """The name of a call and its arguments; those without a name by their place."""
    name, bracket, rest = text.partition("(")
    if not bracket or not text.endswith(")"):
        return text, {}
    found = {}
    for i, item in enumerate(split(rest[:-1])):
        key, equals, value = item.partition("=")
        name_of = key.strip() if equals else f"#{i + 1}"
        found[name_of] = (value if equals else item).strip()
    return name, found


def _sizes(before: SideReport, after: SideReport) -> str:
    """The axes that changed of what is made, or else of what is taken."""
    if before.makes != after.makes:
        return _types(before.makes, after.makes)
    return f"takes {_types(before.takes, after.takes)}"


def _types(before: Sequence[TensorReport], after: Sequence[TensorReport]) -> str:
    pairs = list(zip(before, after, strict=False))
    if len(before) != len(after) or any(
        [n for n, _ in a.axes] != [n for n, _ in b.axes] or a.dtype != b.dtype
        for a, b in pairs
    ):
        return f"{', '.join(map(str, before))} -> {', '.join(map(str, after))}"
    changed = dict.fromkeys(
        f"{name} = {old} -> {new}"
        for a, b in pairs
        for (name, old), (_, new) in zip(a.axes, b.axes, strict=True)
        if old != new
    )
    return ", ".join(changed)


# --- paths --------------------------------------------------------------------------


def _pattern(path: str) -> str:
    return ".".join("#" if part.isdigit() else part for part in path.split("."))


def _paths(paths: Sequence[str]) -> str:
    """Paths that differ in numbers only as one: ``stage.[0-3].conv``."""
    rows = [path.split(".") for path in dict.fromkeys(paths)]
    columns = [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    if prod(map(len, columns)) != len(rows):
        return f"{paths[0]}{_others(len(rows) - 1)}"
    return ".".join(c[0] if len(c) == 1 else _range(map(int, c)) for c in columns)


def _others(count: int) -> str:
    return f" and {count:,} other{'s' * (count > 1)}" if count else ""


def _range(numbers: Iterable[int]) -> str:
    """``[0-3,5]``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = (str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)
    return f"[{','.join(words)}]"

"""Lists of values on a command line: ``dim=64,96``, ``64..128:32``, ``H=224,256``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from archdsl.build.operands import split
from archdsl.build.settings import Extent
from archdsl.cli.common import size_of

_RANGE = re.compile(r"(-?\d{1,12})\.\.(-?\d{1,12})(?::(-?\d{1,12}))?")
_MOST = 100_000  # values of one name


def grid_settings(options: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The values of each ``--set``.

    Raises:
        BadParameter: One is not NAME=VALUE,…, or a name is given twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for option in options:
        name, equals, text = (part.strip() for part in option.partition("="))
        if not equals or not name or not text:
            raise click.BadParameter(
                f"{option!r} is not NAME=VALUE,VALUE,…", param_hint="--set"
            )
        if name in found:
            raise click.BadParameter(f"{name} is given twice", param_hint="--set")
        found[name] = tuple(v for t in split(text) for v in _values(t, "--set"))
    return found


def grid_sizes(options: Sequence[str]) -> dict[str, tuple[Extent, ...]]:
    """The sizes of each axis: ``H=224,256,W=224`` is two sizes of H and one of W.

    Raises:
        BadParameter: One is not AXIS=N,…, or an axis is given twice.
    """
    found: dict[str, tuple[Extent, ...]] = {}
    for option in options:
        axis = ""
        for item in split(option):
            name, equals, text = (part.strip() for part in item.partition("="))
            if equals or re.fullmatch(r"[A-Z]\w*", name):
                if name in found:
                    problem = f"{name} is given twice"
                    raise click.BadParameter(problem, param_hint="--size")
                axis, found[name] = name, ()
            else:
                text = name
            words = _values(text, "--size") if equals or text else ("",)
            sizes = (size_of(f"{axis}={w}" if w else axis)[1] for w in words)
            found[axis] = (*found.get(axis, ()), *sizes)
    return found


def _values(text: str, option: str) -> tuple[str, ...]:
    """One value, or those of a range, whose ends are both in it."""
    match = _RANGE.fullmatch(text.strip())
    if not text.strip():
        problem = "a value is missing beside a comma"
        raise click.BadParameter(problem, param_hint=option)
    if match is None:
        return (text.strip(),)
    first, last = int(match[1]), int(match[2])
    step = int(match[3] or (1 if first <= last else -1))
    values = range(first, last + (1 if step > 0 else -1), step) if step else range(0)
    if step and abs(last - first) // abs(step) >= _MOST:  # more than len can say, too
        problem = f"{text.strip()} has more than {_MOST:,} values"
        raise click.BadParameter(problem, param_hint=option)
    if not values:
        problem = f"{text.strip()!r} is no range: write FIRST..LAST:STEP, as 64..128:32"
        raise click.BadParameter(problem, param_hint=option)
    return tuple(map(str, values))

"""Which ops there are: every file of this package, and every installed plugin."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

import archdsl.ops
from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults import OpClash
from archdsl.ops.base import Op

GROUP = "archdsl.ops"
_NOT_OPS = {"base", "emit", "registry", "spread"}


def _of_module(name: str) -> Iterable[type[Op]]:
    module = importlib.import_module(name)
    for value in vars(module).values():
        mine = isinstance(value, type) and value.__module__ == name
        if mine and issubclass(value, Op) and "name" in vars(value):
            yield value


def _plugins() -> Iterable[type[Op]]:
    from importlib.metadata import entry_points

    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        loaded = entry.load()
        if isinstance(loaded, type) and issubclass(loaded, Op):
            yield loaded
        else:
            yield from _of_module(entry.value.partition(":")[0])


@cache
def ops() -> dict[str, type[Op]]:
    """Every op by the name that specs use, sorted.

    Raises:
        Refused: Two packages bring an op of one name.
    """
    names = [m.name for m in pkgutil.iter_modules(archdsl.ops.__path__)]
    found: dict[str, type[Op]] = {}
    for name in sorted(set(names) - _NOT_OPS):
        for op in _of_module(f"archdsl.ops.{name}"):
            _add(found, op)
    for op in _plugins():
        _add(found, op)
    return dict(sorted(found.items()))


def _add(found: dict[str, type[Op]], op: type[Op]) -> None:
    other = found.setdefault(op.name, op)
    if other is not op:
        raise Refused(OpClash(op.name, other.__module__, op.__module__))

"""Which ops there are: every file of this package, and every installed plugin."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import archdsl.ops
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.names import BrokenPlugin, OpClash
from archdsl.ops.base import Op
from archdsl.source import Source, Span

GROUP = "archdsl.ops"
_NOT_OPS = {
    "attention_runtime", "base", "emit", "fields", "heads", "masks", "paths",
    "recurrence", "registry", "roles", "rotary", "rules", "spelling", "spread",
    "window_runtime", "windows",
}  # fmt: skip


def _of_module(name: str) -> Iterable[type[Op]]:
    module = importlib.import_module(name)
    for value in vars(module).values():
        mine = isinstance(value, type) and value.__module__ == name
        if mine and issubclass(value, Op) and "name" in vars(value):
            yield value


@cache
def ops() -> dict[str, type[Op]]:
    """Every op by the name that specs use, sorted.

    Raises:
        SpecError: A plugin cannot be imported, or brings an op whose name is taken.
    """
    names = [m.name for m in pkgutil.iter_modules(archdsl.ops.__path__)]
    found: dict[str, type[Op]] = {}
    for name in sorted(set(names) - _NOT_OPS):
        found |= {op.name: op for op in _of_module(f"archdsl.ops.{name}")}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        for op in _plugin(entry):
            other = found.setdefault(op.name, op)
            if other is not op:
                fault = OpClash(op.name, other.__module__, op.__module__)
                raise SpecError.at(_place(entry), fault)
    return dict(sorted(found.items()))


@cache
def public_ops() -> dict[str, type[Op]]:
    """Those that a spec can call.

    Raises:
        SpecError: As for `ops`.
    """
    return {name: op for name, op in ops().items() if op.public}


def _plugin(entry: EntryPoint) -> list[type[Op]]:
    """The ops of an entry point: a class, or a module with some."""
    try:
        loaded = entry.load()
        one = isinstance(loaded, type) and issubclass(loaded, Op)
        return [loaded] if one else list(_of_module(entry.module))
    except Exception as error:  # the package's own, of whatever kind
        fault = BrokenPlugin(_package(entry), f"{type(error).__name__}: {error}")
        raise SpecError.at(_place(entry), fault) from error


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package"


def _place(entry: EntryPoint) -> Span:
    """The entry point, as it stands among what is installed."""
    source = Source(f"{_package(entry)}, entry points", f"{entry.name} = {entry.value}")
    return Span(source, 0, len(source.text))

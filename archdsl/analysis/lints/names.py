"""Warnings about names: what nothing reads, and what hides something."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from archdsl.analysis.scopes import Binding, Names, Owner
from archdsl.build.files import Module
from archdsl.build.lookup import is_built_in
from archdsl.diagnostics import Diagnostic, Lint, Note
from archdsl.diagnostics.lints import (
    HidesName,
    HidesOp,
    UnusedBlock,
    UnusedHyperparameter,
    UnusedImport,
    UnusedInput,
    UnusedLayer,
    UnusedName,
)
from archdsl.ir.graph import Graph, Ref
from archdsl.ops.registry import public_ops
from archdsl.source import Span
from archdsl.syntax import tree

_AFTER = {
    "label": "from here on it means this one",
    "value": "inside these braces it means this one",
    "layer": "inside these braces it means this one",
    "loop variable": "in this loop it means this one",
    "tensor": "the other one cannot be read",
    "input": "the other one cannot be read",
}


def lint_names(names: Names, graphs: Iterable[Graph]) -> Iterator[Diagnostic]:
    """The warnings about the names of a file, and of the graphs that it makes."""
    yield from _unread(names, _entered(graphs))
    yield from _hiding(names)
    yield from _imports(names)
    yield from _blocks(names)


def unread_values(names: Names) -> Callable[[Span], bool]:
    """Whether a place is in the value of a name that nothing reads.

    What is said of the name, or is not said since it begins with `_`, holds for what
    makes the value, too.
    """
    spans = sorted(
        (b.value.span.start, b.value.span.end)
        for b in names.bindings
        if b.value is not None and (not b.read or b.name.startswith("_"))
    )
    outer: list[tuple[int, int]] = []
    for start, end in spans:
        if not outer or end > outer[-1][1]:
            outer.append((start, end))

    def inside(span: Span) -> bool:
        at = bisect_right(outer, span.start, key=lambda place: place[0]) - 1
        own = span.source is names.module.source
        return own and at >= 0 and span.end <= outer[at][1]

    return inside


# --- unused -------------------------------------------------------------------------


def _entered(graphs: Iterable[Graph]) -> dict[tuple[Span, str], bool]:
    """For each input of what was elaborated, whether any of its graphs takes it."""
    taken: dict[tuple[Span, str], bool] = {}
    for graph in graphs:
        for enter, node in graph.entries:
            ref, key = Ref(node.id), (graph.span, enter.name)
            here = graph.is_used(ref) or ref in graph.results
            taken[key] = taken.get(key, False) or here
    return taken


def _unread(names: Names, taken: dict[tuple[Span, str], bool]) -> Iterator[Diagnostic]:
    for binding in names.bindings:
        if binding.read or binding.name.startswith("_"):
            continue
        lint = _unread_lint(binding, names)
        flows = taken.get((binding.owner.name.span, binding.name), True)
        if lint is not None and not (isinstance(lint, UnusedInput) and flows):
            yield Diagnostic(lint, binding.span)


def _unread_lint(binding: Binding, names: Names) -> Lint | None:
    name, owner = binding.name, binding.owner.name.id
    if binding.what in ("value", "state", "sequence"):
        return UnusedName(binding.what, name)
    if binding.what == "layer":
        return UnusedLayer(name)
    if owner in names.passed:
        return None
    if binding.what == "hyperparameter":
        return UnusedHyperparameter(name, owner)
    if binding.what in ("input", "tensor"):
        return UnusedInput(name, owner)
    return None


def _imports(names: Names) -> Iterator[Diagnostic]:
    read = set[str]().union(*names.uses.values())
    module = names.module
    homes = {_home(module, name) for name in read}
    read |= _choices(module)
    for use in module.file.items:
        if not isinstance(use, tree.Use):
            continue
        if not use.names and f"{use.path}.arch" not in homes:
            yield Diagnostic(UnusedImport(f"`use {use.path}`"), use.span)
        for name in use.names:
            if name.id not in read:
                yield Diagnostic(UnusedImport(f"`{name.id}`"), name.span)


def _home(module: Module, name: str) -> str:
    """The file that a name of another file comes from."""
    if name in module.variants:
        return module.variants[name][1].source.name
    return module.definitions[name].module.source.name


def _choices(module: Module) -> set[str]:
    """The blocks of a file from which a hyperparameter of its models may be chosen.

    ``--set unit=basic`` reads the names of the model's file; so where one block is a
    default, all others are there to be chosen.
    """
    defaults = [
        parameter.default
        for item in module.file.items
        if isinstance(item, tree.Model)
        for parameter in item.parameters
    ]
    blocks = {n for n, d in module.definitions.items() if not d.is_model}
    named = any(isinstance(e, tree.Name) and e.id in blocks for e in defaults)
    return blocks if named else set()


def _blocks(names: Names) -> Iterator[Diagnostic]:
    items = [
        i
        for i in names.module.file.items
        if isinstance(i, tree.Block | tree.Model | tree.Variant)
    ]
    todo = [i.name.id for i in items if not isinstance(i, tree.Block)]
    if not todo:
        return
    reached = set(todo)
    while todo:
        new = names.uses.get(todo.pop(), set()) - reached
        reached |= new
        todo += new
    reached |= _choices(names.module)
    for item in items:
        name = item.name.id
        if name not in reached and not name.startswith("_"):
            yield Diagnostic(UnusedBlock(name), item.name.span)


# --- hiding -------------------------------------------------------------------------


def _hiding(names: Names) -> Iterator[Diagnostic]:
    for binding, outer in names.hidden:
        if binding.name.startswith("_"):
            continue
        lint = HidesName(binding.what, binding.name, _AFTER[binding.what])
        note = Note(f"`{outer.name}` is a {outer.what} here", outer.span)
        yield Diagnostic(lint, binding.span, (note,))
    yield from _hidden_ops(names.module)
    yield from _hidden_imports(names.module)


def _hidden_ops(module: Module) -> Iterator[Diagnostic]:
    for item in module.file.items:
        if isinstance(item, tree.Use | tree.Checkpoint | tree.Missing):
            continue
        name = item.name.id
        if is_built_in(name):
            other = "op" if name in public_ops() else "function"
            lint = HidesOp(_kind(item), name, other)
            yield Diagnostic(lint, item.name.span)


def _hidden_imports(module: Module) -> Iterator[Diagnostic]:
    """What is imported by its name and defined, or imported, once more later."""
    imported: dict[str, Span] = {}
    for item in module.file.items:
        if isinstance(item, tree.Checkpoint | tree.Missing):
            continue
        found = item.names if isinstance(item, tree.Use) else (item.name,)
        what = "import" if isinstance(item, tree.Use) else _kind(item)
        for name in found:
            if name.id in imported:
                note = Note("imported here", imported[name.id])
                lint = HidesOp(what, name.id, "import")
                yield Diagnostic(lint, name.span, (note,))
            elif isinstance(item, tree.Use):
                imported[name.id] = name.span


def _kind(item: Owner) -> str:
    return "block" if isinstance(item, tree.Block) else "model"

"""A name that is not in reach: where it is defined, and how to get at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from archdsl.diagnostics import Note
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.files import Module

_NUMBERS = (tree.Literal, tree.ListOf, tree.Binary, tree.Unary, tree.Compare)
_LONGEST_NAME = 60


@dataclass(frozen=True)
class _Binding:
    """A place that gives a name its meaning, and what reaches it."""

    span: Span
    what: str  # tensor, value, number, hyperparameter
    reach: Span


def labels(node: tree.Node) -> set[str]:
    """The names that ``as`` gives somewhere in a construct."""
    steps = (n for n, _ in _walk(node, node.span) if isinstance(n, tree.Step))
    return {step.label.id for step in steps if step.label is not None}


def whereabouts(name: str, use: Span, module: Module) -> tuple[str, tuple[Note, ...]]:
    """A help and notes for a name that nothing in reach defines, or "" and none."""
    if len(name) > _LONGEST_NAME:
        return "", ()
    items = [i for i in module.file.items if isinstance(i, tree.Block | tree.Model)]
    here = next((i for i in items if _holds(i.span, use)), None)
    if here is not None:
        for binding in _bindings(here, name):
            return _nearby(name, use, binding)
    for item in items:
        for binding in _bindings(item, name):
            if item is not here:
                return _elsewhere(name, binding, item, here)
    return _in_files(name, module), ()


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source is inner.source and outer.start <= inner.start < outer.end


def _nearby(name: str, use: Span, binding: _Binding) -> tuple[str, tuple[Note, ...]]:
    """The name is defined in the same body, but does not reach the use."""
    if binding.span.start > use.start:
        notes = (Note(f"`{name}` is defined only here", binding.span),)
        return "move that line up: a name is known below its definition", notes
    notes = (Note(f"`{name}` is defined here", binding.span),)
    if _holds(binding.reach, use):
        return "", notes
    if binding.what == "label":
        why = "its `if` is false, or its loop has no turns"
        return f"that step does not run: {why}", notes
    return "it is known between the braces around it only: define it before them", notes


def _elsewhere(
    name: str,
    binding: _Binding,
    item: tree.Block | tree.Model,
    here: tree.Block | tree.Model | None,
) -> tuple[str, tuple[Note, ...]]:
    """The name belongs to another block or model."""
    kind = "model" if isinstance(item, tree.Model) else "block"
    words = f"`{name}` is defined here, in {kind} {item.name.id}"
    notes = (Note(words, binding.span),)
    if not isinstance(here, tree.Block):
        help_ = f"a block gives what it ends with, or says by `return {name}`"
        return (help_ if kind == "block" else "", notes)
    block = here.name.id
    if binding.what in ("hyperparameter", "number"):
        call = f"`{block}(…, {name} = …)`"
        return f"give it to the block: `block {block}(…, {name})`, and {call}", notes
    tensors = [t.id for t in here.tensors or ()] or ["x"]
    head = f"block {block}[{', '.join([*tensors, name])}]"
    call = f"{block}[{', '.join([*tensors[1:], name])}]"
    return f"give it to the block: `{head}(…)`, and `{call}(…)`", notes


def _in_files(name: str, module: Module) -> str:
    """The `use` that would bring the name."""
    for use in (i for i in module.file.items if isinstance(i, tree.Use)):
        names = [n.id for n in use.names]
        for other in (module.definitions.get(n) for n in names):
            if other is not None and name in other.module.own:
                return f"`use {use.path} ({', '.join([*names, name])})` brings it"
    return _in_shipped(name)


def _in_shipped(name: str) -> str:
    from archdsl.build.files import read_text, shipped

    for place in sorted((shipped() / "lib").iterdir(), key=lambda p: p.name):
        path = f"lib/{place.name.removesuffix('.arch')}"
        lines = read_text(place).splitlines()
        if any(" ".join(_head(line)) == f"block {name}" for line in lines):
            return f"`use {path} ({name})` brings it"
    return ""


def _head(line: str) -> list[str]:
    """The first two words of a line."""
    plain = "".join(c if c.isalnum() or c == "_" else " " for c in line)
    return plain.split()[:2] if line[:1].strip() else []


# --- the tree -----------------------------------------------------------------------


def _walk(node: tree.Node, reach: Span) -> Iterator[tuple[tree.Node, Span]]:
    """Every node below one, in the order of the text, and the braces around it."""
    waiting: list[tuple[object, Span]] = [(node, reach)]
    while waiting:
        found, around = waiting.pop()
        if isinstance(found, tuple):
            waiting += [(child, around) for child in reversed(found)]
        elif isinstance(found, tree.Node):
            yield found, around
            braces = isinstance(found, tree.Body | tree.For | tree.Comprehension)
            inner = found.span if braces else around
            names = [f.name for f in fields(found) if f.name != "span"]
            waiting += [(getattr(found, n), inner) for n in reversed(names)]


def _bindings(item: tree.Block | tree.Model, name: str) -> Iterator[_Binding]:
    """The places in a block or model that define a name."""
    for tensor in getattr(item, "tensors", None) or ():
        if tensor.id == name:
            yield _Binding(tensor.span, "tensor", item.span)
    for node, reach in _walk(item, item.span):
        for found, what in _named(node):
            if found.id == name:
                yield _Binding(found.span, what, reach)


def _named(node: tree.Node) -> Iterator[tuple[tree.Name, str]]:
    """The names that a node itself defines, and what they are."""
    if isinstance(node, tree.Parameter):
        yield node.name, "hyperparameter"
    elif isinstance(node, tree.Input | tree.Layer):
        yield node.name, "tensor"
    elif isinstance(node, tree.Let):
        what = "number" if isinstance(node.value, _NUMBERS) else "value"
        yield from ((name, what) for name in node.names)
    elif isinstance(node, tree.Step) and node.label is not None:
        yield node.label, "label"
    elif isinstance(node, tree.Target) and isinstance(node.items, tree.Name):
        yield node.items, "number"

"""A name that is not in reach: where it is defined, and how to get at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from archdsl.diagnostics import LONGEST_NAME, Note
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.files import Module

_NUMBERS = (tree.Literal, tree.ListOf, tree.Binary, tree.Unary, tree.Compare)


@dataclass(frozen=True)
class BindingSite:
    """A place that gives a name its meaning, and what reaches it."""

    item: tree.Block | tree.Model
    span: Span
    what: str  # tensor, value, number, hyperparameter
    reach: Span


def labels(node: tree.Node) -> set[str]:
    """The names that ``as`` gives somewhere in a construct."""
    steps = (n for n, _ in _walk(node, node.span) if isinstance(n, tree.Step))
    return {step.label.id for step in steps if step.label is not None}


def whereabouts(name: str, use: Span, module: Module) -> tuple[str, tuple[Note, ...]]:
    """A help and notes for a name that nothing in reach defines, or "" and none."""
    if len(name) > LONGEST_NAME:
        return "", ()
    found = _index(module).get(name, [])
    for site in found:
        if _holds(site.item.span, use):
            return _nearby(name, use, site)
    if found:
        items = [i for i in module.file.items if isinstance(i, tree.Block)]
        here = next((i for i in items if _holds(i.span, use)), None)
        return _elsewhere(name, found[0], here)
    return _in_files(name, module), ()


def _index(module: Module) -> dict[str, list[BindingSite]]:
    """The places of a file that define names, by name; made at its first error."""
    if module.sites is None:
        module.sites = {}
        for item in module.file.items:
            if isinstance(item, tree.Block | tree.Model):
                for name, site in _sites(item):
                    module.sites.setdefault(name, []).append(site)
    return module.sites


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source is inner.source and outer.start <= inner.start < outer.end


def _nearby(name: str, use: Span, site: BindingSite) -> tuple[str, tuple[Note, ...]]:
    """The name is defined in the same body, but does not reach the use."""
    if site.span.start > use.start:
        notes = (Note(f"`{name}` is defined only here", site.span),)
        return "move that line up: a name is known below its definition", notes
    notes = (Note(f"`{name}` is defined here", site.span),)
    if _holds(site.reach, use):
        return "", notes
    if site.what == "label":
        why = "its `if` is false, or its loop has no turns"
        return f"that step does not run: {why}", notes
    return "it is known between the braces around it only: define it before them", notes


def _elsewhere(
    name: str, site: BindingSite, here: tree.Block | None
) -> tuple[str, tuple[Note, ...]]:
    """The name belongs to another block or model."""
    item = site.item
    kind = "model" if isinstance(item, tree.Model) else "block"
    words = f"`{name}` is defined here, in {kind} {item.name.id}"
    notes = (Note(words, site.span),)
    if here is None:
        help_ = f"a block gives what it ends with, or says by `return {name}`"
        return (help_ if kind == "block" else "", notes)
    block = here.name.id
    if site.what in ("hyperparameter", "number"):
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
    path = _shipped_blocks().get(name, "")
    return f"`use {path} ({name})` brings it" if path else ""


@cache
def _shipped_blocks() -> dict[str, str]:
    """The blocks that ship, with what to `use` for each."""
    from archdsl.build.files import read_text, shipped

    found: dict[str, str] = {}
    for place in sorted((shipped() / "lib").iterdir(), key=lambda p: p.name):
        names = re.findall(r"^block (\w+)", read_text(place), re.MULTILINE)
        path = f"lib/{place.name.removesuffix('.arch')}"
        found |= {name: path for name in names if name not in found}
    return found


# --- the tree -----------------------------------------------------------------------


def _walk(node: tree.Node, reach: Span) -> Iterator[tuple[tree.Node, Span]]:
    """Every node below one, in the order of the text, and the braces around it."""
    waiting = [(node, reach)]
    while waiting:
        found, around = waiting.pop()
        yield found, around
        braces = isinstance(found, tree.Body | tree.For | tree.Comprehension)
        inner = found.span if braces else around
        waiting += [(child, inner) for child in reversed([*tree.children(found)])]


def _sites(item: tree.Block | tree.Model) -> Iterator[tuple[str, BindingSite]]:
    """The places in a block or model that define names."""
    for tensor in getattr(item, "tensors", None) or ():
        yield tensor.id, BindingSite(item, tensor.span, "tensor", item.span)
    for node, reach in _walk(item, item.span):
        for found, what in _named(node):
            yield found.id, BindingSite(item, found.span, what, reach)


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

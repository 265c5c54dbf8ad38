"""The manual of the ops, made from what the ops say of themselves.

`page` gathers what there is to say of an op. `manual` writes every page as Markdown;
`archdsl ops` writes the same pages for a terminal.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Literal, NamedTuple, Union, get_args, get_origin

from archdsl.build import build, read
from archdsl.diagnostics import SpecError
from archdsl.ops.base import Example, Op
from archdsl.ops.registry import public_ops
from archdsl.ops.spelling import spelled, usage
from archdsl.source import Source

_HEAD = """\
# The ops

Generated from the ops themselves by `make docs`; the examples are run by the tests.
`C` is the features, `B` the batch, every other axis a position; `over` narrows the
positions that an op works on. Costs are for one run; see [numbers.md](numbers.md).
`archdsl ops conv` prints what this page says of `conv` in a terminal.
"""
_STAYS = "The one that goes in."
_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    NoneType: "none",
}


class Argument(NamedTuple):
    """An argument of an op; `default` is "" where it must be given."""

    name: str
    takes: str
    default: str
    words: str


class Shown(NamedTuple):
    """An example: a pipeline, the tensors beside it, and the shape that comes out."""

    text: str
    others: tuple[str, ...]
    gives: str


@dataclass(frozen=True)
class Page:
    """What there is to say of one op; code in the words stands in backticks."""

    name: str
    usage: str
    summary: str
    about: str
    shape: str
    cost: str
    arguments: tuple[Argument, ...]
    paper: str
    examples: tuple[Shown, ...]


def chapters() -> dict[str, list[type[Op]]]:
    """The public ops by their group, both sorted.

    Raises:
        SpecError: The ops of an installed package do not fit.
    """
    found: dict[str, list[type[Op]]] = {}
    for op in public_ops().values():
        found.setdefault(op.group, []).append(op)
    return dict(sorted(found.items()))


def page(op: type[Op]) -> Page:
    """What an op says of itself, and what its examples give."""
    text = re.split(r"\n(?=(?:Shape|Args):\n)", inspect.getdoc(op) or "")[0]
    _, _, rest = text.partition("\n")
    about, *cost = re.split(r"(?:^|(?<=\.\s))Costs\s", rest.strip(), maxsplit=1)
    return Page(
        name=op.name,
        usage=usage(op),
        summary=summary(op),
        about=_code(about),
        shape=_shape(op),
        cost=_sentence(_code("".join(cost))),
        arguments=tuple(_arguments(op)),
        paper=op.paper,
        examples=tuple(map(_shown, op.examples)),
    )


def summary(op: type[Op]) -> str:
    """The first line of what an op says of itself."""
    return _code((inspect.getdoc(op) or "").partition("\n")[0])


def _code(text: str) -> str:
    return text.strip().replace("``", "`")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _shape(op: type[Op]) -> str:
    """The ``Shape:`` of an op, or of what it is made from."""
    for base in op.__mro__:
        own = inspect.cleandoc(base.__doc__ or "")
        found = re.search(r"^Shape:\n((?: {4}.*\n?)+)", own, re.M)
        if found:
            return _code(" ".join(found[1].split()))
    return _STAYS


def _arguments(op: type[Op]) -> Iterator[Argument]:
    said = documented(op)
    for name, info in op.model_fields.items():
        takes = _words((*info.metadata, info.annotation))
        default = "" if info.is_required() else spelled(info.default)
        yield Argument(name, takes, default, _code(said.get(name, "")))


def documented(op: type[Op]) -> dict[str, str]:
    """The ``Args:`` of an op's docstring, by name; inherited ones too."""
    found: dict[str, str] = {}
    for base in reversed(op.__mro__):
        _, _, section = (inspect.cleandoc(base.__doc__ or "")).partition("Args:\n")
        for match in re.finditer(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.M):
            found[match[1]] = " ".join(match[2].split())
    return found


def _words(kinds: Iterable[object]) -> str:
    """What an argument may be: the words beside its type, or those for the type."""
    for kind in kinds:
        if isinstance(kind, str):
            return kind
        if isinstance(kind, type) and kind in _TYPES:
            return _TYPES[kind]
        if get_origin(kind) is Annotated:
            return _words(reversed(get_args(kind)))
        if get_origin(kind) is Literal:
            return " or ".join(map(spelled, get_args(kind)))
        if get_origin(kind) in (Union, UnionType):
            return ", or ".join(dict.fromkeys(_words([k]) for k in get_args(kind)))
    return "a value"


def _shown(example: Example) -> Shown:
    """An example as it is written, with the shape that it was found to give."""
    (flow, shape), *others = example.inputs.items() or [("", "")]
    text = f"{shape} -> {example.code}" if flow else example.code
    rows = [f"input {name}: {given}" for name, given in example.inputs.items()]
    rows.append(f"output out = {flow} -> {example.code}")
    spec = Source("example", "model example {\n" + "\n".join(rows) + "\n}\n")
    try:
        gives = str(build(read(spec)).outputs[0])
    except SpecError:  # of a package that was never tested
        gives = ""
    return Shown(text, tuple(f"{name}: {given}" for name, given in others), gives)


# --- as Markdown --------------------------------------------------------------------


def manual() -> str:
    """Every public op by chapter."""
    parts = [_HEAD]
    for group, members in chapters().items():
        parts.append(f"## {group.capitalize()}\n")
        parts += [_markdown(page(op)) for op in members]
    return "\n".join(parts)


def _markdown(of: Page) -> str:
    lines = [f"### `{of.usage}`\n", of.summary, ""]
    lines += [of.about, ""] if of.about else []
    lines += [f"Shape: {of.shape}", ""]
    lines += [f"Cost: {of.cost}", ""] if of.cost else []
    if of.arguments:
        lines += ["| argument | takes | default | meaning |", "|---|---|---|---|"]
        lines += [_row(argument) for argument in of.arguments]
        lines.append("")
    if of.paper:
        lines += [f"*{of.paper}*", ""]
    if of.examples:
        texts = ["   with ".join((e.text, *e.others)) for e in of.examples]
        longest = max(map(len, texts))
        rows = [
            f"{text:{longest}}   gives {example.gives}".rstrip()
            for text, example in zip(texts, of.examples, strict=True)
        ]
        lines += ["```", *rows, "```", ""]
    return "\n".join(lines)


def _row(of: Argument) -> str:
    default = of.default and f"`{of.default}`"
    return f"| `{of.name}` | {of.takes} | {default} | {of.words} |"

"""``archdsl ops``."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterator

import click

from archdsl.backends.manual import Page, chapters, page, summary
from archdsl.cli.common import color_option, colored, reporting
from archdsl.ops.base import Op

_WIDTH = 80
_INDENT = "  "
_GLUE = "\0"  # a blank at which no line is broken
Bold = Callable[[str], str]


@click.command("ops")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@color_option
def command(names: tuple[str, ...], color: str) -> None:
    """Print the manual of the ops: all of them by kind, or the pages of some."""
    paint = colored(color, sys.stdout)

    def bold(text: str) -> str:
        return click.style(text, bold=True) if paint else text

    with reporting(color):
        groups = chapters()
    lines: list[str] = []
    if names:
        known = {op.name: op for members in groups.values() for op in members}
        for op in [_named(name, known) for name in names]:
            lines += ["", ""] if lines else []
            lines += _page(page(op), bold)
    else:
        lines += _table(groups, bold)
    click.echo("\n".join(lines), color=paint)


def _named(name: str, known: dict[str, type[Op]]) -> type[Op]:
    """The op of that name.

    Raises:
        UsageError: There is none; it says which there are.
    """
    if name in known:
        return known[name]
    from archdsl.diagnostics import habits, near

    plain = name.rpartition(".")[2]  # `nn.Conv2d`
    hint = habits.layer(plain) or near(plain, known) or "`archdsl ops` prints them all"
    raise click.UsageError(f"no op is called {name!r}; {hint}")


# --- all of them --------------------------------------------------------------------


def _table(groups: dict[str, list[type[Op]]], bold: Bold) -> Iterator[str]:
    width = max(len(op.name) for members in groups.values() for op in members)
    for group, members in groups.items():
        yield bold(group.capitalize())
        for op in members:
            head = f"{_INDENT}{op.name:{width}}  "
            yield from _wrapped(summary(op), head)
        yield ""
    yield "`archdsl ops NAME` prints the page of one."


# --- one of them --------------------------------------------------------------------


def _page(of: Page, bold: Bold) -> Iterator[str]:
    name, parenthesis, rest = of.usage.partition("(")
    call = list(_wrapped(rest, name + parenthesis))
    yield bold(name) + call[0].removeprefix(name)
    yield from call[1:]
    yield from ("", *_paragraph(of.summary))
    if of.about:
        yield from ("", *_paragraph(of.about))
    if of.arguments:
        yield from ("", bold("Arguments"), *_arguments(of))
    yield from ("", bold("Shape"), *_paragraph(of.shape))
    if of.cost:
        yield from ("", bold("Cost"), *_paragraph(of.cost))
    if of.examples:
        yield from ("", bold("Examples"), *_examples(of))
    if of.paper:
        yield from ("", bold("Paper"), *_paragraph(of.paper))


def _arguments(of: Page) -> Iterator[str]:
    for argument in of.arguments:
        default = f"; default {argument.default}" if argument.default else ""
        head = f"{_INDENT}{argument.name}: "
        yield from _wrapped(argument.takes + default, head, 2 * _INDENT)
        yield from _wrapped(argument.words, 2 * _INDENT)


def _examples(of: Page) -> Iterator[str]:
    for example in of.examples:
        yield from _wrapped(example.text, _INDENT, 2 * _INDENT)
        yield from (f"{2 * _INDENT}with {other}" for other in example.others)
        yield f"{2 * _INDENT}gives {example.gives}"


def _paragraph(text: str) -> list[str]:
    return _wrapped(" ".join(text.split()), _INDENT)


def _wrapped(text: str, head: str, indent: str | None = None) -> list[str]:
    """Lines that a terminal shows whole; `indent` is in front of all but the first."""
    after = " " * len(head) if indent is None else indent
    whole = re.sub(r"`[^`]+`| = ", lambda code: code[0].replace(" ", _GLUE), text)
    lines = textwrap.wrap(
        whole, _WIDTH, initial_indent=head, subsequent_indent=after,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(_GLUE, " ") for line in lines] or [head]

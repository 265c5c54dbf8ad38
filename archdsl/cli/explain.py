"""``archdsl explain``."""

from __future__ import annotations

import textwrap

import click

from archdsl.diagnostics import near
from archdsl.diagnostics.catalogue import Page, classes, page, title

_WIDTH = 80
_WORDS = {"wrong": "Wrong:", "right": "Right:", "": "With net.arch:"}


@click.command("explain")
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Say what the code of an error or warning means; without one, list them all."""
    if code is None:
        for known, kind in classes().items():
            click.echo(f"{known}  {kind.severity:7}  {title(known)}")
        return
    name = code.upper()
    if name not in classes():
        problem = f"no error or warning has the code {code!r}; {_hint(name)}"
        raise click.UsageError(problem)
    click.echo(f"{name}: {title(name)}\n\n{_shown(page(name))}")


def _hint(name: str) -> str:
    """The codes that are near to one that is none."""
    begin = [known for known in classes() if known.startswith(name)]
    if begin:
        return f"these begin so: {', '.join(begin)}"
    return near(name, classes()) or "`archdsl explain` lists them"


def _shown(found: Page) -> str:
    """A page as text: paragraphs filled, examples indented."""
    parts = [_filled(paragraph) for paragraph in found.prose.split("\n\n")]
    for example in found.examples:
        _, _, verdict = example.kind.partition(" ")
        parts += [_WORDS[verdict], textwrap.indent(example.text.rstrip(), "    ")]
    return "\n\n".join(parts)


def _filled(paragraph: str) -> str:
    """One paragraph; a list keeps its lines."""
    if paragraph.startswith("- "):
        return paragraph
    return textwrap.fill(
        " ".join(paragraph.split()),
        _WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )

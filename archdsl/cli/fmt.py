"""``archdsl fmt``."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from archdsl.cli.common import color_option, show, stdin_option, write_whole
from archdsl.diagnostics import SpecError
from archdsl.source import Source
from archdsl.syntax.format import format_source

_STDIN = "-"


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 if a file would change."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@stdin_option
@color_option
def command(
    files: tuple[str, ...], check: bool, diff: bool, stdin_filename: str, color: str
) -> None:
    """Put specs into their canonical form.

    A folder stands for every .arch file in it, - for standard input, which is written
    to standard output. A file with syntax errors stays as it is. Exits with 1 if there
    is one.
    """
    failed = False
    for name in _named(files):
        label = stdin_filename if name == _STDIN else name
        before = _read(name)
        try:
            after = format_source(Source(label, before.removeprefix("\ufeff")))
        except SpecError as error:
            show(error.diagnostics, color)
            failed = True
            continue
        changed = before != after
        if diff:
            click.echo(_difference(label, before, after), nl=False)
        if check:
            failed = failed or changed
            if changed and not diff:
                click.echo(f"{label}: would be formatted")
        elif not diff:
            _write(name, after, changed=changed)
    if failed:
        raise click.exceptions.Exit(1)


def _named(files: tuple[str, ...]) -> Iterator[str]:
    """The files, and those in the folders in the order of their names."""
    for name in files:
        if name == _STDIN or not Path(name).is_dir():
            yield name
            continue
        for folder, folders, names in os.walk(name):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for each in sorted(names):
                if each.endswith(".arch"):
                    yield str(Path(folder) / each)


def _read(name: str) -> str:
    """The text of a file as it is: what is no text would be lost in writing it back."""
    try:
        data = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError(f"{name}: not UTF-8 text") from None
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None


def _write(name: str, text: str, *, changed: bool) -> None:
    if name == _STDIN:
        click.echo(text, nl=False)
    elif changed:
        write_whole(Path(name), text)
        click.echo(f"{name}: formatted")


def _difference(label: str, before: str, after: str) -> str:
    """A unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        label,
        f"{label} (formatted)",
    )
    end = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith("\n") else line + end for line in lines)

"""``archdsl new``."""

from __future__ import annotations

import os
import re
import shlex
from importlib.resources import files
from pathlib import Path

import click

from archdsl.cli.common import write_whole

_ENDING = ".arch"


@click.command("new")
@click.argument("kind", required=False, metavar="[KIND]")
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
def command(kind: str | None, path: str | None, force: bool) -> None:
    """Write a small spec to begin with, or list the kinds there are.

    PATH is KIND.arch if not given, - for standard output. The model is called as the
    file, where that is a name of the language.
    """
    starters = _starters()
    if kind is None:
        width = max(map(len, starters))
        for name, text in starters.items():
            click.echo(f"{name:{width}}  {_summary(text)}")
        click.echo("\n`archdsl new KIND [PATH]` writes one.")
        return
    text = _chosen(kind, starters)
    if path == "-":
        click.echo(text, nl=False)
        return
    place = _place(path or kind.replace("-", "_"), force=force)
    text, model = _called(text, place.name.removesuffix(_ENDING))
    write_whole(place, text)
    click.echo(f"{place}: model {model}, {len(text.splitlines())} lines")
    click.echo(
        f"`archdsl analyze {shlex.quote(str(place))}` says what it has and costs"
    )


def _starters() -> dict[str, str]:
    """The text of each kind of spec to begin with, by its name."""
    folder = files("archdsl.starters")
    return {
        entry.name.removesuffix(_ENDING): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(_ENDING)
    }


def _summary(text: str) -> str:
    return text.partition("\n")[0].removeprefix("#").strip()


def _chosen(kind: str, starters: dict[str, str]) -> str:
    """The starter of a kind.

    Raises:
        UsageError: There is none; it says which there are.
    """
    found = starters.get(kind.replace("-", "_"))
    if found is None:
        from archdsl.diagnostics import near

        hint = near(kind, starters) or f"there are {', '.join(starters)}"
        raise click.UsageError(f"no kind {kind!r}; {hint}")
    return found


def _place(path: str, *, force: bool) -> Path:
    """The file to write, which gets an ending if it has none.

    Raises:
        UsageError: It is a folder, or there already.
    """
    place = Path(path)
    try:
        if place.is_dir():
            what = f"{place} is a folder; name a file, such as {place / 'net.arch'}"
            raise click.UsageError(what)
        place = place if place.suffix else place.with_name(place.name + _ENDING)
        if os.path.lexists(place) and not force:
            raise click.UsageError(f"{place} exists; --force replaces it")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"cannot write {path}: {error}") from None
    return place


def _called(text: str, name: str) -> tuple[str, str]:
    """A starter with its model called as its file, and the model's name.

    The starter's own name stays where the file's means something else in it, or is
    none: `conv.arch` or `my net.arch`.
    """
    import archdsl

    head = re.compile(r"^model (\w+)", re.M)
    if re.fullmatch("[a-z_][A-Za-z0-9_]*", name):
        renamed = head.sub(f"model {name}", text)
        if not archdsl.check(renamed):
            return renamed, name
    found = head.search(text)
    return text, found[1] if found else ""

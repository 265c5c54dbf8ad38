"""``archdsl compile``."""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.cli.common import (
    Asked,
    SpecCommand,
    reporting,
    spec_options,
    write_whole,
)

_MARK = "compiled by archdsl"


@click.command("compile", cls=SpecCommand)
@spec_options
@click.option(
    "-o",
    "--output",
    metavar="OUT.py",
    help="The file to write; MODEL.py by default, - for standard output.",
)
@click.option(
    "--force", is_flag=True, help="Replace a file that archdsl did not write."
)
def command(
    asked: Asked,
    color: str,
    form: str,
    output: str | None,
    force: bool,
) -> None:
    """Write a model as PyTorch source that stands alone.

    The file has one class named as the model, swin_t as SwinT, built without arguments.
    """
    from archdsl.backends.torch.module import class_name, write

    with reporting(color, form):
        graph, found = asked.graph()
        text = write(graph, found.name)
    if output == "-":
        click.echo(text, nl=False)
        return
    path = Path(output or f"{graph.name}.py")
    try:
        _refuse(path, f"{graph.name}.py", force=force)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
    write_whole(path, text)
    click.echo(f"{path}: {class_name(graph)}, {len(text.splitlines())} lines")


def _refuse(path: Path, name: str, *, force: bool) -> None:
    """Says no to a folder, and to a file that archdsl did not write."""
    if path.is_dir():
        what = f"{path} is a folder; name a file, such as {path / name}"
        raise click.UsageError(what)
    if path.is_file() and not force:
        with path.open("rb") as file:
            start = file.read(400).decode("utf-8", errors="replace")
        if _MARK not in start:
            what = f"{path} exists and is not archdsl's; --force replaces it"
            raise click.UsageError(what)

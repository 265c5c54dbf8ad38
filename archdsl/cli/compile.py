"""``archdsl compile``."""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.cli.common import graph_of, reporting, spec_options, write_whole

_MARK = "compiled by archdsl"


@click.command("compile")
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
    spec: str,
    settings: tuple[str, ...],
    sizes: tuple[str, ...],
    stdin_filename: str,
    color: str,
    output: str | None,
    force: bool,
) -> None:
    """Write a model as PyTorch source that stands alone.

    The file has one class named as the model, swin_t as SwinT, built without arguments.
    """
    from archdsl.backends.torch.module import class_name, write

    with reporting(color):
        graph, found = graph_of(spec, settings, sizes, stdin_filename)
        text = write(graph, found.name)
    if output == "-":
        click.echo(text, nl=False)
        return
    path = Path(output or f"{graph.name}.py")
    if path.is_dir():
        raise click.UsageError(
            f"{path} is a folder; name a file, such as {path / graph.name}.py"
        )
    if path.exists() and not force and _MARK not in _start(path):
        raise click.UsageError(
            f"{path} exists and is not archdsl's; --force replaces it"
        )
    write_whole(path, text)
    click.echo(f"{path}: {class_name(graph)}, {len(text.splitlines())} lines")


def _start(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(400).decode("utf-8", errors="replace")

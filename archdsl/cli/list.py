"""``archdsl list``."""

from __future__ import annotations

import click

from archdsl.cli.common import color_option, reporting


@click.command("list")
@click.option("--ops", "which", flag_value="ops", help="The ops of the language.")
@color_option
def command(which: str | None, color: str) -> None:
    """List the specs that ship with archdsl, with the models in each."""
    with reporting(color):
        rows = _ops() if which == "ops" else _specs()
    width = max(len(name) for name, _ in rows)
    for name, words in rows:
        click.echo(f"{name:{width}}  {words}".rstrip())


def _ops() -> list[tuple[str, str]]:
    from archdsl.ops.registry import ops

    return [
        (name, (op.__doc__ or "").strip().splitlines()[0])
        for name, op in ops().items()
        if op.public
    ]


def _specs() -> list[tuple[str, str]]:
    from archdsl.build.files import shipped
    from archdsl.build.program import read
    from archdsl.source import Source

    rows = []
    for entry in sorted(shipped().iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".arch"):
            program = read(Source(entry.name, entry.read_text(encoding="utf-8")))
            rows.append((entry.name.removesuffix(".arch"), ", ".join(program.models)))
    return rows

"""``archdsl list``."""

from __future__ import annotations

import click

from archdsl.build.files import shipped
from archdsl.build.program import read
from archdsl.source import Source


@click.command("list")
def command() -> None:
    """List the specs that ship with archdsl, with the models in each."""
    rows = [
        (entry.name.removesuffix(".arch"), read(Source(entry.name, text)).models)
        for entry in sorted(shipped().iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".arch")
        for text in [entry.read_text(encoding="utf-8")]
    ]
    width = max(len(name) for name, _ in rows)
    for name, models in rows:
        click.echo(f"{name:{width}}  {', '.join(models)}".rstrip())

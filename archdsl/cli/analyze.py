"""``archdsl analyze``."""

from __future__ import annotations

import click

from archdsl.cli.common import Asked, SpecCommand, reporting, spec_options


@click.command("analyze", cls=SpecCommand)
@spec_options
@click.option("--params", is_flag=True, help="Show parameters and buffers.")
@click.option("--flops", is_flag=True, help="Show MACs and FLOPs, itemised by kind.")
@click.option("--memory", is_flag=True, help="Show bytes of weights and activations.")
@click.option("--depth", default=2, show_default=True, type=click.IntRange(min=0),
              help="How many names of a path make a row; 0 for every op.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
@click.option("--ir", is_flag=True, help="The graph as text.")
def command(
    asked: Asked,
    color: str,
    form: str,
    params: bool,
    flops: bool,
    memory: bool,
    depth: int,
    as_json: bool,
    ir: bool,
) -> None:
    """Say what a model holds and costs, without running it.

    Costs are for a batch of one; --size B=8 makes it eight. One MAC is one multiply and
    one add; FLOPs are two a MAC and all other arithmetic.
    """
    with reporting(color, form):
        graph, _ = asked.graph()
        if ir:
            from archdsl.ir.text import text

            click.echo(text(graph), nl=False)
            return
        from archdsl.analysis.report import report

        found = report(graph)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
        return
    from archdsl.analysis.table import table

    shown = [
        n for n, on in (("params", params), ("flops", flops), ("memory", memory)) if on
    ]
    click.echo(table(found, shown or ["params", "flops", "memory"], depth))

"""The command line; the only place that prints or exits."""

from __future__ import annotations

import importlib
import os
import sys

import click

import archdsl

_COMMANDS = {
    "analyze": "parameters, MACs, FLOPs and memory of a model",
    "check": "errors of a spec, all at once",
    "compare": "models side by side, stage by stage",
    "compile": "a model as a standalone PyTorch file",
    "diff": "what differs between two models",
    "draw": "a picture of a model: DOT, SVG, PNG or PDF",
    "explain": "what the code of an error or warning means",
    "fmt": "specs in their canonical form",
    "list": "the specs that ship",
    "measure": "effective field, attention, gradients: what only a run can tell",
    "new": "a small spec to begin with, of a chosen kind",
    "ops": "the manual of the ops",
    "profile": "how long each layer takes, measured",
    "sweep": "a grid of variants of a model, and its Pareto front",
    "verify": "whether the compiled model is what is said of it",
    "weights": "checkpoints: how their keys map to a model's",
}


class _Lazy(click.Group):
    """A group that imports a command when it is run, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"archdsl.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in _COMMANDS:
            from archdsl.diagnostics import near

            hint = near(name, _COMMANDS) or f"try {ctx.command_path} --help"
            raise click.UsageError(f"no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(archdsl.__version__, prog_name="archdsl")
def cli() -> None:
    """Neural-network architectures, declared: check, price, draw and compile them."""


def main(arguments: list[str] | None = None) -> None:
    """Runs a command and exits: 0 fine, 1 the spec has errors, 2 wrong usage."""
    try:
        # Click gives back the code of an `Exit` in this mode, and None otherwise.
        sys.exit(cli.main(args=arguments, prog_name="archdsl", standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except BrokenPipeError:
        # Whoever read the output has gone: say nothing, as other tools do.
        _drop_output()
        sys.exit(141)
    except OSError as problem:
        # Files are the commands' to answer for; what is left is a full standard output.
        _drop_output()
        click.echo(f"Error: cannot write the output: {problem.strerror}", err=True)
        sys.exit(2)


def _drop_output() -> None:
    """Sends standard output nowhere, or Python would fail on it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

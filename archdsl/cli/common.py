"""What commands share: reading specs and options, reporting errors, writing files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TextIO, TypeVar

import click

import archdsl
from archdsl.build import build, operands, read
from archdsl.build.files import decoded
from archdsl.build.opening import Opened, open_path
from archdsl.build.settings import Extent
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.ir.graph import Graph
from archdsl.source import Source

F = TypeVar("F", bound=Callable[..., None])
STDIN = "<stdin>"
FORMATS = ("text", "json", "github", "sarif")
_USAGE = {"E502", "E503", "E508"}  # what is wrong is the command, not the spec
_NARROWEST, _WIDEST = 60, 120  # columns of messages


class SpecCommand(click.Command):
    """A command to which ``-`` and ``-:model`` are standard input, and no options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts another name for ``-`` where it is a spec."""
        words = [STDIN + a[1:] if a.startswith("-:") else a for a in args]
        return super().parse_args(ctx, words)


@dataclass(frozen=True)
class Asked:
    """The model that a command line names."""

    spec: str
    settings: tuple[str, ...]
    sizes: tuple[str, ...]
    outputs: tuple[str, ...]
    stdin_filename: str

    def given(
        self,
    ) -> tuple[dict[str, str], dict[str, Extent], tuple[str, ...]]:
        """What is set of the model: hyperparameters, sizes, and what comes out."""
        names = names_of(",".join(self.outputs))
        return settings_of(self.settings), sizes_of(self.sizes), names

    def graph(self, fixed: Mapping[str, int] = {}) -> tuple[Graph, Opened]:
        """The graph that the command is about, and the file that it comes from.

        Args:
            fixed: Sizes of input axes that overrule those of the command line.

        Raises:
            SpecError: The spec has errors.
            UsageError: The command is wrong.
        """
        found = opened(self.spec, self.stdin_filename)
        settings, sizes, names = self.given()
        sizes |= fixed
        graph = build(found.program, found.model, settings, sizes, names)
        return graph, found


def spec_options(function: Callable[..., None]) -> Callable[..., None]:
    """The argument and options that name a model; the command gets them as `Asked`."""

    @wraps(function)
    def command(
        spec: str,
        settings: tuple[str, ...],
        sizes: tuple[str, ...],
        outputs: tuple[str, ...],
        stdin_filename: str,
        **others: object,
    ) -> None:
        asked = Asked(spec, settings, sizes, outputs, stdin_filename)
        function(asked, **others)

    decorators = [
        click.argument("spec", metavar="FILE[:MODEL]"),
        click.option(
            "--set", "settings", multiple=True, metavar="NAME=VALUE",
            help="Override a hyperparameter; an uppercase name leaves a number open.",
        ),
        click.option(
            "--size", "sizes", multiple=True, metavar="AXIS=N,…",
            help="Override input axes; AXIS alone is open, AXIS=32*n a formula.",
        ),
        click.option(
            "--outputs", multiple=True, metavar="NAME,…",
            help="Put out these values instead, and leave out what they do not need.",
        ),
        stdin_option,
        color_option,
        format_option,
    ]  # fmt: skip
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def color_option(function: F) -> F:
    """``--color``."""
    option = click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
        help="Whether errors are coloured; auto obeys NO_COLOR and FORCE_COLOR.",
    )  # fmt: skip
    return option(function)


def format_option(function: F) -> F:
    """``--format``."""
    option = click.option(
        "--format", "form", type=click.Choice(FORMATS), default="text",
        help="How errors are written: text to standard error, the others, for"
        " programs, to standard output.",
    )  # fmt: skip
    return option(function)


def shape_options(function: F) -> F:
    """``--json``, ``--csv``, ``--markdown``: the command gets one word as `shape`."""
    words = {
        "json": "Everything that was asked for, for programs.",
        "csv": "The tables as comma-separated values, numbers whole.",
        "markdown": "The tables for a page.",
    }
    for shape, help_ in reversed(words.items()):
        option = click.option(
            f"--{shape}", "shape", flag_value=shape, default="text", help=help_
        )
        function = option(function)
    return function


@contextmanager
def plotting(file: str) -> Iterator[Path]:
    """The file to draw a plot in, while it is drawn.

    Raises:
        UsageError: Its ending is none of a picture, nothing that draws is installed, or
            it cannot be written.
    """
    path = Path(file)
    if path.suffix.lower() not in (".svg", ".png"):
        raise click.UsageError(f"{file}: a plot ends in .svg or .png")
    try:
        yield path
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        what = "plots need matplotlib: pip install 'archdsl[plot]'"
        raise click.UsageError(what) from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None


def stdin_option(function: F) -> F:
    """``--stdin-filename``."""
    option = click.option(
        "--stdin-filename", default="<stdin>", metavar="NAME",
        help="What messages call a spec that is read from standard input (-).",
    )  # fmt: skip
    return option(function)


def opened(
    spec: str, stdin_filename: str = "<stdin>", beside: Path | None = None
) -> Opened:
    """The spec of a command line; ``-`` or ``-:model`` is standard input.

    What it uses is looked for in `beside`, if a folder is given.

    Raises:
        UsageError: There is no such file.
    """
    path, _, model = spec.partition(":")
    if path in ("-", STDIN):
        source = Source(stdin_filename, decoded(sys.stdin.buffer))
        return Opened(read(source, beside or Path.cwd()), model, stdin_filename)
    try:
        return open_path(spec, beside)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.UsageError(
            f"{spec}: {reason}" if error.strerror else reason
        ) from None


def names_of(text: str) -> tuple[str, ...]:
    """The names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def settings_of(options: tuple[str, ...]) -> dict[str, str]:
    """The values of ``--set NAME=VALUE``.

    Raises:
        BadParameter: One is not that.
    """
    values: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(
                f"{option!r} is not NAME=VALUE", param_hint="--set"
            )
        values[name.strip()] = value.strip()
    return values


def sizes_of(options: tuple[str, ...]) -> dict[str, Extent]:
    """The sizes of ``--size AXIS=N,…``.

    Raises:
        BadParameter: One is not that, or an axis is given twice.
    """
    sizes: dict[str, Extent] = {}
    for item in ",".join(options).split(",") if options else ():
        axis, size = size_of(item)
        if axis in sizes:
            problem = f"{axis} is given twice"
            raise click.BadParameter(problem, param_hint="--size")
        sizes[axis] = size
    return sizes


def places(options: tuple[str, ...]) -> dict[str, int]:
    """A position: its index along some axes.

    Raises:
        BadParameter: It is not written so.
    """
    found: dict[str, int] = {}
    for item in ",".join(options).split(",") if options else ():
        match = re.fullmatch(r"\s*([A-Z]\w*)\s*=\s*([0-9]{1,12})\s*", item)
        if match is None or match[1] in found:
            hint = "write AXIS=I with I at least 0, each axis once"
            raise click.BadParameter(f"{item!r}: {hint}", param_hint="--at")
        found[match[1]] = int(match[2])
    return found


def size_of(item: str) -> tuple[str, Extent]:
    """An axis and its size.

    Raises:
        BadParameter: It is not AXIS=N, AXIS=32*n or AXIS.
    """
    try:
        return operands.size_of(item)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--size") from None


@contextmanager
def reporting(color: str, form: str = "text", code: int = 1) -> Iterator[None]:
    """Prints what is wrong with a spec, and exits with a code."""
    try:
        yield
    except SpecError as error:
        show(error.diagnostics, color, form)
        wrong = {d.code for d in error.diagnostics} <= _USAGE
        raise click.exceptions.Exit(2 if wrong else code) from None


def show(diagnostics: Sequence[Diagnostic], color: str, form: str = "text") -> None:
    """Diagnostics, and how many there are; for programs, also where there are none.

    Text goes to standard error, a document for programs to standard output.
    """
    if form != "text":
        from archdsl.diagnostics.machine import formatted

        text = formatted(diagnostics, form, archdsl.__version__)
        click.echo(text.encode("utf-8", "replace"), nl=False)
        return
    if not diagnostics:
        return
    from archdsl.diagnostics.render import counted, render

    text = render(diagnostics, color=colored(color, sys.stderr), width=_width())
    click.echo(text, err=True, color=True)
    if len(set(diagnostics)) > 1:
        click.echo(counted(diagnostics), err=True)


def _width() -> int:
    """The columns of the terminal that errors go to, or as many as pages have."""
    from archdsl.diagnostics.render import WIDTH

    try:
        found = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return WIDTH
    return max(_NARROWEST, min(found, _WIDEST)) if found else WIDTH


def colored(color: str, stream: TextIO) -> bool:
    """Whether what goes to a stream is coloured."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is either there whole or as it was.

    Raises:
        UsageError: The folder does not exist, or cannot be written to.
    """
    from archdsl.backends.files import write_bytes

    try:
        write_bytes(path, text.encode("utf-8"))
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None

"""The pages of docs/errors: every code, explained, with what its example says."""

from __future__ import annotations

import shlex
import tempfile
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner, Result

from archdsl.analysis.check import check
from archdsl.build import read
from archdsl.cli import cli
from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.catalogue import classes, page, title
from archdsl.diagnostics.render import render
from archdsl.source import Source

NAME = "net.arch"  # what the examples' files are called
CHAPTERS = {
    "E1": ("syntax", "The text of a spec"),
    "E2": ("names", "Names, imports and plugins"),
    "E3": ("shapes", "Shapes and sizes"),
    "E4": ("arguments", "Arguments, values and tensors"),
    "E5": ("models", "Models, files and settings"),
    "E6": ("limits", "Limits"),
    "E7": ("promises", "Promises"),
    "E8": ("checkpoints", "Layouts of checkpoints"),
    "W": ("warnings", "Warnings"),
}
_HEAD = """\
# Errors and warnings

Generated from archdsl/diagnostics/pages by `make docs`; the examples are run by the
tests. `archdsl explain CODE` prints the same in the terminal. A code is stable: it will
never stand for something else. Codes `E…` are errors, codes `W…` warnings.

A comment allows warnings: `# allow W101` at the end of the line or alone on the line
above, several codes side by side, a reason after a `:` if there is one. `archdsl check
--allow W101` allows them for a run, and `--strict` makes those that are left fail it.
For programs there is `--format json`, by [this schema](../schemas/diagnostics.json),
`--format sarif` and `--format github`.
"""


def diagnosed(text: str) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with an example."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAME).write_text(text, encoding="utf-8")
        return check(read(Source(NAME, text), Path(folder)))


def ran(text: str, command: str) -> Result:
    """What a command says beside the file of an example."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path(NAME).write_text(text, encoding="utf-8")
        words = shlex.split(command)
        assert words.pop(0) == "archdsl"
        return CliRunner().invoke(cli, words)


def pages() -> dict[str, str]:
    """The text of each page, by the name of its file."""
    codes = list(classes())
    index, found = [_HEAD], {}
    for start, (name, heading) in CHAPTERS.items():
        members = [code for code in codes if code.startswith(start)]
        rows = [f"| [{c}]({name}.md#{c.lower()}) | {title(c)} |" for c in members]
        index.append(
            f"## {heading}\n\n| code | |\n|---|---|\n" + "\n".join(rows) + "\n"
        )
        parts = [f"# {heading}\n\n[All codes](README.md)\n", *map(_section, members)]
        found[f"{name}.md"] = "\n".join(parts)
    return {"README.md": "\n".join(index), **found}


def _section(code: str) -> str:
    explained = page(code)
    parts = [f"## {code}", f"**{title(code)}.**", explained.prose]
    spec = ""
    for example in explained.examples:
        language, _, verdict = example.kind.partition(" ")
        shown = language if verdict != "wrong" or language == "sh" else ""
        parts.append(f"```{shown}\n{example.text}```")
        if language == "arch":
            spec = example.text
        if verdict == "wrong":
            said = (
                render(diagnosed(spec))
                if language == "arch"
                else ran(spec, example.text).stderr
            )
            parts.append(f"```\n{said.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"

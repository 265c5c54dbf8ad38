"""The manual of the ops as Markdown, made from what the ops say of themselves."""

from __future__ import annotations

import inspect
import re

from archdsl.ops.base import Op, spelled, usage
from archdsl.ops.registry import ops

_HEAD = """\
# The ops

Generated from the ops themselves by `make docs`; the examples are run by the tests.
`C` is the features, `B` the batch, every other axis a position; `over` narrows the
positions that an op works on. Costs are for one run; see [numbers.md](numbers.md).
"""


def manual() -> str:
    """Every public op by chapter, with its arguments, cost and examples."""
    chapters: dict[str, list[type[Op]]] = {}
    for op in ops().values():
        if op.public:
            chapters.setdefault(op.group, []).append(op)
    parts = [_HEAD]
    for group, members in sorted(chapters.items()):
        parts.append(f"## {group.capitalize()}\n")
        parts += [_op(op) for op in members]
    return "\n".join(parts)


def _op(op: type[Op]) -> str:
    text, _, _ = (inspect.getdoc(op) or "").partition("\nArgs:")
    lines = [f"### `{usage(op)}`\n", text.strip().replace("``", "`"), ""]
    arguments = descriptions(op)
    if arguments:
        lines += ["| argument | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{name}` | {default} | {words} |" for name, default, words in arguments
        ]
        lines.append("")
    if op.paper:
        lines += [f"*{op.paper}*", ""]
    if op.examples:
        lines += ["```", *(_example(code, dict(ins)) for code, ins in op.examples)]
        lines += ["```", ""]
    return "\n".join(lines)


def descriptions(op: type[Op]) -> list[tuple[str, str, str]]:
    """Each argument with its default and what the docstring says of it."""
    said = documented(op)
    rows = []
    for field, info in op.model_fields.items():
        default = "" if info.is_required() else f"`{spelled(info.default)}`"
        rows.append((field, default, said.get(field, "").replace("``", "`")))
    return rows


def documented(op: type[Op]) -> dict[str, str]:
    """The ``Args:`` of an op's docstring, by name; inherited ones too."""
    found: dict[str, str] = {}
    for base in reversed(op.__mro__):
        _, _, section = (inspect.cleandoc(base.__doc__ or "")).partition("Args:\n")
        for match in re.finditer(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.M):
            found[match[1]] = " ".join(match[2].split())
    return found


def _example(code: str, inputs: dict[str, str]) -> str:
    first, *others = inputs.items()
    names = "".join(f"   with {name}: {shape}" for name, shape in others)
    return f"{first[1]} -> {code}{names}" if inputs else code

"""Values and calls of ops as the language writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.ops.base import Op


def written(field: str, value: object, op: Op) -> str:
    """A field of an op with its value, as an argument."""
    if field == op.axis_keywords:
        return ", ".join(a if s is None else f"{a} = {s}" for a, s in value)  # type: ignore[attr-defined]
    if field == op.rest and isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{field} = {spelled(value)}"


def spelled(value: object) -> str:
    """A value as the language writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(spelled(v) for v in value) + "]"
    if isinstance(value, str) and not value[:1].isupper():
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def usage(op: type[Op], *, short: bool = False) -> str:
    """How a call of an op is written, with its defaults or with what it must have."""
    words = ["[a, b, …]"] if op.ports and op.ports[0].many else []
    words += [p.name for p in op.ports[1:] if p.name == "other" or not p.optional]
    for field, info in op.model_fields.items():
        if field == op.rest:
            words.append("H, W, …")
        elif field == op.axis_keywords:
            words.append("H = 14, W = 14, …")
        elif info.is_required():
            words.append(f"{field} = …" if op.rest else field)
        elif field != "number" and not short:
            words.append(f"{field} = {spelled(info.default)}")
    later = [p.name for p in op.ports[1:] if p.optional and p.name not in words]
    words += [f"{name} = tensor" for name in later if not short]
    return f"{op.name}({', '.join(words)})" if words else op.name


def short_usage(op: type[Op]) -> str:
    """What a call of an op must have, and an example of one."""
    needed = usage(op, short=True)
    codes = [e.code for e in op.examples if e.code.startswith(f"{op.name}(")]
    one = [c for c in codes if "->" not in c and c != needed]
    return f"{needed}, such as {one[0]}" if one else needed

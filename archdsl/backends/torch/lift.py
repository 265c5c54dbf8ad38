"""Runtime classes of ops: their text, lifted from the file of the op.

An op that needs a class of its own defines it inside a function ``_runtime``, which
nobody calls: it is real, typed, linted Python, and torch stays unimported.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from functools import cache

from archdsl.ops.base import Op


@cache
def _runtime(module: str) -> dict[str, tuple[str, frozenset[str]]]:
    """The classes and functions of a file's runtime: text, and names that it uses."""
    text = inspect.getsource(sys.modules[module])
    lines = text.splitlines()
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == "_runtime":
            for inner in node.body:
                if isinstance(inner, ast.ClassDef | ast.FunctionDef):
                    first = min(
                        [inner.lineno, *(d.lineno for d in inner.decorator_list)]
                    )
                    rows = lines[first - 1 : inner.end_lineno]
                    body = "\n".join(row.partition("  # noqa")[0] for row in rows)
                    names = {n.id for n in ast.walk(inner) if isinstance(n, ast.Name)}
                    found[inner.name] = textwrap.dedent(body), frozenset(names)
    return found


def lifted(op: Op, name: str) -> dict[str, str]:
    """The text of a runtime class and of all that it uses, by name, users last.

    Raises:
        KeyError: The op's file has no such class.
    """
    known = _runtime(type(op).__module__)
    texts: dict[str, str] = {}

    def take(wanted: str) -> None:
        text, uses = known[wanted]
        for other in sorted(uses & known.keys() - {wanted}):
            if other not in texts:
                take(other)
        texts[wanted] = text

    take(name)
    return texts

"""Runtime classes of ops: their text, lifted from the file of the op.

An op that needs a class of its own defines it inside a function ``_runtime``, which
nobody calls: it is real, typed, linted Python, and torch stays unimported.

A class may derive from another one of the function: what both share is written once,
and each is lifted whole, with what it has from the other.

A class with many options would fill a compiled file with what it does not use. So a
line may end in a mark: ``#: mask or added`` is lifted only where an argument of one of
these names is given somewhere in the file, ``#: not mask`` only where none is; ``and``
joins such conditions. A mark speaks for its line and for all below that is indented
further; where it takes an ``if`` away, what stands in the ``else`` stays.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Collection, Mapping
from functools import cache

from archdsl.backends.torch.text import WIDTH
from archdsl.ops.base import Op

_MARK = re.compile(r"  #: ([\w ]+)$")
_HEAD = re.compile(r"^( *def \w+\()\n((?: +.*,\n)+) *(\).*:)$", re.MULTILINE)
_NOTE = re.compile(r"  # (noqa|type:).*$")  # to the tools that check our source


@cache
def _runtime(module: str) -> dict[str, str]:
    """The classes and functions of a file's runtime, by name."""
    function = getattr(sys.modules[module], "_runtime", None)
    if function is None:
        return {}
    text = inspect.getsource(function)  # which may come from another file
    lines = [_NOTE.sub("", line) for line in text.splitlines()]
    (outer,) = ast.parse(text).body
    assert isinstance(outer, ast.FunctionDef)
    found: dict[str, str] = {}
    for inner in outer.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef):
            first = min([inner.lineno, *(d.lineno for d in inner.decorator_list)])
            rows = lines[first - 1 : inner.end_lineno]
            found[inner.name] = _whole(textwrap.dedent("\n".join(rows)), found)
    return found


def _whole(text: str, known: Mapping[str, str]) -> str:
    """A definition; one of a class with the members that it has from those known."""
    (made,) = ast.parse(text).body
    bases = _bases(made)
    above = [known[base] for base in bases if base in known]
    if not above:
        return text
    assert isinstance(made, ast.ClassDef)
    kept = [base for base in bases if base not in known]
    kept = kept or _bases(ast.parse(above[0]).body[0])
    members: dict[str, str] = {}
    for each in (*above, text):
        members |= _members(each)
    # Where the constructor is its own, it comes before the methods that it has.
    rows = sorted(members.values(), key=_rank)
    return "\n".join([f"class {made.name}({', '.join(kept)}):", *rows])


def _rank(member: str) -> int:
    """What is no method first, then the constructor."""
    head = re.search(r"^    (?:@|def (\w+))", member, re.MULTILINE)
    return 0 if head is None else 1 if head[1] == "__init__" else 2


def _bases(made: ast.stmt) -> list[str]:
    return (
        [ast.unparse(b) for b in made.bases] if isinstance(made, ast.ClassDef) else []
    )


def _members(text: str) -> dict[str, str]:
    """The docstring, attributes and methods of a class, by name, space before each."""
    (made,) = ast.parse(text).body
    assert isinstance(made, ast.ClassDef)
    found: dict[str, str] = {}
    lines, start = text.splitlines(), made.lineno
    for inner in made.body:
        name = getattr(inner, "name", "")
        if isinstance(inner, ast.AnnAssign):
            name = ast.unparse(inner.target)
        found[name] = "\n".join(lines[start : inner.end_lineno])
        start = inner.end_lineno or start
    return found


@cache
def _names(text: str) -> frozenset[str]:
    """The names that a text uses."""
    return frozenset(n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name))


def lifted(op: Op, name: str, given: Collection[str] = ()) -> dict[str, str]:
    """The text of a runtime class and of all that it uses, by name, users last.

    Args:
        op: Whose file has the class.
        name: What the class is called.
        given: The arguments that some use gives, of the constructor or of a call.

    Raises:
        KeyError: The op's file has no such class.
    """
    known = _runtime(type(op).__module__)
    texts: dict[str, str] = {}

    def take(wanted: str) -> None:
        text = _chosen(known[wanted], given)
        for other in sorted(_names(text) & known.keys() - {wanted}):
            if other not in texts:
                take(other)
        texts[wanted] = text

    take(name)
    return texts


def _chosen(text: str, given: Collection[str]) -> str:
    """The lines that are there for these arguments, without their marks."""
    lines, kept, i = text.splitlines(), list[str](), 0
    while i < len(lines):
        line = lines[i]
        mark = _MARK.search(line)
        i += 1
        if mark is None:
            kept.append(line)
        elif all(_holds(words, given) for words in mark[1].split(" and ")):
            kept.append(line[: mark.start()])
        else:
            i = _end(lines, i, line)
            if lines[i:] and lines[i] == " " * _indent(line) + "else:":
                end = _end(lines, i + 1, line)
                lines[i:end] = [inner[4:] for inner in lines[i + 1 : end]]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).rstrip()
    return _HEAD.sub(_on_one_line, text)


def _on_one_line(head: re.Match[str]) -> str:
    """The head of a function that may have lost arguments, if it has room."""
    given = " ".join(line.strip() for line in head[2].splitlines())
    line = f"{head[1]}{given.removesuffix(',')}{head[3]}"
    return line if len(line) <= WIDTH and "#" not in given else head[0]


def _holds(words: str, given: Collection[str]) -> bool:
    """Whether one of the words is given; after ``not``, whether none is."""
    names = words.removeprefix("not ").split(" or ")
    return any(name in given for name in names) != words.startswith("not ")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(lines: list[str], start: int, head: str) -> int:
    """Where the lines end that are indented further than `head`."""
    end = start
    for i in range(start, len(lines)):
        if lines[i] and _indent(lines[i]) <= _indent(head):
            break
        end = i + 1 if lines[i] else end
    return end

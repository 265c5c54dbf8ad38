"""The statements of a forward pass as lines, with loops rolled up again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.backends.torch.chains import Container, access
from archdsl.backends.torch.text import WIDTH, Names
from archdsl.ir.graph import Path

_INDENT = 8
_MOST_LINES = 8  # of a loop that is written out, each line with its shape


@dataclass
class Statement:
    """``targets = text  # comment``; `turn` says in which turn of which loop."""

    targets: tuple[str, ...]
    text: str
    comment: str
    turn: tuple[Path, str] | None = None


def lines(
    statements: Sequence[Statement], returned: str, root: Container, names: Names
) -> list[str]:
    """The statements as lines, loops rolled up again, indented."""
    rows: list[str] = []
    at = 0
    while at < len(statements):
        length = _loop_length(statements, at, root)
        if length:
            path, _ = statements[at].turn or ((), "")
            count = len(_turns(statements[at : at + length]))
            rows += _loop(statements[at : at + length // count], path, root, names)
            at += length
        elif at == len(statements) - 1 and statements[at].targets == (returned,):
            return [*rows, _line(statements[at], _INDENT, returned=True)]
        else:
            rows.append(_line(statements[at], _INDENT))
            at += 1
    return [*rows, f"{' ' * _INDENT}return {returned}"]


def _turns(statements: Sequence[Statement]) -> list[str]:
    return list(dict.fromkeys(s.turn[1] for s in statements if s.turn))


def _loop_length(statements: Sequence[Statement], at: int, root: Container) -> int:
    """How many statements from here are the equal turns of one whole container."""
    turn = statements[at].turn
    if turn is None or turn[1] != "0":
        return 0
    path = turn[0]
    end = at
    while end < len(statements) and (s := statements[end].turn) and s[0] == path:
        end += 1
    run = statements[at:end]
    count = len(_turns(run))
    if count < 3 or len(run) % count or count != len(_container(root, path).parts):
        return 0
    size = len(run) // count
    here = access(path, root)
    groups = [
        [
            (s.targets, s.text.replace(f"{here}[{i}]", "@"))
            for s in run[i * size : (i + 1) * size]
        ]
        for i in range(count)
    ]
    uses = any("@" in text for _, text in groups[0])
    shapes = {
        tuple(s.comment for s in run[i * size : (i + 1) * size]) for i in range(count)
    }
    alike = len(shapes) == 1 or count > _MOST_LINES
    return len(run) if uses and alike and all(g == groups[0] for g in groups) else 0


def _container(root: Container, path: Path) -> Container:
    here: Container = root
    for name in path:
        part = here.parts[name]
        assert isinstance(part, Container)
        here = part
    return here


def _loop(
    statements: Sequence[Statement], path: Path, root: Container, names: Names
) -> list[str]:
    here = access(path, root)
    name = names.take(path[-1], f"{path[-1]}_layer", "layer")
    rows = [f"{' ' * _INDENT}for {name} in {here}:"]
    for s in statements:
        text = s.text.replace(f"{here}[0]", name)
        rows.append(_line(Statement(s.targets, text, s.comment), _INDENT + 4))
    return rows


def _line(statement: Statement, indent: int, *, returned: bool = False) -> str:
    head = "return" if returned else f"{', '.join(statement.targets)} ="
    text = f"{' ' * indent}{head} {statement.text}"
    if len(text) > WIDTH:
        text = _broken(f"{' ' * indent}{head} ", statement.text, indent)
    line = text.rpartition("\n")[2]
    for comment in (statement.comment, re.sub(r"=[^,\]]+", "", statement.comment)):
        if comment and len(line) + len(comment) + 4 <= WIDTH:
            return f"{text}  # {comment}"
    return text


def _broken(head: str, text: str, indent: int) -> str:
    """An expression that is too long: a call one argument a line, a sum in brackets."""
    pad = " " * (indent + 4)
    terms = _terms(text)
    if len(terms) > 1 or "(" not in text:
        whole = pad + " ".join(terms)
        rows = [whole] if len(whole) <= WIDTH else [pad + term for term in terms]
        return "\n".join([f"{head}(", *rows, f"{' ' * indent})"])
    open_at = text.index("(")
    calls = bool(re.search(r"[\w\])]$", text[:open_at]))
    depth, items, start = 0, [], open_at + 1
    for i in range(open_at, len(text)):
        char = text[i]
        depth += (char in "([{") - (char in ")]}")
        if (char == "," and depth == 1) or depth == 0:
            items.append(text[start:i].strip())
            start = i + 1
        if depth == 0:
            break
    end = "," if calls or len(items) > 1 else ""
    rows = [_item(item, indent + 4, end) for item in items if item]
    return "\n".join(
        [head + text[: open_at + 1], *rows, f"{' ' * indent}){text[start:]}"]
    )


def _item(text: str, indent: int, end: str) -> str:
    """One argument on a line of its own, or on several."""
    line = f"{' ' * indent}{text}{end}"
    nested = len(line) > WIDTH and "(" in text and len(_terms(text)) == 1
    return _broken(" " * indent, text, indent) + end if nested else line


def _terms(text: str) -> list[str]:
    """What stands between the operators of an expression, each with the one before."""
    depth, terms, start = 0, [], 0
    for match in re.finditer(r"[(\[{]|[)\]}]| (?=[-+*/@] )", text):
        depth += (match[0] in "([{") - (match[0] in ")]}")
        if match[0] == " " and not depth:
            terms.append(text[start : match.start()])
            start = match.end()
    return [*terms, text[start:]]

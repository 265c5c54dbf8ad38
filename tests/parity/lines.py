"""How long texts are, by one measure: lines that hold neither a comment nor nothing.

Of Python, docstrings count as comments. Of specs, what is promised of a model and how
checkpoints are read is left out: no reference says so in the file of its model.
"""

import ast
import inspect
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from torch import nn

from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parse import parse

SPECS = Path(__file__).parents[2] / "specs"
Item: TypeAlias = tree.Block | tree.Model | tree.Variant
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
BLANK = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


def of_python(text: str) -> int:
    """The lines of a module that hold code."""
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            first = node.body[0]
            docs.update(range(first.lineno, (first.end_lineno or 0) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in BLANK:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docs)


def of_module(module: nn.Module) -> int:
    """The lines of the file in which the class of a module is defined.

    Of one that the tests wrote, those of its classes; of PyTorch's own layers, none.
    """
    name = type(module).__module__
    if name.startswith("torch.nn"):
        return 0
    if name.startswith("tests"):
        kinds = dict.fromkeys(map(type, module.modules()))
        own = [kind for kind in kinds if kind.__module__ == name]
        return sum(of_python(inspect.getsource(kind)) for kind in own)
    place = inspect.getsourcefile(type(module))
    assert place is not None
    return of_python(Path(place).read_text(encoding="utf-8"))


def of_spec(spec: str) -> int:
    """The lines of a model that ships, and of all blocks and bodies that it uses."""
    path, _, model = spec.partition(":")
    items = dict(_items(path, set()))
    used: dict[str, None] = {}
    wanted = [model or path]
    while wanted:
        name = wanted.pop()
        if name in items and name not in used:
            used[name] = None
            wanted += _names(items[name][1])
    return sum(_of_item(*items[name]) for name in used)


def _items(path: str, seen: set[str]) -> Iterator[tuple[str, tuple[Source, Item]]]:
    """The blocks and models of all files that a spec uses, its own at the end."""
    if path in seen:
        return
    seen.add(path)
    source = Source(path, (SPECS / f"{path}.arch").read_text(encoding="utf-8"))
    for item in parse(source)[0].items:
        if isinstance(item, tree.Use):
            here = Path(path).parent / item.path
            beside = (SPECS / f"{here}.arch").exists()
            yield from _items(str(here) if beside else item.path, seen)
        elif isinstance(item, Item):
            yield item.name.id, (source, item)


def _names(node: tree.Node) -> Iterator[str]:
    if isinstance(node, tree.Name):
        yield node.id
    for part in tree.children(node):
        yield from _names(part)


def _of_item(source: Source, item: Item) -> int:
    lines = _lines(source, item) - _promised(source, item)
    return sum(not _is_comment(source.line(number)) for number in lines)


def _lines(source: Source, node: tree.Node) -> set[int]:
    first, last = (source.position(at)[0] for at in (node.span.start, node.span.end))
    return set(range(first, last + 1))


def _promised(source: Source, node: tree.Node) -> set[int]:
    if isinstance(node, tree.Expect):
        return _lines(source, node)
    return set().union(*(_promised(source, part) for part in tree.children(node)))


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")

"""The constructor of a class: its layers, as they are nested in containers."""

from __future__ import annotations

import re
from dataclasses import replace

from archdsl.backends.torch.chains import Container
from archdsl.backends.torch.classes import Class, Classes
from archdsl.backends.torch.text import Doc, Group, assign, flat
from archdsl.ir.graph import Call, Node
from archdsl.ops.emit import Arg

_IDENTITY = "nn.Identity()"
_FROZEN = ".requires_grad_(False)"
_RANGE = 5  # numbers in equal steps that are a range


class Constructor:
    """Writes ``__init__``.

    Args:
        made: The class.
        classes: All classes, to name those that it uses.
        root: The tree of its layers.
        stored: Constructor arguments that the forward pass uses, by name.
    """

    def __init__(
        self, made: Class, classes: Classes, root: Container, stored: list[str]
    ) -> None:
        self.made = made
        self.classes = classes
        self.root = root
        self.stored = stored

    def lines(self) -> list[str]:
        """The statements after ``super().__init__()``, indented."""
        rows = [f"        self.{name} = {name}" for name in self.stored]
        for name, part in self.root.parts.items():
            doc = self._part(part)
            if doc is not None:
                rows.append(assign(f"self.{name}", doc, 8))
        return rows

    def _part(
        self, part: Container | list[Node], *, element: bool = False
    ) -> Doc | None:
        if isinstance(part, Container):
            return self._container(part)
        return self._layer(part[0], element=element)

    # -- containers ------------------------------------------------------------------

    def _container(self, container: Container) -> Doc | None:
        docs = {
            name: self._part(part, element=container.chain)
            for name, part in container.parts.items()
        }
        if all(doc is None for doc in docs.values()):
            return None
        if container.numbered:
            return self._list(container, docs)
        named = [(name, doc) for name, doc in docs.items() if doc is not None]
        if container.chain:
            items = tuple(_prefixed(f"{name}=", doc) for name, doc in named)
            return Group("nn.Sequential(", (Group("OrderedDict(", items, ")"),), ")")
        items = tuple(_prefixed(f'"{name}": ', doc) for name, doc in named)
        return Group("nn.ModuleDict(", (Group("{", items, "}"),), ")")

    def _list(self, container: Container, docs: dict[str, Doc | None]) -> Doc:
        last = max(int(name) for name, doc in docs.items() if doc is not None)
        items = [docs.get(str(i)) or _IDENTITY for i in range(last + 1)]
        short = _shortened(items)
        if container.chain and short is not None:
            star = Group("*[", short.items, "]", comma=False)
            return Group("nn.Sequential(", (star,), ")")
        if container.chain:
            return Group("nn.Sequential(", tuple(items), ")")
        inner = short or Group("[", tuple(items), "]")
        return Group("nn.ModuleList(", (inner,), ")")

    # -- layers ----------------------------------------------------------------------

    def _layer(self, node: Node, *, element: bool) -> Doc | None:
        if isinstance(node.payload, Call):
            plan = self.made.plan.callees[node.id]
            callee = self.classes.of(plan)
            args = callee.arguments(plan)
            return self._call(callee.name, args, node, "call")
        emit = self.made.plan.emits.get(node.id)
        if emit is None:
            return None
        make = emit.make or (emit.module if element else None)
        if make is None:
            return None
        made = self._call(make.callee, make.args, node, "make")
        return (
            replace(made, closing=f"{made.closing}{_FROZEN}") if make.frozen else made
        )

    def _call(self, callee: str, args: tuple[Arg, ...], node: Node, kind: str) -> Group:
        items: list[Doc] = []
        for i, arg in enumerate(args):
            slot = (node.id, kind, i)
            values = self.made.values[slot]
            if all(type(v) is type(arg.default) and v == arg.default for v in values):
                continue
            text = self.made.texts[slot]
            items.append(f"{arg.name}={text}" if arg.keyword else text)
        return Group(f"{callee}(", tuple(items), ")")


def _prefixed(prefix: str, doc: Doc) -> Doc:
    if isinstance(doc, str):
        return prefix + doc
    return replace(doc, opening=prefix + doc.opening)


def _shortened(items: list[Doc]) -> Group | None:
    """A comprehension, where items are equal, alternate, or differ in one number."""
    texts = [flat(item) for item in items]
    if len(items) >= 3 and len(set(texts)) == 1:
        turn = f"for _ in range({len(items)})"
        return Group("[", (items[0], turn), "]", comma=False)
    alternate = len(items) >= 4 and len(set(texts[::2])) == len(set(texts[1::2])) == 1
    merged = _alternating(items[0], items[1]) if alternate else None
    if merged is None:
        return _varied(items) if len(items) >= 3 else None
    return Group("[", (merged, f"for i in range({len(items)})"), "]", comma=False)


def _varied(items: list[Doc]) -> Group | None:
    """A comprehension over the numbers in which calls of one class differ."""
    calls = [item for item in items if isinstance(item, Group)]
    forms = {(call.opening, len(call.items)) for call in calls}
    if len(calls) < len(items) or len(forms) != 1:
        return None
    columns = list(zip(*[call.items for call in calls], strict=True))
    differing = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(differing) != 1:
        return None
    rows = [flat(item).partition("=") for item in columns[differing[0]]]
    name = rows[0][0]
    if not name.isidentifier() or any(row[:2] != (name, "=") for row in rows):
        return None
    same = list(calls[0].items)
    same[differing[0]] = f"{name}={name}"
    if sum(len(re.findall(rf"\b{name}\b", flat(item))) for item in same) > 2:
        return None  # another argument has that name
    turns = _numbers(f"for {name} in ", tuple(number for _, _, number in rows))
    made = Group("[", (replace(calls[0], items=tuple(same)), turns), "]", comma=False)
    return made if len(flat(made)) < len(flat(Group("[", tuple(items), "]"))) else None


def _numbers(opening: str, numbers: tuple[str, ...]) -> Doc:
    """What a comprehension runs over: a range, if there are many in equal steps."""
    if len(numbers) >= _RANGE and all(number.isdigit() for number in numbers):
        first, *others = map(int, numbers)
        step = others[0] - first
        if step and others == [first + step * i for i in range(1, len(numbers))]:
            bounds = (str(first), str(first + step * len(numbers)), str(step))
            return Group(f"{opening}range(", bounds if step != 1 else bounds[:2], ")")
    return Group(f"{opening}(", numbers, ")")


def _alternating(even: Doc, odd: Doc) -> Doc | None:
    """One call that is the first for even ``i`` and the second for odd."""
    if isinstance(even, str) or isinstance(odd, str):
        return None
    if even.opening != odd.opening or len(even.items) != len(odd.items):
        return None
    items: list[Doc] = []
    for a, b in zip(even.items, odd.items, strict=True):
        if a == b:
            items.append(a)
            continue
        if not isinstance(a, str) or not isinstance(b, str):
            return None
        (name, _, left), (other, _, right) = a.partition("="), b.partition("=")
        if name != other or not right:
            return None
        items.append(f"{name}={left} if i % 2 == 0 else {right}")
    return replace(even, items=tuple(items))

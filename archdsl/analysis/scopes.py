"""Who reads what: the names of a file, by scope, from its tree alone.

Nothing is elaborated, so that a branch that no model takes and a block that none calls
are read like all others. A name may be bound on one way only (a label in an ``if``);
it then stands for what it was before, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from archdsl.build.files import Module
from archdsl.build.lookup import is_built_in, meant
from archdsl.build.session import MOST_ERRORS
from archdsl.ir.promise import FIGURES
from archdsl.source import Span
from archdsl.syntax import tree

Owner: TypeAlias = tree.Block | tree.Model | tree.Variant


@dataclass(eq=False)
class Binding:
    """A name that stands for a value somewhere in a body.

    Attributes:
        name: The name.
        what: Its kind, as a person says it: "value", "layer", "input", …
        span: Where it is bound.
        owner: The block or model that it is bound in.
        value: What it is bound to, where that is written beside it.
        read: Whether anything reads it.
        exported: Whether braces that ended have handed it out.
        behind: What the name may stand for where this was not bound.
    """

    name: str
    what: str
    span: Span
    owner: Owner
    value: tree.Node | None = None
    read: bool = False
    exported: bool = False
    behind: list[Binding] = field(default_factory=list)
    settled: bool = False  # whether what is behind is marked as read, too


class Unknown(NamedTuple):
    """A name that nothing defines, and the names that could have been meant."""

    name: tree.Name
    known: tuple[str, ...]


@dataclass
class _Scope:
    parent: _Scope | None = None
    names: dict[str, Binding] = field(default_factory=dict)
    labels: dict[str, list[Binding]] = field(default_factory=dict)

    def find(self, name: str) -> Binding | None:
        scope: _Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def known(self) -> Iterator[str]:
        scope: _Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent


class Names:
    """The names of a file: bound, read, hidden, unknown.

    Attributes:
        bindings: Every name that is bound in a body, in order.
        hidden: Pairs of a binding and the one of outside that it hides.
        unknown: Names that nothing defines.
        uses: The names of the file, and of what it imports, that each of its blocks,
            models and variants reads.
        passed: Those that are given away as values, so that others call them.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.bindings: list[Binding] = []
        self.hidden: list[tuple[Binding, Binding]] = []
        self.unknown: list[Unknown] = []
        self.uses: dict[str, set[str]] = {}
        self.passed: set[str] = set()
        self._scope = _Scope()
        self._of_file = module.definitions.keys() | module.variants.keys()
        for item in module.file.items:
            if isinstance(item, tree.Checkpoint):
                self.uses.setdefault("", set()).add(item.model.id)
            elif not isinstance(item, tree.Use | tree.Missing):
                self._item(item)

    def _item(self, item: Owner) -> None:
        self._owner = item
        self._scope = _Scope()
        self._used = self.uses.setdefault(item.name.id, set())
        self._promised: list[tuple[tree.Expect, _Scope]] = []
        self._outputs: set[str] = set()
        self._also: set[str] = set()  # names that only promises know
        if isinstance(item, tree.Variant):
            self._walk(item.value)
            return
        for parameter in item.parameters:
            if parameter.default is not None:
                self._walk(parameter.default)
                self._pass(parameter.default)
            self._bind(parameter.name, "hyperparameter")
        self._scope = _Scope(self._scope)
        if isinstance(item, tree.Block):
            for name in _tensors(item):
                self._bind(name, "tensor")
            self._scope = _Scope(self._scope)
        for statement in item.body.statements:
            self._walk(statement)
        self._promises()

    # -- names -----------------------------------------------------------------------

    def _bind(
        self, name: tree.Name, what: str, value: tree.Node | None = None
    ) -> Binding:
        binding = Binding(name.id, what, name.span, self._owner, value)
        parent = self._scope.parent
        outer = parent.find(name.id) if parent else None
        if outer is not None and not outer.exported:
            self.hidden.append((binding, outer))
        self._scope.names[name.id] = binding
        self.bindings.append(binding)
        return binding

    def _read(self, found: Binding) -> None:
        """Marks what a name may stand for."""
        todo = [found]
        while todo:
            binding = todo.pop()
            if not binding.settled:
                binding.read = binding.settled = True
                todo += binding.behind

    def _name(self, e: tree.Name) -> None:
        found = self._scope.find(e.id)
        if found is not None:
            self._read(found)
        if found is not None or e.id in self._also:
            return
        if e.id in self._of_file:
            self._used.add(e.id)
        elif not is_built_in(e.id) and len(self.unknown) < MOST_ERRORS:
            known = meant(self._scope.known(), self.module)
            self.unknown.append(Unknown(e, known))

    def _pass(self, e: tree.Expr) -> None:
        """Notes the blocks that an expression gives away as values."""
        if isinstance(e, tree.Name):
            if e.id in self._of_file and self._scope.find(e.id) is None:
                self.passed.add(e.id)
        elif isinstance(e, tree.Conditional):
            self._pass(e.then)
            self._pass(e.other)
        elif isinstance(e, (tree.ListOf, tree.TupleOf)):
            for item in e.items:
                self._pass(item)
        elif isinstance(e, tree.Call):
            self._pass(e.function)

    # -- walking ---------------------------------------------------------------------

    def _walk(self, node: tree.Node) -> None:
        """Visits a node, or what it is made of, in order."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            visit = _VISIT.get(type(node))
            if visit is not None:
                visit(self, node)
            else:
                waiting += reversed(tree.children(node))

    def _called(self, e: tree.Call) -> None:
        self._walk(e.function)
        self._arguments(e.arguments)

    def _bracketed(self, e: tree.Brackets) -> None:
        self._walk(e.base)
        self._arguments(e.arguments)

    def _arguments(self, arguments: tuple[tree.Argument, ...]) -> None:
        for argument in arguments:
            if not isinstance(argument.value, tree.Literal):  # as most are
                self._walk(argument.value)
                self._pass(argument.value)

    def _step(self, e: tree.Step) -> None:
        self._walk(e.value)
        if e.claim is not None:
            self._walk(e.claim)
        if e.label is not None:
            binding = self._bind(e.label, "label")
            self._scope.labels.setdefault(e.label.id, []).append(binding)

    def _let(self, s: tree.Let) -> None:
        self._walk(s.value)
        self._pass(s.value)
        for name in s.names:
            self._bind(name, "value", s.value)

    def _layer(self, s: tree.Layer) -> None:
        self._walk(s.value)
        self._bind(s.name, "layer")

    def _input(self, s: tree.Input) -> None:
        self._walk(s.shape)
        self._bind(s.name, "input")

    def _expect(self, s: tree.Expect) -> None:
        """A promise is read last: it knows what is named below it, too."""
        self._promised.append((s, self._scope))

    def _promises(self) -> None:
        self._also = self._outputs | FIGURES.keys()
        for promise, scope in self._promised:
            self._scope = scope
            self._walk(promise.condition)

    def _output(self, s: tree.Output) -> None:
        """An output without ``=`` puts out the value of its name, if there is one."""
        self._outputs.add(s.name.id)
        if s.claim is not None:
            self._walk(s.claim)
        if s.value is not None:
            self._walk(s.value)
        elif (found := self._scope.find(s.name.id)) is not None:
            self._read(found)

    def _target(self, target: tree.Target) -> None:
        if isinstance(target.items, tree.Name):
            self._bind(target.items, "loop variable")
            return
        for item in target.items:
            self._target(item)

    def _comprehension(self, e: tree.Comprehension) -> None:
        """A comprehension's variable lives in one line: it is not said to hide."""
        self._walk(e.iterable)
        outer, hidden = self._scope, len(self.hidden)
        self._scope = _Scope(outer)
        self._target(e.target)
        del self.hidden[hidden:]
        if e.condition is not None:
            self._walk(e.condition)
        self._walk(e.item)
        self._pass(e.item)
        self._scope = outer

    def _braces(self, body: tree.Body, target: tree.Target | None = None) -> _Scope:
        outer = self._scope
        inner = self._scope = _Scope(outer)
        if target is not None:
            self._target(target)
        for statement in body.statements:
            self._walk(statement)
        self._scope = outer
        return inner

    def _export(self, *inner: _Scope) -> None:
        """Labels are seen outside of the braces that they stand in."""
        for scope in inner:
            for name, bindings in scope.labels.items():
                before = self._scope.find(name)
                for binding in bindings:
                    binding.exported = True
                    if before is not None and before is not binding:
                        binding.behind.append(before)
                        binding.settled = False
                    self._scope.names[name] = binding
                self._scope.labels.setdefault(name, []).extend(bindings)

    def _braced(self, e: tree.Residual | tree.Repeat) -> None:
        self._arguments(e.arguments)
        self._export(self._braces(e.body))

    def _for(self, e: tree.For) -> None:
        self._walk(e.iterable)
        self._export(self._braces(e.body, e.target))

    def _scan(self, e: tree.Scan) -> None:
        """A scan's body gives nothing out but what it returns.

        What it carries bears the names of what is outside on purpose.
        """
        self._arguments(e.arguments)
        for carry in e.carries[1:]:
            self._walk(carry.name if carry.first is None else carry.first)
        outer, hidden = self._scope, len(self.hidden)
        self._scope = _Scope(outer)
        for i, carry in enumerate(e.carries):
            if i:
                what = "sequence" if carry.first is None else "state"
                self._bind(carry.name, what)
            else:
                self._bind(carry.name, "flow")
        del self.hidden[hidden:]
        self._braces(e.body)
        self._scope = outer

    def _if(self, e: tree.If) -> None:
        self._walk(e.condition)
        branches = [self._braces(b) for b in (e.body, e.other) if b is not None]
        self._export(*branches)


def _tensors(block: tree.Block) -> tuple[tree.Name, ...]:
    """The tensors of a block; one without brackets takes what flows as ``x``."""
    if block.tensors is None:
        return (tree.Name(block.name.span, "x"),)
    return block.tensors


_VISIT: dict[type, Callable[[Names, Any], None]] = {
    tree.Name: Names._name,
    tree.Call: Names._called,
    tree.Brackets: Names._bracketed,
    tree.Step: Names._step,
    tree.Let: Names._let,
    tree.Layer: Names._layer,
    tree.Input: Names._input,
    tree.Output: Names._output,
    tree.Expect: Names._expect,
    tree.Comprehension: Names._comprehension,
    tree.Residual: Names._braced,
    tree.Repeat: Names._braced,
    tree.For: Names._for,
    tree.Scan: Names._scan,
    tree.If: Names._if,
}

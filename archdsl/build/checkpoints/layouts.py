"""Layouts: the rules of one kind of checkpoint, and which of them a model has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from archdsl.build.checkpoints.rules import Rule, read_rules
from archdsl.build.files import Module
from archdsl.build.origins import first_at
from archdsl.build.session import Exhausted, Session
from archdsl.diagnostics import Fault, SpecError
from archdsl.diagnostics.faults.checkpoints import BadRule, NoModel
from archdsl.diagnostics.faults.limits import TooMuchWork
from archdsl.diagnostics.faults.names import DefinedTwice, UnknownName
from archdsl.source import Span
from archdsl.syntax import tree

OWN = "archdsl"  # the layout of a compiled module itself
MOST_RULES = 1000  # of a checkpoint, alternatives counted


@dataclass(frozen=True)
class Layout:
    """How the keys of one kind of checkpoint map to those of a model.

    Attributes:
        name: "timm", "torchvision", ….
        model: The model that it is written for.
        rules: The first that fits a key of ours fills it.
        drops: Those whose keys are left out.
        span: Where its name is written.
        module: The file, in which names are looked up.
    """

    name: str
    model: str
    rules: tuple[Rule, ...]
    drops: tuple[Rule, ...]
    span: Span
    module: Module = field(repr=False)

    def before(self, other: Layout) -> Layout:
        """This layout, and after its rules those of another."""
        rules, drops = self.rules + other.rules, self.drops + other.drops
        return replace(self, rules=rules, drops=drops)


class Layouts:
    """The layouts that the models of a file have, each read once.

    Args:
        module: The file.
        session: Where what is wrong is reported.
    """

    def __init__(self, module: Module, session: Session | None = None) -> None:
        self.module = module
        self._session = session or Session()
        self._known: dict[int, Layout] = {}
        self._joined: dict[tuple[int, int], Layout] = {}

    def check(self) -> None:
        """Reports what is wrong with the checkpoints of the file by themselves."""
        first: dict[tuple[str, str], Span] = {}
        for item in self.module.checkpoints:
            name = item.name.id
            if name == OWN:
                problem = f"`{OWN}` is what a compiled module's own keys are called"
                fault = BadRule(problem, "taken", "choose another name")
                self._session.report(fault, item.name.span)
            key = name, item.model.id
            if key in first:
                notes = first_at(name, first[key])
                self._session.report(DefinedTwice(name), item.name.span, notes)
            first.setdefault(key, item.name.span)
            _check_model(self._session, self.module, item.model)
            self._layout(self.module, item)

    def ensure(self) -> None:
        """Raises what `check` reports.

        Raises:
            SpecError: One of them is wrong.
        """
        with _raising(self._session):
            self.check()

    def of(self, model: str) -> tuple[Layout, ...]:
        """Those declared in the model's own file, then in those that it comes from.

        Of two with one name, the rules of the nearer come first.

        Args:
            model: The name of a model or variant of the file.

        Raises:
            SpecError: One of them is wrong.
        """
        found: dict[str, Layout] = {}
        with _raising(self._session):
            for layout in self._of(model):
                near = found.get(layout.name)
                found[layout.name] = self._both(near, layout) if near else layout
        return tuple(found.values())

    def _of(self, model: str) -> Iterator[Layout]:
        """Each by itself."""
        lines = list(_ancestors(self.module, model))
        for module in dict.fromkeys(module for module, _ in lines):
            for item in module.checkpoints:
                here = _origin(module, item.model.id)
                if any(here == _origin(*line) for line in lines):
                    yield self._layout(module, item)

    def _both(self, near: Layout, far: Layout) -> Layout:
        pair = id(near), id(far)
        if pair not in self._joined:
            self._joined[pair] = near.before(far)
        return self._joined[pair]

    def _layout(self, module: Module, item: tree.Checkpoint) -> Layout:
        if id(item) not in self._known:
            self._known[id(item)] = _layout(self._session, module, item)
        return self._known[id(item)]


@contextmanager
def _raising(session: Session) -> Iterator[None]:
    """In the end, raises what is wrong."""
    with suppress(Exhausted):
        yield
    if session.diagnostics:
        raise SpecError(session.diagnostics)


def _check_model(session: Session, module: Module, model: tree.Name) -> None:
    name = model.id
    models = [n for n, d in module.definitions.items() if d.is_model]
    known = (*models, *module.variants)
    if name in known or module.is_unknown(name):
        return
    fault: Fault = UnknownName(name, known=known)
    if name in module.definitions:
        fault = NoModel(name, "a block", "name the model that uses it")
    session.report(fault, model.span)


# --- whose layouts a model has ------------------------------------------------------


def _ancestors(module: Module, name: str) -> Iterator[tuple[Module, str]]:
    """A model, and what it is a variant of, with the files that name them."""
    seen: set[tuple[int, str]] = set()
    while (id(module), name) not in seen:
        seen.add((id(module), name))
        yield module, name
        if name in module.definitions:
            definition = module.definitions[name]
            yield definition.module, definition.name
            return
        if name not in module.variants:
            return
        item, home = module.variants[name]
        yield home, item.name.id
        value = item.value
        while isinstance(value, tree.Call):
            value = value.function
        if not isinstance(value, tree.Name):
            return
        module, name = home, value.id


def _origin(module: Module, name: str) -> object:
    """The definition or variant that a name stands for in a file."""
    if name in module.variants:
        return id(module.variants[name][0])
    definition = module.definitions.get(name)
    return id(definition) if definition is not None else (id(module), name)


def _layout(session: Session, module: Module, item: tree.Checkpoint) -> Layout:
    found: list[Rule] = []
    for statement in item.body.statements:
        if isinstance(statement, tree.Missing):
            continue
        try:
            found += read_rules(statement)
            if len(found) > MOST_RULES:
                what = "this checkpoint has too many rules"
                fault = TooMuchWork(what, f"{MOST_RULES:,} rules")
                raise SpecError.at(item.name.span, fault)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                session.report(diagnostic.fault, diagnostic.span, diagnostic.notes)
        if len(found) > MOST_RULES:
            break
    rules = tuple(rule for rule in found if rule.ours)
    drops = tuple(rule for rule in found if not rule.ours)
    return Layout(item.name.id, item.model.id, rules, drops, item.name.span, module)

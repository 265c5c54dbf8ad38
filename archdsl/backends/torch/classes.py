"""One class per block: specialisations that differ in numbers only share it.

Every number that a body uses is a column, every specialisation a row. A column that
is the same in all rows is written as it is; one that varies becomes an argument of
the constructor, named after the hyperparameter that it equals, or a multiple of one
that is there already.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from archdsl.backends.torch.layout import Plan
from archdsl.backends.torch.text import Names, camel, literal
from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.shapes import OpenSize
from archdsl.ir.dim import Poly
from archdsl.ir.graph import Call, Enter, Graph, Node
from archdsl.ops.emit import Arg, Literal
from archdsl.ops.position_embedding import PositionEmbedding

Slot: TypeAlias = tuple[int, str, int]  # node, "make" | "use" | "call", position
Row: TypeAlias = tuple[Literal, ...]

_TAKEN = (
    "torch", "nn", "F", "Tensor", "OrderedDict", "self", "super", "range", "i", "_"
)  # fmt: skip


@dataclass(eq=False)
class Class:
    """A class of the compiled module.

    Attributes:
        name: Its name in Python.
        plans: The specialisations that it serves; the first stands for all.
        parameters: The constructor's arguments: a value for each plan, by name.
        texts: What is written for each number of the body.
    """

    name: str
    plans: list[Plan]
    parameters: dict[str, Row] = field(default_factory=dict)
    texts: dict[Slot, str] = field(default_factory=dict)
    values: dict[Slot, Row] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """The specialisation that stands for all."""
        return self.plans[0]

    def arguments(self, plan: Plan) -> tuple[Arg, ...]:
        """What the constructor gets for one specialisation."""
        row = self.plans.index(plan)
        return tuple(Arg(name, values[row]) for name, values in self.parameters.items())


class Classes:
    """The classes of a model, those that are used by others first."""

    def __init__(self, model: Plan, taken: Iterable[str] = ()) -> None:
        self._of: dict[int, Class] = {}
        self._taken = {*_TAKEN, *taken}
        self._names = Names(sorted(self._taken))
        self.all: list[Class] = []
        for plans in _by_definition(model):
            self._sort(plans)

    def of(self, plan: Plan) -> Class:
        """The class of a specialisation."""
        return self._of[id(plan)]

    def _sort(self, plans: list[Plan]) -> None:
        groups: dict[Hashable, list[Plan]] = {}
        for plan in plans:
            groups.setdefault(self._skeleton(plan), []).append(plan)
        for group in groups.values():
            made = Class(self._name(group[0].graph), group)
            for plan in group:
                self._of[id(plan)] = made
            self._fill(made)
            self.all.append(made)

    def _name(self, graph: Graph) -> str:
        """A free name: ``Bottleneck``, then ``Bottleneck2`` for another structure."""
        name = camel(graph.name)
        if name in self._taken:
            name = f"{name}Block"
        numbered = (f"{name}{i}" for i in range(2, 1000))
        return self._names.take(name, *numbered)

    # -- skeletons -------------------------------------------------------------------

    def _skeleton(self, plan: Plan) -> Hashable:
        """All of a plan but its numbers."""
        nodes = tuple(self._bones(plan, node) for node in plan.graph)
        names, scan = plan.graph.result_names, plan.graph.scan
        how = scan and replace(scan, steps=0)
        return nodes, plan.given, plan.graph.results, names, plan.results, how

    def _bones(self, plan: Plan, node: Node) -> Hashable:
        ports = tuple(
            (port, ref, plan.needs[node.id, port], plan.layouts[ref])
            for port, ref in node.inputs
        )
        words: Hashable
        if isinstance(node.payload, Enter):
            words = node.payload.name
        elif isinstance(node.payload, Call):
            words = id(self.of(plan.callees[node.id]))
        else:
            emit = plan.emits[node.id]
            m = emit.make
            made = (m.callee, _shape(m.args), m.frozen) if m else None
            words = (emit.forward, made, _shape(emit.literals), emit.module is None)
        return node.path, node.weights_from, ports, words, len(node.outputs)

    # -- numbers ---------------------------------------------------------------------

    def columns(self, plan: Plan) -> Iterator[tuple[Slot, Arg]]:
        """Every number of a plan, with where it stands."""
        for node in plan.graph:
            for kind, args in self._arguments(plan, node):
                for i, arg in enumerate(args):
                    yield (node.id, kind, i), arg

    def _arguments(
        self, plan: Plan, node: Node
    ) -> Iterator[tuple[str, tuple[Arg, ...]]]:
        if isinstance(node.payload, Call):
            callee = plan.callees[node.id]
            yield "call", self.of(callee).arguments(callee)
        elif node.id in plan.emits:
            emit = plan.emits[node.id]
            if emit.make is not None:
                yield "make", emit.make.args
            elif emit.module is not None:
                yield "make", emit.module.args
            yield "use", emit.literals

    def _fill(self, made: Class) -> None:
        rows = [dict(self.columns(plan)) for plan in made.plans]
        names = Names(_TAKEN)
        known = _hyperparameters(made)
        for slot, arg in rows[0].items():
            values = tuple(row[slot].value for row in rows)
            _need_numbers(made, slot, values)
            made.values[slot] = values
            if is_constant(values):
                made.texts[slot] = literal(values[0])
            else:
                made.texts[slot] = _varying(made, names, known, arg.name, values)


def _need_numbers(made: Class, slot: Slot, values: Row) -> None:
    """Refuses an open size where the module needs a number, at the op in the spec.

    Raises:
        SpecError: There is one.
    """
    for value, plan in zip(values, made.plans, strict=True):
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Poly):
                node = plan.graph[slot[0]]
                names = " and ".join(sorted(item.symbols))
                what = f"`{node.path[-1]}`, compiled,"
                held = slot[1] == "make"
                mend = "; what a module holds has a fixed size" if held else ""
                if isinstance(node.payload, PositionEmbedding):
                    mend = ", or let inputs be shorter than the table: "
                    mend += "position_embedding(max = …)"
                fault = OpenSize(what, names, item, mend)
                raise SpecError.at(node.span, fault)


def is_constant(values: Row) -> bool:
    """Whether a number is the same in all specialisations."""
    return all(_same(v, values[0]) for v in values)


def _same(left: Literal, right: Literal) -> bool:
    return type(left) is type(right) and left == right


def _shape(args: tuple[Arg, ...]) -> Hashable:
    return tuple((a.name, a.keyword, repr(a.default)) for a in args)


def _hyperparameters(made: Class) -> dict[str, Row]:
    """The numbers that a spec has names for: hyperparameters, then ``x.C``."""
    found: dict[str, Row] = {}
    for name in made.plan.graph.hyper:
        values = tuple(plan.graph.hyper.get(name) for plan in made.plans)
        if all(isinstance(v, int | float | str | tuple) for v in values):
            found[name] = values  # type: ignore[assignment]
    first = [next(iter(p.graph.inputs.values()), None) for p in made.plans]
    if all(t is not None and "C" in t for t in first):
        found.setdefault("dim", tuple(t["C"] for t in first if t is not None))
    return found


def _varying(
    made: Class, names: Names, known: dict[str, Row], hint: str, values: Row
) -> str:
    """The expression for a column that varies, from an argument old or new."""
    for name, row in made.parameters.items():
        if _equal(row, values):
            return name
    wanted = [name for name, row in known.items() if _equal(row, values)]
    if not wanted:
        for name, row in [*made.parameters.items(), *known.items()]:
            ratio = _ratio(row, values)
            if ratio:
                if name in made.parameters:
                    return ratio.format(name)
                taken = names.take(name)
                made.parameters[taken] = row
                return ratio.format(taken)
    name = names.take(*wanted[:1], hint)
    made.parameters[name] = values
    return name


def _equal(left: Row, right: Row) -> bool:
    return all(_same(a, b) for a, b in zip(left, right, strict=True))


def _ratio(row: Row, values: Row) -> str:
    """``"4 * {}"`` or ``"{} // 4"`` where that makes the values of the row."""
    pairs = list(zip(row, values, strict=True))
    if not all(type(a) is int and type(b) is int and a > 0 and b > 0 for a, b in pairs):
        return ""
    numbers = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    up = {b // a if b % a == 0 else 0 for a, b in numbers}
    down = {a // b if a % b == 0 else 0 for a, b in numbers}
    if len(up) == 1 and 0 not in up:
        return f"{up.pop()} * {{}}"
    if len(down) == 1 and 0 not in down:
        return f"{{}} // {down.pop()}"
    return ""


# --- definitions --------------------------------------------------------------------


def _by_definition(model: Plan) -> list[list[Plan]]:
    """All plans of each block, blocks that are called by others first."""
    plans: dict[int, Plan] = {}

    def collect(plan: Plan) -> None:
        if id(plan) not in plans:
            plans[id(plan)] = plan
            for callee in plan.callees.values():
                collect(callee)

    collect(model)
    groups: dict[Hashable, list[Plan]] = {}
    for plan in plans.values():
        groups.setdefault(_definition(plan, model), []).append(plan)
    ranks: dict[Hashable, int] = {}

    def rank(key: Hashable) -> int:
        if key not in ranks:
            below = {
                _definition(c, model) for p in groups[key] for c in p.callees.values()
            }
            ranks[key] = 1 + max((rank(k) for k in below), default=0)
        return ranks[key]

    return [groups[key] for key in sorted(groups, key=rank)]


def _definition(plan: Plan, model: Plan) -> Hashable:
    span = plan.graph.span
    return plan is model, plan.graph.name, span.source.name, span.start

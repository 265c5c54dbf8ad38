"""The kinds of layers of a model that relate positions, and how far each reaches.

Ops are of one kind if they have one shape and differ in `Op.varying` alone: the 3×3
convolutions of a stage, plain and shifted windows, dilated convolutions. Blocks are if
they have one name and one shape. A kind is stacked on itself in the order in which the
model has its layers, and over again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archdsl.analysis.cost import blaming
from archdsl.analysis.forms.opened import Opened, opened
from archdsl.analysis.paths.chain import Longest, chain
from archdsl.analysis.paths.masks import Budget
from archdsl.analysis.paths.reach import Reach, reach_of
from archdsl.analysis.paths.walk import Walk, is_closed
from archdsl.ir.dim import Size, substitute
from archdsl.ir.graph import Call, Graph, Node, reachable, uses
from archdsl.ir.operation import Inputs
from archdsl.ops.base import Op
from archdsl.ops.paths import Paths


@dataclass(frozen=True)
class Figure:
    """A number with the formula that gives it; None where there is none."""

    value: Size | None = None
    formula: Size | None = None


@dataclass(frozen=True)
class Kind:
    """Layers of one kind.

    Attributes:
        name: Of the op or block, or "scan".
        block: Whether it is a block.
        count: How many layers of the kind there are, as the model runs.
        axes: The axes of what goes in.
        sizes: What the names of axes, and of others in the formulas, stand for.
        complexity: Multiply-accumulates that relate positions, without constants.
        sequential: Operations of one layer that wait for one another.
        maximum: Layers until every position depends on all that it ever will;
            None where two positions never come together, or a layer does not keep
            its positions.
        meet: Layers until some position depends on all.
        keeps: Whether as many positions come out as go in, so that it stacks.
    """

    name: str
    block: bool
    count: int
    axes: frozenset[str]
    sizes: Mapping[str, Size]
    complexity: Figure
    sequential: Longest
    maximum: Figure
    meet: Figure
    keeps: bool


@dataclass
class _Group:
    graph: Graph
    node: Node
    members: list[tuple[Graph, Node]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many layers there are."""
        return len(self.members)


def kinds(graph: Graph, *, walked: bool = True) -> tuple[Kind, ...]:
    """The kinds of a model's layers, ops before blocks, in the order of first use.

    Args:
        graph: The model.
        walked: Whether positions are followed, as they are where all sizes are known;
            else there is only what ops say of themselves, and there are no blocks.

    Raises:
        SpecError: There are too many positions to follow.
    """
    walk = Walk(Budget()) if walked and is_closed(graph) else None
    groups: dict[object, _Group] = {}
    for inner, node in uses(graph):
        key = _key(inner, node)
        group = groups.setdefault(key, _Group(inner, node))
        group.members.append((inner, node))
    found = []
    for group in groups.values():
        with blaming(group.node.span):
            made = _kind(group, walk)
        if made is not None:
            found.append(made)
    return tuple(sorted(found, key=lambda kind: kind.block))


def _key(graph: Graph, node: Node) -> object:
    """What layers of one kind share."""
    ins = tuple(tensor for _, tensor in sorted(graph.ins(node).items()))
    if isinstance(node.payload, Call):
        inner = node.payload.graph
        return inner.name, inner.scan, ins, node.outputs
    op = _op(node)
    fields = type(op).model_fields
    alike = op.model_copy(update={f: fields[f].default for f in op.varying})
    return op.name, alike, ins, node.outputs


def _op(node: Node) -> Op:
    assert isinstance(node.payload, Op)
    return node.payload


def _kind(group: _Group, walk: Walk | None) -> Kind | None:
    """What is to say of some layers; None if they leave positions apart."""
    node, ins = group.node, group.graph.ins(group.node)
    if isinstance(node.payload, Call):
        return _block_kind(group, ins, node.payload.graph, walk) if walk else None
    op = _op(node)
    exact = op.paths(ins, node.outputs)
    unknown = Reach(None, None, False) if exact else None
    reach = reach_of(group.members, ins, walk) if walk else unknown
    if reach is None:
        return None
    there = opened(op, ins)
    formula = there.op.paths(there.ins, there.outs) if there else None
    steps = op.steps(ins)
    if steps != 1 and exact is not None:
        reach = Reach(_most(exact.maximum), _most(exact.meet), reach.keeps)
    values = there.values if there else {}
    return Kind(
        op.name,
        False,
        group.count,
        frozenset(axis for tensor in ins.values() for axis in tensor.names),
        values,
        _complexity(exact, formula, there),
        Longest((steps,)),
        _agreed(reach.maximum, formula.maximum if formula else (), values),
        _agreed(reach.meet, formula.meet if formula else (), values),
        reach.keeps,
    )


def _block_kind(group: _Group, ins: Inputs, inner: Graph, walk: Walk) -> Kind | None:
    if inner.scan is None and _recurs(inner):
        return None  # its path is longer than one layer, by the steps inside
    reach = reach_of(group.members, ins, walk)
    if reach is None or not reach.keeps or (inner.scan and reach.maximum is None):
        return None
    maximum, meet = Figure(reach.maximum), Figure(reach.meet)
    if inner.scan is not None:
        maximum = meet = Figure(inner.scan.steps)
    sizes = {a: s for tensor in ins.values() for a, s in tensor.axes if a != "B"}
    return Kind(
        inner.name,
        True,
        group.count,
        frozenset(sizes),
        sizes,
        Figure(),
        chain(inner).steps,
        maximum,
        meet,
        True,
    )


def _recurs(graph: Graph) -> bool:
    """Whether something in a block takes several steps."""
    return any(
        inner.scan is not None
        or any(
            isinstance(n.payload, Op) and n.payload.steps(inner.ins(n)) not in (0, 1)
            for n in inner
        )
        for inner in reachable(graph)
    )


# --- closed forms -------------------------------------------------------------------


def _complexity(
    exact: Paths | None, formula: Paths | None, there: Opened | None
) -> Figure:
    if exact is None or formula is None or there is None:
        return Figure(exact.complexity if exact else None)
    agrees = there.agrees(formula.complexity, exact.complexity)
    return Figure(exact.complexity, formula.complexity if agrees else None)


def _agreed(
    value: int | Size | None, forms: tuple[Size, ...], values: Mapping[str, Size]
) -> Figure:
    """The number, and that of the formulas which gives it."""
    for formula in forms:
        if value is not None and substitute(formula, values) == value:
            return Figure(value, formula)
    return Figure(value)


def _most(sizes: tuple[Size, ...]) -> Size | None:
    numbers = [s for s in sizes if isinstance(s, int)]
    return max(numbers) if numbers and len(numbers) == len(sizes) else sizes[0]

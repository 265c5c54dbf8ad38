"""Containers: the tree of a body's layers, and which parts of it are plain chains."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from archdsl.backends.torch.layout import Plan
from archdsl.ir.graph import Call, Enter, Node, Path, Ref

_MOST_LINES = 8


@dataclass
class Container:
    """Layers whose paths begin alike: a list where they are numbered.

    Attributes:
        path: How the paths begin.
        parts: By the next name of the path: the nodes of one layer, or a container.
        chain: Whether it is a plain chain, and so an ``nn.Sequential``.
    """

    path: Path
    parts: dict[str, Container | list[Node]] = field(default_factory=dict)
    chain: bool = False

    @property
    def numbered(self) -> bool:
        """Whether the parts are numbers: the turns of a loop; all are, or none."""
        return next(iter(self.parts), "").isdigit()

    def nodes(self) -> list[Node]:
        """Every node below, in order."""
        found: list[Node] = []
        for part in self.parts.values():
            found += part.nodes() if isinstance(part, Container) else part
        return sorted(found, key=lambda n: n.id)


def containers(plan: Plan) -> Container:
    """The tree of a body's layers."""
    root = Container(())
    for node in plan.graph:
        if not isinstance(node.payload, Enter):
            _put(root, node)
    for part in root.parts.values():
        if isinstance(part, Container):
            _mark(plan, part)
    return root


def _put(root: Container, node: Node) -> None:
    here = root
    for i, name in enumerate(node.path[:-1]):
        part = here.parts.setdefault(name, Container(node.path[: i + 1]))
        if not isinstance(part, Container):  # a layer and a scope of one name
            raise AssertionError(f"{node.name} lies inside a layer")
        here = part
    leaf = here.parts.setdefault(node.path[-1], [])
    assert isinstance(leaf, list)
    leaf.append(node)


def _mark(plan: Plan, container: Container) -> None:
    for part in container.parts.values():
        if isinstance(part, Container):
            _mark(plan, part)
    nested = [p for p in container.parts.values() if isinstance(p, Container)]
    if not all(p.chain for p in nested) or not _is_chain(plan, container):
        return
    # Stages of different shapes read better one by one, each with its shape.
    shapes = {tuple(p.nodes()[-1].outputs) for p in nested}
    container.chain = len(shapes) <= 1 or len(nested) > _MOST_LINES


def _is_chain(plan: Plan, container: Container) -> bool:
    if container.numbered and list(container.parts) != [
        str(i) for i in range(len(container.parts))
    ]:
        return False
    nodes = container.nodes()
    if not all(_is_element(plan, node) for node in nodes):
        return False
    if not all(_follows(plan, a, b) for a, b in pairwise(nodes)):
        return False
    if len({n.path for n in nodes}) < len(nodes):  # a shared layer
        return False
    order = [n.path[len(container.path)] for n in nodes]
    return list(dict.fromkeys(order)) == list(container.parts) and _once(order)


def _once(order: list[str]) -> bool:
    """Whether equal names stand together."""
    changes = sum(a != b for a, b in pairwise(order))
    return changes + 1 == len(set(order))


def _is_element(plan: Plan, node: Node) -> bool:
    """Whether a node can stand in an ``nn.Sequential``."""
    if len(node.inputs) != 1 or len(node.outputs) != 1 or node.weights_from:
        return False
    if isinstance(node.payload, Call):
        return True
    emit = plan.emits[node.id]
    if emit.make is None:
        return emit.module is not None
    return emit.forward == f"{{self}}({{{node.inputs[0][0]}}})"


def _follows(plan: Plan, before: Node, after: Node) -> bool:
    port, ref = after.inputs[0]
    alone = len(plan.graph.users(Ref(before.id))) == 1
    straight = plan.needs[after.id, port] == plan.layouts[ref]
    return (
        ref == Ref(before.id)
        and alone
        and straight
        and Ref(before.id) not in plan.graph.results
    )


def access(path: Path, root: Container) -> str:
    """How a layer is reached: ``self.stage[0]["conv"]``."""
    here: Container | list[Node] = root
    text = "self"
    for name in path:
        assert isinstance(here, Container)
        if here is root:
            text += f".{name}"
        elif here.numbered:
            text += f"[{name}]"
        else:
            text += f'["{name}"]'
        here = here.parts[name]
    return text

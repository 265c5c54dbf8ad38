"""A model cut down to some of its values, as a backbone is."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.ir.graph import Enter, Graph, Ref


def values(graph: Graph) -> dict[str, tuple[Ref, ...]]:
    """What can be put out, by name: results, named values, the ends of scopes.

    A scope is how the paths of layers begin: ``stage.2``. Of a list there are as many
    values as it has items.
    """
    found: dict[str, tuple[Ref, ...]] = {}
    for node in graph:
        if len(node.outputs) == 1 and not isinstance(node.payload, Enter):
            for i in range(1, len(node.path) + 1):
                found[".".join(node.path[:i])] = (Ref(node.id),)
    found |= graph.named
    results: dict[str, tuple[Ref, ...]] = {}
    for name, ref in zip(graph.result_names, graph.results, strict=True):
        head = name.partition(".")[0]
        results[head] = (*results.get(head, ()), ref)
    return found | results


def prune(graph: Graph, wanted: Mapping[str, tuple[Ref, ...]]) -> Graph:
    """The same model with other outputs, without the layers that these do not need.

    The layers that are left keep their names. A name with dots is an output with
    underscores; several values of one name are a list.
    """
    kept = _needed(graph, {ref.node for refs in wanted.values() for ref in refs})
    number = {old: new for new, old in enumerate(sorted(kept))}

    def moved(ref: Ref) -> Ref:
        return Ref(number[ref.node], ref.output)

    cut = graph.empty()
    for old in sorted(kept):
        node = graph[old]
        inputs = tuple((port, moved(ref)) for port, ref in node.inputs)
        cut.add(node._replace(id=number[old], inputs=inputs))
    cut.hints = {moved(r): hint for r, hint in graph.hints.items() if r.node in kept}
    orders = dict(zip(graph.results, graph.result_orders, strict=True))
    rows = []
    for name, refs in wanted.items():
        plain = name.replace(".", "_")
        many = len(refs) > 1
        rows += [(f"{plain}.{i}" if many else plain, r) for i, r in enumerate(refs)]
    cut.result_names = tuple(name for name, _ in rows)
    cut.results = tuple(moved(ref) for _, ref in rows)
    cut.result_orders = tuple(
        orders.get(ref, graph.tensor(ref).names) for _, ref in rows
    )
    return cut


def _needed(graph: Graph, start: set[int]) -> set[int]:
    """Some nodes and those that they depend on, for values or for weights."""
    owners = {node.path: node.id for node in reversed(graph.nodes)}
    needed: set[int] = set()
    open_nodes = list(start)
    while open_nodes:
        here = open_nodes.pop()
        if here in needed:
            continue
        needed.add(here)
        node = graph[here]
        open_nodes += [ref.node for _, ref in node.inputs]
        if node.weights_from is not None:
            open_nodes.append(owners[node.weights_from])
    return needed

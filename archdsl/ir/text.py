"""The graph as text: stable, complete, for golden tests and for eyes."""

from __future__ import annotations

from archdsl.ir.graph import Call, Enter, Graph, Node, Ref, reachable


def text(graph: Graph) -> str:
    """Every specialisation that a model uses, those that are called first.

    A line is ``%number path = what %inputs : type``; a call names its specialisation.
    """
    graphs = reachable(graph)
    names = {id(g): f"{g.name}#{i}" for i, g in enumerate(graphs)}
    return "\n".join(_graph(g, names) for g in graphs)


def _graph(graph: Graph, names: dict[int, str]) -> str:
    kind = "model" if graph.is_model else "block"
    along = f" over {graph.scan.axis} = {graph.scan.steps}" if graph.scan else ""
    rows = [f"{kind} {names[id(graph)]}{along} {{"]
    rows += [f"  {_node(node, names)}" for node in graph]
    pairs = zip(graph.result_names, graph.results, strict=True)
    words = [f"{name} = {_ref(ref)}" if name else _ref(ref) for name, ref in pairs]
    rows.append(f"  return {', '.join(words)}")
    rows += [f"  assume {assumption}" for assumption in graph.assumptions]
    return "\n".join([*rows, "}", ""])


def _node(node: Node, names: dict[int, str]) -> str:
    if isinstance(node.payload, Enter):
        what = "input"
    elif isinstance(node.payload, Call):
        what = names[id(node.payload.graph)]
    else:
        what = node.payload.text()
    ports = [f"{port} = {_ref(ref)}" for port, ref in node.inputs]
    types = ", ".join(map(str, node.outputs))
    taken = f" [{', '.join(ports)}]" if ports else ""
    tied = f" with {'.'.join(node.weights_from)}" if node.weights_from else ""
    return f"%{node.id} {node.name} = {what}{taken}{tied} : {types}"


def _ref(ref: Ref) -> str:
    return f"%{ref.node}" + (f".{ref.output}" if ref.output else "")

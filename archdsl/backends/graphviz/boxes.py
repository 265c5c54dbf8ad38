"""The boxes of a picture: layers, closed blocks, stacks, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archdsl.analysis.cost import Costs, Totals
from archdsl.backends.graphviz import style
from archdsl.backends.graphviz.alike import is_regularisation
from archdsl.backends.graphviz.label import Label, stacked
from archdsl.backends.graphviz.parts import called
from archdsl.backends.graphviz.plan import Plan
from archdsl.backends.graphviz.sketch import Sketch
from archdsl.backends.graphviz.text import costs, escape, settings, shape
from archdsl.ir.graph import Graph, Node, Path
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op


class Times(NamedTuple):
    """How often a part is there, and to which of all its costs belong."""

    words: str = ""
    whose: str = ""


ONCE = Times()


class Boxes:
    """Makes boxes in a sketch; each method gives the number of the one it made."""

    def __init__(self, plan: Plan, sketch: Sketch) -> None:
        self.plan = plan
        self.sketch = sketch
        self.costs = Costs()
        self._again: dict[int, set[int]] = {}

    # -- boxes ------------------------------------------------------------------------

    def pill(self, name: str, tensor: Tensor) -> int:
        """What goes in or comes out."""
        label = Label(name, [shape(tensor)], points=(11, 9))
        return self.sketch.box(label.text(), style.PILL)

    def fork(self) -> int:
        """A point where a value goes several ways."""
        return self.sketch.box("", style.FORK)

    def op(self, graph: Graph, node: Node, times: Times) -> int:
        """A layer; a circle where it only joins two tensors by arithmetic."""
        sign = style.SIGNS.get(called(node), "")
        if sign and len(node.inputs) > 1:
            return self.sketch.box(f"<{escape(sign)}>", style.CIRCLE)
        notes = [self._own(graph, node, times)]
        label = Label(self._words(graph, node), notes, times.words, bold=False)
        return self.sketch.box(label.text(), style.fill(node.payload))

    def chain(self, graph: Graph, nodes: Sequence[Node]) -> int:
        """Layers of which the later ones only shape the values of the first."""
        first, *others = (self._row(graph, node) for node in nodes)
        shared = [n for n in nodes if self._shared(graph, n)]
        words = costs(self.total(graph, [n.id for n in nodes]))
        if shared:
            words = self._own(graph, shared[0], ONCE)
        rows = [("", first[1]), *others, ("", Label("", [words]))]
        return self._stacked(rows, first[0])

    def stack(self, block: Graph, times: Times) -> int:
        """A block that is a short chain: its layers below its name."""
        layers = self.plan.stacks[id(block)]
        words = each(costs(self.costs.total(block)), times)
        return self._stacked(
            [
                ("", Label(block.name, times=times.words)),
                *(self._row(graph, node) for graph, node in layers),
                ("", Label("", [words])),
            ]
        )

    def closed(self, block: Graph, times: Times) -> int:
        """A block that is not opened here."""
        letter = self.plan.letters.get(id(block), "")
        label = Label(block.name, self.notes(block, times), times.words, letter)
        return self.sketch.box(label.text(), style.CLOSED)

    def lump(self, graph: Graph, inside: Sequence[int], title: str) -> int:
        """Many nodes as one."""
        count = f"{len(inside)} steps"
        notes = [count if title else "", costs(self.total(graph, inside))]
        return self.sketch.box(Label(title or f"… {count}", notes).text(), style.LUMP)

    def _stacked(self, rows: list[tuple[str, Label]], colour: str = "white") -> int:
        return self.sketch.box(stacked(rows, colour), style.BARE)

    def _row(self, graph: Graph, node: Node) -> tuple[str, Label]:
        label = Label(self._words(graph, node), bold=False)
        return style.colour(node.payload), label

    # -- words ------------------------------------------------------------------------

    def notes(self, graph: Graph, times: Times = ONCE) -> list[str]:
        """What stands below the name of a block: hyperparameters and costs.

        Those hyperparameters are left out that say nothing: what is off or empty, and
        a 0 that is 0 everywhere.
        """
        unlike = self.plan.unlike[graph.name]
        hidden = self.plan.varying.get(id(graph), set())
        shown = [
            name
            for name, value in graph.hyper.items()
            if name not in hidden
            and not _is_off(value)
            and (name in unlike or value != 0)
        ]
        words = each(costs(self.costs.total(graph)), times)
        return [_turns(graph), settings(graph.hyper, shown), words]

    def total(self, graph: Graph, inside: Iterable[int]) -> Totals:
        """What some nodes cost, shared weights once."""
        return self.costs.together(graph, (graph[n] for n in inside))

    def _words(self, graph: Graph, node: Node) -> str:
        if is_regularisation(node.payload) and id(graph) in self.plan.varying:
            return called(node).replace("_", " ")
        if isinstance(node.payload, Op):
            return node.payload.label(graph.ins(node))
        return node.name

    def _own(self, graph: Graph, node: Node, times: Times) -> str:
        words = costs(self.costs.node(graph, node), self._shared(graph, node))
        return each(words, times)

    def _shared(self, graph: Graph, node: Node) -> str:
        """Whose weights a layer uses, if not its own."""
        if node.weights_from is not None:
            return f"weights of {'.'.join(node.weights_from)}"
        if id(graph) not in self._again:
            first: dict[Path, int] = {}
            self._again[id(graph)] = {
                n.id for n in graph if first.setdefault(n.path, n.id) != n.id
            }
        return "shared weights" if node.id in self._again[id(graph)] else ""


def _is_off(value: object) -> bool:
    """Whether a hyperparameter is none, false, or a list of nothing else."""
    if isinstance(value, tuple):
        return all(map(_is_off, value))
    return value is None or value is False


def _turns(graph: Graph) -> str:
    """Along which axis a scan runs, and what it carries."""
    if graph.scan is None:
        return ""
    scan = graph.scan
    way = ", backwards" if scan.reverse else ""
    carried = f" · carries {', '.join(scan.states)}" if scan.states else ""
    return f"over {scan.axis} {scan.steps}{way}{carried}"


def each(words: str, times: Times) -> str:
    """Costs, said to be those of one of several."""
    return f"{words} {times.whose}" if words and times.whose else words

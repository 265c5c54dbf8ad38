"""From a graph to its picture in DOT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from archdsl.backends.graphviz import style
from archdsl.backends.graphviz.boxes import ONCE, Boxes, Times, each
from archdsl.backends.graphviz.label import Label
from archdsl.backends.graphviz.parts import (
    Chain,
    Fold,
    Item,
    Leaf,
    Lump,
    Turn,
    drawn,
    members,
    refs_into,
)
from archdsl.backends.graphviz.plan import Panel, is_wire, plan
from archdsl.backends.graphviz.sketch import Sketch, Wire
from archdsl.backends.graphviz.text import costs, shape
from archdsl.ir.graph import Call, Graph, Node, Ref

Values = dict[Ref, Wire]
_COLUMN = 5  # how many rows of boxes are as high as a column of them is wide


def to_dot(graph: Graph, dpi: int | None = None) -> str:
    """A model's picture in DOT, plain ASCII and the same for the same model.

    Args:
        graph: The model.
        dpi: Dots an inch, for a picture that is made of dots.
    """
    return _Drawer(graph).draw(dpi)


class _Drawer:
    """Draws a model and its panels into a sketch."""

    def __init__(self, model: Graph) -> None:
        self.model = model
        self.plan = plan(model)
        self.sketch = Sketch()
        self.boxes = Boxes(self.plan, self.sketch)
        self.omitted = 0

    def draw(self, dpi: int | None) -> str:
        self._whole(self.model)
        ends = [self.sketch.boxes]
        for panel in self.plan.panels:
            self._panel(panel)
            ends.append(self.sketch.boxes)
        self._arrange(ends)
        return self.sketch.dot(self._title(), dpi)

    def _title(self) -> str:
        notes = self.boxes.notes(self.model)
        if self.plan.panels:
            notes.append("A block with a letter is opened at the side.")
        if self.plan.closed:
            blocks = "block is" if self.plan.closed == 1 else "blocks are"
            notes.append(f"{self.plan.closed} {blocks} not opened, for lack of room.")
        if self.omitted:
            notes.append(f"{self.omitted} steps are in closed boxes, for lack of room.")
        title = Label(self.model.name, notes, points=(16, 10), width=90)
        return title.text("LEFT", below=True)

    def _arrange(self, ends: list[int]) -> None:
        """Puts panels below each other where side by side they are too wide."""
        ranks = self.sketch.ranks()
        spans = [range(a + 1, b + 1) for a, b in zip([0, *ends], ends, strict=False)]
        heights = [1 + max((ranks[n] for n in span), default=0) for span in spans]
        most = max(*heights, _COLUMN * len(spans) // 2)
        if _COLUMN * len(spans) <= most:
            return
        height = most
        for i in range(1, len(spans)):
            height += 2 + heights[i]
            if height > most:
                height = heights[i]
                continue
            lowest = max(spans[i - 1], key=lambda n: (ranks[n], -n))
            self.sketch.hidden.append((lowest, spans[i].start))

    # -- bodies -----------------------------------------------------------------------

    def _panel(self, panel: Panel) -> None:
        graph = panel.graph
        place = f"numbers of {panel.place}" if panel.place else ""
        notes = [*self.boxes.notes(graph), place]
        label = Label(graph.name, notes, letter=panel.letter)
        with (
            self.sketch.frame("", style.ASIDE),
            self.sketch.frame(label.text("LEFT"), style.BLOCK),
        ):
            self._whole(graph)

    def _whole(self, graph: Graph) -> None:
        """A graph with its inputs and outputs as boxes."""
        values: Values = {}
        for enter, node in graph.entries:
            values[Ref(node.id)] = Wire(self.boxes.pill(enter.name, node.outputs[0]))
        self._items(graph, self.plan.bodies[id(graph)], values)
        names = graph.result_names or ("",) * len(graph.results)
        for name, ref in zip(names, graph.results, strict=True):
            values[ref].label = ""
            box = self.boxes.pill(name or "out", graph.tensor(ref))
            self.sketch.connect(values[ref], box)

    def _items(self, graph: Graph, items: Sequence[Item], values: Values) -> None:
        for item in items:
            match item:
                case Leaf():
                    self._leaf(graph, item.node, values)
                case Chain():
                    self._chain(graph, item, values)
                case Turn():
                    self._turn(graph, item, values)
                case Fold():
                    self._fold(graph, item, values)
                case Lump():
                    self._lump(graph, item, values)

    def _turn(
        self, graph: Graph, turn: Turn, values: Values, times: Times = ONCE
    ) -> None:
        title = turn.name if times.words else turn.title
        self._frame(graph, turn.items, values, (title, times, style.SCOPE))

    def _fold(self, graph: Graph, fold: Fold, values: Values) -> None:
        words = f"×{fold.count}" + (", shared weights" if fold.shared else "")
        times = Times(words, "in the first" if fold.grows else "each")
        only = fold.items[0] if len(fold.items) == 1 else None
        if isinstance(only, Turn):
            self._turn(graph, only, values, times)
        elif isinstance(only, Leaf):
            self._leaf(graph, only.node, values, times)
        else:
            self._frame(graph, fold.items, values, ("", times, style.FRAME))
        for turn in fold.turns[1:]:
            for first, same in zip(fold.turns[0], turn, strict=True):
                for output in range(len(graph[same].outputs)):
                    if (wire := values.get(Ref(first, output))) is not None:
                        values[Ref(same, output)] = wire
                        if fold.grows:
                            wire.label = shape(graph[same].outputs[output])

    def _frame(
        self,
        graph: Graph,
        items: Sequence[Item],
        values: Values,
        head: tuple[str, Times, str],
    ) -> None:
        """Parts in a frame; what several of them take forks inside of it."""
        title, times, look = head
        alone = isinstance(items[0], Chain) and len(items) == 1  # says it itself
        total = self.boxes.total(graph, members(items))
        words = "" if alone else each(costs(total), times)
        inside = set(members(items))  # of folded turns too, which are not drawn
        uses = Counter(
            ref
            for item in items
            for ref in dict.fromkeys(refs_into(graph, set(drawn([item]))))
            if ref.node not in inside
        )
        taken = next(iter(uses), None)
        with self._framed(Label(title, [words], times.words), look, taken, values):
            outside = {ref: values[ref] for ref, count in uses.items() if count > 1}
            values.update({ref: self._fork(wire) for ref, wire in outside.items()})
            self._items(graph, items, values)
            values.update(outside)

    @contextmanager
    def _framed(
        self, label: Label, look: str, taken: Ref | None, values: Values
    ) -> Iterator[None]:
        """A frame that the value `taken` enters through the words at its head."""
        if taken is None:
            with self.sketch.frame(label.text("LEFT"), look):
                yield
            return
        with self.sketch.frame("", style.APART), self.sketch.frame("", look):
            outside = values[taken]
            heading = self.sketch.heading(label.text())
            self.sketch.connect(outside, heading)
            values[taken] = Wire(heading)
            yield
            values[taken] = outside

    def _fork(self, wire: Wire) -> Wire:
        point = self.boxes.fork()
        self.sketch.connect(wire, point)
        return Wire(point)

    # -- single parts -----------------------------------------------------------------

    def _leaf(
        self, graph: Graph, node: Node, values: Values, times: Times = ONCE
    ) -> None:
        if not isinstance(node.payload, Call):
            self._finish(graph, node, self.boxes.op(graph, node, times), values)
            return
        inner = node.payload.graph
        if is_wire(inner):
            given = dict(node.inputs)
            names = {n.id: enter.name for enter, n in inner.entries}
            for output, ref in enumerate(inner.results):
                values[Ref(node.id, output)] = values[given[names[ref.node]]]
        elif id(inner) in self.plan.inline:
            self._inline(node, inner, values, times)
        else:
            known = id(inner) in self.plan.stacks
            box = (self.boxes.stack if known else self.boxes.closed)(inner, times)
            self._finish(graph, node, box, values)

    def _chain(self, graph: Graph, chain: Chain, values: Values) -> None:
        box = self.boxes.chain(graph, chain.nodes)
        first, last = chain.nodes[0], chain.nodes[-1]
        self._finish(graph, first, box, values)
        values[Ref(last.id)] = values[Ref(first.id)]

    def _finish(self, graph: Graph, node: Node, box: int, values: Values) -> None:
        """Draws the arrows into a box, and says what comes out of it."""
        named = isinstance(node.payload, Call) and len(node.inputs) > 1
        for i, (port, ref) in enumerate(node.inputs):
            quiet = not named and (i == 0 or port == "other" or port[-1].isdigit())
            self.sketch.connect(values[ref], box, "" if quiet else port)
        came = shape(graph.tensor(node.inputs[0][1])) if node.inputs else ""
        for output, tensor in enumerate(node.outputs):
            words = shape(tensor)
            values[Ref(node.id, output)] = Wire(box, words if words != came else "")

    def _inline(self, node: Node, inner: Graph, values: Values, times: Times) -> None:
        given = dict(node.inputs)
        inside = {Ref(n.id): values[given[enter.name]] for enter, n in inner.entries}
        used = {ref: len(inner.users(ref)) for ref in inside}
        taken = next((ref for ref in used if used[ref]), None)
        label = Label(inner.name, self.boxes.notes(inner, times), times.words)
        with self._framed(label, style.BLOCK, taken, inside):
            for ref, count in used.items():
                if count > 1:
                    inside[ref] = self._fork(inside[ref])
            self._items(inner, self.plan.bodies[id(inner)], inside)
            results = [inside[ref] for ref in inner.results]
        for output, wire in enumerate(results):
            values[Ref(node.id, output)] = wire

    def _lump(self, graph: Graph, lump: Lump, values: Values) -> None:
        inside = members(lump.items)
        self.omitted += len(inside)
        box = self.boxes.lump(graph, inside, lump.title)
        for ref in refs_into(graph, set(inside)):
            self.sketch.connect(values[ref], box)
        for n in inside:
            for output, tensor in enumerate(graph[n].outputs):
                values[Ref(n, output)] = Wire(box, shape(tensor))

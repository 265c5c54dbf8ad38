"""From a graph to its picture in DOT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from archdsl.analysis.cost import Costs, Totals
from archdsl.backends.graphviz import style
from archdsl.backends.graphviz.alike import is_regularisation
from archdsl.backends.graphviz.fold import (
    Fold,
    Item,
    Leaf,
    Lump,
    Turn,
    members,
    refs_into,
)
from archdsl.backends.graphviz.label import Label, stacked
from archdsl.backends.graphviz.plan import Panel, Plan, is_wire, plan
from archdsl.backends.graphviz.sketch import Sketch, Wire
from archdsl.backends.graphviz.text import costs, escape, settings, shape
from archdsl.ir.graph import Call, Graph, Node, Path, Ref
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Op

Values = dict[Ref, Wire]


def to_dot(graph: Graph) -> str:
    """A model's picture in DOT, the same bytes for the same model."""
    return dot(graph)


def dot(graph: Graph, dpi: int | None = None) -> str:
    """A model's picture in DOT.

    Args:
        graph: The model.
        dpi: Dots an inch, for a picture that is made of dots.
    """
    return _Drawer(graph).draw(dpi)


class _Drawer:
    """Draws a model and its panels into a sketch."""

    def __init__(self, model: Graph) -> None:
        self.model = model
        self.plan: Plan = plan(model)
        self.costs = Costs()
        self.sketch = Sketch()
        self.omitted = 0
        self.again: dict[int, set[int]] = {}

    def draw(self, dpi: int | None) -> str:
        with self.sketch.frame("", style.MODEL):
            self._whole(self.model)
        ends = [self.sketch.boxes]
        for panel in self.plan.panels:
            self._panel(panel)
            ends.append(self.sketch.boxes)
        self._arrange(ends)
        return self.sketch.dot(self._title(), dpi)

    def _title(self) -> str:
        graph = self.model
        notes = [
            settings(graph.hyper, self._shown(graph)),
            costs(self.costs.total(graph)),
        ]
        if self.plan.panels:
            notes.append("A block with a letter is opened at the side.")
        if self.plan.closed:
            word = "block is" if self.plan.closed == 1 else "blocks are"
            notes.append(f"{self.plan.closed} {word} not opened, to fit the picture.")
        if self.omitted:
            notes.append(
                f"{self.omitted} steps are drawn as closed boxes, to fit the picture."
            )
        return Label(graph.name, notes, points=(16, 10), width=90).text("LEFT")

    def _arrange(self, ends: list[int]) -> None:
        """Puts panels below each other where that makes the picture no taller."""
        ranks = self.sketch.ranks()
        starts = [1, *(end + 1 for end in ends[:-1])]
        heights = [
            1 + max((ranks[n] for n in range(a, b + 1)), default=0)
            for a, b in zip(starts, ends, strict=True)
        ]
        most, height, above = max(heights), 0, 0
        self.sketch.columns = len(ends)
        for i in range(1, len(ends)):
            if above and height + 2 + heights[i] <= most:
                boxes = range(starts[above], ends[above] + 1)
                lowest = max(boxes, key=lambda n: (ranks[n], -n))
                self.sketch.hidden.append((lowest, starts[i]))
                height += 2 + heights[i]
            else:
                height = heights[i]
            above = i

    # -- bodies -----------------------------------------------------------------------

    def _panel(self, panel: Panel) -> None:
        graph = panel.graph
        notes = [
            *self._notes(graph),
            f"numbers of {panel.place}" if panel.place else "",
        ]
        label = Label(graph.name, notes, letter=panel.letter)
        with self.sketch.frame(label.text("LEFT"), style.BLOCK):
            self._whole(graph)

    def _whole(self, graph: Graph) -> None:
        """A graph with its inputs and outputs as boxes."""
        values: Values = {}
        for enter, node in graph.entries:
            values[Ref(node.id)] = Wire(self._pill(enter.name, node.outputs[0]))
        self._items(graph, self.plan.bodies[id(graph)], values)
        names = graph.result_names or ("",) * len(graph.results)
        for name, ref in zip(names, graph.results, strict=True):
            values[ref].label = ""
            self.sketch.connect(
                values[ref], self._pill(name or "out", graph.tensor(ref))
            )

    def _pill(self, name: str, tensor: Tensor) -> int:
        """What goes in or comes out."""
        label = Label(name, [shape(tensor)], points=(11, 9))
        return self.sketch.box(label.text(), style.PILL)

    def _items(self, graph: Graph, items: Sequence[Item], values: Values) -> None:
        for item in items:
            if isinstance(item, Leaf):
                self._leaf(graph, item.node, values)
            elif isinstance(item, Turn):
                self._turn(graph, item, values)
            elif isinstance(item, Fold):
                self._fold(graph, item, values)
            else:
                self._lump(graph, item, values)

    def _turn(self, graph: Graph, turn: Turn, values: Values, times: str = "") -> None:
        total = self._total(graph, members(turn.items))
        label = Label(turn.name if times else turn.title, [costs(total)], times=times)
        taken = next(refs_into(graph, set(_drawn(turn.items))), None)
        with self._framed(label, style.SCOPE, taken, values):
            self._forked_items(graph, turn.items, values)

    @contextmanager
    def _framed(
        self, label: Label, look: str, taken: Ref | None, values: Values
    ) -> Iterator[None]:
        """A frame that the value `taken` enters through the words at its head."""
        if taken is None:
            with self.sketch.frame(label.text("LEFT"), look):
                yield
            return
        with self.sketch.frame("", look):
            outside = values[taken]
            heading = self.sketch.heading(label.text())
            self.sketch.connect(outside, heading)
            values[taken] = Wire(heading)
            yield
            values[taken] = outside

    def _fold(self, graph: Graph, fold: Fold, values: Values) -> None:
        times = f"×{fold.count}" + (", shared weights" if fold.shared else "")
        only = fold.items[0] if len(fold.items) == 1 else None
        if isinstance(only, Turn):
            self._turn(graph, only, values, times)
        elif isinstance(only, Leaf):
            self._leaf(graph, only.node, values, times)
        else:
            with self.sketch.frame(
                Label("", [], times=times).text("LEFT"), style.FRAME
            ):
                self._forked_items(graph, fold.items, values)
        for turn in fold.turns[1:]:
            for drawn, same in zip(fold.turns[0], turn, strict=True):
                for output in range(len(graph[same].outputs)):
                    if (wire := values.get(Ref(drawn, output))) is not None:
                        values[Ref(same, output)] = wire

    def _lump(self, graph: Graph, lump: Lump, values: Values) -> None:
        inside = members(lump.items)
        self.omitted += len(inside)
        title = lump.title or f"… {len(inside)} steps"
        notes = [f"{len(inside)} steps"] if lump.title else []
        notes.append(costs(self._total(graph, inside)))
        box = self.sketch.box(Label(title, notes).text(), style.LUMP)
        for ref in refs_into(graph, set(inside)):
            self.sketch.connect(values[ref], box)
        for n in inside:
            for output, tensor in enumerate(graph[n].outputs):
                values[Ref(n, output)] = Wire(box, shape(tensor))

    def _forked_items(
        self, graph: Graph, items: Sequence[Item], values: Values
    ) -> None:
        """Draws parts inside a frame; what several of them take forks inside of it."""
        inside = set(members(items))
        uses = Counter(
            ref
            for item in items
            for ref in dict.fromkeys(refs_into(graph, set(_drawn([item]))))
            if ref.node not in inside
        )
        outside = {ref: values[ref] for ref, count in uses.items() if count > 1}
        values.update({ref: self._fork(wire) for ref, wire in outside.items()})
        self._items(graph, items, values)
        values.update(outside)

    def _fork(self, wire: Wire) -> Wire:
        point = self.sketch.box("", style.FORK)
        self.sketch.connect(wire, point)
        return Wire(point)

    # -- boxes ------------------------------------------------------------------------

    def _leaf(self, graph: Graph, node: Node, values: Values, times: str = "") -> None:
        if not isinstance(node.payload, Call):
            self._finish(graph, node, self._op(graph, node, times), values)
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
            draw = self._stack if id(inner) in self.plan.stacks else self._closed
            self._finish(graph, node, draw(inner, times), values)

    def _finish(self, graph: Graph, node: Node, box: int, values: Values) -> None:
        """Draws the arrows into a box, and says what comes out of it."""
        named = isinstance(node.payload, Call) and len(node.inputs) > 1
        for i, (port, ref) in enumerate(node.inputs):
            quiet = not named and (i == 0 or port == "other" or port[-1].isdigit())
            self.sketch.connect(values[ref], box, "" if quiet else port)
        came = graph.tensor(node.inputs[0][1]) if node.inputs else None
        for output, tensor in enumerate(node.outputs):
            changed = came is None or shape(came) != shape(tensor)
            values[Ref(node.id, output)] = Wire(box, shape(tensor) if changed else "")

    def _inline(self, node: Node, inner: Graph, values: Values, times: str) -> None:
        given = dict(node.inputs)
        entries = [Ref(entry.id) for _, entry in inner.entries]
        used = {ref: len(inner.users(ref)) for ref in entries}
        inside = {
            Ref(entry.id): values[given[enter.name]] for enter, entry in inner.entries
        }
        label = Label(inner.name, self._notes(inner), times=times)
        taken = next((ref for ref in entries if used[ref]), None)
        with self._framed(label, style.BLOCK, taken, inside):
            for ref in entries:
                if used[ref] > 1:
                    inside[ref] = self._fork(inside[ref])
            self._items(inner, self.plan.bodies[id(inner)], inside)
            results = [inside[ref] for ref in inner.results]
        for output, wire in enumerate(results):
            values[Ref(node.id, output)] = wire

    def _closed(self, graph: Graph, times: str) -> int:
        letter = self.plan.letters.get(id(graph), "")
        label = Label(graph.name, self._notes(graph), times=times, letter=letter).text()
        return self.sketch.box(label, style.CLOSED)

    def _op(self, graph: Graph, node: Node, times: str) -> int:
        op = node.payload
        name = getattr(op, "name", "")
        if name in style.SIGNS and len(node.inputs) > 1:
            return self.sketch.box(f"<{escape(style.SIGNS[name])}>", style.CIRCLE)
        again = node.id in self._later(graph)
        shared = "shared weights" if again else ""
        if node.weights_from is not None:
            shared = f"weights of {'.'.join(node.weights_from)}"
        words = costs(self.costs.node(graph, node), shared)
        label = Label(self._words(graph, node), [words], bold=False, times=times).text()
        return self.sketch.box(label, f'fillcolor="{style.fill(op)}"')

    def _later(self, graph: Graph) -> set[int]:
        """The nodes whose layer was used before."""
        if id(graph) not in self.again:
            seen = set[Path]()
            later = self.again[id(graph)] = set[int]()
            for node in graph:
                if node.path in seen:
                    later.add(node.id)
                seen.add(node.path)
        return self.again[id(graph)]

    def _words(self, graph: Graph, node: Node) -> str:
        if is_regularisation(node.payload) and id(graph) in self.plan.varying:
            return str(getattr(node.payload, "name", "")).replace("_", " ")
        return node.payload.label() if isinstance(node.payload, Op) else node.name

    def _stack(self, block: Graph, times: str) -> int:
        """A short chain: its layers in one box, one below the other."""
        rows = [("", Label(block.name, times=times))]
        for graph, node in self.plan.stacks[id(block)]:
            label = Label(self._words(graph, node), bold=False)
            rows.append((style.fill(node.payload), label))
        rows.append(("", Label("", [costs(self.costs.total(block))])))
        return self.sketch.box(stacked(rows), style.BARE)

    # -- words ------------------------------------------------------------------------

    def _shown(self, graph: Graph) -> list[str]:
        """The hyperparameters worth a word: set, or not the same everywhere."""
        unlike = self.plan.unlike[graph.name]
        hidden = self.plan.varying.get(id(graph), set())
        return [
            name
            for name, value in graph.hyper.items()
            if name not in hidden and (name in unlike or value not in (None, False, 0))
        ]

    def _notes(self, graph: Graph) -> list[str]:
        words = settings(graph.hyper, self._shown(graph))
        return [words, costs(self.costs.total(graph))]

    def _total(self, graph: Graph, inside: Sequence[int]) -> Totals:
        """What some nodes cost, shared weights once."""
        total, seen = Totals(), set[Path]()
        for n in inside:
            cost = self.costs.node(graph, graph[n])
            again = graph[n].path in seen
            seen.add(graph[n].path)
            total = total + (cost.without_weights() if again else cost)
        return total


def _drawn(items: Sequence[Item]) -> list[int]:
    """The nodes that parts draw: of a fold, the first turn."""
    return [
        n
        for item in items
        for n in (item.turns[0] if isinstance(item, Fold) else members([item]))
    ]

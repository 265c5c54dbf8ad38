"""What of a model is opened, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from string import ascii_lowercase

from archdsl.backends.graphviz.alike import differing, exact, kinds
from archdsl.backends.graphviz.fold import parts
from archdsl.backends.graphviz.parts import Fold, Item, Turn, fitted, leaves, size
from archdsl.ir.graph import Call, Enter, Graph, Node, reachable

MOST_BOXES = 400  # in a picture
KEPT_BOXES = 24  # of a body that has too many
LONGEST_COLUMN = 30  # boxes on top of each other, where a block is opened in place
TALLEST_STACK = 4  # layers


@dataclass(frozen=True)
class Panel:
    """A block that is opened beside the model.

    Attributes:
        letter: What its closed boxes are marked with.
        graph: The specialisation that is drawn.
        place: Where its numbers hold, "" if everywhere.
    """

    letter: str
    graph: Graph
    place: str


@dataclass
class Plan:
    """What a picture shows.

    Attributes:
        bodies: The parts of each graph that is opened, by identity.
        stacks: The layers of each block that is drawn as a stack.
        panels: The blocks opened beside the model.
        letters: The letter of each specialisation that has a panel.
        inline: The graphs that are opened where they are called.
        unlike: By name of a block, the hyperparameters that differ among its
            specialisations.
        varying: By identity of a drawn graph, the hyperparameters in which the turns
            of its fold differ.
        closed: How many blocks are not opened for lack of room.
    """

    bodies: dict[int, tuple[Item, ...]] = field(default_factory=dict)
    stacks: dict[int, list[tuple[Graph, Node]]] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)
    letters: dict[int, str] = field(default_factory=dict)
    inline: set[int] = field(default_factory=set)
    unlike: dict[str, set[str]] = field(default_factory=dict)
    varying: dict[int, set[str]] = field(default_factory=dict)
    closed: int = 0


@dataclass
class _Kind:
    """A block as far as numbers do not matter: its first place, and how many."""

    graph: Graph
    place: str
    parent: Graph
    places: int = 0
    equal: bool = True


def plan(model: Graph) -> Plan:
    """Decides what is opened where."""
    return _Planner(model).plan


class _Planner:
    def __init__(self, model: Graph) -> None:
        self.model = model
        self.exact, self.kinds = exact(model), kinds(model)
        self.plan = Plan(unlike=_unlike(model))
        for graph in reachable(model):
            if layers := stack(graph):
                self.plan.stacks[id(graph)] = layers
        self.found: dict[int, _Kind] = {}
        self._open()
        self._place()

    # -- which ------------------------------------------------------------------------

    def _open(self) -> None:
        """Opens one block of each kind, callers first, while there is room."""
        queue = [self.model]
        drawn = 0
        for graph in queue:
            items = parts(graph, self.exact, self.kinds)
            if graph is self.model:
                items = fitted(items, MOST_BOXES, KEPT_BOXES)
            elif drawn + size(items) > MOST_BOXES:
                self.plan.closed += 1
                continue
            drawn += size(items)
            self.plan.bodies[id(graph)] = items
            self._vary(graph, items)
            queue += self._new(graph, items)

    def _new(self, parent: Graph, items: tuple[Item, ...]) -> Iterator[Graph]:
        for node, graph in _calls(items):
            if id(graph) in self.plan.stacks or is_wire(graph):
                continue
            key = self.kinds.graph(graph)
            if key not in self.found:
                self.found[key] = _Kind(graph, node.name, parent)
                yield graph
            kind = self.found[key]
            kind.places += 1
            kind.equal &= self.exact.graph(graph) == self.exact.graph(kind.graph)

    def _vary(self, graph: Graph, items: tuple[Item, ...]) -> None:
        """Notes in what the turns of folds differ."""
        for item in items:
            if isinstance(item, Fold):
                for same in zip(*item.turns, strict=True):
                    called = [graph[n].payload for n in same]
                    self._differ([c.graph for c in called if isinstance(c, Call)])
            if isinstance(item, Fold | Turn):
                self._vary(graph, item.items)

    def _differ(self, graphs: list[Graph]) -> None:
        """Notes in what equal blocks differ, and those that they call."""
        if len(set(map(id, graphs))) < 2 or id(graphs[0]) in self.plan.varying:
            return
        self.plan.varying[id(graphs[0])] = differing(graphs)
        for same in zip(*graphs, strict=True):
            called = [node.payload for node in same]
            self._differ([c.graph for c in called if isinstance(c, Call)])

    # -- where ------------------------------------------------------------------------

    def _place(self) -> None:
        """In place where it is the only one and the column stays short, else beside."""
        columns = [self.model]
        for root in columns:
            height = size(self.plan.bodies[id(root)])
            inside = [root]
            for graph in inside:
                alone = [k.graph for k in self._children(graph) if k.places == 1]
                more = sum(size(self.plan.bodies[id(g)]) for g in alone)
                if height + more <= LONGEST_COLUMN:
                    height += more
                    inside += alone
                    self.plan.inline.update(map(id, alone))
                beside = [
                    k
                    for k in self._children(graph)
                    if id(k.graph) not in self.plan.inline
                ]
                columns += [k.graph for k in beside]
                self._panels(beside)
        self._letter_all()

    def _children(self, parent: Graph) -> list[_Kind]:
        return [
            kind
            for kind in self.found.values()
            if kind.parent is parent and id(kind.graph) in self.plan.bodies
        ]

    def _panels(self, beside: list[_Kind]) -> None:
        for kind in beside:
            letter = _letter(len(self.plan.panels))
            place = "" if kind.equal else kind.place
            self.plan.panels.append(Panel(letter, kind.graph, place))

    def _letter_all(self) -> None:
        letters = {self.kinds.graph(p.graph): p.letter for p in self.plan.panels}
        for graph in reachable(self.model):
            if letter := letters.get(self.kinds.graph(graph)):
                self.plan.letters[id(graph)] = letter


def _calls(items: tuple[Item, ...]) -> Iterator[tuple[Node, Graph]]:
    for node in leaves(items):
        if isinstance(node.payload, Call):
            yield node, node.payload.graph


def _unlike(model: Graph) -> dict[str, set[str]]:
    families: dict[str, list[Graph]] = {}
    for graph in reachable(model):
        families.setdefault(graph.name, []).append(graph)
    return {name: differing(graphs) for name, graphs in families.items()}


def _letter(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, len(ascii_lowercase))
        letters = ascii_lowercase[digit] + letters
    return letters


# --- shapes of blocks ----------------------------------------------------------------


def is_wire(graph: Graph) -> bool:
    """Whether a block does nothing, such as a shortcut that is the input itself."""
    return all(isinstance(node.payload, Enter) for node in graph)


def stack(graph: Graph) -> list[tuple[Graph, Node]]:
    """The layers of a short chain, with the graphs they stand in; else none."""
    return _chain(graph, TALLEST_STACK) or []


def _chain(graph: Graph, most: int) -> list[tuple[Graph, Node]] | None:
    """The same, or None; stops as soon as there are more than `most`."""
    if graph.scan is not None:
        return None
    entry, *body = graph
    short = 0 < len(body) <= most and len(graph.results) == 1
    if not short or not isinstance(entry.payload, Enter):
        return None
    before, layers = entry, list[tuple[Graph, Node]]()
    for node in body:
        taken = [ref for _, ref in node.inputs]
        if [ref.node for ref in taken] != [before.id] or len(node.outputs) != 1:
            return None
        if isinstance(node.payload, Call):
            inner = _chain(node.payload.graph, most)
            if inner is None:
                return None
            layers += inner
        else:
            layers.append((graph, node))
        if len(layers) > most:
            return None
        before = node
    return layers if graph.results[0].node == before.id else None

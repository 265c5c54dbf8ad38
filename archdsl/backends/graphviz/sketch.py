"""A picture as it grows: boxes in frames, arrows, and their DOT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from archdsl.backends.graphviz import style
from archdsl.backends.graphviz.text import escape

EMPTY = '""'
_MOST_DOTS, _FEWEST_DPI = 30_000, 30  # of a side of a picture, and an inch


@dataclass
class Wire:
    """A value on its way: the box that made it, and a label for its first arrow."""

    box: int
    label: str = ""


@dataclass(frozen=True)
class Arrow:
    """From one box to another."""

    tail: int
    head: int
    label: str


class Sketch:
    """Collects the statements of a picture."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrows: dict[tuple[int, int], Arrow] = {}
        self.hidden: list[tuple[int, int]] = []  # arrows that only place boxes
        self.boxes = 0
        self.headings: set[int] = set()
        self._frames = 0
        self._depth = 1

    def box(self, label: str, attributes: str = "") -> int:
        """A box with an HTML-like label."""
        self.boxes += 1
        comma = ", " if attributes else ""
        self.line(f"n{self.boxes} [label={label or EMPTY}{comma}{attributes}]")
        return self.boxes

    def heading(self, label: str) -> int:
        """Words that a value passes on its way into a frame."""
        self.headings.add(box := self.box(label, style.HEADING))
        return box

    @contextmanager
    def frame(self, label: str, attributes: str) -> Iterator[None]:
        """A frame around all boxes that are made inside of it; the label may be ""."""
        self._frames += 1
        self.line(f"subgraph cluster_{self._frames} {{", end="")
        self._depth += 1
        self.line(f"graph [label={label or EMPTY}, {attributes}]")
        yield
        self._depth -= 1
        self.line("}", end="")

    def line(self, text: str, end: str = ";") -> None:
        """One statement."""
        self.lines.append(f"{'  ' * self._depth}{text}{end}")

    def connect(self, wire: Wire, head: int, port: str = "") -> None:
        """An arrow; two between the same boxes are one."""
        words = ": ".join(w for w in (port, wire.label) if w)
        wire.label = ""
        self.arrows.setdefault((wire.box, head), Arrow(wire.box, head, words))

    def ranks(self) -> dict[int, int]:
        """How far down each box stands; arrows go from earlier boxes to later ones."""
        ranks = dict.fromkeys(range(1, self.boxes + 1), 0)
        for tail, head in sorted(self.arrows, key=lambda a: (a[1], a[0])):
            ranks[head] = max(ranks[head], ranks[tail] + 1)
        return ranks

    def dot(self, title: str, dpi: int | None = None) -> str:
        """The picture in DOT."""
        ranks = self.ranks()
        most = _MOST_DOTS // _inches(ranks)
        size = "" if dpi is None else f', dpi="{max(min(dpi, most), _FEWEST_DPI)}"'
        return "\n".join(
            [
                "digraph {",
                f"  graph [{style.GRAPH}, label={title}{size}];",
                f"  node [{style.NODE}];",
                f"  edge [{style.EDGE}];",
                *self.lines,
                *(self._arrow(a, ranks) for a in self.arrows.values()),
                *(f'  n{a} -> n{b} [style="invis"];' for a, b in self.hidden),
                "}",
                "",
            ]
        )

    def _arrow(self, arrow: Arrow, ranks: dict[int, int]) -> str:
        attributes = []
        if arrow.label:
            attributes.append(f"label=<&#160;{escape(arrow.label)}>")
        long = ranks[arrow.head] - ranks[arrow.tail] > 1
        attributes.append(f'weight="{1 if long else 40}"')
        if arrow.head in self.headings:
            attributes.append('arrowhead="none"')
        return f"  n{arrow.tail} -> n{arrow.head} [{', '.join(attributes)}];"


def _inches(ranks: Mapping[int, int]) -> int:
    """About how long a picture's longer side is, generously."""
    rows = Counter(ranks.values())
    return 4 + 2 * len(rows) + 3 * max(rows.values(), default=0)

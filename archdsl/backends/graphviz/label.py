"""Labels of boxes and frames, as Graphviz's HTML-like text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.backends.graphviz.text import escape

_MOST_LINES = 4  # of a note


@dataclass(frozen=True)
class Label:
    """The words of a box: a title, and smaller lines below it."""

    title: str
    notes: Sequence[str] = ()
    times: str = ""
    letter: str = ""
    bold: bool = True
    points: tuple[int, int] = (11, 8)
    width: int = 44

    def text(self, align: str = "CENTER", *, below: bool = False) -> str:
        """As an HTML-like label, with room below it if asked for."""
        return f"<{self.inside(align)}{_sized(' ', 8) if below else ''}>"

    def inside(self, align: str = "CENTER") -> str:
        """What stands inside of such a label."""
        head = [f"({escape(self.letter)})"] if self.letter else []
        if self.title:
            title = escape(self.title)
            head.append(f"<B>{title}</B>" if self.bold else title)
        if self.times:
            head.append(f"<B>{escape(self.times)}</B>")
        title_size, size = self.points
        lines = [_sized(" ".join(head), title_size)] if head else []
        for note in self.notes:
            short = textwrap.wrap(
                note, self.width, max_lines=_MOST_LINES, placeholder=" …"
            )
            lines += [_sized(escape(line, self.width), size) for line in short]
        last = '<BR ALIGN="LEFT"/>' if align == "LEFT" else ""
        return f'<BR ALIGN="{align}"/>'.join(lines) + last


def stacked(rows: Sequence[tuple[str, Label]], colour: str) -> str:
    """Labels below each other in a box of a colour; each row on its own, if not ""."""
    cells = [
        f"<TR><TD{_background(color)}>{label.inside()}</TD></TR>"
        for color, label in rows
    ]
    return (
        '<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3" '
        f'STYLE="ROUNDED" BGCOLOR="{colour}" COLOR="#7b8794">{"".join(cells)}</TABLE>>'
    )


def _background(color: str) -> str:
    return f' BGCOLOR="{color}"' if color else ""


def _sized(text: str, points: int) -> str:
    return f'<FONT POINT-SIZE="{points}">{text}</FONT>'

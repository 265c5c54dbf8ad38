"""Pictures of a graph: DOT, and through Graphviz SVG, PNG and PDF.

What a picture shows, and what it leaves out so that it fits a page:

- A chain of equal parts is drawn once, marked with their number (`fold`).
- A block is opened once. One that stands in one place is opened there; one that stands
  in several is a closed box in each, with a letter, and opened beside the model, with
  the numbers of its first place (`plan`). A short chain is a stack of its layers.
- An arrow has a shape where it is not that of the arrows before.
- Costs are params and multiply-accumulates; those of a folded part are of one turn.
"""

from archdsl.backends.graphviz.draw import to_dot
from archdsl.backends.graphviz.render import ENDINGS, DrawingError, draw

__all__ = ["ENDINGS", "DrawingError", "draw", "to_dot"]

"""From text to a syntax tree: `parse` gives the tree and every syntax error."""

from archdsl.syntax.parse import parse

__all__ = ["parse"]

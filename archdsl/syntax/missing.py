"""What words that were not understood may have been meant to define."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archdsl.syntax.words import Word

_DEFINE = frozenset({"LET", "LAYER", "INPUT", "OUTPUT", "AS", "BLOCK", "MODEL"})
_NAMES = frozenset({"NAME", "AXIS"})


def names(words: Sequence[Word]) -> tuple[str, ...]:
    """Names that a statement or an item may define, in order."""
    return tuple(dict.fromkeys(_names(words)))


def _names(words: Sequence[Word]) -> Iterator[str]:
    """Names behind the words that define, before a `=`, and behind a first word.

    The last is for words that are misspelt, as in ``lett x = …`` or ``modle m { … }``.
    What an input has in a shape may be axes that begin with a lowercase letter.
    """
    if words[0].kind == "USE":
        yield from _used(words)
        return
    if words[0].kind == "INPUT":
        yield from (word.text for word in words if word.kind == "NAME")
    if len(words) > 1 and words[0].kind in _NAMES and words[1].kind in _NAMES:
        yield words[1].text
    for index, word in enumerate(words):
        if word.kind in _DEFINE or (not index and word.kind in _NAMES):
            start = index if word.kind in _NAMES else index + 1
            listed = list(_list(words[start:]))
            after = start + 2 * len(listed) - 1
            assigned = after < len(words) and words[after].kind == "EQUAL"
            if word.kind in _DEFINE or assigned:
                yield from listed


def _list(words: Sequence[Word]) -> Iterator[str]:
    """``a, b, c`` at the head."""
    for name, comma in zip(words[::2], [*words[1::2], None], strict=False):
        if name.kind not in _NAMES:
            return
        yield name.text
        if comma is None or comma.kind != "COMMA":
            return


def _used(words: Sequence[Word]) -> Iterator[str]:
    """The names in the parentheses of a `use`."""
    kinds = [word.kind for word in words]
    start = kinds.index("LPAR") if "LPAR" in kinds else len(words)
    yield from (word.text for word in words[start:] if word.kind in _NAMES)


def is_open(words: Sequence[Word]) -> bool:
    """Whether an item may define names that it does not say."""
    kinds = [word.kind for word in words]
    if kinds[0] == "USE":
        return "LPAR" not in kinds
    return kinds[0] in ("BLOCK", "MODEL") and not names(words)

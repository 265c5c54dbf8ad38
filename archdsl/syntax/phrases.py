"""Places where a parse stopped, and the phrases that tell a person about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archdsl.syntax.table import END, table
from archdsl.syntax.words import Word

SLASHES = ("SLASH", "FLOOR")


@dataclass(frozen=True)
class Place:
    """Where a parse stopped.

    Attributes:
        words: All words.
        at: The index of the word that cannot stand here.
        first: The index of the first word of its statement.
        accepted: The kinds of words that could.
        at_file: Whether this is outside of every body.
    """

    words: list[Word]
    at: int
    first: int
    accepted: frozenset[str]
    at_file: bool

    @property
    def word(self) -> Word:
        """The word that cannot stand here."""
        return self.words[self.at]

    @property
    def before(self) -> Word | None:
        """The word before it, if the statement has one."""
        return self.words[self.at - 1] if self.at else None


def is_keyword(word: Word) -> bool:
    """Whether a word is reserved."""
    return word.text.isalpha() and table().symbols.get(word.text) == word.kind


def short(word: Word) -> str:
    """A word, or its beginning."""
    text = word.text if len(word.text) <= 30 else word.text[:29] + "…"
    return text.strip() or "…"


def found_words(word: Word) -> str:
    """A word as the beginning of a sentence."""
    if word.kind in ("NEWLINE", END):
        return f"the end of the {'line' if word.kind == 'NEWLINE' else 'file'}"
    nouns = {"STRING": "the text ", "INT": "the number ", "FLOAT": "the number "}
    return f"{nouns.get(word.kind, '')}`{short(word)}`"


_NAMED = {
    "MODEL": "the name of the model",
    "BLOCK": "the name of the block",
    "CHECKPOINT": "the name of the layout",
    "USE": "the name of a file",
    "LET": "a name for the value",
    "AS": "a name for the value",
    "LAYER": "a name for the layer",
    "INPUT": "a name for the input",
    "OUTPUT": "a name for the output",
    "FOR": "a name for what the loop runs over",
    "DOT": "a name or an axis",
}


def wanted_name(place: Place) -> str:
    """What should have a name at the place."""
    before = place.before
    return _NAMED.get(before.kind, "a name") if before else "a name"


def wanted(place: Place) -> str:
    """What could stand at the place, as few words as say it."""
    accepted = place.accepted
    if "INT" in accepted:
        step = place.at == place.first or (place.before and _joins(place.before))
        return "a step, such as `linear(64)`" if step else "a value"
    if "MODEL" in accepted:
        return "`use`, `block`, `model` or `checkpoint`"
    if {"ARROW", "NEWLINE"} <= accepted:
        return "`->` or a line break"
    if "PLUS" in accepted:  # a value has ended, and may go on in many ways
        accepted -= {"LPAR", "LSQB", "COLON"}
    parts = [wanted_name(place)] if "NAME" in accepted else []
    if "AXIS" in accepted and "NAME" not in accepted:
        parts.append("an axis such as `C`")
    parts += [phrase for kind, phrase in _PHRASES if kind in accepted]
    return _either(parts[:4]) or "something else"


_PHRASES = (
    ("ELSE", "`else` and a value"),
    ("LBRACE", "a body, `{ … }`"),
    ("IN", "`in`"),
    ("EQUAL", "`=`"),
    ("COLON", "`:`"),
    ("COMMA", "`,`"),
    ("RPAR", "`)`"),
    ("RSQB", "`]`"),
    ("LSQB", "`[`"),
    ("LPAR", "`(`"),
    ("NEWLINE", "a line break"),
)


def _joins(word: Word) -> bool:
    return word.kind in ("ARROW", "NEWLINE", "LBRACE")


def _either(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " or " + parts[-1]


def hint_at(place: Place) -> str:
    """A mend for what was not recognised as a known mistake."""
    for fits, hint in _HINTS:
        if fits(place.word.kind, place.before.kind if place.before else "", place):
            return hint
    return ""


_HINTS: tuple[tuple[Callable[[str, str, Place], bool], str], ...] = (
    (
        lambda kind, _, place: kind == "COLON" and "LBRACE" in place.accepted,
        "a body stands in braces: `{ … }`",
    ),
    (
        lambda kind, *_: kind == "LBRACE",
        "only `residual`, `repeat`, `scan`, `for`, `if`, `block`, `model` and"
        " `checkpoint` have one",
    ),
    (
        lambda kind, _, place: kind in ("INT", "FLOAT") and "AXIS" in place.accepted,
        "a shape names its axes: `[B, C = 3, H = 224]`",
    ),
    (
        lambda _, before, place: before == "COLON" and "LSQB" in place.accepted,
        "after `:` stands a shape, such as `[B, C = 10]`",
    ),
    (
        lambda *rest: rest[2].words[rest[2].first].kind == "USE",
        "a file is named without `.arch` and quotes, its folders with `/`",
    ),
    (
        lambda kind, _, place: kind == "FOR" and "RPAR" in place.accepted,
        "a list made by a loop stands in brackets: `[f(i) for i in range(3)]`",
    ),
    (
        lambda kind, before, _: kind == "RPAR" and before == "LPAR",
        "there is no empty tuple; an empty list is `[]`",
    ),
    (
        lambda kind, _, place: kind in SLASHES and place.at == place.first,
        "a comment begins with `#`",
    ),
    (
        lambda *rest: rest[2].words[rest[2].first].kind == "INPUT",
        "an input has a shape: `input image: [B, C = 3, H = 224, W = 224]`",
    ),
)

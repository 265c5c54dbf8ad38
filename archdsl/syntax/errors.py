"""Why a word cannot stand where it stands, in words for a person.

Each function looks for one mistake that people make and says what to read instead,
so that the parse goes on; the first that recognises its mistake is believed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from archdsl.diagnostics import Fault
from archdsl.diagnostics.syntax import (
    Assignment,
    BraceBelow,
    Inside,
    KeywordAsName,
    MissingArrow,
    MissingComma,
    NotYet,
    Outside,
    SingleEqual,
    Unexpected,
    Unfinished,
    WrongCase,
    WrongKeyword,
)
from archdsl.syntax.layout import GOES_ON
from archdsl.syntax.table import END, table
from archdsl.syntax.words import Word

_ITEMS = ("block", "model", "use")
_STATEMENTS = ("input", "output", "let", "layer", "return", "require")
_BODIES = ("residual", "repeat", "scan", "for", "if")
_LITERALS = {"INT", "FLOAT", "STRING", "TRUE", "FALSE", "NONE"}
_VALUES = _LITERALS | {"NAME", "AXIS", "NOT", "LPAR", "LSQB", "MINUS"}
_STEPS = _VALUES | {word.upper() for word in _BODIES}
_BREAKS = ("NEWLINE", "RBRACE", END)
_SLASHES = ("SLASH", "FLOOR")

_BLOCK = "a block is written `block name[x](width = 64) { … }`"
_MODEL = "a model is written `model name(classes = 1000) { … }`"
_USE = "blocks of another file come by `use file (block)`"
_LET = "a value is named by `let name = …`"
_LOOP = "loops run over lists and ranges: `for i in range(n) { … }`"
_OTHERS_WORDS = {
    "def": _BLOCK, "fn": _BLOCK, "func": _BLOCK, "function": _BLOCK, "lambda": _BLOCK,
    "class": _MODEL, "network": _MODEL, "struct": _MODEL,
    "import": _USE, "from": _USE, "include": _USE, "using": _USE,
    "var": _LET, "const": _LET,
    "while": _LOOP, "foreach": _LOOP,
    "elif": "write `else if`", "elsif": "write `else if`", "elseif": "write `else if`",
    "then": "leave it out: `if condition { … }`",
    "pass": "leave it out: a body may be empty",
    "assert": 'conditions stand in `require condition, "message"`',
    "is": "write `==`", "null": "write `none`", "nil": "write `none`",
}  # fmt: skip
_READ_AS = {"elif": "else if", "elsif": "else if", "elseif": "else if", "then": ""}

_LINES = "a line break ends a statement, except in ( ) and [ ] and around `->`"


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


class Finding(NamedTuple):
    """What is wrong, from where to where, and what to read in place of the word.

    `instead` is none where the rest of the statement has to be passed over.
    """

    fault: Fault
    span: tuple[int, int]
    instead: list[Word] | None = None


def explain(place: Place) -> Finding:
    """The mistake that stopped the parse."""
    for look in _MISTAKES:
        found = look(place)
        if found:
            return found
    return _unexpected(place)


def _on(word: Word) -> tuple[int, int]:
    return word.start, word.end


def _as(word: Word, text: str) -> Word:
    """A word read as another."""
    kind = table().symbols.get(text, text)
    return Word(kind, text, word.start, word.end)


# --- one mistake each ---------------------------------------------------------------


def _not_yet(place: Place) -> Finding | None:
    word = place.word
    return Finding(NotYet(word.text), _on(word)) if word.kind == "RESERVED" else None


def _wrong_keyword(place: Place) -> Finding | None:
    """A keyword misspelt, or another language's."""
    for index, known in _suspects(place):
        word = place.words[index]
        hint, meant = _meant(word, known)
        if hint:
            instead = None
            if index == place.at and meant is not None:
                instead = [_as(word, text) for text in meant.split()]
            return Finding(WrongKeyword(word.text, hint), _on(word), instead)
    return None


def _meant(word: Word, known: tuple[str, ...]) -> tuple[str, str | None]:
    """A hint at the keyword that was meant, and the words to read for it."""
    text = word.text
    if word.kind == "NAME" and text in _OTHERS_WORDS:
        return _OTHERS_WORDS[text], _READ_AS.get(text)
    meant = text.lower() if word.kind == "AXIS" and text.lower() in known else None
    if word.kind == "NAME":
        meant = _nearest(text, known)
    return (f"did you mean `{meant}`?" if meant else ""), meant


def _suspects(place: Place) -> list[tuple[int, tuple[str, ...]]]:
    """Words that may be misspelt keywords, and the keywords they may be."""
    symbols = table().symbols
    here = tuple(t for t, kind in symbols.items() if kind in place.accepted)
    start = _ITEMS if place.at_file else (*_STATEMENTS, *_BODIES)
    suspects = [(place.at, tuple(text for text in here if text.isalpha()))]
    if place.at == place.first + 1:
        suspects.append((place.first, start))
    if place.word.kind == "LBRACE":
        suspects.append((_head(place), (*_BODIES, "else")))
    return suspects


def _head(place: Place) -> int:
    """The word that would own the body which opens at the place."""
    index = place.at - 1
    depth = 0
    while index > place.first:
        kind = place.words[index].kind
        depth += (kind == "RPAR") - (kind == "LPAR")
        if depth == 0 and kind != "LPAR":
            break
        index -= 1
    return max(index, 0)


def _nearest(text: str, known: tuple[str, ...]) -> str | None:
    """The keyword that a word is one or two slips away from."""
    if not 2 < len(text) < 12:
        return None
    turned = [k for k in known if len(k) > 2 and sorted(k) == sorted(text)]
    close = turned or difflib.get_close_matches(text, known, n=1, cutoff=0.75)
    return close[0] if close else None


def _assignment(place: Place) -> Finding | None:
    """``x = …`` or ``a, b = …`` at the start of a line."""
    if place.at_file or place.word.kind not in ("EQUAL", "COMMA"):
        return None
    names, index = [], place.first
    while place.words[index].kind in ("NAME", "AXIS"):
        names.append(place.words[index].text)
        if place.words[index + 1].kind != "COMMA":
            break
        index += 2
    sign = place.words[index + 1] if names else place.word
    if not names or sign.kind != "EQUAL" or index + 1 < place.at:
        return None
    span = place.words[place.first].start, sign.end
    return Finding(Assignment(", ".join(names)[:60]), span)


def _single_equal(place: Place) -> Finding | None:
    word = place.word
    if word.kind == "EQUAL" and "COMPARE" in place.accepted:
        return Finding(SingleEqual(), _on(word), [word._replace(kind="COMPARE")])
    return None


def _keyword_as_name(place: Place) -> Finding | None:
    word = place.word
    if not _is_keyword(word) or "NAME" not in place.accepted:
        return None
    if "INT" in place.accepted:  # a value may stand here, not only a name
        after = place.words[place.at + 1].kind
        if word.text in _BETWEEN or after not in _AFTER_VALUE:
            return None
    instead = [word._replace(kind="NAME")]
    return Finding(KeywordAsName(word.text), _on(word), instead)


_BETWEEN = ("and", "or", "not", "in", "as", "if", "else")
_AFTER_VALUE = {"EQUAL", "COMMA", "RPAR", "RSQB", "DOT", "ARROW", *_BREAKS}


def _wrong_case(place: Place) -> Finding | None:
    word, accepted = place.word, place.accepted
    if word.kind == "AXIS" and "NAME" in accepted:
        mended = word.text[0].lower() + word.text[1:]
        wanted = _wanted_name(place)
        fault = WrongCase(word.text, "an axis", wanted, mended)
        return Finding(fault, _on(word), [word._replace(kind="NAME")])
    if word.kind == "NAME" and "AXIS" in accepted and "NAME" not in accepted:
        mended = word.text.lstrip("_")[:1].upper() + word.text.lstrip("_")[1:]
        fault = WrongCase(word.text, "a value", "an axis", mended or "C")
        return Finding(fault, _on(word), [word._replace(kind="AXIS")])
    return None


def _inside(place: Place) -> Finding | None:
    word = place.word
    if not place.at_file and word.text in _ITEMS and place.at == place.first:
        return Finding(Inside(word.text), _on(word))
    return None


def _outside(place: Place) -> Finding | None:
    kind = place.word.kind
    if kind in _BREAKS or kind in _SLASHES:
        return None
    if place.at_file and place.at == place.first:
        return Finding(Outside(_found(place.word)), _on(place.word))
    return None


def _missing_comma(place: Place) -> Finding | None:
    word, before, accepted = place.word, place.before, place.accepted
    listed = "COMMA" in accepted and accepted & {"RPAR", "RSQB"}
    if before and listed and word.kind in _STEPS - {"FOR", "IF"}:
        fault = MissingComma(_short(before), _short(word))
        comma = Word("COMMA", ",", before.end, before.end)
        return Finding(fault, _on(word), [comma, word])
    return None


def _missing_arrow(place: Place) -> Finding | None:
    word, before, accepted = place.word, place.before, place.accepted
    joined = {"ARROW", "NEWLINE"} <= accepted
    if before and joined and word.kind in _STEPS:
        fault = MissingArrow(_step_before(place), _short(word))
        arrow = Word("ARROW", "->", before.end, before.end)
        return Finding(fault, _on(word), [arrow, word])
    return None


def _step_before(place: Place) -> str:
    """The step that ends before the place: a name, with `(…)` if it is called."""
    before = place.words[place.at - 1]
    head = place.words[_head(place)]
    if before.kind == "RPAR" and head.kind == "NAME":
        return f"{head.text}(…)"
    return "{ … }" if before.kind == "RBRACE" else _short(before)


def _line_break(place: Place) -> Finding | None:
    word, before = place.word, place.before
    if word.kind not in _BREAKS or not before:
        return None
    after = place.words[min(place.at + 1, len(place.words) - 1)]
    if word.kind == "NEWLINE" and after.kind == "LBRACE" and "LBRACE" in place.accepted:
        return Finding(BraceBelow(), (before.end, before.end), [])
    what = {"NEWLINE": "the line", "RBRACE": "the body", END: "the file"}[word.kind]
    hint = _hint(place)
    if word.kind == "NEWLINE" and before.kind in GOES_ON:
        hint = _LINES
    fault = Unfinished(what, _short(before), _wanted(place), hint)
    span = (before.end, before.end) if word.kind != "RBRACE" else _on(word)
    return Finding(fault, span)


def _unexpected(place: Place) -> Finding:
    fault = Unexpected(_found(place.word), _wanted(place), _hint(place))
    return Finding(fault, _on(place.word))


_MISTAKES: tuple[Callable[[Place], Finding | None], ...] = (
    _not_yet,
    _wrong_keyword,
    _assignment,
    _single_equal,
    _inside,
    _keyword_as_name,
    _wrong_case,
    _outside,
    _missing_comma,
    _missing_arrow,
    _line_break,
)


# --- words for words ----------------------------------------------------------------


def _is_keyword(word: Word) -> bool:
    return word.text.isalpha() and table().symbols.get(word.text) == word.kind


def _short(word: Word) -> str:
    text = word.text if len(word.text) <= 30 else word.text[:29] + "…"
    return text.strip() or "…"


def _found(word: Word) -> str:
    """A word as the beginning of a sentence."""
    if word.kind in ("NEWLINE", END):
        return f"the end of the {'line' if word.kind == 'NEWLINE' else 'file'}"
    nouns = {"STRING": "the text ", "INT": "the number ", "FLOAT": "the number "}
    return f"{nouns.get(word.kind, '')}`{_short(word)}`"


_NAMED = {
    "MODEL": "the name of the model",
    "BLOCK": "the name of the block",
    "USE": "the name of a file",
    "LET": "a name for the value",
    "AS": "a name for the value",
    "LAYER": "a name for the layer",
    "INPUT": "a name for the input",
    "OUTPUT": "a name for the output",
    "FOR": "a name for what the loop runs over",
    "DOT": "a name or an axis",
}


def _wanted_name(place: Place) -> str:
    before = place.before
    return _NAMED.get(before.kind, "a name") if before else "a name"


def _wanted(place: Place) -> str:
    """What could stand at the place, as few words as say it."""
    accepted = place.accepted
    if "INT" in accepted:
        step = place.at == place.first or (place.before and _joins(place.before))
        return "a step, such as `linear(64)`" if step else "a value"
    if "MODEL" in accepted:
        return "`use`, `block` or `model`"
    if {"ARROW", "NEWLINE"} <= accepted:
        return "`->` or a line break"
    if "PLUS" in accepted:  # a value has ended, and may go on in many ways
        accepted -= {"LPAR", "LSQB", "COLON"}
    parts = [_wanted_name(place)] if "NAME" in accepted else []
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


def _hint(place: Place) -> str:
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
        "only `residual`, `repeat`, `scan`, `for`, `if`, `block` and `model` have one",
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
        lambda kind, _, place: kind in _SLASHES and place.at == place.first,
        "a comment begins with `#`",
    ),
    (
        lambda *rest: rest[2].words[rest[2].first].kind == "INPUT",
        "an input has a shape: `input image: [B, C = 3, H = 224, W = 224]`",
    ),
)

"""Why a word cannot stand where it stands, in words for a person.

Each function looks for one mistake that people make and says what to read instead,
so that the parse goes on; the first that recognises its mistake is believed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

from archdsl.diagnostics import Fault
from archdsl.diagnostics.faults.syntax import (
    Assignment,
    BraceBelow,
    Inside,
    KeywordAsName,
    MissingArrow,
    MissingComma,
    Outside,
    SingleEqual,
    Unexpected,
    Unfinished,
    WrongCase,
    WrongKeyword,
)
from archdsl.syntax.layout import GOES_ON
from archdsl.syntax.phrases import (
    SLASHES,
    Place,
    found_words,
    hint_at,
    is_keyword,
    short,
    wanted,
    wanted_name,
)
from archdsl.syntax.table import END, table
from archdsl.syntax.words import Word

_ITEMS = ("block", "model", "use", "checkpoint")
_STATEMENTS = ("input", "output", "let", "layer", "return", "require", "expect")
_BODIES = ("residual", "repeat", "scan", "for", "if")
_LITERALS = {"INT", "FLOAT", "STRING", "TRUE", "FALSE", "NONE"}
_VALUES = _LITERALS | {"NAME", "AXIS", "NOT", "LPAR", "LSQB", "MINUS"}
_STEPS = _VALUES | {word.upper() for word in _BODIES}
_BREAKS = ("NEWLINE", "RBRACE", END)

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
        return Finding(
            SingleEqual(), _on(word), [word._replace(kind="COMPARE", text="==")]
        )
    return None


def _keyword_as_name(place: Place) -> Finding | None:
    word = place.word
    if not is_keyword(word) or "NAME" not in place.accepted:
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
        wanted = wanted_name(place)
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
    if kind in _BREAKS or kind in SLASHES:
        return None
    if place.at_file and place.at == place.first:
        return Finding(Outside(found_words(place.word)), _on(place.word))
    return None


def _missing_comma(place: Place) -> Finding | None:
    word, before, accepted = place.word, place.before, place.accepted
    listed = "COMMA" in accepted and accepted & {"RPAR", "RSQB"}
    if before and listed and word.kind in _STEPS - {"FOR", "IF"}:
        fault = MissingComma(short(before), short(word))
        comma = Word("COMMA", ",", before.end, before.end)
        return Finding(fault, _on(word), [comma, word])
    return None


def _missing_arrow(place: Place) -> Finding | None:
    word, before, accepted = place.word, place.before, place.accepted
    joined = {"ARROW", "NEWLINE"} <= accepted
    if before and joined and word.kind in _STEPS:
        fault = MissingArrow(_step_before(place), short(word))
        arrow = Word("ARROW", "->", before.end, before.end)
        return Finding(fault, _on(word), [arrow, word])
    return None


def _step_before(place: Place) -> str:
    """The step that ends before the place: a name, with `(…)` if it is called."""
    before = place.words[place.at - 1]
    head = place.words[_head(place)]
    if before.kind == "RPAR" and head.kind == "NAME":
        return f"{head.text}(…)"
    return "{ … }" if before.kind == "RBRACE" else short(before)


def _line_break(place: Place) -> Finding | None:
    word, before = place.word, place.before
    if word.kind not in _BREAKS or not before:
        return None
    after = place.words[min(place.at + 1, len(place.words) - 1)]
    if word.kind == "NEWLINE" and after.kind == "LBRACE" and "LBRACE" in place.accepted:
        return Finding(BraceBelow(), (before.end, before.end), [])
    what = {"NEWLINE": "the line", "RBRACE": "the body", END: "the file"}[word.kind]
    hint = hint_at(place)
    if word.kind == "NEWLINE" and before.kind in GOES_ON:
        hint = _LINES
    fault = Unfinished(what, short(before), wanted(place), hint)
    span = (before.end, before.end) if word.kind != "RBRACE" else _on(word)
    return Finding(fault, span)


def _unexpected(place: Place) -> Finding:
    fault = Unexpected(found_words(place.word), wanted(place), hint_at(place))
    return Finding(fault, _on(place.word))


_MISTAKES: tuple[Callable[[Place], Finding | None], ...] = (
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

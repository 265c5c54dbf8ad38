"""Text to words: the names, numbers, signs and line breaks of a spec."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

from archdsl.diagnostics import Diagnostic, Fault
from archdsl.diagnostics.faults.syntax import (
    BadEscape,
    BadNumber,
    ControlCharacter,
    UnexpectedCharacter,
    UnterminatedString,
    WrongKeyword,
)
from archdsl.source import Source, Span
from archdsl.syntax.table import table

_SPELLED = frozenset(["NAME", "sign"])  # what may be a keyword or another symbol
MOST = 100  # diagnostics of one file

_LONGEST = 18  # digits of a whole number: it fits into 64 bits
_LONGEST_REAL = 40  # characters of another

# What other languages write, what is meant by it, and the word it is read as.
_FOREIGN = {
    "=>": ("steps are joined by `->`", "->"),
    "|>": ("steps are joined by `->`", "->"),
    "→": ("write the arrow as `->`", "->"),
    "⇒": ("write the arrow as `->`", "->"),
    "&&": ("write `and`", "and"),
    "&": ("write `and`", "and"),
    "||": ("write `or`", "or"),
    "|": ("steps are joined by `->`; write `or` for a choice", "->"),
    "!": ("write `not`", "not"),
    "\u00d7": ("write `*`", "*"),
    "\u00b7": ("write `*`", "*"),
    "^": ("a power is written `**`", "**"),
    "\u2212": ("write the minus sign as `-`", "-"),
    "\u2013": ("write the minus sign as `-`", "-"),
    "≤": ("write `<=`", "<="),
    "≥": ("write `>=`", ">="),
    "≠": ("write `!=`", "!="),
    ";": ("a line break ends a statement; no sign is needed", "\n"),
    "\u00a0": ("this is a no-break space: type an ordinary one", ""),
    "“": ('strings stand between straight quotes: "…"', ""),
    "”": ('strings stand between straight quotes: "…"', ""),
    "@": ("matrix products are ops, such as `linear` and `einsum`", ""),
    "`": ('strings stand between double quotes: "…"', ""),
    "\ufffd": ("save the file as UTF-8 text", ""),
    "\\": ("lines are joined by ( ) or [ ], or by `->`", ""),
}
_PYTHON = {"True": "true", "False": "false", "None": "none"}
_QUOTES = 'strings stand between double quotes: "…"'
_NAMES = "names are made of the letters a to z and A to Z, digits and `_`"


class Word(NamedTuple):
    """A word of the text; `kind` is the name of its terminal in the grammar."""

    kind: str
    text: str
    start: int
    end: int


Plain: TypeAlias = tuple[str, str, int, int]  # what a `Word` is made of


class Reader:
    """Collects the words of a source, and what is wrong with them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.words: list[Word] = []
        self.diagnostics: list[Diagnostic] = []
        self.quiet = 0  # up to where faults follow from one that is reported

    def fault(self, fault: Fault, start: int, end: int) -> None:
        """Reports a fault."""
        if start < self.quiet:
            return
        span = Span(self.source, start, end)
        self.diagnostics.append(Diagnostic(fault, span))

    def add(self, kind: str, text: str, start: int, end: int) -> None:
        """Adds a word."""
        self.words.append(Word(kind, text, start, end))


@cache
def _patterns() -> dict[str, str]:
    """How words look, in order of trial; what the grammar has not in small letters."""
    known = table()
    signs = sorted((s for s in known.symbols if not s.isalpha()), key=len, reverse=True)
    parts = {name: known.patterns[name] for name in ("NAME", "BLANK", "NEWLINE")}
    parts["foreign"] = r"=>|\|>|&&|\|\||!(?!=)"
    parts |= known.patterns
    parts["sign"] = "|".join(re.escape(sign) for sign in signs)
    parts["number"] = r"\.?[0-9][A-Za-z0-9_.]*"
    parts["open_string"] = r'"[^\n)\]]*'
    parts["single_quotes"] = r"'[^'\n]*'?"
    parts["control"] = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+"
    parts["invisible"] = "[\ufeff\u200b-\u200f\u202a-\u202e\u2060-\u2069]+"
    parts["letters"] = r"[^\W\d]\w*"
    parts["other"] = r"[\s\S]"
    return parts


@cache
def pattern() -> re.Pattern[str]:
    """One expression for every word, of a group for each kind."""
    parts = _patterns().items()
    return re.compile("|".join(f"(?P<{name}>{part})" for name, part in parts))


@cache
def _any() -> re.Pattern[str]:
    """The same without groups, so that it finds the texts of all words in one call."""
    return re.compile("|".join(_patterns().values()))


def _kind(text: str) -> str:
    """What a word is, wherever it stands; "" for one that is passed over."""
    match = pattern().match(text)
    kind = (match and match.lastgroup) or ""
    if kind in table().ignored:
        return ""
    return table().symbols.get(text, kind) if kind in _SPELLED else kind


def _cut(source: Source) -> tuple[list[Plain], dict[str, str]]:
    """The words of a text, right or wrong, and the kind of each that occurs."""
    end = 1 if source.text.startswith("\ufeff") else 0
    texts = _any().findall(source.text, end)
    kinds = {text: _kind(text) for text in set(texts)}
    found = []
    for text in texts:
        start = end
        end += len(text)
        kind = kinds[text]
        if kind:
            found.append((kind, text, start, end))
    return found, kinds


def right(source: Source) -> list[Plain] | None:
    """The words of a text, as `read` finds them; None if one of them is wrong."""
    found, kinds = _cut(source)
    trial = Reader(source)
    for text, kind in kinds.items():
        if kind in _CAREFUL:
            _CAREFUL[kind](trial, text, 0)
            if trial.diagnostics:
                return None
    return found


def read(source: Source) -> Reader:
    """The words of a source, those that are wrong replaced by what was meant."""
    reader = Reader(source)
    for word in _cut(source)[0]:
        kind, text, start, _ = word
        if kind in _CAREFUL:
            _CAREFUL[kind](reader, text, start)
            if len(reader.diagnostics) > MOST:
                break
        else:
            reader.words.append(Word(*word))
    return reader


# --- words that need a second look --------------------------------------------------


def _axis(reader: Reader, text: str, start: int) -> None:
    end = start + len(text)
    meant = _PYTHON.get(text)
    if meant:
        fault = WrongKeyword(text, f"write `{meant}`, with a lowercase letter")
        reader.fault(fault, start, end)
        reader.add(table().symbols[meant], meant, start, end)
    else:
        reader.add("AXIS", text, start, end)


def _number(reader: Reader, text: str, start: int) -> None:
    """A number that Python could not hold exactly, or at all."""
    end = start + len(text)
    whole = text.isdigit() or text.replace("_", "").isdigit()
    if whole and len(text.replace("_", "").lstrip("0")) > _LONGEST:
        shown = text[:12] + "…"
        fault = BadNumber(shown, f"it has more than {_LONGEST} digits")
        reader.fault(fault, start, end)
        text = "1"
    elif not whole and (len(text) > _LONGEST_REAL or float(text) == float("inf")):
        shown = text if len(text) <= _LONGEST_REAL else text[:12] + "…"
        reader.fault(BadNumber(shown, "it is too large or too long"), start, end)
        text = "1.0"
    reader.add("INT" if whole else "FLOAT", text, start, end)


def _bad_number(reader: Reader, text: str, start: int) -> None:
    end = start + len(text)
    digits = re.match(r"[0-9._]*", text)
    rest = text[digits.end() :] if digits else ""
    if text.endswith(".") and text[:-1].isdigit():
        why, hint = "digits are missing after the point", f"write `{text}0`"
    elif rest:
        why = "letters follow the digits"
        hint = f"put `*` between them, or begin a name with a letter: `{rest[:40]}`"
    else:
        why, hint = "this has a point or a `_` too many", ""
    reader.fault(BadNumber(text[:40], why, hint), start, end)
    reader.add("INT", "1", start, end)


def _string(reader: Reader, text: str, start: int) -> None:
    if "\\" in text:
        for match in re.finditer(r"\\(.)", text):
            if match[1] not in '"\\n':
                place = start + match.start()
                reader.fault(BadEscape(match[0]), place, place + 2)
    reader.add("STRING", text, start, start + len(text))


def _open_string(reader: Reader, text: str, start: int) -> None:
    """A string that lacks its end: it is read up to where a bracket closes."""
    line = reader.source.text[start:].partition("\n")[0].rstrip()
    reader.fault(UnterminatedString(), start, start + len(line))
    reader.quiet = start + len(line)
    reader.add("STRING", '""', start, start + len(text.rstrip()))


def _single_quotes(reader: Reader, text: str, start: int) -> None:
    end = start + len(text.rstrip())
    reader.fault(UnexpectedCharacter("`'`", _QUOTES), start, end)
    reader.add("STRING", '""', start, end)


def _foreign(reader: Reader, text: str, start: int) -> None:
    """A sign of another language, read as what is meant by it."""
    end = start + len(text)
    hint, meant = _FOREIGN.get(text, ("", ""))
    shown = f"`{text}`" if text.isprintable() and text.strip() else _called(text)
    reader.fault(UnexpectedCharacter(shown, hint), start, end)
    if meant == "\n":
        reader.add("NEWLINE", meant, start, end)
    elif meant:
        kind = table().symbols.get(meant, "COMPARE")
        reader.add(kind, meant, start, end)


def _letters(reader: Reader, text: str, start: int) -> None:
    """A word with letters of other alphabets: read as a name."""
    end, odd = start + len(text), text
    last = reader.words[-1] if reader.words else None
    if last and last.end == start and last.text[-1:].isalnum():
        reader.words.pop()
        text, start = last.text + text, last.start
    fault = UnexpectedCharacter(f"`{odd[:40]}`", _NAMES)
    reader.fault(fault, start, end)
    reader.add("NAME", text, start, end)


def _control(reader: Reader, text: str, start: int) -> None:
    name = _called(text[0])
    reader.fault(ControlCharacter(name), start, start + len(text))


def _called(character: str) -> str:
    """What Unicode calls a character."""
    known = {"\0": "NUL", "\x1b": "ESCAPE", "\f": "FORM FEED", "\x7f": "DELETE"}
    name = known.get(character) or unicodedata.name(character, "")
    code = f"U+{ord(character):04X}"
    return f"{name} ({code})" if name else code


_CAREFUL: dict[str, Callable[[Reader, str, int], None]] = {
    "AXIS": _axis,
    "INT": _number,
    "FLOAT": _number,
    "STRING": _string,
    "number": _bad_number,
    "open_string": _open_string,
    "single_quotes": _single_quotes,
    "foreign": _foreign,
    "other": _foreign,
    "letters": _letters,
    "control": _control,
    "invisible": _control,
}

"""Warnings that a comment or an option allows.

``# allow W101`` at the end of a line is about that line, alone on a line about the
next line of code; several codes stand side by side, and a reason may follow a colon.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from archdsl.diagnostics import Diagnostic, near
from archdsl.diagnostics.catalogue import classes, warnings
from archdsl.diagnostics.lints import UselessAllow
from archdsl.source import Source, Span
from archdsl.syntax.comments import comments

# A word that looks like a code must follow: prose may begin with "allow" too.
_ALLOW = re.compile(r"#\s*allow\s+(?=[A-Za-z]\d)([^:#]*)", re.IGNORECASE)
_WORD = re.compile(r"[^\s,]+")
_USELESS = UselessAllow.code


@dataclass
class _Allow:
    """One comment: the codes that it names, and those that silenced something."""

    line: int
    codes: dict[str, Span]
    used: set[str] = field(default_factory=set)


def allowed(
    found: Sequence[Diagnostic], source: Source, patterns: Collection[str] = ()
) -> tuple[Diagnostic, ...]:
    """The diagnostics without those warnings that are allowed.

    Args:
        found: Errors and warnings, of the file and of those it uses.
        source: The file, in which an idle `# allow` is a warning of its own.
        patterns: Codes, beginnings of codes or ``all``, allowed everywhere.

    Raises:
        ValueError: A pattern is no warning's.
    """
    silent = selected(patterns)
    notes = {s: list(_allows(s)) for s in {d.span.source for d in found} | {source}}
    kept = [d for d in found if not _silenced(d, notes[d.span.source])]
    if all(d.severity == "warning" for d in found):  # else some rules were not tried
        kept += _idle(notes[source])
    return tuple(d for d in kept if d.code not in silent)


def selected(patterns: Iterable[str]) -> set[str]:
    """The codes of warnings that patterns stand for.

    Raises:
        ValueError: A pattern is no warning's.
    """
    codes: set[str] = set()
    for word in (w for p in patterns for w in _WORD.findall(p)):
        meant = [c for c in warnings() if word == "all" or c.startswith(word.upper())]
        if not meant:
            raise ValueError("; ".join(_unknown(word)))
        codes.update(meant)
    return codes


def _unknown(word: str) -> tuple[str, str]:
    """Why a word is not the code of a warning, and what may be meant."""
    code = word.upper()
    if code in classes() and code not in warnings():
        return f"{code} is an error", "mend what it says: only warnings are allowed"
    hint = near(code, warnings()) or f"there are {', '.join(warnings())}"
    return f"no warning has the code `{word}`", hint


def _allows(source: Source) -> Iterator[_Allow]:
    if "allow" not in source.text.lower():
        return
    for comment in comments(source):
        match = _ALLOW.search(comment.span.text)
        if not match:
            continue
        start = comment.span.start + match.start(1)
        words = {
            _code(w[0]): Span(source, start + w.start(), start + w.end())
            for w in _WORD.finditer(match[1])
        }
        yield _Allow(comment.line, words)


def _code(word: str) -> str:
    """A code as it is written, whatever its case; any other word as it is."""
    return word.upper() if re.fullmatch(r"[a-z]\d+", word) else word


def _silenced(diagnostic: Diagnostic, allows: Sequence[_Allow]) -> bool:
    if not allows or diagnostic.severity == "error":
        return False
    line, code = diagnostic.span.line, diagnostic.code
    here = [a for a in allows if a.line == line and code in a.codes]
    for allow in here:
        allow.used.add(code)
    return bool(here)


def _idle(allows: Iterable[_Allow]) -> Iterator[Diagnostic]:
    """A warning for each code of a comment that silences nothing."""
    known = warnings()
    for allow in allows:
        if _USELESS in allow.codes:
            continue
        for word, span in allow.codes.items():
            if word not in known:
                yield Diagnostic(UselessAllow(word, *_unknown(word)), span)
                break  # the rest may be prose
            if word not in allow.used:
                where = "on the line it is about" if allow.line else "below it"
                yield Diagnostic(UselessAllow(word, f"no {word} {where}"), span)

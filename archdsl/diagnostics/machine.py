"""Diagnostics for programs: JSON, and the annotations of GitHub's workflows.

SARIF has a file of its own. The shape of the JSON is docs/schemas/diagnostics.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.catalogue import title
from archdsl.diagnostics.render import ordered
from archdsl.source import Span

Json: TypeAlias = "str | int | Sequence[Json] | Mapping[str, Json] | None"
VERSION = 1  # of the JSON; another one where a field goes or changes its meaning


def formatted(diagnostics: Sequence[Diagnostic], form: str, version: str) -> str:
    """The diagnostics as one document, their files by the names that they were given.

    Args:
        diagnostics: What was found; nothing makes an empty document.
        form: ``json``, ``github`` or ``sarif``.
        version: That of archdsl.
    """
    if form == "github":
        return "".join(_annotation(d) for d in ordered(diagnostics))
    if form == "sarif":
        from archdsl.diagnostics.sarif import sarif

        return dumped(sarif(diagnostics, version))
    return dumped(_document(diagnostics))


def dumped(document: Json) -> str:
    """A document as text."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def ends(span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    """Line and column, both from 1, of the first character and behind the last."""
    return span.source.position(span.start), span.source.position(span.end)


def is_file(span: Span) -> bool:
    """Whether a span is in a file, rather than in an option or standard input."""
    return not span.source.name.startswith(("-", "<"))


def _document(diagnostics: Sequence[Diagnostic]) -> Json:
    found = ordered(diagnostics)
    kinds = [d.severity for d in found]
    return {
        "version": VERSION,
        "diagnostics": [_entry(d) for d in found],
        "errors": kinds.count("error"),
        "warnings": kinds.count("warning"),
    }


def _entry(diagnostic: Diagnostic) -> Json:
    fault = diagnostic.fault
    return {
        "severity": fault.severity,
        "code": fault.code,
        "title": title(fault.code),
        "message": fault.message(),
        "label": fault.beside(),
        "place": _place(diagnostic.span),
        "notes": [
            {"message": n.message, "place": _place(n.span) if n.span else None}
            for n in diagnostic.notes
        ],
        "helps": list(fault.helps()),
    }


def _place(span: Span) -> Json:
    (line, column), (end_line, end_column) = ends(span)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _annotation(diagnostic: Diagnostic) -> str:
    """One workflow command; several lines of text are one line of it."""
    fault, span = diagnostic.fault, diagnostic.span
    properties: dict[str, object] = {}
    if is_file(span):
        (line, column), (end_line, end_column) = ends(span)
        properties = {"file": span.source.name, "line": line, "endLine": end_line}
        if line == end_line:  # columns are refused for a place of several lines
            properties |= {"col": column, "endColumn": end_column}
    properties["title"] = f"{fault.code}: {title(fault.code)}"
    rows = [fault.message(), fault.beside()]
    rows += [f"note: {n.message}{f' at {n.span}' if n.span else ''}"
             for n in diagnostic.notes]  # fmt: skip
    rows += [f"help: {text}" for text in fault.helps()]
    said = ",".join(f"{key}={_property(str(v))}" for key, v in properties.items())
    return f"::{fault.severity} {said}::{_data(chr(10).join(filter(None, rows)))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

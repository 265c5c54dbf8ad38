"""Diagnostics as SARIF 2.1.0, which code scanning and editors read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from archdsl.diagnostics import Diagnostic
from archdsl.diagnostics.catalogue import classes, page, title
from archdsl.diagnostics.machine import Json, ends, is_file
from archdsl.diagnostics.render import ordered
from archdsl.source import Span

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
    "sarif-schema-2.1.0.json"
)


def sarif(diagnostics: Sequence[Diagnostic], version: str) -> Json:
    """A log of one run of that version: the rules that were broken, and where."""
    found = ordered(diagnostics)
    codes = sorted({d.code for d in found})
    driver: dict[str, Json] = {
        "name": "archdsl",
        "semanticVersion": version,
        "rules": [_rule(code) for code in codes],
    }
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, codes.index(d.code)) for d in found],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> Json:
    kind, explained = classes()[code], page(code)
    return {
        "id": code,
        "name": kind.__name__,
        "shortDescription": {"text": _text(title(code))},
        "fullDescription": {"text": _text(explained.prose)},
        "help": {
            "text": _text(explained.prose),
            "markdown": _braces(_markdown(code)),
        },
        "defaultConfiguration": {"level": kind.severity},
    }


def _markdown(code: str) -> str:
    explained = page(code)
    words = {"wrong": "Wrong:", "right": "Right:"}
    parts = [explained.prose]
    for example in explained.examples:
        language, _, verdict = example.kind.partition(" ")
        parts += [
            words.get(verdict, "With net.arch:"),
            f"```{language}\n{example.text}```",
        ]
    return "\n\n".join(parts)


def _result(diagnostic: Diagnostic, rule: int) -> Json:
    fault = diagnostic.fault
    rows = [fault.message(), fault.beside(), *(f"help: {h}" for h in fault.helps())]
    rows += [f"note: {n.message}" for n in diagnostic.notes if not n.span]
    related = [
        {"id": number, "message": {"text": _text(note.message)}, **_location(note.span)}
        for number, note in enumerate(diagnostic.notes)
        if note.span and is_file(note.span)
    ]
    span = diagnostic.span
    result: dict[str, Json] = {
        "ruleId": fault.code,
        "ruleIndex": rule,
        "level": fault.severity,
        "message": {"text": _text("\n".join(filter(None, rows)))},
        "locations": [_location(span)] if is_file(span) else [],
    }
    return result | ({"relatedLocations": related} if related else {})


def _location(span: Span) -> dict[str, Json]:
    (line, column), (end_line, end_column) = ends(span)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(span.source.name)},
            "region": {
                "startLine": line,
                "startColumn": column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        }
    }


def _uri(name: str) -> str:
    """A path as a reference that is relative where the path is."""
    path = PurePath(name)
    text = quote(path.as_posix().encode("utf-8", "surrogateescape"))
    return f"file://{text}" if path.is_absolute() else text


def _braces(text: str) -> str:
    """The text where braces would mean that an argument is to be put in."""
    return text.replace("{", "{{").replace("}", "}}")


def _text(text: str) -> str:
    """Plain text of a message, in which ``[a](b)`` would be a link."""
    return _braces(text).replace("](", "] (")

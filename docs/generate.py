"""Writes the pages and pictures of the documentation that are generated."""

import json
from pathlib import Path

from pydantic import BaseModel

import archdsl
from archdsl.analysis.compare import CompareReport
from archdsl.analysis.diff.report import DiffReport
from archdsl.analysis.report import Report
from archdsl.analysis.sweep import SweepReport
from archdsl.analysis.verification import Verification
from archdsl.backends.manual import manual
from docs.catalogue import pages
from docs.grammar import grammar_page

HERE = Path(__file__).parent


SCHEMAS: dict[str, type[BaseModel]] = {
    "report": Report,
    "compare": CompareReport,
    "diff": DiffReport,
    "sweep": SweepReport,
    "verification": Verification,
}


def schema(name: str = "report") -> str:
    """What ``analyze --json`` and others write, as JSON schema."""
    found = SCHEMAS[name].model_json_schema(mode="serialization")
    return json.dumps(found, indent=1) + "\n"


def main() -> None:
    """Writes them all."""
    for name in SCHEMAS:
        path = HERE / "schemas" / f"{name}.json"
        path.write_text(schema(name), encoding="utf-8")
    (HERE / "ops.md").write_text(manual(), encoding="utf-8")
    (HERE / "grammar.md").write_text(grammar_page(), encoding="utf-8")
    archdsl.draw(
        HERE.parent / "specs" / "swin_t.arch", HERE / "pictures" / "swin_t.svg"
    )
    (HERE / "errors").mkdir(exist_ok=True)
    for name, text in pages().items():
        (HERE / "errors" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Writes the pages and pictures of the documentation that are generated."""

import json
from pathlib import Path

from pydantic import BaseModel

import archdsl
from archdsl.analysis.report import Report
from archdsl.analysis.verification import Verification
from archdsl.backends.manual import manual
from docs.catalogue import pages
from docs.grammar import grammar_page

HERE = Path(__file__).parent


def schema(model: type[BaseModel] = Report) -> str:
    """What ``--json`` writes of a command, by default ``analyze``, as JSON schema."""
    return json.dumps(model.model_json_schema(mode="serialization"), indent=1) + "\n"


def main() -> None:
    """Writes them all."""
    (HERE / "schemas" / "report.json").write_text(schema(), encoding="utf-8")
    verified = HERE / "schemas" / "verification.json"
    verified.write_text(schema(Verification), encoding="utf-8")
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

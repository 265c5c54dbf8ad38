"""`--format`: the shapes that programs read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archdsl.cli import cli
from archdsl.diagnostics.catalogue import classes
from archdsl.diagnostics.machine import formatted
from archdsl.diagnostics.sarif import _uri

ROOT = Path(__file__).parents[2]
ERRORS = ROOT / "tests" / "errors"
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "diagnostics.json").read_text("utf-8"))
GOOD = "model net {\n  input x: [B, C = 3]\n  linear(2)\n  output y\n}\n"
WRONG = """\
model net {
  input image: [B, C = 3, H = 32, W = 32]
  conv(16, kernel = 3) as low
  concat([
    low,
    image -> conv(8, kernel = 3, stride = 2),
  ]) -> rellu
  output y
}
"""
ODD = GOOD.replace("(2)", "(2)  # allow W101")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("wrong", WRONG), ("odd", ODD)):
        (tmp_path / f"{name}.arch").write_text(text, encoding="utf-8")
    return tmp_path


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(words), input=given)


def as_json(*words: str, code: int, given: str | None = None) -> dict:
    done = run(*words, "--format", "json", given=given)
    assert done.exit_code == code, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    conforms(found, SCHEMA)
    return found


def conforms(value: object, schema: dict) -> None:
    """As much of JSON Schema as the schema has."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        either = schema["anyOf"]
        schema = either[0] if isinstance(value, dict) else either[1]
        return conforms(value, schema)
    known = {"$schema", "title", "description", "$defs", "type", "required", "const"}
    known |= {"additionalProperties", "properties", "items", "enum", "pattern"}
    assert set(schema) <= known | {"minimum", "minLength"}
    kinds = {"object": dict, "array": list, "string": str, "null": type(None)}
    kind = schema.get("type")
    assert kind is None or type(value) is kinds.get(kind, int), (value, schema)
    assert value in schema.get("enum", [value])
    assert value == schema.get("const", value)
    _items_conform(value, schema)
    if isinstance(value, str):
        assert len(value) >= schema.get("minLength", 0)
        assert re.search(schema.get("pattern", ""), value)
    if isinstance(value, int):
        assert value >= schema.get("minimum", value)
    return None


def _items_conform(value: object, schema: dict) -> None:
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, item in value.items():
            conforms(item, schema["properties"][name])
    elif isinstance(value, list):
        for item in value:
            conforms(item, schema["items"])


@pytest.mark.parametrize("change", [
    {"errors": -1}, {"errors": "1"}, {"version": 2}, {"more": 1}, {"diagnostics": [{}]}
])  # fmt: skip
def test_what_is_not_of_the_schema_is_seen(change):
    found = as_json("check", "wrong.arch", code=1)
    with pytest.raises(AssertionError):
        conforms(found | change, SCHEMA)


# --- json ---------------------------------------------------------------------------


def test_json_says_all_that_the_text_says():
    found = as_json("check", "wrong.arch", code=1)
    assert (found["errors"], found["warnings"]) == (2, 0)
    differ, unknown = found["diagnostics"]
    assert (differ["severity"], differ["code"]) == ("error", "E302")
    assert differ["message"] == "concat: H = 32 on one side and H = 16 on the other"
    assert differ["label"].endswith("meets [B, C = 8, H = 16, W = 16]")
    assert differ["place"] == {
        "file": "wrong.arch", "line": 4, "column": 10, "end_line": 7, "end_column": 4
    }  # fmt: skip
    places = [(n["place"]["line"], n["place"]["column"]) for n in differ["notes"]]
    assert places == [(2, 3), (6, 14)]
    assert unknown["helps"] == ["did you mean `relu` or `relu6`?"]
    assert unknown["notes"] == []


def test_nothing_wrong_is_an_empty_document():
    assert as_json("check", "good.arch", code=0) == {
        "version": 1, "diagnostics": [], "errors": 0, "warnings": 0
    }  # fmt: skip
    done = run("check", "good.arch", "--format", "github")
    assert (done.stdout, done.stderr, done.exit_code) == ("", "", 0)
    log = sarif("check", "good.arch", code=0)
    assert log["runs"][0]["results"] == log["runs"][0]["tool"]["driver"]["rules"] == []


def test_several_files_make_one_document():
    found = as_json("check", "wrong.arch", "good.arch", "odd.arch", code=1)
    files = [d["place"]["file"] for d in found["diagnostics"]]
    assert files == ["odd.arch", "wrong.arch", "wrong.arch"]
    assert (found["errors"], found["warnings"]) == (2, 1)
    log = sarif("check", "wrong.arch", "good.arch", "odd.arch", code=1)
    assert len(log["runs"]) == 1
    assert len(log["runs"][0]["results"]) == 3


def test_a_warning_fails_only_where_that_is_asked():
    assert as_json("check", "odd.arch", code=0)["warnings"] == 1
    assert as_json("check", "odd.arch", "--strict", code=1)["warnings"] == 1
    assert as_json("check", "odd.arch", "--allow", "W1", code=0)["warnings"] == 0


@pytest.mark.parametrize("command", ["analyze", "compile", "draw"])
def test_errors_of_every_command_have_the_format(folder, command):
    found = as_json(command, "wrong.arch", code=1)
    assert [d["code"] for d in found["diagnostics"]] == ["E302", "E201"]
    assert sorted(p.name for p in folder.iterdir()) == [
        "good.arch", "odd.arch", "wrong.arch"
    ]  # fmt: skip
    found = as_json(command, "good.arch", "--set", "width=3", code=2)
    assert found["diagnostics"][0]["place"]["file"] == "--set"


def test_results_of_commands_stay_as_they_are():
    done = run("compile", "good.arch", "-o", "-", "--format", "json")
    assert "class Net(" in done.stdout


def test_places_of_standard_input_are_named_as_is_asked():
    words = ["check", "-", "--stdin-filename", "a b/n.arch"]
    found = as_json(*words, code=1, given=WRONG)
    assert found["diagnostics"][0]["place"]["file"] == "a b/n.arch"


def test_files_that_are_used_are_named_from_where_the_command_runs(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "net.arch").write_text(
        "use parts/unit (unit)\n" + GOOD.replace("linear(2)", "unit")
    )
    (folder / "sub" / "parts").mkdir()
    (folder / "sub" / "parts" / "unit.arch").write_text("block unit[x] { linaer(2) }\n")
    (wrong,) = as_json("check", "sub/net.arch", code=1)["diagnostics"]
    assert wrong["place"]["file"] == "sub/parts/unit.arch"
    text = run("check", "sub/net.arch").stderr
    assert "--> sub/parts/unit.arch:1:17" in text
    assert "called in net at sub/net.arch:4:3" in text


@pytest.mark.parametrize("path", sorted(ERRORS.glob("*/*.arch")), ids=lambda p: p.stem)
def test_every_error_has_the_shapes(path):
    done = run("check", str(path), "--format", "json")
    found = json.loads(done.stdout)
    conforms(found, SCHEMA)
    assert (done.exit_code == 1) == (found["errors"] > 0)
    log = json.loads(run("check", str(path), "--format", "sarif").stdout)
    assert len(valid(log)["results"]) == len(found["diagnostics"])
    lines = run("check", str(path), "--format", "github").stdout.splitlines()
    assert len(lines) == len(found["diagnostics"])
    assert all(re.match(r"::(error|warning) file=[^:,]+,line=\d+,", x) for x in lines)


# --- github -------------------------------------------------------------------------


def test_annotations_are_workflow_commands():
    several, one = run("check", "wrong.arch", "--format", "github").stdout.splitlines()
    assert one == (
        "::error file=wrong.arch,line=7,endLine=7,col=9,endColumn=14,"
        "title=E201%3A A name that nothing defines::"
        "nothing is called `rellu`%0Aunknown name%0A"
        "help: did you mean `relu` or `relu6`?"
    )
    # GitHub takes columns only for a place on one line.
    assert several.startswith("::error file=wrong.arch,line=4,endLine=7,title=E302%3A ")
    assert "%0Anote: H = 16 comes from conv at wrong.arch:6:14" in several
    (odd,) = run("check", "odd.arch", "--format", "github").stdout.splitlines()
    assert odd.startswith("::warning file=odd.arch,line=3,")


def test_what_a_workflow_would_obey_is_escaped(folder):
    text = GOOD.replace("linear(2)", 'require 1 == 2, "50% off\\n::error::no, 3: x"')
    (folder / "a,b:c%.arch").write_text(text)
    (line,) = run("check", "a,b:c%.arch", "--format", "github").stdout.splitlines()
    assert line.startswith("::error file=a%2Cb%3Ac%25.arch,line=3,")
    assert "::50%25 off" in line
    assert "%0A::error::no, 3: x" in line


def test_an_option_is_no_file():
    done = run("analyze", "good.arch:other", "--format", "github")
    assert done.exit_code == 2
    done = run("analyze", "good.arch", "--set", "a=1", "--format", "github")
    assert done.stdout.startswith("::error title=E508%3A ")


# --- sarif --------------------------------------------------------------------------


def sarif(*words: str, code: int) -> dict:
    done = run(*words, "--format", "sarif")
    assert (done.exit_code, done.stderr) == (code, "")
    log = json.loads(done.stdout)
    valid(log)
    return log


def valid(log: dict) -> dict:
    """What SARIF 2.1.0 requires of the parts that we write; returns the run."""
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (found,) = log["runs"]
    assert set(found) == {"tool", "columnKind", "results"}
    assert found["columnKind"] == "unicodeCodePoints"
    driver = found["tool"]["driver"]
    assert driver["name"] == "archdsl"
    assert re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"])
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids)) and set(ids) <= set(classes())
    for rule in driver["rules"]:
        for text in ("shortDescription", "fullDescription", "help"):
            is_message(rule[text]["text"])
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    for result in found["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        is_message(result["message"]["text"])
        for location in result["locations"] + result.get("relatedLocations", []):
            is_location(location)
        numbers = [at["id"] for at in result.get("relatedLocations", [])]
        assert len(numbers) == len(set(numbers))
        assert all(number >= 0 for number in numbers)
    return found


def is_message(text: str) -> None:
    assert text
    assert not re.search(r"[{}]", text.replace("{{", "").replace("}}", ""))
    assert not re.search(r"\[[^\]]*\]\(", text)  # would be a link


def is_location(location: dict) -> None:
    assert "message" not in location or is_message(location["message"]["text"]) is None
    physical = location["physicalLocation"]
    assert re.fullmatch(
        r"[\w./%~-]+|file:///[\w./%~-]+", physical["artifactLocation"]["uri"]
    )
    region = physical["region"]
    start = region["startLine"], region["startColumn"]
    assert start >= (1, 1)
    assert (region["endLine"], region["endColumn"]) >= start


def test_sarif_has_rules_results_and_related_places():
    run = sarif("check", "wrong.arch", "odd.arch", code=1)["runs"][0]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert list(rules) == ["E201", "E302", "W100"]
    assert rules["E302"]["name"] == "SizesDiffer"
    assert "```arch" in rules["E302"]["help"]["markdown"]
    assert rules["W100"]["defaultConfiguration"] == {"level": "warning"}
    differ = next(r for r in run["results"] if r["ruleId"] == "E302")
    assert differ["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "wrong.arch"},
        "region": {"startLine": 4, "startColumn": 10, "endLine": 7, "endColumn": 4},
    }
    related = [r["message"]["text"] for r in differ["relatedLocations"]]
    assert related == ["H = 32 comes from input image", "H = 16 comes from conv"]


def test_sarif_of_an_option_has_no_place():
    (result,) = sarif("analyze", "good.arch", "--set", "a=1", code=2)["runs"][0][
        "results"
    ]
    assert result["locations"] == []


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a/b.arch", "a/b.arch"),
        ("a b%.arch", "a%20b%25.arch"),
        ("c:d.arch", "c%3Ad.arch"),
        ("/x/é.arch", "file:///x/%C3%A9.arch"),
        ("\udcff.arch", "%FF.arch"),
    ],
)
def test_names_of_files_are_references(name, uri):
    assert _uri(name) == uri


def test_columns_are_code_points(folder):
    text = GOOD.replace("linear(2)", 'require true, "\U0001f600")')
    (folder / "wide.arch").write_text(text, encoding="utf-8")
    (found,) = as_json("check", "wide.arch", code=1)["diagnostics"]
    assert found["place"]["column"] == text.splitlines()[2].index(")") + 1


def test_a_name_that_is_no_text_is_printed(folder):
    name = "\udcff.arch"
    (folder / name).write_text(WRONG)
    for form in ("json", "github", "sarif", "text"):
        assert run("check", name, "--format", form).exit_code == 1


def test_nothing_is_a_document_of_each_format():
    assert formatted([], "github", "1.2.3") == ""
    assert json.loads(formatted([], "json", "1.2.3"))["diagnostics"] == []
    valid(json.loads(formatted([], "sarif", "1.2.3")))

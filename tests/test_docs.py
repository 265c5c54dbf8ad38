"""What the documentation says is so: every spec, figure and message in it is run."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest
import torch
from click.testing import CliRunner

import archdsl
from archdsl.backends.manual import documented, manual
from archdsl.backends.torch.load import load
from archdsl.build import build
from archdsl.build.opening import open_spec
from archdsl.cli import cli
from archdsl.ir.dim import symbol
from archdsl.ops.registry import ops
from archdsl.syntax.table import table
from docs.generate import SCHEMAS, schema
from docs.grammar import grammar_page
from tests.pages import PAGES, ROOT, blocks, code_blocks, keep, specs
from tests.tools import forgotten, inputs_for, outputs_of

PARTS = ["Question", "Decision", "Why", "Price"]  # of a decision
SPECS = [(p.name, i, text) for p in PAGES for i, text in enumerate(specs(p))]


@pytest.mark.parametrize(("page", "number", "text"), SPECS)
def test_every_spec_in_the_documentation_is_fine(page, number, text):
    part = "model page {" in text  # which does not use all of its prelude's inputs
    assert [d for d in archdsl.check(text) if not (part and d.code == "W104")] == []


@pytest.mark.parametrize(("page", "number", "text"), SPECS)
def test_every_model_in_the_documentation_compiles_and_runs(page, number, text):
    program = open_spec(text).program
    for name in program.models:
        graph = build(program, name)
        axes = {a: s for t in graph.inputs.values() for a, s in t.axes}
        graph = build(
            program, name, sizes={a: 8 for a, s in axes.items() if s == symbol(a)}
        )
        with forgotten(), torch.no_grad():
            outputs_of(graph, load(graph).eval()(*inputs_for(graph, batch=1)))


def test_every_command_that_is_shown_prints_what_is_shown(monkeypatch):
    monkeypatch.chdir(ROOT)
    for page in PAGES:
        # From the last: a block that is kept moves those below it.
        for block in reversed(code_blocks(page)):
            if block.info != "console":
                continue
            command = block.code.splitlines()[0]
            words = shlex.split(command)
            assert words[:2] == ["$", "archdsl"]
            done = CliRunner().invoke(cli, words[2:])
            assert done.exit_code in (0, 1), done.stderr
            text = f"{command}\n{done.stdout}"
            keep(page, block, text)
            assert os.environ.get("ARCHDSL_UPDATE") or block.code == text


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_up_to_date(name):
    kept = (ROOT / "docs" / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    assert kept == schema(name), "run `make docs`"


def test_the_manual_of_the_ops_is_up_to_date():
    kept = (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
    assert kept == manual(), "run `make docs`"


def test_the_page_of_the_grammar_is_up_to_date():
    kept = (ROOT / "docs" / "grammar.md").read_text(encoding="utf-8")
    assert kept == grammar_page(), "run `make docs`"
    shown = set(re.findall(r"^(\w+) = ", kept, re.M))
    assert {origin for origin, _, _ in table().rules} <= shown
    assert set(table().patterns) <= shown and "MISSING" not in kept


def test_every_argument_of_every_op_is_documented():
    for name, op in ops().items():
        assert set(op.model_fields) <= set(documented(op)), name


def test_the_picture_in_the_readme_is_drawn_by_us(tmp_path):
    archdsl.draw(ROOT / "specs" / "swin_t.arch", tmp_path / "swin_t.svg")
    drawn = (tmp_path / "swin_t.svg").read_bytes()
    assert drawn == (ROOT / "docs" / "pictures" / "swin_t.svg").read_bytes()


def test_the_readme_shows_swin_as_it_ships():
    spec = (ROOT / "specs" / "swin_t.arch").read_text(encoding="utf-8")
    assert blocks(ROOT / "README.md", "arch")[0].strip() in spec


def test_the_readme_shows_what_its_first_spec_compiles_to():
    readme = ROOT / "README.md"
    source = archdsl.compile(blocks(readme, "arch")[1])
    assert blocks(readme, "python")[0] in source


def test_the_readme_shows_the_error_of_its_mistake(tmp_path):
    readme = ROOT / "README.md"
    spec = blocks(readme, "arch")[1].replace("  mean", "  attention(heads = 5)\n  mean")
    (tmp_path / "tiny.arch").write_text(spec, encoding="utf-8")
    (found,) = archdsl.check(tmp_path / "tiny.arch")
    shown = next(b for b in blocks(readme, "") if b.startswith("error["))
    from archdsl.diagnostics.render import render

    assert render([found]).replace(f"{tmp_path}/", "") == shown


def test_the_figures_in_the_readme_are_those_that_we_compute():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`.* \| ([\d,]+) \| ([\d,]+) \|$", text, re.M)
    assert len(rows) >= 4
    for name, params, macs in rows:
        totals = archdsl.analyze(name).totals
        assert (f"{totals.params:,}", f"{totals.macs:,}") == (params, macs), name


def test_the_readme_shows_the_figures_that_python_gives():
    (block,) = (b for b in blocks(ROOT / "README.md", "python") if "analyze(" in b)
    here = {"archdsl": archdsl, "report": archdsl.analyze("swin_t")}
    figures = re.findall(r"^((?:report|archdsl\.analyze).*?)  # (\d+)", block, re.M)
    assert [str(eval(code, here)) for code, _ in figures] == [n for _, n in figures]
    assert len(figures) == 2


def test_the_readme_names_every_command():
    from archdsl.cli import _COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `archdsl (\w+)", text, re.M)) == sorted(_COMMANDS)


def test_links_lead_somewhere():
    for page in PAGES:
        text = re.sub(r"```.*?```|`[^`]+`", "", page.read_text("utf-8"), flags=re.S)
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert "://" not in link, f"{page.name}: {link}"
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_decision_has_a_number_of_its_own_and_is_in_the_index():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in pages] == [f"{i:04}" for i in range(1, len(pages) + 1)]
    rows = re.findall(r"^\| \[(\d{4})\]\((.*?)\) \| (.*?) \|", index, re.M)
    assert [page for _, page, _ in rows] == pages
    for number, page, _ in rows:
        text = (folder / page).read_text(encoding="utf-8")
        assert page.startswith(number)
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.M) == PARTS, page


def test_the_json_keys_of_the_definitions_exist():
    totals = json.loads(archdsl.analyze("textcnn").model_dump_json())["totals"]
    text = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| [\w ]+ \| `(\w+)` \|", text, re.M)
    assert set(named) <= set(totals) and len(named) >= 7


def test_the_page_on_open_sizes_shows_what_is_printed():
    import torch

    page = ROOT / "docs" / "open-sizes.md"
    text = page.read_text(encoding="utf-8")
    resnet = archdsl.analyze("resnet50", sizes={"H": None, "W": None})
    multiple = archdsl.analyze("resnet50", sizes={"H": "32*h", "W": "32*w"})
    shown = re.search(r"--size H,W +(.*) \+ …", text)[1]
    assert resnet.totals.macs.startswith(shown)
    assert f"W=32*w   {multiple.totals.macs}\n" in text
    sizes = dict.fromkeys("CHW")
    one = archdsl.analyze(blocks(page, "arch")[0], sizes=sizes)
    assert f"`{one.totals.macs}`" in text
    swin = archdsl.analyze("swin_t", sizes={"H": None})
    rows = [f"{a.text}  {a.cause}, {a.file}:{a.line}" for a in swin.assumptions]
    for row in rows:
        assert row in re.sub(r" {3,}", "  ", text)
    here: dict[str, object] = {"archdsl": archdsl, "torch": torch}
    lines = blocks(page, "python")[0].splitlines()
    exec(lines[0], here)
    assert f"# {tuple(eval(lines[1].partition('  #')[0], here))}" in lines[1]
    with pytest.raises(ValueError, match="needs") as caught:
        eval(lines[2], here)
    assert lines[3] == f"# ValueError: {caught.value}"

"""Formulas of open sizes say what an analysis with numbers says."""

import json

import pytest
from click.testing import CliRunner

from archdsl.cli import cli

SQUARES = [224, 448, 672, 896, 1120]
CASES = {
    "swin_t": [{"H": h, "W": w} for h, w in zip(SQUARES, SQUARES[::-1], strict=True)],
    "resnet50": [{"H": h, "W": w} for h, w in [(224, 224), (64, 97), (33, 200), (1, 1)]]
    + [{"H": 321, "W": 500}],
    "vit_b16": [{"H": h, "W": 16 * w} for h, w in [(224, 14), (250, 1), (16, 3)]]
    + [{"H": 39, "W": 47}, {"H": 1000, "W": 64}],
    "vgg16": [{"H": h, "W": h + 224} for h in SQUARES],
    "alexnet": [{"H": h, "W": w} for h, w in [(224, 224), (231, 416), (416, 230)]]
    + [{"H": 608, "W": 229}, {"H": 415, "W": 609}],
    "gpt2": [{"T": t} for t in (1, 2, 17, 512, 1024)],
    "textcnn": [{"T": t} for t in (5, 6, 29, 64, 1000)],
    "bilstm": [{"T": t} for t in (1, 2, 29, 64, 1000)],
}
BATCHES = [{"B": b} for b in (1, 2, 3, 8, 1000)]


def report(model: str, sizes: str) -> dict:
    done = CliRunner().invoke(cli, ["analyze", model, "--json", "--size", sizes])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def value(formula: object, sizes: dict[str, int]) -> object:
    """A formula with its symbols replaced: what is printed is Python."""
    return eval(formula, {}, sizes) if isinstance(formula, str) else formula


def evaluated(found: object, sizes: dict[str, int]) -> object:
    """Everything in a report that is a number or a formula, as numbers."""
    if isinstance(found, dict):
        skipped = ("assumptions", "path", "op", "block", "model", "dtype")
        items = found.items()
        return {k: evaluated(v, sizes) for k, v in items if k not in skipped}
    if isinstance(found, list):
        if len(found) == 2 and isinstance(found[0], str):
            return [found[0], value(found[1], sizes)]
        return [evaluated(item, sizes) for item in found]
    return value(found, sizes)


@pytest.mark.parametrize(
    ("model", "numbers"),
    [*CASES.items(), *((model, BATCHES) for model in CASES)],
    ids=[*CASES, *(f"{model}-batch" for model in CASES)],
)
def test_a_formula_and_the_numbers_agree(model, numbers):
    formulas = report(model, ",".join(numbers[0]))
    assert any(isinstance(v, str) for v in formulas["totals"].values())
    for sizes in numbers:
        for assumption in formulas["assumptions"]:
            assert value(assumption, sizes), assumption
        concrete = report(model, ",".join(f"{a}={n}" for a, n in sizes.items()))
        assert concrete["assumptions"] == []
        assert evaluated(formulas, sizes) == evaluated(concrete, sizes)


@pytest.mark.parametrize("model", ["vgg16", "alexnet", "swin_t", "textcnn"])
def test_where_a_size_does_not_fit_an_assumption_fails(model):
    axis = "T" if model == "textcnn" else "H"
    formulas = report(model, axis)
    for size in (1, 2, 3, 4):
        done = CliRunner().invoke(cli, ["analyze", model, "--size", f"{axis}={size}"])
        assert done.exit_code == 1, size
        assert not all(value(a, {axis: size}) for a in formulas["assumptions"])


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("linear(x.H)", "E310"),
        ("conv(x.H, 3)", "E310"),
        ("repeat(x.H) { relu }", "E403"),
        ("dropout(x.H)", "E403"),
        ("if x.H > 3 { relu }", "E408"),
        ("linear(10 / x.H)", "E408"),
        ("linear([1, 2][x.H])", "E408"),
        ("linear(x.H ** x.H)", "E408"),
        ("linear(min(x.H, 3))", "E408"),
        ("linear(x.H * 0.3)", "E408"),
        ("parameter(N = x.H, C = 8)", "E310"),
        ("position_embedding(over = H)", "E310"),
        ("select(H, x.H)", "E403"),
    ],
)
def test_where_a_number_is_needed_an_open_size_is_a_located_error(tmp_path, step, code):
    path = tmp_path / "open.arch"
    lines = ["model open {", "  input x: [B, C = 8, H, W = 8]", f"  {step}"]
    path.write_text("\n".join([*lines, "  output y", "}", ""]))
    done = CliRunner().invoke(cli, ["compile", str(path), "-o", "-"])
    assert done.exit_code == 1
    assert f"error[{code}]" in done.stderr, done.stderr
    assert f"{path}:" in done.stderr

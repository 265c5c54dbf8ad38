"""A package of a third party brings an op, which is then one like all others."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tests" / "plugins" / "archdsl-snake"
SPEC = """model wave {
  input x: [B, C = 3, T = 16]
  conv(8, 3) -> snake
  mean(T) -> linear(2)
  output y
}
"""
RUN = """
import torch, archdsl
model = archdsl.load({path!r})
x = torch.randn(2, 3, 16)
assert model(x).shape == (2, 2)
h = model.conv(x)
a = model.snake.frequency.view(-1, 1)
wave = h + torch.sin(a * h) ** 2 / a
torch.testing.assert_close(model.linear(wave.mean(2)), model(x))
print(sum(p.numel() for p in model.parameters()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder in which the package is installed, by pip."""
    folder = tmp_path_factory.mktemp("site")
    words = ["install", "--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    words += ["--disable-pip-version-check", "--target", str(folder), str(PACKAGE)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, timeout=300)
    return folder


@pytest.fixture
def spec(tmp_path) -> str:
    path = tmp_path / "wave.arch"
    path.write_text(SPEC)
    return str(path)


def python(site: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def archdsl(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(site, ["-m", "archdsl", *words])


# --- one that works -----------------------------------------------------------------


def test_a_spec_with_its_op_is_checked_and_priced(installed, spec):
    assert archdsl(installed, "check", spec).stdout == f"{spec}: fine (wave)\n"
    report = json.loads(archdsl(installed, "analyze", spec, "--json").stdout)
    (layer,) = (row for row in report["layers"] if row["op"] == "snake")
    assert layer["params"] == 8
    assert layer["flops"] == 5 * 8 * 16
    assert (layer["path"], layer["line"], layer["column"]) == ("snake", 3, 17)


def test_the_compiled_module_has_its_class_and_computes_it(installed, spec):
    source = archdsl(installed, "compile", spec, "-o", "-").stdout
    assert "class Snake(nn.Module):" in source
    assert "archdsl_snake" not in source
    done = python(installed, ["-c", RUN.format(path=spec)])
    assert done.stdout == f"{3 * 8 * 3 + 8 + 8 + 8 * 2 + 2}\n", done.stderr


def test_it_is_listed_among_the_ops(installed):
    lines = archdsl(installed, "ops").stdout.splitlines()
    assert any(line.startswith("  snake ") for line in lines)


def test_without_the_package_its_name_is_unknown(spec, tmp_path):
    done = archdsl(tmp_path, "check", spec)
    assert done.returncode == 1
    assert "nothing is called `snake`" in done.stderr


def test_it_passes_the_conformance_suite(installed):
    words = ["-m", "pytest", "tests/ops/test_conformance.py", "-k", "snake"]
    done = python(installed, [*words, "-n0", "-q", "-p", "no:cacheprovider"])
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 15


# --- ones that do not ---------------------------------------------------------------


def plugin(folder: Path, name: str, text: str) -> None:
    """A package as pip leaves it, with an entry point to a module of its own."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2")
    (info / "entry_points.txt").write_text(f"[archdsl.ops]\nmine = {module}\n")


CLASH = """
from archdsl.ops.base import Op
class Relu(Op):
    '''Another relu.'''
    name = "relu"
"""
BROKEN = {
    "archdsl-clash": (CLASH, "E207", "two ops are called `relu`: archdsl.ops"),
    "archdsl-gone": ("import no_such_module", "E208", "No module named"),
    "archdsl-wrong": ("raise RuntimeError('boom')", "E208", "RuntimeError: boom"),
    "archdsl-syntax": ("def", "E208", "SyntaxError"),
}


@pytest.mark.parametrize(
    "words", ["check", "analyze", "compile -o -", "ops", "ops relu"]
)
@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_does_not_fit_is_named_in_an_error(tmp_path, spec, name, words):
    text, code, message = BROKEN[name]
    plugin(tmp_path, name, text)
    command = words.split() + ([spec] if "ops" not in words else [])
    done = archdsl(tmp_path, *command)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"error[{code}]" in done.stderr
    assert message in done.stderr
    assert f"{name} 1.2, entry points:1:1" in done.stderr
    assert f"mine = {name.replace('-', '_')}" in done.stderr
    assert "Traceback" not in done.stderr

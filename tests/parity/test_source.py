"""Compiled source is short, clean, stands alone, and is the same every time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl
from tests.parity.reference import ROOT, SPECS

FILES = sorted(SPECS.glob("*.arch"))
# Of the models of a file, those that no file is named after.
MORE = [f"{SPECS}/vgg16.arch:vgg16_bn", f"{SPECS}/vit_b16.arch:vit_l16"]
# Of Swin-T's file, with its two modules and all.
MOST_LINES = 250

# What torch itself leaves open: calling a module gives Any, and `Tensor.unflatten` has
# no types.
TORCH_IS_UNTYPED = (
    "--no-warn-return-any", "--allow-untyped-calls",
    "--disable-error-code=index",  # what a list of modules has inside
)  # fmt: skip


def run(*words, **variables):
    """The output of a Python module; its complaints fail the test."""
    result = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A file of each spec, and of some of their variants."""
    folder = tmp_path_factory.mktemp("compiled")
    for spec in [*map(str, FILES), *MORE]:
        name = spec.rpartition(":")[2] if ":" in spec else Path(spec).stem
        (folder / f"{name}.py").write_text(archdsl.compile(spec), encoding="utf-8")
    return folder


def test_swin_is_short(compiled):
    lines = (compiled / "swin_t.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES


def test_no_file_speaks_of_the_compiler_but_to_name_it(compiled):
    for file in compiled.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        head, _, rest = text.partition("\n")
        assert head.endswith("compiled by archdsl.")
        assert "archdsl" not in rest, file.name


def test_ruff_finds_nothing_to_mend(compiled):
    run("-m", "ruff", "format", "--check", "--isolated", compiled)
    rules = "--select=E,F,W,I,B,UP,SIM,RET,PIE,C4"
    run("-m", "ruff", "check", "--no-cache", "--isolated", rules, compiled)


def test_mypy_finds_nothing_to_mend(compiled, request):
    """All files in one call; what mypy learns of torch is kept for the next run."""
    cache = request.config.cache.mkdir("archdsl-mypy")
    flags = ("--strict", "--config-file=", f"--cache-dir={cache}", *TORCH_IS_UNTYPED)
    run("-m", "mypy", *flags, *sorted(compiled.glob("*.py")))


STANDALONE = """
import importlib.util
import sys

class Closed:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("archdsl", "lark", "pydantic", "transformers"):
            raise ModuleNotFoundError(f"{name} is not for compiled files")

sys.meta_path.insert(0, Closed())
import torch

spec = importlib.util.spec_from_file_location("compiled", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with torch.no_grad():
    print(tuple(module.SwinT().eval()(torch.zeros(1, 3, 224, 224)).shape))
"""


def test_swin_runs_with_nothing_but_torch(compiled):
    out = run("-I", "-c", STANDALONE, compiled / "swin_t.py")
    assert out == "(1, 1000)\n"


def test_a_need_for_the_compiler_is_seen(compiled, tmp_path):
    text = (compiled / "swin_t.py").read_text(encoding="utf-8")
    needy = tmp_path / "needy.py"
    needy.write_text(text.replace("import torch\n", "import archdsl, torch\n", 1))
    with pytest.raises(AssertionError, match="archdsl is not for compiled files"):
        run("-I", "-c", STANDALONE, needy)


EVERY_SOURCE = """
import sys
import archdsl

for spec in sys.argv[1:]:
    print(archdsl.compile(spec))
"""


def test_source_is_the_same_in_every_process(compiled):
    specs = [*map(str, FILES), *MORE]
    first, second = (
        run("-c", EVERY_SOURCE, *specs, PYTHONHASHSEED=seed) for seed in ("1", "2")
    )
    assert first == second
    assert (compiled / "swin_t.py").read_text(encoding="utf-8") in first

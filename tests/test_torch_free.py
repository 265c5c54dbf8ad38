"""Checking, analysing, compiling and drawing a spec never import torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = "resnet18"
# Prints what heavy packages a piece of code has imported.
PROBE = """
import sys
sys.path.insert(0, {root!r})
{code}
heavy = ("torch", "numpy", "transformers", "torchvision", "jax")
print(*(name for name in heavy if name in sys.modules))
"""
DRAWING = "import tempfile; folder = tempfile.mkdtemp(); import archdsl"
COMMAND = """
import io, contextlib
from archdsl.cli import main
def run(words):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main(words)
    except SystemExit as end:
        assert not end.code
"""
WORK = {
    "import": "import archdsl",
    "check": f"import archdsl; assert archdsl.check({SPEC!r}) == ()",
    "parse": f"import archdsl; assert len(archdsl.parse({SPEC!r}))",
    "analyze": f"import archdsl; assert archdsl.analyze({SPEC!r}).totals",
    "compile": f"import archdsl; assert 'nn.Module' in archdsl.compile({SPEC!r})",
    "memory": f"{COMMAND}run(['analyze', {SPEC!r}, '--memory', '--training'])",
    "device": f"{COMMAND}run(['analyze', {SPEC!r}, '--device', 'h100'])",
    "command": f"{COMMAND}run(['analyze', {SPEC!r}])",
    "draw": f"{DRAWING}; archdsl.draw({SPEC!r}, folder + '/a.svg')",
    "ops": "from archdsl.ops.registry import ops; assert ops()",
    "faulty": "import archdsl; assert archdsl.check('model m {\\n  nonsense\\n}\\n')",
}


def imported(code: str) -> str:
    """The heavy packages that a fresh Python has imported after running some code."""
    program = PROBE.format(root=str(ROOT), code=code)
    command = [sys.executable, "-I", "-c", program]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("code", WORK.values(), ids=WORK)
def test_torch_stays_unimported(code):
    assert imported(code) == ""


def test_the_probe_sees_torch_where_a_model_is_loaded():
    text = "model m {\n  input x: [B, C = 4]\n  linear(4)\n  output y\n}\n"
    assert "torch" in imported(f"import archdsl; archdsl.load({text!r})").split()

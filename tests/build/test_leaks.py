"""A process that checks for days holds no more than one that has just begun."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import archdsl
from archdsl.source import Span

SPEC = """\
model m{n}(width = {n}) {{
  input x: [B, C = {n}, H = 8, W = 8]
  conv(width, kernel = "three{n}") -> layer_norm(eps = -{n})
  linear(width) -> nothing_{n} -> lstm({n}
  output y
}}
"""

ALONE = """
import gc
from archdsl import garbage
from tests.build.test_leaks import check
garbage.MOST = garbage._tally.bound = 10_000
check(range(1, 60))
before = len(gc.get_objects())
check(range(60, 1060))
print(len(gc.get_objects()) - before)
"""


def check(numbers: range) -> None:
    for n in numbers:
        assert archdsl.check(SPEC.format(n=n))


def spans() -> int:
    """How many places of texts cannot be forgotten."""
    gc.collect()
    return sum(type(o) is Span for o in gc.get_objects())


def test_errors_of_arguments_are_forgotten() -> None:
    check(range(1, 20))
    before = spans()
    check(range(20, 60))
    assert spans() <= before + 5


def test_nobody_has_to_call_the_collector() -> None:
    """As in a server. Alone, since a collection waits for a quarter of all there is.

    It comes earlier here than it does there, so that few checks show it.
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 40_000

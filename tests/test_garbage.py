"""A process that reads many specs holds none that it is done with.

Two things can keep one: a cycle that Python cannot look through, and a search for
cycles that never comes. And no memory of a function may grow with what it is asked.
"""

from __future__ import annotations

import gc
import pathlib
import weakref
from collections.abc import Iterator
from functools import _lru_cache_wrapper

import pytest

from archdsl import garbage
from archdsl.analysis.check import check
from archdsl.analysis.report import report
from archdsl.backends.torch.module import write
from archdsl.build import build, read
from archdsl.diagnostics import SpecError
from archdsl.garbage import uncollected
from archdsl.source import Source

TESTS = pathlib.Path(__file__).parent
WRONG = sorted((TESTS / "errors").glob("*/*.arch"))
RIGHT = sorted((TESTS / "lints").rglob("*.arch"))


def use(text: str, folder: pathlib.Path | None = None) -> weakref.ref[Source]:
    """Does with a text what a server would; says whether the text is still held."""
    source = Source("<text>", text)
    program = read(source, folder)
    if all(d.severity != "error" for d in check(program)):
        for model in program.models:
            try:
                graph = build(program, model)
                report(graph)
                write(graph, "text.arch")
            except SpecError:
                continue
    return weakref.ref(source)


@pytest.mark.parametrize("paths", [WRONG, RIGHT], ids=["wrong", "right"])
def test_every_text_is_let_go(paths: list[pathlib.Path]) -> None:
    assert len(paths) > 8
    texts = [path.read_text("utf-8", errors="replace") for path in paths]
    held = [use(t, p.parent) for t, p in zip(texts, paths, strict=True)]
    gc.collect()
    still = [p.name for p, ref in zip(paths, held, strict=True) if ref()]
    assert len(still) <= 1, still  # a lint may remember the last graph that it saw


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A search for cycles is due after few objects."""
    monkeypatch.setattr(garbage, "MOST", 20_000)
    monkeypatch.setattr(garbage, "_tally", garbage._Tally(bound=20_000))
    monkeypatch.setattr(garbage, "SHARE", 1 << 40)  # whatever other tests have made
    gc.collect()
    yield 20_000
    gc.collect()


def layers(number: int) -> str:
    """A model like no other."""
    lines = "\n".join(f"  linear({number + i}) -> relu" for i in range(20))
    return f"model m {{\n  input x: [B, T, C = 8]\n{lines}\n  output y\n}}\n"


def test_objects_stay_few_without_asking_for_it(few: int) -> None:
    def after(first: int) -> int:
        for number in range(first, first + 60):
            assert not check(read(Source("<text>", layers(number))))
        return len(gc.get_objects())

    start = after(1)
    assert after(100) < start + 2 * few
    assert after(200) < start + 2 * few
    made = garbage._tally.made
    check(read(Source("<text>", layers(1))))
    assert garbage._tally.made != made, "nothing counts what is made"


def test_the_search_comes_inside_of_a_long_run_too(few: int) -> None:
    held = []
    with uncollected():
        for number in range(60):
            held.append(use(layers(1000 + number)))
    assert sum(ref() is not None for ref in held) < 40


def test_no_memory_of_a_function_grows_with_its_questions() -> None:
    def sizes() -> dict[str, int]:
        kept = [o for o in gc.get_objects() if isinstance(o, _lru_cache_wrapper)]
        return {
            f"{f.__module__}.{f.__qualname__}": f.cache_info().currsize
            for f in kept
            if f.__module__.startswith("archdsl.") and f.cache_info().maxsize is None
        }

    for number in range(1, 10):
        use(layers(number))
    before = sizes()
    for number in range(2000, 2040):
        use(layers(number))
    assert sizes() == before
    assert len(before) >= 4


def test_who_turned_the_search_off_keeps_it_off(few: int) -> None:
    gc.disable()
    try:
        held = [use(layers(3000 + number)) for number in range(30)]
        assert not gc.isenabled()
        assert all(ref() is not None for ref in held)
    finally:
        gc.enable()


def test_what_another_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        use(layers(5))
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()

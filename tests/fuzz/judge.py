"""What becomes of one input, and whether that is allowed.

Every text has a result or located errors, in bounds of time and memory. Anything else
is a violation: another exception, a span outside of its text, an empty message, a
module that is no Python.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

from archdsl.analysis.check import check
from archdsl.analysis.report import report
from archdsl.backends.graphviz import to_dot
from archdsl.backends.torch.module import write
from archdsl.build import Program, build, read
from archdsl.diagnostics import Diagnostic, SpecError
from archdsl.diagnostics.faults import limits, syntax
from archdsl.diagnostics.machine import formatted
from archdsl.diagnostics.render import render
from archdsl.ir.text import text as graph_text
from archdsl.source import Source, Span
from archdsl.syntax import parse
from archdsl.syntax.format import format_source
from tests.fuzz.cases import Case

SECONDS = 10.0  # of processor time for one input
_SAMPLE = 8  # one in so many inputs is drawn, formatted and printed too
_LIMITS = {
    fault.code
    for fault in (
        limits.TooMuchWork, limits.TooDeep, syntax.TooNested, syntax.TooLarge,
        syntax.TooMany,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What became of an input; `violation` is empty where all is well."""

    outcome: str  # fine, syntax, semantic or limit
    codes: tuple[str, ...] = ()
    violation: str = ""


class OutOfTime(BaseException):
    """An input took more processor time than any may."""


class Wrong(Exception):
    """Something came out that must not."""


@contextmanager
def clock(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` after so much processor time."""

    def ring(_number: int, _frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def judge(case: Case, seconds: float = SECONDS) -> Verdict:
    """What becomes of an input."""
    try:
        with clock(seconds):
            return _judge(case)
    except OutOfTime:
        return Verdict("violation", violation=f"more than {seconds:g} s")
    except MemoryError:
        return Verdict("violation", violation="out of memory")
    except Exception as error:  # what we look for
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.name}"
        what = f"{type(error).__name__} in {where}: {error}"
        return Verdict("violation", violation=what)


def kind(violation: str) -> str:
    """What violations of one cause have in common."""
    return violation.partition(":")[0]


def _judge(case: Case) -> Verdict:
    if not case.lib:
        return _judged(case, None)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lib = Path(folder) / "lib.arch"
        lib.write_text(case.lib, encoding="utf-8", errors="replace")
        return _judged(case, Path(folder))


def _judged(case: Case, folder: Path | None) -> Verdict:
    source = Source("fuzz.arch", case.text)
    program = read(source, folder)
    found = check(program)
    sample = crc32(case.text.encode("utf-8", "replace")) % _SAMPLE == 0
    _look(found)
    if sample:
        _print(found)
    codes = tuple(dict.fromkeys(d.code for d in found))
    if any(d.severity == "error" for d in found):
        return Verdict(_outcome(codes), codes)
    extra = _use(case, program, sample)
    return Verdict("fine", (*codes, *extra))


def _outcome(codes: Sequence[str]) -> str:
    if _LIMITS & set(codes):
        return "limit"
    return "syntax" if any(code.startswith("E1") for code in codes) else "semantic"


# --- what is right ------------------------------------------------------------------


def _use(case: Case, program: Program, sample: bool) -> tuple[str, ...]:
    """Prices, compiles and draws the first models; the codes of late errors."""
    codes: list[str] = []
    for model in program.models[:2]:
        try:
            graph = build(program, model, case.settings, case.sizes, case.outputs)
            report(graph)
            _compile(write(graph, "fuzz.arch"))
            if sample:
                to_dot(graph)
                graph_text(graph)
        except SpecError as error:
            _look(error.diagnostics)
            codes += [d.code for d in error.diagnostics]
    if sample:
        _format(case.text)
    return tuple(codes)


def _compile(text: str) -> None:
    """Reads the module that was made, without running it."""
    try:
        compile(text, "<fuzz>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise Wrong(f"the module is no Python: {error}") from None


def _format(text: str) -> None:
    """The formatter keeps the tree, and has nothing to do a second time."""
    once = format_source(Source("fuzz.arch", text))
    if format_source(Source("fuzz.arch", once)) != once:
        raise Wrong("formatted twice is not formatted once")
    if _shape(text) != _shape(once):
        raise Wrong("formatted, it is another tree")


def _shape(text: str) -> str:
    file, _ = parse(Source("fuzz.arch", text))
    return _without_places(file.items)


def _without_places(value: object) -> str:
    if isinstance(value, Span):
        return ""
    if isinstance(value, tuple):
        return "(" + ",".join(map(_without_places, value)) + ")"
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        return repr(value)
    parts = ",".join(_without_places(getattr(value, name)) for name in fields)
    return f"{type(value).__name__}({parts})"


# --- what is wrong ------------------------------------------------------------------


def _look(found: Sequence[Diagnostic]) -> None:
    """Every diagnostic has words and places."""
    for diagnostic in found:
        words = [diagnostic.fault.message(), *(n.message for n in diagnostic.notes)]
        if not all(word.strip() for word in words):
            raise Wrong(f"an empty message: {diagnostic.code}")
        for span in (diagnostic.span, *(n.span for n in diagnostic.notes if n.span)):
            if not 0 <= span.start <= span.end <= len(span.source.text):
                raise Wrong(f"a span outside of its text: {diagnostic.code}")


def _print(found: Sequence[Diagnostic]) -> None:
    """Every form of output has all diagnostics."""
    if found and not render(found).strip():
        raise Wrong("nothing printed: text")
    for form in ("json", "github", "sarif"):
        if found and not formatted(found, form, "0").strip():
            raise Wrong(f"nothing printed: {form}")

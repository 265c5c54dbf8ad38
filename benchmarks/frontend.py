"""How fast specs are read and checked: in one process, against Python's own front end.

The peer is what Python needs to parse and compile the module that archdsl writes for
Swin-T, taken in turns with the checks: so a ratio is one of two front ends on the same
machine at the same moment. The rates are of characters a second of processor time.

A first check begins without what earlier ones found out about ops and layers, as in a
new process that has imported all. The one after an edit has another activation in one
line, and what the first has found out, as in an editor or a server.

    python benchmarks/frontend.py [--pairs N] [--json]
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import re
import sys
import time
from collections.abc import Callable
from functools import _lru_cache_wrapper
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from archdsl.analysis.check import check  # noqa: E402
from archdsl.api import parse as graph_of  # noqa: E402
from archdsl.backends.torch.module import write  # noqa: E402
from archdsl.build import read  # noqa: E402
from archdsl.build.known import KNOWN  # noqa: E402
from archdsl.source import Source  # noqa: E402
from benchmarks import big  # noqa: E402

SIZES = (1 << 18, 1 << 19, 1 << 20)  # characters
EDITOR = 500  # lines
PEER = "ast.parse + compile"


class Row(NamedTuple):
    """What one text took: medians of the turns; all but `again_s` of a first check."""

    characters: int
    lines: int
    read_s: float
    check_s: float
    ratio: float  # characters a second, to those of the peer
    again_s: float  # reading and checking after an edit of a line

    @property
    def whole_s(self) -> float:
        """Reading and checking."""
        return self.read_s + self.check_s

    @property
    def rate(self) -> float:
        """Millions of characters a second."""
        return self.characters / self.whole_s / 1e6


def timed(run: Callable[[], object]) -> float:
    """Seconds of processor time, what was made before swept away first."""
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


def peer() -> Callable[[], float]:
    """A function that measures the peer: characters a second."""
    source = write(graph_of("swin_t"))

    def measure() -> float:
        def run() -> None:
            for _ in range(20):
                compile(ast.parse(source), "<swin_t>", "exec")

        return 20 * len(source) / timed(run)

    return measure


def once(text: str, folder: Path | None = None) -> tuple[float, float]:
    """Seconds to read and to check a text, which must be right."""
    source, made = Source("<text>", text), []
    read_s = timed(lambda: made.append(read(source, folder)))
    found: list[object] = []
    check_s = timed(lambda: found.extend(check(made[0])))
    wrong = [d for d in found if getattr(d, "severity", "") == "error"]
    if wrong:
        sys.exit(f"a text of the benchmark is wrong: {wrong[0]}")
    return read_s, check_s


def forget() -> None:
    """Leaves nothing of what earlier checks found out."""
    KNOWN.forget()
    kept = [o for o in gc.get_objects() if isinstance(o, _lru_cache_wrapper)]
    for function in kept:
        if function.__module__.startswith("archdsl.") and function.cache_info().maxsize:
            function.cache_clear()


def edited(text: str, turn: int) -> str:
    """The text with another activation in one line near its middle."""
    places = [m.span() for m in re.finditer(r"(?<=-> )(relu|gelu|silu)\b(?!\()", text)]
    if not places:  # a text of few lines
        return text + "# edited\n"
    start, end = places[(len(places) // 2 + turn) % len(places)]
    return text[:start] + ("tanh" if turn % 2 else "sigmoid") + text[end:]


def row(
    text: str, pairs: int, measure: Callable[[], float], folder: Path | None = None
) -> Row:
    """A text measured some times, each time beside the peer."""
    turns = []
    for turn in range(pairs):
        forget()
        first = (measure(), *once(text, folder))
        turns.append((*first, sum(once(edited(text, turn), folder))))
    size = len(text)
    return Row(
        size,
        text.count("\n"),
        median(r for _, r, _, _ in turns),
        median(c for _, _, c, _ in turns),
        median(size / (r + c) / speed for speed, r, c, _ in turns),
        median(again for *_, again in turns),
    )


def texts() -> dict[str, str]:
    """The texts by name, the large ones first."""
    found = {f"{size >> 10} KiB": big.spec(size) for size in SIZES}
    found[f"{EDITOR} lines"] = big.lines(EDITOR)
    found["shipped, as one"] = one = shipped(EDITOR)
    # What it promises asks for costs and receptive fields, most of the time of a check.
    bare = re.sub(r"^ *expect .*\n", "", one, flags=re.MULTILINE)
    found["without its promises"] = bare
    for path in sorted((ROOT / "specs").glob("*.arch")):
        found[path.name] = path.read_text(encoding="utf-8")
    return found


def shipped(most: int) -> str:
    """The specs that ship as one file, what they `use` in it: as many as have room."""
    parts: dict[Path, str] = {}
    for path in sorted((ROOT / "specs").glob("*.arch")):
        new = [p for p in _with_uses(path) if p not in parts]
        more = {p: _without_uses(p) for p in new}
        names = _defined("".join(parts.values()))
        if names.isdisjoint(_defined("".join(more.values()))):
            every = parts | more
            if "\n".join(every.values()).count("\n") <= most:
                parts = every
    return "\n".join(parts.values())


def _with_uses(path: Path) -> dict[Path, None]:
    """A spec after those that it uses."""
    used = re.findall(r"^use ([\w/]+)", path.read_text("utf-8"), re.MULTILINE)
    found: dict[Path, None] = {}
    for name in used:
        found |= _with_uses(ROOT / "specs" / f"{name}.arch")
    return found | {path: None}


def _without_uses(path: Path) -> str:
    return re.sub(r"^use .*\n+", "", path.read_text("utf-8"), flags=re.MULTILINE)


def _defined(text: str) -> set[str]:
    return set(re.findall(r"^(?:block|model) (\w+)", text, re.MULTILINE))


def as_table(rows: dict[str, Row], pairs: int) -> str:
    """The rows as text."""
    layout = "{:<21} {:>8} {:>6} {:>8} {:>9} {:>6} {:>8} {:>9}"
    head = ("", "chars", "lines", "read ms", "check ms", "MB/s", "of peer", "again ms")
    result = [
        f"Reading and checking: medians of {pairs} turns; the peer is Python's",
        f"`{PEER}` of the module written for Swin-T, in the same turn.",
        "All but the last column are of a first check; `again` is all of one after an",
        "edit of a line, in the same process.",
        "",
        layout.format(*head),
    ]
    for name, r in rows.items():
        times = f"{r.read_s * 1e3:.1f}", f"{r.check_s * 1e3:.1f}", f"{r.rate:.3f}"
        last = f"{r.ratio:.3f}", f"{r.again_s * 1e3:.1f}"
        result.append(layout.format(name, r.characters, r.lines, *times, *last))
    large = [rows[f"{size >> 10} KiB"] for size in SIZES]
    growth = [b.whole_s / a.whole_s for a, b in pairwise(large)]
    words = ", ".join(f"{g:.2f}" for g in growth)
    slowest = max((r.whole_s, n, r.again_s) for n, r in rows.items() if "KiB" not in n)
    result += [
        "",
        f"time for twice the text: {words} (2 is linear)",
        f"slowest editor-sized file: {slowest[1]}, {slowest[0] * 1e3:.1f} ms, "
        f"{slowest[2] * 1e3:.1f} ms after an edit",
    ]
    return "\n".join(result)


def main() -> None:
    """Reads the options, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3, help="turns that are counted")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error("--pairs must be at least 1")
    measure, specs = peer(), ROOT / "specs"
    for text in texts().values():  # a warm-up: classes of ops are built when first used
        if len(text) < SIZES[0]:
            once(text, specs)
    rows = {n: row(t, options.pairs, measure, specs) for n, t in texts().items()}
    if options.json:
        plain = {n: r._asdict() | {"mb_per_s": r.rate} for n, r in rows.items()}
        report = {"version": 1, "peer": PEER, "pairs": options.pairs, "rows": plain}
        print(json.dumps(report, indent=2))
    else:
        print(as_table(rows, options.pairs))


if __name__ == "__main__":
    main()

"""What archdsl's commands cost, as ratios to ``import torch`` in the same run.

Each figure is of a whole process, as a user starts it: processor time (user and
system) and peak resident memory. The commands take turns, so that what else the
machine does falls on all of them; a ratio is taken within one turn. Times of one
machine say little about another, ratios say more. Nothing here passes or fails.

    python benchmarks/run.py [--pairs N] [--json]
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"
SPEC = "specs/swin_t.arch"
LARGE = "specs/llama.arch:llama3_405b"
PEER = "import torch"
# 10 widths, 4 lists of heads, 5 of depths and 5 of classes: 1,000 variants.
GRID = [
    "--set", "dim=16..160:16",
    "--set", "heads=[1,2,4,8],[2,4,8,16],[4,4,8,16],[2,2,4,4]",
    "--set", "depths=[2,2,2,2],[2,2,4,2],[2,2,6,2],[2,2,12,2],[2,2,18,2]",
    "--set", "classes=200..1000:200",
]  # fmt: skip
# What the kernel counts resident memory in: bytes on macOS, else KiB.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Usage(NamedTuple):
    """What one process used."""

    cpu_s: float
    wall_s: float
    rss_bytes: int


class Spread(NamedTuple):
    """A middle and how far the turns went from it."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of some values."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.min:.3f}-{self.max:.3f})"


class Row(NamedTuple):
    """What the table says of one command."""

    cpu_s: float
    wall_s: float
    rss_mib: float
    cpu_ratio: Spread
    rss_ratio: Spread


def commands() -> dict[str, list[str]]:
    """The commands by the name the table gives them, the peer first."""
    archdsl = str(Path(sysconfig.get_path("scripts")) / "archdsl")
    return {
        PEER: [sys.executable, "-c", "import torch"],
        "analyze --json": [archdsl, "analyze", SPEC, "--json"],
        "import archdsl": [sys.executable, "-c", "import archdsl"],
        "check": [archdsl, "check", SPEC],
        "compile": [archdsl, "compile", SPEC, "-o", str(BUILD / "swin_t.py")],
        "sweep of 1,000": [archdsl, "sweep", SPEC, *GRID, "--csv"],
        "Llama-3-405B": [archdsl, "analyze", LARGE, "--params", "--flops", "--memory"],
        "draw (svg)": [archdsl, "draw", SPEC, "-o", str(BUILD / "swin_t.svg")],
    }


def measure(command: list[str]) -> Usage:
    """Runs a command to its end and says what it used.

    This process imports little on purpose: on Linux the peak of a child is at least
    the memory that its parent had when it started it.
    """
    start = time.perf_counter()
    with (BUILD / "stderr").open("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}: failed\n{errors.read()}")
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * RSS_UNIT)


def run(pairs: int) -> dict[str, list[Usage]]:
    """A warm-up turn that is not counted, then ``pairs`` turns of every command."""
    todo = commands()
    turns = [
        {name: measure(command) for name, command in todo.items()}
        for _ in range(pairs + 1)
    ]
    return {name: [turn[name] for turn in turns[1:]] for name in todo}


def summarise(used: list[Usage], peer: list[Usage]) -> Row:
    """Medians of a command, and its ratios to the peer turn by turn."""
    both = list(zip(used, peer, strict=True))
    return Row(
        cpu_s=median(u.cpu_s for u in used),
        wall_s=median(u.wall_s for u in used),
        rss_mib=median(u.rss_bytes for u in used) / 2**20,
        cpu_ratio=Spread.of([u.cpu_s / p.cpu_s for u, p in both]),
        rss_ratio=Spread.of([u.rss_bytes / p.rss_bytes for u, p in both]),
    )


def as_table(rows: dict[str, Row], pairs: int) -> str:
    """The rows as text."""
    layout = "{:<15} {:>7} {:>7} {:>9}   {:<21}   {}"
    lines = [
        f"{SPEC}: medians of {pairs} turns, ratios to `{PEER}` (min-max)",
        "",
        layout.format("", "CPU s", "wall s", "peak MiB", "CPU ratio", "memory ratio"),
    ]
    for name, row in rows.items():
        plain = f"{row.cpu_s:.3f}", f"{row.wall_s:.3f}", f"{row.rss_mib:.1f}"
        ratios = (1, 1) if name == PEER else (str(row.cpu_ratio), str(row.rss_ratio))
        lines.append(layout.format(name, *plain, *ratios))
    return "\n".join(lines)


def as_json(rows: dict[str, Row], pairs: int) -> str:
    """The rows as JSON."""
    plain = {
        name: row._asdict()
        | {"cpu_ratio": row.cpu_ratio._asdict(), "rss_ratio": row.rss_ratio._asdict()}
        for name, row in rows.items()
    }
    report = {"version": 1, "peer": PEER, "spec": SPEC, "pairs": pairs, "rows": plain}
    return json.dumps(report, indent=2)


def main() -> None:
    """Reads the options, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7, help="turns that are counted")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error("--pairs must be at least 1")
    BUILD.mkdir(parents=True, exist_ok=True)
    used = run(options.pairs)
    rows = {name: summarise(usages, used[PEER]) for name, usages in used.items()}
    print((as_json if options.json else as_table)(rows, options.pairs))


if __name__ == "__main__":
    main()

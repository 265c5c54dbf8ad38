"""Judges a great many inputs: ``python -m tests.fuzz --count 1000000``.

Exits with 1 if there is a violation, which is then in a file under `--keep`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.fuzz.pool import Pool, Tally, limit_memory
from tests.fuzz.report import kept, table, unreached, written

ROOT = Path(__file__).resolve().parents[2]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many inputs")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="the number of the first")
    parser.add_argument("--report", type=Path, help="a page to write the table into")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz")
    return parser.parse_args()


class _Progress:
    """One line that is written over, where a person looks."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.begin = time.monotonic()

    def __call__(self, tally: Tally) -> None:
        if not sys.stderr.isatty():
            return
        rate = tally.total / max(time.monotonic() - self.begin, 1e-9)
        found = len(tally.violations)
        words = f"{tally.total:,} of {self.count:,}, {rate:,.0f} a second"
        print(f"\r{words}, {found} violations ", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Runs, prints the table, keeps violations and writes the page."""
    options = _options()
    os.environ.setdefault("PYTHONHASHSEED", "0")
    numbers = range(options.start, options.start + options.count)
    progress = _Progress(options.count)
    pool = Pool(options.seed, numbers, options.jobs)
    try:
        pool.run(progress)
    except KeyboardInterrupt:
        print("interrupted; what was judged so far:", file=sys.stderr)
    tally = pool.tally
    seconds = time.monotonic() - progress.begin
    if sys.stderr.isatty():
        print(file=sys.stderr)
    text = table(tally, options.seed, numbers)
    print(text)
    print(f"never reached: {', '.join(unreached(tally)) or 'none'}")
    print(f"{tally.total / seconds:,.0f} inputs a second")
    limit_memory()  # what is made small may be what took all memory
    for path in kept(tally, options.seed, options.keep):
        print(f"violation: {path}")
    if options.report:
        written(options.report, text, unreached(tally))
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())

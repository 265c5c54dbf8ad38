"""Measures all systems at full size, and prints or writes the table of them.

python -m tests.parity [--report docs/systems.md] [NAME ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tests.libraries import name_ops_of_torchvision

name_ops_of_torchvision()

import archdsl  # noqa: E402
from tests.parity.lines import of_module, of_spec  # noqa: E402
from tests.parity.systems import Pair, System  # noqa: E402
from tests.parity.zoo import SYSTEMS  # noqa: E402

BEGIN, END = "<!-- written by make parity -->", "<!-- end -->"
HEAD = (
    "spec", "equals", "parameters", "MACs", "float64", "float32", "training",
    "lines", "theirs",
)  # fmt: skip


class Row(NamedTuple):
    """What was measured of a system."""

    system: System
    params: int
    same: bool
    macs: int
    double: float
    single: float
    training: float | None
    lines: int
    theirs: int

    def cells(self) -> Iterator[str]:
        """As the table has them."""
        yield f"`{self.system.spec}`"
        yield self.system.reference + (" (narrow)" if self.system.large else "")
        yield f"{self.params:,}" + ("" if self.same else " **differ**")
        yield f"{self.macs / 1e9:.3f} G"
        yield f"{self.double:.0e}"
        yield f"{self.single:.0e}"
        yield "" if self.training is None else f"{self.training:.0e}"
        yield str(self.lines)
        yield str(self.theirs)


def measured(system: System) -> Row:
    """Compares a system at full size, unless it is too large for that."""
    totals = archdsl.analyze(system.spec).totals
    with torch.device("meta"):
        theirs = system.make()
    count = sum(p.numel() for p in theirs.parameters())
    pair = Pair(system, full=not system.large)
    double, single = pair.gap(), pair.relative_gap()
    training = Pair(system).training() if system.trained else None
    name = system.spec.partition(":")[0]
    return Row(
        system, totals.params, totals.params == count, totals.macs,
        double, single, training, of_spec(name), of_module(theirs),
    )  # fmt: skip


def page(rows: Sequence[Row]) -> str:
    """The tables, one for each family."""
    lines: list[str] = []
    for family in dict.fromkeys(row.system.family for row in rows):
        lines += ["", f"## {family}", "", "| " + " | ".join(HEAD) + " |"]
        lines.append("| --- | --- |" + " ---: |" * (len(HEAD) - 2))
        chosen = [row for row in rows if row.system.family == family]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in chosen]
    return "\n".join([*lines[1:], ""])


def main() -> int:
    """Reads the options and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, help="the page that is rewritten")
    parser.add_argument("names", nargs="*", help="specs; all, if none is named")
    options = parser.parse_args()
    rows = []
    for system in SYSTEMS:
        if options.names and system.spec not in options.names:
            continue
        rows.append(measured(system))
        print(*rows[-1].cells(), sep="  ", flush=True)
    if options.report:
        before, _, rest = options.report.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        text = f"{before}{BEGIN}\n\n{page(rows)}\n{END}{after}"
        options.report.write_text(text, "utf-8")
    wrong = [r for r in rows if not r.same or r.double > 1e-10 or r.single > 1e-5]
    wrong += [r for r in rows if r.training is not None and r.training > 1e-10]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

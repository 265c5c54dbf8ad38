"""Measures all systems at full size, and prints or writes the table of them.

python -m tests.parity [--report docs/systems.md] [NAME ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.libraries import name_ops_of_torchvision

name_ops_of_torchvision()

import archdsl  # noqa: E402
from tests.parity.counting import counted_macs, weightless  # noqa: E402
from tests.parity.lines import of_module, of_spec  # noqa: E402
from tests.parity.systems import Pair, Single, System  # noqa: E402
from tests.parity.zoo import SYSTEMS  # noqa: E402

BEGIN, END = "<!-- written by make parity -->", "<!-- end -->"
HEAD = (
    "spec", "equals", "parameters", "MACs", "float64", "float32", "training",
    "lines", "model file",
)  # fmt: skip


class Row(NamedTuple):
    """What was measured of a system; of the reference, what ends in `theirs`."""

    system: System
    params: int
    params_theirs: int
    macs: int
    macs_theirs: int
    double: float
    single: Single
    training: float | None
    lines: int
    lines_theirs: int

    def cells(self) -> Iterator[str]:
        """As the table has them."""
        yield f"`{self.system.spec}`"
        yield self.system.reference + (" (narrow)" if self.system.large else "")
        yield f"{self.params:,}"
        yield f"{self.macs / 1e9:,.3f} G" + (" *" if self.system.uncounted else "")
        yield rounded(self.double)
        yield rounded(self.single.gap) + ("" if self.single.gap <= 1e-5 else " **")
        yield rounded(self.training)
        yield str(self.lines)
        yield str(self.lines_theirs or "")

    def faults(self) -> Iterator[str]:
        """What is not as it should be."""
        name = self.system.spec
        if self.params != self.params_theirs:
            yield f"{name}: {self.params} parameters, not {self.params_theirs}"
        if self.macs != self.macs_theirs and not self.system.uncounted:
            yield f"{name}: {self.macs} MACs, not {self.macs_theirs}"
        # `not` less, so that what is no number is a fault.
        if not self.double <= 1e-10:
            yield f"{name}: outputs differ by {self.double} in float64"
        if not self.single.fine:
            yield f"{name}: outputs differ by {self.single.gap} in float32"
        if self.training is not None and not self.training <= 1e-10:
            yield f"{name}: training differs by {self.training}"


def rounded(gap: float | None) -> str:
    """A difference; none at all is a plain 0."""
    return "" if gap is None else f"{gap:.0e}" if gap else "0"


def measured(system: System) -> Row:
    """Compares a system at full size, unless it is too large for that."""
    totals = archdsl.analyze(system.spec, sizes=system.open).totals
    theirs = weightless(system)
    count = sum(p.numel() for p in theirs.parameters())
    pair = Pair(system, full=not system.large)
    double, single = pair.gap(), pair.relative_gap()
    del pair  # a second one beside it may be too much
    training = Pair(system).training() if system.trained else None
    return Row(
        system, totals.params, count, totals.macs, counted_macs(system, theirs),
        double, single, training,
        of_spec(system.spec), of_module(theirs),
    )  # fmt: skip


def page(before: str, rows: Sequence[Row]) -> str:
    """The tables, one for each family; what was not measured stays as it was."""
    lines = {
        line.split(" | ")[0].removeprefix("| "): line
        for line in before.splitlines()
        if line.startswith("| `")
    }
    for row in rows:
        first, *rest = row.cells()
        lines[first] = " | ".join([f"| {first}", *rest]) + " |"
    made: list[str] = []
    for family in dict.fromkeys(system.family for system in SYSTEMS):
        chosen = [each for each in SYSTEMS if each.family == family]
        made += ["", f"## {family[0].upper()}{family[1:]}", ""]
        made += ["| " + " | ".join(HEAD) + " |"]
        made += ["| --- | --- |" + " ---: |" * (len(HEAD) - 2)]
        names = [f"`{each.spec}`" for each in chosen]
        made += [lines[name] for name in names if name in lines]
        reasons = [f"\\* `{s.spec}`: {s.uncounted}." for s in chosen if s.uncounted]
        made += ["", *reasons] if reasons else []
    return "\n".join([*made[1:], ""])


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
        old, _, after = rest.partition(END)
        text = f"{before}{BEGIN}\n\n{page(old, rows)}\n{END}{after}"
        options.report.write_text(text, "utf-8")
    faults = [fault for row in rows for fault in row.faults()]
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

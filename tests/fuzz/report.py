"""What a run says: its table, the codes it never met, the inputs to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archdsl.diagnostics.catalogue import classes
from tests.fuzz.cases import SHARES, case
from tests.fuzz.judge import kind
from tests.fuzz.pool import Tally
from tests.fuzz.shrink import shrunk

OUTCOMES = ["fine", "syntax", "semantic", "limit", "violation"]
_BEGIN, _END = "<!-- written by tests/fuzz -->\n", "<!-- end -->\n"
_EACH = 3  # inputs of one kind of violation that are kept


def table(tally: Tally, seed: int, numbers: range) -> str:
    """The outcomes by the way that inputs were made, as a table of Markdown."""
    head = [
        "",
        "fine",
        "syntax errors",
        "semantic errors",
        "limits",
        "violations",
        "all",
    ]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for way in SHARES:
        counts = [tally.ways[way, outcome] for outcome in OUTCOMES]
        rows.append([way, *(f"{n:,}" for n in (*counts, sum(counts)))])
    counts = [tally.outcomes[outcome] for outcome in OUTCOMES]
    rows.append(["all", *(f"{n:,}" for n in (*counts, tally.total))])
    share = 100 * tally.outcomes["fine"] / max(tally.total, 1)
    some = "" if tally.total == len(numbers) else f"{tally.total:,} of the "
    which = f"{some}inputs {numbers[0]:,} to {numbers[-1]:,} of seed {seed}"
    words = f"{which[0].upper()}{which[1:]}; {share:.1f} % are fine."
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    codes = ", ".join(f"{code} {n:,}" for code, n in sorted(tally.codes.items()))
    return "\n".join([words, "", *lines, "", f"By code: {codes}.", ""])


def unreached(tally: Tally) -> list[str]:
    """Codes of errors and warnings that no input led to."""
    return sorted(classes().keys() - set(tally.codes))


def kept(tally: Tally, seed: int, folder: Path) -> Iterator[Path]:
    """Writes some violations of each kind to files, made small."""
    seen: dict[str, int] = {}
    for index, violation in sorted(tally.violations.items()):
        name = kind(violation)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > _EACH:
            continue
        found = case(seed, index)
        if not violation.startswith("died"):
            found = shrunk(found, violation)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{seed}-{index}.arch"
        given = f"# {found.settings} {found.sizes} {found.outputs}\n"
        head = f"# {' '.join(violation.split())}\n# seed {seed}, input {index}\n{given}"
        path.write_text(head + found.text, encoding="utf-8", errors="replace")
        if found.lib:
            lib = path.with_suffix(".lib.arch")
            lib.write_text(found.lib, encoding="utf-8", errors="replace")
        yield path


def written(page: Path, text: str, never: list[str]) -> None:
    """Puts the table into a page, in the place of the last one."""
    old = page.read_text(encoding="utf-8")
    before, begin, rest = old.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for the table")
    codes = f"Never reached: {', '.join(never) or 'none'}.\n"
    new = f"{before}{_BEGIN}\n{text}\n{codes}\n{_END}{after}"
    page.write_text(new, encoding="utf-8")

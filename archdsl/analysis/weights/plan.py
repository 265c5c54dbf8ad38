"""Plans: which tensor of a checkpoint goes where, and what keeps it from fitting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from archdsl.analysis.weights.expansion import Expanded, Move, counts
from archdsl.analysis.weights.ours import Shape
from archdsl.analysis.weights.steps import Misfit, after
from archdsl.build.checkpoints.layouts import OWN

Held: TypeAlias = Mapping[str, tuple[int, ...]]
"""The shapes of a checkpoint's tensors, by key."""

# What wrappers put before every key: of data parallelism, of torch.compile, and of
# trainers that hold the model in a field.
PREFIXES = ("module.", "_orig_mod.", "model.")


@dataclass(frozen=True)
class Plan:
    """How a checkpoint fills a model, or what keeps it from that.

    Attributes:
        layout: The name of the layout.
        moves: How each of our keys is filled, of those for which everything is there.
        missing: Keys that the file lacks, each with the key of ours that needs it.
        unfilled: Keys of ours that nothing fills.
        surplus: Keys of the file that nothing takes.
        misshapen: What has another shape than is needed.
        dropped: Keys of the file that are left out, as the layout says.
        prefix: What wrappers put before every key of the file.
    """

    layout: str
    moves: tuple[Move, ...]
    missing: tuple[tuple[str, str], ...] = ()
    unfilled: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    misshapen: tuple[Misshapen, ...] = ()
    dropped: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def fits(self) -> bool:
        """Whether all of the file goes to all of the model."""
        return not self.problems

    @property
    def problems(self) -> int:
        """How many keys do not fit."""
        lacks = len(self.missing) + len(self.unfilled)
        return lacks + len(self.surplus) + len(self.misshapen)


@dataclass(frozen=True)
class Misshapen:
    """A key of ours for which the tensor has another shape, or cannot be made."""

    ours: str
    shape: Shape
    theirs: tuple[str, ...]
    found: tuple[int, ...]
    why: str


def fitted(expanded: Expanded, held: Held) -> Plan:
    """What a layout makes of the keys of a file.

    A counter of batches that the file lacks starts at 0; one that the model lacks is
    left out.
    """
    moves: list[Move] = []
    missing: dict[str, str] = {}
    misshapen: list[Misshapen] = []
    taken: set[str] = set()
    for key, shape in expanded.ours.items():
        move = expanded.moves.get(key)
        lacks = [k for k in move.theirs if k not in held] if move else [key]
        if lacks and counts(key):
            move, lacks = Move(key, shape, (), "zeros"), []
        if move is None:
            continue
        taken.update(move.theirs)
        missing |= {name: key for name in lacks if name not in missing}
        wrong = None if lacks else _misshapen(move, held)
        if wrong is not None:
            misshapen.append(wrong)
        elif not lacks:
            moves.append(move)
    left = [key for key in held if key not in taken]
    dropped = [k for k in left if any(d.fullmatch(k) for d in expanded.drops)]
    gone = {*dropped, *filter(counts, left)}
    surplus = tuple(k for k in left if k not in gone)
    return Plan(
        expanded.layout, tuple(moves), tuple(missing.items()), expanded.unfilled,
        surplus, tuple(misshapen), tuple(dropped),
    )  # fmt: skip


def _misshapen(move: Move, held: Held) -> Misshapen | None:
    if move.fill:
        return None
    found = held[move.theirs[0]]
    try:
        shape = _shape(move, [held[key] for key in move.theirs])
    except Misfit as misfit:
        return Misshapen(move.ours, move.shape, move.theirs, found, str(misfit))
    if shape == move.shape:
        return None
    why = f"{bracketed(shape)} is not {bracketed(move.shape)}"
    return Misshapen(move.ours, move.shape, move.theirs, found, why)


def called(layout: str) -> str:
    """``checkpoint timm``, or what the model's own layout is called."""
    return "its own keys" if layout == OWN else f"checkpoint {layout}"


def bracketed(shape: Sequence[object]) -> str:
    """``[64, 3, 7, 7]``."""
    return f"[{', '.join(map(str, shape))}]"


def _shape(move: Move, held: Sequence[tuple[int, ...]]) -> Shape:
    shape: Shape = held[0]
    if len(held) > 1:
        if any(not s or s[1:] != held[0][1:] for s in held):
            raise Misfit("what is concatenated has different shapes")
        shape = (sum(s[0] for s in held), *held[0][1:])
    for step in move.steps:
        shape = after(step, shape, move.shape)
    if move.cut is None:
        return shape
    rows = shape[0] if shape else 0
    bounds = move.cut.bounds(rows) if isinstance(rows, int) else None
    if bounds is None:
        pieces = " + ".join("…" if s is None else str(s) for s in move.cut.sizes)
        raise Misfit(f"{rows} rows are not {pieces}")
    return (bounds[1] - bounds[0], *shape[1:])


def best(layouts: Iterable[Expanded], held: Held) -> Plan:
    """The plan of the first layout that fits; the nearest one if none does."""
    nearest: Plan | None = None
    layouts = tuple(layouts)
    for prefix, names in _bare(held):
        for layout in layouts:
            plan = replace(fitted(layout, names), prefix=prefix)
            if plan.fits:
                return plan
            if nearest is None or plan.problems < nearest.problems:
                nearest = plan
    assert nearest is not None
    return nearest


def _bare(held: Held) -> Iterator[tuple[str, Held]]:
    """A file's keys as they are, then without what wrappers put before all of them."""
    prefix = ""
    yield prefix, held
    while held:
        found = [p for p in PREFIXES if all(key.startswith(p) for key in held)]
        if not found:
            return
        prefix += found[0]
        held = {key.removeprefix(found[0]): shape for key, shape in held.items()}
        yield prefix, held

"""Reports: how the keys of a checkpoint map to those of a model, as tables."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.analysis.part import Part
from archdsl.analysis.tables import Column, Table
from archdsl.analysis.weights.expansion import Expanded, Move
from archdsl.analysis.weights.ours import Shape
from archdsl.analysis.weights.plan import Plan, bracketed, called

_NONE = "-"


class Mapped(Part):
    """One key of the model.

    Attributes:
        theirs: The checkpoint's keys that it comes from; none where it is made up.
        step: What happens on the way.
        ours: The model's key.
        shape: Its shape; formulas where sizes are open.
        problem: Why it cannot be filled, or "".
    """

    theirs: tuple[str, ...]
    step: str
    ours: str
    shape: tuple[int | str, ...]
    problem: str = ""


class WeightsReport(Part):
    """How a checkpoint maps to a model.

    Attributes:
        model: The model's name.
        layout: The layout of the keys, "archdsl" for the model's own.
        fits: Whether every key is filled and every tensor taken; None without a file.
        prefix: What stands before every key of the file.
        keys: Every key of the model, in order.
        surplus: Keys of the file that nothing takes.
        dropped: Keys of the file that are left out on purpose.
    """

    model: str
    layout: str
    fits: bool | None
    prefix: str
    keys: tuple[Mapped, ...]
    surplus: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def tables(self) -> tuple[Table, ...]:
        """The mapping, what would fail first, and what is left over."""
        found = [self._table("keys", self._title(), self.keys)]
        for key, title, names in (
            ("surplus", "Surplus: nothing takes", self.surplus),
            ("dropped", "Left out", self.dropped),
        ):
            if names:
                rows = tuple((self.prefix + name,) for name in names)
                columns = (Column("theirs", "theirs"),)
                found.append(Table(key, f"{title} {len(names)}", columns, rows))
        return tuple(found)

    def _title(self) -> str:
        name = called(self.layout)
        if self.fits is None:
            return f"{self.model}, {name}: {len(self.keys)} keys"
        wrong = sum(bool(key.problem) for key in self.keys)
        if self.fits:
            return f"{self.model}, {name}: fits"
        left = len(self.surplus)
        said = f"{wrong} of {len(self.keys)} keys are not filled, {left} left over"
        return f"{self.model}, {name}: does not fit: {said}"

    def _table(self, key: str, title: str, keys: tuple[Mapped, ...]) -> Table:
        wrong = any(k.problem for k in keys)
        columns = [
            Column("theirs", "theirs"), Column("step", "step"), Column("ours", "ours"),
            Column("shape", "shape"),
        ]  # fmt: skip
        columns += [Column("problem", "problem")] if wrong else []
        # What is wrong stands at the end, where a terminal leaves off.
        ordered = sorted(keys, key=lambda k: bool(k.problem))
        rows = tuple(self._row(each)[: len(columns)] for each in ordered)
        return Table(key, title, tuple(columns), rows)

    def _row(self, key: Mapped) -> tuple[str, ...]:
        theirs = ", ".join(self.prefix + name for name in key.theirs) or _NONE
        return theirs, key.step, key.ours, bracketed(key.shape), key.problem


def of_layout(expanded: Expanded) -> WeightsReport:
    """A layout over the keys of a model, without a file."""
    problems = dict.fromkeys(expanded.unfilled, "no rule fills it")
    keys = _mapped(expanded, problems)
    return WeightsReport(
        model=expanded.model, layout=expanded.layout, fits=None, prefix="", keys=keys
    )


def of_plan(expanded: Expanded, plan: Plan) -> WeightsReport:
    """What a layout makes of a file."""
    lacking = {name for name, _ in plan.missing}
    problems = dict.fromkeys(plan.unfilled, "no rule fills it")
    for key, move in expanded.moves.items():
        if lacking.intersection(move.theirs):
            problems[key] = "missing"
    problems |= {each.ours: each.why for each in plan.misshapen}
    filled = {move.ours: move for move in plan.moves}
    return WeightsReport(
        model=expanded.model,
        layout=expanded.layout,
        fits=plan.fits,
        prefix=plan.prefix,
        keys=_mapped(expanded, problems, filled),
        surplus=plan.surplus,
        dropped=plan.dropped,
    )


def _mapped(
    expanded: Expanded, problems: Mapping[str, str], filled: Mapping[str, Move] = {}
) -> tuple[Mapped, ...]:
    found = []
    for key, shape in expanded.ours.items():
        move = filled.get(key) or expanded.moves.get(key)
        theirs = move.theirs if move else ()
        step = move.step if move else ""
        problem = problems.get(key, "")
        sizes = _sizes(shape)
        found.append(
            Mapped(theirs=theirs, step=step, ours=key, shape=sizes, problem=problem)
        )
    return tuple(found)


def _sizes(shape: Shape) -> tuple[int | str, ...]:
    return tuple(size if isinstance(size, int) else str(size) for size in shape)

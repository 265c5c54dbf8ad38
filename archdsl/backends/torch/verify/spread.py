"""Spread: which positions of what goes into an op an output position depends on.

Each distinct op is tried alone, with the module's own layers, in float64, at a few
output positions. Changing every input position that it says has no part must change
nothing there; changing one that it says has a part must change something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TypeAlias

import torch
from torch import Tensor

from archdsl.analysis.verification import Row, equal, skipped
from archdsl.backends.torch.verify.steps import Place, Steps, Taken, places
from archdsl.backends.torch.verify.subject import Check, Subject
from archdsl.ir.dim import Size
from archdsl.ir.tensor import BATCH, Layout
from archdsl.ir.tensor import Tensor as Type

NAME = "spread"
_TINY = 1e-12  # below it lies what comes through a mask of -100
_DRAWS, _NUMBERS = 200, 100_000  # examples tried at once: that many, of that size
_MANY_MACS, _MOST_MACS = 10**9, 6 * 10**9  # of all tries of one op
_SHARES = (0.0, 1.0, 0.5, 0.3)  # where the output positions lie that are tried
_PLACES = len(_SHARES)
_FEW_IDS = 7  # where no table says how many there are
_MOST_TRIES = 800
_TRIES = 30  # other numbers that are tried before an input counts as without effect

At: TypeAlias = Mapping[str, int]  # a position: the index along each axis
Sources: TypeAlias = Mapping[str, Mapping[str, Sequence[int]]]  # by port and axis


def rows(subject: Subject) -> Iterator[Row]:
    """Tries every distinct op."""
    if subject.left_out:
        yield skipped(NAME, "distinct ops", subject.left_out)
        return
    subject.progress("changing the inputs of every op")
    steps = Steps(subject.plan, subject.shaken)
    wrong, dear, tried = [], [], 0
    for place in _distinct(subject):
        path = ".".join(place.path)
        try:
            trial = _Trial(subject, steps, place)
            if trial.macs > _MOST_MACS and not subject.full:
                dear.append(path)
                continue
            found = trial.wrong()
        except (IndexError, RuntimeError) as error:
            found = "positions that there are", f"{type(error).__name__}: {error}"
        tried += 1
        if found:
            wrong.append(equal(NAME, path, *found))
    yield equal(NAME, "distinct ops as said", tried, tried - len(wrong))
    yield from wrong
    if dear:
        names = ", ".join(dear[:3]) + (f" and {len(dear) - 3} more" * (len(dear) > 3))
        why = f"too many MACs: {names}; --full tries them"
        yield skipped(NAME, f"{len(dear)} distinct ops", why)


def _distinct(subject: Subject) -> Iterator[Place]:
    """The ops that differ in what they do or in what they get, each once."""
    done = set()
    for place in places(subject.plan):
        key = place.op, tuple(place.ins.items())
        if key not in done:
            done.add(key)
            yield place


class _Trial:
    """One op, tried at a few output positions."""

    def __init__(self, subject: Subject, steps: Steps, place: Place) -> None:
        self.subject, self.steps, self.place = subject, steps, place
        self.ins = place.ins
        node = place.node
        self.needs = {port: place.plan.needs[node.id, port] for port in self.ins}
        self.generator = torch.Generator().manual_seed(subject.seed)
        numbers = max(_number(t.numel) for t in (*self.ins.values(), *node.outputs))
        self.reach = place.op.spread(self.ins, node.outputs)
        fit = min(_NUMBERS // max(numbers, 1), _MANY_MACS // max(self.macs, 1))
        self.batch = max(1, min(_DRAWS, fit))

    @property
    def macs(self) -> int:
        """About how many all tries of one example take."""
        axes = sum(1 + len(t.positions) for t in self.ins.values())
        cost = self.subject.costs.node(self.place.plan.graph, self.place.node)
        return self.subject.size(cost.macs) * _PLACES * (1 + 2 * axes)

    def wrong(self) -> tuple[str, str] | None:
        """What it says and what is so, at the first output position where they differ.

        None where they are the same, at all positions that are tried.
        """
        if not self.ins:
            return None
        self.taken = {p: self._drawn(p, t) for p, t in self.ins.items()}
        self.other = {p: self._changed(p, t) for p, t in self.ins.items()}
        self.before = self.steps.one(self.place, self.taken)
        for output, tensor in enumerate(self.place.node.outputs):
            for at in _positions(tensor):
                problem = self._problem(output, at)
                if problem:
                    return problem
        return None

    def _problem(self, output: int, at: At) -> tuple[str, str] | None:
        said = {
            port: {axis: list(reach.sources(at)) for axis, reach in axes.items()}
            for port, axes in self.reach.items()
        }
        where = f"{_bracketed(at)} takes "
        outside = {port: self._outside(port, said) for port in self.taken}
        if self._moves(output, at, outside):
            return f"{where}{_told(said)}", f"{where}more"
        for port, axes in said.items():
            for source in _some(axes):
                if not self._matters(output, at, port, source):
                    missing = f"{where}nothing of {port}{_bracketed(source)}"
                    return f"{where}{_told(said)}", missing
        return None

    def _matters(self, output: int, at: At, port: str, source: At) -> bool:
        """Whether an output position feels an input position.

        A maximum or a relu feels only some changes, so several are tried, ever larger.
        """
        index = _index(self.needs[port], source)
        for turn in range(self._tries):
            ids = self._other_ids() if turn else {}
            taken = ids.get(port, self.taken[port])
            changed = taken.clone()
            if self.ins[port].dtype == "int" and turn % 2 and not self._known:
                changed[index] = self._ids  # larger than all others
            elif self.ins[port].dtype == "int":
                changed[index] = (taken[index] + 1 + turn) % self._ids
            elif self.ins[port].dtype == "bool":
                changed[index] = ~taken[index]
            elif turn == 0:
                changed[index] = self.other[port][index]
            else:
                drawn = torch.randn(changed[index].shape, generator=self.generator)
                changed[index] = drawn.double() * (2 + turn / 4)
            if self._moves(output, at, {port: changed}, ids):
                return True
        return False

    def _other_ids(self) -> Taken:
        """Other ids and truth values, which may say where to look."""
        ids = [p for p, t in self.ins.items() if t.dtype != "float"]
        return {p: self._drawn(p, self.ins[p]) for p in ids}

    def _moves(
        self, output: int, at: At, changed: Taken, ids: Taken | None = None
    ) -> bool:
        """Whether an output position is another one after a change of the inputs.

        Args:
            output: Which result.
            at: The position.
            changed: What some inputs are changed to.
            ids: What others are before and after, where not as they were drawn.
        """
        index = _index(self.place.layouts[output], at)
        taken = {**self.taken, **(ids or {})}
        before = self.steps.one(self.place, taken) if ids else self.before
        after = self.steps.one(self.place, {**taken, **changed})
        x, y = before[output][index], after[output][index]
        if not x.is_floating_point():
            return not torch.equal(x, y)
        same = (x == y) | (x.isnan() & y.isnan())  # a logarithm has no other
        return bool((~same & ~((x - y).abs() <= _TINY)).any())

    def _outside(self, port: str, said: Sources) -> Tensor:
        """An input, changed wherever the op says that it does not look."""
        layout, x = self.needs[port], self.other[port]
        if port not in said:
            return x  # only its sizes are read
        inside = torch.ones([1] * x.dim(), dtype=torch.bool)
        for axis, indices in said[port].items():
            dim = layout.index(axis)
            along = torch.zeros(x.shape[dim], dtype=torch.bool)
            along[list(indices)] = True
            inside = inside & along.view(
                [-1 if i == dim else 1 for i in range(x.dim())]
            )
        return torch.where(inside, self.taken[port], x)

    # -- inputs ----------------------------------------------------------------------

    def _drawn(self, port: str, tensor: Type) -> Tensor:
        many = {BATCH: self.batch} if BATCH in tensor else {}
        type_ = tensor.resized(many).ordered(self.needs[port])
        return self.subject.draw(type_, self.generator, self._ids, torch.float64)

    def _changed(self, port: str, tensor: Type) -> Tensor:
        if tensor.dtype == "int":
            return (self.taken[port] + 1) % self._ids
        if tensor.dtype == "bool":
            return ~self.taken[port]
        return 2 * self._drawn(port, tensor)

    @property
    def _tries(self) -> int:
        """More where ids say where to look, and there is no batch of them."""
        batch = any(BATCH in tensor for tensor in self.ins.values())
        return _TRIES if batch else max(_TRIES, min(_MOST_TRIES, 8 * self._ids))

    @property
    def _known(self) -> bool:
        """Whether it knows certain ids only."""
        return self.place.op.ids(self.ins) is not None

    @property
    def _ids(self) -> int:
        ids = self.place.op.ids(self.ins)
        return _FEW_IDS if ids is None else _number(ids)


# --- positions ----------------------------------------------------------------------


def _number(size: Size) -> int:
    assert isinstance(size, int)
    return size


def _positions(tensor: Type) -> list[At]:
    """The first position, the last, and two between."""
    sizes = {axis: _number(tensor[axis]) for axis in tensor.positions}
    places = [
        {axis: round(share * (size - 1)) for axis, size in sizes.items()}
        for share in _SHARES
    ]
    return _distinct_positions(places)


def _some(axes: Mapping[str, Sequence[int]]) -> list[At]:
    """Some of the positions in a product: its corners, and what lies between."""
    if not prod(map(len, axes.values())):
        return []
    ends = {axis: (found[0], found[-1]) for axis, found in axes.items()}
    middle = {axis: found[len(found) // 2] for axis, found in axes.items()}
    places = [
        {axis: end[0] for axis, end in ends.items()},
        {axis: end[1] for axis, end in ends.items()},
        middle,
        *({**middle, axis: index} for axis in ends for index in ends[axis]),
    ]
    return _distinct_positions(places)


def _distinct_positions(places: Sequence[At]) -> list[At]:
    return list({tuple(at.items()): at for at in places}.values())


def _index(layout: Layout, at: At) -> tuple[int | slice, ...]:
    return tuple(at.get(axis, slice(None)) for axis in layout)


# --- words --------------------------------------------------------------------------


def _bracketed(at: At) -> str:
    return f"[{', '.join(f'{axis} = {index}' for axis, index in at.items())}]"


def _told(said: Sources) -> str:
    ports = [
        f"{port}[{', '.join(f'{a} = {_stretch(found)}' for a, found in axes.items())}]"
        for port, axes in said.items()
    ]
    return " and ".join(ports) or "nothing"


def _stretch(found: Sequence[int]) -> str:
    """Indices in few words: ``3``, ``0 to 6``, ``0, 2, 4``."""
    if len(found) > 2 and found[-1] - found[0] == len(found) - 1:
        return f"{found[0]} to {found[-1]}"
    few = ", ".join(map(str, found[:4]))
    return (few + f" to {found[-1]}" if len(found) > 4 else few) or "none"


CHECK = Check(
    NAME,
    "which input positions an output position of each op depends on",
    rows,
    formulas=False,
)

"""Stages: the parts of a model that work at one resolution, between stem and head.

The resolution of a value is how much coarser its positions are than those of the
input, by the names of the axes: of [H = 224, W = 224] a map of [H = 56, W = 56] is at
/4. Tokens that a map was merged into keep its resolution. A unit is an op or the call
of a block, at the resolution that it puts out; a block is opened where it has several
stages inside. Then

- the stem is what comes first, as long as units change the resolution or have no
  matrix products;
- the head is what comes after the last position has gone, with the norm before it; or,
  in a model that keeps its positions, the lone ops after the last loop or block;
- a stage is all that is in between at one resolution. After the coarsest resolution
  was left for good, as in a decoder, stages are of their own: `up /8`;
- a stage without matrix products, a pool before the head, belongs to what follows it.

Sizes are rounded, since convolutions without padding eat borders: what is within an
eighth of a power of two is that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from archdsl.analysis.cost import Costs, Totals
from archdsl.ir.dim import Poly, Size
from archdsl.ir.graph import Call, Enter, Graph, Node, Path, Ref
from archdsl.ir.tensor import Tensor

STEM, HEAD = "stem", "head"
_NEAR = 1 / 8  # of a power of two, that counts as it
_LARGE = math.lcm(*range(1, 17)) * 2**16  # what stands for a size that is open

Scale = tuple[float, ...]  # of the input's positions to a value's, by axis


@dataclass(frozen=True)
class Stage:
    """A part of a model.

    Attributes:
        label: ``stem``, ``/4``, ``up /4`` or ``head``.
        place: What stages of several models are sorted by.
        units: What it consists of.
        output: The last of what it makes.
        totals: What it costs; all stages of a model cost what the model does.
    """

    label: str
    place: tuple[int, float]
    units: tuple[Unit, ...]
    output: Tensor
    totals: Totals

    @property
    def layers(self) -> str:
        """Its units with matrix products in words: ``patch_merge, 2 swin_block``."""
        busy = [u.name for u in self.units if u.cost.macs != 0]
        counts = Counter(busy or [u.name for u in self.units])
        return ", ".join(f"{n} {name}" if n > 1 else name for name, n in counts.items())


@dataclass(frozen=True)
class Unit:
    """An op, or the call of a block, in a model whose coarser blocks are opened."""

    path: Path
    node: Node
    before: Scale | None
    after: Scale | None
    cost: Totals

    @property
    def name(self) -> str:
        """The op or block."""
        what = self.node.payload
        assert not isinstance(what, Enter)
        return what.graph.name if isinstance(what, Call) else what.name

    @property
    def is_lone(self) -> bool:
        """Whether it is an op outside of blocks and loops."""
        return len(self.path) == 1 and not isinstance(self.node.payload, Call)


def stages(graph: Graph, costs: Costs | None = None) -> tuple[Stage, ...]:
    """The stages of a model, in order.

    Raises:
        SpecError: A formula is too long.
    """
    walk = _Walk(costs or Costs(), _reference(graph))
    entered = {n: walk.scale(t, ()) for n, t in graph.inputs.items()}
    units = list(walk.units(graph, (), entered))
    if not units:
        return ()
    places = _places(units)
    found = []
    for place in sorted(set(places), key=lambda p: p[1]):
        mine = tuple(u for u, p in zip(units, places, strict=True) if p == place)
        cost = Totals.sum([u.cost for u in mine])
        output = mine[-1].node.outputs[0]
        found.append(Stage(place[0], place[1], mine, output, cost))
    return tuple(found)


# --- resolutions --------------------------------------------------------------------


def _reference(graph: Graph) -> dict[str, Size]:
    """The size of each position axis, in the first input that has it."""
    found: dict[str, Size] = {}
    for tensor in graph.inputs.values():
        for axis in tensor.positions:
            found.setdefault(axis, tensor[axis])
    return found


@dataclass
class _Walk:
    """Finds the units of a model with their resolutions and costs."""

    costs: Costs
    reference: Mapping[str, Size]
    counted: set[Path] = field(default_factory=set)

    def scale(self, tensor: Tensor, before: Sequence[Scale | None]) -> Scale | None:
        """How much coarser than the input; None of what has no positions."""
        known = [a for a in tensor.positions if a in self.reference]
        if known:
            return tuple(_ratio(self.reference[a], tensor[a]) for a in known)
        return next(filter(None, before), None) if tensor.positions else None

    def units(
        self, graph: Graph, prefix: Path, entered: Mapping[str, Scale | None]
    ) -> Iterator[Unit]:
        """The units of a graph, blocks of several stages opened."""
        scales: dict[Ref, Scale | None] = {}
        for node in graph:
            if isinstance(node.payload, Enter):
                scales[Ref(node.id)] = entered[node.payload.name]
                continue
            before = {port: scales[ref] for port, ref in node.inputs}
            for i, tensor in enumerate(node.outputs):
                scales[Ref(node.id, i)] = self.scale(tensor, list(before.values()))
            path = prefix + node.path
            if isinstance(node.payload, Call) and self._opens(
                node.payload.graph, before
            ):
                yield from self.units(node.payload.graph, path, before)
                continue
            cost = self.costs.node(graph, node)
            cost = cost.without_weights() if path in self.counted else cost
            self.counted.add(path)
            main = next(iter(before.values()), None)
            yield Unit(path, node, main, scales[Ref(node.id)], cost)

    def _opens(self, graph: Graph, entered: Mapping[str, Scale | None]) -> bool:
        """Whether a block has several stages, so that it is no unit."""
        if graph.scan is not None:
            return False
        return len(self._made(graph) - set(entered.values())) > 1

    def _made(self, graph: Graph) -> set[Scale | None]:
        """The resolutions of what a graph makes, its blocks opened."""
        found: set[Scale | None] = set()
        for node in graph:
            if isinstance(node.payload, Call) and node.payload.graph.scan is None:
                found |= self._made(node.payload.graph)
            found |= {self.scale(tensor, ()) for tensor in node.outputs}
        return found - {None}


def _ratio(whole: Size, part: Size) -> float:
    """How many times a size is another, a power of two where it is near one."""
    ratio = _number(whole) / max(_number(part), 1)
    power = 2.0 ** round(math.log2(ratio)) if ratio > 0 else 1.0
    if abs(ratio / power - 1) <= _NEAR:
        return power
    return float(round(ratio)) if ratio > 1 else 1 / round(1 / ratio)


def _number(size: Size) -> int:
    """A size, with large numbers for what is open."""
    if isinstance(size, int):
        return size
    found = size.substitute(dict.fromkeys(size.symbols, _LARGE))
    assert not isinstance(found, Poly)
    return found


# --- parts --------------------------------------------------------------------------

_Place = tuple[str, tuple[int, float]]  # a label, and what it is sorted by


def _places(units: Sequence[Unit]) -> list[_Place]:
    """The part of the model that each unit belongs to."""
    head = _head(units)
    stem = _stem(units[:head], len(units) if head < len(units) else 0)
    coarse = max((_mean(u.after) for u in units[stem:head] if u.after), default=1.0)
    lowest = max(
        (i for i in range(stem, head) if _mean(units[i].after) >= coarse), default=head
    )
    places: list[_Place] = []
    for i, unit in enumerate(units):
        if i < stem:
            places.append((STEM, (0, 0)))
        elif i >= head:
            places.append((HEAD, (3, 0)))
        else:
            # What has no positions, a gate or a table, is of the stage it stands in.
            scale = unit.after or next(
                (u.after for u in reversed(units[:i]) if u.after), None
            )
            places.append(_stage(scale, up=i > lowest and _mean(scale) < coarse))
    return _joined(units, places)


def _stage(scale: Scale | None, *, up: bool) -> _Place:
    mean = _mean(scale)
    if up:
        return f"up {_label(scale)}", (2, -mean)
    return _label(scale), (1, mean)


def _label(scale: Scale | None) -> str:
    """``/4``, ``/8x4`` where axes differ, ``x2`` where it is finer than the input."""
    words = list(dict.fromkeys(scale or (1.0,)))
    if len(words) == 1 and words[0] < 1:
        return f"x{1 / words[0]:g}"
    whole = scale if len(words) > 1 and scale else words
    return "/" + "x".join(f"{word:g}" for word in whole)


def _mean(scale: Scale | None) -> float:
    """The geometric mean of the axes."""
    if not scale:
        return 0.0
    return math.prod(scale) ** (1 / len(scale))


def _head(units: Sequence[Unit]) -> int:
    """The index of the first unit of the head."""
    last = max((i for i, u in enumerate(units) if u.after is not None), default=-1)
    start = last + 1
    if start == len(units):
        while start > 0 and units[start - 1].is_lone and _keeps(units[start - 1]):
            start -= 1
        return start or len(units)
    while start > 1 and units[start - 1].is_lone and _is_norm(units[start - 1]):
        start -= 1
    return start


def _keeps(unit: Unit) -> bool:
    return unit.before is None or unit.before == unit.after


def _is_norm(unit: Unit) -> bool:
    """Whether it has weights, and no matrix products."""
    return unit.cost.params != 0 and unit.cost.macs == 0 and _keeps(unit)


def _stem(units: Sequence[Unit], otherwise: int) -> int:
    """The index of the first unit after the stem; `otherwise` if all would be stem."""
    for i, unit in enumerate(units):
        if _keeps(unit) and unit.before is not None and unit.cost.macs != 0:
            return i
    return min(otherwise, len(units))


def _joined(units: Sequence[Unit], places: list[_Place]) -> list[_Place]:
    """Stages without matrix products given to what follows them."""
    busy = {p for u, p in zip(units, places, strict=True) if u.cost.macs != 0}
    kept: list[_Place] = []
    runs = [(place, len(list(run))) for place, run in groupby(places)]
    for i, (place, count) in enumerate(runs):
        idle = place not in busy and place[0] not in (STEM, HEAD)
        following = runs[i + 1][0] if i + 1 < len(runs) else place
        kept += [following if idle else place] * count
    return kept

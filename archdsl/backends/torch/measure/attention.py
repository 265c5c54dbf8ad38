"""What attention attends to: how far, how evenly, and maps of it.

Dosovitskiy et al. 2021, An Image Is Worth 16x16 Words, figures 6 and 7.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from archdsl.analysis.places import Site, sites
from archdsl.backends.torch.measure.listening import listening
from archdsl.backends.torch.measure.standing import field_of, ranks
from archdsl.backends.torch.measure.trial import Trial, Turns, Unmeasurable
from archdsl.ops.attention import Attention
from archdsl.ops.window_attention import WindowAttention

if TYPE_CHECKING:
    import torch

    from archdsl.ir.graph import Graph

MOST_CELLS = 64  # of a side of a map of two sequences: longer ones are averaged


Rows: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class AttentionLayer:
    """How one layer attends, averaged over inputs, queries and turns of a scan.

    Attributes:
        path: The layer.
        distances: For each head, the mean over queries of the distance to the keys,
            weighted by attention, in positions of the input (pixels, words); keys and
            queries that lie nowhere, such as a class token, are left out. None where
            nothing is known of where they lie.
        uniform: That of attention that is the same to all keys that a query sees.
        entropies: For each head, the mean entropy of a query's weights in bits: with n
            keys alike, log2(n).
        query: The place that the maps are of, by axis of the input; empty for the query
            that lies nowhere, None where the maps have a row a query.
        maps: For each head a picture, row by row. Of a layer on a map, what one query
            gives to each place; of a layer on a sequence, the keys of each query, where
            long ones are averaged.
    """

    path: str
    distances: tuple[float, ...] | None
    uniform: float | None
    entropies: tuple[float, ...]
    query: Mapping[str, float] | None
    maps: tuple[Rows, ...]


@dataclass(frozen=True)
class AttentionFindings:
    """What the attention of a model does.

    Attributes:
        model: The model.
        samples: Over how many draws of inputs, and weights, it is averaged.
        trained: Whether the weights were given.
        layers: Every layer with attention, in order.
    """

    model: str
    samples: int
    trained: bool
    layers: tuple[AttentionLayer, ...]


# --- measuring ----------------------------------------------------------------------


def measure(
    trial: Trial,
    samples: int = 1,
    query: Mapping[str, float] | None = None,
    turns: Turns = iter,
) -> AttentionFindings:
    """How far and where each head of a model attends (Dosovitskiy et al. 2021, fig. 7).

    Each sample has an input of its own, and weights of its own where none are given.

    Args:
        trial: What to run.
        samples: How many draws to average.
        query: The place of the query that maps are of, by axis of the input; where none
            is named, the class token if there is one, and else the middle.
        turns: Shows how far it is.

    Raises:
        Unmeasurable: There is no attention, or no such place in an input.
    """
    import torch

    _check_place(trial.graph, query or {})
    known: dict[str, list[Site]] = {}
    for site in sites(trial.graph):
        if isinstance(site.node.payload, Attention | WindowAttention):
            known.setdefault(".".join(site.path), []).append(site)
    if not known:
        kinds = "attention and window_attention"
        raise Unmeasurable(f"`{trial.graph.name}` has no attention ({kinds})")
    listener = _Listener(known, query or {})
    model = None
    for turn in turns(range(samples)):
        if model is None or trial.weights is None:
            model = trial.model(turn)
        listener.calls.clear()
        with torch.no_grad(), listening(model, listener):
            model(*trial.inputs(turn))
    layers = tuple(kept.layer(use) for (_, use), kept in listener.kept.items())
    trained = trial.weights is not None
    return AttentionFindings(trial.graph.name, samples, trained, layers)


def _check_place(graph: Graph, place: Mapping[str, float]) -> None:
    """That some input has the place.

    Raises:
        Unmeasurable: None has.
    """
    tensors = graph.inputs.values()
    there = {axis for tensor in tensors for axis in tensor.positions}
    for axis, index in place.items():
        if axis not in there:
            has = f"there are {', '.join(sorted(there))}" if there else "there are none"
            raise Unmeasurable(f"no input has positions along {axis}; {has}")
        last = max(int(str(t[axis])) for t in tensors if axis in t.positions) - 1
        if index > last:
            raise Unmeasurable(f"{axis} = {index:g} is outside of the input: {axis} has"
                               f" indices 0 to {last}")  # fmt: skip


class _Listener:
    """Hands what is heard of each layer to those who keep it."""

    def __init__(
        self, known: Mapping[str, list[Site]], query: Mapping[str, float]
    ) -> None:
        self.known = known
        self.query = query
        self.calls: Counter[str] = Counter()  # of this run
        self.kept: dict[tuple[str, int], _Kept] = {}

    def __call__(self, path: str, weights: torch.Tensor, seen: torch.Tensor) -> None:
        while path and path not in self.known:
            path = path.rpartition(".")[0]  # a part of an op's module
        if path not in self.known:
            return
        # A layer that is used twice attends twice; a scan's turns are one use.
        uses = self.known[path]
        use = min(self.calls[path], len(uses) - 1)
        self.calls[path] += 1
        if (path, use) not in self.kept:
            self.kept[path, use] = _Kept(uses[use], self.query)
        self.kept[path, use].add(weights, seen)


class _Kept:
    """What is kept of one layer's weights, call after call."""

    def __init__(self, site: Site, query: Mapping[str, float]) -> None:
        import torch

        self.site = site
        self.field = field_of(site)
        self.query = {a: q for a, q in query.items() if self._axis(a)}
        self.calls = 0
        self.far: torch.Tensor = torch.zeros(())
        self.even: torch.Tensor = torch.zeros(())
        self.bits: torch.Tensor = torch.zeros(())
        self.maps: torch.Tensor = torch.zeros(())

    def _axis(self, name: str) -> bool:
        return any(a.partition(".")[2] == name for a in self.field.axes)

    def add(self, weights: torch.Tensor, seen: torch.Tensor) -> None:
        """Takes the weights of one call in."""
        import torch

        weights = self._grouped(weights.cpu())
        if not self.calls:
            alike = self._grouped(seen.cpu())[:1, :, :1]
            self.even = self._distance(alike.to(weights.dtype))
        self.calls += 1
        self.bits = self.bits + torch.special.entr(weights).sum(-1).mean((0, 1, 3))
        self.far = self.far + self._distance(weights)
        self.maps = self.maps + self._maps(weights.mean(0))

    def _grouped(self, weights: torch.Tensor) -> torch.Tensor:
        """(…, heads, queries, keys) as (batch, groups, heads, queries, keys)."""
        if isinstance(self.site.node.payload, WindowAttention):
            *batch, _, queries, keys = weights.shape
            return weights.reshape(*batch, len(self.field.keys), -1, queries, keys)
        return weights.flatten(0, -4)[:, None]

    def _distance(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean distance of each head; NaN where nothing is known."""
        import torch

        there = (~self.field.apart.isnan()).to(weights.dtype)
        apart = self.field.apart.nan_to_num().to(weights.dtype)
        far = torch.einsum("bghqk,gqk->hbgq", weights, apart)
        whole = torch.einsum("bghqk,gqk->hbgq", weights, there)
        return (far.double() / whole).flatten(1).nanmean(1)

    # -- maps ------------------------------------------------------------------------

    def _maps(self, weights: torch.Tensor) -> torch.Tensor:
        """(groups, heads, queries, keys) as pictures: (heads, rows, columns)."""
        if len(self.field.axes) > 1:
            return self._of_query(weights)
        return self._of_all(weights)

    def chosen(self) -> tuple[int, int]:
        """The group and the number of the query that maps are of."""
        queries = self.field.queries
        nowhere = queries.isnan().any(-1)
        if not self.query and bool(nowhere[0].any()) and len(queries) == 1:
            return 0, int(nowhere[0].int().argmax())
        flat = queries.flatten(0, 1)
        middle = flat.nan_to_num().amax(0) / 2
        names = [a.partition(".")[2] for a in self.field.axes]
        wanted = [self.query.get(n, m) for n, m in zip(names, middle, strict=True)]
        apart = (flat - flat.new_tensor(wanted)).square().sum(-1)
        best = int(apart.nan_to_num(math.inf).argmin())
        return best // queries.shape[1], best % queries.shape[1]

    def _of_query(self, weights: torch.Tensor) -> torch.Tensor:
        """What one query gives to each place of a map."""
        group, number = self.chosen()
        rows, columns = (self.field.keys[..., -2], self.field.keys[..., -1])
        down, across = (ranks(rows), ranks(columns))
        size = int(down.max()) + 1, int(across.max()) + 1
        picture = weights.new_zeros(weights.shape[1], *size)
        here = weights[group, :, number]  # (heads, keys)
        there = ~self.field.keys[group].isnan().any(-1)
        picture[:, down[group][there], across[group][there]] = here[:, there]
        return picture

    def _of_all(self, weights: torch.Tensor) -> torch.Tensor:
        """The keys of each query, groups one after another along the diagonal."""
        from torch.nn.functional import adaptive_avg_pool2d

        groups, heads, asking, asked = weights.shape
        whole = weights.new_zeros(heads, groups * asking, groups * asked)
        for i in range(groups):
            down = self._order(self.field.queries, i, asking)
            across = self._order(self.field.keys, i, asked)
            whole[:, down[:, None], across] = weights[i]
        rows, columns = whole.shape[1:]
        shape = min(MOST_CELLS, rows), min(MOST_CELLS, columns)
        return adaptive_avg_pool2d(whole, shape)

    def _order(self, places: torch.Tensor, group: int, size: int) -> torch.Tensor:
        """Which rows of the whole a group's are: by place, if windows have shifted."""
        import torch

        if len(places) == 1 or not self.field.axes or bool(places.isnan().any()):
            return torch.arange(group * size, (group + 1) * size)
        return ranks(places[..., 0])[group]

    # -- the end ---------------------------------------------------------------------

    def layer(self, use: int) -> AttentionLayer:
        """The record of a layer, of its `use` if there are several."""
        far = self.far / self.calls
        known = not bool(far.isnan().any())
        path = ".".join(self.site.path) + (f" ({use + 1})" if use else "")
        maps = (self.maps / self.calls).tolist()
        return AttentionLayer(
            path,
            tuple(far.tolist()) if known else None,
            float(self.even) if known else None,
            tuple((self.bits / self.calls / math.log(2)).tolist()),
            self._chosen_place(),
            tuple(tuple(map(tuple, rows)) for rows in maps),
        )

    def _chosen_place(self) -> dict[str, float] | None:
        if len(self.field.axes) < 2:
            return None
        group, number = self.chosen()
        place = self.field.queries[group, number].tolist()
        names = [a.partition(".")[2] for a in self.field.axes]
        pairs = zip(names, place, strict=True)
        return {n: p for n, p in pairs if not math.isnan(p)}

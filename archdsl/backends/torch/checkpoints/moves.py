"""Moving tensors from a checkpoint into a model, as a plan says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from archdsl.analysis.weights.expansion import Move
from archdsl.analysis.weights.plan import Plan
from archdsl.analysis.weights.steps import rows
from archdsl.build.checkpoints.steps import Step

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Moved(Mapping[str, "Tensor"]):
    """The tensors of a checkpoint under our keys, each made when it is asked for.

    Args:
        plan: A plan that fits.
        held: The checkpoint's tensors, by its own keys.
    """

    def __init__(self, plan: Plan, held: Mapping[str, Tensor]) -> None:
        assert plan.fits
        self._moves = {move.ours: move for move in plan.moves}
        self._held = held
        self._prefix = plan.prefix

    def __getitem__(self, key: str) -> Tensor:
        move = self._moves[key]
        if move.fill:
            import torch

            make = torch.zeros if move.fill == "zeros" else torch.ones
            dtype = torch.int64 if not move.shape else self.dtype
            return make(_numbers(move), dtype=dtype)
        return moved(move, [self._held[self._prefix + name] for name in move.theirs])

    def __iter__(self) -> Iterator[str]:
        return iter(self._moves)

    def __len__(self) -> int:
        return len(self._moves)

    @property
    def dtype(self) -> torch.dtype:
        """The type that most of its tensors of floating point have."""
        import torch

        taken = {name for m in self._moves.values() for name in m.theirs}
        types = (self._held[self._prefix + name].dtype for name in sorted(taken))
        common = Counter(t for t in types if t.is_floating_point).most_common(1)
        return common[0][0] if common else torch.float32


def fill(model: nn.Module, tensors: Moved) -> None:
    """Puts all tensors into a model, which takes their type of floating point.

    Everything is read before anything is changed.
    """
    import torch

    state = dict(tensors)
    types = {t.dtype for t in state.values() if t.is_floating_point()}
    model.to(types.pop() if len(types) == 1 else torch.float32)
    model.load_state_dict(state, strict=True)


def _numbers(move: Move) -> tuple[int, ...]:
    return tuple(size for size in move.shape if isinstance(size, int))


def moved(move: Move, tensors: list[Tensor]) -> Tensor:
    """The tensor of one of our keys, from those that it is made of."""
    import torch

    found = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
    for step in move.steps:
        found = _STEPS[step.name](found, step, move)
    if move.cut is not None:
        bounds = move.cut.bounds(len(found))
        assert bounds is not None
        found = found[bounds[0] : bounds[1]]
    return found.contiguous()


# --- steps --------------------------------------------------------------------------


def _transpose(x: Tensor, step: Step, move: Move) -> Tensor:
    return x.mT if x.dim() == 2 else x


def _reshape(x: Tensor, step: Step, move: Move) -> Tensor:
    return x.reshape(_numbers(move))


def _flip(x: Tensor, step: Step, move: Move) -> Tensor:
    return x.flip(int(str(step.arguments["dim"])))


def _rotary(x: Tensor, step: Step, move: Move) -> Tensor:
    """Rows in pairs within each head, as two halves of it."""
    heads = int(str(step.arguments["heads"]))
    pairs = x.reshape(heads, -1, 2, *x.shape[1:])
    return pairs.transpose(1, 2).reshape(x.shape)


def _interpolate(x: Tensor, step: Step, move: Move) -> Tensor:
    """Bicubic over the grid, the rows before it as they are."""
    import torch
    import torch.nn.functional as F

    goal = _numbers(move)
    tokens, before, after = rows(step, tuple(x.shape), goal)
    if before == after:
        return x.reshape(goal)
    table = x.reshape(-1, x.shape[-1])
    grid = table[tokens:].T.reshape(1, -1, *before)
    resized = F.interpolate(
        grid if grid.dtype == torch.float64 else grid.float(),
        size=after,
        mode="bicubic",
        antialias=bool(step.arguments.get("antialias", False)),
        align_corners=bool(step.arguments.get("align_corners", False)),
    )
    made = resized.flatten(2)[0].T.to(x.dtype)
    return torch.cat([table[:tokens], made]).reshape(goal)


_STEPS: dict[str, Callable[[Tensor, Step, Move], Tensor]] = {
    "transpose": _transpose,
    "reshape": _reshape,
    "flip": _flip,
    "rotary": _rotary,
    "interpolate": _interpolate,
}

"""Receptive fields by trial: change a stretch of an input, and look what changes.

What the static analysis claims (`archdsl.analysis.receptive_field`) is held against
this by tests and by `archdsl verify`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from archdsl.analysis.ids import known_ids
from archdsl.ir.graph import Graph
from archdsl.ir.tensor import Tensor as Type

if TYPE_CHECKING:
    from torch import Tensor, nn

THRESHOLD = 1e-13
"""The least change that counts, as a share of the largest number in an output.

In float64 the masks of -100 that shifted windows use leak exp(-100) across the seam,
far below this, and what does not depend on a change comes out the same to the bit.
"""


class Way(NamedTuple):
    """Along what a field is measured."""

    output: str
    input: str
    axis: str


Felt: TypeAlias = "Mapping[Way, Tensor]"
"""Bools: first the position along the input's axis, then the output's positions."""


def felt(
    graph: Graph,
    module: nn.Module,
    inputs: Sequence[Tensor],
    others: Sequence[Tensor],
) -> Felt:
    """Which positions of each output feel which stretches of each input.

    For each axis of each input and each index along it, all that stands at that index
    is replaced, and the module run again: as many runs as the axes are long together.
    A relu or a maximum feels a change only sometimes, so give some 16 examples; the
    module should be in float64 and in inference, its weights drawn at random.

    Args:
        graph: The model, its sizes known.
        module: What it was compiled to.
        inputs: What is put in, in the model's order.
        others: As many again: what replaces it.

    Returns:
        For each output, input and axis of it, a tensor of bools ``[n, …]``: whether
        index i of the n is felt at a position of the output, whose axes stand in the
        order of its type.
    """
    import torch

    before = _run(graph, module, inputs)
    found: dict[Way, list[Tensor]] = {}
    for i, (name, tensor) in enumerate(graph.inputs.items()):
        for axis in tensor.positions:
            size, dim = tensor[axis], tensor.names.index(axis)
            assert isinstance(size, int)
            for index in range(size):
                changed = inputs[i].clone()
                changed.select(dim, index).copy_(others[i].select(dim, index))
                after = _run(graph, module, [*inputs[:i], changed, *inputs[i + 1 :]])
                for output, old in before.items():
                    moved = _moved(graph, output, old, after[output])
                    found.setdefault(Way(output, name, axis), []).append(moved)
    return {way: torch.stack(rows) for way, rows in found.items()}


def _run(
    graph: Graph, module: nn.Module, inputs: Sequence[Tensor]
) -> dict[str, Tensor]:
    """The results by name, a list's items as ``name.0`` and so on."""
    import torch

    with torch.no_grad():
        result = module(*inputs)
    names = graph.result_names
    heads = list(dict.fromkeys(name.partition(".")[0] for name in names))
    groups = result if len(heads) > 1 else {heads[0]: result}
    found = [
        item
        for head in heads
        for item in (
            [groups[head]] if isinstance(groups[head], torch.Tensor) else groups[head]
        )
    ]
    return dict(zip(names, found, strict=True))


def _moved(graph: Graph, output: str, before: Tensor, after: Tensor) -> Tensor:
    """Where an output changed, its axes in the order of its positions."""
    i = graph.result_names.index(output)
    order, positions = graph.result_orders[i], graph.outputs[i].positions
    largest = before.abs().max().clamp(min=1e-30)
    moved = (after - before).abs() > THRESHOLD * largest
    for dim in reversed(range(len(order))):
        if order[dim] not in positions:
            moved = moved.any(dim)
    left = [axis for axis in order if axis in positions]
    return moved.permute([left.index(axis) for axis in positions])


# --- what is put in -----------------------------------------------------------------


def drawn(graph: Graph, examples: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Random inputs in float64, ids small enough for every embedding.

    Args:
        graph: The model, its sizes known.
        examples: The size of each batch axis.
        seed: Another one gives other inputs.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    known = min((v for v in known_ids(graph) if isinstance(v, int)), default=2)
    found = []
    for tensor in graph.inputs.values():
        shape = _shape(tensor, examples)
        if tensor.dtype == "float":
            found.append(torch.randn(shape, generator=generator, dtype=torch.float64))
            continue
        most = 2 if tensor.dtype == "bool" else known
        ids = torch.randint(most, shape, generator=generator)
        found.append(ids.bool() if tensor.dtype == "bool" else ids)
    return tuple(found)


def replaced(inputs: Sequence[Tensor], seed: int = 1) -> tuple[Tensor, ...]:
    """Other inputs, different everywhere: numbers twice as wide, other ids."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    found = []
    for x in inputs:
        if x.dtype == torch.bool:
            found.append(~x)
        elif x.is_floating_point():
            new = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            found.append(2 * new)
        else:
            found.append(torch.where(x > 0, x - 1, x + 1))
    return tuple(found)


def _shape(tensor: Type, examples: int) -> list[int]:
    sizes = [examples if axis == "B" else size for axis, size in tensor.axes]
    return [size for size in sizes if isinstance(size, int)]

"""Bytes of tensors in a run of a module, measured by watching it; imports torch.

What is watched are storages: tensors that share memory count once. Parameters and
buffers of the module are not counted, nor are the buffers of bytes in which oneDNN
keeps what it needs of a recurrent layer: they are no tensors of the model, and their
size is another on every machine.
"""

from __future__ import annotations

import sys
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from traceback import walk_stack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def saved_bytes(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Bytes that autograd holds for the backward pass when a forward pass is done.

    Runs the module as it is, in training or in inference. Inputs that are held count
    too. Only what the results need is counted: what is held for a value that leads to
    no result is given back before.

    Args:
        module: What is run.
        inputs: Its arguments.
    """
    import torch

    held = _held(module)
    found: weakref.WeakSet[_Saved] = weakref.WeakSet()

    def pack(tensor: Tensor) -> _Saved:
        saved = _Saved(tensor)
        found.add(saved)
        return saved

    with (
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor),
    ):
        results = module(*inputs)
    sizes = {}
    for saved in found:
        if saved.tensor.dtype == torch.uint8:
            continue
        storage = saved.tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
    del results
    return sum(size for place, size in sizes.items() if place not in held)


class _Saved:
    """What autograd holds in place of a tensor; dies when the tensor is given back."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()


def peak_bytes(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """The most bytes of tensors that live at once in a run without gradients.

    The inputs and the results count. Memory that a kernel of PyTorch takes for itself
    and gives back before it ends is not seen.

    Args:
        module: What is run.
        inputs: Its arguments.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    live = _Live(_held(module))
    # What was done, where it was put, and where in the source that stands.
    before = deque([("", 0, (0, 0))] * 2, maxlen=2)

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self,
            func: object,
            types: Sequence[type],
            args: tuple[object, ...] = (),
            kwargs: Mapping[str, object] | None = None,
        ) -> object:
            if func is torch.ops.aten.add.Tensor and _is_in_place(before, args):
                func = torch.ops.aten.add_.Tensor
            result = func(*args, **(kwargs or {}))  # type: ignore[operator]
            found = list(_tensors(result))
            place = found[0].data_ptr() if found else 0
            before.append((str(func), place, _caller()))
            live.see(found)
            return result

    live.see(inputs)
    with torch.no_grad(), Watch():  # type: ignore[no-untyped-call]
        module(*inputs)
    return live.most


class _Live:
    """The storages that live, by their address."""

    def __init__(self, held: set[int]) -> None:
        self.held = held
        self.sizes: dict[int, int] = {}
        self.most = 0

    def see(self, tensors: Iterable[Tensor]) -> None:
        """Counts tensors for as long as they live."""
        import torch

        for tensor in tensors:
            storage = tensor.untyped_storage()
            place = storage.data_ptr()
            known = place in self.held or place in self.sizes
            if not known and tensor.dtype != torch.uint8:
                self.sizes[place] = storage.nbytes()
                weakref.finalize(storage, self.sizes.pop, place)
                self.most = max(self.most, sum(self.sizes.values()))


def _caller() -> tuple[int, int]:
    """Where the call stands that is being watched: a frame, and a place in its code."""
    own = (__file__, "_python_dispatch.py")
    for frame, _ in walk_stack(sys._getframe()):
        if not frame.f_code.co_filename.endswith(own):
            return id(frame), frame.f_lasti
    return 0, 0


def _is_in_place(
    before: Sequence[tuple[str, int, tuple[int, int]]], args: tuple[object, ...]
) -> bool:
    """Whether a sum is one that PyTorch makes in place when it is not watched.

    So it adds the bias of a linear map that had to copy its input, be it the first map
    of a recurrent layer, and the mask of attention by products of matrices.
    """
    from torch.nn.modules import linear, rnn

    frames = islice(walk_stack(sys._getframe()), 6)
    files = {frame.f_code.co_filename for frame, _ in frames}
    if linear.__file__ in files:
        return True
    same = next(_tensors(args)).data_ptr() == before[1][1]
    if rnn.__file__ in files:
        return same and "view" in before[1][0]
    # A sum that stands in the source after a product is none of attention's.
    return same and "aten.bmm" in before[0][0] and before[1][2] == _caller()


def _held(module: nn.Module) -> set[int]:
    """The addresses of the storages that a module holds."""
    tensors = [*module.parameters(), *module.buffers()]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}


def _tensors(value: object) -> Iterator[Tensor]:
    """All tensors in the result of an operation."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)

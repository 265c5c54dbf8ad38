"""What a compiled model takes in memory, without running it."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archdsl.backends.torch.module import class_name, write
from archdsl.backends.torch.shadow.modules import Module
from archdsl.backends.torch.shadow.namespace import importer
from archdsl.backends.torch.shadow.storage import (
    Ledger,
    Note,
    Unknown,
    notes,
    opened,
)
from archdsl.backends.torch.shadow.tensor import Shadow
from archdsl.ir.dim import Poly, Size, substitute
from archdsl.ir.graph import Graph

_DTYPES = {"float": "float32", "int": "int64", "bool": "bool"}


@dataclass(frozen=True)
class Usage:
    """Bytes of tensors in one run of a compiled model, in float32.

    Attributes:
        saved: Held for the backward pass when a forward pass in training is done; a
            storage that several tensors share counts once, parameters and buffers do
            not.
        places: The same, by the path of the module that first holds a storage and the
            function of PyTorch, in the order of the forward pass.
        peak: The most that lives at once in inference, inputs and results included.
    """

    saved: int
    places: Mapping[tuple[str, str], int]
    peak: int


def usage(
    graph: Graph,
    sizes: Mapping[str, int] | None = None,
    *,
    learned_inputs: bool = False,
) -> Usage:
    """What a model takes in memory.

    Args:
        graph: The graph of a model.
        sizes: A number for each symbol, where sizes are open.
        learned_inputs: Whether the inputs need gradients too.

    Raises:
        SpecError: The model cannot be compiled.
        Unknown: An op of a plugin uses what the stand-in does not know.
    """
    model = _built(graph, write(graph))
    numbers: Mapping[str, Size] = sizes or {}
    try:
        saved = _saved(graph, model, numbers, learned_inputs)
        peak = _peak(graph, model, numbers)
    except (AttributeError, TypeError) as error:
        raise _unknown(error) from error
    return Usage(sum(saved.values()), saved, peak)


def _unknown(error: AttributeError | TypeError) -> Unknown:
    """What is missing from the stand-in, in words."""
    if isinstance(error, AttributeError) and error.name:
        return Unknown(f"what `{error.name}` of PyTorch takes")
    return Unknown(f"what a call of PyTorch takes: {error}")


def _built(graph: Graph, source: str) -> Module:
    scope: dict[str, object] = {"__name__": "archdsl_shadow"}
    scope["__builtins__"] = {**vars(builtins), "__import__": importer()}
    code = compile(source, f"<archdsl {graph.name}, without numbers>", "exec")
    with opened(Ledger(grad=False, building=True)):
        try:
            exec(code, scope)
            made = scope[class_name(graph)]
            assert isinstance(made, type)
            model = made()
        except (AttributeError, TypeError) as error:
            raise _unknown(error) from error
    assert isinstance(model, Module)
    model.place("")
    return model


def _inputs(graph: Graph, sizes: Mapping[str, Size]) -> list[Shadow]:
    inputs = []
    for tensor in graph.inputs.values():
        shape = [substitute(size, sizes) for _, size in tensor.axes]
        assert not any(isinstance(size, Poly) for size in shape)
        numbers = [size for size in shape if isinstance(size, int)]
        inputs.append(Shadow(numbers, _DTYPES[tensor.dtype]))
    return inputs


def _saved(
    graph: Graph, model: Module, sizes: Mapping[str, Size], learned: bool
) -> dict[tuple[str, str], int]:
    model.train(True)
    with opened(Ledger(grad=True)):
        inputs = _inputs(graph, sizes)
        for x in inputs:
            x.needs = learned and x.dtype == "float32"
        result = model(*inputs)
        ends = [t.note for t in _tensors(result) if t.note is not None]
        return _counted(notes(ends))


def _counted(found: Sequence[Note]) -> dict[tuple[str, str], int]:
    places: Counter[tuple[str, str]] = Counter()
    known = set[int]()
    for note in sorted(found, key=lambda n: n.number):
        for storage in note.saved:
            if id(storage) not in known and not storage.held:
                known.add(id(storage))
                places[note.place, note.what] += storage.nbytes
    return dict(places)


def _tensors(value: object) -> list[Shadow]:
    if isinstance(value, Shadow):
        return [value]
    parts = list(value.values()) if isinstance(value, Mapping) else value
    assert isinstance(parts, Sequence)
    return [tensor for part in parts for tensor in _tensors(part)]


def _peak(graph: Graph, model: Module, sizes: Mapping[str, Size]) -> int:
    model.train(False)
    with opened(Ledger(grad=False)) as ledger:
        model(*_inputs(graph, sizes))
        return ledger.most

"""Memory of a compiled model, as a part of its report."""

from __future__ import annotations

from archdsl.analysis.cost import Costs, blaming
from archdsl.analysis.memory.find import number
from archdsl.analysis.memory.names import Optimizer, Precision
from archdsl.analysis.memory.result import CachedBytes, HeldBytes, Memory
from archdsl.analysis.memory.states import caches, states
from archdsl.backends.torch.shadow.formula import Fitted, Point, fitted, open_sizes
from archdsl.backends.torch.shadow.run import Usage, usage
from archdsl.backends.torch.shadow.storage import Unknown
from archdsl.diagnostics import SpecError
from archdsl.ir.dim import Size
from archdsl.ir.graph import Graph


def memory(graph: Graph, optimizer: Optimizer, precision: Precision) -> Memory:
    """The bytes that a model takes, in training and in inference.

    Args:
        graph: The model.
        optimizer: Whose state is counted.
        precision: Of weights, gradients and caches; activations are in float32.

    Raises:
        SpecError: A formula grows too long.
    """
    held = states(Costs().total(graph), optimizer, precision)
    found, places, unknown = _activations(graph)
    saved, peak = found.sizes or (None, None)
    with blaming(graph.span):
        fixed = held.weights + held.buffers
        between = fixed + held.gradients + held.optimizer
        return Memory(
            precision=precision,
            optimizer=optimizer,
            weights=number(held.weights),
            gradients=number(held.gradients),
            optimizer_state=number(held.optimizer),
            buffers=number(held.buffers),
            saved=_known(saved),
            peak=_known(peak),
            training=None if saved is None else number(between + saved),
            inference=None if peak is None else number(fixed + peak),
            saved_by_layer=places,
            caches=_cached(graph, precision),
            multiples=found.step,
            unknown=unknown,
        )


def _known(size: Size | None) -> int | str | None:
    return None if size is None else number(size)


def _activations(graph: Graph) -> tuple[Fitted, tuple[HeldBytes, ...], str]:
    """What is saved and the peak, the parts of the first, and what hinders."""
    try:
        if not open_sizes(graph):
            found = usage(graph)
            return Fitted((found.saved, found.peak)), _places(found), ""

        def figures(point: Point) -> tuple[int, int]:
            there = usage(graph, point)
            return there.saved, there.peak

        formulas = fitted(graph, figures)
    except Unknown as error:
        return Fitted((None, None)), (), f"not known: {error}"
    except SpecError:
        why = "with these open sizes the model does not compile"
        return Fitted((None, None)), (), why
    if formulas.sizes in ((), (None, None)):
        return formulas, (), "no formula fits; give the axes numbers with --size"
    why = "no formula fits the peak; give the axes numbers with --size"
    return formulas, (), why if formulas.sizes[1] is None else ""


def _places(found: Usage) -> tuple[HeldBytes, ...]:
    return tuple(
        HeldBytes(path=path, function=what, bytes=size)
        for (path, what), size in found.places.items()
    )


def _cached(graph: Graph, precision: Precision) -> tuple[CachedBytes, ...]:
    return tuple(
        CachedBytes(
            path=".".join(one.path),
            cross=one.cross,
            position_bytes=number(one.each),
            positions=number(one.positions),
            bytes=number(one.nbytes),
        )
        for one in caches(graph, precision)
    )

"""Weights: of every layer by name and shape, in total, and in the state dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypeAlias

from torch import nn

from archdsl.analysis.verification import Row, equal
from archdsl.analysis.weights.ours import keys
from archdsl.backends.torch.verify.steps import Place, places
from archdsl.backends.torch.verify.subject import Check, Subject

NAME = "params"

Held: TypeAlias = Mapping[str, str]  # shapes by name


def rows(subject: Subject) -> Iterator[Row]:
    """Compares them."""
    module, total = subject.weightless, subject.costs.total(subject.graph)
    learned, buffers = list(module.parameters()), list(module.buffers())
    yield equal(
        NAME, "params", subject.size(total.params), sum(p.numel() for p in learned)
    )
    trained = sum(p.numel() for p in learned if p.requires_grad)
    yield equal(NAME, "trainable params", subject.size(total.trainable), trained)
    yield equal(
        NAME, "buffers", subject.size(total.buffers), sum(b.numel() for b in buffers)
    )
    held = (
        subject.size(total.weight_bytes),
        sum(p.numel() * p.element_size() for p in learned),
    )
    yield equal(NAME, "bytes of params", *held)
    held = (
        subject.size(total.buffer_bytes),
        sum(b.numel() * b.element_size() for b in buffers),
    )
    yield equal(NAME, "bytes of buffers", *held)
    yield from _layers(subject)
    yield from _keys(subject)


def _layers(subject: Subject) -> Iterator[Row]:
    """What each layer holds."""
    first: dict[tuple[str, ...], Place] = {}
    for place in places(subject.plan):
        first.setdefault(place.path, place)
    wrong = []
    for path, place in first.items():
        said, found = _said(place), _found(subject.weightless, place)
        if said != found:
            wrong.append(equal(NAME, ".".join(path), *_told(said, found)))
    yield equal(NAME, "layers as said", len(first), len(first) - len(wrong))
    yield from wrong


def _said(place: Place) -> Held:
    return {
        w.name: _shape(w.shape, w.learned, w.frozen, w.itemsize)
        for w in place.op.weights(place.ins)
    }


def _found(module: nn.Module, place: Place) -> Held:
    if place.plan.emits[place.node.id].make is None:
        return {}
    layer = module.get_submodule(".".join(place.path))
    pairs = chain(layer.named_parameters(), layer.named_buffers())
    return {
        name: _shape(
            tuple(x.shape),
            isinstance(x, nn.Parameter),
            isinstance(x, nn.Parameter) and not x.requires_grad,
            x.element_size(),
        )
        for name, x in pairs
    }


def _shape(
    shape: tuple[object, ...],
    learned: bool,
    frozen: bool,
    itemsize: int,
) -> str:
    words = " frozen" if frozen else "" if learned else " held"
    size = "" if itemsize == 4 else f" of {itemsize} bytes"
    return f"[{', '.join(map(str, shape))}]{words}{size}"


def _told(said: Held, found: Held) -> tuple[str, str]:
    """What only one of two has, or has otherwise."""
    mine = [f"{n} {s}" for n, s in said.items() if found.get(n) != s]
    theirs = [f"{n} {s}" for n, s in found.items() if said.get(n) != s]
    return ", ".join(mine) or "none", ", ".join(theirs) or "none"


def _keys(subject: Subject) -> Iterator[Row]:
    """The names in the state dict."""
    said = set(keys(subject.graph))
    found = set(subject.weightless.state_dict())
    yield equal(NAME, "names in the state dict", len(said), len(found))
    for name in sorted(said ^ found):
        yield equal(NAME, name, *(_there(name in s) for s in (said, found)))


def _there(has: bool) -> str:
    return "there" if has else "not there"


CHECK = Check(
    NAME,
    "the weights and buffers of every layer, in total, and in the state dict",
    rows,
)

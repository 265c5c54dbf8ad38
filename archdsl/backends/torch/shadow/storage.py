"""Memory as PyTorch has it: storages, who holds them, and what autograd keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

MOST = 1_000_000  # tensors of a run


class Unknown(Exception):
    """What the stand-in does not know of PyTorch, or will not run."""


@dataclass(eq=False)
class Ledger:
    """What a run has in memory.

    Attributes:
        grad: Whether autograd takes notes.
        live: Bytes of the storages that are alive, those of the module left out.
        most: The most that `live` ever was.
        building: Whether storages belong to the module that is being made.
        path: The modules that are at work, the innermost last.
        count: How many notes autograd has taken.
        made: How many storages there were.
    """

    grad: bool
    live: int = 0
    most: int = 0
    building: bool = False
    path: list[str] = field(default_factory=list)
    count: int = 0
    made: int = 0


_current: ContextVar[Ledger] = ContextVar("ledger")


def ledger() -> Ledger:
    """The ledger of the run that goes on."""
    return _current.get()


@contextmanager
def opened(found: Ledger) -> Iterator[Ledger]:
    """Storages that are made inside are written into a ledger."""
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)


class Storage:
    """Some bytes, given back when nothing refers to them any more."""

    __slots__ = ("held", "ledger", "nbytes")

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.ledger = ledger()
        self.held = self.ledger.building  # by the module
        if not self.held:
            self.ledger.live += nbytes
            self.ledger.most = max(self.ledger.most, self.ledger.live)
            self.ledger.made += 1
            if self.ledger.made > MOST:
                raise Unknown(f"what more than {MOST:,} tensors take")

    def __del__(self) -> None:
        if not self.held:
            self.ledger.live -= self.nbytes


class Note:
    """What autograd writes down for one operation.

    Attributes:
        number: Its place in the order of the run.
        place: The path of the layer that it happened in.
        what: The function of PyTorch.
        saved: The storages that the backward pass will read.
        before: The notes of the operations that made the inputs.
    """

    __slots__ = ("before", "number", "place", "saved", "what")

    def __init__(
        self, what: str, saved: tuple[Storage, ...], before: tuple[Note, ...]
    ) -> None:
        here = ledger()
        here.count += 1
        self.number = here.count
        self.place = here.path[-1] if here.path else ""
        self.what = what
        self.saved = saved
        self.before = before


def notes(ends: list[Note]) -> list[Note]:
    """All notes that lead to some, each once, the latest first."""
    found: list[Note] = []
    known = set[int]()
    todo = list(ends)
    while todo:
        note = todo.pop()
        if id(note) not in known:
            known.add(id(note))
            found.append(note)
            todo += note.before
    return found

"""When Python looks for cycles of objects that nobody holds any more.

Looking for some takes a third of the time of reading and elaborating a spec, and more
the larger it is, as most of what is made is needed to the end. So it waits; but a file
and its definitions hold one another, and a process that reads many specs has to find
those that are done with.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MOST = 400_000  # objects that are made without a search: some 60 MB
SHARE = 4  # or so much of what there is, if that is more: searching it takes longer


@dataclass
class _Tally:
    """What this process has made unsearched."""

    open: int = 0  # how many `uncollected` will turn the search on again
    made: int = 0  # objects since the last search through all
    bound: int = MOST


_tally = _Tally()


@contextmanager
def uncollected() -> Iterator[None]:
    """Without a search for cycles, but for one through all when many objects are made.

    What was made goes to the oldest generation at the end, as if it had been looked
    through. Where the search is off or objects are frozen, it is left at that.
    """
    was = gc.isenabled()
    if was:
        gc.disable()
        _tally.open += 1
    try:
        yield
    finally:
        if _tally.open and not gc.get_freeze_count():
            _aside()
        if was:
            _tally.open -= 1
            gc.enable()


def _aside() -> None:
    """Puts what is young into the oldest generation, which is searched if it is due.

    Python itself searches that one when it has grown by a quarter, too; but what comes
    there in this way is not in its count.
    """
    young, searched, _ = gc.get_count()
    _tally.made += young + searched * gc.get_threshold()[0]
    due = _tally.made > _tally.bound
    if due:
        gc.collect()
    gc.freeze()
    if due:
        _tally.made, _tally.bound = 0, max(MOST, gc.get_freeze_count() // SHARE)
    gc.unfreeze()

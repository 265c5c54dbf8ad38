"""Files of weights: where they are, what is in them, and writing them.

`resolve` finds one, here or on the Hub; `keys` tells what it holds; `tensors` reads it
and `write` makes one. Nothing that is read is ever run.
"""

from archdsl.backends.torch.checkpoints.faults import CheckpointError, NoCheckpoint
from archdsl.backends.torch.checkpoints.files import (
    keys,
    metadata,
    tensors,
    write,
)
from archdsl.backends.torch.checkpoints.header import Entry
from archdsl.backends.torch.checkpoints.places import resolve

__all__ = [
    "CheckpointError",
    "Entry",
    "NoCheckpoint",
    "keys",
    "metadata",
    "resolve",
    "tensors",
    "write",
]

"""What can be wrong with a file of weights."""

from __future__ import annotations

NEEDED = "the Hub needs huggingface_hub: pip install 'archdsl[hub]'"


class CheckpointError(ValueError):
    """A file of weights is not what it should be, or cannot be read or written.

    The message begins with the file's name and says what to do, where that is known.
    """


class NoCheckpoint(CheckpointError, FileNotFoundError):
    """There is no such file, or no such repository."""


class Unreached(NoCheckpoint):
    """The Hub cannot be reached, and what is asked for was not fetched before."""

"""Files of the Hub, by huggingface_hub, where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.backends.torch.checkpoints.faults import (
    NEEDED,
    CheckpointError,
    NoCheckpoint,
    Unreached,
)

if TYPE_CHECKING:
    from archdsl.backends.torch.checkpoints.places import HubId


def fetch(asked: HubId, name: str) -> Path | None:
    """A file of a repository, from the cache or the network; None if it has no such.

    Raises:
        Unreached: The Hub cannot be reached, and the file was not fetched before.
        NoCheckpoint: There is no such repository or revision.
        CheckpointError: huggingface_hub is not installed, or does not get on.
    """
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ModuleNotFoundError:
        raise CheckpointError(f"{asked.repo}: {NEEDED}") from None

    where = asked.repo + (f"@{asked.revision}" if asked.revision else "")
    try:
        found = huggingface_hub.hf_hub_download(
            asked.repo, name, revision=asked.revision
        )
    except errors.LocalEntryNotFoundError:
        words = f"the Hub cannot be reached, and {name} was not fetched before"
        raise Unreached(f"{where}: {words}") from None
    except errors.EntryNotFoundError:
        return None
    except errors.GatedRepoError:
        words = "a gated repository: ask for access on its page, then `hf auth login`"
        raise NoCheckpoint(f"{where}: {words}") from None
    except errors.RepositoryNotFoundError:
        words = "neither a file here nor a repository on the Hub that you may read"
        raise NoCheckpoint(f"{where}: {words}") from None
    except errors.RevisionNotFoundError:
        raise NoCheckpoint(f"{where}: the repository has no such revision") from None
    except Exception as error:  # of whichever client it talks HTTP with
        words = str(error).strip().splitlines()[0] if str(error).strip() else "failed"
        raise CheckpointError(f"{where}: {words}") from None
    return Path(found)

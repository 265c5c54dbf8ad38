"""What a compiled model can do besides: save itself with its architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from archdsl.backends.torch.checkpoints.faults import NEEDED, CheckpointError

if TYPE_CHECKING:
    from torch import nn

    from archdsl.backends.torch.mixin import Hub


def pretrained(plain: type[nn.Module]) -> type[nn.Module]:
    """A compiled class with the methods of `Pretrained`, called as the plain one."""
    names = ("__module__", "__qualname__", "__doc__")
    made = type(
        plain.__name__, (plain, Pretrained), {n: getattr(plain, n) for n in names}
    )
    return cast("type[nn.Module]", made)


class Pretrained:
    """The methods of huggingface_hub's PyTorchModelHubMixin, which does the work.

    The mixin is imported when one is called, since most models are never saved so.
    """

    def save_pretrained(
        self, save_directory: str | Path, **options: object
    ) -> str | None:
        """Writes weights, architecture and a model card into a folder.

        Args:
            save_directory: The folder, made if it is not there.
            options: Those of `PyTorchModelHubMixin.save_pretrained`.

        Raises:
            CheckpointError: The weights cannot be written, the model was changed after
                it was compiled, or huggingface_hub is not installed.
        """
        hub = _mixin()(cast("nn.Module", self))
        return hub.save_pretrained(save_directory, **options)  # type: ignore[arg-type]

    def push_to_hub(self, repo_id: str, **options: object) -> str:
        """Uploads what `save_pretrained` writes; returns the address of the commit.

        Args:
            repo_id: ``owner/name``; made if it is not there.
            options: Those of `PyTorchModelHubMixin.push_to_hub`.

        Raises:
            CheckpointError: As of `save_pretrained`.
        """
        options.setdefault("model_card_kwargs", {"repo": repo_id})
        hub = _mixin()(cast("nn.Module", self))
        return hub.push_to_hub(repo_id, **options)  # type: ignore[arg-type]

    @classmethod
    def from_pretrained(cls, source: str | Path, **options: object) -> nn.Module:
        """The model of a folder or repository that `save_pretrained` wrote.

        Args:
            source: The folder, or ``owner/name`` on the Hub.
            options: Those of `PyTorchModelHubMixin.from_pretrained`.

        Raises:
            CheckpointError: As of `archdsl.from_pretrained`, or the checkpoint is of
                another architecture than this class.
        """
        hub = _mixin().from_pretrained(source, **options)  # type: ignore[arg-type]
        if not isinstance(hub.module, cls):
            words = (
                f"a checkpoint of {type(hub.module).__name__}, or of another version"
            )
            raise CheckpointError(
                f"{source}: {words} of it, not of this {cls.__name__}"
            )
        return hub.module


def _mixin() -> type[Hub]:
    try:
        from archdsl.backends.torch.mixin import Hub
    except ModuleNotFoundError as error:
        if error.name != "huggingface_hub":
            raise
        raise CheckpointError(NEEDED) from None
    return Hub

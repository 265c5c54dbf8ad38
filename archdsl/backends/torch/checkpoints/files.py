"""Reading and writing files of weights, whatever their format."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from archdsl.backends.files import replacing
from archdsl.backends.torch.checkpoints.faults import CheckpointError, NoCheckpoint
from archdsl.backends.torch.checkpoints.header import CODES, Entry, Header, read_header
from archdsl.backends.torch.checkpoints.shards import INDEX, weight_map

if TYPE_CHECKING:
    from torch import Tensor

SAFE = ".safetensors"
PICKLED = (".pt", ".pth", ".bin", ".ckpt")


def keys(path: Path) -> dict[str, Entry]:
    """Shape and type of each tensor of a file, by name, in the file's order.

    Of safetensors only the header is read, and neither torch nor numpy is imported.

    Args:
        path: A file as of `resolve`: safetensors, one of torch.save, or an index.

    Raises:
        CheckpointError: The file is corrupt, or in no format that is known.
    """
    with _reading(path):
        if path.name.endswith(INDEX):
            return _keys_of_index(path)
        if _is_safe(path):
            return read_header(path).entries
        return _entries(tensors(path))


def metadata(path: Path) -> dict[str, str]:
    """The texts that a safetensors file carries; other files have none.

    Raises:
        CheckpointError: The file is corrupt.
    """
    with _reading(path):
        if path.name.endswith(INDEX):
            return metadata(next(iter(weight_map(path).values())))
        return read_header(path).metadata if _is_safe(path) else {}


def tensors(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file, by name; imports torch.

    Safetensors are mapped into memory and read one by one, when they are asked for. No
    code of a file is ever run.

    Args:
        path: A file as of `resolve`.

    Raises:
        CheckpointError: The file is corrupt, in no format that is known, or could only
            be read by running its code.
    """
    with _reading(path):
        if path.name.endswith(INDEX):
            return _Sharded(weight_map(path))
        if _is_safe(path):
            return _Mapped(path, read_header(path))
        from archdsl.backends.torch.checkpoints.pickles import load_pickle

        return load_pickle(path)


def write(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a safetensors file, whole or not at all: what was there stays on failure.

    Equal tensors and texts make equal bytes. Tensors are taken one by one, so that a
    lazy mapping is never in memory as a whole; each is asked for twice. Tensors that
    share memory are each written in full.

    Args:
        path: The file; its folder exists.
        tensors: By name, on any device, in any layout of memory.
        metadata: Texts to carry.

    Raises:
        CheckpointError: A type is none of safetensors', or the file cannot be written.
    """
    names = sorted(tensors, key=lambda n: (-tensors[n].element_size(), n))
    head: dict[str, object] = {}
    if metadata:
        head["__metadata__"] = dict(sorted(metadata.items()))
    end = 0
    for name in names:
        head[name], end = _place(path, name, tensors[name], end)
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    try:
        with replacing(path) as new, new.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name in names:
                _put(file, tensors[name])
    except CheckpointError:
        raise
    except OSError as error:
        words = f"cannot be written: {error.strerror or error}"
        raise CheckpointError(f"{path}: {words}") from None


def _place(
    path: Path, name: str, tensor: Tensor, begin: int
) -> tuple[dict[str, object], int]:
    """The line of a tensor in the header, and where its bytes end."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in CODES or tensor.is_sparse or tensor.device.type == "meta":
        words = f"{name} is {tensor.layout}, {dtype}, on {tensor.device.type}"
        raise CheckpointError(f"{path}: {words}, which safetensors has no place for")
    end = begin + tensor.numel() * tensor.element_size()
    place = [begin, end]
    shape = list(tensor.shape)
    return {"dtype": CODES[dtype], "shape": shape, "data_offsets": place}, end


def _put(file: IO[bytes], tensor: Tensor) -> None:
    """Writes the bytes of a tensor, without numpy."""
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    size = plain.numel() * plain.element_size()
    if size:
        file.write((ctypes.c_char * size).from_address(plain.data_ptr()))


class _Mapped(Mapping[str, "Tensor"]):
    """The tensors of one safetensors file, which is mapped into memory."""

    def __init__(self, path: Path, header: Header) -> None:
        from safetensors import safe_open

        self._path, self._names = path, header.entries
        self._file = safe_open(str(path), framework="pt", device="cpu")

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        from safetensors import SafetensorError

        try:
            tensor: Tensor = self._file.get_tensor(name)  # type: ignore[no-untyped-call]
        except SafetensorError as error:
            raise CheckpointError(f"{self._path}: {name}: {error}") from None
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Sharded(Mapping[str, "Tensor"]):
    """The tensors of several files, each opened when it is needed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._open: dict[Path, Mapping[str, Tensor]] = {}

    def __getitem__(self, name: str) -> Tensor:
        file = self._files[name]
        if file not in self._open:
            self._open[file] = tensors(file)
        if name not in self._open[file]:
            raise CheckpointError(f"{file}: it has no {name}, which its index promises")
        return self._open[file][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _keys_of_index(path: Path) -> dict[str, Entry]:
    files = weight_map(path)
    found = {file: keys(file) for file in dict.fromkeys(files.values())}
    for name, file in files.items():
        if name not in found[file]:
            raise CheckpointError(f"{file}: it has no {name}, which its index promises")
    return {name: found[file][name] for name, file in files.items()}


def _entries(tensors: Mapping[str, Tensor]) -> dict[str, Entry]:
    return {
        name: Entry(tuple(each.shape), str(each.dtype).removeprefix("torch."))
        for name, each in tensors.items()
    }


def _is_safe(path: Path) -> bool:
    """Whether a file is of safetensors, by its name.

    Raises:
        CheckpointError: Its name is of no format that is known.
    """
    if path.suffix in (SAFE, *PICKLED):
        return path.suffix == SAFE
    known = ", ".join((SAFE, *PICKLED, INDEX))
    raise CheckpointError(f"{path}: weights are in files that end in {known}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What the system says of a file becomes an error of a checkpoint."""
    try:
        yield
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise NoCheckpoint(f"{path}: no such file") from None
    except OSError as error:
        words = error.strerror or str(error)
        raise CheckpointError(f"{path}: cannot be read: {words}") from None

"""The header of a safetensors file: what it holds, without reading the weights.

The format: eight bytes that tell the header's length, a JSON object of names, types,
shapes and places, then the bytes of all tensors without a gap.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from archdsl.backends.torch.checkpoints.faults import CheckpointError

MOST_HEADER = 100_000_000  # bytes, as the safetensors package has it
_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "C64": 64,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F8_E8M0": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "C64": "complex64", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
CODES = {name: code for code, name in _NAMES.items()}


class Entry(NamedTuple):
    """What is known of a tensor that has not been read.

    Attributes:
        shape: Its sizes, in order.
        dtype: The type of its elements, as PyTorch names it: ``float32``.
    """

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Header:
    """The tensors of a file, by name, and its texts."""

    entries: dict[str, Entry]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Reads and checks a header; of the weights, only that all bytes are there.

    Raises:
        CheckpointError: It is no safetensors file, or one that is cut short or corrupt.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length < 2 or length > MOST_HEADER:
            words = foreign(path) or "not a safetensors file"
            raise CheckpointError(f"{path}: {words}")
        if length > size - 8:
            raise _cut(path, 8 + length, size)
        text = file.read(length)
    try:
        found = json.loads(text, object_pairs_hook=_unique)
        if not isinstance(found, dict):
            raise ValueError("the header is no object")
        texts = found.pop("__metadata__", {})
        end = 0
        entries = dict[str, Entry]()
        for name, value in sorted(found.items(), key=_begin):
            entries[name], end = _entry(name, value, end)
        _check_texts(texts)
    except (ValueError, RecursionError) as error:
        words = str(error) or "it is nested too deeply"
        raise CheckpointError(f"{path}: no header of safetensors: {words}") from None
    if size < 8 + length + end:
        raise _cut(path, 8 + length + end, size)
    if size > 8 + length + end:
        more = size - 8 - length - end
        raise CheckpointError(f"{path}: corrupt: {more:,} bytes belong to no tensor")
    return Header({name: entries[name] for name in found}, texts)


def _cut(path: Path, need: int, size: int) -> CheckpointError:
    words = f"cut short: it should have {need:,} bytes and has {size:,}"
    return CheckpointError(f"{path}: {words}; fetch or copy it again")


def foreign(path: Path) -> str:
    """What a file is that people take for weights; "" if that is not known."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "the file is empty"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the weights; run `git lfs pull`"
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return "a file of torch.save; let its name end in .pt"
    return ""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _begin(item: tuple[str, object]) -> tuple[int, int]:
    """Where a tensor lies, to sort by; what is wrong is found when it is checked."""
    value = item[1]
    place = value.get("data_offsets") if isinstance(value, dict) else None
    if isinstance(place, list) and len(place) == 2 and all(map(_is_size, place)):
        return place[0], place[1]
    return 0, 0


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _entry(name: str, value: object, begin: int) -> tuple[Entry, int]:
    """A tensor that should begin at a byte, and where it ends."""
    given = value if isinstance(value, dict) else {}
    code, shape = given.get("dtype"), given.get("shape")
    place = given.get("data_offsets")
    if not isinstance(code, str) or code not in _BITS:
        raise ValueError(f"{name!r} has no type that is known")
    if not isinstance(shape, list) or not all(map(_is_size, shape)):
        raise ValueError(f"{name!r} has no shape")
    if not isinstance(place, list) or not all(map(_is_size, place)) or len(place) != 2:
        raise ValueError(f"{name!r} has no place")
    bits = _BITS[code] * math.prod(shape)
    if place[0] != begin or place[1] != begin + -(-bits // 8):
        raise ValueError(f"{name!r} does not lie where it should")
    return Entry(tuple(shape), _NAMES.get(code, code)), place[1]


def _check_texts(texts: object) -> None:
    if not isinstance(texts, dict) or not all(
        isinstance(text, str) for text in texts.values()
    ):
        raise ValueError("the metadata are no texts")

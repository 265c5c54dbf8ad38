"""An architecture as texts: what a checkpoint carries, so that it needs no spec.

The texts of a spec and of all that it uses travel with what was set of it. Reading
them back asks no file system: `use` finds only the texts themselves, and below them
the specs that ship.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import IO, TypeAlias

from archdsl.build.program import Program, build, read
from archdsl.build.settings import Extent
from archdsl.ir.graph import Graph
from archdsl.source import Source

StrPath: TypeAlias = "str | os.PathLike[str]"

FORMAT = 1  # of `Architecture.to_json`


@dataclass(frozen=True)
class Architecture:
    """A model of a spec, and what was set of it.

    Attributes:
        name: What the spec's file is called.
        text: The text of that file.
        model: The model in it.
        uses: The texts that it uses, by their paths.
        settings: Hyperparameters, as they are written in a spec.
        sizes: Of axes of inputs, as of `archdsl.parse`.
        outputs: The values that come out; none for the model's own outputs.
    """

    name: str
    text: str = field(repr=False)
    model: str
    uses: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, Extent] = field(default_factory=dict)
    outputs: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        program: Program,
        model: str,
        settings: Mapping[str, str],
        sizes: Mapping[str, Extent],
        outputs: Sequence[str],
    ) -> Architecture:
        """The architecture of one model of a program."""
        source = program.module.source
        name = PurePath(source.name).name
        given = dict(settings), dict(sizes), tuple(outputs)
        return cls(name, source.text, model, dict(program.uses), *given)

    def graph(self) -> Graph:
        """The graph of the model, from the texts alone.

        Raises:
            SpecError: The texts are no spec, or not of this version of the language.
        """
        program = read(Source(self.name, self.text), _Folder(self.uses))
        return build(program, self.model, self.settings, self.sizes, self.outputs)

    def to_json(self, version: str) -> str:
        """As one line of JSON, the same for the same architecture."""
        given = {"format": FORMAT, "archdsl": version, **asdict(self)}
        return json.dumps(given, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """What `to_json` wrote.

        Raises:
            ValueError: It is anything else.
        """
        try:
            found = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        return cls.from_dict(found)

    @classmethod
    def from_dict(cls, found: object) -> Architecture:
        """The architecture of a JSON object that was read.

        Raises:
            ValueError: It is none, or of a later version.
        """
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        if found.get("format") != FORMAT:
            made = str(found.get("archdsl"))[:20]
            raise ValueError(f"it was written by another version of archdsl ({made})")
        for name, fits in _FORMS.items():
            if not fits(found.get(name)):
                raise ValueError(f"its {name} is not as it should be")
        return cls(**{name: found[name] for name in _FORMS})


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_sizes(value: object) -> bool:
    return isinstance(value, dict) and all(
        v is None or (isinstance(v, int | str) and not isinstance(v, bool))
        for v in value.values()
    )


_FORMS = {
    "name": _is_text, "text": _is_text, "model": _is_text, "uses": _is_map,
    "settings": _is_map, "sizes": _are_sizes, "outputs": _are_texts,
}  # fmt: skip


class _Folder(Traversable):
    """Texts as a folder of files, in which nothing leads out."""

    def __init__(self, texts: Mapping[str, str], path: str = "") -> None:
        self._texts, self._path = texts, path

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __str__(self) -> str:
        return f"<checkpoint>/{self._path}"

    def joinpath(self, *descendants: StrPath) -> _Folder:
        """A file or folder below this one, whether or not there is one."""
        parts = (self._path, *(os.fspath(each) for each in descendants))
        return _Folder(self._texts, "/".join(filter(None, parts)))

    def __truediv__(self, child: StrPath) -> _Folder:
        return self.joinpath(child)

    def is_file(self) -> bool:
        """Whether a text has this path."""
        return self._path in self._texts

    def is_dir(self) -> bool:
        """Whether texts have paths below this one."""
        return any(each.startswith(f"{self._path}/") for each in self._texts)

    def iterdir(self) -> Iterator[Traversable]:
        """What lies in it is found by name only."""
        return iter(())

    def open(  # type: ignore[override]
        self, mode: str = "rb", *_: object, **__: object
    ) -> IO[bytes]:
        """The text's bytes, whatever the mode."""
        return io.BytesIO(self._texts[self._path].encode("utf-8", "replace"))

    def read_bytes(self) -> bytes:
        """The text's bytes."""
        return self.open().read()

    def read_text(self, encoding: str | None = None) -> str:
        """The text."""
        return self._texts[self._path]

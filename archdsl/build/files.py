"""Files: reading them, and finding what `use` names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from typing import IO

from archdsl.build.origins import first_at
from archdsl.build.values import Definition
from archdsl.build.whereabouts import BindingSite
from archdsl.diagnostics import Diagnostic, Fault, Note
from archdsl.diagnostics.faults.limits import TooDeep, TooMuchWork
from archdsl.diagnostics.faults.names import (
    CyclicUse,
    DefinedTwice,
    ImportMissesName,
    ImportNotFound,
)
from archdsl.source import Source, Span
from archdsl.syntax import parse, tree

DEEPEST_USE = 40
EVERYTHING = "*"  # in `Module.failed`: whatever a file that is not there defines
MOST_TEXT = 1 << 20  # characters of all files that are used
_MOST_BYTES = 1 << 26  # more than any file may have


@dataclass(eq=False)
class Module:
    """A parsed file: its definitions, and what it imports."""

    source: Source
    file: tree.File
    definitions: dict[str, Definition] = field(default_factory=dict)
    variants: dict[str, tuple[tree.Variant, Module]] = field(default_factory=dict)
    own: dict[str, None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)  # names that an error left open
    checkpoints: list[tree.Checkpoint] = field(default_factory=list)
    sites: dict[str, list[BindingSite]] | None = field(default=None, repr=False)

    @property
    def models(self) -> list[str]:
        """The models and variants that this file itself defines, in order."""
        return [name for name in self.own if self.has_model(name)]

    def is_unknown(self, name: str) -> bool:
        """Whether a name may be of what an error, which is reported, left open."""
        return not self.failed.isdisjoint((name, EVERYTHING))

    def has_model(self, name: str) -> bool:
        """Whether this file itself defines a model or variant of that name."""
        if name not in self.own:
            return False
        definition = self.definitions.get(name)
        return name in self.variants or (definition is not None and definition.is_model)


def shipped() -> Traversable:
    """The folder of specs that come with archdsl."""
    return files("archdsl.specs")


def read_text(place: Path | Traversable) -> str:
    """A file's text; bytes that are no text become marks that the parser places."""
    with place.open("rb") as file:
        return decoded(file)


def decoded(file: IO[bytes]) -> str:
    """The text of an open file, or as much of it as shows that it is too large."""
    return file.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")


class Loader:
    """Reads a file and all that it uses, each once, and collects what is wrong."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.uses: dict[str, str] = {}  # texts by their paths, but for the first
        self._modules: dict[str, Module] = {}
        self._open: list[str] = []
        self._size = 0  # of all files used
        self._folder: Path | Traversable | None = None
        self._beside = PurePath()  # that folder, as messages call it

    def load(self, source: Source, folder: Path | Traversable | None) -> Module:
        """The module of a text; `folder` is where it looks for what it uses."""
        self._folder, self._beside = folder, PurePath(source.name).parent
        here = None if folder is None else _Spot(folder)
        return self._load(source, here, source.name)

    def _load(self, source: Source, here: _Spot | None, key: str) -> Module:
        file, diagnostics = parse(source)
        self.diagnostics += diagnostics
        module = self._modules[key] = Module(source, file)
        self._open.append(key)
        for item in file.items:
            if isinstance(item, tree.Missing):
                module.failed.update(item.names, [EVERYTHING] if item.anything else [])
            elif isinstance(item, tree.Use):
                if not self._use(module, item, here):
                    module.failed |= {n.id for n in item.names} or {EVERYTHING}
            elif isinstance(item, tree.Checkpoint):
                module.checkpoints.append(item)
            else:
                self._define(module, item)
        self._open.pop()
        return module

    def _report(self, fault: Fault, span: Span, notes: tuple[Note, ...] = ()) -> None:
        self.diagnostics.append(Diagnostic(fault, span, notes))

    def _twice(self, module: Module, name: str, span: Span) -> None:
        """Reports a second definition, with the first one's place."""
        kinds = tree.Block | tree.Model | tree.Variant
        items = (i for i in module.file.items if isinstance(i, kinds))
        first = next(i.name.span for i in items if i.name.id == name)
        self._report(DefinedTwice(name), span, first_at(name, first))

    def _define(
        self, module: Module, item: tree.Block | tree.Model | tree.Variant
    ) -> None:
        name = item.name.id
        self._check_head(item)
        if name in module.own:
            self._twice(module, name, item.name.span)
            return
        module.own[name] = None
        if isinstance(item, tree.Variant):
            module.variants[name] = (item, module)
            module.definitions.pop(name, None)
        else:
            module.definitions[name] = Definition(item, module)
            module.variants.pop(name, None)

    def _check_head(self, item: tree.Block | tree.Model | tree.Variant) -> None:
        """Reports what the head of a block or model names twice."""
        if isinstance(item, tree.Variant):
            return
        tensors = item.tensors if isinstance(item, tree.Block) else None
        heads = [*(tensors or ()), *[parameter.name for parameter in item.parameters]]
        first: dict[str, Span] = {}
        for head in heads:
            if head.id in first:
                notes = first_at(head.id, first[head.id])
                self._report(DefinedTwice(head.id), head.span, notes)
            first.setdefault(head.id, head.span)

    def _use(self, module: Module, use: tree.Use, here: _Spot | None) -> bool:
        """Brings what a `use` names; False, with a report, if there is no file."""
        found = _find(use.path, here)
        if found is None:
            self._report(ImportNotFound(use.path), use.span)
            return False
        spot, place = found
        key = str(place)
        if key in self._open:
            cycle = [*self._open[self._open.index(key) :], key]
            words = " -> ".join(Path(k).name for k in cycle)
            self._report(CyclicUse(words), use.span)
            return False
        if key not in self._modules and not self._load_used(use, place, spot, key):
            return False
        self._take(module, use, self._modules[key])
        return True

    def _load_used(
        self,
        use: tree.Use,
        place: Path | Traversable,
        spot: _Spot,
        key: str,
    ) -> bool:
        """Reads a file that another uses; False, with a report, if it cannot be."""
        if len(self._open) >= DEEPEST_USE:
            mend = "gather what they define in fewer files"
            self._report(TooDeep("this `use`", DEEPEST_USE, mend), use.span)
            return False
        try:
            text = read_text(place)
        except OSError as error:
            extra = f"; {use.path}.arch cannot be read: {error.strerror}"
            self._report(ImportNotFound(use.path, extra), use.span)
            return False
        self._size += len(text)
        if self._size > MOST_TEXT:
            what = "the files that are used hold too much text"
            self._report(TooMuchWork(what, f"{MOST_TEXT:,} characters"), use.span)
            return False
        name = "/".join((*spot.folder, place.name))
        self.uses[name] = text
        if spot.root is self._folder:
            name = (self._beside / name).as_posix()  # as the user would open it
        self._load(Source(name, text), spot, key)
        return True

    def _take(self, module: Module, use: tree.Use, other: Module) -> None:
        names: Iterable[tuple[str, Span]] = [(n.id, n.span) for n in use.names]
        if not use.names:
            module.failed |= other.failed
        for name, span in names or [(n, use.span) for n in other.own]:
            if name in module.own:
                self._twice(module, name, span)
            elif name in other.definitions:
                module.definitions[name] = other.definitions[name]
            elif name in other.variants:
                module.variants[name] = other.variants[name]
            else:
                module.failed.add(name)
                if not other.is_unknown(name):
                    known = tuple(other.own)
                    self._report(ImportMissesName(use.path, name, known), span)


@dataclass(frozen=True)
class _Spot:
    """Where a file lies: its folder, by names below a root."""

    root: Path | Traversable
    folder: tuple[str, ...] = ()


def _find(path: str, here: _Spot | None) -> tuple[_Spot, Path | Traversable] | None:
    """The file of a `use` in another file, and where it lies.

    A path leads downwards only: beside the file, from the root that this was found
    under, then in the shipped specs.
    """
    *folder, name = path.split("/")
    spots = [_Spot(shipped(), tuple(folder))]
    if here is not None:
        spots.insert(0, _Spot(here.root, tuple(folder)))
        spots.insert(0, _Spot(here.root, (*here.folder, *folder)))
    for spot in spots:
        place = spot.root
        for part in (*spot.folder, f"{name}.arch"):
            place = place / part
        try:
            if place.is_file() and _inside(place, spot.root):
                return spot, place
        except OSError:  # a name that is too long
            continue
    return None


def _inside(place: Path | Traversable, root: Path | Traversable) -> bool:
    """Whether a file really lies under its root, links followed."""
    if isinstance(place, Path) and isinstance(root, Path):
        return place.resolve().is_relative_to(root.resolve())
    return True

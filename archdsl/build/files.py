"""Files: reading them, and finding what `use` names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from typing import IO

from archdsl.build.values import Definition
from archdsl.build.whereabouts import Binding
from archdsl.diagnostics import Diagnostic, Fault, Note
from archdsl.diagnostics.faults import (
    CyclicUse,
    DefinedTwice,
    ImportMissesName,
    ImportNotFound,
    TooDeep,
    TooMuchWork,
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
    failed: set[str] = field(default_factory=set)  # what was to be imported
    bindings: dict[str, list[Binding]] | None = field(default=None, repr=False)

    @property
    def models(self) -> list[str]:
        """The models and variants that this file itself defines, in order."""
        return [name for name in self.own if self.has_model(name)]

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
        self._modules: dict[str, Module] = {}
        self._open: list[str] = []
        self._size = 0  # of all files used
        self._folder: Path | Traversable | None = None
        self._beside = PurePath()  # that folder, as messages call it

    def load(self, source: Source, folder: Path | None) -> Module:
        """The module of a text; `folder` is where it looks for what it uses."""
        self._folder, self._beside = folder, PurePath(source.name).parent
        return self._load(source, folder, f"{source.name}")

    def _load(
        self, source: Source, folder: Path | Traversable | None, key: str
    ) -> Module:
        file, diagnostics = parse(source)
        self.diagnostics += diagnostics
        module = self._modules[key] = Module(source, file)
        self._open.append(key)
        for item in file.items:
            if isinstance(item, tree.Use):
                if not self._use(module, item, folder):
                    module.failed |= {n.id for n in item.names} or {EVERYTHING}
            else:
                self._define(module, item)
        self._open.pop()
        return module

    def _report(self, fault: Fault, span: Span) -> None:
        self.diagnostics.append(Diagnostic(fault, span))

    def _twice(self, module: Module, name: str, span: Span) -> None:
        """Reports a second definition, with the first one's place."""
        items = [i for i in module.file.items if not isinstance(i, tree.Use)]
        first = next(i.name.span for i in items if i.name.id == name)
        note = Note(f"`{name}` is first defined here", first)
        self.diagnostics.append(Diagnostic(DefinedTwice(name), span, (note,)))

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
        names = [] if isinstance(item, tree.Variant) else [*item.parameters]
        heads = [*(getattr(item, "tensors", None) or ()), *(p.name for p in names)]
        first: dict[str, Span] = {}
        for head in heads:
            if head.id in first:
                note = Note(f"`{head.id}` is first defined here", first[head.id])
                fault = DefinedTwice(head.id)
                self.diagnostics.append(Diagnostic(fault, head.span, (note,)))
            first.setdefault(head.id, head.span)

    def _use(
        self, module: Module, use: tree.Use, folder: Path | Traversable | None
    ) -> bool:
        """Brings what a `use` names; False, with a report, if there is no file."""
        found = _find(use.path, folder)
        if found is None:
            beside = f" ({folder})" if isinstance(folder, Path) else ""
            self._report(ImportNotFound(use.path, beside and ""), use.span)
            return False
        place, root = found
        key = str(place)
        if key in self._open:
            cycle = [*self._open[self._open.index(key) :], key]
            words = " -> ".join(Path(k).name for k in cycle)
            self._report(CyclicUse(words), use.span)
            return False
        if key not in self._modules and not self._load_used(use, place, root, key):
            return False
        self._take(module, use, self._modules[key])
        return True

    def _load_used(
        self,
        use: tree.Use,
        place: Path | Traversable,
        root: Path | Traversable,
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
        name = f"{use.path}.arch"
        if root is self._folder:
            name = (self._beside / name).as_posix()  # as the user would open it
        self._load(Source(name, text), root, key)
        return True

    def _take(self, module: Module, use: tree.Use, other: Module) -> None:
        names: Iterable[tuple[str, Span]] = [(n.id, n.span) for n in use.names]
        for name, span in names or [(n, use.span) for n in other.own]:
            if name in module.own:
                self._twice(module, name, span)
            elif name in other.definitions:
                module.definitions[name] = other.definitions[name]
            elif name in other.variants:
                module.variants[name] = other.variants[name]
            else:
                known = tuple(other.own)
                module.failed.add(name)
                self._report(ImportMissesName(use.path, name, known), span)


def _find(
    path: str, folder: Path | Traversable | None
) -> tuple[Path | Traversable, Path | Traversable] | None:
    """The file of a `use`, and the root that its own uses start from.

    A path leads downwards from a root only: beside the file, then the shipped specs.
    """
    parts = path.split("/")
    parts[-1] += ".arch"
    for root in (folder, shipped()):
        if root is None:
            continue
        place = root
        for part in parts:
            place = place / part
        try:
            if place.is_file() and _inside(place, root):
                return place, root
        except OSError:  # a name that is too long
            continue
    return None


def _inside(place: Path | Traversable, root: Path | Traversable) -> bool:
    """Whether a file really lies under its root, links followed."""
    if isinstance(place, Path) and isinstance(root, Path):
        return place.resolve().is_relative_to(root.resolve())
    return True

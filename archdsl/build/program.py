"""A spec as a whole: which models it has, and the graph of one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl.build.body import Body
from archdsl.build.files import Loader, Module
from archdsl.build.session import MOST_ERRORS, Exhausted, Session
from archdsl.build.settings import (
    Extent,
    extent,
    typed,
    with_outputs,
    with_settings,
    written,
)
from archdsl.build.specialise import elaborate
from archdsl.build.values import Definition, StepValue
from archdsl.diagnostics import Diagnostic, Fault, SpecError
from archdsl.diagnostics.faults.limits import TooDeep
from archdsl.diagnostics.faults.models import (
    BadSetting,
    EmptyFile,
    UnknownModel,
    WhichModel,
)
from archdsl.garbage import uncollected
from archdsl.ir.graph import Graph
from archdsl.source import Source, Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.build.checkpoints.layouts import Layouts

_DEEPEST = 5_000  # Python frames; pure Python ones do not use the C stack


@dataclass(frozen=True)
class Program:
    """A file and all that it uses, read and parsed.

    Attributes:
        module: The file.
        diagnostics: Errors of its text and of those that it uses.
        uses: The texts that it uses, by their paths below its folder or the specs that
            ship.
    """

    module: Module
    diagnostics: tuple[Diagnostic, ...]
    uses: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def models(self) -> list[str]:
        """The models and variants that the file defines."""
        return self.module.models


def read(source: Source, folder: Path | Traversable | None = None) -> Program:
    """Parses a spec and the files it uses.

    Args:
        source: The text.
        folder: Where `use` looks before it looks in the shipped specs.
    """
    loader = Loader()
    module = loader.load(source, folder)
    return Program(module, tuple(loader.diagnostics), loader.uses)


def build(
    program: Program,
    model: str = "",
    settings: Mapping[str, str] | None = None,
    sizes: Mapping[str, Extent] | None = None,
    outputs: Sequence[str] = (),
    made: dict[object, Graph | None] | None = None,
) -> Graph:
    """The graph of one model.

    Args:
        program: A file that was read.
        model: Its name; "" for the only one, or the one named as the file.
        settings: Hyperparameters to override, their values as written in a spec.
        sizes: Input axes to override; None leaves an axis open, and ``"32*n"`` makes it
            so much of a symbol.
        outputs: What comes out instead of the model's outputs: names of its values, or
            paths of its layers; what they do not need is left out. None for all.
        made: Specialisations of blocks that earlier builds of this very program made,
            to use again; those of this build are added.

    Raises:
        SpecError: With every error that was found.
    """
    session = Session(memo={} if made is None else made)
    graph = None
    with _limits(session, program.module):
        name = model or _default_model(session, program.module)
        graph = _build(session, program.module, name, settings or {}, sizes or {})
        if graph is not None and outputs:
            graph = with_outputs(session, graph, outputs)
    found = (*program.diagnostics, *session.diagnostics)
    if found or graph is None:
        session.forget_failures()
        raise SpecError(found)
    return graph


class Signature(NamedTuple):
    """What can be set of a model: its hyperparameters, and the axes of its inputs."""

    model: str
    hyperparameters: tuple[str, ...]
    axes: tuple[str, ...]
    inputs: int
    definition: Definition


@dataclass(frozen=True)
class Checked:
    """The errors of a file, and the graphs of the models that have none.

    Attributes:
        diagnostics: What is wrong.
        graphs: Those of models that are right, in order.
        layouts: Those that its checkpoints declare, if it has any.
    """

    diagnostics: tuple[Diagnostic, ...]
    graphs: tuple[Graph, ...] = ()
    layouts: Layouts | None = None


def check(program: Program, model: str = "") -> Checked:
    """Every error of a file: of its text, and of each of its models.

    Args:
        program: The file.
        model: One that must be among them, if a name is given.
    """
    if len(program.diagnostics) > MOST_ERRORS:
        return Checked(program.diagnostics)
    session, graphs, layouts = Session(), [], None
    session.diagnostics += program.diagnostics
    with _limits(session, program.module), _kept(session):
        if not program.module.own:
            _default_model(session, program.module)
        elif model:
            _has_model(session, program.module, model)
        for name in program.models:
            if not _is_open(program.module, name):
                session.next_model()
                graph = _build(session, program.module, name, {}, {}, promising=True)
                graphs.append(graph)
        if program.module.checkpoints:
            from archdsl.build.checkpoints.layouts import Layouts

            layouts = Layouts(program.module, session)
            layouts.check()
    made = tuple(g for g in graphs if g is not None)
    return Checked(tuple(session.diagnostics), made, layouts)


def signature(program: Program, model: str = "") -> Signature:
    """The model that is meant, and what can be set of it, nothing being elaborated.

    Raises:
        SpecError: There is no such model, or its file has errors.
    """
    session = Session()
    step = None
    with _limits(session, program.module):
        model = model or _default_model(session, program.module)
        step = _model(session, program.module, model) if model else None
    found = (*program.diagnostics, *session.diagnostics)
    if found or step is None:
        raise SpecError(found)
    definition = step.target
    assert isinstance(definition, Definition)
    statements = definition.node.body.statements
    inputs = [s for s in statements if isinstance(s, tree.Input)]
    axes = dict.fromkeys(a.id for s in inputs for a in s.shape.axes)
    names = tuple(p.name.id for p in definition.node.parameters)
    return Signature(model, names, tuple(axes), len(inputs), definition)


def _is_open(module: Module, name: str) -> bool:
    """Whether a model has hyperparameters without a value, so that variants fill it."""
    definition = module.definitions.get(name)
    return definition is not None and _lacks(definition)


def _lacks(definition: Definition) -> bool:
    return any(p.default is None for p in definition.node.parameters)


@contextmanager
def _limits(session: Session, module: Module) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEPEST))
    try:
        with uncollected():
            yield
    except Exhausted:
        pass
    except RecursionError:
        session.report(TooDeep("this spec", 200), _start(module))
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _kept(session: Session) -> Iterator[None]:
    """An error of what is installed is one of a spec's."""
    try:
        yield
    except SpecError as error:
        session.diagnostics += error.diagnostics


def _start(module: Module) -> Span:
    items = module.file.items
    if not items:
        return Span(module.source, 0, 0)
    first = items[0].span
    return Span(first.source, first.start, first.start + 1)


def _default_model(session: Session, module: Module) -> str:
    """The model that is meant where none is named, or ""."""
    models = module.models
    stem = Path(module.source.name).stem
    if stem in models:
        return stem
    if len(models) == 1:
        return models[0]
    if module.failed or any(isinstance(i, tree.Missing) for i in module.file.items):
        return ""
    fault: Fault
    if models:
        fault = WhichModel(module.source.name, ", ".join(models), models[0])
    elif module.file.items:
        fault = EmptyFile(module.source.name, "it defines blocks, or uses them, only")
    else:
        fault = EmptyFile(module.source.name)
    session.report(fault, _start(module))
    return ""


def _build(
    session: Session,
    module: Module,
    name: str,
    settings: Mapping[str, str],
    sizes: Mapping[str, Extent],
    *,
    promising: bool = False,
) -> Graph | None:
    if not name:
        return None
    step = _model(session, module, name)
    if step is None:
        return None
    definition = step.target
    assert isinstance(definition, Definition)
    given = with_settings(session, definition, step, settings)
    if given is None:
        return None
    unused: set[str] = set()
    known = {axis: extent(session, axis, sizes) for axis in sizes}
    if None in known.values():
        return None
    types = {axis: size for axis, size in known.items() if size is not None}
    own = name in module.definitions or _lacks(definition)
    session.promising = promising and own  # what a variant changes, it promises anew
    graph = elaborate(session, definition, given, None, types, unused)
    if graph is None:
        return None
    graph.name, graph.doc = name, _doc(module, name) or graph.doc
    if promising:
        _promised_by_variant(session, module, name, graph)
    axes = tuple(dict.fromkeys(a for t in graph.inputs.values() for a in t.names))
    for axis in sorted(unused):
        fault = BadSetting("--size", axis, "no input has this axis", axes)
        session.report(fault, typed("--size", written(axis, sizes[axis])))
    return graph


def _doc(module: Module, name: str) -> str:
    """What the file of a variant says at its head, which is nearer than the model's."""
    return module.variants[name][1].file.doc if name in module.variants else ""


def _promised_by_variant(
    session: Session, module: Module, name: str, graph: Graph
) -> None:
    if name in module.variants:
        item, home = module.variants[name]
        if item.body is not None:
            from archdsl.build.promises import promises_of_variant

            promises_of_variant(session, _stand_in(item, home), graph, item.body)


def _has_model(session: Session, module: Module, name: str) -> bool:
    """Whether there is a model of that name; reports that there is none."""
    if module.has_model(name):
        return True
    if not module.is_unknown(name):
        fault = UnknownModel(module.source.name, name, tuple(module.models))
        session.report(fault, _start(module))
    return False


def _model(session: Session, module: Module, name: str) -> StepValue | None:
    """The model of that name, a variant's arguments bound; None after an error."""
    if not _has_model(session, module, name):
        return None
    if name in module.definitions:
        definition = module.definitions[name]
        return StepValue(definition, span=definition.node.name.span)
    item, home = module.variants[name]
    span = item.name.span
    scratch = Body(session, _stand_in(item, home), Graph(name, span), None)
    value = scratch.variant(name, span)
    return value if isinstance(value, StepValue) else None


def _stand_in(item: tree.Variant, home: Module) -> Definition:
    """A variant as a model without a body, so that its names are looked up."""
    span = item.name.span
    return Definition(tree.Model(span, item.name, (), tree.Body(span, ())), home)

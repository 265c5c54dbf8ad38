"""The compiled module as Python source: standalone, readable, the same every time."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from archdsl.backends.torch import open as open_sizes
from archdsl.backends.torch.chains import containers
from archdsl.backends.torch.classes import Class, Classes
from archdsl.backends.torch.construct import Constructor
from archdsl.backends.torch.forward import Forward
from archdsl.backends.torch.layout import Plan, Planner
from archdsl.backends.torch.lift import lifted
from archdsl.backends.torch.open import NEED, is_open
from archdsl.backends.torch.recurrence import turns
from archdsl.backends.torch.statements import lines
from archdsl.backends.torch.text import WIDTH, annotation, camel, define
from archdsl.ir.graph import Graph, Ref
from archdsl.ir.tensor import Layout, Tensor
from archdsl.ops.base import Op
from archdsl.ops.emit import Emit, Make


def class_name(graph: Graph) -> str:
    """What the compiled class of a model is called: ``swin_t`` becomes ``SwinT``."""
    return camel(graph.name)


def write(graph: Graph, origin: str = "") -> str:
    """The source of a module with one class named as the model.

    Args:
        graph: The graph of a model.
        origin: The name of the file that it comes from, for the head of the source.

    Raises:
        SpecError: An open size would have to be a number.
    """
    plan = Planner().plan(graph)
    runtime = _runtime(plan)
    model = class_name(graph)
    classes = Classes(plan, [n for n in runtime if n != model])
    made = [_class(each, classes) for each in classes.all]
    texts = [*_used(runtime, made), *made]
    renamed = {model: f"{model}Layer"} if model in runtime else {}
    for i in range(len(texts) - 1):
        for old, new in renamed.items():
            texts[i] = re.sub(rf"\b{old}\b", new, texts[i])
    if is_open(graph):
        texts.insert(0, NEED)
    body = "\n\n\n".join(texts)
    return _head(graph, origin, body) + "\n\n\n" + body + "\n"


def _runtime(plan: Plan) -> dict[str, str]:
    """The runtime classes of all ops in use, in the order of first use."""
    makers: dict[tuple[str, str], Op] = {}
    given: dict[tuple[str, str], set[str]] = {}
    for inner in _plans(plan):
        for number, emit in inner.emits.items():
            op = inner.graph[number].payload
            for make in (emit.make, emit.module):
                if make is not None and "." not in make.callee:
                    assert isinstance(op, Op)
                    key = type(op).__module__, make.callee
                    makers.setdefault(key, op)
                    given.setdefault(key, set()).update(_given(emit, make))
    found: dict[str, str] = {}
    for key, op in makers.items():
        for name, text in lifted(op, key[1], given[key]).items():
            found.setdefault(name, text)
    return found


def _used(runtime: dict[str, str], texts: list[str]) -> list[str]:
    """The runtime classes that are used: an op may be written without its own."""
    found: list[str] = []
    for name, text in reversed(runtime.items()):  # users first
        if any(re.search(rf"\b{name}\b", each) for each in (*found, *texts)):
            found.append(text)
    return found[::-1]


def _given(emit: Emit, make: Make) -> Iterator[str]:
    """The arguments that one use gives to a class, by keyword."""
    for arg in make.args:
        if type(arg.value) is not type(arg.default) or arg.value != arg.default:
            yield arg.name
    yield from re.findall(r"\b(\w+)=", emit.forward)


def _plans(plan: Plan) -> Iterator[Plan]:
    done: dict[int, Plan] = {}

    def visit(here: Plan) -> None:
        if id(here) not in done:
            done[id(here)] = here
            for callee in here.callees.values():
                visit(callee)

    visit(plan)
    yield from done.values()


def _head(graph: Graph, origin: str, body: str) -> str:
    about = graph.doc.strip().splitlines()
    title = f"`{graph.name}`" + (f" of {_quoted(origin)}" if origin else "")
    rows = [f'"""{title}, compiled by archdsl.', ""]
    rows += [_quoted(line).rstrip() for line in about]
    rows += ['"""'] if about else []
    text = "\n".join(rows) if about else f'"""{title}, compiled by archdsl."""'
    imports = []
    if "OrderedDict(" in body:
        imports += ["from collections import OrderedDict", ""]
    if re.search(r"\btorch\.", body):
        imports.append("import torch")
    if re.search(r"\bF\.", body):
        imports.append("import torch.nn.functional as F")
    imports.append("from torch import Tensor, nn")
    return text + "\n\n" + "\n".join(imports)


def _quoted(text: str) -> str:
    """Text of a spec, harmless inside a docstring."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain.replace("\\", "\\\\").replace('"""', "'''")


# --- classes ------------------------------------------------------------------------


def _class(made: Class, classes: Classes) -> str:
    root = containers(made.plan)
    forward = Forward(made, root)
    forward.write()
    body = lines(forward.statements, forward.returned, root, forward.names)
    constructor = Constructor(made, classes, root, forward.stored)
    rows = [f"class {made.name}(nn.Module):", _docstring(made), ""]
    init = constructor.lines()
    if init or made.parameters:
        rows += [_signature(made), "        super().__init__()", *init, ""]
    inputs = [
        f"{forward.variables[Ref(n.id)]}: Tensor" for _, n in forward.graph.entries
    ]
    method = "step" if forward.graph.scan else "forward"
    rows += [define(method, inputs, forward.result_type())]
    rows += [*_checks(forward), *body]
    if forward.graph.scan:
        rows += ["", *turns(forward)]
    return "\n".join(rows)


def _checks(forward: Forward) -> list[str]:
    """What ``forward`` asks of its inputs before it begins."""
    if not is_open(forward.graph):
        return []
    entries = forward.graph.entries
    names = {enter.name: forward.inputs[Ref(node.id)] for enter, node in entries}
    return open_sizes.lines(forward.graph, names)


def _signature(made: Class) -> str:
    arguments = [f"{n}: {annotation(values)}" for n, values in made.parameters.items()]
    return define("__init__", arguments, "None")


def _docstring(made: Class) -> str:
    graph = made.plan.graph
    ins = [
        f"{name}: {_words(tensor, layout, made)}"
        for (name, tensor), layout in zip(
            graph.inputs.items(), made.plan.given, strict=True
        )
    ]
    outs = [
        _words(tensor, layout, made)
        for tensor, layout in zip(graph.outputs, made.plan.results, strict=True)
    ]
    if graph.is_model:
        pairs = zip(graph.result_names, outs, strict=True)
        outs = [f"{name}: {out}" for name, out in pairs]
    what = "Model" if graph.is_model else "Block"
    text = f"{what} `{graph.name}`: {', '.join(ins) or 'nothing'} -> {', '.join(outs)}."
    line = f'    """{text}"""'
    needs = _needs(graph)
    if len(line) <= WIDTH and not needs:
        return line
    if len(line) <= WIDTH:
        return "\n".join([line.removesuffix('"""'), "", *needs, '    """'])
    rows = [f'    """{what} `{graph.name}`.', ""]
    rows += [f"    {row}" for row in ins]
    rows += [f"    {'   ' if i else '-> '}{row}" for i, row in enumerate(outs)]
    return "\n".join([*rows, *([""] if needs else []), *needs, '    """'])


def _needs(graph: Graph) -> list[str]:
    """Which sizes a model takes, in lines of a docstring."""
    needs = [str(a) for a in open_sizes.needs(graph)] if is_open(graph) else []
    words = f"It takes sizes where {', '.join(needs)}." if needs else ""
    return textwrap.wrap(words, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _words(tensor: Tensor, layout: Layout, made: Class) -> str:
    if len(made.plans) > 1:
        return f"[{', '.join(layout)}]"
    return str(tensor.ordered(layout)).replace(" = ", "=")

"""Every registered op, those of plugins too, does in PyTorch what it says of itself."""

import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

import archdsl
from archdsl.backends.manual import documented
from archdsl.backends.torch.load import load
from archdsl.ir.graph import Call, Enter, Graph, Node, Ref
from archdsl.ir.tensor import Tensor as Type
from archdsl.ops.base import Example, Op
from archdsl.ops.registry import ops, public_ops
from tests.texts import text_of
from tests.tools import (
    examples,
    inputs_for,
    jittered,
    measured,
    outputs_of,
    replaced,
    static,
)

OPS = [pytest.param(op, id=name) for name, op in ops().items()]
PUBLIC = [pytest.param(op, id=name) for name, op in public_ops().items()]
EXAMPLES = [
    pytest.param(example, id=f"{name}{i}")
    for name, op in ops().items()
    for i, example in enumerate(op.examples)
]
# Groups whose ops come from nobody's paper, and an op that does.
UNPUBLISHED = {"arithmetic", "axes", "joining and cutting", "sources"}


def graph_of(example: Example, **sizes: int) -> Graph:
    return archdsl.parse(text_of(example), sizes=sizes)


def run(graph: Graph, module: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
    return outputs_of(graph, module(*inputs))


# --- what an op says ----------------------------------------------------------------


@pytest.mark.parametrize("op", OPS)
def test_the_manual_documents_every_field_and_no_other(op):
    said = documented(op)  # by it or by what it is made from, in the order of fields
    own = written_down(op)
    assert own == [field for field in op.model_fields if field in own]
    assert set(said) == set(op.model_fields)


def written_down(op: type[Op]) -> list[str]:
    """The arguments in the docstring of its own."""
    _, _, args = textwrap.dedent(f"    {op.__doc__}").partition("\nArgs:\n")
    return re.findall(r"^    (\w+): \S", args, flags=re.MULTILINE)


@pytest.mark.parametrize("op", OPS)
def test_the_manual_has_a_summary_of_one_line_and_a_paper(op):
    assert re.fullmatch(r"[A-Z`].*[.:]|[A-Z`].*\.", op.__doc__.splitlines()[0])
    assert op.paper or op.group in UNPUBLISHED or op.name == "sum"
    assert op.group != Op.group


@pytest.mark.parametrize("op", OPS)
def test_fields_hide_nothing_of_pydantic_or_of_op(op):
    assert not set(op.model_fields) & (set(dir(BaseModel)) | set(dir(Op)))


@pytest.mark.parametrize("op", PUBLIC)
def test_every_public_op_has_examples_that_use_it(op):
    assert op.examples
    for example in op.examples:
        used = {node.payload.name for node in nodes(graph_of(example))}
        assert op.name in used


def nodes(graph: Graph) -> list[Node]:
    return [node for node in graph if not isinstance(node.payload, Enter)]


# --- what an op does ----------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_shapes_weights_and_flops_equal_those_of_pytorch(example, batch):
    one = graph_of(example)
    assert measured(one, batch) == static(graph_of(example, B=batch))


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_module_runs_in_training_and_in_inference_on_any_batch(example):
    graph = graph_of(example)
    module = load(graph)
    for training, batch in itertools.product((True, False), (2, 3)):
        module.train(training)
        results = run(graph, module, inputs_for(graph, batch))
        expected = static(graph_of(example, B=batch)).outputs
        assert {n: tuple(t.shape) for n, t in results.items()} == {
            n: shape for n, (shape, _) in expected.items()
        }


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_state_dict_carries_over_all_that_was_learned(example):
    graph = graph_of(example)
    inputs = inputs_for(graph, dtype=torch.float64)
    first, second = jittered(load(graph)), load(graph).double().eval()
    second.load_state_dict(first.state_dict())
    before, after = run(graph, first, inputs), run(graph, second, inputs)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_copy_made_without_memory_and_filled_later_is_the_same(example):
    """As large models are made: on the meta device, then `to_empty` and the weights."""
    graph = graph_of(example)
    inputs = inputs_for(graph, dtype=torch.float64)
    first = jittered(load(graph))
    with torch.device("meta"):
        second = load(graph)
    second = second.to_empty(device="cpu").double().eval()
    for part in second.modules():
        if hasattr(part, "reset_buffers"):
            part.reset_buffers()
    second.double().load_state_dict(first.state_dict())
    before, after = run(graph, first, inputs), run(graph, second, inputs)
    assert all(torch.equal(before[name], after[name]) for name in before)


# --- layouts ------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_declared_order_of_axes_changes_no_number(example):
    graph = graph_of(example)
    inputs = inputs_for(graph, dtype=torch.float64)
    expected = run(graph, jittered(load(graph)), inputs)
    for shuffled in orders(graph, example):
        other = graph_of(shuffled)
        moved = [
            x.permute([a.names.index(n) for n in b.names])
            for x, a, b in zip(
                inputs, graph.inputs.values(), other.inputs.values(), strict=True
            )
        ]
        found = run(other, jittered(load(other)), moved)
        for i, name in enumerate(expected):
            here, there = graph.result_orders[i], other.result_orders[i]
            back = found[name].permute([there.index(a) for a in here])
            torch.testing.assert_close(back, expected[name], rtol=1e-10, atol=1e-10)


def orders(graph: Graph, example: Example) -> list[Example]:
    """The example with the axes of each input declared in other orders.

    Lists such as ``kernel = [3, 1]`` and tables of positions are in the order in which
    the positions are declared, so where there are some, only B and C move.
    """
    free = not any(
        node.payload.weights(graph.ins(node))
        or any(isinstance(v, tuple) for v in dict(node.payload).values())
        for node in nodes(graph)
    )
    choices = [
        [p for p in itertools.permutations(t.names) if free or keeps_positions(t, p)]
        for t in graph.inputs.values()
    ]
    found = list(itertools.product(*choices))
    step = max(1, len(found) // examples(6))
    return [reordered(example, graph, order) for order in found[::step]]


def keeps_positions(tensor: Type, order: tuple[str, ...]) -> bool:
    return tuple(a for a in order if a in tensor.positions) == tensor.positions


def reordered(example: Example, graph: Graph, order: tuple[tuple[str, ...], ...]):
    types = zip(graph.inputs.items(), order, strict=True)
    return Example(example.code, {n: str(t.ordered(o)) for (n, t), o in types})


# --- how information spreads --------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_output_depends_on_exactly_the_positions_that_the_op_says(example):
    graph = graph_of(example)
    assert felt(graph) == reached(graph)


Place = tuple[int, ...]  # the indices along a tensor's positions
Sources = frozenset[tuple[str, Place]]  # inputs, with places in them


def reached(graph: Graph) -> dict[str, dict[Place, Sources]]:
    """By output and place, the input places that it depends on, from `Op.spread`."""
    known: dict[Ref, dict[Place, Sources]] = {}
    for node in graph:
        if isinstance(node.payload, Enter):
            name = node.payload.name
            known[Ref(node.id)] = {
                place: frozenset({(name, place)}) for place in places(node.outputs[0])
            }
            continue
        assert not isinstance(node.payload, Call)
        spread = node.payload.spread(graph.ins(node), node.outputs)
        for i, tensor in enumerate(node.outputs):
            known[Ref(node.id, i)] = {
                place: union(graph, node, known, spread, at(tensor, place))
                for place in places(tensor)
            }
    rows = zip(graph.result_names, graph.results, strict=True)
    return {name: known[ref] for name, ref in rows}


def union(graph, node, known, spread, where: Mapping[str, int]) -> Sources:
    found: Sources = frozenset()
    for port, ref in node.inputs:
        axes = graph.tensor(ref).positions
        if port not in spread:
            continue  # only its sizes are read
        for place in itertools.product(*(spread[port][a].sources(where) for a in axes)):
            found |= known[ref][place]
    return found


def places(tensor: Type) -> Iterator[Place]:
    return itertools.product(*(range(tensor[a]) for a in tensor.positions))


def at(tensor: Type, place: Place) -> dict[str, int]:
    return dict(zip(tensor.positions, place, strict=True))


def felt(graph: Graph, batch: int = 200) -> dict[str, dict[Place, Sources]]:
    """The same, by changing each place of each input and looking what changes.

    A maximum feels a change only sometimes, so each example of a large batch tries
    another one; ids without a batch are drawn often. What comes through a mask of -100
    is lost in float64's rounding.
    """
    torch.manual_seed(0)
    module = jittered(load(graph))
    found = {
        name: {place: frozenset() for place in places(tensor)}
        for name, tensor in zip(graph.result_names, graph.outputs, strict=True)
    }
    ids = any(t.dtype == "int" and "B" not in t for t in graph.inputs.values())
    for _ in range(60 if ids else 1):
        feel(graph, module, found, 2 if ids else batch)
    return found


def feel(graph: Graph, module: nn.Module, found, batch: int) -> None:
    """Notes what some random inputs show."""
    inputs = inputs_for(graph, batch, torch.float64)
    before = run(graph, module, inputs)
    for i, (name, tensor) in enumerate(graph.inputs.items()):
        others = inputs_for(graph, batch, torch.float64)[i]
        if tensor.dtype == "int":
            others = (inputs[i] + 1) % 2
        for place in places(tensor):
            index = index_of(tensor.names, at(tensor, place))
            changed = inputs[i].clone()
            changed[index] = 2 * others[index]
            after = run(graph, module, [*inputs[:i], changed, *inputs[i + 1 :]])
            for output in before:
                for there in moved(
                    graph, output, after[output].double() - before[output].double()
                ):
                    found[output][there] |= {(name, place)}


def index_of(names: tuple[str, ...], where: Mapping[str, int]) -> tuple:
    return tuple(where.get(axis, slice(None)) for axis in names)


def moved(graph: Graph, output: str, difference: Tensor) -> Iterator[Place]:
    """The places at which an output changed."""
    i = graph.result_names.index(output)
    tensor, order = graph.outputs[i], graph.result_orders[i]
    for place in places(tensor):
        if difference[index_of(order, at(tensor, place))].abs().max() > 1e-12:
            yield place


# --- compilers ----------------------------------------------------------------------


class Together(nn.Module):
    """The examples of one op side by side, so that a compiler starts once."""

    def __init__(self, modules: list[nn.Module], counts: list[int]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)
        self.counts = counts

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        results, start = [], 0
        for part, count in zip(self.parts, self.counts, strict=True):
            results.append(part(*inputs[start : start + count]))
            start += count
        return results


def together(op: type[Op]) -> tuple[Together, tuple[Tensor, ...]]:
    graphs = [graph_of(example) for example in op.examples]
    inputs = [inputs_for(graph) for graph in graphs]
    parts = [load(graph).eval() for graph in graphs]
    return Together(parts, list(map(len, inputs))), tuple(itertools.chain(*inputs))


@pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights")
@pytest.mark.parametrize("op", PUBLIC)
def test_export_takes_every_op_and_changes_no_number(op):
    module, inputs = together(op)
    with torch.no_grad():
        exported = torch.export.export(module, inputs)
        torch.testing.assert_close(exported.module()(*inputs), module(*inputs))


@pytest.mark.parametrize("op", PUBLIC)
def test_compile_takes_every_op_in_one_graph(op):
    module, inputs = together(op)
    torch._dynamo.reset()
    with torch.no_grad(), torch._dynamo.config.patch(allow_rnn=True):
        compiled = torch.compile(module, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(*inputs), module(*inputs))


# --- refusals -----------------------------------------------------------------------

WRONG_SHAPES = [
    "[]", "[B]", "[C = 4]", "[T = 3]", "[B, C = 1]", "[B, C = 5]", "[B, T = 1, C = 1]",
    "[B, T = 3]", "[H = 5, B, W = 1]", "[B, C = 6, H = 1, W = 7]", "[B, N = 2, T = 3]",
    "[B, C = 3, P = 2, Q = 3, R = 2, S = 3]", "int[B, T = 7]", "int[B, C = 4, T = 2]",
    "bool[B, T = 4, C = 4]", "[B, C = 4, H = 30, W = 30]",
]  # fmt: skip
WRONG_WORDS = [
    "0", "-1", "1", "7", "40", "2.5", "true", "none", '"tanh"', "H", "B", "C", "X",
    "[1, 2]", "[]", "[H, W]", "[[1]]", "x", "relu", "1e400 - 1", "2 ** 200",
]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("part", ["shapes", "words"])
def test_wrong_shapes_and_arguments_end_in_located_errors_or_work(example, part):
    for wrong in mutants(example, part):
        text = text_of(wrong)
        try:
            graph = archdsl.parse(text)
            archdsl.compile(text)
        except archdsl.SpecError as error:
            assert error.diagnostics
            for diagnostic in error.diagnostics:
                span = diagnostic.span
                assert 0 <= span.start <= span.end <= len(text), text
                assert diagnostic.fault.message()
        else:
            assert measured(graph) == static(graph), text


def mutants(example: Example, part: str) -> Iterator[Example]:
    """The example with one shape or one word of its code replaced by another."""
    if part == "shapes":
        for name, shape in itertools.product(example.inputs, WRONG_SHAPES):
            yield Example(example.code, {**example.inputs, name: shape})
        return
    pattern = r"(?<=[=(\[,]) ?[\w.]+(?=[,)\]])"
    spots = [m.span() for m in re.finditer(pattern, example.code)]
    for (start, end), word in itertools.product(spots, WRONG_WORDS):
        code = f"{example.code[:start]} {word}{example.code[end:]}"
        yield Example(code, example.inputs)


# --- the tests themselves -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method", "lie"),
    [
        ("linear", "weights", lambda self, ins: ()),
        ("conv", "cost", Op.cost),
        ("lstm", "outputs", lambda self, ins, facts: (ins["x"],)),
    ],
)
def test_a_planted_lie_is_found(name, method, lie):
    op = ops()[name]
    with replaced(op, method, lie):
        graph = graph_of(op.examples[0])
        assert measured(graph) != static(graph)


def test_a_planted_lie_about_spread_is_found():
    op = ops()["attention"]
    with replaced(op, "spread", Op.spread):
        graph = graph_of(op.examples[0])
        assert felt(graph) != reached(graph)

"""What the tests share: what a graph claims, and what its compiled module does."""

import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.analysis.cost import Costs, layers
from archdsl.analysis.ids import known_ids
from archdsl.backends.torch.load import load
from archdsl.build.known import KNOWN
from archdsl.ir.graph import Graph

ALL = os.environ.get("ARCHDSL_TEST") == "all"
DTYPES = {"float": torch.float32, "int": torch.int64, "bool": torch.bool}


def examples(few: int) -> int:
    """How many random examples a test tries: `few`, or ten times as many."""
    return few * 10 if ALL else few


@dataclass(frozen=True)
class Figures:
    """What must be the same of a graph and of the module that it is compiled to.

    Attributes:
        outputs: Shape and dtype by name, in order.
        learned: The shape of each learned tensor, by its name in the state dict.
        buffers: Shape and bytes an element of each other tensor that is held.
        params: Elements of learned tensors, shared ones once.
        buffer_count: Elements of buffers.
        weight_bytes: Bytes of the learned tensors.
        buffer_bytes: Bytes of the buffers.
        matmul_flops: Two a MAC, as PyTorch's counter counts them.
    """

    outputs: Mapping[str, tuple[tuple[int, ...], str]]
    learned: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[tuple[int, ...], int]]
    params: int
    buffer_count: int
    weight_bytes: int
    buffer_bytes: int
    matmul_flops: int


def static(graph: Graph) -> Figures:
    """What a graph says, nothing being run."""
    results = zip(graph.result_names, graph.outputs, graph.result_orders, strict=True)
    learned, buffers = {}, {}
    for layer in layers(graph):
        for weight in layer.node.payload.weights(layer.graph.ins(layer.node)):
            name = ".".join((*layer.path, weight.name))
            if weight.learned:
                learned[name] = weight.shape
            else:
                buffers[name] = weight.shape, weight.itemsize
    total = Costs().total(graph)
    return Figures(
        outputs={
            name: (tuple(tensor[a] for a in order), tensor.dtype)
            for name, tensor, order in results
        },
        learned=learned,
        buffers=buffers,
        params=total.params,
        buffer_count=total.buffers,
        weight_bytes=total.weight_bytes,
        buffer_bytes=total.buffer_bytes,
        matmul_flops=total.matmul_flops,
    )


def measured(graph: Graph, batch: int = 1) -> Figures:
    """What the compiled module of a graph does when it runs.

    It runs on the meta device, where nothing is computed and nothing is fused, so that
    PyTorch counts every product of matrices, those of attention and LSTMs too.
    """
    with torch.device("meta"), forgotten():
        module = load(graph).eval()
        inputs = inputs_for(graph, batch)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        results = outputs_of(graph, module(*inputs))
    learned, buffers = list(module.parameters()), list(module.buffers())
    dtypes = {dtype: name for name, dtype in DTYPES.items()}
    return Figures(
        outputs={n: (tuple(t.shape), dtypes[t.dtype]) for n, t in results.items()},
        learned={n: tuple(p.shape) for n, p in module.named_parameters()},
        buffers={
            n: (tuple(b.shape), b.element_size()) for n, b in module.named_buffers()
        },
        params=sum(p.numel() for p in learned),
        buffer_count=sum(b.numel() for b in buffers),
        weight_bytes=sum(p.numel() * p.element_size() for p in learned),
        buffer_bytes=sum(b.numel() * b.element_size() for b in buffers),
        matmul_flops=counter.get_total_flops(),
    )


@contextmanager
def forgotten() -> Iterator[None]:
    """Python modules that are compiled inside leave no trace."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("archdsl_compiled."):
            linecache.cache.pop(sys.modules.pop(name).__file__)


def shipped(name: str) -> Graph:
    """The graph of a spec that ships, its open sizes 20."""
    graph = archdsl.parse(name)
    axes = [axis for tensor in graph.inputs.values() for axis in tensor.axes]
    sizes = {name: 20 for name, size in axes if not isinstance(size, int)}
    return archdsl.parse(name, sizes=sizes) if sizes else graph


def inputs_for(
    graph: Graph, batch: int = 2, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """Random inputs, ids small enough for every embedding."""
    vocab = min(known_ids(graph), default=2)
    inputs = []
    for tensor in graph.inputs.values():
        shape = [batch if a == "B" else size for a, size in tensor.axes]
        if tensor.dtype == "float":
            inputs.append(torch.randn(shape, dtype=dtype))
        else:
            ids = torch.randint(2 if tensor.dtype == "bool" else vocab, shape)
            inputs.append(ids.to(DTYPES[tensor.dtype]))
    return inputs


def outputs_of(graph: Graph, result: object) -> dict[str, Tensor]:
    """The results of a module by name, a list's items as ``name.0``, ``name.1``…"""
    names = graph.result_names
    heads = list(dict.fromkeys(n.partition(".")[0] for n in names))
    groups = result if len(heads) > 1 else {heads[0]: result}
    assert isinstance(groups, dict)
    assert list(groups) == heads
    found = {}
    for head, value in groups.items():
        if isinstance(value, Tensor):
            found[head] = value
        else:
            found |= {f"{head}.{i}": item for i, item in enumerate(value)}
    assert tuple(found) == names
    return found


def jittered(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 and inference, every weight and statistic random.

    Fresh weights hide mistakes: gains are 1, biases 0, variances 1.
    """
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(drawn.double() * 0.5)
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var", "weight", "bias")):
                drawn = torch.rand(buffer.shape, generator=generator)
                buffer.copy_(drawn.double() + 0.5)
    return module


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Something with one attribute of it replaced for a while: a planted fault."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    KNOWN.forget()  # what ops said when they were right
    try:
        yield
    finally:
        setattr(owner, name, before)
        KNOWN.forget()

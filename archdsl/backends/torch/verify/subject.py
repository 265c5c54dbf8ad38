"""What is verified: a graph, and the module that it is compiled to, run when needed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archdsl.analysis.cost import Costs
from archdsl.analysis.ids import known_ids
from archdsl.analysis.verification import Row
from archdsl.backends.torch.layout import Plan, Planner
from archdsl.backends.torch.load import load
from archdsl.backends.torch.module import write
from archdsl.backends.torch.verify.steps import (
    Place,
    StepFailed,
    Steps,
    Taken,
    places,
)
from archdsl.diagnostics import SpecError
from archdsl.ir.dim import Size, substitute
from archdsl.ir.graph import Graph
from archdsl.ir.tensor import Tensor as Type

DTYPES = {"float": torch.float32, "int": torch.int64, "bool": torch.bool}
# What a run in float64 may take; more is left out unless it is asked for.
MOST_BYTES, MOST_MACS = 6 * 2**30, 200 * 10**9
_FEW_IDS = 10  # where no table says how many there are


def silent(words: str) -> None:
    """Says nothing."""


class Seen(NamedTuple):
    """What one op made and did on the meta device."""

    place: Place
    shapes: tuple[str, ...]
    flops: int


class Problem(NamedTuple):
    """What does not run, and what PyTorch says."""

    of: str
    why: str
    built: bool = True


class Trace(NamedTuple):
    """All ops in order, and the one that did not run, if any."""

    seen: tuple[Seen, ...]
    failure: StepFailed | None


@dataclass(eq=False)
class Subject:
    """A graph and its compiled module; each is made and run once, when it is needed.

    Attributes:
        graph: What the static figures are of.
        values: What the symbols of open sizes are.
        seed: Of weights and inputs.
        full: Whether to run it however large it is.
        progress: Called with a few words before what takes long.
    """

    graph: Graph
    values: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    full: bool = False
    progress: Callable[[str], None] = silent

    def size(self, size: Size) -> int:
        """A size as a number."""
        number = substitute(size, dict(self.values))
        assert isinstance(number, int)
        return number

    @cached_property
    def costs(self) -> Costs:
        """What each op costs."""
        return Costs()

    @cached_property
    def plan(self) -> Plan:
        """How the module is laid out."""
        return Planner().plan(self.graph)

    # -- without memory --------------------------------------------------------------

    @cached_property
    def weightless(self) -> nn.Module:
        """The module on the meta device, where nothing is computed."""
        with torch.device("meta"):
            return load(self.graph).eval()

    @cached_property
    def compiles(self) -> bool:
        """Whether the compiler takes it: some modules need sizes that are numbers."""
        try:
            return bool(write(self.graph))
        except SpecError:
            return False

    @cached_property
    def problem(self) -> Problem | None:
        """What keeps the module from running, found without memory.

        Raises:
            SpecError: The graph cannot be compiled.
        """
        try:
            assert self.weightless is not None
        except SpecError:
            raise
        except Exception as error:
            return Problem("module", _first_line(error), built=False)
        if self.trace.failure is not None:
            place, cause = self.trace.failure.place, self.trace.failure.error
            return Problem(".".join(place.path), _first_line(cause))
        try:
            assert self.outcome is not None
        except Exception as error:
            return Problem("module", _first_line(error))
        return None

    @cached_property
    def outcome(self) -> tuple[dict[str, Tensor], int]:
        """The outputs of the module by name, on the meta device, and its FLOPs.

        Nothing is fused there, so that PyTorch counts every product of matrices, those
        of attention and of recurrent cells too.
        """
        self.progress("running it without memory")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            found = self.weightless(*self.inputs(device="meta"))
        return outputs_of(self.graph, found), counter.get_total_flops()

    @cached_property
    def trace(self) -> Trace:
        """What each op makes and does, on the meta device."""
        self.progress("running it op by op")
        seen: list[Seen] = []
        before = 0

        def watch(place: Place, taken: Taken, made: tuple[Tensor, ...]) -> None:
            nonlocal before
            total = counter.get_total_flops()
            seen.append(Seen(place, tuple(map(shape, made)), total - before))
            before = total

        steps = Steps(self.plan, self.weightless, self.values, watch)
        failure = None
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            try:
                steps.run(self.inputs(device="meta"))
            except StepFailed as problem:
                failure = problem
        return Trace(tuple(seen), failure)

    # -- with memory -----------------------------------------------------------------

    @cached_property
    def left_out(self) -> str:
        """Why the module is not run in float64, or "" where it is."""
        if self.problem is not None:
            return "the module does not run"
        total = self.costs.total(self.graph)
        held = self.size(total.weight_bytes) + self.size(total.buffer_bytes)
        size = 2 * (held + self.size(total.activation_bytes))
        if self.full:
            return ""
        if size > MOST_BYTES:
            return f"up to {size / 2**30:.1f} GiB in float64; --full runs it"
        macs = self.size(total.macs)
        return f"{macs / 1e9:.0f} G MACs; --full runs them" if macs > MOST_MACS else ""

    @cached_property
    def module(self) -> nn.Module:
        """The module with fresh weights, in float64 and inference."""
        torch.manual_seed(self.seed)
        return load(self.graph).double().eval()

    @cached_property
    def shaken(self) -> nn.Module:
        """The module with no weight left at 0 or 1, so that all has an effect."""
        generator = torch.Generator().manual_seed(self.seed)
        module = copy.deepcopy(self.module)
        with torch.no_grad():
            for parameter in module.parameters():
                drawn = torch.randn(parameter.shape, generator=generator)
                fan = parameter[0].numel() if parameter.dim() > 1 else 1
                parameter.add_(drawn.double() / (fan if fan > 1 else 16) ** 0.5)
            for name, buffer in module.named_buffers():
                if name.endswith(("running_mean", "running_var")):
                    drawn = torch.rand(buffer.shape, generator=generator)
                    buffer.copy_(drawn.double() + 0.5)
        return module

    @cached_property
    def loudness(self) -> float:
        """How large inputs and biases are, where nothing may be cut off from above."""
        ops = (getattr(place.op, "name", "") for place in places(self.plan))
        return 1e-4 if "relu6" in ops else 1.0

    @cached_property
    def positive(self) -> nn.Module:
        """The module with every weight positive and about an average of what it takes.

        Nothing that is positive cancels out or is cut off by a relu then, nor by a
        bound from above, as long as what goes in is small.
        """
        generator = torch.Generator().manual_seed(self.seed)
        module = copy.deepcopy(self.module)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                drawn = torch.rand(parameter.shape, generator=generator).double() + 0.5
                fan = parameter[0].numel() if parameter.dim() > 1 else 1
                least = self.loudness if name.endswith("bias") else 1
                parameter.copy_(drawn * least / max(fan, 1))
            for name, buffer in module.named_buffers():
                if name.endswith("running_mean"):
                    buffer.zero_()
        return module

    def inputs(
        self, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> list[Tensor]:
        """Random inputs, ids small enough for every embedding."""
        generator = torch.Generator().manual_seed(self.seed)
        return [
            self.draw(tensor, generator, self.ids, dtype).to(device)
            for tensor in self.graph.inputs.values()
        ]

    def draw(
        self, tensor: Type, generator: torch.Generator, ids: int, dtype: torch.dtype
    ) -> Tensor:
        """A random tensor of a type."""
        extents = [self.size(size) for _, size in tensor.axes]
        if tensor.dtype == "float":
            return torch.randn(extents, generator=generator, dtype=dtype)
        most = 2 if tensor.dtype == "bool" else ids
        drawn = torch.randint(most, extents, generator=generator)
        return drawn.to(DTYPES[tensor.dtype])

    @cached_property
    def ids(self) -> int:
        """How many ids every embedding has, at least."""
        return min(map(self.size, known_ids(self.graph)), default=_FEW_IDS)


class Check(NamedTuple):
    """Something that is compared.

    Attributes:
        name: As `only` has it.
        help: What is compared.
        rows: Compares it.
        formulas: Whether it can compare the formulas of a model with open sizes;
            otherwise it gets the model with these sizes as numbers.
    """

    name: str
    help: str
    rows: Callable[[Subject], Iterator[Row]]
    formulas: bool = True


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:200]


def shape(x: Tensor) -> str:
    """What a tensor is, in words: ``[1, 3, 224, 224]``, ``int[1, 20]``."""
    kinds = {torch.int64: "int", torch.bool: "bool"}
    floating = x.dtype in (torch.float32, torch.float64)
    kind = "" if floating else kinds.get(x.dtype, str(x.dtype))
    return f"{kind}{list(x.shape)}"


def outputs_of(graph: Graph, result: object) -> dict[str, Tensor]:
    """The results of a module by name; those of a list are ``name.0``, ``name.1``."""
    heads = list(dict.fromkeys(n.partition(".")[0] for n in graph.result_names))
    groups = result if len(heads) > 1 else {heads[0]: result}
    assert isinstance(groups, dict)
    found: dict[str, Tensor] = {}
    for head, value in groups.items():
        if isinstance(value, Tensor):
            found[head] = value
        else:
            found |= {f"{head}.{i}": item for i, item in enumerate(value)}
    return found

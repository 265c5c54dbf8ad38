"""One comparison for all systems: a spec, and the reference that it equals.

The reference's weights are jittered and saved as its library saves them; the compiled
model loads that file as any user would, through the layout that the spec declares.
So what is compared is the spec, its lowering, and its checkpoint in one.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import archdsl
from archdsl.backends.torch.verify.subject import Subject
from tests.parity.reference import SPECS, jittered

Outputs: TypeAlias = "Tensor | tuple[Tensor, ...]"


def whole(model: nn.Module, *inputs: Tensor) -> Outputs:
    """What a model makes of its inputs: its logits, where it has some."""
    made = model(*inputs)
    if isinstance(made, Tensor | tuple):
        return made
    if isinstance(made, dict) and "logits" not in made:
        return tuple(made.values())
    logits: Tensor = made["logits"]
    return logits


class System(NamedTuple):
    """A spec, and what it equals.

    Attributes:
        spec: As for `archdsl.load`.
        family: The chapter of the table.
        reference: What the table calls the reference.
        make: Makes the reference, at full size without arguments.
        narrow: Arguments of `make` for a small one.
        settings: Those of the spec that make the same.
        sizes: The sizes of its inputs, then.
        checkpoint: The layout that the spec declares for the reference's keys.
        run: What the reference makes of the inputs of the spec, in order.
        trained: Whether gradients and training are compared: one of each family.
        large: Whether the full size is only counted.
        layout: The rules of the reference's keys, where it is of the tests' own and no
            checkpoint of it is worth a layout in the spec; or "same", if its parts are
            called as ours.
        open: The sizes of axes that the spec leaves open.
        uncounted: Why PyTorch's counter does not count what we do, if so.
        device: Where the reference is counted: not on the meta device if its forward
            pass reads sizes off its masks.
        repeated: Whether its small one shows nothing that another's does not.
    """

    spec: str
    family: str
    reference: str
    make: Callable[..., nn.Module]
    narrow: Mapping[str, object]
    settings: Mapping[str, object]
    sizes: Mapping[str, int] = {}
    checkpoint: str = ""
    run: Callable[..., Outputs] = whole
    trained: bool = False
    large: bool = False
    layout: str = ""
    open: Mapping[str, int] = {}
    uncounted: str = ""
    device: str = "meta"
    repeated: bool = False


def of_tests(
    family: str,
    spec: str,
    make: Callable[..., nn.Module],
    settings: Mapping[str, object],
    narrow: Mapping[str, object] = {},
    reference: str = "torch.nn, in the tests",
    **more: Any,
) -> System:
    """A model whose reference has the same hyperparameters by the same names.

    `narrow` are those that the reference needs beside them.
    """
    return System(
        spec, family, reference, make, {**settings, **narrow}, settings, trained=True,
        **more,
    )  # fmt: skip


class Single(NamedTuple):
    """Of the outputs in float32, relative to the largest number of each.

    Attributes:
        gap: How far ours are from the reference's.
        rounding: How far the reference's own are from what they are in float64.
    """

    gap: float
    rounding: float

    @property
    def fine(self) -> bool:
        """Whether no more differs than rounding does: 1e-5, or what theirs does."""
        return self.gap <= max(1e-5, 2 * self.rounding)


class Pair:
    """A compiled model and its reference with the same weights, in float64."""

    def __init__(self, system: System, *, full: bool = False) -> None:
        self.system = system
        self.settings = {} if full else system.settings
        self.sizes = system.open if full else system.sizes
        torch.manual_seed(0)
        made = system.make(**({} if full else system.narrow))
        # The weights are those of a file in float32, exactly.
        self.theirs = jittered(made).float()
        self.ours = self.filled(self.theirs.state_dict())
        self.double()
        batch = {"B": 1 if full else 2}
        graph = archdsl.parse(
            system.spec, settings=self.settings, sizes={**self.sizes, **batch}
        )
        self.inputs = Subject(graph, seed=1).inputs(torch.float64)

    def filled(self, tensors: Mapping[str, Tensor]) -> nn.Module:
        """Our model with the tensors of a checkpoint, in the type that these have."""
        kept = {k: t.contiguous().clone() for k, t in tensors.items()}
        with tempfile.TemporaryDirectory() as folder, default(tensors):
            path = Path(folder) / "reference.safetensors"
            save_file(kept, path)
            spec, checkpoint = laid_out(self.system, Path(folder))
            return archdsl.load(
                spec,
                settings=self.settings,
                sizes=self.sizes,
                weights=path,
                checkpoint=checkpoint,
            )

    def double(self) -> None:
        """Both in float64 and inference."""
        self.ours.double().eval()
        self.theirs.double().eval()

    def outputs(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Those of our model, and those of the reference."""
        dtype = next(self.ours.parameters()).dtype
        given = [x.to(dtype) if x.is_floating_point() else x for x in self.inputs]
        return (
            flat(whole(self.ours, *given)),
            flat(self.system.run(self.theirs, *given)),
        )

    @torch.no_grad()
    def gap(self) -> float:
        """The largest difference of the outputs; that of their size, in float32."""
        pairs = list(zip(*self.outputs(), strict=True))
        assert all(one.shape == two.shape for one, two in pairs)
        assert all(torch.isfinite(two).all() for _, two in pairs)
        return max((one - two).abs().max().item() for one, two in pairs)

    @torch.no_grad()
    def relative_gap(self) -> Single:
        """The largest difference in float32, of the largest number of the output."""
        _, exact = self.outputs()
        self.ours.float()
        self.theirs.float()
        ours, theirs = self.outputs()
        self.double()
        return Single(relative(ours, theirs), relative(theirs, exact))

    def training(self) -> float:
        """The largest difference of outputs, gradients and statistics in training.

        Dropout is 0. Gradients are relative to the largest of their tensor; one that
        is a thousandth of the largest of all counts as that much, since the bias of a
        key has none but for rounding.
        """
        before = copy.deepcopy(self.theirs.state_dict())
        for model in (self.ours, self.theirs):
            model.train()
            without_chance(model)
        ours, theirs = self.outputs()
        gaps = [(a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True)]
        for model, outputs in ((self.ours, ours), (self.theirs, theirs)):
            model.zero_grad()
            sum(map(loss, outputs)).backward()  # type: ignore[union-attr]
        after = self.theirs.state_dict()
        named = dict(self.theirs.named_parameters(remove_duplicate=False))
        grads = {k: named[k].grad for k in after if k in named}
        moved = {k: grad for k, grad in grads.items() if grad is not None}
        wanted = self.filled({**before, **after, **moved})
        gaps += gradient_gaps(self.ours, wanted)
        self.theirs.load_state_dict(before)
        self.double()
        return max(gaps)


def laid_out(system: System, folder: Path) -> tuple[str, str]:
    """A spec with a layout for the reference's keys, and the name of the layout."""
    if system.layout == "same":
        return system.spec, "archdsl"
    if not system.layout:
        return system.spec, system.checkpoint
    name, _, model = system.spec.partition(":")
    text = (SPECS / f"{name}.arch").read_text(encoding="utf-8")
    path, model = folder / f"{name}.arch", model or name
    text += f"\ncheckpoint plain for {model} {{\n{system.layout}\n}}\n"
    path.write_text(text, encoding="utf-8")
    return f"{path}:{model}", "plain"


@contextmanager
def default(tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Makes the type of these tensors that of new ones."""
    before = torch.get_default_dtype()
    floats = [t.dtype for t in tensors.values() if t.is_floating_point()]
    torch.set_default_dtype(floats[0])
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def flat(outputs: Outputs) -> tuple[Tensor, ...]:
    """The outputs as a tuple."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def relative(outputs: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> float:
    """The largest difference, each of the largest number of its output."""
    pairs = zip(outputs, wanted, strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def loss(output: Tensor) -> Tensor:
    """Of an output, with a weight of its own for each number."""
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype)
    return (output.square() * weights.view_as(output)).sum()


def without_chance(model: nn.Module) -> None:
    """Sets every rate of dropout to 0, in modules of any library."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name in (
            "dropout",
            "attention_dropout",
            "drop_prob",
            "attn_drop",
            "rate",
            "p",
        ):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def gradient_gaps(ours: nn.Module, wanted: nn.Module) -> list[float]:
    """Of the gradients of one and the weights of the other; and of statistics."""
    expected = dict(wanted.double().named_parameters())
    found = {k: p.grad for k, p in ours.named_parameters() if p.grad is not None}
    assert found.keys() == {k for k, p in ours.named_parameters() if p.requires_grad}
    sizes = {k: expected[k].abs().max().item() for k in found}
    least = max(sizes.values()) / 1000
    gaps = [
        (found[k] - expected[k]).abs().max().item() / max(sizes[k], least)
        for k in found
    ]
    saved = wanted.state_dict()  # other buffers are tables, made in either type
    statistics = {k: b for k, b in wanted.named_buffers() if k in saved}
    for name, buffer in ours.named_buffers():
        if name in statistics and buffer.is_floating_point():
            gaps.append((buffer - statistics[name]).abs().max().item())
    return gaps

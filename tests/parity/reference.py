"""Comparing a compiled model with an independent one that has the same weights.

All of it is in float64, where two ways to compute one thing differ by 1e-12 or so, and
the smallest mistake (another epsilon, another flavour of GELU) by 1e-6 and more.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archdsl.analysis.weights.fitting import written_out
from archdsl.backends.torch.checkpoints.models import architecture_of
from archdsl.backends.torch.checkpoints.moves import moved
from archdsl.build import read
from archdsl.source import Source

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"

TOLERANCE = 1e-10
# What a planted fault must do at least for a comparison to be worth its name.
CLEARLY = 1e4 * TOLERANCE

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def same(x: Tensor) -> Tensor:
    return x


class Rule(NamedTuple):
    """Where a tensor of the reference stands in the compiled model.

    Attributes:
        theirs: A pattern for the reference's name.
        ours: The compiled model's name, with groups of the pattern, or a function that
            makes it of the match.
        change: What happens to the tensor on its way.
    """

    theirs: str
    ours: str | Callable[[re.Match[str]], str]
    change: Callable[[Tensor], Tensor] = same


Rules: TypeAlias = "Iterable[Rule] | str"
"""How names map: by rules, or by the `checkpoint` of that name in the spec."""


def translated(
    theirs: Mapping[str, Tensor], rules: Rules, ours: nn.Module | None = None
) -> dict[str, Tensor]:
    """The reference's tensors under our names; each must be met by a rule."""
    if isinstance(rules, str):
        assert ours is not None
        return declared(theirs, rules, ours)
    found: dict[str, Tensor] = {}
    rules = list(rules)
    for name, tensor in theirs.items():
        hits = [(rule, re.fullmatch(rule.theirs, name)) for rule in rules]
        places = [(rule, match) for rule, match in hits if match]
        assert places, f"no rule for {name}"
        for rule, match in places:
            ours = rule.ours(match) if callable(rule.ours) else match.expand(rule.ours)
            assert ours not in found, f"{name} is not the only one for {ours}"
            found[ours] = rule.change(tensor)
    return found


def declared(
    theirs: Mapping[str, Tensor], name: str, ours: nn.Module
) -> dict[str, Tensor]:
    """Tensors, all or some, under our names by a layout that a spec declares."""
    architecture = architecture_of(ours)
    program = read(Source(architecture.name, architecture.text), SPECS)
    (layout,) = written_out(program, architecture.graph(), name)
    moves = [m for m in layout.moves.values() if theirs.keys() >= {*m.theirs}]
    taken = {name for move in moves for name in move.theirs}
    left = theirs.keys() - taken
    assert all(any(d.fullmatch(name) for d in layout.drops) for name in left), left
    return {move.ours: moved(move, [theirs[n] for n in move.theirs]) for move in moves}


def saved(module: nn.Module, path: Path) -> Path:
    """The state dict of a reference in a file, as people share it."""
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    save_file(state, path)
    return path


def state(module: nn.Module) -> dict[str, Tensor]:
    """Learned tensors, shared ones once, and the statistics of batch norms."""
    buffers = {k: b for k, b in module.named_buffers() if k.endswith(STATISTICS)}
    return {**dict(module.named_parameters()), **buffers}


def jittered(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 and inference, nothing in it left as it was made.

    Fresh weights hide mistakes: gains and variances are 1, biases and position tables
    are 0, and matrices so small that all attention is even. So every vector, statistic
    and constant tensor moves, and matrices keep what passes through them at its size.
    """
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for name, tensor in state(module).items():
            if not tensor.is_floating_point():
                continue
            vector = tensor.dim() < 2 or tensor.min() == tensor.max()
            if not vector:
                tensor.mul_(1 / (tensor.std() * tensor[0].numel() ** 0.5))
                continue
            drawn = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
            if name.endswith("running_var"):
                tensor.copy_(0.5 + drawn.abs())
            else:
                tensor.add_(0.2 * drawn)
    return module


def fill(ours: nn.Module, theirs: nn.Module, rules: Rules) -> nn.Module:
    """Our model with the reference's weights; each tensor on both sides has one."""
    ours.double().eval()
    weights = translated(state(theirs), rules, ours)
    places = state(ours)
    assert sorted(weights) == sorted(places)
    with torch.no_grad():
        for name, place in places.items():
            assert place.shape == weights[name].shape, name
            place.copy_(weights[name])
    return ours


def gap(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference of two tensors of the same shape."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert torch.isfinite(theirs).all()
    return (ours - theirs).abs().max().item()


def images(*size: int, batch: int = 2, seed: int = 1) -> Tensor:
    """Random images of 3 channels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, *size, generator=generator, dtype=torch.float64)


def words(length: int, vocab: int, batch: int = 2, seed: int = 1) -> Tensor:
    """Random words, all of a vocabulary as likely."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab, (batch, length), generator=generator)


def logits(model: nn.Module, x: Tensor) -> Tensor:
    """What a model makes of an input, be it ours, plain or of transformers."""
    out = model(x)
    return out if isinstance(out, Tensor) else out.logits


@torch.no_grad()
def difference(ours: nn.Module, theirs: nn.Module, x: Tensor) -> float:
    """The largest difference of the outputs, for the batch and for its first alone."""
    expected = [logits(theirs, x[:n]) for n in sorted({len(x), 1})]
    assert expected[0].std() > 0.1, "outputs so small hide mistakes"
    gaps = [gap(logits(ours, x[: len(e)]), e) for e in expected]
    print(f"max |difference| {max(gaps):.1e}")
    return max(gaps)


def gradient_difference(
    ours: nn.Module, theirs: nn.Module, rules: Rules, x: Tensor
) -> float:
    """The largest difference of a loss's gradients, relative to each tensor's largest.

    The gradients are those of all parameters, and of the input if it has any. One that
    is a thousandth of the largest of all counts as that much: the bias of a key has no
    gradient but for rounding.
    """
    mine, mine_of_x = gradients(ours, x)
    yours, yours_of_x = gradients(theirs, x)
    expected = translated(yours, rules, ours)
    assert sorted(mine) == sorted(expected)
    pairs = [(mine[name], expected[name]) for name in mine]
    if mine_of_x is not None:
        pairs.append((mine_of_x, yours_of_x))
    sizes = [theirs.abs().max().item() for _, theirs in pairs]
    least = max(sizes) / 1000
    gaps = [gap(*pair) / max(s, least) for pair, s in zip(pairs, sizes, strict=True)]
    print(f"max |difference| {max(gaps):.1e} over {len(pairs)} gradients")
    return max(gaps)


def gradients(model: nn.Module, x: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
    """Of a loss that no output leaves alone: by parameter, and that of the input."""
    x = x.clone().requires_grad_(x.is_floating_point())
    model.zero_grad()
    out = logits(model, x)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    (out.square() * weights).sum().backward()
    found = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None
            continue
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.any(), f"the gradient of {name} is 0"
        found[name] = parameter.grad
    return found, x.grad

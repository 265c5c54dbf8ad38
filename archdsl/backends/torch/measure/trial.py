"""A model at work: fresh or trained weights, random inputs, a device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from archdsl.analysis.cost import MOST_LAYERS, Layer, count_layers, layers
from archdsl.analysis.ids import known_ids
from archdsl.analysis.report import symbols
from archdsl.backends.torch.load import load
from archdsl.ir.graph import Graph
from archdsl.ir.tensor import FEATURES, Tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

    State: TypeAlias = dict[str, torch.Tensor]

Turns: TypeAlias = Callable[[range], Iterable[int]]
"""Goes through a range of turns, and may show how far it is."""

PICTURES = (".png", ".jpg", ".jpeg")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels


class Unmeasurable(ValueError):
    """What is asked for cannot be measured; the text says why, and what would mend it.

    A wrong use of the command, not an error of the spec.
    """


@dataclass(frozen=True)
class Trial:
    """A model to run, again and again.

    Attributes:
        graph: What it is compiled from; its sizes are numbers.
        device: Where it runs: "cpu", "cuda", "mps".
        seed: Of the weights and inputs; equal seeds make equal ones on every device.
        weights: A file of weights in safetensors, by the names of the state dict;
            random ones if None.
        sample: A file for the first input: a picture, or an array as .npy; random
            numbers if None.
        double: Whether it computes in float64.
    """

    graph: Graph
    device: str = "cpu"
    seed: int = 0
    weights: Path | None = None
    sample: Path | None = None
    double: bool = False

    def __post_init__(self) -> None:
        found = symbols(self.graph)
        if found:
            names = ", ".join(found)
            mend = f"give every axis a number, as --size {found[0]}=64"
            raise Unmeasurable(f"{names}: open sizes cannot be run; {mend}")
        if count_layers(self.graph) > MOST_LAYERS:
            raise Unmeasurable(f"the model has more than {MOST_LAYERS:,} layers")
        need_torch(self.device)

    def model(self, turn: int = 0) -> nn.Module:
        """The model in inference, with the weights of a turn."""
        import torch

        with seeded(self.seed, turn, "weights"):
            model = load(self.graph)
        if self.weights is not None:
            model.load_state_dict(self._state(model), assign=False)
        dtype = torch.float64 if self.double else torch.float32
        return model.to(device=self.device, dtype=dtype).eval()

    def _state(self, model: nn.Module) -> State:
        """The trained weights, each of the shape that the model has."""
        assert self.weights is not None
        found = read_weights(self.weights)
        there = model.state_dict()
        missing = sorted(there.keys() - found.keys())
        more = sorted(found.keys() - there.keys())
        if missing or more:
            parts = [f"it lacks {_some(missing)}"] if missing else []
            parts += [f"it has {_some(more)} besides"] if more else []
            raise Unmeasurable(f"{self.weights} does not fit: {', and '.join(parts)}")
        for name, tensor in there.items():
            ours, theirs = tuple(tensor.shape), tuple(found[name].shape)
            if ours != theirs:
                problem = f"{name} is {theirs} there and {ours} in the model"
                raise Unmeasurable(f"{self.weights} does not fit: {problem}")
        return found

    def inputs(self, turn: int = 0) -> list[torch.Tensor]:
        """One tensor for each input, random but for what a file gives."""
        import torch

        vocabulary = min(map(_number, known_ids(self.graph)), default=2)
        made = []
        with seeded(self.seed, turn, "inputs"):
            for tensor in self.graph.inputs.values():
                shape = [_number(size) for _, size in tensor.axes]
                if tensor.dtype == "float":
                    drawn = torch.randn(shape)
                elif tensor.dtype == "bool":
                    drawn = torch.randint(2, shape).bool()
                else:
                    drawn = torch.randint(vocabulary, shape)
                made.append(drawn)
        if self.sample is not None:
            made[:1] = [self._read(self.sample, vocabulary)]
        return [self._placed(x) for x in made]

    def _read(self, path: Path, vocabulary: int) -> torch.Tensor:
        """The first input, from a file."""
        import torch

        first = next(iter(self.graph.inputs.values()), None)
        if first is None:
            raise Unmeasurable("the model has no input to put a file into")
        found = read_input(path, first)
        if first.dtype == "int":
            low, high = int(found.min()), int(found.max())
            if low < 0 or high >= vocabulary:
                problem = f"{path} has ids from {low} to {high}"
                known = f"the model knows 0 to {vocabulary - 1}"
                raise Unmeasurable(f"{problem}, and {known}")
        kinds = {"int": torch.int64, "bool": torch.bool}
        return found.to(kinds.get(first.dtype, torch.float32))

    def _placed(self, x: torch.Tensor) -> torch.Tensor:
        x = x.double() if self.double and x.is_floating_point() else x
        return x.to(self.device)


def _some(names: list[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _number(size: object) -> int:
    assert isinstance(size, int)
    return size


def need_torch(device: str = "cpu") -> None:
    """Says what is missing before anything begins.

    Raises:
        Unmeasurable: There is no torch, or no such device.
    """
    try:
        import torch
    except ImportError:
        mend = "pip install 'archdsl[torch]'"
        raise Unmeasurable(f"to measure, a model must run: {mend}") from None
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device, False):
        known = ", ".join(name for name, on in there.items() if on)
        raise Unmeasurable(f"there is no {device} here; there is {known}")


def chance(seed: int, turn: int, what: str) -> int:
    """The seed of one thing that is drawn in one turn: no two draws are alike."""
    words = f"{seed} {turn} {what}".encode()
    return int.from_bytes(hashlib.sha256(words).digest()[:8]) % 2**63


@contextmanager
def seeded(seed: int, turn: int, what: str) -> Iterator[None]:
    """Random numbers inside are those of a seed and a turn; outside nothing changes."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(chance(seed, turn, what))
        yield


def parts(graph: Graph, model: nn.Module) -> Iterator[tuple[Layer, nn.Module]]:
    """The ops that stand as modules of their own, each path once, in order."""
    seen = set()
    for layer in layers(graph):
        if layer.path in seen:
            continue
        seen.add(layer.path)
        try:
            module = model.get_submodule(".".join(layer.path))
        except AttributeError:
            continue
        yield layer, module


# --- files --------------------------------------------------------------------------


def read_weights(path: Path) -> State:
    """The tensors of a safetensors file, by name.

    Raises:
        Unmeasurable: It is none, cannot be read, or safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        mend = "pip install 'archdsl[torch]'"
        raise Unmeasurable(f"--weights needs safetensors: {mend}") from None
    try:
        return load_file(path)
    except OSError as error:
        reason = error.strerror or "no such file"
        raise Unmeasurable(f"cannot read {path}: {reason}") from None
    except SafetensorError:
        problem = "is not a safetensors file, and no other kind is read"
        raise Unmeasurable(f"{path} {problem}") from None


def read_input(path: Path, tensor: Tensor) -> torch.Tensor:
    """An input from a file: an array as it is, or a picture.

    A picture is scaled to the input's H and W, its channels to 0 … 1 and then by
    ImageNet's mean and standard deviation. One of a batch is used for all of it.

    Raises:
        Unmeasurable: It cannot be read, or does not fit the input.
    """
    import torch

    is_picture = path.suffix.lower() in PICTURES
    if not is_picture and path.suffix.lower() != ".npy":
        raise Unmeasurable(f"{path}: an input is a .png, .jpg or .npy file")
    try:
        found = _picture(path, tensor) if is_picture else _array(path)
    except OSError as error:
        reason = error.strerror or "it cannot be decoded"
        raise Unmeasurable(f"cannot read {path}: {reason}") from None
    shape = tuple(_number(size) for _, size in tensor.axes)
    if tuple(found.shape) == shape[1:]:
        found = found[None]
    try:
        return torch.broadcast_to(found, shape).contiguous()
    except RuntimeError:
        given = tuple(found.shape)
        raise Unmeasurable(f"{path} is {given}, and the input {tensor}") from None


def _array(path: Path) -> torch.Tensor:
    import numpy as np
    import torch

    try:
        return torch.from_numpy(np.load(path, allow_pickle=False))
    except (ValueError, TypeError, EOFError) as error:
        raise Unmeasurable(f"{path} holds no array of numbers: {error}") from None


def _picture(path: Path, tensor: Tensor) -> torch.Tensor:
    """A picture in the order of the input's axes, without the batch."""
    try:
        import numpy as np
        from PIL import Image
    except ImportError:
        mend = "pip install pillow numpy"
        raise Unmeasurable(f"reading a picture needs pillow: {mend}") from None
    import torch

    if set(tensor.positions) != {"H", "W"} or tensor.sizes.get(FEATURES) not in (1, 3):
        problem = f"a picture is [C = 3, H, W] or [C = 1, H, W], and the input {tensor}"
        raise Unmeasurable(f"{path} does not fit: {problem}")
    channels = _number(tensor[FEATURES])
    size = _number(tensor["W"]), _number(tensor["H"])
    with Image.open(path) as image:
        scaled = image.convert("L" if channels == 1 else "RGB").resize(
            size, Image.Resampling.BICUBIC
        )
        pixels = np.asarray(scaled, dtype=np.float32) / 255
    x = torch.from_numpy(pixels).view(size[1], size[0], channels)
    x = (x - torch.tensor(MEAN[:channels])) / torch.tensor(STD[:channels])
    order = [a for a in tensor.names if a in ("H", "W", FEATURES)]
    return x.permute([("H", "W", FEATURES).index(a) for a in order])

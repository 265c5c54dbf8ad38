"""Counts the MACs of reference models with the counters that there are; prints JSON.

Runs in an environment of its own (benchmarks/requirements.txt), where `accuracy.py`
starts it. Each counter is called as its own documentation shows, on a model in `eval`;
what it cannot do, or what is not installed, is said in place of a number.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

PACKAGES = (
    "calflops", "fvcore", "ptflops", "thop", "torch", "torchinfo", "torchvision",
    "transformers",
)  # fmt: skip


# --- models -------------------------------------------------------------------------


def vision(name: str) -> nn.Module:
    """A model of torchvision, with fresh weights.

    Beside a torch that was built for another device its compiled detection ops do not
    load, which no model here uses: then it only needs to find them declared.
    """
    try:
        import torchvision
    except RuntimeError:
        for module in [m for m in sys.modules if m.startswith("torchvision")]:
            del sys.modules[module]
        types = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define("torchvision::nms", types)
        torch.library.define("torchvision::qnms", types)
        import torchvision
    return torchvision.models.get_model(name)


def deit_s() -> nn.Module:
    """DeiT-S as transformers has it: a ViT of dim 384 with 6 heads."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=384, num_attention_heads=6, intermediate_size=1536, num_labels=1000
    )
    return ViTForImageClassification(config)


def gpt2() -> nn.Module:
    """GPT-2 of transformers."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(use_cache=False))


class Bilstm(nn.Module):
    """What specs/bilstm.arch declares, around PyTorch's own `nn.LSTM`."""

    def __init__(self) -> None:
        """Makes the layers."""
        super().__init__()
        self.embedding = nn.Embedding(10000, 128)
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(512, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Ids to logits."""
        states = self.lstm(self.embedding(x))[1][0]
        return self.linear(torch.cat([states[-2], states[-1]], -1))


def image() -> Tensor:
    """One image."""
    return torch.zeros(1, 3, 224, 224)


def tokens(length: int) -> Tensor:
    """One text."""
    return torch.zeros(1, length, dtype=torch.long)


# The model, its input, and what its forward calls that.
MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], str]] = {
    "resnet50": (lambda: vision("resnet50"), image, "x"),
    "vit_b16": (lambda: vision("vit_b_16"), image, "x"),
    "deit_s": (deit_s, image, "pixel_values"),
    "swin_t": (lambda: vision("swin_t"), image, "x"),
    "gpt2": (gpt2, lambda: tokens(1024), "input_ids"),
    "bilstm": (Bilstm, lambda: tokens(20), "x"),
}


# --- counters -----------------------------------------------------------------------


def by_fvcore(model: nn.Module, x: Tensor, name: str) -> int:
    """Its `FlopCountAnalysis`, which counts MACs and calls them flops."""
    from fvcore.nn import FlopCountAnalysis

    return FlopCountAnalysis(model, x).total()


def by_thop(model: nn.Module, x: Tensor, name: str) -> int:
    """Its `profile`."""
    from thop import profile

    return profile(model, inputs=(x,), verbose=False)[0]


def by_torchinfo(model: nn.Module, x: Tensor, name: str) -> int:
    """The "mult-adds" of its `summary`."""
    from torchinfo import summary

    return summary(model, input_data=x, verbose=0).total_mult_adds


def by_ptflops(backend: str) -> Callable[[nn.Module, Tensor, str], int]:
    """Its `get_model_complexity_info` with one of its two backends."""

    def count(model: nn.Module, x: Tensor, name: str) -> int:
        from ptflops import get_model_complexity_info

        return get_model_complexity_info(
            model,
            tuple(x.shape),
            input_constructor=lambda shape: {name: x},
            as_strings=False,
            print_per_layer_stat=False,
            backend=backend,
        )[0]

    return count


def by_calflops(model: nn.Module, x: Tensor, name: str) -> int:
    """The MACs of its `calculate_flops`."""
    from calflops import calculate_flops

    return calculate_flops(
        model, args=[x], print_results=False, output_as_string=False
    )[1]


def by_torch(model: nn.Module, x: Tensor, name: str) -> int:
    """PyTorch's `FlopCounterMode`, two FLOPs a MAC."""
    with FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops() // 2


def by_torch_on_meta(model: nn.Module, x: Tensor, name: str) -> int:
    """The same without fused kernels: on the meta device, with math attention."""
    with sdpa_kernel(SDPBackend.MATH):
        return by_torch(model.to("meta"), x.to("meta"), name)


COUNTERS: dict[str, Callable[[nn.Module, Tensor, str], int]] = {
    "fvcore": by_fvcore,
    "thop": by_thop,
    "torchinfo": by_torchinfo,
    "ptflops": by_ptflops("pytorch"),
    "ptflops (aten)": by_ptflops("aten"),
    "calflops": by_calflops,
    "FlopCounterMode": by_torch,
    "FlopCounterMode (meta, math)": by_torch_on_meta,
}
WITHOUT_GRADIENTS = ("fvcore", "ptflops (aten)", "calflops", "FlopCounterMode")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What counters print goes nowhere."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def counted(model: str, counter: str) -> int | str:
    """The MACs of a model, or why there are none."""
    make, inputs, name = MODELS[model]
    torch.manual_seed(0)
    try:
        with quiet():
            return int(COUNTERS[counter](make().eval(), inputs(), name))
    except ImportError as error:
        return f"missing: {error.name}"
    except Exception as error:
        return f"fails: {str(error).strip().splitlines()[0][:100]}"


def version(package: str) -> str | None:
    """The version that is installed, if any."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    """Counts everything and prints it."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    counts = {m: {c: counted(m, c) for c in COUNTERS} for m in MODELS}
    with torch.no_grad():
        again = {m: {c: counted(m, c) for c in WITHOUT_GRADIENTS} for m in ["vit_b16"]}
    found = {
        "versions": {package: version(package) for package in PACKAGES},
        "counts": counts,
        "without_gradients": again,
    }
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

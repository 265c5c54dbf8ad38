"""How far today's counters are from the exact MACs of known models, and why.

Counts six models with `counters.py`, in an environment of its own that it makes where
there is none, and in closed form with `closed.py`, and asks archdsl. Every difference
is held against what `WHY` says of it. Writes docs/accuracy.md where every counter ran;
otherwise it prints the page, without the columns of those that are missing.

    python benchmarks/accuracy.py [--python INTERPRETER] [--counts FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import textwrap
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import archdsl  # noqa: E402
from archdsl.analysis.tables import Column, Table, markdown, unit  # noqa: E402
from benchmarks import closed  # noqa: E402

UNEXPLAINED = "and what nobody explained"
PAGE = ROOT / "docs" / "accuracy.md"
HOME = ROOT / "build" / "counters"


class Model(NamedTuple):
    """A model that is counted.

    Attributes:
        title: As the page calls it.
        reference: What the counters count.
        spec: What archdsl counts.
        settings: Its hyperparameters, where they are not the spec's own.
        amounts: Its MACs in closed form, and what counters mix in.
    """

    title: str
    reference: str
    spec: str
    settings: Mapping[str, object]
    amounts: Callable[[], closed.Amounts]


MODELS = {
    "vit_b16": Model(
        "ViT-B/16", "torchvision's `vit_b_16`", "vit_b16", {},
        lambda: closed.vit(768, 12),
    ),
    "deit_s": Model(
        "DeiT-S", "transformers' `ViTForImageClassification`, dim 384, 6 heads",
        "vit_b16:vit", {"dim": 384, "heads": 6}, lambda: closed.vit(384, 6),
    ),
    "swin_t": Model("Swin-T", "torchvision's `swin_t`", "swin_t", {}, closed.swin_t),
    "gpt2": Model(
        "GPT-2", "transformers' `GPT2LMHeadModel`, 1,024 tokens", "gpt2", {},
        closed.gpt2,
    ),
    "bilstm": Model(
        "BiLSTM", "`nn.LSTM(128, 256, 2)` both ways between an embedding of 10,000 and "
        "a linear map to 5, 20 tokens", "bilstm", {}, closed.bilstm,
    ),
    "resnet50": Model(
        "ResNet-50", "torchvision's `resnet50`", "resnet50", {}, closed.resnet50
    ),
}  # fmt: skip

# What each counter says, as a sum: the exact count and so many times these amounts.
_VIT = {
    "fvcore": "-products +5norms",
    "thop": "-products -projections +4norms",
    "torchinfo": "-products -projections -linears +linear_params +norm_params "
    "+conv_bias",
    "ptflops": "+queries +softmax +norms +2activations +attention_bias +linear_bias "
    "+conv_bias",
    "ptflops (aten)": "-products +attention_bias +linear_bias +conv_bias",
    "calflops": "-products",
    "FlopCounterMode": "-products",
}
WHY: Mapping[str, Mapping[str, str]] = {
    "vit_b16": _VIT,
    "deit_s": {
        **_VIT,
        "thop": "-products +4norms",
        "torchinfo": f"{_VIT['torchinfo']} +attention_params",
        "ptflops": "-products +norms +attention_bias +linear_bias +conv_bias",
    },
    "swin_t": {
        "fvcore": "+5norms +mean_pool",
        "thop": "-products -projections +4norms +50means",
        "torchinfo": _VIT["torchinfo"],
        "ptflops": "-projections +softmax +norms +2activations +2mean_pool "
        "+linear_bias +conv_bias",
        "ptflops (aten)": "+attention_bias +linear_bias +conv_bias",
    },
    "gpt2": {
        "fvcore": "-products +5norms",
        "thop": "-products -projections -linears +head +4norms",
        "torchinfo": "-products -projections -linears +as_convs +embeddings "
        "+norm_params +head_params",
        "ptflops": "-products +norms +biases_once",
        "ptflops (aten)": "-products +attention_bias +linear_bias",
        "calflops": "-products",
        "FlopCounterMode": "-products",
    },
    "bilstm": {
        "fvcore": "-recurrence",
        "thop": "+16states",
        "torchinfo": "+recurrent_bias +embeddings +linear_bias",
        "ptflops": "+recurrent_bias +10states +linear_bias",
        "ptflops (aten)": "-recurrence +linear_bias",
        "calflops": "-recurrence",
        "FlopCounterMode": "-recurrence",
    },
    "resnet50": {
        "fvcore": "+2norms +mean_pool",
        "thop": "+4norms +50means",
        "torchinfo": "+norm_params +linear_bias",
        "ptflops": "+2norms +2activations +2max_pool +2mean_pool +linear_bias",
        "ptflops (aten)": "+linear_bias",
    },
}
WITHOUT_GRADIENTS = {
    "fvcore": "-products -projections +5norms",
    "ptflops (aten)": "-products -projections +linear_bias +conv_bias",
    "calflops": "-products -projections",
    "FlopCounterMode": "-products -projections",
}

ABOUT = """\
- **fvcore** traces the model and has no rule for `scaled_dot_product_attention` nor for
  `lstm`; a layer norm counts 5 operations a number, a batch norm 2.
- **thop** hooks modules that it knows. It does not know `nn.MultiheadAttention`, the
  `Conv1D` of transformers' GPT-2, nor products that are no module's; norms count 4.
- **torchinfo** multiplies the parameters of a linear map by the batch, not by the
  positions, and takes every class with `Conv` in its name for a convolution.
- **ptflops**, by default, hooks modules and replaces functions: what is both, an
  activation or a pool that is a module, counts twice. `F.linear` it does not replace,
  and so misses the projections of torchvision's Swin. Biases and norms count.
- **ptflops (aten)** sees what PyTorch dispatches, and has rules for matrix products and
  convolutions, biases with them; not for fused attention, nor for a fused LSTM.
- **calflops** replaces functions, and has no rule for `scaled_dot_product_attention`.
  Of an LSTM it adds FLOPs, but no MACs.
- **FlopCounterMode**, PyTorch's own, sees what is dispatched, and has no rule for the
  fused attention of CPUs, nor for a fused LSTM. On the meta device with math attention
  nothing is fused and it is exact, where the model runs there: transformers' GPT-2 asks
  for the value of a tensor, which has none.
"""


class Counts(NamedTuple):
    """What `counters.py` printed."""

    versions: Mapping[str, str | None]
    counts: Mapping[str, Mapping[str, int | str]]
    without_gradients: Mapping[str, Mapping[str, int | str]]


# --- counting -----------------------------------------------------------------------


def environment() -> Path:
    """The interpreter that has the counters; makes what is missing, if it can."""
    python = HOME / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done = HOME / ".installed"
    wanted = (ROOT / "benchmarks" / "requirements.txt").read_text()
    if done.is_file() and done.read_text() == wanted:
        return python
    print(f"Installing the counters into {HOME.relative_to(ROOT)}.", file=sys.stderr)
    venv.create(HOME, with_pip=True)
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    pip += ["--constraint", "constraints.txt"]
    everything = [*pip, "--requirement", "benchmarks/requirements.txt"]
    if subprocess.run(everything, cwd=ROOT, check=False).returncode == 0:
        done.write_text(wanted)
        return python
    for package in wanted.splitlines():  # what there is, then
        if not package.startswith("#"):
            subprocess.run([*pip, package], cwd=ROOT, check=False)
    return python
    print(f"Installing the counters into {HOME.relative_to(ROOT)}.", file=sys.stderr)
    venv.create(HOME, with_pip=True)
    install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    given = ["-c", "constraints.txt", "-r", "benchmarks/requirements.txt"]
    if subprocess.run([*install, *given], cwd=ROOT, check=False).returncode == 0:
        done.write_text(wanted)
    return python


def counted(python: Path) -> Counts | None:
    """What the counters count; None where not even the models are there."""
    command = [python, ROOT / "benchmarks" / "counters.py"]
    ran = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    return Counts(**json.loads(ran.stdout)) if ran.returncode == 0 else None


def ours(model: Model) -> int:
    """The MACs that archdsl says."""
    macs = archdsl.analyze(model.spec, settings=model.settings).totals.macs
    assert isinstance(macs, int)
    return macs


# --- the page -----------------------------------------------------------------------


def terms(why: str) -> Iterator[tuple[int, str]]:
    """The factors and amounts of a sum: ``-products +5norms``."""
    for word in why.split():
        sign, rest = word[0], word[1:]
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        yield int(f"{sign}{digits or 1}"), rest[len(digits) :]


def explained(amounts: closed.Amounts, why: str, difference: int) -> str:
    """A difference in words, and what is left of it."""
    parts = []
    for factor, name in terms(why):
        difference -= factor * amounts[name]
        times = f"{factor} × " if factor > 1 else ""
        share = f"{abs(factor) * amounts[name]:,}"
        sign = "−" if factor < 0 else "+"
        parts.append(f"{sign} {times}{closed.WORDS[name]} ({share})")
    if difference:
        parts.append(f"{UNEXPLAINED} ({difference:+,})")
    return " ".join(parts)


def overview(found: Counts) -> Table:
    """What each counter says of each model."""
    columns = [Column("counter", "")]
    columns += [Column(key, m.title) for key, m in MODELS.items()]
    exact = {key: closed.macs(m.amounts()) for key, m in MODELS.items()}
    rows = [
        ("closed form", *(f"{unit(n)}" for n in exact.values())),
        ("archdsl", *(cell(ours(m), exact[key]) for key, m in MODELS.items())),
    ]
    for counter in next(iter(found.counts.values())):
        cells = [cell(found.counts[key][counter], exact[key]) for key in MODELS]
        rows.append((counter, *cells))
    return Table("overview", "", tuple(columns), tuple(rows))


def cell(said: int | str, exact: int) -> str:
    """``exact``, or what is said instead and how far that is off."""
    if isinstance(said, str):
        return said.partition(":")[0]
    if said == exact:
        return "exact"
    return f"{unit(said)}, {percent(said, exact)}"


def percent(said: int, exact: int) -> str:
    """How far a count is off, with two digits."""
    share = 100 * (said - exact) / exact
    if abs(share) < 0.01:
        return "+0.00 %" if share > 0 else "−0.00 %"
    digits = 0 if abs(share) >= 10 else 1 if abs(share) >= 1 else 2
    return f"{share:+.{digits}f} %".replace("-", "−")


def reasons(key: str, counts: Mapping[str, int | str], why: Mapping[str, str]) -> Table:
    """Why each counter that is off is off."""
    amounts = MODELS[key].amounts()
    exact = closed.macs(amounts)
    rows = []
    for counter, said in counts.items():
        if isinstance(said, str):
            rows.append((counter, "", "", said))
        elif said != exact:
            words = explained(amounts, why.get(counter, ""), said - exact)
            rows.append((counter, f"{said:,}", percent(said, exact), words))
    columns = (
        Column("counter", "counter"),
        Column("macs", "MACs"),
        Column("off", "off by"),
        Column("why", "it is the exact count"),
    )
    return Table("reasons", "", columns, tuple(rows))


def page(found: Counts) -> str:
    """The whole page."""
    versions = ", ".join(
        f"{name} {version}" for name, version in found.versions.items() if version
    )
    parts = [
        "# How exact are counters?",
        "<!-- Written by `make accuracy`; do not edit. -->",
        "Multiply-accumulates (MACs) of one image of 224 × 224 or one text, as today's "
        "counters say them of the reference implementations, and as archdsl says them "
        "of its specs without running anything. Each counter is called as its own "
        "documentation shows, on a model in `eval` with fresh weights, on a CPU. "
        "FLOPs are halved.",
        markdown([overview(found)]),
        f"{versions}.",
        "## What each of them does",
        ABOUT.rstrip(),
        "## Where the differences come from",
        "Each is explained to the last unit: what a counter says is the exact count "
        "with these parts left out or added. `benchmarks/accuracy.py` checks the sums.",
    ]
    for key, model in MODELS.items():
        exact = closed.macs(model.amounts())
        parts += [
            f"### {model.title}: {exact:,} MACs",
            f"{model.reference[:1].upper()}{model.reference[1:]}.",
            markdown([reasons(key, found.counts[key], WHY[key])]),
        ]
    parts += [
        "## The same model without gradients",
        "Under `torch.no_grad()` an `nn.MultiheadAttention` in `eval` takes a fused "
        "path, and the same counters say something else of the same ViT-B/16:",
        markdown(
            [reasons("vit_b16", found.without_gradients["vit_b16"], WITHOUT_GRADIENTS)]
        ),
        "## The closed forms",
        "They stand in [benchmarks/closed.py](../benchmarks/closed.py), as plain "
        "arithmetic on what the papers say; what archdsl says is equal to them and, "
        "on the compiled modules, to `FlopCounterMode` on the meta device: "
        "`archdsl verify` shows that of any spec.",
    ]
    return "\n\n".join(map(wrapped, parts)) + "\n"


def wrapped(part: str) -> str:
    """A paragraph in lines; tables, lists and heads as they are."""
    if part.startswith(("#", "|", "-", "<")):
        return part
    return textwrap.fill(part, 88, break_long_words=False, break_on_hyphens=False)


def complete(found: Counts) -> bool:
    """Whether every counter ran, or says itself that it cannot."""
    cells = [said for row in found.counts.values() for said in row.values()]
    missing = sorted({s for s in cells if isinstance(s, str) and s.startswith("miss")})
    for words in missing:
        print(words, file=sys.stderr)
    return not missing


def main() -> None:
    """Counts, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, help="an interpreter with the counters")
    parser.add_argument("--counts", type=Path, help="what counters.py printed before")
    options = parser.parse_args()
    if options.counts:
        found = Counts(**json.loads(options.counts.read_text()))
    else:
        found = counted(options.python or environment())
    if found is None:
        print("torch is missing: docs/accuracy.md stays as it is", file=sys.stderr)
        return
    text = page(found)
    if complete(found):
        PAGE.write_text(text, encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    else:
        print(text)


if __name__ == "__main__":
    main()

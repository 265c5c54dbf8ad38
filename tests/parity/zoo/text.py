"""Networks for text: convolutions, recurrence, Transformers."""

from transformers import GPT2Config, GPT2LMHeadModel

from tests.parity.systems import System
from tests.parity.zoo.sequences import SEQUENCES

TRANSFORMER = "Transformer"


def gpt2(spec, **facts):
    """A GPT-2 of transformers."""

    def make(**more):
        return GPT2LMHeadModel(GPT2Config(**{**facts, **more}, use_cache=False))

    return System(
        spec,
        TRANSFORMER,
        "transformers GPT2LMHeadModel",
        make,
        narrow={
            "n_embd": 64,
            "n_layer": 3,
            "n_head": 4,
            "vocab_size": 100,
            "n_positions": 24,
        },
        settings={"dim": 64, "depth": 3, "heads": 4, "vocab": 100, "context": 24},
        checkpoint="transformers",
        trained=spec == "gpt2",
        large=bool(facts),
        repeated=bool(facts),
    )


TEXT = [
    gpt2("gpt2"),
    gpt2("gpt2:gpt2_medium", n_embd=1024, n_layer=24, n_head=16),
    gpt2("gpt2:gpt2_large", n_embd=1280, n_layer=36, n_head=20),
    gpt2("gpt2:gpt2_xl", n_embd=1600, n_layer=48, n_head=25),
    *SEQUENCES,
]

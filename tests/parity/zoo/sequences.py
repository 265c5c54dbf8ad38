"""Transformers with masks and rotary positions: translation, BERT, Llama."""

import math

import torch
from torch import nn
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from tests.parity.systems import System

TRANSFORMER = "Transformer"


class Translation(nn.Module):
    """The paper's model around `nn.Transformer`, which has two norms more."""

    def __init__(self, norm, dim=512, depth=6, heads=8, vocab=37000, **facts):
        super().__init__()
        self.table = nn.Embedding(vocab, dim)
        usual = {"dim_feedforward": 4 * dim, "dropout": 0.0, "batch_first": True}
        self.transformer = nn.Transformer(
            dim, heads, depth, depth, **{**usual, **facts}
        )
        if not norm:
            self.transformer.encoder.norm = self.transformer.decoder.norm = None
        self.turns = 10000.0

    def placed(self, ids):
        """Words with their places: sines and cosines side by side."""
        x = self.table(ids) * math.sqrt(self.table.embedding_dim)
        place = torch.arange(x.shape[1], dtype=torch.float64)[:, None]
        pair = torch.arange(0, x.shape[-1], 2, dtype=torch.float64)
        angle = place / self.turns ** (pair / x.shape[-1])
        waves = torch.stack((angle.sin(), angle.cos()), -1).flatten(-2)
        return x + waves.to(x.dtype)

    def forward(self, source, target, seen):
        """What comes after each word of the target; not `seen` is padding."""
        ahead = nn.Transformer.generate_square_subsequent_mask(
            target.shape[1], dtype=self.table.weight.dtype
        )
        y = self.transformer(
            self.placed(source),
            self.placed(target),
            tgt_mask=ahead,
            src_key_padding_mask=~seen,
            memory_key_padding_mask=~seen,
        )
        return y @ self.table.weight.T


def translation(model, *, norm, **facts):
    """One around torch.nn.Transformer."""

    def make(**more):
        torch.backends.mha.set_fastpath_enabled(False)  # which takes padding out
        return Translation(**{"norm": norm, **facts, **more})

    return System(
        f"transformer_base:{model}",
        TRANSFORMER,
        "torch.nn.Transformer",
        make,
        narrow={"dim": 64, "depth": 2, "heads": 4, "vocab": 100},
        settings={"dim": 64, "depth": 2, "heads": 4, "vocab": 100},
        sizes={"S": 9, "T": 7},
        checkpoint="torch",
        trained=model == "transformer_base",
        repeated=bool(facts),
    )


def bert(model, **facts):
    """A BERT of transformers, which puts out its states and the pooled one."""

    def make(**more):
        chance = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        return BertModel(BertConfig(**{**chance, **facts, **more}))

    def run(theirs, tokens, kinds, seen):
        made = theirs(tokens, seen.long(), kinds)
        return made.last_hidden_state, made.pooler_output

    return System(
        f"bert_base:{model}",
        TRANSFORMER,
        "transformers BertModel",
        make,
        narrow={
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 256,
            "vocab_size": 100,
            "max_position_embeddings": 24,
        },
        settings={"dim": 64, "depth": 3, "heads": 4, "vocab": 100, "context": 24},
        checkpoint="transformers",
        run=run,
        trained=model == "bert_base",
        large=bool(facts),
        repeated=bool(facts),
    )


def exact(model):
    """A Llama with norms in the precision of their input: its own are in float32."""
    for parent in list(model.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, LlamaRMSNorm):
                norm = nn.RMSNorm(part.weight.numel(), part.variance_epsilon)
                norm.weight = part.weight
                setattr(parent, name, norm)
    return model


LLAMAS = {
    "llama2_7b": {},
    "llama2_13b": {
        "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
        "num_attention_heads": 40,
    },
    "llama2_70b": {
        "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
        "num_attention_heads": 64, "num_key_value_heads": 8,
    },
    "llama3_8b": {
        "vocab_size": 128256, "intermediate_size": 14336, "num_key_value_heads": 8,
    },
    "llama3_70b": {
        "vocab_size": 128256, "hidden_size": 8192, "intermediate_size": 28672,
        "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
    },
    "llama3_405b": {
        "vocab_size": 128256, "hidden_size": 16384, "intermediate_size": 53248,
        "num_hidden_layers": 126, "num_attention_heads": 128, "num_key_value_heads": 8,
    },
    "tinyllama": {
        "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
        "num_key_value_heads": 4,
    },
}  # fmt: skip


def llama(model):
    """A Llama of transformers."""

    def make(**more):
        facts = {**LLAMAS[model], **more, "rms_norm_eps": 1e-5, "use_cache": False}
        return exact(LlamaForCausalLM(LlamaConfig(**facts)))

    base = 500000.0 if model.startswith("llama3") else 10000.0
    return System(
        f"llama:{model}",
        TRANSFORMER,
        "transformers LlamaForCausalLM",
        make,
        narrow={
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "intermediate_size": 96,
            "vocab_size": 100,
            "rope_parameters": {"rope_type": "default", "rope_theta": base},
        },
        settings={
            "dim": 64, "depth": 3, "heads": 8, "kv_heads": 2, "width": 96,
            "vocab": 100, "context": 24, "base": int(base), "scaling": "none",
        },
        checkpoint="transformers",
        trained=model == "llama2_7b",
        repeated=model not in ("llama2_7b", "llama3_8b"),
        large=True,
    )  # fmt: skip


SEQUENCES = [
    translation("transformer_base", norm=False),
    translation("transformer_torch", norm=True),
    translation("transformer_big", norm=False, dim=1024, heads=16),
    bert("bert_base"),
    bert(
        "bert_large",
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
    ),
    *map(llama, LLAMAS),
]

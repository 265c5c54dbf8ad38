"""Networks of two inputs, written with torch.nn: tasks, and texts with images."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from transformers import ResNetConfig, ResNetModel

from tests.parity import systems

FAMILY = "conditioning, fusion"
of_tests = partial(systems.of_tests, FAMILY)


def encoder(dim, depth, heads):
    """PyTorch's own, the norms in front of its layers and one after the last.

    The activation is a function: PyTorch's fast path takes the tanh form of a module
    for the exact one.
    """
    torch.backends.mha.set_fastpath_enabled(False)  # which no counter sees
    layer = nn.TransformerEncoderLayer(
        dim,
        heads,
        4 * dim,
        dropout=0.0,
        activation=F.gelu,
        batch_first=True,
        norm_first=True,
    )
    norm = nn.LayerNorm(dim)
    return nn.TransformerEncoder(layer, depth, norm, enable_nested_tensor=False)


ENCODER = """
  "encoder.layers.{i}.self_attn.in_proj_weight"
    -> ["transformer_layer.{i}.attention.{q,k,v}.weight"]
  "encoder.layers.{i}.self_attn.in_proj_bias"
    -> ["transformer_layer.{i}.attention.{q,k,v}.bias"]
  "encoder.layers.{i}.self_attn.out_proj" -> "transformer_layer.{i}.attention.out"
  "encoder.layers.{i}.norm{1,2}" -> "transformer_layer.{i}.layer_norm{,_2}"
  "encoder.layers.{i}.linear{1,2}"
    -> "transformer_layer.{i}.feed_forward.linear{,_2}"
  "encoder.norm" -> "layer_norm"
"""
HEADS = '"heads" -> reshape -> "head_of_task.linear"'


class Heads(nn.Module):
    """A linear map for each task: all of them, and one is taken by its number."""

    def __init__(self, tasks, dim, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tasks, classes, dim))
        self.bias = nn.Parameter(torch.zeros(tasks, classes))

    def forward(self, x, task):
        every = F.linear(x, self.weight.flatten(0, 1)).unflatten(1, self.bias.shape)
        return (every + self.bias)[torch.arange(len(x), device=x.device), task]


class Multitask(nn.Module):
    """PyTorch's own encoder, the task's vector after the first word."""

    def __init__(self, vocab=5000, dim=128, depth=2, heads=4, tasks=2, classes=5):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.places = nn.Embedding(64, dim)
        self.tasks = nn.Embedding(tasks, dim)
        self.encoder = encoder(dim, depth, heads)
        self.heads = Heads(tasks, dim, classes)

    def forward(self, text, task):
        x = self.words(text) + self.places.weight[: text.shape[1]]
        x = torch.cat((x[:, :1], self.tasks(task).unsqueeze(1), x[:, 1:]), 1)
        return self.heads(self.encoder(x)[:, 0], task)


class Film(nn.Module):
    """The block of the paper, its gain one more than what the map gives."""

    def __init__(self, width, dim):
        super().__init__()
        self.first = nn.Conv2d(width, width, 1)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.film = nn.Linear(dim, 2 * width)

    def forward(self, x, asked):
        x = self.first(x).relu()
        gain, shift = self.film(asked)[:, :, None, None].chunk(2, 1)
        y = torch.addcmul(shift, self.norm(self.second(x)), gain + 1)
        return x + y.relu()


class MultitaskFilm(nn.Module):
    """Perez et al. 2018 with a task in place of a question."""

    def __init__(self, width=64, depth=4, dim=32, tasks=4, classes=10):
        super().__init__()
        self.tasks = nn.Embedding(tasks, dim)
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.ModuleList(Film(width, dim) for _ in range(depth))
        self.heads = Heads(tasks, width, classes)

    def forward(self, image, task):
        x, asked = self.stem(image).relu(), self.tasks(task)
        for block in self.blocks:
            x = block(x, asked)
        return self.heads(x.flatten(2).mean(2), task)


class EarlyFusion(nn.Module):
    """Words and patches, with their places and kinds, through PyTorch's encoder."""

    def __init__(
        self, vocab=30522, dim=256, depth=4, heads=4, patch=16, classes=10, count=16
    ):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.word_places = nn.Embedding(40, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.whole = nn.Parameter(torch.zeros(1, dim))
        self.patch_places = nn.Parameter(torch.zeros(count + 1, dim))
        self.kinds = nn.Embedding(2, dim)
        self.encoder = encoder(dim, depth, heads)
        self.pool = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, image, text):
        told = self.norm(self.words(text) + self.word_places.weight[: text.shape[1]])
        seen = self.patches(image).flatten(2).mT
        whole = self.whole.expand(len(seen), 1, -1)
        seen = torch.cat((whole, seen), 1) + self.patch_places
        parts = [told + self.kinds.weight[0], seen + self.kinds.weight[1]]
        return self.head(self.pool(self.encoder(torch.cat(parts, 1))[:, 0]).tanh())


class LateFusion(nn.Module):
    """Both towers by others, and a head of two layers on their features."""

    def __init__(self, vocab=10000, dim=128, hidden=128, classes=10):
        super().__init__()
        widths = [64, 128, 256, 512]
        config = ResNetConfig(depths=[2] * 4, layer_type="basic", hidden_sizes=widths)
        self.look = ResNetModel(config)
        self.words = nn.Embedding(vocab, dim)
        self.read = nn.LSTM(dim, hidden, batch_first=True, bidirectional=True)
        self.first = nn.Linear(512 + 2 * hidden, 256)
        self.second = nn.Linear(256, classes)

    def forward(self, image, text):
        seen = self.look(image).pooler_output.flatten(1)
        _, (h, _) = self.read(self.words(text))
        return self.second(self.first(torch.cat((seen, h[0], h[1]), 1)).relu())


TOWER = "".join(
    f"""
  "look.encoder.stages.{{i}}.layers.{unit}.layer.{{0,1}}.{{convolution,normalization}}"
    -> "seen.stage.{{i}}.{basic}.conv_bn{{,_2}}.{{conv,batch_norm}}"
"""
    for unit, basic in enumerate(("basic", "basic_2"))
)


JOINED = [
    of_tests(
        "multitask:multitask",
        Multitask,
        {"vocab": 30, "dim": 16, "depth": 2, "heads": 2, "tasks": 5, "classes": 4},
        reference="torch.nn.TransformerEncoder",
        sizes={"T": 7},
        layout=f"""
          "words" -> "embedding_2"
          "places" -> "words"
          "tasks" -> "embedding"
          {ENCODER}
          {HEADS}
        """,
    ),
    of_tests(
        "multitask:multitask_film",
        MultitaskFilm,
        {"width": 16, "depth": 2, "dim": 6, "tasks": 3, "classes": 4},
        sizes={"H": 24, "W": 32},
        layout=f"""
          "tasks" -> "asked"
          "stem" -> "conv"
          "blocks.{{i}}.{{first,second}}" -> "film_block.{{i}}.conv{{,_2}}"
          "blocks.{{i}}.norm" -> "film_block.{{i}}.batch_norm"
          "blocks.{{i}}.film.weight" -> ["film_block.{{i}}.film.{{gain,shift}}.weight"]
          "blocks.{{i}}.film.bias" -> ["film_block.{{i}}.film.{{gain,shift}}.bias"]
          {HEADS}
        """,
    ),
    of_tests(
        "early_fusion",
        EarlyFusion,
        {"vocab": 50, "dim": 16, "depth": 2, "heads": 2, "patch": 8, "classes": 3},
        reference="torch.nn.TransformerEncoder",
        narrow={"count": 12},
        sizes={"H": 24, "W": 32, "T": 7},
        layout=f"""
          "words" -> "words.embedding"
          "word_places" -> "words.position_embedding"
          "norm" -> "words.layer_norm"
          "patches" -> "patches.conv"
          "whole" -> "patches.class_token.weight"
          "patch_places" -> "patches.position_embedding.weight"
          "kinds" -> "tokens_of_both.parameter"
          {ENCODER}
          "pool" -> "linear"
          "head" -> "linear_2"
        """,
    ),
    of_tests(
        "late_fusion",
        LateFusion,
        {"vocab": 50, "dim": 6, "hidden": 5, "classes": 3},
        reference="transformers ResNetModel, torch.nn.LSTM",
        sizes={"H": 33, "W": 48, "T": 7},
        layout=f"""
          "look.embedder.embedder.{{convolution,normalization}}"
            -> "seen.conv_bn.{{conv,batch_norm}}"
          {TOWER}
          "look.encoder.stages.{{i}}.layers.0.shortcut.{{convolution,normalization}}"
            -> "seen.stage.{{i}}.basic.shortcut.conv_bn.{{conv,batch_norm}}"
          "words" -> "embedding"
          "read" -> "told"
          "first" -> "linear"
          "second" -> "linear_2"
        """,
    ),
]

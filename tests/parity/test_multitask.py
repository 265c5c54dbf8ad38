"""Networks that are told their task equal plain models of torch.nn."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archdsl
from tests.parity.beside import paired, tasks
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    gap,
    gradient_difference,
    images,
    jittered,
    state,
    words,
)

# ------------------------------------------------------- the task beside the words


class Multitask(nn.Module):
    """PyTorch's own encoder, the task's vector after the first word, a head a task."""

    def __init__(self, vocab, dim, depth, heads, tasks, classes):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.places = nn.Parameter(torch.randn(64, dim))
        self.tasks = nn.Embedding(tasks, dim)
        layer = nn.TransformerEncoderLayer(
            dim,
            heads,
            4 * dim,
            dropout=0.0,
            activation=F.gelu,
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, depth, nn.LayerNorm(dim), enable_nested_tensor=False
        )
        self.heads = nn.ModuleList(nn.Linear(dim, classes) for _ in range(tasks))

    def forward(self, text, task):
        x = self.words(text) + self.places[: text.shape[1]]
        x = torch.cat((x[:, :1], self.tasks(task).unsqueeze(1), x[:, 1:]), 1)
        x = self.encoder(x)[:, 0]
        every = torch.stack([head(x) for head in self.heads], 1)
        return every[torch.arange(len(task)), task]

"""Convolutions for text, written with torch.nn."""

from functools import partial

import torch
from torch import nn

from tests.parity import systems

FAMILY = "CNN for text"
of_tests = partial(systems.of_tests, FAMILY)


class TextCnn(nn.Module):
    """Kim 2014: a convolution covers whole words, so its maps are one number wide.

    Word vectors may be frozen, and there may be two tables of them: then the filters
    are summed over both.
    """

    def __init__(
        self,
        vocab=20000,
        dim=300,
        widths=(3, 4, 5),
        filters=100,
        classes=2,
        frozen=(False,),
    ):
        super().__init__()
        tables = [nn.Embedding(vocab, dim, padding_idx=0) for _ in frozen]
        self.words = nn.ModuleList(tables)
        for table, still in zip(tables, frozen, strict=True):
            table.weight.requires_grad = not still
        count = len(frozen)
        self.convs = nn.ModuleList(nn.Conv2d(count, filters, (dim, w)) for w in widths)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(filters * len(widths), classes)

    def forward(self, tokens):
        # (B, tables, dim, T)
        x = torch.stack([table(tokens).mT for table in self.words], 1)
        maps = [conv(x).squeeze(2).relu() for conv in self.convs]
        return self.head(self.dropout(torch.cat([m.max(-1).values for m in maps], -1)))


class NgramCnn(nn.Module):
    """Convolutions in a row, and a label for every word."""

    def __init__(self, vocab=20000, dim=300, n=3, depth=3, classes=9):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        convs = (nn.Conv1d(dim, dim, n, padding=n // 2) for _ in range(depth))
        self.convs = nn.ModuleList(convs)
        self.head = nn.Linear(dim, classes)

    def forward(self, tokens):
        x = self.words(tokens).mT
        for conv in self.convs:
            x = conv(x).relu()
        return self.head(x.mT)


def textcnn(model, *frozen):
    """One of the paper's three; these tables of words are frozen, or not."""
    second = '"words.1" -> "embedding"' if len(frozen) > 1 else ""
    return of_tests(
        f"textcnn:{model}",
        partial(TextCnn, frozen=frozen),
        {"vocab": 50, "dim": 16, "widths": [2, 3], "filters": 8, "classes": 4},
        sizes={"T": 12},
        layout=f"""
          "words.0" -> "words"
          {second}
          "convs.{{i}}" -> reshape -> "conv.{{i}}"
          "head" -> "linear"
        """,
    )


WORDS = [
    textcnn("textcnn", False),
    textcnn("textcnn_static", True),
    textcnn("textcnn_multichannel", False, True),
    of_tests(
        "ngram_cnn",
        NgramCnn,
        {"vocab": 30, "dim": 16, "n": 5, "depth": 2, "classes": 4},
        sizes={"T": 9},
        open={"T": 40},
        layout="""
          "words" -> "embedding"
          "convs.{i}" -> "layers.{i}.conv"
          "head" -> "linear"
        """,
    ),
]

"""Recurrent networks, written with torch.nn's cells."""

from functools import partial

import torch
from torch import nn

from tests.parity import systems

FAMILY = "recurrent"
of_tests = partial(systems.of_tests, FAMILY)


class Classifier(nn.Module):
    """The last layer's final states, forwards and backwards, and a linear map."""

    def __init__(
        self, kind, both=False, vocab=10000, dim=128, hidden=256, layers=2, classes=5
    ):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.cells = kind(dim, hidden, layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear((1 + both) * hidden, classes)

    def forward(self, tokens):
        _, h = self.cells(self.words(tokens))
        h = h[0] if isinstance(h, tuple) else h
        both = self.cells.bidirectional
        return self.head(torch.cat((h[-2], h[-1]), -1) if both else h[-1])


class SequenceToSequence(nn.Module):
    """Bahdanau et al. 2015, from PyTorch's own cells."""

    def __init__(self, vocab=10000, dim=128, hidden=256):
        super().__init__()
        self.source = nn.Embedding(vocab, dim)
        self.target = nn.Embedding(vocab, dim)
        self.encoder = nn.LSTM(dim, hidden, batch_first=True, bidirectional=True)
        self.begin = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(2 * hidden, hidden, bias=False)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.energy = nn.Linear(hidden, 1, bias=False)
        self.decoder = nn.LSTMCell(dim + 2 * hidden, hidden)
        self.head = nn.Linear(3 * hidden, vocab)

    def forward(self, source, target):
        memory, (last, _) = self.encoder(self.source(source))
        h = self.begin(last[1]).tanh()
        c = torch.zeros_like(h)
        keys = self.key(memory)
        found = []
        for word in self.target(target).unbind(1):
            scores = self.energy((keys + self.query(h).unsqueeze(1)).tanh())
            context = (scores.softmax(1).mT @ memory).squeeze(1)
            h, c = self.decoder(torch.cat((word, context), 1), (h, c))
            found.append(self.head(torch.cat((h, context), 1)))
        return torch.stack(found, 1)


def classifier(spec, kind, *, both=False):
    """A classifier of texts by cells of a kind."""
    return of_tests(
        spec,
        partial(Classifier, kind, both),
        {"vocab": 30, "dim": 16, "hidden": 12, "layers": 3, "classes": 5},
        reference=f"torch.nn.{kind.__name__}",
        sizes={"T": 9},
        layout=f"""
          "words" -> "embedding"
          "cells" -> "{kind.__name__.lower()}"
          "head" -> "linear"
        """,
    )


def all_states(lstm, words):
    """Of all steps, and the last one and its cell."""
    states, (last, cell) = lstm(words)
    return states, last[0], cell[0]


def lstm(dim=128, hidden=256):
    """PyTorch's own."""
    return nn.LSTM(dim, hidden, batch_first=True)


RECURRENT = [
    classifier("recurrent:rnn_classifier", nn.RNN),
    classifier("recurrent:lstm_classifier", nn.LSTM),
    classifier("recurrent:gru_classifier", nn.GRU),
    classifier("bilstm", nn.LSTM, both=True),
    of_tests(
        "seq2seq",
        SequenceToSequence,
        {"vocab": 30, "dim": 6, "hidden": 8},
        sizes={"S": 7, "T": 5},
        uncounted="its mean of the memory is not a product of matrices, theirs is",
        layout="""
          "source" -> "embedding"
          "target" -> "embedding_2"
          "encoder" -> "memory"
          "begin" -> "linear"
          "key" -> "keys_"
          "query" -> "scan.additive_attention.linear"
          "energy" -> "scan.additive_attention.scores"
          "decoder.{weight,bias}_ih" -> "scan.lstm_cell.linear.{weight,bias}"
          "decoder.{weight,bias}_hh" -> "scan.lstm_cell.linear_2.{weight,bias}"
          "head" -> "linear_2"
        """,
    ),
    of_tests(
        "lstm_scan",
        lstm,
        {"dim": 8, "hidden": 8},
        reference="torch.nn.LSTM",
        sizes={"T": 7},
        run=all_states,
        layout="""
          "{weight,bias}_ih_l0" -> "all.lstm_cell.linear.{weight,bias}"
          "{weight,bias}_hh_l0" -> "all.lstm_cell.linear_2.{weight,bias}"
        """,
    ),
]

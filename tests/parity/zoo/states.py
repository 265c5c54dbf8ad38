"""An encoder and a decoder of nn.LSTM: final states and cells are handed on."""

from torch import nn

from tests.parity.systems import System


class ThoughtVector(nn.Module):
    """Sutskever et al. 2014; the parts are called as in the compiled model."""

    def __init__(self, vocab=160000, words=80000, dim=1000, hidden=1000, layers=4):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.thought = nn.LSTM(dim, hidden, layers, batch_first=True)
        self.embedding_2 = nn.Embedding(words, dim)
        self.lstm = nn.LSTM(dim, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, words)

    def forward(self, source, target):
        _, final = self.thought(self.embedding(source.flip(1)))
        states, _ = self.lstm(self.embedding_2(target), final)
        return self.linear(states)


NARROW = {"vocab": 30, "words": 20, "dim": 6, "hidden": 8, "layers": 3}

STATES = [
    System(
        "seq2seq:sutskever2014",
        "recurrent",
        "torch.nn.LSTM",
        ThoughtVector,
        narrow=NARROW,
        settings=NARROW,
        sizes={"S": 7, "T": 5},
        layout="same",
        trained=True,
        large=True,
    )
]

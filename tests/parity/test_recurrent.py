"""Recurrent classifiers, `scan` and sequence to sequence equal plain torch.nn."""

import pytest
import torch
from torch import nn

import archdsl
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    TOLERANCE,
    Rule,
    difference,
    fill,
    gap,
    gradient_difference,
    jittered,
    words,
)

# ------------------------------------------------------------------ classifiers

KINDS = {
    "recurrent.arch:rnn_classifier": (nn.RNN, False),
    "recurrent.arch:lstm_classifier": (nn.LSTM, False),
    "recurrent.arch:gru_classifier": (nn.GRU, False),
    "bilstm.arch": (nn.LSTM, True),
}


class Classifier(nn.Module):
    """The last layer's final states, forwards and backwards, and a linear map."""

    def __init__(self, kind, both, vocab, dim, hidden, layers, classes):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.cells = kind(dim, hidden, layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear((1 + both) * hidden, classes)

    def forward(self, tokens):
        _, h = self.cells(self.words(tokens))
        h = h[0] if isinstance(h, tuple) else h
        both = self.cells.bidirectional
        return self.head(torch.cat((h[-2], h[-1]), -1) if both else h[-1])


def classifier_rules(kind):
    return [
        Rule("words.weight", "embedding.weight"),
        Rule(r"cells\.(\w+)", rf"{kind.__name__.lower()}.\1"),
        Rule(r"head\.(\w+)", r"linear.\1"),
    ]


@pytest.mark.parametrize("spec", KINDS)
def test_a_classifier_equals_a_plain_one(spec):
    kind, both = KINDS[spec]
    theirs = jittered(Classifier(kind, both, 10000, 128, 256, 2, 5))
    ours = fill(archdsl.load(f"{SPECS}/{spec}"), theirs, classifier_rules(kind))
    assert difference(ours, theirs, words(20, 10000)) <= TOLERANCE


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("spec", KINDS)
def test_a_small_classifier_equals_a_plain_one(spec, layers):
    kind, both = KINDS[spec]
    rules = classifier_rules(kind)
    theirs = jittered(Classifier(kind, both, 30, 16, 16, layers, 5))
    size = {"vocab": 30, "dim": 16, "hidden": 16, "classes": 5}
    settings = {**size, "layers": layers}
    ours = archdsl.load(f"{SPECS}/{spec}", settings=settings, sizes={"T": 9})
    fill(ours, theirs, rules)
    x = words(9, 30)
    assert difference(ours, theirs, x) <= TOLERANCE
    assert gradient_difference(ours, theirs, rules, x) <= TOLERANCE
    with torch.no_grad():
        ours.linear.weight.copy_(ours.linear.weight.roll(16 if both else 1, 1))
    assert difference(ours, theirs, x) > CLEARLY


# -------------------------------------------------------------- an LSTM by scan


@pytest.mark.parametrize("reverse", [False, True])
def test_the_cell_that_is_written_out_equals_nn_lstm(reverse):
    theirs = jittered(nn.LSTM(128, 256, batch_first=True))
    ours = archdsl.load(f"{SPECS}/lstm_scan.arch", settings={"reverse": reverse})
    rules = [
        Rule(r"(weight|bias)_ih_l0", r"all.lstm_cell.linear.\1"),
        Rule(r"(weight|bias)_hh_l0", r"all.lstm_cell.linear_2.\1"),
    ]
    fill(ours, theirs, rules)
    x = torch.randn(2, 20, 128, dtype=torch.float64, requires_grad=True)
    made = ours(x)
    states, (last, cell) = theirs(x.flip(1) if reverse else x)
    states = states.flip(1) if reverse else states
    pairs = [("states", states), ("last", last[0]), ("cell", cell[0])]
    assert max(gap(made[name], wanted) for name, wanted in pairs) <= TOLERANCE
    one, two = (
        torch.autograd.grad(y.square().sum(), x)[0] for y in (made["states"], states)
    )
    assert gap(one, two) <= TOLERANCE
    assert gap(made["states"], states.flip(1)) > CLEARLY


def test_an_lstm_by_scan_costs_what_the_op_costs():
    text = (
        "model m {\n  input words: [B, T = 20, C = 128]\n  lstm(256)\n"
        "  output states\n}\n"
    )
    ours, op = archdsl.analyze("lstm_scan").totals, archdsl.analyze(text).totals
    assert (ours.params, ours.macs) == (op.params, op.macs)
    assert ours.flops == op.flops


# --------------------------------------------------------- sequence to sequence


class SequenceToSequence(nn.Module):
    """Bahdanau et al. 2015, from PyTorch's own cells."""

    def __init__(self, vocab, dim, hidden):
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


SEQ2SEQ_RULES = [
    Rule("source.weight", "embedding.weight"),
    Rule("target.weight", "embedding_2.weight"),
    Rule(r"encoder\.(\w+)", r"memory.\1"),
    Rule("begin.weight", "linear.weight"),
    Rule("key.weight", "keys_.weight"),
    Rule("query.weight", "scan.additive_attention.linear.weight"),
    Rule("energy.weight", "scan.additive_attention.scores.weight"),
    Rule(r"decoder\.(\w+)_ih", r"scan.lstm_cell.linear.\1"),
    Rule(r"decoder\.(\w+)_hh", r"scan.lstm_cell.linear_2.\1"),
    Rule(r"head\.(\w+)", r"linear_2.\1"),
]


class OnPairs(nn.Module):
    """A model of two texts, given as one: the source, then what follows."""

    def __init__(self, model, length):
        super().__init__()
        self.model, self.length = model, length

    def forward(self, x):
        return self.model(x[:, : self.length], x[:, self.length :])


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [({}, {}), ({"vocab": 30, "dim": 6, "hidden": 8}, {"S": 7, "T": 5})],
)
def test_sequence_to_sequence_equals_a_plain_model(settings, sizes):
    size = {"vocab": 10000, "dim": 128, "hidden": 256, **settings}
    length = {"S": 20, "T": 20, **sizes}
    theirs = jittered(SequenceToSequence(**size))
    spec = f"{SPECS}/seq2seq.arch"
    ours = archdsl.load(spec, settings=settings, sizes=sizes)
    fill(ours, theirs, SEQ2SEQ_RULES)
    pair = OnPairs(ours, length["S"]), OnPairs(theirs, length["S"])
    x = words(length["S"] + length["T"], size["vocab"])
    assert difference(*pair, x) <= TOLERANCE
    if not settings:
        return
    rules = [Rule(f"model.{r.theirs}", f"model.{r.ours}") for r in SEQ2SEQ_RULES]
    assert gradient_difference(*pair, rules, x) <= TOLERANCE
    other = x.roll(1, 1)
    assert gap(pair[0](x), pair[1](other)) > CLEARLY
    with torch.no_grad():
        ours.linear.weight.mul_(1.01)  # of the state that the decoder begins with
    assert difference(*pair, x) > CLEARLY

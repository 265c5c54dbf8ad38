"""Networks that are told their task equal plain models of torch.nn."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archdsl
from tests.parity.beside import paired
from tests.parity.encoder import encoder, encoder_rules
from tests.parity.reference import (
    CLEARLY,
    SPECS,
    STATISTICS,
    TOLERANCE,
    Rule,
    difference,
    gap,
    gradient_difference,
    images,
    jittered,
    state,
    translated,
    words,
)

TASKS = torch.tensor([2, 0])


class Heads(nn.Module):
    """A linear map for each task."""

    def __init__(self, tasks, dim, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tasks, classes, dim))
        self.bias = nn.Parameter(torch.zeros(tasks, classes))

    def forward(self, x, task):
        return torch.stack(
            [
                F.linear(row, self.weight[number], self.bias[number])
                for row, number in zip(x, task.tolist(), strict=True)
            ]
        )


HEADS = Rule(r"heads\.(\w+)", r"head_of_task.linear.\1", lambda x: x.flatten(0, 1))

# ------------------------------------------------------- the task beside the words


class Multitask(nn.Module):
    """PyTorch's own encoder, the task's vector after the first word."""

    def __init__(self, vocab, dim, depth, heads, tasks, classes):
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


TOKEN_RULES = [
    Rule(r"words\.weight", "embedding_2.weight"),
    Rule(r"places\.weight", "words.weight"),
    Rule(r"tasks\.weight", "embedding.weight"),
    *encoder_rules("encoder"),
    HEADS,
]


def by_token(length=16, **settings):
    size = {"vocab": 5000, "dim": 128, "depth": 2, "heads": 4, "tasks": 3, "classes": 5}
    size = {**size, **settings}
    spec = f"{SPECS}/multitask.arch"
    ours = archdsl.load(spec, settings=size, sizes={"T": length})
    torch.manual_seed(0)
    theirs = jittered(Multitask(**size))
    return paired(ours, theirs, TOKEN_RULES, TASKS), words(length, size["vocab"])


def small_by_token():
    return by_token(7, vocab=30, dim=16, heads=2, classes=4)


@pytest.mark.parametrize("tasks", [[2, 0], [0, 0], [1, 2]])
def test_it_equals_a_plain_one_at_each_task(tasks):
    pair, x = by_token()
    ours, theirs, _ = pair.given(torch.tensor(tasks))
    assert difference(ours, theirs, x) <= TOLERANCE


@pytest.mark.parametrize("training", [False, True])
def test_its_gradients_equal_those_of_a_plain_one(training):
    (ours, theirs, rules), x = small_by_token()
    ours.train(training)
    theirs.train(training)
    assert difference(ours, theirs, x) <= TOLERANCE
    assert gradient_difference(ours, theirs, rules, x) <= TOLERANCE


def test_another_task_is_seen():
    (ours, theirs, _), x = small_by_token()
    ours.other = TASKS.flip(0)
    assert difference(ours, theirs, x) > CLEARLY


def test_another_order_in_the_heads_is_seen():
    (ours, theirs, _), x = small_by_token()
    weight = ours.model.head_of_task.linear.weight
    with torch.no_grad():
        weight.copy_(weight.unflatten(0, (3, 4)).transpose(0, 1).flatten(0, 1))
    assert difference(ours, theirs, x) > CLEARLY


# ------------------------------------------------------ the task in a CNN's features


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
    def __init__(self, width, depth, dim, tasks, classes):
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


BLOCK, OURS = r"blocks\.(\d+)\.", r"film_block.\1."
FILM_RULES = [
    Rule(r"tasks\.weight", "asked.weight"),
    Rule(r"stem\.(\w+)", r"conv.\1"),
    Rule(BLOCK + r"first\.(\w+)", OURS + r"conv.\2"),
    Rule(BLOCK + r"second\.(\w+)", OURS + r"conv_2.\2"),
    Rule(BLOCK + r"norm\.(\w+)", OURS + r"batch_norm.\2"),
    Rule(BLOCK + r"film\.(\w+)", OURS + r"film.gain.\2", lambda x: x.chunk(2)[0]),
    Rule(BLOCK + r"film\.(\w+)", OURS + r"film.shift.\2", lambda x: x.chunk(2)[1]),
    HEADS,
]


def by_film(rows=64, columns=64, **settings):
    size = {"width": 64, "depth": 4, "dim": 32, "tasks": 4, "classes": 10, **settings}
    spec = f"{SPECS}/multitask.arch:multitask_film"
    ours = archdsl.load(spec, settings=size, sizes={"H": rows, "W": columns})
    torch.manual_seed(0)
    theirs = jittered(MultitaskFilm(**size))
    return paired(ours, theirs, FILM_RULES, TASKS), images(rows, columns)


def small_by_film():
    return by_film(24, 32, width=16, depth=2, dim=6, tasks=3, classes=4)


@pytest.mark.parametrize("tasks", [[2, 0], [1, 3]])
def test_a_cnn_equals_a_plain_one_at_each_task(tasks):
    pair, x = by_film()
    ours, theirs, _ = pair.given(torch.tensor(tasks))
    assert difference(ours, theirs, x) <= TOLERANCE


@pytest.mark.parametrize("training", [False, True])
def test_a_cnns_gradients_and_statistics_equal_those_of_a_plain_one(training):
    (ours, theirs, rules), x = small_by_film()
    ours.train(training)
    theirs.train(training)
    assert gradient_difference(ours, theirs, rules, x) <= TOLERANCE
    mine, yours = state(ours), translated(state(theirs), rules)
    moved = [name for name in mine if name.endswith(STATISTICS)]
    assert max(gap(mine[k].double(), yours[k].double()) for k in moved) <= TOLERANCE


@pytest.mark.parametrize("fault", ["gain", "other"])
def test_a_mistaken_gain_or_task_of_a_cnn_is_seen(fault):
    (ours, theirs, _), x = small_by_film()
    if fault == "other":
        ours.other = TASKS.flip(0)
    else:
        with torch.no_grad():
            ours.model.film_block[0].film.gain.bias.sub_(1)
    assert difference(ours, theirs, x) > CLEARLY

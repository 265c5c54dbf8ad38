"""What a comparison with the zoo's references must see beside what it always tries."""

import pytest
import torch
from torch import nn

import archdsl
from tests.parity.reference import CLEARLY, TOLERANCE
from tests.parity.systems import Pair
from tests.parity.zoo import SYSTEMS
from tests.parity.zoo.gated import Cbam, NonLocal

BY_NAME = {system.spec: system for system in SYSTEMS}


def of_kind(model, kind):
    return [module for module in model.modules() if isinstance(module, kind)]


def planes_in_another_order(pair):
    for module in of_kind(pair.theirs, Cbam):
        module.conv.weight.copy_(module.conv.weight.flip(1))


def a_scale_of_the_likenesses(pair):
    for module in of_kind(pair.theirs, NonLocal):
        module.scale = 256**-0.5


def a_pool_that_rounds_down(pair):
    pair.theirs.layer0.pool = nn.MaxPool2d(3, 2)


def another_pool_of_a_text(pair):
    pair.ours.conv[0], pair.ours.conv[1] = pair.ours.conv[1], pair.ours.conv[0]


def heads_in_another_order(pair):
    weight = pair.ours.head_of_task.linear.weight
    tasks = pair.settings["tasks"]
    weight.copy_(weight.unflatten(0, (tasks, -1)).transpose(0, 1).flatten(0, 1))


def another_task(pair):
    pair.theirs.tasks.weight.copy_(pair.theirs.tasks.weight.roll(1, 0))


def a_gain_of_one_less(pair):
    pair.ours.film_block[0].film.gain.bias.sub_(1)


def patches_in_another_order(pair):
    table = pair.ours.patches.position_embedding.weight
    table[1:] = table[1:].unflatten(0, (3, 4)).transpose(0, 1).flatten(0, 1)


def towers_in_another_order(pair):
    weight = pair.ours.linear.weight
    weight.copy_(weight.roll(10, 1))


def directions_in_another_order(pair):
    weight = pair.ours.linear.weight
    image, forwards, backwards = weight.split([512, 5, 5], 1)
    weight.copy_(torch.cat((image, backwards, forwards), 1))


def states_in_another_order(pair):
    pair.ours.linear.weight.copy_(pair.ours.linear.weight.roll(12, 1))


def another_beginning(pair):
    pair.ours.linear.weight.mul_(1.01)


def tokens_in_another_order(pair):
    first = pair.theirs.deit.embeddings.cls_token
    second = pair.theirs.deit.embeddings.distillation_token
    kept = first.clone()
    first.copy_(second)
    second.copy_(kept)


def heads_on_each_others_token(pair):
    theirs = pair.theirs
    heads = theirs.cls_classifier, theirs.distillation_classifier
    theirs.distillation_classifier, theirs.cls_classifier = heads


MISTAKES = [
    ("cbam_resnet50", planes_in_another_order),
    ("nonlocal_resnet50", a_scale_of_the_likenesses),
    ("se_resnet50:legacy_se_resnet50", a_pool_that_rounds_down),
    ("textcnn:textcnn", another_pool_of_a_text),
    ("bilstm", states_in_another_order),
    ("seq2seq", another_beginning),
    ("multitask:multitask", heads_in_another_order),
    ("multitask:multitask", another_task),
    ("multitask:multitask_film", a_gain_of_one_less),
    ("early_fusion", patches_in_another_order),
    ("late_fusion", towers_in_another_order),
    ("late_fusion", directions_in_another_order),
    ("deit_s_distilled", tokens_in_another_order),
    ("deit_s_distilled", heads_on_each_others_token),
]


@pytest.mark.parametrize(
    ("spec", "plant"), MISTAKES, ids=lambda x: getattr(x, "__name__", x)
)
@torch.no_grad()
def test_a_planted_mistake_is_seen(spec, plant):
    pair = Pair(BY_NAME[spec])
    plant(pair)
    try:
        gap = pair.gap()
    except RuntimeError:  # shapes do not fit
        return
    assert gap > CLEARLY


# ----------------------------------------------------- what no comparison would see


@pytest.mark.parametrize(
    ("model", "still"),
    [
        ("textcnn", ()),
        ("textcnn_static", ("words.weight",)),
        ("textcnn_multichannel", ("embedding.weight",)),
    ],
)
def test_a_step_of_training_leaves_frozen_words_as_they_are(model, still):
    pair = Pair(BY_NAME[f"textcnn:{model}"])
    (words,) = pair.inputs
    before = {k: v.clone() for k, v in pair.ours.state_dict().items()}
    trained = [p for p in pair.ours.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    pair.ours.train()(words).square().sum().backward()
    optimizer.step()
    after = pair.ours.state_dict()
    assert {k for k in before if torch.equal(before[k], after[k])} == set(still)
    if "words.weight" not in still:  # the row of no word
        assert torch.equal(before["words.weight"][0], after["words.weight"][0])


def test_a_non_local_block_adds_nothing_at_first():
    settings = {"depths": [1, 2], "classes": 10}
    ours = archdsl.load("nonlocal_resnet50:nonlocal_resnet50", settings=settings)
    gains = {n: p for n, p in ours.named_parameters() if "norm.weight" in n}
    silent = {name for name, gain in gains.items() if not gain.any()}
    assert silent == {name for name in gains if "non_local" in name} != set()


def test_the_deeper_branches_of_an_efficientnet_are_left_out_more_often():
    """At block i of 16 with the chance 0.2 * i / 16, as in torchvision."""
    ours = archdsl.load("efficientnet_b0", settings={"drop_path": 0.2})
    rates = [m.rate for m in ours.modules() if type(m).__name__ == "DropPath"]
    theirs = BY_NAME["efficientnet_b0"].make()
    blocks = [m for m in theirs.modules() if getattr(m, "use_res_connect", False)]
    assert rates == pytest.approx([block.stochastic_depth.p for block in blocks])
    assert len(rates) == 9


@pytest.mark.parametrize("layers", [1, 2])
def test_a_classifier_may_have_any_number_of_layers(layers):
    for spec in ("recurrent:gru_classifier", "bilstm"):
        small = BY_NAME[spec]
        size = {**small.settings, "layers": layers}
        assert Pair(small._replace(narrow=size, settings=size)).gap() <= TOLERANCE

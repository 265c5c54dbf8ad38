"""What errors say about names of other libraries names only what there is."""

from __future__ import annotations

import re

import pytest

from archdsl.diagnostics import habits
from archdsl.ops.registry import ops

WORDS = {"repeat", "for", "layer", "use", "as"}  # of the language, before a form


@pytest.mark.parametrize("name", sorted(habits._LAYERS))
def test_layers_are_ops(name: str) -> None:
    said = habits._LAYERS[name]
    heads = [re.match(r"\w+", form) for form in said.split("` or `")]
    assert all(h and h[0] in {*ops(), *WORDS} for h in heads), said


@pytest.mark.parametrize("name", sorted(habits._KEYWORDS))
def test_keywords_are_arguments(name: str) -> None:
    known = {f for op in ops().values() for f in op.model_fields}
    known |= {p.name for op in ops().values() for p in op.ports} | {"drop_path"}
    assert set(habits._KEYWORDS[name]) <= known


def test_names_are_kept_as_they_are_compared() -> None:
    tables = habits._LAYERS, habits._SENTENCES, habits._KEYWORDS, habits._UNNEEDED
    for table in tables:
        assert all(name == name.lower().replace("_", "") for name in table)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Conv2d", "here it is `conv`"),
        ("batch_norm_2d", "here it is `batch_norm`"),
        ("conv", ""),
        ("unheard_of", ""),
    ],
)
def test_layer(name: str, said: str) -> None:
    assert habits.layer(name) == said

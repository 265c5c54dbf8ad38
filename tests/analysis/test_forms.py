"""Closed forms of blocks and ops, against the figures that they must give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analysis.cost import Costs
from archdsl.analysis.forms.blocks import forms
from archdsl.analysis.forms.opened import Form
from archdsl.ir.dim import substitute
from archdsl.ir.graph import Call, Graph, reachable
from tests.analysis.brute import (
    model,
)
from tests.tools import examples

few = settings(max_examples=examples(40))


def by_name(spec: str) -> dict[str, str]:
    return {row.name: str(row.form.macs) for row in forms(archdsl.parse(spec))}


def test_swins_two_formulas():
    """Equations 1 and 2 of Liu et al. 2021, attention on a map and in its windows."""
    assert by_name("swin_t")["window_attention"] == "4*H*W*C**2 + 2*M**2*H*W*C"
    (row,) = forms(model("  attention(2)", "[B, H = 6, W = 4, C = 8]"))
    assert str(row.form.macs) == "4*H*W*C**2 + 2*(H*W)**2*C"


def test_a_block_says_what_its_text_says():
    assert by_name("swin_t")["swin_block"] == "12*H*W*C**2 + 2*window**2*H*W*C"
    found = by_name("vit_b16")
    assert found["transformer_layer"] == "2*ratio*N*C**2 + 4*N*C**2 + 2*N**2*C"
    assert found["feed_forward"] == "2*ratio*N*C**2"


LAYER = "use lib/transformer (transformer_layer)\n"
SWIN = "use swin_t (swin_block)\n"


def one_block(before: str, call: str, shape: str) -> tuple[Graph, Form]:
    graph = model(f"  {call}", shape, before)
    return graph, forms(graph)[0].form


@few
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 3))
def test_a_formula_holds_at_other_sizes(n, c, ratio, heads):
    """What one size gave is the cost at another, where the model is built anew."""
    call, shape = "transformer_layer({}, ratio = {})", "[B, N = {}, C = {}]"
    _, form = one_block(LAYER, call.format(2, 7), shape.format(5, 6))
    graph = model("  " + call.format(heads, ratio), shape.format(n, heads * c), LAYER)
    cost = Costs().total(graph)
    sizes = {"N": n, "C": heads * c, "ratio": ratio}
    assert substitute(form.macs, sizes) == cost.macs
    assert substitute(form.params, sizes) == cost.params


@few
@given(st.integers(2, 4), st.integers(2, 4), st.integers(1, 9), st.integers(2, 5))
def test_swins_formula_holds_at_other_sizes(h, w, c, m):
    call, shape = "swin_block(1, {}, shift = {})", "[B, H = {}, W = {}, C = {}]"
    _, form = one_block(SWIN, call.format(3, 1), shape.format(6, 9, 8))
    graph = model("  " + call.format(m, m // 2), shape.format(h * m, w * m, c), SWIN)
    cost = Costs().total(graph)
    sizes = {"H": h * m, "W": w * m, "C": c, "window": m}
    for found, figure in ((form.macs, cost.macs), (form.flops, cost.flops)):
        assert substitute(found, sizes) == figure


def test_a_formula_that_is_not_the_figure_is_left_out():
    """A window that covers its map is not shifted, and adds no mask."""
    body = "swin_block(1, {}, shift = 3)"
    _, moved = one_block(SWIN, body.format(7), "[B, H = 14, W = 14, C = 8]")
    _, covers = one_block(SWIN, body.format(7), "[B, H = 7, W = 7, C = 8]")
    assert moved.macs == covers.macs
    assert moved.flops is not None and covers.flops is None


@pytest.mark.parametrize("spec", ["swin_t", "vit_b16", "resnet18", "gpt2", "bilstm"])
def test_every_block_and_product_of_the_shipped_specs_has_a_closed_form(spec):
    graph, costs = archdsl.parse(spec), Costs()
    rows = forms(graph)
    named = {(row.name, row.block) for row in rows}
    for inner in reachable(graph):
        for node in inner:
            if isinstance(node.payload, Call):
                assert (node.payload.graph.name, True) in named
            elif costs.node(inner, node).macs:
                assert (node.payload.name, False) in named

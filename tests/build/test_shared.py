"""Layers that are declared once and take further tensors at each use."""

import pytest
import torch

import archdsl

BLOCK = """
block decoder[x, memory](heads) {
  residual { layer_norm -> attention(heads, key = memory) }
  residual { linear(16) -> gelu -> linear(x.C) }
}

model tied {
  input x: [B, T = 5, C = 8]
  input near: [B, S = 4, C = 8]
  input far: [B, S = 9, C = 8]

  layer turn = decoder(2)
  x -> turn[near] -> turn[far]
  output y
}
"""

OP = """
model tied {
  input x: [B, T = 5, C = 8]
  input near: [B, S = 4, C = 8]
  input far: [B, S = 9, C = 8]

  layer attend = attention(2)
  x -> attend(key = near) -> attend(key = far)
  output y
}
"""


@pytest.mark.parametrize(("spec", "layer"), [(BLOCK, "turn"), (OP, "attend")])
def test_a_shared_layer_takes_another_memory_at_each_use(spec, layer):
    module = archdsl.load(spec).eval()
    x, near, far = (torch.randn(2, n, 8) for n in (5, 4, 9))
    shared = getattr(module, layer)
    assert torch.equal(module(x, near, far), shared(shared(x, near), far))
    assert not torch.equal(module(x, near, far), module(x, near, far + 1))
    params = sum(p.numel() for p in module.parameters())
    assert params == sum(p.numel() for p in shared.parameters())
    assert params == archdsl.analyze(spec).totals.params

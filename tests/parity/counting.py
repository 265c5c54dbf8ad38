"""What PyTorch's counter says of the reference."""

from __future__ import annotations

from unittest import mock

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.backends.torch.verify.subject import Subject
from tests.parity.systems import System


def weightless(system: System) -> nn.Module:
    """The reference at full size, in inference; nearly all on the meta device."""
    with torch.device(system.device):
        return system.make().eval()


@torch.no_grad()
def counted_macs(system: System, theirs: nn.Module) -> int:
    """Multiply-accumulates of matrix products for one input of the declared size.

    Attention takes the path of plain products, which is the one that the counter sees;
    and so do PyTorch's own Transformer layers.
    """
    sizes = {**system.open, "B": 1}
    graph = archdsl.parse(system.spec, sizes=sizes)
    inputs = Subject(graph).inputs(device=system.device)
    torch.backends.mha.set_fastpath_enabled(False)
    counter = FlopCounterMode(display=False)
    # Whether all of a mask is true is asked of masks that hold nothing here: it is.
    answer = mock.patch.object(torch.Tensor, "__bool__", lambda self: True)
    with torch.device(system.device), sdpa_kernel(SDPBackend.MATH), answer, counter:
        system.run(theirs, *inputs)
    return int(counter.get_total_flops()) // 2

"""Equal runs draw equal numbers."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test begins with the same seed."""
    torch.manual_seed(0)

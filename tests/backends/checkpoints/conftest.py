"""What tests of checkpoints share."""

import builtins

import pytest


@pytest.fixture
def without_hub(monkeypatch):
    """Nobody can import huggingface_hub."""
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "huggingface_hub":
            raise ModuleNotFoundError("no", name="huggingface_hub")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)

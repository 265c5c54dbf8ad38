"""E7xx: what can be wrong with promises, `expect …`."""

from __future__ import annotations

from archdsl.diagnostics import Fault


class BrokenPromise(Fault):
    """A promise that a model does not keep."""

    code = "E701"
    title = "model `{model}` does not keep its promise: {found}"
    label = "{promised}"

    model: str
    found: str
    promised: str
    mends: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """What was probably meant."""
        return self.mends


class OpenPromise(Fault):
    """A promise about formulas that nothing decides."""

    code = "E702"
    title = "whether {claim} depends on {symbols}, and cannot be decided"
    label = "{found}"
    help = (
        "no size that was tried speaks against it: `require` what it needs of"
        " {symbols}, or give the axes sizes"
    )

    claim: str
    symbols: str
    found: str


class NoPromise(Fault):
    """What is no promise about a model's figures."""

    code = "E703"
    title = "{problem}"
    label = "{found}"
    help = "{mend}"

    problem: str
    found: str
    mend: str = ""


class NotOfThat(Fault):
    """A figure that is not of what is given for it."""

    code = "E704"
    title = "{problem}"
    label = "{found}"
    help = "{mend}"

    problem: str
    found: str
    mend: str = ""

"""E8xx: what can be wrong with the layouts of checkpoints, `checkpoint …`."""

from __future__ import annotations

from archdsl.diagnostics import Fault, near


class BadRule(Fault):
    """A line of a `checkpoint` that does not say how keys map."""

    code = "E801"
    title = "{problem}"
    label = "{found}"
    help = "{mend}"

    problem: str
    found: str
    mend: str = 'a rule is written `"theirs" -> "ours"`, or `"theirs" -> none`'


class BadPattern(Fault):
    """A text that is no pattern of keys."""

    code = "E802"
    title = "{problem}"
    label = "{found}"
    help = "{mend}"

    problem: str
    found: str
    mend: str = ""


class UnknownStep(Fault):
    """A step between keys that does not exist."""

    code = "E803"
    title = "nothing called `{name}` can happen to weights"
    label = "unknown step"

    name: str
    known: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """The nearest step, or all."""
        return (near(self.name, self.known) or "there are " + ", ".join(self.known),)


class BadStep(Fault):
    """An argument that a step between keys cannot use."""

    code = "E804"
    title = "{step}: {problem}"
    label = "{found}"
    help = "{mend}"

    step: str
    problem: str
    found: str
    mend: str = ""


class NoModel(Fault):
    """A `checkpoint` that is for no model."""

    code = "E805"
    title = "a checkpoint is for a model, and `{name}` is {what}"
    label = "not a model"
    help = "{mend}"

    name: str
    what: str
    mend: str = ""


class TakenTwice(Fault):
    """A tensor of a checkpoint that would go to two places."""

    code = "E806"
    title = "`{theirs}` would fill two keys of {model}: `{first}` and `{second}`"
    label = "this rule takes it"
    help = "{mend}"

    theirs: str
    model: str
    first: str
    second: str
    mend: str = "put every number that `ours` captures into `theirs`, too"

"""E5xx: what can be wrong with models, files and settings."""

from __future__ import annotations

from archdsl.diagnostics import Fault, near

_FEW = 12  # names that are listed where nothing is near


class EmptyFile(Fault):
    """A file without a model."""

    code = "E501"
    title = "there is no model in {file}"
    label = "{found}"
    help = "a model begins with `model name {{ input x: [B, C = 3, H = 224, W = 224] …`"

    file: str
    found: str = "nothing here to compile"


class UnknownModel(Fault):
    """A model that the file has not."""

    code = "E502"
    title = "{file} has no model `{name}`"
    label = "its models: {known_text}"

    file: str
    name: str
    known: tuple[str, ...] = ()

    @property
    def known_text(self) -> str:
        """The models, for the label."""
        return ", ".join(self.known) or "none"

    def beside(self) -> str:
        """The models there are."""
        return f"its models: {self.known_text}"

    def helps(self) -> tuple[str, ...]:
        """The nearest model."""
        found = near(self.name, self.known)
        return (found,) if found else ()


class WhichModel(Fault):
    """A file with several models, and none named."""

    code = "E503"
    title = "{file} has several models: {names}"
    label = "which one?"
    help = "name one: {file}:{first}"

    file: str
    names: str
    first: str


class OutputNeverMade(Fault):
    """A model without an output, or an output without a value."""

    code = "E504"
    title = "model `{name}` makes no output"
    label = "no `output` in its body"
    help = "end it with a line such as `output logits`"

    name: str


class OutputWithoutValue(Fault):
    """An output before anything flows."""

    code = "E505"
    title = "output `{name}` is never made: nothing flows here"
    label = "no value to put out"
    help = "write `output {name} = value`, or put it below the steps that make it"

    name: str


class Misplaced(Fault):
    """A statement where it has no meaning."""

    code = "E506"
    title = "`{what}` does not belong {where}"
    label = "not here"
    help = "{mend}"

    what: str
    where: str
    mend: str = ""


class NoInput(Fault):
    """A model without an input."""

    code = "E507"
    title = "model `{name}` has no input"
    label = "no `input` in its body"
    help = "begin it with a line such as `input image: [B, C = 3, H = 224, W = 224]`"

    name: str


class BadSetting(Fault):
    """A `--set`, `--size` or `--outputs` that fits nothing."""

    code = "E508"
    title = "{option} {name}: {problem}"
    label = "set from the command line"

    option: str
    name: str
    problem: str
    known: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """What could be set."""
        found = near(self.name, self.known)
        few = ", ".join(self.known[:_FEW]) + ", …" * (len(self.known) > _FEW)
        return (found or f"there are {few}",) if few else ()


class RequirementFailed(Fault):
    """A `require` that does not hold."""

    code = "E509"
    title = "{said}"
    label = "required here"

    said: str


class NoResult(Fault):
    """A body without a value at its end."""

    code = "E510"
    title = "{what} makes no value"
    label = "its body ends without one"
    help = "end it with a step, or with `return value`"

    what: str

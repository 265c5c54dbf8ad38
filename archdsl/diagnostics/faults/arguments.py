"""E4xx: what can be wrong with arguments, values and the tensors of a call."""

from __future__ import annotations

from archdsl.diagnostics import Fault, habits, near


class UnknownArgument(Fault):
    """A keyword that a call does not know."""

    code = "E401"
    title = "{what} has no argument `{name}`"
    label = "unknown argument"

    what: str
    name: str
    known: tuple[str, ...] = ()
    mend: str = ""

    def helps(self) -> tuple[str, ...]:
        """What it is called here, why it is not needed, the nearest, or all."""
        here = habits.keyword(self.name, self.known)
        found = self.mend or (f"here it is `{here}`" if here else "")
        found = found or near(self.name, self.known) or habits.unneeded(self.name)
        return (found or "it takes " + (", ".join(self.known) or "no arguments"),)


class MissingArgument(Fault):
    """A call without what it must have."""

    code = "E402"
    title = "{what} needs `{name}`"
    label = "{name} is missing"
    help = "write {usage}"

    what: str
    name: str
    usage: str

    def message(self) -> str:
        """The sentence; words that are no argument's name are no code."""
        words = " " in self.name
        return f"{self.what} needs {self.name}" if words else super().message()


class WrongValue(Fault):
    """A value that an argument does not take."""

    code = "E403"
    title = "{what}: {name} {problem}"
    label = "this is {found}"
    help = "{mend}"

    what: str
    name: str
    problem: str
    found: str
    mend: str = ""


class TooManyArguments(Fault):
    """More arguments than a call takes."""

    code = "E404"
    title = "{what} takes {takes}, and this is one more"
    label = "too many"
    help = "it is written {usage}"

    what: str
    takes: str
    usage: str

    def message(self) -> str:
        """The sentence; nothing is one more than no arguments."""
        none = self.takes.startswith("no ")
        return f"{self.what} takes {self.takes}" if none else super().message()


class GivenTwice(Fault):
    """One argument given twice."""

    code = "E405"
    title = "{what}: `{name}` is given twice"
    label = "second value for {name}"
    help = "keep one of the two"

    what: str
    name: str


class NotATensor(Fault):
    """Something else where a tensor is needed."""

    code = "E406"
    title = "{what} needs a tensor, and this is {found}"
    label = "not a tensor"
    help = "{mend}"

    what: str
    found: str
    mend: str = ""


class NoFlow(Fault):
    """A step with nothing flowing into it."""

    code = "E407"
    title = "nothing flows into {what}"
    label = "needs a value before it"
    help = "begin the line with a value: `x -> {what}`"

    what: str


class BadArithmetic(Fault):
    """An expression that cannot be computed."""

    code = "E408"
    title = "{problem}"
    label = "{detail}"
    help = "{mend}"

    problem: str
    detail: str = ""
    mend: str = ""


class BadIndex(Fault):
    """An index that is not there."""

    code = "E409"
    title = "index {index} is outside {what}"
    label = "{what} has {length}"

    what: str
    index: object
    length: object


class NoAttribute(Fault):
    """An attribute that a value does not have."""

    code = "E410"
    title = "{what} has no `{name}`"
    label = "unknown attribute"
    help = "{mend}"

    what: str
    name: str
    mend: str = ""


class WrongCount(Fault):
    """Names and values that do not pair up."""

    code = "E411"
    title = "{names} names for {values} values"
    label = "expected {values}"
    help = "{mend}"

    names: int
    values: int
    mend: str = ""

    def message(self) -> str:
        """The sentence, one value being no values."""
        return super().message().removesuffix("s" * (self.values == 1))


class WrongTensors(Fault):
    """A block called with another number of tensors than it takes."""

    code = "E412"
    title = "{what} takes {takes}, and gets {gets}"
    label = "{lacks}"
    help = "it is written {usage}"

    what: str
    takes: str
    gets: str
    usage: str
    lacks: str = "tensors go in brackets"


class BatchIsOpen(Fault):
    """The size of the batch as a number of a spec."""

    code = "E413"
    title = "a spec does not know the size of the batch"
    label = "B is left to the run"
    help = "a compiled module takes any batch: write what holds for one sample"


class FlowsIn(Fault):
    """What should flow into an op, among its arguments."""

    code = "E414"
    title = "{what} works on what flows into it, and this is among its arguments"
    label = "goes before the arrow"
    help = "write `{text} -> {call}`"

    what: str
    text: str
    call: str


class Dropped(Fault):
    """What flows into a step that does not take it."""

    code = "E415"
    title = "{what} does not use what flows into it"
    label = "what came before the arrow is lost here"
    help = "{mend}"

    what: str
    mend: str = ""


class ScanReturns(Fault):
    """A turn of a scan that does not say an output and every state."""

    code = "E418"
    title = "one turn of this scan makes {values} of the {wanted} values that it needs"
    label = "expected the output, and then each state"
    help = "write `return y, ({states})`: what comes out, then the new states"

    values: int
    names: tuple[str, ...]

    def _values(self) -> dict[str, object]:
        states = ", ".join(self.names) + "," * (len(self.names) == 1)
        return super()._values() | {"states": states, "wanted": len(self.names) + 1}

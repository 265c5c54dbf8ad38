"""The catalogue of what can be wrong in names, shapes, arguments and models.

E2xx names, E3xx shapes and sizes, E4xx arguments, E5xx models and files, E6xx limits.
"""

from __future__ import annotations

from archdsl.diagnostics import Fault, habits, near

_FEW = 12  # names that are listed where nothing is near
_MOST_VALUES = 8  # that a help lists

# --- E2xx: names --------------------------------------------------------------------


class UnknownName(Fault):
    """A name that nothing defines."""

    code = "E201"
    title = "nothing is called `{name}`"
    label = "{kind}"

    name: str
    kind: str = "unknown name"
    known: tuple[str, ...] = ()
    mend: str = ""
    values: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """What it is called here, how to get at it, or the nearest names."""
        found = self.mend or habits.layer(self.name) or near(self.name, self.known)
        if found:
            return (found,)
        there = ", ".join(f"`{v}`" for v in self.values[:_MOST_VALUES])
        here = f"the values here are {there}; " if there else ""
        return (f"{here}`archdsl ops` prints the ops",)


class DefinedTwice(Fault):
    """One name for two things."""

    code = "E202"
    title = "`{name}` is defined twice"
    label = "second definition"
    help = "rename one of the two"

    name: str


class ImportNotFound(Fault):
    """A `use` of a file that is not there."""

    code = "E203"
    title = "no file for `use {path}`"
    label = "looked for {path}.arch"
    help = "`use` looks beside the file, then in the specs that ship{extra}"

    path: str
    extra: str = ""


class ImportMissesName(Fault):
    """A `use` of a block that the file has not."""

    code = "E204"
    title = "`{path}` has no block or model `{name}`"
    label = "not in {path}.arch"

    path: str
    name: str
    known: tuple[str, ...] = ()

    def helps(self) -> tuple[str, ...]:
        """The nearest names, or all."""
        found = near(self.name, self.known)
        return (found or "it has " + (", ".join(self.known) or "none"),)


class CyclicUse(Fault):
    """Files that use each other in a circle."""

    code = "E205"
    title = "files use each other in a circle: {cycle}"
    label = "closes the circle"
    help = "move what both need into a third file"

    cycle: str


class RecursiveBlock(Fault):
    """Blocks that call each other in a circle."""

    code = "E206"
    title = "blocks call each other in a circle: {cycle}"
    label = "closes the circle"
    help = "a network is finite: use `repeat` or `for` for depth"

    cycle: str


class OpClash(Fault):
    """Two packages that bring an op of one name."""

    code = "E207"
    title = "two ops are called `{name}`: {first} and {second}"
    label = "which one?"
    help = "uninstall one of the two packages"

    name: str
    first: str
    second: str


class BrokenPlugin(Fault):
    """An installed package whose ops cannot be imported."""

    code = "E208"
    title = "the ops of {package} cannot be imported: {problem}"
    label = "this entry point"
    help = "update that package, or uninstall it"

    package: str
    problem: str


# --- E3xx: shapes and sizes ---------------------------------------------------------


class WindowDoesNotDivide(Fault):
    """A window that does not tile an axis."""

    code = "E301"
    title = "window {window} does not divide {axis} = {size}"
    label = "{axis} = {size} here"
    help = "use window = {better}, another input size, or window_attention(pad = true)"

    window: object
    axis: str
    size: object
    better: str


class SizesDiffer(Fault):
    """Two tensors with one axis of two sizes."""

    code = "E302"
    title = "{what}: {axis} = {left} on one side and {axis} = {right} on the other"
    label = "{left_shape} meets {right_shape}"
    help = "{mend}"

    what: str
    axis: str
    left: object
    right: object
    left_shape: str
    right_shape: str
    mend: str = ""


class AxisMissing(Fault):
    """An axis that a tensor does not have."""

    code = "E303"
    title = "{what} needs an axis {axis}, and the value here has none"
    label = "the value here is {found}"
    help = "{mend}"

    what: str
    axis: str
    found: str
    mend: str = ""


class NotDivisible(Fault):
    """A number that must divide a size, and does not."""

    code = "E304"
    title = "{name} = {divisor} does not divide {axis} = {size}"
    label = "{axis} = {size} here"
    help = "{mend}"

    name: str
    divisor: object
    axis: str
    size: object
    mend: str = ""

    def message(self) -> str:
        """The sentence; an op that divides has no argument to name: ``op: 2 …``."""
        said = super().message()
        return said.replace(": =", ":", 1) if self.name.endswith(":") else said


class ClaimWrong(Fault):
    """A shape that the spec claims and that is not so."""

    code = "E305"
    title = "the shape claimed here is wrong: {differences}"
    label = "it is {found}"

    differences: str
    found: str


class TooSmall(Fault):
    """A window that is larger than what it slides over."""

    code = "E306"
    title = "{what} leaves nothing of {axis} = {size}"
    label = "{axis} = {size} here"
    help = "{mend}"

    what: str
    axis: str
    size: object
    mend: str = "use a larger input, a smaller kernel or stride, or more padding"


class AxisTaken(Fault):
    """A new axis whose name the tensor has already."""

    code = "E307"
    title = "{what} would make a second axis {axis}"
    label = "the value here is {found}"
    help = "choose another name for the new axis"

    what: str
    axis: str
    found: str


class WrongDtype(Fault):
    """Numbers where ids are needed, or the other way round."""

    code = "E308"
    title = "{what} takes {needed} values, and these are {found}"
    label = "{found} values here"
    help = "{mend}"

    what: str
    needed: str
    found: str
    mend: str = ""


class WrongAxes(Fault):
    """An op that needs another set of axes than it gets."""

    code = "E309"
    title = "{what} {needs}"
    label = "the value here is {found}"
    help = "{mend}"

    what: str
    needs: str
    found: str
    mend: str = ""


class OpenSize(Fault):
    """A size that must be a number here."""

    code = "E310"
    title = "{what} needs a number for {axis}, which is open"
    label = "{axis} = {size} here"
    help = "give {axis} a number: in the spec, or on the command line{mend}"

    what: str
    axis: str
    size: object
    mend: str = ""


class SharedDiffers(Fault):
    """One layer used on inputs that need other weights."""

    code = "E311"
    title = "`{name}` is one layer, and this use would need another"
    label = "{here} goes in here, {there} at the first use"
    help = "declare a second `layer` for it"

    name: str
    here: str
    there: str


class InputTooLong(Fault):
    """An input longer than a table of positions."""

    code = "E312"
    title = "{axis} = {size} is longer than the {limit} positions of the table"
    label = "{axis} = {size} here"
    help = "raise max, or shorten the input"

    axis: str
    size: object
    limit: object


class ResidualChanges(Fault):
    """A residual whose body changes a size, so that the skip does not fit."""

    code = "E313"
    title = "the body of this residual changes {axis} from {before} to {after}"
    label = "{shape_before} goes in, {shape_after} comes out"
    help = (
        "end the body with {axis} = {before}, or project the skip: "
        "`let skip = x -> conv(…)`, then `add(skip)`"
    )

    axis: str
    before: object
    after: object
    shape_before: str
    shape_after: str


class Contradiction(Fault):
    """A need of an open size that another need rules out."""

    code = "E314"
    title = "{now} cannot be where {before}"
    label = "{now} is needed here"
    help = "no size meets both: change one of the two"

    now: str
    before: str


class StateChanges(Fault):
    """A state of a scan that comes back as something else."""

    code = "E318"
    title = "state `{name}` begins as {before} and comes back as {after}"
    label = "one turn makes {after} of it"
    help = "a state keeps its axes and sizes from turn to turn"

    name: str
    before: str
    after: str


# --- E4xx: arguments ----------------------------------------------------------------


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


# --- E5xx: models and files ---------------------------------------------------------


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


# --- E6xx: limits -------------------------------------------------------------------


class TooMuchWork(Fault):
    """A spec that would take too long or too much memory."""

    code = "E601"
    title = "{what}"
    label = "more than {limit}"
    help = "{mend}"

    what: str
    limit: str
    mend: str = ""


class TooDeep(Fault):
    """Expressions or calls nested too deeply."""

    code = "E602"
    title = "{what} is nested too deeply"
    label = "more than {limit} levels"
    help = "{mend}"

    what: str
    limit: int
    mend: str = "give parts of it a name with `let`, or use a loop"

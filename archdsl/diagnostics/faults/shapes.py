"""E3xx: what can be wrong with shapes and sizes."""

from __future__ import annotations

from archdsl.diagnostics import Fault


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

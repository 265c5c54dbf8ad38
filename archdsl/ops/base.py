"""What an op is: one frozen class that answers every question about it.

To add an op, add a file to this package (or an entry point ``archdsl.ops`` to yours)
with a subclass of `Op`; nothing else changes. `tests/ops` runs every registered op
against PyTorch on its own `examples`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from archdsl.ir.dim import Size
from archdsl.ir.facts import Facts
from archdsl.ir.operation import Cost, Inputs, Outputs, Weight
from archdsl.ir.tensor import Layout, Tensor
from archdsl.ops.emit import Emit, Site
from archdsl.ops.paths import Paths
from archdsl.ops.spelling import written
from archdsl.ops.spread import Spread, same_positions

__all__ = [
    "Cost", "Emit", "Example", "Facts", "Inputs", "Layout", "Op", "Outputs", "Paths",
    "Port", "Size", "Spread", "Tensor", "Weight",
]  # fmt: skip


class Port(NamedTuple):
    """A tensor that goes in.

    The first port takes what flows, unless it is `many`, which takes a list of its own.
    """

    name: str
    optional: bool = False
    many: bool = False
    dtype: str = "float"  # "any" where every kind is taken


class Example(NamedTuple):
    """A line of a manual that the tests run: a pipeline, and the shapes it starts from.

    `code` is the step (or several); `inputs` gives each input's shape as written in a
    spec, the first one flowing in: ``{"x": "[B, C = 4, H = 8, W = 8]"}``.
    """

    code: str
    inputs: Mapping[str, str]


class Op(BaseModel):
    """An operation with its parameters; subclasses say everything about one op.

    The class docstring is the op's manual: its first line a summary, then what it
    does to which axes and what it costs. A ``Shape:`` section says which shape comes
    out, where it is not the one that goes in; an ``Args:`` section documents every
    field. Field order is the order of positional arguments.
    """

    # A class is only built when its op is used: start-up has to be quick.
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    name: ClassVar[str]
    """As written in a spec."""
    group: ClassVar[str] = "other"
    """The chapter of the manual."""
    public: ClassVar[bool] = True
    """Whether a spec can name it; otherwise only the builder makes one."""
    ports: ClassVar[tuple[Port, ...]] = (Port("x"),)
    rest: ClassVar[str] = ""
    """The field, if any, that takes all positional arguments."""
    axis_keywords: ClassVar[str] = ""
    """The field, if any, that takes ``AXIS = size`` and bare axes as an `AxisSizes`."""
    view: ClassVar[bool] = False
    """Whether the output shares the input's memory, so that nothing is written."""
    sized: ClassVar[tuple[str, ...]] = ()
    """The ports of which only the sizes are read, so that no gradient flows there."""
    paper: ClassVar[str] = ""
    """Author, year and title of what it comes from."""
    examples: ClassVar[tuple[Example, ...]] = ()
    pointwise: ClassVar[int] = 0
    """FLOPs an element, for ops that only compute element by element."""
    kind: ClassVar[str] = "arithmetic"
    """The kind of those FLOPs in reports."""
    letters: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What closed forms call the fields that are sizes: ``{"window": ("M",)}``.

    Of several, an axis is taken where it has the field's size: ``("C", "D")``.
    """
    varying: ClassVar[tuple[str, ...]] = ()
    """The fields in which layers of one kind may differ: Swin's shifts, dilations."""

    # -- shapes ----------------------------------------------------------------------

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        """The types of the results; raises `Refused` where the inputs do not fit."""
        return (ins[self.ports[0].name],)

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        """The learned tensors and buffers, named as in the module that is built."""
        return ()

    # -- cost and dependence ---------------------------------------------------------

    def cost(self, ins: Inputs, outs: Outputs) -> Cost:
        """What one run costs."""
        if not self.pointwise:
            return Cost()
        return Cost(elementwise={self.kind: outs[0].numel * self.pointwise})

    def backward(self, ins: Inputs, outs: Outputs, needs: Collection[str]) -> Cost:
        """What the gradients cost, of one run and of the ports that need one.

        The default: a product of matrices for the gradient of the weights, if any are
        learned, and one for that of the input, each as dear as the forward one.

        Args:
            ins: The types of the inputs.
            outs: The types of the results.
            needs: The ports whose tensors need a gradient: ids and images need none.
        """
        cost = self.cost(ins, outs)
        trained = any(weight.trained for weight in self.weights(ins))
        return Cost(cost.macs * (trained + bool(needs)), doubled(cost.elementwise))

    def spread(self, ins: Inputs, outs: Outputs) -> Spread:
        """Which input positions an output position depends on; sizes are numbers here.

        The default is element by element, a missing axis broadcasting.
        """
        return {port: same_positions(tensor) for port, tensor in ins.items()}

    def steps(self, ins: Inputs) -> Size:
        """How many operations that wait for one another; 1 but for recurrences.

        What computes nothing in inference takes 0: a view, a parameter, dropout.
        """
        return 0 if self.view or not ins else 1

    def paths(self, ins: Inputs, outs: Outputs) -> Paths | None:
        """How it relates positions, in closed form; None where it says nothing.

        Sizes of `ins` and the fields of `letters` may be open.
        """
        return None

    def ids(self, ins: Inputs) -> Size | None:
        """How many ids it knows, of an op that takes some: 0 to one less than this."""
        return None

    # -- PyTorch ---------------------------------------------------------------------

    def arrange(self, ins: Inputs, given: Mapping[str, Layout]) -> dict[str, Layout]:
        """The layouts that the inputs must have, from those that they have.

        The default takes what comes: right for one input and any order of its axes.
        """
        return dict(given)

    def wish(self, ins: Inputs, port: str, after: Layout | None) -> Layout | None:
        """The layout that an input should have if the output should be `after`.

        The default asks `arrange`: an op that insists on a layout wishes it; one that
        takes what comes passes on the wish of whoever comes after, if the axes agree.
        """
        natural = {p: t.names for p, t in ins.items()}
        backwards = {p: t.names[::-1] for p, t in ins.items()}
        first, second = self.arrange(ins, natural), self.arrange(ins, backwards)
        if first[port] == second[port]:
            return first[port]
        if after is not None and set(after) == set(ins[port].names):
            return after
        return None

    def emit(self, site: Site) -> Emit:
        """How one use is written."""
        raise NotImplementedError

    # -- words -----------------------------------------------------------------------

    def label(self, ins: Inputs) -> str:
        """A few words for a picture."""
        return self.text()

    def text(self) -> str:
        """The op as written in a spec, defaults left out."""
        given = []
        for field, info in type(self).model_fields.items():
            value = getattr(self, field)
            if info.is_required() or value != info.default:
                given.append(written(field, value, self))
        return self.name + (f"({', '.join(given)})" if given else "")


_ONCE = ("bias", "scale", "pool", "reduce")


def doubled(elementwise: Mapping[str, Size]) -> dict[str, Size]:
    """What the gradients of element-wise operations cost, by convention.

    Twice the forward pass: the derivative, and its product with what comes back. A
    bias, a scale, a pool or a mean costs the same again.
    """
    return {k: n if k in _ONCE else 2 * n for k, n in elementwise.items()}

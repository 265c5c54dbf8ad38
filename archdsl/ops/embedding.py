"""Embedding of ids."""

from __future__ import annotations

from archdsl.diagnostics import Refused
from archdsl.diagnostics.faults.arguments import WrongValue
from archdsl.diagnostics.faults.shapes import WrongAxes, WrongDtype
from archdsl.ops.base import Example, Facts, Inputs, Op, Outputs, Port, Size, Weight
from archdsl.ops.emit import Arg, Emit, Make, Site, positional
from archdsl.ops.fields import Flag, Natural, SizeField


class Embedding(Op):
    """Table of learned features, one row for each id.

    Takes ids of any axes. Costs nothing but the reading of rows.

    Shape:
        The axes of the ids, then ``C = dim``.

    Args:
        vocab: How many ids there are: 0 to ``vocab - 1``.
        dim: The size of the new axis C.
        padding_idx: The id that fills up short texts: its row begins as zeros, and
            training leaves it as it is.
        frozen: Whether training leaves all of the table as it is: a parameter without a
            gradient, such as word vectors that were trained before.
    """

    name = "embedding"
    group = "linear"
    ports = (Port("x", dtype="int"),)
    paper = "Bengio et al. 2003, A Neural Probabilistic Language Model"
    examples = (
        Example("embedding(11, 4)", {"x": "int[B, T = 7]"}),
        Example("embedding(5, 3)", {"x": "int[B]"}),
        Example("embedding(9, dim = 2)", {"x": "int[B, H = 3, W = 5]"}),
        Example("embedding(11, 4, padding_idx = 0)", {"x": "int[B, T = 7]"}),
        Example("embedding(11, 4, frozen = true)", {"x": "int[B, T = 7]"}),
    )

    vocab: SizeField
    dim: SizeField
    padding_idx: Natural | None = None
    frozen: Flag = False

    def outputs(self, ins: Inputs, facts: Facts) -> Outputs:
        x = ins["x"]
        if x.dtype != "int":
            mend = "ids come from an input such as `input tokens: int[B, T = 64]`"
            raise Refused(WrongDtype(self.name, "int", x.dtype, mend))
        if "C" in x:
            needs = "makes the axis C, and the ids have one already"
            mend = "give the ids' axis another name, such as T"
            raise Refused(WrongAxes(self.name, needs, str(x), mend))
        if self.padding_idx is not None:
            self._need_row(self.padding_idx, facts)
        return (x.cast("float").resized({"C": self.dim}),)

    def ids(self, ins: Inputs) -> Size | None:
        return self.vocab

    def _need_row(self, row: int, facts: Facts) -> None:
        if not facts.at_least(self.vocab, row + 1):
            problem = f"must be an id, at most {self.vocab - 1}"
            fault = WrongValue(self.name, "padding_idx", problem, str(row))
            raise Refused(fault, "padding_idx")

    def weights(self, ins: Inputs) -> tuple[Weight, ...]:
        return (Weight("weight", (self.vocab, self.dim), frozen=self.frozen),)

    def emit(self, site: Site) -> Emit:
        make = Make(
            "nn.Embedding",
            (
                positional("num_embeddings", self.vocab),
                positional("embedding_dim", self.dim),
                Arg("padding_idx", self.padding_idx, None),
            ),
            self.frozen,
        )
        return Emit("{self}({x})", ((*site.layouts["x"], "C"),), make)

    def label(self, ins: Inputs) -> str:
        return f"embedding {self.vocab} × {self.dim}"

"""Wxxx: what is legal and probably not meant, W1xx in names and W2xx in layers.

Why each is worth a warning stands on its page, ``pages/<code>.md``.
"""

from __future__ import annotations

from archdsl.diagnostics import Lint

_UNREAD = "remove it, or begin its name with `_`"


# --- W1xx: names --------------------------------------------------------------------


class UselessAllow(Lint):
    """A comment that allows a warning which there is not."""

    code = "W100"
    title = "`# allow {word}` allows nothing: {why}"
    label = "idle"
    help = "{mend}"

    word: str
    why: str
    mend: str = "remove it"


class UnusedName(Lint):
    """A value that `let` names, or a scan carries, and that nothing reads."""

    code = "W101"
    title = "{what} `{name}` is never used"
    label = "nothing reads it"
    help = _UNREAD

    what: str
    name: str


class UnusedLayer(Lint):
    """A layer that is declared and that nothing flows through."""

    code = "W102"
    title = "layer `{name}` is never used"
    label = "nothing flows through it"
    help = "let something flow through it: `-> {name}`, or remove it"

    name: str


class UnusedHyperparameter(Lint):
    """A hyperparameter that the body of its block or model does not read."""

    code = "W103"
    title = "hyperparameter `{name}` of `{owner}` is never used"
    label = "setting it changes nothing"
    help = _UNREAD

    name: str
    owner: str


class UnusedInput(Lint):
    """A tensor that goes into a model or block and that nothing takes."""

    code = "W104"
    title = "input `{name}` of `{owner}` is never used"
    label = "nothing takes it"
    help = "begin a line with it: `{name} -> …`, or remove it"

    name: str
    owner: str


class UnusedImport(Lint):
    """A name that `use` brings in and that the file does not read."""

    code = "W105"
    title = "{what} is never used"
    label = "imported here"
    help = "remove it"

    what: str


class UnusedBlock(Lint):
    """A block in the file of a model that no model calls."""

    code = "W106"
    title = "block `{name}` is never used"
    label = "no model calls it, nor any block that one calls"
    help = "call it, remove it, or begin its name with `_`"

    name: str


class DeadLayer(Lint):
    """A step whose result reaches no output."""

    code = "W107"
    title = "nothing takes what `{what}` makes"
    label = "its result reaches no output{cost}"
    help = "let it flow on, put it out by `output name = …`, or remove it"

    what: str
    cost: str = ""


class HidesName(Lint):
    """A name inside braces that hides one of outside."""

    code = "W108"
    title = "{what} `{name}` hides another value of that name"
    label = "{after}"
    help = "give it a name of its own"

    what: str
    name: str
    after: str


class HidesOp(Lint):
    """A block, model or import under a name that is taken already."""

    code = "W109"
    title = "{what} `{name}` hides the {other} of that name"
    label = "here `{name}` means this one"
    help = "give it a name of its own"

    what: str
    name: str
    other: str


# --- W2xx: layers -------------------------------------------------------------------


class RedundantBias(Lint):
    """A bias in front of a batch norm."""

    code = "W201"
    title = "the bias of `{what}` has no effect: the batch norm after it takes it away"
    label = "its bias is learned, and nothing depends on it"
    help = "write `bias = false`"

    what: str


class SkippedPositions(Lint):
    """A window that, as it slides, never looks at some positions."""

    code = "W202"
    title = "`{what}` looks at {seen} of every {stride} positions of {axis} only"
    label = "kernel {kernel}, stride {stride}, dilation {dilation}"
    help = "use a stride of at most the kernel{factor}"

    what: str
    axis: str
    seen: int
    kernel: int
    stride: int
    dilation: int
    factor: str = ""


class KernelInPadding(Lint):
    """A convolution most of whose kernel never meets its input."""

    code = "W203"
    title = "{dead} of the {kernel} taps of `{what}` along {axis} meet padding only"
    label = "{axis} = {size} here"
    help = "use a smaller kernel or dilation, or a larger input"

    what: str
    axis: str
    size: int
    kernel: int
    dead: int


class ChannelsFirst(Lint):
    """A convolution whose arguments look like those of PyTorch."""

    code = "W204"
    title = "a kernel of {kernel}, and {features} features out of {features}"
    label = "the arguments are features, kernel, stride"
    help = "did you mean `conv({kernel}, kernel = {third})`?"

    features: int
    kernel: int
    third: int


class UnseenInput(Lint):
    """An input most of whose positions no output depends on."""

    code = "W205"
    title = "the outputs depend on {seen} of {size} positions of {axis} of `{name}`"
    label = "the rest has no effect"
    help = "take a position that sees the others, or mean({axis}) of all"

    name: str
    axis: str
    seen: int
    size: int


class ShiftedAlike(Lint):
    """Window attention that is shifted by the same everywhere at one resolution."""

    code = "W206"
    title = "at {sizes} all windows are shifted by {shift}"
    label = "no unshifted windows here that these could join"
    help = "let it take turns with `shift = 0`"

    sizes: str
    shift: str


class DeepPostNorm(Lint):
    """A chain of more than 24 layer norms, each after a residual."""

    code = "W207"
    title = "{count} layer norms in a chain, each after a residual"
    label = "the last one"
    help = "put the norm first: `residual {{ layer_norm -> … }}`, and one at the end"

    count: int


class SquashedLogits(Lint):
    """An output called logits that comes out of an activation."""

    code = "W208"
    title = "output `{name}` comes out of `{op}`, and logits are what goes in"
    label = "losses that take logits apply it themselves"
    help = "remove the `{op}`, or call the output after what it is: probabilities"

    name: str
    op: str


class DropoutBeforeNorm(Lint):
    """A dropout right before a batch norm."""

    code = "W209"
    title = "a dropout right before a batch norm"
    label = "its variance is another one in training than in inference"
    help = "put the dropout after the norm"


class NoEffect(Lint):
    """An activation that changes nothing, or that stands there twice."""

    code = "W210"
    title = "`{what}` right after `{before}`{why}"
    label = "one of the two is enough"
    help = "remove one, or put a layer between them"

    what: str
    before: str
    why: str = ""


class LinearTwice(Lint):
    """Two linear maps in a row with nothing between them."""

    code = "W211"
    title = "two linear maps in a row are one: {before} -> {middle} -> {after} features"
    label = "nothing between them"
    help = "put an activation between them, or remove the first"

    before: object
    middle: object
    after: object


class NormTwice(Lint):
    """A norm right after a norm of the same kind."""

    code = "W212"
    title = "`{what}` right after `{what}`"
    label = "normalised already"
    help = "remove one of the two"

    what: str


class NoPositions(Lint):
    """Attention over a sequence of ids, in a model that cannot tell their order."""

    code = "W213"
    title = "nothing tells this model in which order the ids of `{name}` stand"
    label = "attention takes positions as a set"
    help = "write `-> position_embedding` after the embedding"

    name: str


class Checkerboard(Lint):
    """A transposed convolution whose stride does not divide its kernel."""

    code = "W215"
    title = "on {axis}, outputs of this are sums of {fewest} and of {most} taps"
    label = "{why}"
    help = "{mend}, or a checkerboard may show"

    axis: str
    fewest: int
    most: int
    why: str
    mend: str


class PlaceLost(Lint):
    """A global max over a map that convolutions made, and that nothing else looks at.

    Over the one axis of a text it is let be.
    """

    code = "W214"
    title = "a max over {axes} right after a convolution forgets where things are"
    label = "one place of the whole map counts"
    help = "write `mean({axes})`, or pool in steps: `max_pool(2)`"

    axes: str


class IdleRule(Lint):
    """A rule of a checkpoint that fits no key of any model of its file."""

    code = "W220"
    title = "no key of {models} fits this rule of checkpoint `{checkpoint}`"
    label = "it never says anything"
    help = "{mend}"

    models: str
    checkpoint: str
    mend: str = ""


class LeftEmpty(Lint):
    """A checkpoint that leaves keys of a model empty, and so can never be loaded."""

    code = "W221"
    title = "checkpoint `{checkpoint}` fills {filled} of {total} keys of {model}"
    label = "nothing fills `{first}`"
    help = "add a rule for it; `archdsl weights show` lists all keys"

    checkpoint: str
    model: str
    filled: int
    total: int
    first: str

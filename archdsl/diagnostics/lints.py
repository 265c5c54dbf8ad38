"""The catalogue of what is legal and probably not meant: W1xx names, W2xx layers."""

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
    """A value that `let` names, or a scan carries, and that nothing reads.

    Either it is left over, or another name stands where it was meant. The layers that
    make it are built and counted all the same. Of several values that are taken apart,
    those that are not wanted begin with `_`.
    """

    code = "W101"
    title = "{what} `{name}` is never used"
    label = "nothing reads it"
    help = _UNREAD

    what: str
    name: str


class UnusedLayer(Lint):
    """A layer that is declared and that nothing flows through.

    It makes no weights and does nothing; probably the op was called where the layer
    was meant, so that weights that were to be shared are not.
    """

    code = "W102"
    title = "layer `{name}` is never used"
    label = "nothing flows through it"
    help = "let something flow through it: `-> {name}`, or remove it"

    name: str


class UnusedHyperparameter(Lint):
    """A hyperparameter that the body of its block or model does not read.

    Whoever sets it changes nothing, without a word. A block that is given to others as
    a value may have to take what it does not need; its hyperparameters are let be.
    """

    code = "W103"
    title = "hyperparameter `{name}` of `{owner}` is never used"
    label = "setting it changes nothing"
    help = _UNREAD

    name: str
    owner: str


class UnusedInput(Lint):
    """A tensor that goes into a model or block and that nothing takes.

    Whoever runs the model has to supply it. With several inputs none flows by itself:
    a line has to begin with its name.
    """

    code = "W104"
    title = "input `{name}` of `{owner}` is never used"
    label = "nothing takes it"
    help = "begin a line with it: `{name} -> …`, or remove it"

    name: str
    owner: str


class UnusedImport(Lint):
    """A name that `use` brings in and that the file does not read.

    No file sees what another imports, so that it is of no use to others either.
    """

    code = "W105"
    title = "{what} is never used"
    label = "imported here"
    help = "remove it"

    what: str


class UnusedBlock(Lint):
    """A block in the file of a model that no model calls.

    Nor does a block that a model calls. In a file of blocks only, which others use, no
    block is unused.
    """

    code = "W106"
    title = "block `{name}` is never used"
    label = "no model calls it, nor any block that one calls"
    help = "call it, remove it, or begin its name with `_`"

    name: str


class DeadLayer(Lint):
    """A step whose result reaches no output.

    It is built, and its parameters and operations are counted, but no output depends
    on it and it never learns. Often the next line begins anew with a value, so that
    what flowed is dropped, or an `output` is missing.
    """

    code = "W107"
    title = "nothing takes what `{what}` makes"
    label = "its result reaches no output{cost}"
    help = "let it flow on, put it out by `output name = …`, or remove it"

    what: str
    cost: str = ""


class HidesName(Lint):
    """A name inside braces that hides one of outside.

    Inside, the name means the new value; a `let` inside braces changes nothing
    outside, so that a loop cannot update a value by it. What flows is what goes from
    turn to turn. A label (`as`), on the other hand, is seen outside, too, where it
    replaces the value of before.
    """

    code = "W108"
    title = "{what} `{name}` hides another value of that name"
    label = "{after}"
    help = "give it a name of its own"

    what: str
    name: str
    after: str


class HidesOp(Lint):
    """A block, model or import under a name that is taken already.

    In this file the name then means the new one alone: a call of the op, the function
    or the import of that name is a call of this.
    """

    code = "W109"
    title = "{what} `{name}` hides the {other} of that name"
    label = "here `{name}` means this one"
    help = "give it a name of its own"

    what: str
    name: str
    other: str


# --- W2xx: layers -------------------------------------------------------------------


class RedundantBias(Lint):
    """A bias in front of a batch norm.

    The norm subtracts the mean of each feature, and with it any bias, and adds a
    learned shift of its own: the bias has no effect and no gradient (Ioffe & Szegedy
    2015, Batch Normalization, section 3.2).
    """

    code = "W201"
    title = "the bias of `{what}` has no effect: the batch norm after it takes it away"
    label = "its bias is learned, and nothing depends on it"
    help = "write `bias = false`"

    what: str


class SkippedPositions(Lint):
    """A window that, as it slides, never looks at some positions.

    The stride is larger than the window, or the stride and the dilation share a
    factor, so that the gaps of all windows fall on the same positions. A kernel of 1
    with a stride picks positions on purpose, and is let be.
    """

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
    """A convolution most of whose kernel never meets its input.

    Where the kernel reaches far beyond the axis, most of its weights only ever
    multiply the zeros that are put around: they are counted and never learn (for
    dilated kernels: Chen et al. 2017, Rethinking Atrous Convolution, section 3.1).
    """

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
    """A convolution whose arguments look like those of PyTorch.

    ``nn.Conv2d(3, 64, 7)`` names the features that come in, then those that go out.
    Here those that come in are known, and the kernel is the second argument.
    """

    code = "W204"
    title = "a kernel of {kernel}, and {features} features out of {features}"
    label = "the arguments are features, kernel, stride"
    help = "did you mean `conv({kernel}, kernel = {third})`?"

    features: int
    kernel: int
    third: int


class UnseenInput(Lint):
    """An input most of whose positions no output depends on.

    Typical is one position taken of a sequence before it has seen the others: the
    first one after causal attention, or after a few convolutions of small kernels.
    """

    code = "W205"
    title = "the outputs depend on {seen} of {size} positions of {axis} of `{name}`"
    label = "the rest has no effect"
    help = "take a position that sees the others, or mean({axis}) of all"

    name: str
    axis: str
    seen: int
    size: int


class ShiftedAlike(Lint):
    """Window attention that is shifted by the same everywhere at one resolution.

    Shifted windows join what the windows of the layer before kept apart. If all are
    shifted alike, there are no others to join (Liu et al. 2021, Swin Transformer,
    section 3.2).
    """

    code = "W206"
    title = "at {sizes} all windows are shifted by {shift}"
    label = "no unshifted windows here that these could join"
    help = "let it take turns with `shift = 0`"

    sizes: str
    shift: str


class DeepPostNorm(Lint):
    """A chain of more than 24 layer norms, each after a residual.

    That is more than 12 layers of two branches. No skip then goes from end to end;
    gradients near the output are large at first, and deep stacks do not train without
    special care (Wang et al. 2019, Learning Deep Transformer Models; Xiong et al. 2020,
    On Layer Normalization in the Transformer Architecture).
    """

    code = "W207"
    title = "{count} layer norms in a chain, each after a residual"
    label = "the last one"
    help = "put the norm first: `residual {{ layer_norm -> … }}`, and one at the end"

    count: int


class SquashedLogits(Lint):
    """An output called logits that comes out of an activation.

    Logits are what goes into a softmax or sigmoid. Losses such as PyTorch's
    ``cross_entropy`` apply it themselves, and applied twice it flattens what it gets;
    a ReLU cuts off all that is negative.
    """

    code = "W208"
    title = "output `{name}` comes out of `{op}`, and logits are what goes in"
    label = "losses that take logits apply it themselves"
    help = "remove the `{op}`, or call the output after what it is: probabilities"

    name: str
    op: str


class DropoutBeforeNorm(Lint):
    """A dropout right before a batch norm.

    In training the dropout raises the variance of what the norm sees, and the running
    averages keep that; in inference the dropout is off and they do not fit (Li et al.
    2019, Understanding the Disharmony between Dropout and Batch Normalization).
    """

    code = "W209"
    title = "a dropout right before a batch norm"
    label = "its variance is another one in training than in inference"
    help = "put the dropout after the norm"


class NoEffect(Lint):
    """An activation that changes nothing, or that stands there twice.

    A ReLU does nothing to what is positive already: what a ReLU, sigmoid or softmax
    made. Any other activation twice in a row is a slip.
    """

    code = "W210"
    title = "`{what}` right after `{before}`{why}"
    label = "one of the two is enough"
    help = "remove one, or put a layer between them"

    what: str
    before: str
    why: str = ""


class LinearTwice(Lint):
    """Two linear maps in a row with nothing between them.

    Together they are one linear map, and this one could learn all that they can: the
    features between them are no fewer than those at one of the ends. With fewer
    between them they are a factorisation of low rank, which is let be.
    """

    code = "W211"
    title = "two linear maps in a row are one: {before} -> {middle} -> {after} features"
    label = "nothing between them"
    help = "put an activation between them, or remove the first"

    before: object
    middle: object
    after: object


class NormTwice(Lint):
    """A norm right after a norm of the same kind.

    What comes in has mean 0 and variance 1 already, but for the learned scale and
    shift of the first, which the second undoes and replaces by its own.
    """

    code = "W212"
    title = "`{what}` right after `{what}`"
    label = "normalised already"
    help = "remove one of the two"

    what: str


class NoPositions(Lint):
    """Attention over a sequence of ids, in a model that cannot tell their order.

    Attention treats positions as a set. Without a position embedding, a causal mask,
    convolutions or a recurrence, any order of the ids gives the same result (Vaswani et
    al. 2017, Attention Is All You Need, section 3.5).
    """

    code = "W213"
    title = "nothing tells this model in which order the ids of `{name}` stand"
    label = "attention takes positions as a set"
    help = "write `-> position_embedding` after the embedding"

    name: str


class PlaceLost(Lint):
    """A global max over a map that convolutions made, and that nothing else looks at.

    The largest number of each feature is kept, and where it stood is not; only that one
    place gets a gradient. A mean keeps what all places say (Lin et al. 2013, Network In
    Network, section 3.2). Over the one axis of a text the max is usual (Kim 2014), and
    so it is over points without neighbours: neither is warned about.
    """

    code = "W214"
    title = "a max over {axes} right after a convolution forgets where things are"
    label = "one place of the whole map counts"
    help = "write `mean({axes})`, or pool in steps: `max_pool(2)`"

    axes: str

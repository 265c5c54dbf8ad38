"""What PyTorch, Keras and einops call things, and how they are written here.

Helps in errors only: none of these names is accepted. `tests/diagnostics` checks that
every op named here exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_MERGE = "merge(C, H, W, into = C)"
# Layers elsewhere, in lowercase without underscores and digits of dimensions.
_LAYERS = {
    "conv": "conv", "convolution": "conv", "convtranspose": "conv_transpose",
    "deconv": "conv_transpose", "deconvolution": "conv_transpose",
    "convtransposed": "conv_transpose", "transposedconv": "conv_transpose",
    "upconv": "conv_transpose",
    "dense": "linear", "fc": "linear", "fullyconnected": "linear", "linear": "linear",
    "relu": "relu", "relu6": "relu6", "gelu": "gelu", "silu": "silu",
    "swish": "silu", "tanh": "tanh",
    "sigmoid": "sigmoid", "softmax": "softmax", "dropout": "dropout",
    "droppath": "drop_path", "stochasticdepth": "drop_path", "cat": "concat",
    "concatenate": "concat", "concat": "concat", "batchnorm": "batch_norm",
    "groupnorm": "group_norm", "gn": "group_norm", "instancenorm": "instance_norm",
    "rmsnorm": "rms_norm", "frozenbatchnorm": "batch_norm(frozen = true)",
    "bn": "batch_norm", "layernorm": "layer_norm", "ln": "layer_norm",
    "maxpool": "max_pool", "maxpooling": "max_pool", "avgpool": "avg_pool",
    "averagepooling": "avg_pool", "adaptiveavgpool": "adaptive_avg_pool",
    "globalaveragepooling": "mean(H, W)", "globalavgpool": "mean(H, W)",
    "gap": "mean(H, W)", "globalmaxpool": "max(H, W)", "avg": "mean",
    "average": "mean", "flatten": _MERGE, "multiheadattention": "attention",
    "selfattention": "attention", "mha": "attention", "crossattention":
    "attention(heads, key = memory)", "scaleddotproductattention": "attention",
    "embed": "embedding", "reshape": "merge` or `split", "view": "merge` or `split",
    "mul": "multiply", "sub": "subtract", "div": "divide",
    "sequential": "repeat(n) { … }", "modulelist": "for … in … { … }",
    "param": "parameter", "posembed": "position_embedding",
    "positionalembedding": "position_embedding", "clstoken": "class_token",
    "narrow": "slice", "indexselect": "select", "unflatten": "split",
    "patchembed": "conv(dim, kernel = 16, stride = 16)",
    "patchembedding": "conv(dim, kernel = 16, stride = 16)",
}  # fmt: skip
_NO_ORDER = "axes have names here: no step needs their order"
_RECURRENT = "`lstm`, `gru` and `rnn` are built in, and `scan` runs a cell of your own"
_SENTENCES = {
    "permute": _NO_ORDER, "transpose": _NO_ORDER, "movedim": _NO_ORDER,
    "rearrange": f"{_NO_ORDER}; `merge` and `split` join and part them",
    "squeeze": "an axis ends by `mean(H)` or `select(H, 0)`; none has to be 1",
    "unsqueeze": "two tensors meet by the names of their axes: none has to be added",
    "depthwiseconv": "a depthwise one is `conv(x.C, kernel = 3, groups = x.C)`",
    "dwconv": "a depthwise one is `conv(x.C, kernel = 3, groups = x.C)`",
    "transformerencoderlayer": "`use lib/transformer (transformer_layer)` brings it",
    "transformerencoder": "`use lib/transformer (transformer_layer)` brings a layer",
    "lstmcell": _RECURRENT, "grucell": _RECURRENT, "rnncell": _RECURRENT,
    "identity": "what should pass unchanged needs no step",
    "forward": "the body is the forward pass: a line is a step",
    "super": "a model has no constructor: its body is the forward pass",
    "print": "`archdsl analyze FILE` prints the shape of every layer",
}  # fmt: skip
_LIBRARIES = frozenset({
    "nn", "F", "torch", "self", "tf", "keras", "layers", "np", "jnp", "einops", "timm",
    "torchvision", "flax", "math",
})  # fmt: skip
# Keywords elsewhere, without underscores, and what they may be here.
_KEYWORDS = {
    "kernelsize": ("kernel",), "kernelshape": ("kernel",), "ksize": ("kernel",),
    "strides": ("stride",), "pad": ("padding",), "dilationrate": ("dilation",),
    "outchannels": ("features",), "outfeatures": ("features",),
    "filters": ("features",), "channels": ("features",), "outdim": ("features",),
    "outputdim": ("features", "dim"), "units": ("features", "hidden"),
    "outputsize": ("features", "size"),
    "hiddensize": ("hidden",), "hiddendim": ("hidden",),
    "numheads": ("heads",), "nheads": ("heads",), "nhead": ("heads",),
    "head": ("heads",), "numlayers": ("layers",), "nlayers": ("layers",),
    "p": ("rate", "dropout", "drop_path"), "prob": ("rate", "drop_path"),
    "rate": ("drop_path",), "droprate": ("rate", "dropout", "drop_path"),
    "dropoutrate": ("rate", "dropout"), "dropprob": ("rate", "drop_path"),
    "numembeddings": ("vocab",), "vocabsize": ("vocab",), "inputdim": ("vocab",),
    "embeddingdim": ("dim",), "embeddim": ("dim",), "dmodel": ("dim",),
    "hidden": ("features",), "usebias": ("bias",), "iscausal": ("causal",),
    "windowsize": ("window",), "shiftsize": ("shift",), "epsilon": ("eps",),
    "elementwiseaffine": ("affine",), "maxlen": ("max",), "maxlength": ("max",),
    "maxpositionembeddings": ("max",), "keys": ("key",), "values": ("value",),
    "context": ("key",), "memory": ("key",), "begin": ("start",), "end": ("stop",),
    "dim": ("over", "axis"), "dims": ("over",), "axis": ("over",), "axes": ("over",),
}  # fmt: skip
_KNOWN = "leave it out: the size that flows in is known"
_NAMED = "leave it out: axes have names, so their order does not matter"
_UNNEEDED = {
    "inchannels": _KNOWN, "infeatures": _KNOWN, "inputsize": _KNOWN, "indim": _KNOWN,
    "inputdim": _KNOWN, "inputchannels": _KNOWN, "numfeatures": _KNOWN,
    "embeddim": _KNOWN, "dmodel": _KNOWN, "normalizedshape": _KNOWN, "kdim": _KNOWN,
    "vdim": _KNOWN, "numchannels": _KNOWN, "dim": _KNOWN, "inputshape": _KNOWN,
    "batchfirst": _NAMED, "dataformat": _NAMED, "layout": _NAMED,
    "keepdim": "leave it out: two tensors meet by the names of their axes",
    "keepdims": "leave it out: two tensors meet by the names of their axes",
    "inplace": "leave it out: memory is the compiler's business",
    "device": "leave it out: the compiled module is moved by `.to(device)`",
    "dtype": "leave it out: the compiled module is cast by `.to(dtype)`",
    "activation": "write it as the next step: `-> relu`",
    "act": "write it as the next step: `-> relu`",
    "query": "leave it out: what flows in asks",
    "mask": "`causal = true` hides what comes later; there are no other masks",
    "attnmask": "`causal = true` hides what comes later; there are no other masks",
    "name": "names are given after the step: `… as name`",
}  # fmt: skip
_SIZES = {
    "channels": "C", "features": "C", "dim": "C", "height": "H", "width": "W",
    "length": "T", "batch": "B",
}  # fmt: skip


def _plain(name: str) -> str:
    plain = name.replace("_", "").lower()
    for dimensions in ("1d", "2d", "3d"):
        plain = plain.removesuffix(dimensions)
    return plain


def layer(name: str, axes: Sequence[str] = ()) -> str:
    """A help for a layer or function of other libraries, or "".

    Args:
        name: Its name there.
        axes: Those of what flows into it.
    """
    plain = _plain(name)
    if plain == "flatten" and len(axes) > 1:
        inside = ", ".join(a for a in axes if a != "B")
        return f"here it is `merge({inside}, into = C)`"
    if plain in _SENTENCES:
        return _SENTENCES[plain]
    found = _LAYERS.get(plain, "")
    return f"here it is `{found}`" if found and found != name else ""


def is_library(name: str) -> bool:
    """Whether a name before a dot is a library's, or ``self``."""
    return name in _LIBRARIES


def keyword(name: str, known: Sequence[str]) -> str:
    """What a keyword is called here, as one of `known`, or ""."""
    candidates = _KEYWORDS.get(name.replace("_", "").lower(), ())
    return next((k for k in candidates if k in known), "")


def unneeded(name: str) -> str:
    """Why a keyword is not needed here, or ""."""
    return _UNNEEDED.get(name.replace("_", "").lower(), "")


def attribute(base: str, name: str, axes: Sequence[str], ops: Iterable[str]) -> str:
    """A help for an attribute of a tensor.

    Args:
        base: The tensor as written.
        name: The attribute.
        axes: Those that the tensor has.
        ops: The names of all ops.
    """
    sizes = [f"`{base}.{a}`" for a in axes if a != "B"]
    if name in ("shape", "size", "ndim"):
        return "sizes go by axis: " + ", ".join(sizes)
    axis = _SIZES.get(name, name.upper())
    if axis in axes:
        return f"sizes go by axis: `{base}.{axis}`"
    if layer(name):
        return layer(name)
    if name in set(ops):
        return f"a tensor has no methods: `{base} -> {name}`"
    return "a tensor's attributes are its sizes: " + ", ".join(sizes)

"""Random arguments for each op; ops that are not here are used as in their examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from archdsl.diagnostics import Refused
from archdsl.ir.tensor import Tensor
from archdsl.ops.base import Facts
from archdsl.ops.fields import AxisName
from archdsl.ops.registry import ops
from tests.randoms.steps import (
    Invalid,
    Nested,
    Scope,
    Use,
    fits,
    literal,
    resolved,
    tensor,
)

if TYPE_CHECKING:
    from tests.randoms.maker import Maker

FEATURES = (1, 2, 3, 4, 6, 8)
KINDS = ("tanh", "quick")


def plain(m: Maker, name: str, scope: Scope, x: Tensor) -> Use:
    return Use(ops()[name])


def _linear(m, name, scope, x):
    fields = {"features": m.number([*FEATURES, 2 * x.sizes.get("C", 1)], x)}
    if m.chance(40):
        fields["bias"] = m.chance(50)
    return Use(ops()[name], fields)


def _conv(m, name, scope, x):
    steps = {"stride": [1, 2, 3], "padding": [0, 1, 2], "dilation": [1, 2]}
    return _sliding(m, name, x, [1, 2, 3, 5], steps)


def _transpose(m, name, scope, x):
    steps = {"stride": [1, 2, 3], "padding": [0, 1], "output_padding": [0, 1]}
    return _sliding(m, name, x, [1, 2, 3, 4], {**steps, "dilation": [1, 2]})


def _sliding(m, name, x, kernels, steps):
    """A convolution; what is in `steps` is left out mostly."""
    axes, over = m.over(x)
    fields = {"features": m.number(FEATURES), "kernel": m.each(kernels, axes)}
    for step, choices in steps.items():
        if m.chance(30):
            fields[step] = m.each(choices, axes)
    if m.chance(30):
        fields["groups"] = m.number([2, x.sizes.get("C", 1)])
    if m.chance(30):
        fields["bias"] = False
    return Use(ops()[name], fields | over)


def _pool(m, name, scope, x):
    axes, over = m.over(x)
    fields = {"kernel": m.each([1, 2, 3], axes)}
    if m.chance(50):
        fields["stride"] = m.each([1, 2, 3], axes)
    if m.chance(30):
        fields["padding"] = m.each([0, 1], axes)
    if name == "max_pool" and m.chance(30):
        fields["dilation"] = m.each([1, 2], axes)
    return Use(ops()[name], fields | over)


def _adaptive(m, name, scope, x):
    axes, over = m.over(x)
    return Use(ops()[name], {"size": m.each([1, 2, 3, 5], axes)} | over)


def _norm(m, name, scope, x):
    fields = {}
    if name == "group_norm":
        fields["groups"] = m.number([1, 2, x.sizes.get("C", 1)])
    if name in ("group_norm", "instance_norm"):
        fields |= m.over(x)[1]
    if m.chance(30):
        fields["eps"] = m.of([1e-6, 0.001])
    if name == "batch_norm" and m.chance(20):
        return Use(ops()[name], fields | {"frozen": True})
    if m.chance(30):
        fields["affine"] = m.chance(50)
    if name == "layer_norm" and m.chance(30):
        fields["bias"] = m.chance(50)
    if name == "batch_norm" and m.chance(30):
        fields["momentum"] = 0.01
    return Use(ops()[name], fields)


def _reduce(m, name, scope, x):
    axes = m.some([a for a in x.names if a != "B"])
    return Use(ops()[name], {"over": [AxisName(a) for a in axes]})


def _arithmetic(m, name, scope, x):
    if x.dtype == "int":
        return Use(ops()[name], {"number": m.of([1, 2, 3])})
    if m.chance(30) or not scope.tensors:
        return Use(ops()[name], {"number": m.of([2, 0.5, 3.25, -1])})
    return Use(ops()[name], ports={"other": m.source(scope)})


def _heads(m, x):
    if "C" not in x:
        raise Invalid
    return m.number([h for h in (1, 2, 3, 4) if x["C"] % h == 0])


def _attention(m, name, scope, x):
    axes, over = m.over(x)
    fields, ports = {"heads": _heads(m, x)}, {}
    if scope.tensors and m.chance(35):
        ports["key"] = m.source(scope)
        if isinstance(ports["key"], str) and m.chance(30):
            ports["value"] = ports["key"]
    elif len(axes) == 1 and m.chance(40):
        fields["causal"] = True
    if m.chance(30):
        fields["bias"] = m.chance(50)
    if m.chance(20):
        fields["dropout"] = 0.1
    if m.chance(20):
        fields["heads"], fields["width"] = m.of([(1, 3), (2, 4), (3, 6)])
    fields |= _heads_of_attention(m, whole=not ports)
    return Use(ops()[name], fields | over, ports)


def _heads_of_attention(m, *, whole):
    """What else may be said of the maps around attention and of its scores."""
    fields = {}
    if m.chance(30):
        fields["scale"] = m.of([0.5, "cosine", "learned"])
    if m.chance(20):
        fields["kv_heads"] = m.of([1, 2])
    if whole and m.chance(20):
        fields["fused"] = True
    if m.chance(20):
        fields["rotary"] = m.of([10, 10000])
        fields["pairing"] = m.of(["half", "interleaved"])
    if m.chance(20):
        fields["out"] = False
    elif m.chance(20) and "fused" not in fields:
        fields["bias"] = m.some(["q", "k", "v", "out"])
    return fields


def _window(m, name, scope, x):
    axes, over = m.over(x)
    window = m.each([2, 3, 4], axes)
    fields = {"heads": _heads(m, x), "window": window}
    if m.chance(50):
        fields["shift"] = m.each([0, 1], axes)
    if m.chance(50):
        fields["pad"] = True
    if m.chance(50):
        fields["relative_bias"] = m.of([True, True, "continuous"])
        if fields["relative_bias"] == "continuous" and m.chance(30):
            fields["pretrained_window"] = m.each([2, 3], axes)
    if m.chance(20):
        fields["bias"] = m.of([False, ("q", "v", "out")])
    if m.chance(20):
        fields["scale"] = m.of([0.5, "cosine", "learned"])
    return Use(ops()[name], fields | over)


def _recurrent(m, name, scope, x):
    fields = {"hidden": m.number([2, 3, 4])}
    if name == "rnn" and m.chance(30):
        fields["nonlinearity"] = "relu"
    if m.chance(30):
        fields["layers"] = 2
        if m.chance(40):
            fields["dropout"] = 0.1
    for flag in ("bidirectional", "last", "bias"):
        if m.chance(30):
            fields[flag] = flag != "bias"
    if "last" in fields and m.chance(50):
        fields["last"] = "all"
    if len(x.positions) > 1:
        fields["over"] = AxisName(m.of(x.positions))
    return Use(ops()[name], fields, _first_state(m, name, scope, x, fields))


def _first_state(m, name, scope, x, fields):
    """A tensor there is, made as long as the states of all layers; often none fits."""
    along = str(fields["over"]) if "over" in fields else x.positions[:1]
    wanted = {a: n for a, n in x.sizes.items() if a not in along}
    if not scope.tensors or m.chance(50):
        return {}
    start = m.named(scope, "float")
    other = tensor(scope, start)
    if any(other.sizes.get(a) != n for a, n in wanted.items() if a != "C"):
        return {}
    known = {k: resolved(v, scope, x) for k, v in fields.items()}
    carried = ops()[name](**known).carried
    steps = [Use(ops()["linear"], {"features": carried})]
    rest = [AxisName(a) for a in other.names if a not in wanted]
    if rest:
        steps.insert(0, Use(ops()["mean"], {"over": rest}))
    return {"state": Nested(start, tuple(steps))} if "C" in other else {}


def _position(m, name, scope, x):
    axes, over = m.over(x)
    longest = (
        {"max": m.number([x[axes[0]], 9])} if len(axes) == 1 and m.chance(40) else {}
    )
    return Use(ops()[name], longest | over)


def _slice(m, name, scope, x):
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    size = x.sizes.get(axis, 1)
    fields = {"axis": AxisName(axis)}
    if m.chance(50):
        fields["start"] = m.of([0, 1, -1, -size])
    if m.chance(50):
        fields["stop"] = m.of([size, max(1, size - 1), -1])
    if m.chance(40):
        fields["step"] = m.number([1, 2, 3])
    return Use(ops()[name], fields)


def _select(m, name, scope, x):
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    size = x.sizes.get(axis, 1)
    return Use(ops()[name], {"axis": AxisName(axis), "index": m.of([0, -1, size - 1])})


def _merge(m, name, scope, x):
    axes = m.some([a for a in x.names if a != "B"])
    into = m.of([*axes, "M", "C" if x.dtype == "float" else "M"])
    return Use(
        ops()[name], {"axes": [AxisName(a) for a in axes], "into": AxisName(into)}
    )


def _split(m, name, scope, x):
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    size = x.sizes.get(axis, 1)
    part = m.of([d for d in range(1, size + 1) if size % d == 0])
    names = m.of([("P", "Q"), (axis, "P"), ("P", axis), (axis,)])
    sizes = (
        [literal(part), literal(size // part)] if len(names) > 1 else [literal(size)]
    )
    if m.chance(50):
        sizes[m.of(range(len(sizes)))] = None
    into = tuple(zip(names, sizes, strict=True))
    return Use(ops()[name], {"axis": AxisName(axis), "into": into})


def _concat(m, name, scope, x):
    same = [
        n
        for n, t in scope.tensors.items()
        if set(t.names) == set(x.names) and t.dtype == x.dtype
    ]
    if not same:
        raise Invalid
    names = [m.of(same) for _ in range(m.of([1, 2, 3]))]
    axis = m.of([a for a in x.names if a != "B"] or ["C"])
    return _Concat(
        ops()[name],
        {"over": AxisName(axis)} if axis != "C" or m.chance(20) else {},
        many=f"[{', '.join(names)}]",
    )


class _Concat(Use):
    """Its list stands for all ports."""

    def apply(self, scope: Scope, x: Tensor) -> tuple[Tensor, object]:
        names = self.many.strip("[]").split(", ")
        ins = {f"xs{i}": tensor(scope, n) for i, n in enumerate(names)}
        try:
            return fits(self.op(**self.fields).outputs(ins, Facts())[0]), ()
        except Refused as refused:
            raise Invalid from refused


def _rate(m, name, scope, x):
    return Use(ops()[name], {"rate": m.of([0.1, 0.5, 0])})


def _embedding(m, name, scope, x):
    if x.dtype != "int":
        raise Invalid
    return Use(ops()[name], {"vocab": m.number([5, 9]), "dim": m.number(FEATURES)})


def _patch_merge(m, name, scope, x):
    _, over = m.over(x)
    fields = {"features": m.number(FEATURES)} if m.chance(40) else {}
    if m.chance(50):
        fields["pad"] = True
    if m.chance(30):
        fields["norm"] = "after"
    return Use(ops()[name], fields | over)


def _token(m, name, scope, x):
    return Use(ops()[name], {"count": m.number([1, 2])} if m.chance(50) else {})


def _gelu(m, name, scope, x):
    return Use(ops()[name], m.of([{}, {}, *({"approximate": a} for a in KINDS)]))


def _normalize(m, name, scope, x):
    axes = [a for a in x.names if a != "B"]
    over = {"over": [AxisName(a) for a in m.some(axes)]} if m.chance(60) else {}
    return Use(ops()[name], over | ({"eps": 0.01} if m.chance(30) else {}))


def _clamp(m, name, scope, x):
    low, high = m.of([(-1, 1), (None, 0.5), (0, None), (-0.25, 2)])
    bounds = {"min": low, "max": high}
    return Use(ops()[name], {k: v for k, v in bounds.items() if v is not None})


def _softmax(m, name, scope, x):
    axes = [a for a in x.names if a != "B"]
    return Use(
        ops()[name], {"over": AxisName(m.of(axes or ["C"]))} if m.chance(70) else {}
    )


class _Source(Use):
    """A learned or constant tensor, added to what flows or multiplied with it."""

    def apply(self, scope: Scope, x: Tensor) -> tuple[Tensor, object]:
        fields = {n: resolved(v, scope, x) for n, v in self.fields.items()}
        (made,) = self.op(**fields).outputs({}, Facts())
        scope = Scope(tensors={"made": made})
        return Use(ops()["add"], ports={"other": "made"}).apply(scope, x)[0], ()

    def text(self) -> str:
        return f"{self.many}({Use(self.op, self.fields).text()})"


def _source(m, name, scope, x):
    axes = m.some([a for a in x.names if a != "B"]) if set(x.names) - {"B"} else ["C"]
    sizes = tuple((a, literal(x.sizes.get(a, 3))) for a in axes)
    if "C" not in x and m.chance(30):
        sizes = (*dict(sizes).items(), ("C", m.number(FEATURES)))
        sizes = tuple(dict(sizes).items())
    fields = {"axes": sizes}
    if name == "parameter" and m.chance(50):
        fields["init"] = m.of(["zeros", "ones", 1e-6])
    return _Source(ops()[name], fields, many=m.of(["add", "multiply", "subtract"]))


PROPOSALS: dict[str, Callable[..., Use]] = {
    "linear": _linear, "conv": _conv, "conv_transpose": _transpose, "max_pool": _pool,
    "avg_pool": _pool, "adaptive_avg_pool": _adaptive, "layer_norm": _norm,
    "batch_norm": _norm,
    "rms_norm": _norm, "group_norm": _norm, "instance_norm": _norm,
    "mean": _reduce, "max": _reduce, "sum": _reduce, "add": _arithmetic,
    "subtract": _arithmetic, "multiply": _arithmetic, "divide": _arithmetic,
    "attention": _attention, "window_attention": _window, "lstm": _recurrent,
    "gru": _recurrent, "rnn": _recurrent,
    "position_embedding": _position, "class_token": _token, "slice": _slice,
    "select": _select, "merge": _merge, "split": _split, "concat": _concat,
    "dropout": _rate, "drop_path": _rate, "embedding": _embedding,
    "patch_merge": _patch_merge, "gelu": _gelu, "softmax": _softmax, "relu": plain,
    "relu6": plain, "abs": plain, "clamp": _clamp, "normalize": _normalize,
    "tanh": plain, "sigmoid": plain, "silu": plain,
    "parameter": _source, "zeros": _source, "ones": _source,
}  # fmt: skip
SIMPLE = [
    "relu",
    "gelu",
    "layer_norm",
    "linear",
    "lstm",
    "dropout",
    "attention",
    "mean",
]
INT_OPS = ["embedding"] * 6 + ["slice", "select", "merge", "split", "concat"]

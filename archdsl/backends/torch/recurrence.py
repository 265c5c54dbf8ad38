"""The loop of a scan: its ``forward``, around the ``step`` that its body is."""

from __future__ import annotations

from archdsl.backends.torch.forward import TAKEN, Forward, several
from archdsl.backends.torch.layout import along
from archdsl.backends.torch.text import Names, define
from archdsl.ir.graph import Ref


def turns(forward: Forward) -> list[str]:
    """The lines of ``forward``, for a class whose ``step`` is written."""
    plan, scan = forward.plan, forward.graph.scan
    assert scan is not None
    # By input: the argument, the dimension of the axis, and what a turn gets.
    inputs = {e.name: forward.inputs[Ref(n.id)] for e, n in forward.graph.entries}
    layouts = dict(zip(inputs, plan.given, strict=True))
    names = Names([*TAKEN, *inputs.values()])
    turn = {n: names.take(f"{inputs[n]}_{scan.axis.lower()}") for n in scan.sequences}
    unbound = [
        f"{inputs[n]}.unbind({layouts[n].index(scan.axis)})" for n in scan.sequences
    ]
    values = {
        ref: inputs[name]
        for (ref, _), name in zip(plan.carried, scan.states, strict=True)
    }
    for ref, _ in plan.made:
        if ref not in values:
            hint = forward.graph.hints.get(ref, "y")
            values[ref] = names.take(hint)
    lists = [
        names.take("outputs" if len(plan.made) == 1 else f"{values[ref]}_outputs")
        for ref, _ in plan.made
    ]
    many = len(unbound) > 1
    source = f"zip({', '.join(unbound)}, strict=True)" if many else unbound[0]
    if scan.reverse:
        source = f"reversed(list({source}))" if many else f"reversed({source})"
    call = ", ".join(turn.get(n, inputs[n]) for n in inputs)
    targets = ", ".join(values[ref] for ref, _ in plan.returned)
    back = "[::-1]" if scan.reverse else ""
    made = [
        f"torch.stack({rows}{back}, dim={along(layout, scan).index(scan.axis)})"
        for rows, (_, layout) in zip(lists, plan.made, strict=True)
    ]
    if scan.last:
        made, lists = [values[ref] for ref, _ in plan.made], []
    final = [values[ref] for ref, _ in plan.carried] if scan.keep else []
    pad = " " * 8
    arguments = [f"{name}: Tensor" for name in inputs.values()]
    return [
        define("forward", arguments, several(len(made) + len(final))),
        *(f"{pad}{rows}: list[Tensor] = []" for rows in lists),
        f"{pad}for {', '.join(turn.values())} in {source}:",
        f"{pad}    {targets} = self.step({call})",
        *(
            f"{pad}    {rows}.append({values[ref]})"
            for rows, (ref, _) in zip(lists, plan.made, strict=False)
        ),
        f"{pad}return {', '.join([*made, *final])}",
    ]

"""What a model with open sizes says and asks of its inputs when it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archdsl.diagnostics import SpecError
from archdsl.diagnostics.faults.shapes import OpenSize
from archdsl.ir.assumption import Assumption
from archdsl.ir.dim import Atom, Poly, Size, symbol
from archdsl.ir.graph import Graph, Node
from archdsl.ir.tensor import BATCH, Tensor

NEED = '''def _need(holds: bool, x: Tensor, axes: str, what: str) -> None:
    """Refuses an input of a size that the model does not take."""
    if not holds:
        raise ValueError(f"{axes} needs {what}, found {list(x.shape)}")'''


@dataclass(frozen=True)
class Check:
    """A condition on an input, as Python, and in words."""

    input: str
    condition: str
    words: str


def is_open(graph: Graph) -> bool:
    """Whether the inputs of a model have open sizes, besides the batch."""
    sizes = [(a, s) for t in graph.inputs.values() for a, s in t.axes]
    return graph.is_model and any(isinstance(s, Poly) for a, s in sizes if a != BATCH)


def needs(graph: Graph) -> tuple[Assumption, ...]:
    """What the shapes of a model's inputs must meet."""
    return tuple(a for a in graph.assumptions if not a.costs)


def lines(graph: Graph, variables: Mapping[str, str]) -> list[str]:
    """The statements at the head of ``forward`` that refuse what does not fit.

    Args:
        graph: A model.
        variables: What ``forward`` calls its inputs.

    Raises:
        SpecError: The inputs do not tell what a symbol is.
    """
    found = _Checks(graph, variables)
    rows = []
    for check in [*found.of_axes(), *found.of_assumptions()]:
        axes = f"{check.input}: [{', '.join(graph.inputs[check.input].names)}]"
        arguments = f'{variables[check.input]}, "{axes}", "{check.words}"'
        line = f"        _need({check.condition}, {arguments})"
        if len(line) > 88:
            wide = ["        _need(", f"            {check.condition},"]
            wide += [f"            {a}," for a in _apart(check, variables, axes)]
            line = "\n".join([*wide, "        )"])
        rows.append(line)
    return rows


def _apart(check: Check, variables: Mapping[str, str], axes: str) -> list[str]:
    return [variables[check.input], f'"{axes}"', f'"{check.words}"']


class _Checks:
    def __init__(self, graph: Graph, variables: Mapping[str, str]) -> None:
        self.graph = graph
        self.variables = variables
        self.known: dict[str, str] = {}  # symbols, as Python
        self.homes: dict[str, str] = {}  # the input that tells a symbol

    def of_axes(self) -> Iterator[Check]:
        """The numbers of axes, and their sizes; learns what the symbols are."""
        later: list[tuple[Node, str, str, Poly]] = []
        for enter, node in self.graph.entries:
            name, tensor = enter.name, node.outputs[0]
            x = self.variables[name]
            yield Check(name, f"{x}.dim() == {len(tensor.axes)}", _rank(tensor))
            for place, (axis, size) in enumerate(tensor.axes):
                here = f"{x}.shape[{place}]"
                if isinstance(size, Poly):
                    if self._learn(name, size, here):
                        yield from self._multiple(name, axis, size, here)
                    else:
                        later.append((node, name, axis, size))
                elif axis != BATCH:
                    yield Check(name, f"{here} == {size}", f"{axis} = {size}")
        for node, name, axis, size in later:
            place = node.outputs[0].names.index(axis)
            if not size.symbols <= self.known.keys():
                fault = OpenSize(f"`{name}`, compiled,", axis, size)
                raise SpecError.at(node.span, fault)
            here = f"{self.variables[name]}.shape[{place}]"
            yield Check(name, f"{here} == {code(size, self.known)}", f"{axis} = {size}")

    def _learn(self, name: str, size: Poly, here: str) -> bool:
        """Takes the symbol of ``a * n + b`` from an axis, if it is not known."""
        if len(size.symbols) != 1 or size.symbols & self.known.keys():
            return False
        (n,) = size.symbols
        slope = size.substitute({n: 2}) - size.substitute({n: 1})
        shift = size - slope * symbol(n)
        if not isinstance(slope, int) or slope < 1 or not isinstance(shift, int):
            return False
        self.homes[n] = name
        moved = f"({here} {'-' if shift > 0 else '+'} {abs(shift)})" if shift else here
        self.known[n] = moved if slope == 1 else f"({moved} // {slope})"
        return True

    def _multiple(self, name: str, axis: str, size: Poly, here: str) -> Iterator[Check]:
        if size.is_symbol:
            return
        value = code(size, self.known)
        words = f"{axis} = {size}"
        yield Check(name, f"{here} == {value} > {size.constant}", words)

    def of_assumptions(self) -> Iterator[Check]:
        """What the ops of the model need."""
        for a in needs(self.graph):
            if a.symbols <= self.known.keys() and a.symbols:
                home = self.homes[min(a.symbols)]
                left, right = code(a.left, self.known), code(a.right, self.known)
                sign = _SIGNS[a.relation]
                if a.relation == "divides":
                    left = left if _is_bare(left) else f"({left})"
                    yield Check(home, f"{left} % {right} == 0", str(a))
                else:
                    yield Check(home, f"{left} {sign} {right}", str(a))


_SIGNS = {"at least": ">=", "at most": "<=", "equals": "==", "divides": "%"}


def _rank(tensor: Tensor) -> str:
    count = len(tensor.axes)
    return f"{count} ax{'i' if count == 1 else 'e'}s"


def code(size: Size, names: Mapping[str, str]) -> str:
    """A size as Python, its symbols replaced; whole numbers only."""
    if isinstance(size, int):
        return str(size)
    terms = []
    for monomial, coefficient in size.terms:
        factors = (
            [str(abs(coefficient))] if abs(coefficient) != 1 or not monomial else []
        )
        factors += [_power(a, p, names) for a, p in monomial if p > 0]
        below = [_power(a, -p, names) for a, p in monomial if p < 0]
        low = f" // ({' * '.join(below)})" if below else ""
        terms.append(("-" if coefficient < 0 else "+", " * ".join(factors) + low))
    (sign, first), *others = terms
    rest = "".join(f" {s} {t}" for s, t in others)
    return ("-" if sign == "-" else "") + first + rest


def _power(atom: Atom, power: int, names: Mapping[str, str]) -> str:
    if isinstance(atom, str):
        text = names[atom]
    else:
        top, low = code(atom.numerator, names), code(atom.divisor, names)
        top = top if _is_bare(top) else f"({top})"
        text = f"({top} // {low if _is_bare(low) else f'({low})'})"
    return text if power == 1 else f"{text}**{power}"


def _is_bare(text: str) -> bool:
    return " " not in text or (text[0] == "(" and text.find(")") == len(text) - 1)

"""The forward pass of a class, written as a person would write it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archdsl.backends.torch.chains import Container, access
from archdsl.backends.torch.classes import Class, is_constant
from archdsl.backends.torch.statements import Statement
from archdsl.backends.torch.text import Doc, Group, Names, is_atom, render
from archdsl.ir.graph import Call, Enter, Node, Path, Ref
from archdsl.ir.tensor import BATCH, Layout, Tensor
from archdsl.ops.emit import Arg

_INDENT = 8
_LONGEST = 70  # columns of an expression, before a part of it gets a name
_LOCALS = ("x", "y", "z")
TAKEN = ("self", "torch", "nn", "F", "Tensor", "OrderedDict", "dict", "tuple", "list",
          "_need", "range", "zip", "enumerate", "len", "max", "min", "sum")  # fmt: skip


class Forward:
    """Writes ``forward``: its signature, statements and result."""

    def __init__(self, made: Class, root: Container) -> None:
        self.made = made
        self.plan = made.plan
        self.graph = made.plan.graph
        self.root = root
        self.stored: list[str] = []  # constructor arguments that are used here
        self.statements: list[Statement] = []
        self.names = Names(TAKEN)
        self.texts: dict[Ref, str] = {}  # expressions that wait to be used
        self.held: dict[Ref, list[str]] = {}  # names that these use for the last time
        self.last: list[str] = []  # those of the expression that is being written
        self.inputs: dict[Ref, str] = {}
        self.variables: dict[Ref, str] = {}
        self.permuted: dict[tuple[Ref, Layout], str] = {}
        self.left = self.plan.uses()
        self.returned = ""

    # -- the whole -------------------------------------------------------------------

    def write(self) -> None:
        """Fills `statements`, `returned` and `stored`."""
        done: set[int] = set()
        for node in self.graph:
            if isinstance(node.payload, Enter):
                name = self.names.take(_variable(node.payload.name))
                self.variables[Ref(node.id)] = self.inputs[Ref(node.id)] = name
        for node in self.graph:
            if isinstance(node.payload, Enter) or node.id in done:
                continue
            chain = self._chain(node)
            if chain is None:
                self._node(node)
            else:
                nodes = chain.nodes()
                done |= {n.id for n in nodes}
                self._sequence(chain, nodes)
        self.returned = self._result()

    def _chain(self, node: Node) -> Container | None:
        """The largest plain chain that a node is part of."""
        here = self.root
        for name in node.path[:-1]:
            part = here.parts[name]
            assert isinstance(part, Container)
            if part.chain:
                return part
            here = part
        return None

    def _sequence(self, chain: Container, nodes: list[Node]) -> None:
        port, ref = nodes[0].inputs[0]
        operand = self._operand(nodes[0], port, ref, inside=True)
        text = f"{access(chain.path, self.root)}({operand})"
        self._keep(nodes[-1], text, chain.path)

    def _node(self, node: Node) -> None:
        self._keep(node, self._expression(node), node.path)

    def _keep(self, node: Node, text: str, path: Path) -> None:
        """Leaves an expression for its only user, or gives it a name."""
        ref = Ref(node.id)
        if len(node.outputs) == 1 and self._can_wait(node, text):
            self.texts[ref] = text
            self.held[ref], self.last = self.last, []
            return
        self._assign(node, text, path)

    def _can_wait(self, node: Node, text: str) -> bool:
        ref = Ref(node.id)
        users = self.graph.users(ref)
        if self.left[ref] != 1 or len(users) != 1 or ref in self.graph.hints:
            return False
        user, port = users[0]
        have, need = self.plan.layouts[ref], self.plan.needs[user.id, port]
        text = text if have == need else _permute(text, have, need)
        if not self._same_line(node, user) or _length(text) > _LONGEST:
            return False
        if isinstance(user.payload, Call) or user.id not in self.plan.emits:
            return True
        template = self.plan.emits[user.id].forward
        methods = re.findall(rf"\{{{port}\}}((?:\.\w+\([^()]*\))*)", template)
        return len(methods) == 1 and _length(text + methods[0]) <= _LONGEST

    def _same_line(self, node: Node, user: Node) -> bool:
        a, b = node.span, user.span
        return a.source is b.source and a.line == b.line and _turn(node) == _turn(user)

    # -- expressions -----------------------------------------------------------------

    def _expression(self, node: Node) -> str:
        if isinstance(node.payload, Call):
            ports = [self._operand(node, p, r, inside=True) for p, r in node.inputs]
            return f"{access(node.path, self.root)}({', '.join(ports)})"
        emit = self.plan.emits[node.id]
        slots = {a.name: self._number(node, i, a) for i, a in enumerate(emit.literals)}
        if emit.make is not None:
            slots["self"] = access(node.path, self.root)
        if node.weights_from is not None:
            slots["weight"] = access(node.weights_from, self.root) + ".weight"
        refs = dict(node.inputs)
        template = _spaced(emit.forward, slots)
        many = {p: emit.forward.count(f"{{{p}}}") for p in refs}
        long = self._is_long(emit.forward, node)
        for port, ref in refs.items():
            if many[port] > 1 or long:
                self._name(ref, node)
            if many[port] > 1 or (long and len(refs) > 1):
                self._permuted(ref, self.plan.needs[node.id, port])
            self.left[ref] += many[port] - 1  # a use each time that it is written
        return self._fill(template, node, slots, refs)

    def _is_long(self, template: str, node: Node) -> bool:
        """Whether a formula would be too long for a line; calls break well."""
        if template.startswith(("{self}(", "F.", "torch.")):
            return False
        length = len(template)
        for port, ref in node.inputs:
            length += len(self.texts.get(ref, "x"))
            if self.plan.layouts[ref] != self.plan.needs[node.id, port]:
                length += len(
                    _permute("", self.plan.layouts[ref], self.plan.needs[node.id, port])
                )
        return length > _LONGEST

    def _number(self, node: Node, index: int, arg: Arg) -> str:
        """A number that the template uses; one that varies is kept by the module."""
        slot = (node.id, "use", index)
        text = self.made.texts[slot]
        if is_constant(self.made.values[slot]):
            return text
        for name in self.made.parameters:
            text, found = re.subn(rf"\b{name}\b", f"self.{name}", text)
            if found and name not in self.stored:
                self.stored.append(name)
        return text

    def _fill(
        self,
        template: str,
        node: Node,
        slots: Mapping[str, str],
        refs: Mapping[str, Ref],
    ) -> str:
        def put(match: re.Match[str]) -> str:
            name = match[1]
            inside = _is_argument(template, match.start(), match.end())
            if name in refs:
                return self._operand(node, name, refs[name], inside=inside)
            text = slots[name]
            return text if inside or is_atom(text) else f"({text})"

        return re.sub(r"\{(\w+)\}", put, template)

    def _operand(self, node: Node, port: str, ref: Ref, *, inside: bool) -> str:
        """A value as a node takes it: by name or in place, permuted if it must be."""
        have, need = self.plan.layouts[ref], self.plan.needs[node.id, port]
        self.left[ref] -= 1
        if have == need:
            return self._value(ref, inside=inside)
        if (ref, need) not in self.permuted:
            again = [
                u for u, p in self.graph.users(ref) if self.plan.needs[u.id, p] == need
            ]
            if len(again) > 1:
                self._permuted(ref, need)
        if (ref, need) in self.permuted:
            return self.permuted[ref, need]
        return _permute(self._value(ref, inside=False), have, need)

    def _permuted(self, ref: Ref, need: Layout) -> None:
        """Gives a value in another layout a name, once."""
        have = self.plan.layouts[ref]
        if have == need or (ref, need) in self.permuted:
            return
        outer, self.last = self.last, []
        text = _permute(self._value(ref, inside=False), have, need)
        self._free()
        self.last = outer
        name = self.names.take(
            f"{self.variables.get(ref, 'x')}_{''.join(need).lower()}"
        )
        self._state((name,), text, _shape([(self.graph.tensor(ref), need)], self.made))
        self.permuted[ref, need] = name

    def _value(self, ref: Ref, *, inside: bool) -> str:
        if ref in self.texts:
            text = self.texts.pop(ref)
            self.last += self.held.pop(ref)
            return text if inside or is_atom(text) else f"({text})"
        name = self.variables[ref]
        if self.left[ref] == 0:
            self.last.append(name)
        return name

    def _free(self) -> None:
        """Gives back the names that the expression just written was the last to use.

        One that an expression uses which waits is that one's to give back.
        """
        for name in self.last:
            waits = [r for r, t in self.texts.items() if re.search(rf"\b{name}\b", t)]
            if waits:
                self.held[waits[0]].append(name)
            else:
                self.names.free(name)
        self.last = []

    def _name(self, ref: Ref, user: Node) -> None:
        """Gives an expression that waits a name, because it is used twice."""
        if ref in self.texts:
            outer, self.last = self.last, self.held.pop(ref)
            self._assign(self.graph[ref.node], self.texts.pop(ref), user.path)
            self.last = outer

    # -- statements ------------------------------------------------------------------

    def _assign(self, node: Node, text: str, path: Path) -> None:
        self._free()
        refs = [Ref(node.id, i) for i in range(len(node.outputs))]
        targets = []
        for ref in refs:
            name = self._target(ref)
            self.variables[ref] = name
            targets.append(name)
        shapes = [
            (t, self.plan.layouts[r]) for r, t in zip(refs, node.outputs, strict=True)
        ]
        self._state(tuple(targets), text, _shape(shapes, self.made), path)

    def _target(self, ref: Ref) -> str:
        hint = self.graph.hints.get(ref)
        if hint is not None:
            return self.names.take(_variable(hint))
        return self.names.take(*_LOCALS, "h")

    def _state(
        self, targets: tuple[str, ...], text: str, comment: str, path: Path = ()
    ) -> None:
        if targets == (text,):  # another axis name for the same tensor
            return
        turn = next(((path[:i], p) for i, p in enumerate(path) if p.isdigit()), None)
        self.statements.append(Statement(targets, text, comment, turn))

    # -- results ---------------------------------------------------------------------

    def _result(self) -> str:
        values = []
        for ref, need in self.plan.returned:
            self.left[ref] -= 1
            have = self.plan.layouts[ref]
            same = have == need
            text = self._value(ref, inside=same)
            values.append(text if same else _permute(text, have, need))
        names = self.graph.result_names
        if not self.graph.is_model:
            return ", ".join(values)
        groups: dict[str, list[str]] = {}
        for name, value in zip(names, values, strict=True):
            groups.setdefault(name.partition(".")[0], []).append(value)
        alone = len(groups) == 1
        docs: list[Doc] = []
        for key, group in groups.items():
            word = "" if alone else f'"{key}": '
            several = Group(f"{word}[", tuple(group), "]")
            docs.append(several if f"{key}.0" in names else word + group[0])
        doc = docs[0] if alone else Group("{", tuple(docs), "}")
        return render(doc, _INDENT, _INDENT + len("return "))

    def result_type(self) -> str:
        """The annotation of what is returned."""
        names = self.graph.result_names
        if not self.graph.is_model:
            return several(len(self.plan.returned))
        heads = {n.partition(".")[0]: "." in n for n in names}
        kinds = {"list[Tensor]" if listed else "Tensor" for listed in heads.values()}
        one = " | ".join(sorted(kinds))
        return one if len(heads) == 1 else f"dict[str, {one}]"


def _length(text: str) -> int:
    """How long an expression is, the same in every turn of a loop."""
    return len(re.sub(r"\[\d+\]", "[0]", text))


def _turn(node: Node) -> tuple[str, ...]:
    """The turns of the loops that a node stands in."""
    return tuple(name for name in node.path if name.isdigit())


def several(count: int) -> str:
    """The annotation of one tensor, or of a tuple of them."""
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _variable(name: str) -> str:
    return f"{name}_" if name in TAKEN else name


def _is_argument(template: str, start: int, end: int) -> bool:
    """Whether a slot is a whole argument, so that it needs no parentheses."""
    before = template[:start].rstrip()
    after = template[end:].lstrip()
    return (before[-1:] in ("(", ",", "[", "=") and after[:1] in (")", ",", "]")) or (
        not before and not after
    )


def _permute(text: str, have: Layout, need: Layout) -> str:
    order = [have.index(axis) for axis in need]
    moved = [i for i, j in enumerate(order) if i != j]
    if len(moved) == 2:
        return f"{text}.transpose({moved[0]}, {moved[1]})"
    return f"{text}.permute({', '.join(map(str, order))})"


def _shape(shapes: list[tuple[Tensor, Layout]], made: Class) -> str:
    """``[B, H=56, W=56, C=96]``, numbers only where they are the same at every use."""
    fixed = len(made.plans) == 1
    words = []
    for tensor, layout in shapes:
        sizes = [
            f"{axis}={tensor[axis]}"
            if fixed and axis not in (BATCH, str(tensor[axis]))
            else axis
            for axis in layout
        ]
        words.append(f"[{', '.join(sizes)}]")
    return ", ".join(words)


def _spaced(template: str, slots: Mapping[str, str]) -> str:
    """Spaces around the colons of a slice with a bound that is more than a number."""

    def put(match: re.Match[str]) -> str:
        first, *rest = match[0].split(":")
        if not any("." in slots[part[1:-1]] for part in (first, *rest) if part):
            return match[0]
        text, before = first, first
        for part in rest:
            text += (" " if before else "") + ":" + (f" {part}" if part else "")
            before = part
        return text

    slot = r"(?:\{\w+\})?"
    return re.sub(rf"(?<=[\[ ]){slot}:{slot}(?::{slot})?(?=\])", put, template)

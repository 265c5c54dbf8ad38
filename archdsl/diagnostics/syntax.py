"""What can be wrong with the text of a spec, before it means anything."""

from __future__ import annotations

from typing import ClassVar

from archdsl.diagnostics import Fault


class Unexpected(Fault):
    """A word where another was needed."""

    found: str
    wanted: str
    hint: str = ""

    code: ClassVar[str] = "E101"
    title: ClassVar[str] = "{found} cannot stand here"
    label: ClassVar[str] = "expected {wanted}"
    help: ClassVar[str] = "{hint}"


class UnexpectedCharacter(Fault):
    """A character or sign the language does not have."""

    shown: str
    hint: str = ""

    code: ClassVar[str] = "E102"
    title: ClassVar[str] = "{shown} is not part of the language"
    help: ClassVar[str] = "{hint}"


class UnterminatedString(Fault):
    """A string without its closing quote."""

    code: ClassVar[str] = "E103"
    title: ClassVar[str] = "this string is never closed"
    label: ClassVar[str] = 'it has no closing `"` on its line'
    help: ClassVar[str] = (
        'a string stands on one line: "…"; a line break in it is written \\n'
    )


class BadEscape(Fault):
    """A backslash before a character that means nothing after one."""

    escape: str

    code: ClassVar[str] = "E104"
    title: ClassVar[str] = "`{escape}` means nothing in a string"
    help: ClassVar[str] = (
        'a backslash stands only in \\" (a quote), \\n (a line break) and \\\\ (itself)'
    )


class BadNumber(Fault):
    """Digits that are no number."""

    text: str
    why: str
    hint: str = ""

    code: ClassVar[str] = "E105"
    title: ClassVar[str] = "`{text}` is not a number"
    label: ClassVar[str] = "{why}"
    help: ClassVar[str] = "{hint}"


class NotClosed(Fault):
    """A bracket without its partner."""

    opener: str
    closer: str

    code: ClassVar[str] = "E106"
    title: ClassVar[str] = "`{opener}` is never closed"
    label: ClassVar[str] = "`{closer}` is missing, probably here"


class ClosesNothing(Fault):
    """A closing bracket too many."""

    closer: str
    opener: str

    code: ClassVar[str] = "E107"
    title: ClassVar[str] = "`{closer}` closes nothing"
    label: ClassVar[str] = "no `{opener}` is open here"
    help: ClassVar[str] = "remove it, or add the `{opener}` that it should close"


class WrongCloser(Fault):
    """A bracket closed by one of another kind."""

    closer: str
    opener: str
    right: str

    code: ClassVar[str] = "E108"
    title: ClassVar[str] = "`{closer}` cannot close `{opener}`"
    label: ClassVar[str] = "expected `{right}`"


class MissingComma(Fault):
    """Two things side by side in a list."""

    before: str
    after: str

    code: ClassVar[str] = "E109"
    title: ClassVar[str] = "a comma is missing before `{after}`"
    label: ClassVar[str] = "expected `,` between `{before}` and `{after}`"


class MissingArrow(Fault):
    """Two steps side by side on a line."""

    before: str
    after: str

    code: ClassVar[str] = "E110"
    title: ClassVar[str] = "nothing joins `{before}` and `{after}`"
    label: ClassVar[str] = "expected `->` or a line break before this"
    help: ClassVar[str] = (
        "write `{before} -> {after}`, or begin a new line: a line is a step"
    )


class SingleEqual(Fault):
    """``=`` where two values are compared."""

    code: ClassVar[str] = "E111"
    title: ClassVar[str] = "`=` does not compare"
    label: ClassVar[str] = "expected `==`"
    help: ClassVar[str] = "write `==` to ask whether two values are equal"


class KeywordAsName(Fault):
    """A reserved word where a name was needed."""

    word: str

    code: ClassVar[str] = "E112"
    title: ClassVar[str] = "`{word}` cannot be a name"
    label: ClassVar[str] = "this word belongs to the language"
    help: ClassVar[str] = "choose another name, such as `{word}_` or `my_{word}`"


class WrongKeyword(Fault):
    """A misspelt keyword, or one of another language."""

    word: str
    hint: str

    code: ClassVar[str] = "E113"
    title: ClassVar[str] = "`{word}` is not a word of this language"
    help: ClassVar[str] = "{hint}"


class Outside(Fault):
    """A statement that stands in no block and no model."""

    found: str

    code: ClassVar[str] = "E114"
    title: ClassVar[str] = "{found} stands outside of every block and model"
    label: ClassVar[str] = "expected `use`, `block` or `model`"
    help: ClassVar[str] = (
        "layers stand inside a body: `model name {{ … }}` or `block name[x] {{ … }}`"
    )


class Inside(Fault):
    """A block, model or import inside a body."""

    word: str

    code: ClassVar[str] = "E115"
    title: ClassVar[str] = "`{word}` cannot stand inside a block or a model"
    label: ClassVar[str] = "expected a step or a statement"
    help: ClassVar[str] = (
        "move it to the top of the file; a body calls blocks by their names"
    )


class WrongCase(Fault):
    """A name spelt as axes are, or the other way round."""

    name: str
    is_a: str
    wanted: str
    mended: str

    code: ClassVar[str] = "E116"
    title: ClassVar[str] = "`{name}` is spelt like {is_a}"
    label: ClassVar[str] = "expected {wanted}"
    help: ClassVar[str] = (
        "write `{mended}`: axes begin with an uppercase letter, every other name"
        " with a lowercase letter or `_`"
    )


class NotYet(Fault):
    """A word kept for a later version."""

    word: str

    code: ClassVar[str] = "E117"
    title: ClassVar[str] = "`{word}` is not available yet"
    label: ClassVar[str] = "this word is reserved for a later version"


class TooLarge(Fault):
    """More text than a spec may have."""

    size: int
    limit: int

    code: ClassVar[str] = "E118"
    title: ClassVar[str] = "the file has {size:,} bytes"
    label: ClassVar[str] = "at most {limit:,} are read"
    help: ClassVar[str] = "split it into several files joined by `use`"


class TooDeep(Fault):
    """Brackets in brackets, or operations in operations, without end."""

    what: str
    limit: int

    code: ClassVar[str] = "E119"
    title: ClassVar[str] = "{what} are nested more than {limit} deep"
    help: ClassVar[str] = "name the inner parts with `let`, or make them a block"


class ControlCharacter(Fault):
    """A character that no editor shows."""

    name: str

    code: ClassVar[str] = "E120"
    title: ClassVar[str] = "the text holds an invisible character, {name}"
    help: ClassVar[str] = "remove it, and save the file as plain UTF-8 text"


class Assignment(Fault):
    """``x = …`` without ``let``."""

    names: str

    code: ClassVar[str] = "E121"
    title: ClassVar[str] = "`{names} =` needs a `let` before it"
    label: ClassVar[str] = "a line cannot begin with `{names} =`"
    help: ClassVar[str] = (
        "`let {names} = …` names a value; `as name` names what flows on a line"
    )


class Unfinished(Fault):
    """A line, body or file that ends in the middle of something."""

    what: str
    before: str
    wanted: str
    hint: str = ""

    code: ClassVar[str] = "E122"
    title: ClassVar[str] = "{what} ends after `{before}`"
    label: ClassVar[str] = "expected {wanted}"
    help: ClassVar[str] = "{hint}"


class BraceBelow(Fault):
    """An opening brace on a line of its own."""

    code: ClassVar[str] = "E123"
    title: ClassVar[str] = "`{{` stands below the line it belongs to"
    label: ClassVar[str] = "expected `{{` at the end of this line"
    help: ClassVar[str] = "a line break ends a statement, so a body opens on its line"


class TooMany(Fault):
    """More errors than anyone reads at once."""

    limit: int

    code: ClassVar[str] = "E124"
    title: ClassVar[str] = "more than {limit} errors; the rest of the file is not read"
    help: ClassVar[str] = "mend the first ones: later ones often follow from them"

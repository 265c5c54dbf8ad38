"""E1xx: what can be wrong with the text of a spec, before it means anything."""

from __future__ import annotations

from archdsl.diagnostics import Fault


class Unexpected(Fault):
    """A word where another was needed."""

    code = "E101"
    title = "{found} cannot stand here"
    label = "expected {wanted}"
    help = "{hint}"

    found: str
    wanted: str
    hint: str = ""


class UnexpectedCharacter(Fault):
    """A character or sign the language does not have."""

    code = "E102"
    title = "{shown} is not part of the language"
    help = "{hint}"

    shown: str
    hint: str = ""


class UnterminatedString(Fault):
    """A string without its closing quote."""

    code = "E103"
    title = "this string is never closed"
    label = 'it has no closing `"` on its line'
    help = 'a string stands on one line: "…"; a line break in it is written \\n'


class BadEscape(Fault):
    """A backslash before a character that means nothing after one."""

    code = "E104"
    title = "`{escape}` means nothing in a string"
    help = (
        'a backslash stands only in \\" (a quote), \\n (a line break) and \\\\ (itself)'
    )

    escape: str


class BadNumber(Fault):
    """Digits that are no number."""

    code = "E105"
    title = "`{text}` is not a number"
    label = "{why}"
    help = "{hint}"

    text: str
    why: str
    hint: str = ""


class NotClosed(Fault):
    """A bracket without its partner."""

    code = "E106"
    title = "`{opener}` is never closed"
    label = "`{closer}` is missing, probably here"

    opener: str
    closer: str


class ClosesNothing(Fault):
    """A closing bracket too many."""

    code = "E107"
    title = "`{closer}` closes nothing"
    label = "no `{opener}` is open here"
    help = "remove it, or add the `{opener}` that it should close"

    closer: str
    opener: str


class WrongCloser(Fault):
    """A bracket closed by one of another kind."""

    code = "E108"
    title = "`{closer}` cannot close `{opener}`"
    label = "expected `{right}`"

    closer: str
    opener: str
    right: str


class MissingComma(Fault):
    """Two things side by side in a list."""

    code = "E109"
    title = "a comma is missing before `{after}`"
    label = "expected `,` between `{before}` and `{after}`"

    before: str
    after: str


class MissingArrow(Fault):
    """Two steps side by side on a line."""

    code = "E110"
    title = "nothing joins `{before}` and `{after}`"
    label = "expected `->` or a line break before this"
    help = "write `{before} -> {after}`, or begin a new line: a line is a step"

    before: str
    after: str


class SingleEqual(Fault):
    """``=`` where two values are compared."""

    code = "E111"
    title = "`=` does not compare"
    label = "expected `==`"
    help = "write `==` to ask whether two values are equal"


class KeywordAsName(Fault):
    """A reserved word where a name was needed."""

    code = "E112"
    title = "`{word}` cannot be a name"
    label = "this word belongs to the language"
    help = "choose another name, such as `{word}_` or `my_{word}`"

    word: str


class WrongKeyword(Fault):
    """A misspelt keyword, or one of another language."""

    code = "E113"
    title = "`{word}` is not a word of this language"
    help = "{hint}"

    word: str
    hint: str


class Outside(Fault):
    """A statement that stands in no block and no model."""

    code = "E114"
    title = "{found} stands outside of every block and model"
    label = "expected `use`, `block`, `model` or `checkpoint`"
    help = "layers stand inside a body: `model name {{ … }}` or `block name[x] {{ … }}`"

    found: str


class Inside(Fault):
    """A block, model or import inside a body."""

    code = "E115"
    title = "`{word}` cannot stand inside a block or a model"
    label = "expected a step or a statement"
    help = "move it to the top of the file; a body calls blocks by their names"

    word: str


class WrongCase(Fault):
    """A name spelt as axes are, or the other way round."""

    code = "E116"
    title = "`{name}` is spelt like {is_a}"
    label = "expected {wanted}"
    help = (
        "write `{mended}`: axes begin with an uppercase letter, every other name"
        " with a lowercase letter or `_`"
    )

    name: str
    is_a: str
    wanted: str
    mended: str


class TooLarge(Fault):
    """More text than a spec may have."""

    code = "E118"
    title = "the file has {size:,} bytes"
    label = "at most {limit:,} are read"
    help = "split it into several files joined by `use`"

    size: int
    limit: int


class TooNested(Fault):
    """Brackets in brackets, or operations in operations, without end."""

    code = "E119"
    title = "{what} are nested more than {limit} deep"
    help = "name the inner parts with `let`, or make them a block"

    what: str
    limit: int


class ControlCharacter(Fault):
    """A character that no editor shows."""

    code = "E120"
    title = "the text holds an invisible character, {name}"
    help = "remove it, and save the file as plain UTF-8 text"

    name: str


class Assignment(Fault):
    """``x = …`` without ``let``."""

    code = "E121"
    title = "`{names} =` needs a `let` before it"
    label = "a line cannot begin with `{names} =`"
    help = "`let {names} = …` names a value; `as name` names what flows on a line"

    names: str


class Unfinished(Fault):
    """A line, body or file that ends in the middle of something."""

    code = "E122"
    title = "{what} ends after `{before}`"
    label = "expected {wanted}"
    help = "{hint}"

    what: str
    before: str
    wanted: str
    hint: str = ""


class BraceBelow(Fault):
    """An opening brace on a line of its own."""

    code = "E123"
    title = "`{{` stands below the line it belongs to"
    label = "expected `{{` at the end of this line"
    help = "a line break ends a statement, so a body opens on its line"


class TooMany(Fault):
    """More errors than anyone reads at once."""

    code = "E124"
    title = "more than {limit} errors; the rest of the file is not read"
    help = "mend the first ones: later ones often follow from them"

    limit: int

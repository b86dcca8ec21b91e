"""SQL text in tokens, and a cursor that reads one statement from left to right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from onehead.operations.model import Named, Unknown
from onehead.revisions.parsers import TooLarge, admit

_PATTERN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<string>[eEnN]?'(?:[^'\\]|''|\\.)*')
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")+"|`[^`]+`|\[[A-Za-z_][^\]]*\])
    | (?P<name>[^\W\d][\w$]*)
    | (?P<number>\d[\w.]*)
    | (?P<open>/\*|\$\w*\$|\[[A-Za-z_]|['"`])
    | (?P<sign>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)

_RESERVED = frozenset(
    (
        *("add", "all", "alter", "always", "and", "any", "as", "asc", "between", "by", "cascade", "case"),
        *("cast", "check", "collate", "column", "constraint", "create", "cross", "current_date"),
        *("current_timestamp", "default", "delete", "desc", "distinct", "drop", "else", "end", "except"),
        *("exists", "false", "foreign", "from", "full", "group", "having", "if", "in", "index", "inner"),
        *("insert", "intersect", "into", "is", "join", "key", "left", "like", "limit", "not", "null", "of"),
        *("offset", "on", "or", "order", "outer", "primary", "references", "replace", "right", "select"),
        *("set", "table", "then", "to", "true", "union", "unique", "update", "using", "values", "view"),
        *("when", "where", "with", "begin", "after", "before"),
        *("returning", "recursive", "conflict", "for", "each", "row", "execute", "function", "procedure", "returns"),
    )
)


_NAMING = ("nextval", "setval", "currval", "pg_get_serial_sequence", "to_regclass", "to_regtype")


class Token(NamedTuple):
    """One piece.

    Attributes:
        kind: `name` (not quoted), `quoted`, `string`, `number` or `sign`.
        text: a name not quoted in lower case, as PostgreSQL takes it; a quoted one and a string without the quotes.
        start: where it begins in the text.
        end: where it ends.
    """

    kind: Literal["name", "quoted", "string", "number", "sign"]
    text: str
    start: int
    end: int

    @property
    def depth(self) -> int:
        """1 for an opening bracket, -1 for a closing one, 0 for anything else."""
        return {"(": 1, ")": -1}.get(self.text, 0) if self.kind == "sign" else 0

    def says(self, *words: str) -> bool:
        """Whether it is one of these words, not quoted."""
        return self.kind == "name" and self.text in words


_TEXTS: dict[str, Callable[[str], str]] = {
    "string": lambda raw: raw[raw.index("'") + 1 : -1].replace("''", "'") or " ",
    "dollar": lambda raw: raw.strip("$") or " ",
    "quoted": lambda raw: raw[1:-1].replace('""', '"'),
    "name": str.lower,
}


def tokens(text: str) -> list[Token] | None:
    """Cut a text in pieces; `None` where it is too large, or a quote, a comment or a bracket stays open.

    Raises:
        Spent: the examination has parsed as much as it may.
    """
    try:
        admit(text)
    except TooLarge:
        return None
    found = []
    for match in _PATTERN.finditer(text):
        group = str(match.lastgroup)
        if group == "open":  # and nothing closes it: looking for that again and again would take quadratic time
            return None
        if group != "space":
            written = _TEXTS.get(group, str)(match.group())
            found.append(Token("string" if group == "dollar" else group, written, *match.span()))  # type: ignore[arg-type]
    return found


def statements(pieces: Sequence[Token]) -> list[list[Token]]:
    """The pieces between semicolons; the bodies of triggers (`BEGIN … END`) are not cut."""
    found: list[list[Token]] = [[]]
    depth = 0
    for piece in pieces:
        inside = bool(found[-1]) and found[-1][0].text == "create" and any(p.text == "trigger" for p in found[-1][:4])
        if inside:
            depth += piece.says("begin", "case") - piece.says("end")
        if _is_sign(piece, ";") and depth <= 0:
            found.append([])
            depth = 0
        else:
            found[-1].append(piece)
    return [each for each in found if each]


def words(pieces: Sequence[Token]) -> frozenset[str]:
    """The names in it that may be a table's, a column's, a type's or a function's, without reserved ones.

    `f()` stands for a function that is called, `a.b` for a name with what stands before it, beside both by themselves.
    A string that means a name, as in `nextval('numbers')`, counts too.
    """
    found = set()
    for at, piece in enumerate(pieces):
        before = pieces[at - 1] if at else None
        after = pieces[at + 1] if at + 1 < len(pieces) else None
        name = piece.text
        if piece.kind == "string":
            if _is_sign(after, "::") or (_is_sign(before, "(") and at > 1 and pieces[at - 2].text in _NAMING):
                found |= _named_in(name)
            continue
        if piece.kind not in ("name", "quoted") or (piece.kind == "name" and name in _RESERVED):
            continue
        called = "()" if _is_sign(after, "(") else ""
        found.add(f"{name}{called}")
        if _is_sign(before, ".") and at > 1 and pieces[at - 2].kind in ("name", "quoted"):
            found.add(f"{pieces[at - 2].text}.{name}{called}")
    return frozenset(found)


def _is_sign(piece: Token | None, text: str) -> bool:
    return piece is not None and piece.kind == "sign" and piece.text == text


def _named_in(text: str) -> set[str]:
    """The names in a string: `'shop.numbers'`."""
    parts = [part.strip('"') for part in text.split(".")]
    if len(parts) > 2 or not all(part.replace("_", "a").isalnum() for part in parts):
        return set()
    return {*parts, ".".join(parts)}


def literals(pieces: Iterable[Token]) -> frozenset[str]:
    """The strings in it."""
    return frozenset(piece.text for piece in pieces if piece.kind == "string")


def words_in(text: str) -> frozenset[str]:
    """The names in a piece of SQL; empty where it can't be cut in pieces."""
    return words(tokens(text) or ())


def literals_in(text: str) -> frozenset[str]:
    """The strings in a piece of SQL; empty where it can't be cut in pieces."""
    return literals(tokens(text) or ())


def parts(pieces: Sequence[Token]) -> Iterator[list[Token]]:
    """The pieces between the commas that are in no bracket."""
    part: list[Token] = []
    depth = 0
    for piece in pieces:
        depth += piece.depth
        if _is_sign(piece, ",") and depth == 0:
            if part:
                yield part
            part = []
        else:
            part.append(piece)
    if part:
        yield part


def is_star(pieces: Sequence[Token], at: int) -> bool:
    """`SELECT *` or `t.*`, not a product or `count(*)`."""
    before = pieces[at - 1].text if at else ""
    return before in ("select", "distinct", ",", ".")


def reads(pieces: Sequence[Token], writes: tuple[str, ...] | None) -> frozenset[str]:
    """The names that an `UPDATE` reads: all but those that are only left of an assignment."""
    if writes is None:
        return words(pieces)
    left = {id(part[0]) for part in parts(pieces) if len(part) > 1 and part[1].text == "="}
    return words([piece for piece in pieces if id(piece) not in left])


NOT_RECOGNISED = "SQL that is not recognised"
ALONG = "a `CASCADE`, which takes along what nobody names"


KINDS = {
    "table": "relation",
    "materialized view": "relation",
    "view": "relation",
    "index": "relation",
    "sequence": "relation",
    "function": "function",
    "procedure": "function",
    "type": "type",
    "domain": "type",
    "schema": "schema",
    "extension": "extension",
}
"""The word before a name → what is named."""


class NotPlain(Exception):
    """The statement is none of those that are recognised."""


def joined(pieces: Iterable[Token]) -> str:
    """Pieces as one text."""
    return " ".join(piece.text for piece in pieces)


def shown(text: str) -> str:
    """A piece of source for a sentence: one line, at most 80 characters."""
    line = " ".join(text[:1000].split())
    return line if len(line) <= 80 else f"{line[:79]}…"


class Cursor:
    """A place in a statement, and what may be taken from there."""

    def __init__(self, pieces: list[Token], text: str) -> None:
        self._pieces = pieces
        self._at = 0
        self.text = text
        """Source of the whole statement."""

    def __bool__(self) -> bool:
        return self._at < len(self._pieces)

    @property
    def line(self) -> str:
        """The statement in one line."""
        return " ".join(self.text[:2000].split())

    def peek(self, ahead: int = 0) -> Token:
        """A piece that comes next; an empty one behind the last."""
        index = self._at + ahead
        return self._pieces[index] if index < len(self._pieces) else Token("sign", "", 0, 0)

    def next(self) -> Token:
        """Step over one piece.

        Raises:
            NotPlain: there is none.
        """
        if not self:
            raise NotPlain
        self._at += 1
        return self._pieces[self._at - 1]

    def take(self, *expected: str) -> bool:
        """Step over these words when they come next."""
        for ahead, word in enumerate(expected):
            piece = self.peek(ahead)
            if piece.kind not in ("name", "sign") or piece.text != word:
                return False
        self._at += len(expected)
        return True

    def one_of(self, *words: str) -> str:
        """Step over the one of these words that comes next; empty where none does."""
        return next((word for word in words if self.take(*word.split())), "")

    def need(self, *expected: str) -> None:
        """Step over these words.

        Raises:
            NotPlain: something else comes next.
        """
        if not self.take(*expected):
            raise NotPlain

    def name(self) -> str:
        """A name without a schema; raises `NotPlain` where none comes next."""
        piece = self.next()
        if piece.kind not in ("name", "quoted"):
            raise NotPlain
        return piece.text

    def named(self) -> Named:
        """A name that may have a schema before it."""
        first = self.name()
        return Named(self.name(), first) if self.take(".") else Named(first)

    def listed(self) -> list[Named]:
        """Names with commas between them."""
        found = [self.named()]
        while self.take(","):
            found.append(self.named())
        return found

    def string(self) -> str:
        """A string; raises `NotPlain` where none comes next."""
        piece = self.next()
        if piece.kind != "string":
            raise NotPlain
        return piece.text

    def rest(self) -> list[Token]:
        """What has not been taken yet."""
        return self._pieces[self._at :]

    def until(self, *ends: str, least: int = 0) -> list[Token]:
        """Step over what comes before one of these words outside of brackets, and over that many pieces `least`.

        Raises:
            NotPlain: a bracket stays open, or there are fewer pieces.
        """
        start, depth = self._at, 0
        while self and (self._at - start < least or depth or not self.peek().says(*ends)):
            depth += self.next().depth
        if depth > 0 or self._at - start < least:
            raise NotPlain
        return self._pieces[start : self._at]

    def inside(self) -> list[Token]:
        """The pieces of the bracket that opens here; raises `NotPlain` where none does."""
        self.need("(")
        start, depth = self._at, 1
        while depth:
            depth += self.next().depth
        return self._pieces[start : self._at - 1]

    def needed(self) -> tuple[str, Named]:
        """Something that may have its kind before it, as `GRANT … ON` and `COMMENT ON` name it."""
        written = self.one_of(*KINDS)
        named = self.named()
        if written in ("function", "procedure") and self.peek().text == "(":
            self.inside()
        return KINDS.get(written, "relation"), named

    def names(self) -> tuple[str, ...]:
        """The first names of the parts of the bracket that opens here."""
        return tuple(part[0].text for part in parts(self.inside()))

    def end(self) -> None:
        """Nothing may follow; raises `NotPlain` where something does."""
        self.take("restrict")
        if self:
            raise NotPlain

    def end_of_drop(self) -> tuple[Unknown, ...]:
        """The end of something that takes away: `CASCADE` may take anything along."""
        if self.take("cascade"):
            self.end()
            return (Unknown(ALONG, shown(self.text), words(self._pieces)),)
        self.end()
        return ()

"""SQL text in tokens, a cursor that reads one statement from left to right, and the parts of tables in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from onehead.operations.model import Column, Constraint, ConstraintKind, Index, Named, Type, Unknown
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
"""Functions whose first argument is the name of something, as a string."""


RELATIONS = ("table", "materialized view", "view", "index", "sequence")
NEEDED = dict.fromkeys(RELATIONS, "relation") | {
    "function": "function",
    "procedure": "function",
    "type": "type",
    "domain": "type",
    "schema": "schema",
    "extension": "extension",
}
"""The word before a name → what has to be there."""
_AFTER_TYPE = (
    *("constraint", "not", "null", "default", "primary", "unique", "references", "check", "generated", "collate"),
    *("comment", "on", "auto_increment", "autoincrement", "deferrable", "initially", "using", "first", "after", "as"),
)
_COUNTED = ("serial", "bigserial", "smallserial", "serial4", "serial8")
_KINDS: tuple[ConstraintKind, ...] = get_args(ConstraintKind)


class Token(NamedTuple):
    """One piece; its text is in lower case for a `name`, which PostgreSQL folds, and without quotes otherwise."""

    kind: Literal["name", "quoted", "string", "number", "sign"]
    text: str
    start: int = 0
    end: int = 0

    @property
    def depth(self) -> int:
        """1 for an opening bracket, -1 for a closing one, 0 for anything else."""
        return {"(": 1, ")": -1}.get(self.text, 0) if self.kind == "sign" else 0

    @property
    def is_name(self) -> bool:
        """Whether it is a name, quoted or not."""
        return self.kind in ("name", "quoted")

    def says(self, *words: str) -> bool:
        """Whether it is one of these words, not quoted."""
        return self.kind == "name" and self.text in words

    def is_sign(self, text: str) -> bool:
        """Whether it is this sign."""
        return self.kind == "sign" and self.text == text


_NOTHING = Token("sign", "")
_TEXTS: dict[str, Callable[[str], str]] = {
    "string": lambda raw: raw[raw.index("'") + 1 : -1].replace("''", "'") or " ",
    "dollar": lambda raw: raw.strip("$") or " ",
    "quoted": lambda raw: raw[1:-1].replace('""', '"'),
    "name": str.lower,
}


def tokens(text: str) -> list[Token] | None:
    """Cut a text in pieces; `None` where it is too large, or a quote, a comment or a bracket stays open.

    Raises `Spent` where the examination has parsed as much as it may.
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
        if piece.is_sign(";") and depth <= 0:
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
    padded = [_NOTHING, _NOTHING, *pieces, _NOTHING]
    for first, before, piece, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        name = piece.text
        if piece.kind == "string" and (after.is_sign("::") or (before.is_sign("(") and first.text in _NAMING)):
            found |= _named_in(name)
        if piece.kind == "quoted" or (piece.kind == "name" and name not in _RESERVED):
            called = "()" if after.is_sign("(") else ""
            found.add(f"{name}{called}")
            if before.is_sign(".") and first.is_name:
                found.add(f"{first.text}.{name}{called}")
    return frozenset(found)


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
        if piece.is_sign(",") and depth == 0:
            if part:
                yield part
            part = []
        else:
            part.append(piece)
    if part:
        yield part


def has_star(pieces: Sequence[Token]) -> bool:
    """Whether it takes all columns: `SELECT *` or `t.*`, which is no product and no `count(*)`."""
    return any(
        piece.text == "*" and before.text in ("select", "distinct", ",", ".") for before, piece in pairwise(pieces)
    )


def joined(pieces: Iterable[Token]) -> str:
    """Pieces as one text."""
    return " ".join(piece.text for piece in pieces)


def shown(text: str) -> str:
    """A piece of source for a sentence: one line, at most 80 characters."""
    line = " ".join(text[:1000].split())
    return line if len(line) <= 80 else f"{line[:79]}…"


class NotPlain(Exception):
    """The statement is none of those that are recognised."""


class Cursor:
    """A place in a statement (`text`), and what may be taken there; what needs something else raises `NotPlain`."""

    def __init__(self, pieces: list[Token], text: str) -> None:
        self._pieces = pieces
        self._at = 0
        self.text = text

    def __bool__(self) -> bool:
        return self._at < len(self._pieces)

    @property
    def line(self) -> str:
        """The statement in one line."""
        return " ".join(self.text[:2000].split())

    def peek(self, ahead: int = 0) -> Token:
        """A piece that comes next; an empty one behind the last."""
        index = self._at + ahead
        return self._pieces[index] if index < len(self._pieces) else _NOTHING

    def next(self) -> Token:
        """Step over one piece."""
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
        """Step over these words."""
        if not self.take(*expected):
            raise NotPlain

    def name(self) -> str:
        """A name without a schema."""
        piece = self.next()
        if not piece.is_name:
            raise NotPlain
        return piece.text

    def named(self, kind: str = "") -> Named:
        """A name that may have a schema before it, and behind it the arguments of a function."""
        first = self.name()
        named = Named(self.name(), first) if self.take(".") else Named(first)
        if kind in ("function", "procedure") and self.peek().text == "(":
            self.inside()
        return named

    def listed(self, kind: str = "") -> list[Named]:
        """Names with commas between them."""
        found = [self.named(kind)]
        while self.take(","):
            found.append(self.named(kind))
        return found

    def string(self) -> str:
        """A string."""
        piece = self.next()
        if piece.kind != "string":
            raise NotPlain
        return piece.text

    def rest(self) -> list[Token]:
        """What has not been taken yet."""
        return self._pieces[self._at :]

    def until(self, *ends: str, least: int = 0) -> list[Token]:
        """Step over what comes before one of these words outside of brackets, and over that many pieces `least`."""
        start, depth = self._at, 0
        while self and (self._at - start < least or depth or not self.peek().says(*ends)):
            depth += self.next().depth
        if depth > 0 or self._at - start < least:
            raise NotPlain
        return self._pieces[start : self._at]

    def inside(self) -> list[Token]:
        """The pieces of the bracket that opens here."""
        self.need("(")
        start, depth = self._at, 1
        while depth:
            depth += self.next().depth
        return self._pieces[start : self._at - 1]

    def names(self) -> tuple[str, ...]:
        """The first names of the parts of the bracket that opens here."""
        return tuple(part[0].text for part in parts(self.inside()))

    def end(self) -> None:
        """Nothing may follow."""
        self.take("restrict")
        if self:
            raise NotPlain

    def end_of_drop(self) -> tuple[Unknown, ...]:
        """The end of something that takes away: `CASCADE` may take anything along."""
        cascades = self.take("cascade")
        self.end()
        why = "a `CASCADE`, which takes along what nobody names"
        return (Unknown(why, shown(self.text), words(self._pieces)),) if cascades else ()

    def needed(self) -> tuple[str, Named]:
        """Something that may have its kind before it, as `GRANT … ON` names it."""
        written = self.one_of(*NEEDED)
        return NEEDED.get(written, "relation"), self.named(written)


# -- columns and constraints ----------------------------------------------------------------------------------------


def column(at: Cursor) -> tuple[Column, list[Constraint]]:
    """A column with the constraints beside it."""
    name = at.name()
    written = at.until(*_AFTER_TYPE)
    kind = Type(written[0].text, joined(written)) if written else None
    default = "a number that is counted up" if written and written[0].text in _COUNTED else None
    found, constraints = Column(name, kind, server_default=default), list[Constraint]()
    while at:
        named = at.name() if at.take("constraint") else None
        match word := at.next().text:
            case "not":
                at.need("null")
                found = found._replace(nullable=False)
            case "primary":
                at.need("key")
                found = found._replace(nullable=False, primary_key=True)
                constraints += [Constraint("primary key", named, (name,))] if named else []
            case "default":
                found = found._replace(server_default=joined(at.until(*_AFTER_TYPE, least=1)))
            case "generated" | "as":
                found = found._replace(server_default=joined(at.rest()))
                break
            case "collate":
                at.named()
            case _:  # `NULL`, `AUTOINCREMENT`, `FIRST` are nothing that is compared
                constraints += _on_column(at, word, named, name)
    return found, constraints


def _on_column(at: Cursor, word: str, name: str | None, column: str) -> tuple[Constraint, ...]:
    match word:
        case "unique":
            return (Constraint("unique", name, (column,)),)
        case "check":
            return (Constraint("check", name, words=words(at.inside())),)
        case "references":
            return (_references(at, name, (column,)),)
    return ()


def _references(at: Cursor, name: str | None, columns: tuple[str, ...]) -> Constraint:
    target = at.named()
    named = at.names() if at.peek().text == "(" else ()
    while at.one_of("on", "match"):
        at.one_of("delete", "update")
        at.one_of("no action", "set null", "set default")
        at.one_of("cascade", "restrict", "full", "simple", "partial")
    return Constraint("foreign key", name, columns, target, named, complete=bool(named))


def constraint(at: Cursor) -> Constraint | None:
    """A constraint of a table; `None` for an index, as MySQL writes them between columns."""
    name = at.name() if at.take("constraint") else None
    kind = next((kind for kind in _KINDS if at.take(*kind.split())), None)
    if kind is None:
        return None
    if kind == "check":
        return Constraint(kind, name, words=words(at.inside()))
    if kind == "exclude":
        return Constraint(kind, name, words=words(at.rest()), complete=False)
    at.one_of("nulls not distinct", "nulls distinct", "key", "index")
    if at.peek().text != "(" and name is None:
        name = at.name()
    columns = at.names()
    if kind == "foreign key":
        at.need("references")
        return _references(at, name, columns)
    return Constraint(kind, name, columns)


def index(at: Cursor, *, unique: bool, concurrently: bool) -> Index:
    """What follows `CREATE INDEX`."""
    name = at.named().name
    at.need("on")
    at.take("only")
    table = at.named()
    if at.take("using"):
        at.name()
    inside = at.inside()
    listed = list(parts(inside))
    order = {"asc", "desc", "nulls", "first", "last"}
    plain = [part[0].text for part in listed if part[0].is_name and order.issuperset(piece.text for piece in part[1:])]
    rest = at.rest()
    named = words([*inside, *rest]) - set(plain)
    partial, computed = any(piece.text == "where" for piece in rest), len(plain) < len(listed)
    return Index(name, table, tuple(plain), unique, named, partial, computed, concurrently)

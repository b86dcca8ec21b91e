"""SQL text → operations. Only the plainest statements are recognised; any other is unknown, and said to be.

A statement is recognised from its first words on, and only where nothing in it can reach further than the operation
says: `CASCADE` is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from onehead.operations import tokens as cut
from onehead.operations.operation import (
    AddLabel,
    AlterColumn,
    ChangeRows,
    Column,
    Constraint,
    CreateEnum,
    CreateIndex,
    CreateOther,
    CreateTable,
    DropEnum,
    DropIndex,
    DropOther,
    DropTable,
    Index,
    Named,
    Operation,
    OtherKind,
    RenameEnum,
    RenameLabel,
    RenameTable,
    Type,
    Unknown,
)
from onehead.operations.tokens import Token

NOT_RECOGNISED = "SQL that is not recognised"

_OTHERS: dict[str, OtherKind] = {"view": "view", "function": "function", "procedure": "procedure", "trigger": "trigger"}
_OTHERS |= {"sequence": "sequence", "schema": "schema", "extension": "extension"}
_CONSTRAINTS = ("constraint", "primary", "unique", "check", "foreign", "exclude", "like", "index", "key")


class _NotPlain(Exception):
    pass


def operations_in(text: str) -> tuple[Operation, ...]:
    """What a text of one or more statements does, in order; never raises."""
    pieces = cut.tokens(text)
    if pieces is None:
        return (Unknown(NOT_RECOGNISED, shown(text)),)
    found: list[Operation] = []
    for statement in cut.statements(pieces):
        source = text[statement[0].start : statement[-1].end]
        try:
            found += _Statement(statement, source).read()
        except _NotPlain:
            found.append(Unknown(NOT_RECOGNISED, shown(source), cut.words(statement)))
    return tuple(found)


def shown(text: str) -> str:
    """A piece of source as it may stand in a sentence: one line, at most 80 characters."""
    line = " ".join(text[:1000].split())
    return line if len(line) <= 80 else f"{line[:79]}…"


class _Statement:
    """One statement, read from left to right."""

    def __init__(self, pieces: list[Token], text: str) -> None:
        self._pieces = pieces
        self._text = text
        self._at = 0

    def read(self) -> Iterator[Operation]:
        starts: dict[str, Callable[[], Iterator[Operation]]] = {
            "create": self._create,
            "drop": self._drop,
            "alter": self._alter,
            "update": self._update,
            "insert": self._insert,
            "delete": self._delete,
        }
        first = self._next()
        if first.kind != "name" or first.text not in starts:
            raise _NotPlain
        yield from starts[first.text]()

    # -- the pieces ---------------------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> Token:
        index = self._at + ahead
        return self._pieces[index] if index < len(self._pieces) else Token("sign", "", 0, 0)

    def _next(self) -> Token:
        piece = self._peek()
        if not piece.text:
            raise _NotPlain
        self._at += 1
        return piece

    def _take(self, *expected: str) -> bool:
        """Step over these words when they come next."""
        for ahead, word in enumerate(expected):
            piece = self._peek(ahead)
            if piece.kind not in ("name", "sign") or piece.text != word:
                return False
        self._at += len(expected)
        return True

    def _need(self, *expected: str) -> None:
        if not self._take(*expected):
            raise _NotPlain

    def _name(self) -> str:
        piece = self._next()
        if piece.kind not in ("name", "quoted"):
            raise _NotPlain
        return piece.text

    def named(self) -> Named:
        """A name that may have a schema before it."""
        first = self._name()
        return Named(self._name(), first) if self._take(".") else Named(first)

    def _string(self) -> str:
        piece = self._next()
        if piece.kind != "string":
            raise _NotPlain
        return piece.text

    def _rest(self) -> list[Token]:
        return self._pieces[self._at :]

    def _end(self) -> None:
        """Nothing may follow."""
        self._take("restrict")
        if self._rest():
            raise _NotPlain

    def _inside(self) -> list[Token]:
        """The pieces of the bracket that opens here."""
        self._need("(")
        start, depth = self._at, 1
        while depth:
            piece = self._next()
            if piece.kind == "sign":
                depth += {"(": 1, ")": -1}.get(piece.text, 0)
        return self._pieces[start : self._at - 1]

    # -- the statements -----------------------------------------------------------------------------------------

    def _create(self) -> Iterator[Operation]:
        replaces = self._take("or", "replace")
        unique = self._take("unique")
        materialized = self._take("materialized")
        kind = self._next().text
        concurrently = kind == "index" and self._take("concurrently")
        lenient = self._take("if", "not", "exists")
        if kind == "index":
            yield self._index(unique=unique, concurrently=concurrently, lenient=lenient)
        elif kind == "table":
            yield self._table(lenient=lenient)
        elif kind == "type":
            name = self.named()
            self._need("as", "enum")
            labels = tuple(piece.text for piece in self._inside() if piece.kind == "string")
            self._end()
            yield CreateEnum(name, labels)
        elif kind in _OTHERS:
            yield self._other("materialized view" if materialized else _OTHERS[kind], replaces, lenient=lenient)
        else:
            raise _NotPlain

    def _index(self, *, unique: bool, concurrently: bool, lenient: bool) -> Operation:
        name = self.named()
        self._need("on")
        self._take("only")
        table = self.named()
        if self._take("using"):
            self._name()
        inside = self._inside()
        parts = list(cut.parts(inside))
        plain = [part[0].text for part in parts if _is_column(part)]
        rest = self._rest()
        words = cut.words([*inside, *rest]) - set(plain)
        partial, computed = any(piece.text == "where" for piece in rest), len(plain) < len(parts)
        index = Index(name.name, table, tuple(plain), unique, words, partial, computed, concurrently)
        return CreateIndex(index, lenient)

    def _table(self, *, lenient: bool) -> Operation:
        table = self.named()
        inside = self._inside()
        columns, constraints, complete = [], [], True
        for part in cut.parts(inside):
            if part[0].kind == "name" and part[0].text in _CONSTRAINTS:
                complete = False
            else:
                columns.append(_column(part))
            for at, piece in enumerate(part):
                if piece.kind == "name" and piece.text == "references" and at + 1 < len(part):
                    target = _Statement(part[at + 1 : at + 4], "").named()
                    constraints.append(Constraint("foreign key", None, (), target, complete=False))
        if any(piece.text in ("as", "inherits", "partition") for piece in self._rest()):
            raise _NotPlain
        return CreateTable(table, tuple(columns), tuple(constraints), (), lenient, complete)

    def _other(self, kind: OtherKind, replaces: bool, *, lenient: bool) -> Operation:
        name = self.named()
        rest = self._rest()
        table = None
        if kind == "trigger":
            while not self._take("on"):
                self._next()
            table = self.named()
        words = cut.words(rest) - ({table.name} if table is not None else set())
        if kind in ("function", "procedure"):
            # What it does when it is called is the caller's. But what is written in SQL has to be there already.
            written = [piece.text for piece in rest if piece.kind == "string"]
            if any(a.text == "language" and b.text == "sql" for a, b in pairwise(rest)):
                words |= {word for text in written for word in cut.words_in(text)}
        stars = any(
            piece.text == "*" and kind in ("view", "materialized view") and cut.is_star(rest, at)
            for at, piece in enumerate(rest)
        )
        return CreateOther(kind, name, table, replaces, lenient, words, stars, " ".join(self._text[:2000].split()))

    def _drop(self) -> Iterator[Operation]:
        materialized = self._take("materialized")
        kind = self._next().text
        concurrently = kind == "index" and self._take("concurrently")
        lenient = self._take("if", "exists")
        names = [self.named()]
        while self._take(","):
            names.append(self.named())
        if kind == "index":
            self._end()
            yield from (DropIndex(name, None, lenient, concurrently) for name in names)
        elif kind == "table":
            self._end()
            yield from (DropTable(name, lenient) for name in names)
        elif kind == "type":
            self._end()
            yield from (DropEnum(name, lenient) for name in names)
        elif kind in _OTHERS:
            if kind in ("function", "procedure") and self._peek().text == "(":
                self._inside()
            table = self.named() if kind == "trigger" and self._take("on") else None
            self._end()
            other = "materialized view" if materialized else _OTHERS[kind]
            yield from (DropOther(other, name, lenient, table) for name in names)
        else:
            raise _NotPlain

    def _alter(self) -> Iterator[Operation]:
        if self._take("type"):
            yield self._alter_type()
        elif self._take("table"):
            yield self._alter_table()
        else:
            raise _NotPlain

    def _alter_type(self) -> Operation:
        enum = self.named()
        if self._take("add", "value"):
            lenient = self._take("if", "not", "exists")
            label = self._string()
            if self._take("before") or self._take("after"):
                self._string()
            self._end()
            return AddLabel(enum, label, lenient)
        self._need("rename")
        if self._take("value"):
            label = self._string()
            self._need("to")
            renamed: Operation = RenameLabel(enum, label, self._string())
        else:
            self._need("to")
            renamed = RenameEnum(enum, Named(self._name(), enum.schema))
        self._end()
        return renamed

    def _alter_table(self) -> Operation:
        self._take("only")
        table = self.named()
        if self._take("rename"):
            if self._take("to"):
                renamed: Operation = RenameTable(table, Named(self._name(), table.schema))
            else:
                self._take("column")
                old = self._name()
                self._need("to")
                renamed = AlterColumn(table, old, self._name())
            self._end()
            return renamed
        self._need("alter")
        self._take("column")
        column = self._name()
        if self._take("set", "not", "null"):
            self._end()
            return AlterColumn(table, column, nullable=False, changes=(("nullable", "False"),))
        if self._take("drop", "not", "null"):
            self._end()
            return AlterColumn(table, column, nullable=True, changes=(("nullable", "True"),))
        if self._take("drop", "default"):
            self._end()
            return AlterColumn(table, column, changes=(("server_default", "None"),))
        if not self._take("set", "data", "type"):
            self._need("type")
        rest = self._rest()
        if not rest or len(list(cut.parts(rest))) > 1:
            raise _NotPlain
        at = next((at for at, piece in enumerate(rest) if piece.text == "using"), len(rest))
        written = " ".join(piece.text for piece in rest[:at])
        using = cut.words(rest[at + 1 :]) if at < len(rest) else None
        return AlterColumn(table, column, type=Type(rest[0].text, written), changes=(("type", written),), using=using)

    def _update(self) -> Iterator[Operation]:
        self._take("only")
        table = self.named()
        if not self._take("set"):  # an alias
            self._take("as")
            self._name()
            self._need("set")
        rest = self._rest()
        ends = [at for at, piece in enumerate(rest) if piece.kind == "name" and piece.text in ("where", "from")]
        assigned = rest[: ends[0]] if ends else rest
        writes: tuple[str, ...] | None = tuple(
            part[0].text for part in cut.parts(assigned) if len(part) > 1 and part[1].text == "="
        )
        if writes is not None and len(writes) < len(list(cut.parts(assigned))):
            writes = None
        yield self._rows("update", table, writes, cut.reads(rest, writes))

    def _insert(self) -> Iterator[Operation]:
        self._need("into")
        table = self.named()
        writes = tuple(part[0].text for part in cut.parts(self._inside())) if self._peek().text == "(" else None
        rest = self._rest()
        if not any(piece.text in ("values", "select", "default") for piece in rest[:1]):
            raise _NotPlain
        yield self._rows("insert", table, writes, cut.words(rest), some=rest[0].text == "select")

    def _delete(self) -> Iterator[Operation]:
        self._need("from")
        self._take("only")
        table = self.named()
        rest = self._rest()
        yield self._rows("delete", table, None, cut.words(rest), some=bool(rest))

    def _rows(
        self,
        does: str,
        table: Named,
        writes: tuple[str, ...] | None,
        words: frozenset[str],
        *,
        some: bool | None = None,
    ) -> Operation:
        rest = self._rest()
        if some is None:
            some = any(piece.kind == "name" and piece.text == "where" for piece in rest)
        text = " ".join(self._text[:2000].split())
        found = ChangeRows("update", table, writes, words, cut.literals(rest), some, text)
        return found._replace(does=does)  # type: ignore[arg-type]


def _is_column(part: list[Token]) -> bool:
    """A plain column of an index, with or without a direction."""
    return part[0].kind in ("name", "quoted") and all(
        piece.text in ("asc", "desc", "nulls", "first", "last") for piece in part[1:]
    )


def _column(part: list[Token]) -> Column:
    """One column of `CREATE TABLE`."""
    written = [piece.text for piece in part]
    primary = "primary" in written
    needed = primary or any(a == "not" and b == "null" for a, b in pairwise(written))
    default = written.index("default") if "default" in written else None
    kind = Type(written[1], " ".join(written[1:2])) if len(written) > 1 else None
    return Column(
        written[0],
        kind,
        nullable=not needed,
        server_default=None if default is None else " ".join(written[default + 1 : default + 2]),
        primary_key=primary,
    )

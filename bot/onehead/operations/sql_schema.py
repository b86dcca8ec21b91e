"""SQL text → operations on the schema, other than what stands between the brackets of a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from onehead.operations import tokens as cut
from onehead.operations.operation import (
    AddLabel,
    AlterColumn,
    Aside,
    CommentTable,
    CreateEnum,
    CreateIndex,
    CreateOther,
    DropEnum,
    DropIndex,
    DropOther,
    DropTable,
    Index,
    Named,
    Operation,
    OtherKind,
    Query,
    RenameEnum,
    RenameLabel,
    RenameOther,
    Setting,
)
from onehead.operations.sql_table import altered_table, created_table
from onehead.operations.statement import KINDS, Cursor, NotPlain
from onehead.operations.tokens import Token

_OTHERS: dict[str, OtherKind] = {"view": "view", "function": "function", "procedure": "procedure", "trigger": "trigger"}
_OTHERS |= {"sequence": "sequence", "schema": "schema", "extension": "extension", "domain": "type"}
_OTHERS |= {"materialized": "materialized view"}


def created(at: Cursor) -> Iterator[Operation]:
    """What follows `CREATE`; of a table made from a query, the query is left over."""
    replaces = at.take("or", "replace")
    unique = at.take("unique")
    at.one_of("constraint", "unlogged")
    temporary = bool(at.one_of("temporary", "temp", "global temporary", "local temporary"))
    kind = at.next().text
    if kind == "materialized":
        at.need("view")
    concurrently = kind == "index" and at.take("concurrently")
    lenient = at.take("if", "not", "exists")
    if kind == "index":
        yield _index(at, unique=unique, concurrently=concurrently, lenient=lenient)
    elif kind == "table":
        yield from created_table(at, lenient=lenient, temporary=temporary)
    elif kind == "type":
        yield _type(at)
    elif kind in _OTHERS:
        yield _other(at, _OTHERS[kind], replaces, lenient=lenient)
    else:
        raise NotPlain


def _type(at: Cursor) -> Operation:
    name = at.named()
    at.need("as")
    if at.take("enum"):
        labels = tuple(piece.text for piece in at.inside() if piece.kind == "string")
        at.end()
        return CreateEnum(name, labels)
    words = cut.words(at.inside())
    at.end()
    return CreateOther("type", name, words=words, text=at.line)


def _index(at: Cursor, *, unique: bool, concurrently: bool, lenient: bool) -> Operation:
    name = at.named()
    at.need("on")
    at.take("only")
    table = at.named()
    if at.take("using"):
        at.name()
    inside = at.inside()
    parts = list(cut.parts(inside))
    plain = [part[0].text for part in parts if _is_column(part)]
    rest = at.rest()
    words = cut.words([*inside, *rest]) - set(plain)
    partial, computed = any(piece.text == "where" for piece in rest), len(plain) < len(parts)
    index = Index(name.name, table, tuple(plain), unique, words, partial, computed, concurrently)
    return CreateIndex(index, lenient)


def _is_column(part: list[Token]) -> bool:
    """A plain column of an index, with or without a direction."""
    return part[0].kind in ("name", "quoted") and all(
        piece.text in ("asc", "desc", "nulls", "first", "last") for piece in part[1:]
    )


def _other(at: Cursor, kind: OtherKind, replaces: bool, *, lenient: bool) -> Operation:
    if kind == "schema" and at.peek().text == "authorization":
        raise NotPlain
    name = at.named()
    rest = at.rest()
    table = None
    if kind == "trigger":
        while not at.take("on"):
            at.next()
        table = at.named()
    words = cut.words(rest) - ({table.name} if table is not None else set())
    if kind in ("function", "procedure"):
        # What it does when it is called is the caller's. But what is written in SQL has to be there already.
        written = [piece.text for piece in rest if piece.kind == "string"]
        if any(a.text == "language" and b.text == "sql" for a, b in pairwise(rest)):
            words |= {word for text in written for word in cut.words_in(text)}
    stars = kind in ("view", "materialized view") and any(
        piece.text == "*" and cut.is_star(rest, place) for place, piece in enumerate(rest)
    )
    return CreateOther(kind, name, table, replaces, lenient, words, stars, at.line)


def dropped(at: Cursor) -> Iterator[Operation]:
    """What follows `DROP`."""
    kind = at.next().text
    if kind == "materialized":
        at.need("view")
    concurrently = kind == "index" and at.take("concurrently")
    lenient = at.take("if", "exists")
    names = [_dropped_name(at, kind)]
    while at.take(","):
        names.append(_dropped_name(at, kind))
    table = at.named() if kind in ("trigger", "index") and at.take("on") else None
    along = at.end_of_drop()
    if kind == "index":
        yield from (DropIndex(name, table, lenient, concurrently) for name in names)
    elif kind == "table":
        yield from (DropTable(name, lenient) for name in names)
    elif kind in ("type", "domain"):
        yield from (DropEnum(name, lenient) for name in names)
    elif kind in _OTHERS:
        yield from (DropOther(_OTHERS[kind], name, lenient, table) for name in names)
    else:
        raise NotPlain
    yield from along


def _dropped_name(at: Cursor, kind: str) -> Named:
    name = at.named()
    if kind in ("function", "procedure") and at.peek().text == "(":
        at.inside()
    return name


def altered(at: Cursor) -> Iterator[Operation]:
    """What follows `ALTER`."""
    kind = at.one_of("type", "table", "index", "sequence", "materialized view", "view")
    if not kind:
        needed = at.needed()
        at.need("owner", "to")
        yield Aside("changes", (needed,), at.line)
    elif kind == "type":
        yield _altered_type(at)
    elif kind == "table":
        yield from altered_table(at)
    else:
        lenient = at.take("if", "exists")
        name = at.named()
        yield from _altered_other(at, kind, name, lenient=lenient)


def _altered_other(at: Cursor, kind: str, name: Named, *, lenient: bool) -> Iterator[Operation]:
    if at.take("rename", "to"):
        new = Named(at.name(), name.schema)
        at.end()
        yield RenameOther("index" if kind == "index" else _OTHERS[kind.removesuffix(" view")], name, new, lenient)
    elif at.peek().text == "owner" or (at.peek().text in ("set", "reset") and at.peek(1).text == "("):
        yield Aside("changes", (("relation", name),), at.line)
    elif kind == "sequence" and at.peek().text not in ("set", "rename"):
        rest = at.rest()
        yield Aside("changes", (("relation", name),), at.line)
        if any(piece.text == "restart" for piece in rest):
            yield Query(frozenset((name.name, "setval()")), used=True, text=at.line)
        elif at.take("owned", "by"):
            yield Query(cut.words(at.rest()), text=at.line)
    else:
        raise NotPlain


def _altered_type(at: Cursor) -> Operation:
    enum = at.named()
    if at.take("add", "value"):
        lenient = at.take("if", "not", "exists")
        label = at.string()
        if at.take("before") or at.take("after"):
            at.string()
        at.end()
        return AddLabel(enum, label, lenient)
    if at.take("owner", "to"):
        return Aside("changes", text=at.line)
    if at.take("set", "schema"):
        renamed: Operation = RenameEnum(enum, Named(enum.name, at.name()))
    elif at.take("rename", "value"):
        label = at.string()
        at.need("to")
        renamed = RenameLabel(enum, label, at.string())
    else:
        at.need("rename", "to")
        renamed = RenameEnum(enum, Named(at.name(), enum.schema))
    at.end()
    return renamed


def commented(at: Cursor) -> Iterator[Operation]:
    """What follows `COMMENT`."""
    at.need("on")
    if at.take("column"):
        names = [at.name()]
        while at.take("."):
            names.append(at.name())
        *schema, table, column = ["", *names] if len(names) < 3 else names
        yield AlterColumn(Named(table, "".join(schema) or None), column, changes=(("comment", str(_comment(at))),))
    elif at.take("constraint"):
        name = at.name()
        at.need("on")
        yield Setting(at.named(), f"comment of `{name}`", str(_comment(at)), name)
    else:
        is_table = at.peek().text == "table"
        if at.peek().text not in {word.partition(" ")[0] for word in KINDS}:
            raise NotPlain
        needed = at.needed()
        comment = _comment(at)
        if is_table:
            yield CommentTable(needed[1], comment)
        else:
            yield Aside("changes", (needed,), at.line)


def _comment(at: Cursor) -> str | None:
    at.need("is")
    comment = None if at.take("null") else at.string()
    at.end()
    return comment

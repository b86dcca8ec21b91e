"""SQL statements that define a schema → operations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from onehead.operations import sql_tokens as cut
from onehead.operations.model import (
    AddColumn,
    AddLabel,
    AlterColumn,
    Aside,
    Column,
    CommentTable,
    Constraint,
    ConstraintKind,
    CreateConstraint,
    CreateEnum,
    CreateIndex,
    CreateOther,
    CreateTable,
    DropColumn,
    DropConstraint,
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
    RenameTable,
    SetProperty,
    Type,
)
from onehead.operations.sql_tokens import KINDS, Cursor, NotPlain, Token

_TABLE_PARTS = ("constraint", "primary", "unique", "check", "foreign", "exclude", "like", "index", "key")
_AFTER_TYPE = (
    *("constraint", "not", "null", "default", "primary", "unique", "references", "check", "generated", "collate"),
    *("comment", "on", "auto_increment", "autoincrement", "deferrable", "initially", "using", "first", "after", "as"),
)
_COUNTED = ("serial", "bigserial", "smallserial", "serial4", "serial8")
_SETTINGS = (
    *("owner to", "set tablespace", "set logged", "set unlogged", "replica identity", "cluster on", "set without"),
    *("enable row level security", "disable row level security"),
)


class _SqlColumn(NamedTuple):
    """A column with the constraints that stand beside it."""

    column: Column
    constraints: tuple[Constraint, ...]


def created_table(at: Cursor, *, lenient: bool, temporary: bool) -> Iterator[Operation]:
    """What follows `CREATE TABLE`; a query behind it is left over."""
    table = at.named()
    if at.peek().text == "as":
        yield CreateTable(table, (), (), (), lenient, complete=False, temporary=temporary)
        return
    columns: list[Column] = []
    constraints: list[Constraint] = []
    complete = True
    for part in cut.parts(at.inside()):
        inner = Cursor(part, at.text)
        if inner.take("like"):
            yield Query(frozenset((inner.named().name,)), star=True, used=True, text=at.line)
            complete = False
        elif part[0].kind == "name" and part[0].text in _TABLE_PARTS:
            found = _constraint(inner)
            constraints += [found] if found is not None else []
            complete = complete and found is not None and found.complete
        else:
            declared = _column(inner)
            columns.append(declared.column)
            constraints += declared.constraints
    while at and at.peek().text != "as":
        if at.peek().text in ("inherits", "of") or (at.peek().text == "partition" and at.peek(1).text == "of"):
            raise NotPlain
        at.next()
    complete = complete and not at
    yield CreateTable(table, tuple(columns), tuple(constraints), (), lenient, complete, temporary)


# -- columns and constraints ----------------------------------------------------------------------------------------


def _column(at: Cursor) -> _SqlColumn:
    name = at.name()
    written = _until(at, _AFTER_TYPE)
    kind = Type(written[0].text, " ".join(piece.text for piece in written)) if written else None
    default = "a number that is counted up" if written and written[0].text in _COUNTED else None
    column, constraints = Column(name, kind, server_default=default), list[Constraint]()
    while at:
        constraint = at.name() if at.take("constraint") else None
        match word := at.next().text:
            case "not":
                at.need("null")
                column = column._replace(nullable=False)
            case "primary":
                at.need("key")
                column = column._replace(nullable=False, primary_key=True)
                constraints += [Constraint("primary key", constraint, (name,))] if constraint else []
            case "default":
                column = column._replace(server_default=" ".join(piece.text for piece in _value(at)))
            case "generated" | "as":
                column = column._replace(server_default=" ".join(piece.text for piece in at.rest()))
                break
            case "collate":
                at.named()
            case _:  # `NULL`, `AUTOINCREMENT`, `FIRST` are nothing that is compared
                constraints += _on_column(at, word, constraint, name)
    return _SqlColumn(column, tuple(constraints))


def _on_column(at: Cursor, word: str, name: str | None, column: str) -> tuple[Constraint, ...]:
    match word:
        case "unique":
            return (Constraint("unique", name, (column,)),)
        case "check":
            return (Constraint("check", name, words=cut.words(at.inside())),)
        case "references":
            return (_references(at, name, (column,)),)
    return ()


def _until(at: Cursor, ends: tuple[str, ...]) -> list[Token]:
    """The pieces before one of these words outside of brackets."""
    found: list[Token] = []
    depth = 0
    while at and (depth or at.peek().kind != "name" or at.peek().text not in ends):
        piece = at.next()
        depth += {"(": 1, ")": -1}.get(piece.text, 0) if piece.kind == "sign" else 0
        found.append(piece)
    return found


def _value(at: Cursor) -> list[Token]:
    """The value of a default: one piece at least, so that `DEFAULT NULL` is read."""
    first = at.next()
    if (first.kind, first.text) == ("sign", "("):
        depth, found = 1, [first]
        while depth:
            found.append(at.next())
            depth += {"(": 1, ")": -1}.get(found[-1].text, 0) if found[-1].kind == "sign" else 0
        return [*found, *_until(at, _AFTER_TYPE)]
    return [first, *_until(at, _AFTER_TYPE)]


def _references(at: Cursor, name: str | None, columns: tuple[str, ...]) -> Constraint:
    target = at.named()
    named = at.names() if at.peek().text == "(" else ()
    while at.one_of("on", "match"):
        at.one_of("delete", "update")
        at.one_of("no action", "set null", "set default")
        at.one_of("cascade", "restrict", "full", "simple", "partial")
    return Constraint("foreign key", name, columns, target, named, complete=bool(named))


_KINDS: tuple[tuple[str, ConstraintKind], ...] = (
    ("primary key", "primary key"),
    ("unique", "unique"),
    ("foreign key", "foreign key"),
    ("check", "check"),
    ("exclude", "exclude"),
)


def _constraint(at: Cursor) -> Constraint | None:
    """A constraint of a table; `None` for an index, as MySQL writes them between columns."""
    name = at.name() if at.take("constraint") else None
    kind = next((kind for written, kind in _KINDS if at.take(*written.split())), None)
    if kind is None:
        return None
    if kind == "check":
        return Constraint(kind, name, words=cut.words(at.inside()))
    if kind == "exclude":
        return Constraint(kind, name, words=cut.words(at.rest()), complete=False)
    at.one_of("nulls not distinct", "nulls distinct", "key", "index")
    if at.peek().text != "(" and name is None:
        name = at.name()
    columns = at.names()
    if kind == "foreign key":
        at.need("references")
        return _references(at, name, columns)
    return Constraint(kind, name, columns)


# -- ALTER TABLE ----------------------------------------------------------------------------------------------------


def altered_table(at: Cursor) -> Iterator[Operation]:
    """What follows `ALTER TABLE`: one action, or several with commas between them."""
    at.take("only")
    table = at.named()  # `IF EXISTS` is not read: whether it does anything can't be told
    if not at:
        raise NotPlain
    while at:
        yield from _action(at.part(), table)


def _action(at: Cursor, table: Named) -> Iterator[Operation]:
    verb = at.one_of("add", "drop", "alter", "rename", "validate constraint", "modify", "set schema")
    match verb:
        case "add":
            yield from _add(at, table)
        case "drop":
            yield from _drop(at, table)
        case "alter":
            at.take("column")
            yield _alter_column(at, table)
        case "modify":
            at.take("column")
            declared = _column(at).column
            yield AlterColumn(table, declared.name, type=declared.type, changes=(("type", at.line),))
        case "rename":
            yield _rename(at, table)
        case "validate constraint":
            name = at.name()
            yield SetProperty(table, f"validity of `{name}`", "valid", name)
        case "set schema":
            yield RenameTable(table, Named(table.name, at.name()))
            at.end()
        case _:
            yield _setting(at, table)


def _setting(at: Cursor, table: Named) -> Operation:
    name = at.one_of(*_SETTINGS, "set", "reset")
    if not name or (name in ("set", "reset") and at.peek().text != "("):
        raise NotPlain
    value = f"{name} {' '.join(piece.text for piece in at.rest())}"
    kind = "row level security" if name.endswith("security") else name.partition(" ")[0]
    return SetProperty(
        table, {"set": "storage", "reset": "storage", "replica": "replica identity"}.get(kind, kind), value
    )


def _add(at: Cursor, table: Named) -> Iterator[Operation]:
    following = at.peek()
    if following.kind == "name" and following.text in ("index", "key") and at.peek(2).text == "(":
        at.next()
        yield CreateIndex(Index(at.name(), table, at.names()))
        return
    if following.kind == "name" and following.text in _TABLE_PARTS:
        yield from _add_constraint(at, table)
        return
    at.take("column")
    lenient = at.take("if", "not", "exists")
    declared = _column(at)
    column = declared.column
    constraints = declared.constraints
    if column.primary_key and not any(each.kind == "primary key" for each in constraints):
        constraints = (Constraint("primary key", None, (column.name,)), *constraints)
    yield AddColumn(table, column, constraints, (), lenient)


def _add_constraint(at: Cursor, table: Named) -> Iterator[Operation]:
    name = at.peek(1).text if at.peek().text == "constraint" else None
    of = at.peek(2 if name is not None else 0).text
    rest = at.rest()
    using = next((place for place, piece in enumerate(rest) if piece.text == "using"), None)
    if of in ("unique", "primary") and using is not None:
        # The index goes on as that of the constraint, under its name.
        index = Cursor(rest[using + 1 :], at.text)
        index.need("index")
        written = index.name()
        yield DropIndex(Named(written, table.schema), table)
        kind: ConstraintKind = "unique" if of == "unique" else "primary key"
        yield CreateConstraint(table, Constraint(kind, name or written, complete=False))
        return
    found = _constraint(at)
    if found is None:
        raise NotPlain
    yield CreateConstraint(table, found)


def _drop(at: Cursor, table: Named) -> Iterator[Operation]:
    kind = at.one_of("constraint", "foreign key", "index", "primary key", "column")
    if kind == "primary key":
        raise NotPlain
    lenient = at.take("if", "exists")
    name = at.name()
    along = at.end_of_drop()
    match kind:
        case "constraint":
            yield DropConstraint(table, name, None, lenient)
        case "foreign key":
            yield DropConstraint(table, name, "foreign key", lenient)
        case "index":
            yield DropIndex(Named(name, table.schema), table, lenient)
        case _:
            yield DropColumn(table, name, lenient)
    yield from along


def _rename(at: Cursor, table: Named) -> Operation:
    if at.take("to"):
        renamed: Operation = RenameTable(table, Named(at.name(), table.schema))
    elif at.take("constraint"):
        old = at.name()
        at.need("to")
        renamed = RenameOther("constraint", Named(old, table.schema), Named(at.name(), table.schema), table=table)
    else:
        at.take("column")
        old = at.name()
        at.need("to")
        renamed = AlterColumn(table, old, at.name())
    at.end()
    return renamed


def _alter_column(at: Cursor, table: Named) -> Operation:
    column = at.name()
    if at.take("set", "not", "null"):
        at.end()
        return AlterColumn(table, column, nullable=False, changes=(("nullable", "False"),))
    if at.take("drop", "not", "null"):
        at.end()
        return AlterColumn(table, column, nullable=True, changes=(("nullable", "True"),))
    if at.one_of("drop default", "drop identity if exists", "drop identity"):
        at.end()
        return AlterColumn(table, column, changes=(("server_default", "None"),))
    if at.one_of("set default", "add generated"):
        value = " ".join(piece.text for piece in at.rest())
        return AlterColumn(table, column, changes=(("server_default", value),))
    if other := at.one_of("set statistics", "set storage", "set compression"):
        value = " ".join(piece.text for piece in at.rest())
        return AlterColumn(table, column, changes=((other.split()[1], value),))
    if not at.one_of("set data type", "type"):
        raise NotPlain
    written = " ".join(piece.text for piece in _until(at, ("using", "collate")))
    if not written:
        raise NotPlain
    if at.take("collate"):
        at.named()
    using = cut.words(at.rest()) if at.take("using") else None
    kind = Type(written.split()[0], written)
    return AlterColumn(table, column, type=kind, changes=(("type", written),), using=using)


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
        yield SetProperty(at.named(), f"comment of `{name}`", str(_comment(at)), name)
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

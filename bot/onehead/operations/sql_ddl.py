"""SQL statements that define a schema → operations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import get_args

from onehead.operations import model as ops
from onehead.operations import sql_tokens as cut
from onehead.operations.model import ConstraintKind, Named, Operation, OtherKind
from onehead.operations.sql_tokens import KINDS, Cursor, NotPlain, Token, joined

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


def created_table(at: Cursor, *, lenient: bool, temporary: bool) -> Iterator[Operation]:
    """What follows `CREATE TABLE`; a query behind it is left over."""
    table = at.named()
    if at.peek().text == "as":
        yield ops.CreateTable(table, (), (), (), lenient, complete=False, temporary=temporary)
        return
    columns: list[ops.Column] = []
    constraints: list[ops.Constraint] = []
    complete = True
    for part in cut.parts(at.inside()):
        inner = Cursor(part, at.text)
        if inner.take("like"):
            yield ops.Query(frozenset((inner.named().name,)), star=True, used=True)
            complete = False
        elif part[0].kind == "name" and part[0].text in _TABLE_PARTS:
            found = _constraint(inner)
            constraints += [found] if found is not None else []
            complete = complete and found is not None and found.complete
        else:
            column, beside = _column(inner)
            columns.append(column)
            constraints += beside
    while at and at.peek().text != "as":
        if at.peek().text in ("inherits", "of") or (at.peek().text == "partition" and at.peek(1).text == "of"):
            raise NotPlain
        at.next()
    complete = complete and not at
    yield ops.CreateTable(table, tuple(columns), tuple(constraints), (), lenient, complete, temporary)


# -- columns and constraints ----------------------------------------------------------------------------------------


def _column(at: Cursor) -> tuple[ops.Column, list[ops.Constraint]]:
    """A column with the constraints beside it."""
    name = at.name()
    written = at.until(*_AFTER_TYPE)
    kind = ops.Type(written[0].text, joined(written)) if written else None
    default = "a number that is counted up" if written and written[0].text in _COUNTED else None
    column, constraints = ops.Column(name, kind, server_default=default), list[ops.Constraint]()
    while at:
        constraint = at.name() if at.take("constraint") else None
        match word := at.next().text:
            case "not":
                at.need("null")
                column = column._replace(nullable=False)
            case "primary":
                at.need("key")
                column = column._replace(nullable=False, primary_key=True)
                constraints += [ops.Constraint("primary key", constraint, (name,))] if constraint else []
            case "default":
                column = column._replace(server_default=joined(at.until(*_AFTER_TYPE, least=1)))
            case "generated" | "as":
                column = column._replace(server_default=joined(at.rest()))
                break
            case "collate":
                at.named()
            case _:  # `NULL`, `AUTOINCREMENT`, `FIRST` are nothing that is compared
                constraints += _on_column(at, word, constraint, name)
    return column, constraints


def _on_column(at: Cursor, word: str, name: str | None, column: str) -> tuple[ops.Constraint, ...]:
    match word:
        case "unique":
            return (ops.Constraint("unique", name, (column,)),)
        case "check":
            return (ops.Constraint("check", name, words=cut.words(at.inside())),)
        case "references":
            return (_references(at, name, (column,)),)
    return ()


def _references(at: Cursor, name: str | None, columns: tuple[str, ...]) -> ops.Constraint:
    target = at.named()
    named = at.names() if at.peek().text == "(" else ()
    while at.one_of("on", "match"):
        at.one_of("delete", "update")
        at.one_of("no action", "set null", "set default")
        at.one_of("cascade", "restrict", "full", "simple", "partial")
    return ops.Constraint("foreign key", name, columns, target, named, complete=bool(named))


_KINDS: tuple[ConstraintKind, ...] = get_args(ConstraintKind)


def _constraint(at: Cursor) -> ops.Constraint | None:
    """A constraint of a table; `None` for an index, as MySQL writes them between columns."""
    name = at.name() if at.take("constraint") else None
    kind = next((kind for kind in _KINDS if at.take(*kind.split())), None)
    if kind is None:
        return None
    if kind == "check":
        return ops.Constraint(kind, name, words=cut.words(at.inside()))
    if kind == "exclude":
        return ops.Constraint(kind, name, words=cut.words(at.rest()), complete=False)
    at.one_of("nulls not distinct", "nulls distinct", "key", "index")
    if at.peek().text != "(" and name is None:
        name = at.name()
    columns = at.names()
    if kind == "foreign key":
        at.need("references")
        return _references(at, name, columns)
    return ops.Constraint(kind, name, columns)


# -- ALTER TABLE ----------------------------------------------------------------------------------------------------


def altered_table(at: Cursor) -> Iterator[Operation]:
    """What follows `ALTER TABLE`: one action, or several with commas between them."""
    at.take("only")
    table = at.named()  # `IF EXISTS` is not read: whether it does anything is unknown
    if not at:
        raise NotPlain
    for part in cut.parts(at.rest()):
        yield from _action(Cursor(part, at.text), table)


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
            declared, _ = _column(at)
            yield ops.AlterColumn(table, declared.name, type=declared.type, changes=(("type", at.line),))
        case "rename":
            yield _rename(at, table)
        case "validate constraint":
            name = at.name()
            yield ops.SetProperty(table, f"validity of `{name}`", "valid", name)
        case "set schema":
            yield ops.Rename("table", table, Named(table.name, at.name()))
            at.end()
        case _:
            yield _setting(at, table)


def _setting(at: Cursor, table: Named) -> Operation:
    name = at.one_of(*_SETTINGS, "set", "reset")
    if not name or (name in ("set", "reset") and at.peek().text != "("):
        raise NotPlain
    value = f"{name} {joined(at.rest())}"
    kind = "row level security" if name.endswith("security") else name.partition(" ")[0]
    return ops.SetProperty(
        table, {"set": "storage", "reset": "storage", "replica": "replica identity"}.get(kind, kind), value
    )


def _add(at: Cursor, table: Named) -> Iterator[Operation]:
    following = at.peek()
    if following.kind == "name" and following.text in ("index", "key") and at.peek(2).text == "(":
        at.next()
        yield ops.CreateIndex(ops.Index(at.name(), table, at.names()))
        return
    if following.kind == "name" and following.text in _TABLE_PARTS:
        yield from _add_constraint(at, table)
        return
    at.take("column")
    lenient = at.take("if", "not", "exists")
    column, constraints = _column(at)
    if column.primary_key and not any(each.kind == "primary key" for each in constraints):
        constraints.insert(0, ops.Constraint("primary key", None, (column.name,)))
    yield ops.AddColumn(table, column, tuple(constraints), (), lenient)


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
        yield ops.DropIndex(Named(written, table.schema), table)
        kind: ConstraintKind = "unique" if of == "unique" else "primary key"
        yield ops.CreateConstraint(table, ops.Constraint(kind, name or written, complete=False))
        return
    found = _constraint(at)
    if found is None:
        raise NotPlain
    yield ops.CreateConstraint(table, found)


def _drop(at: Cursor, table: Named) -> Iterator[Operation]:
    kind = at.one_of("constraint", "foreign key", "index", "primary key", "column")
    if kind == "primary key":
        raise NotPlain
    lenient = at.take("if", "exists")
    name = at.name()
    along = at.end_of_drop()
    match kind:
        case "constraint":
            yield ops.DropConstraint(table, name, None, lenient)
        case "foreign key":
            yield ops.DropConstraint(table, name, "foreign key", lenient)
        case "index":
            yield ops.DropIndex(Named(name, table.schema), table, lenient)
        case _:
            yield ops.DropColumn(table, name, lenient)
    yield from along


def _rename(at: Cursor, table: Named) -> Operation:
    if at.take("to"):
        renamed: Operation = ops.Rename("table", table, Named(at.name(), table.schema))
    elif at.take("constraint"):
        old = at.name()
        at.need("to")
        renamed = ops.Rename("constraint", Named(old, table.schema), Named(at.name(), table.schema), table=table)
    else:
        at.take("column")
        old = at.name()
        at.need("to")
        renamed = ops.AlterColumn(table, old, at.name())
    at.end()
    return renamed


def _alter_column(at: Cursor, table: Named) -> Operation:
    column = at.name()
    if verb := at.one_of("set not null", "drop not null"):
        at.end()
        nullable = verb.startswith("drop")
        return ops.AlterColumn(table, column, nullable=nullable, changes=(("nullable", str(nullable)),))
    if at.one_of("drop default", "drop identity if exists", "drop identity"):
        at.end()
        return ops.AlterColumn(table, column, changes=(("server_default", "None"),))
    if verb := at.one_of("set default", "add generated", "set statistics", "set storage", "set compression"):
        name = "server_default" if verb in ("set default", "add generated") else verb.split()[1]
        return ops.AlterColumn(table, column, changes=((name, joined(at.rest())),))
    if not at.one_of("set data type", "type"):
        raise NotPlain
    written = joined(at.until("using", "collate"))
    if not written:
        raise NotPlain
    if at.take("collate"):
        at.named()
    using = cut.words(at.rest()) if at.take("using") else None
    kind = ops.Type(written.split()[0], written)
    return ops.AlterColumn(table, column, type=kind, changes=(("type", written),), using=using)


_OTHERS: dict[str, OtherKind] = {"view": "view", "function": "function", "procedure": "procedure", "trigger": "trigger"}
_OTHERS |= {"sequence": "sequence", "schema": "schema", "extension": "extension", "type": "type", "domain": "type"}
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
        return ops.CreateEnum(name, labels)
    words = cut.words(at.inside())
    at.end()
    return ops.CreateOther("type", name, words=words, text=at.line)


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
    index = ops.Index(name.name, table, tuple(plain), unique, words, partial, computed, concurrently)
    return ops.CreateIndex(index, lenient)


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
    return ops.CreateOther(kind, name, table, replaces, lenient, words, stars, at.line)


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
        yield from (ops.DropIndex(name, table, lenient, concurrently) for name in names)
    elif kind == "table":
        yield from (ops.Drop("table", name, lenient) for name in names)
    elif kind in _OTHERS:
        yield from (ops.Drop(_OTHERS[kind], name, lenient, table) for name in names)
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
        yield ops.Aside("changes", (needed,), at.line)
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
        yield ops.Rename("index" if kind == "index" else _OTHERS[kind.removesuffix(" view")], name, new, lenient)
    elif at.peek().text == "owner" or (at.peek().text in ("set", "reset") and at.peek(1).text == "("):
        yield ops.Aside("changes", (("relation", name),), at.line)
    elif kind == "sequence" and at.peek().text not in ("set", "rename"):
        rest = at.rest()
        yield ops.Aside("changes", (("relation", name),), at.line)
        if any(piece.text == "restart" for piece in rest):
            yield ops.Query(frozenset((name.name, "setval()")), used=True)
        elif at.take("owned", "by"):
            yield ops.Query(cut.words(at.rest()))
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
        return ops.AddLabel(enum, label, lenient)
    if at.take("owner", "to"):
        return ops.Aside("changes", text=at.line)
    if at.take("set", "schema"):
        renamed: Operation = ops.Rename("type", enum, Named(enum.name, at.name()))
    elif at.take("rename", "value"):
        label = at.string()
        at.need("to")
        renamed = ops.RenameLabel(enum, label, at.string())
    else:
        at.need("rename", "to")
        renamed = ops.Rename("type", enum, Named(at.name(), enum.schema))
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
        yield ops.AlterColumn(Named(table, "".join(schema) or None), column, changes=(("comment", str(_comment(at))),))
    elif at.take("constraint"):
        name = at.name()
        at.need("on")
        yield ops.SetProperty(at.named(), f"comment of `{name}`", str(_comment(at)), name)
    else:
        is_table = at.peek().text == "table"
        if at.peek().text not in {word.partition(" ")[0] for word in KINDS}:
            raise NotPlain
        needed = at.needed()
        comment = _comment(at)
        if is_table:
            yield ops.CommentTable(needed[1], comment)
        else:
            yield ops.Aside("changes", (needed,), at.line)


def _comment(at: Cursor) -> str | None:
    at.need("is")
    comment = None if at.take("null") else at.string()
    at.end()
    return comment

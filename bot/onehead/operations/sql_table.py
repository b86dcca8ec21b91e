"""SQL text → operations on one table: `CREATE TABLE (…)` and the actions of `ALTER TABLE`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from onehead.operations import tokens as cut
from onehead.operations.operation import (
    AddColumn,
    AlterColumn,
    Column,
    Constraint,
    ConstraintKind,
    CreateConstraint,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    Index,
    Named,
    Operation,
    Query,
    RenameOther,
    RenameTable,
    Setting,
    Type,
)
from onehead.operations.statement import Cursor, NotPlain
from onehead.operations.tokens import Token

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


class _Declared(NamedTuple):
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


def _column(at: Cursor) -> _Declared:
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
    return _Declared(column, tuple(constraints))


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
            yield Setting(table, f"validity of `{name}`", "valid", name)
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
    return Setting(table, {"set": "storage", "reset": "storage", "replica": "replica identity"}.get(kind, kind), value)


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

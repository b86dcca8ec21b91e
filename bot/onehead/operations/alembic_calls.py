"""Calls of `op.*`, of `batch_op.*` and of SQLAlchemy → operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, get_args

from onehead.operations import model as ops
from onehead.operations.model import ChangeRows, Constraint, ConstraintKind, Named, Operation, RowChange, Type
from onehead.operations.sql import operations_in
from onehead.operations.sql_tokens import shown, words_in
from onehead.operations.values import (
    Attr,
    Choice,
    Const,
    Items,
    Made,
    Opaque,
    Pairs,
    Path,
    Value,
    literals,
    names,
    plain,
    root,
    source,
    strings,
    text,
)
from onehead.revisions.parsers import unparsed

ENUMS = ("Enum", "ENUM")
_CONSTRAINTS: dict[str, ConstraintKind] = {
    "PrimaryKeyConstraint": "primary key",
    "UniqueConstraint": "unique",
    "CheckConstraint": "check",
    "ForeignKeyConstraint": "foreign key",
    "ExcludeConstraint": "exclude",
}
_TYPES: dict[str, ConstraintKind] = {
    "foreignkey": "foreign key",
    "unique": "unique",
    "check": "check",
    "primary": "primary key",
}
_CHANGES: dict[str, RowChange] = {each: each for each in get_args(RowChange)}
_PROPERTIES = ("type_", "nullable", "server_default", "comment", "autoincrement")


class NotKnown(Exception):
    """Something that has to be known is not; the argument names it, as a noun phrase."""


def _needed(value: Value | None, what: str) -> str:
    found = text(value)
    if found is None:
        raise NotKnown(what)
    return found


def _named(value: Value | None, schema: Value | None, what: str) -> Named:
    name = _needed(value, what)
    return Named(name, None if schema is None or plain(schema) is None else _needed(schema, "the schema"))


def _listed(value: Value | None) -> tuple[str, ...]:
    found = strings(value)
    if found is None:
        raise NotKnown("the list of columns")
    return found


def unknown(why: str, made: Made) -> ops.Unknown:
    """Something that can't be known, with its source."""
    written = unparsed(made.node)
    return ops.Unknown(why, shown(written), words_in(written))


# -- what SQLAlchemy declares ---------------------------------------------------------------------------------------


def _table(made: Made, items: Iterable[Value], table: Named, *, lenient: bool) -> ops.CreateTable:
    columns: list[ops.Column] = []
    constraints: list[Constraint] = []
    indexes: list[ops.Index] = []
    complete = not made.open
    for item in items:
        try:
            match item:
                case Made(last="Column"):
                    found = _column(item, table)
                    columns.append(found.column)
                    constraints += found.constraints
                    indexes += found.indexes
                case Made() if item.last in _CONSTRAINTS:
                    constraints.append(_constraint(item))
                case Made(last="Index"):
                    indexes.append(_index(item.args[1:], item, table))
                case Made(last="Comment" | "Sequence"):
                    pass
                case _:
                    complete = False
        except NotKnown:
            complete = False
    temporary = any("temp" in word.lower() for word in strings(made.keywords.get("prefixes")) or ())
    return ops.CreateTable(
        table, tuple(columns), tuple(constraints), tuple(indexes), lenient, complete=complete, temporary=temporary
    )


def _column(value: Value | None, table: Named) -> ops.AddColumn:
    """`sa.Column(...)` with what it declares about its table; raises `NotKnown` where it is not written out."""
    if not isinstance(value, Made) or value.last != "Column":
        raise NotKnown("the column")
    name = _needed(value.get(0, "name"), "the name of the column")
    items = value.args[1:]
    kind = value.keywords.get("type_")
    if kind is None and items and not _is_item(items[0]):
        kind, items = items[0], items[1:]
    primary = value.says("primary_key")
    nullable = plain(value.keywords.get("nullable", Const(not primary)))
    default = value.keywords.get("server_default")
    for item in items:
        if isinstance(item, Made) and item.last in ("Identity", "Computed"):
            default = item
    constraints = [_foreign_key(item, name) for item in items if isinstance(item, Made) and item.last == "ForeignKey"]
    indexes = []
    if value.says("index"):
        indexes.append(ops.Index(None, table, (name,), value.says("unique")))
    elif value.says("unique"):
        constraints.append(Constraint("unique", None, (name,)))
    comment = plain(value.keywords.get("comment"))
    column = ops.Column(
        name,
        _type(kind),
        nullable=nullable if isinstance(nullable, bool) else None,
        server_default=None if default is None or plain(default) is None else source(default),
        primary_key=primary,
        comment=comment if isinstance(comment, str) else None,
    )
    return ops.AddColumn(table, column, tuple(constraints), tuple(indexes))


def _is_item(value: Value) -> bool:
    """Something that may be in the place of a type: `Column("x", ForeignKey("t.id"))`."""
    return isinstance(value, Made) and (
        value.last in ("ForeignKey", "Identity", "Computed", "Sequence", "FetchedValue") or value.last in _CONSTRAINTS
    )


def _foreign_key(made: Made, column_name: str) -> Constraint:
    name = text(made.keywords.get("name"))
    table, dot, remote = (text(made.get(0, "column")) or "").rpartition(".")
    if not dot:
        return Constraint("foreign key", name, (column_name,), complete=False)
    return Constraint("foreign key", name, (column_name,), _table_named(table), (remote,))


def _table_named(written: str) -> Named:
    schema, _, name = written.rpartition(".")
    return Named(name, schema or None)


def _type(value: Value | None) -> Type | None:
    """A type: `sa.Integer()`, `sa.Integer`, `sa.Enum(...)`."""
    match value:
        case None:
            return None
        case Made(last="with_variant", by=Attr(of=of)):
            inner = _type(of)
            return None if inner is None else inner._replace(text=source(value))
        case Made(last="ARRAY", args=(Made() as inner, *_)) if inner.last in ENUMS:
            return Type("ARRAY", source(value), _enum(inner)._replace(creates=False))
        case Made(last=name):
            return Type(name, source(value), _enum(value) if name in ENUMS else None)
        case Path(last=name) | Attr(name=name):
            return Type(name, f"{name}()")
    return Type("", source(value)) if source(value) else None


def _enum(made: Made) -> ops.Enum:
    """`sa.Enum("a", "b", name="e")`; a class of the file gives its members."""
    match made.args:
        case (Choice(labels=members),):
            labels = None if "values_callable" in made.keywords else members
        case _:
            labels = None if made.open else strings(Items(made.args))
    name = text(made.keywords.get("name"))
    return ops.Enum(
        None if name is None else Named(name, text(made.keywords.get("schema"))),
        labels or None,
        creates=plain(made.keywords.get("create_type")) is not False,
        native=plain(made.keywords.get("native_enum")) is not False,
    )


def _constraint(made: Made) -> Constraint:
    kind = _CONSTRAINTS[made.last]
    name = text(made.keywords.get("name"))
    if kind == "check":
        return Constraint(kind, name, words=_condition_words(made.get(0, "sqltext")))
    if kind == "foreign key":
        local, remote = strings(made.get(0, "columns")), strings(made.get(1, "refcolumns"))
        if local is None or not remote or any("." not in each for each in remote):
            return Constraint(kind, name, local or (), complete=False)
        target = _table_named(remote[0].rpartition(".")[0])
        return Constraint(kind, name, local, target, tuple(each.rpartition(".")[2] for each in remote))
    columns = [text(each) for each in made.args]
    known = tuple(each for each in columns if each is not None)
    return Constraint(kind, name, known, complete=not made.open and len(known) == len(columns) and kind != "exclude")


def _condition_words(value: Value | None) -> frozenset[str]:
    written = text(value)
    return words_in(written) if written is not None else frozenset((*names(value), *words_in(source(value))))


def _index(columns: tuple[Value, ...], made: Made, table: Named) -> ops.Index:
    if made.open:
        raise NotKnown("the list of columns")
    known = [found for found in map(plain, columns) if isinstance(found, str)]
    conditions = [value for key, value in made.keywords.items() if key.endswith("_where")]
    expressions = [each for each in columns if not isinstance(plain(each), str)]
    return ops.Index(
        text(made.get(0, "index_name")),
        table,
        tuple(known),
        made.says("unique"),
        frozenset().union(*map(_condition_words, (*expressions, *conditions))),
        partial=bool(conditions),
        computed=bool(expressions),
        concurrently=made.says("postgresql_concurrently"),
    )


# -- rows -----------------------------------------------------------------------------------------------------------


def table_name(value: Value | None) -> Named | None:
    """The name of `sa.table("users", ...)`, `sa.Table("users", ...)`, or what `op.create_table` gives."""
    if isinstance(value, Made) and value.last in ("table", "Table", "TableClause", "create_table"):
        name = text(value.get(0, "name"))
        schema = value.keywords.get("schema")
        if name is not None and (schema is None or plain(schema) is None or text(schema)):
            return Named(name, text(schema))
    return None


def _change(value: Value) -> ChangeRows | None:
    """A statement of SQLAlchemy that writes rows of a table that is known; `None` for any other."""
    start = None
    writes: list[str] | None = []
    where = False
    read: list[Value] = []
    at = value
    while isinstance(at, Made) and (start := _start(at)) is None and isinstance(at.by, Attr):
        if at.by.name == "values":
            found = _written(at)
            writes = None if writes is None or found is None else writes + found
            read += [*at.keywords.values(), *(each for each in at.args if isinstance(each, Pairs))]
        else:
            where = where or at.by.name == "where"
            read += [*at.args, *at.keywords.values()]
        at = at.by.of
    if not isinstance(at, Made) or start is None:
        return None
    does, table = start
    if isinstance(at.by, Attr):  # `users.update(users.c.id == 1)`
        where = where or bool(at.args)
        read += at.args
    return ChangeRows(
        does,
        table,
        None if does == "delete" or not writes else tuple(writes),
        frozenset(name for each in read for name in names(each)),
        frozenset(literals(value)),
        where and does != "insert",
        shown(source(value)),
    )


def _start(made: Made) -> tuple[RowChange, Named] | None:
    """What `users.update()` or `sa.update(users)` begins."""
    does = _CHANGES.get(made.last)
    table = table_name(made.by.of if isinstance(made.by, Attr) else made.args[0] if made.args else None)
    return None if does is None or table is None else (does, table)


def _written(made: Made) -> list[str] | None:
    """Columns that `.values(...)` gives a value to."""
    found = [*made.keywords]
    if made.open:
        return None
    for each in made.args:
        if not isinstance(each, Pairs) or not each.complete:
            return None
        found += [key for key, _ in each.pairs]
    return found


def _bulk_insert(call: Call) -> Operation:
    made = call.made
    name = table_name(made.get(0, "table"))
    if name is None:
        return unknown("rows for a table that is computed", made)
    rows = made.get(1, "rows")
    each_row = rows.items if isinstance(rows, Items) else (rows,)
    known = [row.pairs for row in each_row if isinstance(row, Pairs) and row.complete]
    complete = isinstance(rows, Items) and len(known) == len(each_row)
    writes = tuple(sorted({key for pairs in known for key, _ in pairs})) if complete else None
    return ChangeRows("insert", name, writes, literals=frozenset(literals(rows)), some=False, text=source(made))


def executed(value: Value | None, made: Made, *, result: bool = True) -> tuple[Operation, ...]:
    """What running a statement does: text, or SQLAlchemy's own expression; `result`: what it reads is handed back."""
    written = text(value)
    if written is not None:
        found = operations_in(written)
        return tuple(each._replace(used=each.used or result) if isinstance(each, ops.Query) else each for each in found)
    if value is not None:
        if isinstance(first := root(value), Made) and first.last == "select":
            return (unknown("rows that it reads, and may act on", made),)
        change = _change(value)
        if change is not None:
            return (change,)
    return (unknown("a statement that is computed", made),)


# -- what Alembic does ----------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A call of `op.*`, or of `batch_op.*` with the table that it is about."""

    made: Made
    batch: Named | None

    def get(self, index: int, name: str) -> Value | None:
        """An argument by its place outside a batch, or by its name."""
        shift = 0 if self.batch is None else 1  # the name of the table is left out
        return self.made.get(index - shift, name) if index >= shift else None

    def flag(self, name: str) -> bool:
        """Whether a keyword is set to anything but False or None."""
        value = self.made.keywords.get(name)
        return value is not None and plain(value) not in (False, None)

    def table(self, index: int = 0, name: str = "table_name") -> Named:
        """The table it is about."""
        if self.batch is not None:
            return self.batch
        return _named(self.made.get(index, name), self.made.keywords.get("schema"), "the name of the table")


def operations(name: str, call: Call) -> tuple[Operation, ...]:
    """What one call does; `name` is that of the function. Never raises."""
    reader = (_IN_BATCH if call.batch is not None else _ALONE).get(name)
    if reader is None:
        return (unknown(f"`{name}`, which is no operation of Alembic's own", call.made),)
    if any(isinstance(each, Opaque) for each in call.made.args[:1]) and call.made.open:
        return (unknown("an operation whose arguments are computed", call.made),)
    try:
        found = reader(call)
    except NotKnown as missing:
        return (unknown(f"an operation for which {missing} is computed", call.made),)
    return found if type(found) is tuple else (found,)  # type: ignore[return-value]


def _create_table(call: Call) -> tuple[Operation, ...]:
    created = _table(call.made, call.made.args[1:], call.table(), lenient=call.flag("if_not_exists"))
    enums = [column.type.enum for column in created.columns if column.type and column.type.enum]
    types = [
        ops.CreateEnum(enum.name, enum.labels, lenient=True)
        for enum in enums
        if enum.name and enum.creates and enum.native
    ]
    return (*types, created)


def _rename_table(call: Call) -> Operation:
    old = call.table(0, "old_table_name")
    new = _needed(call.made.get(1, "new_table_name"), "the new name")
    return ops.Rename("table", old, Named(new, old.schema))


def _add_column(call: Call) -> Operation:
    added = _column(call.get(1, "column"), call.table())
    # Without this, Alembic (but for 1.18.2 and 1.18.3) makes no key of the new column, whatever that declares.
    if added.column.primary_key and call.flag("inline_primary_key"):
        key = Constraint("primary key", None, (added.column.name,))
        added = added._replace(constraints=(key, *added.constraints))
    return added._replace(lenient=call.flag("if_not_exists"))


def _drop_column(call: Call) -> Operation:
    name = _needed(call.get(1, "column_name"), "the name of the column")
    return ops.DropColumn(call.table(), name, call.flag("if_exists"))


def _alter_column(call: Call) -> Operation:
    table, name = call.table(), _needed(call.get(1, "column_name"), "the name of the column")
    given = call.made.keywords
    new = given.get("new_column_name", given.get("name"))
    nullable = plain(given.get("nullable"))
    using = given.get("postgresql_using")
    if call.made.open:
        raise NotKnown("what changes")
    return ops.AlterColumn(
        table,
        name,
        None if new is None or plain(new) is None else _needed(new, "the new name"),
        _type(given.get("type_")),
        nullable if isinstance(nullable, bool) else None,
        tuple((key.rstrip("_"), source(given[key])) for key in _PROPERTIES if key in given),
        None if using is None else _condition_words(using),
    )


def _create_index(call: Call) -> Operation:
    table = call.table(1)
    columns = call.get(2, "columns")
    if columns is None or (not isinstance(columns, Items) and text(columns) is None):
        raise NotKnown("the list of columns")
    index = _index(columns.items if isinstance(columns, Items) else (columns,), call.made, table)
    if index.name is None and plain(call.made.get(0, "index_name")) is not None:
        raise NotKnown("the name of the index")
    return ops.CreateIndex(index, call.flag("if_not_exists"))


def _drop_index(call: Call) -> Operation:
    name = _needed(call.made.get(0, "index_name"), "the name of the index")
    table, schema = call.batch, text(call.made.keywords.get("schema"))
    if table is not None:
        schema = table.schema
    elif plain(call.made.get(1, "table_name")) not in (None, ...):
        table = call.table(1)
    return ops.DropIndex(Named(name, schema), table, call.flag("if_exists"), call.flag("postgresql_concurrently"))


def _constraint_name(call: Call) -> str | None:
    value = call.made.get(0, "constraint_name")
    return None if value is None or plain(value) is None else _needed(value, "the name of the constraint")


def _create_key(call: Call, kind: ConstraintKind) -> Operation:
    return _create_constraint(call, kind, _listed(call.get(2, "columns")))


def _create_constraint(
    call: Call, kind: ConstraintKind, columns: tuple[str, ...] = (), terms: Iterable[Value | None] = ()
) -> Operation:
    table, name = call.table(1), _constraint_name(call)
    words = frozenset[str]().union(*map(_condition_words, terms))
    return ops.CreateConstraint(table, Constraint(kind, name, columns, words=words, complete=kind != "exclude"))


def _create_foreign(call: Call) -> Operation:
    given = call.made.keywords
    own = call.batch or _named(call.made.get(1, "source_table"), given.get("source_schema"), "the name of the table")
    target = _named(call.get(2, "referent_table"), given.get("referent_schema"), "the name of the other table")
    local, remote = _listed(call.get(3, "local_cols")), _listed(call.get(4, "remote_cols"))
    return ops.CreateConstraint(own, Constraint("foreign key", _constraint_name(call), local, target, remote))


def _drop_constraint(call: Call) -> Operation:
    name = _needed(call.made.get(0, "constraint_name"), "the name of the constraint")
    kind = text(call.get(2, "type_"))
    return ops.DropConstraint(call.table(1), name, _TYPES.get(kind or ""), call.flag("if_exists"))


_Reader = Callable[[Call], "Operation | tuple[Operation, ...]"]

_IN_BATCH: dict[str, _Reader] = {
    "add_column": _add_column,
    "alter_column": _alter_column,
    "drop_column": _drop_column,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_unique_constraint": lambda call: _create_key(call, "unique"),
    "create_primary_key": lambda call: _create_key(call, "primary key"),
    "create_check_constraint": lambda call: _create_constraint(call, "check", terms=[call.get(2, "condition")]),
    "create_exclude_constraint": lambda call: _create_constraint(call, "exclude", terms=call.made.args),
    "create_foreign_key": _create_foreign,
    "drop_constraint": _drop_constraint,
    "create_table_comment": lambda call: ops.CommentTable(call.table(), source(call.get(1, "comment"))),
    "drop_table_comment": lambda call: ops.CommentTable(call.table(), None),
    "execute": lambda call: executed(call.made.get(0, "sqltext"), call.made, result=False),
}
_ALONE: dict[str, _Reader] = {
    **_IN_BATCH,
    "create_table": _create_table,
    "drop_table": lambda call: ops.Drop("table", call.table(), call.flag("if_exists")),
    "rename_table": _rename_table,
    "bulk_insert": _bulk_insert,
}

WITHOUT_RECREATION = ("add_column", "create_index", "drop_index", "execute")
"""What a batch does on SQLite without making the table anew (`requires_recreate_in_batch` of Alembic)."""


def batch_of(made: Made) -> ops.Batch:
    """`op.batch_alter_table(...)`; whether it recreates shows only at its end. Raises `NotKnown` without a name."""
    recreate = text(made.get(2, "recreate")) or "auto"
    table = _named(made.get(0, "table_name"), made.get(1, "schema"), "the name of the table")
    copied = made.get(4, "copy_from")
    return ops.Batch(table, recreate, recreate == "always", copied is not None and plain(copied) is not None)


def table_operation(of: Made, table: Named, method: str, made: Made) -> Operation:
    """`sa.Table(...).create(bind)` and `.drop(bind)`."""
    lenient = plain(made.get(1, "checkfirst")) is True
    if method == "drop":
        return ops.Drop("table", table, lenient)
    return _table(of, of.args[2:], table, lenient=lenient)


def enum_operation(of: Made, method: str, made: Made) -> Operation | None:
    """`sa.Enum(...).create(bind)` and `.drop(bind)`; `None` for an enum without a name."""
    declared = _enum(of)
    if declared.name is None:
        return None
    # SQLAlchemy's own Enum creates without looking; PostgreSQL's ENUM looks first.
    lenient = plain(made.get(1, "checkfirst") or Const(of.last == "ENUM")) is not False
    if method == "drop":
        return ops.Drop("type", declared.name, lenient)
    return ops.CreateEnum(declared.name, declared.labels, lenient)

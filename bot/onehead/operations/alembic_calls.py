"""`op.*` and `batch_op.*` → operations, with the parameters that Alembic gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from onehead.operations import model as ops
from onehead.operations import sqlalchemy_items
from onehead.operations.model import ConstraintKind, Named, Operation
from onehead.operations.sql import operations_in
from onehead.operations.sql_tokens import shown, words_in
from onehead.operations.sqlalchemy_items import NotKnown, named, needed
from onehead.operations.values import Const, Made, Opaque, Value, plain, root, source, strings, text
from onehead.revisions.parsers import unparsed

_TYPES: dict[str, ConstraintKind] = {
    "foreignkey": "foreign key",
    "unique": "unique",
    "check": "check",
    "primary": "primary key",
}
_PROPERTIES = ("type_", "nullable", "server_default", "comment", "autoincrement")


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
        return named(self.made.get(index, name), self.made.keywords.get("schema"), "the name of the table")


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


def unknown(why: str, made: Made) -> ops.Unknown:
    """Something that can't be known, with its source."""
    written = unparsed(made.node)
    return ops.Unknown(why, shown(written), words_in(written))


def executed(value: Value | None, made: Made, *, result: bool = True) -> tuple[Operation, ...]:
    """What running a statement does: text, or SQLAlchemy's own expression; `result`: what it reads is handed back."""
    written = text(value)
    if written is not None:
        found = operations_in(written)
        return tuple(each._replace(used=each.used or result) if isinstance(each, ops.Query) else each for each in found)
    if value is not None:
        if isinstance(first := root(value), Made) and first.last == "select":
            return (unknown("rows that it reads, and may act on", made),)
        change = sqlalchemy_items.change(value)
        if change is not None:
            return (change._replace(text=shown(change.text)),)
    return (unknown("a statement that is computed", made),)


def _create_table(call: Call) -> tuple[Operation, ...]:
    table = call.table()
    found = sqlalchemy_items.body(call.made.args[1:], table)
    types = [
        ops.CreateEnum(column.type.enum.name, column.type.enum.labels, lenient=True)
        for column in found.columns
        if column.type and column.type.enum and column.type.enum.name
        if column.type.enum.creates and column.type.enum.native
    ]
    return (*types, _created(call.made, found, table, lenient=call.flag("if_not_exists")))


def _created(made: Made, found: sqlalchemy_items.TableItems, table: Named, *, lenient: bool) -> Operation:
    complete, temporary = found.complete and not made.open, sqlalchemy_items.is_temporary(made.keywords.get("prefixes"))
    return ops.CreateTable(table, found.columns, found.constraints, found.indexes, lenient, complete, temporary)


def _rename_table(call: Call) -> Operation:
    old = call.table(0, "old_table_name")
    return ops.Rename("table", old, Named(needed(call.made.get(1, "new_table_name"), "the new name"), old.schema))


def _add_column(call: Call) -> Operation:
    table = call.table()
    found = sqlalchemy_items.column(call.get(1, "column"), table)
    return ops.AddColumn(table, found.column, found.constraints, found.indexes, call.flag("if_not_exists"))


def _drop_column(call: Call) -> Operation:
    name = needed(call.get(1, "column_name"), "the name of the column")
    return ops.DropColumn(call.table(), name, call.flag("if_exists"))


def _alter_column(call: Call) -> Operation:
    table, name = call.table(), needed(call.get(1, "column_name"), "the name of the column")
    given = call.made.keywords
    new = given.get("new_column_name", given.get("name"))
    nullable = plain(given.get("nullable"))
    using = given.get("postgresql_using")
    changes = tuple((key.rstrip("_"), source(given[key])) for key in _PROPERTIES if key in given)
    if call.made.open:
        raise NotKnown("what changes")
    return ops.AlterColumn(
        table,
        name,
        None if new is None or plain(new) is None else needed(new, "the new name"),
        sqlalchemy_items.type_of(given.get("type_")),
        nullable if isinstance(nullable, bool) else None,
        changes,
        None if using is None else sqlalchemy_items.condition_words(using),
    )


def _create_index(call: Call) -> Operation:
    table = call.table(1)
    columns = call.get(2, "columns")
    listed = getattr(columns, "items", None)
    if listed is None:
        written = text(columns)
        if written is None or columns is None:
            raise NotKnown("the list of columns")
        listed = (columns,)
    index = sqlalchemy_items.index(listed, call.made, table)
    if index.name is None and plain(call.made.get(0, "index_name")) is not None:
        raise NotKnown("the name of the index")
    return ops.CreateIndex(index, call.flag("if_not_exists"))


def _drop_index(call: Call) -> Operation:
    name = needed(call.made.get(0, "index_name"), "the name of the index")
    written = call.batch or call.made.get(1, "table_name")
    table = call.batch
    if isinstance(written, Named):
        schema = written.schema
    else:
        schema = text(call.made.keywords.get("schema"))
        table = None if plain(written) in (None, ...) else call.table(1)
    return ops.DropIndex(Named(name, schema), table, call.flag("if_exists"), call.flag("postgresql_concurrently"))


def _constraint_name(call: Call) -> str | None:
    value = call.made.get(0, "constraint_name")
    return None if value is None or plain(value) is None else needed(value, "the name of the constraint")


def _columns(value: Value | None) -> tuple[str, ...]:
    found = strings(value)
    if found is None:
        raise NotKnown("the list of columns")
    return found


def _create_key(call: Call, kind: ConstraintKind) -> Operation:
    columns = _columns(call.get(2, "columns"))
    return ops.CreateConstraint(call.table(1), ops.Constraint(kind, _constraint_name(call), columns))


def _create_check(call: Call) -> Operation:
    words = sqlalchemy_items.condition_words(call.get(2, "condition"))
    return ops.CreateConstraint(call.table(1), ops.Constraint("check", _constraint_name(call), words=words))


def _create_exclude(call: Call) -> Operation:
    words = frozenset(word for each in call.made.args for word in sqlalchemy_items.condition_words(each))
    return ops.CreateConstraint(
        call.table(1), ops.Constraint("exclude", _constraint_name(call), words=words, complete=False)
    )


def _create_foreign(call: Call) -> Operation:
    given = call.made.keywords
    own = call.batch or named(call.made.get(1, "source_table"), given.get("source_schema"), "the name of the table")
    target = named(call.get(2, "referent_table"), given.get("referent_schema"), "the name of the other table")
    local, remote = _columns(call.get(3, "local_cols")), _columns(call.get(4, "remote_cols"))
    return ops.CreateConstraint(own, ops.Constraint("foreign key", _constraint_name(call), local, target, remote))


def _drop_constraint(call: Call) -> Operation:
    name = needed(call.made.get(0, "constraint_name"), "the name of the constraint")
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
    "create_check_constraint": _create_check,
    "create_exclude_constraint": _create_exclude,
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
    "bulk_insert": lambda call: (
        sqlalchemy_items.bulk(call.made) or unknown("rows for a table that is computed", call.made)
    ),
}

WITHOUT_RECREATION = ("add_column", "create_index", "drop_index", "execute")
"""What a batch does on SQLite without making the table anew (`requires_recreate_in_batch` of Alembic)."""


def batch_of(made: Made) -> ops.Batch:
    """`op.batch_alter_table(...)`; whether it recreates shows only at its end.

    Raises:
        NotKnown: the name of the table is not known.
    """
    recreate = text(made.get(2, "recreate")) or "auto"
    table = named(made.get(0, "table_name"), made.get(1, "schema"), "the name of the table")
    copied = made.get(4, "copy_from")
    return ops.Batch(table, recreate, recreate == "always", copied is not None and plain(copied) is not None)


def table_operation(of: Made, table: Named, method: str, made: Made) -> Operation:
    """`sa.Table(...).create(bind)` and `.drop(bind)`."""
    lenient = plain(made.get(1, "checkfirst")) is True
    if method == "drop":
        return ops.Drop("table", table, lenient)
    return _created(of, sqlalchemy_items.body(of.args[2:], table), table, lenient=lenient)


def enum_operation(of: Made, method: str, made: Made) -> Operation | None:
    """`sa.Enum(...).create(bind)` and `.drop(bind)`; `None` for an enum without a name."""
    declared = sqlalchemy_items.enum(of)
    if declared.name is None:
        return None
    # SQLAlchemy's own Enum creates without looking; PostgreSQL's ENUM looks first.
    lenient = plain(made.get(1, "checkfirst") or Const(of.last == "ENUM")) is not False
    if method == "drop":
        return ops.Drop("type", declared.name, lenient)
    return ops.CreateEnum(declared.name, declared.labels, lenient)

"""SQLAlchemy objects in a migration → columns, constraints, indexes, enums, and changes of rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from onehead.operations.model import ChangeRows, Column, Constraint, ConstraintKind, Enum, Index, Named, Type
from onehead.operations.sql_tokens import words_in
from onehead.operations.values import (
    Attr,
    Choice,
    Const,
    Items,
    Made,
    Pairs,
    Path,
    Value,
    literals,
    names,
    plain,
    source,
    strings,
    text,
)

_CONSTRAINTS: dict[str, ConstraintKind] = {
    "PrimaryKeyConstraint": "primary key",
    "UniqueConstraint": "unique",
    "CheckConstraint": "check",
    "ForeignKeyConstraint": "foreign key",
    "ExcludeConstraint": "exclude",
}
_ENUMS = ("Enum", "ENUM")


class NotKnown(Exception):
    """Something that has to be known is not; the argument names it, as a noun phrase."""


class DeclaredColumn(NamedTuple):
    """A column with what it declares about its table."""

    column: Column
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()


class TableItems(NamedTuple):
    """The items of a table; `complete` when all of it could be read."""

    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[Index, ...]
    complete: bool


def needed(value: Value | None, what: str) -> str:
    """A name that has to be known.

    Raises:
        NotKnown: it is not.
    """
    found = text(value)
    if found is None:
        raise NotKnown(what)
    return found


def named(value: Value | None, schema: Value | None, what: str) -> Named:
    """A name with its schema.

    Raises:
        NotKnown: either is not known.
    """
    return Named(needed(value, what), None if plain(schema) is None or schema is None else needed(schema, "the schema"))


def body(items: Iterable[Value], table: Named) -> TableItems:
    """Read the columns and constraints of a table."""
    columns: list[Column] = []
    constraints: list[Constraint] = []
    indexes: list[Index] = []
    complete = True
    for item in items:
        try:
            match item:
                case Made() as made if made.last == "Column":
                    found = column(made, table)
                    columns.append(found.column)
                    constraints += found.constraints
                    indexes += found.indexes
                case Made() as made if made.last in _CONSTRAINTS:
                    constraints.append(constraint(made))
                case Made() as made if made.last == "Index":
                    indexes.append(index(made.args, made, table))
                case Made() as made if made.last in ("Comment", "Sequence"):
                    pass
                case _:
                    complete = False
        except NotKnown:
            complete = False
    return TableItems(tuple(columns), tuple(constraints), tuple(indexes), complete)


def is_temporary(prefixes: Value | None) -> bool:
    """Whether `prefixes=` of a table make it one that goes with its connection."""
    return any("temp" in word.lower() for word in strings(prefixes) or ())


def column(value: Value | None, table: Named) -> DeclaredColumn:
    """Read `sa.Column(...)`.

    Raises:
        NotKnown: it is not written out, or has no plain name.
    """
    if not isinstance(value, Made) or value.last != "Column":
        raise NotKnown("the column")
    name = needed(value.get(0, "name"), "the name of the column")
    items = value.args[1:]
    kind = value.keywords.get("type_")
    if kind is None and items and not _is_item(items[0]):
        kind, items = items[0], items[1:]
    primary = plain(value.keywords.get("primary_key")) is True
    nullable = plain(value.keywords.get("nullable", Const(not primary)))
    default = value.keywords.get("server_default")
    for item in items:
        if isinstance(item, Made) and item.last in ("Identity", "Computed"):
            default = item
    constraints = [_foreign_key(item, name) for item in items if isinstance(item, Made) and item.last == "ForeignKey"]
    indexes = []
    if plain(value.keywords.get("index")) is True:
        indexes.append(Index(None, table, (name,), plain(value.keywords.get("unique")) is True))
    elif plain(value.keywords.get("unique")) is True:
        constraints.append(Constraint("unique", None, (name,)))
    comment = plain(value.keywords.get("comment"))
    return DeclaredColumn(
        Column(
            name,
            type_of(kind),
            nullable=nullable if isinstance(nullable, bool) else None,
            server_default=None if default is None or plain(default) is None else source(default),
            primary_key=primary,
            comment=comment if isinstance(comment, str) else None,
        ),
        tuple(constraints),
        tuple(indexes),
    )


def _is_item(value: Value) -> bool:
    """Something that may be in the place of a type: `Column("x", ForeignKey("t.id"))`."""
    return isinstance(value, Made) and (
        value.last in ("ForeignKey", "Identity", "Computed", "Sequence", "FetchedValue") or value.last in _CONSTRAINTS
    )


def _foreign_key(made: Made, column_name: str) -> Constraint:
    name = text(made.keywords.get("name"))
    target = text(made.get(0, "column"))
    if target is None or "." not in target:
        return Constraint("foreign key", name, (column_name,), complete=False)
    table, _, remote = target.rpartition(".")
    return Constraint("foreign key", name, (column_name,), _table_named(table), (remote,))


def _table_named(written: str) -> Named:
    schema, _, name = written.rpartition(".")
    return Named(name, schema or None)


def type_of(value: Value | None) -> Type | None:
    """Read a type: `sa.Integer()`, `sa.Integer`, `sa.Enum(...)`."""
    match value:
        case None:
            return None
        case Made() as made if made.last == "with_variant" and isinstance(made.by, Attr):
            inner = type_of(made.by.of)
            return None if inner is None else inner._replace(text=source(made))
        case Made(args=(Made() as inner, *_)) as made if made.last == "ARRAY" and inner.last in _ENUMS:
            return Type(made.last, source(made), enum(inner)._replace(creates=False))
        case Made() as made:
            return Type(made.last, source(made), enum(made) if made.last in _ENUMS else None)
        case Path() as path:
            return Type(path.last, f"{path.last}()")
        case Attr(name=name):
            return Type(name, f"{name}()")
    return Type("", source(value)) if source(value) else None


def enum(made: Made) -> Enum:
    """Read `sa.Enum("a", "b", name="e")`; a class of the file gives its members."""
    labels: tuple[str, ...] | None
    match made.args:
        case (Choice(labels=members),):
            labels = None if "values_callable" in made.keywords else members
        case _:
            found = [text(each) for each in made.args]
            labels = None if made.open or None in found else tuple(each for each in found if each is not None)
    if not labels:
        labels = None
    name = text(made.keywords.get("name"))
    schema = text(made.keywords.get("schema"))
    return Enum(
        None if name is None else Named(name, schema),
        labels,
        creates=plain(made.keywords.get("create_type")) is not False,
        native=plain(made.keywords.get("native_enum")) is not False,
    )


def constraint(made: Made) -> Constraint:
    """Read a constraint that is written beside the columns."""
    kind = _CONSTRAINTS[made.last]
    name = text(made.keywords.get("name"))
    if kind == "check":
        return Constraint(kind, name, words=condition_words(made.get(0, "sqltext")))
    if kind == "foreign key":
        local, remote = strings(made.get(0, "columns")), strings(made.get(1, "refcolumns"))
        if local is None or not remote or any("." not in each for each in remote):
            return Constraint(kind, name, local or (), complete=False)
        target = _table_named(remote[0].rpartition(".")[0])
        return Constraint(kind, name, local, target, tuple(each.rpartition(".")[2] for each in remote))
    columns = [text(each) for each in made.args]
    known = tuple(each for each in columns if each is not None)
    return Constraint(kind, name, known, complete=not made.open and len(known) == len(columns) and kind != "exclude")


def condition_words(value: Value | None) -> frozenset[str]:
    """The names in a condition, written as text or as an expression."""
    written = text(value)
    return words_in(written) if written is not None else frozenset((*names(value), *words_in(source(value))))


def index(columns: Iterable[Value], made: Made, table: Named) -> Index:
    """Read the columns and options of an index.

    Raises:
        NotKnown: its columns are not written out.
    """
    if made.open:
        raise NotKnown("the list of columns")
    name = plain(made.get(0, "index_name"))
    listed = list(columns)[1:] if made.last == "Index" else list(columns)
    known, words = [], set[str]()
    for each in listed:
        plain_name = plain(each)
        if isinstance(plain_name, str):
            known.append(plain_name)
        else:
            words |= condition_words(each)
    conditions = [made.keywords[key] for key in made.keywords if key.endswith("_where")]
    for each in conditions:
        words |= condition_words(each)
    return Index(
        text(made.get(0, "index_name")) if name is not None else None,
        table,
        tuple(known),
        plain(made.keywords.get("unique")) is True,
        frozenset(words),
        partial=bool(conditions),
        computed=len(known) < len(listed),
        concurrently=plain(made.keywords.get("postgresql_concurrently")) is True,
    )


_CHANGES: dict[str, Literal["insert", "update", "delete"]] = {
    "insert": "insert",
    "update": "update",
    "delete": "delete",
}


def change(value: Value) -> ChangeRows | None:
    """A statement of SQLAlchemy that writes rows of a table that is known; `None` for any other."""
    does: Literal["insert", "update", "delete"] | None = None
    table: Named | None = None
    writes: list[str] | None = []
    where = False
    reads: set[str] = set()
    at = value
    while isinstance(at, Made):
        match at:
            case Made(by=Attr(of=of, name=name)) if name in _CHANGES and table_name(of):
                does, table = _CHANGES[name], table_name(of)
                reads |= {found for each in at.args for found in names(each)}
                where = where or bool(at.args)
                break
            case Made(by=Path() as path, args=(first, *_)) if path.last in _CHANGES and table_name(first):
                does, table = _CHANGES[path.last], table_name(first)
                break
            case Made(by=Attr(of=of, name=name)):
                if name == "values":
                    writes = None if writes is None else _written(at, writes)
                    reads |= {found for each in at.keywords.values() for found in names(each)}
                    reads |= {found for each in at.args if isinstance(each, Pairs) for found in names(each)}
                else:
                    where = where or name == "where"
                    reads |= {found for each in (*at.args, *at.keywords.values()) for found in names(each)}
                at = of
            case _:
                return None
    if does is None or table is None:
        return None
    if does == "insert":
        where = False
    return ChangeRows(
        does,
        table,
        None if does == "delete" or not writes else tuple(writes),
        frozenset(reads),
        frozenset(literals(value)),
        where,
        source(value),
    )


def _written(made: Made, writes: list[str]) -> list[str] | None:
    """Columns that `.values(...)` gives a value to."""
    found = [*writes, *made.keywords]
    if made.open:
        return None
    for each in made.args:
        if not isinstance(each, Pairs) or not each.complete:
            return None
        found += [key for key, _ in each.pairs]
    return found


def table_name(value: Value) -> Named | None:
    """The name of `sa.table("users", ...)`, `sa.Table("users", ...)`, or what `op.create_table` gives."""
    if isinstance(value, Made) and value.last in ("table", "Table", "TableClause", "create_table"):
        name = text(value.get(0, "name"))
        schema = value.keywords.get("schema")
        if name is not None and (schema is None or plain(schema) is None or text(schema)):
            return Named(name, text(schema))
    return None


def bulk(made: Made) -> ChangeRows | None:
    """`op.bulk_insert(table, rows)`; `None` where the table is not known."""
    table = made.get(0, "table")
    name = None if table is None else table_name(table)
    if name is None:
        return None
    rows = made.get(1, "rows")
    writes: set[str] | None = set()
    for row in rows.items if isinstance(rows, Items) else (None,):
        if isinstance(row, Pairs) and row.complete and writes is not None:
            writes |= {key for key, _ in row.pairs}
        else:
            writes = None
    return ChangeRows(
        "insert",
        name,
        None if writes is None else tuple(sorted(writes)),
        literals=frozenset(literals(rows)),
        some=False,
        text=source(made),
    )

"""What an operation touches: the things it creates, drops, sets and uses, each under one name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from onehead.operations import operation as ops

Thing = tuple[str, ...]
"""Its kind, then its names from the outside in, in lower case: `("column", "", "users", "age")`.

Tables, views, sequences and indexes are all of the kind `relation`, as databases give them one space of names.
"""

Verb = Literal["create", "replace", "drop", "set", "use"]
"""`replace`: dropped or renamed, and created again under the same name, by one side."""


class Touch(NamedTuple):
    """One thing that an operation touches.

    Attributes:
        verb: how.
        thing: what.
        value: for `create` and `set`: what it becomes; equal values leave no difference.
        lenient: for `create` and `drop`: nothing happens where it is there already, or gone.
        replaces: for `create`: one that is there already is replaced.
        renames: for `drop`: it goes on under another name, and what stands on it goes along.
        hold: for `use`: what is made stands on it from then on, so that it can't be dropped alone: `key` for a
            foreign key, `view`, `type` for a column of an enum, `index`.
        named: for `use`: it is named as what it is; else a word that may mean it.
    """

    verb: Verb
    thing: Thing
    value: str | None = None
    lenient: bool = False
    replaces: bool = False
    renames: bool = False
    hold: str = ""
    named: bool = True


def schema_of(named: ops.Named) -> str:
    """The schema as it is compared: none and `public` are one, since projects write both for the same place."""
    return "" if named.schema in (None, "public") else str(named.schema).lower()


def relation(named: ops.Named) -> Thing:
    """A table, view, sequence or index."""
    return ("relation", schema_of(named), named.name.lower())


def column(table: ops.Named, name: str) -> Thing:
    """A column of a table."""
    return ("column", schema_of(table), table.name.lower(), name.lower())


def enum(named: ops.Named) -> Thing:
    """An enum type."""
    return ("enum", schema_of(named), named.name.lower())


def label(named: ops.Named, text: str) -> Thing:
    """A label of an enum type."""
    return ("label", schema_of(named), named.name.lower(), text)


def _part(kind: str, table: ops.Named, *names: str) -> Thing:
    return (kind, schema_of(table), table.name.lower(), *(name.lower() for name in names))


def inside(thing: Thing) -> Thing | None:
    """The table that a column, constraint or property is part of, or the type of a label."""
    match thing[0]:
        case "column" | "constraint" | "property" | "primary key" | "comment":
            return ("relation", *thing[1:3])
        case "label":
            return ("enum", *thing[1:3])
    return None


def touches(operation: ops.Operation) -> tuple[Touch, ...]:
    """Everything that one operation touches; nothing for `Unknown`, about which nothing is known."""
    return tuple(_touches(operation))


def _touches(operation: ops.Operation) -> Iterator[Touch]:
    match operation:
        case ops.CreateTable():
            yield from _table(operation)
        case ops.DropTable(table=table, lenient=lenient):
            yield Touch("drop", relation(table), lenient=lenient)
        case ops.RenameTable(table=table, new=new):
            yield Touch("drop", relation(table), renames=True)
            yield Touch("create", relation(new))
        case ops.AddColumn(table=table, column=added):
            yield Touch("use", relation(table))
            yield Touch("create", column(table, added.name), _shape(added), operation.lenient)
            yield from _type(added)
            yield from _constraints(table, operation.constraints, own=frozenset({added.name.lower()}))
            yield from _indexes(operation.indexes, own=frozenset({added.name.lower()}))
        case ops.DropColumn(table=table, column=name, lenient=lenient):
            yield Touch("use", relation(table))
            yield Touch("drop", column(table, name), lenient=lenient)
        case ops.AlterColumn():
            yield from _altered(operation)
        case ops.CreateIndex(definition=index, lenient=lenient):
            yield from _indexes((index,), lenient=lenient)
        case ops.DropIndex(name=named, table=table, lenient=lenient):
            yield Touch("drop", relation(named), lenient=lenient)
            if table is not None:
                yield Touch("use", relation(table))
        case ops.CreateConstraint(table=table, constraint=constraint):
            yield Touch("use", relation(table))
            yield from _constraints(table, (constraint,))
        case ops.DropConstraint(table=table, name=name, lenient=lenient):
            yield Touch("use", relation(table))
            yield Touch("drop", _part("constraint", table, name), lenient=lenient)
        case _:
            yield from _rarer(operation)


def _rarer(operation: ops.Operation) -> Iterator[Touch]:
    match operation:
        case ops.CommentTable(table=table, comment=comment):
            yield Touch("use", relation(table))
            yield Touch("set", _part("comment", table), str(comment))
        case ops.CreateOther():
            yield from _other(operation)
        case ops.DropOther(kind=kind, name=named, lenient=lenient):
            yield Touch("drop", _named(kind, named), lenient=lenient)
        case ops.ChangeRows(table=table, words=words, writes=writes):
            yield Touch("use", relation(table))
            for name in writes or ():
                yield Touch("use", column(table, name))
            for word in sorted(words):
                yield Touch("use", column(table, word), named=False)
                yield Touch("use", relation(ops.Named(word)), named=False)
        case ops.Batch(table=table):
            yield Touch("use", relation(table))
        case _:
            yield from _enums(operation)


def _enums(operation: ops.Operation) -> Iterator[Touch]:
    match operation:
        case ops.CreateEnum(enum=named, labels=labels, lenient=lenient):
            yield Touch("create", enum(named), None if labels is None else repr(labels), lenient)
        case ops.DropEnum(enum=named, lenient=lenient):
            yield Touch("drop", enum(named), lenient=lenient)
        case ops.RenameEnum(enum=named, new=new):
            yield Touch("drop", enum(named), renames=True)
            yield Touch("create", enum(new))
        case ops.AddLabel(enum=named, label=text, lenient=lenient):
            yield Touch("use", enum(named))
            yield Touch("create", label(named, text), text, lenient)
        case ops.RenameLabel(enum=named, label=text, new=new_text):
            yield Touch("use", enum(named))
            yield Touch("drop", label(named, text), renames=True)
            yield Touch("create", label(named, new_text))


def _named(kind: str, named: ops.Named) -> Thing:
    if kind in ("view", "materialized view", "sequence"):
        return relation(named)
    return (kind, schema_of(named), named.name.lower())


def _other(operation: ops.CreateOther) -> Iterator[Touch]:
    thing = _named(operation.kind, operation.name)
    yield Touch("create", thing, operation.text, operation.lenient, operation.replaces)
    if operation.table is not None:
        yield Touch("use", relation(operation.table))
    if operation.kind in ("view", "materialized view"):
        for word in sorted(operation.words):
            yield Touch("use", relation(ops.Named(word)), hold="view")
            # Which of its tables has the column is not known; `verdict` asks for the table too.
            yield Touch("use", ("word", word.lower()), hold="view")


def _table(operation: ops.CreateTable) -> Iterator[Touch]:
    table = operation.table
    shape = repr((operation.columns, operation.constraints, operation.indexes)) if operation.complete else None
    yield Touch("create", relation(table), shape, operation.lenient)
    for each in operation.columns:
        yield from _type(each)
    yield from _constraints(table, operation.constraints, own=None)
    yield from _indexes(operation.indexes, own=None)


def _type(declared: ops.Column) -> Iterator[Touch]:
    kind: ops.Enum | None = declared.type.enum if declared.type else None
    if kind is not None and kind.name is not None and kind.native:
        yield Touch("use", enum(kind.name), hold="type")


def _constraints(
    table: ops.Named, constraints: Iterable[ops.Constraint], own: frozenset[str] | None = frozenset()
) -> Iterator[Touch]:
    """Constraints; `own` columns come with them (`None`: all of them)."""
    for each in constraints:
        if each.name is not None:
            yield Touch("create", _part("constraint", table, each.name))
        if each.kind == "primary key" and own is not None:
            yield Touch("create", _part("primary key", table))
        for name in each.columns if own is not None else ():
            if own is not None and name.lower() not in own:
                yield Touch("use", column(table, name), hold="constraint")
        for word in sorted(each.words) if own is not None else ():
            yield Touch("use", column(table, word), hold="constraint", named=False)
        if each.target is not None:
            yield Touch("use", relation(each.target), hold="key")
            for name in each.target_columns:
                yield Touch("use", column(each.target, name), hold="key")


def _indexes(
    indexes: Iterable[ops.Index], own: frozenset[str] | None = frozenset(), *, lenient: bool = False
) -> Iterator[Touch]:
    for each in indexes:
        written = each.name or f"ix_{each.table.name}_{'_'.join(each.columns)}"
        value = repr(each._replace(concurrently=False))
        yield Touch("create", relation(ops.Named(written, each.table.schema)), value, lenient)
        if own is None:
            continue
        yield Touch("use", relation(each.table))
        for name in each.columns:
            if name.lower() not in own:
                yield Touch("use", column(each.table, name), hold="index")
        for word in sorted(each.words):
            yield Touch("use", column(each.table, word), hold="index", named=False)


def _altered(operation: ops.AlterColumn) -> Iterator[Touch]:
    table, name = operation.table, operation.column
    yield Touch("use", relation(table))
    yield Touch("use", column(table, name))
    if operation.new_name is not None and operation.new_name.lower() != name.lower():
        yield Touch("drop", column(table, name), renames=True)
        yield Touch("create", column(table, operation.new_name))
    for property_name, value in operation.changes:
        yield Touch("set", _part("property", table, name, property_name), value)
    if operation.type is not None and operation.type.enum is not None and operation.type.enum.name is not None:
        yield Touch("use", enum(operation.type.enum.name), hold="type")
    for word in sorted(operation.using or ()):
        yield Touch("use", column(table, word), named=False)


def _shape(declared: ops.Column) -> str:
    return repr(declared)

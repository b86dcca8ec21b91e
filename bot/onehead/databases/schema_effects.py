"""What each revision changes in a schema, and what an inspection of a database finds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.operations import model as ops

ThingKind = Literal["table", "column", "index", "constraint", "type", "label"]

Dialect = Literal["postgresql", "sqlite", "mysql", "mariadb"]


class Thing(NamedTuple):
    """Something that a schema may hold.

    `of`: the table it stands on, or the enum type that a label belongs to; empty for tables and types, and for an index
    whose table is not known. `schema` is that of the table or type; empty for the default one.
    """

    kind: ThingKind
    name: str
    of: str = ""
    schema: str = ""

    def __str__(self) -> str:
        owner = f"{self.schema}.{self.of}" if self.schema and self.of else self.of
        match self.kind:
            case "column":
                return f"column {owner}.{self.name}"
            case "label":
                return f"label {self.name} of type {owner}"
            case _ if self.of:
                return f"{self.kind} {self.name} on {owner}"
            case _:
                return f"{self.kind} {self.schema}.{self.name}" if self.schema else f"{self.kind} {self.name}"


class SchemaEffect(NamedTuple):
    """One thing that a revision makes or takes away.

    Attributes:
        there: it is there afterwards; else it is gone.
        lenient: where that is so already, nothing happens and nothing fails (`IF NOT EXISTS`).
        sure: it happens whenever the revision runs; `False` inside an `if` or a loop.
        implied: it comes with another thing (the columns of a table that is created), so it shows nothing by itself.
        line: 1-based line of the revision file.
        columns: what an index or constraint stands on: it may go when one of these goes.
        fragile: SQLite's batch mode may lose it where it makes the table anew.
    """

    thing: Thing
    there: bool
    lenient: bool = False
    sure: bool = True
    implied: bool = False
    line: int = 0
    columns: tuple[str, ...] = ()
    fragile: bool = False


class UnseenStep(NamedTuple):
    """Something that a revision does and nobody can see afterwards.

    `text` is its source. `unread`: it was not understood, so it may have made, renamed or taken away anything. `at`:
    how many effects of the revision come before it.
    """

    line: int
    text: str
    unread: bool = False
    at: int = 0


class SchemaEffects(NamedTuple):
    """What one revision leaves.

    `left` is in the order in which it happens. `renamed`: tables, columns and types that get another name: old and new.
    `rebuilt`: tables that SQLite's batch mode makes anew. `unseen`: what can't be seen afterwards: data, raw SQL, calls
    of helpers.
    """

    left: tuple[SchemaEffect, ...] = ()
    renamed: tuple[tuple[Thing, Thing], ...] = ()
    rebuilt: tuple[Thing, ...] = ()
    unseen: tuple[UnseenStep, ...] = ()


class VersionTable(NamedTuple):
    """A table in which Alembic keeps its rows, sorted; the same one may stand there twice.

    `width`: characters that a row may have; `None` where the database does not care.
    """

    name: str
    schema: str | None
    rows: tuple[str, ...]
    width: int | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Inspection(NamedTuple):
    """What a database shows.

    Attributes:
        others: further tables that look like the version table.
        leftovers: tables that an interrupted batch migration has left (`_alembic_tmp_…`).
        seen: thing → whether it is there; what this kind of database does not have, or can't tell, is left out.
        invalid: indexes that PostgreSQL holds but does not use; they count as missing.
    """

    dialect: Dialect
    version: VersionTable | None
    others: tuple[VersionTable, ...] = ()
    leftovers: tuple[str, ...] = ()
    seen: Mapping[Thing, bool] = MappingProxyType({})
    invalid: tuple[Thing, ...] = ()

    @property
    def rolls_back(self) -> bool:
        """Whether an upgrade that fails leaves nothing behind: only PostgreSQL takes back changes of a schema."""
        return self.dialect == "postgresql"


_MAX_NAME_LENGTH = 60
"""Databases shorten longer names, each in its own way, so these are not looked for."""
_OTHER_NAMES = "search_path"
"""After a statement with this word, names without a schema mean things that can't be told."""


def schema_effects_of(steps: Iterable[ops.Step]) -> SchemaEffects:
    """What a revision leaves, from what its `upgrade()` does."""
    left: list[SchemaEffect] = []
    renamed: list[tuple[Thing, Thing]] = []
    rebuilt: list[Thing] = []
    unseen: list[UnseenStep] = []
    temporary: set[Thing] = set()
    is_elsewhere = False
    for step in steps:
        does = step.does
        if isinstance(does, ops.Batch):
            rebuilt += [_table(does.table)] if does.recreates else []
            continue
        if isinstance(does, ops.CreateTable) and does.temporary:
            temporary.add(_table(does.table))
        is_elsewhere = is_elsewhere or (isinstance(does, ops.Unknown) and _OTHER_NAMES in does.words)
        if isinstance(does, ops.Unknown) or is_elsewhere:
            unseen.append(UnseenStep(step.line, _shown(step), unread=True, at=len(left)))
            continue
        found = [effect for effect in _left(does) if len(effect.thing.name) <= _MAX_NAME_LENGTH]
        found = [effect for effect in found if _whole(effect.thing) not in temporary]
        # Of a project with several databases, only one runs it.
        sure = not (step.condition or step.repeated or step.engine)
        left += [effect._replace(line=step.line, sure=sure and effect.sure) for effect in found]
        renaming = _renaming(does)
        renamed += [renaming] if renaming else []
        if not found:
            unseen.append(UnseenStep(step.line, _shown(step)))
    return SchemaEffects(tuple(left), tuple(renamed), tuple(rebuilt), tuple(unseen))


def _renaming(does: ops.Operation) -> tuple[Thing, Thing] | None:
    """A table, column or type by its old and its new name."""
    match does:
        case ops.Rename("table", table, new):
            return _table(table), _table(new)
        case ops.AlterColumn(table, name, str(new)) if new != name:
            return _on(table, "column", name), _on(table, "column", new)
        case ops.Rename("type", enum, new):
            return _type(enum), _type(new)
    return None


def _left(does: ops.Operation) -> Iterator[SchemaEffect]:
    renaming = _renaming(does)
    if renaming is not None:
        yield SchemaEffect(renaming[0], there=False)
        yield SchemaEffect(renaming[1], there=True)
    match does:
        case ops.CreateTable():
            yield from _table_made(does)
        case ops.Drop("table", table, lenient):
            yield SchemaEffect(_table(table), there=False, lenient=lenient)
        case ops.AddColumn():
            yield from _column_added(does)
        case ops.DropColumn(table, name, lenient):
            yield SchemaEffect(_on(table, "column", name), there=False, lenient=lenient)
        case ops.CreateIndex(index, lenient):
            yield from _indexes((index,), lenient=lenient)
        case ops.DropIndex(name, table, lenient):
            on = table or ops.Named("", name.schema)
            yield SchemaEffect(_on(on, "index", name.name), there=False, lenient=lenient)
        case ops.CreateConstraint(table, constraint):
            yield from _named(table, (constraint,), lenient=False)
        case ops.DropConstraint(table, name, _, lenient):
            yield SchemaEffect(_on(table, "constraint", name), there=False, lenient=lenient)
        case ops.Rename(kind="index" | "constraint"):
            yield from _renamed(does)
        case _:
            yield from _left_of_an_enum(does)


def _left_of_an_enum(does: ops.Operation) -> Iterator[SchemaEffect]:
    match does:
        case ops.CreateEnum(enum, labels, lenient):
            yield from _enum(enum, labels, lenient=lenient)
        case ops.Drop("type", enum, lenient):
            yield SchemaEffect(_type(enum), there=False, lenient=lenient)
        case ops.AddLabel(enum, label, lenient):
            yield SchemaEffect(_label(enum, label), there=True, lenient=lenient)
        case ops.RenameLabel(enum, label, new):
            yield SchemaEffect(_label(enum, label), there=False)
            yield SchemaEffect(_label(enum, new), there=True)


def _column_added(added: ops.AddColumn) -> Iterator[SchemaEffect]:
    table, lenient = added.table, added.lenient
    yield SchemaEffect(_on(table, "column", added.column.name), there=True, lenient=lenient)
    for effect in (*_named(table, added.constraints, lenient=lenient), *_indexes(added.indexes, lenient=lenient)):
        yield effect._replace(implied=True)


def _renamed(operation: ops.Rename) -> Iterator[SchemaEffect]:
    """Perhaps: PostgreSQL has the index of a constraint and the constraint under one name, and not all can be seen."""
    kinds: dict[str, tuple[ThingKind, ...]] = {"index": ("index", "constraint"), "constraint": ("constraint",)}
    for kind in kinds.get(operation.kind, ()):
        for named, there in ((operation.name, False), (operation.new, True)):
            thing = _on(operation.table or ops.Named("", named.schema), kind, named.name)
            yield SchemaEffect(thing, there=there, lenient=True, sure=False)


def _enum(enum: ops.Named, labels: Iterable[str] | None, *, lenient: bool) -> Iterator[SchemaEffect]:
    yield SchemaEffect(_type(enum), there=True, lenient=lenient)
    for label in labels or ():
        yield SchemaEffect(_label(enum, label), there=True, lenient=lenient)


def _table_made(made: ops.CreateTable) -> Iterator[SchemaEffect]:
    yield SchemaEffect(_table(made.table), there=True, lenient=made.lenient)
    for column in made.columns:
        yield SchemaEffect(_on(made.table, "column", column.name), there=True, lenient=made.lenient, implied=True)
        enum = column.type.enum if column.type else None
        if enum is not None and enum.name is not None and enum.creates and enum.native:
            # A type comes with the first table that uses it.
            yield from (effect._replace(implied=True) for effect in _enum(enum.name, enum.labels, lenient=True))
    for effect in (*_named(made.table, made.constraints, lenient=True), *_indexes(made.indexes, lenient=True)):
        yield effect._replace(lenient=made.lenient, implied=True)


def _named(table: ops.Named, constraints: Iterable[ops.Constraint], *, lenient: bool) -> Iterator[SchemaEffect]:
    for constraint in constraints:
        # The name of a primary key is not kept everywhere.
        if constraint.name and constraint.kind != "primary key":
            thing = _on(table, "constraint", constraint.name)
            fragile = constraint.kind in ("check", "exclude")
            yield SchemaEffect(thing, there=True, lenient=lenient, columns=constraint.columns, fragile=fragile)


def _indexes(indexes: Iterable[ops.Index], *, lenient: bool) -> Iterator[SchemaEffect]:
    for index in indexes:
        if index.name:
            columns = () if index.words else index.columns
            thing, fragile = _on(index.table, "index", index.name), index.computed or index.partial
            yield SchemaEffect(thing, there=True, lenient=lenient, columns=columns, fragile=fragile)


def _whole(thing: Thing) -> Thing:
    """The table that a thing is, or is a part of."""
    return thing if thing.kind == "table" else Thing("table", thing.of, "", thing.schema)


def _table(table: ops.Named) -> Thing:
    return Thing("table", table.name, "", table.schema or "")


def _on(table: ops.Named, kind: ThingKind, name: str) -> Thing:
    return Thing(kind, name, table.name, table.schema or "")


def _type(enum: ops.Named) -> Thing:
    return Thing("type", enum.name, "", enum.schema or "")


def _label(enum: ops.Named, label: str) -> Thing:
    return Thing("label", label, enum.name, enum.schema or "")


def _shown(step: ops.Step) -> str:
    """An operation that leaves no trace, for the person who is asked about it."""
    text = getattr(step.does, "text", "")
    if text:
        return str(text)
    on = [str(value) for value in (getattr(step.does, name, None) for name in ("table", "column", "name")) if value]
    return f"{step.call}({', '.join(on)})"

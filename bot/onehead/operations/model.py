"""The typed operations of a migration: what `upgrade()` asks of a database, one value each.

Names are as they are written, never completed with a default schema; in SQL text, names without quotes are folded to
lower case, as PostgreSQL does. Whatever could not be read is a value of its own, `Unknown`, so that nobody takes a gap
for nothing.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Named(NamedTuple):
    """A table, index, type, view, function or trigger: its name, and its schema where one is written."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Enum(NamedTuple):
    """`sa.Enum(...)` or `postgresql.ENUM(...)`.

    Attributes:
        name: the name of the type; `None` for an enum without one (a plain string column).
        labels: in order; `None` where they are computed or come from a class.
        creates: creating a table with it creates the type (`create_type=False` says no).
        native: it is a type of the database where that has such types (`native_enum=False` says no).
    """

    name: Named | None
    labels: tuple[str, ...] | None
    creates: bool = True
    native: bool = True


class Type(NamedTuple):
    """The type of a column.

    Attributes:
        name: the last name of what is written: `String` for `sa.String(length=50)`.
        text: what is written, without the names of modules: `String(length=50)`. Equal texts are equal types.
        enum: what it says, where it is an enum.
    """

    name: str
    text: str
    enum: Enum | None = None


class Column(NamedTuple):
    """A column as it is declared.

    Attributes:
        type: its type; `None` where it is left to a foreign key, or computed.
        nullable: whether it takes NULL; `None` where that is computed.
        server_default: source of what the database fills in; `None` for nothing.
        primary_key: part of the primary key by its own declaration.
    """

    name: str
    type: Type | None = None
    nullable: bool | None = True
    server_default: str | None = None
    primary_key: bool = False
    comment: str | None = None


ConstraintKind = Literal["primary key", "unique", "check", "foreign key", "exclude"]


class Constraint(NamedTuple):
    """A constraint of a table.

    Attributes:
        name: `None` where the database or a naming convention chooses it.
        columns: of its table.
        target, target_columns: what a foreign key points at.
        words: identifiers in a check's condition; it may concern any column among them.
        complete: everything about it could be read.
    """

    kind: ConstraintKind
    name: str | None
    columns: tuple[str, ...] = ()
    target: Named | None = None
    target_columns: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    complete: bool = True


class Index(NamedTuple):
    """An index.

    Attributes:
        name: `None` where SQLAlchemy chooses it (`Column(index=True)` gives `ix_table_column`).
        table: the indexed one.
        columns: plain columns; expressions are in `words`.
        unique: it refuses equal values.
        words: identifiers in its expressions and its `WHERE`.
        partial: it has a `WHERE`.
        computed: it has an expression: SQLite's batch mode loses such an index.
        concurrently: PostgreSQL builds it outside a transaction.
    """

    name: str | None
    table: Named
    columns: tuple[str, ...] = ()
    unique: bool = False
    words: frozenset[str] = frozenset()
    partial: bool = False
    computed: bool = False
    concurrently: bool = False


class CreateTable(NamedTuple):
    """`op.create_table`, or `CREATE TABLE` as text.

    Attributes:
        constraints: written beside the columns, and those that columns declare themselves.
        indexes: those that columns declare (`index=True`).
        lenient: an existing table of that name is left as it is (`if_not_exists`).
        complete: every column and constraint could be read.
        temporary: it goes with the connection that made it.
    """

    table: Named
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    lenient: bool = False
    complete: bool = True
    temporary: bool = False


class DropTable(NamedTuple):
    """`op.drop_table`; lenient: a missing one is no error (`if_exists`)."""

    table: Named
    lenient: bool = False


class RenameTable(NamedTuple):
    """`op.rename_table`."""

    table: Named
    new: Named


class AddColumn(NamedTuple):
    """`op.add_column`, with what the column declares about itself; lenient: an existing one is left as it is."""

    table: Named
    column: Column
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    lenient: bool = False


class DropColumn(NamedTuple):
    """`op.drop_column`; lenient: a missing one is no error."""

    table: Named
    column: str
    lenient: bool = False


class AlterColumn(NamedTuple):
    """`op.alter_column`: only what it changes.

    Attributes:
        column: its name before.
        new_name: its name afterwards, where that changes.
        nullable: whether it takes NULL from now on; `None`: as before.
        changes: every property that is set, with its source: `type`, `nullable`, `server_default`, `comment` …
        using: identifiers in `postgresql_using`; `None` where the database has to cast by itself.
    """

    table: Named
    column: str
    new_name: str | None = None
    type: Type | None = None
    nullable: bool | None = None
    changes: tuple[tuple[str, str], ...] = ()
    using: frozenset[str] | None = None


class CreateIndex(NamedTuple):
    """`op.create_index`; lenient: an existing one of that name is left as it is."""

    definition: Index
    lenient: bool = False


class DropIndex(NamedTuple):
    """`op.drop_index`; the table may be left out. Lenient: a missing one is no error."""

    name: Named
    table: Named | None = None
    lenient: bool = False
    concurrently: bool = False


class CreateConstraint(NamedTuple):
    """`op.create_unique_constraint` and its kind."""

    table: Named
    constraint: Constraint


class DropConstraint(NamedTuple):
    """`op.drop_constraint`; the kind may be left out. Lenient: a missing one is no error."""

    table: Named
    name: str
    kind: ConstraintKind | None = None
    lenient: bool = False


class CommentTable(NamedTuple):
    """`op.create_table_comment`, or with `None` `op.drop_table_comment`."""

    table: Named
    comment: str | None


class CreateEnum(NamedTuple):
    """An enum type is created by itself; lenient: an existing one is left as it is, whatever its labels are."""

    enum: Named
    labels: tuple[str, ...] | None
    lenient: bool = False


class DropEnum(NamedTuple):
    """An enum type is dropped; lenient: a missing one is no error."""

    enum: Named
    lenient: bool = False


class RenameEnum(NamedTuple):
    """`ALTER TYPE … RENAME TO …`."""

    enum: Named
    new: Named


class AddLabel(NamedTuple):
    """`ALTER TYPE … ADD VALUE …`; lenient: an existing label is left as it is."""

    enum: Named
    label: str
    lenient: bool = False


class RenameLabel(NamedTuple):
    """`ALTER TYPE … RENAME VALUE … TO …`."""

    enum: Named
    label: str
    new: str


OtherKind = Literal[
    "view", "materialized view", "function", "procedure", "trigger", "sequence", "schema", "extension", "type"
]


class CreateOther(NamedTuple):
    """A view, function, trigger or the like, created by text.

    Attributes:
        table: that of a trigger.
        replaces: an existing one is replaced (`OR REPLACE`).
        lenient: an existing one is left as it is (`IF NOT EXISTS`).
        words: identifiers in its definition, `f()` for a function that it calls.
        frozen: a view of `SELECT *`, which keeps the columns of its moment.
        text: its definition, in one line.
    """

    kind: OtherKind
    name: Named
    table: Named | None = None
    replaces: bool = False
    lenient: bool = False
    words: frozenset[str] = frozenset()
    frozen: bool = False
    text: str = ""


class DropOther(NamedTuple):
    """A view, function, trigger or the like is dropped; lenient: a missing one is no error.

    Attributes:
        table: that of a trigger, where it is given.
    """

    kind: OtherKind
    name: Named
    lenient: bool = False
    table: Named | None = None


class RenameOther(NamedTuple):
    """An index, view or sequence gets another name, or a constraint of a table; lenient: a missing one is no error."""

    kind: Literal["index", "constraint"] | OtherKind
    name: Named
    new: Named
    lenient: bool = False
    table: Named | None = None


class SetProperty(NamedTuple):
    """A property of a table, or of one of its constraints, is set: owner, storage, whether it was validated."""

    table: Named
    name: str
    value: str
    constraint: str | None = None


class Query(NamedTuple):
    """Rows are read.

    Attributes:
        words: every identifier in it; it may read any column or table among them.
        star: it reads all columns of its moment.
        used: the migration may act upon what it reads.
    """

    words: frozenset[str] = frozenset()
    star: bool = False
    used: bool = False


class Aside(NamedTuple):
    """Something that leaves tables, columns and rows as they are: rights, comments, limits of time, statistics.

    Attributes:
        does: what, as a verb: `grants`, `revokes`, `sets`, `changes`, `looks after`, `steers the transaction`.
        needs: what has to be there: its kind (`relation` for tables, views, indexes and sequences; `function`, `type`,
            `schema`, `extension`) and its name.
        text: what is run, in one line.
    """

    does: str
    needs: tuple[tuple[str, Named], ...] = ()
    text: str = ""


class ChangeRows(NamedTuple):
    """Rows are written: `INSERT`, `UPDATE`, `DELETE`, `op.bulk_insert`.

    Attributes:
        writes: columns that get values; `None` where they are unknown.
        words: every identifier in it; it may read any column or table among them.
        literals: strings in it; it may use any enum label among them.
        some: it has a `WHERE`, so it may leave rows as they are.
        text: what is run, in one line.
    """

    does: Literal["insert", "update", "delete"]
    table: Named
    writes: tuple[str, ...] | None = None
    words: frozenset[str] = frozenset()
    literals: frozenset[str] = frozenset()
    some: bool = True
    text: str = ""


class Batch(NamedTuple):
    """`op.batch_alter_table`: on SQLite the table may be made anew and its rows copied.

    Attributes:
        recreate: `auto`, `always` or `never`, as written.
        recreates: SQLite makes the table anew.
        copy_from: it is made from what the migration says it looked like, not from what it really looks like.
    """

    table: Named
    recreate: str = "auto"
    recreates: bool = True
    copy_from: bool = False


class Unknown(NamedTuple):
    """Something that may do anything, because it can't be known without running it.

    Attributes:
        why: what kind of thing it is, as a noun phrase: "SQL that is not recognised".
        text: its source, in one line and shortened.
        words: identifiers in it: what it may concern, for the person who looks.
    """

    why: str
    text: str
    words: frozenset[str] = frozenset()


Operation = (
    CreateTable
    | DropTable
    | RenameTable
    | AddColumn
    | DropColumn
    | AlterColumn
    | CreateIndex
    | DropIndex
    | CreateConstraint
    | DropConstraint
    | CommentTable
    | CreateEnum
    | DropEnum
    | RenameEnum
    | AddLabel
    | RenameLabel
    | CreateOther
    | DropOther
    | RenameOther
    | SetProperty
    | Query
    | Aside
    | ChangeRows
    | Batch
    | Unknown
)


class Step(NamedTuple):
    """One operation and its place in `upgrade()`.

    Attributes:
        line: 1-based line of the file.
        call: how it is written: `op.add_column`, `batch_op.drop_column`, `op.execute`.
        engine: of a project with several databases, the one it is for; empty: the only one, or any.
        condition: source of what it depends on (an `if`, an `except`, an early `return`), empty for nothing.
        repeated: it is in a loop whose rounds can't be known.
        batch: inside `batch_alter_table`.
        autocommit: inside `autocommit_block()`, so outside the transaction of the rest.
    """

    does: Operation
    line: int
    call: str
    engine: str = ""
    condition: str = ""
    repeated: bool = False
    batch: bool = False
    autocommit: bool = False


Dialect = Literal["postgresql", "sqlite"]
EVERYWHERE: tuple[Dialect, ...] = ("postgresql", "sqlite")
POSTGRESQL: tuple[Dialect, ...] = ("postgresql",)
SQLITE: tuple[Dialect, ...] = ("sqlite",)

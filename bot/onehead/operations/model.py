"""The typed operations of a migration: what `upgrade()` asks of a database, one value each.

Names are as they are written, never completed with a default schema; in SQL text, names without quotes are folded to
lower case, as PostgreSQL does. Whatever could not be read is a value of its own, `Unknown`, so that nobody takes a gap
for nothing. `lenient` means that nothing happens and nothing fails where the thing is there already (`IF NOT EXISTS`),
or gone (`IF EXISTS`). `words` are the identifiers in a piece of SQL, any of which it may concern.
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
    """`sa.Enum(...)` or `postgresql.ENUM(...)`; `name` is `None` for a plain string column.

    `labels` are in order, `None` where they are computed or come from a class. `creates`: creating a table with it
    creates the type (`create_type=False` says no); `native`: it is a type of the database where that has such types
    (`native_enum=False` says no).
    """

    name: Named | None
    labels: tuple[str, ...] | None
    creates: bool = True
    native: bool = True


class Type(NamedTuple):
    """The type of a column: `String`, and as it is written, `String(length=50)`; equal texts are equal types."""

    name: str
    text: str
    enum: Enum | None = None


class Column(NamedTuple):
    """A column as it is declared; `primary_key` where it is part of that by its own declaration.

    `type` is `None` where it is left to a foreign key, or computed; `nullable` where that is computed; `server_default`
    is source.
    """

    name: str
    type: Type | None = None
    nullable: bool | None = True
    server_default: str | None = None
    primary_key: bool = False
    comment: str | None = None


ConstraintKind = Literal["primary key", "unique", "check", "foreign key", "exclude"]


class Constraint(NamedTuple):
    """A constraint of a table; `target` is what a foreign key points at, `complete` that all of it could be read.

    Its name is `None` where the database or a naming convention chooses it.
    """

    kind: ConstraintKind
    name: str | None
    columns: tuple[str, ...] = ()
    target: Named | None = None
    target_columns: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    complete: bool = True


class Index(NamedTuple):
    """An index; its name is `None` where SQLAlchemy chooses it (`Column(index=True)` gives `ix_table_column`).

    `columns` are the plain ones; those in expressions and in the `WHERE` are among the `words`. `partial`: it has a
    `WHERE`; `computed`: it has an expression, and SQLite's batch mode loses such an index; `concurrently`: PostgreSQL
    builds it outside a transaction.
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
    """`op.create_table`, or `CREATE TABLE` as text; `complete` where every column and constraint could be read.

    The constraints are those beside the columns and those that columns declare, as they declare the indexes
    (`index=True`). A `temporary` one goes with the connection that made it.
    """

    table: Named
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    lenient: bool = False
    complete: bool = True
    temporary: bool = False


class AddColumn(NamedTuple):
    """`op.add_column`, with what the column declares about its table."""

    table: Named
    column: Column
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    lenient: bool = False


class DropColumn(NamedTuple):
    """`op.drop_column`."""

    table: Named
    column: str
    lenient: bool = False


class AlterColumn(NamedTuple):
    """`op.alter_column`: only what it changes; `nullable` is `None` where it stays as before.

    `changes` is every property that is set, with its source: `type`, `nullable`, `server_default`, `comment` … `using`
    are the words in `postgresql_using`; `None` where the database has to cast by itself.
    """

    table: Named
    column: str
    new_name: str | None = None
    type: Type | None = None
    nullable: bool | None = None
    changes: tuple[tuple[str, str], ...] = ()
    using: frozenset[str] | None = None


class CreateIndex(NamedTuple):
    """`op.create_index`."""

    definition: Index
    lenient: bool = False


class DropIndex(NamedTuple):
    """`op.drop_index`; the table may be left out."""

    name: Named
    table: Named | None = None
    lenient: bool = False
    concurrently: bool = False


class CreateConstraint(NamedTuple):
    """`op.create_unique_constraint` and its kind."""

    table: Named
    constraint: Constraint


class DropConstraint(NamedTuple):
    """`op.drop_constraint`; the kind may be left out."""

    table: Named
    name: str
    kind: ConstraintKind | None = None
    lenient: bool = False


class CommentTable(NamedTuple):
    """`op.create_table_comment`, or with `None` `op.drop_table_comment`."""

    table: Named
    comment: str | None


class CreateEnum(NamedTuple):
    """An enum type is created by itself; `lenient`: an existing one stays as it is, whatever its labels are."""

    enum: Named
    labels: tuple[str, ...] | None
    lenient: bool = False


class AddLabel(NamedTuple):
    """`ALTER TYPE … ADD VALUE …`."""

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
    """A view, function, trigger, composite type or the like, created by text; `table` is that of a trigger.

    `replaces`: an existing one is replaced (`OR REPLACE`). `words` are those of its definition, `f()` for a function
    that it calls; `text` is that definition, in one line. `frozen`: a view of `SELECT *`, which keeps the columns of
    its moment.
    """

    kind: OtherKind
    name: Named
    table: Named | None = None
    replaces: bool = False
    lenient: bool = False
    words: frozenset[str] = frozenset()
    frozen: bool = False
    text: str = ""


class Drop(NamedTuple):
    """A table, a type (enum or not), or anything of `CreateOther` is dropped; `table`: that of a trigger, if given."""

    kind: Literal["table"] | OtherKind
    name: Named
    lenient: bool = False
    table: Named | None = None


class Rename(NamedTuple):
    """Something gets another name, or another schema; `table`: that of a constraint."""

    kind: Literal["table", "index", "constraint"] | OtherKind
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
    """Rows are read; `star`: all columns of its moment, `used`: the migration may act upon what it reads."""

    words: frozenset[str] = frozenset()
    star: bool = False
    used: bool = False


class Aside(NamedTuple):
    """Something that leaves tables, columns and rows as they are: rights, comments, limits of time, statistics.

    `does` is a verb: `grants`, `revokes`, `sets`, `changes`, `looks after`, `steers the transaction`. `needs` has to be
    there, by kind (`relation` for tables, views, indexes and sequences; `function`, `type`, `schema`, `extension`) and
    name. `text` is what is run, in one line.
    """

    does: str
    needs: tuple[tuple[str, Named], ...] = ()
    text: str = ""


RowChange = Literal["insert", "update", "delete"]


class ChangeRows(NamedTuple):
    """Rows are written: `INSERT`, `UPDATE`, `DELETE`, `op.bulk_insert`; `text` is what is run, in one line.

    `writes` are the columns that get values, `None` where they are unknown; it may use any enum label among its
    `literals`. `some`: it has a `WHERE`, so it may leave rows as they are.
    """

    does: RowChange
    table: Named
    writes: tuple[str, ...] | None = None
    words: frozenset[str] = frozenset()
    literals: frozenset[str] = frozenset()
    some: bool = True
    text: str = ""


class Batch(NamedTuple):
    """`op.batch_alter_table`: on SQLite the table may be made anew (`recreates`) and its rows copied.

    `recreate` is `auto`, `always` or `never`, as written. `copy_from`: it is made from what the migration says it
    looked like, not from what it really looks like.
    """

    table: Named
    recreate: str = "auto"
    recreates: bool = True
    copy_from: bool = False


class Unknown(NamedTuple):
    """Something that may do anything, because it can't be known without running it; `words` are for who looks.

    `why` is a noun phrase, as in "SQL that is not recognised"; `text` is its source, in one line and shortened.
    """

    why: str
    text: str
    words: frozenset[str] = frozenset()


Operation = (
    CreateTable
    | AddColumn
    | DropColumn
    | AlterColumn
    | CreateIndex
    | DropIndex
    | CreateConstraint
    | DropConstraint
    | CommentTable
    | CreateEnum
    | AddLabel
    | RenameLabel
    | CreateOther
    | Drop
    | Rename
    | SetProperty
    | Query
    | Aside
    | ChangeRows
    | Batch
    | Unknown
)


class Step(NamedTuple):
    """One operation and its place in `upgrade()`: the 1-based `line`, and `call` as it is written (`op.add_column`).

    Of a project with several databases, `engine` is the one it is for; empty for the only one, or any. `condition` is
    the source of what it depends on (an `if`, an `except`, an early `return`), empty for nothing. `repeated`: it is in
    a loop whose rounds can't be known; `autocommit`: inside `autocommit_block()`, so outside the transaction of the
    rest.
    """

    does: Operation
    line: int
    call: str
    engine: str = ""
    condition: str = ""
    repeated: bool = False
    autocommit: bool = False


Dialect = Literal["postgresql", "sqlite"]
EVERYWHERE: tuple[Dialect, ...] = ("postgresql", "sqlite")
POSTGRESQL: tuple[Dialect, ...] = ("postgresql",)
SQLITE: tuple[Dialect, ...] = ("sqlite",)

"""What two operations do to each other where their footprints meet, and the sentence that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.operations import model as ops
from onehead.operations.footprint import Thing, Touch, enum, relation
from onehead.operations.model import (
    EVERYWHERE,
    POSTGRESQL,
    SQLITE,
    AddColumn,
    AddLabel,
    AlterColumn,
    Aside,
    Batch,
    ChangeRows,
    Column,
    Constraint,
    CreateConstraint,
    CreateIndex,
    CreateOther,
    CreateTable,
    Dialect,
    DropColumn,
    DropConstraint,
    DropEnum,
    DropIndex,
    DropOther,
    DropTable,
    Named,
    Operation,
    Query,
    RenameTable,
    SetProperty,
    Step,
)
from onehead.operations.sql_tokens import shown

_ROWS = {"insert": "inserts rows into", "update": "updates rows of", "delete": "deletes rows of"}
_PROPERTIES = {"server_default": "default", "nullable": "NULL rule"}


def phrase(operation: ops.Operation) -> str:
    """What it does, without its subject."""
    return (
        _of_a_table(operation)
        or _of_a_part(operation)
        or _of_the_rest(operation)
        or _aside(operation)
        or "does something"
    )


def _of_a_table(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.CreateTable(table=table):
            found = f"creates table `{table}`"
        case ops.DropTable(table=table):
            found = f"drops table `{table}`"
        case ops.RenameTable(table=table, new=new):
            found = f"renames table `{table}` to `{new.name if new.schema == table.schema else new}`"
        case ops.CommentTable(table=table):
            found = f"changes the comment of `{table}`"
        case ops.Batch(table=table):
            found = f"rebuilds table `{table}` in batch mode" if operation.recreates else f"alters table `{table}`"
        case ops.ChangeRows(does=does, table=table):
            found = f"{_ROWS[does]} `{table}`"
    return found


def _of_a_part(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.AddColumn(table=table, column=column):
            found = f"adds column `{table}.{column.name}`"
        case ops.DropColumn(table=table, column=name):
            found = f"drops column `{table}.{name}`"
        case ops.AlterColumn():
            found = _altered(operation)
        case ops.CreateIndex(definition=index):
            found = f"creates index `{index.name or 'without a name'}` on `{index.table}`"
        case ops.DropIndex(name=named):
            found = f"drops index `{named}`"
        case ops.CreateConstraint(table=table, constraint=constraint):
            name = f" `{constraint.name}`" if constraint.name else ""
            found = f"adds the {constraint.kind} constraint{name} to `{table}`"
        case ops.DropConstraint(table=table, name=name):
            found = f"drops constraint `{name}` of `{table}`"
    return found


def _altered(operation: ops.AlterColumn) -> str:
    where = f"`{operation.table}.{operation.column}`"
    if operation.new_name is not None:
        return f"renames column {where} to `{operation.new_name}`"
    if operation.nullable is False:
        return f"sets {where} to NOT NULL"
    changed = [_PROPERTIES.get(name, name) for name, _ in operation.changes]
    return f"changes the {' and the '.join(changed)} of {where}" if changed else f"alters column {where}"


def _of_the_rest(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.CreateEnum(enum=enum):
            found = f"creates type `{enum}`"
        case ops.DropEnum(enum=enum):
            found = f"drops type `{enum}`"
        case ops.RenameEnum(enum=enum, new=new):
            found = f"renames type `{enum}` to `{new.name if new.schema == enum.schema else new}`"
        case ops.AddLabel(enum=enum, label=label):
            found = f"adds the label `{label}` to type `{enum}`"
        case ops.RenameLabel(enum=enum, label=label):
            found = f"renames the label `{label}` of type `{enum}`"
        case ops.CreateOther(kind=kind, name=named):
            found = f"creates {kind} `{named}`"
        case ops.DropOther(kind=kind, name=named):
            found = f"drops {kind} `{named}`"
        case ops.Unknown(why=why, text=text):
            found = f"holds {why}: `{text.replace('`', chr(39))}`"
    return found


def _aside(operation: ops.Operation) -> str:
    found = ""
    match operation:
        case ops.RenameOther(kind=kind, name=named, new=new):
            found = f"renames {kind} `{named}` to `{new.name}`"
        case ops.SetProperty(table=table, name=name):
            found = f"sets the {name} of `{table}`"
        case ops.Query():
            found = "reads rows"
        case ops.Aside(text=text):
            found = f"runs `{shown(text).replace('`', chr(39))}`"
    return found


class Compatibility(StrEnum):
    """How two sides get along; from best to worst."""

    INDEPENDENT = "independent"
    UNKNOWN = "unknown"
    SILENT = "silent"
    ORDER = "order"
    CONFLICT = "conflict"


Which = Literal["left", "right"]


class Act(NamedTuple):
    """One operation of one revision.

    Attributes:
        revision: which.
        step: the operation.
        touches: what it touches, as seen from outside its side.
        on: the same, thing by thing.
    """

    revision: str
    step: Step
    touches: tuple[Touch, ...]
    on: Mapping[Thing, tuple[Touch, ...]] = MappingProxyType({})

    def __str__(self) -> str:
        return f"`{self.revision}` {phrase(self.step.does)} (line {self.step.line})"


class Rule(NamedTuple):
    """What a rule says about an ordered pair of operations, before it is told of two revisions.

    Attributes:
        kind: how they get along.
        says: what happens, a sentence's second half; `{a}` and `{b}` stand for the revisions.
        first: for `order`: which of the two has to run first, `a` or `b`.
        dialects: where this holds.
    """

    kind: Compatibility
    says: str
    first: Literal["a", "b", ""] = ""
    dialects: tuple[Dialect, ...] = EVERYWHERE

    def flipped(self) -> Rule:
        """The same with the two exchanged."""
        says = self.says.replace("{a}", "{x}").replace("{b}", "{a}").replace("{x}", "{b}")
        first: Literal["a", "b", ""] = "b" if self.first == "a" else "a" if self.first == "b" else ""
        return self._replace(says=says, first=first)


class OperationConflict(NamedTuple):
    """Two operations that do not commute, or of which that can't be told.

    Attributes:
        kind: `unknown`, `silent`, `order` or `conflict`.
        left: of the one side.
        right: of the other; `None` where one side holds what can't be known, whatever the other does.
        first: for `order`: the side that has to run first.
        dialects: where this holds.
        message: both operations and what happens, a full sentence.
    """

    kind: Compatibility
    left: Act | None
    right: Act | None
    first: Which | None
    dialects: tuple[Dialect, ...]
    message: str


def clash(rule: Rule, left: Act, right: Act) -> OperationConflict:
    """Tell a rule of two real operations. What depends on a condition is not claimed."""
    says = rule.says.format(a=f"`{left.revision}`", b=f"`{right.revision}`")
    kind = rule.kind
    doubtful = [each for each in (left, right) if each.step.condition or each.step.repeated]
    if doubtful and kind != Compatibility.UNKNOWN:
        kind = Compatibility.UNKNOWN
        why = "a condition" if any(each.step.condition for each in doubtful) else "how often a loop runs"
        says = f"{says} Whether that happens depends on {why}, so look at both."
    first: Which | None = None
    if kind == Compatibility.ORDER:
        first = "left" if rule.first == "a" else "right"
    return OperationConflict(kind, left, right, first, rule.dialects, f"{left} and {right}: {says}")


_DROPS = (DropOther, DropEnum, DropTable, DropColumn, DropConstraint, DropIndex)
_STAR = re.compile(r"(?i)\bselect\s+(?:distinct\s+)?\*|\.\*")


def on_each_other(left: Act, right: Act) -> Iterator[Rule]:
    """What two operations do to each other beyond touching one thing."""
    yield from _directed(left, right)
    yield from (rule.flipped() for rule in _directed(right, left))
    match left.step.does, right.step.does:
        case ChangeRows() as a, ChangeRows() as b if _one_table(a.table, b.table):
            yield from _rows(a, b)
        case AddLabel() as a, AddLabel() as b if enum(a.enum) == enum(b.enum) and a.label != b.label:
            says = "no error, but the labels are in the order in which they were added: sorting and ranges differ."
            yield Rule(Compatibility.SILENT, says, "", POSTGRESQL)


def _one_table(a: Named | None, b: Named | None) -> bool:
    return a is not None and b is not None and relation(a) == relation(b)


def _directed(x: Act, y: Act) -> Iterator[Rule]:
    a, b = x.step.does, y.step.does
    if isinstance(b, ChangeRows):
        yield from _before_rows(a, b)
    match a:
        case DropColumn() if isinstance(b, DropConstraint | DropIndex) and _one_table(a.table, b.table):
            says = "{b} has to run first: what depends on that column is dropped with it, or prevents the drop."
            yield Rule(Compatibility.ORDER, says, "b")
        case AddLabel():
            yield from _label(a, y, autocommit=x.step.autocommit)
            if any(touch.verb == "replace" and touch.thing == enum(a.enum) for touch in y.touches):
                says = "{b} rebuilds the type from its own list: if it runs last, the label of {a} is lost."
                yield Rule(Compatibility.SILENT, says, "", POSTGRESQL)
        case CreateOther(kind="view" | "materialized view"):
            yield from _view(a, b)
        case AlterColumn() if _changes(a, "type") and any(_key_on(a, *key) for key in _keys(b)):
            yield Rule(
                Compatibility.UNKNOWN, "a foreign key needs equal types on both ends; look whether they still fit."
            )
        case DropConstraint() | DropIndex() | DropOther() | DropColumn() | RenameTable() | DropTable():
            yield from _needed(x, b)
        case Query() | SetProperty() | Aside():
            yield from _beside(a, b)
        case Batch():
            yield from _batch(a, b)


def _needed(x: Act, b: Operation) -> Iterator[Rule]:
    """What goes may be needed, where nothing says by what."""
    match x.step.does:
        case DropConstraint() | DropIndex() as a if _is_from_before(x) and _may_be_needed(a, b):
            says = "the foreign key needs a unique key on the columns it points at; look whether {a} drops that one."
            yield Rule(Compatibility.UNKNOWN, says)
        case DropOther(kind="extension") if not isinstance(b, DropOther | DropTable | DropColumn | DropIndex | Batch):
            yield Rule(
                Compatibility.UNKNOWN, "look whether {b} needs a type or function of the extension.", "", POSTGRESQL
            )
        case DropOther(kind="view" | "materialized view" | "trigger") if isinstance(b, _DROPS):
            yield Rule(
                Compatibility.UNKNOWN, "look whether what {a} drops uses what {b} drops: then {a} has to run first."
            )
        case DropConstraint(kind="foreign key", table=table) if isinstance(b, _DROPS) and not _is_of(b, table):
            yield Rule(Compatibility.UNKNOWN, "look whether the key that {a} drops points at what {b} drops.")
        case DropColumn() | RenameTable() | DropTable() as a if isinstance(b, CreateOther) and _reads(b, a):
            yield Rule(Compatibility.UNKNOWN, "look whether the function needs what is gone then.", "", POSTGRESQL)


def _beside(a: Query | SetProperty | Aside, b: Operation) -> Iterator[Rule]:
    match a, b:
        case Query(), ChangeRows(does="insert") if "setval()" in a.words:
            yield Rule(Compatibility.UNKNOWN, "look whether the rows get their numbers from the sequence that is set.")
        case Query(), ChangeRows(table=table) if a.used and table.name.lower() in a.words:
            yield Rule(Compatibility.UNKNOWN, "{a} reads what {b} changes; look what it does with it.")
        case Query(), Query() if {"setval()"} <= a.words & b.words and len(a.words & b.words) > 1:
            yield Rule(Compatibility.UNKNOWN, "both set a sequence; look whether it is the same.")
        case Query(star=True, used=True), AddColumn(table=table) if table.name.lower() in a.words:
            yield Rule(
                Compatibility.UNKNOWN,
                "{a} takes all columns of its moment; look whether the new one has to be among them.",
            )
        case Query(), DropColumn(table=table) | AlterColumn(table=table, new_name=str()):
            if table.name.lower() in a.words:
                if b.column.lower() in a.words:
                    yield Rule(Compatibility.ORDER, "{a} has to run first, because it reads the column.", "a")
                elif a.star and a.used:
                    yield Rule(Compatibility.UNKNOWN, "look whether {a} needs that column.")
        case Aside(does="grants"), Aside(does="revokes"):
            if set(a.needs) & set(b.needs):
                yield Rule(Compatibility.SILENT, "no error, but the one that runs last wins.", "", POSTGRESQL)
        case SetProperty(table=table), ChangeRows() if a.name.startswith("validity") and _one_table(table, b.table):
            yield Rule(Compatibility.UNKNOWN, "it depends on the values whether they keep to the constraint.")


def _changes(a: AlterColumn, what: str) -> bool:
    return any(name == what for name, _ in a.changes)


def _before_rows(a: Operation, b: ChangeRows) -> Iterator[Rule]:
    """What is made of a table, and what is done to its rows."""
    yield from _columns_of(a, b)
    if b.text[:8].lower() == "truncate" and any(_one_table(key.target, b.table) for _, key in _keys(a)):
        yield Rule(
            Compatibility.ORDER, "{b} has to run first: no table is truncated that a key points at.", "b", POSTGRESQL
        )
    match a:
        case CreateOther(kind="materialized view") if b.table.name.lower() in a.words:
            yield Rule(Compatibility.SILENT, "no error, but the view holds the rows of its moment.", "", POSTGRESQL)
        case AlterColumn() if _one_table(a.table, b.table):
            yield from _altered_rows(a, b)
        case AddColumn() if _one_table(a.table, b.table):
            yield from _new_column_rows(a.column, b)
        case CreateConstraint(table=table, constraint=constraint) if _one_table(table, b.table):
            yield from _demanded(constraint, b)
        case CreateConstraint(constraint=constraint) if _one_table(constraint.target, b.table):
            if b.does == "delete" or (b.does == "update" and _writes(b, set(constraint.target_columns))):
                yield Rule(
                    Compatibility.UNKNOWN, "it depends on the rows whether every key finds its row; look at both."
                )
        case CreateIndex(definition=index) if index.unique and _one_table(index.table, b.table):
            yield from _demanded(Constraint("unique", index.name, index.columns, words=index.words), b)
        case DropConstraint() | DropIndex() if _names_a_key(b) and _may_be_on(a, b.table):
            yield Rule(Compatibility.UNKNOWN, "`ON CONFLICT` needs a unique key; look whether {a} drops that one.")
        case CreateOther(kind="trigger", table=table) if _one_table(table, b.table):
            yield Rule(
                Compatibility.UNKNOWN, "only rows that are written after it set off the trigger; look at what it does."
            )


def _columns_of(a: Operation, b: ChangeRows) -> Iterator[Rule]:
    """Columns of other tables that are read, and rows that are written or read without naming their columns."""
    match a:
        case DropColumn(table=table, column=name) | AlterColumn(table=table, column=name, new_name=str()):
            if table.name.lower() in b.words and name.lower() in b.words and not _one_table(table, b.table):
                yield Rule(Compatibility.ORDER, "{b} has to run first, because it reads the column.", "b")
    if not isinstance(a, AddColumn | DropColumn):
        return
    unnamed = b.does == "insert" and b.writes is None and _one_table(a.table, b.table)
    if unnamed and not b.text.lower().endswith("default values"):
        yield Rule(
            Compatibility.UNKNOWN, "{b} does not name the columns that it writes; look whether the rows still fit."
        )
    elif a.table.name.lower() in b.words and _STAR.search(b.text):
        yield Rule(Compatibility.UNKNOWN, "{b} reads all columns of its moment; look whether they still fit.")


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(a: ChangeRows, b: ChangeRows) -> Iterator[Rule]:
    if a.does == b.does == "insert":
        yield Rule(Compatibility.UNKNOWN, "both insert: look for equal keys, and for ids that the database counts up.")
        return
    if a.does == b.does == "update" and a.writes is not None and b.writes is not None:
        ours, theirs = {name.lower() for name in a.writes}, {name.lower() for name in b.writes}
        if not ours & (theirs | b.words) and not theirs & a.words:
            return
    yield Rule(
        Compatibility.SILENT, "no error, but the rows differ with the order: each works on what the other leaves."
    )


def _altered_rows(a: AlterColumn, b: ChangeRows) -> Iterator[Rule]:
    column = a.column.lower()
    writes = b.writes is None or column in {name.lower() for name in b.writes}
    if a.nullable is False and b.does == "update" and writes:
        yield Rule(Compatibility.ORDER, "{b} has to run first: rows that are still NULL make {a} fail.", "b")
    elif a.nullable is False and (b.does == "delete" or not writes or b.writes is None) and b.does != "update":
        yield Rule(
            Compatibility.UNKNOWN, "it depends on the rows: one with NULL in that column makes the NOT NULL fail."
        )
    if _changes(a, "type") and (writes or column in b.words) and b.does != "delete":
        yield Rule(Compatibility.UNKNOWN, "it depends on the values whether they fit the old and the new type.")
    if _changes(a, "server_default") and b.does == "insert" and (b.writes is None or not writes):
        yield Rule(Compatibility.SILENT, "no error, but the new rows get the default of their moment.")


def _new_column_rows(a: Column, b: ChangeRows) -> Iterator[Rule]:
    if a.nullable is not False or a.server_default is not None or b.does == "update":
        return
    if b.does == "insert" and not b.some:
        says = "neither order works: a row without a value for a NOT NULL column without a default is refused."
        yield Rule(Compatibility.CONFLICT, says)
    else:
        yield Rule(
            Compatibility.UNKNOWN,
            "it depends on the rows: any that is there makes a NOT NULL column without a default fail.",
        )


def _demanded(constraint: Constraint, b: ChangeRows) -> Iterator[Rule]:
    if b.does == "delete":
        if constraint.kind != "primary key":
            yield Rule(
                Compatibility.UNKNOWN, "it depends on the rows whether they have to be deleted first; look at both."
            )
        return
    of = {*constraint.columns, *constraint.words}
    if b.does == "insert" or not of or _writes(b, of):
        yield Rule(
            Compatibility.UNKNOWN, f"it depends on the values whether they keep to the {constraint.kind} constraint."
        )


def _writes(b: ChangeRows, columns: set[str]) -> bool:
    """Whether it may give one of these columns a value."""
    return b.writes is None or bool({name.lower() for name in columns} & {name.lower() for name in b.writes})


# -- views, labels and keys ---------------------------------------------------------------------------------------


def _view(view: CreateOther, b: Operation) -> Iterator[Rule]:
    if not isinstance(b, AddColumn | DropColumn | AlterColumn) or b.table.name.lower() not in view.words:
        return
    if isinstance(b, AddColumn):
        if view.frozen:
            says = "no error, but a view of `SELECT *` keeps the columns of its moment on PostgreSQL."
            yield Rule(Compatibility.SILENT, says, "", POSTGRESQL)
        return
    reads = b.column.lower() in view.words
    if not reads and not view.frozen:
        return
    if isinstance(b, DropColumn):
        if reads:
            yield Rule(
                Compatibility.CONFLICT, "neither order works: the view needs the column, and then keeps it from going."
            )
        else:
            says = "{b} has to run first, otherwise the view keeps the column from going."
            yield Rule(Compatibility.ORDER, says, "b", POSTGRESQL)
    elif b.new_name is not None:
        yield _renamed(reads=reads)
    if isinstance(b, AlterColumn) and _changes(b, "type"):
        yield Rule(
            Compatibility.ORDER, "{b} has to run first: PostgreSQL changes no type under a view.", "b", POSTGRESQL
        )


def _renamed(*, reads: bool) -> Rule:
    if reads:
        return Rule(
            Compatibility.ORDER, "{a} has to run first, because it names the column as it is called before.", "a"
        )
    return Rule(
        Compatibility.SILENT, "no error, but a view of `SELECT *` keeps the names of its moment.", "", POSTGRESQL
    )


def _label(a: AddLabel, y: Act, *, autocommit: bool) -> Iterator[Rule]:
    used: set[str | None] = set()
    match y.step.does:
        case ChangeRows(literals=literals):
            used |= literals
        case AddColumn(column=column):
            used.add(column.server_default)
        case CreateTable(columns=columns):
            used |= {column.server_default for column in columns}
        case AlterColumn(changes=changes):
            used |= {value for name, value in changes if name == "server_default"}
    if a.label not in {each.split("::")[0].strip("'") for each in used if each is not None}:
        return
    if autocommit:
        yield Rule(Compatibility.ORDER, "{a} has to run first, because {b} uses the label.", "a", POSTGRESQL)
        return
    says = (
        "neither order works in one upgrade: PostgreSQL uses no label in the transaction that adds it, and Alembic "
        "runs all pending revisions in one. Add it inside `op.get_context().autocommit_block()`."
    )
    yield Rule(Compatibility.CONFLICT, says, "", POSTGRESQL)


def _keys(operation: Operation) -> list[tuple[Named, Constraint]]:
    """The foreign keys that it makes, each with its table."""
    match operation:
        case CreateTable(table=table, constraints=constraints) | AddColumn(table=table, constraints=constraints):
            found = constraints
        case CreateConstraint(table=table, constraint=constraint):
            found = (constraint,)
        case _:
            return []
    return [(table, each) for each in found if each.kind == "foreign key"]


def _is_from_before(act: Act) -> bool:
    """What it drops was there before its side began."""
    return any(touch.verb in ("drop", "replace") for touch in act.touches)


def _is_of(dropped: Operation, table: Named) -> bool:
    on = getattr(dropped, "table", None)
    return isinstance(on, Named) and _one_table(on, table)


def _may_be_on(dropped: DropConstraint | DropIndex, table: Named | None) -> bool:
    """Whether it may drop a unique key of a table."""
    if isinstance(dropped, DropConstraint) and dropped.kind in ("foreign key", "check"):
        return False
    return dropped.table is None or table is None or _one_table(dropped.table, table)


def _may_be_needed(dropped: DropConstraint | DropIndex, b: Operation) -> bool:
    return any(_may_be_on(dropped, key.target) for _, key in _keys(b))


def _names_a_key(b: ChangeRows) -> bool:
    return b.does == "insert" and "on conflict" in b.text.lower()


def _reads(function: CreateOther, gone: DropColumn | RenameTable | DropTable) -> bool:
    if function.kind not in ("function", "procedure") or gone.table.name.lower() not in function.words:
        return False
    return not isinstance(gone, DropColumn) or gone.column.lower() in function.words


def _key_on(a: AlterColumn, table: Named, constraint: Constraint) -> bool:
    own = _one_table(a.table, table) and a.column.lower() in {name.lower() for name in constraint.columns}
    other = _one_table(a.table, constraint.target) and a.column.lower() in {
        name.lower() for name in constraint.target_columns
    }
    return own or other


# -- SQLite's batch mode ------------------------------------------------------------------------------------------


def _batch(batch: Batch, b: Operation) -> Iterator[Rule]:
    if batch.copy_from:
        if isinstance(b, AddColumn | CreateConstraint | CreateIndex) and _on(b) == relation(batch.table):
            says = "on SQLite {a} makes the table from its own definition: if it runs last, the work of {b} is lost."
            yield Rule(Compatibility.SILENT, says, "", SQLITE)
        elif isinstance(b, DropColumn | AlterColumn | DropConstraint) and _on(b) == relation(batch.table):
            says = "on SQLite {a} makes the table from its own definition; look whether it knows what {b} does."
            yield Rule(Compatibility.UNKNOWN, says, "", SQLITE)
    if not batch.recreates:
        return
    match b:
        case CreateOther(kind="trigger", table=table) if _one_table(table, batch.table):
            says = "on SQLite {a} rebuilds the table: a trigger that was there before is lost without an error."
            yield Rule(Compatibility.SILENT, says, "", SQLITE)
        case CreateIndex(definition=index) if index.computed and _one_table(index.table, batch.table):
            says = "on SQLite {a} rebuilds the table: an index on an expression that was there before is lost."
            yield Rule(Compatibility.SILENT, says, "", SQLITE)
        case CreateIndex(definition=index) if index.partial and _one_table(index.table, batch.table):
            says = "on SQLite {a} rebuilds the table; check whether your SQLAlchemy keeps the WHERE of the index."
            yield Rule(Compatibility.UNKNOWN, says, "", SQLITE)
        case CreateOther(kind="view", words=words) if batch.table.name.lower() in words:
            yield Rule(
                Compatibility.ORDER, "{a} has to run first: SQLite can't rebuild a table under a view.", "a", SQLITE
            )


def _on(operation: AddColumn | CreateConstraint | CreateIndex | DropColumn | AlterColumn | DropConstraint) -> object:
    return relation(operation.definition.table if isinstance(operation, CreateIndex) else operation.table)


def same_engine(a: Act, b: Act) -> bool:
    """Whether both may concern one database."""
    return not a.step.engine or not b.step.engine or a.step.engine == b.step.engine

"""Rules: what two operations that touch the same things do to each other, and the sentence for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.operations import model as ops
from onehead.operations.footprint import Thing, Touch, enum, relation
from onehead.operations.model import EVERYWHERE, POSTGRESQL, SQLITE, Dialect, Named, Operation, Step
from onehead.operations.sql_tokens import shown

_PHRASES: dict[type[Operation], str] = {
    ops.AddColumn: "adds column `{0.table}.{0.column.name}`",
    ops.AddLabel: "adds the label `{0.label}` to type `{0.enum}`",
    ops.CommentTable: "changes the comment of `{0.table}`",
    ops.CreateEnum: "creates type `{0.enum}`",
    ops.CreateOther: "creates {0.kind} `{0.name}`",
    ops.CreateTable: "creates table `{0.table}`",
    ops.DropColumn: "drops column `{0.table}.{0.column}`",
    ops.DropConstraint: "drops constraint `{0.name}` of `{0.table}`",
    ops.DropEnum: "drops type `{0.enum}`",
    ops.DropIndex: "drops index `{0.name}`",
    ops.DropOther: "drops {0.kind} `{0.name}`",
    ops.DropTable: "drops table `{0.table}`",
    ops.Query: "reads rows",
    ops.RenameLabel: "renames the label `{0.label}` of type `{0.enum}`",
    ops.RenameOther: "renames {0.kind} `{0.name}` to `{0.new.name}`",
    ops.SetProperty: "sets the {0.name} of `{0.table}`",
}
_ROWS = {"insert": "inserts rows into", "update": "updates rows of", "delete": "deletes rows of"}
_PROPERTIES = {"server_default": "default", "nullable": "NULL rule"}


def phrase(operation: Operation) -> str:
    """What it does, without its subject."""
    match operation:
        case ops.RenameTable(table=old, new=new) | ops.RenameEnum(enum=old, new=new):
            kind = "table" if isinstance(operation, ops.RenameTable) else "type"
            return f"renames {kind} `{old}` to `{new.name if new.schema == old.schema else new}`"
        case ops.Batch(table=table, recreates=recreates):
            return f"rebuilds table `{table}` in batch mode" if recreates else f"alters table `{table}`"
        case ops.ChangeRows(does=does, table=table):
            return f"{_ROWS[does]} `{table}`"
        case ops.AlterColumn():
            return _altered(operation)
        case ops.CreateIndex(definition=index):
            return f"creates index `{index.name or 'without a name'}` on `{index.table}`"
        case ops.CreateConstraint(table=table, constraint=constraint):
            name = f" `{constraint.name}`" if constraint.name else ""
            return f"adds the {constraint.kind} constraint{name} to `{table}`"
        case ops.Unknown(why=why, text=text):
            verb = f"holds {why}:"
        case ops.Aside(text=text):
            verb, text = "runs", shown(text)
        case _:
            return _PHRASES[type(operation)].format(operation)
    return f"{verb} `{text.replace('`', chr(39))}`"


def _altered(operation: ops.AlterColumn) -> str:
    where = f"`{operation.table}.{operation.column}`"
    if operation.new_name is not None:
        return f"renames column {where} to `{operation.new_name}`"
    if operation.nullable is False:
        return f"sets {where} to NOT NULL"
    changed = [_PROPERTIES.get(name, name) for name, _ in operation.changes]
    return f"changes the {' and the '.join(changed)} of {where}" if changed else f"alters column {where}"


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
    """What a rule says about an ordered pair of operations, before it names two revisions.

    Attributes:
        kind: how they get along.
        says: what happens, a sentence's second half; `{a}` and `{b}` are the revisions.
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


def unknown(says: str, dialects: tuple[Dialect, ...] = EVERYWHERE) -> Rule:
    """A person has to look."""
    return Rule(Compatibility.UNKNOWN, says, "", dialects)


def silent(says: str, dialects: tuple[Dialect, ...] = EVERYWHERE) -> Rule:
    """No error, but the result differs with the order."""
    return Rule(Compatibility.SILENT, says, "", dialects)


def order(first: Literal["a", "b"], says: str, dialects: tuple[Dialect, ...] = EVERYWHERE) -> Rule:
    """Only one order works."""
    return Rule(Compatibility.ORDER, says, first, dialects)


def conflict(says: str, dialects: tuple[Dialect, ...] = EVERYWHERE) -> Rule:
    """Neither order works."""
    return Rule(Compatibility.CONFLICT, says, "", dialects)


class OperationConflict(NamedTuple):
    """Two operations that do not commute, or for which that is unknown.

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
    """Apply a rule to two real operations. What depends on a condition is not claimed."""
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


_DROPS = (ops.DropOther, ops.DropEnum, ops.DropTable, ops.DropColumn, ops.DropConstraint, ops.DropIndex)
_STAR = re.compile(r"(?i)\bselect\s+(?:distinct\s+)?\*|\.\*")


def on_each_other(left: Act, right: Act) -> Iterator[Rule]:
    """What two operations do to each other beyond touching one thing."""
    yield from _directed(left, right)
    yield from (rule.flipped() for rule in _directed(right, left))
    match left.step.does, right.step.does:
        case ops.ChangeRows() as a, ops.ChangeRows() as b if _one_table(a.table, b.table):
            yield from _rows(a, b)
        case ops.AddLabel() as a, ops.AddLabel() as b if enum(a.enum) == enum(b.enum) and a.label != b.label:
            says = "no error, but the labels are in the order in which they were added: sorting and ranges differ."
            yield silent(says, POSTGRESQL)


def _one_table(a: Named | None, b: Named | None) -> bool:
    return a is not None and b is not None and relation(a) == relation(b)


def _directed(x: Act, y: Act) -> Iterator[Rule]:
    a, b = x.step.does, y.step.does
    if isinstance(b, ops.ChangeRows):
        yield from _before_rows(a, b)
    match a:
        case ops.DropColumn() if isinstance(b, ops.DropConstraint | ops.DropIndex) and _one_table(a.table, b.table):
            says = "{b} has to run first: what depends on that column is dropped with it, or prevents the drop."
            yield order("b", says)
        case ops.AddLabel():
            yield from _label(a, y, autocommit=x.step.autocommit)
            if any(touch.verb == "replace" and touch.thing == enum(a.enum) for touch in y.touches):
                says = "{b} rebuilds the type from its own list: if it runs last, the label of {a} is lost."
                yield silent(says, POSTGRESQL)
        case ops.CreateOther(kind="view" | "materialized view"):
            yield from _view(a, b)
        case ops.AlterColumn() if _changes(a, "type") and any(_key_on(a, *key) for key in _keys(b)):
            yield unknown("a foreign key needs equal types on both ends; look whether they still fit.")
        case _ if isinstance(a, (ops.RenameTable, *_DROPS)):
            yield from _needed(x, b)
        case ops.Query() | ops.SetProperty() | ops.Aside():
            yield from _beside(a, b)
        case ops.Batch():
            yield from _batch(a, b)


def _needed(x: Act, b: Operation) -> Iterator[Rule]:
    """What goes may be needed, where it is not written by what."""
    match x.step.does:
        case ops.DropConstraint() | ops.DropIndex() as a if _is_from_before(x) and _may_be_needed(a, b):
            says = "the foreign key needs a unique key on the columns it points at; look whether {a} drops that one."
            yield unknown(says)
        case ops.DropOther(kind="extension") if not isinstance(
            b, ops.DropOther | ops.DropTable | ops.DropColumn | ops.DropIndex | ops.Batch
        ):
            yield unknown("look whether {b} needs a type or function of the extension.", POSTGRESQL)
        case ops.DropOther(kind="view" | "materialized view" | "trigger") if isinstance(b, _DROPS):
            yield unknown("look whether what {a} drops uses what {b} drops: then {a} has to run first.")
        case ops.DropConstraint(kind="foreign key", table=table) if isinstance(b, _DROPS) and not _one_table(
            getattr(b, "table", None), table
        ):
            yield unknown("look whether the key that {a} drops points at what {b} drops.")
        case ops.DropColumn() | ops.RenameTable() | ops.DropTable() as a if isinstance(b, ops.CreateOther) and _reads(
            b, a
        ):
            yield unknown("look whether the function needs what is gone then.", POSTGRESQL)


def _beside(a: ops.Query | ops.SetProperty | ops.Aside, b: Operation) -> Iterator[Rule]:
    match a, b:
        case ops.Query(), ops.ChangeRows(does="insert") if "setval()" in a.words:
            yield unknown("look whether the rows get their numbers from the sequence that is set.")
        case ops.Query(), ops.ChangeRows(table=table) if a.used and table.name.lower() in a.words:
            yield unknown("{a} reads what {b} changes; look what it does with it.")
        case ops.Query(), ops.Query() if {"setval()"} <= a.words & b.words and len(a.words & b.words) > 1:
            yield unknown("both set a sequence; look whether it is the same.")
        case ops.Query(star=True, used=True), ops.AddColumn(table=table) if table.name.lower() in a.words:
            yield unknown("{a} takes all columns of its moment; look whether the new one has to be among them.")
        case ops.Query(), ops.DropColumn(table=table) | ops.AlterColumn(table=table, new_name=str()):
            if table.name.lower() in a.words:
                if b.column.lower() in a.words:
                    yield order("a", "{a} has to run first, because it reads the column.")
                elif a.star and a.used:
                    yield unknown("look whether {a} needs that column.")
        case ops.Aside(does="grants"), ops.Aside(does="revokes"):
            if set(a.needs) & set(b.needs):
                yield silent("no error, but the one that runs last wins.", POSTGRESQL)
        case ops.SetProperty(table=table), ops.ChangeRows() if a.name.startswith("validity") and _one_table(
            table, b.table
        ):
            yield unknown("it depends on the values whether they keep to the constraint.")


def _changes(a: ops.AlterColumn, what: str) -> bool:
    return any(name == what for name, _ in a.changes)


def _before_rows(a: Operation, b: ops.ChangeRows) -> Iterator[Rule]:
    """What is made of a table, and what is done to its rows."""
    yield from _columns_of(a, b)
    if b.text[:8].lower() == "truncate" and any(_one_table(key.target, b.table) for _, key in _keys(a)):
        yield order("b", "{b} has to run first: no table is truncated that a key points at.", POSTGRESQL)
    match a:
        case ops.CreateOther(kind="materialized view") if b.table.name.lower() in a.words:
            yield silent("no error, but the view holds the rows of its moment.", POSTGRESQL)
        case ops.AlterColumn() if _one_table(a.table, b.table):
            yield from _altered_rows(a, b)
        case ops.AddColumn() if _one_table(a.table, b.table):
            yield from _new_column_rows(a.column, b)
        case ops.CreateConstraint(table=table, constraint=constraint) if _one_table(table, b.table):
            yield from _demanded(constraint, b)
        case ops.CreateConstraint(constraint=constraint) if _one_table(constraint.target, b.table):
            if b.does == "delete" or (b.does == "update" and _writes(b, set(constraint.target_columns))):
                yield unknown("it depends on the rows whether every key finds its row; look at both.")
        case ops.CreateIndex(definition=index) if index.unique and _one_table(index.table, b.table):
            yield from _demanded(ops.Constraint("unique", index.name, index.columns, words=index.words), b)
        case ops.DropConstraint() | ops.DropIndex() if (
            b.does == "insert" and "on conflict" in b.text.lower() and _may_be_on(a, b.table)
        ):
            yield unknown("`ON CONFLICT` needs a unique key; look whether {a} drops that one.")
        case ops.CreateOther(kind="trigger", table=table) if _one_table(table, b.table):
            yield unknown("only rows that are written after it set off the trigger; look at what it does.")


def _columns_of(a: Operation, b: ops.ChangeRows) -> Iterator[Rule]:
    """Columns of other tables that are read, and rows that are written or read without naming their columns."""
    match a:
        case ops.DropColumn(table=table, column=name) | ops.AlterColumn(table=table, column=name, new_name=str()):
            if table.name.lower() in b.words and name.lower() in b.words and not _one_table(table, b.table):
                yield order("b", "{b} has to run first, because it reads the column.")
    if not isinstance(a, ops.AddColumn | ops.DropColumn):
        return
    unnamed = b.does == "insert" and b.writes is None and _one_table(a.table, b.table)
    if unnamed and not b.text.lower().endswith("default values"):
        yield unknown("{b} does not name the columns that it writes; look whether the rows still fit.")
    elif a.table.name.lower() in b.words and _STAR.search(b.text):
        yield unknown("{b} reads all columns of its moment; look whether they still fit.")


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(a: ops.ChangeRows, b: ops.ChangeRows) -> Iterator[Rule]:
    if a.does == b.does == "insert":
        yield unknown("both insert: look for equal keys, and for ids that the database counts up.")
        return
    if a.does == b.does == "update" and a.writes is not None and b.writes is not None:
        ours, theirs = {name.lower() for name in a.writes}, {name.lower() for name in b.writes}
        if not ours & (theirs | b.words) and not theirs & a.words:
            return
    yield silent("no error, but the rows differ with the order: each works on what the other leaves.")


def _altered_rows(a: ops.AlterColumn, b: ops.ChangeRows) -> Iterator[Rule]:
    column = a.column.lower()
    writes = b.writes is None or column in {name.lower() for name in b.writes}
    if a.nullable is False and b.does == "update" and writes:
        yield order("b", "{b} has to run first: rows that are still NULL make {a} fail.")
    elif a.nullable is False and (b.does == "delete" or not writes or b.writes is None) and b.does != "update":
        yield unknown("it depends on the rows: one with NULL in that column makes the NOT NULL fail.")
    if _changes(a, "type") and (writes or column in b.words) and b.does != "delete":
        yield unknown("it depends on the values whether they fit the old and the new type.")
    if _changes(a, "server_default") and b.does == "insert" and (b.writes is None or not writes):
        yield silent("no error, but the new rows get the default of their moment.")


def _new_column_rows(a: ops.Column, b: ops.ChangeRows) -> Iterator[Rule]:
    if a.nullable is not False or a.server_default is not None or b.does == "update":
        return
    if b.does == "insert" and not b.some:
        yield conflict("neither order works: a row without a value for a NOT NULL column without a default is refused.")
    else:
        yield unknown("it depends on the rows: any that is there makes a NOT NULL column without a default fail.")


def _demanded(constraint: ops.Constraint, b: ops.ChangeRows) -> Iterator[Rule]:
    if b.does == "delete":
        if constraint.kind != "primary key":
            yield unknown("it depends on the rows whether they have to be deleted first; look at both.")
        return
    of = {*constraint.columns, *constraint.words}
    if b.does == "insert" or not of or _writes(b, of):
        yield unknown(f"it depends on the values whether they keep to the {constraint.kind} constraint.")


def _writes(b: ops.ChangeRows, columns: set[str]) -> bool:
    """Whether it may give one of these columns a value."""
    return b.writes is None or bool({name.lower() for name in columns} & {name.lower() for name in b.writes})


# -- views, labels and keys ---------------------------------------------------------------------------------------


def _view(view: ops.CreateOther, b: Operation) -> Iterator[Rule]:
    if not isinstance(b, ops.AddColumn | ops.DropColumn | ops.AlterColumn) or b.table.name.lower() not in view.words:
        return
    if isinstance(b, ops.AddColumn):
        if view.frozen:
            says = "no error, but a view of `SELECT *` keeps the columns of its moment on PostgreSQL."
            yield silent(says, POSTGRESQL)
        return
    reads = b.column.lower() in view.words
    if not reads and not view.frozen:
        return
    if isinstance(b, ops.DropColumn):
        if reads:
            yield conflict("neither order works: the view needs the column, and then keeps it from going.")
        else:
            yield order("b", "{b} has to run first, otherwise the view keeps the column from going.", POSTGRESQL)
    elif b.new_name is not None and reads:
        yield order("a", "{a} has to run first, because it names the column as it is called before.")
    elif b.new_name is not None:
        yield silent("no error, but a view of `SELECT *` keeps the names of its moment.", POSTGRESQL)
    if isinstance(b, ops.AlterColumn) and _changes(b, "type"):
        yield order("b", "{b} has to run first: PostgreSQL changes no type under a view.", POSTGRESQL)


def _label(a: ops.AddLabel, y: Act, *, autocommit: bool) -> Iterator[Rule]:
    used: set[str | None] = set()
    match y.step.does:
        case ops.ChangeRows(literals=literals):
            used |= literals
        case ops.AddColumn(column=column):
            used.add(column.server_default)
        case ops.CreateTable(columns=columns):
            used |= {column.server_default for column in columns}
        case ops.AlterColumn(changes=changes):
            used |= {value for name, value in changes if name == "server_default"}
    if a.label not in {each.split("::")[0].strip("'") for each in used if each is not None}:
        return
    if autocommit:
        yield order("a", "{a} has to run first, because {b} uses the label.", POSTGRESQL)
        return
    says = (
        "neither order works in one upgrade: PostgreSQL uses no label in the transaction that adds it, and Alembic "
        "runs all pending revisions in one. Add it inside `op.get_context().autocommit_block()`."
    )
    yield conflict(says, POSTGRESQL)


def _keys(operation: Operation) -> list[tuple[Named, ops.Constraint]]:
    """The foreign keys that it makes, each with its table."""
    match operation:
        case (
            ops.CreateTable(table=table, constraints=constraints) | ops.AddColumn(table=table, constraints=constraints)
        ):
            found = constraints
        case ops.CreateConstraint(table=table, constraint=constraint):
            found = (constraint,)
        case _:
            return []
    return [(table, each) for each in found if each.kind == "foreign key"]


def _is_from_before(act: Act) -> bool:
    """What it drops was there before its side began."""
    return any(touch.verb in ("drop", "replace") for touch in act.touches)


def _may_be_needed(dropped: ops.DropConstraint | ops.DropIndex, b: Operation) -> bool:
    return any(_may_be_on(dropped, key.target) for _, key in _keys(b))


def _may_be_on(dropped: ops.DropConstraint | ops.DropIndex, table: Named | None) -> bool:
    """Whether it may drop a unique key of a table."""
    if isinstance(dropped, ops.DropConstraint) and dropped.kind in ("foreign key", "check"):
        return False
    return dropped.table is None or table is None or _one_table(dropped.table, table)


def _reads(function: ops.CreateOther, gone: ops.DropColumn | ops.RenameTable | ops.DropTable) -> bool:
    if function.kind not in ("function", "procedure") or gone.table.name.lower() not in function.words:
        return False
    return not isinstance(gone, ops.DropColumn) or gone.column.lower() in function.words


def _key_on(a: ops.AlterColumn, table: Named, constraint: ops.Constraint) -> bool:
    own = _one_table(a.table, table) and a.column.lower() in {name.lower() for name in constraint.columns}
    other = _one_table(a.table, constraint.target) and a.column.lower() in {
        name.lower() for name in constraint.target_columns
    }
    return own or other


# -- SQLite's batch mode ------------------------------------------------------------------------------------------


def _batch(batch: ops.Batch, b: Operation) -> Iterator[Rule]:
    if batch.copy_from:
        if isinstance(b, ops.AddColumn | ops.CreateConstraint | ops.CreateIndex) and _on(b) == relation(batch.table):
            says = "on SQLite {a} makes the table from its own definition: if it runs last, the work of {b} is lost."
            yield silent(says, SQLITE)
        elif isinstance(b, ops.DropColumn | ops.AlterColumn | ops.DropConstraint) and _on(b) == relation(batch.table):
            says = "on SQLite {a} makes the table from its own definition; look whether it knows what {b} does."
            yield unknown(says, SQLITE)
    if not batch.recreates:
        return
    match b:
        case ops.CreateOther(kind="trigger", table=table) if _one_table(table, batch.table):
            says = "on SQLite {a} rebuilds the table: a trigger that was there before is lost without an error."
            yield silent(says, SQLITE)
        case ops.CreateIndex(definition=index) if index.computed and _one_table(index.table, batch.table):
            says = "on SQLite {a} rebuilds the table: an index on an expression that was there before is lost."
            yield silent(says, SQLITE)
        case ops.CreateIndex(definition=index) if index.partial and _one_table(index.table, batch.table):
            says = "on SQLite {a} rebuilds the table; check whether your SQLAlchemy keeps the WHERE of the index."
            yield unknown(says, SQLITE)
        case ops.CreateOther(kind="view", words=words) if batch.table.name.lower() in words:
            yield order("a", "{a} has to run first: SQLite can't rebuild a table under a view.", SQLITE)


def _on(
    operation: ops.AddColumn
    | ops.CreateConstraint
    | ops.CreateIndex
    | ops.DropColumn
    | ops.AlterColumn
    | ops.DropConstraint,
) -> object:
    return relation(operation.definition.table if isinstance(operation, ops.CreateIndex) else operation.table)


def same_engine(a: Act, b: Act) -> bool:
    """Whether both may concern one database."""
    return not a.step.engine or not b.step.engine or a.step.engine == b.step.engine

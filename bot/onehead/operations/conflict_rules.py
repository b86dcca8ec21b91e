"""Rules: what two operations do to each other, and the second half of the sentence for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Literal, NamedTuple

from onehead.operations import model as ops
from onehead.operations.footprint import Thing, Touch, enum, relation, table_of
from onehead.operations.model import EVERYWHERE, POSTGRESQL, SQLITE, Dialect, Named, Operation, Step


class Compatibility(StrEnum):
    """How two sides get along; from best to worst."""

    INDEPENDENT = "independent"
    UNKNOWN = "unknown"  # a person has to look
    SILENT = "silent"  # no error, but the result differs with the order
    ORDER = "order"  # only one works
    CONFLICT = "conflict"  # neither works


Which = Literal["left", "right"]


class Act(NamedTuple):
    """One operation of one revision, with what it touches as seen from outside its side; `on`: thing by thing."""

    revision: str
    step: Step
    touches: tuple[Touch, ...]
    on: Mapping[Thing, tuple[Touch, ...]]


class Rule(NamedTuple):
    """What a rule says about an ordered pair of operations, before it names two revisions.

    `says` is a sentence's second half; `{a}` and `{b}` are the revisions of the left and the right one. It holds on
    `dialects`; for `order`, `first` has to run first.
    """

    kind: Compatibility
    says: str
    dialects: tuple[Dialect, ...] = EVERYWHERE
    first: Which | None = None

    def flipped(self) -> Rule:
        """The same with the two exchanged."""
        says = self.says.replace("{a}", "{x}").replace("{b}", "{a}").replace("{x}", "{b}")
        return self._replace(says=says, first={"left": "right", "right": "left", None: None}[self.first])


_unknown = partial(Rule, Compatibility.UNKNOWN)
_silent = partial(Rule, Compatibility.SILENT)
_conflict = partial(Rule, Compatibility.CONFLICT)


def _order(first: Literal["a", "b"], says: str, dialects: tuple[Dialect, ...] = EVERYWHERE) -> Rule:
    return Rule(Compatibility.ORDER, says, dialects, "left" if first == "a" else "right")


_WEIGHT = {"create": 0, "replace": 1, "drop": 2, "set": 3, "use": 3}
_ONE_SPACE = {
    "relation": "tables, indexes, unique constraints and primary keys of a schema share their names",
    "type": "tables, views and types of a schema share their names",
}
_FIRST_A, _FIRST_B = "{a} has to run first", "{b} has to run first"
_TAKEN = "whichever runs second fails, because the name is taken."


def on_one_thing(a: Touch, b: Touch) -> list[Rule]:
    """What two touches of the same thing do to each other, on the databases that have it."""
    rules = _on_one_name(a, b) if a.thing[0] == "name" else _on_one_thing(a, b)
    both = set(a.dialects) & set(b.dialects)
    held = [rule._replace(dialects=tuple(each for each in rule.dialects if each in both)) for rule in rules]
    return [rule for rule in held if rule.dialects]


def _on_one_name(a: Touch, b: Touch) -> list[Rule]:
    """Two things of different kinds, or on different tables, that can't have one name."""
    if a.value == b.value or (a.lenient and b.lenient):
        return []
    match a.verb, b.verb:
        case "create", "create" if a.lenient or b.lenient:
            return _both_create(a, b)
        case "create", "create" if a.value == "sequence":
            return [_order("a", f"{_FIRST_A}: no sequence may be called like a type that is there.")]
        case "create", "create" if b.value == "sequence":
            return [rule.flipped() for rule in _on_one_name(b, a)]
        case "create", "create":
            name = a.thing[2].replace("{", "{{").replace("}", "}}")
            says = f"whichever runs second fails, because the name `{name}` is taken: {_ONE_SPACE[a.thing[-1]]}."
            return [_conflict(says)]
        case "create", "drop":
            return [_order("b", f"{_FIRST_B}, otherwise the name is taken.")]
        case "drop", "create":
            return [rule.flipped() for rule in _on_one_name(b, a)]
    return []


def _on_one_thing(a: Touch, b: Touch) -> list[Rule]:
    match a.verb, b.verb:
        case "create", "create":
            return _both_create(a, b)
        case "replace", "replace":
            return [] if _same(a, b) else [_silent("what the last one makes stays, the other one's is lost.")]
        case "drop", "drop":
            return _both_drop(a, b)
        case "set", "set" if a.thing[-1] == "type":
            says = "the type of the one that runs last stays, and the database may refuse to convert the values."
            return [] if _same(a, b) else [_silent(says)]
        case "set", "set":
            return [] if _same(a, b) else [_silent("no error, but the one that runs last wins.")]
        case (("set" | "use"), ("set" | "use")):
            return []
    if _WEIGHT[a.verb] > _WEIGHT[b.verb]:
        return [rule.flipped() for rule in _on_one_thing(b, a)]
    return {"create": _new, "replace": _renewed, "drop": _gone}[a.verb](a, b)


def _same(a: Touch, b: Touch) -> bool:
    return a.value is not None and a.value == b.value


def _both_create(a: Touch, b: Touch) -> list[Rule]:
    if (a.lenient or a.replaces) and (b.lenient or b.replaces):
        if _same(a, b):
            return []
        stays = "last" if a.replaces and b.replaces else "first"
        if a.value is None or b.value is None:
            return [_unknown(f"the one that runs {stays} stays; compare the two definitions.")]
        return [_silent(f"no error, but only the definition that runs {stays} stays.")]
    if a.lenient or a.replaces:
        return [rule.flipped() for rule in _both_create(b, a)]
    if b.lenient or b.replaces:
        return [_order("a", f"{_FIRST_A}, otherwise it finds the name taken and fails.")]
    if a.thing[0] == "constraint":
        return [_conflict(_TAKEN, POSTGRESQL), _unknown("two constraints of one name.", SQLITE)]
    return [_conflict(_TAKEN)]


def _both_drop(a: Touch, b: Touch) -> list[Rule]:
    if a.lenient and b.lenient:
        return []
    says = "because the other one does not mind that it is gone."
    if a.lenient:
        return [_order("b", f"{_FIRST_B}, {says}")]
    if b.lenient:
        return [_order("a", f"{_FIRST_A}, {says}")]
    return [_conflict("whichever runs second fails, because it is gone by then.")]


def _new(a: Touch, b: Touch) -> list[Rule]:
    """`a` creates what `b` replaces, drops, sets or uses."""
    soft = a.lenient or a.replaces
    if b.verb == "replace":
        if soft:
            return [_silent("no error, but only one of the two definitions stays.")]
        return [_conflict("{b} drops and creates it again, so it has to be there, but {a} needs it to be absent.")]
    if b.verb == "drop":
        if a.lenient and a.thing[0] != "enum":
            return [_silent("no error, but it depends on the order whether it is there at the end.")]
        return [_order("b", f"{_FIRST_B}, otherwise the name is taken, or the new one is dropped.")]
    if soft or not b.named:
        return []
    return [_order("a", f"{_FIRST_A}, because {{b}} needs what it creates.")]


def _renewed(a: Touch, b: Touch) -> list[Rule]:
    """`a` drops and creates anew what `b` drops, sets or uses."""
    if b.verb == "drop":
        return [_order("a", f"{_FIRST_A}, because {{b}} drops what it needs.")]
    if b.hold == "type":
        return [_order("a", f"{_FIRST_A}, otherwise it can't drop the old type, which {{b}} uses by then.")]
    if a.thing[0] == "enum" or not b.named:
        return []
    return [_unknown("{b} works on what {a} drops and creates again; check whether its work stays.")]


def _gone(a: Touch, b: Touch) -> list[Rule]:
    """`a` drops or renames what `b` uses."""
    done = "renames" if a.renames else "drops"
    first = _order("b", f"{{b}} has to run first, because it needs what {{a}} {done}.")
    stuck = _conflict("neither order works: either it is gone, or it can't be dropped because it is in use.")
    match b.hold:
        case "key" if a.renames:
            lost = "SQLite accepts the key afterwards too, but it points at a table or column that is gone."
            return [first._replace(dialects=POSTGRESQL), _silent(lost, SQLITE)]
        case "key":
            dangling = "SQLite accepts it in either order, but the foreign key points at what is gone."
            return [stuck._replace(dialects=POSTGRESQL), _unknown(dangling, SQLITE)]
        case "view" | "type" | "schema" if not a.renames:
            return [stuck]
        case "index" if a.thing[0] == "column" and not a.renames:
            says = "SQLite drops no column with an index, and makes no index on a column that is gone."
            return [first._replace(dialects=POSTGRESQL), _conflict(says, SQLITE)]
    return [first]


_DROPS = (ops.Drop, ops.DropColumn, ops.DropConstraint, ops.DropIndex)
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
            yield _silent(says, POSTGRESQL)


def _one_table(a: Named | None, b: Named | None) -> bool:
    return a is not None and b is not None and relation(a) == relation(b)


def _directed(x: Act, y: Act) -> Iterator[Rule]:
    a, b = x.step.does, y.step.does
    if isinstance(b, ops.ChangeRows):
        yield from _before_rows(a, b)
    match a:
        case ops.DropColumn() if isinstance(b, ops.DropConstraint | ops.DropIndex) and _one_table(a.table, b.table):
            says = "{b} has to run first: what depends on that column is dropped with it, or prevents the drop."
            yield _order("b", says)
        case ops.AddLabel():
            yield from _label(a, y, autocommit=x.step.autocommit)
            if any(touch.verb == "replace" and touch.thing == enum(a.enum) for touch in y.touches):
                says = "{b} rebuilds the type from its own list: if it runs last, the label of {a} is lost."
                yield _silent(says, POSTGRESQL)
        case ops.CreateOther(kind="view" | "materialized view"):
            yield from _view(a, b)
        case ops.AlterColumn() if _changes(a, "type") and any(_key_on(a, *key) for key in _keys(b)):
            yield _unknown("a foreign key needs equal types on both ends; look whether they still fit.")
        case ops.Query() | ops.SetProperty() | ops.Aside():
            yield from _beside(a, b)
        case ops.Batch():
            yield from _batch(a, b)
        case _:
            yield from _needed(x, b)


def _needed(x: Act, b: Operation) -> Iterator[Rule]:
    """What goes may be needed, where it is not written by what."""
    match x.step.does:
        case ops.DropConstraint(kind="foreign key", table=table):
            if isinstance(b, _DROPS) and not _one_table(_table_or_itself(b), table):
                yield _unknown("look whether the key that {a} drops points at what {b} drops.")
        case ops.DropConstraint() | ops.DropIndex() as a if _is_from_before(x):
            says = "the foreign key needs a unique key on the columns it points at; look whether {a} drops that one."
            if any(_may_be_on(a, key.target) for _, key in _keys(b)):
                yield _unknown(says)
        case ops.Drop(kind="extension"):
            needs_none = isinstance(b, ops.DropColumn | ops.DropIndex | ops.Batch)
            if not needs_none and not (isinstance(b, ops.Drop) and b.kind != "type"):
                yield _unknown("look whether {b} needs a type or function of the extension.", POSTGRESQL)
        case ops.Drop(kind="view" | "materialized view" | "trigger") if isinstance(b, _DROPS):
            yield _unknown("look whether what {a} drops uses what {b} drops: then {a} has to run first.")
        case ops.DropColumn() | ops.Drop(kind="table") | ops.Rename(kind="table") as a:
            if isinstance(b, ops.CreateOther) and _reads(b, a):
                yield _unknown("look whether the function needs what is gone then.", POSTGRESQL)


def _table_or_itself(gone: Operation) -> Named | None:
    if isinstance(gone, ops.Drop | ops.Rename) and gone.kind == "table":
        return gone.name
    return table_of(gone)


def _beside(a: ops.Query | ops.SetProperty | ops.Aside, b: Operation) -> Iterator[Rule]:
    match a, b:
        case ops.Query(), ops.ChangeRows(does="insert") if "setval()" in a.words:
            yield _unknown("look whether the rows get their numbers from the sequence that is set.")
        case ops.Query(), ops.ChangeRows(table=table) if a.used and table.name.lower() in a.words:
            yield _unknown("{a} reads what {b} changes; look what it does with it.")
        case ops.Query(), ops.Query() if {"setval()"} <= a.words & b.words and len(a.words & b.words) > 1:
            yield _unknown("both set a sequence; look whether it is the same.")
        case ops.Query(star=True, used=True), ops.AddColumn(table=table) if table.name.lower() in a.words:
            yield _unknown("{a} takes all columns of its moment; look whether the new one has to be among them.")
        case ops.Query(), ops.DropColumn(table=table) | ops.AlterColumn(table=table, new_name=str()):
            if {table.name.lower(), b.column.lower()} <= a.words:
                yield _order("a", "{a} has to run first, because it reads the column.")
            elif table.name.lower() in a.words and a.star and a.used:
                yield _unknown("look whether {a} needs that column.")
        case ops.Aside(does="grants"), ops.Aside(does="revokes") if set(a.needs) & set(b.needs):
            yield _silent("no error, but the one that runs last wins.", POSTGRESQL)
        case ops.SetProperty(), ops.ChangeRows() if a.name.startswith("validity") and _one_table(a.table, b.table):
            yield _unknown("it depends on the values whether they keep to the constraint.")


def _changes(a: ops.AlterColumn, what: str) -> bool:
    return any(name == what for name, _ in a.changes)


def _before_rows(a: Operation, b: ops.ChangeRows) -> Iterator[Rule]:
    """What is made of a table, and what is done to its rows."""
    yield from _columns_of(a, b)
    if b.text[:8].lower() == "truncate" and any(_one_table(key.target, b.table) for _, key in _keys(a)):
        yield _order("b", "{b} has to run first: no table is truncated that a key points at.", POSTGRESQL)
    match a:
        case ops.CreateOther(kind="materialized view") if b.table.name.lower() in a.words:
            yield _silent("no error, but the view holds the rows of its moment.", POSTGRESQL)
        case ops.AlterColumn() if _one_table(a.table, b.table):
            yield from _altered_rows(a, b)
        case ops.AddColumn() if _one_table(a.table, b.table):
            yield from _new_column_rows(a.column, b)
        case ops.CreateConstraint(table=table, constraint=constraint) if _one_table(table, b.table):
            yield from _demanded(constraint, b)
        case ops.CreateConstraint(constraint=constraint) if _one_table(constraint.target, b.table):
            if b.does == "delete" or (b.does == "update" and _writes(b, set(constraint.target_columns))):
                yield _unknown("it depends on the rows whether every key finds its row; look at both.")
        case ops.CreateIndex(definition=index) if index.unique and _one_table(index.table, b.table):
            yield from _demanded(ops.Constraint("unique", index.name, index.columns, words=index.words), b)
        case ops.DropConstraint() | ops.DropIndex() if (
            b.does == "insert" and "on conflict" in b.text.lower() and _may_be_on(a, b.table)
        ):
            yield _unknown("`ON CONFLICT` needs a unique key; look whether {a} drops that one.")
        case ops.CreateOther(kind="trigger", table=table) if _one_table(table, b.table):
            yield _unknown("only rows that are written after it set off the trigger; look at what it does.")


def _columns_of(a: Operation, b: ops.ChangeRows) -> Iterator[Rule]:
    """Columns of other tables that are read, and rows that are written or read without naming their columns."""
    match a:
        case ops.DropColumn(table=table, column=name) | ops.AlterColumn(table=table, column=name, new_name=str()):
            if table.name.lower() in b.words and name.lower() in b.words and not _one_table(table, b.table):
                yield _order("b", "{b} has to run first, because it reads the column.")
    if not isinstance(a, ops.AddColumn | ops.DropColumn):
        return
    unnamed = b.does == "insert" and b.writes is None and _one_table(a.table, b.table)
    if unnamed and not b.text.lower().endswith("default values"):
        yield _unknown("{b} does not name the columns that it writes; look whether the rows still fit.")
    elif a.table.name.lower() in b.words and _STAR.search(b.text):
        yield _unknown("{b} reads all columns of its moment; look whether they still fit.")


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(a: ops.ChangeRows, b: ops.ChangeRows) -> Iterator[Rule]:
    if a.does == b.does == "insert":
        yield _unknown("both insert: look for equal keys, and for ids that the database counts up.")
        return
    if a.does == b.does == "update" and a.writes is not None and b.writes is not None:
        ours, theirs = _lower(a.writes), _lower(b.writes)
        if not ours & (theirs | b.words) and not theirs & a.words:
            return
    yield _silent("no error, but the rows differ with the order: each works on what the other leaves.")


def _altered_rows(a: ops.AlterColumn, b: ops.ChangeRows) -> Iterator[Rule]:
    column = a.column.lower()
    writes = _writes(b, {column})
    if a.nullable is False and b.does == "update" and writes:
        yield _order("b", "{b} has to run first: rows that are still NULL make {a} fail.")
    elif a.nullable is False and b.does != "update" and (b.does == "delete" or not writes or b.writes is None):
        yield _unknown("it depends on the rows: one with NULL in that column makes the NOT NULL fail.")
    if _changes(a, "type") and (writes or column in b.words) and b.does != "delete":
        yield _unknown("it depends on the values whether they fit the old and the new type.")
    if _changes(a, "server_default") and b.does == "insert" and (b.writes is None or not writes):
        yield _silent("no error, but the new rows get the default of their moment.")


def _new_column_rows(a: ops.Column, b: ops.ChangeRows) -> Iterator[Rule]:
    if a.nullable is not False or a.server_default is not None or b.does == "update":
        return
    if b.does == "insert" and not b.some:
        yield _conflict(
            "neither order works: a row without a value for a NOT NULL column without a default is refused."
        )
    else:
        yield _unknown("it depends on the rows: any that is there makes a NOT NULL column without a default fail.")


def _demanded(constraint: ops.Constraint, b: ops.ChangeRows) -> Iterator[Rule]:
    if b.does == "delete":
        if constraint.kind != "primary key":
            yield _unknown("it depends on the rows whether they have to be deleted first; look at both.")
        return
    of = {*constraint.columns, *constraint.words}
    if b.does == "insert" or not of or _writes(b, of):
        yield _unknown(f"it depends on the values whether they keep to the {constraint.kind} constraint.")


def _writes(b: ops.ChangeRows, columns: set[str]) -> bool:
    """Whether it may give one of these columns a value."""
    return b.writes is None or not _lower(columns).isdisjoint(_lower(b.writes))


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


# -- views, labels and keys ---------------------------------------------------------------------------------------


def _view(view: ops.CreateOther, b: Operation) -> Iterator[Rule]:
    if not isinstance(b, ops.AddColumn | ops.DropColumn | ops.AlterColumn) or b.table.name.lower() not in view.words:
        return
    if isinstance(b, ops.AddColumn):
        if view.frozen:
            says = "no error, but a view of `SELECT *` keeps the columns of its moment on PostgreSQL."
            yield _silent(says, POSTGRESQL)
        return
    reads = b.column.lower() in view.words
    if not reads and not view.frozen:
        return
    if isinstance(b, ops.DropColumn):
        if reads:
            yield _conflict("neither order works: the view needs the column, and then keeps it from going.")
        else:
            yield _order("b", "{b} has to run first, otherwise the view keeps the column from going.", POSTGRESQL)
    elif b.new_name is not None and reads:
        yield _order("a", "{a} has to run first, because it names the column as it is called before.")
    elif b.new_name is not None:
        yield _silent("no error, but a view of `SELECT *` keeps the names of its moment.", POSTGRESQL)
    if isinstance(b, ops.AlterColumn) and _changes(b, "type"):
        yield _order("b", "{b} has to run first: PostgreSQL changes no type under a view.", POSTGRESQL)


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
        yield _order("a", "{a} has to run first, because {b} uses the label.", POSTGRESQL)
        return
    says = (
        "neither order works in one upgrade: PostgreSQL uses no label in the transaction that adds it, and Alembic "
        "runs all pending revisions in one. Add it inside `op.get_context().autocommit_block()`."
    )
    yield _conflict(says, POSTGRESQL)


def _keys(operation: Operation) -> list[tuple[Named, ops.Constraint]]:
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


def _may_be_on(dropped: ops.DropConstraint | ops.DropIndex, table: Named | None) -> bool:
    """Whether it may drop a unique key of a table."""
    if isinstance(dropped, ops.DropConstraint) and dropped.kind in ("foreign key", "check"):
        return False
    return dropped.table is None or table is None or _one_table(dropped.table, table)


def _reads(function: ops.CreateOther, gone: ops.DropColumn | ops.Drop | ops.Rename) -> bool:
    table = _table_or_itself(gone)
    if function.kind not in ("function", "procedure") or table is None or table.name.lower() not in function.words:
        return False
    return not isinstance(gone, ops.DropColumn) or gone.column.lower() in function.words


def _key_on(a: ops.AlterColumn, table: Named, key: ops.Constraint) -> bool:
    ends = ((table, key.columns), (key.target, key.target_columns))
    return any(_one_table(a.table, end) and a.column.lower() in _lower(columns) for end, columns in ends)


# -- SQLite's batch mode ------------------------------------------------------------------------------------------


def _batch(batch: ops.Batch, b: Operation) -> Iterator[Rule]:
    here = _one_table(table_of(b), batch.table)
    if here and batch.copy_from:
        if isinstance(b, ops.AddColumn | ops.CreateConstraint | ops.CreateIndex):
            says = "on SQLite {a} makes the table from its own definition: if it runs last, the work of {b} is lost."
            yield _silent(says, SQLITE)
        elif isinstance(b, ops.DropColumn | ops.AlterColumn | ops.DropConstraint):
            says = "on SQLite {a} makes the table from its own definition; look whether it knows what {b} does."
            yield _unknown(says, SQLITE)
    if not batch.recreates:
        return
    match b:
        case ops.CreateOther(kind="trigger") if here:
            says = "on SQLite {a} rebuilds the table: a trigger that was there before is lost without an error."
            yield _silent(says, SQLITE)
        case ops.CreateIndex(definition=index) if here and index.computed:
            says = "on SQLite {a} rebuilds the table: an index on an expression that was there before is lost."
            yield _silent(says, SQLITE)
        case ops.CreateIndex(definition=index) if here and index.partial:
            says = "on SQLite {a} rebuilds the table; check whether your SQLAlchemy keeps the WHERE of the index."
            yield _unknown(says, SQLITE)
        case ops.CreateOther(kind="view", words=words) if batch.table.name.lower() in words:
            yield _order("a", "{a} has to run first: SQLite can't rebuild a table under a view.", SQLITE)

"""What an operation touches: whatever it creates, drops, sets and uses, each under one name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from onehead.operations import model as ops
from onehead.operations.model import EVERYWHERE, POSTGRESQL, SQLITE, Dialect, Named
from onehead.operations.sql_tokens import literals_in, words_in

Thing = tuple[str, ...]
"""Its kind, then its names from the outside in, in lower case: `("column", "", "users", "age")`.

Tables, views, sequences and indexes are all of the kind `relation`, as databases give them one space of names. What
else may not have one name with another is of the kind `name`, beside the thing itself: PostgreSQL keeps the index of a
unique constraint or primary key among the relations, and a table's row type among the types.
"""

Verb = Literal["create", "replace", "drop", "set", "use"]
"""`replace`: dropped or renamed, and created again under the same name, by one side."""


class Touch(NamedTuple):
    """One thing that an operation touches.

    Attributes:
        value: for `create` and `set`: what it becomes; equal values leave no difference.
        lenient: for `create` and `drop`: nothing happens where it is there already, or gone.
        replaces: for `create`: one that is there already is replaced.
        renames: for `drop`: it goes on under another name, and what depends on it goes along.
        hold: for `use`: what is made depends on it from then on, so that it can't be dropped alone: `key` for a
            foreign key, `view`, `type` for a column of an enum, `index`, `schema` for what is made in one.
        named: for `use`: it is named as what it is; else a word that may mean it.
        dialects: the databases that have such a thing.
    """

    verb: Verb
    thing: Thing
    value: str | None = None
    lenient: bool = False
    replaces: bool = False
    renames: bool = False
    hold: str = ""
    named: bool = True
    dialects: tuple[Dialect, ...] = EVERYWHERE


def schema_of(named: Named) -> str:
    """The schema as it is compared: none and `public` are one, since projects write both for the same place."""
    return "" if named.schema in (None, "public") else str(named.schema).lower()


def _thing(kind: str, named: Named, *names: str) -> Thing:
    return (kind, schema_of(named), named.name.lower(), *(name.lower() for name in names))


def relation(named: Named) -> Thing:
    """A table, view, sequence or index."""
    return _thing("relation", named)


def column(table: Named, name: str) -> Thing:
    """A column of a table."""
    return _thing("column", table, name)


def enum(named: Named) -> Thing:
    """An enum type."""
    return _thing("enum", named)


def _label(named: Named, text: str) -> Thing:
    return ("label", *enum(named)[1:], text)


def inside(thing: Thing) -> Thing | None:
    """The table that a column, constraint or property is part of, or the type of a label."""
    match thing[0]:
        case "column" | "constraint" | "property" | "primary key" | "comment" | "setting":
            return ("relation", *thing[1:3])
        case "label":
            return ("enum", *thing[1:3])
    return None


def table_of(operation: ops.Operation) -> Named | None:
    """The table that an operation works on; none for one that creates, drops or renames the table itself."""
    match operation:
        case ops.CreateTable():
            return None
        case ops.CreateIndex(definition=index):
            return index.table
    return getattr(operation, "table", None)


_INDEXED = ("unique", "primary key", "exclude")
_COUNTED = ("integer", "biginteger", "smallinteger", "serial", "bigserial")
"""Types of a primary key for which PostgreSQL may make a sequence; it chooses a name that is free."""
_ON_TABLES = (ops.CreateIndex, ops.DropIndex, ops.CreateOther, ops.Drop, ops.Rename)
"""What concerns something beside a table: of two rules that weigh the same, the one about that thing comes first."""
_ON_POSTGRESQL = ("enum", "label", "name", "function", "schema", "extension")
"""Kinds of things that exist there alone."""


def touches(operation: ops.Operation) -> tuple[Touch, ...]:
    """Everything that one operation touches; nothing for `Unknown`, about which nothing is known."""
    found = [
        touch._replace(dialects=POSTGRESQL) if touch.thing[0] in _ON_POSTGRESQL else touch
        for touch in _touches(operation)
    ]
    if (table := table_of(operation)) is not None:
        found.insert(len(found) if isinstance(operation, _ON_TABLES) else 0, Touch("use", relation(table)))
    makes: dict[str, bool] = {}
    for touch in found:
        if touch.thing[0] not in ("schema", "word") and touch.thing[1]:
            makes[touch.thing[1]] = makes.get(touch.thing[1], False) or touch.verb == "create"
    schemas = (
        Touch("use", ("schema", "", schema), hold="schema" if made else "", dialects=POSTGRESQL)
        for schema, made in makes.items()
    )
    return (*found, *schemas)


def _touches(operation: ops.Operation) -> Iterator[Touch]:
    match operation:
        case ops.CreateTable():
            yield from _table(operation)
        case ops.AddColumn(table=table, column=added):
            own = frozenset({added.name.lower()})
            yield Touch("create", column(table, added.name), repr(added), operation.lenient)
            yield from _declared(added)
            yield from _constraints(table, operation.constraints, own=own)
            yield from _indexes(operation.indexes, own=own)
        case ops.DropColumn(table=table, column=name, lenient=lenient):
            yield Touch("drop", column(table, name), lenient=lenient)
        case ops.AlterColumn():
            yield from _altered(operation)
        case ops.CreateIndex(definition=index, lenient=lenient):
            yield from _indexes((index,), lenient=lenient)
        case ops.DropIndex(name=named, lenient=lenient):
            yield from _as("drop", _made("index", named), lenient=lenient)
        case ops.CreateConstraint(table=table, constraint=constraint):
            yield from _constraints(table, (constraint,))
        case ops.DropConstraint(table=table, name=name, kind=kind, lenient=lenient):
            yield Touch("drop", _thing("constraint", table, name), lenient=lenient)
            if kind in (*_INDEXED, None):
                yield _shares("drop", Named(name, table.schema), "relation", of=f"constraint of {table}")
        case _:
            yield from _others(operation)


def _others(operation: ops.Operation) -> Iterator[Touch]:
    match operation:
        case ops.CreateOther():
            yield from _other(operation)
        case ops.Drop(kind=kind, name=named, lenient=lenient, table=table):
            yield from _as("drop", _made(kind, named, table), lenient=lenient)
        case ops.Rename(kind=kind, name=named, new=new, lenient=lenient, table=table):
            yield from _as("drop", _made(kind, named, table), renames=True, lenient=lenient)
            yield from _made(kind, new, table)
        case ops.CreateEnum(enum=named, labels=labels, lenient=lenient):
            value = None if labels is None else repr(labels)
            yield from _as("create", _made("type", named), value=value, lenient=lenient)
        case ops.AddLabel(enum=named, label=text, lenient=lenient):
            yield Touch("use", enum(named))
            yield Touch("create", _label(named, text), text, lenient)
        case ops.RenameLabel(enum=named, label=text, new=new_text):
            yield Touch("use", enum(named))
            yield Touch("drop", _label(named, text), renames=True)
            yield Touch("create", _label(named, new_text))
        case _:
            yield from _beside(operation)


def _beside(operation: ops.Operation) -> Iterator[Touch]:
    match operation:
        case ops.CommentTable(table=table, comment=comment):
            yield Touch("set", _thing("comment", table), str(comment))
        case ops.SetProperty(table=table, name=name, value=value):
            yield Touch("set", _thing("setting", table, name), value)
            if operation.constraint is not None:
                yield Touch("use", _thing("constraint", table, operation.constraint))
        case ops.ChangeRows(table=table, words=words, writes=writes):
            for name in writes or ():
                yield Touch("use", column(table, name))
            yield from (Touch("use", column(table, word), named=False) for word in sorted(words))
            yield from _words(words)
        case ops.Query(words=words):
            yield from _words(words)
            yield from (Touch("use", ("word", word)) for word in sorted(words))
        case ops.Aside(needs=needs):
            yield from (Touch("use", _thing("enum" if kind == "type" else kind, named)) for kind, named in needs)


def _shares(verb: Verb, named: Named, space: str, *, of: str, lenient: bool = False) -> Touch:
    """That it has its name among things of other kinds; `of` says what it is, or which table it belongs to."""
    return Touch(verb, ("name", schema_of(named), named.name.lower(), space), of, lenient)


def _words(words: Iterable[str], *, hold: str = "") -> Iterator[Touch]:
    """What is named in a piece of SQL: `f()` is a function, `a.b` a `b` in schema `a`; any other may be anything."""
    for word in sorted(words):
        first, _, last = word.removesuffix("()").rpartition(".")
        named = Named(last, first or None)
        if word.endswith("()"):
            yield Touch("use", _thing("function", named), hold=hold, named=False)
            continue
        yield Touch("use", relation(named), hold=hold, named=False)
        yield Touch("use", enum(named), hold=hold, named=False)


def _as(verb: Verb, found: Iterable[Touch], **given: object) -> Iterator[Touch]:
    """The touches of something that is made, for another verb; what is `given` concerns the thing, not its name."""
    for touch in found:
        yield touch._replace(verb=verb, **({} if touch.thing[0] == "name" else given))  # type: ignore[arg-type]


def _made(kind: str, named: Named, table: Named | None = None) -> Iterator[Touch]:
    """Something of this kind, as creating it touches it; `table`: what it is part of."""
    match kind:
        case "table" | "view" | "materialized view" | "sequence" | "index":
            yield Touch("create", relation(named))
            yield _shares("create", named, "relation", of="relation")
            if kind != "index":
                yield _shares("create", named, "type", of="sequence" if kind == "sequence" else "relation")
        case "type":
            yield Touch("create", enum(named))
            yield _shares("create", named, "type", of="type")
        case "constraint" if table is not None:
            yield Touch("create", _thing("constraint", table, named.name))
            yield _shares("create", named, "relation", of=f"constraint of {table}")
        case "trigger":
            everywhere = ("trigger", schema_of(named), "", named.name.lower())
            # PostgreSQL keeps a trigger with its table; SQLite has one space of names for all of them.
            if table is not None:
                yield Touch("create", _thing("trigger", table, named.name), dialects=POSTGRESQL)
            yield Touch("create", everywhere, dialects=EVERYWHERE if table is None else SQLITE)
        case _:
            yield Touch("create", _thing("function" if kind == "procedure" else kind, named))


def _other(operation: ops.CreateOther) -> Iterator[Touch]:
    words, table = operation.words, operation.table
    found = _made(operation.kind, operation.name, table)
    yield from _as("create", found, value=operation.text, lenient=operation.lenient, replaces=operation.replaces)
    holds = operation.kind in ("view", "materialized view", "trigger")
    yield from _words(words, hold="view" if holds else "")
    if operation.kind == "trigger" and table is not None:
        yield from (Touch("use", column(table, word), hold="view", named=False) for word in sorted(words))
    elif holds:
        # Which of its tables has the column is not known; `conflict_rules` asks for the table too.
        yield from (Touch("use", ("word", word.lower()), hold="view") for word in sorted(words))


def _table(operation: ops.CreateTable) -> Iterator[Touch]:
    table = operation.table
    shape = repr((operation.columns, operation.constraints, operation.indexes)) if operation.complete else None
    yield from _as("create", _made("table", table), value=shape, lenient=operation.lenient)
    for each in operation.columns:
        yield from _declared(each)
        if each.primary_key and each.type is not None and each.type.name.lower() in _COUNTED:
            sequence = Named(f"{table.name}_{each.name}_seq", table.schema)
            yield _shares("create", sequence, "relation", of="relation of a column", lenient=True)
    if any(each.primary_key for each in operation.columns) and not any(
        each.kind == "primary key" for each in operation.constraints
    ):
        key = Named(f"{table.name}_pkey", table.schema)
        yield _shares("create", key, "relation", of=f"constraint of {table}", lenient=True)
    yield from _constraints(table, operation.constraints, own=None)
    yield from _indexes(operation.indexes, own=None)


def _declared(declared: ops.Column) -> Iterator[Touch]:
    """What a column needs: its type, and what its default calls."""
    if declared.type is not None:
        yield from _type(declared.type)
    if declared.server_default is not None:
        yield from _default(declared.server_default)


def _default(written: str) -> Iterator[Touch]:
    """What a default calls: `now()`, and what is called in `Computed('f(x)')`."""
    if "(" in written:
        inner = (text for text in literals_in(written) if "(" in text)
        yield from _words(words_in(written).union(*map(words_in, inner)), hold="view")


def _type(kind: ops.Type) -> Iterator[Touch]:
    if kind.enum is None:
        # Written as text, the name of an enum looks like any other.
        yield Touch("use", enum(Named(kind.name)), hold="type", named=False)
    elif kind.enum.name is not None and kind.enum.native:
        yield Touch("use", enum(kind.enum.name), hold="type")


_Own = frozenset[str] | None
"""Columns that come with a constraint or index; `None`: all of its table's."""


def _constraints(table: Named, constraints: Iterable[ops.Constraint], own: _Own = frozenset()) -> Iterator[Touch]:
    for each in constraints:
        if each.name is not None:
            yield Touch("create", _thing("constraint", table, each.name))
        if each.kind in _INDEXED:
            named = Named(each.name or _given_name(table, each), table.schema)
            yield _shares("create", named, "relation", of=f"constraint of {table}", lenient=each.name is None)
        if each.kind == "primary key" and own is not None:
            yield Touch("create", _thing("primary key", table))
        yield from _stands_on(table, each, own, hold="constraint")
        if each.target is not None:
            yield Touch("use", relation(each.target), hold="key")
            for name in each.target_columns:
                yield Touch("use", column(each.target, name), hold="key")


def _given_name(table: Named, constraint: ops.Constraint) -> str:
    """What PostgreSQL calls a constraint without a name; it takes another one where that is taken."""
    if constraint.kind == "primary key":
        return f"{table.name}_pkey"
    return "_".join((table.name, *constraint.columns, "key" if constraint.kind == "unique" else "excl"))


def _indexes(indexes: Iterable[ops.Index], own: _Own = frozenset(), *, lenient: bool = False) -> Iterator[Touch]:
    for each in indexes:
        named = Named(each.name or f"ix_{each.table.name}_{'_'.join(each.columns)}", each.table.schema)
        yield Touch("create", relation(named), repr(each._replace(concurrently=False)), lenient)
        yield _shares("create", named, "relation", of="relation", lenient=lenient)
        yield from _stands_on(each.table, each, own, hold="index")


def _stands_on(table: Named, made: ops.Constraint | ops.Index, own: _Own, *, hold: str) -> Iterator[Touch]:
    """The columns and functions that a constraint or index needs."""
    if own is not None:
        for name in made.columns:
            if name.lower() not in own:
                yield Touch("use", column(table, name), hold=hold)
        for word in sorted(made.words):
            yield Touch("use", column(table, word), hold=hold, named=False)
    yield from _words((word for word in made.words if word.endswith("()")), hold="view")


def _altered(operation: ops.AlterColumn) -> Iterator[Touch]:
    table, name = operation.table, operation.column
    yield Touch("use", column(table, name))
    if operation.new_name is not None and operation.new_name.lower() != name.lower():
        yield Touch("drop", column(table, name), renames=True)
        yield Touch("create", column(table, operation.new_name))
    for property_name, value in operation.changes:
        yield Touch("set", _thing("property", table, name, property_name), value)
        if property_name == "server_default":
            yield from _default(value)
    if operation.type is not None:
        yield from _type(operation.type)
    for word in sorted(operation.using or ()):
        yield Touch("use", column(table, word), named=False)
    yield from _words(operation.using or ())

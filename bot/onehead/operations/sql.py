"""SQL text → operations: statements that people write in migrations; any other is `Unknown`.

A statement is recognised from its first words on, and only where nothing in it can reach further than the operation
says. What is read, and how many of the usual statements: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import get_args

from onehead.operations import model as ops
from onehead.operations import sql_tokens as cut
from onehead.operations.model import Aside, ConstraintKind, Named, Operation, OtherKind, RowChange
from onehead.operations.sql_tokens import NEEDED, RELATIONS, Cursor, NotPlain, Token, joined, shown

_TABLE_PARTS = ("constraint", "primary", "unique", "check", "foreign", "exclude", "like", "index", "key")
_PROPERTIES = {
    "owner to": "owner",
    "replica identity": "replica identity",
    "cluster on": "cluster",
    "enable row level security": "row level security",
    "disable row level security": "row level security",
} | dict.fromkeys(
    ("set tablespace", "set logged", "set unlogged", "set without", "set (", "reset ("),
    "storage",
)
_OTHERS: dict[str, OtherKind] = {kind: kind for kind in get_args(OtherKind)}
_OTHERS["domain"] = "type"
_HARMLESS_SETTINGS = (
    *("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "deadlock_timeout", "work_mem"),
    *("maintenance_work_mem", "temp_buffers", "client_min_messages", "log_min_messages", "log_statement"),
    *("synchronous_commit", "max_parallel_workers", "max_parallel_maintenance_workers", "jit", "application_name"),
)
_KNOWN_FUNCTIONS = frozenset(
    f"{name}()"
    for name in (
        *("count", "sum", "min", "max", "avg", "coalesce", "nullif", "greatest", "least", "array_agg", "string_agg"),
        *("row_number", "rank", "lag", "lead", "now", "clock_timestamp", "date_trunc", "extract", "to_char", "age"),
        *("lower", "upper", "trim", "btrim", "length", "substring", "substr", "replace", "concat", "split_part"),
        *("left", "right", "lpad", "rpad", "md5", "abs", "round", "floor", "ceil", "random", "row_to_json", "unnest"),
        *("json_agg", "jsonb_agg", "json_build_object", "jsonb_build_object", "jsonb_set", "generate_series"),
        *("nextval", "setval", "currval", "pg_get_serial_sequence", "gen_random_uuid", "uuid_generate_v4", "cast"),
        *("pg_sleep", "pg_advisory_lock", "pg_advisory_unlock", "pg_advisory_xact_lock", "to_regclass", "to_regtype"),
        *("current_database", "current_schema", "current_setting", "version", "concat_ws"),
        *("varchar", "numeric", "decimal", "char", "values", "regexp_replace", "date", "strftime", "ifnull", "typeof"),
    )
)


def operations_in(text: str) -> tuple[Operation, ...]:
    """What a text of one or more statements does, in order; never raises."""
    why = "SQL that is not recognised"
    pieces = cut.tokens(text)
    if pieces is None:
        return (ops.Unknown(why, shown(text)),)
    found: list[Operation] = []
    for statement in cut.statements(pieces):
        source = text[statement[0].start : statement[-1].end]
        try:
            found += _read(Cursor(statement, source))
        except NotPlain:
            found.append(ops.Unknown(why, shown(source), cut.words(statement)))
    return tuple(found)


def _read(at: Cursor) -> list[Operation]:
    first = at.next()
    reader = _STARTS.get(first.text) if first.kind == "name" else None
    if reader is None:
        raise NotPlain
    return list(reader(at))


def _only_known_functions(words: frozenset[str]) -> None:
    """A function that the project has made may do anything, so `NotPlain` is raised where one may be called."""
    called = {word.removeprefix("pg_catalog.") for word in words if word.endswith("()")}
    if not called <= _KNOWN_FUNCTIONS:
        raise NotPlain


# -- CREATE and DROP ------------------------------------------------------------------------------------------------


def _create(at: Cursor) -> Iterator[Operation]:
    replaces = at.take("or", "replace")
    unique = at.take("unique")
    at.one_of("constraint", "unlogged")
    temporary = bool(at.one_of("temporary", "temp", "global temporary", "local temporary"))
    kind = at.one_of("table", "index", *_OTHERS)
    concurrently = kind == "index" and at.take("concurrently")
    lenient = at.take("if", "not", "exists")
    match kind:
        case "table":
            yield from _create_table(at, lenient=lenient, temporary=temporary)
        case "index":
            yield ops.CreateIndex(cut.index(at, unique=unique, concurrently=concurrently), lenient)
        case "type":
            yield _create_type(at)
        case _ if kind in _OTHERS:
            yield _create_other(at, _OTHERS[kind])._replace(replaces=replaces, lenient=lenient)
        case _:
            raise NotPlain


def _create_table(at: Cursor, *, lenient: bool, temporary: bool) -> Iterator[Operation]:
    table = at.named()
    columns: list[ops.Column] = []
    constraints: list[ops.Constraint] = []
    complete = True
    for part in cut.parts(at.inside()) if at.peek().text != "as" else ():
        inner = Cursor(part, at.text)
        if inner.take("like"):
            yield ops.Query(frozenset((inner.named().name,)), star=True, used=True)
            complete = False
        elif part[0].says(*_TABLE_PARTS):
            found = cut.constraint(inner)
            constraints += [found] if found is not None else []
            complete = complete and found is not None and found.complete
        else:
            declared, beside = cut.column(inner)
            columns.append(declared)
            constraints += beside
    while at and at.peek().text != "as":
        if at.peek().text in ("inherits", "of") or (at.peek().text == "partition" and at.peek(1).text == "of"):
            raise NotPlain
        at.next()
    if at:
        at.need("as")
        at.one_of("select", "(")
        words = cut.words(at.rest())
        _only_known_functions(words)
        yield ops.Query(words, any(piece.text == "*" for piece in at.rest()), used=True)
        complete = False
    yield ops.CreateTable(table, tuple(columns), tuple(constraints), (), lenient, complete, temporary)


def _create_type(at: Cursor) -> Operation:
    name = at.named()
    at.need("as")
    is_enum = at.take("enum")
    inside = at.inside()
    at.end()
    if is_enum:
        return ops.CreateEnum(name, tuple(piece.text for piece in inside if piece.kind == "string"))
    return ops.CreateOther("type", name, words=cut.words(inside), text=at.line)


def _create_other(at: Cursor, kind: OtherKind) -> ops.CreateOther:
    if kind == "schema" and at.peek().text == "authorization":
        raise NotPlain
    name = at.named()
    rest = at.rest()
    table = None
    words = cut.words(rest)
    if kind == "trigger":
        while not at.take("on"):
            at.next()
        table = at.named()
        words -= {table.name}
    if kind in ("function", "procedure") and any(a.text == "language" and b.text == "sql" for a, b in pairwise(rest)):
        # What it does when it is called is the caller's. But what is written in SQL has to be there already.
        words = words.union(*map(cut.words_in, cut.literals(rest)))
    stars = kind in ("view", "materialized view") and cut.has_star(rest)
    return ops.CreateOther(kind, name, table, words=words, frozen=stars, text=at.line)


def _drop(at: Cursor) -> Iterator[Operation]:
    kind = at.one_of("table", "index", *_OTHERS)
    concurrently = kind == "index" and at.take("concurrently")
    lenient = at.take("if", "exists")
    names = at.listed(kind)
    table = at.named() if kind in ("trigger", "index") and at.take("on") else None
    along = at.end_of_drop()
    match kind:
        case "index":
            yield from (ops.DropIndex(name, table, lenient, concurrently) for name in names)
        case "table":
            yield from (ops.Drop("table", name, lenient) for name in names)
        case _ if kind in _OTHERS:
            yield from (ops.Drop(_OTHERS[kind], name, lenient, table) for name in names)
        case _:
            raise NotPlain
    yield from along


# -- ALTER and COMMENT ----------------------------------------------------------------------------------------------


def _alter(at: Cursor) -> Iterator[Operation]:
    kind = at.one_of("type", *RELATIONS)
    if not kind:
        needed = at.needed()
        at.need("owner", "to")
        yield Aside("changes", (needed,), at.line)
    elif kind == "type":
        yield _alter_type(at)
    elif kind == "table":
        at.take("only")
        table = at.named()  # `IF EXISTS` is not read: whether it does anything is unknown
        if not at:
            raise NotPlain
        for part in cut.parts(at.rest()):
            yield from _alter_table(Cursor(part, at.text), table)
    else:
        lenient = at.take("if", "exists")
        yield from _alter_other(at, kind, at.named(), lenient=lenient)


def _alter_table(at: Cursor, table: Named) -> Iterator[Operation]:
    match at.one_of("add", "drop", "alter", "rename", "validate constraint", "modify", "set schema"):
        case "add":
            yield from _add(at, table)
        case "drop":
            yield from _drop_from(at, table)
        case "alter":
            at.take("column")
            yield _alter_column(at, table)
        case "modify":
            at.take("column")
            declared, _ = cut.column(at)
            yield ops.AlterColumn(table, declared.name, type=declared.type, changes=(("type", at.line),))
        case "rename":
            yield _rename(at, table)
        case "validate constraint":
            name = at.name()
            yield ops.SetProperty(table, f"validity of `{name}`", "valid", name)
        case "set schema":
            yield ops.Rename("table", table, Named(table.name, at.name()))
            at.end()
        case _:
            name = at.one_of(*_PROPERTIES)
            if not name:
                raise NotPlain
            yield ops.SetProperty(table, _PROPERTIES[name], f"{name} {joined(at.rest())}")


def _add(at: Cursor, table: Named) -> Iterator[Operation]:
    if at.peek().says("index", "key") and at.peek(2).text == "(":
        at.next()
        yield ops.CreateIndex(ops.Index(at.name(), table, at.names()))
        return
    if at.peek().says(*_TABLE_PARTS):
        yield from _add_constraint(at, table)
        return
    at.take("column")
    lenient = at.take("if", "not", "exists")
    declared, constraints = cut.column(at)
    if declared.primary_key and not any(each.kind == "primary key" for each in constraints):
        constraints.insert(0, ops.Constraint("primary key", None, (declared.name,)))
    yield ops.AddColumn(table, declared, tuple(constraints), (), lenient)


def _add_constraint(at: Cursor, table: Named) -> Iterator[Operation]:
    name = at.peek(1).text if at.peek().text == "constraint" else None
    of = at.peek(2 if name is not None else 0).text
    rest = at.rest()
    using = next((place for place, piece in enumerate(rest) if piece.text == "using"), None)
    if of in ("unique", "primary") and using is not None:
        # The index goes on as that of the constraint, under its name.
        behind = Cursor(rest[using + 1 :], at.text)
        behind.need("index")
        written = behind.name()
        yield ops.DropIndex(Named(written, table.schema), table)
        kind: ConstraintKind = "unique" if of == "unique" else "primary key"
        yield ops.CreateConstraint(table, ops.Constraint(kind, name or written, complete=False))
        return
    found = cut.constraint(at)
    if found is None:
        raise NotPlain
    yield ops.CreateConstraint(table, found)


def _drop_from(at: Cursor, table: Named) -> Iterator[Operation]:
    kind = at.one_of("constraint", "foreign key", "index", "column")
    lenient = at.take("if", "exists")
    name = at.name()
    along = at.end_of_drop()
    match kind:
        case "constraint" | "foreign key":
            yield ops.DropConstraint(table, name, None if kind == "constraint" else "foreign key", lenient)
        case "index":
            yield ops.DropIndex(Named(name, table.schema), table, lenient)
        case _:
            yield ops.DropColumn(table, name, lenient)
    yield from along


def _rename(at: Cursor, table: Named) -> Operation:
    what = "table" if at.take("to") else at.one_of("constraint", "column")
    old = table.name if what == "table" else at.name()
    if what != "table":
        at.need("to")
    new = at.name()
    at.end()
    if what == "table":
        return ops.Rename("table", table, Named(new, table.schema))
    if what == "constraint":
        return ops.Rename("constraint", Named(old, table.schema), Named(new, table.schema), table=table)
    return ops.AlterColumn(table, old, new)


def _alter_column(at: Cursor, table: Named) -> Operation:
    name = at.name()
    if verb := at.one_of("set not null", "drop not null"):
        at.end()
        nullable = verb.startswith("drop")
        return ops.AlterColumn(table, name, nullable=nullable, changes=(("nullable", str(nullable)),))
    if at.one_of("drop default", "drop identity if exists", "drop identity"):
        at.end()
        return ops.AlterColumn(table, name, changes=(("server_default", "None"),))
    if verb := at.one_of("set default", "add generated", "set statistics", "set storage", "set compression"):
        changed = "server_default" if verb in ("set default", "add generated") else verb.split()[1]
        return ops.AlterColumn(table, name, changes=((changed, joined(at.rest())),))
    if not at.one_of("set data type", "type"):
        raise NotPlain
    written = joined(at.until("using", "collate"))
    if not written:
        raise NotPlain
    if at.take("collate"):
        at.named()
    using = cut.words(at.rest()) if at.take("using") else None
    kind = ops.Type(written.split()[0], written)
    return ops.AlterColumn(table, name, type=kind, changes=(("type", written),), using=using)


def _alter_type(at: Cursor) -> Operation:
    enum = at.named()
    changed: Operation
    if at.take("add", "value"):
        lenient = at.take("if", "not", "exists")
        changed = ops.AddLabel(enum, at.string(), lenient)
        if at.one_of("before", "after"):
            at.string()
    elif at.take("owner", "to"):
        return Aside("changes", text=at.line)
    elif at.take("set", "schema"):
        changed = ops.Rename("type", enum, Named(enum.name, at.name()))
    elif at.take("rename", "value"):
        label = at.string()
        at.need("to")
        changed = ops.RenameLabel(enum, label, at.string())
    else:
        at.need("rename", "to")
        changed = ops.Rename("type", enum, Named(at.name(), enum.schema))
    at.end()
    return changed


def _alter_other(at: Cursor, kind: str, name: Named, *, lenient: bool) -> Iterator[Operation]:
    needs = (("relation", name),)
    if at.take("rename", "to"):
        new = Named(at.name(), name.schema)
        at.end()
        yield ops.Rename("index" if kind == "index" else _OTHERS[kind], name, new, lenient)
    elif at.peek().text == "owner" or (at.peek().text in ("set", "reset") and at.peek(1).text == "("):
        yield Aside("changes", needs, at.line)
    elif kind == "sequence" and at.peek().text not in ("set", "rename"):
        rest = at.rest()
        yield Aside("changes", needs, at.line)
        if any(piece.text == "restart" for piece in rest):
            yield ops.Query(frozenset((name.name, "setval()")), used=True)
        elif at.take("owned", "by"):
            yield ops.Query(cut.words(at.rest()))
    else:
        raise NotPlain


def _comment(at: Cursor) -> Iterator[Operation]:
    at.need("on")
    match at.one_of("column", "constraint", *NEEDED):
        case "column":
            names = [at.name()]
            while at.take("."):
                names.append(at.name())
            *schema, table, name = ["", *names] if len(names) < 3 else names
            named = Named(table, "".join(schema) or None)
            yield ops.AlterColumn(named, name, changes=(("comment", str(_commented(at))),))
        case "constraint":
            name = at.name()
            at.need("on")
            yield ops.SetProperty(at.named(), f"comment of `{name}`", str(_commented(at)), name)
        case "table":
            yield ops.CommentTable(at.named(), _commented(at))
        case "":
            raise NotPlain
        case kind:
            needs = ((NEEDED[kind], at.named(kind)),)
            _commented(at)
            yield Aside("changes", needs, at.line)


def _commented(at: Cursor) -> str | None:
    at.need("is")
    comment = None if at.take("null") else at.string()
    at.end()
    return comment


# -- rows -----------------------------------------------------------------------------------------------------------


def _update(at: Cursor) -> Iterator[Operation]:
    at.one_of("only", "or ignore", "or replace")
    table = at.named()
    if not at.take("set"):  # an alias
        at.take("as")
        at.name()
        at.need("set")
    rest = at.rest()
    writes = _assigned(Cursor(rest, at.text).until("where", "from", "returning"))
    read = rest
    if writes is not None:  # a name that is only left of an assignment is not read
        left = {id(part[0]) for part in cut.parts(rest) if len(part) > 1 and part[1].text == "="}
        read = [piece for piece in rest if id(piece) not in left]
    yield _rows(at, "update", table, writes, cut.words(read), some=any(piece.says("where") for piece in rest))


def _assigned(pieces: list[Token]) -> tuple[str, ...] | None:
    """The columns left of each `=`; `None` where they are unknown."""
    found: list[str] = []
    for part in cut.parts(pieces):
        inner = Cursor(part, "")
        found += inner.names() if inner.peek().is_sign("(") else (inner.next().text,)
        if not inner.take("="):
            return None
    return tuple(found)


def _insert(at: Cursor) -> Iterator[Operation]:
    at.one_of("or ignore", "or replace", "ignore")
    at.need("into")
    table = at.named()
    if at.take("as"):
        at.name()
    writes = at.names() if at.peek().text == "(" and at.peek(1).text not in ("select", "with") else None
    at.one_of("overriding system value", "overriding user value")
    if at.peek().text not in ("values", "select", "default", "with", "("):
        raise NotPlain
    rest = at.rest()
    yield _rows(at, "insert", table, writes, cut.words(rest), some=any(piece.says("select") for piece in rest))


def _delete(at: Cursor) -> Iterator[Operation]:
    at.need("from")
    at.take("only")
    table = at.named()
    yield _rows(at, "delete", table, None, cut.words(at.rest()), some=bool(at))


def _merge(at: Cursor) -> Iterator[Operation]:
    at.need("into")
    at.take("only")
    table = at.named()
    rest = at.rest()
    does: RowChange
    for does in ("update", "delete", "insert"):
        if any(piece.says(does) for piece in rest):
            yield _rows(at, does, table, None, cut.words(rest), some=True)


def _truncate(at: Cursor) -> Iterator[Operation]:
    at.take("table")
    at.take("only")
    tables = at.listed()
    at.one_of("restart identity", "continue identity")
    along = at.end_of_drop()
    yield from (ops.ChangeRows("delete", table, some=False, text=at.line) for table in tables)
    yield from along


def _rows(
    at: Cursor, does: RowChange, table: Named, writes: tuple[str, ...] | None, words: frozenset[str], *, some: bool
) -> Operation:
    return ops.ChangeRows(does, table, writes, words, cut.literals(at.rest()), some, at.line)


def _with(at: Cursor) -> Iterator[Operation]:
    """`WITH`: what its parts read is read by the statement; parts that write do so beside it."""
    at.take("recursive")
    words: set[str] = set()
    while True:
        at.name()
        if at.peek().text == "(":
            at.inside()
        at.need("as")
        at.one_of("not materialized", "materialized")
        inside = at.inside()
        if inside and inside[0].text in ("insert", "update", "delete", "merge"):
            yield from _read(Cursor(inside, at.text))
        words |= cut.words(inside)
        if not at.take(","):
            break
    _only_known_functions(frozenset(words))
    if at.peek().text == "with":
        raise NotPlain
    for operation in _read(at):
        match operation:
            case ops.ChangeRows() | ops.Query():
                yield operation._replace(words=operation.words | words)
            case _:
                raise NotPlain


def _select(at: Cursor) -> Iterator[Operation]:
    rest = at.rest()
    words = cut.words(rest)
    _only_known_functions(words)
    into = next((place for place, piece in enumerate(rest) if piece.says("into")), None)
    # A sequence that is set from rows depends on these.
    yield ops.Query(words, cut.has_star([Token("name", "select"), *rest]), used="setval()" in words or into is not None)
    if into is not None:
        target = Cursor(rest[into + 1 :], at.text)
        temporary = bool(target.one_of("temporary", "temp"))
        target.one_of("unlogged table", "unlogged", "table")
        yield ops.CreateTable(target.named(), complete=False, temporary=temporary)


# -- what leaves tables and rows as they are ------------------------------------------------------------------------


def _set(at: Cursor) -> Iterator[Operation]:
    at.one_of("local", "session")
    if at.name() not in _HARMLESS_SETTINGS:
        raise NotPlain
    yield Aside("sets", text=at.line)


def _granted(at: Cursor) -> Iterator[Operation]:
    """Rights on what is named; `ON ALL TABLES` means those of that moment."""
    rest = at.rest()
    places = [place for place, piece in enumerate(rest) if piece.says("on")]
    if not places or any(piece.text == "all" for piece in rest[places[0] : places[0] + 2]):
        raise NotPlain
    on = Cursor(rest[places[0] + 1 :], at.text)
    kind, first = on.needed()
    needs = [(kind, first)]
    while on.take(","):
        needs.append((kind, on.named()))
    if on.peek().text not in ("to", "from"):
        raise NotPlain
    yield Aside("grants" if at.text.lower().startswith("grant") else "revokes", tuple(needs), at.line)


def _kept(at: Cursor) -> Iterator[Operation]:
    """`ANALYZE`, `VACUUM`, `LOCK`, `REINDEX`: of tables that are named."""
    if at.peek().text == "(":
        at.inside()
    at.one_of("full", "verbose", "analyze")
    at.one_of("table", "index", "concurrently")
    at.take("concurrently")
    tables = at.listed() if at.peek().is_name else []
    yield Aside("looks after", tuple(("relation", table) for table in tables), at.line)


def _transaction(at: Cursor) -> Iterator[Operation]:
    yield Aside("steers the transaction", text=at.line)


def _end(at: Cursor) -> Iterator[Operation]:
    at.one_of("work", "transaction")
    at.end()
    return _transaction(at)


_STARTS: dict[str, Callable[[Cursor], Iterator[Operation]]] = {
    "create": _create,
    "drop": _drop,
    "alter": _alter,
    "comment": _comment,
    "update": _update,
    "delete": _delete,
    "merge": _merge,
    "truncate": _truncate,
    "with": _with,
    "set": _set,
    **dict.fromkeys(("insert", "replace"), _insert),
    **dict.fromkeys(("select", "values"), _select),
    **dict.fromkeys(("grant", "revoke"), _granted),
    **dict.fromkeys(("analyze", "vacuum", "reindex", "lock"), _kept),
    **dict.fromkeys(("commit", "begin", "start"), _end),
    **dict.fromkeys(("savepoint", "release"), _transaction),
}

"""SQL text → operations: statements that people write in migrations; any other is `Unknown`.

A statement is recognised from its first words on, and only where nothing in it can reach further than the operation
says. What is read, and how many of the usual statements: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from onehead.operations import sql_tokens as cut
from onehead.operations.model import Aside, ChangeRows, CreateTable, Named, Operation, Query, Unknown
from onehead.operations.sql_ddl import altered, commented, created, dropped
from onehead.operations.sql_tokens import NOT_RECOGNISED, Cursor, NotPlain, Token, shown

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
    pieces = cut.tokens(text)
    if pieces is None:
        return (Unknown(NOT_RECOGNISED, shown(text)),)
    found: list[Operation] = []
    for statement in cut.statements(pieces):
        source = text[statement[0].start : statement[-1].end]
        try:
            found += _read(Cursor(statement, source))
        except NotPlain:
            found.append(Unknown(NOT_RECOGNISED, shown(source), cut.words(statement)))
    return tuple(found)


def _read(at: Cursor) -> list[Operation]:
    first = at.next()
    reader = _STARTS.get(first.text) if first.kind == "name" else None
    if reader is None:
        raise NotPlain
    return list(reader(at))


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
    yield _rows(at, "update", table, writes, cut.reads(rest, writes))


def _assigned(pieces: list[Token]) -> tuple[str, ...] | None:
    """The columns left of each `=`; `None` where they are unknown."""
    found: list[str] = []
    for part in cut.parts(pieces):
        inner = Cursor(part, "")
        if inner.peek().text == "(" and inner.peek().kind == "sign":
            found += inner.names()
        else:
            found.append(inner.next().text)
        if not inner.take("="):
            return None
    return tuple(found)


def _insert(at: Cursor) -> Iterator[Operation]:
    at.one_of("or ignore", "or replace", "ignore")
    at.need("into")
    yield from _into(at)


def _into(at: Cursor) -> Iterator[Operation]:
    table = at.named()
    if at.take("as"):
        at.name()
    writes = at.names() if at.peek().text == "(" and at.peek(1).text not in ("select", "with") else None
    at.one_of("overriding system value", "overriding user value")
    rest = at.rest()
    if not any(piece.text in ("values", "select", "default", "with", "(") for piece in rest[:1]):
        raise NotPlain
    some = any(piece.says("select") for piece in rest)
    yield _rows(at, "insert", table, writes, cut.words(rest), some=some)


def _delete(at: Cursor) -> Iterator[Operation]:
    at.need("from")
    at.take("only")
    table = at.named()
    rest = at.rest()
    yield _rows(at, "delete", table, None, cut.words(rest), some=bool(rest))


def _merge(at: Cursor) -> Iterator[Operation]:
    at.need("into")
    at.take("only")
    table = at.named()
    rest = at.rest()
    for does in ("update", "delete", "insert"):
        if any(piece.says(does) for piece in rest):
            yield _rows(at, does, table, None, cut.words(rest), some=True)


def _truncate(at: Cursor) -> Iterator[Operation]:
    at.take("table")
    at.take("only")
    tables = at.listed()
    at.one_of("restart identity", "continue identity")
    along = at.end_of_drop()
    yield from (ChangeRows("delete", table, some=False, text=at.line) for table in tables)
    yield from along


def _rows(
    at: Cursor,
    does: str,
    table: Named,
    writes: tuple[str, ...] | None,
    words: frozenset[str],
    *,
    some: bool | None = None,
) -> Operation:
    rest = at.rest()
    if some is None:
        some = any(piece.says("where") for piece in rest)
    found = ChangeRows("update", table, writes, words, cut.literals(rest), some, at.line)
    return found._replace(does=does)  # type: ignore[arg-type]


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
            case ChangeRows() | Query():
                yield operation._replace(words=operation.words | words)
            case _:
                raise NotPlain


def _select(at: Cursor) -> Iterator[Operation]:
    rest = at.rest()
    words = cut.words(rest)
    _only_known_functions(words)
    into = next((place for place, piece in enumerate(rest) if piece.says("into")), None)
    starts = [Token("name", "select", 0, 0), *rest]
    stars = any(piece.text == "*" and cut.is_star(starts, place) for place, piece in enumerate(starts))
    # A sequence that is set from rows depends on these.
    yield Query(words, stars, used="setval()" in words or into is not None)
    if into is not None:
        target = Cursor(rest[into + 1 :], at.text)
        temporary = bool(target.one_of("temporary", "temp"))
        target.one_of("unlogged table", "unlogged", "table")
        yield CreateTable(target.named(), complete=False, temporary=temporary)


def _only_known_functions(words: frozenset[str]) -> None:
    """A function that the project has made may do anything.

    Raises:
        NotPlain: such a one may be called.
    """
    called = {word.removeprefix("pg_catalog.") for word in words if word.endswith("()")}
    if not called <= _KNOWN_FUNCTIONS:
        raise NotPlain


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
    tables = at.listed() if at and at.peek().kind in ("name", "quoted") else []
    yield Aside("looks after", tuple(("relation", table) for table in tables), at.line)


def _transaction(at: Cursor) -> Iterator[Operation]:
    yield Aside("steers the transaction", text=at.line)


def _end(at: Cursor) -> Iterator[Operation]:
    at.one_of("work", "transaction")
    at.end()
    return _transaction(at)


def _create(at: Cursor) -> Iterator[Operation]:
    for operation in created(at):
        if isinstance(operation, CreateTable) and at:
            at.need("as")
            at.one_of("select", "(")
            words = cut.words(at.rest())
            _only_known_functions(words)
            yield Query(words, any(piece.text == "*" for piece in at.rest()), used=True)
        yield operation


_STARTS: dict[str, Callable[[Cursor], Iterator[Operation]]] = {
    "create": _create,
    "drop": dropped,
    "alter": altered,
    "comment": commented,
    "update": _update,
    "insert": _insert,
    "replace": _insert,
    "delete": _delete,
    "merge": _merge,
    "truncate": _truncate,
    "with": _with,
    "select": _select,
    "values": _select,
    "set": _set,
    "grant": _granted,
    "revoke": _granted,
    "analyze": _kept,
    "vacuum": _kept,
    "reindex": _kept,
    "lock": _kept,
    "commit": _end,
    "begin": _end,
    "start": _end,
    "savepoint": _transaction,
    "release": _transaction,
}

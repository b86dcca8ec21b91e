"""Read the schema of a live database and its version tables, in a transaction that can't write and doesn't wait.

The catalogues of the database are asked, and Alembic's version tables; no row of the project's own is ever read.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote, quote_plus

from sqlalchemy import Connection, Engine, Inspector, create_engine, inspect, select, text
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from onehead.databases.schema_effects import Dialect, Inspection, Thing, VersionTable
from onehead.errors import CannotJudge, UsageError
from onehead.text import HIDDEN, mask_urls

_KINDS = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL", "mariadb": "MariaDB"}
_DRIVERS = {
    # Driver's name in the address → the module it needs. The first one that is installed is taken.
    "postgresql": {"psycopg": "psycopg", "psycopg2": "psycopg2", "pg8000": "pg8000"},
    "sqlite": {"pysqlite": "sqlite3"},
    "mysql": {"pymysql": "pymysql", "mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"},
    "mariadb": {"pymysql": "pymysql", "mysqldb": "MySQLdb", "mariadbconnector": "mariadb"},
}
_PACKAGES = {"postgresql": "psycopg[binary]", "mysql": "PyMySQL", "mariadb": "PyMySQL"}
_SECRET = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_EXAMPLE = "Write it as SQLAlchemy does: postgresql://user:password@host/name, mysql://…, sqlite:///path/to/file."


class Address:
    """Where a database is; its `url` has a driver that is installed, whichever one the project itself uses."""

    def __init__(self, text: str) -> None:
        """Understand an address.

        Raises:
            UsageError: it is none, or there is no driver for such databases.
        """
        try:
            url = make_url(text.strip())
        except (ArgumentError, ValueError):
            # The text is not repeated: whatever it is, it may hold a password.
            raise UsageError("The address of the database can't be understood.", _EXAMPLE) from None
        # Hosting firms write the short name, which SQLAlchemy gave up.
        kind = {"postgres": "postgresql"}.get(url.get_backend_name(), url.get_backend_name())
        if kind not in _KINDS:
            known = "PostgreSQL, MySQL, MariaDB and SQLite"
            raise UsageError(f"Databases of the kind `{kind[:40]}` are not known to the doctor: it looks at {known}.")
        self.url = _with_driver(url, kind)
        self._secrets = _secrets(url)

    def __str__(self) -> str:
        query = {key: HIDDEN if _SECRET.search(key) else value for key, value in self.url.query.items()}
        url = self.url.set(drivername=self.url.get_backend_name(), query=query)
        return self.masked(url.render_as_string(hide_password=True).replace(quote(HIDDEN, safe=""), HIDDEN))

    @property
    def place(self) -> str:
        """Where it is, in short and without credentials: `db.example.org/shop`, or the name of a file."""
        name = (self.url.database or "").rpartition("/")[2] if self.url.host is None else self.url.database or ""
        return "/".join(filter(None, (self.url.host, name)))

    def masked(self, text: str) -> str:
        """A text without any password of this address: drivers repeat what they were given."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return mask_urls(text)


def _secrets(url: URL) -> list[str]:
    found = [str(url.password)] if url.password else []
    for key, value in url.query.items():
        if _SECRET.search(key):
            found += [value] if isinstance(value, str) else list(value)
    # As drivers may show them. A very short one would hide half of every text, and is in none of them by itself.
    forms = {f for each in found for f in (each, quote(each, safe=""), quote_plus(each), repr(each)[1:-1])}
    return sorted((form for form in forms if len(form) > 2), key=len, reverse=True)


def _with_driver(url: URL, kind: str) -> URL:
    drivers = _DRIVERS[kind]
    for name in (url.drivername.partition("+")[2], *drivers):
        if name in drivers and _is_installed(drivers[name]):
            return url.set(drivername=f"{kind}+{name}")
    raise UsageError(
        f"No driver for {_KINDS[kind]} is installed here, so this database can't be asked.",
        f"`pip install 'onehead[databases]'` brings one, or `pip install '{_PACKAGES[kind]}'`.",
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


SECONDS_TO_CONNECT = 10
SECONDS_TO_ANSWER = 30
SECONDS_TO_WAIT_FOR_LOCKS = 5
MAX_ROWS = 1000
"""Rows of a version table that are read: real ones have a handful."""

_NOT_OURS = ("information_schema", "pg_catalog", "pg_toast", "mysql", "performance_schema", "sys")
_LEFTOVER = "_alembic_tmp_"
_INVALID_INDEXES = """
SELECT n.nspname, c.relname, t.relname FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
"""


def look(address: Address, things: Collection[Thing], name: str, schema: str | None) -> Inspection:
    """Look at a database for some things and its version tables; `schema` is that of the judged one, if it has one.

    Raises:
        CannotJudge: it can't be reached or read; the message never has the password.
        UsageError: the address names no database.
    """
    try:
        with connected(address) as connection, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # types that SQLAlchemy does not know are not our subject
            return _DatabaseReader(connection).inspection(things, name, schema)
    except (SQLAlchemyError, OSError) as error:
        # Drivers put what they were given into what they say, and a traceback would show all of it.
        text = " ".join(str(getattr(error, "orig", None) or error).split())
        raise CannotJudge(
            f"The database {address} could not be looked at: {address.masked(text)[:400]}",
            "Check address, network and rights; the account needs to connect and to read the version table.",
        ) from None


@contextmanager
def connected(address: Address) -> Iterator[Connection]:
    """A connection that can read only, and waits for nothing and nobody for long."""
    with _engine(address.url).connect() as connection:
        dialect = _dialect_of(connection)
        for statement in _LIMITS[dialect]:
            connection.exec_driver_sql(statement)
        if dialect in ("mariadb", "mysql"):
            connection.rollback()  # a session's limits hold from the next transaction on
        try:
            yield connection
        finally:
            connection.rollback()


_OF_A_MYSQL_SESSION = (
    "SET SESSION TRANSACTION READ ONLY",
    f"SET SESSION lock_wait_timeout = {SECONDS_TO_WAIT_FOR_LOCKS}",
)
_LIMITS = {
    "postgresql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        f"SET LOCAL statement_timeout = '{SECONDS_TO_ANSWER}s'",
        f"SET LOCAL lock_timeout = '{SECONDS_TO_WAIT_FOR_LOCKS}s'",
    ),
    "sqlite": ("PRAGMA query_only = ON",),
    "mariadb": (*_OF_A_MYSQL_SESSION, f"SET SESSION max_statement_time = {SECONDS_TO_ANSWER}"),
    "mysql": (*_OF_A_MYSQL_SESSION, f"SET SESSION max_execution_time = {SECONDS_TO_ANSWER * 1000}"),
}


def _dialect_of(connection: Connection) -> Dialect:
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    return cast("Dialect", "mariadb" if is_mariadb else connection.dialect.name)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        file = url.database or ""
        if file.startswith("file:"):
            file = file.removeprefix("file:").partition("?")[0]
        if file in ("", ":memory:"):
            raise UsageError("A database in memory can't be looked at from outside.", "Name its file.")
        path = Path(file)
        if not path.is_file():
            raise CannotJudge(
                f"There is no file {file}, so there is no database to look at.",
                "Check the path: after `sqlite:///` it is relative to here, after `sqlite:////` it begins at the root.",
            )
        read_only = url.set(database=f"{path.absolute().as_uri()}", query={"mode": "ro", "uri": "true"})
        return create_engine(read_only, poolclass=NullPool, connect_args={"timeout": SECONDS_TO_WAIT_FOR_LOCKS})
    name = "timeout" if url.get_driver_name() == "pg8000" else "connect_timeout"
    name = "connection_timeout" if url.get_driver_name() == "mysqlconnector" else name
    asked: dict[str, Any] = {} if name in url.query else {name: SECONDS_TO_CONNECT}
    return create_engine(url, poolclass=NullPool, connect_args=asked)


def _schemas_of(inspector: Inspector) -> list[str | None]:
    """The default schema as `None`, and the others; of MySQL those are other databases, which are not our subject."""
    if inspector.dialect.name != "postgresql":
        return [None]
    return [None, *sorted(set(inspector.get_schema_names()) - {str(inspector.default_schema_name), *_NOT_OURS})]


class _TableNames(NamedTuple):
    """What stands on one table, by name in one case."""

    indexes: set[str]
    constraints: set[str]


class _DatabaseReader:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = _dialect_of(connection)
        self._inspector: Inspector = inspect(connection)
        self._default = self._inspector.default_schema_name or ""
        self._schemas = _schemas_of(self._inspector)
        self._tables: dict[str | None, dict[str, str]] = {}

    def inspection(self, things: Collection[Thing], name: str, schema: str | None) -> Inspection:
        """Everything that was asked for."""
        schema = None if schema in ("", self._default) else schema
        found = [
            each
            for place in dict.fromkeys([schema, *self._schemas])
            for each in self._version_tables(place, name, wanted=place == schema)
        ]
        judged = next((each for each in found if (each.schema, each.name) == (schema, name)), None)
        leftovers = [
            real if place is None else f"{place}.{real}"
            for place in self._schemas
            for real in self._names(place).values()
            if real.startswith(_LEFTOVER)
        ]
        invalid = self._invalid(things)
        return Inspection(
            self._dialect,
            judged,
            tuple(each for each in found if each is not judged),
            tuple(sorted(leftovers)),
            {**self._seen(things), **dict.fromkeys(invalid, False)},
            invalid,
        )

    def _names(self, schema: str | None) -> dict[str, str]:
        """Tables in one case → as they are called."""
        if schema not in self._tables:
            there = schema is None or schema in self._schemas or schema in self._inspector.get_schema_names()
            names = self._inspector.get_table_names(schema) if there else []
            self._tables[schema] = {name.casefold(): name for name in names}
        return self._tables[schema]

    def _version_tables(self, schema: str | None, name: str, *, wanted: bool) -> Iterator[VersionTable]:
        for real in sorted(self._names(schema).values()):
            if not (real == name or "alembic" in real.casefold()) or real.startswith(_LEFTOVER):
                continue
            columns = {each["name"]: each for each in self._inspector.get_columns(real, schema)}
            if "version_num" in columns and (len(columns) == 1 or real == name):
                width = None if self._dialect == "sqlite" else getattr(columns["version_num"]["type"], "length", None)
                yield VersionTable(real, schema, self._rows(real, schema), width)
            elif wanted and real == name:
                raise CannotJudge(
                    f"The table {real} has no column version_num, so it is not a version table of Alembic.",
                    "Name the right one with --version-table and --version-schema, as env.py does.",
                )

    def _rows(self, name: str, schema: str | None) -> tuple[str, ...]:
        found = sql_table(name, sql_column("version_num"), schema=schema)
        rows = self._connection.execute(select(found.c.version_num).limit(MAX_ROWS)).scalars()
        return tuple(sorted(str(row) for row in rows))

    def _seen(self, things: Collection[Thing]) -> Mapping[Thing, bool]:
        seen: dict[Thing, bool] = {}
        for name in {thing.schema for thing in things}:
            schema = None if name in ("", self._default) else name
            here = [thing for thing in things if thing.schema == name]
            seen |= self._seen_in(schema, [thing for thing in here if thing.kind not in ("type", "label")])
            if self._dialect == "postgresql":
                seen |= self._types_in(schema, [thing for thing in here if thing.kind in ("type", "label")])
        return seen

    def _seen_in(self, schema: str | None, things: Collection[Thing]) -> dict[Thing, bool]:
        tables = self._names(schema)
        anywhere = any(thing.kind == "index" and not thing.of for thing in things)
        of = {thing.of.casefold() for thing in things if thing.of}
        wanted = [real for folded, real in tables.items() if anywhere or folded in of]
        columns: dict[str, set[str]] = {}
        if wanted and any(thing.kind == "column" for thing in things):
            found = self._inspector.get_multi_columns(schema=schema, filter_names=wanted)
            columns = {name.casefold(): {each["name"].casefold() for each in cs} for (_, name), cs in found.items()}
        named: dict[str, _TableNames] = {}
        if wanted and any(thing.kind in ("index", "constraint") for thing in things):
            named = self._named_on(wanted, schema)
        seen: dict[Thing, bool | None] = {}
        for thing in things:
            name, owner = thing.name.casefold(), thing.of.casefold()
            match thing.kind:
                case "table":
                    seen[thing] = name in tables
                case "column":
                    seen[thing] = name in columns.get(owner, ())
                case "index":
                    seen[thing] = any(name in names.indexes for on, names in named.items() if owner in ("", on))
                case _:
                    others = named[owner].constraints if owner in named else ()
                    # A naming convention may have made it part of a longer name; that proves nothing either way.
                    seen[thing] = name in others or (None if any(name in each for each in others) else False)
        if not self._tells_constraints_from_indexes:
            twice = Counter((thing.of, thing.name) for thing in things if thing.kind in ("index", "constraint"))
            seen = {thing: there for thing, there in seen.items() if twice[thing.of, thing.name] < 2}
        return {thing: there for thing, there in seen.items() if there is not None}

    @property
    def _tells_constraints_from_indexes(self) -> bool:
        """MySQL has a unique constraint as the index that it makes for it, and no more."""
        return self._dialect in ("postgresql", "sqlite")

    def _named_on(self, wanted: Sequence[str], schema: str | None) -> dict[str, _TableNames]:
        """Table → names of its indexes and constraints."""
        look = self._inspector
        found = {real.casefold(): _TableNames(set(), set()) for real in wanted}
        for (_, real), indexes in look.get_multi_indexes(schema=schema, filter_names=wanted).items():
            for index in indexes:
                of_a_constraint = self._tells_constraints_from_indexes and "duplicates_constraint" in index
                found[real.casefold()][of_a_constraint].add(str(index["name"]).casefold())
        asks: tuple[Callable[..., Any], ...] = (
            look.get_multi_unique_constraints,
            look.get_multi_foreign_keys,
            look.get_multi_check_constraints,
        )
        for ask in asks:
            # Not every database knows every kind.
            with suppress(NotImplementedError):
                for (_, real), each in ask(schema=schema, filter_names=wanted).items():
                    found[real.casefold()].constraints.update(
                        str(one["name"]).casefold() for one in each if one["name"]
                    )
        if not self._tells_constraints_from_indexes:
            for both in found.values():
                both.indexes.update(both.constraints)
                both.constraints.update(both.indexes)
        return found

    def _invalid(self, things: Collection[Thing]) -> tuple[Thing, ...]:
        """The indexes that PostgreSQL holds and does not use, because building them concurrently has failed."""
        if self._dialect != "postgresql":
            return ()
        rows = self._connection.exec_driver_sql(_INVALID_INDEXES).all()
        on = {(schema, name.casefold()): table.casefold() for schema, name, table in rows}
        return tuple(
            thing
            for thing in things
            if thing.kind == "index"
            and (table := on.get((thing.schema or self._default, thing.name.casefold())))
            and thing.of.casefold() in ("", table)
        )

    def _types_in(self, schema: str | None, things: Collection[Thing]) -> dict[Thing, bool]:
        look: Any = self._inspector
        enums = look.get_enums(schema=schema) if things else []
        labels = {each["name"].casefold(): set(each["labels"]) for each in enums}
        return {
            thing: thing.name.casefold() in labels
            if thing.kind == "type"
            else thing.name in labels.get(thing.of.casefold(), ())
            for thing in things
        }


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database consists of, apart from rows.

    `things`: name of a thing (`column users.name`) → how it is. `owners`: thing → the table that it is part of
    (`table users`). `orders`: table → its columns, in their order.
    """

    things: Mapping[str, str]
    owners: Mapping[str, str]
    orders: Mapping[str, tuple[str, ...]]


def schema_of(connection: Connection, without: tuple[str, str | None]) -> Schema:
    """Look at everything but Alembic's own table, which goes by name and schema."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # types that SQLAlchemy does not know are compared by name
        return _SchemaReading(connection, without).schema()


class _SchemaReading:
    def __init__(self, connection: Connection, without: tuple[str, str | None]) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._inspector: Inspector = inspect(connection)
        default = self._inspector.default_schema_name
        self._without = without[0], None if without[1] == default else without[1]
        self._things: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._orders: dict[str, tuple[str, ...]] = {}

    def schema(self) -> Schema:
        for schema in _schemas_of(self._inspector):
            if schema is not None:
                self._things[f"schema {schema}"] = "is there"
            self._tables(schema)
            self._views(schema)
        for kind, statement in _BESIDE_TABLES.get(self._dialect.name, {}).items():
            for name, how, table in self._connection.execute(text(statement)):
                self._things[f"{kind} {name}"] = _spaced(str(how))
                if table is not None:
                    self._owners[f"{kind} {name}"] = f"table {table}"
        return Schema(self._things, self._owners, self._orders)

    def _tables(self, schema: str | None) -> None:
        inspector = self._inspector
        names = [name for name in inspector.get_table_names(schema) if (name, schema) != self._without]
        if not names:
            return
        asked: dict[str, Any] = {"schema": schema, "filter_names": names}
        columns = inspector.get_multi_columns(**asked)
        parts: list[tuple[str, Mapping[Any, Any]]] = [
            ("primary key", inspector.get_multi_pk_constraint(**asked)),
            ("foreign key", inspector.get_multi_foreign_keys(**asked)),
            ("unique constraint", inspector.get_multi_unique_constraints(**asked)),
            ("index", inspector.get_multi_indexes(**asked)),
        ]
        with suppress(NotImplementedError):
            parts.append(("check constraint", inspector.get_multi_check_constraints(**asked)))
        for name in names:
            table = name if schema is None else f"{schema}.{name}"
            self._things[f"table {table}"] = "is there"
            found = columns[schema, name]
            self._orders[table] = tuple(column["name"] for column in found)
            for column in found:
                self._part(f"column {table}.{column['name']}", self._column(column), table)
            for kind, described in parts:
                listed = described.get((schema, name)) or []
                for each in [listed] if isinstance(listed, Mapping) else listed:
                    self._described(kind, each, table)

    def _part(self, thing: str, how: str, table: str) -> None:
        self._things[thing] = how
        self._owners[thing] = f"table {table}"

    def _column(self, column: Mapping[str, Any]) -> str:
        try:
            kind = self._dialect.type_compiler_instance.process(column["type"])
        except Exception:
            kind = repr(column["type"])
        words = [kind, "NULL" if column["nullable"] else "NOT NULL"]
        if column.get("default") is not None:
            words.append(f"default {column['default']}")
        more = ("computed", "identity", "comment")
        words += [f"{name} {_plain(column[name])}" for name in more if column.get(name)]
        return ", ".join(words)

    def _described(self, kind: str, each: Mapping[str, Any], table: str) -> None:
        details = {key: value for key, value in each.items() if key not in ("name", "duplicates_constraint")}
        columns = each.get("constrained_columns") or each.get("expressions") or each.get("column_names") or []
        if kind == "primary key" and not columns:
            return
        listed = ", ".join(str(column) for column in columns)
        name = each.get("name") or f"({listed or each.get('sqltext', '')})"
        self._part(f"{kind} {name} of {table}", _plain(details), table)

    def _views(self, schema: str | None) -> None:
        kinds = {"view": self._inspector.get_view_names}
        if self._dialect.name == "postgresql":
            kinds["materialized view"] = self._inspector.get_materialized_view_names
        for kind, names in kinds.items():
            for name in names(schema):
                definition = self._inspector.get_view_definition(name, schema)
                self._things[f"{kind} {name if schema is None else f'{schema}.{name}'}"] = _spaced(definition or "")


# ruff: noqa: S608 - put together from the constants below
_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'"
_NOT_OF_AN_EXTENSION = "NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = {}.oid AND d.deptype = 'e')"
_POSTGRESQL = {
    "enum": """
        SELECT format_type(t.oid, NULL), string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder), NULL
        FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.oid""",
    "domain": f"""
        SELECT format_type(t.oid, NULL), format_type(t.typbasetype, t.typtypmod), NULL
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND {_OURS}""",
    "sequence": """
        SELECT c.oid::regclass::text, format_type(s.seqtypid, NULL) || ' increment ' || s.seqincrement,
            (SELECT d.refobjid::regclass::text FROM pg_depend d
             WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass LIMIT 1)
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid""",
    "function": f"""
        SELECT p.oid::regprocedure::text, CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE '' END,
            NULL
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_OURS} AND {_NOT_OF_AN_EXTENSION.format("p")}""",
    "trigger": """
        SELECT t.tgname || ' on ' || t.tgrelid::regclass::text, pg_get_triggerdef(t.oid), t.tgrelid::regclass::text
        FROM pg_trigger t WHERE NOT t.tgisinternal""",
    "extension": "SELECT extname, 'is there', NULL FROM pg_extension WHERE extname <> 'plpgsql'",
}
_BESIDE_TABLES = {
    "postgresql": _POSTGRESQL,
    "sqlite": {"trigger": "SELECT name || ' on ' || tbl_name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'"},
}
"""Dialect → kind → names, how each thing is, and the table that it belongs to: what SQLAlchemy does not tell."""


def _plain(value: Any) -> str:
    """A structure as words, without what is empty and whatever the order of its keys is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(value[key])}" for key in sorted(value) if value[key] not in (None, [], {}, ""))
    if isinstance(value, list | tuple):
        return f"({', '.join(_plain(each) for each in value)})"
    return str(value)


def _spaced(definition: str) -> str:
    return " ".join(definition.split())

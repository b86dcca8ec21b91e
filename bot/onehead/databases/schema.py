"""Everything that a schema holds, in words that are equal where the schemas are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Inspector, inspect, text

_NOT_OURS = ("information_schema", "pg_catalog", "pg_toast", "mysql", "performance_schema", "sys")


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database consists of, apart from rows.

    Attributes:
        things: name of a thing (`column users.name`) → how it is.
        owners: thing → the table that it is part of (`table users`).
        orders: table → its columns, in their order.
    """

    things: Mapping[str, str]
    owners: Mapping[str, str]
    orders: Mapping[str, tuple[str, ...]]


def schema_of(connection: Connection, without: tuple[str, str | None]) -> Schema:
    """Look at everything.

    Args:
        connection: to the database.
        without: name and schema of a table that is left out: Alembic's own.
    """
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
        self._schemas: list[str | None] = [None]
        if self._dialect.name == "postgresql":
            self._schemas += sorted(set(self._inspector.get_schema_names()) - {str(default), *_NOT_OURS})

    def schema(self) -> Schema:
        for schema in self._schemas:
            if schema is not None:
                self._things[f"schema {schema}"] = "is there"
            self._tables(schema)
            self._views(schema)
        if self._dialect.name == "postgresql":
            self._postgresql()
        if self._dialect.name == "sqlite":
            self._sqlite()
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
            ("check constraint", self._checks(asked)),
            ("index", inspector.get_multi_indexes(**asked)),
        ]
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

    def _checks(self, asked: dict[str, Any]) -> Mapping[Any, Any]:
        try:
            return self._inspector.get_multi_check_constraints(**asked)
        except NotImplementedError:
            return {}

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

    def _postgresql(self) -> None:
        for kind, statement in _POSTGRESQL.items():
            for name, how, table in self._connection.execute(text(statement)):
                self._things[f"{kind} {name}"] = _spaced(str(how))
                if table is not None:
                    self._owners[f"{kind} {name}"] = f"table {table}"

    def _sqlite(self) -> None:
        found = self._connection.execute(text("SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'"))
        for name, sql, table in found:
            self._part(f"trigger {name} on {table}", _spaced(sql or ""), table)


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
"""Kind → names, how each thing is, and the table that it belongs to: what SQLAlchemy does not tell of PostgreSQL."""


def _plain(value: Any) -> str:
    """A structure as words, without what is empty and whatever the order of its keys is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(value[key])}" for key in sorted(value) if value[key] not in (None, [], {}, ""))
    if isinstance(value, list | tuple):
        return f"({', '.join(_plain(each) for each in value)})"
    return str(value)


def _spaced(definition: str) -> str:
    return " ".join(definition.split())

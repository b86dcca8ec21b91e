"""A laboratory: two migrations run in both orders by real Alembic, and what came of it."""

from __future__ import annotations

import warnings
from textwrap import dedent
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

HEADER = "from alembic import op\nimport sqlalchemy as sa\nfrom sqlalchemy.dialects import postgresql\n"


class Outcome(NamedTuple):
    """What running one order led to: the error, or everything that is in the database afterwards."""

    error: str
    content: object = None


def revision(body: str) -> bytes:
    """A revision file with this `upgrade()`."""
    lines = "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    return f"{HEADER}revision = 'x'\ndown_revision = None\n\ndef upgrade():\n{lines or '    pass'}\n".encode()


def upgrade(connection: sa.Connection, *bodies: str) -> None:
    """Run migrations one after the other in one transaction, as `alembic upgrade head` does."""
    context = MigrationContext.configure(connection, opts={"transaction_per_migration": False})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with context.begin_transaction(), Operations.context(context):
            for body in bodies:
                names: dict[str, Any] = {"sa": sa, "postgresql": postgresql}
                exec(compile(revision(body), "revision", "exec"), names)  # noqa: S102
                names["upgrade"]()


def try_order(engine: sa.Engine, setup: str, *bodies: str) -> Outcome:
    """Run the set-up, then the bodies; the database is emptied before."""
    empty(engine)
    with engine.connect() as connection:
        upgrade(connection, setup)
        connection.commit()
    with engine.connect() as connection:
        try:
            upgrade(connection, *bodies)
            connection.commit()
        except Exception as error:  # whatever it is, it is the outcome
            connection.rollback()
            return Outcome(f"{type(error).__name__}: {error}".splitlines()[0])
    with engine.connect() as connection:
        content = content_of(connection)
    broken = [each for each in content if "BROKEN" in str(each)]
    return Outcome(str(broken[0])) if broken else Outcome("", content)


def observed(engine: sa.Engine, setup: str, a: str, b: str) -> tuple[str, Outcome, Outcome]:
    """What the two orders have in common: `conflict`, `a first`, `b first`, `silent` or `independent`."""
    ab, ba = try_order(engine, setup, a, b), try_order(engine, setup, b, a)
    if ab.error and ba.error:
        return "conflict", ab, ba
    if ab.error or ba.error:
        return "b first" if ab.error else "a first", ab, ba
    return ("independent" if ab.content == ba.content else "silent"), ab, ba


def empty(engine: sa.Engine) -> None:
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            for schema in sa.inspect(connection).get_schema_names():
                if schema != "information_schema":
                    connection.exec_driver_sql(f'DROP SCHEMA "{schema}" CASCADE')
            connection.exec_driver_sql("CREATE SCHEMA public")
        return
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA writable_schema = 1")
        connection.exec_driver_sql("DELETE FROM sqlite_master")
        connection.exec_driver_sql("PRAGMA writable_schema = 0")
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.commit()
        raw.execute("VACUUM")


_PG = {
    "column": """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')""",
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraint": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "label": "SELECT t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_type t "
    "JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY 1",
    "view": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "function": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "trigger": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
    "comment": "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
}


def content_of(connection: sa.Connection) -> list[object]:
    """Everything in the database in a fixed order; the order of columns does not count."""
    found: list[object] = []
    if connection.dialect.name == "postgresql":
        for kind, query in _PG.items():
            found += [(kind, *row) for row in sorted(connection.exec_driver_sql(query), key=repr)]
        tables = [
            str(row[0])
            for row in connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
    else:
        tables = _sqlite(connection, found)
    for table in sorted(tables):
        rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').mappings()  # noqa: S608
        found.append(("rows", table, sorted(repr(sorted(row.items())) for row in rows)))
    return found


def _sqlite(connection: sa.Connection, found: list[object]) -> list[str]:
    master = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").all()
    tables = [str(row[1]) for row in master if row[0] == "table" and not str(row[1]).startswith("sqlite_")]
    for kind, name, table, text in master:
        if kind == "view":
            try:
                shown = connection.exec_driver_sql(f'SELECT * FROM "{name}"').keys()  # noqa: S608
                found.append(("view", name, sorted(shown)))
            except sa.exc.DBAPIError as error:
                found.append(("BROKEN view", name, str(error.orig)))
        elif kind != "table" and text is not None:
            found.append((kind, name, table, " ".join(text.split())))
    for table in sorted(tables):
        columns = connection.exec_driver_sql(f'PRAGMA table_info("{table}")').all()
        found.append(("columns", table, sorted(repr(tuple(row)[1:]) for row in columns)))
        keys = connection.exec_driver_sql(f'PRAGMA foreign_key_list("{table}")').all()
        found.append(("keys", table, sorted(repr(tuple(row)[2:]) for row in keys)))
        indexes = connection.exec_driver_sql(f'PRAGMA index_list("{table}")').all()
        found.append(("unique", table, sorted(repr((row[2], row[3])) for row in indexes)))
    return tables

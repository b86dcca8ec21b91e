"""What databases say, held against the databases themselves where they run here."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from onehead.databases.crash_catalogue import Crash, CrashKind, dialect_of, is_of_a_driver, refused
from tests.mariadb import MARIADB, MariaDB, mariadb
from tests.postgres import POSTGRESQL, Postgres, postgres

__all__ = ["mariadb", "postgres"]


def problem(trouble: CrashKind, kind: str, name: str, of: str) -> Crash:
    return Crash(trouble, name, kind=kind, of=of)


THERE, GONE = CrashKind.ALREADY_THERE, CrashKind.NOT_THERE

SQLITE = [
    ("CREATE TABLE nests (id int primary key, width varchar(3))", None),
    ("CREATE TABLE nests (id int)", (THERE, "table", "nests", "")),
    ("CREATE INDEX ix ON nests (width)", None),
    ("CREATE INDEX ix ON nests (width)", (THERE, "index", "ix", "")),
    ("CREATE TABLE ix (a int)", (THERE, "index", "ix", "")),
    ("CREATE INDEX nests ON nests (id)", (THERE, "table", "nests", "")),
    ("ALTER TABLE nests ADD COLUMN width int", (THERE, "column", "width", "")),
    ("CREATE TRIGGER tr AFTER INSERT ON nests BEGIN SELECT 1; END", None),
    ("CREATE TRIGGER tr AFTER INSERT ON nests BEGIN SELECT 1; END", (THERE, "trigger", "tr", "")),
    ("DROP INDEX none", (GONE, "index", "none", "")),
    ("DROP TABLE none", (GONE, "table", "none", "")),
    ("DROP TRIGGER none", (GONE, "trigger", "none", "")),
    ("ALTER TABLE nests DROP COLUMN none", (GONE, "column", "none", "")),
    ("INSERT INTO nests (none) VALUES (1)", (GONE, "column", "none", "nests")),
    ("UPDATE nests SET none = 1", (GONE, "column", "none", "")),
    ("SELECT nests.none FROM nests", (GONE, "column", "none", "nests")),
    ("CREATE INDEX ix3 ON none (a)", (GONE, "table", "none", "")),
]
POSTGRES = [
    ("CREATE TABLE nests (id int primary key, width varchar(3))", None),
    ("CREATE TABLE nests (id int)", (THERE, "relation", "nests", "")),
    ("CREATE INDEX ix ON nests (width)", None),
    ("CREATE INDEX ix ON nests (width)", (THERE, "relation", "ix", "")),
    ("ALTER TABLE nests ADD COLUMN width int", (THERE, "column", "width", "nests")),
    ("ALTER TABLE nests ADD CONSTRAINT ck CHECK (id > 0)", None),
    ("ALTER TABLE nests ADD CONSTRAINT ck CHECK (id > 0)", (THERE, "constraint", "ck", "nests")),
    ("ALTER TABLE nests ADD PRIMARY KEY (width)", (THERE, "primary key", "", "nests")),
    ("CREATE TYPE mood AS ENUM ('calm')", None),
    ("CREATE TYPE mood AS ENUM ('calm')", (THERE, "type", "mood", "")),
    ("ALTER TYPE mood ADD VALUE 'calm'", (THERE, "label", "calm", "")),
    (
        "BEGIN; ALTER TYPE mood ADD VALUE 'wild'; SELECT 'wild'::mood",
        (CrashKind.NEW_ENUM_VALUE, "label", "wild", "mood"),
    ),
    ("SELECT 'rude'::mood", (GONE, "label", "rude", "mood")),
    ("ALTER TYPE mood RENAME VALUE 'gone' TO 'x'", (GONE, "label", "gone", "")),
    ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$", None),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        (THERE, "function", "f", ""),
    ),
    ("CREATE TRIGGER tr BEFORE INSERT ON nests FOR EACH ROW EXECUTE FUNCTION f()", None),
    (
        "CREATE TRIGGER tr BEFORE INSERT ON nests FOR EACH ROW EXECUTE FUNCTION f()",
        (THERE, "trigger", "tr", "nests"),
    ),
    ("CREATE SCHEMA s", None),
    ("CREATE SCHEMA s", (THERE, "schema", "s", "")),
    ("DROP INDEX gone", (GONE, "index", "gone", "")),
    ("DROP TABLE gone", (GONE, "table", "gone", "")),
    ("DROP TYPE gone", (GONE, "type", "gone", "")),
    ("DROP TRIGGER gone ON nests", (GONE, "trigger", "gone", "nests")),
    ("DROP FUNCTION gone()", (GONE, "function", "gone", "")),
    ("DROP SCHEMA gone", (GONE, "schema", "gone", "")),
    ("ALTER TABLE gone ADD COLUMN width int", (GONE, "relation", "gone", "")),
    ("ALTER TABLE nests DROP COLUMN gone", (GONE, "column", "gone", "nests")),
    ("ALTER TABLE nests RENAME COLUMN gone TO x", (GONE, "column", "gone", "")),
    ("ALTER TABLE nests DROP CONSTRAINT gone", (GONE, "constraint", "gone", "nests")),
    ("ALTER TABLE nests RENAME CONSTRAINT gone TO x", (GONE, "constraint", "gone", "nests")),
    ("SELECT nests.gone FROM nests", (GONE, "column", "gone", "nests")),
    ("INSERT INTO nests VALUES (1, 'wide')", (CrashKind.VALUE_TOO_LONG, "", "", "")),
]
MARIA = [
    ("CREATE TABLE nests (id int primary key, width varchar(3))", None),
    ("CREATE TABLE nests (id int)", (THERE, "table", "nests", "")),
    ("CREATE INDEX ix ON nests (width)", None),
    ("CREATE INDEX ix ON nests (width)", (THERE, "index", "ix", "")),
    ("ALTER TABLE nests ADD COLUMN width int", (THERE, "column", "width", "")),
    ("ALTER TABLE nests ADD CONSTRAINT ck CHECK (id > 0)", None),
    ("ALTER TABLE nests ADD CONSTRAINT ck CHECK (id > 0)", (THERE, "constraint", "ck", "")),
    ("ALTER TABLE nests ADD PRIMARY KEY (width)", (THERE, "primary key", "", "")),
    ("CREATE TRIGGER tr BEFORE INSERT ON nests FOR EACH ROW SET NEW.width = 'x'", None),
    (
        "CREATE TRIGGER tr BEFORE INSERT ON nests FOR EACH ROW SET NEW.width = 'x'",
        (THERE, "trigger", "tr", ""),
    ),
    ("DROP TRIGGER gone", (GONE, "trigger", "", "")),
    ("DROP TABLE gone", (GONE, "table", "gone", "")),
    ("DROP VIEW gone", (GONE, "view", "gone", "")),
    ("DROP INDEX gone ON nests", (GONE, "index", "gone", "")),
    ("ALTER TABLE nests DROP COLUMN gone", (GONE, "column", "gone", "")),
    ("ALTER TABLE nests DROP CONSTRAINT gone", (GONE, "constraint", "gone", "")),
    ("ALTER TABLE nests DROP FOREIGN KEY gone", (GONE, "constraint", "gone", "")),
    ("ALTER TABLE gone ADD COLUMN width int", (GONE, "table", "gone", "")),
    ("CREATE INDEX ix2 ON nests (gone)", (GONE, "column", "gone", "")),
    ("ALTER TABLE nests CHANGE gone x int", (GONE, "column", "gone", "nests")),
    ("SELECT gone FROM nests", (GONE, "column", "gone", "")),
    ("INSERT INTO nests VALUES (1, 'wide')", (CrashKind.VALUE_TOO_LONG, "", "width", "")),
    ("CREATE TABLE alembic_version (version_num varchar(32))", None),
    ("INSERT INTO alembic_version VALUES (REPEAT('a', 33))", (CrashKind.ID_TOO_LONG, "", "", "")),
]


@pytest.mark.parametrize("dialect", ["sqlite", POSTGRESQL, MARIADB])
def test_databases_themselves(dialect: str, request: pytest.FixtureRequest) -> None:
    if dialect == "sqlite":
        url, statements = "sqlite:///file:nests?mode=memory&cache=shared&uri=true", SQLITE
    elif dialect == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url, statements = server.fresh(), POSTGRES
    else:
        other: MariaDB = request.getfixturevalue("mariadb")
        url, statements = other.fresh(), MARIA
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect():  # keeps a database in memory alive
        for statement, expected in statements:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                try:
                    connection.exec_driver_sql(statement)
                except DBAPIError as error:
                    name, text = f"sqlalchemy.exc.{type(error).__name__}", str(error)
                    assert expected is not None, text
                    assert refused(text, statement) == problem(*expected), text
                    assert is_of_a_driver(name, text)
                    assert dialect_of(name, text) == ("mysql" if dialect == "mariadb" else dialect)
                else:
                    assert expected is None, statement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # SQL Server, as pyodbc and pymssql bring it; MySQL where it differs from MariaDB; other drivers' decoration.
        ("There is already an object named 'nests' in the database. (2714)", (THERE, "object", "nests", "")),
        (
            (
                "Column names in each table must be unique. Column name 'width' in table 'dbo.nests' is specified more "
                "than once. (2705)"
            ),
            (THERE, "column", "width", "nests"),
        ),
        (
            (
                "The operation failed because an index or statistics with name 'ix' already exists on table 'nests'. "
                "(1913)"
            ),
            (THERE, "index", "ix", "nests"),
        ),
        ("Invalid object name 'dbo.none'. (208)", (GONE, "object", "none", "")),
        ("Invalid column name 'none'. (207)", (GONE, "column", "none", "")),
        (
            "Cannot drop the index 'nests.none', because it does not exist or you do not have permission. (3701)",
            (GONE, "index", "none", ""),
        ),
        (
            "ALTER TABLE DROP COLUMN failed because column 'none' does not exist in table 'nests'. (4924)",
            (GONE, "column", "none", "nests"),
        ),
        ("'none' is not a constraint. (3728)", (GONE, "constraint", "none", "")),
        (
            (
                "String or binary data would be truncated in table 'shop.dbo.alembic_version', column 'version_num'. "
                "Truncated value: ''. (2628)"
            ),
            (CrashKind.ID_TOO_LONG, "", "", ""),
        ),
        ("(1091, \"Can't DROP 'none'; check that column/key exists\")", (GONE, "object", "none", "")),
        ("(1826, \"Duplicate foreign key constraint name 'fk'\")", (THERE, "constraint", "fk", "")),
        ("(3822, \"Duplicate check constraint name 'ck'.\")", (THERE, "constraint", "ck", "")),
        ("(1054, \"Unknown column 'none' in 'field list'\")", (GONE, "column", "none", "")),
        ("(1146, \"Table 'shop.none' doesn't exist\")", (GONE, "table", "none", "")),
        (
            "{'S': 'ERROR', 'V': 'ERROR', 'C': '42P07', 'M': 'relation \"nests\" already exists', 'F': 'heap.c'}",
            (THERE, "relation", "nests", ""),
        ),
        (
            'duplicate key value violates unique constraint "pg_type_typname_nsp_index"',
            (CrashKind.AT_THE_SAME_TIME, "object", "", ""),
        ),
        ("deadlock detected", (CrashKind.LOCKED, "", "", "")),
    ],
)
def test_databases_that_do_not_run_here(text: str, expected: tuple[CrashKind, str, str, str]) -> None:
    assert refused(text) == problem(*expected)


@pytest.mark.parametrize(
    "text",
    [
        'relation "nests" already exists, skipping',
        'index "ix" does not exist, skipping',
        "Column width already exists in nests",
        "Unique index already exists: ix",
        'syntax error at or near "x"',
        "connection refused",
    ],
)
def test_what_stops_nothing_is_nothing(text: str) -> None:
    assert refused(text) is None


def test_the_statement_tells_the_version_table_from_any_other() -> None:
    text = "value too long for type character varying(32)"
    assert refused(text, "UPDATE alembic_version SET version_num='…'") == Crash(CrashKind.ID_TOO_LONG)
    assert refused(text, "UPDATE nests SET width='…'") == Crash(CrashKind.VALUE_TOO_LONG)

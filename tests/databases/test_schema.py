"""What a schema consists of, on real databases: whatever differs in it is seen, and what is equal is equal."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from onehead.databases.inspect import Schema, schema_of
from onehead.verify.model import Difference, differences, notes
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]
"""The fixture, for pytest to find here."""

BASE = (
    "CREATE TABLE teams (id INTEGER PRIMARY KEY)",
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, age INTEGER DEFAULT 1, team INTEGER)",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
)


def looked(url: str, *statements: str) -> Schema:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in (*BASE, *statements):
            connection.execute(text(statement))
    with engine.connect() as connection:
        return schema_of(connection, ("alembic_version", None))


@pytest.fixture(scope="module")
def postgresql(postgres: Postgres) -> Schema:
    return looked(postgres.fresh())


@pytest.mark.parametrize(
    ("statement", "things"),
    [
        ("ALTER TABLE users ALTER age TYPE BIGINT", ["column users.age"]),
        ("ALTER TABLE users ALTER name TYPE VARCHAR(30)", ["column users.name"]),
        ("ALTER TABLE users ALTER age SET DEFAULT 2", ["column users.age"]),
        ("ALTER TABLE users ALTER age SET NOT NULL", ["column users.age"]),
        ("COMMENT ON COLUMN users.age IS 'years'", ["column users.age"]),
        ("ALTER TABLE users ADD phone TEXT", ["column users.phone"]),
        ("ALTER TABLE users ADD CONSTRAINT u UNIQUE (name)", ["index u of users", "unique constraint u of users"]),
        ("ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)", ["check constraint c of users"]),
        ("ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (team) REFERENCES teams (id)", ["foreign key f of users"]),
        ("ALTER TABLE users DROP CONSTRAINT users_pkey", ["primary key users_pkey of users"]),
        ("CREATE INDEX i ON users (lower(name)) WHERE age > 1", ["index i of users"]),
        ("CREATE TABLE games (id SERIAL PRIMARY KEY)", ["table games"]),
        ("DROP TABLE teams", ["table teams"]),
        ("CREATE TYPE mood AS ENUM ('a', 'b')", ["enum mood"]),
        ("CREATE DOMAIN short AS VARCHAR(3)", ["domain short"]),
        ("CREATE SEQUENCE s", ["sequence s"]),
        ("CREATE SCHEMA other", ["schema other"]),
        ("CREATE VIEW v AS SELECT id FROM users", ["view v"]),
        ("CREATE MATERIALIZED VIEW m AS SELECT id FROM users", ["materialized view m"]),
        ("CREATE FUNCTION one() RETURNS INTEGER LANGUAGE SQL AS 'SELECT 1'", ["function one()"]),
    ],
)
def test_postgresql(postgres: Postgres, postgresql: Schema, statement: str, things: list[str]) -> None:
    assert [each.thing for each in differences(postgresql, looked(postgres.fresh(), statement))] == things


def test_a_trigger_belongs_to_its_table(postgres: Postgres, postgresql: Schema) -> None:
    function = "CREATE FUNCTION t() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    trigger = "CREATE TRIGGER tr BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION t()"

    found = differences(postgresql, looked(postgres.fresh(), function, trigger))

    assert [each.thing for each in found] == ["function t()", "trigger tr on users"]


@pytest.mark.parametrize(
    ("statement", "things"),
    [
        ("ALTER TABLE users ADD phone TEXT", ["column users.phone"]),
        ("CREATE UNIQUE INDEX i ON users (name)", ["index i of users"]),
        ("CREATE TABLE games (id INTEGER CHECK (id > 0))", ["table games"]),
        ("DROP TABLE teams", ["table teams"]),
        ("CREATE VIEW v AS SELECT id FROM users", ["view v"]),
        (
            "CREATE TRIGGER tr AFTER INSERT ON users BEGIN UPDATE users SET age = 1; END",
            ["trigger tr on users"],
        ),
    ],
)
def test_sqlite(tmp_path: Path, statement: str, things: list[str]) -> None:
    before, after = looked(f"sqlite:///{tmp_path}/a"), looked(f"sqlite:///{tmp_path}/b", statement)

    assert [each.thing for each in differences(before, after)] == things
    assert [(each.fresh is None, each.here is None) for each in differences(after, before)] == [
        (each.here is None, each.fresh is None) for each in differences(before, after)
    ]


def test_labels_of_an_enum_are_told_in_their_order(postgres: Postgres) -> None:
    one = looked(postgres.fresh(), "CREATE TYPE mood AS ENUM ('a', 'b')")
    other = looked(postgres.fresh(), "CREATE TYPE mood AS ENUM ('b', 'a')")

    assert differences(one, other) == (Difference("enum mood", "a, b", "b, a"),)


def test_the_order_of_columns_is_only_noted(tmp_path: Path) -> None:
    one = looked(f"sqlite:///{tmp_path}/a", "ALTER TABLE teams ADD a TEXT", "ALTER TABLE teams ADD b TEXT")
    other = looked(f"sqlite:///{tmp_path}/b", "ALTER TABLE teams ADD b TEXT", "ALTER TABLE teams ADD a TEXT")

    assert (differences(one, other), differences(one, one)) == ((), ())
    assert notes(one, other) == ("teams: the columns are in another order: id, b, a",)
    assert notes(one, one) == ()


def test_the_version_table_is_left_out(postgresql: Schema) -> None:
    assert "table teams" in postgresql.things
    assert not [thing for thing in postgresql.things if "alembic_version" in thing]

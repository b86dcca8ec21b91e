"""Looking at real databases: what is seen, and that nothing could be written even if somebody tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from onehead.databases.inspect import Address, connected, look
from onehead.databases.schema_effects import Thing, ThingKind
from onehead.errors import CannotJudge
from tests.mariadb import MARIADB, MariaDB, mariadb
from tests.postgres import POSTGRESQL, Postgres, postgres

__all__ = ["mariadb", "postgres"]

MADE = (
    (
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(50), team INTEGER,"
        " CONSTRAINT uq_users_name UNIQUE (name))"
    ),
    "CREATE INDEX ix_users_team ON users (team)",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('b'), ('a')",
)
KINDS: tuple[ThingKind, ...] = ("constraint", "index")
THINGS = {
    Thing("table", "users"): True,
    Thing("table", "USERS"): True,
    Thing("table", "teams"): False,
    Thing("column", "name", "users"): True,
    Thing("column", "age", "users"): False,
    Thing("column", "id", "teams"): False,
    Thing("index", "ix_users_team", "users"): True,
    Thing("index", "ix_users_team"): True,
    Thing("index", "ix_users_age", "users"): False,
    Thing("constraint", "uq_users_name", "users"): True,
    Thing("constraint", "fk_users_team", "users"): False,
    Thing("table", "users", "", "elsewhere"): False,
}


@pytest.fixture(params=["sqlite", POSTGRESQL, MARIADB])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/database.sqlite"
    server: Postgres | MariaDB = request.getfixturevalue("postgres" if request.param == "postgresql" else "mariadb")
    return server.fresh()


def made(url: str, *statements: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_what_is_there_is_seen(url: str) -> None:
    made(url, *MADE)
    inspection = look(Address(url), list(THINGS), "alembic_version", None)
    assert inspection.seen == THINGS
    assert (inspection.invalid, inspection.version is not None) == ((), True)
    assert inspection.version is not None
    assert (inspection.version.name, inspection.version.schema, inspection.version.rows) == (
        "alembic_version",
        None,
        ("a", "b"),
    )
    assert (inspection.version.width, inspection.others, inspection.leftovers) == (
        None if "sqlite" in url else 32,
        (),
        (),
    )
    assert inspection.dialect == {"s": "sqlite", "p": "postgresql", "m": "mariadb"}[url[0]]


def test_a_part_of_a_longer_name_proves_nothing(url: str) -> None:
    """A naming convention may have put something before or behind it."""
    made(url, *MADE)
    things = [Thing("constraint", name, "users") for name in ("name", "uq_users", "uq_users_name", "ck")]
    inspection = look(Address(url), things, "alembic_version", None)
    assert inspection.seen == {things[2]: True, things[3]: False}


def test_a_constraint_is_no_index_of_that_name_where_the_database_knows(url: str) -> None:
    made(url, *MADE, "CREATE UNIQUE INDEX uq_users_team ON users (team)")
    things = [Thing(kind, name, "users") for kind in KINDS for name in ("uq_users_name", "uq_users_team")]
    seen = look(Address(url), things, "alembic_version", None).seen
    told = {("constraint", "uq_users_name"): True, ("index", "uq_users_name"): False}
    told |= {("constraint", "uq_users_team"): False, ("index", "uq_users_team"): True}
    assert {(thing.kind, thing.name): there for thing, there in seen.items()} == ({} if url.startswith("m") else told)


def test_an_index_that_could_not_be_built(postgres: Postgres) -> None:
    url = postgres.fresh()
    made(url, *MADE, "INSERT INTO users (id, team) VALUES (1, 1), (2, 1)")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, pytest.raises(SQLAlchemyError, match="duplicated"):
        connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY uq_users_team ON users (team)")
    invalid = Thing("index", "uq_users_team", "users")
    things = [invalid, Thing("index", "ix_users_team", "users"), Thing("index", "uq_users_team", "teams")]
    inspection = look(Address(url), things, "alembic_version", None)
    assert inspection.invalid == (invalid,)
    assert [inspection.seen[thing] for thing in things] == [False, True, False]


def test_nothing_can_be_written(url: str) -> None:
    made(url, *MADE)
    with connected(Address(url)) as connection:
        for statement in ("DELETE FROM alembic_version", "DROP TABLE users", "CREATE TABLE x (id INTEGER)"):
            with pytest.raises(SQLAlchemyError, match=r"(?i)read.?only"):
                connection.exec_driver_sql(statement)
            connection.rollback()
            if connection.dialect.name == "postgresql":
                break  # a new transaction would be another one
    users = Thing("table", "users")
    assert look(Address(url), [users], "alembic_version", None).seen == {users: True}


def test_types_and_their_labels(postgres: Postgres) -> None:
    url = postgres.fresh()
    made(url, "CREATE TYPE mood AS ENUM ('happy', 'Sad')", "CREATE SCHEMA app", "CREATE TYPE app.mood AS ENUM ('x')")
    things = {
        Thing("type", "mood"): True,
        Thing("type", "size"): False,
        Thing("label", "Sad", "mood"): True,
        Thing("label", "sad", "mood"): False,
        Thing("label", "x", "mood", "app"): True,
        Thing("label", "x", "size"): False,
    }
    assert look(Address(url), list(things), "alembic_version", None).seen == things


@pytest.mark.parametrize("kind", ["sqlite", MARIADB])
def test_databases_without_types_say_nothing_about_them(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/a.db" if kind == "sqlite" else request.getfixturevalue("mariadb").fresh()
    made(url, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
    assert look(Address(url), [Thing("label", "x", "mood")], "alembic_version", None).seen == {}


def test_a_version_table_that_is_none(url: str) -> None:
    made(url, "CREATE TABLE alembic_version (id INTEGER PRIMARY KEY)")
    with pytest.raises(CannotJudge, match="no column version_num"):
        look(Address(url), (), "alembic_version", None)


def test_a_version_table_of_another_name_and_schema(postgres: Postgres) -> None:
    url = postgres.fresh()
    made(
        url,
        "CREATE SCHEMA app",
        "CREATE TABLE app.migrations (version_num VARCHAR(64), note TEXT)",
        "INSERT INTO app.migrations VALUES ('b', '')",
    )
    inspection = look(Address(url), (), "migrations", "app")
    assert inspection.version is not None
    assert (str(inspection.version), inspection.version.rows, inspection.version.width) == (
        "app.migrations",
        ("b",),
        64,
    )


def test_a_table_that_may_not_be_read(postgres: Postgres) -> None:
    url = postgres.fresh()
    made(url, *MADE, "CREATE ROLE stranger LOGIN PASSWORD 'hunter2'")
    stranger = url.replace("://postgres:@", "://stranger:hunter2@").replace("://postgres@", "://stranger:hunter2@")
    assert stranger != url
    with pytest.raises(CannotJudge) as caught:
        look(Address(stranger), (), "alembic_version", None)
    assert "permission denied for table alembic_version" in caught.value.message
    assert "hunter2" not in caught.value.message

"""Databases that Alembic itself made, step by step: there is nothing to complain about, whatever a revision does.

Each chain really runs, on SQLite and PostgreSQL, and after every step the database is looked at and diagnosed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from onehead.databases.diagnosis import diagnose
from onehead.databases.inspect import Address, look
from onehead.databases.model import Diagnosis
from onehead.databases.schema_effects import schema_effects_of
from onehead.databases.schema_evidence import things_to_look_for
from onehead.operations.read import read
from tests.operations.lab import revision, upgrade
from tests.plan.cases import facts
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]

ID = 'sa.Column("id", sa.Integer(), primary_key=True)'
TEAMS = f'op.create_table("teams", {ID}, sa.Column("name", sa.String(20)), sa.Column("coach", sa.Integer()))'
GAMES = f'op.create_table("games", {ID}, sa.Column("team", sa.Integer()))'
INDEX = 'op.create_index("ix_teams_name", "teams", ["name"])'
LATER = 'op.add_column("teams", sa.Column("motto", sa.Integer()))'
EVERY_TABLE = 'for t in sa.inspect(op.get_bind()).get_table_names():\n    if t != "alembic_version": '
EVERY_INDEX = (
    "for t in sa.inspect(op.get_bind()).get_table_names():\n"
    "    for i in sa.inspect(op.get_bind()).get_indexes(t):\n        "
)


def sql(*statements: str) -> str:
    """Statements as text."""
    return "\n".join(f"op.execute({text!r})" for text in statements)


BY_HAND = """
op.create_table("teams_new", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("name", sa.String(9)))
op.execute("INSERT INTO teams_new SELECT id, name FROM teams")
op.drop_table("teams")
op.rename_table("teams_new", "teams")
"""
MADE_INDEX = """
t = sa.Table("teams", sa.MetaData(), sa.Column("name", sa.String()))
op.execute(sa.schema.CreateIndex(sa.Index("ix_teams_name", t.c.name)))
"""
KEYS = f"""
op.create_table("fans", {ID}, sa.Column("of", sa.String(20)))
op.create_foreign_key("fk", "fans", "teams", ["of"], ["name"])
"""
REBUILT = """
with op.batch_alter_table("teams", recreate="always") as b:
    b.create_check_constraint("ck_coach", "coach > 0")
    b.create_unique_constraint("uq_name", ["name"])
"""


BOTH: dict[str, tuple[str, ...]] = {
    "a loop over the tables that are there": (TEAMS, GAMES, f"{EVERY_TABLE}op.drop_table(t)", TEAMS),
    "a loop over the indexes that are there": (TEAMS, INDEX, f'{EVERY_INDEX}op.drop_index(i["name"], t)', LATER),
    "a loop that makes what another one drops": (
        TEAMS,
        f'{EVERY_TABLE}op.create_index(f"ix_{{t}}_name", t, ["name"])',
        f'{EVERY_INDEX}op.drop_index(i["name"], t)\n{INDEX}',
    ),
    "columns that a loop adds and another one drops": (
        TEAMS,
        'for n in open("/dev/null").read() or ["motto"]:\n    op.add_column("teams", sa.Column(n, sa.Integer()))',
        'for n in open("/dev/null").read() or ["motto"]:\n    op.drop_column("teams", n)\n' + LATER,
    ),
    "an index that SQLAlchemy makes": (
        TEAMS,
        MADE_INDEX,
        'op.drop_index("ix_teams_name", "teams")',
        INDEX,
    ),
    "a column as text": (
        TEAMS,
        sql("ALTER TABLE teams ADD COLUMN age int CONSTRAINT ck_age CHECK (age > 0)"),
        LATER,
    ),
    "a function of the file": (
        "def make(n):\n    op.create_table(n, sa.Column('id', sa.Integer()))\nfor n in ('a', 'b'):\n    make(n)",
        "def gone(*names):\n    for n in names:\n        op.drop_table(n)\ngone('a')",
        'op.create_table("a", sa.Column("id", sa.Integer()))',
    ),
    "a statement that SQLAlchemy makes": (TEAMS, GAMES, 'op.execute(sa.schema.DropTable(sa.table("games")))'),
    "a table that SQLAlchemy drops": (TEAMS, GAMES, 'sa.Table("games", sa.MetaData()).drop(op.get_bind())'),
    "everything that metadata knows": (
        TEAMS,
        'm = sa.MetaData()\nm.reflect(op.get_bind(), only=["teams"])\nm.drop_all(op.get_bind())',
        TEAMS,
    ),
    "the way to alter a table by hand": (
        TEAMS,
        INDEX,
        BY_HAND,
        LATER,
    ),
    "the same by way of the old name": (
        TEAMS,
        'op.rename_table("teams", "teams_old")\n' + TEAMS.replace("coach", "trainer") + '\nop.drop_table("teams_old")',
        'op.add_column("teams", sa.Column("coach", sa.Integer()))',
    ),
    "the same as text": (
        TEAMS,
        INDEX,
        sql(
            "ALTER TABLE teams RENAME TO teams_old",
            "CREATE TABLE teams AS SELECT id, name FROM teams_old",
            "DROP TABLE teams_old",
        ),
        'op.add_column("teams", sa.Column("coach", sa.Integer()))',
    ),
    "two tables that exchange their names": (
        TEAMS,
        GAMES,
        'op.rename_table("teams", "t")\nop.rename_table("games", "teams")\nop.rename_table("t", "games")',
        LATER,
    ),
    "a name from before the chain": (
        sql("CREATE TABLE teams AS SELECT 1 AS id, 2 AS coach"),
        'op.rename_table("teams", "teams_old")\n' + TEAMS,
        'op.drop_column("teams_old", "coach")',
    ),
    "a table that was made by a statement that is not read": (
        sql("CREATE TABLE legacy AS SELECT 1 AS id, 2 AS size"),
        'op.drop_column("legacy", "size")',
        'op.drop_table("legacy")',
    ),
    "an index that goes with a renamed column": (
        TEAMS,
        INDEX,
        'op.alter_column("teams", "name", new_column_name="title")',
        'op.drop_index("ix_teams_name", "teams")\nop.drop_column("teams", "title")',
        LATER,
    ),
    "a temporary table": (
        TEAMS,
        'op.create_table("scratch", sa.Column("id", sa.Integer()), prefixes=["TEMPORARY"])',
        sql("CREATE TEMP TABLE more AS SELECT 1 AS id"),
        LATER,
    ),
    "a temporary table as text": (TEAMS, sql("CREATE TEMPORARY TABLE scratch (id INTEGER)"), LATER),
    "an index under another name": (TEAMS, INDEX, 'op.drop_index("ix_teams_name")\n' + INDEX.replace("ix_", "ixx_")),
}
SQLITE: dict[str, tuple[str, ...]] = {
    "batch mode": (
        TEAMS + '\nop.create_index("ix_lower", "teams", [sa.text("lower(name)")])',
        REBUILT,
        'with op.batch_alter_table("teams", recreate="always") as b:\n    b.alter_column("name", type_=sa.Text())',
        'with op.batch_alter_table("teams", recreate="always") as b:\n    b.drop_column("name")',
    ),
}
POSTGRESQL: dict[str, tuple[str, ...]] = {
    "a DO block": (TEAMS, GAMES, sql("DO $$ BEGIN EXECUTE 'DROP TABLE games'; END $$"), LATER),
    "a DO block that makes": (
        sql("DO $$ BEGIN CREATE TABLE teams (id INT, name TEXT); END $$"),
        'op.drop_column("teams", "name")',
        sql("DO $$ BEGIN DROP TABLE teams; END $$") + "\n" + TEAMS,
    ),
    "an index under another name as text": (TEAMS, INDEX, sql("ALTER INDEX ix_teams_name RENAME TO ix_name"), LATER),
    "a constraint under the name of its index": (
        TEAMS,
        'op.create_unique_constraint("uq_name", "teams", ["name"])',
        sql("ALTER INDEX uq_name RENAME TO uq_teams_name"),
        'op.drop_constraint("uq_teams_name", "teams")',
    ),
    "a primary key under another name": (
        TEAMS,
        sql("ALTER TABLE teams RENAME CONSTRAINT teams_pkey TO pk_teams"),
        'op.drop_constraint("pk_teams", "teams")\nop.create_primary_key("pk_teams", "teams", ["id"])',
        LATER,
    ),
    "a schema that is written or not": (
        TEAMS,
        'op.add_column("teams", sa.Column("motto", sa.Integer()), schema="public")',
        'op.create_index("ix_motto", "teams", ["motto"], schema="public")',
        'op.drop_index("ix_motto", "teams")\nop.drop_column("teams", "motto")',
        'op.drop_table("teams", schema="public")',
    ),
    "a column as text with all that it declares": (
        TEAMS,
        GAMES,
        sql("ALTER TABLE games ADD COLUMN home int CONSTRAINT fk REFERENCES teams (id) CONSTRAINT ck CHECK (home > 0)"),
        sql("ALTER TABLE games DROP CONSTRAINT fk, DROP CONSTRAINT IF EXISTS ck, ALTER COLUMN home SET NOT NULL"),
    ),
    "types of several tables": (
        f'op.create_table("teams", {ID}, sa.Column("tier", sa.Enum("a", "b", name="tier")))',
        f'op.create_table("games", {ID}, sa.Column("tier", postgresql.ENUM("a", name="tier", create_type=False)))',
        'op.drop_table("teams")\nop.drop_table("games")',
        sql("DROP TYPE tier"),
        f'op.create_table("teams", {ID}, sa.Column("tier", sa.Enum("x", name="tier")))',
    ),
    "a composite type and a domain": (
        sql("CREATE TYPE pair AS (a int, b int)", "CREATE DOMAIN email AS text"),
        sql("DROP TYPE pair", "DROP DOMAIN email"),
        TEAMS,
    ),
    "a constraint under another name": (
        TEAMS,
        'op.create_unique_constraint("uq_name", "teams", ["name"])',
        sql("ALTER TABLE teams RENAME CONSTRAINT uq_name TO uq_teams_name"),
        'op.drop_constraint("uq_teams_name", "teams")',
    ),
    "what goes along with a table": (
        TEAMS,
        GAMES,
        'op.create_foreign_key("fk", "games", "teams", ["team"], ["id"])',
        sql("DROP TABLE teams CASCADE"),
        'op.drop_column("games", "team")',
    ),
    "what goes along with a column": (
        TEAMS + '\nop.create_unique_constraint("uq_name", "teams", ["name"])',
        KEYS,
        sql("ALTER TABLE teams DROP COLUMN name CASCADE"),
        LATER,
    ),
    "what goes along with a type": (
        f'op.create_table("teams", {ID}, sa.Column("tier", sa.Enum("a", "b", name="tier")))',
        'op.create_index("ix_tier", "teams", ["tier"])',
        sql("DROP TYPE tier CASCADE"),
        LATER,
    ),
    "a schema that goes with all that is in it": (
        sql("CREATE SCHEMA shop"),
        'op.create_table("carts", sa.Column("id", sa.Integer()), schema="shop")',
        sql("DROP SCHEMA shop CASCADE"),
        TEAMS,
    ),
    "a table that moves to another schema": (
        sql("CREATE SCHEMA shop"),
        TEAMS,
        sql("ALTER TABLE teams SET SCHEMA shop"),
        TEAMS,
    ),
    "an unqualified name that means another schema": (
        sql("CREATE SCHEMA shop"),
        sql("SET LOCAL search_path TO shop, public") + "\n" + TEAMS,
        GAMES,
        LATER.replace('"teams", ', '"teams", schema="shop", column='),
    ),
    "several actions in one statement": (
        sql("CREATE TABLE teams (id int primary key, name text); CREATE INDEX ix_name ON teams (name)"),
        sql("ALTER TABLE teams ADD COLUMN motto text, DROP COLUMN name"),
    ),
    "an index that becomes a constraint": (
        TEAMS,
        'op.create_index("uq_name", "teams", ["name"], unique=True)',
        'op.drop_index("uq_name", "teams")\nop.create_unique_constraint("uq_name", "teams", ["name"])',
        LATER,
    ),
    "an index that a constraint takes over": (
        TEAMS,
        'op.create_index("ux_name", "teams", ["name"], unique=True)',
        sql("ALTER TABLE teams ADD CONSTRAINT uq_name UNIQUE USING INDEX ux_name"),
        'op.drop_constraint("uq_name", "teams")',
    ),
    "a name that is the end of another one": (
        TEAMS,
        INDEX,
        'op.create_unique_constraint("name", "teams", ["name"])',
        'op.create_check_constraint("ck_teams_name", "teams", "id > 0")',
    ),
    "an exclusion": (
        TEAMS + "\nop.create_exclude_constraint('ex', 'teams', ('coach', '='), using='btree')",
        LATER,
    ),
    "a constraint whose name the database chooses": (
        f'op.create_table("teams", {ID}, sa.Column("name", sa.Text(), unique=True))',
        'op.drop_constraint("teams_name_key", "teams")',
        'op.create_unique_constraint("teams_name_key", "teams", ["name"])',
    ),
    "a function that changes the schema": (
        TEAMS,
        GAMES,
        sql("CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE games; END $$"),
        sql("SELECT tidy()"),
        LATER,
    ),
    "a type under another name": (
        f'op.create_table("teams", {ID}, sa.Column("tier", sa.Enum("a", "b", name="tier")))',
        sql(
            "ALTER TYPE tier RENAME TO tier_old",
            "CREATE TYPE tier AS ENUM ('a', 'c')",
            "ALTER TABLE teams ALTER COLUMN tier TYPE tier USING tier::text::tier",
            "DROP TYPE tier_old",
        ),
        sql("ALTER TYPE tier ADD VALUE 'd'"),
    ),
}


class Database:
    """A database that Alembic makes, and what there is to say about it."""

    def __init__(self, url: str, chain: tuple[str, ...]) -> None:
        self._url = url
        self._engine = sa.create_engine(url, poolclass=NullPool)
        ids = [f"r{n}" for n in range(len(chain))]
        self._facts = facts("; ".join(id_ if not n else f"{id_}<r{n - 1}" for n, id_ in enumerate(ids)))
        self._traces = {id_: schema_effects_of(read(revision(body))) for id_, body in zip(ids, chain, strict=True)}
        self._row = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32)))
        with self._engine.begin() as connection:
            self._row.create(connection)

    def upgrade(self, id_: str, body: str) -> None:
        with self._engine.begin() as connection:
            upgrade(connection, body)
            connection.execute(self._row.delete())
            connection.execute(self._row.insert().values(version_num=id_))

    def diagnosis(self) -> Diagnosis:
        things = things_to_look_for(self._facts.merged, self._traces)
        return diagnose(self._facts, self._traces, look(Address(self._url), things, "alembic_version", None))


def complaints(url: str, chain: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """What is complained about before the first step and after each."""
    database = Database(url, chain)
    yield -1, [f"{each.problem}: {', '.join(each.names)}" for each in database.diagnosis().complaints]
    for step, body in enumerate(chain):
        database.upgrade(f"r{step}", body)
        yield step, [f"{each.problem}: {', '.join(each.names)}" for each in database.diagnosis().complaints]


@pytest.mark.parametrize("name", [*BOTH, *SQLITE])
def test_on_sqlite(name: str, tmp_path: Path) -> None:
    found = list(complaints(f"sqlite:///{tmp_path}/x.db", {**BOTH, **SQLITE}[name]))
    assert [each for each in found if each[1]] == []


@pytest.mark.parametrize("name", [*BOTH, *POSTGRESQL])
def test_on_postgresql(name: str, postgres: Postgres) -> None:
    found = list(complaints(postgres.fresh(), {**BOTH, **POSTGRESQL}[name]))
    assert [each for each in found if each[1]] == []

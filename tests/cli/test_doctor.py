"""`onehead doctor` on databases that were really made by Alembic and then really damaged.

Each test lets the doctor look, holds what it foretells against what Alembic then really does, takes the way out that it
offers, and lets it look again.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tests.cli.terminal_runs import Run
from tests.mariadb import MARIADB, MariaDB, mariadb
from tests.migrations import VERSIONS
from tests.patient import Patient, codes, league, path_of, states, written
from tests.postgres import POSTGRESQL, Postgres, postgres
from tests.repositories import Repository

__all__ = ["mariadb", "postgres"]
"""The fixtures, for pytest to find here."""

EVERYTHING = {"users", "games", "teams", "notes"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return league(tmp_path_factory.mktemp("league") / "league.git")


@pytest.fixture
def repo(original: Repository, tmp_path: Path) -> Repository:
    """One of its own: tests commit to it."""
    shutil.copytree(original.path, tmp_path / "league.git")
    return Repository(tmp_path / "league.git")


@pytest.fixture(params=["sqlite", POSTGRESQL, MARIADB])
def patient(request: pytest.FixtureRequest, repo: Repository, tmp_path: Path, run: Run) -> Patient:
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/database.sqlite"
    elif request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh()
    else:
        other: MariaDB = request.getfixturevalue("mariadb")
        url = other.fresh()
    return Patient(repo, url, tmp_path / "deployed", run)


@pytest.fixture
def sqlite(repo: Repository, tmp_path: Path, run: Run) -> Patient:
    return Patient(repo, f"sqlite:///{tmp_path}/database.sqlite", tmp_path / "deployed", run)


@pytest.fixture
def on_postgres(repo: Repository, tmp_path: Path, run: Run, postgres: Postgres) -> Patient:
    return Patient(repo, postgres.fresh(), tmp_path / "deployed", run)


def comes_true(patient: Patient, told: dict[str, Any], at: str = "main") -> None:
    """What the next upgrade was said to do, it does."""
    foretold = told["next_upgrade"]
    if foretold["outcome"] == "error":
        said = foretold["error"].partition(": ")[2] if "already" in foretold["error"] else foretold["error"]
        with pytest.raises((CommandError, SQLAlchemyError)) as caught:
            patient.deployed(at).upgrade()
        # Alembic names overlapping rows in the order of a hash.
        assert said[:40].lower() in str(caught.value).lower()
        return
    assert patient.deployed(at).upgrade() == tuple(foretold["runs"])
    assert patient.deployed(at).rows() == tuple(foretold["rows_after"])


def recovers(patient: Patient, told: dict[str, Any], way: int = 0, at: str = "main") -> None:
    """The way out leads out: the database is at the head, whole, and the doctor has nothing to say."""
    patient.follow(told["ways_out"][way], at)
    after = patient.told(at)
    assert (after["healthy"], after["complaints"], after["ways_out"]) == (True, [], [])
    assert after["next_upgrade"]["runs"] == []
    assert set(states(after).values()) <= {"applied", "no-witness"}
    assert patient.deployed(at).tables() >= EVERYTHING


def test_a_fresh_database_is_well(patient: Patient) -> None:
    told = patient.told()
    assert (told["healthy"], told["rows"], told["version_table"]) == (True, None, None)
    assert set(states(told).values()) == {"not-applied", "no-witness"}
    comes_true(patient, told)


@pytest.mark.parametrize("row", ["002", "004", "005", "007", "008", "head"])
def test_a_database_that_followed_the_chain_is_well(patient: Patient, row: str) -> None:
    patient.deployed().upgrade(row)
    told = patient.told()
    assert (told["healthy"], codes(told), told["ways_out"], told["questions"]) == (True, [], [], [])
    for each in told["revisions"]:
        seen = {True: "applied", False: "not-applied"}[each["recorded"]]
        assert each["state"] in (seen, "no-witness")
        assert (each["state"] == "no-witness") == (each["id"] in ("003", "008"))
    comes_true(patient, told)


def test_1_a_table_is_there_that_no_row_records(patient: Patient) -> None:
    patient.deployed().upgrade("004")
    patient.execute("CREATE TABLE teams (id INTEGER PRIMARY KEY)")
    told = patient.told()
    assert codes(told) == ["ahead"]
    [ahead] = [each for each in told["revisions"] if each["state"] == "applied" and not each["recorded"]]
    [evidence] = ahead["evidence"]
    assert (ahead["id"], evidence["kind"], evidence["name"], evidence["there"]) == ("005", "table", "teams", True)
    assert told["next_upgrade"]["outcome"] == "error"
    assert [step["command"] for step in told["ways_out"][0]["steps"]] == [
        "alembic stamp --purge 005",
        "alembic upgrade head",
    ]
    assert [step["effect"] for step in told["ways_out"][0]["steps"]] == ["destructive", "safe"]
    if patient.url.startswith("postgresql"):
        comes_true(patient, told)  # taken back whole
        told = patient.told()
    recovers(patient, told)


def test_1b_where_nothing_is_taken_back_the_upgrade_stops_half_way(sqlite: Patient) -> None:
    sqlite.deployed().upgrade("004")
    sqlite.execute("CREATE TABLE teams (id INTEGER PRIMARY KEY)")
    told = sqlite.told()
    assert told["next_upgrade"]["runs"] == ["006", "007"]
    comes_true(sqlite, told)
    assert sqlite.deployed().rows() == ("007",)
    recovers(sqlite, sqlite.told())


def test_2_both_sides_are_there_and_the_row_is_behind(patient: Patient) -> None:
    patient.deployed().upgrade("007")
    patient.deployed().upgrade("005")
    patient.deployed().set_rows(["004"])
    told = patient.told()
    assert codes(told) == ["ahead"]
    assert told["ways_out"][0]["steps"][0]["command"] == "alembic stamp --purge 005 007"
    comes_true(patient, told)
    recovers(patient, patient.told())


def test_3_an_ancestor_stands_beside_its_descendant(patient: Patient) -> None:
    patient.deployed().upgrade("005")
    patient.deployed().set_rows(["004", "005"])
    told = patient.told()
    assert codes(told) == ["overlapping-rows"]
    comes_true(patient, told)
    assert told["ways_out"][0]["steps"][0]["command"] == "alembic stamp --purge 005"
    recovers(patient, told)


def test_3b_the_schema_decides_which_of_the_two_rows_is_true(patient: Patient) -> None:
    patient.deployed().upgrade("004")
    patient.deployed().set_rows(["004", "005"])
    told = patient.told()
    assert codes(told) == ["overlapping-rows", "lost"]
    assert told["complaints"][1]["names"] == ["005"]
    recovers(patient, told)


def test_4_a_row_from_a_branch_that_is_not_deployed(patient: Patient) -> None:
    patient.deployed("oauth").upgrade()
    told = patient.told()
    assert codes(told) == ["unknown-row"]
    assert "010 is on branch oauth" in told["complaints"][0]["message"]
    assert "Do not stamp" in told["complaints"][0]["next"]
    assert (told["ways_out"], told["complaints"][0]["question"]) == ([], None)
    comes_true(patient, told)


def test_5_a_row_whose_file_was_deleted(patient: Patient) -> None:
    patient.deployed().upgrade()
    sha = patient.repo.commit("main", {path_of("009"): None}, "Tidy up")
    told = patient.told()
    assert codes(told) == ["unknown-row"]
    message = told["complaints"][0]["message"]
    assert "009 is on branch oauth" in message
    patient.repo.git("update-ref", "-d", "refs/heads/oauth")
    message = patient.told()["complaints"][0]["message"]
    assert f"{sha[:10]} Tidy up removed the file of 009" in message
    comes_true(patient, told)


def test_6_a_row_from_nowhere_is_a_question(patient: Patient) -> None:
    patient.deployed().upgrade("004")
    patient.deployed().set_rows(["0badcafe"])
    told = patient.told()
    assert codes(told)[0] == "unknown-row"
    assert "0badcafe" in told["complaints"][0]["question"]
    assert told["ways_out"] == []
    comes_true(patient, told)


def test_7_an_image_older_than_the_database(patient: Patient) -> None:
    patient.deployed().upgrade("004")
    told = patient.told("at/002")
    assert codes(told) == ["unknown-row"]
    assert "004 is on branch" in told["complaints"][0]["message"]
    comes_true(patient, told, "at/002")


def test_8_an_id_that_was_made_longer(patient: Patient) -> None:
    patient.deployed("at/004").upgrade()
    renamed = written("004_games", "003", 'op.create_table("games", sa.Column("id", sa.Integer(), primary_key=True))')
    children = {**written("005", "004_games"), **written("006", "004_games")}
    patient.repo.commit("main", {path_of("004"): None, **renamed, **children}, "Speaking ids")
    told = patient.told()
    assert codes(told) == ["prefix-row"]
    assert told["next_upgrade"]["outcome"] == "ok"
    assert told["ways_out"][0]["steps"][0]["command"] == "alembic stamp --purge 004_games"
    recovers(patient, told)


def test_8b_what_happens_when_nobody_asks_about_the_longer_id(sqlite: Patient) -> None:
    sqlite.deployed("at/004").upgrade()
    renamed = written("004_games", "003", 'op.create_table("games", sa.Column("id", sa.Integer(), primary_key=True))')
    sqlite.repo.commit("short", {path_of("004"): None, **renamed}, "Speaking ids", parents=["at/004"])
    sqlite.repo.commit("short", written("005", "004_games"), "Teams")
    comes_true(sqlite, sqlite.told("short"), "short")
    told = sqlite.told("short")
    assert codes(told) == ["prefix-row", "overlapping-rows"]
    comes_true(sqlite, told, "short")
    sqlite.follow(told["ways_out"][0], "short")
    assert sqlite.told("short")["healthy"]


def test_9_the_beginning_of_several_ids(patient: Patient) -> None:
    patient.deployed("at/004").upgrade()
    two = written("004_games", "003", 'op.create_table("games", sa.Column("id", sa.Integer(), primary_key=True))')
    two |= written("004_more", "004_games", "pass")
    patient.repo.commit("two", {path_of("004"): None, **two}, "Split", parents=["at/004"])
    told = patient.told("two")
    assert codes(told)[0] == "ambiguous-row"
    assert told["complaints"][0]["question"] == "Which of 004_games and 004_more used to be 004?"
    assert told["ways_out"] == []
    comes_true(patient, told, "two")


def test_10_a_branch_that_was_moved_beneath_what_had_run(patient: Patient) -> None:
    """The silent loss: 006 is put onto 005 while this database has run 006 and 007 alone."""
    patient.deployed().upgrade("007")
    moved = {**written("006", "005"), **written("008", "007", "pass")}
    patient.repo.commit("moved", moved, "One line", parents=["main"])
    told = patient.told("moved")
    assert codes(told) == ["lost"]
    assert (told["complaints"][0]["names"], told["next_upgrade"]["lost"]) == (["005"], ["005"])
    assert told["complaints"][0]["question"]
    commands = [step["command"] for step in told["ways_out"][0]["steps"]]
    assert commands == [
        "alembic stamp --purge 004",
        "alembic upgrade 005",
        "alembic stamp --purge 007",
        "alembic upgrade head",
    ]
    assert "on purpose" in told["ways_out"][0]["condition"]
    recovers(patient, told, at="moved")


def test_10b_found_late_when_everything_above_has_run(patient: Patient) -> None:
    patient.deployed().upgrade("007")
    patient.repo.commit("moved", {**written("006", "005"), **written("008", "007", "pass")}, "x", parents=["main"])
    patient.deployed("moved").upgrade()
    told = patient.told("moved")
    assert (codes(told), told["complaints"][0]["names"], told["rows"]) == (["lost"], ["005"], ["009"])
    recovers(patient, told, at="moved")


def test_11_the_version_table_was_emptied(patient: Patient) -> None:
    patient.deployed().upgrade()
    patient.deployed().set_rows([])
    told = patient.told()
    assert codes(told) == ["no-rows"]
    assert [way["condition"] for way in told["ways_out"]] == ["003 has run", "003 has not run"]
    assert len(told["questions"]) == 1
    assert told["questions"][0].startswith("has 003 run?")
    assert "UPDATE users" in told["questions"][0]
    comes_true(patient, told)
    recovers(patient, patient.told())


def test_12_tables_that_were_made_without_alembic(patient: Patient) -> None:
    patient.deployed().upgrade("005")
    patient.execute("DROP TABLE alembic_version")
    told = patient.told()
    assert (told["rows"], codes(told)) == (None, ["no-rows"])
    assert {id_ for id_, state in states(told).items() if state == "applied"} == {"001", "002", "004", "005"}
    recovers(patient, told)


TWO_TABLES = (
    'op.create_table("seasons", sa.Column("id", sa.Integer(), primary_key=True))\n'
    '    op.create_table("venues", sa.Column("id", sa.Integer(), primary_key=True))\n'
    '    op.create_index("ix_venues_id", "venues", ["id"])'
)


@pytest.mark.parametrize("way", [0, 1])
def test_13_a_revision_that_stopped_half_way(patient: Patient, way: int) -> None:
    patient.deployed().upgrade()
    patient.repo.commit("main", written("010", "009", TWO_TABLES), "Seasons and venues")
    patient.execute("CREATE TABLE seasons (id INTEGER PRIMARY KEY)")
    told = patient.told()
    assert codes(told) == ["half-applied"]
    [half] = [each for each in told["revisions"] if each["state"] == "partly"]
    assert [(each["name"], each["there"]) for each in half["evidence"]] == [
        ("seasons", True),
        ("venues", False),
        ("ix_venues_id", False),
    ]
    comes_true(patient, told)
    assert len(told["ways_out"]) == 2
    if way == 1:
        assert told["ways_out"][1]["steps"][0]["command"] == "alembic upgrade 009:010 --sql"
        patient.execute("CREATE TABLE venues (id INTEGER PRIMARY KEY)", "CREATE INDEX ix_venues_id ON venues (id)")
    recovers(patient, told, way)


def test_13b_an_upgrade_that_really_crashes_half_way(sqlite: Patient) -> None:
    sqlite.deployed().upgrade()
    crashing = TWO_TABLES.replace("\n", "\n    raise SystemExit(3)\n", 1)
    sqlite.repo.commit("crashing", written("010", "009", crashing), "Crash", parents=["main"])
    with pytest.raises(SystemExit):
        sqlite.deployed("crashing").upgrade()
    sqlite.repo.commit("main", written("010", "009", TWO_TABLES), "The same, whole")
    told = sqlite.told()
    assert (told["rows"], codes(told)) == (["009"], ["half-applied"])
    recovers(sqlite, told)


def test_14_a_batch_migration_was_cut_off(sqlite: Patient) -> None:
    batch = 'with op.batch_alter_table("users", recreate="always") as batch:\n'
    batch += '        batch.add_column(sa.Column("age", sa.Integer()))'
    sqlite.deployed().upgrade()
    sqlite.repo.commit("main", written("010", "009", batch), "Age")
    sqlite.execute("CREATE TABLE _alembic_tmp_users (id INTEGER PRIMARY KEY)")
    told = sqlite.told()
    assert (codes(told), told["complaints"][0]["names"]) == (["leftover-table"], ["_alembic_tmp_users"])
    with pytest.raises(SQLAlchemyError, match="_alembic_tmp_users already exists"):
        sqlite.deployed().upgrade()
    recovers(sqlite, told)


def test_15_a_second_version_table(on_postgres: Patient) -> None:
    patient = on_postgres
    patient.deployed().upgrade()
    patient.execute("CREATE SCHEMA app", "CREATE TABLE app.alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    patient.execute("INSERT INTO app.alembic_version VALUES ('004')")
    told = patient.told()
    assert (codes(told), told["complaints"][0]["severity"]) == (["other-version-table"], "error")
    assert told["other_version_tables"] == [{"name": "alembic_version", "schema": "app", "rows": ["004"]}]
    assert "env.py" in told["complaints"][0]["question"]
    sure = patient.told("main", "--version-schema", "public")
    [complaint] = sure["complaints"]
    assert (sure["healthy"], complaint["severity"], complaint["question"]) == (True, "warning", None)
    other = patient.told("main", "--version-schema", "app")
    assert (codes(other), other["rows"]) == (["other-version-table", "ahead"], ["004"])


def test_16_the_same_row_twice(patient: Patient) -> None:
    patient.deployed().upgrade("005")
    patient.execute("DROP TABLE alembic_version")
    patient.deployed().set_rows(["005", "005"])
    told = patient.told()
    assert codes(told) == ["repeated-row"]
    with pytest.raises((CommandError, SQLAlchemyError), match="expected to match"):
        patient.deployed().upgrade()


def test_17_two_heads(patient: Patient) -> None:
    patient.deployed().upgrade("004")
    told = patient.told("forked")
    assert codes(told) == ["multiple-heads"]
    assert told["ways_out"][0]["steps"][0]["command"] == "alembic upgrade heads"
    comes_true(patient, told, "forked")
    patient.follow(told["ways_out"][0], "forked")
    assert patient.deployed("forked").rows() == ("005", "007")


def test_18_an_id_that_does_not_fit(patient: Patient) -> None:
    long = "2026_11_28_the_table_of_the_seasons_of_all_leagues"
    patient.deployed().upgrade()
    patient.repo.commit("main", written(long, "009", TWO_TABLES), "Seasons")
    told = patient.told()
    if patient.url.startswith("sqlite"):
        assert told["healthy"]
        return
    assert (codes(told), told["complaints"][0]["names"]) == (["id-too-long"], [long])
    with pytest.raises(SQLAlchemyError, match="too long"):
        patient.deployed().upgrade()


UNIQUE = (
    "with op.get_context().autocommit_block():\n"
    '        op.create_index("ux_users_name", "users", ["name"], unique=True, postgresql_concurrently=True)'
)


def test_18b_an_index_that_could_not_be_built(on_postgres: Patient) -> None:
    """PostgreSQL keeps it as invalid: no witness that the revision ran; the next attempt stops at its name."""
    patient = on_postgres
    patient.deployed().upgrade()
    patient.execute("INSERT INTO users (id, name) VALUES (1, 'x'), (2, 'x')")
    patient.repo.commit("main", written("010", "009", UNIQUE), "Names are unique")
    with pytest.raises(SQLAlchemyError, match="duplicated"):
        patient.deployed().upgrade()
    told = patient.told()
    assert (codes(told), states(told)["010"]) == (["invalid-index"], "not-applied")
    comes_true(patient, told)
    patient.execute("DELETE FROM users WHERE id = 2")
    recovers(patient, told)


def test_18c_an_invalid_index_that_is_recorded(on_postgres: Patient) -> None:
    patient = on_postgres
    patient.deployed().upgrade("007")
    patient.execute("DROP INDEX ix_users_name", "INSERT INTO users (id, name) VALUES (1, 'x'), (2, 'x')")
    with pytest.raises(SQLAlchemyError, match="duplicated"):
        patient.execute_alone("CREATE UNIQUE INDEX CONCURRENTLY ix_users_name ON users (name)")
    told = patient.told()
    assert (told["healthy"], codes(told), told["complaints"][0]["severity"]) == (True, ["invalid-index"], "warning")
    assert "`REINDEX INDEX CONCURRENTLY`" in told["complaints"][0]["next"]


def test_18d_a_part_that_stands_beside_an_invalid_index(on_postgres: Patient) -> None:
    """What the revision made before it crashed is taken back, and the index with it."""
    patient = on_postgres
    patient.deployed().upgrade()
    patient.execute("INSERT INTO users (id, name) VALUES (1, 'x'), (2, 'x')")
    first = 'op.create_index("ix_users_id", "users", ["id"], postgresql_concurrently=True)'
    body = UNIQUE.replace("op.create_index", f"{first}\n        op.create_index", 1)
    patient.repo.commit("main", written("010", "009", body), "Names are unique")
    with pytest.raises(SQLAlchemyError, match="duplicated"):
        patient.deployed().upgrade()
    told = patient.told()
    assert codes(told) == ["invalid-index", "half-applied"]
    patient.execute("DELETE FROM users WHERE id = 2")
    recovers(patient, told)


def test_19_somebody_has_dropped_a_part_by_hand(patient: Patient) -> None:
    patient.deployed().upgrade("008")
    drop = "DROP INDEX ix_users_name" + (" ON users" if patient.url.startswith("mysql") else "")
    patient.execute(drop)
    told = patient.told()
    # The index is gone as if 009 had run, which no row records.
    assert codes(told) == ["ahead"]
    patient.execute("CREATE INDEX ix_users_name ON users (name)", "ALTER TABLE notes DROP COLUMN author")
    told = patient.told()
    assert (codes(told), told["complaints"][0]["names"]) == (["lost"], ["007"])
    assert told["complaints"][0]["question"] == "Was it removed on purpose?"


def test_19b_a_part_is_missing_of_what_is_recorded(patient: Patient) -> None:
    patient.deployed().upgrade()
    patient.repo.commit("main", written("010", "009", TWO_TABLES), "Seasons and venues")
    patient.deployed().upgrade()
    patient.execute("DROP TABLE seasons")
    told = patient.told()
    assert (codes(told), told["healthy"]) == (["incomplete"], True)
    assert told["complaints"][0]["question"] == "Was that part removed on purpose?"


def test_20_a_migration_of_data_between_what_can_be_seen(patient: Patient) -> None:
    """The row says 002 and the table of 004 is there: whether 003 ran only the data can tell."""
    patient.deployed().upgrade("004")
    patient.deployed().set_rows(["002"])
    told = patient.told()
    assert (codes(told), told["complaints"][0]["names"]) == (["ahead"], ["004"])
    assert [way["condition"] for way in told["ways_out"]] == ["003 has run", "003 has not run"]
    assert told["ways_out"][0]["steps"][0]["command"] == "alembic stamp --purge 004"
    assert [step["command"] for step in told["ways_out"][1]["steps"]] == [
        "alembic upgrade 003",
        "alembic stamp --purge 004",
        "alembic upgrade head",
    ]
    recovers(patient, told, 1)


def test_21_a_chain_that_does_not_load(patient: Patient) -> None:
    patient.deployed().upgrade("004")
    patient.repo.commit("torn", {path_of("003"): None}, "Tidy up", parents=["main"])
    told = patient.told("torn")
    assert codes(told)[0] == "broken-chain"
    assert told["ways_out"] == []
    with pytest.raises(KeyError), pytest.warns(UserWarning, match="is not present"):
        patient.deployed("torn").upgrade()
    assert told["next_upgrade"]["error"] == "KeyError: '003'"


def test_a_database_that_somebody_else_holds_locked_is_not_waited_for(on_postgres: Patient, run: Run) -> None:
    on_postgres.deployed().upgrade()
    engine = create_engine(on_postgres.url, poolclass=NullPool)
    with engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        done = run("doctor", "--repo", on_postgres.repo.path, "--at", "main", "--database-url", on_postgres.url)
    assert (done.code, done.out) == (3, "")
    assert "lock timeout" in done.err


def test_a_file_that_is_no_database(sqlite: Patient, run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x" * 5000, encoding="utf-8")
    done = run(
        "doctor", "--repo", sqlite.repo.path, "--at", "main", "--database-url", f"sqlite:///{tmp_path}/notes.txt"
    )
    assert (done.code, done.out) == (3, "")
    assert "file is not a database" in done.err


def test_a_file_that_is_not_there_is_not_made(sqlite: Patient, run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--repo", sqlite.repo.path, "--at", "main", "--database-url", f"sqlite:///{tmp_path}/typo.db")
    assert (done.code, done.out) == (3, "")
    assert "There is no file" in done.err
    assert not (tmp_path / "typo.db").exists()


def test_sqlite_is_opened_for_reading_only(sqlite: Patient, tmp_path: Path) -> None:
    sqlite.deployed().upgrade("005")
    before = (tmp_path / "database.sqlite").read_bytes()
    assert sqlite.told()["healthy"]
    assert (tmp_path / "database.sqlite").read_bytes() == before
    with sqlite3.connect(tmp_path / "database.sqlite") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert sqlite.told()["healthy"]


def test_the_text_that_people_read(sqlite: Patient, tmp_path: Path) -> None:
    sqlite.deployed().upgrade("004")
    sqlite.execute("CREATE TABLE teams (id INTEGER PRIMARY KEY)")
    believed = "2 can't be seen (data or nothing at all), so the rows are believed there"
    kept = "What ran before it in the same upgrade stays, recorded."
    stops = "The upgrade stops at the first statement that can't be done twice."
    assert (
        sqlite.text()
        == f"""\
Not healthy. Judged main ({sqlite.repo.sha("main")[:10]}) by itself.
Looked at sqlite:///{tmp_path}/database.sqlite; nothing was changed.
Read 1 environment, 9 of 9 revision files.

{VERSIONS}: alembic_version holds 004
  `alembic upgrade head` stops: 005: table teams already exists

  Of 9 revisions, the schema shows: 4 applied, 3 not applied, {believed}.
    005  not recorded, applied  alembic/versions/005_t005.py
      line 22: table teams is there

  error ahead: What 005 makes is there already, but not recorded. {stops} {kept}
    → Record what is there, as below; then the upgrade goes on behind it.

  Way out:
    1. alembic stamp --purge 005  destructive: rewrites the rows (004) and runs nothing: note them first
    2. alembic upgrade head       safe: runs migrations, as a deploy does
"""
    )

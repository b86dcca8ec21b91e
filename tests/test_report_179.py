"""A real report, from the commit to the database: a crash loop that was blamed on a fork, and the fork before it.

The migrations of this fixture are our own and are really run, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from onehead.cli.main import main
from tests.basketball import TABLES, TRUNK, Basketball, basketball
from tests.migrations import VERSIONS
from tests.postgres import POSTGRESQL, Postgres, postgres
from tests.real_alembic import Deployment, checked_out

__all__ = ["postgres"]
"""The fixture, for pytest to find here."""

ROUND_TRIP = ("020", "021", "019", "022", "023", "024", "025")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Basketball:
    return basketball(tmp_path_factory.mktemp("report") / "basketball.git")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/database.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


def onehead(capsys: pytest.CaptureFixture[str], report: Basketball, *args: str) -> tuple[int, dict[str, Any]]:
    code = main([*args, "--repo", str(report.repo.path), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_at_the_end_there_is_one_head_and_no_fork(report: Basketball, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = onehead(capsys, report, "check", "--target", "main")
    environment = told["environments"][0]
    assert (code, told["verdict"]) == (0, "ok")
    assert environment["heads"] == {"target": ["025"], "head": None, "merged": ["025"]}
    assert environment["findings"] == []
    assert [reason["code"] for reason in environment["plan"]["reasons"]] == ["one-head", "rejoined"]
    assert "`018`" in environment["plan"]["reasons"][1]["message"]


@pytest.mark.parametrize("words", [["check", "--at", "main"], ["doctor", "--at", "main", "--rows", "019,021"]])
def test_a_healthy_verdict_speaks_of_no_crash(
    report: Basketball, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Nobody has spoken of one: what else may make a deploy crash is told by `explain`, which is asked about one."""
    assert main([*words, "--repo", str(report.repo.path)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Healthy. ")
    assert "is rejoined by merge revisions: `alembic upgrade head` walks all sides.\n" in told
    assert "crash" not in told


def test_the_odd_one_out_is_needed(report: Basketball, capsys: pytest.CaptureFixture[str]) -> None:
    """e09c9e678004 looked like a stray file between numbered ones; without it nothing loads."""
    report.repo.branch("tidy", "main")
    report.repo.commit("tidy", {f"{VERSIONS}/e09c9e678004_te09c9e678004.py": None}, "Remove a stray migration")
    code, told = onehead(capsys, report, "check", "--target", "main", "--head", "tidy")
    errors = [f for f in told["environments"][0]["findings"] if f["severity"] == "error"]
    assert (code, told["verdict"]) == (1, "broken")
    assert [(e["code"], e["introduced_by"], e["revisions"]) for e in errors] == [
        ("missing-parent", "head", ["007", "e09c9e678004"])
    ]
    assert "`007` still needs `e09c9e678004`" in errors[0]["message"]
    assert told["environments"][0]["plan"]["kind"] == "refuse"


def test_what_runs_from_018(report: Basketball, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = onehead(capsys, report, "states", "--at", "main", "--rows", "018")
    environment = told["environments"][0]
    assert (code, environment["fork"], environment["command"]) == (0, None, "alembic upgrade head")
    assert environment["fixes"] == [
        {
            "fix": "none",
            "moved": None,
            "onto": None,
            "new_ids": [],
            "states": [
                {
                    "rows": ["018"],
                    "applied": [],
                    "outcome": "ok",
                    "runs": list(ROUND_TRIP),
                    "rows_after": ["025"],
                    "lost": [],
                    "again": [],
                    "error": None,
                    "remedy": [],
                }
            ],
            "corrupt": [],
        }
    ]


def test_before_022_the_fork_is_found_and_a_merge_is_written(
    report: Basketball, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = onehead(capsys, report, "check", "--target", report.forked)
    fork = told["environments"][0]["findings"][0]
    assert (code, told["verdict"]) == (1, "fork")
    assert (fork["code"], fork["introduced_by"], fork["revisions"]) == ("fork", "target", ["018", "019", "021"])
    code, fixed = onehead(capsys, report, "fix", "--target", report.forked)
    change = fixed["environments"][0]["plan"]["changes"][0]["path"]
    text = report.repo.read(fixed["sha"], change)
    assert (code, fixed["base"]) == (1, "target")
    assert fixed["environments"][0]["plan"]["kind"] == "merge"
    assert "('019', '021')" in text.replace('"', "'")
    assert report.repo.sha(f"{fixed['sha']}^") == report.forked
    assert main(["check", "--repo", str(report.repo.path), "--target", fixed["branch"]]) == 0


def test_the_repaired_tree_upgrades_a_database_that_was_at_018(
    report: Basketball, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, fixed = onehead(capsys, report, "fix", "--target", report.forked)
    old = Deployment(checked_out(report.repo, report.trunk, tmp_path / "old"), url)
    assert old.upgrade() == tuple(TRUNK)
    assert old.rows() == ("018",)
    stuck = Deployment(checked_out(report.repo, report.forked, tmp_path / "forked"), url)
    with pytest.raises(CommandError, match="Multiple head revisions are present for given argument 'head'"):
        stuck.upgrade()
    repaired = Deployment(checked_out(report.repo, fixed["sha"], tmp_path / "repaired"), url)
    head = repaired.heads()
    assert len(head) == 1
    assert set(repaired.upgrade()) == {"019", "020", "021", *head}
    assert repaired.rows() == head
    assert set(TABLES.values()) | {f"t{id_}" for id_ in TRUNK} <= repaired.tables()


@pytest.mark.parametrize(
    ("before", "runs"),
    [
        ((), (*TRUNK, *ROUND_TRIP)),
        (("018",), ROUND_TRIP),
        (("019",), ("020", "021", "022", "023", "024", "025")),
        (("020",), ("021", "019", "022", "023", "024", "025")),
        (("021",), ("019", "022", "023", "024", "025")),
        (("019", "020"), ("021", "022", "023", "024", "025")),
        (("019", "021"), ("022", "023", "024", "025")),
        (("022",), ("023", "024", "025")),
    ],
)
def test_the_rejoined_chain_upgrades_every_database(
    report: Basketball,
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    before: tuple[str, ...],
    runs: tuple[str, ...],
) -> None:
    """What onehead says runs, and what really runs, for every place at which a database may stand."""
    deployed = Deployment(checked_out(report.repo, "main", tmp_path / "main"), url)
    for row in before:
        deployed.upgrade(row)
    assert deployed.rows() == before
    _, told = onehead(capsys, report, "states", "--at", "main", "--rows", ",".join(before))
    state = told["environments"][0]["fixes"][0]["states"][0]
    assert (tuple(state["runs"]), state["rows_after"], state["outcome"]) == (runs, ["025"], "ok")
    assert deployed.upgrade() == runs
    assert deployed.rows() == ("025",)
    everything = {*TABLES.values(), *(f"t{id_}" for id_ in (*TRUNK, "022", "023", "024", "025"))}
    assert deployed.tables() == everything


def test_a_row_that_no_file_declares_is_what_really_crashed(
    report: Basketball, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image older than the database gives exactly the text of the report; a fork does not."""
    report.repo.commit("stale", {f"{VERSIONS}/018_t018.py": None}, parents=[report.trunk])
    stale = Deployment(checked_out(report.repo, "stale", tmp_path / "stale"), url)
    stale.set_rows(["018"])
    with pytest.raises(CommandError) as caught:
        stale.upgrade()
    assert main(["states", "--repo", str(report.repo.path), "--at", "stale", "--rows", "018"]) == 0
    told = capsys.readouterr().out
    assert str(caught.value) == "Can't locate revision identified by '018'"
    assert f"error   018  stops: {caught.value}\n" in told
    assert "no file declares 018, so what ran is unknown.\n" in told
    assert "Deploy the version that has it; never stamp back.\n" in told


def test_the_answer_that_the_reporter_should_have_had(
    report: Basketball, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database at 018, and a pod that says it can't locate 018: neither of them has anything to do with the fork."""
    Deployment(checked_out(report.repo, report.trunk, tmp_path / "old"), url).upgrade()
    place = ["--repo", str(report.repo.path), "--at", "main"]
    assert main(["doctor", *place, "--database-url", url]) == 0
    told = capsys.readouterr().out
    assert "alembic/versions: alembic_version holds 018\n" in told
    assert "`alembic upgrade head` runs 020, 021, 019, 022, 023, 024 and 025 and ends at 025\n" in told
    assert "The chain parts after `018` and is rejoined by merge revisions" in told
    assert "Of 25 revisions, the schema shows: 18 applied, 7 not applied.\n" in told
    (tmp_path / "log").write_text("FAILED: Can't locate revision identified by '018'\n", encoding="utf-8")
    assert main(["explain", *place, str(tmp_path / "log")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "neither the chain nor the row in the database is wrong" in told
    assert "The image that crashes holds neither `018` nor anything after it." in told
    assert "Do not `stamp`: that runs no migration, and what is skipped would never be made." in told


@pytest.mark.parametrize(
    ("there", "stamp"),
    [
        (("player_teams",), "019"),
        (("custom_notes",), "020"),
        (("custom_notes", "oauth_tokens"), "021"),
        (("player_teams", "custom_notes"), "019 020"),
        (("player_teams", "custom_notes", "oauth_tokens"), "019 021"),
    ],
)
def test_a_database_at_018_in_which_tables_stand_that_no_row_records(
    report: Basketball,
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    there: tuple[str, ...],
    stamp: str,
) -> None:
    Deployment(checked_out(report.repo, report.trunk, tmp_path / "old"), url).upgrade()
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for table in there:
            connection.exec_driver_sql(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
    code, told = onehead(capsys, report, "doctor", "--at", "main", "--database-url", url)
    [environment] = told["environments"]
    assert (code, [each["code"] for each in environment["complaints"]]) == (1, ["ahead"])
    by_table = {table: id_ for id_, table in TABLES.items()}
    assert environment["complaints"][0]["names"] == sorted(by_table[table] for table in there)
    deployed = Deployment(checked_out(report.repo, "main", tmp_path / "main"), url)
    with pytest.raises(SQLAlchemyError, match="already exists"):
        deployed.upgrade()
    # SQLite has kept what ran before that, so it is looked at once more.
    _, told = onehead(capsys, report, "doctor", "--at", "main", "--database-url", url)
    [way] = told["environments"][0]["ways_out"]
    commands = [step["command"] for step in way["steps"]]
    if url.startswith("postgresql"):
        assert commands == [f"alembic stamp --purge {stamp}", "alembic upgrade head"]
    for command in commands:
        deployed.run(command)
    code, _ = onehead(capsys, report, "doctor", "--at", "main", "--database-url", url)
    assert (code, deployed.rows()) == (0, ("025",))
    assert deployed.tables() == {*TABLES.values(), *(f"t{id_}" for id_ in (*TRUNK, "022", "023", "024", "025"))}


def test_what_the_report_proposed_loses_three_tables_without_a_word(
    report: Basketball, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Deployment(checked_out(report.repo, report.trunk, tmp_path / "old"), url).upgrade()
    deployed = Deployment(checked_out(report.repo, "main", tmp_path / "main"), url)
    deployed.stamp("019", "021")
    deployed.upgrade()
    assert deployed.tables().isdisjoint(TABLES.values())
    code, told = onehead(capsys, report, "doctor", "--at", "main", "--database-url", url)
    [environment] = told["environments"]
    [lost] = environment["complaints"]
    assert (code, lost["code"], lost["names"], environment["rows"]) == (1, "lost", ["019", "020", "021"], ["025"])
    for step in environment["ways_out"][0]["steps"]:
        deployed.run(step["command"])
    code, _ = onehead(capsys, report, "doctor", "--at", "main", "--database-url", url)
    assert (code, deployed.tables() >= set(TABLES.values())) == (0, True)

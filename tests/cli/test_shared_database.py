"""`onehead database` and `onehead jobs`, on a real PostgreSQL where it matters."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg
import pytest
from jsonschema import Draft202012Validator

from onehead.cli.main import main
from onehead.service import postgres_schema
from tests.postgres import Postgres, postgres
from tests.service.test_engine_contract import database

__all__ = ["postgres"]

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "onehead.jobs-1.json"

ADDS = "procrastinate 03.03.00_01_pre_priority_lock_fetch_job"
REMOVES = "procrastinate 03.04.00_50_post_add_retry_failed_job_procedure"
OURS = "onehead 0001 inbox"


@pytest.mark.parametrize(
    ("steps", "stops"),
    [([ADDS, OURS], False), ([ADDS, REMOVES, OURS], True), ([f"onehead {n:04}" for n in range(9)], False)],
)
def test_every_step_is_named_and_what_has_to_stop(
    steps: list[str], stops: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postgres_schema, "missing", lambda _url: steps)
    monkeypatch.setenv("ONEHEAD_DATABASE_URL", "postgresql://onehead@127.0.0.1/onehead")

    assert main(["database"]) == 1

    shown = capsys.readouterr().out
    assert [line.strip() for line in shown.splitlines() if line.startswith("  ")] == steps
    assert ("Stop every older onehead first" in shown) == stops
    assert shown.endswith("Next: onehead database upgrade\n")


@pytest.fixture
def url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with our tables, which the environment names."""
    url = database(postgres)
    monkeypatch.setenv("ONEHEAD_DATABASE_URL", url)
    return url


def keep(url: str, repository: str, error: str | None = None, *, is_given_up: bool = False) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO onehead_inbox (repository, subject, attempts, error, failed_at)"
            """ VALUES (%s, '{"kind": "Everything"}', %s, %s, CASE WHEN %s THEN now() END)""",
            (repository, 1 if error else 0, error, is_given_up),
        )


@pytest.mark.slow
def test_an_upgrade_says_what_it_did_and_does_nothing_twice(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE onehead_worker")
        connection.execute("DELETE FROM onehead_step WHERE name = 'onehead 0003 worker'")

    assert main(["database"]) == 1
    assert "\n  onehead 0003 worker\nNext: onehead database upgrade\n" in capsys.readouterr().out
    assert main(["database", "upgrade"]) == 0
    assert capsys.readouterr().out == "Done: onehead 0003 worker.\nThe tables are up to date.\n"
    assert main(["database", "upgrade"]) == 0
    assert capsys.readouterr().out == "The tables are up to date: already so.\n"
    assert main(["database"]) == 0


@pytest.mark.slow
def test_jobs_are_listed_and_tried_again(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs"]) == 0
    assert capsys.readouterr().out == "Nothing waits, and nothing was given up.\n"
    keep(url, "a/waits")
    keep(url, "b/retried", "OneheadError: Forgejo does not answer.")
    keep(url, "c/failed", "KeyError: 'branch'", is_given_up=True)
    keep(url, "d/failed", "KeyError: 'base'", is_given_up=True)

    assert main(["jobs", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
    assert [(job["repository"], job["state"]) for job in document["jobs"]] == [
        ("c/failed", "given-up"),
        ("d/failed", "given-up"),
        ("a/waits", "waiting"),
        ("b/retried", "retrying"),
    ]
    assert main(["jobs", "--restart", "c/failed"]) == 0
    assert "c/failed" in capsys.readouterr().out
    assert main(["jobs"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("given-up")).startswith("given-up  d/failed: 1 since ")
    assert lines[-1] == "Next: onehead jobs --restart-all"
    assert main(["jobs", "--restart-all"]) == 0
    assert main(["jobs"]) == 0


def test_without_the_extra_its_name_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "onehead.service.postgres_schema")
    monkeypatch.setitem(sys.modules, "procrastinate.schema", None)
    monkeypatch.setenv("ONEHEAD_DATABASE_URL", "postgresql://onehead@127.0.0.1/onehead")

    assert main(["database"]) == 2
    assert "onehead[postgres]" in capsys.readouterr().err


def test_a_database_that_is_away_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONEHEAD_DATABASE_URL", "postgresql://onehead:t0psecret@127.0.0.1:9/onehead")

    assert main(["jobs"]) == 3
    said = capsys.readouterr().err
    assert "PostgreSQL can't be used" in said
    assert "t0psecret" not in said

"""`onehead databases`, and what `check` and `states` make of it, in a clone that has fetched the ref."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from onehead.databases.reported import ReportedDatabase, after_report
from onehead.examine.ledger import FULL, encoded, file_of
from onehead.examine.naming import DATABASES
from tests.cli.terminal_runs import Run, story
from tests.migrations import project, revision
from tests.repositories import Repository

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "onehead.databases-1.json"
AT, DAY = "2026-11-28T10:15:00Z", "2026-11-28"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """main at 003; `oauth` with 004 and 005, from 002."""
    return story(tmp_path / "shop.git")


def keep(repo: Repository, *databases: ReportedDatabase, **files: str) -> None:
    """Write a ledger, as the service does."""
    written: dict[str, str | bytes | None] = {file_of(each.name, each.environment): encoded(each) for each in databases}
    repo.git("update-ref", DATABASES, repo.commit("ledger", {**written, **files}))
    repo.git("update-ref", "-d", "refs/heads/ledger")


def held(name: str, *rows: str, environment: str = "") -> ReportedDatabase:
    return after_report(None, name, environment, rows, AT)


def test_nothing_is_known(repo: Repository, run: Run) -> None:
    done = run("databases", "--repo", repo.path, "--at", "main")
    assert (done.code, done.out) == (
        0,
        (
            "No database is known in this clone.\n"
            f"What the service knows comes with: git -C {repo.path} fetch origin "
            f"'{DATABASES}*:{DATABASES}*'\n"
        ),
    )


def test_each_one_and_how_far_it_is(repo: Repository, run: Run) -> None:
    keep(repo, held("production", "003"), held("old", "001"), held("new"), held("staging", "005"))
    done = run("databases", "--repo", repo.path, "--at", "main")
    assert (done.code, done.out) == (
        1,
        (
            f"new         no rows since {DAY}: lacks 3 of main\n"
            f"old         001 since {DAY}: lacks 2 of main\n"
            f"production  003 since {DAY}: has run all of main\n"
            f"staging     005 since {DAY}: 005 is declared by no file of main; deploy the version that has it\n"
        ),
    )
    printed = run("databases", "--repo", repo.path, "--at", "main", "--format", "json")
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(printed.json)
    assert printed.json["databases"][3] == {
        "database": "staging",
        "environment": None,
        "rows": ["005"],
        "since": AT,
        "unknown": ["005"],
        "environments": [{"path": "alembic/versions", "missing": 3}],
        "held": [{"row": "005", "since": AT}],
    }


def test_several_environments(repo: Repository, run: Run) -> None:
    more = {path.replace("alembic/", "billing/"): text for path, text in revision("b1", None).items()}
    ini = {"billing.ini": "[alembic]\nscript_location = billing\n", "billing/env.py": project()["alembic/env.py"]}
    repo.commit("main", {**more, **ini})
    keep(repo, held("billing", "b1"), held("shop", "001"), held("typo", environment="nowhere"))
    done = run("databases", "--repo", repo.path, "--at", "main")
    assert (done.code, done.out) == (
        0,
        (
            f"billing  b1 since {DAY}: has run all of main\n"
            f"shop     001 since {DAY}: lacks 2 of main\n"
            f"typo     no rows since {DAY}: belongs to no environment of main\n"
        ),
    )


def test_states_begin_with_the_databases_that_are_known(repo: Repository, run: Run) -> None:
    """Though it goes on, and others lose revisions."""
    keep(repo, held("production", "003"))
    out = run("states", "--repo", repo.path, "--target", "main", "--head", "oauth").out
    moved = out[out.index("  With 004 moved onto 003") : out.index("  With 003 moved onto 005")]
    assert [line.split()[:2] for line in moved.splitlines() if line.startswith("    ") and line[4] != " "] == [
        ["ok", "003"],
        ["loss", "004"],
        ["loss", "005"],
        ["error", "003,"],
        ["error", "003,"],
        ["ok", "002"],
    ]


def test_what_can_not_be_understood_is_said_and_exits_with_3(repo: Repository, run: Run) -> None:
    keep(repo, held("production", "003"), **{"other.json": "{}"})
    done = run("databases", "--repo", repo.path, "--at", "main")
    assert done.code == 3
    assert done.out.startswith("Not sure: A file of `refs/onehead/databases` is not as onehead writes it")
    assert run("databases", "--repo", repo.path, "--at", "main", "--format", "json").json["trouble"] is not None


@pytest.mark.parametrize(
    ("known", "files", "plan", "said"),
    [
        ([], {}, "Plan: re-parent.", "exist on no other branch or tag"),
        ([held("production", "003")], {}, "Plan: re-parent.", "exist on no other branch or tag"),
        (
            [held("staging", "004")],
            {},
            "Plan: merge.",
            f"`004` has been run: the database `staging` held `004` on {DAY}.",
        ),
        (
            [held("staging", "zz")],
            {},
            "Plan: merge.",
            f"What has run on `staging` is unknown: it has held `zz` since {DAY}",
        ),
        ([held("staging", "003")], {FULL: "{}"}, "Plan: merge.", "More than 100 databases have reported their rows"),
        ([], {"x.json": "{"}, "Plan: merge.", "is not as onehead writes it, so what databases held is not sure."),
    ],
)
def test_check_goes_by_what_databases_have_run(
    repo: Repository, run: Run, known: list[ReportedDatabase], files: dict[str, str], plan: str, said: str
) -> None:
    if known or files:
        keep(repo, *known, **files)
    done = run("check", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert done.code == 1
    assert plan in done.out
    assert said in done.out


def test_fix_refuses_a_move_that_a_known_database_would_lose_by(repo: Repository, run: Run) -> None:
    keep(repo, held("staging", "005"))
    sides = ("--repo", repo.path, "--target", "main", "--head", "oauth")
    done = run("fix", *sides, "--strategy", "reparent")
    assert (done.code, "Nothing to write." in done.out) == (1, True)
    assert "Take the merge, which is right for that database too" in done.out
    assert "branch onehead/merge/oauth" in run("fix", *sides).out


def test_states_shows_where_databases_stand(repo: Repository, run: Run) -> None:
    keep(repo, held("production", "003"), held("staging", "005"), held("copy", "005"), held("lost", "zz"))
    done = run("states", "--repo", repo.path, "--target", "main", "--head", "oauth")
    lines = done.out.splitlines()
    told = {lines[at - 1].split()[1]: line.strip() for at, line in enumerate(lines) if " here" in line}
    assert told["003"] == "production is here"
    assert told["005"] == "copy and staging are here"
    assert "lost is here" in done.out
    assert done.code == 0

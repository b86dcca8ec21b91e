"""`onehead doctor` at a terminal: what it is asked with, what it refuses, and passwords that never show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from onehead.cli.main import main
from tests.cli.terminal_runs import Run
from tests.migrations import ENV_PY, chain, merged, project
from tests.patient import Patient, codes, league
from tests.repositories import Repository

URL = "postgresql://ann:hunter2@127.0.0.1:1/league"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return league(tmp_path_factory.mktemp("usage") / "league.git")


@pytest.fixture
def repo(original: Repository, tmp_path: Path) -> Repository:
    shutil.copytree(original.path, tmp_path / "league.git")
    return Repository(tmp_path / "league.git")


@pytest.fixture
def patient(repo: Repository, tmp_path: Path, run: Run) -> Patient:
    return Patient(repo, f"sqlite:///{tmp_path}/database.sqlite", tmp_path / "deployed", run)


def test_rows_alone(repo: Repository, run: Run) -> None:
    done = run("doctor", "--repo", repo.path, "--at", "main", "--rows", "004, 005")
    sha = repo.sha("main")[:10]
    assert (done.code, done.err) == (1, "")
    assert (
        done.out
        == f"""\
Not healthy. Judged main ({sha}) by itself.
Read 1 environment, 9 of 9 revision files.

alembic/versions: alembic_version holds 004 and 005
  `alembic upgrade head` stops: Requested revision 005 overlaps with other requested revisions 004

  The rows claim 5 of 9 revisions. The tables were not looked at.

  error overlapping-rows: The rows 004 and 005 exclude each other: one of them already includes another. \
Alembic stops with "overlaps with other requested revisions".
    → Keep the one that is true; plain `alembic stamp` does nothing here, only `stamp --purge` does.

  Way out, if what 004 and 005 make is really there, all of it:
    1. alembic stamp --purge 005  destructive: rewrites the rows (004, 005) and runs nothing: note them first
    2. alembic upgrade head       safe: runs migrations, as a deploy does
"""
    )


@pytest.mark.parametrize(
    ("rows", "code", "ailments"),
    [
        ("", 0, []),
        ("004", 0, []),
        ("005,007", 0, []),
        ("009", 0, []),
        ("010", 1, ["unknown-row"]),
        ("00", 1, ["unknown-row"]),
        ("004,004", 1, ["repeated-row"]),
        ("005,009", 1, ["overlapping-rows"]),
    ],
)
def test_what_rows_mean(repo: Repository, run: Run, rows: str, code: int, ailments: list[str]) -> None:
    done = run("doctor", "--repo", repo.path, "--at", "main", "--rows", rows, "--format", "json")
    [environment] = done.json["environments"]
    assert (done.code, codes(environment), done.json["database"]) == (code, ailments, None)


def test_nothing_to_look_at(repo: Repository, run: Run) -> None:
    done = run("doctor", "--repo", repo.path, "--at", "main")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("onehead: There is no database to look at.\n")


@pytest.mark.parametrize("text", ["hunter2", "postgres:/ann:hunter2@x", "oracle://ann:hunter2@db/x"])
def test_an_address_that_is_none(repo: Repository, run: Run, text: str) -> None:
    done = run("doctor", "--repo", repo.path, "--at", "main", "--database-url", text)
    assert (done.code, done.out) == (2, "")
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    "words", [["--url", URL], ["--database-url", URL, "--rows", URL], ["--database-url", URL, URL]]
)
def test_a_wrong_command_line_does_not_show_the_password(
    repo: Repository, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--repo", str(repo.path), *words])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "hunter2" not in printed.err


def test_the_address_in_a_file(repo: Repository, run: Run, tmp_path: Path) -> None:
    (tmp_path / "address").write_text(f"{URL}\n", encoding="utf-8")
    done = run("doctor", "--repo", repo.path, "--at", "main", "--database-url-file", tmp_path / "address")
    assert (done.code, done.out) == (3, "")
    assert "The database postgresql://ann:***@127.0.0.1:1/league could not be looked at" in done.err
    assert "hunter2" not in done.err
    done = run("doctor", "--repo", repo.path, "--at", "main", "--database-url-file", tmp_path / "none")
    assert (done.code, done.out) == (2, "")


def test_the_version_table_that_env_py_names(patient: Patient) -> None:
    env_py = ENV_PY.replace("connection=connection", 'connection=connection, version_table="migrations"')
    patient.repo.commit("main", {"alembic/env.py": env_py}, "A version table of our own")
    patient.deployed().upgrade("005")
    told = patient.told()
    assert (told["healthy"], told["version_table"]["name"], told["rows"]) == (True, "migrations", ["005"])
    told = patient.told("main", "--version-table", "alembic_version")
    assert (told["version_table"], codes(told)) == (None, ["no-rows"])


def test_a_version_table_that_is_computed(patient: Patient) -> None:
    env_py = ENV_PY.replace("connection=connection", "connection=connection, version_table=NAME + '_version'")
    patient.deployed().upgrade("005")
    patient.repo.commit("main", {"alembic/env.py": env_py}, "Computed")
    told = patient.told()
    [note] = told["notes"]
    assert note.startswith(
        "env.py of alembic/versions computes version_table, so the usual one was taken: alembic_version."
    )
    assert patient.told("main", "--version-table", "alembic_version")["notes"] == []


def test_several_environments(tmp_path: Path, run: Run) -> None:
    """The one that knows the row is meant; where none does, or nothing is there, it has to be named."""
    repo = Repository(tmp_path / "two.git")
    other = {path.replace("alembic", "billing", 1): text for path, text in project("billing/versions").items()}
    files = merged(project(), chain(("001", None), ("002", "001")), other)
    for path, text in chain(("b01", None), ("b02", "b01")).items():
        files[path.replace("alembic/", "billing/")] = text
    repo.commit("main", files)

    def paths(*options: str) -> list[str]:
        done = run("doctor", "--repo", repo.path, "--at", "main", "--format", "json", *options)
        return [each["path"] for each in json.loads(done.out)["environments"]]

    assert paths("--rows", "001") == ["alembic/versions"]
    assert paths("--rows", "b02") == ["billing/versions"]
    assert paths("--rows", "b02", "--environment", "alembic/versions") == ["alembic/versions"]
    done = run("doctor", "--repo", repo.path, "--at", "main", "--rows", "x")
    assert done.code == 2
    assert "--environment alembic/versions or billing/versions" in done.err
    done = run("doctor", "--repo", repo.path, "--at", "main", "--rows", "x", "--environment", "nowhere")
    assert done.code == 2


def test_a_repository_without_migrations(tmp_path: Path, run: Run) -> None:
    repo = Repository(tmp_path / "empty.git")
    repo.commit("main", {"README": "x\n"})
    done = run("doctor", "--repo", repo.path, "--at", "main", "--rows", "001")
    assert done.code == 0
    assert done.out.startswith("Nothing to judge.")

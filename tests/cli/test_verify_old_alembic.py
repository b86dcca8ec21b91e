"""`onehead verify` where the project has an Alembic that is older than any onehead itself would take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal_runs import Run
from tests.migrations import chain, merged, project
from tests.trying import Verify, diamond, doing, repository, results

pytestmark = pytest.mark.slow

LOCK = Path(__file__).parents[1] / "verify" / "alembic-1.13.lock"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a project with Alembic 1.13.0 and SQLAlchemy 2.0.31."""
    place = tmp_path_factory.mktemp("project") / "venv"
    uv = Path(sys.executable).with_name("uv")
    install = ("pip", "install", "--quiet", "--require-hashes", "--requirement", LOCK, "--python", place)
    for command in (("venv", "--quiet", "--python", sys.executable, place), install):
        subprocess.run([uv, *command], check=True, timeout=100)
    return place / "bin" / "python"


def test_every_state_is_run_as_with_a_new_alembic(run: Run, tmp_path: Path, python: Path) -> None:
    files = diamond(
        'op.create_table("teams", sa.Column("id", sa.Integer()))', 'op.create_index("ix", "users", ["age"])'
    )
    repo = repository(tmp_path, files)
    old = Verify(run, repo, "--dialect", "sqlite", "--python", str(python))
    new = Verify(run, repo, "--dialect", "sqlite")

    done = old.done("--format", "json")
    assert (done.code, done.err) == (0, "")
    [environment] = done.json["environments"]
    versions = environment["versions"]
    assert (versions["alembic"], versions["sqlalchemy"]) == ("1.13.0", "2.0.31")
    told, expected = old.ways(), new.ways()
    assert results(told) == results(expected) == {"fresh": "ok", "002": "ok"}
    assert [way["runs"] for way in told] == [way["runs"] for way in expected]


def test_a_failure_has_its_revision_line_and_statement(run: Run, tmp_path: Path, python: Path) -> None:
    body = 'op.execute("CREATE TABLE t001 (id INTEGER)")'
    repo = repository(tmp_path, merged(project(), chain(("001", None)), doing("002", "001", body)))

    [old] = Verify(run, repo, "--dialect", "sqlite", "--python", str(python)).ways(code=1)
    [new] = Verify(run, repo, "--dialect", "sqlite").ways(code=1)

    for way in (old, new):
        failure = way["failure"]
        assert (way["result"], failure["revision"]) == ("failed", "002")
        assert failure["statement"] == "CREATE TABLE t001 (id INTEGER)"
    assert (old["failure"]["path"], old["failure"]["line"]) == (new["failure"]["path"], new["failure"]["line"])


def test_what_an_old_alembic_does_not_know_is_its_own_failure(run: Run, tmp_path: Path, python: Path) -> None:
    body = 'op.add_column("t001", sa.Column("x", sa.Integer()), if_not_exists=True)'
    repo = repository(tmp_path, merged(project(), chain(("001", None)), doing("002", "001", body)))

    [way] = Verify(run, repo, "--dialect", "sqlite", "--python", str(python)).ways(code=1)

    assert way["failure"]["revision"] == "002"
    assert "if_not_exists" in way["failure"]["message"]

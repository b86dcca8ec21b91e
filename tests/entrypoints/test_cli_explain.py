"""`onehead explain`: a log in, what it means here out."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.entrypoints.terminal_runs import Run
from tests.patient import league, path_of, written
from tests.repositories import Repository

TWO_HEADS = (
    "FAILED: Multiple head revisions are present for given argument 'head'; please specify a specific target revision"
)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repo = league(tmp_path_factory.mktemp("explain") / "league.git")
    repo.commit("renamed", {path_of("009"): None, **written("f00d", "008", "pass")}, "Another id", parents=["main"])
    repo.commit("lost", written("0badcafe", "009", "pass"), "Try", parents=["main"])
    repo.commit("lost", {path_of("0badcafe"): None}, "Never mind")
    return repo


@pytest.fixture
def explained(repo: Repository, run: Run, tmp_path: Path):  # type: ignore[no-untyped-def]
    def explain(log: str, at: str = "main") -> tuple[int, str]:
        file = tmp_path / "crash.log"
        file.write_text(log, encoding="utf-8")
        done = run("explain", "--repo", repo.path, "--at", at, file)
        assert done.err == ""
        # As it reads, not as it is broken into lines.
        return done.code, " ".join(done.out.split())

    return explain


def test_the_whole_text(repo: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    log = b"INFO  Context impl PostgresqlImpl.\nFAILED: Can't locate revision identified by '004'\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(log)))
    done = run("explain", "--repo", repo.path, "--at", "main")
    sha = repo.sha("main")[:10]
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == f"""\
Judged main ({sha}) by itself.
Read 1 environment, 9 of 9 revision files.

alembic/versions: one head, 009
  The chain parts after `004` and is rejoined by merge revisions: `alembic upgrade head` walks all
  sides. A deploy that crashes all the same has another cause: see whether its image holds the
  revision that `alembic_version` names.

  > FAILED: Can't locate revision identified by '004'
  `004` is on `main` at {sha}, so neither the chain nor the row in the database is wrong. The
  image that crashes holds neither `004` nor anything after it. Run `alembic heads` in that image:

  - It shows an older revision: the image was built from an old commit. Deploy `main` at {sha},
    or newer.
  - It shows nothing: the migrations were not copied into it, or Alembic looks into another folder.
    Mend how it is built.
  - It shows `009`: this image is well; another one has crashed.

  The database then goes on by itself from `004`. Do not `stamp`: that runs no migration, and what
  is skipped would never be made.

Next: onehead doctor --database-url URL says what that database has really been through.
"""
    )


@pytest.mark.parametrize(
    ("log", "at", "says"),
    [
        (TWO_HEADS, "forked", "That is this very fork of `forked`."),
        (TWO_HEADS, "main", "has no fork, so the crashing image was built from another commit"),
        ("Can't locate revision identified by '010'", "main", "`010` is not on `main`; it stands on branch oauth."),
        (
            "Can't locate revision identified by '009'",
            "renamed",
            "stands on branch lost, branch main and branch oauth",
        ),
        (
            "Can't locate revision identified by '0badcafe'",
            "main",
            "Never mind removed it, after",
        ),
        ("Can't locate revision identified by 'feed'", "main", "another service keeps its rows in the same table"),
        ("KeyError: '004'", "main", "the image lacks that file while it has files that follow it"),
        ("Requested revision 005 overlaps with other requested revisions 004", "main", "`alembic_version` holds `005`"),
        ("sqlite3.OperationalError: table teams already exists", "main", "`005` of this chain makes it."),
        (
            'column "author" of relation "notes" already exists',
            "main",
            "`007` of this chain makes it.",
        ),
        ("sqlite3.OperationalError: duplicate column name: author", "main", "`007` of this chain makes it."),
        ("(1060, \"Duplicate column name 'author'\")", "main", "`007` of this chain makes it."),
        (
            "Online migration expected to match one row when updating '004' to '005' in 'alembic_version'; 0 found",
            "main",
            "two deploys have run migrations at the same time",
        ),
        ("value too long for type character varying(32)", "main", "ids of 32 characters"),
    ],
)
def test_each_text_has_its_causes(explained, log: str, at: str, says: str) -> None:  # type: ignore[no-untyped-def]
    code, told = explained(f"Traceback (most recent call last):\n{log}\n", at)
    assert code == 0
    assert says in told


@pytest.mark.parametrize(
    "prefix",
    ["", "2026-02-01T10:00:00.123456789Z ", "2026-02-01T10:00:00.123Z stderr F ", "web-1  | ", "\x1b[31m", "    "],
)
def test_what_collectors_put_before_a_line_is_passed_over(explained, prefix: str) -> None:  # type: ignore[no-untyped-def]
    code, told = explained(f"{prefix}KeyError: '004'\n")
    assert (code, "the image lacks that file" in told) == (0, True)


@pytest.mark.parametrize("log", ["", "hello\n", "KeyError: 'user id'\n", "too long for type character varying(255)"])
def test_a_log_without_a_complaint_of_alembic_s_is_no_verdict(explained, log: str) -> None:  # type: ignore[no-untyped-def]
    code, told = explained(log)
    assert code == 3
    assert "There is none of Alembic's complaints in this log" in told


def test_bytes_that_are_no_text(repo: Repository, run: Run, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\xfe\x00" * 1000 + b"\nKeyError: '004'\n\x1b]0;title\x07")
    done = run("explain", "--repo", repo.path, "--at", "main", tmp_path / "log")
    assert done.code == 0
    assert "\x1b" not in done.out


def test_a_log_that_is_not_there(repo: Repository, run: Run, tmp_path: Path) -> None:
    done = run("explain", "--repo", repo.path, "--at", "main", tmp_path / "none.log")
    assert (done.code, done.out) == (2, "")
    assert "can't be read: No such file or directory." in done.err

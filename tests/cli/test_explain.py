"""`onehead explain`: a log in, what it means here out."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from onehead.cli import databases
from tests.cli.terminal_runs import Run
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
        return done.code, " ".join(done.out.split()).replace(str(repo.path), "HERE")

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
  sides. If a deploy crashes, the cause is something else: check whether its image holds the
  revision that `alembic_version` names.

  > FAILED: Can't locate revision identified by '004'
  `004` is on `main` at {sha}, so neither the chain nor the row in the database is wrong. The
  image that crashes holds neither `004` nor anything after it. Run `alembic heads` in that image:

  - It shows an older revision: the image was built from an old commit. Deploy `main` at {sha},
    or newer.
  - It shows nothing: the migrations were not copied into it, or Alembic looks into another folder.
    Correct the build.
  - It shows `009`: this image is well; another one has crashed.

  The database then goes on by itself from `004`. Do not `stamp`: that runs no migration, and what
  is skipped would never be made.

Next: onehead doctor --repo {repo.path} --at main --database-url URL shows what that database has really run.
"""
    )


@pytest.mark.parametrize(
    ("log", "at", "says"),
    [
        (TWO_HEADS, "forked", "That is this very fork of `forked`."),
        (TWO_HEADS, "main", "has no fork, so the crashing image was built from another commit"),
        ("Can't locate revision identified by '010'", "main", "`010` is not on `main`; it is on branch oauth."),
        (
            "Can't locate revision identified by '009'",
            "renamed",
            "it is on branch lost, branch main and branch oauth",
        ),
        (
            "Can't locate revision identified by '0badcafe'",
            "main",
            "Never mind removed it, after",
        ),
        ("Can't locate revision identified by 'feed'", "main", "another service keeps its rows in the same table"),
        ("KeyError: '004'", "main", "the image lacks that file while it has files that follow it"),
        (
            "Requested revision 005 overlaps with other requested revisions 004",
            "main",
            (
                "`alembic_version` holds `004` and "
                "`005`, which comes after `004` and includes it. One of the rows is too many; "
                "`onehead doctor --repo HERE --at main --rows 005,004` says which"
            ),
        ),
        ("sqlite3.OperationalError: table teams already exists", "main", "`005` of this chain makes it."),
        (
            'psycopg.errors.DuplicateColumn: column "author" of relation "notes" already exists',
            "main",
            "The column `author` of `notes` is there already. `007` of this chain makes it. PostgreSQL undoes",
        ),
        ("sqlite3.OperationalError: duplicate column name: author", "main", "`007` of this chain makes it."),
        ("(1060, \"Duplicate column name 'author'\")", "main", "`007` of this chain makes it."),
        (
            'psycopg.errors.DuplicateObject: constraint "notes" for relation "users" already exists',
            "main",
            "The constraint `notes` of `users` is there already. No revision on `main` that onehead can read makes it.",
        ),
        (
            'psycopg.errors.DuplicateObject: trigger "notes" for relation "users" already exists',
            "main",
            "The trigger `notes` of `users` is there already. No revision on `main` that onehead can read makes it.",
        ),
        (
            "Online migration expected to match one row when updating '004' to '005' in 'alembic_version'; 0 found",
            "main",
            "two deploys have run migrations at the same time",
        ),
        (
            (
                "sqlalchemy.exc.DataError: (psycopg.errors.StringDataRightTruncation) value too long for type "
                "character varying(32)\n[SQL: UPDATE alembic_version SET version_num=%(a)s]"
            ),
            "main",
            "takes ids of 32 characters",
        ),
        (
            (
                "sqlalchemy.exc.DataError: (psycopg.errors.StringDataRightTruncation) value too long for type "
                "character varying(32)\n[SQL: UPDATE users SET name=%(a)s]"
            ),
            "main",
            "It is no revision id",
        ),
        ("KeyError: '004_t004'", "main", "no message of Alembic's"),
        (
            "    down_revision = map_[downrev]\nKeyError: '004_t004'",
            "main",
            "looks like the name of a file. The id of that",
        ),
        ("    down_revision = map_[downrev]\nKeyError: ''", "main", "has an empty text as its parent"),
        ("    down_revision = map_[downrev]\nKeyError: '010'", "main", "It is on branch oauth."),
        ("UserWarning: Revision 004 is present more than once", "main", f"has one, `{path_of('004')}`"),
        ("UserWarning: Revision 044 is present more than once", "main", "has none. The image was built from another"),
        ("FAILED: Cycle is detected in revisions (004, 005)", "main", "has no such circle"),
        (
            "FAILED: Path doesn't exist: alembic.  Please use the 'init' command to create a new scripts folder.",
            "main",
            "`main` has it at `alembic`.",
        ),
        (
            (
                "FAILED: Could not determine revision id from filename tools.py. Be sure the 'revision' variable is "
                "declared inside the script (please see 'Upgrading from Alembic 0.1 to 0.2' in the documentation)."
            ),
            "main",
            "move it elsewhere",
        ),
        ("FAILED: Target database is not up to date.", "main", "not at the head of the files, here `009`"),
        ("FAILED: New upgrade operations detected: [('add_column', …)]", "main", "changed a model without a migration"),
        ("FAILED: Range revision not allowed", "main", "Alembic was called in a way that it does not take"),
        ("FAILED: Branch name 'pay' in revision 004 already used by revision 005", "main", "Two lines claim"),
        ("FAILED: Relative revision +5 didn't produce 5 migrations", "main", "Nothing was run."),
        (
            (
                "sqlalchemy.exc.OperationalError: (pymysql.err.OperationalError) (1091, \"Can't DROP 'ix_users_name'; "
                "check that "
                'column/key exists")'
            ),
            "main",
            "`ix_users_name` is not there. `002` of this chain makes it. `009` takes it away.",
        ),
        (
            'psycopg2.errors.UnsafeNewEnumValueUsage: unsafe use of new value "gold" of enum type tier',
            "main",
            "transaction_per_migration=True",
        ),
        (
            (
                "INFO  [alembic.runtime.migration] Running upgrade 004 -> 005, x\nsqlite3.OperationalError: no such "
                "table: users"
            ),
            "main",
            (
                "The revision `005` failed. The table `users` is not there. `001` of this chain makes it. `001` comes "
                "before `005`"
            ),
        ),
        (
            (
                "INFO  [alembic.runtime.migration] Running upgrade 004 -> 005, x\nsqlite3.OperationalError: no such "
                "table: notes"
            ),
            "main",
            "Nothing makes `006` run before `005`",
        ),
        ('psycopg.errors.UndefinedTable: relation "users" does not exist', "main", "may be the application itself"),
        ("sqlite3.OperationalError: database is locked", "main", "held a lock"),
        (
            (
                'INFO  [alembic.runtime.migration] Running upgrade 004 -> 005, x\nsqlite3.OperationalError: near "x": '
                "syntax error"
            ),
            "main",
            "The revision `005` failed. The database refused a statement.",
        ),
    ],
)
def test_each_text_has_its_causes(explained, log: str, at: str, says: str) -> None:  # type: ignore[no-untyped-def]
    code, told = explained(f"Traceback (most recent call last):\n{log}\n", at)
    assert says in told
    assert code == (3 if "no message of Alembic's" in says else 0)
    assert "/onehead" not in told
    assert "pull request" not in told


@pytest.mark.parametrize(
    "prefix",
    ["", "2026-02-01T10:00:00.123456789Z ", "2026-02-01T10:00:00.123Z stderr F ", "web-1  | ", "\x1b[31m", "    "],
)
def test_what_collectors_put_before_a_line_is_passed_over(explained, prefix: str) -> None:  # type: ignore[no-untyped-def]
    code, told = explained(f"{prefix}KeyError: '004'\n")
    assert (code, "the image lacks that file" in told) == (0, True)


@pytest.mark.parametrize("log", ["", "hello\n", "KeyError: 'user id'\n", "too long for type character varying(32)"])
def test_a_log_without_a_complaint_of_alembic_s_is_no_verdict(explained, log: str) -> None:  # type: ignore[no-untyped-def]
    code, told = explained(log)
    assert code == 3
    assert "This log has no message of Alembic's" in told


def test_an_error_of_the_project_s_own_is_named(explained) -> None:  # type: ignore[no-untyped-def]
    log = (
        "Traceback (most recent call last):\n"
        '  File "/venv/lib/python3.12/site-packages/alembic/script/base.py", line 550, in run_env\n'
        '  File "/srv/alembic/env.py", line 14, in <module>\n'
        '  File "<frozen os>", line 685, in __getitem__\n'
        "KeyError: 'DATABASE_URL'\n"
    )
    code, told = explained(log)
    assert code == 3
    assert "Its last error is `KeyError: 'DATABASE_URL'`, raised in /srv/alembic/env.py line 14." in told
    assert "runs before any migration does" in told


def test_an_id_that_is_there_twice_is_no_foreign_commit(repo: Repository, explained) -> None:  # type: ignore[no-untyped-def]
    [(_, copy)] = written("009").items()
    repo.commit("twice", {f"{path_of('009')[:-3]}_again.py": copy}, "Copy", parents=["main"])
    code, told = explained(TWO_HEADS, "twice")
    assert code == 0
    assert "The id `009` is declared twice on `twice`" in told
    assert "`onehead check --repo HERE --target twice` says what repairs it." in told
    assert "another commit" not in told


def test_heads_that_are_meant_need_another_command(repo: Repository, explained) -> None:  # type: ignore[no-untyped-def]
    files = {}
    for label, parent in (("pay", "009"), ("ship", "009")):
        [(path, text)] = written(f"0{label}", parent, "pass").items()
        files[path] = text.replace(
            "branch_labels: Union[str, Sequence[str], None] = None",
            f'branch_labels: Union[str, Sequence[str], None] = "{label}"',
        )
    repo.commit("lines", files, "Two lines", parents=["main"])
    code, told = explained(TWO_HEADS, "lines")
    assert code == 0
    assert "has the heads `0pay` and `0ship`, and they are meant to be there." in told
    assert "`alembic upgrade heads`" in told


def test_commands_are_printed_on_one_line(repo: Repository, run: Run, tmp_path: Path) -> None:
    rows = [f"{n:02d}{'ab' * 12}" for n in range(3)]
    (tmp_path / "log").write_text(
        f"FAILED: Requested revision {rows[0]} overlaps with other requested revisions {rows[1]}, {rows[2]}\n"
    )
    done = run("explain", "--repo", repo.path, "--at", "main", tmp_path / "log")
    assert f"`onehead doctor --repo {repo.path} --at main --rows {','.join(rows)}`" in done.out


def test_of_a_long_log_the_end_is_read(
    repo: Repository, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "MAX_LOG_BYTES", 4000)
    text = "KeyError: '005'\n" + "GET / 200\n" * 1000 + "KeyError: '004'\n"
    (tmp_path / "log").write_text(text)
    from_file = run("explain", "--repo", repo.path, "--at", "main", tmp_path / "log")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    from_stream = run("explain", "--repo", repo.path, "--at", "main")
    assert from_file.out == from_stream.out
    assert "Only the end of the log was read." in from_file.out
    assert "> KeyError: '004'" in from_file.out
    assert "> KeyError: '005'" not in from_file.out


def test_a_stream_without_end_is_given_up(repo: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_MAX_PASSED_OVER", 1024 * 1024)
    monkeypatch.setattr(databases, "MAX_LOG_BYTES", 4000)
    with Path("/dev/zero").open("rb") as endless:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(endless))
        done = run("explain", "--repo", repo.path, "--at", "main")
    assert (done.code, done.out) == (2, "")
    assert "tail -c 4000" in done.err


def test_bytes_that_are_no_text(repo: Repository, run: Run, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\xfe\x00" * 1000 + b"\nKeyError: '004'\n\x1b]0;title\x07")
    done = run("explain", "--repo", repo.path, "--at", "main", tmp_path / "log")
    assert done.code == 0
    assert "\x1b" not in done.out


def test_a_log_that_is_not_there(repo: Repository, run: Run, tmp_path: Path) -> None:
    done = run("explain", "--repo", repo.path, "--at", "main", tmp_path / "none.log")
    assert (done.code, done.out) == (2, "")
    assert "can't be read: No such file or directory." in done.err

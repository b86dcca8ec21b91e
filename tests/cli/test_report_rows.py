"""`onehead report-rows` as a deploy job runs it, with a service that listens; and `onehead databases` in a clone."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from onehead.cli import report_rows
from onehead.databases.reported import PATH, SIGNATURE, key_of, signature
from tests.cli.ci_jobs import leave
from tests.cli.terminal_runs import Run
from tests.mariadb import MARIADB, MariaDB, mariadb
from tests.postgres import POSTGRESQL, Postgres, postgres
from tests.repositories import Repository

__all__ = ["mariadb", "postgres"]
"""The fixtures, for pytest to find here."""

SECRET, SHOP = "a-secret-for-reports-of-tests", "acme/shop"
KEY = key_of(SECRET, SHOP)


class Listener:
    """Somebody at the address of the service: notes what comes, and answers as told.

    Attributes:
        heard: path, signature and body of each request.
        answers: status and content of the next ones; the last stays.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, bytes]] = []
        self.answers: list[tuple[int, bytes]] = [(202, b'{"message": "ok"}')]
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append((self.path, self.headers[SIGNATURE], body))
                status, content = listener.answers.pop(0) if len(listener.answers) > 1 else listener.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def report(self) -> dict[str, Any]:
        """The one report that came, its signature checked."""
        [(path, given, body)] = self.heard
        assert (path, given) == (PATH, signature(KEY, body))
        found: dict[str, Any] = json.loads(body)
        return found


@pytest.fixture
def service() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield listener
    listener.server.shutdown()
    thread.join()
    listener.server.server_close()


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: Listener) -> None:
    """A deploy job of Forgejo Actions: no checkout, and the key of its repository."""
    leave(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report_rows, "_PAUSES", (0.0, 0.0))
    monkeypatch.delenv("ONEHEAD_REPORT_SECRET", raising=False)
    monkeypatch.setenv("ONEHEAD_REPORT_KEY", KEY)
    monkeypatch.setenv("ONEHEAD_SERVICE_URL", service.url)
    monkeypatch.setenv("GITHUB_REPOSITORY", SHOP)


def test_rows_by_hand(run: Run, service: Listener) -> None:
    done = run("report-rows", "--database", "production", "--rows", "020, 019")
    assert (done.code, done.out, done.err) == (0, "Reported: production of acme/shop holds 019, 020.\n", "")
    report = service.report
    assert report.pop("at").endswith("Z")
    assert report == {
        "schema": "onehead.rows/1",
        "repository": SHOP,
        "database": "production",
        "environment": "",
        "rows": ["019", "020"],
    }


def filled(url: str, name: str = "alembic_version") -> None:
    from sqlalchemy import create_engine, text  # noqa: PLC0415

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {name} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {name} VALUES ('019'), ('020')"))  # noqa: S608 - ours
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", POSTGRESQL, MARIADB])
def test_rows_are_read_from_the_database_itself(
    request: pytest.FixtureRequest, run: Run, service: Listener, tmp_path: Path, kind: str
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/shop.sqlite"
    elif kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh()
    else:
        other: MariaDB = request.getfixturevalue("mariadb")
        url = other.fresh()
    filled(url)
    done = run("report-rows", "--database", "staging", "--database-url", url, "--environment", "alembic")
    assert (done.code, done.err) == (0, "")
    assert (service.report["rows"], service.report["environment"]) == (["019", "020"], "alembic")


def test_a_database_without_a_name_goes_by_its_place_and_never_by_its_password(
    run: Run, service: Listener, tmp_path: Path
) -> None:
    filled(f"sqlite:///{tmp_path}/shop.sqlite")
    (tmp_path / "address").write_text(f"sqlite:///{tmp_path}/shop.sqlite\n")
    assert run("report-rows", "--database-url-file", "address").code == 0
    assert service.report["database"] == "shop.sqlite"


def test_an_empty_database_reports_no_rows(run: Run, service: Listener, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "new.sqlite").close()
    done = run("report-rows", "--database-url", f"sqlite:///{tmp_path}/new.sqlite")
    assert done.out == "Reported: new.sqlite of acme/shop holds no rows, as a fresh database does.\n"
    assert service.report["rows"] == []


def test_another_version_table_is_asked_for_and_not_guessed(run: Run, service: Listener, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    filled(url, "alembic_version_shop")
    done = run("report-rows", "--database-url", url)
    assert (done.code, service.heard) == (2, [])
    assert "has no table alembic_version, but alembic_version_shop." in done.err
    assert run("report-rows", "--database-url", url, "--version-table", "alembic_version_shop").code == 0
    assert service.report["rows"] == ["019", "020"]


def test_a_password_is_never_shown(run: Run) -> None:
    done = run("report-rows", "--database-url", "postgresql://ann:hunter2@127.0.0.1:1/shop")
    assert done.code == 3
    assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize(
    ("variables", "repository", "database"),
    [
        ({"CI_PROJECT_PATH": "acme/shop", "CI_ENVIRONMENT_NAME": "production"}, "acme/shop", "production"),
        ({"CI_REPO": "acme/shop", "CI_PIPELINE_DEPLOY_TARGET": "eu-1"}, "acme/shop", "eu-1"),
    ],
)
def test_other_systems_tell_what_they_deploy_to(
    run: Run,
    service: Listener,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    repository: str,
    database: str,
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run("report-rows", "--rows", "019").code == 0
    assert (service.report["repository"], service.report["database"]) == (repository, database)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/acme/shop.git",
        "https://git.example.org/sub/path/acme/shop",
        "git@git.example.org:acme/shop.git",
        "ssh://git@git.example.org:2222/acme/shop.git/",
    ],
)
def test_outside_of_ci_origin_tells(
    run: Run, service: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY")
    repo = Repository(tmp_path / "clone", bare=False)
    repo.git("remote", "add", "origin", url)
    monkeypatch.chdir(repo.path)
    assert run("report-rows", "--rows", "019", "--database", "production").code == 0
    assert service.report["repository"] == SHOP


@pytest.mark.parametrize(
    ("words", "without", "said"),
    [
        (["--rows", "019"], "", "The database has no name."),
        (["--database", "production"], "", "There is nothing to report."),
        (["--database", "p", "--rows", "019"], "GITHUB_REPOSITORY", "The repository of the database is not known"),
        (["--database", "p", "--rows", "019"], "ONEHEAD_SERVICE_URL", "The address of the service is missing"),
        (["--database", "p", "--rows", "019"], "ONEHEAD_REPORT_KEY", "The report can't be signed"),
        (["--database", "p", "--forget"], "", "ONEHEAD_REPORT_SECRET is not set here, and it is needed to have a data"),
        (["--show-key"], "", "ONEHEAD_REPORT_SECRET is not set here, and it is needed to derive a key from it."),
        (["--database", "a`b", "--rows", "019"], "", "This can't be reported: the name of the database"),
        (["--database", "p", "--rows", "0`19"], "", "This can't be reported: a row has"),
        (["--service", "shop", "--database", "p", "--rows", "1"], "", "The address of the service is missing"),
        (["--service", "http://a:b@c", "--database", "p", "--rows", "1"], "", "The address of the service is missing"),
    ],
)
def test_what_is_missing_is_said(
    run: Run, service: Listener, monkeypatch: pytest.MonkeyPatch, words: list[str], without: str, said: str
) -> None:
    if without:
        monkeypatch.delenv(without)
    done = run("report-rows", *words)
    assert (done.code, done.out, service.heard) == (2, "", [])
    assert said in done.err


def test_where_the_secret_is_the_key_is_shown_and_a_database_forgotten(
    run: Run, service: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEHEAD_REPORT_SECRET", f"{SECRET},the-old-one-that-is-going")
    assert run("report-rows", "--show-key", "--repository", "Acme/Shop").out == f"{KEY}\n"
    done = run("report-rows", "--forget", "--database", "staging")
    assert (done.code, done.out) == (0, "Asked to forget staging of acme/shop.\n")
    [(_, given, body)] = service.heard
    assert given == signature(key_of(SECRET, SHOP, "forget"), body)
    assert json.loads(body)["rows"] is None


def test_a_refusal_is_repeated_as_it_was_said(run: Run, service: Listener) -> None:
    service.answers = [(401, b'{"outcome": "bad-signature", "message": "Not signed. Do this."}')]
    done = run("report-rows", "--database", "p", "--rows", "019")
    assert (done.code, done.err) == (2, "onehead: The service did not take the report: Not signed. Do this.\n")
    assert len(service.heard) == 1


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"message": 7}', b"\xff"])
def test_an_answer_of_somebody_else_is_no_answer(run: Run, service: Listener, content: bytes) -> None:
    service.answers = [(404, content)]
    done = run("report-rows", "--database", "p", "--rows", "019")
    assert (done.code, done.err) == (2, "onehead: The service did not take the report: HTTP 404\n")


def test_a_service_that_is_starting_is_asked_again(run: Run, service: Listener) -> None:
    service.answers = [(503, b""), (429, b""), (202, b"{}")]
    assert run("report-rows", "--database", "p", "--rows", "019").code == 0
    assert len({body for _, _, body in service.heard}) == 1
    assert len(service.heard) == 3


def test_a_service_that_stays_away(run: Run, service: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    service.answers = [(502, b"")]
    done = run("report-rows", "--database", "p", "--rows", "019")
    assert (done.code, len(service.heard)) == (3, 3)
    assert "did not take the report: it answers HTTP 502." in done.err
    monkeypatch.setenv("ONEHEAD_SERVICE_URL", "http://127.0.0.1:1")
    done = run("report-rows", "--database", "p", "--rows", "019")
    assert done.code == 3
    assert "it does not answer" in done.err

"""Projects whose migrations are really run: revisions with bodies of their own, and the terminal to run them from."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from tests.cli.terminal_runs import Done, Run
from tests.migrations import VERSIONS, merged, project, revision
from tests.postgres import POSTGRESQL, Postgres
from tests.repositories import Repository

Parents = str | tuple[str, ...] | None

USERS = """op.create_table(
    "users", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("age", sa.Integer())
)"""


def doing(id_: str, parents: Parents, body: str, versions: str = VERSIONS) -> dict[str, str]:
    """A revision that does this instead of making a table."""
    [(path, source)] = revision(id_, parents, versions=versions).items()
    made = f'    op.create_table("t{id_}", sa.Column("id", sa.Integer(), primary_key=True))\n'
    assert made in source
    return {path: source.replace(made, indent(body, "    ") + "\n")}


def diamond(one: str, other: str, merge: str = "pass") -> dict[str, str]:
    """001 makes `users`; 002 and 003 follow it side by side; 004 joins them. A fresh run does 003, then 002."""
    return merged(
        project(),
        doing("001", None, USERS),
        doing("002", "001", one),
        doing("003", "001", other),
        doing("004", ("002", "003"), merge),
    )


def repository(folder: Path, files: dict[str, str], *, bare: bool = True) -> Repository:
    repo = Repository(folder / "repo", bare=bare)
    repo.commit("main", files)
    if not bare:
        repo.git("checkout", "--quiet", "--force", "main")
    return repo


@pytest.fixture(params=["sqlite", POSTGRESQL])
def where(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options that choose a kind of database."""
    if request.param == "sqlite":
        return ("--dialect", "sqlite")
    server: Postgres = request.getfixturevalue("postgres")
    return ("--database-url", server.uri)


def one(folder: Path, body: str) -> Repository:
    """A project with one revision that does this."""
    return repository(folder, merged(project(), doing("001", None, body)))


class Verify:
    """`onehead verify` in one repository."""

    def __init__(self, run: Run, repo: Repository, *options: str) -> None:
        self._run = run
        self.repo = repo
        self._options = options

    def done(self, *options: str, at: str = "main") -> Done:
        commit = ("--at", at) if at else ()
        return self._run("verify", "--repo", self.repo.path, *commit, *self._options, *options)

    def ways(self, *options: str, code: int = 0, at: str = "main") -> list[dict[str, Any]]:
        """The ways of the only environment, of a run that ends with this exit code."""
        done = self.done("--format", "json", *options, at=at)
        assert (done.code, done.err) == (code, ""), done.out + done.err
        [environment] = done.json["environments"]
        found: list[dict[str, Any]] = environment["ways"]
        return found


def results(ways: list[dict[str, Any]]) -> dict[str, str]:
    """Rows at the start → how the way ended."""
    return {",".join(way["rows"]) or "fresh": way["result"] for way in ways}

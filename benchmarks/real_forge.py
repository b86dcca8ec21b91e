"""A real Forgejo to measure against, filled through its database: by its API, 10,000 repositories take hours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.forgejos.administration import Api
from tests.forgejos.port import Account
from tests.forgejos.real import RealForgejo

HOUR = 60 * 60
_UNITS = (1, 2, 3)  # code, issues, pull requests


class FilledForgejo:
    """A Forgejo in which a bot may write to many quiet repositories, and strangers work in a public one of theirs."""

    def __init__(self, forgejo: RealForgejo) -> None:
        self.url = forgejo.url
        self.bot = forgejo.admin.create_bot()
        self._admin = forgejo.admin
        self._database = forgejo.work / "forgejo.db"
        self._stranger = self._admin.create_user("stranger")
        self._theirs = self._made(self._stranger)
        self._issue = int(self._open(self._theirs, self._stranger))

    def add_repositories(self, count: int, owners: int) -> None:
        """So many, of so many owners, each with an hour behind it in which nothing happened."""
        template = self._made(self._stranger)
        long_ago = int(time.time()) - HOUR
        people = [{"id": 1_000 + number, **_names("name", f"owner{number}")} for number in range(owners)]
        for each in people:
            each["email"] = f"{each['name']}@example.org"
        repositories = [
            {
                "id": 10_000 + number,
                "owner_id": people[number % owners]["id"],
                "owner_name": people[number % owners]["name"],
                **_names("name", f"r{number}"),
                "is_empty": False,
                # One every second, so that they are told apart.
                "updated_unix": long_ago - number,
            }
            for number in range(count)
        ]
        with self._open_database() as database:
            _copy(database, "user", self._stranger.id, people)
            _copy(database, "repository", template, repositories)
            rights = [(self.bot.id, each["id"], 2) for each in repositories]
            database.executemany("INSERT INTO access (user_id, repo_id, mode) VALUES (?, ?, ?)", rights)
            units = [(each["id"], unit, "{}") for each in repositories for unit in _UNITS]
            database.executemany("INSERT INTO repo_unit (repo_id, type, config) VALUES (?, ?, ?)", units)

    def stranger_changes(self, count: int) -> None:
        """So many issues of somebody else's public repository are new."""
        now = int(time.time())
        with self._open_database() as database:
            last = database.execute("SELECT MAX(id) FROM issue").fetchone()[0]
            issues = [
                {"id": last + number, "index": last + number, "created_unix": now, "updated_unix": now}
                for number in range(1, count + 1)
            ]
            _copy(database, "issue", self._issue, issues)

    def push(self, number: int) -> str:
        """As a push does, change the time of one of the repositories; its name."""
        with self._open_database() as database:
            change = "UPDATE repository SET updated_unix = ? WHERE id = ? RETURNING owner_name || '/' || name"
            return str(database.execute(change, (int(time.time()), 10_000 + number)).fetchone()[0])

    def touch(self, number: int) -> str:
        """As a comment does, change the time of an issue of one of the repositories; its name."""
        with self._open_database() as database:
            last, now = database.execute("SELECT MAX(id) FROM issue").fetchone()[0], int(time.time())
            fields = {"id": last + 1, "index": 1, "repo_id": 10_000 + number, "created_unix": now, "updated_unix": now}
            _copy(database, "issue", self._issue, [fields])
            name = "SELECT owner_name || '/' || name FROM repository WHERE id = ?"
            return str(database.execute(name, (10_000 + number,)).fetchone()[0])

    @contextmanager
    def _open_database(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._database, timeout=60)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def _made(self, owner: Account) -> int:
        made = self._admin.create_repository(owner)
        return int(self._admin.api.get(made.path)["id"])

    def _open(self, repository: int, poster: Account) -> int:
        """Open an issue; its number in the database."""
        api = Api(self.url, poster)
        name = api.get(f"/repositories/{repository}")["full_name"]
        made = api.call("POST", f"/repos/{name}/issues", {"title": "Crash"}, expect=201)
        api.close()
        return int(made["id"])


@contextmanager
def filled(binary: Path) -> Iterator[FilledForgejo]:
    """Start a Forgejo of a binary; gone afterwards."""
    forgejo = RealForgejo(binary)
    try:
        yield FilledForgejo(forgejo)
    finally:
        forgejo.stop()


def _names(field: str, name: str) -> dict[str, Any]:
    return {field: name, f"lower_{field}": name}


def _copy(database: sqlite3.Connection, table: str, template: int, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows that are like the one of a number, but for some fields."""
    columns = [each[1] for each in database.execute(f"PRAGMA table_info(`{table}`)")]
    found = database.execute(f"SELECT * FROM `{table}` WHERE id = ?", (template,)).fetchone()  # noqa: S608 - ours
    like = dict(zip(columns, found, strict=True))
    places = ", ".join(f"`{column}`" for column in columns)
    values = [tuple({**like, **row}[column] for column in columns) for row in rows]
    marks = ", ".join("?" * len(columns))
    database.executemany(f"INSERT INTO `{table}` ({places}) VALUES ({marks})", values)  # noqa: S608 - ours

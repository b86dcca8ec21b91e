"""A project whose databases get damaged, and one database of it: made by really running Alembic, then really broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from sqlalchemy import create_engine, func, select, table, text
from sqlalchemy.pool import NullPool

from tests.migrations import VERSIONS, merged, project, revision
from tests.real_alembic import Deployment, checked_out
from tests.repositories import Repository

SCHEMA = json.loads((Path(__file__).parents[1] / "docs/schema/onehead.doctor-1.json").read_text(encoding="utf-8"))
LINE = "\n    "

UPGRADES = {
    # id → parents and what upgrade() does. 003 works on rows alone, 008 is a merge that does nothing.
    "001": (None, 'op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True))'),
    "002": (
        "001",
        'op.add_column("users", sa.Column("name", sa.String(50)))'
        + LINE
        + 'op.create_index("ix_users_name", "users", ["name"])',
    ),
    "003": ("002", "op.execute(\"UPDATE users SET name = 'unknown' WHERE name IS NULL\")"),
    "004": ("003", 'op.create_table("games", sa.Column("id", sa.Integer(), primary_key=True))'),
    "005": ("004", 'op.create_table("teams", sa.Column("id", sa.Integer(), primary_key=True))'),
    "006": ("004", 'op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True))'),
    "007": ("006", 'op.add_column("notes", sa.Column("author", sa.String(50)))'),
    "008": (("005", "007"), "pass"),
    "009": ("008", 'op.drop_index("ix_users_name", table_name="users")'),
}


def written(id_: str, parents: str | tuple[str, ...] | None = "", does: str = "") -> dict[str, str]:
    """The file of one revision, as in `UPGRADES` unless something else is given."""
    usual_parents, usual = UPGRADES.get(id_, (None, ""))
    [(path, source)] = revision(id_, usual_parents if parents == "" else parents).items()
    body = does or usual
    return {path: re.sub(r'    op\.create_table\("t[^\n]*', lambda _: f"    {body}", source)}


def path_of(id_: str) -> str:
    return f"{VERSIONS}/{id_}_t{id_}.py"


def league(path: Path) -> Repository:
    """`main` at 009; `at/004`, `at/005`, … at each revision before; `forked` without the merge; `oauth` with 010."""
    repo = Repository(path)
    repo.commit("main", merged(project(), written("001")), "Begin")
    for id_ in ("002", "003", "004"):
        repo.branch(f"at/{id_}", repo.commit("main", written(id_), f"Add {id_}"))
    repo.branch("forked", repo.commit("main", merged(*map(written, ("005", "006", "007"))), "Two features"))
    repo.commit("main", merged(written("008"), written("009")), "Rejoin")
    repo.branch("oauth", "main")
    repo.commit("oauth", written("010", "009", 'op.create_table("oauth", sa.Column("id", sa.Integer()))'), "OAuth")
    return repo


class Patient:
    """One database of that project, and what the doctor says of it."""

    def __init__(self, repo: Repository, url: str, folder: Path, run: Callable[..., Any]) -> None:
        self.repo = repo
        self.url = url
        self._folder = folder
        self._run = run

    def deployed(self, at: str = "main") -> Deployment:
        """Alembic with the files of one commit."""
        folder = self._folder / self.repo.sha(at)
        return Deployment(folder if folder.exists() else checked_out(self.repo, at, folder), self.url)

    def execute(self, *statements: str) -> None:
        """Damage it."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def execute_alone(self, statement: str) -> None:
        """Do what PostgreSQL does in no transaction."""
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))

    def fingerprint(self) -> str:
        """Everything in it, to see that nothing changes."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            rows = self.deployed().rows()
            tables = sorted(self.deployed().tables())
            counts = [connection.execute(select(func.count()).select_from(table(name))).scalar() for name in tables]
        return repr((rows, tables, counts))

    def told(self, at: str = "main", *options: str) -> dict[str, Any]:
        """What the doctor says; the exit code stands beside it, and the database is as it was."""
        before = self.fingerprint()
        done = self._run(
            "doctor", "--repo", self.repo.path, "--at", at, "--database-url", self.url, "--format", "json", *options
        )
        assert done.err == ""
        assert self.fingerprint() == before
        told: dict[str, Any] = json.loads(done.out)
        Draft202012Validator(SCHEMA).validate(told)
        [environment] = told["environments"]
        assert done.code == (0 if told["healthy"] else 1)
        return {**environment, "notes": told["notes"]}

    def text(self, at: str = "main", *options: str) -> str:
        done = self._run("doctor", "--repo", self.repo.path, "--at", at, "--database-url", self.url, *options)
        return str(done.out)

    def follow(self, way: dict[str, Any], at: str = "main") -> None:
        """Do what a way out says, for real."""
        for step in way["steps"]:
            if step["effect"] == "reads":
                continue
            if step["command"].startswith("alembic "):
                self.deployed(at).run(step["command"])
            elif "CONCURRENTLY" in step["command"]:
                self.execute_alone(step["command"])
            else:
                self.execute(step["command"])


def codes(told: dict[str, Any]) -> list[str]:
    return [complaint["code"] for complaint in told["complaints"]]


def states(told: dict[str, Any]) -> dict[str, str]:
    return {each["id"]: each["state"] for each in told["revisions"]}

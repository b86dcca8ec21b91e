"""What onehead prints for Alembic works at the top of the repository, wherever the configuration lies: it is typed.

Each layout is a repository with a collision. What `fix` prints for the author's database, and what `states` offers for
others, goes through a shell to the `alembic` and `flask` that people have, on a real database.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.terminal_runs import Run, clone
from tests.migrations import merged, revision
from tests.repositories import Repository, environment

INI = "[{section}]\nscript_location = {location}\n"
TOML = '[tool.alembic]\nscript_location = "{location}"\n'
ENV_PY = """import os
from alembic import context
from sqlalchemy import create_engine, pool

with create_engine(os.environ["SHOP_DATABASE"], poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
APP_PY = """import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["SHOP_DATABASE"]
Migrate(app, SQLAlchemy(app))
"""


class Layout(NamedTuple):
    """Where things are, and how a line for Alembic looks there.

    Attributes:
        files: the configuration, and what else is needed beside `env.py`.
        scripts: the directory of `env.py`.
        line: with `{}` for the verb, and another for what it is about.
    """

    files: dict[str, str]
    scripts: str
    line: str


def ini(path: str, location: str, scripts: str, line: str, section: str = "alembic") -> Layout:
    return Layout({path: INI.format(section=section, location=location)}, scripts, line)


def flask(folder: str, line: str, app: str = "") -> Layout:
    return Layout({f"{folder}/alembic.ini": "[alembic]\n", f"{app}app.py": APP_PY}, folder, line)


LAYOUTS = {
    "at the top": ini("alembic.ini", "alembic", "alembic", "alembic {} {}"),
    "here, at the top": ini("alembic.ini", "%(here)s/db", "db", "alembic {} {}"),
    "in a sub-folder": ini("backend/alembic.ini", "alembic", "backend/alembic", "(cd backend && alembic {} {})"),
    "here, in a sub-folder": ini("api/alembic.ini", "%(here)s/db", "api/db", "(cd api && alembic {} {})"),
    "upwards": ini("api/conf/alembic.ini", "../db", "api/db", "(cd api/conf && alembic {} {})"),
    "relative to the top": ini("conf/alembic.ini", "shop/db", "shop/db", "alembic -c conf/alembic.ini {} {}"),
    "relative to a folder between": ini(
        "api/conf/alembic.ini", "db", "api/db", "(cd api && alembic -c conf/alembic.ini {} {})"
    ),
    "another name": ini("production.ini", "db", "db", "alembic -c production.ini {} {}"),
    "another section": ini("alembic.ini", "db", "db", "alembic -n tenant {} {}", "tenant"),
    "names for a shell": ini(
        "my $app/it's.ini",
        "db",
        "my $app/db",
        "(cd 'my $app' && alembic -c 'it'\"'\"'s.ini' -n 'a tenant' {} {})",
        "a tenant",
    ),
    "pyproject": Layout({"pyproject.toml": TOML.format(location="%(here)s/db")}, "db", "alembic {} {}"),
    "pyproject in a sub-folder": Layout(
        {"api/pyproject.toml": TOML.format(location="db")}, "api/db", "(cd api && alembic {} {})"
    ),
    "Flask-Migrate": flask("migrations", "flask db {} {}"),
    "Flask-Migrate in a sub-folder": flask("api/migrations", "(cd api && flask db {} {})", "api/"),
    "Flask-Migrate with another name": flask("shop/db", "flask db {} -d shop/db {}"),
}
QUICK = ("in a sub-folder", "relative to the top", "names for a shell", "Flask-Migrate")


class Desk(NamedTuple):
    """A clone, and a database that everything which is typed there uses."""

    folder: Path
    database: Path

    def type(self, line: str) -> None:
        programs = f"{Path(sys.executable).parent}:{environment()['PATH']}"
        variables = environment() | {"PATH": programs, "SHOP_DATABASE": f"sqlite:///{self.database}"}
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.folder, env=variables, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"

    def tables(self) -> set[str]:
        return {name for (name,) in self._select("SELECT name FROM sqlite_master WHERE type = 'table'")} - {
            "alembic_version"
        }

    def rows(self) -> list[str]:
        return sorted(row for (row,) in self._select("SELECT version_num FROM alembic_version"))

    def _select(self, query: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(query).fetchall()


def collision(path: Path, layout: Layout) -> Repository:
    """main at 003, and `oauth` with 004 and 005, both from 002."""
    versions = f"{layout.scripts}/versions"
    placed = {"versions": versions}
    repo = Repository(path)
    scripts = {f"{layout.scripts}/env.py": ENV_PY, f"{layout.scripts}/script.py.mako": ""}
    repo.commit(
        "main", merged(layout.files, scripts, revision("001", None, **placed), revision("002", "001", **placed))
    )
    repo.branch("oauth", "main")
    repo.commit("main", revision("003", "002", **placed))
    repo.commit("oauth", merged(revision("004", "002", **placed), revision("005", "004", **placed)))
    return repo


def typable(printed: str) -> list[str]:
    """The lines of a text that stand for themselves."""
    return re.findall(r"^ {2,}(?:way out: +)?((?:alembic|flask|\(cd) .+)$", printed, re.MULTILINE)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in LAYOUTS]
)
def test_alembic_is_run_where_it_works(name: str, run: Run, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    work = clone(collision(tmp_path / "shop.git", layout), tmp_path / "work", "--branch", "oauth")
    desk = Desk(work, tmp_path / "own.sqlite")
    both = ("--repo", work, "--target", "origin/main", "--head", "oauth")

    desk.type(layout.line.format("upgrade", "heads"))
    fixed = run("fix", *both)
    before, *after = typable(fixed.out)
    assert before == layout.line.format("downgrade", "002")
    [own] = run("fix", *both, "--format", "json").json["own_databases"]
    assert (own["before"], own["after"]) == ([before], after)
    desk.type(before)
    assert desk.rows() == ["002"]

    desk.type(layout.line.format("upgrade", "heads"))
    desk.type("git merge --quiet onehead/reparent/oauth")
    for line in after:
        desk.type(line)
    assert (desk.rows(), desk.tables()) == (["005"], {"t001", "t002", "t003", "t004", "t005"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stamps"),
    [
        ("upwards", "(cd api/conf && alembic stamp --purge 003 005)"),
        ("Flask-Migrate", "flask db stamp --purge 003 && flask db stamp 005"),
    ],
)
def test_both_rows_are_stamped(name: str, stamps: str, run: Run, tmp_path: Path) -> None:
    """Where one row was lost; Flask-Migrate can't write two at once."""
    layout = LAYOUTS[name]
    repo = collision(tmp_path / "shop.git", layout)
    work = clone(repo, tmp_path / "work", "--branch", "oauth")
    desk = Desk(work, tmp_path / "own.sqlite")
    desk.type("git merge --quiet origin/main")
    desk.type(layout.line.format("upgrade", "heads"))
    with closing(sqlite3.connect(desk.database)) as database, database:
        database.execute("DELETE FROM alembic_version WHERE version_num = '003'")
        database.execute("INSERT INTO alembic_version VALUES ('002')")
    told = run("doctor", "--repo", work, "--at", "oauth", "--database-url", f"sqlite:///{desk.database}")
    lines = [line.split("  ")[0] for line in re.findall(r"^ +\d+\. (.+)$", told.out, re.MULTILINE)]
    assert stamps in lines
    for line in lines:
        desk.type(line)
    assert desk.rows() == ["003", "005"]

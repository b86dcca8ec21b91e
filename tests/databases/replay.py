"""Real Alembic on chains as files whose migrations only write down that they ran.

`recording` makes a project of one. `Replay` upgrades databases in memory, from any state, any number of times: the
files are loaded and the upgrades are planned, run and recorded by Alembic itself, as its command line does it. Only
`env.py` is left out, whose work is done here: there would be no time to load it for every database.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, pool, text

from onehead.databases.upgrade import in_order
from onehead.revisions.graph import Graph
from tests.migrations import ENV_PY
from tests.real_alembic import Deployment

REVISION = """
from alembic import op

revision = {id!r}
down_revision = {parents!r}
depends_on = {needs!r}


def upgrade():
    op.execute("INSERT INTO ran (id) VALUES ('{id}')")
"""


def recording(graph: Graph, folder: Path, database: Path) -> Deployment:
    """Write the chain below a folder, beside an SQLite database with an empty table `ran`."""
    (folder / "alembic" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
    (folder / "alembic" / "env.py").write_text(ENV_PY)
    for revision in graph:
        text = REVISION.format(id=revision.id, parents=revision.parents or None, needs=revision.depends_on or None)
        (folder / "alembic" / revision.path).write_text(text)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE ran (id TEXT)")
    return Deployment(folder, f"sqlite:///{database}")


class Done(NamedTuple):
    """What an upgrade has done: the revisions that ran and were kept, the rows afterwards, and Alembic's complaint."""

    ran: tuple[str, ...]
    rows: tuple[str, ...]
    error: str | None


class Replay:
    """One chain, and a database in memory that is filled anew for every upgrade.

    Where the table of Alembic's rows is made by hand it has no primary key, so that a row can stand there twice.
    """

    def __init__(self, graph: Graph, folder: Path, engine: Engine) -> None:
        versions = folder / "versions"
        for revision in graph:
            # The merge has no file yet; whatever it is called, Alembic reads it last.
            file = folder / (f"versions/{revision.path}.py" if revision.path.startswith("~merge") else revision.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            parents, needs = revision.parents or None, revision.depends_on or None
            file.write_text(REVISION.format(id=revision.id, parents=parents, needs=needs))
        self._engine = engine
        self._config = Config()
        self._directory = ScriptDirectory(str(folder), version_locations=[str(versions)])

    def upgrade(self, rows: Iterable[str], target: str) -> Done:
        """Do `alembic upgrade TARGET` on a database with these rows."""
        with self._engine.connect() as connection:
            connection.execute(text("DELETE FROM ran"))
            connection.execute(text("DELETE FROM alembic_version"))
            for row in rows:
                connection.execute(text("INSERT INTO alembic_version VALUES (:row)"), {"row": row})
            connection.commit()
            error = self._run(connection, target)
            connection.rollback()
            ran = connection.execute(text("SELECT id FROM ran ORDER BY number")).scalars().all()
            kept = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        return Done(tuple(ran), tuple(sorted(kept)), error)

    def _run(self, connection: Any, target: str) -> str | None:
        def steps(rev: Any, _context: Any) -> Any:
            return self._directory._upgrade_revs(target, rev)

        try:
            with (
                warnings.catch_warnings(action="ignore"),
                EnvironmentContext(self._config, self._directory, fn=steps, destination_rev=target) as environment,
            ):
                environment.configure(connection=connection)
                with environment.begin_transaction():
                    environment.run_migrations()
        except CommandError as stop:
            return in_order(str(stop))
        except (KeyError, AssertionError) as crash:
            return f"{type(crash).__name__}: {crash}".removesuffix(": ")
        return None


def memory() -> Engine:
    """An empty database in memory that writes down what runs on it."""
    engine = create_engine("sqlite://", poolclass=pool.StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE ran (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
    return engine

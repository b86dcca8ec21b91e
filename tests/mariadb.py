"""A real MariaDB for a test session: Debian's server, started privately on a socket, with no port and no password.

    apt-get install mariadb-server-core mariadb-client-core

from tests.mariadb import MariaDB, mariadb

__all__ = ["mariadb"]
"""

from __future__ import annotations

import os
import shutil
import socket as sockets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

_SECONDS_TO_START = 90
_PACKAGES = "mariadb-server-core mariadb-client-core"


MARIADB = pytest.param("mariadb", marks=pytest.mark.slow)
"""A parameter for tests that ask for the fixture by name, where that is the kind of database."""


class MariaDB:
    """One running server."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._made = 0

    def fresh(self) -> str:
        """Make an empty database; its URL for SQLAlchemy with PyMySQL."""
        self._made += 1
        name = f"fresh_{self._made}"
        with pymysql.connect(unix_socket=str(self.socket), user="root") as connection:
            connection.cursor().execute(f"CREATE DATABASE {name}")
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self.socket}"


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server in a fresh directory, stopped and removed at the end of the session."""
    places = f"{os.environ['PATH']}:/usr/sbin"
    server, setup, helper = (
        shutil.which(name, path=places) for name in ("mariadbd", "mariadb-install-db", "my_print_defaults")
    )
    if server is None or setup is None or helper is None:
        pytest.skip(f"NOT TESTED ON MARIADB: no server here; `apt-get install {_PACKAGES}` brings one")
    home = Path(tempfile.mkdtemp(prefix="maria"))
    who = [] if os.geteuid() else ["--user=root"]
    data, socket = home / "data", home / "s"
    made = [setup, "--no-defaults", *who, f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run([*made, "--skip-test-db"], check=True, capture_output=True, timeout=_SECONDS_TO_START)
    started = [server, "--no-defaults", *who, f"--datadir={data}", "--skip-networking", f"--socket={socket}"]
    started += [f"--pid-file={home / 'pid'}", "--innodb-flush-log-at-trx-commit=0"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(started, stdout=log, stderr=log)
    try:
        _wait(socket, process, home / "log")
        yield MariaDB(socket)
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(home, ignore_errors=True)


def _wait(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            # Not by PyMySQL, which leaves a socket open when it is refused.
            with sockets.socket(sockets.AF_UNIX) as trial:
                trial.connect(str(socket))
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"mariadbd did not start: {log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.2)
        else:
            return

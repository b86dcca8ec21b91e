"""Our own tables in PostgreSQL: what may have changed in each repository, and what is remembered between jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from onehead.errors import OneheadError
from onehead.service.engine import MAX_DELIVERIES, Everything, Job, JobRun, Subject, read_subject, written_subject


class InboxRow(NamedTuple):
    """A row of the inbox; `attempts`: how many runs with it have failed."""

    id: int
    subject: dict[str, Any]
    deliveries: list[str]
    attempts: int

    def job(self, repository: str) -> Job:
        """The part of a job that it stands for."""
        return Job(repository, frozenset({_subject_of(self.subject)}), tuple(self.deliveries))


class InboxEntry(NamedTuple):
    """What stands in the inbox about one repository.

    Attributes:
        repository: its full name.
        subjects: how many may have changed.
        since: when the first of them arrived.
        attempts: how many runs in a row have failed.
        error: of the last one; empty before any.
        failed_at: when it was given up; `None`: it waits, runs or is tried again.
    """

    repository: str
    subjects: int
    since: datetime
    attempts: int
    error: str
    failed_at: datetime | None


class Inbox:
    """The table of what is to be seen to."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def add(self, jobs: Iterable[Job]) -> None:
        """Keep what jobs are about; committed when this returns.

        What waits already is not kept twice, so that a flood of events is as long as the list of what they are about.
        """
        rows = [
            {
                "repository": job.repository,
                "subject": json.dumps(written_subject(subject)),
                "ids": list(job.deliveries),
                "most": MAX_DELIVERIES + 1,
            }
            for job in jobs
            for subject in job.subjects
        ]
        with self._pool.connection() as connection, connection.cursor() as cursor:
            # A row that a run begins at this moment is locked, and not waited for: it gets a second one beside it.
            cursor.executemany(
                "WITH waiting AS (SELECT id FROM onehead_inbox WHERE repository = %(repository)s"
                " AND subject = %(subject)s::jsonb AND failed_at IS NULL AND NOT is_begun"
                " LIMIT 1 FOR UPDATE SKIP LOCKED),"
                " known AS (UPDATE onehead_inbox SET"
                " deliveries = (deliveries || %(ids)s::text[])[:%(most)s]"
                " FROM waiting WHERE onehead_inbox.id = waiting.id RETURNING 1)"
                " INSERT INTO onehead_inbox (repository, subject, deliveries)"
                " SELECT %(repository)s, %(subject)s::jsonb, %(ids)s::text[] WHERE NOT EXISTS (SELECT FROM known)",
                rows,
            )

    def begin(self, repository: str) -> list[InboxRow]:
        """All there is about a repository but what was given up; from now on, the same is kept once more."""
        with self._pool.connection() as connection, connection.cursor(row_factory=class_row(InboxRow)) as cursor:
            return cursor.execute(
                "UPDATE onehead_inbox SET is_begun = true WHERE repository = %s AND failed_at IS NULL"
                " RETURNING id, subject, deliveries, attempts",
                (repository,),
            ).fetchall()

    def settle(self, run: JobRun, ids: list[int]) -> None:
        """Note how a run has ended that saw to these rows; after a look at everything, nothing given up remains."""
        with self._pool.connection() as connection:
            if run.error is None:
                connection.execute("DELETE FROM onehead_inbox WHERE id = ANY(%s)", (ids,))
                if Everything() in run.job.subjects:
                    connection.execute(
                        "DELETE FROM onehead_inbox WHERE repository = %s AND failed_at IS NOT NULL",
                        (run.job.repository,),
                    )
            else:
                connection.execute(
                    "UPDATE onehead_inbox SET is_begun = false, attempts = %s, error = %s,"
                    " failed_at = CASE WHEN %s THEN now() END WHERE id = ANY(%s)",
                    (run.attempt, told(run.error), run.retry_in is None, ids),
                )

    def listed(self) -> list[InboxEntry]:
        """All that stands here, what was given up first."""
        with self._pool.connection() as connection, connection.cursor(row_factory=class_row(InboxEntry)) as cursor:
            return cursor.execute(
                "SELECT repository, count(*) AS subjects, min(arrived_at) AS since, max(attempts) AS attempts,"
                " coalesce(max(error), '') AS error, max(failed_at) AS failed_at"
                " FROM onehead_inbox GROUP BY repository, failed_at IS NULL ORDER BY failed_at IS NULL, repository"
            ).fetchall()

    def restart(self, repositories: list[str] | None = None) -> list[str]:
        """Let what was given up be tried again, everywhere or in some repositories; where there was something."""
        with self._pool.connection() as connection:
            found = connection.execute(
                "UPDATE onehead_inbox SET failed_at = NULL, attempts = 0, error = NULL"
                " WHERE failed_at IS NOT NULL AND (%(names)s::text[] IS NULL OR repository = ANY(%(names)s))"
                " RETURNING repository",
                {"names": repositories},
            )
            return sorted({repository for (repository,) in found})

    def depth(self, timeout: float) -> tuple[int, float, int]:
        """How many repositories wait, for how many seconds the first event has, and how many were given up.

        Raises:
            psycopg.Error: the database does not answer.
            PoolTimeout: it gives no connection within `timeout` seconds.
        """
        with self._pool.connection(timeout) as connection:
            found = connection.execute(
                "SELECT (SELECT count(DISTINCT lock) FROM procrastinate_jobs WHERE status = 'todo'),"
                " (SELECT coalesce(extract(epoch FROM now() - min(arrived_at)), 0)::float FROM onehead_inbox"
                " WHERE failed_at IS NULL AND subject ->> 'kind' <> 'Everything' AND repository NOT IN"
                " (SELECT lock FROM procrastinate_jobs WHERE status = 'doing' AND lock IS NOT NULL)),"
                " (SELECT count(DISTINCT repository) FROM onehead_inbox WHERE failed_at IS NOT NULL)"
            ).fetchone()
        waiting, oldest, given_up = found or (0, 0.0, 0)
        return int(waiting), float(oldest), int(given_up)

    def without_job(self, seconds: float) -> list[str]:
        """Repositories of which no job would see to what has been here for so long.

        Whoever kept it was killed before it could queue a job. What has just come may be about to get one.
        """
        with self._pool.connection() as connection:
            found = connection.execute(
                "SELECT DISTINCT repository FROM onehead_inbox WHERE failed_at IS NULL"
                " AND arrived_at <= now() - make_interval(secs => %s)"
                " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE lock = repository)",
                (seconds,),
            )
            return [repository for (repository,) in found]


class DatabaseIsAway(OneheadError):
    """What is remembered can't be read or written now."""


class SharedShelf:
    """`onehead.service.memory.Shelf` in a table that several processes share; each call may raise `DatabaseIsAway`."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def read(self, kind: str, keys: list[str] | None = None) -> dict[str, str]:
        """See `Shelf.read`."""
        with _explained(), self._pool.connection() as connection:
            return dict(
                connection.execute(
                    "SELECT key, value FROM onehead_memory"
                    " WHERE kind = %(kind)s AND (%(keys)s::text[] IS NULL OR key = ANY(%(keys)s))",
                    {"kind": kind, "keys": keys},
                ).fetchall()
            )

    def write(self, kind: str, values: Mapping[str, str]) -> None:
        """See `Shelf.write`."""
        with _explained(), self._pool.connection() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO onehead_memory (kind, key, value) VALUES (%s, %s, %s)"
                " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                [(kind, key, value) for key, value in sorted(values.items())],
            )

    def remove(self, kind: str, keys: list[str]) -> None:
        """See `Shelf.remove`."""
        with _explained(), self._pool.connection() as connection:
            connection.execute("DELETE FROM onehead_memory WHERE kind = %s AND key = ANY(%s)", (kind, keys))

    def remove_equal(self, kind: str, key: str, value: str) -> None:
        """See `Shelf.remove_equal`."""
        with _explained(), self._pool.connection() as connection:
            connection.execute(
                "DELETE FROM onehead_memory WHERE kind = %s AND key = %s AND value = %s", (kind, key, value)
            )

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """See `Shelf.alone`."""
        with _explained(), alone(self._pool, name) as is_alone:
            yield is_alone


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise DatabaseIsAway(
            f"PostgreSQL does not do its part: {told(error)}.",
            "It is tried again. Look whether the database of ONEHEAD_DATABASE_URL runs and has room.",
        ) from error


@contextmanager
def alone(pool: ConnectionPool, name: str) -> Iterator[bool]:
    """Whether no other process does what has this name; none begins to while the context lasts.

    It is a lease: where the connection is lost, the database gives it to another process, and this one learns nothing
    of it. So what is done under it must stay right when it is done twice.
    """
    with pool.connection() as connection:
        connection.autocommit = True
        key = f"onehead:{name}"
        found = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)).fetchone()
        is_alone = bool(found and found[0])
        try:
            yield is_alone
        finally:
            with suppress(psycopg.OperationalError):  # with the connection, the lock is gone
                if is_alone:
                    connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (key,))
                connection.autocommit = False


def _subject_of(written: Mapping[str, Any]) -> Subject:
    """A subject; what another version has written and this one does not know asks for a look at everything."""
    try:
        return read_subject(written)
    except ValueError:
        return Everything()


def told(error: BaseException) -> str:
    """An error in one line, for a table or a log; of several that came together, the first."""
    if isinstance(error, BaseExceptionGroup):
        return told(error.exceptions[0])
    return f"{type(error).__name__}: {error}"[:1000]

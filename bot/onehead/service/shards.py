"""Which worker looks after which repositories, so that each mirror is made on one machine.

A repository belongs to a shard by its name, and a shard to the living worker with the highest hash of both names: when
a worker comes or goes, only the shards that it gains or loses move.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from hashlib import blake2b

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

SHARDS = 64
"""More than there will be workers; each is a queue of procrastinate's."""

SECONDS_WITHOUT_A_SIGN = 30.0
"""After which a worker does not count any more."""

SECONDS_TO_HELP = 30.0
"""For how long something waits in a shard before a worker that has nothing to do takes it over."""


def shard_of(repository: str) -> str:
    """The shard of a repository; stable, or what waits would be looked for elsewhere."""
    return _shard(int.from_bytes(blake2b(repository.lower().encode(), digest_size=4).digest()) % SHARDS)


def shards_of(worker: str, living: Collection[str]) -> list[str]:
    """The shards of a worker among those that live, itself included."""
    return [
        shard for shard in map(_shard, range(SHARDS)) if max(living, key=lambda name: _weight(shard, name)) == worker
    ]


def _shard(number: int) -> str:
    return f"shard-{number:02}"


def _weight(shard: str, worker: str) -> bytes:
    return blake2b(f"{shard}:{worker}".encode(), digest_size=8).digest()


class Shards:
    """The shards that one worker takes jobs from, as the database shows the others.

    Attributes:
        taken: changed in place, since procrastinate's worker reads it anew before each job that it fetches.
    """

    def __init__(self, pool: ConnectionPool, worker: str) -> None:
        self._pool = pool
        self._worker = worker
        self.taken: list[str] = []

    def take(self, *, is_idle: bool) -> None:
        """Give a sign of life, and see which shards are ours now.

        Raises:
            psycopg.Error: the database does not answer.
            PoolTimeout: it gives no connection.
        """
        with self._pool.connection() as connection:
            connection.execute(
                "INSERT INTO onehead_worker (name) VALUES (%s) ON CONFLICT (name) DO UPDATE SET seen_at = now()",
                (self._worker,),
            )
            # One that was killed does not leave, and often comes back under another name. What another worker holds is
            # skipped, or two would wait for each other.
            connection.execute(
                "DELETE FROM onehead_worker WHERE name IN (SELECT name FROM onehead_worker"
                " WHERE seen_at <= now() - make_interval(secs => %s) FOR UPDATE SKIP LOCKED)",
                (SECONDS_WITHOUT_A_SIGN,),
            )
            living = connection.execute("SELECT name FROM onehead_worker").fetchall()
            ours = shards_of(self._worker, [name for (name,) in living])
            if is_idle:
                ours += self._left_waiting(connection, ours)
        self.taken[:] = ours

    def leave(self) -> None:
        """Leave them to the others at once, rather than when the last sign has grown old."""
        with suppress(psycopg.Error, PoolTimeout), self._pool.connection() as connection:
            connection.execute("DELETE FROM onehead_worker WHERE name = %s", (self._worker,))

    def _left_waiting(self, connection: psycopg.Connection, ours: list[str]) -> list[str]:
        """Shards of others in which something waits too long; none as long as something waits in ours."""
        found = connection.execute(
            "SELECT queue_name, bool_or(arrived_at < now() - make_interval(secs => %s))"
            " FROM procrastinate_jobs JOIN onehead_inbox ON lock = repository AND failed_at IS NULL"
            " WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()) GROUP BY queue_name",
            (SECONDS_TO_HELP,),
        ).fetchall()
        if {shard for shard, _ in found} & set(ours):
            return []
        return sorted(shard for shard, is_old in found if is_old)

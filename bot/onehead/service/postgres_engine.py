"""The engine for several machines: jobs wait in PostgreSQL, and the workers of every machine take them from there.

procrastinate is the transport. A job of its own only says which repository is to be looked at; what may have changed
there stands in a table of ours, the inbox, because a job that waits can't take up further subjects.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import islice
from socket import gethostname

import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException
from procrastinate.jobs import Job as QueuedJob
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from onehead.service.engine import EngineState, Handler, Job, JobRun, Retry, delay_after, run_job
from onehead.service.inbox import Inbox, SharedShelf, alone, told
from onehead.service.shards import Shards, shard_of

_PRIORITY = {"event": 2, "sweep": 1, "retry": 0, "busy": 0}
"""What is tried again comes last, or a new event would wait behind it: jobs of one lock run in order."""

MAX_HELD = 10_000
"""Jobs that this process holds while the database is away."""

MAX_POSTED = 500
"""Jobs that are kept in one transaction."""

SECONDS_WITHOUT_A_SIGN = 30.0
"""After which a worker counts as gone, and what it had begun is begun again."""

MAX_SECONDS = 3600.0
"""Of one run; what has run longer is begun again, whatever signs its worker gives."""

_SECONDS_BETWEEN_POLLS = 0.5
"""A job that waited for another one of its repository is not announced, so it is found by asking."""

_SECONDS_BETWEEN_RESCUES = 10.0
_SECONDS_UNTIL_QUEUED = 5.0
"""In which who has kept something queues a job for it, unless it was killed."""

_SECONDS_UNTIL_FREE = 5.0
"""Before a repository is tried again at which another machine still works."""

_SECONDS_TO_LET_GO = 5.0
"""For which procrastinate's worker, when it stops, waits for runs. These go on without it: a new worker takes jobs."""

_SECONDS_TO_CONNECT = 5.0
_SECONDS_TO_ANSWER = 1.0
"""For the state: whoever asks has five seconds, and may be the second one."""

_FETCHING = 2
"""Connections on which procrastinate's worker fetches jobs and notes that they are done; one more tells it of new ones.

With those of the pool, a process holds seven more than it works on repositories, and a web process four at most.
"""

_MAX_PAUSE = 30.0

_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Seconds, a number, and milliseconds: a machine that has vanished is noticed after half a minute, not after hours."""

log = structlog.get_logger(__name__)


class PostgresEngine:
    """`onehead.service.engine.Engine` on a database that several processes share.

    Repositories are spread over shards, and shards over the workers that are alive, so that one worker fetches what it
    has a mirror of. A worker with nothing to do takes over what waits too long elsewhere.
    """

    def __init__(
        self,
        handler: Handler,
        url: str,
        *,
        worker: str = "",
        concurrency: int = 4,
        retry: Retry = delay_after,
        on_run: Callable[[JobRun], None] = lambda _run: None,
    ) -> None:
        """Compose an engine; nothing runs before `start`, but jobs can be submitted.

        Args:
            handler: does one job. Called from several threads, never twice at once for one repository.
            url: of the database, for psycopg.
            worker: name of this process; the same one after a restart that keeps its mirrors.
            concurrency: how many repositories this process works on at once; 0 to submit only.
            retry: decides about a failed job.
            on_run: told about every finished run, from the thread that ran it.
        """
        self._handler = handler
        self._retry = retry
        self._on_run = on_run
        self._concurrency = concurrency
        # A run holds a connection for its lock.
        url = make_conninfo(url, **_PATIENCE)
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=concurrency + 4,
            timeout=_SECONDS_TO_CONNECT,
            # Its pauses double until it gives up, by default after five minutes: after an outage it would go on for as
            # long again. Once it has given up, it begins anew with the next one who asks for a connection.
            reconnect_timeout=_SECONDS_TO_CONNECT,
            check=ConnectionPool.check_connection,
            open=False,
        )
        self._pool.open()
        self._inbox = Inbox(self._pool)
        self._shards = Shards(self._pool, worker or gethostname())
        self.shelf = SharedShelf(self._pool)
        self._worker = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=_FETCHING))
        self._worker.task(name="look", pass_context=True)(self._look)
        self._queue = App(connector=SyncPsycopgConnector())  # of its own: a task belongs to the app that declares it
        self._queue.open(self._pool)
        self._changed = threading.Condition()
        self._running: dict[str, int] = {}  # repository → number of procrastinate's job
        self._ended: list[int] = []  # those whose run has ended since others were last rescued
        self._stopping = False
        self._outbox: deque[Job] = deque()  # submitted, and not yet in the database
        self._depth: Future[tuple[int, float, int]] | None = None  # while the database is asked for it
        threading.Thread(target=self._keep_posting, name="onehead-inbox", daemon=True).start()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="onehead-jobs", daemon=True)

    def start(self) -> None:
        """See `Engine.start`."""
        self._is_posted(_SECONDS_TO_CONNECT)
        if self._concurrency:
            self._thread.start()

    def submit(self, job: Job) -> None:
        """See `Engine.submit`. While the database is away, the job is held in memory."""
        with self._changed:
            if job.is_routine:  # a sweep of everything comes faster than the database takes it
                self._changed.wait_for(lambda: len(self._outbox) < MAX_HELD or self._stopping)
            if len(self._outbox) >= MAX_HELD:
                log.error("Too much waits for PostgreSQL; the next sweep finds it.", repository=job.repository)
                return
            self._outbox.append(job)
            self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """See `Engine.stop`. What does not end in time is handed back: another process begins it again."""
        with self._changed:
            if not self._stopping and self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._end_worker)
            self._stopping = True
            has_ended = self._changed.wait_for(lambda: not (self._running or self._outbox), timeout)
            begun = list(self._running.values())
        try:
            self._hand_back(begun)
        except (psycopg.Error, PoolTimeout, ProcrastinateException) as error:
            log.warning("PostgreSQL is away; another worker begins again what was not done.", error=told(error))
        if self._concurrency:
            self._shards.leave()
        if has_ended and self._thread.is_alive():
            self._thread.join(_SECONDS_TO_CONNECT)
        return has_ended

    def close(self) -> None:
        """Let go of the database: nothing can be submitted any more."""
        self._pool.close()

    def wait_until_idle(self, timeout: float) -> bool:
        """See `Engine.wait_until_idle`."""
        until = time.monotonic() + timeout
        while not self._is_posted(until - time.monotonic()) or self._has_jobs():
            if time.monotonic() > until:
                return False
            time.sleep(_SECONDS_BETWEEN_POLLS / 10)
        return True

    def state(self) -> EngineState:
        """See `Engine.state`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._outbox, _SECONDS_TO_ANSWER / 2)
            busy, held = len(self._running), len(self._outbox)
        # While the database is away, what is submitted is held here as long as there is room.
        is_alive = not self._stopping and held < MAX_HELD and (not self._concurrency or self._thread.is_alive())
        try:
            waiting, oldest, given_up = self._asked_depth().result(_SECONDS_TO_ANSWER)
        except TimeoutError:
            trouble = f"PostgreSQL does not answer within {_SECONDS_TO_ANSWER:g} s."
        except (psycopg.Error, PoolTimeout) as error:
            trouble = f"PostgreSQL does not answer: {told(error)}"
        else:
            return EngineState(is_alive, waiting, busy, oldest, given_up)
        return EngineState(is_alive, None, busy, trouble=trouble)

    def _asked_depth(self) -> Future[tuple[int, float, int]]:
        """The depth of the inbox, asked for by a thread of its own: no time limit of ours ends a query that hangs."""
        with self._changed:
            if self._depth is not None and not self._depth.done():
                return self._depth
            asked: Future[tuple[int, float, int]] = Future()
            self._depth = asked

        def ask() -> None:
            try:
                asked.set_result(self._inbox.depth(_SECONDS_TO_ANSWER / 2))
            except Exception as error:  # told to whoever waits
                asked.set_exception(error)

        threading.Thread(target=ask, name="onehead-depth", daemon=True).start()
        return asked

    def _has_jobs(self) -> bool:
        with self._pool.connection() as connection:
            return connection.execute("SELECT FROM procrastinate_jobs LIMIT 1").fetchone() is not None

    def _is_posted(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._outbox, timeout)

    def _keep_posting(self) -> None:
        """Put what was submitted into the database, many jobs at a time, until the process ends."""
        pause = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._outbox)
                jobs = list(islice(self._outbox, MAX_POSTED))
            try:
                # What a job is about is kept before the job is queued, so that no run misses it.
                self._inbox.add(jobs)
                self._queue_looks([(job.repository, "sweep" if job.is_routine else "event") for job in jobs])
            except (psycopg.Error, PoolTimeout, ProcrastinateException) as error:
                pause = min(_MAX_PAUSE, 2 * pause or 1.0)
                log.warning("PostgreSQL does not take jobs now; trying again.", error=told(error), retry_in=pause)
                time.sleep(pause)
                continue
            pause = 0.0
            with self._changed:
                for _ in jobs:
                    self._outbox.popleft()
                self._changed.notify_all()

    def _queue_looks(self, wanted: list[tuple[str, str]]) -> None:
        """Queue a look for each repository and kind of which none waits, in this order."""
        locks = {f"{repository}:{kind}": (repository, kind) for repository, kind in wanted}
        with self._pool.connection() as connection:
            waiting = connection.execute(
                "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%s)",
                (list(locks),),
            ).fetchall()
        for (lock,) in waiting:
            del locks[lock]
        looks = [self._look_at(repository, kind) for repository, kind in locks.values()]
        try:
            if looks:
                self._queue.job_manager.batch_defer_jobs(looks)
        except AlreadyEnqueued:  # another process was faster with one of them, and so none was queued
            for look in looks:
                self._queue_one(look)

    def _defer(self, repository: str, kind: str, seconds: float = 0.0) -> None:
        self._queue_one(self._look_at(repository, kind, seconds))

    def _queue_one(self, look: QueuedJob) -> None:
        with suppress(AlreadyEnqueued):
            self._queue.job_manager.defer_job(look)

    def _look_at(self, repository: str, kind: str, seconds: float = 0.0) -> QueuedJob:
        return self._queue.configure_task(
            "look",
            queue=shard_of(repository),
            lock=repository,
            queueing_lock=f"{repository}:{kind}",
            priority=_PRIORITY[kind],
            schedule_at=datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None,
        ).job

    def _hand_back(self, begun: list[int], ended: Collection[int] = ()) -> None:
        """Begin again what these jobs had begun, queue what else nothing would see to, and remove what has ended."""
        # Not procrastinate's own retry: it breaks off where a newer job of the same kind waits already.
        with self._pool.connection() as connection:
            removed = connection.execute(
                "DELETE FROM procrastinate_jobs WHERE id = ANY(%s) RETURNING id, lock", ([*begun, *ended],)
            )
            repositories = {lock for number, lock in removed if number not in ended}
        for repository in sorted(repositories.union(self._inbox.without_job(_SECONDS_UNTIL_QUEUED))):
            log.warning("What was kept and not done is queued again.", repository=repository)
            self._defer(repository, "event")

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._keep_working())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._main)
        self._loop.close()

    def _end_worker(self) -> None:
        self._main.cancel()

    async def _keep_working(self) -> None:
        """Run a worker; where the database goes away, begin again when it is back."""
        pause = 1.0
        while not self._stopping:
            began = time.monotonic()
            try:
                async with self._worker.open_async(), asyncio.TaskGroup() as tasks:
                    await asyncio.to_thread(self._shards.take, is_idle=True)
                    rescue = tasks.create_task(self._keep_rescuing())
                    await self._worker.run_worker_async(
                        queues=self._shards.taken,
                        concurrency=self._concurrency,
                        fetch_job_polling_interval=_SECONDS_BETWEEN_POLLS,
                        update_heartbeat_interval=SECONDS_WITHOUT_A_SIGN / 3,
                        stalled_worker_timeout=SECONDS_WITHOUT_A_SIGN,
                        delete_jobs="always",
                        shutdown_graceful_timeout=_SECONDS_TO_LET_GO,
                        install_signal_handlers=False,
                    )
                    rescue.cancel()
            except Exception as error:  # whatever it is, the next start may go well
                pause = 1.0 if time.monotonic() - began > _MAX_PAUSE else min(_MAX_PAUSE, pause * 2)
                log.warning("PostgreSQL can't be used now; trying again.", error=told(error), retry_in=pause)
                await asyncio.sleep(pause)

    async def _keep_rescuing(self) -> None:
        """Take over from workers that are gone, and what waits elsewhere."""
        ended: list[int] = []
        while True:
            stalled = await self._worker.job_manager.get_stalled_jobs(seconds_since_heartbeat=SECONDS_WITHOUT_A_SIGN)
            begun = [int(job.id or 0) for job in stalled] + await asyncio.to_thread(self._begun_too_long_ago)
            # procrastinate deletes a job that has ended. One that is there a round later would lock its repository: the
            # connection was lost at that moment.
            await asyncio.to_thread(self._hand_back, begun, ended)
            ended, self._ended = self._ended, []
            await asyncio.sleep(_SECONDS_BETWEEN_RESCUES)
            await asyncio.to_thread(self._shards.take, is_idle=not self._running)

    def _begun_too_long_ago(self) -> list[int]:
        """Jobs of which the end could not be noted. One that still runs keeps its lock, so nobody else begins it."""
        with self._pool.connection() as connection:
            found = connection.execute(
                "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND NOT EXISTS ("
                "SELECT FROM procrastinate_events WHERE job_id = procrastinate_jobs.id AND type = 'started'"
                " AND at > now() - make_interval(secs => %s))",
                (MAX_SECONDS,),
            )
            return [number for (number,) in found]

    async def _look(self, context: JobContext) -> None:
        """A job of procrastinate's: its lock names the repository. In a daemon thread, as a run may outlive `stop`."""
        name, number = str(context.job.lock), int(context.job.id or 0)
        ended: asyncio.Future[None] = self._loop.create_future()

        def note_end() -> None:
            if not ended.done():
                ended.set_result(None)

        def run() -> None:
            try:
                self._see_to(name, number)
            except Exception as error:  # of the database: what was not noted as done is begun again
                log.warning("A job could not be seen to; it is begun again.", repository=name, error=told(error))
            with suppress(RuntimeError):  # nobody waits for it any more
                self._loop.call_soon_threadsafe(note_end)

        threading.Thread(target=run, name=f"onehead-job-{number}", daemon=True).start()
        await ended

    def _see_to(self, repository: str, number: int) -> None:
        with self._changed:
            if self._stopping:
                return
            # A run that has lost its lock with the database goes on here all the same.
            is_free = self._running.setdefault(repository, number) == number
        try:
            with alone(self._pool, repository) if is_free else nullcontext(enter_result=False) as is_alone:
                if is_alone:
                    self._run(repository)
                else:
                    # Not a retry: the run that goes on takes that away at its end, and knows nothing of this.
                    self._defer(repository, "busy", _SECONDS_UNTIL_FREE)
        finally:
            with self._changed:
                if is_free:
                    del self._running[repository]
                self._ended.append(number)
                self._changed.notify_all()

    def _run(self, repository: str) -> None:
        rows = self._inbox.begin(repository)
        if not rows:
            return
        job = reduce(Job.merged_with, (row.job(repository) for row in rows))
        run = run_job(job, max(row.attempts for row in rows) + 1, self._handler, self._retry)
        self._inbox.settle(run, [row.id for row in rows])
        if run.retry_in is not None:
            self._defer(repository, "retry", run.retry_in)
        else:
            self._cancel_retry(repository)
        self._on_run(run)

    def _cancel_retry(self, repository: str) -> None:
        waiting = self._queue.job_manager.list_jobs(queueing_lock=f"{repository}:retry", status="todo")
        for job in waiting:
            self._queue.job_manager.cancel_job_by_id(int(job.id or 0), delete_job=True)

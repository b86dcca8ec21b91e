"""What an engine promises, and the embedded one: a work queue in memory, a few threads, and when a job is tried again.

The rules are those of the work queue in Kubernetes' client-go, with one addition: waiting jobs of one repository are
merged rather than merely counted once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from secrets import token_hex
from typing import Any, NamedTuple, Protocol

import structlog
from structlog.contextvars import bound_contextvars

from onehead.databases.reported import RowsReported
from onehead.errors import OneheadError, UsageError

FIRST_DELAY = 1.0
MAX_DELAY = 300.0
ATTEMPTS_AT_TROUBLE = 300
ATTEMPTS_AT_WHAT_LASTS = 8

MAX_DELIVERIES = 20
"""Ids of deliveries that each line of a job's log names."""


def delay_after(error: BaseException, attempt: int) -> float | None:
    """Seconds until the next attempt, after so many have failed in a row; `None` to give up.

    The delay doubles from one second to five minutes. Trouble that onehead knows (the forge is away, git was
    refused) is tried for a day, so that a verdict appears soon after an outage; a longer one is the sweep's
    affair. What most likely stays is given up after eight attempts, about two minutes, and taken up by each sweep: an
    unknown exception, which is a defect in onehead, and what only a person can change (`OneheadError.lasting`). Wrong
    configuration does not heal by waiting, and what was over its budget is left to the next sweep at once. An error's
    `retry_after` (seconds, from the forge's own header) makes the delay at least that long.
    """
    if isinstance(error, UsageError) or getattr(error, "waits_for_sweep", False):
        return None
    passes = isinstance(error, OneheadError) and not error.lasting
    if attempt >= (ATTEMPTS_AT_TROUBLE if passes else ATTEMPTS_AT_WHAT_LASTS):
        return None
    delay = min(MAX_DELAY, FIRST_DELAY * 2.0 ** (attempt - 1))
    asked: float | None = getattr(error, "retry_after", None)
    return delay if asked is None else max(delay, float(asked))


@dataclass(frozen=True, slots=True)
class BranchMoved:
    """A branch was created or points to another commit. `ref` is full: `refs/heads/main`."""

    ref: str


@dataclass(frozen=True, slots=True)
class BranchGone:
    """A branch is gone. `ref` is full: `refs/heads/main`."""

    ref: str


@dataclass(frozen=True, slots=True)
class PullChanged:
    """A pull request was opened, closed, merged, pushed to, retitled or pointed at another base."""

    number: int


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """Somebody wrote a comment, under a pull request or issue, that may hold a command: it is read again in the run.

    `may_write`: whether a signed webhook says that its author may push to the repository; `None` where nothing said so
    (found by the sweep). The payload is the only place where a bot without admin rights learns this.
    """

    comment: int
    number: int
    may_write: bool | None = None


@dataclass(frozen=True, slots=True)
class Everything:
    """Look at the whole repository: what the sweep asks for, and what covers every lost event."""


@dataclass(frozen=True, slots=True)
class ScopeLeft:
    """The repository was looked after and is not any more: what goes on in it is to be ended."""


Subject = BranchMoved | BranchGone | PullChanged | CommandGiven | RowsReported | Everything | ScopeLeft

_KINDS: dict[str, Callable[..., Subject]] = {
    kind.__name__: kind
    for kind in (BranchMoved, BranchGone, PullChanged, CommandGiven, RowsReported, Everything, ScopeLeft)
}


def written_subject(subject: Subject) -> dict[str, Any]:
    """A subject as JSON."""
    return {"kind": type(subject).__name__, **asdict(subject)}


def read_subject(written: Mapping[str, Any]) -> Subject:
    """The subject that was written.

    Raises:
        ValueError: it is none that this version knows.
    """
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in written.items()}
    try:
        return _KINDS[str(fields.pop("kind"))](**fields)
    except (KeyError, TypeError) as error:
        msg = f"this is no subject: {written}"
        raise ValueError(msg) from error


@dataclass(frozen=True, slots=True)
class Job:
    """One repository (its full name) and what may have changed in it, which is never nothing.

    Subjects are hints, not history: they carry no order and no commit ids, because the run reads the forge's present
    state anyway. That makes them safe to merge: five pushes and a moved target share one run and one fetch. Reports of
    rows carry their time, so they too may be done in any order, and twice.

    `deliveries`: the ids of the webhook deliveries that asked for it, for the log alone: jobs that do the same are
    equal. The first ones count; one more than `MAX_DELIVERIES` is kept, which shows that there were more.
    """

    repository: str
    subjects: frozenset[Subject]
    deliveries: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.subjects:
            raise ValueError(f"a job for {self.repository} without subjects asks for nothing")

    @property
    def is_routine(self) -> bool:
        """Whether nobody is waiting for it: the sweep came by, no event happened."""
        return self.subjects == frozenset({Everything()})

    def merged_with(self, other: Job) -> Job:
        """The job that does the work of both."""
        deliveries = dict.fromkeys((*self.deliveries, *other.deliveries))
        return Job(self.repository, self.subjects | other.subjects, tuple(deliveries)[: MAX_DELIVERIES + 1])


Handler = Callable[[Job], None]
"""Does one job, start to end, in the calling thread; raises when it could not."""

Retry = Callable[[BaseException, int], float | None]
"""(error, failed attempts in a row) → seconds until the next attempt, or `None` to give up."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """One finished run of one job; `attempt` is 1 for the first, and counts up while attempts fail in a row.

    `retry_in`: seconds until the next attempt; `None` after a success and when it was given up.
    """

    job: Job
    seconds: float
    attempt: int
    error: BaseException | None = None
    retry_in: float | None = None

    @property
    def outcome(self) -> str:
        """`done`, `retried` or `given-up`."""
        if self.error is None:
            return "done"
        return "given-up" if self.retry_in is None else "retried"


class EngineState(NamedTuple):
    """How an engine is.

    Attributes:
        running: whether it takes jobs now, and nothing that it lives by has died.
        waiting: repositories with something to do that nobody works on, those to be tried again included; of all
            processes that share the work. `None` where it can't be found out now.
        busy: repositories that this process works on.
        oldest: seconds for which the first has waited of those that somebody waits for; 0 where there is none. What the
            sweep asks for does not count: with thousands of repositories it waits long, and may.
        given_up: repositories of which the last run failed and is not tried again.
        trouble: why some of this could not be found out, a sentence.
    """

    running: bool
    waiting: int | None
    busy: int
    oldest: float = 0.0
    given_up: int = 0
    trouble: str | None = None


class Engine(Protocol):
    """Runs jobs soon, and never two of one repository at once.

    The promises, each of which is a test in `tests/service/test_engine_contract.py`:

    - Jobs of one repository that wait are merged into one run; jobs of different repositories are not.
    - What arrives for a repository while it runs makes one more run afterwards, however much arrives.
    - A run that raises keeps its subjects and is tried again when its `Retry` says so, merged with whatever
      arrived meanwhile. A new event does not wait for that delay. A success resets the count of attempts.
    - Jobs that somebody waits for are started before routine ones of the sweep.
    - Nothing here is needed for correctness: what is lost with the process, the sweep finds.
    """

    def start(self) -> None:
        """Begin to run jobs. Jobs submitted earlier have waited for this."""

    def submit(self, job: Job) -> None:
        """Remember a job. Safe to call from any thread; returns at once, but for routine jobs where too many wait."""

    def stop(self, timeout: float) -> bool:
        """Start no further run and wait at most `timeout` seconds for those that run; whether all had ended."""

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until nothing waits, runs or is to be tried again; whether that is so."""

    def state(self) -> EngineState:
        """How it is; never raises, and never waits long."""


class WorkQueue:
    """Jobs by repository: waiting, to be tried again, running."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # of those in `_jobs` that somebody waits for: when the first of it came
        self._jobs: dict[str, Job] = {}  # not running: waiting, to be tried again, or arrived during a run
        self._events: dict[str, None] = {}  # ready, in order of arrival; a dict because sets have no order
        self._routine: dict[str, None] = {}  # ready once there are no events
        self._retries: dict[str, float] = {}  # repository → when it is due
        self._running: dict[str, float | None] = {}  # … and of those that run

    def add(self, job: Job, now: float) -> None:
        """Something happened: merge it with what waits, and make it due now unless its repository runs."""
        key = job.repository
        if not job.is_routine:
            self._since.setdefault(key, now)
        known = self._jobs.get(key)
        self._jobs[key] = known.merged_with(job) if known else job
        if key not in self._running:
            self._make_ready(key)

    def take(self, now: float) -> Job | None:
        """The next job to run, which is then running; `None` when nothing is due."""
        for key in [key for key, due in self._retries.items() if due <= now]:
            self._make_ready(key)
        ready = self._events or self._routine
        if not ready:
            return None
        key = next(iter(ready))
        del ready[key]
        self._running[key] = self._since.pop(key, None)
        return self._jobs.pop(key)

    def finish(self, job: Job) -> None:
        """The run is over for good."""
        del self._running[job.repository]
        if job.repository in self._jobs:
            self._make_ready(job.repository)

    def postpone(self, job: Job, due: float) -> None:
        """The run failed: keep its subjects until `due`, or until the next event if one came meanwhile."""
        key = job.repository
        since = self._running.pop(key)
        if since is not None:
            self._since[key] = since
        arrived = self._jobs.get(key)
        self._jobs[key] = job.merged_with(arrived) if arrived else job
        if arrived:
            self._make_ready(key)
        else:
            self._retries[key] = due

    def next_due(self) -> float | None:
        """When the earliest retry is due, or `None` without one. Ready jobs are due already."""
        return min(self._retries.values(), default=None)

    def oldest(self) -> float | None:
        """When the first came of what is not running and somebody waits for, or `None` without any."""
        return min(self._since.values(), default=None)

    @property
    def waiting(self) -> int:
        """Repositories with something to do that are not running now, or must run once more."""
        return len(self._jobs)

    @property
    def running(self) -> int:
        """Repositories whose job was taken and has not ended."""
        return len(self._running)

    def _make_ready(self, key: str) -> None:
        self._retries.pop(key, None)
        if self._jobs[key].is_routine:
            self._routine.setdefault(key)
        else:
            self._routine.pop(key, None)
            self._events.setdefault(key)


log = structlog.get_logger(__name__)


class EmbeddedEngine:
    """Jobs in the memory of one process. No database, no volume: it may be killed at any moment."""

    def __init__(
        self,
        handler: Handler,
        *,
        concurrency: int = 4,
        retry: Retry = delay_after,
        on_run: Callable[[JobRun], None] = lambda _run: None,
    ) -> None:
        """The handler and `on_run`, which hears of every finished run, are called from so many threads."""
        self._handler = handler
        self._retry = retry
        self._on_run = on_run
        self._queue = WorkQueue()
        self._attempts: dict[str, int] = {}
        self._given_up: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = False
        # Daemons: a run that outlives the time limit of `stop` must not keep the process alive. It may be cut
        # off anywhere, as by a power failure; the next start-up sweep takes it up.
        self._threads = [
            threading.Thread(target=self._work, name=f"onehead-job-{number}", daemon=True)
            for number in range(1, concurrency + 1)
        ]

    def start(self) -> None:
        """See `Engine.start`."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """See `Engine.submit`."""
        with self._changed:
            self._queue.add(job, time.monotonic())
            self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """See `Engine.stop`."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._queue.running, timeout)

    def wait_until_idle(self, timeout: float) -> bool:
        """See `Engine.wait_until_idle`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue.waiting and not self._queue.running, timeout)

    def state(self) -> EngineState:
        """See `Engine.state`."""
        with self._changed:
            oldest = self._queue.oldest()
            return EngineState(
                running=not self._stopping and all(thread.is_alive() for thread in self._threads),
                waiting=self._queue.waiting,
                busy=self._queue.running,
                oldest=0.0 if oldest is None else time.monotonic() - oldest,
                given_up=len(self._given_up),
            )

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            self._run(job)

    def _next_job(self) -> Job | None:
        """Wait for a job; `None` when the engine stops."""
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                if (job := self._queue.take(now)) is not None:
                    return job
                due = self._queue.next_due()
                self._changed.wait(None if due is None else max(0.0, due - now))
        return None

    def _run(self, job: Job) -> None:
        run = run_job(job, self._attempts.get(job.repository, 0) + 1, self._handler, self._retry)
        try:
            self._on_run(run)
        finally:
            with self._changed:
                if run.retry_in is None:
                    self._attempts.pop(job.repository, None)
                    (self._given_up.add if run.error else self._given_up.discard)(job.repository)
                    self._queue.finish(job)
                else:
                    self._attempts[job.repository] = run.attempt
                    self._queue.postpone(job, time.monotonic() + run.retry_in)
                self._changed.notify_all()


def run_job(job: Job, attempt: int, handler: Handler, retry: Retry) -> JobRun:
    """Do a job and log how that ended. Each line that is logged meanwhile names the run, and what it is about."""
    deliveries = [*job.deliveries[:MAX_DELIVERIES], *("..." for _ in job.deliveries[MAX_DELIVERIES:])]
    names = {"job": token_hex(6), "repository": job.repository, "delivery": ",".join(deliveries) or None}
    with bound_contextvars(**names):
        started = time.monotonic()
        error: BaseException | None = None
        try:
            handler(job)
        except BaseException as caught:  # whatever a job does, sys.exit() included, the engine lives on and says so
            error = caught
        retry_in = None if error is None else retry(error, attempt)
        run = JobRun(job, time.monotonic() - started, attempt, error, retry_in)
        _log_run(run)
    return run


def _log_run(run: JobRun) -> None:
    """Say in the log how a run has ended."""
    fields = {"repository": run.job.repository, "seconds": round(run.seconds, 3)}
    if run.error is None:
        log.info("A job is done.", **fields)
        return
    fields |= {"attempt": run.attempt, "error": str(run.error) or type(run.error).__name__}
    if isinstance(run.error, OneheadError) and run.error.hint:
        fields["hint"] = run.error.hint
    # Trouble that onehead knows has its sentence; only a defect needs the trace.
    trace = None if isinstance(run.error, OneheadError) else run.error
    if run.retry_in is None:
        log.error("A job failed and is given up; the next sweep takes it up again.", **fields, exc_info=trace)
    else:
        fields["retry_in"] = round(run.retry_in, 3)
        log.warning("A job failed and will be tried again.", **fields, exc_info=trace)

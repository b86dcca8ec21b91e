"""The engine without anything beside it: a work queue in memory and a few threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from onehead.errors import OneheadError
from onehead.jobs.engine import Handler, Retry, Run
from onehead.jobs.job import Job
from onehead.jobs.retry import delay_after
from onehead.jobs.workqueue import WorkQueue

log = structlog.get_logger(__name__)


def _nobody(_run: Run) -> None:
    """Nobody wants to know."""


class EmbeddedEngine:
    """`onehead.jobs.engine.Engine` inside this process. No database, no volume: may be killed at any moment."""

    def __init__(
        self,
        handler: Handler,
        *,
        concurrency: int = 4,
        retry: Retry = delay_after,
        on_run: Callable[[Run], None] = _nobody,
    ) -> None:
        """Compose an engine; nothing runs before `start`.

        Args:
            handler: does one job. Called from several threads, never twice at once for one repository.
            concurrency: how many repositories are worked on at once.
            retry: decides about a failed job.
            on_run: told about every finished run, from the thread that ran it.
        """
        self._handler = handler
        self._retry = retry
        self._on_run = on_run
        self._queue = WorkQueue()
        self._attempts: dict[str, int] = {}
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
            self._queue.add(job)
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

    @property
    def is_running(self) -> bool:
        """See `Engine.is_running`."""
        return not self._stopping and all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """See `Engine.waiting`."""
        with self._changed:
            return self._queue.waiting

    @property
    def running(self) -> int:
        """See `Engine.running`."""
        with self._changed:
            return self._queue.running

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
        attempt = self._attempts.get(job.repository, 0) + 1
        started = time.monotonic()
        error: BaseException | None = None
        try:
            self._handler(job)
        except BaseException as caught:  # whatever a job does, sys.exit() included, the engine lives on and says so
            error = caught
        run = Run(
            job,
            seconds=time.monotonic() - started,
            attempt=attempt,
            error=error,
            retry_in=None if error is None else self._retry(error, attempt),
        )
        try:
            _log(run)
            self._on_run(run)
        finally:
            self._settle(run)

    def _settle(self, run: Run) -> None:
        key = run.job.repository
        with self._changed:
            if run.retry_in is None:
                self._attempts.pop(key, None)
                self._queue.finish(run.job)
            else:
                self._attempts[key] = run.attempt
                self._queue.postpone(run.job, time.monotonic() + run.retry_in)
            self._changed.notify_all()


def _log(run: Run) -> None:
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

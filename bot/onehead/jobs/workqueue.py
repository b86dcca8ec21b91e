"""Which job may run now. Pure: no threads, no locks, no clock; `now` is an argument, in seconds.

The rules are those of the work queue in Kubernetes' client-go, with one addition: waiting jobs of one
repository are merged rather than merely counted once.
"""

from __future__ import annotations

from onehead.jobs.job import Job


class WorkQueue:
    """Jobs by repository: waiting, to be tried again, running."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}  # not running: waiting, to be tried again, or arrived during a run
        self._events: dict[str, None] = {}  # ready, in order of arrival; a dict because sets have no order
        self._routine: dict[str, None] = {}  # ready once there are no events
        self._retries: dict[str, float] = {}  # repository → when it is due
        self._running: set[str] = set()

    def add(self, job: Job) -> None:
        """Something happened: merge it with what waits, and make it due now unless its repository runs."""
        key = job.repository
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
        self._running.add(key)
        return self._jobs.pop(key)

    def finish(self, job: Job) -> None:
        """The run is over for good, by success or because it was given up."""
        self._running.remove(job.repository)
        if job.repository in self._jobs:
            self._make_ready(job.repository)

    def postpone(self, job: Job, due: float) -> None:
        """The run failed: keep its subjects until `due`, or until the next event if one came meanwhile."""
        key = job.repository
        self._running.remove(key)
        arrived = self._jobs.get(key)
        self._jobs[key] = job.merged_with(arrived) if arrived else job
        if arrived:
            self._make_ready(key)
        else:
            self._retries[key] = due

    def next_due(self) -> float | None:
        """When the earliest retry is due, or `None` without one. Ready jobs are due already."""
        return min(self._retries.values(), default=None)

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

"""What the service counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from onehead.service.engine import EngineState, JobRun

# A job is a fetch, some parsing and a few requests: tenths of a second when all is well, minutes when it is not.
_JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_STEP_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

_STATUSES = frozenset(HTTPStatus)
"""A label has few values, whatever a proxy answers."""


class Metrics:
    """Counters of one engine, in a registry of their own so that two services in one process don't mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._engine: Callable[[], EngineState] | None = None
        self._jobs = Counter(
            "onehead_jobs", "Runs of jobs by outcome (done, retried, given-up).", ["outcome"], registry=registry
        )
        self._job_seconds = Histogram(
            "onehead_job_seconds", "How long the run of a job took.", buckets=_JOB_SECONDS, registry=registry
        )
        self._waiting = Gauge(
            "onehead_jobs_waiting", "Repositories with a job to do that is not running.", registry=registry
        )
        self._running = Gauge("onehead_jobs_running", "Repositories being worked on.", registry=registry)
        self._oldest = Gauge(
            "onehead_jobs_oldest_waiting_seconds",
            "For how long the first event has waited; 0 where none does. What the sweep asks for does not count.",
            registry=registry,
        )
        self._given_up = Gauge(
            "onehead_jobs_given_up",
            "Repositories of which the last run failed and is not tried again before the next sweep.",
            registry=registry,
        )
        self.forge = Gauge("onehead_forge_reachable", "1 when Forgejo answered when last asked.", registry=registry)
        self.sweep = Gauge(
            "onehead_last_sweep_success_timestamp_seconds",
            "When a sweep last came to its end, in seconds since 1970; 0 before the first.",
            registry=registry,
        )
        self.canary = Gauge(
            "onehead_canary_last_success_timestamp_seconds",
            "When the canary was last judged right here, in seconds since 1970; 0 before the first, NaN where none is.",
            registry=registry,
        )
        self.canary.set(nan)
        self._verdicts = Counter("onehead_verdicts", "Verdicts given, by kind.", ["verdict"], registry=registry)
        self._last_judgement = Gauge(
            "onehead_last_judgement_timestamp_seconds",
            "When the last verdict was given, in seconds since 1970; 0 before the first.",
            registry=registry,
        )
        self._steps = Histogram(
            "onehead_step_seconds",
            "How long steps took: forge (a request), fetch, push, ls-remote, wait (for an analyzer), judge.",
            ["step"],
            buckets=_STEP_SECONDS,
            registry=registry,
        )
        self._requests = Counter(
            "onehead_forge_requests",
            "Requests to Forgejo's API by method and status of the answer (none, other).",
            ["method", "status"],
            registry=registry,
        )
        self._hits = Counter(
            "onehead_cache_hits", "Migration files that were not parsed: they were known.", registry=registry
        )
        self._misses = Counter("onehead_cache_misses", "Migration files that were parsed.", registry=registry)
        self.mirror_bytes = Gauge("onehead_mirror_bytes", "What the mirrors take on disk.", registry=registry)
        self._database = Gauge(
            "onehead_database_reachable",
            "1 when PostgreSQL answered when last asked; always 1 without it.",
            registry=registry,
        )

    def watch(self, engine: Callable[[], EngineState]) -> None:
        """Ask for an engine's state whenever the metrics are asked for."""
        self._engine = engine

    def run(self, run: JobRun) -> None:
        """A job was run; give this to the engine."""
        self._jobs.labels(run.outcome).inc()
        self._job_seconds.observe(run.seconds)

    def judged(self, verdict: str) -> None:
        """A verdict was given."""
        self._verdicts.labels(verdict).inc()
        self._last_judgement.set_to_current_time()

    def step(self, step: str, seconds: float) -> None:
        """A step of a run was done."""
        self._steps.labels(step).observe(seconds)

    def request(self, method: str, status: int | None, seconds: float) -> None:
        """Forgejo was asked something, and has answered with this status, or not."""
        label = "none" if status is None else str(status) if status in _STATUSES else "other"
        self._requests.labels(method, label).inc()
        self.step("forge", seconds)

    def files_read(self, hits: int, misses: int) -> None:
        """So many migration files were known to the cache, and so many were not."""
        self._hits.inc(hits)
        self._misses.inc(misses)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        if self._engine is not None:
            state = self._engine()
            self._database.set(state.trouble is None)
            # Not a number where it isn't known: an old figure would look like a good one.
            self._waiting.set(nan if state.waiting is None else state.waiting)
            self._running.set(state.busy)
            self._oldest.set(nan if state.waiting is None else state.oldest)
            self._given_up.set(nan if state.waiting is None else state.given_up)
        return generate_latest(self._registry)

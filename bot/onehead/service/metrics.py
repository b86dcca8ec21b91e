"""What `/readyz` and `/metrics` tell of the engine: whether it can work now, and what it has done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from onehead.service.engine import Engine, JobRun

FORGE_SILENCE = timedelta(minutes=3)
"""How old the forge's last answer may be. It is asked every minute."""


_PROBE = bytes(64 * 1024)
"""More than a file system keeps beside the name of a file: on a full one an empty file can still be made."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Health:
    """Written by the threads that find out, read by whoever asks. Each field is replaced as a whole: no lock."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], datetime] = utc_now,
        places: Sequence[Path] = (),
        exposed: str | None = None,
    ) -> None:
        """Nothing is known yet.

        Args:
            engine: asked when somebody wants to know.
            now: the clock.
            places: directories that every job writes to.
            exposed: what of the analyzer's isolation this system does not allow.
        """
        self._engine = engine
        self._places = places
        self._exposed = exposed
        self._now = now
        self._forge_seen: datetime | None = None
        self._forge_trouble: str | None = "not asked yet"
        self._token_refused = False
        self._swept: datetime | None = None
        self._sweep_trouble: str | None = None

    def forge_answered(self) -> None:
        """The forge knows our token."""
        self._forge_seen = self._now()
        self._forge_trouble = None
        self._token_refused = False

    def forge_failed(self, trouble: str, *, token_refused: bool = False) -> None:
        """The forge gave no answer, or a bad one; where it refuses the token, nothing can be done from now on."""
        self._forge_trouble = trouble
        self._token_refused = token_refused

    def sweep_done(self) -> None:
        """A sweep came to its end."""
        self._swept = self._now()
        self._sweep_trouble = None

    def sweep_failed(self, trouble: str) -> None:
        """A sweep broke off."""
        self._sweep_trouble = trouble

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether work can be done now, and why.

        A failed sweep does not count: turning webhooks away because one was missed would only lose more.
        """
        seen = self._forge_seen
        is_reachable = seen is not None and self._now() - seen <= FORGE_SILENCE
        is_running = self._engine.is_running
        disk_trouble = next(filter(None, map(_trouble_writing, self._places)), None)
        is_ready = is_reachable and not self._token_refused and is_running and disk_trouble is None
        return is_ready, {
            "ready": is_ready,
            "forge": {
                "reachable": is_reachable,
                "token_refused": self._token_refused,
                "last_answer": _written(seen),
                "trouble": self._forge_trouble,
            },
            "engine": {"running": is_running, "waiting": self._engine.waiting, "busy": self._engine.running},
            "disk": {"writable": disk_trouble is None, "trouble": disk_trouble},
            "sweep": {"last_success": _written(self._swept), "trouble": self._sweep_trouble},
            "analyzer": {"isolated": self._exposed is None, "trouble": self._exposed},
        }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _trouble_writing(place: Path) -> str | None:
    """Why nothing can be written to a directory, a sentence."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix="onehead-probe-", dir=place) as probe:
            probe.write(_PROBE)
            probe.flush()
    except OSError as error:
        return f"Nothing can be written to {place}: {error.strerror or error}. Every job fails until that is corrected."
    return None


# A job is a fetch, some parsing and a few requests: tenths of a second when all is well, minutes when it is not.
_JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Counters of one engine, in a registry of their own so that two services in one process don't mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
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
        self._forge = Gauge("onehead_forge_reachable", "1 when Forgejo answered when last asked.", registry=registry)
        self._sweep = Gauge(
            "onehead_last_sweep_success_timestamp_seconds",
            "When a sweep last came to its end, in seconds since 1970; 0 before the first.",
            registry=registry,
        )
        self._verdicts = Counter("onehead_verdicts", "Verdicts given, by kind.", ["verdict"], registry=registry)

    def watch(self, engine: Engine) -> None:
        """Read the queue's depth from this engine whenever the metrics are asked for."""
        self._waiting.set_function(lambda: engine.waiting)
        self._running.set_function(lambda: engine.running)

    def run(self, run: JobRun) -> None:
        """A job was run; give this to the engine."""
        self._jobs.labels(run.outcome).inc()
        self._job_seconds.observe(run.seconds)

    def verdict(self, verdict: str) -> None:
        """A branch or pull request was judged: `ok`, `collision`, `fork`, `broken` or `unreadable`."""
        self._verdicts.labels(verdict).inc()

    def forge(self, *, reachable: bool) -> None:
        """Forgejo was asked for a sign of life."""
        self._forge.set(reachable)

    def swept(self, at: float) -> None:
        """A sweep came to its end at `at`, seconds since 1970."""
        self._sweep.set(at)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)

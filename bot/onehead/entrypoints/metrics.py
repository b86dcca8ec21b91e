"""What the service counts, for Prometheus. No label holds a name from outside, so their number stays small."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from onehead.jobs.engine import Engine, Run

# A job is a fetch, some parsing and a few requests: tenths of a second when all is well, minutes when it is not.
_JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Counters of one service, in a registry of their own so that two services in one process don't mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._webhooks = Counter(
            "onehead_webhooks",
            "Webhook deliveries by kind of event and outcome "
            "(queued, ignored, bad-signature, not-understood, too-large, incomplete).",
            ["event", "outcome"],
            registry=registry,
        )
        self._reports = Counter(
            "onehead_reports",
            "Reports of databases by outcome (queued, closed, bad-signature, not-fresh, not-understood, not-covered, "
            "too-large, incomplete).",
            ["outcome"],
            registry=registry,
        )
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

    def webhook(self, event: str, outcome: str) -> None:
        """A delivery was answered."""
        self._webhooks.labels(event, outcome).inc()

    def report(self, outcome: str) -> None:
        """A report of a database was answered."""
        self._reports.labels(outcome).inc()

    def run(self, run: Run) -> None:
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

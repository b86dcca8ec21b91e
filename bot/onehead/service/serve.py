"""The service: the process of the engine and the schedule, from start to a quiet end; it starts the door."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from types import FrameType
from typing import Any

import structlog
from croniter import croniter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from onehead import child_process
from onehead.errors import OneheadError, UsageError
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.errors import Unauthorised
from onehead.forge.intents import Write
from onehead.forge.models import Repository, RepositoryName
from onehead.forge.webhooks import HOOK_PATH
from onehead.gitrepo.mirror import Mirrors
from onehead.logs import configure
from onehead.plan.verdict import Examination
from onehead.screen import bare
from onehead.service.analyzer import Analyzers
from onehead.service.context import ServiceContext
from onehead.service.door import Door
from onehead.service.engine import MAX_DELAY, Engine, Everything, Job, JobRun, ScopeLeft, delay_after
from onehead.service.handler import handle
from onehead.service.setup import ensure_webhook
from onehead.service.sweep import Attention, in_scope, left_behind
from onehead.settings import Settings, load
from onehead.throwaway import remove_left_over

SECONDS_BETWEEN_SIGNS = 60.0

FORGE_SILENCE = timedelta(minutes=3)  # How old the forge's last answer may be. It is asked every minute.

_PROBE = bytes(64 * 1024)
"""More than a file system keeps beside the name of a file: on a full one an empty file can still be made."""

log = structlog.get_logger(__name__)


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
        """Every job writes to the `places`; `exposed`: what of the analyzer's isolation this system does not allow."""
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
        with TemporaryFile(prefix="onehead-probe-", dir=place) as probe:
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
        self.forge = Gauge("onehead_forge_reachable", "1 when Forgejo answered when last asked.", registry=registry)
        self.sweep = Gauge(
            "onehead_last_sweep_success_timestamp_seconds",
            "When a sweep last came to its end, in seconds since 1970; 0 before the first.",
            registry=registry,
        )
        self.verdicts = Counter("onehead_verdicts", "Verdicts given, by kind.", ["verdict"], registry=registry)

    def watch(self, engine: Engine) -> None:
        """Read the queue's depth from this engine whenever the metrics are asked for."""
        self._waiting.set_function(lambda: engine.waiting)
        self._running.set_function(lambda: engine.running)

    def run(self, run: JobRun) -> None:
        """A job was run; give this to the engine."""
        self._jobs.labels(run.outcome).inc()
        self._job_seconds.observe(run.seconds)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)


def next_time(cron: str, after: datetime) -> datetime:
    """The first moment after `after` that a cron expression names, in the time zone of `after`. Pure."""
    moment: datetime = croniter(cron, after).get_next(datetime)
    return moment


def pause_after(error: Exception, attempt: int) -> float:
    """Seconds until a round is tried again. Unlike a job, a round is never given up: nothing else would do it."""
    delay = delay_after(error, attempt)
    return MAX_DELAY if delay is None else delay


def is_refusal(error: BaseException | None) -> bool:
    """Whether the forge refuses our token."""
    return isinstance(error, Unauthorised)


class Rounds:
    """Two threads, from `start` to `stop`. A forge that is away is waited for; it never ends the service."""

    def __init__(
        self,
        *,
        account: Callable[[], int],
        sweep: Callable[[], None],
        cron: str | None,
        health: Health,
        metrics: Metrics,
        doubt: threading.Event | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Do nothing before `start`.

        `account` asks the forge whose token ours is; `sweep` looks after every repository, at the times of `cron` (in
        UTC; `None` for only at start-up and when the forge has been away). `doubt` is set by whoever has met with a
        refusal of the token: then the forge is asked at once.
        """
        self._account = account
        self._sweep = sweep
        self._cron = cron
        self._health = health
        self._metrics = metrics
        self._now = now
        self._stopping = threading.Event()
        self._sweep_wanted = threading.Event()
        self._doubt = doubt or threading.Event()
        # Daemons: a sweep in the middle of a thousand repositories does not hold up the end of the process.
        self._threads = [
            threading.Thread(target=loop, name=f"onehead-{name}", daemon=True)
            for name, loop in (("forge", self._watch_forge), ("sweep", self._keep_sweeping))
        ]

    def start(self) -> None:
        """Begin both rounds."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no further round."""
        self._stopping.set()
        self._sweep_wanted.set()
        self._doubt.set()

    def _watch_forge(self) -> None:
        failures = 0
        is_known = False
        while not self._stopping.is_set():
            try:
                account = self._account()
            except Exception as error:  # whatever it is, the service must not go blind for it
                failures += 1
                pause = min(SECONDS_BETWEEN_SIGNS, pause_after(error, failures))
                self._health.forge_failed(_told(error), token_refused=is_refusal(error))
                self._metrics.forge.set(False)
                is_known = False
                log.warning("Forgejo can't be used now; asking again.", error=_told(error), retry_in=pause)
            else:
                failures = 0
                pause = SECONDS_BETWEEN_SIGNS
                self._health.forge_answered()
                self._metrics.forge.set(True)
                if not is_known:
                    is_known = True
                    log.info("Forgejo answers; looking after everything that was missed.", account=account)
                    # Start-up and the end of an outage are alike: webhooks are sent once, and those were lost.
                    self._sweep_wanted.set()
            self._doubt.wait(pause)
            self._doubt.clear()

    def _keep_sweeping(self) -> None:
        # Nothing is swept before the forge has answered once.
        pause: float | None = None
        failures = 0
        while True:
            self._sweep_wanted.wait(pause)
            self._sweep_wanted.clear()
            if self._stopping.is_set():
                return
            try:
                self._sweep()
            except Exception as error:  # the next sweep must come, whatever ended this one
                failures += 1
                pause = pause_after(error, failures)
                self._health.sweep_failed(_told(error))
                trace = None if isinstance(error, OneheadError) else error
                log.warning("A sweep broke off; sweeping again.", error=_told(error), retry_in=pause, exc_info=trace)
            else:
                failures = 0
                now = self._now()
                pause = None if self._cron is None else max(0.0, (next_time(self._cron, now) - now).total_seconds())
                self._health.sweep_done()
                self._metrics.sweep.set(now.timestamp())
                log.info("A sweep is done.", next_in=pause)


def _told(error: Exception) -> str:
    """An error as a person should read it, with what to do next."""
    if isinstance(error, OneheadError):
        return f"{error.message} {error.hint}".strip()
    return f"{type(error).__name__}: {error}"


SECONDS_TO_FINISH = 25.0  # For jobs that are running then. Kubernetes kills after 30 seconds, answers included.


def serve(
    settings: Settings,
    *,
    engine: Engine,
    metrics: Metrics,
    account: Callable[[], int],
    sweep: Callable[[], None],
    doubt: threading.Event | None = None,
    exposed: str | None = None,
) -> None:
    """Run the service until SIGTERM or SIGINT; call it from the main thread.

    On a signal no further connection is accepted and no further job begun; running jobs may finish within
    `SECONDS_TO_FINISH`. What was cut off or still waiting is found by the sweep of the next start.

    The engine is not started yet; its handler counts into the same metrics. For the rest see `Rounds` and `Health`.

    Raises:
        UsageError: nothing can listen at the address.
        OneheadError: the door has ended.
    """
    with _listening(*settings.listen) as listener:
        health = Health(engine, places=[settings.cache_dir, Path(gettempdir())], exposed=exposed)
        metrics.watch(engine)
        host, port = listener.getsockname()[:2]
        log.info(
            "Listening for webhooks.",
            url=f"http://{f'[{host}]' if ':' in host else host}:{port}{HOOK_PATH}",
            forgejo=settings.forgejo_url,
            repositories=",".join(settings.repositories),
            sweep=settings.sweep or "off",
        )
        door = Door(listener, settings)

        def known_account() -> int:
            found = account()
            door.know_account(found)
            return found

        rounds = Rounds(
            account=known_account, sweep=sweep, cron=settings.sweep, health=health, metrics=metrics, doubt=doubt
        )
        with _signals_end(door):
            engine.start()
            rounds.start()
            try:
                door.attend(engine.submit, health.report, metrics.text)
            finally:
                log.info("Stopping: no more webhooks are taken; running jobs may finish.", busy=engine.running)
                rounds.stop()
                if engine.stop(SECONDS_TO_FINISH):
                    log.info("Stopped.")
                else:
                    log.warning("Stopped before every job had finished; the next start takes them up again.")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket, opened before anything else so that a taken port is a sentence and not a trace."""
    is_v6 = ":" in host
    try:
        listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if is_v6 else socket.AF_INET,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        shown = f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
        # Python adds the address a second time; only the reason is wanted. Unknown hosts have negative numbers.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise UsageError(
            f"The service can't listen at {shown}: {reason}.",
            "Choose another address with ONEHEAD_LISTEN, or end the program that uses this one.",
        ) from error
    with listener:
        # Inherited by every connection. asyncio sets it only on sockets that name their protocol, which these
        # don't; without it an answer, written as head and body, waits 40 ms for the client's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@contextmanager
def _signals_end(door: Door) -> Iterator[None]:
    """A signal closes the door and nothing more; the rest follows from that."""

    def end(_number: int, _frame: FrameType | None) -> None:
        door.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def equip(
    settings: Settings,
    *,
    judged: Callable[[RepositoryName, Examination], None],
    record: Callable[[Write], None] = lambda _write: None,
    dry_run: bool = False,
    analyzers: Analyzers | None = None,
) -> ServiceContext:
    """Open everything that a run needs, see `ServiceContext`.

    Raises:
        UsageError: nothing can be kept in the cache directory.
    """
    _make_cache(settings.cache_dir)
    remove_left_over(gettempdir())
    token = settings.token.reveal()
    api = ForgejoApi(Connection(settings.forgejo_url, token))

    def mend(repository: Repository) -> None:
        # A deleted webhook is made anew where it is known what it has to be like.
        if not settings.public_url or not settings.webhook_secret:
            return
        if ensure_webhook(api, repository, settings.public_url, settings.webhook_secret[0].reveal()):
            log.info("Made or corrected the repository's webhook.", repository=str(repository.name))

    return ServiceContext(
        api=api,
        mirrors=Mirrors(settings.cache_dir / "mirrors", size=settings.cache_size),
        forgejo_url=settings.forgejo_url,
        token=token,
        cache=settings.cache_dir / "parsed",
        bot=settings.bot,
        covers=lambda repository: settings.covers(str(repository.name), repository.topics),
        judged=judged,
        ensure_webhook=(lambda _repository: None) if dry_run else mend,
        record=record,
        dry_run=dry_run,
        analyzers=analyzers,
    )


def _make_cache(folder: Path) -> None:
    """Find out now, and not in every job, that nothing can be kept."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"onehead can't write to its cache, {folder}: {error.strerror}.",
            "Correct the owner or the permissions, or name another directory with ONEHEAD_CACHE_DIR.",
        ) from error


def run(options: argparse.Namespace) -> int:
    """`onehead serve`: run the service until it is told to stop."""
    is_private = child_process.keep_to_ourselves()
    settings = load(os.environ, Path(options.config) if options.config else None)
    if settings.database_url is not None:
        raise UsageError(
            "ONEHEAD_DATABASE_URL is set, but this version keeps its jobs in memory only.",
            "Unset it: nothing is lost without it, because the sweep at start-up finds what was missed.",
        )
    secrets = [secret.reveal() for secret in (settings.token, *settings.webhook_secret, *settings.report_secret)]
    configure(settings.log, secrets, stream=bare(sys.stderr))
    metrics = Metrics()
    network = child_process.cut_off(apart=True)
    exposed = _exposed(network, is_private=is_private)
    analyzers = Analyzers(network)
    context = equip(
        settings,
        judged=lambda _name, examination: metrics.verdicts.labels(examination.verdict).inc(),
        analyzers=analyzers,
    )
    attention = Attention(context.api)

    def work(job: Job) -> None:
        handle(job, context)
        if Everything() in job.subjects:
            attention.looked_at(job.repository)

    doubt = threading.Event()

    def ran(run: JobRun) -> None:
        metrics.run(run)
        if is_refusal(run.error):
            doubt.set()

    engine = Engine(work, on_run=ran)

    def sweep() -> None:
        everything = list(context.api.repositories(context.me))
        for repository in attention.due(in_scope(everything, context.covers)):
            engine.submit(Job(str(repository.name), frozenset({Everything()})))
        for name in map(str, left_behind(everything, context, attention.knows)):
            attention.forget(name)
            engine.submit(Job(name, frozenset({ScopeLeft()})))

    try:
        serve(
            settings,
            engine=engine,
            metrics=metrics,
            account=lambda: context.whoami().id,
            sweep=sweep,
            doubt=doubt,
            exposed=exposed,
        )
    finally:
        analyzers.close()
    return 0


def _exposed(network: child_process.Network, *, is_private: bool) -> str | None:
    """What this system does not allow of what keeps the secrets from the analyzer; it is logged as well."""
    said = [] if is_private else ["Other processes of the same account can read the memory of the service."]
    said += [] if network.prefix else [network.told]
    for each in said:
        log.warning(
            "What strangers push is judged without all of its isolation.",
            trouble=each,
            hint="Let ordinary users make user namespaces here, or keep this account and its machine to onehead alone.",
        )
    return " ".join(said) or None

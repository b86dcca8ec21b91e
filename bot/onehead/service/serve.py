"""The service: the process of the engine and the schedule, from start to a quiet end; it starts the door."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from types import FrameType

import structlog

from onehead import child_process
from onehead.errors import UsageError
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.intents import Write
from onehead.forge.models import Repository, RepositoryName
from onehead.forge.webhooks import HOOK_PATH
from onehead.gitrepo.mirror import Mirrors
from onehead.logs import configure
from onehead.plan.verdict import Examination
from onehead.screen import bare
from onehead.service import canary
from onehead.service.analyzer import Analyzers
from onehead.service.context import Recollection, ServiceContext
from onehead.service.door import Door
from onehead.service.engine import EmbeddedEngine, Engine, Everything, Handler, Job, JobRun
from onehead.service.handler import handle
from onehead.service.health import Health
from onehead.service.memory import OwnShelf, Shelf
from onehead.service.metrics import Metrics
from onehead.service.page_store import PageStore
from onehead.service.page_view import PageView
from onehead.service.rounds import Rounds, Sweep, is_refusal
from onehead.service.setup import ensure_webhook
from onehead.service.sweep import Attention, Sweeper
from onehead.settings import Settings, load
from onehead.throwaway import remove_left_over

log = structlog.get_logger(__name__)


class Role(StrEnum):
    """What a process of the service does. Each of them sweeps, one at a time: what it has missed is found."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"

    @property
    def takes_webhooks(self) -> bool:
        """Whether it takes webhooks and reports."""
        return self is not Role.WORKER

    @property
    def works(self) -> bool:
        """Whether it looks at repositories; then it needs a cache."""
        return self is not Role.WEB


JOBS_AT_ONCE = 4

_SECONDS_BETWEEN_SIGNALS = 0.5

SECONDS_TO_FINISH = 25.0  # For jobs that are running then. Kubernetes kills after 30 seconds, answers included.


def serve(  # noqa: PLR0913 - what a process is made of
    settings: Settings,
    *,
    engine: Engine,
    metrics: Metrics,
    account: Callable[[], int],
    sweep: Sweep,
    canary: Callable[[], None] | None = None,
    doubt: threading.Event | None = None,
    exposed: str | None = None,
    role: Role = Role.ALL,
    page: Callable[[str, str], tuple[int, str]] = lambda _path, _query: (404, ""),
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
        places = [Path(gettempdir()), *([settings.cache_dir] if role.works else [])]
        health = Health(engine.state, places=places, exposed=exposed)
        metrics.watch(engine.state)
        host, port = listener.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        log.info(
            "Listening for webhooks." if role.takes_webhooks else "Working; webhooks are taken elsewhere.",
            url=url + (HOOK_PATH if role.takes_webhooks else ""),
            forgejo=settings.forgejo_url,
            repositories=",".join(settings.repositories),
            sweep=settings.sweep or "off",
        )
        door = Door(listener, settings, takes_webhooks=role.takes_webhooks)

        def known_account() -> int:
            found = account()
            door.know_account(found)
            return found

        rounds = Rounds(
            account=known_account,
            sweep=sweep,
            cron=settings.sweep,
            canary=canary,
            health=health,
            metrics=metrics,
            doubt=doubt,
        )
        with _signals_end(door), ThreadPoolExecutor(1, "onehead-door") as attending:
            engine.start()
            rounds.start()
            try:
                ended = attending.submit(door.attend, engine.submit, health.report, metrics.text, page)
                while not ended.done():
                    # Another thread may get the signal, as after SIGCONT; that does not interrupt a wait without end.
                    wait([ended], _SECONDS_BETWEEN_SIGNALS)
                ended.result()
            finally:
                log.info("Stopping: no more webhooks are taken; running jobs may finish.", busy=engine.state().busy)
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
    shelf: Shelf | None = None,
    metrics: Metrics | None = None,
    role: Role = Role.ALL,
) -> ServiceContext:
    """Open everything that a run needs, see `ServiceContext`; without a shelf it remembers in this process.

    What the run does counts in the metrics.

    Raises:
        UsageError: nothing can be kept in the cache directory.
    """
    if role.works:
        _make_cache(settings.cache_dir)
        remove_left_over(gettempdir())
    token = settings.token.reveal()
    metrics = metrics or Metrics()
    api = ForgejoApi(Connection(settings.forgejo_url, token, on_request=metrics.request))
    mirrors = Mirrors(settings.cache_dir / "mirrors", observe=metrics.step, size=settings.cache_size)
    metrics.mirror_bytes.set_function(mirrors.size)

    def mend(repository: Repository) -> None:
        # A deleted webhook is made anew where it is known what it has to be like.
        if not settings.public_url or not settings.webhook_secret:
            return
        if ensure_webhook(api, repository, settings.public_url, settings.webhook_secret[0].reveal()):
            log.info("Made or corrected the repository's webhook.", repository=str(repository.name))

    return ServiceContext(
        api=api,
        mirrors=mirrors,
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
        page=PageStore(shelf) if shelf is not None and settings.shows_page else None,
        recollection=Recollection(shelf or OwnShelf()),
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
    """`onehead serve`: run the service until it is stopped."""
    role = Role(options.role)
    is_private = child_process.keep_to_ourselves()
    settings = load(os.environ, Path(options.config) if options.config else None)
    if settings.database_url is None and role is not Role.ALL:
        raise UsageError(
            f"--role {role} needs a database that the others share, and ONEHEAD_DATABASE_URL is not set.",
            "Set it to the address of a PostgreSQL database, or leave --role out to do everything in one process.",
        )
    secrets = [settings.token, *settings.webhook_secret, *settings.report_secret, *settings.page_token]
    secrets += [settings.database_url] if settings.database_url is not None else []
    configure(settings.log, [each.reveal() for each in secrets], stream=bare(sys.stderr))
    metrics, doubt = Metrics(), threading.Event()

    def ran(run: JobRun) -> None:
        metrics.run(run)
        if is_refusal(run.error):
            doubt.set()

    exposed, analyzers = None, None
    if role.works:
        network = child_process.cut_off(apart=True)
        exposed = _exposed(network, is_private=is_private)
        analyzers = Analyzers(network, observe=metrics.step, on_read=metrics.files_read)

    def work(job: Job) -> None:
        look = attention.next_look(job.repository)
        handle(job, context)
        if Everything() in job.subjects:
            attention.looked_at(job.repository, look)

    engine, shelf = _engine(settings, work, ran, concurrency=JOBS_AT_ONCE if role.works else 0)
    context = equip(
        settings,
        judged=lambda _name, examination: metrics.judged(examination.verdict),
        analyzers=analyzers,
        shelf=shelf,
        metrics=metrics,
        role=role,
    )
    attention = Attention(context.api, context.covers, shelf, context.page)
    with nullcontext() if analyzers is None else closing(analyzers):
        serve(
            settings,
            engine=engine,
            metrics=metrics,
            account=lambda: context.whoami().id,
            canary=None if analyzers is None else partial(canary.check, analyzers),
            sweep=Sweeper(context, attention, shelf, engine.submit).sweep,
            doubt=doubt,
            exposed=exposed,
            role=role,
            page=PageView(PageStore(shelf), settings.forgejo_url),
        )
    return 0


def _engine(
    settings: Settings, work: Handler, ran: Callable[[JobRun], None], *, concurrency: int
) -> tuple[Engine, Shelf]:
    """The engine that the settings ask for, and where it remembers.

    Raises:
        CannotJudge: the database can't be reached.
        UsageError: its tables are too old, or what PostgreSQL needs is not installed.
    """
    if settings.database_url is None:
        return EmbeddedEngine(work, on_run=ran, concurrency=concurrency), OwnShelf()
    from onehead.service.postgres_schema import require  # noqa: PLC0415 - of an extra; it says so where it is missing

    url = settings.database_url.reveal()
    require(url)
    from onehead.service.postgres_engine import PostgresEngine  # noqa: PLC0415

    engine = PostgresEngine(work, url, worker=settings.worker, on_run=ran, concurrency=concurrency)
    return engine, engine.shelf


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

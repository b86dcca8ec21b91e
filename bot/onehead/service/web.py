"""The HTTP side: verify → parse → enqueue → 202, for webhooks and reported rows; health and metrics."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, assert_never

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from onehead.databases import reported
from onehead.databases.reported import MAX_BYTES, SIGNATURE, ReportRefused, RowsReported, opened
from onehead.forge import webhooks
from onehead.forge.errors import BadSignature, NotUnderstood
from onehead.forge.webhooks import (
    BranchCreated,
    BranchDeleted,
    Commented,
    Event,
    IgnoredDelivery,
    PullRequestChanged,
    Push,
)
from onehead.service import engine
from onehead.service.engine import Engine, Job, JobRun, Subject

SECONDS_TO_SEND = 15.0  # Forgejo itself gives up after five

MAX_HELD = 64 * 1024 * 1024
"""Bytes of all bodies that are being read or looked at, apart from the first `SMALL` of each."""

SMALL = 64 * 1024
"""Bytes of a body that are always taken, so that no stranger's large ones keep a usual delivery out."""

SECONDS_UNTIL_ROOM = 15
"""What a sender is told that finds no room: by then each body of now has arrived, or was given up."""


class NoRoom(Exception):
    """Too many large bodies are on their way at once."""


class Bodies:
    """All bodies of one service.

    Attributes:
        held: bytes of them that count.
    """

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def read(self, request: Request, largest: int) -> AsyncIterator[bytes | None]:
        """The body while it is looked at; `None` when it has more than `largest` bytes, whatever its head says.

        Raises:
            NoRoom: there is no memory for it now.
            TimeoutError: it takes longer than `SECONDS_TO_SEND`.
            ClientDisconnect: the sender hung up.
        """
        body = _BodyModel(self)
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                whole = await body.receive(request, largest)
            yield whole
        finally:
            self.held -= body.held


class _BodyModel:
    def __init__(self, all_of_them: Bodies) -> None:
        self._all = all_of_them
        self.held = 0

    async def receive(self, request: Request, largest: int) -> bytes | None:
        """The body, or `None` where it is too large.

        One that is too large, or finds no room, is not kept, but read and thrown away, up to twice the size: a sender
        that writes everything before it reads would otherwise see a broken connection instead of the answer.

        Raises:
            NoRoom: there was none.
        """
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and len(announced) < 20 and int(announced) > 2 * largest:
            return None
        content = bytearray()
        size = 0
        is_room = True
        async for chunk in request.stream():
            size += len(chunk)
            if size > 2 * largest:
                return None
            is_room = is_room and (size > largest or self._make_room(size))
            if is_room and size <= largest:
                content += chunk
            else:
                content.clear()
        if not is_room:
            raise NoRoom
        return bytes(content) if size <= largest else None

    def _make_room(self, size: int) -> bool:
        """Count a body of so many bytes, where there is room for it."""
        more = max(0, size - SMALL) - self.held
        if more > 0 and self._all.held + more > MAX_HELD:
            return False
        self._all.held += max(0, more)
        self.held += max(0, more)
        return True


KINDS: dict[type[Event], str] = {
    Push: "push",
    BranchCreated: "create",
    BranchDeleted: "delete",
    PullRequestChanged: "pull_request",
    Commented: "comment",
    IgnoredDelivery: "other",
}
"""A short name for every kind of event: few and fixed, so that they can label a metric."""

COMMAND_MARK = "/onehead"


def job_for(event: Event) -> Job | str:
    """The job that an event asks for, or a clause saying why it asks for none.

    Only what is certain without reading anything else is turned away here; everything that may matter becomes a
    job, for the run looks at the forge anyway.
    """
    match event:
        case IgnoredDelivery():
            return event.reason
        # Forgejo sends both for a new branch, in any order, and tries each once: either is enough, and the
        # two are merged while they wait.
        case Push() | BranchCreated():
            return _job(event, engine.BranchMoved(f"refs/heads/{event.branch}"))
        case BranchDeleted():
            return _job(event, engine.BranchGone(f"refs/heads/{event.branch}"))
        case PullRequestChanged():
            # A changed title can make a draft of it and a changed ref gives it another target; a text does neither.
            if event.action == "edited" and event.changed == ("body",):
                return "only the text of the pull request has changed"
            return _job(event, engine.PullChanged(event.pull.number))
        case Commented():
            return _job_for_comment(event)
    assert_never(event)


def _job_for_comment(event: Commented) -> Job | str:
    if event.action == "deleted":
        return "the comment was deleted"
    # Most comments are talk. Whether this one really holds a command is decided by the grammar, in the run.
    if COMMAND_MARK not in event.comment.body.lower():
        return f"the comment does not mention {COMMAND_MARK}"
    # Permissions are those of the sender, who may have edited somebody else's comment.
    wrote_it = event.sender.id == event.comment.author.id
    may_write = (event.permissions.push or event.permissions.admin) if wrote_it else None
    return _job(event, engine.CommandGiven(event.comment.id, event.number, may_write))


def _job(event: Push | BranchCreated | BranchDeleted | PullRequestChanged | Commented, subject: Subject) -> Job:
    return Job(str(event.repository), frozenset({subject}))


FORGE_SILENCE = timedelta(minutes=3)
"""How old the forge's last answer may be. It is asked every minute."""


_PROBE = bytes(64 * 1024)
"""More than a file system keeps beside the name of a file: on a full one an empty file can still be made."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Health:
    """Written by the threads that find out, read by whoever asks. Each field is replaced as a whole: no lock."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utc_now, places: Sequence[Path] = ()) -> None:
        """Nothing is known yet.

        Args:
            engine: asked when somebody wants to know.
            now: the clock.
            places: directories that every job writes to.
        """
        self._engine = engine
        self._places = places
        self._now = now
        self._forge_seen: datetime | None = None
        self._forge_trouble: str | None = "not asked yet"
        self._token_refused = False
        self._swept: datetime | None = None
        self._sweep_trouble: str | None = None
        self.account: int | None = None
        """The forge's id of the bot's own account, by which its own events are known; `None` until it is known."""

    def forge_answered(self, account: int) -> None:
        """The forge knows our token and says whose it is."""
        self.account = account
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


log = structlog.get_logger(__name__)


class Reply(NamedTuple):
    """What a report is told: a status of HTTP, a fixed word, a sentence, and whose report it is where that is sure."""

    status: int
    outcome: str
    message: str
    repository: str | None = None
    database: str | None = None


class ReportDoor:
    """Takes reports; everything it needs is given to it."""

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        covers: Callable[[str], bool],
        submit: Callable[[Job], None],
        metrics: Metrics,
        now: Callable[[], datetime] = utc_now,
        bodies: Bodies | None = None,
    ) -> None:
        """Open the door.

        Args:
            secrets: keys derived from any of them may have signed; without one, the door stays shut.
            covers: whether `owner/name` is looked after.
            submit: takes a job and returns at once; the answer never waits for what the job does.
            metrics: counts.
            now: the clock.
            bodies: those of all doors together; `None` for this door's own.
        """
        self._bodies = bodies or Bodies()
        self._secrets = tuple(secrets)
        self._covers = covers
        self._submit = submit
        self._metrics = metrics
        self._now = now

    async def receive(self, request: Request) -> Response:
        """Answer one report."""
        reply = await self._answer(request)
        self._metrics.report(reply.outcome)
        say = log.info if reply.status == 202 else log.warning
        say(reply.message, kind="report", repository=reply.repository, database=reply.database)
        # What remains of a body that was not read would be taken for the next request.
        headers = {"Connection": "close"} if reply.status in {403, 408, 413, 503} else {}
        if reply.status == 503:
            headers["Retry-After"] = str(SECONDS_UNTIL_ROOM)
        content = {name: value for name, value in reply._asdict().items() if name != "status"}
        return JSONResponse(content, reply.status, headers)

    async def _answer(self, request: Request) -> Reply:
        if not self._secrets:
            said = "This onehead takes no reports, because ONEHEAD_REPORT_SECRET is not set. Set it and start it again."
            return Reply(403, "closed", said)
        try:
            async with self._bodies.read(request, MAX_BYTES) as body:
                return self._understand(request, body)
        except TimeoutError:
            return Reply(408, "incomplete", f"The report did not arrive within {SECONDS_TO_SEND:g} seconds.")
        except ClientDisconnect:
            return Reply(400, "incomplete", "The sender hung up before the report was complete.")
        except NoRoom:
            return Reply(503, "busy", "Too many large bodies come at once. Report again in a moment.")

    def _understand(self, request: Request, body: bytes | None) -> Reply:
        if body is None:
            return Reply(413, "too-large", f"The report is larger than {MAX_BYTES // 1024} KiB.")
        try:
            report = opened(self._secrets, request.headers.get(SIGNATURE, ""), body, self._now())
        except ReportRefused as refusal:
            status = 401 if refusal.outcome == "bad-signature" else 400
            return Reply(status, refusal.outcome, f"{refusal.message} {refusal.hint}".strip())
        whose = report.repository, report.database
        if not self._covers(report.repository):
            return Reply(404, "not-covered", "ONEHEAD_REPOSITORIES does not cover this repository.", *whose)
        subject = RowsReported(report.database, report.environment, report.rows, report.time)
        self._submit(Job(report.repository, frozenset({subject})))
        said = "The database will be forgotten." if report.rows is None else "The rows will be remembered."
        return Reply(202, "queued", said, *whose)


MAX_BODY_BYTES = 10 * 1024 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryReply:
    """What a delivery is told.

    Attributes:
        status: of HTTP.
        outcome: `queued`, `ignored` or the reason of a refusal, fixed words for scripts and metrics.
        message: a sentence for whoever reads the delivery in Forgejo's settings.
        event: the kind of event, where it was understood.
        repository: `owner/name`, where it is known.
    """

    status: int
    outcome: str
    message: str
    event: str = "unknown"
    repository: str | None = None


class HookDoor:
    """Takes deliveries of webhooks; everything it needs is given to it."""

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        covers: Callable[[str], bool],
        submit: Callable[[Job], None],
        health: Health,
        metrics: Metrics,
        bodies: Bodies | None = None,
    ) -> None:
        """Open the door.

        Args:
            secrets: any of them may have signed a delivery.
            covers: whether `owner/name` is looked after.
            submit: takes a job and returns at once; the answer never waits for what the job does.
            health: knows the bot's own account.
            metrics: counts.
            bodies: those of all doors together; `None` for this door's own.
        """
        self._bodies = bodies or Bodies()
        self._secrets = tuple(secrets)
        self._covers = covers
        self._submit = submit
        self._health = health
        self._metrics = metrics

    async def receive(self, request: Request) -> Response:
        """Answer one delivery."""
        answer = await self._answer(request)
        delivery = _delivery(request)
        self._metrics.webhook(answer.event, answer.outcome)
        say = log.info if answer.status == 202 else log.warning
        say(answer.message, kind=answer.event, repository=answer.repository, delivery=delivery)
        content = {
            "outcome": answer.outcome,
            "message": answer.message,
            "event": answer.event,
            "repository": answer.repository,
            "delivery": delivery,
        }
        # What remains of a body that was not read would be taken for the next request.
        headers = {"Connection": "close"} if answer.status in {408, 413, 503} else {}
        if answer.status == 503:
            headers["Retry-After"] = str(SECONDS_UNTIL_ROOM)
        return JSONResponse(content, answer.status, headers)

    async def _answer(self, request: Request) -> DeliveryReply:
        try:
            async with self._bodies.read(request, MAX_BODY_BYTES) as body:
                return self._understand(request, body)
        except TimeoutError:
            return DeliveryReply(408, "incomplete", f"The delivery did not arrive within {SECONDS_TO_SEND:g} seconds.")
        except ClientDisconnect:
            return DeliveryReply(400, "incomplete", "The sender hung up before the delivery was complete.")
        except NoRoom:
            return DeliveryReply(
                503, "busy", "Too many large deliveries come at once; the next sweep sees what it was about."
            )

    def _understand(self, request: Request, body: bytes | None) -> DeliveryReply:
        if body is None:
            size = f"{MAX_BODY_BYTES // 1024**2} MiB"
            return DeliveryReply(
                413, "too-large", f"The delivery is larger than {size}; the next sweep sees what it was about."
            )
        try:
            webhooks.verify(self._secrets, request.headers, body)
            event = webhooks.parse(request.headers, body)
        except BadSignature as error:
            return DeliveryReply(401, "bad-signature", f"{error.message} {error.hint}")
        except NotUnderstood as error:
            return DeliveryReply(400, "not-understood", f"{error.message} {error.hint}")
        return self._accept(event)

    def _accept(self, event: webhooks.Event) -> DeliveryReply:
        kind = KINDS[type(event)]
        if isinstance(event, webhooks.IgnoredDelivery):
            return _ignored(event.reason, kind)
        repository = str(event.repository)
        # Before the account is known our own events pass: their jobs find everything done and write nothing.
        if event.sender.id == self._health.account:
            return _ignored("onehead did this itself", kind, repository)
        if not self._covers(repository):
            return _ignored("ONEHEAD_REPOSITORIES does not cover this repository", kind, repository)
        job = job_for(event)
        if isinstance(job, str):
            return _ignored(job, kind, repository)
        self._submit(job)
        return DeliveryReply(202, "queued", "The repository will be looked at.", kind, repository)


def build_app(door: HookDoor, reports: ReportDoor, health: Health, metrics: Metrics) -> Starlette:
    """The ASGI app with its five paths."""

    def alive(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    # Not `async`: an engine on a database asks it how much is waiting, so these two run in a thread.
    def ready(_request: Request) -> Response:
        is_ready, report = health.report()
        return JSONResponse(report, 200 if is_ready else 503)

    def count(_request: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route(webhooks.HOOK_PATH, door.receive, methods=["POST"]),
            Route(reported.PATH, reports.receive, methods=["POST"]),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", count),
        ]
    )


def _ignored(reason: str, kind: str, repository: str | None = None) -> DeliveryReply:
    return DeliveryReply(202, "ignored", f"Nothing to do: {reason}.", kind, repository)


def _delivery(request: Request) -> str | None:
    """The delivery's id as Forgejo shows it. Anybody can send the header, so only what looks like an id is kept."""
    text = request.headers.get("x-forgejo-delivery") or request.headers.get("x-gitea-delivery") or ""
    return text if re.fullmatch(r"[0-9A-Za-z-]{1,64}", text) else None

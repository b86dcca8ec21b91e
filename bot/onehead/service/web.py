"""The HTTP side: verify → parse → enqueue → 202, for webhooks and reported rows; health and metrics.

It knows nothing of the work: what is behind it, in this process or in another, takes jobs and says how it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple, Protocol, assert_never

import structlog
from prometheus_client import CollectorRegistry, Counter, generate_latest
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
    RepositoryEvent,
)
from onehead.gitrepo.refs import HEADS
from onehead.service import engine
from onehead.service.engine import Job, Subject
from onehead.service.page_door import PageDoor

SECONDS_TO_SEND = 15.0  # Forgejo itself gives up after five

MAX_HELD = 64 * 1024 * 1024
"""Bytes of all bodies that are being read or looked at, apart from the first `SMALL` of each."""

SMALL = 64 * 1024  # bytes of a body that are always taken, so that no stranger's large ones keep a usual delivery out

SECONDS_UNTIL_ROOM = 15
"""What a sender is told that finds no room: by then each body of now has arrived, or was given up."""


class NoRoom(Exception):
    """Too many large bodies are on their way at once, or too many jobs."""


class Behind(Protocol):
    """What is behind the doors: the engine, in this process or in another."""

    account: int | None
    """The forge's id of the bot's own account, by which its own events are known; `None` until it is known."""

    def submit(self, job: Job) -> None:
        """Hand over a job. Returns at once; the answer never waits for what the job does.

        Raises:
            NoRoom: more jobs wait to be handed over than are held.
        """

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether work can be done now, and why."""

    async def metrics(self) -> bytes:
        """Its counters, as Prometheus reads them."""


class Bodies:
    """All bodies of one service; `held` are the bytes of them that count."""

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
        body = _BoundedBody(self)
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                whole = await body.receive(request, largest)
            yield whole
        finally:
            self.held -= body.held


class _BoundedBody:
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
            return _job(event, engine.BranchMoved(f"{HEADS}{event.branch}"))
        case BranchDeleted():
            return _job(event, engine.BranchGone(f"{HEADS}{event.branch}"))
        case PullRequestChanged():
            # A changed title can make a draft of it and a changed ref gives it another target; a text does neither.
            if event.action == "edited" and event.changed == ("body",):
                return "only the text of the pull request has changed"
            return _job(event, engine.PullChanged(event.pull.number))
        case Commented(action="deleted"):
            return "the comment was deleted"
        case Commented():
            # Most comments are talk. Whether this one really holds a command is decided by the grammar, in the run.
            if COMMAND_MARK not in event.comment.body.lower():
                return f"the comment does not mention {COMMAND_MARK}"
            # Permissions are those of the sender, who may have edited somebody else's comment.
            wrote_it = event.sender.id == event.comment.author.id
            may_write = event.permissions.may_write if wrote_it else None
            return _job(event, engine.CommandGiven(event.comment.id, event.number, may_write))
    assert_never(event)


def _job(event: RepositoryEvent, subject: Subject) -> Job:
    return Job(str(event.repository), frozenset({subject}))


class DoorMetrics:
    """Counters of the doors."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.webhooks = Counter(
            "onehead_webhooks",
            "Webhook deliveries by kind of event and outcome "
            "(queued, ignored, bad-signature, not-understood, too-large, incomplete, busy).",
            ["event", "outcome"],
            registry=self._registry,
        )
        self.reports = Counter(
            "onehead_reports",
            "Reports of databases by outcome (queued, closed, bad-signature, not-fresh, not-understood, not-covered, "
            "too-large, incomplete, busy).",
            ["outcome"],
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)


log = structlog.get_logger(__name__)


class Reply(NamedTuple):
    """What a sender is told: `outcome` is a fixed word, for scripts and metrics; `message` is a sentence for people.

    `about` is the kind of event, or the database of a report, where it was understood.
    """

    status: int
    outcome: str
    message: str
    repository: str | None = None
    about: str | None = None


class SignedPost:
    """A path that takes signed bodies; everything it needs is given to it. `largest` is in bytes."""

    noun: ClassVar[str]
    largest: ClassVar[int]
    too_large: ClassVar[str]
    busy: ClassVar[str]

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        covers: Callable[[str], bool],
        behind: Behind,
        metrics: DoorMetrics,
        bodies: Bodies | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Any of the secrets, or a key derived from it, may have signed; `bodies` are those of all doors together."""
        self._bodies = bodies or Bodies()
        self._secrets = tuple(secrets)
        self._covers = covers
        self._behind = behind
        self._metrics = metrics
        self._now = now

    async def receive(self, request: Request) -> Response:
        """Answer one request."""
        reply = await self._answer(request)
        known = self._counted(reply, request)
        say = log.info if reply.status == 202 else log.warning
        say(reply.message, **{"kind": self.noun, "repository": reply.repository, **known})
        # What remains of a body that was not read would be taken for the next request.
        headers = {"Connection": "close"} if reply.status in {403, 408, 413, 503} else {}
        if reply.status == 503:
            headers["Retry-After"] = str(SECONDS_UNTIL_ROOM)
        content = {"outcome": reply.outcome, "message": reply.message, "repository": reply.repository}
        named = {"event" if name == "kind" else name: value for name, value in known.items()}
        return JSONResponse(content | named, reply.status, headers)

    async def _answer(self, request: Request) -> Reply:
        try:
            async with self._bodies.read(request, self.largest) as body:
                if body is None:
                    return Reply(413, "too-large", self.too_large)
                return self._understood(request, body)
        except TimeoutError:
            return Reply(408, "incomplete", f"The {self.noun} did not arrive within {SECONDS_TO_SEND:g} seconds.")
        except ClientDisconnect:
            return Reply(400, "incomplete", f"The sender hung up before the {self.noun} was complete.")
        except NoRoom:
            return Reply(503, "busy", self.busy)

    def _understood(self, request: Request, body: bytes) -> Reply:
        """Check who has signed a body, and hand over its job."""
        raise NotImplementedError

    def _counted(self, reply: Reply, request: Request) -> dict[str, str | None]:
        """Count a reply; what is told and logged of it beside the repository."""
        raise NotImplementedError


class ReportDoor(SignedPost):
    """Takes reports of databases; stays shut where there is no secret."""

    noun = "report"
    largest = MAX_BYTES
    too_large = f"The report is larger than {MAX_BYTES // 1024} KiB."
    busy = "Too much comes at once. Report again in a moment."

    async def _answer(self, request: Request) -> Reply:
        if not self._secrets:
            said = "This onehead takes no reports, because ONEHEAD_REPORT_SECRET is not set. Set it and start it again."
            return Reply(403, "closed", said)
        return await super()._answer(request)

    def _understood(self, request: Request, body: bytes) -> Reply:
        try:
            report = opened(self._secrets, request.headers.get(SIGNATURE, ""), body, self._now())
        except ReportRefused as refusal:
            status = 401 if refusal.outcome == "bad-signature" else 400
            return Reply(status, refusal.outcome, f"{refusal.message} {refusal.hint}".strip())
        whose = report.repository, report.database
        if not self._covers(report.repository):
            return Reply(404, "not-covered", "ONEHEAD_REPOSITORIES does not cover this repository.", *whose)
        subject = RowsReported(report.database, report.environment, report.rows, report.time)
        self._behind.submit(Job(report.repository, frozenset({subject})))
        said = "The database will be forgotten." if report.rows is None else "The rows will be remembered."
        return Reply(202, "queued", said, *whose)

    def _counted(self, reply: Reply, request: Request) -> dict[str, str | None]:
        del request
        self._metrics.reports.labels(reply.outcome).inc()
        return {"database": reply.about}


MAX_BODY_BYTES = 10 * 1024 * 1024


class HookDoor(SignedPost):
    """Takes deliveries of webhooks."""

    noun = "delivery"
    largest = MAX_BODY_BYTES
    too_large = f"The delivery is larger than {MAX_BODY_BYTES // 1024**2} MiB; the next sweep sees what it was about."
    busy = "Too many deliveries come at once; the next sweep sees what it was about."

    def _understood(self, request: Request, body: bytes) -> Reply:
        try:
            webhooks.verify(self._secrets, request.headers, body)
            event = webhooks.parse(request.headers, body)
        except BadSignature as error:
            return Reply(401, "bad-signature", f"{error.message} {error.hint}")
        except NotUnderstood as error:
            return Reply(400, "not-understood", f"{error.message} {error.hint}")
        kind = KINDS[type(event)]
        if isinstance(event, IgnoredDelivery):
            return _ignored(event.reason, None, kind)
        repository = str(event.repository)
        # Before the account is known our own events pass: their jobs find everything done and write nothing.
        if event.sender.id == self._behind.account:
            return _ignored("onehead did this itself", repository, kind)
        if not self._covers(repository):
            return _ignored("ONEHEAD_REPOSITORIES does not cover this repository", repository, kind)
        job = job_for(event)
        if isinstance(job, str):
            return _ignored(job, repository, kind)
        delivery = _delivery(request)
        self._behind.submit(replace(job, deliveries=(delivery,)) if delivery else job)
        return Reply(202, "queued", "The repository will be looked at.", repository, kind)

    def _counted(self, reply: Reply, request: Request) -> dict[str, str | None]:
        kind = reply.about or "unknown"
        self._metrics.webhooks.labels(kind, reply.outcome).inc()
        return {"kind": kind, "delivery": _delivery(request)}


def build_app(
    door: HookDoor | None,
    reports: ReportDoor | None,
    behind: Behind,
    metrics: DoorMetrics,
    page: PageDoor | None = None,
) -> Starlette:
    """The ASGI app with the paths of its doors, and the three that are always there."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        is_ready, report = await behind.ready()
        return JSONResponse(report, 200 if is_ready else 503)

    async def count(_request: Request) -> Response:
        return Response(metrics.text() + await behind.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    taken = ((webhooks.HOOK_PATH, door), (reported.PATH, reports))
    return Starlette(
        routes=[
            *(Route(path, each.receive, methods=["POST"]) for path, each in taken if each is not None),
            *(page.routes() if page is not None else ()),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", count),
        ]
    )


def _ignored(reason: str, repository: str | None, kind: str) -> Reply:
    return Reply(202, "ignored", f"Nothing to do: {reason}.", repository, kind)


def _delivery(request: Request) -> str | None:
    """The delivery's id as Forgejo shows it. Anybody can send the header, so only what looks like an id is kept."""
    text = request.headers.get("x-forgejo-delivery") or request.headers.get("x-gitea-delivery") or ""
    return text if re.fullmatch(r"[0-9A-Za-z-]{1,64}", text) else None

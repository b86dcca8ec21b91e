"""The HTTP door: verify → parse → enqueue → 202, and three pages that say how the service is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from onehead.databases import reported
from onehead.entrypoints.event_jobs import KINDS, job_for
from onehead.entrypoints.health import Health
from onehead.entrypoints.metrics import Metrics
from onehead.entrypoints.report_door import ReportDoor
from onehead.entrypoints.request_body import SECONDS_TO_SEND, SECONDS_UNTIL_ROOM, Bodies, NoRoom
from onehead.forge import webhooks
from onehead.forge.errors import BadSignature, NotUnderstood
from onehead.jobs.job import Job

LARGEST_BODY = 10 * 1024 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
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

    async def _answer(self, request: Request) -> Answer:
        try:
            async with self._bodies.read(request, LARGEST_BODY) as body:
                return self._understand(request, body)
        except TimeoutError:
            return Answer(408, "incomplete", f"The delivery did not arrive within {SECONDS_TO_SEND:g} seconds.")
        except ClientDisconnect:
            return Answer(400, "incomplete", "The sender hung up before the delivery was complete.")
        except NoRoom:
            return Answer(503, "busy", "Too many large deliveries come at once; the next sweep sees what it was about.")

    def _understand(self, request: Request, body: bytes | None) -> Answer:
        if body is None:
            size = f"{LARGEST_BODY // 1024**2} MiB"
            return Answer(
                413, "too-large", f"The delivery is larger than {size}; the next sweep sees what it was about."
            )
        try:
            webhooks.verify(self._secrets, request.headers, body)
            event = webhooks.parse(request.headers, body)
        except BadSignature as error:
            return Answer(401, "bad-signature", f"{error.message} {error.hint}")
        except NotUnderstood as error:
            return Answer(400, "not-understood", f"{error.message} {error.hint}")
        return self._accept(event)

    def _accept(self, event: webhooks.Event) -> Answer:
        kind = KINDS[type(event)]
        if isinstance(event, webhooks.Ignored):
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
        return Answer(202, "queued", "The repository will be looked at.", kind, repository)


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


def _ignored(reason: str, kind: str, repository: str | None = None) -> Answer:
    return Answer(202, "ignored", f"Nothing to do: {reason}.", kind, repository)


def _delivery(request: Request) -> str | None:
    """The delivery's id as Forgejo shows it. Anybody can send the header, so only what looks like an id is kept."""
    text = request.headers.get("x-forgejo-delivery") or request.headers.get("x-gitea-delivery") or ""
    return text if re.fullmatch(r"[0-9A-Za-z-]{1,64}", text) else None

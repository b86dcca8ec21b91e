"""The door for what databases report: verify → parse → enqueue → 202. Deploy jobs knock here, not Forgejo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from onehead.databases.reported import LARGEST, SIGNATURE, Refused, opened
from onehead.entrypoints.health import utc_now
from onehead.entrypoints.metrics import Metrics
from onehead.entrypoints.request_body import SECONDS_TO_SEND, SECONDS_UNTIL_ROOM, Bodies, NoRoom
from onehead.jobs.job import Job, RowsReported

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
            async with self._bodies.read(request, LARGEST) as body:
                return self._understand(request, body)
        except TimeoutError:
            return Reply(408, "incomplete", f"The report did not arrive within {SECONDS_TO_SEND:g} seconds.")
        except ClientDisconnect:
            return Reply(400, "incomplete", "The sender hung up before the report was complete.")
        except NoRoom:
            return Reply(503, "busy", "Too many large bodies come at once. Report again in a moment.")

    def _understand(self, request: Request, body: bytes | None) -> Reply:
        if body is None:
            return Reply(413, "too-large", f"The report is larger than {LARGEST // 1024} KiB.")
        try:
            report = opened(self._secrets, request.headers.get(SIGNATURE, ""), body, self._now())
        except Refused as refusal:
            status = 401 if refusal.outcome == "bad-signature" else 400
            return Reply(status, refusal.outcome, f"{refusal.message} {refusal.hint}".strip())
        whose = report.repository, report.database
        if not self._covers(report.repository):
            return Reply(404, "not-covered", "ONEHEAD_REPOSITORIES does not cover this repository.", *whose)
        subject = RowsReported(report.database, report.environment, report.rows, report.time)
        self._submit(Job(report.repository, frozenset({subject})))
        said = "The database will be forgotten." if report.rows is None else "The rows will be remembered."
        return Reply(202, "queued", said, *whose)

"""The door for reports of databases: who may pass, what is refused, and that the answer waits for nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect
from structlog.testing import capture_logs

from onehead.databases.reported import MAX_BYTES, PATH, SIGNATURE, RowsReported, key_of, report_of, signature, written
from onehead.service import web
from onehead.service.engine import Job
from onehead.service.web import DoorMetrics, HookDoor, ReportDoor, build_app
from tests.service.doors import Beside

SECRET, SHOP = "a-secret-for-reports-of-tests", "acme/shop"
NOW = datetime(2026, 11, 28, 10, 15, tzinfo=UTC)


class Service:
    """The app with everything behind its doors noted instead of done."""

    def __init__(self, *, secrets: tuple[str, ...] = (SECRET,), covers: str = SHOP) -> None:
        self.jobs: list[Job] = []
        self.metrics = DoorMetrics()
        behind = Beside(self.jobs.append)
        hooks = HookDoor(secrets=["w"], covers=lambda _: True, behind=behind, metrics=self.metrics)
        reports = ReportDoor(
            secrets=secrets,
            covers=lambda name: name == covers,
            behind=behind,
            metrics=self.metrics,
            now=lambda: NOW,
        )
        self.app = build_app(hooks, reports, behind, self.metrics)

    def post(self, body: bytes | AsyncIterator[bytes], given: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.post(PATH, content=body, headers={SIGNATURE: given})

        return asyncio.run(ask())

    def refuse(self, body: bytes, given: str, status: int, outcome: str) -> str:
        """The sentence with which something is refused; nothing else came of it."""
        answer = self.post(body, given)
        said: dict[str, Any] = answer.json()
        assert (answer.status_code, said["outcome"]) == (status, outcome)
        assert self.jobs == []
        assert f'onehead_reports_total{{outcome="{outcome}"}} 1.0' in self.metrics.text().decode().splitlines()
        return str(said["message"])


def body_of(*rows: str, repository: str = SHOP, at: datetime = NOW) -> bytes:
    return written(report_of(repository, "production", "", rows, at))


def signed(body: bytes, repository: str = SHOP) -> str:
    return signature(key_of(SECRET, repository), body)


def test_a_report_is_a_job_and_the_answer_waits_for_nothing() -> None:
    service, body = Service(), body_of("019")
    answer = service.post(body, signed(body))
    assert (answer.status_code, answer.json()) == (
        202,
        {
            "outcome": "queued",
            "message": "The rows will be remembered.",
            "repository": SHOP,
            "database": "production",
        },
    )
    assert service.jobs == [Job(SHOP, frozenset({RowsReported("production", "", ("019",), "2026-11-28T10:15:00Z")}))]
    assert 'onehead_reports_total{outcome="queued"} 1.0' in service.metrics.text().decode().splitlines()


def test_a_database_is_forgotten_with_the_secret_itself() -> None:
    service, body = Service(), written(report_of(SHOP, "production", "alembic", None, NOW))
    answer = service.post(body, signature(key_of(SECRET, SHOP, "forget"), body))
    assert (answer.status_code, answer.json()["message"]) == (202, "The database will be forgotten.")
    assert service.jobs == [Job(SHOP, frozenset({RowsReported("production", "alembic", None, "2026-11-28T10:15:00Z")}))]


@pytest.mark.parametrize("given", ["", "0" * 64, signed(body_of("020")), signed(body_of("019"), "acme/other")])
def test_a_bad_signature(given: str) -> None:
    said = Service().refuse(body_of("019"), given, 401, "bad-signature")
    assert said == (
        "The report is not signed with the key of this repository. Give the job the key that `onehead report-rows "
        "--show-key` prints for this repository."
    )


def test_nobody_reports_for_another_repository() -> None:
    body = body_of("019", repository="acme/other")
    Service().refuse(body, signed(body, SHOP), 401, "bad-signature")


def test_an_old_report() -> None:
    body = body_of("019", at=NOW - timedelta(minutes=6))
    said = Service().refuse(body, signed(body), 400, "not-fresh")
    assert said == (
        "The report says it is of 2026-11-28T10:09:00Z, and here it is 2026-11-28T10:15:00Z: more than 5 minutes "
        "apart. Set the clocks right and report again; an old report is not taken twice."
    )


def test_a_report_that_is_too_large() -> None:
    body = body_of("019") + b" " * MAX_BYTES
    assert Service().refuse(body, signed(body), 413, "too-large") == "The report is larger than 128 KiB."


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'{"repository": "acme/shop"}', b"\xff\xfe", b"[" * 50_000])
def test_what_is_no_report(body: bytes) -> None:
    Service().refuse(body, signed(body), 400, "not-understood")


def test_a_repository_that_is_not_looked_after() -> None:
    body = body_of("019", repository="acme/other")
    said = Service().refuse(body, signed(body, "acme/other"), 404, "not-covered")
    assert said == "ONEHEAD_REPOSITORIES does not cover this repository."


def test_without_a_secret_the_door_is_shut() -> None:
    body = body_of("019")
    said = Service(secrets=()).refuse(body, signature(key_of("", SHOP), body), 403, "closed")
    assert said.startswith("This onehead takes no reports, because ONEHEAD_REPORT_SECRET is not set.")


def test_who_sends_too_slowly_or_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SECONDS_TO_SEND", 0.01)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    answer = Service().post(slowly(), "")
    assert (answer.status_code, answer.json()["outcome"]) == (408, "incomplete")

    async def hang_up(*_: object) -> bytes:
        raise ClientDisconnect

    monkeypatch.setattr("onehead.service.web._BoundedBody.receive", hang_up)
    assert "hung up" in Service().refuse(b"{}", "", 400, "incomplete")


def test_who_was_refused_is_in_the_log_without_the_signature() -> None:
    body = body_of("019")
    with capture_logs() as logs:
        Service().post(body, "0" * 64)
        Service().post(body, signed(body))
    assert [(line["log_level"], line["kind"], line["repository"]) for line in logs] == [
        ("warning", "report", None),
        ("info", "report", SHOP),
    ]
    assert signed(body) not in json.dumps(logs)


def test_only_post_is_an_answer() -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Service().app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(PATH)

    assert asyncio.run(ask()).status_code == 405

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from onehead.service.engine import BranchMoved, EmbeddedEngine, Job, PullChanged
from onehead.service.health import Health
from onehead.service.metrics import Metrics
from onehead.service.web import MAX_BODY_BYTES, DoorMetrics, HookDoor, NoRoom, build_app
from tests.service.deliveries import DELIVERY, SECRET, payload, recorded, signed
from tests.service.doors import Beside, no_reports

API = "courtside/basketball-api"
PUSH = Job(API, frozenset({BranchMoved("refs/heads/feature/standings")}))


class Service:
    """The app with everything around it noted instead of done."""

    def __init__(self, *, covers: str = API, secrets: tuple[str, ...] = (SECRET,), account: int | None = 99) -> None:
        self.jobs: list[Job] = []
        self.metrics = Metrics()
        self.engine = EmbeddedEngine(lambda _job: None)
        self.health = Health(self.engine.state)
        self.counts = DoorMetrics()
        self.behind = Beside(self.jobs.append, self.health, self.metrics, account)
        door = HookDoor(
            secrets=secrets,
            covers=lambda repository: repository == covers,
            behind=self.behind,
            metrics=self.counts,
        )
        self.app: Starlette = build_app(door, no_reports(self.counts), self.behind, self.counts)

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.request(method, path, **rest)

        return asyncio.run(ask())

    def deliver(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return self.request("POST", "/hooks/forgejo", content=body, headers=headers)

    def counted(self, event: str, outcome: str) -> bool:
        line = f'onehead_webhooks_total{{event="{event}",outcome="{outcome}"}} 1.0'
        return line in self.counts.text().decode().splitlines()


def said(outcome: str, message: str, event: str = "unknown", repository: str | None = None) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "message": message,
        "event": event,
        "repository": repository,
        "delivery": DELIVERY,
    }


def test_a_signed_push_is_queued() -> None:
    service = Service()
    with capture_logs() as lines:
        answer = service.deliver(*recorded("push"))

    assert answer.status_code == 202
    assert answer.json() == said("queued", "The repository will be looked at.", "push", API)
    assert service.jobs == [PUSH]
    assert service.counted("push", "queued")
    assert lines == [
        {
            "event": "The repository will be looked at.",
            "log_level": "info",
            "kind": "push",
            "repository": API,
            "delivery": DELIVERY,
        }
    ]


def test_a_form_is_understood_as_well() -> None:
    body, headers = recorded("push")
    form = urlencode({"payload": body.decode()}).encode()
    service = Service()

    answer = service.deliver(form, headers | {"Content-Type": "application/x-www-form-urlencoded"})

    assert (answer.status_code, service.jobs) == (202, [PUSH])


def test_while_secrets_are_changed_both_are_accepted() -> None:
    for secret in ("new", "old"):
        service = Service(secrets=("new", "old"))
        assert service.deliver(*signed("push", payload("push"), secret)).status_code == 202
        assert service.jobs == [PUSH]


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Forgejo-Signature": "0" * 64},
        {"X-Forgejo-Signature": ""},
        {"X-Forgejo-Signature": "\u00e9".encode("latin-1")},
    ],
)
def test_a_forged_signature_is_refused_and_nothing_is_queued(forged: dict[str, str]) -> None:
    service = Service()
    body, headers = signed("push", payload("push"))

    with capture_logs() as lines:
        answer = service.deliver(body, headers | forged)

    assert (answer.status_code, service.jobs) == (401, [])
    assert answer.json()["outcome"] == "bad-signature"
    assert answer.json()["message"].endswith(" ONEHEAD_WEBHOOK_SECRET.")
    assert service.counted("unknown", "bad-signature")
    assert [line["log_level"] for line in lines] == ["warning"]
    assert SECRET not in repr(lines)


def test_a_changed_byte_is_refused() -> None:
    service = Service()
    body, headers = recorded("push")

    assert service.deliver(body.replace(b"standings", b"standinga"), headers).status_code == 401
    assert service.jobs == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"ref": "refs/heads/main"}', b"[" * 100_000, b"\xff"])
def test_what_is_signed_but_not_understood(body: bytes) -> None:
    service = Service()

    answer = service.deliver(*signed("push", body))

    assert (answer.status_code, service.jobs) == (400, [])
    assert answer.json()["outcome"] == "not-understood"
    assert service.counted("unknown", "not-understood")


def test_a_delivery_that_is_too_large() -> None:
    service = Service()
    body, headers = signed("push", b" " * (MAX_BODY_BYTES + 1))

    answer = service.deliver(body, headers)

    assert (answer.status_code, service.jobs) == (413, [])
    assert answer.json() == said(
        "too-large", "The delivery is larger than 10 MiB; the next sweep sees what it was about."
    )
    assert answer.headers["connection"] == "close"
    assert service.counted("unknown", "too-large")


def test_the_largest_delivery_is_read() -> None:
    service = Service()
    text = signed("push", payload("push"))[0]

    answer = service.deliver(*signed("push", text + b" " * (MAX_BODY_BYTES - len(text))))

    assert (answer.status_code, service.jobs) == (202, [PUSH])


def test_where_too_many_jobs_wait_the_forge_is_told() -> None:
    service = Service()

    def full(_job: Job) -> None:
        raise NoRoom

    service.behind.submit = full
    answer = service.deliver(*recorded("push"))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "15")
    assert answer.json() == said("busy", "Too many deliveries come at once; the next sweep sees what it was about.")


def test_our_own_events_are_dropped() -> None:
    service = Service(account=3)

    answer = service.deliver(*recorded("push"))

    assert (answer.status_code, service.jobs) == (202, [])
    assert answer.json() == said("ignored", "Nothing to do: onehead did this itself.", "push", API)


def test_before_our_account_is_known_nothing_is_taken_for_our_own() -> None:
    service = Service(account=None)

    service.deliver(*recorded("push"))

    assert service.jobs == [PUSH]


def test_repositories_out_of_scope_are_ignored() -> None:
    service = Service(covers="acme/shop")

    answer = service.deliver(*recorded("pull_request_opened"))

    assert (answer.status_code, service.jobs) == (202, [])
    assert answer.json()["message"] == "Nothing to do: ONEHEAD_REPOSITORIES does not cover this repository."
    assert service.counted("pull_request", "ignored")


def test_events_that_change_nothing_say_why() -> None:
    service = Service()

    talk = service.deliver(*recorded("issue_comment_created_on_pr"))
    unknown = service.deliver(*signed("repository", {}))

    assert talk.json()["message"] == "Nothing to do: the comment does not mention /onehead."
    assert unknown.status_code == 202
    assert unknown.json() == said("ignored", "Nothing to do: repository changes nothing for onehead.", "other")
    assert service.jobs == []


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "<script>"])
def test_only_what_looks_like_a_delivery_id_is_repeated(text: str) -> None:
    body, headers = signed("push", payload("push"))

    assert Service().deliver(body, headers | {"X-Forgejo-Delivery": text}).json()["delivery"] is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/hooks/forgejo", 405), ("PUT", "/hooks/forgejo", 405), ("POST", "/healthz", 405), ("GET", "/", 404)],
)
def test_other_doors_are_closed(method: str, path: str, status: int) -> None:
    assert Service().request(method, path).status_code == status


def test_alive_whatever_else() -> None:
    answer = Service().request("GET", "/healthz")

    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_ready_when_the_forge_answered_and_the_engine_runs() -> None:
    service = Service()
    before = service.request("GET", "/readyz")
    service.health.forge_answered()
    without_engine = service.request("GET", "/readyz")
    service.engine.start()
    now = service.request("GET", "/readyz")
    service.engine.stop(10)
    stopped = service.request("GET", "/readyz")

    assert [each.status_code for each in (before, without_engine, now, stopped)] == [503, 503, 200, 503]
    assert before.json() == {
        "ready": False,
        "forge": {"reachable": False, "token_refused": False, "last_answer": None, "trouble": "not asked yet"},
        "engine": {"running": False, "waiting": 0, "busy": 0, "trouble": None},
        "disk": {"writable": True, "trouble": None},
        "sweep": {"last_success": None, "trouble": None},
        "canary": {"last_success": None, "seconds_ago": None, "trouble": None},
        "analyzer": {"isolated": True, "trouble": None},
    }


def test_metrics_count_jobs_verdicts_and_sweeps() -> None:
    service = Service()
    engine = EmbeddedEngine(lambda _job: None, on_run=service.metrics.run)
    service.metrics.watch(engine.state)
    engine.submit(Job("a/a", frozenset({PullChanged(1)})))
    waiting = service.request("GET", "/metrics")
    engine.start()
    assert engine.wait_until_idle(10)
    engine.stop(10)
    service.metrics.judged("collision")
    service.metrics.forge.set(True)
    service.metrics.sweep.set(1782000000.0)
    done = service.request("GET", "/metrics")

    assert waiting.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "onehead_jobs_waiting 1.0" in waiting.text.splitlines()
    assert {
        "onehead_jobs_waiting 0.0",
        "onehead_jobs_running 0.0",
        'onehead_jobs_total{outcome="done"} 1.0',
        "onehead_job_seconds_count 1.0",
        'onehead_verdicts_total{verdict="collision"} 1.0',
        "onehead_forge_reachable 1.0",
        "onehead_last_sweep_success_timestamp_seconds 1.782e+09",
    } <= set(done.text.splitlines())

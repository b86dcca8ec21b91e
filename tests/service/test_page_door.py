"""Who sees the page."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import httpx
import pytest

from onehead.service.page_door import PageAccess, PageDoor
from onehead.service.web import DoorMetrics, build_app
from tests.service.doors import Beside

TOKEN = "t0ken-that-is-long-enough-ä"
OLD = "the-one-that-is-replaced-now"


def basic(password: str, user: str = "anybody") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def ask(
    path: str = "/repositories",
    method: str = "GET",
    *,
    access: PageAccess | None = PageAccess((OLD, TOKEN)),  # noqa: B008 - a value
    peer: str = "192.0.2.7",
    headers: Any = None,
) -> httpx.Response:
    behind = Beside(show=lambda path, query: (200, f"<p>{path}?{query}"))
    page = None if access is None else PageDoor(access, behind)
    app = build_app(None, None, behind, DoorMetrics(), page)

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    "given",
    [basic(TOKEN), basic(OLD, ""), f"Bearer {OLD}", f"bearer  {OLD}", basic(TOKEN, "ä").replace("Basic", "BASIC")],
)
def test_a_token_opens_it(given: str) -> None:
    answer = ask(headers={"Authorization": given})
    assert (answer.status_code, answer.text) == (200, "<p>?")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer x",
        f"Bearer {TOKEN[:-1]}x".encode(),
        f"Token {OLD}",
        OLD,
        basic(""),
        basic(OLD[:-1]),
        basic(OLD + "x"),
        basic("", OLD),
        f"Basic {OLD}",
        "Basic " + b64encode(b"\xff\xff:\xff").decode(),
        "Basic ====",
    ],
)
def test_nothing_else_does(given: str | bytes) -> None:
    answer = ask(headers={"Authorization": given} if given else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="onehead", charset="UTF-8"'
    assert "You are not signed in" in answer.text
    assert OLD not in answer.text


PROXIED = PageAccess.of([TOKEN], ["10.0.0.5/32", "fd00::/8"], "X-Forwarded-User")


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("10.0.0.5", [("X-Forwarded-User", "ann")], 200),
        ("::ffff:10.0.0.5", [("x-forwarded-user", "ann")], 200),
        ("fd00::1", [("X-Forwarded-User", "ann")], 200),
        ("10.0.0.5", [], 401),
        ("10.0.0.5", [("X-Forwarded-User", " ")], 401),
        ("10.0.0.5", [("X-Forwarded-User", "a" * 1000)], 401),
        ("10.0.0.5", [("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ann")], 401),
        ("10.0.0.5", [("Remote-User", "ann")], 401),
        ("10.0.0.6", [("X-Forwarded-User", "ann")], 401),
        ("10.0.0.6", [("X-Forwarded-User", "ann"), ("X-Forwarded-For", "10.0.0.5")], 401),
        ("10.0.0.6", [("X-Forwarded-User", "ann"), ("Forwarded", "for=10.0.0.5")], 401),
        ("testclient", [("X-Forwarded-User", "ann")], 401),
    ],
)
def test_a_proxy_is_believed_by_the_address_of_its_connection(
    peer: str, headers: list[tuple[str, str]], status: int
) -> None:
    assert ask(access=PROXIED, peer=peer, headers=headers).status_code == status


def test_without_a_proxy_nobody_is_believed() -> None:
    assert ask(peer="127.0.0.1", headers={"X-Forwarded-User": "ann"}).status_code == 401
    nobody = PageAccess.of([], ["10.0.0.5"], "X-Forwarded-User")
    assert ask(access=nobody, headers={"Authorization": basic("")}).status_code == 401
    assert ask(access=nobody, headers={"Authorization": "Bearer"}).status_code == 401


def test_where_it_is_not_switched_on_there_is_none() -> None:
    for path in ("/repositories", "/repositories/acme/shop"):
        assert ask(path, access=None, headers={"Authorization": basic(TOKEN)}).status_code == 404


SIGNED_IN = {"Authorization": basic(TOKEN)}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_it_can_only_be_read(method: str) -> None:
    assert ask(method=method, headers=SIGNED_IN).status_code == 405


def test_a_path_is_handed_on_as_it_is_named() -> None:
    assert (
        ask("/repositories/acme/sh%C3%B6p%20x?open=a&open=b", headers=SIGNED_IN).text == "<p>acme/shöp x?open=a&open=b"
    )
    assert ask("/repositories/acme", headers=SIGNED_IN).status_code == 404
    assert ask("/repositories/acme/shop/more", headers=SIGNED_IN).status_code == 404


@pytest.mark.parametrize("name", ["a" * 300, "shop%00", "shop%0A", "%ff%fe%1b"])
def test_what_is_no_name_is_looked_for_nowhere(name: str) -> None:
    """PostgreSQL refuses some of them, and long ones would take the room of jobs on the way to the engine."""
    answer = ask(f"/repositories/acme/{name}", headers=SIGNED_IN)
    assert (answer.status_code, "No repository has such a name." in answer.text) == (404, True)


@pytest.mark.parametrize("headers", [SIGNED_IN, {}])
def test_every_answer_is_shut_off(headers: dict[str, str]) -> None:
    found = ask(headers=headers).headers
    policy = found["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert policy[2:] == ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
    assert policy[1].startswith("style-src 'sha256-")
    assert "unsafe" not in found["content-security-policy"]
    assert (found["referrer-policy"], found["x-content-type-options"]) == ("no-referrer", "nosniff")
    assert (found["cache-control"], found["x-frame-options"]) == ("no-store", "DENY")
    assert found["content-type"] == "text/html; charset=utf-8"


def test_a_head_is_answered_like_the_page() -> None:
    assert ask(method="HEAD", headers=SIGNED_IN).status_code == 200
    assert ask(method="HEAD").status_code == 401

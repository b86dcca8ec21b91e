"""One line to Forgejo: token, tries, redirects, pages, and what is said when it fails."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
import respx

from onehead.errors import UsageError
from onehead.forge import client
from onehead.forge.client import TRIES, Connection
from onehead.forge.errors import NotFound, NotUnderstood, Refused, StateConflict, Unavailable
from tests.forge.swagger_samples import ROOT, TOKEN


def test_every_request_carries_the_token_and_nothing_else(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/user").respond(json={})
    connection.get("/user")
    request = forge.calls.last.request
    assert request.headers["Authorization"] == f"token {TOKEN}"
    assert request.headers["User-Agent"] == "onehead"
    assert TOKEN not in str(request.url)


def test_request_has_time_limits(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/user").respond(json={})
    connection.get("/user")
    limits = forge.calls.last.request.extensions["timeout"]
    assert limits == {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 30.0}


def test_root_may_have_a_path_and_a_slash(forge: respx.MockRouter) -> None:
    respx_route = forge.get("http://forge.test:3000/git/api/v1/version").respond(json={"version": "15"})
    with Connection(f"{ROOT}/git/", TOKEN) as opened:
        assert opened.get("/version").text("version") == "15"
    assert respx_route.call_count == 1


@pytest.mark.parametrize(
    "url",
    ["", "git.example.org", "ftp://git.example.org", "http://", "http://me:secret@git.example.org",
     "https://git.example.org/?token=secret", "https://git.example.org/#x", "http://[::1"],
)  # fmt: skip
def test_bad_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Connection(url, TOKEN)
    assert "secret" not in caught.value.message
    assert "ONEHEAD_FORGEJO_URL" in caught.value.hint


@pytest.mark.parametrize("token", ["a log line\ns3cret", "s3cret s3cret", "s3cret\x1b", "s3cr\xe9t"])
def test_a_token_that_is_no_word_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(UsageError, match="The token is not one word of plain characters") as caught:
        Connection(ROOT, token)
    assert "s3cr" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_repeatable_request_is_tried_again(
    method: str, connection: Connection, forge: respx.MockRouter, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "onehead")
    route = forge.route(method=method, path="/x")
    route.side_effect = [httpx.Response(502), httpx.ReadTimeout("late"), httpx.Response(200, json={"a": 1})]
    assert connection.send(method, "/x").data == {"a": 1}
    assert naps == [0.5, 1.0]
    assert [record.getMessage() for record in caplog.records] == [
        f"Forgejo answered 502 to {method} /x: Bad Gateway. Trying again in 0.5 s (try 2 of 4).",
        f"Forgejo at forge.test:3000 gave no answer to {method} /x: late. Trying again in 1.0 s (try 3 of 4).",
    ]


def test_each_request_is_reported_with_its_method_and_status(forge: respx.MockRouter) -> None:
    heard: list[tuple[str, int | None]] = []
    forge.get("/x").side_effect = [httpx.Response(502), httpx.ReadTimeout("late"), httpx.Response(404)]
    with (
        Connection(
            ROOT,
            TOKEN,
            sleep=lambda _seconds: None,
            on_request=lambda method, status, seconds: heard.append((method, status if seconds >= 0 else -1)),
        ) as opened,
        pytest.raises(NotFound),
    ):
        opened.get("/x")

    assert heard == [("GET", 502), ("GET", None), ("GET", 404)]


def test_tries_are_bounded(connection: Connection, forge: respx.MockRouter, naps: list[float]) -> None:
    route = forge.get("/x").respond(500, json={"message": ""})
    with pytest.raises(Unavailable) as caught:
        connection.get("/x")
    assert route.call_count == TRIES == 4
    assert naps == [0.5, 1.0, 2.0]
    assert caught.value.message == "Forgejo answered 500 to GET /x."
    assert caught.value.status == 500


def test_waits_are_spread(forge: respx.MockRouter) -> None:
    naps: list[float] = []
    forge.get("/x").respond(503)
    with Connection(ROOT, TOKEN, sleep=naps.append, chance=lambda: 0.0) as opened, pytest.raises(Unavailable):
        opened.get("/x")
    assert naps == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("failure", [httpx.Response(500), httpx.Response(503), httpx.ReadTimeout("late"),
                                     httpx.RemoteProtocolError("cut")])  # fmt: skip
def test_post_that_may_have_worked_is_not_repeated(
    failure: httpx.Response | Exception, connection: Connection, forge: respx.MockRouter, naps: list[float]
) -> None:
    route = forge.post("/x")
    route.side_effect = [failure]
    with pytest.raises(Unavailable):
        connection.send("POST", "/x", {"body": "text"})
    assert (route.call_count, naps) == (1, [])


@pytest.mark.parametrize("failure", [httpx.Response(429), httpx.ConnectError("refused"), httpx.ConnectTimeout("late")])
def test_post_that_never_worked_is_repeated(
    failure: httpx.Response | Exception, connection: Connection, forge: respx.MockRouter, naps: list[float]
) -> None:
    route = forge.post("/x")
    route.side_effect = [failure, httpx.Response(201, json={"id": 1})]
    assert connection.send("POST", "/x", {"body": "text"}).status == 201
    assert naps == [0.5]
    assert [call.request.content for call in route.calls] == [b'{"body": "text"}'] * 2


def test_retry_after_is_obeyed(connection: Connection, forge: respx.MockRouter, naps: list[float]) -> None:
    forge.get("/x").side_effect = [
        httpx.Response(429, headers={"Retry-After": "7"}),
        httpx.Response(200, json={}),
    ]
    connection.get("/x")
    assert naps == [7.0]


def test_long_retry_after_is_left_to_the_job(
    connection: Connection, forge: respx.MockRouter, naps: list[float]
) -> None:
    route = forge.get("/x").respond(429, headers={"Retry-After": "3600"})
    with pytest.raises(Unavailable) as caught:
        connection.get("/x")
    assert (route.call_count, naps, caught.value.retry_after) == (1, [], 3600.0)


def test_refusal_is_not_repeated(connection: Connection, forge: respx.MockRouter, naps: list[float]) -> None:
    route = forge.get("/x").respond(409, json={"message": "pull request already exists", "url": "…"})
    with pytest.raises(StateConflict) as caught:
        connection.get("/x")
    assert (route.call_count, naps) == (1, [])
    assert caught.value.message == "Forgejo answered 409 to GET /x: pull request already exists."


def test_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # wherever the tests run, this one asks nobody else
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        naps: list[float] = []
        with Connection(url, TOKEN, sleep=naps.append) as opened, pytest.raises(Unavailable) as caught:
            opened.send("POST", "/x", {})
    assert len(naps) == 3
    assert caught.value.message.startswith(f"Forgejo at {url.removeprefix('http://')} gave no answer to POST /x: ")
    assert "ONEHEAD_FORGEJO_URL" in caught.value.hint


@pytest.mark.parametrize("code", [301, 302, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["/api/v1/repos/new/name/issues/3/comments", "http://other.test/git/api/v1/repos/new/name/issues/3/comments"],
)
def test_renamed_repository_gets_the_same_post(
    code: int, location: str, connection: Connection, forge: respx.MockRouter
) -> None:
    forge.post("/repos/old/name/issues/3/comments").respond(code, headers={"Location": location})
    moved = forge.post("/repos/new/name/issues/3/comments").respond(201, json={"id": 1})
    answer = connection.send("POST", "/repos/old/name/issues/3/comments", {"body": "text"})
    assert answer.status == 201
    request = moved.calls.last.request
    # The token stays on the configured server, whatever the redirect says.
    assert (request.url.host, request.method, request.content) == ("forge.test", "POST", b'{"body": "text"}')


def test_redirect_keeps_the_query(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/repos/old/name/pulls").respond(
        301, headers={"Location": "/api/v1/repos/new/name/pulls?page=1&limit=50&state=open"}
    )
    moved = forge.get("/repos/new/name/pulls").respond(json=[])
    assert list(connection.pages("/repos/old/name/pulls", state="open")) == []
    assert dict(moved.calls.last.request.url.params) == {"page": "1", "limit": "50", "state": "open"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://bob:pw@login.test:444/sso?next=x", "https://login.test:444"),
        ("", "nowhere"),
        ("http://[", "http://%5B"),
        ("/user/login", "this server itself"),
    ],
)
def test_redirect_out_of_the_api_is_not_followed(
    location: str, told: str, status: int, connection: Connection, forge: respx.MockRouter
) -> None:
    forge.get("/user").respond(status, headers={"Location": location})
    with pytest.raises(NotUnderstood) as caught:
        connection.get("/user")
    assert forge.calls.call_count == 1
    assert caught.value.message == f"GET /user was redirected to {told}, and not to an address of the API."
    assert "ONEHEAD_FORGEJO_URL" in caught.value.hint


def test_a_forge_that_has_moved_is_named(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/user").respond(301, headers={"Location": "https://new.test/api/v1/user"})
    with pytest.raises(NotUnderstood) as caught:
        connection.get("/user")
    assert {call.request.url.host for call in forge.calls} == {"forge.test"}
    assert caught.value.message == "GET /user was redirected more than 3 times, the last time to https://new.test."


def test_circle_of_redirects_ends(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/repos/a/b").respond(301, headers={"Location": "/api/v1/repos/a/b"})
    with pytest.raises(NotUnderstood, match="redirected more than 3 times"):
        connection.get("/repos/a/b")
    assert forge.calls.call_count == 4


def _paged(forge: respx.MockRouter, pages: list[list[object]], headers: dict[str, str]) -> respx.Route:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        items = pages[page - 1] if page <= len(pages) else []
        return httpx.Response(200, json=items, headers=headers)

    return forge.get("/list").mock(side_effect=answer)


@pytest.mark.parametrize(
    ("sizes", "total", "requests"),
    [
        ([50, 50, 20], "120", 3),
        ([50, 50], "100", 2),  # no third request for nothing
        ([50, 50], None, 3),
        ([50, 3], None, 2),
        ([20, 20, 5], "45", 3),  # a server that gives at most 20
        ([], "0", 1),
        ([50, 50], "900", 3),  # the count is of what was, an empty page is the end
    ],
)
def test_pages(
    sizes: list[int], total: str | None, requests: int, connection: Connection, forge: respx.MockRouter
) -> None:
    pages: list[list[object]] = [[{"id": page * 100 + item} for item in range(size)] for page, size in enumerate(sizes)]
    route = _paged(forge, pages, {"X-Total-Count": total} if total else {})
    found = [fields.number("id") for fields in connection.pages("/list")]
    assert found == [item["id"] for page in pages for item in page if isinstance(item, dict)]
    assert route.call_count == requests


def test_pages_are_fetched_as_needed(connection: Connection, forge: respx.MockRouter) -> None:
    route = _paged(forge, [[{"id": 1}] * 50, [{"id": 2}]], {"X-Total-Count": "51"})
    next(connection.pages("/list"))
    assert route.call_count == 1


def test_null_items_count_for_the_total(connection: Connection, forge: respx.MockRouter) -> None:
    route = _paged(forge, [[{"id": 1}, None] * 25, [None, {"id": 2}]], {"X-Total-Count": "52"})
    assert len(list(connection.pages("/list"))) == 26
    assert route.call_count == 2


def test_list_that_is_none(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/list").respond(json={"message": "hello"})
    with pytest.raises(NotUnderstood, match=r"GET /list should be a list and is an object\."):
        list(connection.pages("/list"))


@pytest.mark.parametrize("content", [b"<html>Welcome</html>", b"[" * 100_000, b"\xff\xfe"])
def test_answer_that_is_not_json(content: bytes, connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/user").respond(200, content=content)
    with pytest.raises(NotUnderstood, match="The answer to GET /user is not JSON"):
        connection.get("/user")


def test_empty_answer_is_no_object(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/user").respond(204)
    with pytest.raises(NotUnderstood, match=r"GET /user should be an object and is missing\."):
        connection.get("/user")


def test_wrong_field_is_named(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/user").respond(json={"id": "7"})
    with pytest.raises(NotUnderstood, match=r"GET /user\.id should be a whole number and is the text '7'\."):
        connection.get("/user").number("id")


def test_token_never_reaches_a_message(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/x").respond(404, json={"message": f"bad header:\n token {TOKEN}"})
    with pytest.raises(NotFound) as caught:
        connection.get("/x")
    assert caught.value.message == "Forgejo answered 404 to GET /x: bad header: token [token]."
    forge.get("/y").side_effect = httpx.ConnectError(f"proxy said {TOKEN}")
    with pytest.raises(Unavailable) as gone:
        connection.get("/y")
    assert TOKEN not in gone.value.message
    assert TOKEN not in repr(connection)


def test_long_message_is_cut(connection: Connection, forge: respx.MockRouter) -> None:
    forge.get("/x").respond(422, json={"message": "no " * 4000})
    with pytest.raises(Refused) as caught:
        connection.get("/x")
    assert len(caught.value.message) < 560


def test_page_of_a_proxy_is_not_quoted(connection: Connection, forge: respx.MockRouter) -> None:
    forge.post("/x").respond(413, content=b"<html>nginx</html>")
    with pytest.raises(Refused) as caught:
        connection.send("POST", "/x", {"body": "x"})
    assert caught.value.message == "Forgejo answered 413 to POST /x: Request Entity Too Large."


def test_half_characters_can_be_sent(connection: Connection, forge: respx.MockRouter) -> None:
    forge.post("/x").respond(201, json={})
    connection.send("POST", "/x", {"body": "caf\udce9 ☕"})
    assert forge.calls.last.request.content == b'{"body": "caf\\udce9 \\u2615"}'


class Dripping(httpx.SyncByteStream):
    """A body in parts of which each takes its time; `on_part` is told of each."""

    def __init__(self, parts: int, size: int, on_part: Callable[[], object] = lambda: None) -> None:
        self._parts, self._size, self._on_part = parts, size, on_part

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._parts):
            self._on_part()
            yield b" " * self._size


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    packed: bool, connection: Connection, forge: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER", 1024**2)
    seen: list[int] = []
    stream = Dripping(1000, 64 * 1024, lambda: seen.append(1))
    bomb = httpx.Response(200, content=gzip.compress(b" " * 1024**2 * 20), headers={"Content-Encoding": "gzip"})
    forge.get("/user").mock(return_value=bomb if packed else httpx.Response(200, stream=stream))
    with pytest.raises(NotUnderstood, match=r"The answer to GET /user is larger than 1 MiB"):
        connection.get("/user")
    assert len(seen) < 20


def test_an_answer_that_never_ends_is_given_up(
    connection: Connection, forge: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("onehead.forge.client.time.monotonic", lambda: clock[0])

    def pass_time() -> None:
        clock[0] += 29.0

    forge.get("/user").mock(side_effect=lambda _: httpx.Response(200, stream=Dripping(10**6, 1, pass_time)))
    with pytest.raises(Unavailable, match="it did not end within 120 seconds"):
        connection.get("/user")
    assert clock[0] < TRIES * 200


@pytest.mark.parametrize("total", ["9" * 5000, "²", "-1", ""])
def test_a_total_that_is_no_number_counts_for_nothing(
    total: str, connection: Connection, forge: respx.MockRouter
) -> None:
    forge.get("/x").mock(return_value=httpx.Response(200, json=[], headers={b"X-Total-Count": total.encode("latin-1")}))
    assert connection.send("GET", "/x").total is None

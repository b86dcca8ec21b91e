"""GitHub's REST API as its documentation shows it: answers of these shapes, and what is sent."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from gzip import decompress
from typing import Any

import httpx
import pytest
import respx

from onehead.forge.errors import Forbidden, NotFound, Unavailable
from onehead.forge.github import GitHubApi, connect
from onehead.forge.intents import ForgeWriter, Marker, make
from onehead.forge.models import GHOST, Permissions, Status, User
from tests.forge.github_samples import JOB, PATH, REPO, ROOT, SHA, TOKEN, account, comment, pull, status


@pytest.fixture
def github() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=ROOT, assert_all_called=False) as router:
        yield router


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(connect(ROOT, TOKEN)) as opened:
        yield opened


def test_the_token_is_sent_as_a_bearer_to_no_other_host(api: GitHubApi, github: respx.MockRouter) -> None:
    github.get("/user").respond(302, headers={"Location": "https://evil.example.org/users/ann"})
    github.get("/users/ann").respond(json=account("ann", 7))
    assert api.me() == User(7, "ann")
    assert {call.request.headers["Authorization"] for call in github.calls} == {f"Bearer {TOKEN}"}
    assert {call.request.url.host for call in github.calls} == {"api.github.com"}


@pytest.mark.parametrize("place", ["", "/"])
def test_an_enterprise_server_has_its_api_below_a_path(place: str) -> None:
    with respx.mock(base_url="https://git.example.org/api/v3") as router:
        router.get("/user").respond(301, headers={"Location": "https://git.example.org/api/v3/users/ann"})
        router.get("/users/ann").respond(json=account("ann", 7))
        with GitHubApi(connect(f"https://git.example.org/api/v3{place}", TOKEN)) as opened:
            assert opened.me() == User(7, "ann")


@pytest.mark.parametrize(("named", "login"), [("", "github-actions[bot]"), ("my-app[bot]", "my-app[bot]")])
def test_the_token_of_a_job_does_not_tell_whose_it_is(named: str, login: str, github: respx.MockRouter) -> None:
    github.get("/user").respond(403, json={"message": "Resource not accessible by integration"})
    asked = github.get(url__regex=r".*/users/.*").respond(json=account(login, 41898282, "Bot"))
    with GitHubApi(connect(ROOT, TOKEN), named) as opened:
        assert opened.me() == User(41898282, login)
        assert opened.is_of_jobs(opened.me()) is not bool(named)
        assert not opened.is_of_jobs(None)
    assert asked.calls.last.request.url.raw_path.decode() == f"/users/{login.replace('[', '%5B').replace(']', '%5D')}"


def test_a_pull_request(api: GitHubApi, github: respx.MockRouter) -> None:
    github.get(f"{PATH}/pulls/12").respond(json=pull())
    found = api.pull(REPO, 12)
    assert (found.number, found.body, found.draft, found.is_open) == (12, "", False, True)
    assert (found.head.ref, found.head.sha, found.base.ref) == ("oauth", SHA, "main")
    assert found.allow_maintainer_edit
    base = found.base.repository
    assert base is not None
    assert (base.name, base.default_branch, base.permissions) == (REPO, "main", Permissions())
    assert (base.mirror, base.empty, base.has_pulls) == (False, False, True)


def test_a_pull_request_whose_fork_and_author_are_gone(api: GitHubApi, github: respx.MockRouter) -> None:
    made = pull(user=None)
    made["head"]["repo"] = None
    github.get(f"{PATH}/pulls/12").respond(json=made)
    found = api.pull(REPO, 12)
    assert (found.author, found.head.repository) == (GHOST, None)


def test_comments_come_in_pages(api: GitHubApi, github: respx.MockRouter) -> None:
    pages = {
        "1": [comment(number, "words") for number in range(1, 101)],
        "2": [comment(101, "last", User(7, "ann"))],
    }

    def answer(request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        assert params["per_page"] == "100"
        return httpx.Response(200, json=pages[params["page"]])

    github.get(f"{PATH}/issues/12/comments").mock(side_effect=answer)
    found = api.comments(REPO, 12)
    assert [each.id for each in found] == list(range(1, 102))
    assert (found[-1].author, found[-1].body) == (User(7, "ann"), "last")


def test_a_comment_is_made_and_then_edited_in_place(api: GitHubApi, github: respx.MockRouter) -> None:
    there: list[dict[str, Any]] = []
    marker = Marker("verdict", facts={"state": "problem"})
    github.get(f"{PATH}/issues/12/comments").mock(side_effect=lambda _: httpx.Response(200, json=there))

    def create(request: httpx.Request) -> httpx.Response:
        there.append(comment(91, json.loads(request.content)["body"]))
        return httpx.Response(201, json=there[-1])

    made = github.post(f"{PATH}/issues/12/comments").mock(side_effect=create)
    edited = github.patch(f"{PATH}/issues/comments/91").mock(
        side_effect=lambda request: httpx.Response(200, json=comment(91, json.loads(request.content)["body"]))
    )
    writer = ForgeWriter(api, REPO, JOB)
    assert writer.ensure_comment(12, marker=marker, text="Two heads.")[1]
    assert there[0]["body"] == f"{make(marker)}\nTwo heads."
    assert not writer.ensure_comment(12, marker=marker, text="Two heads.")[1]
    assert writer.ensure_comment(12, marker=marker, text="One head.")[1]
    assert (made.call_count, edited.call_count) == (1, 1)


def test_the_newest_status_of_a_context_and_who_set_it(api: GitHubApi, github: respx.MockRouter) -> None:
    listed = [status("ci", "success"), status("onehead", "failure", User(9, "onehead")), status("onehead", "success")]
    github.get(f"{PATH}/commits/{SHA}/statuses").respond(json=listed)
    assert api.status_with_creator(REPO, SHA, "onehead") == (Status("onehead", "failure", ""), User(9, "onehead"))
    assert api.status_with_creator(REPO, SHA, "deploy") is None


def test_a_status_has_no_empty_address_and_no_long_text(api: GitHubApi, github: respx.MockRouter) -> None:
    github.get(f"{PATH}/commits/{SHA}/statuses").respond(json=[])
    github.post(f"{PATH}/statuses/{SHA}").respond(201, json=status("onehead", "failure"))
    ForgeWriter(api, REPO, JOB).set_status(SHA, Status("onehead", "failure", "Two heads. " * 30))
    sent = json.loads(github.calls.last.request.content)
    assert sent.keys() == {"context", "state", "description"}
    assert 100 < len(sent["description"]) <= 140


def test_the_pull_request_behind_a_commit(api: GitHubApi, github: respx.MockRouter) -> None:
    github.get(f"{PATH}/commits/{SHA}/pulls").respond(json=[pull()])
    github.get(f"{PATH}/commits/{'b' * 40}/pulls").respond(json=[])
    github.get(f"{PATH}/pulls/12").respond(json=pull(merged=True, state="closed"))
    assert api.pull_of_commit(REPO, SHA).number == 12
    with pytest.raises(NotFound):
        api.pull_of_commit(REPO, "b" * 40)


def test_findings_are_uploaded_packed(api: GitHubApi, github: respx.MockRouter) -> None:
    route = github.post(f"{PATH}/code-scanning/sarifs").respond(202, json={"id": "47177e22", "url": "https://x.test"})
    api.upload_sarif(REPO, SHA, "refs/pull/12/head", '{"version": "2.1.0"}')
    sent = json.loads(route.calls.last.request.content)
    assert (sent["commit_sha"], sent["ref"]) == (SHA, "refs/pull/12/head")
    assert decompress(b64decode(sent["sarif"])) == b'{"version": "2.1.0"}'


def test_a_refusal_names_github(api: GitHubApi, github: respx.MockRouter) -> None:
    github.post(f"{PATH}/statuses/{SHA}").respond(403, json={"message": "Resource not accessible by integration"})
    with pytest.raises(Forbidden, match=rf"^GitHub answered 403 to POST {PATH}/statuses/{SHA}: Resource not access"):
        api.create_status(REPO, SHA, Status("onehead", "success", "One head."))
    github.post(f"{PATH}/issues/12/comments").mock(side_effect=httpx.ReadTimeout("late"))
    with pytest.raises(Unavailable, match=r"^GitHub at api\.github\.com gave no answer to POST "):
        api.create_comment(REPO, 12, "text")

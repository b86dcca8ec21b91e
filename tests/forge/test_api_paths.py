"""What goes into a request's path: names that need escapes, and how lists are walked."""

from __future__ import annotations

import httpx
import pytest
import respx

from onehead.forge.api import ForgejoApi
from onehead.forge.models import RepositoryName
from tests.forge.swagger_samples import definition

REPO = RepositoryName("courtside", "basketball-api")
BASE = "/api/v1/repos/courtside/basketball-api"


def only_path(forge: respx.MockRouter) -> str:
    assert forge.calls.call_count == 1
    return str(forge.calls.last.request.url.raw_path, "ascii")


@pytest.mark.parametrize(
    ("branch", "path"),
    [
        ("onehead/merge/feature/x", "/branches/onehead/merge/feature/x"),
        ("fix #12?", "/branches/fix%20%2312%3F"),
        ("größe", "/branches/gr%C3%B6%C3%9Fe"),
        ("onehead/merge/100%41", "/branches/onehead/merge/100%2541"),
    ],
)
def test_branch_name_in_path(branch: str, path: str, api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.route().respond(204)
    api.delete_branch(REPO, branch)
    assert only_path(forge) == BASE + path


def test_base_with_slash_is_one_segment(api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.route().respond(json=definition("PullRequest"))
    api.pull_between(REPO, "release/1.x", "onehead/merge/release/1.x")
    assert only_path(forge) == BASE + "/pulls/release%2F1.x/onehead/merge/release/1.x"


def test_open_pulls_asks_for_open_ones_and_gives_each_once(api: ForgejoApi, forge: respx.MockRouter) -> None:
    pages = {
        "1": [definition("PullRequest", number=number) for number in range(1, 51)],
        # 50 was pushed to this page meanwhile; null is one that Forgejo failed to load.
        "2": [definition("PullRequest", number=50), None, definition("PullRequest", number=51)],
    }

    def answer(request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        page = params.pop("page")
        assert params == {"state": "open", "sort": "oldest", "limit": "50"}
        return httpx.Response(200, json=pages[page], headers={"X-Total-Count": "53"})

    forge.get(BASE.removeprefix("/api/v1") + "/pulls").mock(side_effect=answer)
    assert [pull.number for pull in api.open_pulls(REPO)] == list(range(1, 52))
    assert forge.calls.call_count == 2


def test_commit_without_statuses_has_null_for_a_list(api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.route().respond(json=definition("CombinedStatus", state="", statuses=None))
    assert api.status_with_creator(REPO, "ab12", "onehead") is None
    assert forge.calls.call_count == 1


def test_only_what_changes_is_patched(api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.route().respond(201, json=definition("PullRequest"))
    api.edit_pull(REPO, 23, body="")
    assert forge.calls.last.request.content == b'{"body": ""}'


@pytest.mark.parametrize(("status", "new"), [(201, True), (200, False)])
def test_reaction_that_was_there_is_no_news(status: int, new: bool, api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.route().respond(status, json=definition("Reaction"))
    assert api.react_to_comment(REPO, 91, "eyes") is new

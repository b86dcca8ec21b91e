from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.forgejos.administration import Api
from tests.forgejos.standin import StandinForgejo
from tests.forgejos.workcopy import WorkCopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forgejos.administration import HostedRepository


@pytest.fixture(scope="module")
def standin() -> Iterator[StandinForgejo]:
    running = StandinForgejo()
    yield running
    running.stop()


@pytest.fixture
def repository(standin: StandinForgejo, tmp_path: Path) -> HostedRepository:
    """A repository with pull request 1, a comment on it, and two checks."""
    owner = standin.admin.create_user("ann")
    repository = standin.admin.create_repository(owner)
    copy = WorkCopy(tmp_path / "clone", standin.url, repository, owner)
    copy.commit({"a.txt": "old\n"})
    copy.push()
    copy.branch("topic")
    sha = copy.commit({"a.txt": "new <b>\n"})
    copy.push()
    standin.wait_until_quiet()
    api, path = Api(standin.url, owner), repository.path
    body = {"head": "topic", "base": "main", "title": "Title <script>", "body": "Body with **force**"}
    api.call("POST", f"{path}/pulls", body, expect=201)
    comment = {"body": "<!-- hidden -->\n```mermaid\ngraph LR\n  a-->b\n```"}
    api.call("POST", f"{path}/issues/1/comments", comment, expect=201)
    for state, context in (("failure", "onehead"), ("success", "ci")):
        about = {"state": state, "context": context, "description": f"{context} says {state}"}
        api.call("POST", f"{path}/statuses/{sha}", about, expect=201)
    api.close()
    return repository


def page(standin: StandinForgejo, path: str) -> httpx.Response:
    return httpx.get(f"{standin.url}/{path}", trust_env=False)


def test_a_pull_request_on_its_page(standin: StandinForgejo, repository: HostedRepository) -> None:
    shown = page(standin, f"{repository.full_name}/pulls/1").text

    assert "Title &lt;script&gt;" in shown
    assert '<span class="state open">Open</span>' in shown
    assert "from <code>topic</code> into <code>main</code>" in shown
    assert "Body with <strong>force</strong>" in shown
    assert '<pre class="mermaid">graph LR' in shown
    assert "hidden" not in shown
    assert '<li class="failure"><span class="mark">✖</span><b>onehead</b> — onehead says failure</li>' in shown
    assert '<span class="added">+new &lt;b&gt;</span>' in shown
    assert "1 changed file" in shown


def test_a_repository_lists_its_pull_requests(standin: StandinForgejo, repository: HostedRepository) -> None:
    shown = page(standin, repository.full_name).text

    link = f'<a href="{standin.url}/{repository.full_name}/pulls/1">Title &lt;script&gt;</a>'
    assert f'<span class="state open">Open</span> {link}' in shown
    assert f"clone <code>{standin.url}/{repository.full_name}.git</code>" in shown


def test_what_does_not_exist_or_is_private_has_no_page(standin: StandinForgejo, repository: HostedRepository) -> None:
    standin.admin.api.call("PATCH", repository.path, {"private": True}, expect=200)

    name = repository.full_name
    paths = [name, f"{name}/pulls/1", f"{name}/issues/99", "nobody/nothing", "nobody/nothing/pulls/1"]

    assert [page(standin, path).status_code for path in paths] == [404] * 5


def test_mermaid_is_served_from_this_machine(standin: StandinForgejo, repository: HostedRepository) -> None:
    script = page(standin, "assets/mermaid.js")
    shown = page(standin, f"{repository.full_name}/pulls/1").text

    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert len(script.content) > 1_000_000
    assert re.findall(r'(?:src|href)="(https?:[^"]*)"', shown) == []

"""How one sees that nothing has changed in a repository: what a quiet sweep relies on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.forgejos.fixtures import Apis
from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forgejos.administration import Api
    from tests.forgejos.fixtures import Project


def updated(project: Project) -> datetime:
    return datetime.fromisoformat(project.api.get(project.repository.path)["updated_at"])


def touched(project: Project, since: datetime, api: Api | None = None) -> dict[int, datetime]:
    """Number → when it last changed, of the owner's issues and pull requests that changed since."""
    query = {"owner": project.owner.name, "state": "all", "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
    found = (api or project.api).get("/repos/issues/search", params=query)
    assert all(each["repository"]["full_name"] == project.repository.full_name for each in found)
    return {each["number"]: datetime.fromisoformat(each["updated_at"]) for each in found}


def next_second() -> datetime:
    """Times have whole seconds; what happens after this has another one."""
    time.sleep(1.1)
    return datetime.now(UTC)


def test_a_push_changes_the_time_of_its_repository(project: Project) -> None:
    before = updated(project)
    next_second()
    project.push_branch("topic", {"a.txt": "a\n"})
    eventually(lambda: updated(project) > before)
    moved = updated(project)
    next_second()
    project.copy.push(":topic")
    assert eventually(lambda: updated(project) > moved)


@pytest.fixture
def pull(project: Project) -> int:
    project.push_branch("topic", {"a.txt": "a\n"})
    number = int(project.open_pull("topic")["number"])
    project.forgejo.wait_until_quiet()
    return number


def _comment(project: Project, number: int) -> None:
    path = f"{project.repository.path}/issues/{number}/comments"
    project.api.call("POST", path, {"body": "/onehead help"}, expect=201)


def _push(project: Project, _number: int) -> None:
    project.copy.switch("topic")
    project.copy.commit({"b.txt": "b\n"}, "More")
    project.copy.push()
    project.copy.switch("main")


def _retarget(project: Project, number: int) -> None:
    project.copy.push("main:refs/heads/next")
    project.edit_pull(number, base="next")


CHANGES: dict[str, Callable[[Project, int], Any]] = {
    "comment": _comment,
    "push": _push,
    "title": lambda project, number: project.edit_pull(number, title="WIP: Later"),
    "close": lambda project, number: project.close_pull(number),
    "merge": lambda project, number: project.merge(number),
    "base": _retarget,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_happens_to_a_pull_request_is_found_by_a_search_over_its_owner(
    project: Project, pull: int, change: str
) -> None:
    since = next_second()
    assert touched(project, since) == {}

    CHANGES[change](project, pull)

    assert eventually(lambda: touched(project, since)).keys() == {pull}


def test_a_new_issue_is_found_and_an_old_one_is_not(project: Project) -> None:
    path = f"{project.repository.path}/issues"
    project.api.call("POST", path, {"title": "Old"}, expect=201)
    since = next_second()
    project.api.call("POST", path, {"title": "New"}, expect=201)

    assert touched(project, since).keys() == {2}
    assert touched(project, since - timedelta(days=1)).keys() == {1, 2}


def test_a_bot_finds_what_it_may_write_to(project: Project, api_of: Apis) -> None:
    admin = project.forgejo.admin
    bot = admin.create_bot()
    admin.add_collaborator(project.repository, bot, "write")
    project.api.call("POST", f"{project.repository.path}/issues", {"title": "Crash"}, expect=201)

    assert touched(project, datetime.now(UTC) - timedelta(hours=1), api_of(bot)).keys() == {1}


def test_topics_stand_in_the_repository(project: Project) -> None:
    project.api.call("PUT", f"{project.repository.path}/topics", {"topics": ["alembic"]}, expect=204)

    assert project.api.get(project.repository.path)["topics"] == ["alembic"]

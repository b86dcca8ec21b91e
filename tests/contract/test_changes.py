"""How one sees that nothing has changed in a repository: what a quiet sweep relies on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
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


def _label(project: Project, number: int) -> None:
    project.api.call("POST", f"{project.repository.path}/labels", {"name": "x", "color": "#00aabb"}, expect=201)
    path = f"{project.repository.path}/issues/{number}/labels"
    project.api.call("POST", path, {"labels": ["x"]}, expect=200)


CHANGES: dict[str, Callable[[Project, int], Any]] = {
    "comment": _comment,
    "push": _push,
    "title": lambda project, number: project.edit_pull(number, title="WIP: Later"),
    "close": lambda project, number: project.close_pull(number),
    "merge": lambda project, number: project.merge(number),
    "base": _retarget,
    "label": _label,
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


@pytest.mark.parametrize("private", [False, True])
def test_a_bot_finds_what_it_may_write_to(project: Project, api_of: Apis, private: bool) -> None:
    admin = project.forgejo.admin
    bot = admin.create_bot()
    since = next_second()
    project.api.call("PATCH", project.repository.path, {"private": private}, expect=200)
    admin.add_collaborator(project.repository, bot, "write")
    project.open_issue("Crash")
    stranger = admin.create_user("stranger")
    elsewhere = admin.create_repository(stranger)
    api_of(stranger).call("POST", f"{elsewhere.path}/issues", {"title": "Not ours"}, expect=201)

    def found(**query: str) -> set[str]:
        query |= {"state": "all", "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return {each["repository"]["full_name"] for each in api_of(bot).get("/repos/issues/search", params=query)}

    assert found(owner=project.owner.name) == {project.repository.full_name}
    # Without an owner, other people's public repositories take part.
    assert found() >= {project.repository.full_name, elsewhere.full_name}


def test_a_search_tells_the_number_of_a_repository_and_of_all_that_it_finds(project: Project) -> None:
    since = next_second()
    for number in range(3):
        project.open_issue(f"Crash {number}")
    query = {"owner": project.owner.name, "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"), "limit": "2"}

    answer = project.api.ask("GET", "/repos/issues/search", params=query)

    assert answer.headers["X-Total-Count"] == "3"
    assert [each["number"] for each in answer.json()] == [3, 2]
    id_ = project.api.get(project.repository.path)["id"]
    assert {each["repository"]["id"] for each in answer.json()} == {id_}
    assert abs(parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_search_over_an_owner_who_is_not_there_is_refused(project: Project) -> None:
    project.api.call("GET", "/repos/issues/search", params={"owner": "nobody-of-that-name"}, expect=400)


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list of a bot's repositories that are not archived tells of one of them, and how many it has."""

    name: str | None  # `None` where it is not there
    updated: str
    total: int


@pytest.fixture
def listed(project: Project, api_of: Apis) -> Callable[[], Listed]:
    """Read the list as a bot that may write to the project and to one repository more."""
    admin = project.forgejo.admin
    bot = admin.create_bot()
    for repository in (admin.create_repository(project.owner), project.repository):
        admin.add_collaborator(repository, bot, "write")
    api, id_ = api_of(bot), project.api.get(project.repository.path)["id"]

    def read() -> Listed:
        query = {"uid": bot.id, "sort": "updated", "order": "desc", "archived": "false", "limit": 50}
        answer = api.ask("GET", "/repos/search", params=query)
        data = answer.json()["data"]
        assert [each["updated_at"] for each in data] == sorted((each["updated_at"] for each in data), reverse=True)
        total = int(answer.headers["X-Total-Count"])
        found = next((each for each in data if each["id"] == id_), None)
        return Listed(found["full_name"], found["updated_at"], total) if found else Listed(None, "", total)

    return read


def _set(**fields: object) -> Callable[[Project], Any]:
    return lambda project: project.api.call("PATCH", project.repository.path, fields, expect=200)


def _transfer(project: Project) -> None:
    # A site administrator's transfer needs nobody's consent.
    to = project.forgejo.admin.create_user("heir")
    path = f"{project.repository.path}/transfer"
    project.forgejo.admin.api.call("POST", path, {"new_owner": to.name}, expect=202)


def _topics(project: Project) -> None:
    project.api.call("PUT", f"{project.repository.path}/topics", {"topics": ["alembic"]}, expect=204)


TIMED: dict[str, Callable[[Project], Any]] = {
    "push": lambda project: project.push_branch("topic", {"a.txt": "a\n"}),
    "private": _set(private=True),
    "renamed": _set(name="another-name"),
    "no pull requests": _set(has_pull_requests=False),
    "topics": _topics,
    "transferred": _transfer,
}


@pytest.mark.parametrize("change", TIMED)
def test_what_puts_a_repository_first_in_the_list_by_time(
    project: Project, listed: Callable[[], Listed], change: str
) -> None:
    before = listed()
    next_second()
    TIMED[change](project)

    assert eventually(lambda: listed().updated > before.updated)
    after = listed()
    assert after.total == before.total
    assert (after.name == before.name) is (change not in ("renamed", "transferred"))


def _collaboration(permission: str) -> Callable[[Project], Any]:
    def change(project: Project) -> None:
        path = f"{project.repository.path}/collaborators"
        [bot] = project.api.get(path)
        body = {"permission": permission} if permission else None
        project.api.call("PUT" if permission else "DELETE", f"{path}/{bot['login']}", body, expect=204)

    return change


COUNTED: dict[str, tuple[Callable[[Project], Any], int]] = {
    "archived": (_set(archived=True), -1),
    "taken away from the bot": (_collaboration(""), -1),
    "deleted": (lambda project: project.api.call("DELETE", project.repository.path, expect=204), -1),
    "only to be read": (_collaboration("read"), 0),
    "an issue": (lambda project: project.open_issue("Crash"), 0),
}


@pytest.mark.parametrize("change", COUNTED)
def test_what_the_list_by_time_tells_by_its_length_or_not_at_all(
    project: Project, listed: Callable[[], Listed], change: str
) -> None:
    before = listed()
    next_second()
    do, difference = COUNTED[change]
    do(project)

    after = listed()
    assert after.total == before.total + difference
    assert after.name == (before.name if difference == 0 else None)
    assert difference or after.updated == before.updated


def test_the_list_by_time_gets_longer_by_what_comes_out_of_the_archive(
    project: Project, listed: Callable[[], Listed]
) -> None:
    _set(archived=True)(project)
    before = listed()
    _set(archived=False)(project)

    assert listed().total == before.total + 1


def test_topics_stand_in_the_repository(project: Project) -> None:
    project.api.call("PUT", f"{project.repository.path}/topics", {"topics": ["alembic"]}, expect=204)

    assert project.api.get(project.repository.path)["topics"] == ["alembic"]

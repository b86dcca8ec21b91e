"""What onehead relies on about issues, comments, reactions and labels."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.forgejos.fixtures import Apis
from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from tests.forgejos.fixtures import Project


MARKED = '<!-- onehead:collision v1 {"head":"abc"} -->\n## Title & more\n\n| a | b |\n|---|---|\n| <1> | 2 |\n'


@pytest.fixture
def issue(project: Project) -> str:
    """The API path of an issue of the project."""
    path = f"{project.repository.path}/issues"
    return f"{path}/{project.api.call('POST', path, {'title': 'Crash'}, expect=201)['number']}"


def test_a_comment_comes_back_as_it_was_written(project: Project, issue: str) -> None:
    made = project.api.call("POST", f"{issue}/comments", {"body": MARKED}, expect=201)

    read = project.api.get(f"{project.repository.path}/issues/comments/{made['id']}")

    assert made["body"] == read["body"] == MARKED
    assert read["user"]["id"] == project.owner.id
    assert read["html_url"].endswith(f"/issues/1#issuecomment-{made['id']}")
    assert (read["pull_request_url"], read["issue_url"]) == (
        "",
        f"{project.forgejo.url}/{project.repository.full_name}/issues/1",
    )


def test_a_comment_on_a_pull_request_names_it(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    made = project.api.call("POST", f"{project.repository.path}/issues/1/comments", {"body": "b"}, expect=201)

    page = f"{project.forgejo.url}/{project.repository.full_name}/pulls/1"
    assert (made["pull_request_url"], made["issue_url"]) == (page, "")


def test_editing_and_deleting_a_comment(project: Project, issue: str) -> None:
    made = project.api.call("POST", f"{issue}/comments", {"body": "first"}, expect=201)
    path = f"{project.repository.path}/issues/comments/{made['id']}"

    assert project.api.call("PATCH", path, {"body": "second"}, expect=200)["body"] == "second"
    project.api.call("DELETE", path, expect=204)
    project.api.call("GET", path, expect=404)
    assert project.api.get(f"{issue}/comments") == []


def test_only_writers_and_the_author_change_a_comment(project: Project, issue: str, api_of: Apis) -> None:
    reader = api_of(project.forgejo.admin.create_user("rita"))
    hers = reader.call("POST", f"{issue}/comments", {"body": "hers"}, expect=201)["id"]
    ours = project.api.call("POST", f"{issue}/comments", {"body": "ours"}, expect=201)["id"]
    path = f"{project.repository.path}/issues/comments"

    reader.call("PATCH", f"{path}/{ours}", {"body": "x"}, expect=403)
    reader.call("DELETE", f"{path}/{ours}", expect=403)
    reader.call("PATCH", f"{path}/{hers}", {"body": "still hers"}, expect=200)
    project.api.call("PATCH", f"{path}/{hers}", {"body": "moderated"}, expect=200)


def test_the_comments_of_one_issue_have_no_pages(project: Project, issue: str) -> None:
    for number in range(55):
        project.api.call("POST", f"{issue}/comments", {"body": f"{number}"}, expect=201)

    answer = project.api.ask("GET", f"{issue}/comments?limit=5&page=2")

    assert [comment["body"] for comment in answer.json()] == [str(number) for number in range(55)]
    assert answer.headers["x-total-count"] == "55"


def test_the_comments_of_a_repository_have_pages_and_a_since(project: Project, issue: str) -> None:
    for number in range(3):
        made = project.api.call("POST", f"{issue}/comments", {"body": f"{number}"}, expect=201)
    path = f"{project.repository.path}/issues/comments"

    page = project.api.ask("GET", f"{path}?limit=2&page=2")
    moment = datetime.fromisoformat(made["updated_at"])
    recent = project.api.get(f"{path}?since={quote((moment - timedelta(minutes=1)).isoformat())}")
    later = project.api.get(f"{path}?since={quote((moment + timedelta(minutes=1)).isoformat())}")

    assert [comment["body"] for comment in page.json()] == ["2"]
    assert page.headers["x-total-count"] == "3"
    assert ([comment["body"] for comment in recent], later) == (["0", "1", "2"], [])


@pytest.mark.parametrize("body", [{}, {"body": ""}])
def test_an_empty_comment_is_refused(project: Project, issue: str, body: dict[str, str]) -> None:
    project.api.call("POST", f"{issue}/comments", body, expect=422)


def test_a_comment_on_nothing_is_404(project: Project) -> None:
    project.api.call("POST", f"{project.repository.path}/issues/99/comments", {"body": "b"}, expect=404)


def test_reactions_are_there_once(project: Project, issue: str) -> None:
    made = project.api.call("POST", f"{issue}/comments", {"body": "/onehead help"}, expect=201)
    path = f"{project.repository.path}/issues/comments/{made['id']}/reactions"

    assert project.api.call("POST", path, {"content": "eyes"}, expect=201)["content"] == "eyes"
    project.api.call("POST", path, {"content": "eyes"}, expect=200)
    project.api.call("POST", path, {"content": "sheep"}, expect=403)
    listed = [(reaction["content"], reaction["user"]["id"]) for reaction in project.api.get(path)]
    assert listed == [("eyes", project.owner.id)]
    project.api.call("DELETE", path, {"content": "eyes"}, expect=200)
    assert project.api.get(path) in ([], None)


def test_the_list_of_issues_has_pull_requests_too(project: Project, issue: str) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    path = f"{project.repository.path}/issues"

    def numbers(query: str) -> list[int]:
        return sorted(found["number"] for found in project.api.get(path + query))

    assert (numbers(""), numbers("?type=issues"), numbers("?type=pulls")) == ([1, 2], [1], [2])
    assert project.api.get(f"{path}/2")["pull_request"]["merged"] is False
    assert project.api.get(issue)["pull_request"] is None
    project.api.call("PATCH", issue, {"state": "closed"}, expect=201)
    assert (numbers("?state=open"), numbers("?state=closed"), numbers("?state=all")) == ([2], [1], [1, 2])


def test_a_commit_on_main_closes_the_issue_it_says_it_closes(project: Project, issue: str) -> None:
    project.copy.commit({"a.txt": "a\n"}, "Fixes #1")
    project.copy.push()

    assert eventually(lambda: project.api.get(issue)["state"] == "closed")


def test_labels_by_name_and_by_number(project: Project, issue: str) -> None:
    path = f"{project.repository.path}/labels"
    label = project.api.call("POST", path, {"name": "migration", "color": "#00aabb"}, expect=201)

    assert (label["name"], label["color"]) == ("migration", "00aabb")
    named = project.api.call("POST", f"{issue}/labels", {"labels": ["migration", "unknown"]}, expect=200)
    numbered = project.api.call("PUT", f"{issue}/labels", {"labels": [label["id"]]}, expect=200)
    assert [[item["name"] for item in items] for items in (named, numbered)] == [["migration"], ["migration"]]
    assert [item["name"] for item in project.api.get(path)] == ["migration"]
    project.api.call("DELETE", f"{issue}/labels/{label['id']}", expect=204)
    assert project.api.get(issue)["labels"] == []
    project.api.call("POST", path, {"name": "bad", "color": "nonsense"}, expect=422)


def test_whom_the_poster_has_blocked_may_not_write_there_and_sets_statuses_all_the_same(
    project: Project, api_of: Apis
) -> None:
    forgejo, repository = project.forgejo, project.repository
    poster, bot = forgejo.admin.create_user("bob"), forgejo.admin.create_bot()
    forgejo.admin.add_collaborator(repository, bot, "write")
    theirs, ours = api_of(poster), api_of(bot)
    number = theirs.call("POST", f"{repository.path}/issues", {"title": "Crash"}, expect=201)["number"]
    note = project.api.call("POST", f"{repository.path}/issues/{number}/comments", {"body": "Ah."}, expect=201)["id"]
    theirs.call("PUT", f"/user/block/{bot.name}", expect=204)

    for path, body in (
        (f"{repository.path}/issues/{number}/comments", {"body": "Two heads."}),
        (f"{repository.path}/issues/comments/{note}/reactions", {"content": "eyes"}),
    ):
        refused = ours.ask("POST", path, body)
        assert (refused.status_code, refused.json()["message"]) == (
            403,
            "user is blocked by the poster or repository owner",
        )
    sha = project.api.get(f"{repository.path}/branches/main")["commit"]["id"]
    ours.call("POST", f"{repository.path}/statuses/{sha}", {"state": "failure", "context": "onehead"}, expect=201)

    theirs.call("PUT", f"/user/unblock/{bot.name}", expect=204)
    ours.call("POST", f"{repository.path}/issues/{number}/comments", {"body": "Two heads."}, expect=201)

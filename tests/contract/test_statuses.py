"""What onehead relies on about commit statuses, protected branches that ask for them, and paging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forgejos.port import eventually

if TYPE_CHECKING:
    import httpx

    from tests.forgejos.fixtures import Project


def set_status(project: Project, sha: str, state: str, context: str = "onehead", description: str = "") -> None:
    body = {"state": state, "context": context, "description": description, "target_url": "http://127.0.0.1/x"}
    project.api.call("POST", f"{project.repository.path}/statuses/{sha}", body, expect=201)


def test_the_newest_status_of_a_context_counts(project: Project) -> None:
    sha = project.copy.git("rev-parse", "HEAD")
    set_status(project, sha, "failure", description="x" * 300)
    set_status(project, sha, "success", "ci")
    set_status(project, sha, "success", description="all well")
    path = f"{project.repository.path}/commits/{sha}"

    combined = project.api.get(f"{path}/status")
    history = project.api.get(f"{path}/statuses")

    latest = {status["context"]: (status["status"], status["description"]) for status in combined["statuses"]}
    assert (combined["state"], combined["sha"], combined["total_count"]) == ("success", sha, 2)
    assert latest == {"onehead": ("success", "all well"), "ci": ("success", "")}
    assert sorted(status["status"] for status in history) == ["failure", "success", "success"]
    assert max(len(status["description"]) for status in history) == 300
    assert history[0]["creator"]["id"] == project.owner.id


def test_the_worst_context_decides(project: Project) -> None:
    sha = project.copy.git("rev-parse", "HEAD")
    path = f"{project.repository.path}/commits/main/status"
    set_status(project, sha, "success", "a")
    set_status(project, sha, "pending", "b")
    assert project.api.get(path)["state"] == "pending"
    set_status(project, sha, "error", "c")
    assert project.api.get(path)["state"] == "failure"


def test_a_commit_without_statuses(project: Project) -> None:
    combined = project.api.get(f"{project.repository.path}/commits/main/status")

    assert (combined["state"], combined["statuses"], combined["total_count"]) == ("", None, 0)


def test_a_status_of_an_unknown_commit_is_refused(project: Project) -> None:
    answer = project.api.ask("POST", f"{project.repository.path}/statuses/{'1' * 40}", {"state": "success"})

    # 404 from version 16 on; version 15 knows no better than 500 for some of these.
    assert answer.status_code in {404, 500}


def merge_answer(project: Project) -> httpx.Response:
    """Try to merge the first pull request, past the moments in which the forge is still checking it."""

    def ask() -> httpx.Response | None:
        answer = project.api.ask("POST", f"{project.repository.path}/pulls/1/merge", {"Do": "merge"})
        return None if "try again later" in answer.text else answer

    answer = eventually(ask)
    assert answer is not None
    return answer


@pytest.mark.parametrize("state", ["", "pending", "warning", "failure", "error"])
def test_a_required_status_blocks_unless_it_is_success(project: Project, state: str) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    rule = {"rule_name": "main", "enable_push": True, "enable_status_check": True, "status_check_contexts": ["onehead"]}
    project.api.call("POST", f"{project.repository.path}/branch_protections", rule, expect=201)
    project.open_pull("topic")
    if state:
        set_status(project, sha, state)

    assert merge_answer(project).status_code == 405
    set_status(project, sha, "success")
    assert merge_answer(project).status_code == 200


def test_a_branch_tells_which_statuses_it_asks_for(project: Project) -> None:
    rule = {"rule_name": "main", "enable_status_check": True, "status_check_contexts": ["onehead", "ci/*"]}
    path = f"{project.repository.path}/branch_protections"
    made = project.api.call("POST", path, rule, expect=201)

    branch = project.api.get(f"{project.repository.path}/branches/main")

    assert (made["rule_name"], made["enable_status_check"]) == ("main", True)
    assert (branch["enable_status_check"], branch["status_check_contexts"]) == (True, ["onehead", "ci/*"])
    project.api.call("PATCH", f"{path}/main", {"status_check_contexts": ["onehead"]}, expect=200)
    assert project.api.get(f"{path}/main")["status_check_contexts"] == ["onehead"]
    assert [rule["rule_name"] for rule in project.api.get(path)] == ["main"]
    project.api.call("DELETE", f"{path}/main", expect=204)
    project.api.call("GET", f"{path}/main", expect=404)


def test_pages(project: Project) -> None:
    for number in range(5):
        project.copy.push(f"main:refs/heads/b{number}")
    path = f"{project.repository.path}/branches"
    eventually(lambda: project.api.ask("GET", path).headers["x-total-count"] == "6")

    middle = project.api.ask("GET", f"{path}?limit=2&page=2")

    assert [branch["name"] for branch in middle.json()] == ["b2", "b3"]
    address = f"<{project.forgejo.url}/api/v1{path}?limit=2&page="
    pages = {"next": 3, "last": 3, "first": 1, "prev": 1}
    links = [f'{address}{page}>; rel="{name}"' for name, page in pages.items()]
    assert sorted(middle.headers["link"].split(",")) == sorted(links)


def test_no_page_has_more_than_fifty(project: Project) -> None:
    sha = project.copy.git("rev-parse", "HEAD")
    for number in range(52):
        set_status(project, sha, "success", f"context {number}")

    answer = project.api.ask("GET", f"{project.repository.path}/commits/{sha}/statuses?page=1&limit=1000")

    assert (len(answer.json()), answer.headers["x-total-count"]) == (50, "52")

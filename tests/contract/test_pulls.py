"""What onehead relies on about pull requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.forgejos.fixtures import Apis
from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forgejos.fixtures import Project


def test_a_pull_request_has_the_fields_that_are_read(project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\nb\n"})
    main = project.copy.git("rev-parse", "main")

    made = project.open_pull("topic", title="Add a", body="Why: because.")

    pull = eventually(lambda: (found := project.pull(made["number"]))["mergeable"] and found)
    assert (pull["number"], pull["title"], pull["body"], pull["state"]) == (1, "Add a", "Why: because.", "open")
    assert (pull["merged"], pull["draft"], pull["merge_base"]) == (False, False, main)
    assert (pull["additions"], pull["deletions"], pull["changed_files"]) == (2, 0, 1)
    assert {key: pull["base"][key] for key in ("label", "ref", "sha")} == {"label": "main", "ref": "main", "sha": main}
    assert {key: pull["head"][key] for key in ("label", "ref", "sha")} == {"label": "topic", "ref": "topic", "sha": sha}
    assert pull["head"]["repo_id"] == pull["base"]["repo_id"] == pull["base"]["repo"]["id"]
    assert pull["user"]["id"] == project.owner.id
    assert pull["html_url"] == f"{project.forgejo.url}/{project.repository.full_name}/pulls/1"


def test_a_second_pull_request_for_the_same_branches_is_a_conflict(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    body = {"head": "topic", "base": "main", "title": "Again"}

    refusal = project.api.call("POST", f"{project.repository.path}/pulls", body, expect=409)

    assert "issue_id: 1" in refusal["message"]


def test_a_closed_pull_request_does_not_block_a_new_one(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.api.call("PATCH", f"{project.repository.path}/pulls/1", {"state": "closed"}, expect=201)

    assert project.open_pull("topic")["number"] == 2


def test_a_branch_with_nothing_new_can_have_a_pull_request(project: Project) -> None:
    project.copy.push("main:refs/heads/same")

    assert project.open_pull("same")["state"] == "open"
    project.forgejo.wait_until_quiet()
    pull = project.pull(1)
    assert (pull["mergeable"], pull["changed_files"]) == (True, 0)
    project.api.call("POST", f"{project.repository.path}/pulls/1/merge", {"Do": "merge"}, expect=405)


def test_what_was_pushed_while_it_was_closed(project: Project) -> None:
    old = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    path = f"{project.repository.path}/pulls/1"
    project.api.call("PATCH", path, {"state": "closed"}, expect=201)
    project.copy.switch("topic")
    new = project.copy.commit({"a.txt": "b\n"})
    project.copy.push()
    project.forgejo.wait_until_quiet()

    reopened = project.api.call("PATCH", path, {"state": "open"}, expect=201)

    # The head is shown as it is; its ref stays behind until the next push.
    assert reopened["head"]["sha"] == new
    assert project.copy.git("ls-remote", "origin", "refs/pull/1/head").split()[0] == old


def test_a_branch_that_is_merged_by_hand_leaves_its_pull_request_open(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.git("merge", "-q", "--no-ff", "-m", "By hand", "topic")
    project.copy.push()
    project.forgejo.wait_until_quiet()

    pull = project.pull(1)

    assert (pull["state"], pull["merged"], pull["merge_commit_sha"]) == ("open", False, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"head": "nowhere", "base": "main", "title": "T"}, 404),
        ({"head": "main", "base": "nowhere", "title": "T"}, 404),
        ({"head": "main", "base": "main", "title": "T"}, 422),
        ({"head": "nowhere:main", "base": "main", "title": "T"}, 404),
    ],
)
def test_what_cannot_be_a_pull_request_is_refused(project: Project, body: dict[str, str], code: int) -> None:
    refusal = project.api.call("POST", f"{project.repository.path}/pulls", body, expect=code)

    assert set(refusal) >= {"message", "url"}


def test_the_list_without_a_state_has_closed_ones_too(project: Project) -> None:
    for name in ("one", "two"):
        project.push_branch(name, {f"{name}.txt": "x\n"})
        project.open_pull(name)
    path = f"{project.repository.path}/pulls"
    project.api.call("PATCH", f"{path}/1", {"state": "closed"}, expect=201)

    def listed(query: str) -> list[int]:
        return sorted(pull["number"] for pull in project.api.get(path + query))

    assert (listed(""), listed("?state=open"), listed("?state=closed")) == ([1, 2], [2], [1])


def test_editing_answers_201_and_changes_only_what_is_sent(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic", title="Old", body="Body")

    pull = project.api.call("PATCH", f"{project.repository.path}/pulls/1", {"title": "New"}, expect=201)

    assert (pull["title"], pull["body"]) == ("New", "Body")


def test_a_stranger_may_not_edit_a_pull_request(project: Project, api_of: Apis) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    stranger = api_of(project.forgejo.admin.create_user("mallory"))

    stranger.call("PATCH", f"{project.repository.path}/pulls/1", {"title": "Mine"}, expect=403)


def test_a_long_title_is_cut_to_255_bytes(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})

    title = project.open_pull("topic", title="x" * 400)["title"]

    assert len(title.encode()) == 255
    assert title.endswith("…")


@pytest.mark.parametrize("title", ["WIP: not yet", "[WIP] not yet", "wip: not yet"])
def test_a_prefix_of_the_title_makes_a_draft(project: Project, title: str) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})

    assert project.open_pull("topic", title=title)["draft"] is True
    changed = project.api.call("PATCH", f"{project.repository.path}/pulls/1", {"title": "Done"}, expect=201)
    assert changed["draft"] is False


def test_the_base_sha_follows_the_base_branch_while_the_merge_base_stays(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    fork_point = project.copy.git("rev-parse", "main")
    project.open_pull("topic")
    moved = project.copy.commit({"b.txt": "b\n"})
    project.copy.push()

    pull = eventually(lambda: (found := project.pull(1))["mergeable"] and found)

    assert (pull["base"]["sha"], pull["merge_base"]) == (moved, fork_point)


def test_a_conflict_is_not_mergeable(project: Project) -> None:
    project.push_branch("topic", {"README.md": "# Topic\n"})
    project.copy.commit({"README.md": "# Main\n"})
    project.copy.push()

    made = project.open_pull("topic")

    assert made["mergeable"] is False
    refusal = project.api.call("POST", f"{project.repository.path}/pulls/1/merge", {"Do": "merge"}, expect=405)
    assert "try again later" in refusal["message"]


def test_a_merge_closes_the_pull_request_and_names_its_commit(project: Project) -> None:
    head = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    project.merge(1, MergeTitleField="Bring a in")

    pull = project.pull(1)
    project.copy.pull()
    assert (pull["state"], pull["merged"], pull["merged_by"]["id"]) == ("closed", True, project.owner.id)
    assert pull["merge_commit_sha"] == project.copy.git("rev-parse", "main")
    assert project.copy.git("log", "-1", "--format=%s %P").split()[:3] == ["Bring", "a", "in"]
    assert project.copy.git("rev-parse", "main^2") == head
    project.api.call("GET", f"{project.repository.path}/pulls/1/merge", expect=204)


@pytest.mark.parametrize(("style", "parents"), [("squash", 1), ("rebase", 1), ("rebase-merge", 2), ("merge", 2)])
def test_each_way_to_merge(project: Project, style: str, parents: int) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    project.open_pull("topic")

    project.merge(1, style)

    project.copy.pull()
    assert len(project.copy.git("log", "-1", "--format=%P").split()) == parents
    assert project.copy.git("ls-files").split() == ["README.md", "a.txt", "b.txt"]


def test_rebasing_loses_what_only_a_merge_commit_held(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    project.copy.switch("topic")
    project.copy.git("merge", "-q", "--no-ff", "--no-commit", "main")
    project.copy.commit({"evil.txt": "only in the merge\n"}, "Merge main")
    project.copy.commit({"plain.txt": "in a commit of its own\n"})
    project.copy.push()
    project.copy.switch("main")
    project.copy.commit({"c.txt": "c\n"})
    project.copy.push()
    project.open_pull("topic")

    project.merge(1, "rebase")

    project.copy.pull()
    assert project.copy.git("ls-files").split() == ["README.md", "a.txt", "b.txt", "c.txt", "plain.txt"]


def test_fast_forward_only_refuses_what_is_behind(project: Project) -> None:
    head = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    project.merge(1, "fast-forward-only")

    project.copy.pull()
    assert project.copy.git("rev-parse", "main") == head


def test_merging_with_an_outdated_head_is_a_conflict(project: Project) -> None:
    old = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.switch("topic")
    project.copy.commit({"a.txt": "more\n"})
    project.copy.push()
    path = f"{project.repository.path}/pulls/1/merge"

    def ask() -> Any:
        response = project.api.ask("POST", path, {"Do": "merge", "head_commit_id": old})
        return None if "try again later" in response.text else response

    response = eventually(ask)

    assert response.status_code == 409
    assert "head out of date" in response.json()["message"]


def test_a_merge_can_delete_the_branch(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    project.merge(1, delete_branch_after_merge=True)

    project.api.call("GET", f"{project.repository.path}/branches/topic", expect=404)
    assert project.pull(1)["head"]["ref"] == "refs/pull/1/head"


def test_a_merged_pull_request_keeps_its_state(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.merge(1)

    project.api.call("PATCH", f"{project.repository.path}/pulls/1", {"state": "open"}, expect=412)


def test_deleting_the_head_branch_closes_the_pull_request(project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")

    project.copy.push(":topic")

    pull = eventually(lambda: (found := project.pull(1))["state"] == "closed" and found)
    assert (pull["merged"], pull["head"]["ref"], pull["head"]["sha"]) == (False, "refs/pull/1/head", sha)


def test_deleting_the_base_branch_closes_the_pull_request(project: Project) -> None:
    project.copy.push("main:refs/heads/release")
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic", base="release")

    project.copy.push(":release")

    assert eventually(lambda: project.pull(1)["state"] == "closed")


def test_a_closed_pull_request_can_be_reopened(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    path = f"{project.repository.path}/pulls/1"
    assert project.api.call("PATCH", path, {"state": "closed"}, expect=201)["closed_at"] is not None

    assert project.api.call("PATCH", path, {"state": "open"}, expect=201)["state"] == "open"


def test_what_is_pushed_after_it_was_reopened_is_shown(project: Project) -> None:
    """Its branch may be gone, and come back as it was: the label tells which it is."""
    old = project.push_branch("topic", {"a.txt": "a\n"})
    path = f"{project.repository.path}/pulls/{project.open_pull('topic')['number']}"
    project.forgejo.wait_until_quiet()
    project.api.call("PATCH", path, {"state": "closed"}, expect=201)
    project.copy.push(":topic")
    project.forgejo.wait_until_quiet()
    author = project.owner.name
    query = f"{project.repository.path}/pulls?state=closed&sort=recentupdate&poster={author}"
    assert [(pull["head"]["ref"], pull["head"]["label"]) for pull in project.api.get(query)] == [
        ("refs/pull/1/head", "topic")
    ]

    project.copy.push(f"{old}:refs/heads/topic")
    reopened = project.api.call("PATCH", path, {"state": "open"}, expect=201)
    assert (reopened["head"]["ref"], reopened["head"]["sha"]) == ("topic", old)
    project.copy.switch("topic")
    new = project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    project.forgejo.wait_until_quiet()

    assert project.pull(1)["head"]["sha"] == new
    assert [commit["sha"] for commit in project.api.get(f"{path}/commits")] == [new, old]
    assert project.copy.git("ls-remote", "origin", "refs/pull/1/head").split()[0] == new


def test_which_changes_move_the_time_of_the_last_update(project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.forgejo.wait_until_quiet()
    path = project.repository.path

    def times() -> tuple[str, str]:
        return project.pull(1)["updated_at"], project.api.get(path)["updated_at"]

    def moves(change: Callable[[], Any]) -> tuple[bool, bool]:
        """Tell whether (the pull request, the repository) got a new time. The forge counts in seconds."""
        before = times()
        time.sleep(1.1)
        change()
        project.forgejo.wait_until_quiet()
        after = times()
        return before[0] != after[0], before[1] != after[1]

    def push(branch: str) -> None:
        project.copy.switch(branch)
        project.copy.commit({f"{branch}.txt": str(time.time())})
        project.copy.push()

    api, comment = project.api, {"body": "b"}
    assert moves(lambda: push("topic")) == (True, True)
    assert moves(lambda: push("main")) == (False, True)
    assert moves(lambda: api.call("POST", f"{path}/issues/1/comments", comment, expect=201)) == (True, False)
    edited = f"{path}/issues/comments/{api.get(f'{path}/issues/1/comments')[0]['id']}"
    assert moves(lambda: api.call("PATCH", edited, comment, expect=200)) == (False, False)
    assert moves(lambda: api.call("POST", f"{path}/statuses/{sha}", {"state": "success"}, expect=201)) == (False, False)
    assert moves(lambda: api.call("PATCH", f"{path}/pulls/1", {"title": "New"}, expect=201)) == (True, False)
    assert moves(lambda: project.copy.push("main:refs/onehead/state")) == (False, False)


def test_retargeting(project: Project) -> None:
    project.copy.push("main:refs/heads/release")
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    path = f"{project.repository.path}/pulls/1"

    project.api.call("PATCH", path, {"base": "nowhere"}, expect=404)
    assert project.api.call("PATCH", path, {"base": "release"}, expect=201)["base"]["ref"] == "release"


def test_a_force_push_moves_the_pull_request(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.git("checkout", "-q", "-B", "topic", "main")
    rewritten = project.copy.commit({"z.txt": "z\n"})
    project.copy.push(force=True)

    assert project.pull(1)["head"]["sha"] == rewritten
    assert eventually(lambda: project.pull(1)["changed_files"] == 1 and project.pull(1)["mergeable"])


def test_the_pull_request_of_two_branches(project: Project) -> None:
    project.push_branch("feature/topic", {"a.txt": "a\n"})
    project.open_pull("feature/topic")
    path = f"{project.repository.path}/pulls/1"
    project.api.call("PATCH", path, {"state": "closed"}, expect=201)

    found = project.api.get(f"{project.repository.path}/pulls/main/feature/topic")

    assert (found["number"], found["state"]) == (1, "closed")
    project.api.call("GET", f"{project.repository.path}/pulls/main/other", expect=404)


def test_files_commits_and_diff(project: Project) -> None:
    project.copy.branch("topic")
    first = project.copy.commit({"dir/a.txt": "a\n", "README.md": "# Changed\n"})
    second = project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    project.open_pull("topic")
    path = f"{project.repository.path}/pulls/1"

    files = {file["filename"]: (file["status"], file["changes"]) for file in project.api.get(f"{path}/files")}
    commits = project.api.ask("GET", f"{path}/commits?limit=1")
    diff = project.api.ask("GET", f"{path}.diff").text

    assert files == {"README.md": ("changed", 2), "b.txt": ("added", 1), "dir/a.txt": ("added", 1)}
    assert [commit["sha"] for commit in commits.json()] == [second]
    assert [commits.headers[f"x-{name}"] for name in ("page", "perpage", "pagecount", "hasmore")] == [
        "1",
        "1",
        "2",
        "true",
    ]
    assert [commit["sha"] for commit in project.api.get(f"{path}/commits")] == [second, first]
    assert "+++ b/dir/a.txt" in diff
    assert project.api.ask("GET", f"{path}.patch").text.startswith(f"From {first}")


def test_the_pull_request_that_made_a_commit(project: Project) -> None:
    head = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.merge(1)
    path = f"{project.repository.path}/commits"
    merged = project.pull(1)["merge_commit_sha"]

    assert project.api.get(f"{path}/{merged}/pull")["number"] == 1
    project.api.call("GET", f"{path}/{head}/pull", expect=404)


def test_bringing_the_base_into_the_branch(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.commit({"b.txt": "b\n"})
    project.copy.push()

    project.api.call("POST", f"{project.repository.path}/pulls/1/update?style=merge", expect=200)

    project.copy.git("fetch", "-q", "origin")
    assert project.copy.git("ls-tree", "--name-only", "origin/topic").split() == ["README.md", "a.txt", "b.txt"]


def test_where_pull_requests_are_switched_off_the_repository_says_so_and_the_rest_is_404(project: Project) -> None:
    repository = project.repository
    project.push_branch("topic", {"a.txt": "a\n"})
    assert project.api.get(repository.path)["has_pull_requests"] is True

    project.api.call("PATCH", repository.path, {"has_pull_requests": False}, expect=200)

    assert project.api.get(repository.path)["has_pull_requests"] is False
    assert project.api.ask("GET", f"{repository.path}/pulls").status_code == 404
    wanted = {"head": "topic", "base": "main", "title": "Topic"}
    assert project.api.ask("POST", f"{repository.path}/pulls", wanted).status_code == 404
    sha = project.api.get(f"{repository.path}/branches/topic")["commit"]["id"]
    project.api.call("POST", f"{repository.path}/statuses/{sha}", {"state": "success", "context": "c"}, expect=201)

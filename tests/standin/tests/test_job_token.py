"""What the automatic token of an Actions job may do, as it was read in Forgejo 15.0.3 and 16; no runner took part.

- `repoAssignment` (routers/api/v1/api.go), in 16 `RepoAccess` (routers/api/v1/permissions/repo_access.go): any other
  repository is 404, a public one too; in its own, every unit is writable, or only readable where the run belongs to a
  pull request from a fork (or made by AGit).
- `setRunTrustForPullRequest` (services/actions/trust.go) decides that without a look at the event, so
  `pull_request_target` changes nothing about the token.
- The token has no scopes, so none is asked for (`tokenRequiresScopes`), and `GET /user` is `forgejo-actions`, -2.
- `CreateIssueComment` asks for reading, `EditIssueComment` for writing or one's own comment; a status for writing code.
"""

from __future__ import annotations

import pytest

from tests.forgejos.fixtures import Apis, Project
from tests.forgejos.job import JobTokens, forgejo, job_of

__all__ = ["forgejo", "job_of"]

TEXT = {"body": "words"}


@pytest.fixture
def number(project: Project) -> int:
    project.push_branch("topic", {"a.txt": "a\n"})
    return int(project.open_pull("topic")["number"])


def test_it_is_that_of_forgejo_actions(job_of: JobTokens, api_of: Apis) -> None:
    me = api_of(job_of()).get("/user")

    assert (me["id"], me["login"]) == (-2, "forgejo-actions")


def test_it_writes_and_edits_any_comment_and_sets_statuses(
    project: Project, number: int, job_of: JobTokens, api_of: Apis
) -> None:
    job, path = api_of(job_of()), project.repository.path
    theirs = project.api.call("POST", f"{path}/issues/{number}/comments", TEXT, expect=201)

    mine = job.call("POST", f"{path}/issues/{number}/comments", TEXT, expect=201)
    assert (mine["user"]["id"], mine["user"]["login"]) == (-2, "forgejo-actions")
    for each in (mine, theirs):
        job.call("PATCH", f"{path}/issues/comments/{each['id']}", {"body": "other words"}, expect=200)
    sha = project.pull(number)["head"]["sha"]
    made = job.call("POST", f"{path}/statuses/{sha}", {"state": "success", "context": "onehead"}, expect=201)
    # It is looked up among the users, where it is not.
    assert made["creator"] is None
    [listed] = project.api.get(f"{path}/commits/{sha}/status")["statuses"]
    assert (listed["context"], listed["creator"]) == ("onehead", None)


def test_for_a_fork_it_still_comments_and_edits_its_own_and_sets_no_status(
    project: Project, number: int, job_of: JobTokens, api_of: Apis
) -> None:
    job, path = api_of(job_of(from_fork=True)), project.repository.path
    theirs = project.api.call("POST", f"{path}/issues/{number}/comments", TEXT, expect=201)

    mine = job.call("POST", f"{path}/issues/{number}/comments", TEXT, expect=201)
    job.call("PATCH", f"{path}/issues/comments/{mine['id']}", {"body": "other words"}, expect=200)
    job.call("PATCH", f"{path}/issues/comments/{theirs['id']}", {"body": "other words"}, expect=403)
    job.call("DELETE", f"{path}/issues/comments/{theirs['id']}", expect=403)
    sha = project.pull(number)["head"]["sha"]
    refused = job.call("POST", f"{path}/statuses/{sha}", {"state": "success", "context": "onehead"}, expect=403)
    assert refused["message"] == "user should have a permission to write to a repo"


@pytest.mark.parametrize("private", [False, True])
def test_any_other_repository_is_not_there(private: bool, project: Project, job_of: JobTokens, api_of: Apis) -> None:
    other = project.forgejo.admin.create_repository(project.owner)
    project.api.call("PATCH", other.path, {"private": private}, expect=200)

    api_of(job_of()).call("GET", other.path, expect=404)


def test_in_a_private_repository_it_opens_no_pull_request(project: Project, job_of: JobTokens, api_of: Apis) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    wanted = {"head": "topic", "base": "main", "title": "A change"}
    project.api.call("PATCH", project.repository.path, {"private": True}, expect=200)

    job = api_of(job_of())
    assert job.get(project.repository.path)["permissions"] == {"admin": False, "push": True, "pull": True}
    job.call("POST", f"{project.repository.path}/pulls", wanted, expect=404)


def test_it_clones_its_own_private_repository(project: Project, job_of: JobTokens) -> None:
    project.api.call("PATCH", project.repository.path, {"private": True}, expect=200)
    address = project.forgejo.url.replace("://", f"://x-access-token:{job_of(from_fork=True).token}@")

    found = project.copy.git("ls-remote", f"{address}/{project.repository.full_name}", "refs/heads/main")

    assert found.endswith("refs/heads/main")

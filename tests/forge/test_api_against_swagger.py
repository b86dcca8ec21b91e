"""Every call of the adapter, checked field by field against Forgejo's own description of its API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import GeneratorType

import pytest
import respx

from onehead.forge import models
from onehead.forge.api import ForgejoApi
from onehead.forge.models import Fields, Permissions, Repository, RepositoryName, Status, User
from tests.forge.swagger_exchange import answers, nothing_is_missing
from tests.forge.swagger_samples import definition, operation, sample

REPO = RepositoryName("courtside", "basketball-api")
SHA = "ae892699b97c793cb231ec1bcd44e69122111b53"

CALLS: dict[str, Callable[[ForgejoApi], object]] = {
    "me": lambda api: api.me(),
    "version": lambda api: api.version(),
    "repository": lambda api: api.repository(REPO),
    "branch": lambda api: api.branch(REPO, "onehead/merge/feature/x"),
    "delete_branch": lambda api: api.delete_branch(REPO, "onehead/merge/feature/x"),
    "open_pulls": lambda api: api.open_pulls(REPO),
    "closed_pulls": lambda api: api.closed_pulls(REPO, User(7, "bot")),
    "pull": lambda api: api.pull(REPO, 23),
    "pull_between": lambda api: api.pull_between(REPO, "main", "onehead/merge/feature"),
    "pull_of_commit": lambda api: api.pull_of_commit(REPO, SHA),
    "create_pull": lambda api: api.create_pull(REPO, head="onehead/x", base="main", title="t", body="b"),
    "edit_pull": lambda api: api.edit_pull(REPO, 23, title="t", body="b", state="closed"),
    "comments": lambda api: api.comments(REPO, 23),
    "create_comment": lambda api: api.create_comment(REPO, 23, "text"),
    "edit_comment": lambda api: api.edit_comment(REPO, 91, "text"),
    "delete_comment": lambda api: api.delete_comment(REPO, 91),
    "status_with_creator": lambda api: api.status_with_creator(REPO, SHA, "the context"),
    "create_status": lambda api: api.create_status(
        REPO, SHA, Status("onehead", "success", "one head", "http://x.test/")
    ),
    "repositories": lambda api: api.repositories(User(7, "bot")),
    "any_repository": lambda api: api.any_repository(),
    "account_with_permission": lambda api: api.account_with_permission(REPO, "bot"),
    "may_administer": lambda api: api.may_administer(REPO),
    "issue": lambda api: api.issue(REPO, 179),
    "comment": lambda api: api.comment(REPO, 91),
    "recent_comments": lambda api: api.recent_comments(REPO, datetime(2026, 6, 30, tzinfo=UTC)),
    "permission_of": lambda api: api.permission_of(REPO, "ann"),
    "unarchived": lambda api: api.unarchived(User(7, "bot"), last_changed_first=True),
    "touched": lambda api: api.touched(datetime(2026, 6, 30, tzinfo=UTC), "courtside"),
    "react_to_comment": lambda api: api.react_to_comment(REPO, 91, "eyes"),
    "add_label": lambda api: api.add_label(REPO, 23, "onehead"),
}


def test_every_method_is_called_here() -> None:
    public = {name for name in vars(ForgejoApi) if not name.startswith("_")} - {"is_of_jobs", "max_description", "wait"}
    assert public == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_call_fits_the_description(name: str, api: ForgejoApi, forge: respx.MockRouter) -> None:
    seen: list[str] = []

    forge.route().mock(side_effect=answers(seen))
    result = CALLS[name](api)
    result = list(result) if isinstance(result, (GeneratorType, map)) else result
    assert len(seen) == 1
    if result is not None:
        nothing_is_missing(result, name)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (models.user, "User"),
        (models.repository, "Repository"),
        (models.permissions, "Permission"),
        (models.pull_request, "PullRequest"),
        (models.comment, "Comment"),
        (models.status, "CommitStatus"),
        (models.branch, "Branch"),
    ],
)
def test_no_invented_field_is_read(read: Callable[[Fields], object], name: str) -> None:
    nothing_is_missing(read(Fields(sample({"$ref": f"#/definitions/{name}"}), name)), name)


def test_invented_field_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="User has no property 'nickname'"):
        Fields(sample({"$ref": "#/definitions/User"}), "User").optional_text("nickname")


def test_invented_path_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="Forgejo has no GET /repos/a/b/forks"):
        operation("GET", "/repos/a/b/forks")


def test_what_may_be_null_may_be_null() -> None:
    pull = definition("PullRequest", user=None)
    pull["head"] |= {"repo": None, "repo_id": -1, "ref": "refs/pull/23/head"}
    read = models.pull_request(Fields(pull, "pull"))
    assert read.author == models.GHOST
    assert (read.head.ref, read.head.repository) == ("refs/pull/23/head", None)
    assert isinstance(read.base.repository, Repository)
    bare = models.repository(Fields(definition("Repository", permissions=None), "repo"))
    assert bare.permissions == Permissions(admin=False, push=False, pull=False)


def test_answer_is_read_field_by_field(api: ForgejoApi, forge: respx.MockRouter) -> None:
    answer = definition("Branch", name="main", protected=False)
    answer["commit"]["id"] = SHA
    forge.get("/repos/courtside/basketball-api/branches/main").respond(json=answer)
    found = api.branch(REPO, "main")
    assert (found.name, found.sha, found.protected) == ("main", SHA, False)

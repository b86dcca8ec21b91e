"""Forgejo's JSON → values. Answers of the API and webhook deliveries carry the same objects, so both are read here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onehead.forge.errors import NotUnderstood
from onehead.forge.fields import HINT
from onehead.forge.values import (
    Branch,
    Comment,
    Issue,
    Permissions,
    PullRequest,
    Repository,
    RepositoryName,
    Side,
    Status,
    Touched,
    User,
)

if TYPE_CHECKING:
    from onehead.forge.fields import Fields

GHOST = User(-1, "Ghost")
"""Who stands for an account that is gone, with Forgejo's own number for it."""


def user(fields: Fields) -> User:
    """Definition `User`."""
    return User(fields.number("id"), fields.text("login"), fields.text("full_name"))


def _author(fields: Fields) -> User:
    author = fields.optional("user")
    return user(author) if author else GHOST


def repository_name(fields: Fields) -> RepositoryName:
    """Definition `Repository`, only its name."""
    return RepositoryName(fields.inner("owner").text("login"), fields.text("name"))


def repository(fields: Fields) -> Repository:
    """Definition `Repository`."""
    granted = fields.optional("permissions")
    return Repository(
        id=fields.number("id"),
        name=repository_name(fields),
        default_branch=fields.text("default_branch"),
        clone_url=fields.text("clone_url"),
        html_url=fields.text("html_url"),
        private=fields.flag("private"),
        archived=fields.flag("archived"),
        empty=fields.flag("empty"),
        fork=fields.flag("fork"),
        mirror=fields.flag("mirror"),
        object_format=fields.text("object_format_name"),
        permissions=permissions(granted) if granted else Permissions(),
        updated_at=fields.moment("updated_at"),
        topics=fields.texts("topics"),
        has_pulls=fields.flag("has_pull_requests"),
    )


def touched(fields: Fields) -> Touched:
    """Definition `Issue`, as a search over repositories gives it."""
    where = fields.inner("repository")
    return Touched(
        RepositoryName(where.text("owner"), where.text("name")), fields.number("number"), fields.moment("updated_at")
    )


def permissions(fields: Fields) -> Permissions:
    """Definition `Permission`."""
    return Permissions(fields.flag("admin"), fields.flag("push"), fields.flag("pull"))


def pull_request(fields: Fields) -> PullRequest:
    """Definition `PullRequest`."""
    return PullRequest(
        number=fields.number("number"),
        title=fields.text("title"),
        body=fields.text("body"),
        state=fields.text("state"),
        draft=fields.flag("draft"),
        merged=fields.flag("merged"),
        author=_author(fields),
        html_url=fields.text("html_url"),
        head=_side(fields.inner("head")),
        base=_side(fields.inner("base")),
        merge_base=fields.text("merge_base"),
        merge_commit=fields.optional_text("merge_commit_sha"),
        allow_maintainer_edit=fields.flag("allow_maintainer_edit"),
        created_at=fields.moment("created_at"),
        updated_at=fields.moment("updated_at"),
    )


def _side(fields: Fields) -> Side:
    """Definition `PRBranchInfo`."""
    where = fields.optional("repo")
    return Side(fields.text("ref"), fields.text("sha"), repository(where) if where else None, fields.text("label"))


def issue(fields: Fields) -> Issue:
    """Definition `Issue`; a pull request has one too."""
    return Issue(
        number=fields.number("number"),
        title=fields.text("title"),
        body=fields.text("body"),
        author=_author(fields),
        is_pull=fields.optional("pull_request") is not None,
    )


def comment(fields: Fields) -> Comment:
    """Definition `Comment`."""
    return Comment(
        id=fields.number("id"),
        body=fields.text("body"),
        author=_author(fields),
        html_url=fields.text("html_url"),
        created_at=fields.moment("created_at"),
        updated_at=fields.moment("updated_at"),
    )


def page_of_comment(fields: Fields) -> int:
    """The number of the issue or pull request that a `Comment` stands under: the end of whichever address it has."""
    url = fields.text("pull_request_url") or fields.text("issue_url")
    number = url.rpartition("/")[2]
    if not number.isdecimal():
        raise NotUnderstood(f"A comment says that it belongs to {url!r}, which ends in no number.", HINT)
    return int(number)


def status(fields: Fields) -> Status:
    """Definition `CommitStatus`; what we call the state is its field `status`."""
    return Status(
        id=fields.number("id"),
        context=fields.text("context"),
        state=fields.text("status"),
        description=fields.text("description"),
        target_url=fields.text("target_url"),
    )


def branch(fields: Fields) -> Branch:
    """Definition `Branch`."""
    return Branch(
        name=fields.text("name"),
        sha=fields.inner("commit").text("id"),
        protected=fields.flag("protected"),
        user_can_push=fields.flag("user_can_push"),
    )

"""What the forge tells us, as plain frozen values without any of its JSON.

Only facts that Forgejo sends truthfully are here: an e-mail address, `is_admin` or `mergeable` in its answers is often
a placeholder, so none of them has a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from onehead.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """The full name of a repository, `owner/name`."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Read `owner/name`.

        Raises:
            UsageError: the text is anything else.
        """
        owner, slash, name = text.strip().partition("/")
        if not (slash and owner and name) or "/" in name or any(letter.isspace() for letter in owner + name):
            raise UsageError(f"{text!r} is not the name of a repository.", "Write it as owner/name.")
        return cls(owner, name)


@dataclass(frozen=True, slots=True)
class User:
    """An account. The ghost of a deleted account has the id -1, Forgejo Actions has -2."""

    id: int
    login: str
    full_name: str = ""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What somebody may do in a repository; `push` means: write its code."""

    admin: bool = False
    push: bool = False
    pull: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository.

    Attributes:
        id: Forgejo's number; it survives renames.
        name: its full name today (after a rename the new one, whatever name was asked for).
        default_branch: short name.
        clone_url: for git over HTTP, built by Forgejo from its ROOT_URL.
        empty: Forgejo notices the first push some seconds late, and has no branches until then.
        object_format: `sha1` or `sha256`.
        permissions: of whoever asked. In a webhook delivery of a comment: of the commenter.
        updated_at: when it was last pushed to or its settings were changed; comments and pull requests don't count.
        topics: as its people have set them, lower case.
        has_pulls: whether pull requests are switched on.
    """

    id: int
    name: RepositoryName
    default_branch: str
    clone_url: str
    html_url: str
    private: bool
    archived: bool
    empty: bool
    fork: bool
    mirror: bool
    object_format: str
    permissions: Permissions
    updated_at: datetime
    topics: tuple[str, ...] = ()
    has_pulls: bool = True


@dataclass(frozen=True, slots=True)
class Touched:
    """An issue or pull request, and when it last changed or was last commented on.

    Forgejo does not count an edited comment.
    """

    repository: RepositoryName
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a pull request.

    Attributes:
        ref: short branch name; `refs/pull/N/head` where the head branch is gone or never was (AGit).
        sha: the tip now. For the base this is not the fork point.
        repository: `None` when the fork was deleted.
        label: the branch name, also where that branch is gone.
    """

    ref: str
    sha: str
    repository: Repository | None
    label: str = ""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request.

    Attributes:
        state: `open` or `closed`; merged ones are closed.
        draft: from the title's prefix (`WIP:`), Forgejo knows no other draft.
        merge_base: as of Forgejo's last conflict check, stale right after a push: ask git instead.
        merge_commit: what the merge wrote to the base branch.
        allow_maintainer_edit: who may write the base may push to the head branch of the fork.
    """

    number: int
    title: str
    body: str
    state: str
    draft: bool
    merged: bool
    author: User
    html_url: str
    head: Side
    base: Side
    merge_base: str
    merge_commit: str | None
    allow_maintainer_edit: bool
    created_at: datetime
    updated_at: datetime

    @property
    def has_branch(self) -> bool:
        """Whether there is a branch behind it: a proposal by `git push HEAD:refs/for/…` (AGit) never had one."""
        return not self.head.ref.startswith("refs/")

    @property
    def is_open(self) -> bool:
        """Whether it can still be merged."""
        return self.state == "open" and not self.merged


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue, or the page of a pull request."""

    number: int
    title: str
    body: str
    author: User
    is_pull: bool


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of an issue or pull request; the body is verbatim, hidden marker included."""

    id: int
    body: str
    author: User
    html_url: str
    created_at: datetime
    updated_at: datetime


class StatusState(StrEnum):
    """What we may say about a commit.

    A required check passes with `success` only: Forgejo blocks the merge for `warning` and `pending` as well.
    """

    PENDING = "pending"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Status:
    """What somebody said about a commit. `state` is not limited to ours: Forgejo stores what it is given."""

    id: int
    context: str
    state: str
    description: str
    target_url: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch: its tip, and what the asking account may do with it."""

    name: str
    sha: str
    protected: bool
    user_can_push: bool

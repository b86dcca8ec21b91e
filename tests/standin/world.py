"""Everything the stand-in Forgejo knows: plain mutable records, and the one object that holds them.

Nothing here talks to git or to the network. Whoever changes a record holds `World.lock`; times have whole
seconds, as in Forgejo's database, so `since` filters behave the same.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "15.0.3+gitea-1.22.0"
ZERO_SHA = "0" * 40

Access = Literal["none", "read", "write", "admin", "owner"]
# An "ancestor" has nothing that the target has not: it looks mergeable, and merging it is refused.
CheckState = Literal["checking", "mergeable", "conflict", "ancestor"]


def now() -> datetime:
    """Give the current time in UTC, cut to whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class User:
    id: int
    name: str
    email: str
    password: str = ""
    full_name: str = ""
    is_admin: bool = False
    is_organization: bool = False
    members: set[int] = field(default_factory=set)  # owners, when this is an organization
    blocked: set[int] = field(default_factory=set)  # who may not write on this user's pages
    created: datetime = field(default_factory=now)


ACTIONS = User(-2, "forgejo-actions", "noreply@forgejo.org", full_name="Forgejo Actions")
"""Whom the token of every job belongs to; it is in no table of users."""


@dataclass(slots=True)
class Token:
    id: int
    name: str
    user: User
    secret: str
    scopes: frozenset[str]
    repositories: frozenset[int] | None = None  # None: all of its account
    job: Literal["", "read", "write"] = ""  # what the token of an Actions job may do, in its one repository


@dataclass(slots=True)
class Label:
    id: int
    name: str
    color: str
    description: str = ""
    exclusive: bool = False


@dataclass(slots=True)
class Comment:
    id: int
    poster: User
    body: str
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    reactions: list[tuple[str, User, datetime]] = field(default_factory=list)


@dataclass(slots=True)
class Pull:
    """What an issue has in addition when it is a pull request.

    `merge_base` is that of the last conflict check: after a push it is stale until the next one, and so are the
    counts that are made with it, which is what clients of the real forge see too.
    """

    id: int
    head_repository: Repository | None
    head_branch: str
    base_branch: str
    merge_base: str = ""
    counted: tuple[str, str] = ("", "")  # what the counts are of: (merge base, head)
    counts: tuple[int, int, int] = (0, 0, 0)  # changed files, added lines, removed lines
    check: CheckState = "checking"
    opened: float = field(default_factory=time.monotonic)  # pushes from before that do not concern it
    allow_maintainer_edit: bool = False
    topic: str = ""  # of a proposal without a branch (AGit), with its author's name before a slash
    merged_at: datetime | None = None
    merged_by: User | None = None
    merge_commit: str | None = None


@dataclass(slots=True)
class Issue:
    id: int
    number: int
    poster: User
    title: str
    body: str
    pull: Pull | None = None
    is_closed: bool = False
    is_locked: bool = False
    labels: list[Label] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    reactions: list[tuple[str, User, datetime]] = field(default_factory=list)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    closed: datetime | None = None


@dataclass(slots=True)
class Status:
    id: int  # counts per commit, as in Forgejo
    sha: str
    state: str
    context: str
    description: str
    target_url: str
    creator: User
    created: datetime = field(default_factory=now)


@dataclass(slots=True)
class Hook:
    id: int
    url: str
    content_type: str
    secret: str
    kind: str = "forgejo"
    events: list[str] = field(default_factory=list)  # fine names, see deliveries.py
    branch_filter: str = ""
    authorization_header: str = ""
    active: bool = False
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)


@dataclass(slots=True)
class Protection:
    rule_name: str
    options: dict[str, object]
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)


@dataclass(slots=True)
class Repository:
    id: int
    owner: User
    name: str
    path: Path  # the bare repository
    private: bool = False
    description: str = ""
    default_branch: str = "main"
    parent: Repository | None = None
    archived_at: datetime | None = None
    has_pulls: bool = True
    topics: list[str] = field(default_factory=list)
    collaborators: dict[int, Access] = field(default_factory=dict)
    team_members: set[int] = field(default_factory=set)  # of a team that writes issues and sees no code
    refs: dict[str, str] = field(default_factory=dict)  # full ref -> sha, kept equal to the bare repository
    is_empty: bool = True  # as the database has it: it learns of the first push a little later than git
    issues: dict[int, Issue] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)

    @property
    def full_name(self) -> str:
        return f"{self.owner.name}/{self.name}"

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by."""
        return self.owner.name.lower(), self.name.lower()

    @property
    def archived(self) -> bool:
        return self.archived_at is not None

    def branches(self) -> dict[str, str]:
        """Give branch name -> sha, sorted by name."""
        heads = {
            ref.removeprefix("refs/heads/"): sha for ref, sha in self.refs.items() if ref.startswith("refs/heads/")
        }
        return dict(sorted(heads.items()))

    def tip(self, branch: str) -> str:
        """Give the commit a branch points to, or "" when there is no such branch."""
        return self.refs.get(f"refs/heads/{branch}", "")

    def open_pulls(self) -> Iterator[tuple[Issue, Pull]]:
        for issue in self.issues.values():
            if issue.pull is not None and not issue.is_closed:
                yield issue, issue.pull


@dataclass(slots=True)
class Delivery:
    """One attempt to deliver a webhook, as the web page of a hook lists it."""

    uuid: str
    hook_id: int
    repository: str  # owner/name
    url: str
    event: str  # coarse name, header X-Forgejo-Event
    event_type: str  # fine name, header X-Forgejo-Event-Type
    body: bytes
    status: int = 0  # 0 until answered, and when nobody answered
    lost: bool = False  # dropped on purpose, see Timing.lose_webhooks


@dataclass(slots=True)
class Timing:
    """How slow the forge is. The defaults are a busy but healthy server, scaled down to keep tests quick."""

    push_update: float = 0.02  # from a push to its events, refs/pull/N/head, and a first push being noticed
    conflict_check: float = 0.05  # from a push to `mergeable` being computed anew
    delivery: tuple[float, float] = (0.0, 0.05)  # each delivery waits a random time in this range
    delivery_timeout: float = 5.0
    lose_webhooks: bool = False


class World:
    """The forge's database."""

    def __init__(self, root: Path, url: str, timing: Timing | None = None) -> None:
        self.lock = threading.RLock()
        self.root = root
        self.url = url.rstrip("/")
        self.timing = timing or Timing()
        self.version = VERSION
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[int, Repository] = {}
        self._found: dict[tuple[str, str], Repository] = {}  # by name, where it was when it was last looked for
        self.owner_hooks: dict[int, dict[int, Hook]] = {}  # user or organization id -> hooks; 0: the whole system
        self.deliveries: list[Delivery] = []
        self._ids: dict[str, itertools.count[int]] = {}

    def next_id(self, kind: str) -> int:
        return next(self._ids.setdefault(kind, itertools.count(1)))

    def user(self, name: str) -> User | None:
        return next((user for user in self.users.values() if user.name.lower() == name.lower()), None)

    def user_by_email(self, email: str) -> User | None:
        return next((user for user in self.users.values() if user.email == email), None)

    def repository(self, owner: str, name: str) -> Repository | None:
        wanted = (owner.lower(), name.lower())
        found = self._found.get(wanted)
        if found is None or found.id not in self.repositories or found.key != wanted:
            found = next((each for each in self.repositories.values() if each.key == wanted), None)
            if found is not None:
                self._found[wanted] = found
        return found

    def pulls_from(self, head: Repository, branch: str) -> list[tuple[Repository, Issue, Pull]]:
        """Find the open pull requests, in any repository, whose head is this branch."""
        return [
            (repository, issue, pull)
            for repository in self.repositories.values()
            for issue, pull in repository.open_pulls()
            if pull.head_repository is head and pull.head_branch == branch
        ]

"""What Forgejo sends, as frozen values, and how they are read from its JSON. Webhooks carry the same objects.

Only truthful fields are here: in Forgejo's answers an e-mail address, `is_admin` or `mergeable` is often a placeholder.
A field that Forgejo always sends is required, because a default would pass a wrong guess off as a fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

from onehead.errors import UsageError
from onehead.forge.errors import NotUnderstood


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """The full name of a repository, `owner/name`."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def path(self) -> str:
        """Where the API has it, below `/api/v1`."""
        return f"/repos/{quote(self.owner, safe='')}/{quote(self.name, safe='')}"

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
    """An account. The ghost of a deleted account has the id -1, a job of Forgejo Actions has -2."""

    id: int
    login: str


@dataclass(frozen=True, slots=True)
class Permissions:
    """What somebody may do in a repository; `push` means: write its code."""

    admin: bool = False
    push: bool = False
    pull: bool = False

    @property
    def may_write(self) -> bool:
        """Whether they may push."""
        return self.push or self.admin


MAY_WRITE = frozenset({"write", "admin", "owner"})  # the levels of permission that allow the same


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository."""

    id: int  # survives renames
    name: RepositoryName  # of today, whatever name was asked for
    default_branch: str
    clone_url: str  # for git over HTTP, built by Forgejo from its ROOT_URL
    archived: bool
    empty: bool  # Forgejo notices the first push some seconds late, and has no branches until then
    mirror: bool
    permissions: Permissions  # of whoever asked; in a webhook delivery of a comment: of the commenter
    updated_at: datetime  # last push, transfer or change of settings; comments, issues and permissions don't count
    topics: tuple[str, ...] = ()
    has_pulls: bool = True


@dataclass(frozen=True, slots=True)
class ChangedIssue:
    """An issue or pull request, and when it last changed or was last commented on.

    Forgejo does not count an edited comment.
    """

    repository: int  # its id
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class PullSide:
    """One side of a pull request."""

    ref: str  # short branch name; `refs/pull/N/head` where the head branch is gone or never was (AGit)
    sha: str  # the tip now; for the base this is not the fork point
    repository: Repository | None  # `None` when the fork was deleted
    label: str = ""  # the branch name, also where that branch is gone


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request."""

    number: int
    title: str
    body: str
    state: str  # `open` or `closed`; merged ones are closed
    draft: bool  # from the title's prefix (`WIP:`), Forgejo knows no other draft
    merged: bool
    author: User
    html_url: str
    head: PullSide
    base: PullSide
    allow_maintainer_edit: bool  # who may write the base may push to the head branch of the fork
    created_at: datetime
    updated_at: datetime

    @property
    def has_branch(self) -> bool:
        """Whether there is a branch behind it: a proposal by `git push HEAD:refs/for/…` (AGit) never had one."""
        return not self.head.ref.startswith("refs/")

    @property
    def is_local(self) -> bool:
        """Whether its branch is one of the repository itself, not of a fork."""
        head, base = self.head.repository, self.base.repository
        return head is not None and base is not None and head.id == base.id and self.has_branch

    @property
    def is_open(self) -> bool:
        """Whether it can still be merged."""
        return self.state == "open" and not self.merged


@dataclass(frozen=True, slots=True)
class Issue:
    """What an issue, or the page of a pull request, says."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of an issue or pull request; the body is verbatim, hidden marker included."""

    id: int
    body: str
    author: User
    html_url: str
    created_at: datetime
    updated_at: datetime


MAX_DESCRIPTION_LENGTH = 255
"""Characters of a commit status; what Forgejo's pages show without breaking."""


class StatusState(StrEnum):
    """What we may say about a commit.

    A required check passes with `success` only: Forgejo blocks the merge for `warning` and `pending` as well.
    """

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Status:
    """What somebody said about a commit. `state` is not limited to ours: Forgejo stores what it is given."""

    context: str
    state: str
    description: str
    target_url: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch and its tip."""

    name: str
    sha: str
    protected: bool


HINT = "onehead understands Forgejo 15 and newer; check that the address and the webhook's type are Forgejo's."

_Value = TypeVar("_Value")


class Fields:
    """One object, and where it was found (`GET /user`, `push.repository`); `NotUnderstood` is raised where it is none.

    So is it where a field is not of the type that is asked for.
    """

    __slots__ = ("_data", "_where")

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, Mapping):
            raise NotUnderstood(f"{where} should be an object and is {_kind(data)}.", HINT)
        self._data: Mapping[str, object] = data
        self._where = where

    def text(self, name: str) -> str:
        """A string that is always there."""
        return self._of(str, name, "a text")

    def optional_text(self, name: str) -> str | None:
        """A string that may be null or absent."""
        return None if self._data.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        """A whole number that is always there."""
        return self._of(int, name, "a whole number")

    def flag(self, name: str) -> bool:
        """A truth value that is always there."""
        return self._of(bool, name, "true or false")

    def moment(self, name: str) -> datetime:
        """A time in RFC 3339 that is always there."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._complain(name, "a time", text)
        if moment.tzinfo is None:
            self._complain(name, "a time with a zone", text)
        return moment

    def inner(self, name: str) -> Fields:
        """An object that is always there."""
        return Fields(self._data.get(name), f"{self._where}.{name}")

    def optional(self, name: str) -> Fields | None:
        """An object that may be null or absent."""
        return None if self._data.get(name) is None else self.inner(name)

    def items(self, name: str) -> list[Fields]:
        """A list of objects; null is an empty list, and null items (Forgejo could not load them) are left out."""
        return objects(self._data.get(name), f"{self._where}.{name}")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; null is an empty one."""
        value = self._data.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._complain(name, "a list of texts", value)
        return tuple(value)

    def is_unset(self, name: str) -> bool:
        """Whether a field is absent, or has the value that Forgejo gives to what nobody has set."""
        return not self._data.get(name)

    def names(self) -> tuple[str, ...]:
        """Which fields there are, in the order of the alphabet."""
        return tuple(sorted(self._data))

    def _of(self, kind: type[_Value], name: str, wanted: str) -> _Value:
        value = self._data.get(name)
        if type(value) is not kind:  # to isinstance, true is a number
            self._complain(name, wanted, value)
        return value

    def _complain(self, name: str, wanted: str, value: object) -> NoReturn:
        raise NotUnderstood(f"{self._where}.{name} should be {wanted} and is {_kind(value)}.", HINT)


def objects(data: object, where: str) -> list[Fields]:
    """A list of objects, without the items that are null; null for the whole list is an empty one."""
    if data is None:
        return []
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise NotUnderstood(f"{where} should be a list and is {_kind(data)}.", HINT)
    return [Fields(item, f"{where}[{place}]") for place, item in enumerate(data) if item is not None]


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return names.get(type(value), "something else")


_READERS = {
    "int": Fields.number,
    "str": Fields.text,
    "bool": Fields.flag,
    "datetime": Fields.moment,
    "tuple[str, ...]": Fields.texts,
}


def read(kind: type[_Value], fields: Fields, /, **found: object) -> _Value:
    """A dataclass from an object of Forgejo's: each field by its name and type, but those that were `found` already."""
    places: Any = kind
    types = {each.name: str(each.type) for each in fields_of(places) if each.name not in found}
    return kind(**found, **{name: _READERS[type_](fields, name) for name, type_ in types.items()})


ACTIONS = User(-2, "forgejo-actions")  # whose token every job of Forgejo Actions has, so any workflow writes as it
GHOST = User(-1, "Ghost")  # who stands for an account that is gone, with Forgejo's own number for it


def user(fields: Fields) -> User:
    """Definition `User`."""
    return read(User, fields)


def _author(fields: Fields) -> User:
    author = fields.optional("user")
    return user(author) if author else GHOST


def repository_name(fields: Fields) -> RepositoryName:
    """Definition `Repository`, only its name."""
    return RepositoryName(fields.inner("owner").text("login"), fields.text("name"))


def repository(fields: Fields) -> Repository:
    """Definition `Repository`."""
    return read(
        Repository,
        fields,
        name=repository_name(fields),
        permissions=permissions(fields.optional("permissions")),
        has_pulls=fields.flag("has_pull_requests"),
    )


def touched(fields: Fields) -> ChangedIssue:
    """Definition `Issue`, as a search over repositories gives it."""
    return read(
        ChangedIssue, fields, repository=fields.inner("repository").number("id"), at=fields.moment("updated_at")
    )


def permissions(fields: Fields | None) -> Permissions:
    """Definition `Permission`; none where Forgejo tells of none."""
    return Permissions() if fields is None else read(Permissions, fields)


def pull_request(fields: Fields) -> PullRequest:
    """Definition `PullRequest`."""
    head, base = _side(fields.inner("head")), _side(fields.inner("base"))
    return read(PullRequest, fields, author=_author(fields), head=head, base=base)


def _side(fields: Fields) -> PullSide:
    where = fields.optional("repo")
    return read(PullSide, fields, repository=repository(where) if where else None)


def issue(fields: Fields) -> Issue:
    """Definition `Issue`; a pull request has one too."""
    return read(Issue, fields)


def comment(fields: Fields) -> Comment:
    """Definition `Comment`."""
    return read(Comment, fields, author=_author(fields))


def page_of_comment(fields: Fields) -> int:
    """The number of the issue or pull request that a `Comment` stands under: the end of whichever address it has."""
    url = fields.text("pull_request_url") or fields.text("issue_url")
    number = url.rpartition("/")[2]
    if not number.isdecimal():
        raise NotUnderstood(f"A comment says that it belongs to {url!r}, which ends in no number.", HINT)
    return int(number)


def status(fields: Fields) -> Status:
    """Definition `CommitStatus`; what we call the state is its field `status`."""
    return read(Status, fields, state=fields.text("status"))


def creator(fields: Fields) -> User | None:
    """Who has set a status, as far as that is told."""
    found = fields.optional("creator")
    return None if found is None else user(found)


def branch(fields: Fields) -> Branch:
    """Definition `Branch`."""
    return read(Branch, fields, sha=fields.inner("commit").text("id"))

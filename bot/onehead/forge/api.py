"""Forgejo's endpoints, one method each: JSON in, values out, no decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import quote

from onehead.errors import UsageError
from onehead.forge import models
from onehead.forge.client import Connection, ListPage
from onehead.forge.errors import Forbidden, MissingScope, NotFound
from onehead.forge.models import (
    Branch,
    ChangedIssue,
    Comment,
    Fields,
    Issue,
    PullRequest,
    Repository,
    RepositoryName,
    Status,
    User,
)


class ForgejoApi:
    """The endpoints that onehead uses, on one connection. Every method may raise any `ForgeError`.

    Attributes:
        max_description: characters of a commit status.
    """

    max_description = models.MAX_DESCRIPTION_LENGTH

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def wait(self, seconds: float) -> None:
        """Let Forgejo finish what it is doing."""
        self.connection.sleep(seconds)

    def me(self) -> User:
        """GET /user: the account that the token belongs to."""
        return models.user(self.connection.get("/user"))

    def is_of_jobs(self, account: User | None) -> bool:
        """Whether any workflow of the repository writes as this account; `None`: the one that nobody is told of."""
        return account is None or account.id == models.ACTIONS.id

    def version(self) -> str:
        """GET /version: such as `15.0.3+gitea-1.22.0`. Needs no scope."""
        return self.connection.get("/version").text("version")

    def repository(self, name: RepositoryName) -> Repository:
        """GET /repos/{owner}/{repo}: also under a former name; the answer has the name of today."""
        return models.repository(self.connection.get(name.path))

    def repositories(self, member: User) -> Iterator[Repository]:
        """GET /repos/search?uid={id}: what the account owns or contributes to, also through teams."""
        query = {"uid": str(member.id), "sort": "id", "order": "asc"}
        yield from map(models.repository, self.connection.pages("/repos/search", within="data", **query))

    def unarchived(self, member: User, *, last_changed_first: bool) -> Iterator[ListPage[Repository]]:
        """GET /repos/search?uid={id}&archived=false: as `repositories`, without those that are archived.

        By id, the order does not change while it is read. `last_changed_first` goes by `updated_at`: the order of those
        of one second may differ from page to page, so that one is given twice and another not at all.
        """
        order = {"sort": "updated", "order": "desc"} if last_changed_first else {"sort": "id", "order": "asc"}
        query = {"uid": str(member.id), "archived": "false", **order}
        for page in self.connection.each_page("/repos/search", within="data", **query):
            yield page.of(models.repository)

    def any_repository(self) -> Repository | None:
        """GET /repos/search?limit=1: one of those that may be read; `None` where there are none."""
        answer = Fields(self.connection.send("GET", "/repos/search", query={"limit": "1"}).data, "GET /repos/search")
        return next(map(models.repository, answer.items("data")), None)

    def touched(self, since: datetime, owner: str = "") -> Iterator[ListPage[ChangedIssue]]:
        """GET /repos/issues/search?since=…: issues and pull requests that changed in that second or later.

        Those of all repositories that the token may read, other people's public ones too, or of an owner's; whatever
        was made last comes first, so that a change shifts none back.
        """
        query = {"state": "all", "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")} | ({"owner": owner} if owner else {})
        for page in self.connection.each_page("/repos/issues/search", **query):
            yield page.of(models.touched)

    def branch(self, name: RepositoryName, branch: str) -> Branch:
        """GET /repos/{owner}/{repo}/branches/{branch}."""
        return models.branch(self.connection.get(f"{name.path}/branches/{_ref(branch)}"))

    def delete_branch(self, name: RepositoryName, branch: str) -> None:
        """DELETE /repos/{owner}/{repo}/branches/{branch}: closes its open pull requests too.

        Forgejo 15 answers 500, not 404, when there is no such branch.
        """
        self.connection.send("DELETE", f"{name.path}/branches/{_ref(branch)}")

    def open_pulls(self, name: RepositoryName) -> Iterator[PullRequest]:
        """GET /repos/{owner}/{repo}/pulls?state=open, oldest first, each once.

        Oldest first, so that what is opened meanwhile comes last and shifts no page. One closed meanwhile may shift
        another from one page to the one before, unseen: the next sweep finds it.
        """
        seen: set[int] = set()
        for fields in self.connection.pages(f"{name.path}/pulls", state="open", sort="oldest"):
            pull = models.pull_request(fields)
            if pull.number not in seen:
                seen.add(pull.number)
                yield pull

    def closed_pulls(self, name: RepositoryName, author: User) -> Iterator[PullRequest]:
        """GET /repos/{owner}/{repo}/pulls?state=closed&poster=…: merged ones too, the last changed first."""
        query = {"state": "closed", "poster": author.login, "sort": "recentupdate"}
        yield from map(models.pull_request, self.connection.pages(f"{name.path}/pulls", **query))

    def pull(self, name: RepositoryName, number: int) -> PullRequest:
        """GET /repos/{owner}/{repo}/pulls/{index}."""
        return models.pull_request(self.connection.get(f"{name.path}/pulls/{number}"))

    def pull_between(self, name: RepositoryName, base: str, head: str) -> PullRequest:
        """GET /repos/{owner}/{repo}/pulls/{base}/{head}: of any state, and any one of several."""
        return models.pull_request(self.connection.get(f"{name.path}/pulls/{quote(base, safe='')}/{_ref(head)}"))

    def pull_of_commit(self, name: RepositoryName, sha: str) -> PullRequest:
        """GET /repos/{owner}/{repo}/commits/{sha}/pull: found only by the commit that its merge wrote last."""
        return models.pull_request(self.connection.get(f"{name.path}/commits/{quote(sha, safe='')}/pull"))

    def create_pull(self, name: RepositoryName, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """POST /repos/{owner}/{repo}/pulls: 404 also right after the push of `head`, 409 when one is open already."""
        fields = {"head": head, "base": base, "title": title, "body": body}
        return models.pull_request(self._written("POST", f"{name.path}/pulls", fields))

    def edit_pull(
        self,
        name: RepositoryName,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: str | None = None,
    ) -> PullRequest:
        """PATCH /repos/{owner}/{repo}/pulls/{index}: what is `None` stays; state is `open` or `closed`."""
        wanted = {"title": title, "body": body, "state": state}
        fields = {field: value for field, value in wanted.items() if value is not None}
        return models.pull_request(self._written("PATCH", f"{name.path}/pulls/{number}", fields))

    def issue(self, name: RepositoryName, number: int) -> Issue:
        """GET /repos/{owner}/{repo}/issues/{index}: an issue, or the page of a pull request."""
        return models.issue(self.connection.get(f"{name.path}/issues/{number}"))

    def permission_of(self, name: RepositoryName, login: str) -> str:
        """GET /repos/{owner}/{repo}/collaborators/{user}/permission: none, read, write, admin or owner.

        Forgejo tells only an admin of the repository, and everybody about themselves.
        """
        return self.connection.get(f"{name.path}/collaborators/{quote(login, safe='')}/permission").text("permission")

    def account_with_permission(self, name: RepositoryName, login: str) -> User:
        """As `permission_of`, but the account that it is told of."""
        path = f"{name.path}/collaborators/{quote(login, safe='')}/permission"
        return models.user(self.connection.get(path).inner("user"))

    def may_administer(self, name: RepositoryName) -> bool:
        """GET /repos/{owner}/{repo}/branch_protections: for administrators of the repository only."""
        try:
            self.connection.send("GET", f"{name.path}/branch_protections")
        except Forbidden:
            return False
        return True

    def comment(self, name: RepositoryName, comment: int) -> Comment:
        """GET /repos/{owner}/{repo}/issues/comments/{id}."""
        return models.comment(self.connection.get(f"{name.path}/issues/comments/{comment}"))

    def comments(self, name: RepositoryName, number: int) -> list[Comment]:
        """GET /repos/{owner}/{repo}/issues/{index}/comments: all of them, oldest first (Forgejo has no pages here)."""
        return [models.comment(fields) for fields in self.connection.items(f"{name.path}/issues/{number}/comments")]

    def recent_comments(self, name: RepositoryName, since: datetime) -> Iterator[tuple[int, Comment]]:
        """GET /repos/{owner}/{repo}/issues/comments?since=…: with the number of its issue or pull request each.

        Those of the whole repository that were written or edited since, oldest first.
        """
        for fields in self.connection.pages(f"{name.path}/issues/comments", since=since.strftime("%Y-%m-%dT%H:%M:%SZ")):
            yield models.page_of_comment(fields), models.comment(fields)

    def create_comment(self, name: RepositoryName, number: int, body: str) -> Comment:
        """POST /repos/{owner}/{repo}/issues/{index}/comments: on issues and pull requests alike."""
        return models.comment(self._written("POST", f"{name.path}/issues/{number}/comments", {"body": body}))

    def edit_comment(self, name: RepositoryName, comment: int, body: str) -> Comment:
        """PATCH /repos/{owner}/{repo}/issues/comments/{id}: sends an event even when nothing changes."""
        return models.comment(self._written("PATCH", f"{name.path}/issues/comments/{comment}", {"body": body}))

    def delete_comment(self, name: RepositoryName, comment: int) -> None:
        """DELETE /repos/{owner}/{repo}/issues/comments/{id}."""
        self.connection.send("DELETE", f"{name.path}/issues/comments/{comment}")

    def status_with_creator(self, name: RepositoryName, sha: str, context: str) -> tuple[Status, User | None] | None:
        """GET /repos/{owner}/{repo}/commits/{ref}/status: the latest of one context, and who has set it.

        Nobody is told for what a job of Forgejo Actions has set: its account is in no table of users.
        """
        path = f"{name.path}/commits/{quote(sha, safe='')}/status"
        for fields in self.connection.pages(path, within="statuses"):
            if fields.text("context") == context:
                return models.status(fields), models.creator(fields)
        return None

    def create_status(self, name: RepositoryName, sha: str, status: Status) -> None:
        """POST /repos/{owner}/{repo}/statuses/{sha}: adds one; the latest of a context counts. Sends no event."""
        self.connection.send("POST", f"{name.path}/statuses/{quote(sha, safe='')}", asdict(status))

    def react_to_comment(self, name: RepositoryName, comment: int, reaction: str) -> bool:
        """POST /repos/{owner}/{repo}/issues/comments/{id}/reactions: whether it was not there before."""
        path = f"{name.path}/issues/comments/{comment}/reactions"
        return self.connection.send("POST", path, {"content": reaction}).status == 201

    def add_label(self, name: RepositoryName, number: int, label: str) -> tuple[str, ...]:
        """POST /repos/{owner}/{repo}/issues/{index}/labels: by name; the names of all that it has then.

        One that the repository does not have is left out without a word.
        """
        path = f"{name.path}/issues/{number}/labels"
        labels = models.objects(self.connection.send("POST", path, {"labels": [label]}).data, f"POST {path}")
        return tuple(each.text("name") for each in labels)

    def _written(self, method: str, path: str, fields: dict[str, str]) -> Fields:
        return Fields(self.connection.send(method, path, fields).data, f"{method} {path}")


def _ref(branch: str) -> str:
    return quote(branch, safe="/")  # Forgejo routes branches with their slashes, and some proxies refuse %2F


_NAME_IT = "A token for named repositories can't hold read:user: for such a one, set ONEHEAD_BOT to the account's name."


def own_account(api: ForgejoApi, named: str) -> User:
    """The account that the token belongs to.

    Without `read:user`, which a token for named repositories can't hold, Forgejo still tells everybody their own
    permission in a repository, with the account, and refuses to tell anybody else's. `ONEHEAD_BOT` has `named` it.

    Raises:
        UsageError: the token is of another account than `named`, or nothing proves that it is of that one.
        MissingScope: the token may not ask, and no account is named.
        NotFound: no account is named so, or no repository is there to ask in.
    """
    try:
        found = api.me()
    except MissingScope as lacking:
        if not named:
            raise MissingScope(lacking.message, f"{lacking.hint} {_NAME_IT}", scopes=lacking.scopes) from lacking
        return _agreed(api, named)
    if named and found.login.lower() != named.lower():
        raise UsageError(
            f"The token belongs to {found.login}, not to {named}.",
            "Set ONEHEAD_BOT to that name, or leave it out: this token knows its own.",
        )
    return found


def _agreed(api: ForgejoApi, named: str) -> User:
    where = api.any_repository()
    if where is None:
        raise NotFound(
            "The token reaches no repository, so there is none to ask whose token it is.",
            "Give the bot's account access to a repository, and name that one in its token.",
        )
    try:
        found = api.account_with_permission(where.name, named)
    except MissingScope:
        raise
    except Forbidden as refused:
        raise UsageError(
            f"The token belongs to another account than {named}.",
            "Set ONEHEAD_BOT to the name of the account that the token was made for.",
        ) from refused
    except NotFound as nobody:
        raise NotFound(
            f"Forgejo knows no account {named} whose token this could be.",
            "Set ONEHEAD_BOT to the name of the account that the token was made for.",
            status=nobody.status,
        ) from nobody
    if where.permissions.admin and api.may_administer(where.name):
        raise UsageError(
            f"Nothing proves that the token belongs to {named}: an administrator of {where.name} can see everybody.",
            "Make a token with read:user, or one for named repositories: with it nobody is an administrator.",
        )
    return found

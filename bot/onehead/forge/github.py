"""GitHub's REST API, as far as a job there tells of a pull request: the same values, read from GitHub's own shapes.

Paths and most fields are alike, for Forgejo's API descends from it. What differs is here, and nowhere else.
Source: https://docs.github.com/en/rest, version 2022-11-28.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, replace
from gzip import compress
from urllib.parse import quote

from onehead.forge import models
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection, Dialect
from onehead.forge.errors import Forbidden, NotFound
from onehead.forge.models import Comment, Fields, PullRequest, RepositoryName, Status, User

GITHUB = Dialect("GitHub", "", "Bearer", "per_page", 100)
_ENTERPRISE = "/api/v3"
_ACTIONS = "github-actions[bot]"
"""Whose token every job has, so any workflow writes as it."""


def connect(url: str, token: str) -> Connection:
    """An open line to the API at `https://api.github.com`, or at `https://HOST/api/v3`."""
    root = url.rstrip("/")
    if root.endswith(_ENTERPRISE):
        return Connection(root.removesuffix(_ENTERPRISE), token, dialect=replace(GITHUB, root=_ENTERPRISE))
    return Connection(root, token, dialect=GITHUB)


class GitHubApi(ForgejoApi):
    """The endpoints that a job needs; the others are Forgejo's alone."""

    max_description = 140
    """Characters; GitHub refuses what is longer."""

    def __init__(self, connection: Connection, bot: str = "") -> None:
        """`bot`: whose token it is, where it does not tell: that of a job does not, and belongs to `github-actions`."""
        super().__init__(connection)
        self._bot = bot or _ACTIONS

    def me(self) -> User:
        """GET /user; for the token of an app, which may not ask that, GET /users/{username}."""
        try:
            return super().me()
        except Forbidden:
            return models.user(self.connection.get(f"/users/{quote(self._bot, safe='')}"))

    def is_of_jobs(self, account: User | None) -> bool:
        """Whether any workflow of the repository writes as this account."""
        return account is not None and account.login == _ACTIONS

    def pull(self, name: RepositoryName, number: int) -> PullRequest:
        """GET /repos/{owner}/{repo}/pulls/{pull_number}."""
        path = f"{name.path}/pulls/{number}"
        found = dict(_object(self.connection.send("GET", path).data))
        found |= {"body": found.get("body") or "", "allow_maintainer_edit": bool(found.get("maintainer_can_modify"))}
        found |= {side: _side(found.get(side)) for side in ("head", "base")}
        return models.pull_request(Fields(found, f"GET {path}"))

    def comments(self, name: RepositoryName, number: int) -> list[Comment]:
        """GET /repos/{owner}/{repo}/issues/{issue_number}/comments: oldest first, in pages."""
        return [models.comment(fields) for fields in self.connection.pages(f"{name.path}/issues/{number}/comments")]

    def status_with_creator(self, name: RepositoryName, sha: str, context: str) -> tuple[Status, User | None] | None:
        """GET /repos/{owner}/{repo}/commits/{ref}/statuses: newest first; the state is in `state`."""
        path = f"{name.path}/commits/{quote(sha, safe='')}/statuses"
        for fields in self.connection.pages(path):
            if fields.text("context") == context:
                told = fields.optional_text("description") or "", fields.optional_text("target_url") or ""
                return Status(context, fields.text("state"), *told), models.creator(fields)
        return None

    def create_status(self, name: RepositoryName, sha: str, status: Status) -> None:
        """POST /repos/{owner}/{repo}/statuses/{sha}: an address that is none is left out."""
        fields = {field: value for field, value in asdict(status).items() if value}
        self.connection.send("POST", f"{name.path}/statuses/{quote(sha, safe='')}", fields)

    def pull_of_commit(self, name: RepositoryName, sha: str) -> PullRequest:
        """GET /repos/{owner}/{repo}/commits/{sha}/pulls: the first of those that brought a commit."""
        path = f"{name.path}/commits/{quote(sha, safe='')}/pulls"
        for fields in self.connection.items(path):
            return self.pull(name, fields.number("number"))
        raise NotFound(f"No pull request has brought {sha[:10]}.")

    def upload_sarif(self, name: RepositoryName, sha: str, ref: str, sarif: str) -> None:
        """POST /repos/{owner}/{repo}/code-scanning/sarifs: findings, for GitHub's code scanning."""
        fields = {"commit_sha": sha, "ref": ref, "sarif": b64encode(compress(sarif.encode(), mtime=0)).decode("ascii")}
        self.connection.send("POST", f"{name.path}/code-scanning/sarifs", fields)


def _side(side: object) -> object:
    """A side of a pull request, its repository with the fields that only Forgejo has."""
    if not isinstance(side, Mapping) or not isinstance(side.get("repo"), Mapping):
        return side
    repository = {"empty": False, "mirror": bool(side["repo"].get("mirror_url")), "has_pull_requests": True}
    return {**side, "repo": {**repository, **side["repo"]}}


def _object(data: object) -> Mapping[str, object]:
    return data if isinstance(data, Mapping) else {}

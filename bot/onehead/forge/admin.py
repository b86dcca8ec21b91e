"""Forgejo's endpoints for installing and removing onehead: webhooks, collaborators, branch rules.

Most of them need an administrator of the repository, an owner of the organisation or a site administrator; the bot's
account need not be one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import quote

from onehead.forge import models
from onehead.forge.errors import NotFound, Refused
from onehead.forge.models import Fields

if TYPE_CHECKING:
    from onehead.forge.client import Connection
    from onehead.forge.models import RepositoryName, User

_ALWAYS_DIFFERENT = frozenset({"branch_name", "rule_name", "created_at", "updated_at"})
_OWN = frozenset({"enable_push", "enable_status_check", "status_check_contexts"})


@dataclass(frozen=True, slots=True)
class HookPlace:
    """Something that webhooks belong to: a repository, an organisation, the own account, or the whole site."""

    path: str  # of its webhooks, below `/api/v1`
    words: str  # how it is called in a sentence
    is_system: bool = False
    repository: RepositoryName | None = None


def of_repository(name: RepositoryName) -> HookPlace:
    """The webhooks of one repository; for its administrators."""
    return HookPlace(f"{name.path}/hooks", f"the repository {name}", repository=name)


def of_organisation(name: str) -> HookPlace:
    """The webhooks of all repositories of an organisation; for its owners, with the scope `write:organization`."""
    return HookPlace(f"/orgs/{quote(name, safe='')}/hooks", f"the organisation {name}")


def of_own_account(login: str) -> HookPlace:
    """The webhooks of all repositories of the account that asks, with the scope `write:user`."""
    return HookPlace("/user/hooks", f"the account {login}")


SYSTEM = HookPlace("/admin/hooks", "the whole site", is_system=True)
"""The webhooks of every repository; for site administrators, with the scope `write:admin`."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as Forgejo tells it. It never tells the secret."""

    id: int
    kind: str  # `forgejo`, `gitea`, `gogs` or a chat service; it can't be changed
    url: str
    content_type: str  # `json` or `form`
    events: frozenset[str]  # fine names; `pull_request` means opened, closed, edited and reopened only
    branch_filter: str  # a glob for pushes; empty and `*` let everything through
    authorization_header: str
    active: bool


@dataclass(frozen=True, slots=True)
class BranchRule:
    """The protection of one branch, or of all whose name fits a pattern."""

    name: str
    checks: bool
    contexts: tuple[
        str, ...
    ]  # patterns of the statuses that a merge waits for; checks on and none named: all there are
    other: frozenset[str]  # names of everything else that the rule sets to something (so not false, zero or empty)


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a repository."""

    id: int
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only moment at which Forgejo tells it."""

    id: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BranchTip:
    """A branch and who wrote its last commit."""

    name: str
    sha: str
    author_email: str


class Administration:
    """The endpoints of a set-up. Every method may raise any `ForgeError`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def account(self, name: str) -> User:
        """GET /users/{username}: also of an organisation."""
        return models.user(self._connection.get(f"/users/{quote(name, safe='')}"))

    def makes_tokens(self, login: str) -> bool:
        """Whether this server makes tokens for other accounts, asked like `ask_to_write`: Forgejo 16 and newer do.

        Raises:
            ForgeError: it does, but the account is no site administrator, or its token lacks `write:admin`.
        """
        try:
            self._connection.send("POST", _tokens(login), {})
        except NotFound:
            return False
        except Refused as refused:
            if refused.status not in {400, 422}:
                raise
        return True

    def create_token(self, login: str, name: str, scopes: Sequence[str]) -> NewToken:
        """POST /admin/users/{username}/tokens: for a site administrator, with the scope `write:admin`."""
        made = self._written("POST", _tokens(login), {"name": name, "scopes": list(scopes)})
        return NewToken(made.number("id"), made.text("sha1"))

    def delete_token(self, login: str, token: int) -> None:
        """DELETE /admin/users/{username}/tokens/{token}."""
        self._connection.send("DELETE", f"{_tokens(login)}/{token}")

    def hooks(self, place: HookPlace) -> Iterator[Webhook]:
        """GET …/hooks: all of a place, those of other services too."""
        yield from {hook.id: hook for hook in map(_webhook, self._connection.pages(place.path))}.values()

    def create_hook(self, place: HookPlace, url: str, secret: str, events: Sequence[str]) -> Webhook:
        """POST …/hooks: an active one of type forgejo that sends JSON."""
        config = {"url": url, "content_type": "json", "secret": secret}
        if place.is_system:
            config["is_system_webhook"] = "true"  # without it: a template, copied into new repositories only
        fields = {"type": "forgejo", "active": True, "events": list(events), "branch_filter": "", "config": config}
        return _webhook(self._written("POST", place.path, fields))

    def mend_hook(self, place: HookPlace, hook: Webhook, url: str, events: Sequence[str]) -> Webhook:
        """PATCH …/hooks/{id}: everything but type and secret, which Forgejo does not change.

        All fields are sent: Forgejo resets events, filter and authorization where they are left out.
        """
        fields = {
            "active": True,
            "events": list(events),
            "branch_filter": "",
            "authorization_header": hook.authorization_header,
            "config": {"url": url, "content_type": "json"},
        }
        return _webhook(self._written("PATCH", f"{place.path}/{hook.id}", fields))

    def delete_hook(self, place: HookPlace, hook: int) -> None:
        """DELETE …/hooks/{id}."""
        self._connection.send("DELETE", f"{place.path}/{hook}")

    def test_hook(self, name: RepositoryName, hook: int) -> None:
        """POST /repos/{owner}/{repo}/hooks/{id}/tests: Forgejo sends a made-up push. How it went, no API tells."""
        self._connection.send("POST", f"{name.path}/hooks/{hook}/tests")

    def ask_to_write(self, path: str) -> None:
        """Send a POST that Forgejo must decline, for its reason: rights are looked at before the content.

        Returns quietly where the account and its token may write there.

        Raises:
            ForgeError: they may not; `MissingScope` names what the token lacks.
        """
        try:
            self._connection.send("POST", path, {})
        except (Refused, NotFound) as refused:
            if refused.status not in {400, 404, 422}:
                raise

    def add_collaborator(self, name: RepositoryName, login: str) -> None:
        """PUT /repos/{owner}/{repo}/collaborators/{collaborator}: with write access."""
        self._connection.send("PUT", _collaborator(name, login), {"permission": "write"})

    def is_collaborator(self, name: RepositoryName, login: str) -> bool:
        """GET /repos/{owner}/{repo}/collaborators/{collaborator}: by its own name, not through a team."""
        try:
            self._connection.send("GET", _collaborator(name, login))
        except NotFound:
            return False
        return True

    def remove_collaborator(self, name: RepositoryName, login: str) -> None:
        """DELETE /repos/{owner}/{repo}/collaborators/{collaborator}."""
        self._connection.send("DELETE", _collaborator(name, login))

    def labels(self, name: RepositoryName) -> Iterator[Label]:
        """GET /repos/{owner}/{repo}/labels: needs the scope `read:issue`."""
        yield from (models.read(Label, fields) for fields in self._connection.pages(f"{name.path}/labels"))

    def create_label(self, name: RepositoryName, label: str, color: str, description: str) -> Label:
        """POST /repos/{owner}/{repo}/labels; `color` is six hexadecimal digits after a `#`."""
        fields = {"name": label, "color": color, "description": description}
        return models.read(Label, self._written("POST", f"{name.path}/labels", fields))

    def delete_label(self, name: RepositoryName, label: int) -> None:
        """DELETE /repos/{owner}/{repo}/labels/{id}: it also goes from everything that has it."""
        self._connection.send("DELETE", f"{name.path}/labels/{label}")

    def rule_for(self, name: RepositoryName, branch: str) -> BranchRule | None:
        """The rule that protects a branch: GET …/branches/{branch}, which names it to administrators, then the rule.

        As long as there is no such branch, of the rules whose pattern fits: that of just this name, else the first.
        """
        try:
            found = self._connection.get(f"{name.path}/branches/{quote(branch, safe='/')}")
        except NotFound:
            rules = [_rule(fields) for fields in self._connection.items(f"{name.path}/branch_protections")]
            fitting = [each for each in rules if fnmatchcase(branch, each.name)]
            return next((each for each in fitting if each.name == branch), next(iter(fitting), None))
        rule = found.optional_text("effective_branch_protection_name")
        if not rule:
            return None
        return _rule(self._connection.get(f"{name.path}/branch_protections/{quote(rule, safe='')}"))

    def create_rule(self, name: RepositoryName, branch: str, context: str) -> BranchRule:
        """POST …/branch_protections: one that leaves pushing as it was and lets merges wait for one status."""
        fields = {
            "rule_name": branch,
            "enable_push": True,
            "enable_status_check": True,
            "status_check_contexts": [context],
        }
        return _rule(self._written("POST", f"{name.path}/branch_protections", fields))

    def set_contexts(self, name: RepositoryName, rule: str, contexts: Sequence[str]) -> BranchRule:
        """PATCH …/branch_protections/{name}: which statuses merges wait for; none switches the check off."""
        fields = {"enable_status_check": bool(contexts), "status_check_contexts": list(contexts)}
        return _rule(self._written("PATCH", f"{name.path}/branch_protections/{quote(rule, safe='')}", fields))

    def delete_rule(self, name: RepositoryName, rule: str) -> None:
        """DELETE …/branch_protections/{name}."""
        self._connection.send("DELETE", f"{name.path}/branch_protections/{quote(rule, safe='')}")

    def branches(self, name: RepositoryName) -> Iterator[BranchTip]:
        """GET /repos/{owner}/{repo}/branches."""
        for fields in self._connection.pages(f"{name.path}/branches"):
            commit = fields.inner("commit")
            yield BranchTip(fields.text("name"), commit.text("id"), commit.inner("author").text("email"))

    def _written(self, method: str, path: str, fields: Mapping[str, object]) -> Fields:
        return Fields(self._connection.send(method, path, fields).data, f"{method} {path}")


def _webhook(fields: Fields) -> Webhook:
    return models.read(Webhook, fields, kind=fields.text("type"), events=frozenset(fields.texts("events")))


def _rule(fields: Fields) -> BranchRule:
    other = {name for name in fields.names() if name not in _OWN | _ALWAYS_DIFFERENT and not fields.is_unset(name)}
    if not fields.flag("enable_push"):
        other.add("no direct pushes")
    checks, contexts = fields.flag("enable_status_check"), fields.texts("status_check_contexts")
    return BranchRule(fields.text("rule_name"), checks, contexts, frozenset(other))


def _collaborator(name: RepositoryName, login: str) -> str:
    return f"{name.path}/collaborators/{quote(login, safe='')}"


def _tokens(login: str) -> str:
    return f"/admin/users/{quote(login, safe='')}/tokens"

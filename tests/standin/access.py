"""Who is asking, and what may they do: tokens, scopes and repository permissions."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.standin.world import Access, Repository, Token, User, World

RANK: dict[str, int] = {"none": 0, "read": 1, "write": 2, "admin": 3, "owner": 4}


class BadCredentialsError(Exception):
    """An Authorization header was sent and fits nobody: Forgejo answers 401 even where none is needed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The person behind a request. `token` is None for a password, `user` is None for nobody."""

    user: User | None = None
    token: Token | None = None

    def lacks_scope(self, level: str, categories: tuple[str, ...]) -> bool:
        """Tell whether the token has none of the scopes. Passwords and anonymous callers have no scopes to lack."""
        if self.token is None or not categories:
            return False
        granted = self.token.scopes
        if "all" in granted:
            return False
        wanted = {f"write:{category}" for category in categories}
        if level == "read":
            wanted |= {f"read:{category}" for category in categories}
        return not granted & wanted

    @property
    def is_narrow(self) -> bool:
        """Whether the token is for named repositories: then nobody's rights as an administrator count."""
        return self.token is not None and self.token.repositories is not None

    def access(self, repository: Repository) -> Access:
        """What the person may do there with this token: outside of those it names, only read what is public."""
        if self.token is not None and self.token.job:
            # repoAssignment: nothing but the job's own repository, and there the same for every unit.
            return self.most(repository) if repository.id in (self.token.repositories or ()) else "none"
        return min(access(repository, self.user), self.most(repository), key=RANK.__getitem__)

    def most(self, repository: Repository) -> Access:
        """What the token allows there, whatever its person may do."""
        if self.token is not None and self.token.job and repository.id in (self.token.repositories or ()):
            return self.token.job
        if self.token is None or self.token.repositories is None or repository.id in self.token.repositories:
            return "owner"
        return "none" if repository.private else "read"

    def can(self, repository: Repository, level: Access) -> bool:
        return RANK[self.access(repository)] >= RANK[level]


def identify(world: World, authorization: str | None, query_token: str = "") -> Caller:
    """Find the caller: `token T`, `Bearer T`, or Basic with the token or the password in either place.

    Raises:
        BadCredentialsError: something was sent that is neither a token nor a user's password.
    """
    if not authorization:
        return _by_token(world, query_token) if query_token else Caller()
    kind, _, value = authorization.partition(" ")
    if kind.lower() in {"token", "bearer"}:
        return _by_token(world, value.strip())
    if kind.lower() != "basic":
        raise BadCredentialsError
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadCredentialsError from error
    secret = name if password in {"", "x-oauth-basic"} else password
    if secret in world.tokens:
        return _by_token(world, secret)
    user = world.user(name)
    if user is None or not user.password or user.password != password:
        raise BadCredentialsError
    return Caller(user)


def _by_token(world: World, secret: str) -> Caller:
    token = world.tokens.get(secret)
    if token is None:
        raise BadCredentialsError
    return Caller(token.user, token)


def access(repository: Repository, user: User | None) -> Access:
    """Give a user's access to a repository's code, issues and pull requests (one level here, as without teams)."""
    if user is not None:
        if user.is_admin or user.id == repository.owner.id or user.id in repository.owner.members:
            return "owner"
        granted = repository.collaborators.get(user.id)
        if granted is not None:
            return granted
    return "none" if repository.private else "read"


def can(repository: Repository, user: User | None, level: Access) -> bool:
    return RANK[access(repository, user)] >= RANK[level]


def writable_as_maintainer(world: World, repository: Repository, user: User) -> list[str]:
    """List the branches of somebody's fork that `user` may push to because their pull request allows maintainers.

    Three conditions: the pull request says so, its author can still write the fork, and `user` can write the base.
    """
    return [
        pull.head_branch
        for base in world.repositories.values()
        for issue, pull in base.open_pulls()
        if pull.head_repository is repository
        and pull.allow_maintainer_edit
        and can(repository, issue.poster, "write")
        and can(base, user, "write")
    ]

"""The forge as a whole: its state and the parts that act on it, wired together once."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from tests.standin import bare, gitside
from tests.standin.checks import Checker
from tests.standin.deliveries import Postman
from tests.standin.events import Announcer
from tests.standin.later import Later
from tests.standin.merging import Merger
from tests.standin.pulls import Pulls
from tests.standin.pushes import Pushes
from tests.standin.world import ACTIONS, Repository, Timing, Token, User, World

if TYPE_CHECKING:
    from pathlib import Path


class Forge:
    """Holds the parts, and does what concerns no single one of them: making users, tokens and repositories."""

    def __init__(self, root: Path, url: str, timing: Timing | None = None) -> None:
        self.world = World(root, url, timing)
        self.later = Later("later")
        self.checks = Later("checks")
        self.postman = Postman(self.world)
        self.announcer = Announcer(self.world, self.postman)
        self.pulls = Pulls(self.world, self.announcer, Checker(self.world, self.checks))
        self.pushes = Pushes(self.world, self.announcer, self.pulls, self.later)
        self.merger = Merger(self.world, self.pulls, self.pushes)

    def stop(self) -> None:
        self.later.stop()
        self.checks.stop()
        self.postman.stop()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be done or delivered."""
        return self.later.idle and self.checks.idle and self.postman.idle

    def add_user(self, name: str, *, email: str = "", password: str = "", is_admin: bool = False) -> User:
        user = User(self.world.next_id("user"), name, email or f"{name}@example.org", password, is_admin=is_admin)
        self.world.users[user.id] = user
        return user

    def add_organization(self, name: str, owner: User) -> User:
        organization = User(self.world.next_id("user"), name, "", is_organization=True, members={owner.id})
        self.world.users[organization.id] = organization
        return organization

    def add_token(
        self, user: User, name: str, scopes: frozenset[str], repositories: frozenset[int] | None = None
    ) -> Token:
        token = Token(self.world.next_id("token"), name, user, secrets.token_hex(20), scopes, repositories)
        self.world.tokens[token.secret] = token
        return token

    def add_job_token(self, repository: Repository, *, from_fork: bool = False) -> Token:
        """Make the automatic token of an Actions job; it may only read where the pull request comes from a fork.

        So it is for `pull_request_target` too: `IsForkPullRequest` of the run does not depend on the event.
        """
        token = self.add_token(ACTIONS, "job", frozenset({"all"}), frozenset({repository.id}))
        token.job = "read" if from_fork else "write"
        return token

    def add_repository(
        self, owner: User, name: str, *, private: bool = False, branch: str = "main", source: Repository | None = None
    ) -> Repository:
        """Make a repository, empty or as a fork of `source`."""
        path = self.world.root / "repositories" / owner.name.lower() / f"{name.lower()}.git"
        repository = Repository(self.world.next_id("repository"), owner, name, path, private, parent=source)
        if source is not None:
            repository.default_branch, repository.private = source.default_branch, source.private
            bare.create_bare(path, source.default_branch, source.path)
            repository.refs, repository.is_empty = gitside.read_refs(path), source.is_empty
        else:
            repository.default_branch = branch
            bare.create_bare(path, branch)
        self.world.repositories[repository.id] = repository
        return repository

    def remove_repository(self, repository: Repository, doer: User) -> None:
        """Delete a repository. Pull requests that came from it are closed and lose their head, forks their parent."""
        for other in self.world.repositories.values():
            for issue, pull in list(other.open_pulls()):
                if pull.head_repository is repository and other is not repository:
                    self.pulls.set_closed(other, issue, doer, closed=True)
        del self.world.repositories[repository.id]
        for other in self.world.repositories.values():
            if other.parent is repository:
                other.parent = None
            for issue in other.issues.values():
                if issue.pull is not None and issue.pull.head_repository is repository:
                    issue.pull.head_repository = None
        shutil.rmtree(repository.path)

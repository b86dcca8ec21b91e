"""How revision files came onto a deployed branch: the commit that brought each, and the pull request behind it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from onehead.forge.api import ForgejoApi
from onehead.forge.errors import NotFound
from onehead.forge.values import RepositoryName
from onehead.gitrepo.command import Git
from onehead.gitrepo.history import landed
from onehead.gitrepo.refs import Commit


class Landings:
    """Asked for each pull request into a branch, mostly for the same files: found out once."""

    def __init__(self, git: Git, api: ForgejoApi, repository: RepositoryName) -> None:
        """Look at nothing yet."""
        self._git = git
        self._api = api
        self._repository = repository
        self._commits: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._pulls: dict[str, int | None] = {}

    def commits(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit on the line of a branch that brought it; `branch` is the SHA of its tip."""
        key = frozenset(paths), branch
        if key not in self._commits:
            self._commits[key] = landed(self._git, paths, branch)
        return self._commits[key]

    def pull_behind(self, sha: str) -> int | None:
        """Number of the pull request whose merge wrote a commit; `None` for what was pushed without one."""
        if sha not in self._pulls:
            self._pulls[sha] = None  # also where the forge does not say: it is asked once in a run
            with suppress(NotFound):
                self._pulls[sha] = self._api.pull_of_commit(self._repository, sha).number
        return self._pulls[sha]

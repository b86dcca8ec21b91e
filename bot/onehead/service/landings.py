"""How revision files came onto a deployed branch: who wrote each, the commit that brought it, the pull request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from onehead.examine import naming
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import NotFound
from onehead.forge.models import RepositoryName
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import introduced, landed, renamed
from onehead.gitrepo.refs import Commit


def written(git: Git, paths: Collection[str], branch: str, not_in: Sequence[str]) -> dict[str, Commit]:
    """Path → the commit in which a person wrote it: a repair of ours may have renamed it since.

    Args:
        git: the repository.
        paths: files of `branch`.
        branch: SHA of its tip.
        not_in: SHAs whose history is of no interest.
    """
    found = introduced(git, paths, branch, not_in)
    for path, commit in list(found.items()):
        if commit.author_email == naming.EMAIL and (before := renamed(git, commit.sha).get(path)) is not None:
            found[path] = written(git, [before], f"{commit.sha}^", not_in).get(before, commit)
    return found


class Landings:
    """Asked for each pull request into a branch, mostly for the same files: found out once."""

    def __init__(self, git: Git, api: ForgejoApi, repository: RepositoryName) -> None:
        """Look at nothing yet."""
        self._git = git
        self._api = api
        self._repository = repository
        self._commits: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._writers: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._pulls: dict[str, int | None] = {}

    def commits(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit on the line of a branch that brought it; `branch` is the SHA of its tip."""
        key = frozenset(paths), branch
        if key not in self._commits:
            self._commits[key] = landed(self._git, paths, branch)
        return self._commits[key]

    def writers(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit in which somebody wrote it; what brought it to the branch may be a merge by another person.

        Where history is cut off, the commit that brought it stands in.
        """
        key = frozenset(paths), branch
        if key not in self._writers:
            brought = self.commits(paths, branch)
            self._writers[key] = brought | (self._written(paths, branch, [*brought.values()][-1]) if brought else {})
        return self._writers[key]

    def _written(self, paths: Collection[str], branch: str, oldest: Commit) -> dict[str, Commit]:
        """Looked for in what has come to the branch since the first of the files landed."""
        before = self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{oldest.sha}^")
        return written(self._git, paths, branch, [before.out.decode("ascii").strip()] if before.code == 0 else [])

    def pull_behind(self, sha: str) -> int | None:
        """Number of the pull request whose merge wrote a commit; `None` for what was pushed without one."""
        if sha not in self._pulls:
            self._pulls[sha] = None  # also where the forge does not say: it is asked once in a run
            with suppress(NotFound):
                self._pulls[sha] = self._api.pull_of_commit(self._repository, sha).number
        return self._pulls[sha]

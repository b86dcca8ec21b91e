"""Where revisions come from: who wrote each, the commit that brought it to a deployed branch, the pull request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import islice
from typing import Literal

from onehead.examine import naming
from onehead.forge.admin import Administration
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import NotFound
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import introduced, landed, renamed
from onehead.gitrepo.refs import Commit, are_signed
from onehead.plan.findings import Code
from onehead.plan.forks import forks_of
from onehead.plan.verdict import Examination, Examined, Point
from onehead.service.snapshot import Snapshot, Target
from onehead.service.troubles import Troubles
from onehead.text import inline

_MAX_FILES = 100
"""Revisions of one environment, the nearest to its heads: the forge is asked about each commit that brought one."""

_MAX_LOOKED_AT = 10
"""Commits on the line of a branch that all have to be signed to tell of a rule."""

Signing = Literal["no", "likely", "required"]


class Provenance:
    """Asked for each pull request into a branch, mostly for the same files: found out once."""

    def __init__(self, snapshot: Snapshot, api: ForgejoApi, troubles: Troubles) -> None:
        """Look at nothing yet."""
        self._snapshot = snapshot
        self._git = snapshot.git
        self._api = api
        self._troubles = troubles
        self._commits: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._writers: dict[tuple[frozenset[str], str], dict[str, Commit]] = {}
        self._pulls: dict[str, int | None] = {}
        self._brought: dict[tuple[Point, Point | None], dict[str, str]] = {}
        self._signing: dict[str, Signing] = {}

    def brought_by(self, examination: Examination) -> dict[str, str]:
        """Path of a revision file → who brought it, as Markdown; for both sides of every fork."""
        key = examination.target, examination.head
        if key not in self._brought:
            self._brought[key] = self._brought_by(examination)
        return self._brought[key]

    def _brought_by(self, examination: Examination) -> dict[str, str]:
        found: dict[str, str] = {}
        for examined in examination.environments:
            paths = _fork_paths(examined)
            theirs = paths & {revision.path for revision in examined.facts.target}
            writers = self._writers_of(theirs, examination.target.sha)
            for path, commit in self._landed(theirs, examination.target.sha).items():
                found[path] = _spoken(writers[path], self._pull_behind(examination, commit.sha))
            if examination.head is not None:
                not_in = [examination.target.sha]
                for path, commit in _written(self._git, paths - theirs, examination.head.sha, not_in).items():
                    found[path] = _spoken(commit, None)
        return found

    def pulls_behind(self, examination: Examination) -> tuple[int, ...]:
        """Pull requests through which the sides of the target's forks landed."""
        paths = {path for examined in examination.environments for path in _fork_paths(examined)}
        commits = self._landed(paths, examination.target.sha)
        pulls = {self._pull_behind(examination, commit.sha) for commit in commits.values()}
        return tuple(sorted(number for number in pulls if number is not None))

    def signing(self, target: Target) -> Signing:
        """Whether a deployed branch takes signed commits only; what onehead writes is not signed.

        "no" also where that can't be told. Forgejo tells the rules of a branch to administrators of the repository
        alone. To everybody it tells that there are some; then the branch's own latest commits have to tell the rest.
        """
        if target.name not in self._signing:
            self._signing[target.name] = "no"
            with suppress(Exception):  # a repair is of use without this
                self._signing[target.name] = self._find_signing(target)
        return self._signing[target.name]

    def _find_signing(self, target: Target) -> Signing:
        name = self._snapshot.repository.name
        if self._snapshot.repository.permissions.admin:
            rule = Administration(self._api.connection).rule_for(name, target.name)
            return "required" if rule is not None and "require_signed_commits" in rule.other else "no"
        if are_signed(self._git, target.point.sha, _MAX_LOOKED_AT):
            return "likely" if self._api.branch(name, target.name).protected else "no"
        return "no"

    def _landed(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit on the line of a branch that brought it; `branch` is the SHA of its tip."""
        key = frozenset(paths), branch
        if key not in self._commits:
            self._commits[key] = landed(self._git, paths, branch)
        return self._commits[key]

    def _writers_of(self, paths: Collection[str], branch: str) -> dict[str, Commit]:
        """Path → the commit in which somebody wrote it; what brought it to the branch may be a merge by another person.

        It is looked for in what has come to the branch since the first of the files landed. Where history is cut off,
        the commit that brought it stands in.
        """
        key = frozenset(paths), branch
        if key not in self._writers:
            brought = self._landed(paths, branch)
            found = dict(brought)
            if brought:
                oldest = [*brought.values()][-1]
                before = self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{oldest.sha}^")
                not_in = [before.out.decode("ascii").strip()] if before.code == 0 else []
                found |= _written(self._git, paths, branch, not_in)
            self._writers[key] = found
        return self._writers[key]

    def _pull_behind(self, examination: Examination, sha: str) -> int | None:
        """The pull request whose merge wrote a commit; where that can't be told, the texts name the commit."""
        if sha not in self._pulls:
            self._pulls[sha] = None  # also where the forge does not say: it is asked once in a run
            doing = "the pull request behind a commit could not be found"
            if self._snapshot.has_pulls:
                with self._troubles.apart(examination.target.ref, doing), suppress(NotFound):
                    self._pulls[sha] = self._api.pull_of_commit(self._snapshot.repository.name, sha).number
        return self._pulls[sha]


def _written(git: Git, paths: Collection[str], branch: str, not_in: Sequence[str]) -> dict[str, Commit]:
    """Path → the commit in which a person wrote it: a repair of ours may have renamed it since.

    `branch` is the SHA of a tip; the history of those in `not_in` is of no interest.
    """
    found = introduced(git, paths, branch, not_in)
    for path, commit in list(found.items()):
        if commit.author_email == naming.EMAIL and (before := renamed(git, commit.sha).get(path)) is not None:
            found[path] = _written(git, [before], f"{commit.sha}^", not_in).get(before, commit)
    return found


def _fork_paths(examined: Examined) -> set[str]:
    """Files of all revisions above the places where the ways part."""
    graph = examined.facts.merged
    paths: set[str] = set()
    for fork in (
        forks_of(examined.facts) if any(f.code in (Code.COLLISION, Code.FORK) for f in examined.findings) else ()
    ):
        heads = [*fork.new, *(head for head in fork.heads if head not in fork.new)]
        own = graph.ancestors(*heads) - graph.ancestors(*fork.points)
        nearest = dict.fromkeys([*heads, *reversed(graph.parents_first(own))])
        paths |= {graph.revisions[id_].path for id_ in islice(nearest, _MAX_FILES - len(paths))}
        if len(paths) == _MAX_FILES:
            break
    return paths


def _spoken(commit: Commit, pull: int | None) -> str:
    place = f" in #{pull}" if pull else f" in {commit.sha[:10]}"
    return f"{inline(commit.author_name, 60)}{place}"

"""A repository as it is now: the forge's list of pull requests and the mirror's refs. Nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import structlog

from onehead.examine import naming
from onehead.examine.examine import read_policy
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import NotFound
from onehead.forge.models import PullRequest, Repository, User
from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import HEADS, describe, is_ancestor, list_refs
from onehead.plan.policy import Policy, targets_of
from onehead.plan.verdict import Point
from onehead.service.troubles import Troubles

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """A deployed branch by its short name, and the policy in its own tree."""

    name: str
    point: Point
    policy: Policy


@dataclass(frozen=True)
class Snapshot:
    """What is there.

    Attributes:
        git: the mirror, for questions about history.
        me: id of our own account.
        pulls: all that are open.
        heads: short branch name → commit.
        pull_heads: number of a pull request → the commit of its branch, closed ones included.
        laid_ready: full name of a ref with a repair for a branch in a fork → commit.
        targets: short name → deployed branch; the default branch first.
        reported: commit of what databases have reported; empty where none has.
        has_pulls: whether there can be pull requests: they may be switched off, or hidden from the bot's account.
    """

    repository: Repository
    git: Git
    me: int
    pulls: tuple[PullRequest, ...]
    heads: Mapping[str, str]
    pull_heads: Mapping[int, str]
    laid_ready: Mapping[str, str]
    targets: Mapping[str, Target]
    reported: str
    has_pulls: bool

    @property
    def main(self) -> Target:
        """The target that branches without a pull request are judged against."""
        return next(iter(self.targets.values()))

    def head_of(self, pull: PullRequest) -> Point | None:
        """The branch of a pull request as it was fetched; `None` where it could not be.

        Forgejo moves `refs/pull/N/head` some time after the branch itself.
        """
        sha = self.heads.get(pull.head.ref) if is_local(pull) else self.pull_heads.get(pull.number)
        return None if sha is None else Point(f"{HEADS}{pull.head.ref}" if pull.has_branch else pull.head.ref, sha)

    def is_ours(self, pull: PullRequest) -> bool:
        """Whether it is a repair of ours."""
        return pull.head.ref.startswith(naming.BRANCHES) and pull.author.id == self.me

    def repairs_into(self, branch: str) -> list[PullRequest]:
        """Our open repair pull requests into a branch."""
        return self._repairs.get(branch, [])

    def proposing(self, branch: str) -> list[PullRequest]:
        """The open pull requests of a branch."""
        return [pull for pull in self.pulls if pull.head.ref == branch and is_local(pull)]

    @cached_property
    def _repairs(self) -> dict[str, list[PullRequest]]:
        found: dict[str, list[PullRequest]] = defaultdict(list)
        for pull in self.pulls:
            if self.is_ours(pull):
                found[pull.base.ref].append(pull)
        return found

    @cached_property
    def untouched(self) -> frozenset[str]:
        """Repair branches with which nothing is lost: we wrote the last commit, or all of it has landed."""
        tips = {name: sha for name, sha in self.heads.items() if name.startswith(naming.BRANCHES)}
        authors = {sha: commit.author_email for sha, commit in describe(self.git, list(tips.values())).items()}
        return frozenset(
            name for name, sha in tips.items() if authors[sha] == naming.EMAIL or self._is_in_what_it_repairs(name, sha)
        )

    def _is_in_what_it_repairs(self, name: str, sha: str) -> bool:
        repaired = self.heads.get(naming.repaired_by(name))
        return repaired is not None and is_ancestor(self.git, sha, repaired)


def is_local(pull: PullRequest) -> bool:
    """Whether its branch is one of the repository itself, not of a fork."""
    head, base = pull.head.repository, pull.base.repository
    return head is not None and base is not None and head.id == base.id and pull.has_branch


def take_snapshot(
    api: ForgejoApi, me: User, repository: Repository, mirror: Mirror, troubles: Troubles
) -> Snapshot | None:
    """Look at a repository; `None` where its default branch does not exist yet.

    Pull requests are listed before branches are fetched: a branch may be newer, never older.
    """
    pulls = _open_pulls(api, repository)
    mirror.fetch()
    heads = {ref.name.removeprefix(HEADS): ref.sha for ref in list_refs(mirror.git, HEADS)}
    if repository.default_branch not in heads:
        log.info("The default branch does not exist yet; nothing to do.", repository=str(repository.name))
        return None
    laid_ready = {ref.name: ref.sha for ref in list_refs(mirror.git, naming.LAID_READY)}
    reported = laid_ready.pop(naming.DATABASES, "")
    return Snapshot(
        repository=repository,
        git=mirror.git,
        me=me.id,
        pulls=pulls or (),
        heads=heads,
        pull_heads={
            int(number): ref.sha
            for ref in list_refs(mirror.git, "refs/pull")
            if (number := ref.name.split("/")[2]).isdecimal()
        },
        laid_ready=laid_ready,
        targets=_targets(mirror.git, repository, heads, troubles),
        reported=reported,
        has_pulls=pulls is not None,
    )


def _open_pulls(api: ForgejoApi, repository: Repository) -> tuple[PullRequest, ...] | None:
    """All open pull requests; `None` where there are none to see: switched off, or hidden from the bot's account."""
    if repository.has_pulls:
        with suppress(NotFound):
            return tuple(api.open_pulls(repository.name))
    log.warning(
        "Pull requests are switched off, or hidden from the bot's account; only branches are judged.",
        repository=str(repository.name),
        hint="Switch them on in the settings of the repository (Units), or let the bot's team see them.",
    )
    return None


def _targets(git: Git, repository: Repository, heads: dict[str, str], troubles: Troubles) -> dict[str, Target]:
    """The deployed branches: which they are, the default branch says; what is wanted of each, it says itself.

    Where one can't say it, what the default branch says holds: as a deployed branch it is judged all the same.
    """
    main = repository.default_branch
    policies = {main: read_policy(git, heads[main]).policy}
    names = [name for name in targets_of(policies[main], main, heads) if not name.startswith(naming.BRANCHES)]
    for name in names:
        if name != main:
            with troubles.apart(f"{HEADS}{name}", "its policy could not be read"):
                policies[name] = read_policy(git, heads[name]).policy
    return {
        name: Target(name, Point(f"{HEADS}{name}", heads[name]), policies.get(name, policies[main])) for name in names
    }

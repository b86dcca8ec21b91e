"""Look at a repository without Alembic, which most are, and make no mirror of it.

What tells is the trees of its branches and of its open pull requests. Those that were looked at are remembered by their
commits, so nothing that is remembered can become wrong, and a look after no push fetches nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial

import structlog

from onehead.databases.model import ForkOutcomes
from onehead.examine import naming
from onehead.examine.examine import WrittenChain, without_environment
from onehead.examine.next_revision import OpenPulls
from onehead.examine.probe import MAX_CONFIGURATION_BYTES, MAX_FILES, may_hold_environments
from onehead.forge.models import PullRequest, Repository, User
from onehead.gitrepo.git import Git
from onehead.gitrepo.probe import Probe, probing
from onehead.gitrepo.process import GitFailed, MissingObjects
from onehead.gitrepo.refs import HEADS, head_of_pull
from onehead.gitrepo.tree import Contents, files_in, read
from onehead.plan.findings import Facts
from onehead.plan.policy import Policy, Strategy
from onehead.plan.verdict import Point
from onehead.service.judge import Judged, NextAnswer, RowsDiagnosis
from onehead.service.snapshot import Snapshot, Target

MAX_TIPS = 1_000
"""Commits of one repository that are looked at without a mirror."""

log = structlog.get_logger(__name__)


def refs_without_alembic(
    url: str, token: str, pulls: Collection[PullRequest], known: Collection[str]
) -> dict[str, str] | None:
    """Full name → commit, of the branches and open pull requests of a repository in which nothing hints at Alembic.

    `None` where something does, where onehead has refs there, or where it can't be told. `known`: commits that were
    looked at before, and had no hint.

    Raises:
        RemoteUnreachable: the forge does not answer.
        RemoteRefused: no such repository for this token.
        GitTimeout: it takes too long.
    """
    elsewhere = {head_of_pull(pull.number) for pull in pulls if not pull.is_local}
    with probing(url, token) as probe:
        if any(name.startswith((f"{HEADS}{naming.BRANCHES}", naming.LAID_READY)) for name in probe.refs):
            return None
        refs = {name: sha for name, sha in probe.refs.items() if name.startswith(HEADS) or name in elsewhere}
        new = set(refs.values()).difference(known)
        if len(new) > MAX_TIPS or (new and _may_hold_environments(probe, new)):
            return None
    return refs


def _may_hold_environments(probe: Probe, commits: Collection[str]) -> bool:
    try:
        probe.fetch_trees(commits)
        return may_hold_environments(files_in(probe.git, commits, MAX_FILES), partial(_read, probe))
    except (GitFailed, MissingObjects) as trouble:
        log.info("A repository could not be looked at without a mirror; one is made.", error=str(trouble))
        return True


def _read(probe: Probe, oids: Collection[str]) -> Contents:
    if oids:
        probe.fetch_blobs(oids)
    return read(probe.git, oids, MAX_CONFIGURATION_BYTES)


def snapshot_without_alembic(
    me: User, repository: Repository, pulls: tuple[PullRequest, ...] | None, refs: Mapping[str, str], git: Git
) -> Snapshot | None:
    """A repository as it is now; `None` where its default branch does not exist yet.

    Of its branches, the default one and those of pull requests are in it. `git` is that of the mirror, which does not
    exist.
    """
    main = repository.default_branch
    tip = refs.get(f"{HEADS}{main}")
    if tip is None:
        log.info("The default branch does not exist yet; nothing to do.", repository=str(repository.name))
        return None
    proposed = {pull.head.ref for pull in pulls or () if pull.is_local}
    branches = {name.removeprefix(HEADS): sha for name, sha in refs.items() if name.startswith(HEADS)}
    numbers = {pull.number: head_of_pull(pull.number) for pull in pulls or ()}
    return Snapshot(
        repository=repository,
        git=git,
        me=me.id,
        pulls=pulls or (),
        heads={name: sha for name, sha in branches.items() if name == main or name in proposed},
        pull_heads={number: refs[name] for number, name in numbers.items() if name in refs},
        laid_ready={},
        targets={main: Target(main, Point(f"{HEADS}{main}", tip), Policy())},
        reported="",
        has_pulls=pulls is not None,
        is_mirrored=False,
    )


class NothingToJudge:
    """Judges commits in which nothing hints at Alembic: as `Analysis` would, for there is nothing to read."""

    def judge(self, target: Point, head: Point | None, _strategy: Strategy | None) -> Judged:
        """See `Analysis.judge`."""
        return Judged(without_environment(target, head), None, (), {}, {}, {}, "", ())

    def written(self, _target: Point, _written: Point) -> tuple[WrittenChain, ...]:
        """No repair is."""
        return ()

    def recent(self, _facts: Facts) -> tuple[ForkOutcomes, ...]:
        """Of no environment."""
        return ()

    def diagnose(self, facts: Facts, _rows: tuple[str, ...]) -> RowsDiagnosis:
        """There is no environment to which rows could belong."""
        raise LookupError(facts.environment.path)

    def effects(self, _blobs: tuple[str, ...]) -> dict[str, str]:
        """No revision is there."""
        return {}

    def next(self, _target: Point, _head: Point | None, _pulls: OpenPulls, _now: datetime) -> NextAnswer:
        """Of no environment."""
        return NextAnswer((), {})

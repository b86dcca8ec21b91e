"""What becomes of a branch that is pushed: the examination of it in, refused or accepted out. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from onehead.plan.findings import Finding, Side
from onehead.plan.forks import Fork, forks_of
from onehead.plan.verdict import Examination, Examined

Before = Literal["itself", "default", "nothing"]
"""What a pushed branch is compared with: its own old tip; the default branch's, where the branch is new; nothing, where
there is no default branch yet."""


class Landing(NamedTuple):
    """A deployed branch as a push would leave it.

    Attributes:
        branch: short name.
        before: what it was compared with.
        examination: the pushed commit in the place of that.
        grows: whether what stood there before is part of what is pushed (no force push, no new branch).
    """

    branch: str
    before: Before
    examination: Examination
    grows: bool = True


def objections(landing: Landing) -> tuple[Finding, ...]:
    """Why the push is refused; empty where it is accepted.

    It answers for the errors that it brings: what the branch had already is no reason, so that a forked branch can
    still be worked on, and repaired. Of a repository's very first push nobody can say what it brings, so only
    what is certain counts: a file that can't be read may have been there for years.
    """
    errors = landing.examination.own_errors()
    if landing.before == "nothing":
        return tuple(finding for finding in errors if not finding.blinds)
    return errors


def new_forks(examined: Examined, side: Side) -> tuple[Fork, ...]:
    """The forks of one environment that this side brings."""
    return tuple(fork for fork in forks_of(examined.facts) if fork.introduced_by == side)


def remaining_forks(landing: Landing) -> tuple[Fork, ...]:
    """Forks that the branch had and keeps."""
    if landing.before != "itself":
        return ()
    return tuple(fork for examined in landing.examination.environments for fork in new_forks(examined, "target"))


def mended(landing: Landing) -> tuple[Examined, ...]:
    """Environments that were forked, and are at one head again by this push."""
    if landing.before != "itself":
        return ()
    return tuple(
        examined
        for examined in landing.examination.environments
        if len(examined.facts.merged.heads) == 1
        and forks_of(examined.facts._replace(head=None, merged=examined.facts.target))
    )

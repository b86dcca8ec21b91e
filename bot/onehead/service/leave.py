"""The end of looking after a repository: what was said and offered there is brought to an end, once.

The settings may have changed, or its topics: the forge sends nothing about either, so a sweep finds it. This process
knows that it was looked after, or its mirror tells, which is removed afterwards. A mirror that somebody uses may belong
to another service with another scope that shares the cache, so it counts only after `_DAY_AND_MORE` of rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog

from onehead.examine import naming
from onehead.forge.models import Repository, RepositoryName, StatusState
from onehead.service.agenda import worth_judging
from onehead.service.apply import apply
from onehead.service.desired import left
from onehead.service.desk import Desk
from onehead.service.known import read_pages
from onehead.service.look import Look
from onehead.service.repairs import RepairWriter
from onehead.service.sweep import out_of_reach
from onehead.service.troubles import NO_STATUS

_DAY_AND_MORE = 25 * 60 * 60.0
"""Seconds. Each service looks at each of its repositories once a day, whether anything has happened there or not."""

log = structlog.get_logger(__name__)


def left_behind(
    repositories: Iterable[Repository], desk: Desk, knows: Callable[[str], bool]
) -> Iterator[RepositoryName]:
    """Repositories in which something may have to be ended: they were looked after, and are not any more.

    Args:
        repositories: all that the account has to do with.
        desk: knows what is in scope, and the mirrors.
        knows: whether this process has looked at one, by its full name.
    """
    for repository in repositories:
        if not desk.covers(repository) and not out_of_reach(repository):
            idle = desk.mirrors.idle(desk.clone_url(repository))
            if knows(str(repository.name)) or (idle is not None and idle > _DAY_AND_MORE):
                yield repository.name


def leave(look: Look) -> None:
    """Close what is offered, end what is told, and leave no status that keeps anybody from merging."""
    snapshot = look.snapshot
    heads = {head.sha for pull in snapshot.pulls if (head := snapshot.head_of(pull)) is not None}
    heads |= {target.point.sha for target in snapshot.targets.values()}
    heads |= {snapshot.heads[name] for name in worth_judging(look, snapshot.heads)}
    theirs = [pull.number for pull in snapshot.pulls if not snapshot.is_ours(pull)]
    red = [sha for sha in sorted(heads) if _is_red(look, sha)]
    apply(left(snapshot, read_pages(look, theirs), red), look, RepairWriter(look))
    log.info("Stopped looking after a repository.", repository=str(snapshot.repository.name))


def _is_red(look: Look, sha: str) -> bool:
    """Whether a commit has a status of ours that is not green; others stay as they are."""
    with look.troubles.apart(sha, NO_STATUS):
        found = look.desk.api.latest_statuses(look.repository.name, sha)
        return any(each.context == naming.STATUS and each.state != StatusState.SUCCESS for each in found)
    return False

"""The end of looking after a repository: what was said and offered there is brought to an end, once.

The settings may have changed, or its topics: the forge sends nothing about either, so a sweep finds it. This process
knows that it was looked after, or its mirror tells, which is removed afterwards. A mirror that somebody uses may belong
to another service with another scope that shares the cache, so it counts only after `_DAY_AND_MORE` of rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog

from onehead.examine import naming
from onehead.forge.intents import ensure_status
from onehead.forge.models import Repository, RepositoryName, StatusState
from onehead.reports import replies
from onehead.service import say
from onehead.service.bench import Bench
from onehead.service.closing import close, remove_branch
from onehead.service.concerned import worth_judging
from onehead.service.desk import Desk
from onehead.service.offer import remove_laid_ready
from onehead.service.sweep import out_of_reach
from onehead.service.troubles import NO_STATUS, NOT_ENDED, page

_DAY_AND_MORE = 25 * 60 * 60.0
"""Seconds. Each service looks at each of its repositories once a day, whether anything has happened there or not."""

NOT_JUDGED = "Not judged: onehead does not look after this repository any more."

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


def leave(bench: Bench) -> None:
    """Close what is offered, end what is told, and leave no status that keeps anybody from merging."""
    reason = "onehead does not look after this repository any more"
    pulls = [pull for pull in bench.pulls if not bench.is_ours(pull)]
    close(bench, [pull for pull in bench.pulls if bench.is_ours(pull)], reason)
    for branch in [name for name in bench.heads if name.startswith(naming.BRANCHES)]:
        with bench.troubles.apart(branch, NOT_ENDED):
            remove_branch(bench, branch)
    for pull in pulls:
        with bench.troubles.apart(page(pull.number), NOT_ENDED):
            remove_laid_ready(bench, pull)
            say.end(bench, pull.number, replies.left())
    judged = {head.sha for pull in bench.pulls if (head := bench.head_of(pull)) is not None}
    judged |= {target.point.sha for target in bench.targets.values()}
    judged |= {bench.heads[name] for name in worth_judging(bench, bench.heads)}
    for sha in sorted(judged):
        with bench.troubles.apart(sha, NO_STATUS):
            _end_status(bench, sha)
    log.info("Stopped looking after a repository.", repository=str(bench.repository.name))


def _end_status(bench: Bench, sha: str) -> None:
    """A status of ours that is not green becomes so, for it will never be judged again; others stay as they are."""
    api, name = bench.desk.api, bench.repository.name
    present = next((each for each in api.latest_statuses(name, sha) if each.context == naming.STATUS), None)
    if present is not None and present.state != StatusState.SUCCESS:
        ensure_status(api, name, sha, context=naming.STATUS, state=StatusState.SUCCESS, description=NOT_JUDGED)

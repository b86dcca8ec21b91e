"""Which repositories the service looks after, and which need a look: a handful of questions to the forge.

What the sweep may overlook for a day at the most is what leaves no trace in the forge's lists: an edited comment, and
the change of a few settings. What was looked at is remembered in this process only; after a restart everything is
looked at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from onehead.forge.api import ForgejoApi
from onehead.forge.models import Repository, RepositoryName
from onehead.service.context import ServiceContext
from onehead.service.engine import Everything, Job, ScopeLeft
from onehead.service.memory import Remembered, Shelf

_OVERLAP = timedelta(minutes=15)  # the forge's clock and ours may differ by so much
_MAX_LENGTH = timedelta(days=1)  # after so long a repository is looked at whatever the forge says

_SETTLED = timedelta(minutes=1)
"""The forge tells whole seconds: what had changed just before a look may have changed once more in the same second."""


@dataclass(frozen=True, slots=True)
class _RepositoryLook:
    """A repository as the forge's lists showed it at a time; its own times are the forge's."""

    at: datetime
    looked_at: datetime  # when the repository itself was last looked at after a list was read
    updated: datetime
    touched: frozenset[tuple[int, datetime]]  # its issues and pull requests of the last while


class Attention:
    """Remembers how repositories looked. For one thread; `looked_at` may be called from any."""

    def __init__(self, api: ForgejoApi, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._api = api
        self._now = now
        self._seen: dict[str, _RepositoryLook] = {}
        self._pending: dict[str, _RepositoryLook] = {}

    def due(self, repositories: Iterable[Repository]) -> list[Repository]:
        """Those that have changed since they were last looked at, or never were; call `looked_at` after each look.

        Raises:
            ForgeError: the forge does not answer.
        """
        by_owner: dict[str, list[Repository]] = defaultdict(list)
        for repository in repositories:
            by_owner[repository.name.owner].append(repository)
        return [each for owner, owned in by_owner.items() for each in self._due(owner, owned)]

    def looked_at(self, repository: str) -> None:
        """All of a repository was looked at, and everything done that there was to do."""
        look = self._pending.pop(repository, None)
        if look is not None:
            self._seen[repository] = look

    def knows(self, repository: str) -> bool:
        """Whether it was looked at since the process began."""
        return repository in self._seen

    def forget(self, repository: str) -> None:
        """A repository is not looked after any more: should it come back, it is looked at."""
        self._seen.pop(repository, None)

    def _due(self, owner: str, repositories: list[Repository]) -> list[Repository]:
        now = self._now()
        known = [self._seen[str(each.name)] for each in repositories if str(each.name) in self._seen]
        since = min([now, *(look.at for look in known)]) - _OVERLAP
        touched: dict[str, set[tuple[int, datetime]]] = defaultdict(set)
        for each in self._api.touched(owner, since):
            touched[str(each.repository)].add((each.number, each.at))
        due = []
        for repository in repositories:
            name = str(repository.name)
            look = _RepositoryLook(now, now, repository.updated_at, frozenset(touched[name]))
            before = self._seen.get(name)
            if before is not None and _is_quiet(before, look):
                self._seen[name] = replace(look, looked_at=before.looked_at)
            else:
                self._pending[name] = look
                due.append(repository)
        return due


def _is_quiet(before: _RepositoryLook, now: _RepositoryLook) -> bool:
    """Whether nothing has changed between two readings of the lists."""
    newest = max([before.updated, *(at for _, at in before.touched)])
    return (
        before.updated == now.updated
        and now.touched <= before.touched
        and before.at - newest > _SETTLED
        and now.at - before.looked_at <= _MAX_LENGTH
    )


class _SweepTimes(NamedTuple):
    began: datetime
    ended: datetime


class Sweeper:
    """Asks for a look at each repository that needs one; of several processes that share a shelf, one at a time."""

    def __init__(
        self,
        context: ServiceContext,
        attention: Attention,
        shelf: Shelf,
        submit: Callable[[Job], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._context = context
        self._attention = attention
        self._shelf = shelf
        self._times: Remembered[_SweepTimes] = Remembered(shelf, "sweep", _SweepTimes)
        self._submit = submit
        self._now = now

    def sweep(self, wanted: datetime) -> datetime | None:
        """Sweep, unless that was begun since it was wanted; when that sweep ended, `None` while another process sweeps.

        Raises:
            ForgeError: the forge does not answer.
        """
        with self._shelf.alone("sweep") as is_alone:
            if not is_alone:
                return None
            last = self._times.get("last")
            if last is None or last.began < wanted:
                began = self._now()
                self._submit_due()
                last = _SweepTimes(began, self._now())
                self._times.put({"last": last})
            return last.ended

    def _submit_due(self) -> None:
        context = self._context
        everything = list(context.api.repositories(context.me))
        for repository in self._attention.due(in_scope(everything, context.covers)):
            self._submit(Job(str(repository.name), frozenset({Everything()})))
        for name in map(str, left_behind(everything, context, self._attention.knows)):
            self._attention.forget(name)
            self._submit(Job(name, frozenset({ScopeLeft()})))


def in_scope(repositories: Iterable[Repository], covers: Callable[[Repository], bool]) -> list[Repository]:
    """Those that the settings name and the token may write to; archived, empty and mirrored ones are not."""
    return [each for each in repositories if not out_of_reach(each) and covers(each)]


def out_of_reach(repository: Repository) -> str:
    """Why a repository can't be looked after, as a clause; empty when it can."""
    if repository.archived:
        return "it is archived"
    if repository.empty:
        return "it is empty"
    if repository.mirror:
        return "it is a mirror of another repository"
    if not repository.permissions.push:
        return "the token may not write to it"
    return ""


_MIN_REST = 25 * 60 * 60.0
"""Seconds. Each service looks at each of its repositories once a day, whether anything has happened there or not."""


def left_behind(
    repositories: Iterable[Repository], context: ServiceContext, knows: Callable[[str], bool]
) -> Iterator[RepositoryName]:
    """Repositories in which something may have to be ended: they were looked after, and are not any more.

    The settings may have changed, or its topics: the forge sends nothing about either. This process knows that one was
    looked after, or its mirror tells, which is removed afterwards. A mirror that somebody uses may belong to another
    service with another scope that shares the cache, so it counts only after a day and more of rest.
    """
    for repository in repositories:
        if not context.covers(repository) and not out_of_reach(repository):
            idle = context.mirrors.idle(context.clone_url(repository))
            if knows(str(repository.name)) or (idle is not None and idle > _MIN_REST):
                yield repository.name

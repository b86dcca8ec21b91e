"""Which repositories the service looks after, and which need a look: a handful of questions to the forge.

Each sweep asks what has changed since the one before, by the forge's clock; once a day it reads the whole list. What
it may overlook until then is what leaves no trace in the forge's lists: an edited comment, the right to push where
the account could read before, and the change of a few settings. What is remembered is in this process, which looks at
everything after a restart, or in PostgreSQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from onehead.forge.api import ForgejoApi
from onehead.forge.client import PAGE, ListPage
from onehead.forge.errors import Refused, Unavailable
from onehead.forge.models import ChangedIssue, Repository, RepositoryName, User
from onehead.service.context import ServiceContext
from onehead.service.engine import Everything, Job, ScopeLeft
from onehead.service.memory import Remembered, Shelf
from onehead.service.page_store import PageStore

_OVERLAP = timedelta(minutes=15)
"""The forge shows some changes late, and the clocks of its servers differ: each question reaches back so far again."""

_MAX_SKEW = timedelta(minutes=15)  # between the clocks of our own machines

_MAX_LENGTH = timedelta(days=1)  # after so long a repository is looked at, and the whole list read, whatever is new

_ALWAYS_LISTED = 500  # repositories: so many, those that changed last, are listed whether they are new or not

_SETTLED = timedelta(minutes=1)
"""The forge tells whole seconds: what had changed just before a look may have changed once more in the same second."""

_Touched = Mapping[int, frozenset[tuple[int, datetime]]]
"""By the id of a repository: its issues and pull requests of the last while, and when each changed."""


@dataclass(frozen=True, slots=True)
class RepositoryLook:
    """A repository as the forge's lists showed it. All times are the forge's."""

    id: int
    at: datetime  # of these lists
    updated: datetime
    touched: frozenset[tuple[int, datetime]]


@dataclass(frozen=True, slots=True)
class SweepMark:
    """How far the sweeps have come. All times are the forge's."""

    since: datetime  # everything up to then was seen
    whole: datetime  # when the whole list was read
    ids: frozenset[int]  # of all repositories that are not archived and that the account can reach


@dataclass(frozen=True, slots=True)
class Reading:
    """The forge's lists, read to their end.

    `repositories`: all of them where it `is_whole`; else those that have changed since the mark, and some more.
    """

    at: datetime
    repositories: tuple[Repository, ...]
    is_whole: bool
    touched: _Touched
    mark: SweepMark  # for the next reading


class Attention:
    """Remembers how repositories looked. For one sweep at a time; `next_look` and `looked_at` may be called meanwhile.

    A reading that breaks off changes nothing, and what is due stays due until it was looked at.
    """

    def __init__(
        self,
        api: ForgejoApi,
        covers: Callable[[Repository], bool],
        shelf: Shelf,
        page: PageStore | None = None,
    ) -> None:
        """`page`: what was looked at before there was one is looked at again; what is forgotten it shows no longer."""
        self._page = page
        self._api = api
        self._covers = covers
        self._mark: Remembered[SweepMark] = Remembered(shelf, "sweep mark", SweepMark)
        self._seen: Remembered[RepositoryLook] = Remembered(shelf, "looked at", RepositoryLook)
        self._due: Remembered[RepositoryLook] = Remembered(shelf, "due", RepositoryLook)

    def read(self, me: User) -> Reading:
        """Ask the forge what there is to know.

        Raises:
            ForgeError: the forge does not answer.
        """
        names = {*self._seen.all(), *self._due.all()}
        return _Lists(self._api, me, self._covers, self._mark.get("last")).read(names)

    def due(self, reading: Reading) -> list[str]:
        """Those that have changed since they were last looked at, or never were; call `looked_at` after each look."""
        listed = {str(each.name): each for each in reading.repositories}
        scoped = {str(each.name): each for each in in_scope(reading.repositories, self._covers)}
        ids = {each.id for each in reading.repositories}
        seen, due = self._seen.all(), self._due.all()
        gone: set[str] = set()
        left: set[str] = set()
        now = {name: (each.id, each.updated_at) for name, each in scoped.items()}
        for name, look in (seen | due).items():
            # Gone, or listed under another name; or it is there and can't be looked after.
            if name not in listed and (reading.is_whole or look.id in ids):
                gone.add(name)
            elif name in listed and name not in scoped:
                (gone if out_of_reach(listed[name]) else left).add(name)
            elif name not in scoped:
                now[name] = look.id, look.updated
        shown = set[str]() if self._page is None else {*self._page.conditions()}
        if self._page is not None and reading.is_whole:
            # Of one that could not even be asked for nothing else is remembered.
            self._page.forget(*(shown - scoped.keys()))
        unshown = set[str]() if self._page is None else now.keys() - shown
        began = reading.at if self._page is None else self._page.began(reading.at)
        found = {}
        for name, (id_, updated) in now.items():
            look = RepositoryLook(id_, reading.at, updated, reading.touched.get(id_, frozenset()))
            before = seen.get(name)
            if before is None or (name in unshown and before.at < began) or not _is_quiet(before, look):
                found[name] = look
        self.forget(*gone)
        self._due.forget(*left)
        self._due.put(found)
        self._mark.put({"last": reading.mark})
        return [name for name in due | found if name not in gone | left]

    def next_look(self, repository: str) -> RepositoryLook | None:
        """What a look that begins now is to be remembered as, see `looked_at`; `None` where none is due."""
        return self._due.get(repository)

    def looked_at(self, repository: str, look: RepositoryLook | None) -> None:
        """All of a repository was looked at since `next_look` gave this, and everything done that there was to do."""
        if look is not None:
            self._seen.put({repository: look})
            self._due.forget_equal(repository, look)

    def knows(self, repository: str) -> bool:
        """Whether it was looked at, as far as is remembered."""
        return self._seen.get(repository) is not None

    def forget(self, *repositories: str) -> None:
        """Repositories are not looked after any more: should they come back, they are looked at."""
        if self._page is not None:
            self._page.forget(*repositories)
        self._seen.forget(*repositories)
        self._due.forget(*repositories)


def _is_quiet(before: RepositoryLook, now: RepositoryLook) -> bool:
    """Whether nothing has changed since the lists were read before a look."""
    newest = max([before.updated, *(at for _, at in before.touched)])
    return (
        before.updated == now.updated
        and now.touched <= before.touched
        and before.at - newest > _SETTLED
        and now.at - before.at <= _MAX_LENGTH
    )


@dataclass(frozen=True, slots=True)
class _RepositoryList:
    at: datetime
    repositories: tuple[Repository, ...]
    is_whole: bool


class _Lists:
    """The questions of one sweep."""

    def __init__(self, api: ForgejoApi, me: User, covers: Callable[[Repository], bool], mark: SweepMark | None) -> None:
        self._api = api
        self._me = me
        self._covers = covers
        self._mark = mark
        self._nothing_left = True

    def read(self, names: Iterable[str]) -> Reading:
        """Ask all of them; `names` are the repositories that are looked after, as far as is known."""
        listed = (self._mark and self._changed(self._mark)) or self._all()
        since = min(listed.at, self._mark.since if self._mark else listed.at)
        try:
            touched = self._touched(since - _OVERLAP, self._owners(listed, names))
        except Refused:  # an owner has another name by now, which changes no time of a repository
            if listed.is_whole:
                raise
            listed = self._all()
            touched = self._touched(since - _OVERLAP, self._owners(listed))
        ids = frozenset(each.id for each in listed.repositories)
        mark = SweepMark(listed.at if self._nothing_left else since, listed.at, ids)
        if self._mark and not listed.is_whole:
            mark = replace(mark, whole=self._mark.whole, ids=ids | self._mark.ids)
        return Reading(listed.at, listed.repositories, listed.is_whole, touched, mark)

    def _changed(self, mark: SweepMark) -> _RepositoryList | None:
        """Those that changed last; `None` where all are to be read: a day has passed, or these don't tell everything.

        A new one that comes twice may have come in the place of another of its second. A number that does not fit tells
        of one that came or went, such as into the archive: that moves no time.
        """
        if len(mark.ids) <= _ALWAYS_LISTED:
            return None
        since = mark.since - _OVERLAP
        found: list[Repository] = []
        begun, total = None, None
        for page in self._api.unarchived(self._me, last_changed_first=True):
            begun, total = begun or page.at, page.total
            if begun < mark.since or begun - mark.whole > _MAX_LENGTH:
                return None
            found += page.items
            if len(found) >= _ALWAYS_LISTED and found[-1].updated_at < since:
                break
        new = [each.id for each in found if each.updated_at >= since]
        by_id = {each.id: each for each in found}
        if begun is None or len(set(new)) < len(new) or total != len(by_id.keys() | mark.ids):
            return None
        return _RepositoryList(begun, tuple(by_id.values()), is_whole=False)

    def _all(self) -> _RepositoryList:
        pages = list(self._api.unarchived(self._me, last_changed_first=False))
        return _RepositoryList(pages[0].at, tuple(each for page in pages for each in page.items), is_whole=True)

    def _owners(self, listed: _RepositoryList, names: Iterable[str] = ()) -> set[str]:
        owners = {each.name.owner for each in in_scope(listed.repositories, self._covers)}
        return owners if listed.is_whole else owners | {name.partition("/")[0] for name in names}

    def _touched(self, since: datetime, owners: Collection[str]) -> _Touched:
        """What was touched since: asked for once, or of each owner where that costs fewer requests.

        It does where more was touched in other people's public repositories than fits into as many pages as there are
        owners. Where the account may read more repositories than Forgejo's database takes parameters (32,766 in SQLite,
        65,535 in PostgreSQL), Forgejo can only be asked so: it answers 500.
        """
        pages = self._of_everybody(since, len(owners)) if len(owners) > 1 else None
        if pages is None:
            pages = [page for owner in sorted(owners) for page in self._whole(self._api.touched(since, owner))]
        found: dict[int, set[tuple[int, datetime]]] = defaultdict(set)
        for each in (each for page in pages for each in page.items):
            found[each.repository].add((each.number, each.at))
        return {id_: frozenset(touched) for id_, touched in found.items()}

    def _of_everybody(self, since: datetime, limit: int) -> list[ListPage[ChangedIssue]] | None:
        """As many pages as the limit says; `None` where there are more."""
        pages = []
        try:
            for page in self._whole(self._api.touched(since)):
                pages.append(page)
                if len(pages) > limit or (page.total or 0) > limit * PAGE:
                    return None
        except Unavailable:
            return None
        return pages

    def _whole(self, pages: Iterable[ListPage[ChangedIssue]]) -> Iterator[ListPage[ChangedIssue]]:
        """The pages of a list. Where it gets shorter meanwhile, one may have moved to a page that was read before."""
        before = 0
        for page in pages:
            total = page.total or 0
            self._nothing_left &= total >= before
            before = total
            yield page


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
            began = self._now()
            # One that began later than now was noted by a clock that was wrong, and would stand for all until then.
            if last is None or last.began < wanted or last.began > began + _MAX_SKEW:
                self._submit_due()
                last = _SweepTimes(began, self._now())
                self._times.put({"last": last})
            return last.ended

    def _submit_due(self) -> None:
        reading = self._attention.read(self._context.me)
        for name in self._attention.due(reading):
            self._submit(Job(name, frozenset({Everything()})))
        for name in map(str, left_behind(reading.repositories, self._context, self._attention.knows)):
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

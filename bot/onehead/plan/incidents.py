"""From what was wrong at each commit of a branch to incidents: when each began, who brought it, how it ended. Pure.

An incident is one kind of error in one environment, from the first commit of the branch that has it to the first one
without it. For as long as anything can't be read that could hide one, that is one incident, whatever it is. Times are
those that git recorded, made to run forward (`line_clock`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from onehead.plan.findings import Code, Finding
from onehead.plan.plans import Plan
from onehead.plan.verdict import Point
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision


class PastCommit(NamedTuple):
    """A commit of the branch itself: its first-parent line, not what was merged into it.

    `committed`: when, in seconds since 1970, as git recorded it. The first one of `parents` is the commit before it.
    `pull`: the number of the pull request that it brought, as far as its subject tells.
    """

    sha: str
    parents: tuple[str, ...]
    author: str
    committed: int
    subject: str
    pull: int | None = None


class EnvironmentState(NamedTuple):
    """One environment as a commit left it: its path, its chain, and the errors that a check of that commit gives."""

    path: str
    graph: Graph
    errors: tuple[Finding, ...] = ()


class JudgedCommit(NamedTuple):
    """A commit by its place in the line, and every environment that it holds."""

    place: int
    environments: tuple[EnvironmentState, ...]


class EndKind(StrEnum):
    """How an incident ended; stable names."""

    MERGE = "merge"
    REPARENT = "reparent"
    REISSUE = "reissue"
    RESTORED = "restored"
    REVERTED = "reverted"
    DELETED = "deleted"
    EDITED = "edited"
    INTENDED = "intended"
    ENVIRONMENT_REMOVED = "environment-removed"
    OPEN = "open"


class Incident(NamedTuple):
    """One kind of error in one environment, for as long as it lasted.

    Attributes:
        environment: its newest path; `found_in` is the one that it had when this began.
        finding: what a check of the first commit with it says; of several of the kind, the first.
        heads: of a fork, the most that there were at one time; sorted.
        missing: of a missing parent, what no file declared when it began; sorted.
        brought: the ids of the side that came with that commit, sorted; `paths` are their files.
        began, ended: places in the line; `ended` is that of the first commit without it, `None` where there is none.
        is_older: it was there already where the look begins, so it is not known what came with it.
        repaired_with: the revisions that ended it, sorted.
    """

    environment: str
    found_in: str
    finding: Finding
    heads: tuple[str, ...]
    missing: tuple[str, ...]
    brought: tuple[str, ...]
    paths: tuple[str, ...]
    began: int
    is_older: bool
    ended: int | None = None
    ending: EndKind = EndKind.OPEN
    repaired_with: tuple[str, ...] = ()

    @property
    def code(self) -> Code:
        """Which kind of error it was."""
        return self.finding.code

    @property
    def is_unjudged(self) -> bool:
        """Whether it is not known what was wrong, if anything: what could not be read may have hidden it."""
        return self.finding.blinds

    @property
    def stops(self) -> bool:
        """Whether `alembic upgrade head` stops for as long as it lasts.

        Not with a duplicate id: Alembic warns, goes on, and never runs one of the two.
        """
        return self.code is not Code.DUPLICATE_ID and not self.is_unjudged


class EnvironmentPast(NamedTuple):
    """An environment over time: its newest path, the older ones in order, and the places where it came and went.

    `appeared` is `None` where it was there from the start of the look, `vanished` where it is still there.
    """

    path: str
    former: tuple[str, ...]
    appeared: int | None
    vanished: int | None


class Foresight(NamedTuple):
    """What a check would have said of the branch that brought an incident, judged by two commits alone.

    `head` was judged as merged into the commit before. Without `errors` the branch by itself would have passed: the
    merge made the error. `trouble`: why it could not be judged; then there is no plan.
    """

    head: str
    errors: tuple[Finding, ...] = ()
    plan: Plan | None = None
    trouble: str = ""


class IncidentOrigin(NamedTuple):
    """What git knows of how an incident came: who wrote the files, and what a check would have said."""

    authors: tuple[str, ...] = ()
    foresight: Foresight | None = None


class History(NamedTuple):
    """The past of a branch.

    Attributes:
        target: the branch.
        line: its commits, oldest first. The first one is only where the look begins, if `has_start`: what is wrong
            there already is older.
        clock: the time of each in seconds, never running back; `corrected`: how many had another time in git.
        until: the time to which what is still open is counted.
        changed: commits that were judged, because migrations or their configuration changed.
        origins: number of an incident → what git knows of it; for the newest ones.
        left_out: what was not looked at, sentences.
    """

    target: Point
    line: tuple[PastCommit, ...]
    has_start: bool
    clock: tuple[int, ...]
    corrected: int
    until: int
    changed: int
    environments: tuple[EnvironmentPast, ...]
    incidents: tuple[Incident, ...]
    origins: Mapping[int, IncidentOrigin] = MappingProxyType({})
    left_out: tuple[str, ...] = ()

    @property
    def commits(self) -> int:
        """How many commits were looked at."""
        return len(self.line) - self.has_start

    @property
    def end(self) -> int:
        """Where the look ends, in seconds: with the newest commit, or where what is open is counted to."""
        return self.until if any(incident.ended is None for incident in self.incidents) else self.clock[-1]

    def interval(self, incident: Incident) -> tuple[int, int]:
        """From when to when an incident lasted, in seconds; at least, where it is older."""
        end = self.until if incident.ended is None else self.clock[incident.ended]
        return self.clock[incident.began], max(end, self.clock[incident.began])

    def seconds(self, incidents: Iterable[Incident]) -> int:
        """How long any of some incidents lasted: time in which several did counts once."""
        total, reached = 0, -1
        for start, end in sorted(map(self.interval, incidents)):
            total += max(0, end - max(start, reached))
            reached = max(reached, end)
        return total

    @property
    def stopped(self) -> int:
        """Seconds in which `alembic upgrade head` would have stopped in some environment."""
        return self.seconds(incident for incident in self.incidents if incident.stops)

    @property
    def unjudged(self) -> int:
        """Seconds in which something could not be judged in some environment."""
        return self.seconds(incident for incident in self.incidents if incident.is_unjudged)


def line_clock(recorded: Sequence[int]) -> tuple[int, ...]:
    """The times of commits in their order, made to run forward.

    Clocks are set wrong, and commits are made elsewhere and pushed late. As many times as possible are believed (a
    longest run of times that never goes back); each of the others becomes that of the commit before it, or of the first
    believed one.
    """
    ends: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, time in enumerate(recorded):
        at = bisect_right(ends, time)
        before.append(places[at - 1] if at else -1)
        ends[at : at + 1] = [time]
        places[at : at + 1] = [place]
    believed = set()
    place = places[-1] if places else -1
    while place >= 0:
        believed.add(place)
        place = before[place]
    times = []
    last = recorded[min(believed)] if believed else 0
    for place, time in enumerate(recorded):
        last = time if place in believed else last
        times.append(last)
    return tuple(times)


def incidents_of(
    judged: Iterable[JudgedCommit], *, has_start: bool
) -> tuple[tuple[Incident, ...], tuple[EnvironmentPast, ...]]:
    """The incidents in the order in which they began, and the environments by path.

    Commits that changed nothing may be left out. They are taken one by one, and no more than two chains of each
    environment are kept at a time. `has_start`: what is there at place 0 was there before.
    """
    followed: list[_FollowedEnvironment] = []
    for commit in judged:
        states = _paired(followed, commit.environments)
        for environment in followed:
            environment.step(commit.place, states.get(environment.path), older=has_start and commit.place == 0)
    found = [incident for environment in followed for incident in environment.incidents()]
    return (
        tuple(sorted(found, key=lambda each: (each.began, each.environment, each.code, each.finding.revisions))),
        tuple(sorted(environment.past() for environment in followed)),
    )


def _paired(followed: list[_FollowedEnvironment], states: Iterable[EnvironmentState]) -> dict[str, EnvironmentState]:
    """Path under which an environment is followed → what it is now; paths that are new are followed from here on.

    One that has gone from its path, and shares its revisions with one that is new, has moved.
    """
    now = {state.path: state for state in states}
    known = {environment.path: environment for environment in followed}
    gone = [environment for path, environment in known.items() if path not in now and environment.is_there]
    for path in [path for path in now if path not in known]:
        old = max(gone, key=lambda environment: environment.shared(now[path].graph), default=None)
        if old is not None and old.shared(now[path].graph) * 2 >= max(1, old.size):
            gone.remove(old)
            old.move(path)
        else:
            followed.append(_FollowedEnvironment(path))
    return now


class _FollowedEnvironment:
    """One environment while it is followed along the line."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_there = False
        self._former: list[str] = []
        self._appeared: int | None = None
        self._vanished: int | None = None
        self._is_known = False
        self._graph = Graph(())
        self._open: list[_OpenIncident] = []
        self._closed: list[Incident] = []

    @property
    def size(self) -> int:
        return len(self._graph)

    def shared(self, graph: Graph) -> int:
        """How many revisions it has in common with a chain."""
        return len(self._graph.revisions.keys() & graph.revisions.keys())

    def move(self, path: str) -> None:
        self._former.append(self.path)
        self.path = path

    def step(self, place: int, state: EnvironmentState | None, *, older: bool) -> None:
        """Take the next commit; `None`: the environment is not in it."""
        if state is None:
            if self.is_there:
                self._closed += [each.ended(place, EndKind.ENVIRONMENT_REMOVED) for each in self._open]
                self._open, self._graph = [], Graph(())
                self.is_there, self._vanished = False, place
            return
        if not self._is_known:
            self._is_known, self._appeared = True, None if older else place
        before, self._graph = self._graph, state.graph
        self.is_there, self._vanished = True, None
        left = list(state.errors)
        for incident in list(self._open):
            own = [error for error in left if incident.goes_on_with(error, state.graph)]
            if own:
                left = [error for error in left if error not in own]
                incident.go_on(own, state.graph)
            else:
                self._open.remove(incident)
                self._closed.append(incident.closed(place, before, state.graph))
        for kind in dict.fromkeys(map(_kind, left)):
            own = [error for error in left if _kind(error) == kind]
            self._open.append(_OpenIncident(self.path, own, before, state.graph, (place, older)))

    def incidents(self) -> list[Incident]:
        found = (*self._closed, *(each.incident for each in self._open))
        return [each._replace(environment=self.path) for each in found]

    def past(self) -> EnvironmentPast:
        return EnvironmentPast(self.path, tuple(self._former), self._appeared, self._vanished)


class _OpenIncident:
    """An incident that has not ended yet."""

    def __init__(self, path: str, errors: list[Finding], before: Graph, after: Graph, began: tuple[int, bool]) -> None:
        """Begin one; `began`: where, and whether it is older."""
        self._about: frozenset[str] = frozenset()
        ids = {id_ for error in errors for id_ in _involved(error, after)}
        missing = tuple(sorted(id_ for id_ in ids if id_ not in after))
        place, is_older = began
        brought = set() if is_older else _brought(ids, before, after)
        old = {(revision.path, revision.blob) for revision in before}
        new = {each.path for id_ in brought for each in after.definitions(id_) if (each.path, each.blob) not in old}
        paths = new or {each.path for id_ in brought for each in before.definitions(id_)}
        if not ids:  # what can't be read has none
            paths = {path for error in errors for path in error.paths}
        self.incident = Incident(
            path, path, errors[0], (), missing, tuple(sorted(brought)), tuple(sorted(paths)), place, is_older
        )
        self.go_on(errors, after)

    def goes_on_with(self, error: Finding, graph: Graph) -> bool:
        """Whether an error of the next commit is the same one, or has grown from it."""
        if error.blinds:
            return self.incident.is_unjudged
        return _kind(error) == _kind(self.incident.finding) and not self._about.isdisjoint(
            (*_involved(error, graph), *error.paths)
        )

    def go_on(self, errors: list[Finding], graph: Graph) -> None:
        """Take the same errors as the next commit has them."""
        self._errors = errors
        self._about = frozenset(
            each for error in errors for names in (_involved(error, graph), error.paths) for each in names
        )
        heads = _heads(errors, graph)
        if len(heads) > len(self.incident.heads):
            self.incident = self.incident._replace(heads=tuple(sorted(heads)))

    def ended(self, place: int, ending: EndKind, ids: Iterable[str] = ()) -> Incident:
        return self.incident._replace(ended=place, ending=ending, repaired_with=tuple(sorted(set(ids))))

    def closed(self, place: int, before: Graph, after: Graph) -> Incident:
        """The incident as the first commit without the error ended it."""
        return self.ended(place, *_how_ended(self.incident, self._errors, before, after))


def _how_ended(
    incident: Incident, errors: list[Finding], before: Graph, after: Graph
) -> tuple[EndKind, Collection[str]]:
    """What ended the errors that an incident had last, and with which revisions."""
    ids = {id_ for error in errors for id_ in _involved(error, before)}
    if merges := _merges(_heads(errors, before), before, after):
        return EndKind.MERGE, merges
    if renamed := _renamed(ids, before, after):
        return EndKind.REISSUE, renamed
    if restored := {id_ for id_ in ids if id_ in after and id_ not in before}:
        return EndKind.RESTORED, restored
    brought = {id_ for id_ in incident.brought if id_ in before}
    if gone := {id_ for id_ in ids if len(after.definitions(id_)) < len(before.definitions(id_))}:
        return EndKind.REVERTED if brought and brought <= gone else EndKind.DELETED, gone
    there = {id_ for id_ in ids if id_ in before and id_ in after}
    if moved := {id_ for id_ in there if _declared(before, id_) != _declared(after, id_)}:
        return EndKind.REPARENT, moved
    files = {path for error in errors for path in error.paths}
    if not ids and not files & (after.paths | {each.path for each in after.unreadable}):
        return EndKind.REVERTED if files <= {*incident.paths} else EndKind.DELETED, ()
    is_meant = incident.code is Code.FORK and len(after.heads) > 1
    return EndKind.INTENDED if is_meant else EndKind.EDITED, ()


def _kind(error: Finding) -> Code | None:
    """What makes errors of one commit one incident; `None` for whatever can't be read."""
    return None if error.blinds else error.code


def _heads(errors: Iterable[Finding], graph: Graph) -> set[str]:
    """The heads of forks."""
    heads = {*graph.heads}
    return {id_ for error in errors if error.code is Code.FORK for id_ in error.revisions if id_ in heads}


def _involved(error: Finding, graph: Graph) -> frozenset[str]:
    """The revisions that an error is about; of a fork, all from where its sides part."""
    if error.code is not Code.FORK:
        return frozenset(error.revisions)
    heads = _heads([error], graph)
    points = [id_ for id_ in error.revisions if id_ not in heads]
    return (graph.ancestors(*sorted(heads)) - graph.ancestors(*points)) | {*points}


def _brought(ids: Collection[str], before: Graph, after: Graph) -> set[str]:
    """Those of some revisions that came with a commit; where none did, those that it changed, or else removed."""
    new = {id_ for id_ in ids if id_ in after and id_ not in before}
    edited = {id_ for id_ in ids if id_ in after and not _files(after, id_) <= _files(before, id_)}
    # A fork also comes back where the revision that joined it goes.
    gone = {each.id for each in before if each.id not in after and (each.id in ids or {*each.parents} & {*ids})}
    return new or edited or gone


def _files(graph: Graph, id_: str) -> set[str]:
    return {revision.blob for revision in graph.definitions(id_)}


def _declared(graph: Graph, id_: str) -> set[frozenset[str]]:
    return {frozenset(revision.parents) for revision in graph.definitions(id_)}


def _merges(heads: Collection[str], before: Graph, after: Graph) -> list[str]:
    """The revisions, new or with new parents, that join two or more of some heads."""
    joined = {*heads}
    new = [each for each in after if len(each.parents) > 1 and each.parents != _parents(before, each.id)]
    return [revision.id for revision in new if len(after.ancestors(revision.id) & joined) > 1]


def _parents(graph: Graph, id_: str) -> tuple[str, ...] | None:
    return graph.revisions[id_].parents if id_ in graph else None


def _renamed(ids: Iterable[str], before: Graph, after: Graph) -> list[str]:
    """The new ids of revisions that had another one: of a file under its path, or of one with the same message."""

    def alike(old: Revision) -> Callable[[Revision], bool]:
        return lambda new: new.path == old.path or (bool(old.doc) and new.doc == old.doc)

    new = [revision for revision in after if revision.id not in before]
    paths = {(revision.id, revision.path) for revision in after}
    lost = [each for id_ in ids for each in before.definitions(id_) if (each.id, each.path) not in paths]
    return [revision.id for revision in new if any(alike(old)(revision) for old in lost)]

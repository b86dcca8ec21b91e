"""What is to be run: every way that databases can have come, as far as it differs from a fresh run. Pure.

On a straight chain each database goes on where a fresh run passes, so the fresh run tells of all of them. Other ways
there are only where sides were joined: whoever had one side first runs the other one late. And where revisions were
changed after a database had passed them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from onehead.databases.states import Database, Target, databases_of, rows_of, with_rows
from onehead.databases.upgrade import AlembicStops, Deployed
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph
from onehead.trials.account import Way

MOST_STATES = 200
"""Databases that are thought of per merge; more stand inside straight runs whose ends are tried."""

MOST_THOUGHTS = 1000
"""Upgrades that are planned; each takes some milliseconds, and more in a long chain."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is to be run.

    Attributes:
        fresh: the run on an empty database; `alike` names those on its way where several sides meet.
        ways: all others, in an order in which neighbours share much.
        left_out: databases that are not tried, or not in every order, at least.
    """

    fresh: Way
    ways: tuple[Way, ...]
    left_out: int


def course(deployed: Graph, judged: Graph, target: Target, most: int) -> Course:
    """Find the ways.

    Args:
        deployed: the chain whose migrations made the databases; `Revision.blob` is what its content goes by.
        judged: the chain that is upgraded to.
        target: what is upgraded to.
        most: how many ways are tried; those of the newest merges come first.
    """
    planner, upgrading = Deployed(deployed), Deployed(judged)
    try:
        order, _ = planner.upgrade((), "heads")
        fresh_runs, _ = upgrading.upgrade((), target)
    except AlembicStops:
        # The fresh run will say so itself.
        return Course(Way(), (), 0)
    place = {id_: number for number, id_ in enumerate(order)}
    fresh = Way()
    found: dict[tuple[object, ...], Way] = {_key(judged, fresh_runs): fresh}
    untried: set[frozenset[str]] = set()
    uncounted = 0
    for number, (database, reached, beyond) in enumerate(_candidates(deployed, judged, place)):
        uncounted += beyond
        if number >= MOST_THOUGHTS:
            untried.add(database.applied)
            continue
        try:
            runs, _ = upgrading.upgrade(database.rows, target)
        except AlembicStops as stop:
            key: tuple[object, ...] = (database.rows, str(stop))
        else:
            key = (*_key(deployed, reached), *_key(judged, runs))
        known = found.get(key)
        if known is not None and database.rows not in (known.rows, *known.alike):
            found[key] = replace(known, alike=(*known.alike, database.rows))
        elif known is None and len(found) <= most:
            found[key] = Way(database.rows, reached)
        elif known is None:
            untried.add(database.applied)
    fresh, *others = found.values()
    others.sort(key=lambda way: [place[id_] for id_ in way.reached])
    shared = _shared_beginnings(others)
    ways = [replace(way, legs=_legs(planner, way.reached, shared)) for way in others]
    return Course(fresh, tuple(ways), len(untried) + uncounted)


def _key(graph: Graph, ids: Iterable[str]) -> tuple[object, ...]:
    """What a database goes through: ids, and what stands in their files."""
    return tuple((id_, graph.revisions[id_].blob) for id_ in ids)


def _candidates(
    deployed: Graph, judged: Graph, place: dict[str, int]
) -> Iterator[tuple[Database, tuple[str, ...], int]]:
    """Databases, the newest first: each with an order in which it may have come there, and how many more there are."""

    def in_order(ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(ids, key=place.__getitem__))

    joined = [(id_, deployed.parents(id_)) for id_ in place if len(deployed.parents(id_)) > 1]
    if len(deployed.heads) > 1:
        joined.append(("", deployed.heads))
    if deployed.heads != judged.heads:
        # Where deployed databases stand now; mostly they go on where a fresh one passes, which is worth saying.
        database = with_rows(deployed, deployed.heads)
        yield database, in_order(database.applied), 0
    for id_ in reversed(_passed_differently(deployed, judged, place)):
        database = with_rows(deployed, (id_,))
        yield Database(rows_of(deployed, database.applied), database.applied), in_order(database.applied), 0
    for _, sides in reversed(joined):
        databases = databases_of(deployed, Fork(tuple(sorted(sides)), (), (), "target"), MOST_STATES)
        beyond = databases.left_out
        shared = frozenset.intersection(*(database.applied for database in databases.found))
        for database in databases.found:
            plain = in_order(database.applied)
            other = (*in_order(shared), *_late_sides_first(deployed, in_order(database.applied - shared)))
            for reached in dict.fromkeys((plain, other)):
                yield database, reached, beyond
                beyond = 0


def _passed_differently(deployed: Graph, judged: Graph, place: dict[str, int]) -> list[str]:
    """Revisions after which a database has been through something else than the judged chain says now."""

    def lineage(graph: Graph, id_: str) -> frozenset[tuple[str, str]]:
        return frozenset((each, graph.revisions[each].blob) for each in graph.ancestors(id_))

    if all(id_ in judged and _same(deployed, judged, id_) for id_ in deployed.revisions):
        return []
    return [id_ for id_ in place if id_ not in judged or lineage(deployed, id_) != lineage(judged, id_)]


def _same(one: Graph, other: Graph, id_: str) -> bool:
    return one.parents(id_) == other.parents(id_) and one.revisions[id_].blob == other.revisions[id_].blob


def _late_sides_first(graph: Graph, ids: Sequence[str]) -> Iterator[str]:
    """The same revisions in an order that is as unlike the fresh run's as can be, each after what it needs."""
    left = list(ids)
    while left:
        inside = set(left)
        ready = [id_ for id_ in left if not inside.intersection(with_rows(graph, (id_,)).applied - {id_})]
        yield ready[-1]
        left.remove(ready[-1])


def _shared_beginnings(ways: Sequence[Way]) -> frozenset[tuple[str, ...]]:
    """Where neighbours part: a database is copied there, so that what they share is run once."""
    found = set()
    for one, other in pairwise(way.reached for way in ways):
        same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
        found.add(tuple(id_ for id_, _ in same))
    return frozenset(found)


def _legs(planner: Deployed, reached: tuple[str, ...], stops: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    """The fewest upgrade targets that run exactly these revisions in this order, with a stop wherever one is due."""
    legs: list[str] = []
    rows: tuple[str, ...] = ()
    done = 0
    while done < len(reached):
        stop = next((n for n in range(done, len(reached)) if reached[: n + 1] in stops), len(reached) - 1)
        for end in range(stop, done - 1, -1):
            wanted = reached[done : end + 1]
            missing = with_rows(planner.graph, (reached[end],)).applied - set(reached[:done])
            if missing == set(wanted) and (end == done or planner.upgrade(rows, reached[end])[0] == wanted):
                rows = planner.upgrade(rows, reached[end])[1]
                legs.append(reached[end])
                done = end + 1
                break
        else:
            raise AssertionError(f"no upgrade runs {reached[done]} next")  # every revision comes after what it needs
    return tuple(legs)

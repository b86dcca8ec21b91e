"""What `verify` runs and finds: the upgrade paths of databases, and how each ended. Values only.

On a straight chain, a fresh run passes every state that a database can be in, so it is enough. Other paths exist where
sides were joined (a database that had one side first runs the other one late) and where revisions were changed after a
database had run them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise, takewhile
from typing import Literal

from onehead.child_process import Network
from onehead.databases.inspect import Schema
from onehead.databases.states import Database, Target, databases_of, rows_of, with_rows
from onehead.databases.upgrade import AlembicStops, Deployed
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph


class Result(StrEnum):
    """How one way to the head ended."""

    OK = "ok"
    DIFFERENT = "different"
    LOSS = "loss"
    FAILED = "failed"
    REFUSED = "refused"
    NOT_STARTED = "not-started"
    OUT_OF_TIME = "out-of-time"
    OUT_OF_MEMORY = "out-of-memory"
    ENDED = "ended"
    NOT_RUN = "not-run"

    @property
    def breaks_a_deploy(self) -> bool:
        """Whether it is certain that a deploy would break, or would leave such a database unlike the others."""
        return self in (Result.DIFFERENT, Result.LOSS, Result.FAILED, Result.REFUSED)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an upgrade came to no good end.

    Attributes:
        message: what the database, Alembic or Python said; no password is in it.
        kind: of the error, such as `DuplicateTable`; empty where a limit was hit.
        target: what was upgraded to: `head`, or a revision where the database was still being made.
        revision, statement: what was running or has failed.
        path: from the top of the repository; `None` where no file of the project is to blame.
        output: the end of what the run printed.
        making: it failed while the database was being made, before it was upgraded to the head.
    """

    message: str
    kind: str = ""
    target: str = "head"
    revision: str | None = None
    statement: str | None = None
    path: str | None = None
    line: int | None = None
    output: str = ""
    making: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing (`column users.name`) that is otherwise than after a fresh run; `None` where it is not there."""

    thing: str
    fresh: str | None
    here: str | None


@dataclass(frozen=True, slots=True)
class UpgradePath:
    """One way from a database to the head.

    `rows`: at the start, sorted; empty for a fresh database. `reached`: the revisions that the database has been
    through, in that order. `legs`: the upgrade targets that bring an empty database there. `alike`: the rows of further
    databases that go through the same revisions in the same order.
    """

    rows: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    legs: tuple[str, ...] = ()
    alike: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """A way that was gone; what `ran`, and the seconds, are those of its last part, to the head.

    `lost`: revisions below the rows at the end that never ran, sorted. `differences` are those from the schema of the
    fresh run; `notes` tell what differs and does no harm.
    """

    way: UpgradePath
    result: Result
    ran: tuple[str, ...] = ()
    rows_after: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    seconds: float = 0.0
    failure: Failure | None = None
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One environment.

    Attributes:
        revisions: how many Alembic loaded.
        database: kind and version.
        tried: the fresh run first.
        left_out: rows-sets that were not tried, at least.
        things: how many things of the schema were compared.
        versions: what ran it: `python`, `alembic`, `sqlalchemy`, `driver` → version or name.
    """

    path: str
    config: str | None
    target: Literal["head", "heads"]
    revisions: int
    heads: tuple[str, ...]
    database: str
    tried: tuple[Tried, ...]
    left_out: int = 0
    things: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take: seconds, and mebibytes of address space."""

    seconds: int
    mebibytes: int


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was verified.

    `at`: the name of what was verified, and its SHA; for a work tree the SHA of its commit. `target`: whose migrations
    made the databases, where that is another commit. `coverage`: what was read of the repository, in a sentence.
    """

    at: tuple[str, str]
    target: tuple[str, str] | None
    trials: tuple[Trial, ...]
    limits: Limits
    network: Network
    coverage: str

    @property
    def verdict(self) -> Literal["ok", "broken", "unjudged"]:
        """The worst of all; what is certain goes before what could not be judged."""
        results = {tried.result for trial in self.trials for tried in trial.tried}
        if any(result.breaks_a_deploy for result in results):
            return "broken"
        return "unjudged" if results - {Result.OK} else "ok"


def differences(fresh: Schema, here: Schema) -> tuple[Difference, ...]:
    """Everything that is on one side only or is otherwise; of a missing table, not every piece."""
    found = []
    for thing in sorted(fresh.things.keys() | here.things.keys()):
        one, other = fresh.things.get(thing), here.things.get(thing)
        if one == other:
            continue
        owner = fresh.owners.get(thing) or here.owners.get(thing)
        if owner is not None and (owner in fresh.things) != (owner in here.things):
            continue
        found.append(Difference(thing, one, other))
    return tuple(found)


def notes(fresh: Schema, here: Schema) -> tuple[str, ...]:
    """What differs and does no harm: in which order the columns of a table stand."""
    return tuple(
        f"{table}: the columns are in another order: {', '.join(here.orders[table])}"
        for table, order in sorted(fresh.orders.items())
        if table in here.orders and order != here.orders[table] and set(order) == set(here.orders[table])
    )


MAX_STATES = 200
"""Databases that are thought of per merge; more stand inside straight runs whose ends are tried."""

MAX_THOUGHTS = 1000
"""Upgrades that are planned; each takes some milliseconds, and more in a long chain."""


@dataclass(frozen=True, slots=True)
class UpgradePaths:
    """What is to be run: the fresh run, and the others in an order in which neighbours share much.

    `left_out`: databases that are not tried, or not in every order, at least.
    """

    fresh: UpgradePath
    ways: tuple[UpgradePath, ...]
    left_out: int


def upgrade_paths(deployed: Graph, judged: Graph, target: Target, most: int) -> UpgradePaths:
    """Find the ways of databases that the deployed chain has made; those of the newest merges come first.

    `Revision.blob` is what the content of a revision goes by; `most` says how many ways are tried.
    """
    planner, upgrading = Deployed(deployed), Deployed(judged)
    try:
        order, _ = planner.upgrade((), "heads")
        fresh_runs, _ = upgrading.upgrade((), target)
    except AlembicStops:
        # The fresh run will say so itself.
        return UpgradePaths(UpgradePath(), (), 0)
    place = {id_: number for number, id_ in enumerate(order)}
    fresh = UpgradePath()
    found: dict[tuple[object, ...], UpgradePath] = {_key(judged, fresh_runs): fresh}
    untried: set[frozenset[str]] = set()
    uncounted = 0
    for number, (database, reached, beyond) in enumerate(_candidates(deployed, judged, place)):
        uncounted += beyond
        if number >= MAX_THOUGHTS:
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
            found[key] = UpgradePath(database.rows, reached)
        elif known is None:
            untried.add(database.applied)
    fresh, *others = found.values()
    others.sort(key=lambda way: [place[id_] for id_ in way.reached])
    shared = _shared_beginnings(others)
    ways = [replace(way, legs=_legs(planner, way.reached, shared)) for way in others]
    return UpgradePaths(fresh, tuple(ways), len(untried) + uncounted)


def _key(graph: Graph, ids: Iterable[str]) -> tuple[object, ...]:
    """What a database goes through: ids, and what stands in their files."""
    return tuple((id_, graph.revisions[id_].blob) for id_ in ids)


def _candidates(
    deployed: Graph, judged: Graph, place: dict[str, int]
) -> Iterator[tuple[Database, tuple[str, ...], int]]:
    """Databases, the newest first: each with an order in which it may have come there, and how many more there are."""

    def in_order(ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(ids, key=place.__getitem__))

    joined = [sides for sides in (*map(deployed.parents, place), deployed.heads) if len(sides) > 1]
    if deployed.heads != judged.heads:
        # Where deployed databases stand now; mostly they go on where a fresh one passes, which is worth saying.
        database = with_rows(deployed, deployed.heads)
        yield database, in_order(database.applied), 0
    for id_ in reversed(_passed_differently(deployed, judged, place)):
        database = with_rows(deployed, (id_,))
        yield Database(rows_of(deployed, database.applied), database.applied), in_order(database.applied), 0
    for sides in reversed(joined):
        databases = databases_of(deployed, Fork(tuple(sorted(sides)), (), (), "target"), MAX_STATES)
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


def _shared_beginnings(ways: Sequence[UpgradePath]) -> frozenset[tuple[str, ...]]:
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

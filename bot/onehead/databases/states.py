"""The states of a database: how far it is on each side of a fork, its rows, and how an upgrade ends."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from math import prod
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph

RowKind = Literal["known", "prefix", "ambiguous", "renamed", "unknown"]

_MAX_EXACT_LENGTH = 3
"""Alembic takes the beginning of an id for the whole of it where the id is longer than this."""


class Row(NamedTuple):
    """One row.

    Attributes:
        kind: `known`: an id. `prefix`: the beginning of exactly one id, which Alembic takes for it. `ambiguous`: the
            beginning of several. `renamed`: no id any more, but it was that of a revision which has another one now.
            `unknown`: none.
        means: the ids that it may mean, sorted.
    """

    text: str
    kind: RowKind
    means: tuple[str, ...]


class Former(NamedTuple):
    """The id of a revision that had another one, which no file declares any more, and its parents under that one.

    It is found by what it does and its message, which stayed the same.
    """

    id: str
    parents: tuple[str, ...]


def read_rows(
    graph: Graph, rows: Iterable[str], former: Mapping[str, Former] = MappingProxyType({})
) -> tuple[Row, ...]:
    """What each row means; `former`: old id → what became of it."""
    ids = sorted(id_ for id_ in graph.revisions if len(id_) > _MAX_EXACT_LENGTH)
    return tuple(_read(graph, ids, row, former) for row in rows)


def ran_under_old_ids(rows: Iterable[Row], former: Mapping[str, Former]) -> tuple[set[str], set[str]]:
    """What databases with renamed rows have run: these by themselves, and these with all that is beneath them."""
    alone: set[str] = set()
    below: set[str] = set()
    todo = [row.text for row in rows if row.kind == "renamed"]
    for id_ in todo:  # grows while it is walked
        if former[id_].id in alone:
            continue
        alone.add(former[id_].id)
        for parent in former[id_].parents:
            todo += [parent] if parent in former else []
            below.update(() if parent in former else (parent,))
    return alone, below


def _read(graph: Graph, ids: Sequence[str], row: str, former: Mapping[str, Former]) -> Row:
    if row in graph:
        return Row(row, "known", (row,))
    start = bisect_left(ids, row)
    means = tuple(takewhile(lambda id_: id_.startswith(row), islice(ids, start, None))) if row else ()
    if means:
        return Row(row, "prefix" if len(means) == 1 else "ambiguous", means)
    return Row(row, "renamed", (former[row].id,)) if row in former else Row(row, "unknown", ())


class RevisionLocation(NamedTuple):
    """Where a revision stands that the judged files don't have.

    Attributes:
        refs: branches, tags and pull requests ("branch oauth").
        removed: the commit that took it away, as people name it ("5f2c0d1 Tidy up migrations"); empty for none.
        renamed: the id that its file declares since then; empty where it was deleted.
    """

    refs: tuple[str, ...] = ()
    removed: str = ""
    renamed: str = ""


OutcomeKind = Literal["ok", "repeat", "error", "loss"]

Target = Literal["head", "heads"]
"""What a deploy upgrades to: `heads` only where several heads are meant."""


@dataclass(frozen=True, slots=True)
class Database:
    """What one database holds.

    Attributes:
        rows: content of `alembic_version`, sorted; twice where a row stands there twice.
        applied: the revisions that it really went through, whatever its rows imply.
    """

    rows: tuple[str, ...]
    applied: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How `alembic upgrade head` ends.

    Attributes:
        kind: `ok`; `error` (Alembic stops); `loss` (it exits with 0 and some revision will never run); or `repeat`
            (Alembic runs something again that has run: the database stops it at the first statement that can't be
            done twice, and what can, such as a change of rows, is done twice).
        runs: the revisions it runs, in order; for an `error`, those that had run by then, nearly always none.
        rows_after: content of `alembic_version` afterwards, sorted. After an `error`, as it is then on a database that
            keeps what was done; PostgreSQL takes back `runs` and rows. For `repeat`, if nothing in it fails.
        lost: revisions below the rows that neither were applied nor ran, sorted.
        error: Alembic's own text.
        again: for `repeat`: the revisions that had run before, in the order in which they run again.
    """

    kind: OutcomeKind
    runs: tuple[str, ...]
    rows_after: tuple[str, ...]
    lost: tuple[str, ...] = ()
    error: str | None = None
    again: tuple[str, ...] = ()


FixKind = Literal["none", "merge", "reparent"]

THE_MERGE = "(the merge)"
"""Stands for the merge revision while its id is not chosen: no real id has parentheses."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing that could be done.

    Attributes:
        moved: for a re-parent, the revisions that get another parent (the roots of one side), by their old ids, sorted.
        onto: the head that becomes their parent.
        new_ids: old id → the id in `graph`, of the revisions that get a new one.
    """

    kind: FixKind
    graph: Graph
    moved: tuple[str, ...] = ()
    onto: str | None = None
    new_ids: Mapping[str, str] = field(default_factory=dict)

    def meets(self, database: Database) -> Database:
        """The database as the chain names what it went through; its rows stay what they are."""
        if not self.new_ids:
            return database
        return Database(database.rows, frozenset(self.new_ids.get(id_, id_) for id_ in database.applied))


MAX_RUNS = 8
"""Revisions that are named one by one."""


def spoken(outcome: Outcome, *, for_many: bool = False) -> str:
    """An outcome in a few words, for a table cell; `for_many` databases, of which each runs what it lacks."""
    match outcome.kind:
        case "loss":
            return f"{', '.join(outcome.lost)} never run{'s' if len(outcome.lost) == 1 else ''}"
        case "repeat":
            return f"{', '.join(outcome.again)} run{'s' if len(outcome.again) == 1 else ''} again"
        case "error":
            error = outcome.error or ""
            return "Multiple heads" if error.startswith("Multiple head") else error
    shown = [id_ for id_ in outcome.runs if id_ != THE_MERGE]
    if for_many or not shown:
        return "runs what is missing" if for_many else "nothing to do"
    return " ".join(shown) if len(shown) <= MAX_RUNS else f"{' '.join(shown[:3])} … {shown[-1]} ({len(shown)})"


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases of one fork.

    Attributes:
        found: those that are considered, by the number of their rows and then by the rows.
        left_out: how many are not, at least; each of them stands inside a straight run whose ends are considered.
        above: the revisions above the parting point, parents first.
    """

    found: tuple[Database, ...]
    left_out: int
    above: tuple[str, ...]


def databases_of(graph: Graph, fork: Fork, most: int) -> Databases:
    """Every consistent database from the parting point up: wherever a revision was applied, so was what it needs.

    Of more than `most`, each straight run counts as two steps (its first revision, then the rest): what happens depends
    only on whether none, some or all of a side ran.
    """
    shared = _with_needs(graph, frozenset.intersection(*(graph.ancestors(head) for head in fork.heads)))
    above = parents_first(graph, graph.ancestors(*fork.heads) - shared)
    inside = set(above)
    needs = {id_: frozenset(inside.intersection(_needs(graph, id_))) for id_ in above}
    sets, left_out = _closed([frozenset((id_,)) for id_ in above], needs, most + 1), 0
    if len(sets) > most:
        sets = _closed(_runs(above, needs), needs, most)
        left_out = max(1, (_count(above, needs) or 0) - len(sets))
    applied = dict.fromkeys(_with_needs(graph, shared | more) for more in sets)
    found = [Database(rows_of(graph, each), each) for each in applied]
    found.sort(key=lambda database: (len(database.rows), database.rows))
    return Databases(tuple(found), left_out, tuple(above))


def with_rows(graph: Graph, rows: Iterable[str]) -> Database:
    """The database with these rows that went through exactly what they stand for."""
    told = tuple(sorted(rows))
    return Database(told, _with_needs(graph, graph.ancestors(*told)))


def as_published(target: Graph, merged: Graph, database: Database) -> Database:
    """The same rows with what a database has run that came to them on the target, where that differs.

    What a branch makes of published revisions (another parent, one put beneath) has not happened to it. `merged` is the
    whole chain once the branch is merged; the database may be one of a part of it.
    """
    rows = database.rows
    if not rows or not all(row in target for row in rows):
        return database
    here, there = with_rows(merged, rows).applied, with_rows(target, rows).applied
    if here == there or rows_of(target, there) != rows:
        return database
    return Database(rows, (database.applied - (here - there)) | (there - here))


def _with_needs(graph: Graph, applied: frozenset[str]) -> frozenset[str]:
    """These, among which are the parents of each, and all that they need in turn by dependencies."""
    if not graph.has_dependencies:
        return applied
    while True:
        needed = graph.ancestors(*applied, *(need for id_ in applied for need in dependencies(graph, id_)))
        if needed == applied:
            return applied
        applied = needed


def rows_of(graph: Graph, applied: frozenset[str]) -> tuple[str, ...]:
    """What `alembic_version` holds when exactly these are applied: those that no other one of them needs; sorted."""
    return tuple(sorted(applied.difference(*(_needs(graph, id_) for id_ in applied))))


def parents_first(graph: Graph, ids: Iterable[str]) -> list[str]:
    """Some revisions, each after its parents and dependencies as far as these are among them."""
    wanted = set(ids)
    order: dict[str, None] = {}
    waiting = sorted(wanted, reverse=True)
    entered: set[str] = set()
    while waiting:
        id_ = waiting[-1]
        ahead = [need for need in _needs(graph, id_) if need in wanted and need not in entered]
        if id_ not in entered and ahead:
            waiting += sorted(ahead, reverse=True)
        else:
            order.setdefault(waiting.pop())
        entered.add(id_)
    return list(order)


def dependencies(graph: Graph, id_: str) -> list[str]:
    """The revisions that `depends_on` names, by id or by label, as far as they are there."""
    found: list[str] = []
    for need in graph.revisions[id_].depends_on if graph.has_dependencies else ():
        found += (need,) if need in graph else graph.labelled.get(need, ())
    return found


def _needs(graph: Graph, id_: str) -> tuple[str, ...]:
    return (*graph.parents(id_), *dependencies(graph, id_)) if graph.has_dependencies else graph.parents(id_)


def _closed(steps: Sequence[frozenset[str]], needs: Mapping[str, frozenset[str]], most: int) -> list[frozenset[str]]:
    """Unions of steps that contain all they need, small ones first; at most so many."""
    wants = [frozenset(need for id_ in step for need in needs[id_]) - step for step in steps]
    found: dict[frozenset[str], None] = {frozenset(): None}
    todo = list(found)
    for done in todo:
        for step, want in zip(steps, wants, strict=True):
            if not step <= done and want <= done and done | step not in found:
                if len(found) == most:
                    return todo
                found[done | step] = None
                todo.append(done | step)
    return todo


def _runs(above: Sequence[str], needs: Mapping[str, frozenset[str]]) -> list[frozenset[str]]:
    """Straight runs as two steps each: the first revision, and all others of the run."""
    users: dict[str, list[str]] = {id_: [] for id_ in above}
    for id_, wanted in needs.items():
        for need in wanted:
            users[need].append(id_)
    runs: dict[str, list[str]] = {}
    for id_ in above:
        before = next(iter(needs[id_]), None) if len(needs[id_]) == 1 else None
        if before is not None and len(users[before]) == 1:
            runs[id_] = runs[before]
            runs[id_].append(id_)
        else:
            runs[id_] = [id_]
    distinct = {run[0]: run for run in runs.values()}.values()
    return [frozenset(part) for run in distinct for part in (run[:1], run[1:]) if part]


def _count(above: Sequence[str], needs: Mapping[str, frozenset[str]]) -> int | None:
    """How many consistent databases there are, where that is easily told: where no side contains a merge."""
    if any(len(wanted) > 1 for wanted in needs.values()):
        return None
    ways = dict.fromkeys(above, 1)
    for id_ in reversed(above):
        for need in needs[id_]:
            ways[need] *= 1 + ways[id_]
    return prod(1 + ways[id_] for id_ in above if not needs[id_])


MAX_WALKED = 1000
"""Size up to which a chain is walked whole: its revisions, and each merge point as often as `_MERGE` says."""

MAX_NEAR = 60
"""Revisions kept above the place where the ways part, the nearest to it."""

MAX_HEADS = 12
"""Heads of one fork that are told of; and further ends of the chain, beside it, that are kept."""

_MERGE = 10


class Near(NamedTuple):
    """What is kept of a chain, so that it is as short as it may be.

    Alembic's own walk takes time that grows with the square of what it runs, and a fork of many revisions has databases
    without number. So what is beneath the fork is left out, and of a large chain all that is not near the fork. Each
    revision that is kept stands for itself and for all that was left out beneath it, which it now follows directly. A
    database that stands at a kept revision fares the same there; only where `depends_on` joins what is kept and what is
    not, Alembic may stop on one and not on the other.

    Attributes:
        of_fork: the chain without what every database of the fork has run, where that can be told.
        fork: with the heads that are kept, and where their ways part in that chain.
        left_out: how many revisions are not kept.
        above: how many of these stand above the place where the ways part.
    """

    graph: Graph
    of_fork: Graph
    fork: Fork
    left_out: int = 0
    above: int = 0


def neighbourhood(graph: Graph, fork: Fork, rows: Iterable[str] = ()) -> Near:
    """The chain itself, or of a large one what is near a fork and what the rows of a database name.

    Rows may be no more than the beginning of an id. The points of the fork are found anew for the heads that are kept.
    """
    narrowed = fork.narrowed(MAX_HEADS)
    # Of a broken chain nothing is run, however large it is: Alembic stops when it reads it.
    if graph.missing or graph.cycles:
        return Near(graph, graph, narrowed)
    size = len(graph) + _MERGE * sum(len(revision.parents) > 1 for revision in graph)
    if narrowed == fork and size <= MAX_WALKED:
        of_fork = from_the_point(graph, fork.points[0]) if len(fork.points) == 1 else graph
        return Near(graph, of_fork, narrowed)
    points = graph.fork_points(narrowed.heads)
    above = graph.ancestors(*narrowed.heads) - graph.ancestors(*points)
    beside = [head for head in graph.heads if head not in fork.heads]
    kept = {*narrowed.heads, *points[:MAX_HEADS], *beside[:MAX_HEADS], *_nearest(graph, above), *_named(graph, rows)}
    kept_graph = _bridged(graph, kept)
    parted = narrowed._replace(points=kept_graph.fork_points(narrowed.heads))
    return Near(kept_graph, kept_graph, parted, len(graph) - len(kept), len(above - kept))


def _nearest(graph: Graph, above: frozenset[str]) -> list[str]:
    """The lowest revisions of all sides, level by level."""
    found = dict.fromkeys(sorted(id_ for id_ in above if above.isdisjoint(graph.parents(id_))))
    todo = list(found)
    for id_ in todo:  # grows while it is walked: breadth first
        if len(todo) >= MAX_NEAR:
            break
        fresh = [child for child in graph.children[id_] if child in above and child not in found]
        found.update(dict.fromkeys(fresh))
        todo += fresh
    return todo[:MAX_NEAR]


def _named(graph: Graph, rows: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for row in rows:
        if row in graph:
            found.add(row)
        elif row:
            found.update(islice((id_ for id_ in graph.revisions if id_.startswith(row)), 2))
    return found


def _bridged(graph: Graph, kept: set[str]) -> Graph:
    """Each kept revision over the nearest kept ones beneath it: parents, or needs where a dependency leads there."""
    made: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    beneath: dict[str, frozenset[str]] = {}
    for id_ in parents_first(graph, kept & graph.revisions.keys()):
        parents, needed = _nearest_kept(graph, id_, kept)
        reached = frozenset[str]().union(*(beneath.get(each, frozenset()) for each in (*parents, *needed)))
        # A parent that it names itself stays, though it is beneath another one too: Alembic may stumble over it.
        parents = tuple(each for each in parents if each not in reached or each in graph.parents(id_))
        needed = tuple(each for each in needed if each not in reached and each not in parents)
        made[id_] = parents, needed
        beneath[id_] = reached.union(parents, needed)
    return Graph(graph.revisions[id_]._replace(parents=p, depends_on=n) for id_, (p, n) in made.items())


def _nearest_kept(graph: Graph, id_: str, kept: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: dict[bool, dict[str, None]] = {False: {}, True: {}}
    seen: set[tuple[str, bool]] = set()
    todo = [(id_, False)]
    while todo:
        at, by_need = todo.pop()
        steps = [*((each, by_need) for each in graph.parents(at)), *((each, True) for each in dependencies(graph, at))]
        for step in reversed(steps):
            other, needed = step
            if other in kept:
                found[needed].setdefault(other)
            elif step not in seen:
                seen.add(step)
                todo.append(step)
    return tuple(reversed(found[False])), tuple(reversed(found[True]))


def from_the_point(graph: Graph, point: str) -> Graph:
    """The chain without what is beneath the point where a fork parts, which becomes a base.

    Every database of the fork has run all of that, so whatever Alembic does to it happens above. Where something above
    refers to what is beneath, or one id is declared twice, the chain stays whole.
    """
    if graph.duplicates:
        return graph
    beneath = graph.ancestors(point) - {point}
    if any(not beneath.issuperset(graph.revisions[id_].depends_on) for id_ in (point, *beneath)):
        return graph
    named = beneath | {label for id_ in beneath for label in graph.revisions[id_].branch_labels}
    above = [revision for revision in graph if revision.id not in beneath and revision.id != point]
    if any(not named.isdisjoint((*each.parents, *each.depends_on)) for each in above):
        return graph
    return Graph([graph.revisions[point]._replace(parents=(), depends_on=()), *above])

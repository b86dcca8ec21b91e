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
    """What became of an id that no file declares any more.

    Attributes:
        id: of the revision that does the same under the same message today.
        parents: what it followed under its old id.
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
        graph: the chain as it would be then.
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

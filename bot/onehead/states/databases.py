"""Every database that a fork may meet: how far one can be on each side, and what its `alembic_version` then holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph
from onehead.states.outcome import Database


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

    Args:
        graph: the chain, with all sides of the fork.
        fork: the heads that are judged.
        most: how many databases are considered. Where there are more, each straight run counts as two steps (its
            first revision, then the rest): what happens depends only on whether none, some or all of a side ran.
    """
    shared = _with_needs(graph, frozenset.intersection(*(graph.ancestors(head) for head in fork.heads)))
    above = parents_first(graph, graph.ancestors(*fork.heads) - shared)
    needs = _needs(graph, above)
    steps = [frozenset((id_,)) for id_ in above]
    sets, left_out = _closed(steps, needs, most + 1), 0
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

    What a branch makes of published revisions (another parent, one put beneath) has not happened to it.

    Args:
        target: the published chain.
        merged: the whole chain once the branch is merged.
        database: of that chain, or of a part of it.
    """
    rows = database.rows
    if not rows or not all(row in target for row in rows):
        return database
    here, there = with_rows(merged, rows).applied, with_rows(target, rows).applied
    if here == there or rows_of(target, there) != rows:
        return database
    return Database(rows, (database.applied - (here - there)) | (there - here))


def _with_needs(graph: Graph, applied: frozenset[str]) -> frozenset[str]:
    """These, and all that they need in turn by parents and dependencies."""
    while True:
        needed = graph.ancestors(*applied, *(need for id_ in applied for need in dependencies(graph, id_)))
        if needed == applied:
            return applied
        applied = needed


def rows_of(graph: Graph, applied: frozenset[str]) -> tuple[str, ...]:
    """What `alembic_version` holds when exactly these are applied: those that no other one of them needs; sorted."""
    needed = {need for id_ in applied for need in (*graph.parents(id_), *dependencies(graph, id_))}
    return tuple(sorted(applied - needed))


def parents_first(graph: Graph, ids: Iterable[str]) -> list[str]:
    """Some revisions, each after its parents and dependencies as far as these are among them."""
    wanted = set(ids)
    order: dict[str, None] = {}
    waiting = sorted(wanted, reverse=True)
    entered: set[str] = set()
    while waiting:
        id_ = waiting[-1]
        ahead = [n for n in (*graph.parents(id_), *dependencies(graph, id_)) if n in wanted and n not in entered]
        if id_ not in entered and ahead:
            entered.add(id_)
            waiting += sorted(ahead, reverse=True)
            continue
        entered.add(id_)
        order.setdefault(waiting.pop())
    return list(order)


def dependencies(graph: Graph, id_: str) -> list[str]:
    """The revisions that `depends_on` names, by id or by label, as far as they are there."""
    found: list[str] = []
    for need in graph.revisions[id_].depends_on:
        found += (need,) if need in graph else graph.labelled.get(need, ())
    return found


def _needs(graph: Graph, above: Sequence[str]) -> dict[str, frozenset[str]]:
    inside = set(above)
    return {id_: frozenset(inside.intersection((*graph.parents(id_), *dependencies(graph, id_)))) for id_ in above}


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

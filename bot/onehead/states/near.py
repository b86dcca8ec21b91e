"""The neighbourhood of a fork, for chains that are too large to be walked whole for every database.

Alembic's own walk takes time that grows with the square of what it runs, and a fork of many revisions has databases
without number. So of a large chain only what is near the fork is kept; each revision that is kept stands for itself and
for all that was left out beneath it, which it now follows directly. A database that stands at a kept revision fares the
same there; only where `depends_on` joins what is kept and what is not, Alembic may stop on one and not on the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph
from onehead.states.databases import dependencies, parents_first

MOST_WALKED = 1000
"""Size up to which a chain is walked whole: its revisions, and each merge point as often as `_MERGE` says."""

MOST_NEAR = 60
"""Revisions kept above the place where the ways part, the nearest to it."""

MOST_HEADS = 12
"""Heads of one fork that are told of; and further ends of the chain, beside it, that are kept."""

_MERGE = 10


class Near(NamedTuple):
    """What is kept of a chain.

    Attributes:
        graph: the chain of what is kept.
        fork: with the heads that are kept, and where their ways part in that chain.
        left_out: how many revisions are not kept.
        above: how many of these stand above the place where the ways part.
    """

    graph: Graph
    fork: Fork
    left_out: int = 0
    above: int = 0


def neighbourhood(graph: Graph, fork: Fork, rows: Iterable[str] = ()) -> Near:
    """The chain itself, or of a large one what is near a fork and what the rows of a database name.

    Args:
        graph: the chain, with all sides of the fork.
        fork: its heads; the points are found anew for those that are kept.
        rows: kept too, also where they are no more than the beginning of an id.
    """
    told = fork.narrowed(MOST_HEADS)
    # Of a broken chain nothing is run, however large it is: Alembic stops when it reads it.
    if graph.missing or graph.cycles or (told == fork and _size(graph) <= MOST_WALKED):
        return Near(graph, told)
    points = graph.fork_points(told.heads)
    above = graph.ancestors(*told.heads) - graph.ancestors(*points)
    beside = [head for head in graph.heads if head not in fork.heads]
    kept = {*told.heads, *points[:MOST_HEADS], *beside[:MOST_HEADS], *_nearest(graph, above), *_named(graph, rows)}
    kept_graph = _bridged(graph, kept)
    parted = told._replace(points=kept_graph.fork_points(told.heads))
    return Near(kept_graph, parted, len(graph) - len(kept), len(above - kept))


def _size(graph: Graph) -> int:
    return len(graph) + _MERGE * sum(len(revision.parents) > 1 for revision in graph)


def _nearest(graph: Graph, above: frozenset[str]) -> list[str]:
    """The lowest revisions of all sides, level by level."""
    found = dict.fromkeys(sorted(id_ for id_ in above if above.isdisjoint(graph.parents(id_))))
    todo = list(found)
    for id_ in todo:  # grows while it is walked: breadth first
        if len(todo) >= MOST_NEAR:
            break
        fresh = [child for child in graph.children[id_] if child in above and child not in found]
        found.update(dict.fromkeys(fresh))
        todo += fresh
    return todo[:MOST_NEAR]


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

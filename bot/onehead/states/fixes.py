"""What could be done about a fork: nothing, a merge, or moving one side onto the other, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork
from onehead.plan.plans import Move
from onehead.plan.repairs import BEFORE, merge_steps
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.states.outcome import THE_MERGE, Fix


def as_it_is(graph: Graph) -> Fix:
    """Nothing is done."""
    return Fix("none", graph)


def merging(facts: Facts, fork: Fork, id_: str = THE_MERGE) -> Fix:
    """A merge revision of all heads, the target's last; or several in a row, the last of them with the id."""
    old = [head for head in fork.heads if facts.head is None or head in facts.target]
    parents = (*(head for head in fork.heads if head not in old), *old)
    steps = merge_steps(facts.merged, parents)
    merges: list[Revision] = []
    for left, step in zip(reversed(range(len(steps))), steps, strict=True):
        own, path = (f"{id_} {left}", f"~merge {left}") if left else (id_, "~merge")
        before = merges[-1].id if merges else ""
        merges.append(Revision(own, tuple(before if parent == BEFORE else parent for parent in step), path, ""))
    return Fix("merge", facts.merged.replaced(merges))


def moving(graph: Graph, head: str, onto: str) -> Fix | None:
    """The side under `head` moved by its roots onto the other head; `None` where that leaves no single line."""
    begun = roots(graph, head, onto)
    after = moved(graph, [Move(root, graph.revisions[root].parents, (onto,)) for root in begun])
    if after.cycles or set(after.heads) != set(graph.heads) - {onto}:
        return None
    return Fix("reparent", after, tuple(begun), onto)


def roots(graph: Graph, head: str, onto: str) -> list[str]:
    """The revisions that a side begins with: those under one head and not under the other that follow none of it."""
    side = graph.ancestors(head) - graph.ancestors(onto)
    return sorted(id_ for id_ in side if side.isdisjoint(graph.parents(id_)))


def both_directions(graph: Graph, fork: Fork) -> list[Fix]:
    """Each side of a fork between two heads moved onto the other; the judged branch's own side first."""
    if len(fork.heads) != 2:
        return []
    first, second = sorted(fork.heads, key=lambda head: head not in fork.new)
    return [fix for fix in (moving(graph, first, second), moving(graph, second, first)) if fix is not None]


def under_new_ids(fix: Fix, new_ids: Mapping[str, str]) -> Fix:
    """The same, after what it moves was given new ids (by the old ones)."""
    along = fix.graph.descendants(*fix.moved) if new_ids else frozenset()
    renamed = {old: new for old, new in new_ids.items() if old in along}

    def named(id_: str) -> str:
        return renamed.get(id_, id_)

    graph = Graph(
        (
            revision._replace(
                id=named(revision.id),
                parents=tuple(map(named, revision.parents)),
                depends_on=tuple(map(named, revision.depends_on)),
            )
            for revision in fix.graph
        ),
        fix.graph.unreadable,
    )
    return replace(fix, graph=graph, new_ids=renamed)


def moved(graph: Graph, moves: Iterable[Move]) -> Graph:
    """The chain after some revisions got other parents."""
    return graph.replaced(graph.revisions[move.revision]._replace(parents=move.new_parents) for move in moves)

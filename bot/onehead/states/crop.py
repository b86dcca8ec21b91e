"""A chain without what all databases of a fork have run: most of a chain is old, and Alembic walks all of it."""

from __future__ import annotations

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph


def cropped(facts: Facts, fork: Fork) -> Facts:
    """The same facts, their graphs cut off beneath the point where the fork parts, which becomes a base.

    Every database that is considered has run all of that, so whatever Alembic does to it happens above. Where
    something above refers to what is beneath, or the chain is broken anywhere, nothing is cut off.
    """
    if len(fork.points) != 1 or facts.merged.missing or facts.merged.cycles or facts.merged.duplicates:
        return facts
    [point] = fork.points
    beneath = facts.merged.ancestors(point) - {point}
    if any(not beneath.issuperset(facts.merged.revisions[id_].depends_on) for id_ in (point, *beneath)):
        return facts
    named = beneath | {label for id_ in beneath for label in facts.merged.revisions[id_].branch_labels}
    above = [revision for revision in facts.merged if revision.id not in beneath and revision.id != point]
    if any(not named.isdisjoint((*revision.parents, *revision.depends_on)) for revision in above):
        return facts
    return facts._replace(target=_without(facts.target, beneath, point), merged=_without(facts.merged, beneath, point))


def _without(graph: Graph, beneath: frozenset[str], point: str) -> Graph:
    kept = [revision for revision in graph if revision.id not in beneath]
    return Graph([r._replace(parents=(), depends_on=()) if r.id == point else r for r in kept], graph.unreadable)

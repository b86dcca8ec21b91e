"""Which merge revisions join heads: one for all of them, or several in a row."""

from __future__ import annotations

from collections.abc import Iterator

from onehead.revisions.graph import Graph

BEFORE = ""
"""Stands, among the parents of a merge, for the merge that is made in the step before."""


def merge_steps(graph: Graph, parents: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The parents of each merge to be made, in order; the sides run in the same order either way.

    One merge is enough, but for three heads and more of which some revision needs one (`depends_on`): Alembic (1.18)
    then stops with a `KeyError`, whatever the database holds, and does not when they are joined two by two.
    """
    if len(parents) < 3 or not set(parents) & set(_needed(graph, parents)):
        return (parents,)
    steps = [parents[-2:]]
    steps += [(parent, BEFORE) for parent in reversed(parents[:-2])]
    return tuple(steps)


def _needed(graph: Graph, parents: tuple[str, ...]) -> Iterator[str]:
    """What revisions beneath the heads need, labels resolved."""
    labels = {label: revision.id for revision in graph for label in revision.branch_labels}
    for id_ in graph.ancestors(*parents):
        revision = graph.revisions.get(id_)
        for need in revision.depends_on if revision is not None else ():
            yield labels.get(need, need)

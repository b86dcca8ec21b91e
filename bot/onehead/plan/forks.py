"""Which heads are meant to be there, and which ones are a fork.

An intended state stays intended: heads that differ by branch label, separate bases and expand/contract layouts are
accepted as they are. Only heads that come in addition to the target's count against a branch.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

from onehead.plan.facts import Facts
from onehead.plan.findings import Side
from onehead.revisions.graph import Graph


class Fork(NamedTuple):
    """Heads of one environment that should be one.

    Attributes:
        heads: all of them, sorted.
        new: those that the judged branch brings in addition; empty for a fork of the target itself.
        points: where their ways part (nearest common ancestors); empty for unrelated bases.
        introduced_by: which side brought it.
    """

    heads: tuple[str, ...]
    new: tuple[str, ...]
    points: tuple[str, ...]
    introduced_by: Side


def forks_of(facts: Facts, graph: Graph | None = None) -> tuple[Fork, ...]:
    """The forks of one environment, as it is judged; with `graph`, as they would be with that chain in its place.

    As many heads as the repository's policy allows are no fork. Of more, those are one that parted last: two lines
    that live side by side stay two.
    """
    chain = graph or (facts.target if facts.head is None else facts.merged)
    excess = len(chain.heads) - facts.allowed_heads
    if excess <= 0:
        return ()
    forks = forks_within(chain) if facts.head is None else forks_between(facts.target, chain)
    return forks if facts.allowed_heads == 1 else _nearest(chain, forks, excess)


def _nearest(chain: Graph, forks: tuple[Fork, ...], excess: int) -> tuple[Fork, ...]:
    """The nearest relatives, as many as have to become one; where a branch brings heads, these and nobody else."""
    brought = [fork for fork in forks if fork.new]
    if brought:
        forks, excess = tuple(brought), min(excess, sum(len(fork.new) for fork in brought))
    below = {head: chain.ancestors(head) for fork in forks for head in fork.heads}
    groups = {head: frozenset((head,)) for head in below}
    pairs = [
        pair for fork in forks for pair in combinations(fork.heads, 2) if not fork.new or set(pair) & set(fork.new)
    ]
    for one, other in sorted(pairs, key=lambda pair: (-len(below[pair[0]] & below[pair[1]]), pair)):
        if excess > 0 and other not in groups[one]:
            excess -= 1
            joined = groups[one] | groups[other]
            groups |= dict.fromkeys(joined, joined)
    new = {head for fork in forks for head in fork.new}
    found = []
    for group in sorted({tuple(sorted(each)) for each in groups.values() if len(each) > 1}):
        mine = tuple(head for head in group if head in new)
        found.append(Fork(group, mine, chain.fork_points(group), "head" if mine else "target"))
    return tuple(found)


def forks_within(graph: Graph) -> tuple[Fork, ...]:
    """The forks of a branch that is judged by itself."""
    return tuple(
        Fork(group, (), graph.fork_points(group), "target") for group in _rival_groups(graph, graph.heads, frozenset())
    )


def forks_between(target: Graph, merged: Graph) -> tuple[Fork, ...]:
    """The forks of the merged tree, each with the heads that come in addition to the target's."""
    merged = _without_gaps(target, merged)
    extra = additional_heads(target, merged)
    unmeant = frozenset(head for head in extra if not _torn(merged, head)) if _one_lineage(target) else frozenset()
    forks = []
    for group in _rival_groups(merged, merged.heads, unmeant):
        new = tuple(head for head in group if head in extra)
        forks.append(Fork(group, new, merged.fork_points(group), "head" if new else "target"))
    return tuple(forks)


def additional_heads(target: Graph, merged: Graph) -> tuple[str, ...]:
    """Heads of the merged tree that take no target head's place; sorted.

    Each target head's place is taken by at most one merged head: itself, a descendant of it, or, where the branch
    removed it, a head that grows from what is left of its chain. A squash that replaces a whole chain takes the
    place of the chain that is gone.
    """
    below = {head: merged.ancestors(head) for head in merged.heads}
    heirs: dict[str, list[str]] = {}
    for head in target.heads:
        if head in merged:
            heirs[head] = [other for other in merged.heads if head in below[other]]
        else:
            left = [id_ for id_ in target.ancestors(head) if id_ in merged]
            found = [other for other in merged.heads if not left or below[other].intersection(left)]
            heirs[head] = sorted(found, key=lambda other: (other not in target, other))
    taken: dict[str, str] = {}

    def place(head: str, tried: set[str]) -> bool:
        for heir in heirs[head]:
            if heir not in tried:
                tried.add(heir)
                if heir not in taken or place(taken[heir], tried):
                    taken[heir] = head
                    return True
        return False

    # Those that are still there choose first: a removed head takes what is left over.
    for head in sorted(target.heads, key=lambda head: (head not in merged, len(heirs[head]))):
        place(head, set())
    return tuple(head for head in merged.heads if head not in taken)


def new_lineages(target: Graph, merged: Graph) -> tuple[str, ...]:
    """Additional heads that are meant: a new base or branch with a label of its own."""
    merged = _without_gaps(target, merged)
    rivals = {head for fork in forks_between(target, merged) for head in fork.heads}
    extra = additional_heads(target, merged)
    return tuple(head for head in extra if head not in rivals and not _torn(merged, head))


def _torn(graph: Graph, head: str) -> bool:
    """Whether the chain below a head is not known to its end: then there is no telling whom it is related to."""
    return any(parent not in graph for id_ in graph.ancestors(head) for parent in graph.revisions[id_].parents)


def _without_gaps(target: Graph, merged: Graph) -> Graph:
    """The merged chain with the revisions that the branch removed although others still follow them.

    Such a gap breaks the chain, which is a finding of its own; what lies below it did not become a rival head.
    """
    while True:
        gone = {p for r in merged for p in r.parents if p not in merged and p in target}
        if not gone:
            return merged
        merged = merged.replaced(target.revisions[id_] for id_ in gone)


def _one_lineage(target: Graph) -> bool:
    """Whether the target lives with a single line, so that an unlabelled second base can't be meant."""
    return len(target.heads) > 0 and not any(
        not _rivals(target, a, b, frozenset()) for a, b in combinations(target.heads, 2)
    )


def _rivals(graph: Graph, one: str, other: str, unmeant: frozenset[str]) -> bool:
    """Whether two heads should be one: same origin, and no branch label of their own tells them apart."""
    first, second = graph.ancestors(one), graph.ancestors(other)
    if not first & second:
        # Separate bases are meant, but for a newcomer without a label of its own beside a single line.
        return any(head in unmeant and not _labels(graph, below) for head, below in ((one, first), (other, second)))
    return not _labels(graph, first - second) and not _labels(graph, second - first)


def _labels(graph: Graph, revisions: frozenset[str]) -> set[str]:
    return {label for id_ in revisions for label in graph.revisions[id_].branch_labels}


def _rival_groups(graph: Graph, heads: tuple[str, ...], unmeant: frozenset[str]) -> list[tuple[str, ...]]:
    """Heads that are rivals of each other, directly or through a third; groups of two or more, sorted."""
    groups: list[set[str]] = [{head} for head in heads]
    for one, other in combinations(heads, 2):
        if _rivals(graph, one, other, unmeant):
            mine = next(group for group in groups if one in group)
            theirs = next(group for group in groups if other in group)
            if mine is not theirs:
                mine |= theirs
                groups.remove(theirs)
    return sorted(tuple(sorted(group)) for group in groups if len(group) > 1)

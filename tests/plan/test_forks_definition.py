"""Forks are found in a few walks over the chain; here they are found head by head, as they are defined."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from onehead.plan.findings import Facts
from onehead.plan.forks import (
    Fork,
    additional_heads,
    forks_between,
    forks_of,
    forks_within,
    new_lineages,
    unnamed_heads,
)
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from tests.plan.cases import ENVIRONMENT

Pairs = set[frozenset[str]]


@st.composite
def histories(draw: st.DrawFn) -> list[Revision]:
    """Up to nine revisions with merges, bases, labels and gaps."""
    found: list[Revision] = []
    for number in range(draw(st.integers(1, 9))):
        ids = [revision.id for revision in found]
        parents = draw(st.lists(st.sampled_from(ids), max_size=2, unique=True)) if ids else []
        if draw(st.integers(0, 19)) == 0:
            parents.append("gone")
        labels = (f"l{number}",) if draw(st.integers(0, 5)) == 0 else ()
        found.append(Revision(f"r{number}", tuple(parents), f"versions/r{number}.py", f"{number}", (), labels))
    return found


@st.composite
def both(draw: st.DrawFn) -> tuple[Graph, Graph]:
    """A target, and what a branch makes of it: some added, now and then some removed."""
    everything = draw(histories())
    size = draw(st.integers(0, len(everything)))
    removed = draw(st.sets(st.integers(0, 8), max_size=2)) if draw(st.booleans()) else set[int]()
    kept = [revision for number, revision in enumerate(everything) if number >= size or number not in removed]
    return Graph(everything[:size]), Graph(kept)


def is_torn(graph: Graph, id_: str) -> bool:
    return any(parent not in graph for below in graph.ancestors(id_) for parent in graph.revisions[below].parents)


def labels(graph: Graph, ids: frozenset[str]) -> set[str]:
    return {label for id_ in ids for label in graph.revisions[id_].branch_labels}


def are_rivals(graph: Graph, one: str, other: str, *, certain: bool) -> bool:
    """Told apart by no label; unrelated ones only where it is known that they are."""
    first, second = graph.ancestors(one), graph.ancestors(other)
    unrelated = not first & second
    if labels(graph, first) != labels(graph, second):
        return False
    return not unrelated or (certain and not is_torn(graph, one) and not is_torn(graph, other))


def distance(graph: Graph, head: str, other: str) -> int | None:
    """How many steps below a head the other one's chain begins."""
    shared = graph.ancestors(other)
    level, steps = {head}, 0
    while level:
        if level & shared:
            return steps
        level = {parent for id_ in level for parent in graph.parents(id_)}
        steps += 1
    return None


def grouped(heads: tuple[str, ...], pairs: Pairs) -> list[tuple[str, ...]]:
    groups = [{head} for head in heads]
    for pair in pairs:
        mine = [group for group in groups if group & pair]
        groups = [*(group for group in groups if not group & pair), set[str]().union(*mine)]
    return sorted(tuple(sorted(group)) for group in groups if len(group) > 1)


def rivals_in(graph: Graph, *, certain: bool) -> Pairs:
    return {frozenset(pair) for pair in combinations(graph.heads, 2) if are_rivals(graph, *pair, certain=certain)}


def joined(pairs: Pairs, heads: tuple[str, ...], one: str, others: list[str]) -> bool:
    return any(one in group and not set(group).isdisjoint(others) for group in grouped(heads, pairs))


def most_places(target: Graph, merged: Graph) -> int:
    """How many heads of the target can be given one of the merged heads, tried in every way."""
    options = []
    for head in target.heads:
        left = [id_ for id_ in target.ancestors(head) if id_ in merged] if head not in merged else [head]
        options.append({h for h in merged.heads if not left or merged.ancestors(h).intersection(left)})

    def best(at: int, free: frozenset[str]) -> int:
        if at == len(options):
            return 0
        return max([best(at + 1, free), *(1 + best(at + 1, free - {head}) for head in options[at] & free)])

    return best(0, frozenset(merged.heads))


@given(histories(), st.booleans())
def test_forks_of_a_branch_by_itself(revisions: list[Revision], certain: bool) -> None:
    graph = Graph(revisions)
    groups = grouped(graph.heads, rivals_in(graph, certain=certain))
    expected = [Fork(group, (), graph.fork_points(group), "target") for group in groups]
    assert list(forks_within(graph, certain=certain)) == expected


@given(histories())
def test_heads_without_a_label_of_their_own(revisions: list[Revision]) -> None:
    graph = Graph(revisions)
    below = {head: labels(graph, graph.ancestors(head)) for head in graph.heads}
    expected = {one for one in below for other in below if one != other and below[one] <= below[other]}
    assert unnamed_heads(graph) == tuple(sorted(expected))


@given(both())
def test_as_many_heads_as_possible_take_the_place_of_an_old_one(sides: tuple[Graph, Graph]) -> None:
    target, merged = sides
    extra = additional_heads(target, merged)
    assert len(merged.heads) - len(extra) == most_places(target, merged)
    assert list(extra) == sorted(set(extra) & set(merged.heads))


@given(both(), st.booleans())
def test_forks_of_both_sides(sides: tuple[Graph, Graph], certain: bool) -> None:
    target, merged = sides
    complete = merged
    while True:  # what was removed from beneath others makes no rivals of them
        gone = {p for r in complete for p in r.parents if p not in complete and p in target}
        if not gone:
            break
        complete = complete.replaced(target.revisions[id_] for id_ in gone)
    extra = additional_heads(target, complete)
    pairs = rivals_in(complete, certain=certain)
    old = [head for head in complete.heads if head not in extra]
    known = labels(complete, complete.ancestors(*old))
    one_line = len(target.heads) == 1 or grouped(target.heads, rivals_in(target, certain=certain)) == [target.heads]
    for head in extra if target.heads else ():
        # Nothing says that it is meant: it collides with the target's head that it is nearest to.
        if labels(complete, complete.ancestors(head)) - known or joined(pairs, complete.heads, head, old):
            continue
        away = [(steps, other) for other in old if (steps := distance(complete, head, other)) is not None]
        rivals = [min(away)[1]] if away else []
        if not away and not is_torn(complete, head):
            plain = [other for other in old if not labels(complete, complete.ancestors(other))]
            rivals = old if one_line else (plain or old)[:1] if certain else []
        pairs |= {frozenset((head, other)) for other in rivals}
    expected = grouped(complete.heads, pairs)
    found = forks_between(target, merged, certain=certain)
    assert [fork.heads for fork in found] == expected
    for fork in found:
        assert set(fork.new) == set(fork.heads) & set(extra)
        assert fork.points == complete.fork_points(fork.heads)
        assert fork.introduced_by == ("head" if fork.new else "target")
    in_forks = {head for group in expected for head in group}
    assert new_lineages(target, merged, certain=certain) == tuple(
        head for head in additional_heads(target, complete) if head not in in_forks and not is_torn(complete, head)
    )


def nearest(chain: Graph, forks: tuple[Fork, ...], excess: int) -> tuple[list[tuple[str, ...]], list[int]]:
    """Pair by pair, those first that have most beneath them in common, as far as heads are too many; and how much."""
    pairs = [
        pair for fork in forks for pair in combinations(fork.heads, 2) if not fork.new or set(pair) & set(fork.new)
    ]
    shared = {pair: len(chain.ancestors(pair[0]) & chain.ancestors(pair[1])) for pair in pairs}
    heads = tuple(sorted(head for fork in forks for head in fork.heads))
    near: Pairs = set()
    strength = []
    for pair in sorted(pairs, key=lambda pair: (-shared[pair], pair)):
        if len(near) < excess and not any(set(pair) <= set(group) for group in grouped(heads, near)):
            near.add(frozenset(pair))
            strength.append(shared[pair])
    return grouped(heads, near), strength


@given(
    st.integers(3, 9).flatmap(lambda size: st.tuples(*(st.integers(0, max(0, n - 1)) for n in range(size)))),
    st.integers(1, 9),
    st.sampled_from([2, 3]),
)
def test_of_too_many_heads_the_nearest_relatives(tree: tuple[int, ...], size: int, allowed: int) -> None:
    """Of equally near ones it is no matter which; what counts is how much they share."""
    chain = Graph(
        Revision(f"r{n}", (f"r{below}",) if n else (), f"versions/r{n}.py", "") for n, below in enumerate(tree)
    )
    target = Graph(revision for n, revision in enumerate(chain) if n < size)
    facts = Facts(ENVIRONMENT, target, chain, chain, allowed_heads=allowed)
    forks, excess = forks_between(target, chain), len(chain.heads) - allowed
    brought = tuple(fork for fork in forks if fork.new)
    if brought:
        forks, excess = brought, min(excess, sum(len(fork.new) for fork in brought))
    found = forks_of(facts)
    groups, strength = nearest(chain, forks, max(0, excess))
    assert sum(len(fork.heads) - 1 for fork in found) == sum(len(group) - 1 for group in groups)
    own = tuple(Fork(each.heads, forks[0].new and each.new, (), "head") for each in found)
    assert sorted(nearest(chain, own, len(strength))[1]) == sorted(strength)

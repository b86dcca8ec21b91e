"""Forks are found in a few walks over the chain; here they are found head by head, as they are defined."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork, additional_heads, forks_between, forks_of, forks_within, new_lineages
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision
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


def are_rivals(graph: Graph, one: str, other: str) -> bool:
    """Of one origin, and told apart by no label."""
    first, second = graph.ancestors(one), graph.ancestors(other)
    return bool(first & second) and not labels(graph, first - second) and not labels(graph, second - first)


def grouped(heads: tuple[str, ...], pairs: Pairs) -> list[tuple[str, ...]]:
    groups = [{head} for head in heads]
    for pair in pairs:
        mine = [group for group in groups if group & pair]
        groups = [*(group for group in groups if not group & pair), set[str]().union(*mine)]
    return sorted(tuple(sorted(group)) for group in groups if len(group) > 1)


def rivals_in(graph: Graph) -> Pairs:
    return {frozenset(pair) for pair in combinations(graph.heads, 2) if are_rivals(graph, *pair)}


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


@given(histories())
def test_forks_of_a_branch_by_itself(revisions: list[Revision]) -> None:
    graph = Graph(revisions)
    expected = [Fork(group, (), graph.fork_points(group), "target") for group in grouped(graph.heads, rivals_in(graph))]
    assert list(forks_within(graph)) == expected


@given(both())
def test_as_many_heads_as_possible_take_the_place_of_an_old_one(sides: tuple[Graph, Graph]) -> None:
    target, merged = sides
    extra = additional_heads(target, merged)
    assert len(merged.heads) - len(extra) == most_places(target, merged)
    assert list(extra) == sorted(set(extra) & set(merged.heads))


@given(both())
def test_forks_of_both_sides(sides: tuple[Graph, Graph]) -> None:
    target, merged = sides
    complete = merged
    while True:  # what was removed from beneath others makes no rivals of them
        gone = {p for r in complete for p in r.parents if p not in complete and p in target}
        if not gone:
            break
        complete = complete.replaced(target.revisions[id_] for id_ in gone)
    extra = additional_heads(target, complete)
    pairs = rivals_in(complete)
    one_line = len(target.heads) == 1 or grouped(target.heads, rivals_in(target)) == [target.heads]
    if one_line:
        # A second base without a label is not meant beside a single line.
        line = [head for head in complete.heads if head not in extra]
        newcomers = [
            head
            for head in extra
            if not labels(complete, complete.ancestors(head))
            and not any(id_ in target for id_ in complete.ancestors(head))
            and not is_torn(complete, head)
        ]
        pairs |= {frozenset((one, other)) for one in newcomers for other in (*line, *newcomers) if one != other}
    expected = grouped(complete.heads, pairs)
    found = forks_between(target, merged)
    assert [fork.heads for fork in found] == expected
    for fork in found:
        assert set(fork.new) == set(fork.heads) & set(extra)
        assert fork.points == complete.fork_points(fork.heads)
        assert fork.introduced_by == ("head" if fork.new else "target")
    rivals = {head for group in expected for head in group}
    assert new_lineages(target, merged) == tuple(
        head for head in additional_heads(target, complete) if head not in rivals and not is_torn(complete, head)
    )


def nearest(chain: Graph, forks: tuple[Fork, ...], excess: int) -> tuple[list[tuple[str, ...]], list[int]]:
    """Pair by pair, those first that have most beneath them in common, as far as heads are too many; and how much."""
    pairs = [
        pair for fork in forks for pair in combinations(fork.heads, 2) if not fork.new or set(pair) & set(fork.new)
    ]
    shared = {pair: len(chain.ancestors(pair[0]) & chain.ancestors(pair[1])) for pair in pairs}
    heads = tuple(sorted(head for fork in forks for head in fork.heads))
    joined: Pairs = set()
    strength = []
    for pair in sorted(pairs, key=lambda pair: (-shared[pair], pair)):
        if len(joined) < excess and not any(set(pair) <= set(group) for group in grouped(heads, joined)):
            joined.add(frozenset(pair))
            strength.append(shared[pair])
    return grouped(heads, joined), strength


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

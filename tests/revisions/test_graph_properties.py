"""What the graph finds in one walk is what its definition says, on every small chain: circles and gaps included."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision

NAMES = "abcdefg"


@st.composite
def chains(draw: st.DrawFn, *, circles: bool = True) -> Graph:
    """Up to seven revisions; a parent may be missing, and may come later where circles are wanted."""
    ids = NAMES[: draw(st.integers(1, len(NAMES)))]
    found = []
    for number, id_ in enumerate(ids):
        pool = [*(other for other in ids if other != id_)] if circles else [*ids[:number]]
        parents = draw(st.lists(st.sampled_from([*pool, "gone"]), max_size=3, unique=True))
        found.append(Revision(id_, tuple(parents), f"versions/{id_}.py", id_))
    return Graph(found)


@given(chains())
def test_circles_are_who_stands_on_each_other(graph: Graph) -> None:
    below = {id_: graph.ancestors(id_) for id_ in graph.revisions}
    expected = {frozenset(other for other in below[id_] if id_ in below[other]) for id_ in graph.revisions}
    assert sorted(id_ for circle in graph.circles for id_ in circle) == sorted(graph.revisions)
    assert {frozenset(circle) for circle in graph.circles} == expected
    seen: set[str] = set()
    for circle in graph.circles:
        seen.update(circle)
        assert all(parent in seen for id_ in circle for parent in graph.parents(id_))


@given(chains())
def test_the_heads_above_are_those_that_have_it_among_their_ancestors(graph: Graph) -> None:
    for id_ in graph.revisions:
        bits = graph.heads_above[id_]
        found = {head for number, head in enumerate(graph.heads) if bits >> number & 1}
        assert found == {head for head in graph.heads if id_ in graph.ancestors(head)}


@given(chains())
def test_what_is_below_is_what_the_ancestors_have(graph: Graph) -> None:
    own = {id_: 1 << number for number, id_ in enumerate(graph.revisions) if number % 2}
    for id_, bits in graph.below(own).items():
        assert bits == sum(own.get(other, 0) for other in graph.ancestors(id_))


@given(chains(), st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_fork_points_are_the_nearest_common_ancestors(graph: Graph, wanted: list[str]) -> None:
    starts = [id_ for id_ in wanted if id_ in graph] or [next(iter(graph.revisions))]
    common = frozenset.intersection(*(graph.ancestors(id_) for id_ in starts))
    nearest = sorted(id_ for id_ in common if not common.intersection(graph.children[id_]))
    assert graph.fork_points(starts) == tuple(nearest)


@given(chains(), st.sets(st.sampled_from(NAMES)))
def test_down_to_another_chain(graph: Graph, known: set[str]) -> None:
    end = Graph([revision for revision in graph if revision.id in known])
    for id_ in graph.revisions:
        expected: set[str] = set()
        todo = [id_]
        while todo:
            at = todo.pop()
            if at not in known and at not in expected:
                expected.add(at)
                todo += graph.parents(at)
        assert graph.ancestors(id_, until=end) == expected


@given(chains(circles=False), st.sets(st.sampled_from(NAMES)))
def test_parents_first(graph: Graph, wanted: set[str]) -> None:
    ids = [id_ for id_ in sorted(wanted) if id_ in graph]
    order = graph.parents_first(wanted)
    assert sorted(order) == ids
    for place, id_ in enumerate(order):
        assert not {parent for parent in graph.parents(id_) if parent in wanted}.difference(order[:place])
    # Of several that could be next, the first by name.
    for place, id_ in enumerate(order):
        ready = [o for o in order[place:] if not {p for p in graph.parents(o) if p in wanted}.difference(order[:place])]
        assert id_ == min(ready)


@given(chains(), st.sets(st.sampled_from(NAMES)))
def test_parents_first_ends_in_a_circle_too(graph: Graph, wanted: set[str]) -> None:
    assert sorted(graph.parents_first(wanted)) == sorted(id_ for id_ in wanted if id_ in graph)

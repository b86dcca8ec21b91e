"""Which ways are gone: every database that may exist is on one of them, and what a fresh run does is done once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onehead.databases.states import databases_of
from onehead.databases.upgrade import Deployed
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.verify.model import UpgradePath, UpgradePaths, upgrade_paths


def chain(words: str, **bodies: str) -> Graph:
    """`a b<a c<a,b`; what stands in a file is its id unless it is given."""
    found = []
    for word in words.split():
        id_, _, parents = word.partition("<")
        body = bodies.get(id_, id_)
        found.append(Revision(id_, tuple(filter(None, parents.split(","))), f"versions/{id_}.py", body))
    return Graph(found)


def gone(words: str, most: int = 50) -> UpgradePaths:
    graph = chain(words)
    return upgrade_paths(graph, graph, "head", most)


def runs(graph: Graph, way: UpgradePath) -> tuple[str, ...]:
    """Everything that a database on this way goes through."""
    return (*way.reached, *Deployed(graph).upgrade(way.rows, "head")[0])


def test_a_straight_chain_has_no_other_way() -> None:
    assert gone("a b<a c<b") == UpgradePaths(UpgradePath(), (), 0)


def test_both_orders_of_two_sides() -> None:
    # Alembic runs the last parent of a merge first.
    found = gone("a x<a y<a m<x,y")

    assert found.fresh.alike == (("a",), ("y",), ("x", "y"))
    assert found.ways == (UpgradePath(("x",), ("a", "x"), ("x",), (("x", "y"),)),)


def test_a_longer_side_may_be_met_half_way() -> None:
    graph = chain("a x<a y<a z<y m<x,z")

    found = upgrade_paths(graph, graph, "head", 50)

    assert {runs(graph, way) for way in found.ways} == {("a", "x", "y", "z", "m"), ("a", "y", "x", "z", "m")}


def test_databases_are_copied_where_sides_part() -> None:
    found = gone("a b<a c<b x<c y<c z<c m<x,y,z n<m")

    assert [way.legs for way in found.ways] == [
        ("c", "z", "x"),
        ("c", "y"),
        ("c", "y", "x"),
        ("c", "x"),
        ("c", "x", "y"),
    ]


def test_the_newest_merges_come_first_and_the_rest_is_counted() -> None:
    words = "a b<a c<a d<b,c e<d f<d g<e,f"

    assert {way.rows for way in gone(words).ways} == {("b",), ("e",)}
    assert gone(words).left_out == 0
    few = gone(words, most=1)
    assert [way.rows for way in few.ways] == [("e",)]
    assert few.left_out == 2  # b alone, and b with c where b came first


def test_two_heads_are_left_to_the_fresh_run() -> None:
    assert gone("a b<a c<a") == UpgradePaths(UpgradePath(), (), 0)


def test_several_heads_that_are_meant_part_like_sides() -> None:
    graph = chain("a b<a x y<x")

    found = upgrade_paths(graph, graph, "heads", 50)

    everything = {(*way.reached, *Deployed(graph).upgrade(way.rows, "heads")[0]) for way in found.ways}
    assert everything
    assert all(set(order) == set("abxy") for order in everything)


def test_a_revision_that_was_put_beneath_a_published_one() -> None:
    deployed, judged = chain("a b<a c<b"), chain("a z<a b<z c<b d<c")

    found = upgrade_paths(deployed, judged, "head", 50)

    # Both miss z; from both, what has run in the end is the same in the same order.
    [way] = found.ways
    assert way.rows == ("c",)
    assert way.alike == (("b",),)
    assert found.fresh.alike == ()


def test_a_body_that_was_changed_after_databases_passed_it() -> None:
    deployed, judged = chain("a b<a c<b"), chain("a b<a c<b", b="other")

    found = upgrade_paths(deployed, judged, "head", 50)

    assert [(way.rows, way.alike) for way in found.ways] == [(("c",), (("b",),))]


def test_what_only_comes_on_top_changes_nothing_for_databases() -> None:
    assert upgrade_paths(chain("a b<a"), chain("a b<a c<b"), "head", 50) == UpgradePaths(
        UpgradePath(alike=(("b",),)), (), 0
    )


def test_a_row_whose_file_is_gone_is_a_way_of_its_own() -> None:
    found = upgrade_paths(chain("a b<a c<b"), chain("a"), "head", 50)

    assert [way.rows for way in found.ways] == [("b",), ("c",)]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to eight revisions with one head and any number of merges."""
    made: list[Revision] = []
    for number in range(draw(st.integers(2, 7))):
        known = [revision.id for revision in made]
        parents = draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
        made.append(Revision(f"r{number}", tuple(parents), f"versions/r{number}.py", f"r{number}"))
    heads = Graph(made).heads
    if len(heads) > 1:
        made.append(Revision("top", tuple(draw(st.permutations(heads))), "versions/top.py", "top"))
    return Graph(made)


@given(graphs())
def test_every_database_is_on_a_way_and_every_way_is_another_one(graph: Graph) -> None:
    found = upgrade_paths(graph, graph, "head", 10_000)
    ways = [found.fresh, *found.ways]
    planner = Deployed(graph)

    assert len({runs(graph, way) for way in ways}) == len(ways)
    covered = {rows for way in ways for rows in (way.rows, *way.alike)}
    for id_ in graph.revisions:
        if len(parents := graph.parents(id_)) > 1:
            fork = Fork(tuple(sorted(parents)), (), (), "target")
            assert {database.rows for database in databases_of(graph, fork, 10_000).found} <= covered
    for way in found.ways:
        # The legs really lead there, in that order.
        rows: tuple[str, ...] = ()
        order: list[str] = []
        for leg in way.legs:
            ran, rows = planner.upgrade(rows, leg)
            order += ran
        assert (tuple(order), rows) == (way.reached, way.rows)
    assert found.left_out == 0

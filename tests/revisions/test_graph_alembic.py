"""Random histories: this graph and Alembic's own map agree."""

from __future__ import annotations

import warnings

from alembic.script.revision import CycleDetected, DependencyCycleDetected, RevisionMap
from alembic.script.revision import Revision as Theirs
from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision


@st.composite
def histories(draw: st.DrawFn, *, loose: bool = False) -> list[Revision]:
    """Revisions in any order; `loose`: parents may be missing, and may come later (cycles)."""
    count = draw(st.integers(1, 9))
    names = [f"r{n}" for n in range(count)]
    found = []
    for n, name in enumerate(names):
        pool = [*names, "gone"] if loose else names[:n]
        parents = draw(st.lists(st.sampled_from(pool), max_size=3, unique=True)) if pool else []
        needs = draw(st.lists(st.sampled_from(names[:n]), max_size=1)) if n and not loose else []
        labels = draw(st.sampled_from([(), (), (), (f"label{n}",)]))
        parents = [parent for parent in parents if parent != name]
        found.append(Revision(name, tuple(parents), f"versions/{name}.py", name, tuple(needs), labels))
    return draw(st.permutations(found))


def alembic_map(revisions: list[Revision], stubs: tuple[str, ...] = ()) -> RevisionMap:
    """A stub stands for every parent that is missing, as Alembic can't build its map without."""
    theirs = [Theirs(r.id, r.parents or None, r.depends_on or None, r.branch_labels or None) for r in revisions]
    return RevisionMap(lambda: [*(Theirs(stub, None) for stub in stubs), *theirs])


@given(histories())
def test_heads_bases_and_families_are_alembics(revisions: list[Revision]) -> None:
    graph, theirs = Graph(revisions), alembic_map(revisions)
    assert graph.heads == tuple(sorted(theirs.heads))
    assert graph.bases == tuple(sorted(theirs.bases))
    assert graph.missing == ()
    assert graph.cycles == ()
    for id_ in graph.revisions:
        one = theirs.get_revision(id_)
        assert one is not None
        assert set(graph.children[id_]) == one.nextrev
        assert (id_ in graph.branch_points()) == one.is_branch_point
        above = {each.revision for each in theirs._get_descendant_nodes([one], include_dependencies=False)}
        below = {each.revision for each in theirs._get_ancestor_nodes([one], include_dependencies=False)}
        assert (set(graph.descendants(id_)), set(graph.ancestors(id_))) == (above, below)


@given(histories(loose=True))
def test_gaps_and_circles_are_alembics(revisions: list[Revision]) -> None:
    graph = Graph(revisions)
    stubs = tuple(sorted({parent for _, parent in graph.missing}))
    assert stubs == (("gone",) if any("gone" in r.parents for r in revisions) else ())
    heads = heads_by_alembic(revisions, stubs)
    # Alembic overlooks a circle that hangs between a base and a head, and names only some of others.
    assert heads is not None or graph.cycles
    assert set(graph.cycles) >= on_a_circle(graph)
    assert bool(graph.cycles) == bool(on_a_circle(graph))
    assert heads is None or set(graph.heads) == heads - set(stubs)


def heads_by_alembic(revisions: list[Revision], stubs: tuple[str, ...]) -> set[str] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return set(alembic_map(revisions, stubs).heads)
        except (CycleDetected, DependencyCycleDetected):
            return None


def on_a_circle(graph: Graph) -> set[str]:
    return {id_ for id_ in graph.revisions if any(id_ in graph.ancestors(parent) for parent in graph.parents(id_))}


@given(histories(), st.data())
def test_fork_points_are_the_nearest_common_ancestors(revisions: list[Revision], data: st.DataObject) -> None:
    graph = Graph(revisions)
    some = data.draw(st.lists(st.sampled_from(sorted(graph.revisions)), min_size=1, max_size=3))
    common = set.intersection(*(set(graph.ancestors(id_)) for id_ in some))
    nearest = {id_ for id_ in common if not any(id_ in graph.ancestors(other) - {other} for other in common)}
    assert set(graph.fork_points(some)) == nearest

"""Chains as lines of text: each revision once, merges where their sides end, the main line always on the left."""

from __future__ import annotations

import random

import pytest

from onehead.reports.graph import (
    MAX_AROUND,
    MAX_IN_A_CHAIN,
    Edge,
    Node,
    Picture,
    draw,
    full_picture,
    outline,
    picture_around,
    whole_picture,
)
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from tests.chains import graph


def drawn(text: str) -> list[str]:
    return draw(whole_picture(graph(text)), {})


def test_a_fork() -> None:
    assert drawn("a; b<a; c<a; d<c") == [
        "  ○ a  doc a",
        "  ├─● b  doc b  ← head",
        "  └─○ c  doc c",
        "    ● d  doc d  ← head",
    ]


def test_a_merge_returns_to_the_line_from_which_its_sides_parted() -> None:
    assert drawn("a; b<a; c<a; d<c; m<b,d; n<m") == [
        "  ○ a  doc a",
        "  ├─○ b  doc b",
        "  ├─○ c  doc c",
        "  │ ○ d  doc d",
        "  ○ m  doc m  joins b and d",
        "  ● n  doc n  ← head",
    ]


def test_a_diamond_inside_a_side() -> None:
    assert drawn("a; b<a; c<b; d<b; e<c,d; f<a; m<e,f") == [
        "  ○ a  doc a",
        "  ├─○ b  doc b",
        "  │ ├─○ c  doc c",
        "  │ ├─○ d  doc d",
        "  │ ○ e  doc e  joins c and d",
        "  ├─○ f  doc f",
        "  ● m  doc m  joins e and f  ← head",
    ]


def test_crossing_merges() -> None:
    assert drawn("a; b<a; c<a; d<a; m<b,c; n<c,d; z<m,n") == [
        "  ○ a  doc a",
        "  ├─○ b  doc b",
        "  ├─○ c  doc c",
        "  ├─○ d  doc d",
        "  ├─○ m  doc m  joins b and c",
        "  ├─○ n  doc n  joins c and d",
        "  ● z  doc z  joins m and n  ← head",
    ]


def test_unrelated_bases_are_set_apart() -> None:
    assert drawn("a; b<a; x; y<x") == [
        "  ○ a  doc a",
        "  ● b  doc b  ← head",
        "",
        "  ○ x  doc x",
        "  ● y  doc y  ← head",
    ]


def test_a_circle_is_drawn_and_ends() -> None:
    assert drawn("a; b<a,d; c<b; d<c") == [
        "  ○ a  doc a",
        "  ○ b  doc b  joins a and d",
        "  ○ c  doc c",
        "  ○ d  doc d",
    ]


def test_long_runs_are_folded_and_single_ones_are_not() -> None:
    run = "; ".join(f"r{n}<r{n - 1}" for n in range(1, 9))
    assert drawn(f"r0; {run}") == [
        "  ○ r0  doc r0",
        "  ○ r1  doc r1",
        "  ⋮ 5 more",
        "  ○ r7  doc r7",
        "  ● r8  doc r8  ← head",
    ]
    short = "; ".join(f"r{n}<r{n - 1}" for n in range(1, 5))
    assert len(drawn(f"r0; {short}")) == 5


def test_what_a_repair_would_add() -> None:
    nodes = (Node("a", "", "target", False), Node("b", "", "target", True), Node("c", "", "head", True))
    edges = (Edge("a", "b"), Edge("a", "c"))
    names = {"target": "main", "head": "this branch"}
    fork = ["  ○ a  (main)", "  ├─● b  ← head, main", "  └─● c  ← head, this branch"]
    moved = Picture(nodes, (*edges, Edge("b", "c", repair=True)))
    assert draw(moved, names) == [*fork, "  ◆ repair: c would follow b"]
    extra = (Edge("b", "merge", repair=True), Edge("c", "merge", repair=True))
    joined = Picture((*nodes, Node("merge", "", "repair", True)), (*edges, *extra))
    wider = [line.replace("a  (", "a      (").replace("b  ←", "b      ←").replace("c  ←", "c      ←") for line in fork]
    assert draw(joined, names) == [*wider, "  ◆ merge  would join b and c"]


def test_nothing_of_a_file_controls_the_terminal() -> None:
    hostile = Graph([Revision("a\x1b[2J", (), "versions/a.py", "", doc="one\x07two\u202ethree")])
    assert draw(whole_picture(hostile), {}) == ["  ● a�[2J  one�twothree  ← head"]


def some_history(seed: int, most: int = 30) -> Graph:
    """Revisions whose names and files say nothing about their order."""
    dice = random.Random(seed)
    names = [f"r{number:04}" for number in range(dice.randint(1 if most < 100 else most // 2, most))]
    dice.shuffle(names)
    found: list[Revision] = []
    for name in names:
        ids = [revision.id for revision in found]
        parents = tuple(sorted(dice.sample(ids, min(len(ids), dice.choice([0, 1, 1, 1, 2, 3])))))
        found.append(Revision(name, parents, f"versions/{name}.py", ""))
    return Graph(found)


def assert_ordered(chain: Graph, picture: Picture) -> None:
    """What is drawn is drawn once, and after everything that it stands on, by whatever way."""
    drawn_before: set[str] = set()
    for place in outline(picture):
        assert place.id not in drawn_before
        drawn_before.add(place.id)
        below = chain.ancestors(place.id) & {node.id for node in picture.nodes}
        assert below <= drawn_before


@pytest.mark.parametrize("seed", range(40))
def test_every_revision_once_and_after_its_parents(seed: int) -> None:
    chain = some_history(seed)
    picture = full_picture(chain)
    places = list(outline(picture))
    assert sorted(place.id for place in places) == sorted(chain.revisions)
    assert_ordered(chain, picture)
    starts = [place for place in places if place.turn == "start" and not place.parents]
    assert {place.id for place in starts} == set(chain.bases)


@pytest.mark.parametrize("seed", range(8))
def test_a_shortened_drawing_keeps_the_order_and_names_all_parents_of_a_merge(seed: int) -> None:
    """Also where the way from a merge to one of its sides leads over revisions that are not drawn."""
    chain = some_history(seed, 700)
    for picture in (whole_picture(chain), picture_around(chain, sorted(chain.revisions)[seed])):
        assert len(picture.nodes) < len(chain)
        assert_ordered(chain, picture)
        lines = draw(picture, {}, with_older=True)
        merges = [node.id for node in picture.nodes if len(chain.parents(node.id)) > 1]
        joins = {line.split("○ ")[-1].split("● ")[-1].split()[0]: line for line in lines if "  joins " in line}
        assert set(joins) == set(merges)
        assert all(parent in joins[id_] for id_ in merges for parent in chain.parents(id_))
        reached = {edge.child for edge in picture.edges}
        for node in picture.nodes:
            older = chain.ancestors(node.id) & {other.id for other in picture.nodes} - {node.id}
            assert (node.id in reached) == bool(older)


def test_what_is_around_one_revision() -> None:
    run = "; ".join(f"r{n:02}<r{n - 1:02}" for n in range(1, 40))
    chain = graph(f"r00; {run}; side<r20; both<r21,side")
    picture = picture_around(chain, "r20")
    ids = [node.id for node in picture.nodes]
    assert len(ids) == MAX_AROUND
    assert {"r20", "r19", "r21", "side", "both"} < set(ids)
    lines = draw(picture, {}, with_older=True)
    assert lines[0] == "  ⋮ older ones"
    assert lines[1].startswith("  ○ r1")
    assert not any("older" in line for line in lines[1:])


def test_a_side_that_is_not_drawn_whole_hangs_where_it_left() -> None:
    long = "; ".join(f"s{n:02}<{f's{n - 1:02}' if n else 'a'}" for n in range(30))
    lines = draw(picture_around(graph(f"a; b<a; {long}; m<b,s29"), "m"), {}, with_older=True)
    assert lines[0] == "  ○ a    doc a"
    assert any("⋮ 1" in line or "⋮ 2" in line for line in lines)
    assert lines[-1] == "  ● m    doc m  joins b and s29  ← head"


def test_a_small_drawing_of_a_chain_of_thousands() -> None:
    """A page or two, not a thousand lines; what is not drawn is counted."""
    history = some_history(3, 4000)
    picture = whole_picture(history)
    assert len(picture.nodes) <= 4 * MAX_IN_A_CHAIN
    assert draw(picture, {})[-1] == f"  … and {picture.left_out} more where lines part, meet or end"
    assert len(full_picture(history).nodes) == len(history)


def test_a_thousand_revisions_with_many_merges_stay_narrow() -> None:
    """Side by side for as long as a branch lasts, and not one step to the right for every merge of a long history."""
    found = [Revision("r0", (), "versions/r0.py", "")]
    for number in range(1, 334):
        found += [
            Revision(f"a{number}", (found[-1].id,), f"versions/a{number}.py", ""),
            Revision(f"b{number}", (found[-1].id,), f"versions/b{number}.py", ""),
        ]
        found.append(Revision(f"r{number}", (f"a{number}", f"b{number}"), f"versions/r{number}.py", ""))
    lines = draw(full_picture(Graph(found)), {})
    assert len(lines) == 1000
    assert max(len(line) for line in lines) < 60
    assert lines[-1] == "  ● r333  joins a333 and b333  ← head"

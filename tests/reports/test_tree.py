"""Chains as lines of text: each revision once, merges where their sides end, the main line always on the left."""

from __future__ import annotations

import random

import pytest

from onehead.reports.outline import outline
from onehead.reports.picture import Edge, Node, Picture, whole_picture
from onehead.reports.tree import draw
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision
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
    assert drawn("a; b<a,d; c<b; d<c") == ["  ○ a  doc a", "  ○ b  doc b", "  ○ c  doc c", "  ○ d  doc d"]


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


@pytest.mark.parametrize("seed", range(40))
def test_every_revision_once_and_after_its_parents(seed: int) -> None:
    dice = random.Random(seed)
    found: list[Revision] = []
    for number in range(dice.randint(1, 30)):
        ids = [revision.id for revision in found]
        parents = tuple(sorted(dice.sample(ids, min(len(ids), dice.choice([0, 1, 1, 1, 2, 3])))))
        found.append(Revision(f"r{number:02}", parents, f"versions/r{number:02}.py", ""))
    picture = whole_picture(Graph(found))
    places = list(outline(picture))
    order = [place.id for place in places]
    assert sorted(order) == sorted(node.id for node in picture.nodes)
    for place in places:
        assert all(order.index(edge.parent) < order.index(place.id) for edge in place.parents)
    starts = [place for place in places if place.turn == "start" and not place.parents]
    assert {place.id for place in starts} == set(Graph(found).bases)


def test_a_thousand_revisions_with_many_merges_stay_narrow() -> None:
    """Side by side for as long as a branch lasts, and not one step to the right for every merge of a long history."""
    found = [Revision("r0", (), "versions/r0.py", "")]
    for number in range(1, 334):
        found += [
            Revision(f"a{number}", (found[-1].id,), f"versions/a{number}.py", ""),
            Revision(f"b{number}", (found[-1].id,), f"versions/b{number}.py", ""),
        ]
        found.append(Revision(f"r{number}", (f"a{number}", f"b{number}"), f"versions/r{number}.py", ""))
    lines = draw(whole_picture(Graph(found)), {})
    assert len(lines) == 1000
    assert max(len(line) for line in lines) < 60
    assert lines[-1] == "  ● r333  joins a333 and b333  ← head"

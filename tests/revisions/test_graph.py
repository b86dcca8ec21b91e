"""What a graph answers, on literals."""

from __future__ import annotations

import pytest

from onehead.revisions.graph import Graph
from tests.chains import graph, revisions

SEED = "018; 019<018; 020<018; 021<020; 022<019,021; 023<022"


def test_heads_bases_and_branch_points() -> None:
    seed = graph(SEED)
    assert (seed.heads, seed.bases, seed.branch_points(), len(seed)) == (("023",), ("018",), ("018",), 6)
    assert seed.children["018"] == ("019", "020")
    assert "022" in seed
    assert "099" not in seed


def test_ancestors_and_descendants_hold_their_start() -> None:
    seed = graph(SEED)
    assert seed.ancestors("021", "unknown") == {"018", "020", "021"}
    assert seed.descendants("020") == {"020", "021", "022", "023"}
    assert seed.ancestors() == frozenset()


@pytest.mark.parametrize(
    ("text", "of", "points"),
    [
        (SEED, ("019", "021"), ("018",)),
        (SEED, ("020", "021"), ("020",)),
        ("a; b", ("a", "b"), ()),
        ("a; b<a; c<a; d<b,c; e<b,c", ("d", "e"), ("b", "c")),
        ("a; b<a; c<b; d<b; e<a", ("c", "d", "e"), ("a",)),
    ],
)
def test_fork_points(text: str, of: tuple[str, ...], points: tuple[str, ...]) -> None:
    assert graph(text).fork_points(of) == points


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("a; b<a", ()),
        ("b<a; c<a", (("b", "a"), ("c", "a"))),
        ("a ~x", (("a", "x"),)),
        ("a ~x; b @x", ()),
        ("a<x; b @x", (("a", "x"),)),
        ("b<", ()),
    ],
)
def test_missing_parents_and_dependencies(text: str, missing: tuple[tuple[str, str], ...]) -> None:
    assert graph(text).missing == missing


def test_a_missing_parent_makes_no_base_but_a_head() -> None:
    torn = graph("b<a; c")
    assert (torn.bases, torn.heads) == (("c",), ("b", "c"))


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        (SEED, ()),
        ("a<a", ("a",)),
        ("a<b; b<a; c<b; d", ("a", "b")),
        ("a<b; b<a; c<b; d<e,c; e<d", ("a", "b", "c", "d", "e")),
        ("a ~b; b<a", ("a", "b")),
        ("a ~x; b<a @x", ("a", "b")),
        ("a; b<a ~a", ()),
    ],
)
def test_cycles(text: str, cycles: tuple[str, ...]) -> None:
    assert graph(text).cycles == cycles


def test_of_two_definitions_the_later_path_counts_and_both_give_parents() -> None:
    doubled = graph("a; c; x<a path=versions/1.py; x<c path=versions/2.py")
    assert doubled.revisions["x"].path == "versions/2.py"
    assert [r.path for r in doubled.duplicates["x"]] == ["versions/1.py", "versions/2.py"]
    assert (doubled.heads, set(doubled.ancestors("x"))) == (("x",), {"a", "c", "x"})
    assert len(list(doubled)) == 4


def test_order_of_files_never_matters() -> None:
    there, back = Graph(revisions(SEED)), Graph(reversed(revisions(SEED)))
    assert list(there) == list(back)
    assert there.children == back.children


def test_replacing_and_adding() -> None:
    moved = graph(SEED).replaced(revisions("020<019; 024<023"))
    assert moved.revisions["020"].parents == ("019",)
    assert (moved.heads, moved.missing) == (("024",), ())


def test_a_long_chain_is_no_trouble() -> None:
    long = graph("; ".join(["r0", *(f"r{n}<r{n - 1}" for n in range(1, 5000))]))
    assert (long.heads, len(long.ancestors("r4999")), long.cycles) == (("r4999",), 5000, ())

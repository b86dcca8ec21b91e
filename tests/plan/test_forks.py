"""Which heads are meant and which are a fork."""

from __future__ import annotations

import pytest

from onehead.plan.forks import additional_heads, forks_between, forks_of, forks_within, new_lineages
from tests.chains import graph
from tests.plan.cases import facts

BASE = "018; 019<018"


@pytest.mark.parametrize(
    ("target", "merged", "extra"),
    [
        ("a; b<a", "a; b<a", ()),
        ("a; b<a", "a; b<a; c<b", ()),
        ("a; b<a", "a; b<a; c<a", ("c",)),
        ("a; b<a", "a; b<a; c<b; d<b", ("d",)),
        ("a; b<a", "a; b<a; c<a; m<b,c", ()),
        ("a; b<a; c<b", "a; b<a", ()),
        ("a; b<a; c<b", "a; b<a; d<b", ()),
        ("a; b<a; c<b", "squashed", ()),
        ("a; b<a; c<b", "squashed; x<squashed; y<squashed", ("y",)),
        ("", "a; b<a", ("b",)),
        ("a; e<a @expand; c<a @contract", "a; e<a @expand; c<a @contract; e2<e", ()),
        ("a; e<a @expand; c<a @contract", "a; e<a @expand; c<a @contract; e2<a", ("e2",)),
        ("a; b<a; c<a", "a; b<a; c<a; m<b,c; d<b", ()),
    ],
)
def test_heads_that_take_no_target_heads_place(target: str, merged: str, extra: tuple[str, ...]) -> None:
    assert additional_heads(graph(target), graph(merged)) == extra


def test_a_collision_names_its_heads_the_new_one_and_the_parting_point() -> None:
    [fork] = forks_between(graph(BASE), graph(f"{BASE}; 020<018; 021<020"))
    assert (fork.heads, fork.new, fork.points, fork.introduced_by) == (("019", "021"), ("021",), ("018",), "head")


def test_a_fork_that_the_target_has_already_is_the_targets() -> None:
    [fork] = forks_between(graph("a; b<a; c<a"), graph("a; b<a; c<a; d<b"))
    assert (fork.heads, fork.new, fork.introduced_by) == (("c", "d"), (), "target")


def test_three_ways_are_one_fork() -> None:
    [fork] = forks_between(graph("a; b<a"), graph("a; b<a; c<a; d<a"))
    assert (fork.heads, fork.new) == (("b", "c", "d"), ("c", "d"))


@pytest.mark.parametrize(
    "intended",
    [
        "a; e<a @expand; c<a @contract",
        "a @main; b<a; o @other",
        "a; b<a; c<a @side",
        "a; b<a; c<a @side; o @other",
        "b<gone; c<away",
    ],
)
def test_labels_are_meant_and_so_is_one_line_without_beside_them(intended: str) -> None:
    assert forks_within(graph(intended)) == ()


def test_a_fork_within_one_labelled_line_is_a_fork() -> None:
    text = "a; e<a @expand; c<a @contract; e1<e; e2<e"
    [fork] = forks_within(graph(text))
    assert (fork.heads, fork.points) == (("e1", "e2"), ("e",))


def test_a_second_base_without_a_label_is_no_accident_of_the_layout_and_collides() -> None:
    [fork] = forks_between(graph("a; b<a"), graph("a; b<a; z"))
    assert (fork.heads, fork.new, fork.points) == (("b", "z"), ("z",), ())


def test_a_second_base_with_a_label_is_meant() -> None:
    target, merged = graph("a; b<a"), graph("a; b<a; z @reports")
    assert forks_between(target, merged) == ()
    assert new_lineages(target, merged) == ("z",)


@pytest.mark.parametrize("text", ["a; b<a; x; y<x", "a; b; c; d; e; f; s @side", "a; b<a; c<a; x"])
def test_several_lines_without_a_label_are_a_fork(text: str) -> None:
    chain = graph(text)
    [fork] = forks_within(chain)
    assert fork.heads == tuple(head for head in chain.heads if head != "s")


def test_where_an_environment_is_a_guess_unrelated_lines_are_separate_chains() -> None:
    [fork] = forks_within(graph("a; b<a; c<a; x"), certain=False)
    assert fork.heads == ("b", "c")


def test_one_more_base_collides_however_many_there_are() -> None:
    target, merged = graph("a; b<a; x; y<x"), graph("a; b<a; x; y<x; z")
    [fork] = forks_between(target, merged)
    assert (fork.heads, fork.new, fork.introduced_by) == (("b", "y", "z"), ("z",), "head")
    assert forks_between(target, merged, certain=False) == ()


@pytest.mark.parametrize(
    ("target", "new", "heads"),
    [
        ("a; s<a @side", "c<a", ("c", "s")),
        ("a @main; s<a @side", "c<a", ("c", "s")),
        ("a; e<a @expand; c<a @contract; c2<c", "x<a", ("c2", "x")),
        ("a; e<a @expand; c<a @contract; d<e", "x<e", ("d", "x")),
        ("a; e<a @expand; c<a @contract", "x", ("c", "x")),
        ("a; b<a; s<a @side", "x", ("b", "x")),
        ("a; b<a; m<b @m; k<a @k", "x<b", ("m", "x")),
    ],
)
def test_a_new_head_without_a_label_of_its_own_collides_beside_labelled_ones(
    target: str, new: str, heads: tuple[str, ...]
) -> None:
    [fork] = forks_between(graph(target), graph(f"{target}; {new}"))
    assert (fork.heads, len(fork.new)) == (heads, 1)


def test_a_base_without_a_label_collides_also_beside_a_labelled_chain() -> None:
    [fork] = forks_between(graph("a @main; b<a"), graph("a @main; b<a; z"))
    assert (fork.heads, fork.new) == (("b", "z"), ("z",))


@pytest.mark.parametrize(
    ("target", "head", "allowed", "forks"),
    [
        ("a; b<a; c<a", None, 2, []),
        ("a; b<a; c<a; d<a", None, 2, [("b", "c")]),
        ("a; b<a; c<b; d<b", None, 2, []),
        ("a; b<a; c<b; d<b; x<a", None, 2, [("c", "d")]),
        ("a; b<a; c<a", "a; b<a; c<a; d<b", 2, []),
        ("a; b<a; c<a; e<c", "a; b<a; c<a; d<c", 2, [("d", "e")]),
        ("a; b<a; c<a", "a; b<a; c<a; d<a; e<d; f<d", 2, [("b", "e", "f")]),
        ("a; b<a; c<a", "a; b<a; c<a; d<a; e<d; f<d", 3, [("e", "f")]),
        ("a; b<a; c<a; d<a", "a; b<a; c<a; d<a; e<b", 2, [("c", "d")]),
        ("a; b<a; c<a; d<a", "a; b<a; c<a; d<a; e<a", 2, [("b", "e")]),
    ],
)
def test_of_more_heads_than_are_allowed_the_nearest_relatives_are_a_fork(
    target: str, head: str | None, allowed: int, forks: list[tuple[str, ...]]
) -> None:
    given = facts(target, head)._replace(allowed_heads=allowed)
    assert [fork.heads for fork in forks_of(given)] == forks

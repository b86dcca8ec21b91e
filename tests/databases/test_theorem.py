"""The rule behind every decision, for sides of up to four revisions: what a re-parent does to a database.

With i of X and j of Y applied, Y moved onto X: fine while j is 0; all the rest of X is lost, silently, when i is 0; a
loud stop otherwise. A merge is right for all of them. Every way out is then run for real in thought.
"""

from __future__ import annotations

from itertools import product

import pytest

from onehead.databases.model import ForkOutcomes
from onehead.databases.state_table import fork_outcomes
from onehead.plan.findings import Facts
from onehead.revisions.model import Environment
from tests.chains import graph

LENGTHS = list(product(range(1, 5), range(1, 5)))


def account(n: int, m: int) -> ForkOutcomes:
    x = "; ".join(f"x{i}<{f'x{i - 1}' if i > 1 else 'root'}" for i in range(1, n + 1))
    y = "; ".join(f"y{j}<{f'y{j - 1}' if j > 1 else 'root'}" for j in range(1, m + 1))
    forked = graph(f"root; {x}; {y}")
    facts = Facts(Environment("versions", None, None, None, ()), forked, None, forked)
    (found,) = fork_outcomes(facts)
    return found


@pytest.mark.parametrize(("n", "m"), LENGTHS)
def test_every_state_of_every_fix(n: int, m: int) -> None:
    told = account(n, m)
    names = [(under.fix.kind, under.fix.moved, under.fix.onto) for under in told.fixes]
    assert names == [
        ("none", (), None),
        ("merge", (), None),
        ("reparent", ("x1",), f"y{m}"),
        ("reparent", ("y1",), f"x{n}"),
    ]
    assert told.left_out == 0
    for under in told.fixes:
        fix, states = under.fix, under.states
        assert len(states) == (n + 1) * (m + 1)
        worst = [{"loss": 0, "error": 1, "ok": 2}[state.outcome.kind] for state in states]
        assert worst == sorted(worst)
        for state in states:
            i = sum(id_.startswith("x") for id_ in state.applied)
            j = sum(id_.startswith("y") for id_ in state.applied)
            if fix.kind == "none":
                expected = "error"
            elif fix.kind == "merge":
                expected = "ok"
            else:
                stays, moves = (i, j) if fix.moved == ("y1",) else (j, i)
                expected = "ok" if moves == 0 else "loss" if stays == 0 else "error"
            assert state.outcome.kind == expected, (fix.kind, fix.moved, state.rows)
            if expected == "loss":
                beneath = "x" if fix.moved == ("y1",) else "y"
                assert state.outcome.lost == tuple(f"{beneath}{k}" for k in range(1, (n if beneath == "x" else m) + 1))
            assert bool(state.remedy) == (expected != "ok")


def test_a_side_with_branches_of_its_own_has_every_state_between() -> None:
    forked = graph("root; a<root; p<root; q<p; r<p; s<q,r")
    facts = Facts(Environment("versions", None, None, None, ()), forked, None, forked)
    (told,) = fork_outcomes(facts)
    rows = {state.rows for state in told.fixes[0].states}
    one_side = [("root",), ("p",), ("q",), ("r",), ("q", "r"), ("s",)]
    both = [("a",), *(tuple(sorted(("a", *row))) for row in one_side[1:])]
    assert rows == {*one_side, *both}
    assert told.sides == (("a",), ("p", "q", "r", "s"))


def test_long_sides_are_told_by_their_ends() -> None:
    told = account(4, 4)
    assert told.left_out == 0
    long = account(40, 40)
    assert len(long.fixes[0].states) == 9
    assert long.left_out == 41 * 41 - 9
    kinds = {state.rows: state.outcome.kind for state in long.fixes[3].states}
    assert kinds == {
        ("root",): "ok",
        ("x1",): "ok",
        ("x40",): "ok",
        ("y1",): "loss",
        ("y40",): "loss",
        ("x1", "y1"): "error",
        ("x1", "y40"): "error",
        ("x40", "y1"): "error",
        ("x40", "y40"): "error",
    }


def test_a_database_does_not_stand_where_its_dependencies_are_missing() -> None:
    """`depends_on` counts: b2 can't have run before a1, and once it has, a1 has no row of its own."""
    forked = graph("root; a1<root; a2<a1; b1<root; b2<b1 ~a1")
    facts = Facts(Environment("versions", None, None, None, ()), forked, None, forked)
    (told,) = fork_outcomes(facts)
    assert {state.rows for state in told.fixes[0].states} == {
        ("root",),
        ("a1",),
        ("a2",),
        ("b1",),
        ("a1", "b1"),
        ("a2", "b1"),
        ("b2",),
        ("a2", "b2"),
    }


def test_three_heads_have_a_merge_and_no_move() -> None:
    forked = graph("root; a<root; b<root; c<root")
    facts = Facts(Environment("versions", None, None, None, ()), forked, None, forked)
    (told,) = fork_outcomes(facts)
    assert [under.fix.kind for under in told.fixes] == ["none", "merge"]
    assert len(told.fixes[1].states) == 8
    assert {state.outcome.kind for state in told.fixes[1].states} == {"ok"}


def test_where_other_heads_are_meant_to_stay_deploys_run_heads() -> None:
    forked = graph("root; a<root; b<root; other @plugin")
    facts = Facts(Environment("versions", None, None, None, ()), forked, None, forked)
    (told,) = fork_outcomes(facts)
    assert told.target == "heads"
    assert {state.outcome.kind for state in told.fixes[0].states} == {"ok"}

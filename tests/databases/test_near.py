"""Of a large chain the neighbourhood of a fork is walked, and what is told of it is what the whole chain would tell."""

from __future__ import annotations

import random

import pytest

from onehead.databases import states
from onehead.databases.state_table import MAX_FORKS, MAX_STATES, as_it_is, fork_outcomes, merging, state_tables
from onehead.databases.states import MAX_HEADS, MAX_NEAR, databases_of, neighbourhood, with_rows
from onehead.databases.upgrade import Deployed, upgrade
from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.reports.states import states_document, states_text
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from tests.chains import graph
from tests.databases.test_upgrade_against_alembic import random_graph
from tests.plan.cases import ENVIRONMENT, examination
from tests.shapes import SHAPES, File, diamonds


def alone(chain: Graph) -> Facts:
    return Facts(ENVIRONMENT, chain, None, chain)


def of_files(files: list[File]) -> Facts:
    return alone(Graph(Revision(f.id, f.parents, f.path, f.id, f.depends_on, f.labels) for f in files))


def without_dependencies(chain: Graph) -> Graph:
    return Graph(revision._replace(depends_on=()) for revision in chain)


def needed(chain: Graph, id_: str) -> frozenset[str]:
    return with_rows(chain, [id_]).applied


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MAX_WALKED", 0)
    monkeypatch.setattr(states, "MAX_NEAR", 3)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("seed", range(150))
def test_who_stands_on_whom_is_as_in_the_whole_chain(seed: int) -> None:
    chain = random_graph(random.Random(seed))
    for fork in forks_of(alone(chain)):
        seen = neighbourhood(chain, fork)
        assert set(fork.heads) <= set(seen.graph.revisions) <= set(chain.revisions)
        if chain.missing:
            continue
        assert seen.left_out == len(chain) - len(seen.graph)
        for id_ in seen.graph.revisions:
            assert needed(seen.graph, id_) == needed(chain, id_) & seen.graph.revisions.keys()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("seed", range(150))
def test_a_database_fares_as_on_the_whole_chain(seed: int) -> None:
    """Whatever runs, runs: of the revisions that are kept the same ones, and it ends the same way."""
    facts = alone(without_dependencies(random_graph(random.Random(seed))))
    for fork in forks_of(facts):
        seen = neighbourhood(facts.merged, fork)
        kept = seen.graph.revisions.keys()
        for database in databases_of(seen.graph, seen.fork, 40).found:
            whole = with_rows(facts.merged, database.rows)
            assert whole.applied & kept == database.applied
            for short, long in (
                (as_it_is(seen.graph), as_it_is(facts.merged)),
                (merging(facts._replace(merged=seen.graph), fork), merging(facts, fork)),
            ):
                told = upgrade(Deployed(short.graph), database, "heads")
                really = upgrade(Deployed(long.graph), whole, "heads")
                assert told.kind == really.kind
                assert set(told.runs) == set(really.runs) - (facts.merged.revisions.keys() - kept)
                assert told.rows_after == really.rows_after


@pytest.mark.usefixtures("tiny")
def test_the_dice_leave_something_out() -> None:
    """Otherwise the comparisons above would say little."""
    sizes = []
    for seed in range(150):
        chain = random_graph(random.Random(seed))
        sizes += [neighbourhood(chain, fork).left_out for fork in forks_of(alone(chain))]
    assert sum(size > 0 for size in sizes) > 50


def test_a_thousand_merge_points_beneath_a_fork() -> None:
    ladder = diamonds(1333)
    top = ladder[-1].id
    facts = of_files([*ladder, File("x", (top,)), File("y", (top,))])
    assert len(facts.merged) == 4002
    [told] = fork_outcomes(facts)
    assert told.omitted == (4002 - 3, 0, 0)
    assert [under.fix.kind for under in told.fixes] == ["none", "merge", "reparent", "reparent"]
    assert {state.rows for state in told.fixes[0].states} == {(top,), ("x",), ("y",), ("x", "y")}
    assert told.left_out == 0
    [table] = state_tables(facts)
    assert {rows for row in table.states for rows in row.rows} == {state.rows for state in told.fixes[0].states}


def test_a_thousand_merge_points_on_either_side() -> None:
    """Alembic's own walk along one side takes many seconds, so nothing of that length is handed to it."""
    line = [File("a"), File("b", ("a",))]
    facts = of_files([*line, *diamonds(1000, "d", ("b",)), *diamonds(1000, "e", ("a",))])
    [told] = fork_outcomes(facts)
    for under in told.fixes:
        assert len(under.fix.graph) <= MAX_NEAR + 10
        assert len(under.states) <= MAX_STATES
    assert told.omitted.revisions > 5900
    assert told.left_out > 5900
    assert [under.fix.kind for under in told.fixes] == ["none", "merge", "reparent", "reparent"]


def test_a_thousand_heads() -> None:
    facts = of_files(SHAPES["comb"](1000).main)
    [told] = fork_outcomes(facts)
    assert told.fork is not None
    assert len(told.fork.heads) == MAX_HEADS
    assert told.omitted.heads == 1000 - MAX_HEADS


def test_forty_forks() -> None:
    facts = of_files(SHAPES["pairs of lines"](40).side or [])
    told = fork_outcomes(facts)
    assert len(told) == MAX_FORKS
    assert [account.omitted.forks for account in told] == [0] * (MAX_FORKS - 1) + [40 - MAX_FORKS]
    assert len(state_tables(facts)) == MAX_FORKS


def test_a_database_far_from_the_fork() -> None:
    """Rows that are asked for are looked at wherever they stand."""
    ladder = diamonds(400)
    facts = of_files([*ladder, File("x", (ladder[-1].id,)), File("y", (ladder[-1].id,))])
    [told] = fork_outcomes(facts, ("dm000007",))
    merged = next(under for under in told.fixes if under.fix.kind == "merge")
    [state] = merged.states
    assert state.rows == ("dm000007",)
    assert state.outcome.kind == "ok"
    assert {"x", "y", ladder[-1].id} <= set(state.outcome.runs)


def test_a_large_chain_without_a_fork() -> None:
    facts = of_files(diamonds(400))
    [told] = fork_outcomes(facts, ("dm000007",))
    [state] = told.fixes[0].states
    assert (state.outcome.kind, state.outcome.rows_after) == ("ok", ("dm000400",))
    assert told.omitted.revisions > 1000


def test_a_reparent_whose_roots_are_not_all_near_is_not_told_of() -> None:
    many = [File(f"r{n:03}", ("a",)) for n in range(100)]
    facts = of_files([File("a"), File("y", ("a",)), *many, File("x", tuple(f.id for f in many))])
    facts = facts._replace(merged=facts.merged, target=facts.target)
    for kind, size in (("small", 2000), ("large", 10)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(states, "MAX_WALKED", size)
            [told] = fork_outcomes(facts)
            moved = [under.fix.moved for under in told.fixes if under.fix.kind == "reparent"]
            assert (
                moved
                == ([("y",), tuple(f.id for f in many)][:: -1 if kind == "small" else 1])[: 2 if kind == "small" else 1]
            )


def test_what_is_left_out_is_said() -> None:
    facts = of_files(SHAPES["comb"](1000).main)
    judged = examination(facts)
    told = {facts.environment.path: fork_outcomes(facts)}
    text = states_text(judged, told)
    assert "revisions far from the fork are left out of this large chain: the result\n" in text
    assert "\n  988 more heads of this fork are left out.\n" in text
    assert len(text) < 10_000
    [environment] = states_document(judged, told)["environments"]
    assert environment["omitted"]["heads"] == 988


def test_a_chain_of_everyday_size_is_walked_whole() -> None:
    facts = alone(graph("a; b<a; c<a; d<b,c; x<d; y<d"))
    [told] = fork_outcomes(facts)
    assert told.omitted == (0, 0, 0)

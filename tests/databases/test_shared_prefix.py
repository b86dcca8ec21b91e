"""What is cut off beneath a fork changes nothing in the table of its databases."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from onehead.databases import state_table, states
from onehead.databases.model import StateTable
from onehead.databases.states import neighbourhood
from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment
from tests.chains import graph
from tests.databases.test_upgrade_against_alembic import random_graph

PLACE = Environment("versions", None, None, None, ())


def both_ways(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[StateTable, ...], tuple[StateTable, ...]]:
    cut = state_table.state_tables(facts)
    with monkeypatch.context() as patch:
        patch.setattr(states, "from_the_point", lambda chain, _point: chain)
        return cut, state_table.state_tables(facts)


def comparable(facts: Facts, tables: tuple[StateTable, ...]) -> list[object]:
    """Where `upgrade heads` walks unrelated lines, their order is that of a set in Alembic, and says nothing."""
    found: list[object] = []
    for each in tables:
        free = len(each.fork.heads) != len(facts.merged.heads)
        for row in each.states:
            outcomes = [replace(o, runs=tuple(sorted(o.runs))) if free else o for o in row.outcomes]
            found.append((each.fork, each.fixes, row.rows, outcomes, each.left_out))
    return found


@pytest.mark.parametrize("seed", range(120))
def test_the_table_is_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = random_graph(random.Random(seed))
    heads = set(merged.heads)
    # What one of the heads alone has is the branch's; the rest is the target's.
    mine = merged.ancestors(merged.heads[-1]) - merged.ancestors(*(heads - {merged.heads[-1]}))
    target = Graph(revision for revision in merged if revision.id not in mine)
    for facts in (Facts(PLACE, merged, None, merged), Facts(PLACE, target, merged, merged)):
        cut, whole = both_ways(facts, monkeypatch)
        assert comparable(facts, cut) == comparable(facts, whole)


def test_the_dice_cut_something_off() -> None:
    """Otherwise the comparison above would say little."""
    sizes = []
    for seed in range(120):
        merged = random_graph(random.Random(seed))
        facts = Facts(PLACE, merged, None, merged)
        sizes += [len(merged) - len(neighbourhood(merged, fork).of_fork) for fork in forks_of(facts)]
    assert sum(size > 0 for size in sizes) > 20
    assert sum(size == 0 for size in sizes) > 10


@pytest.mark.parametrize(
    "chain",
    [
        "a; b<a; c<b; x<c; y<c+a",  # a side is rejoined with something older
        "a; b<a; c<nowhere; x<c; y<c",  # a parent is missing
    ],
)
def test_nothing_is_cut_off_where_more_than_one_way_leads_down(chain: str) -> None:
    merged = graph(chain)
    facts = Facts(PLACE, merged, None, merged)
    for fork in forks_of(facts):
        assert neighbourhood(merged, fork).of_fork is merged

"""What a plan costs, by the state table: a re-parent loses nothing that its reasons do not say."""

from __future__ import annotations

import re
from unittest.mock import patch

from hypothesis import given

from onehead.databases import upgrade as simulation
from onehead.databases.states import Fix, databases_of
from onehead.databases.upgrade import Deployed, upgrade
from onehead.plan.findings import Evidence, Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import Merge, Reparent
from tests.chains import graph
from tests.plan.cases import facts
from tests.plan.test_laws import after, plan, situations

MANY = 10_000


@given(situations())
def test_who_loses_by_a_re_parent_has_run_what_nobody_should_have(situation: Facts) -> None:
    """And what is lost is named as the reason for not having run it, or counted where it is much."""
    chosen = plan(situation)
    if not isinstance(chosen, Reparent):
        return
    fix = Fix("reparent", after(situation, chosen).merged, new_ids=chosen.new_ids)
    deployed = Deployed(fix.graph)
    [said] = [reason.message for reason in chosen.reasons if reason.code == "not-escaped"]
    named, counted = said.partition(" would silently skip ")[2], re.search(r"would silently skip \d+ revisions", said)
    for fork in forks_of(situation):
        for database in databases_of(situation.merged, fork, MANY).found:
            outcome = upgrade(deployed, fix.meets(database), "heads")
            if any(row in chosen.new_ids for row in database.rows):
                assert outcome.kind == "error"
            if outcome.kind == "loss":
                assert database.applied & set(chosen.moved)
                assert counted or all(f"`{id_}`" in named for id_ in outcome.lost)


@given(situations())
def test_of_its_authors_own_database_the_same_is_said_on_the_whole_chain(situation: Facts) -> None:
    chosen = plan(situation, Evidence(), "reparent")
    if isinstance(chosen, Reparent):
        repaired = after(situation, chosen).merged
        said = simulation.own_database(situation.head, chosen, repaired)
        with patch.object(simulation, "_above", lambda branch, merged, _: (branch, merged)):
            assert said == simulation.own_database(situation.head, chosen, repaired)


def test_what_is_beneath_a_move_is_left_out_where_it_is_the_same() -> None:
    branch, repaired = graph("a; b<a; c<b"), graph("a; b<a; d<b; c<d")
    short = simulation._above(branch, repaired, frozenset("c"))
    assert [sorted(each.revisions) for each in short] == [["b", "c"], ["b", "c", "d"]]
    for other in map(graph, ("b; d<b; c<d", "x; b<x; d<b; c<d", "a; b<a; d<b,a; c<d", "a; d<a; c<d")):
        assert simulation._above(branch, other, frozenset("c")) == (branch, other)


@given(situations())
def test_auto_never_chooses_a_silent_loss_where_the_moved_side_may_have_escaped(situation: Facts) -> None:
    """Unknown is escaped: whatever is chosen then, no database that the fork may have met loses anything."""
    chosen = plan(situation, Evidence(incomplete="This clone is shallow."))
    assert not isinstance(chosen, Reparent)
    if isinstance(chosen, Merge):
        deployed = Deployed(after(situation, chosen).merged)
        for fork in forks_of(situation):
            for database in databases_of(situation.merged, fork, MANY).found:
                assert upgrade(deployed, database, "heads").kind == "ok"


def test_a_re_parent_that_was_asked_for_says_what_it_costs() -> None:
    given_facts = facts("018; 019<018", "018; 020<018; 021<020")
    quiet = plan(given_facts)
    assert quiet.reasons[0].message == (
        "`020` and `021` exist on no other branch or tag, so no shared database should have run them. If one "
        "has, it would silently skip `019`: use `--strategy merge`. The chain stays linear on `019`."
    )
    loud = plan(given_facts, Evidence({"versions/020.py": ("tag v1",)}), "reparent")
    assert [reason.message for reason in loud.reasons] == [
        "A re-parent was asked for explicitly.",
        (
            "`020` is also on tag v1, so a database may have run it. After a re-parent, that database would silently "
            "skip the other side."
        ),
    ]

"""What both sides do decides: a conflict refuses, an order turns the parents round or rules out a re-parent."""

from __future__ import annotations

import pytest

from onehead.plan.decide import decide
from onehead.plan.findings import Code, Evidence, Facts
from onehead.plan.forks import MAX_TOLD, ConflictMessage, Interaction, findings_about, parents_in_order
from onehead.plan.judge import judge
from onehead.plan.plans import Merge, Plan, ReasonCode, Refuse, Reparent
from onehead.plan.policy import Policy, Strategy
from tests.chains import graph
from tests.plan.cases import facts

COLLISION: Facts = facts("a; b<a", "a; c<a")


def order(first: str) -> Interaction:
    return Interaction(("b", "c"), "order", first, (ConflictMessage("order", False, "One goes first.", ("b", "c")),))


CONFLICT = Interaction(("b", "c"), "conflict", None, (ConflictMessage("conflict", False, "Both break.", ("b", "c")),))


def plan(interaction: Interaction, strategy: Strategy = "auto", given: Facts = COLLISION) -> Plan:
    findings = (*judge(given), *findings_about(given, (interaction,)))
    return decide(given, findings, Evidence(), Policy(strategy=strategy), (interaction,))


def test_a_conflict_is_refused_whatever_was_asked_for() -> None:
    strategies: tuple[Strategy, ...] = ("auto", "merge", "reparent")
    for strategy in strategies:
        found = plan(CONFLICT, strategy)
        assert isinstance(found, Refuse)
        assert [(reason.code, reason.message) for reason in found.reasons] == [
            (ReasonCode.SEMANTIC_CONFLICT, "Both break.")
        ]


def test_the_targets_side_runs_first_by_a_reparent() -> None:
    found = plan(order("b"))
    assert isinstance(found, Reparent)
    assert [reason.code for reason in found.reasons] == [ReasonCode.NOT_ESCAPED, ReasonCode.ORDER_MATTERS]


def test_the_branchs_side_runs_first_by_a_merge_that_names_it_last() -> None:
    found = plan(order("c"))
    assert isinstance(found, Merge)
    assert found.merges == (("b", "c"),)
    [reason] = found.reasons
    assert reason.code == ReasonCode.ORDER_MATTERS
    assert "A database that has run `b` already stops there" in reason.message


def test_a_reparent_that_would_run_them_the_wrong_way_round_is_refused() -> None:
    found = plan(order("c"), "reparent")
    assert isinstance(found, Refuse)
    assert [reason.code for reason in found.reasons] == [ReasonCode.ORDER_MATTERS]


def test_without_a_demand_the_targets_head_stays_last() -> None:
    found = plan(Interaction(("b", "c"), "independent"), "merge")
    assert isinstance(found, Merge)
    assert found.merges == (("c", "b"),)


@pytest.mark.parametrize(
    ("parents", "firsts", "expected"),
    [
        (("c", "b"), [], ("c", "b")),
        (("c", "b"), [("b", "c")], ("c", "b")),
        (("c", "b"), [("c", "b")], ("b", "c")),
        (("a", "b", "c"), [("a", "b")], ("b", "a", "c")),
        (("a", "b", "c"), [("a", "c"), ("b", "c")], ("c", "a", "b")),
        (("a", "b", "c"), [("a", "b"), ("b", "c"), ("c", "a")], ("a", "b", "c")),
        (("a", "b"), [("x", "a")], ("a", "b")),
    ],
)
def test_the_order_of_parents(
    parents: tuple[str, ...], firsts: list[tuple[str, str]], expected: tuple[str, ...]
) -> None:
    interactions = [Interaction(pair, "order", pair[0]) for pair in firsts]
    assert parents_in_order(parents, interactions) == expected


def test_what_is_told_becomes_findings() -> None:
    told = (
        ConflictMessage("conflict", False, "m1", ("b", "c")),
        ConflictMessage("conflict", True, "m2", ("b", "c")),
        ConflictMessage("order", False, "m3", ("b", "c")),
        ConflictMessage("silent", False, "m4", ("b",)),
        ConflictMessage("unknown", False, "m5", ("c",)),
    )
    found = findings_about(COLLISION, (Interaction(("b", "c"), "conflict", None, told),))
    assert [(each.code, each.severity, each.introduced_by, each.message) for each in found] == [
        (Code.SEMANTIC_CONFLICT, "error", "head", "m1"),
        (Code.SEMANTIC_CONFLICT, "warning", "head", "m2"),
        (Code.ORDER_MATTERS, "warning", "head", "m3"),
        (Code.SILENT_DIFFERENCE, "warning", "head", "m4"),
        (Code.UNKNOWN_OPERATION, "note", "head", "m5"),
    ]
    assert found[3].revisions == ("b",)
    assert [each.places for each in found] == [(), (), (), (), ()]
    assert found[3].paths == (COLLISION.merged.revisions["b"].path,)


def test_what_fails_by_itself_is_told_once_with_its_line() -> None:
    path = COLLISION.merged.revisions["b"].path
    alone = ConflictMessage("alone", True, "It fails.", ("b",), ((path, 7),))
    interactions = [Interaction(("b", other), "independent", None, (), (alone,)) for other in ("c", "d")]
    [found] = findings_about(COLLISION, interactions)
    assert (found.code, found.severity, found.message) == (Code.NOT_IN_TRANSACTION, "warning", "It fails.")
    assert (found.paths, found.places) == ((path,), ((path, 7),))


def test_many_are_counted() -> None:
    told = tuple(ConflictMessage("silent", False, f"m{number}", ("b", "c")) for number in range(MAX_TOLD + 3))
    found = findings_about(COLLISION, (Interaction(("b", "c"), "silent", None, told),))
    assert len(found) == MAX_TOLD + 1
    assert found[-1].message == "3 more of the kind between `b` and `c` are not listed."


def test_a_fork_of_the_target_runs_what_has_to_be_first_first() -> None:
    alone = facts("a; b<a; c<a", None)
    found = plan(order("b"), given=alone)
    assert isinstance(found, Merge)
    assert found.merges == (("c", "b"),)
    assert plan(order("c"), given=alone) == found._replace(
        merges=(("b", "c"),), reasons=(found.reasons[0], found.reasons[1]._replace(message=_swapped(found)))
    )
    assert graph("a; b<a; c<a").heads == ("b", "c")


def _swapped(found: Merge) -> str:
    return found.reasons[1].message.replace("`b`", "`x`").replace("`c`", "`b`").replace("`x`", "`c`")

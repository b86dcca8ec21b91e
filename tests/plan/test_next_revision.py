"""What a new revision takes, and where the branch's own ones belong: tables of graphs and of what others reserve."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from onehead.plan.decide import decide
from onehead.plan.findings import Evidence, Facts, Held
from onehead.plan.judge import judge
from onehead.plan.next_revision import (
    Claimant,
    LabelledLine,
    NextRevision,
    Reservation,
    next_revision,
    one_each,
    own_plan,
    reservations,
    without_strangers,
)
from onehead.plan.plans import Move, Nothing, Plan, Refuse, Reissue, Reparent
from onehead.plan.policy import Policy
from tests.chains import graph, revisions
from tests.plan.cases import ENVIRONMENT, facts

NOW = datetime(2026, 11, 29, 12, 30)  # noqa: DTZ001 - an id has no time zone
ANN = Claimant("branch teams", 4, "ann")
HEXES = "9c1f00aa11bb; 1b22c0ffee33<9c1f00aa11bb"


def asked(target: str, reserved: str = "", message: str = "Add teams") -> NextRevision:
    given = facts(target)
    found = reservations(given, [(ANN, each) for each in revisions(reserved)])
    return next_revision(given.target, ENVIRONMENT, found, NOW, message)


@pytest.mark.parametrize(
    ("target", "reserved", "id_", "number", "front"),
    [
        # Ids are random: Alembic makes one.
        (HEXES, "", "", None, ""),
        (HEXES, "aaaa00000001<1b22c0ffee33", "", None, ""),
        # Ids are numbers, with and without files that carry them.
        ("001; 002<001; 003<002", "", "004", 4, ""),
        ("001; 002<001; 003<002", "004<003", "005", 5, ""),
        ("001; 002<001; 003<002", "004<003; 005<004; 007<005", "006", 6, ""),
        ("001; 002<001; 003<002", "002<001", "004", 4, ""),
        ("001 path=versions/a.py; 002<001 path=versions/b.py", "003<002 path=versions/c.py", "004", 4, ""),
        ("0001_users; 0002_teams<0001_users", "0003_notes<0002_teams", "0004_add_teams", 4, ""),
        ("rev-1; rev-2<rev-1", "", "rev-3", 3, ""),
        # Files are numbered, and ids are not.
        (
            "9c1f00aa11bb path=versions/0001_users.py; 1b22c0ffee33<9c1f00aa11bb path=versions/0002_teams.py",
            "aaaa00000001<1b22c0ffee33 path=versions/0003_notes.py",
            "",
            4,
            "0004",
        ),
        # Ids are dates: today's, unless the newest is later, or somebody has it.
        ("20261101; 20261102<20261101", "", "20261129", None, ""),
        ("20261101; 20261102<20261101", "20261129<20261102", "20261130", None, ""),
        ("20261101; 20261205<20261101", "", "20261206", None, ""),
        ("2026_11_01_0900; 2026_11_02_0900<2026_11_01_0900", "", "2026_11_29_1230", None, ""),
    ],
)
def test_the_house_decides_what_is_next_and_others_only_reserve(
    target: str, reserved: str, id_: str, number: int | None, front: str
) -> None:
    found = asked(target, reserved)
    assert (found.id, found.number, found.front) == (id_, number, front)
    assert (found.parent,) == facts(target).target.heads


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (HEXES, "alembic revision -m 'Add teams' --head 1b22c0ffee33"),
        ("001; 002<001", "alembic revision -m 'Add teams' --head 002 --rev-id 003"),
        ("", "alembic revision -m 'Add teams'"),
        ("001; 002<001; 003<001", ""),
    ],
)
def test_the_command_makes_the_file(target: str, command: str) -> None:
    assert asked(target).command == command


def test_the_command_works_where_the_configuration_lies_elsewhere() -> None:
    place = ENVIRONMENT._replace(config="backend/alembic.ini", run_from="backend", section="billing")
    found = next_revision(graph("001; 002<001"), place, (), NOW, "x")
    assert found.command == "(cd backend && alembic -n billing revision -m x --head 002 --rev-id 003)"
    flask = ENVIRONMENT._replace(config="migrations/alembic.ini", script_location="migrations", by_flask=True)
    assert next_revision(graph("001"), flask, (), NOW, "x").command == (
        "flask db revision -m x --head 001 --rev-id 002"
    )


def test_of_several_heads_each_label_names_its_own() -> None:
    found = asked("001; 002<001 @users; 003<001 @teams; 004<003")
    assert (found.parent, found.command) == (None, "")
    assert found.heads == ("002", "004")
    assert found.lines == (
        LabelledLine("teams", "004", "alembic revision -m 'Add teams' --head teams@head --rev-id 005"),
        LabelledLine("users", "002", "alembic revision -m 'Add teams' --head users@head --rev-id 005"),
    )
    assert asked("001; 002<001; 003<001").lines == ()


def planned(given: Facts, evidence: Evidence | None = None, *reserved: Reservation) -> Plan:
    found = evidence or Evidence()
    return own_plan(given, decide(given, judge(given), found, Policy(strategy="auto")), found, reserved)


def taken(given: Facts, text: str, by: Claimant = ANN) -> tuple[Reservation, ...]:
    return reservations(given, [(by, each._replace(doc=f"of {by.place}")) for each in revisions(text)])


def test_own_revisions_on_the_targets_head_stay() -> None:
    assert isinstance(planned(facts("001; 002<001", "001; 002<001; 003<002")), Nothing)


def test_own_revisions_move_by_their_root_onto_the_targets_head() -> None:
    plan = planned(facts("001; 002<001", "001; 003<001; 004<003"))
    assert isinstance(plan, Reparent)
    assert (plan.moves, plan.moved, plan.heads) == ((Move("003", ("001",), ("002",)),), ("003", "004"), ("004",))


def test_several_roots_go_in_one_line() -> None:
    plan = planned(facts("001; 002<001", "001; 002<001; 003<001; 004<001"))
    assert isinstance(plan, Reparent)
    assert plan.moves == (Move("003", ("001",), ("002",)), Move("004", ("001",), ("003",)))


def test_a_number_that_another_pull_request_has_is_passed_over_although_nothing_forks() -> None:
    given = facts("001; 002<001", "001; 002<001; 003<002; 004<003")
    reserved = taken(given, "003<002 path=versions/003_theirs.py")
    plan = planned(given, Evidence(taken=frozenset({"003", "003_theirs"})), *reserved)
    assert isinstance(plan, Reparent)
    assert (plan.moves, plan.moved) == ((), ("003", "004"))
    assert plan.new_ids == {"003": "005", "004": "006"}
    assert plan.heads == ("006",)
    [reason] = plan.reasons
    assert reason.message == (
        "A number or id of the branch is reserved by `003` of pull request #4 (branch teams, ann), so `003` "
        "becomes `005` and `004` becomes `006`."
    )


def test_a_move_and_a_new_number_are_one_plan() -> None:
    given = facts("001; 002<001", "001; 003<001")
    reserved = taken(given, "003<002 path=versions/003_theirs.py")
    plan = planned(given, Evidence(taken=frozenset({"003", "003_theirs"})), *reserved)
    assert isinstance(plan, Reparent)
    assert plan.moves == (Move("003", ("001",), ("002",)),)
    assert (plan.new_ids, plan.heads) == ({"003": "004"}, ("004",))


def test_a_number_that_only_a_file_bears_leaves_the_id() -> None:
    target = "aaaa00000001 path=versions/01_a.py; aaaa00000002<aaaa00000001 path=versions/02_b.py"
    given = facts(target, f"{target}; aaaa00000003<aaaa00000002 path=versions/03_c.py")
    reserved = taken(given, "aaaa00000004<aaaa00000002 path=versions/03_theirs.py")
    plan = planned(given, Evidence(taken=frozenset({"aaaa00000004", "03_theirs"})), *reserved)
    assert isinstance(plan, Reparent)
    assert plan.new_ids == {}
    assert [each.new_path for each in plan.renumbered] == ["versions/04_c.py"]


def test_a_random_id_that_another_revision_has_is_given_up() -> None:
    given = facts(HEXES, f"{HEXES}; aaaa00000003<1b22c0ffee33")
    plan = planned(given, None, *taken(given, "aaaa00000003<1b22c0ffee33 path=versions/theirs.py"))
    assert isinstance(plan, Reissue)
    assert plan.files == (("aaaa00000003", "versions/aaaa00000003.py"),)
    assert (plan.moves, plan.moved) == ((), ("aaaa00000003",))


@pytest.mark.parametrize("change", [{}, {"path": "versions/003_other.py"}, {"doc": "other"}, {"blob": "edited"}])
def test_a_copy_of_the_same_revision_elsewhere_reserves_nothing(change: dict[str, Any]) -> None:
    given = facts("001; 002<001", "001; 002<001; 003<002")
    mine = given.merged.revisions["003"]._replace(**change)
    assert isinstance(planned(given, None, *reservations(given, [(ANN, mine)])), Nothing)


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (Evidence(escaped={"versions/003.py": ("tag v1",)}), "escaped"),
        (Evidence(reported={"versions/003.py": (Held("production", "003", "2026-11-28"),)}), "reported"),
        (Evidence(incomplete="This clone is shallow."), "evidence-incomplete"),
        (Evidence(unplaced=(Held("production", "beef", "2026-11-28"),)), "unknown-row"),
    ],
)
@pytest.mark.parametrize("head", ["001; 003<001", "001; 002<001; 003<002"])
def test_what_a_database_may_have_run_is_refused(evidence: Evidence, code: str, head: str) -> None:
    given = facts("001; 002<001", head)
    reserved = taken(given, "003<002 path=versions/003_theirs.py")
    plan = planned(given, evidence, *reserved)
    assert isinstance(plan, Refuse)
    assert code in {reason.code for reason in plan.reasons}


def test_a_target_with_several_heads_is_repaired_first() -> None:
    plan = planned(facts("001; 002<001; 003<001", "001; 004<001"))
    assert isinstance(plan, Refuse)
    assert plan.options == ("The target has to be at one head first.",)


def test_a_place_that_has_another_revision_under_the_same_id_is_no_escape() -> None:
    given = facts("001; 002<001", "001; 003<001")
    [other] = taken(given, "003<002 path=versions/003_theirs.py")
    seen = Evidence(escaped={"versions/003.py": ("branch teams", "tag v1")})
    assert without_strangers(seen, given, [other]).escaped == {"versions/003.py": ("tag v1",)}
    [same] = reservations(given, [(ANN, given.merged.revisions["003"])])
    assert without_strangers(seen, given, [same]) == seen


def test_the_oldest_pull_request_claims_what_several_bring() -> None:
    [three, four] = revisions("003<002; 004<003")
    given = facts("001; 002<001")
    lone, young, old = Claimant("branch a"), Claimant("branch b", 9), Claimant("branch c", 2)
    found = one_each(reservations(given, [(lone, three), (young, three), (old, three), (lone, four)]))
    assert [(each.by, each.revision.id, each.number) for each in found] == [(old, "003", 3), (lone, "004", 4)]
    assert [str(each.by) for each in found] == ["pull request #2 (branch c)", "branch a"]

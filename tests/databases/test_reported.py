"""What a database has reported is evidence: of everything beneath the rows it named, once and for all."""

from __future__ import annotations

from itertools import pairwise

import pytest

from onehead.databases.model import StateRow
from onehead.databases.reported import (
    MAX_HELD,
    Progress,
    ReportedDatabase,
    Standpoint,
    after_report,
    progress,
    proof_of,
    standpoints,
)
from onehead.databases.state_table import fork_outcomes, merging, moved, state_tables
from onehead.databases.states import databases_of
from onehead.databases.upgrade import Deployed, upgrade
from onehead.plan.decide import decide, repairable
from onehead.plan.findings import Evidence, Held
from onehead.plan.forks import forks_of
from onehead.plan.judge import judge
from onehead.plan.plans import Merge, Reparent
from onehead.plan.policy import Policy
from tests.plan.cases import facts

COLLIDING = ("017; 018<017; 019<018", "017; 018<017; 020<018; 021<020")
FIRST, LATER = "2026-11-28T10:15:00Z", "2026-11-29T09:00:00Z"


def database(name: str, *rows: str, environment: str = "", at: str = FIRST) -> ReportedDatabase:
    return after_report(None, name, environment, rows, at)


def run(*known: ReportedDatabase, **changes: object) -> dict[str, list[str]]:
    """Path of a revision → what proves that it ran, in words."""
    given = facts(*COLLIDING)._replace(**changes)  # type: ignore[arg-type]
    found = proof_of(given, known, repairable(given)).run
    return {path: [str(held) for held in each] for path, each in found.items()}


def test_what_stands_beneath_a_row_was_run() -> None:
    assert run(database("staging", "021")) == {
        "versions/020.py": ["the database `staging` held `021` on 2026-11-28"],
        "versions/021.py": ["the database `staging` held `021` on 2026-11-28"],
    }
    assert list(run(database("staging", "020"))) == ["versions/020.py"]
    assert run(database("production", "019"), database("fresh"), database("old", "017", "018")) == {}


def test_what_it_named_once_counts_whatever_it_names_later() -> None:
    staging = after_report(database("staging", "020"), "staging", "", ["019"], LATER)
    assert staging == ReportedDatabase("staging", "", ("019",), LATER, (("020", FIRST), ("019", LATER)))
    assert run(staging) == {"versions/020.py": ["the database `staging` held `020` on 2026-11-28"]}


def test_the_same_again_is_nothing_new() -> None:
    staging = database("staging", "020", "019")
    assert after_report(staging, "staging", "", ["019", "020", "020"], LATER) is not None
    assert after_report(staging, "staging", "", ["019", "020", "020"], LATER) == staging


def test_an_old_report_adds_what_was_held_and_moves_nothing_back() -> None:
    late = after_report(database("staging", "019", at=LATER), "staging", "", ["020"], FIRST)
    assert (late.rows, late.at, dict(late.held)) == (("019",), LATER, {"019": LATER, "020": FIRST})


def test_reports_come_to_the_same_in_any_order() -> None:
    one = after_report(database("d", "019"), "d", "", ["020"], LATER)
    other = after_report(database("d", "020", at=LATER), "d", "", ["019"], FIRST)
    assert (one.rows, one.at, dict(one.held)) == (other.rows, other.at, dict(other.held))


def test_a_database_that_names_too_much_counts_as_one_that_ran_everything() -> None:
    flood = database("flood", *(f"r{number}" for number in range(MAX_HELD)))
    assert (len(flood.held), flood.overfull) == (MAX_HELD, False)
    flood = after_report(flood, "flood", "", ["020"], LATER)
    assert (len(flood.held), flood.overfull, flood.rows) == (MAX_HELD, True, ("020",))
    given = facts(*COLLIDING)
    assert proof_of(given, [flood], repairable(given)).overfull == ("flood",)


@pytest.mark.parametrize(
    ("row", "expected"), [("0201a", ["0201a"]), ("0201", ["0201a"]), ("02", ["0201a"]), ("b", []), ("0201ab", [])]
)
def test_the_beginning_of_an_id_means_what_alembic_takes_it_for(row: str, expected: list[str]) -> None:
    given = facts("018; 019<018", "018; 0201a<018; bcd")
    found = proof_of(given, [database("staging", row)], repairable(given)).run
    assert list(found) == [f"versions/{id_}.py" for id_ in expected]


def test_an_ambiguous_row_means_all_of_them() -> None:
    given = facts("018; 019<018", "018; 020aa<018; 020ab<020aa")
    found = proof_of(given, [database("staging", "020a")], repairable(given)).run
    assert sorted(found) == ["versions/020aa.py", "versions/020ab.py"]
    both = facts("018; 0190<018", "018; 0191<018")
    assert list(proof_of(both, [database("staging", "019")], repairable(both)).run) == ["versions/0191.py"]


def test_a_dependency_of_a_row_was_run_too() -> None:
    given = facts("018; 019<018", "018; 020<018; b1; 021<020")
    needing = given.merged.revisions["b1"]._replace(depends_on=("020",))
    given = given._replace(merged=given.merged.replaced([needing]), head=given.merged.replaced([needing]))
    assert list(proof_of(given, [database("staging", "b1")], repairable(given)).run) == [
        "versions/020.py",
        "versions/b1.py",
    ]


def test_a_row_that_nothing_declares_is_told_as_long_as_the_database_stands_there() -> None:
    given = facts(*COLLIDING)
    lost = database("staging", "gone")
    assert proof_of(given, [lost], ()).unplaced == (Held("staging", "gone", "2026-11-28"),)
    found = after_report(lost, "staging", "", ["019"], LATER)
    assert proof_of(given, [found], ()).unplaced == ()


def test_of_two_files_with_one_id_the_database_has_run_the_targets() -> None:
    given = facts("a; b<a path=versions/b1.py", "a; b<a path=versions/b2.py; c<b")
    assert proof_of(given, [database("production", "b")], repairable(given)).run == {}
    assert proof_of(given, [database("staging", "c")], repairable(given)).run.keys() == {
        "versions/b2.py",
        "versions/c.py",
    }


def test_a_database_of_another_environment_proves_nothing_here() -> None:
    elsewhere = frozenset({"020", "100"})
    assert run(database("billing", "020", environment="billing/versions"), elsewhere=elsewhere) == {}
    assert list(run(database("shop", "020", environment="versions"), elsewhere=elsewhere)) == ["versions/020.py"]
    # An environment that is named wrongly must not make onehead blind.
    assert list(run(database("typo", "020", environment="version"))) == ["versions/020.py"]
    given = facts(*COLLIDING)._replace(elsewhere=elsewhere)
    known = [database("billing", "100"), database("b", "zz", environment="billing/versions")]
    assert proof_of(given, known, ()).unplaced == ()


def test_where_databases_stand() -> None:
    given = facts(*COLLIDING)._replace(elsewhere=frozenset({"100"}))
    known = [
        database("production", "019"),
        database("billing", "100"),
        database("fresh"),
        database("lost", "zz"),
        database("b", "zz", environment="billing/versions"),
    ]
    assert standpoints(given, known) == (
        Standpoint("fresh", (), "2026-11-28"),
        Standpoint("lost", ("zz",), "2026-11-28"),
        Standpoint("production", ("019",), "2026-11-28"),
    )
    assert [progress(given, each) for each in known] == [
        Progress((), 2),
        None,
        Progress((), 5),
        Progress(("zz",), 5),
        None,
    ]


def rows_of(*known: ReportedDatabase) -> dict[tuple[str, ...], StateRow]:
    given = facts(*COLLIDING)
    [table] = state_tables(given, standpoints(given, known))
    assert table.fixes == ("none", "merge", "reparent")
    return {rows: row for row in table.states for rows in row.rows}


def test_the_table_shows_where_each_known_database_stands_first() -> None:
    known = [
        database("production", "019"),
        database("staging", "021"),
        database("old", "017"),
        database("torn", "018", "019"),
        database("lost", "zz"),
        database("second", "019"),
    ]
    found = rows_of(*known)
    here = {rows: row.here for rows, row in found.items() if row.here}
    assert here == {
        ("019",): ("production", "second"),
        ("021",): ("staging",),
        ("017",): ("old",),
        ("018", "019"): ("torn",),
        ("zz",): ("lost",),
    }
    assert {row.here != () for row in list(found.values())[: len(here)]} == {True}
    # Beneath the fork, where the shortened chain ends.
    assert [outcome.runs for outcome in found["017",].outcomes][2] == ("018", "019", "020", "021")
    assert [outcome.kind for outcome in found["021",].outcomes] == ["error", "ok", "loss"]
    assert found["021",].outcomes[2].lost == ("019",)
    assert found["zz",].outcomes[1].error == "Can't locate revision identified by 'zz'"
    without = rows_of()
    assert {rows: row.outcomes for rows, row in found.items() if rows in without} == {
        rows: row.outcomes for rows, row in without.items()
    }


def test_the_whole_account_has_a_state_for_each_known_database() -> None:
    given = facts(*COLLIDING)
    known = standpoints(given, [database("old", "017"), database("staging", "020")])
    [account] = fork_outcomes(given, known=known)
    for states in (each.states for each in account.fixes):
        here = {state.rows: state.here for state in states if state.here}
        assert here == {("017",): ("old",), ("020",): ("staging",)}


@pytest.mark.parametrize("theirs", [1, 2, 3])
@pytest.mark.parametrize("ours", [1, 2, 3])
def test_no_database_that_has_reported_itself_ever_loses_a_revision_by_the_plan(theirs: int, ours: int) -> None:
    """Every consistent database of the fork, one by one: what is decided with its report does not harm it."""
    given = facts(_chain("m", theirs), _chain("b", ours))
    [fork] = forks_of(given)
    kinds = set()
    for database_ in databases_of(given.merged, fork, 100).found:
        proof = proof_of(given, [database("d", *database_.rows)], repairable(given))
        evidence = Evidence(reported=proof.run, unplaced=proof.unplaced)
        plan = decide(given, judge(given), evidence, Policy())
        assert isinstance(plan, Merge | Reparent)
        after = moved(given.merged, plan.moves) if isinstance(plan, Reparent) else merging(given, fork).graph
        assert upgrade(Deployed(after), database_).kind == "ok", database_.rows
        kinds.add(plan.kind)
    assert kinds == {"merge", "reparent"}
    # Without the report the plan would be the same for all of them, and some would lose.
    blind = decide(given, judge(given), Evidence(), Policy())
    assert isinstance(blind, Reparent)
    after = moved(given.merged, blind.moves)
    outcomes = {upgrade(Deployed(after), each).kind for each in databases_of(given.merged, fork, 100).found}
    assert outcomes == {"ok", "loss", "error"}


def _chain(letter: str, length: int) -> str:
    """018 and so many revisions in a row on top of it."""
    ids = ["018", *(f"{letter}{number}" for number in range(length))]
    return "018; " + "; ".join(f"{id_}<{below}" for below, id_ in pairwise(ids))

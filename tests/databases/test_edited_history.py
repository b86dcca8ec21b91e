"""A branch that gives a published revision another parent: databases have gone the way of before."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from onehead.databases.state_table import fork_outcomes, state_tables
from onehead.plan.findings import Code, Evidence, Facts
from onehead.plan.plans import Merge, ReasonCode
from tests.examine.end_to_end import repaired
from tests.migrations import VERSIONS, chain, project
from tests.plan.cases import facts, found
from tests.plan.test_laws import plan
from tests.real_alembic import Deployment, checked_out
from tests.repositories import Repository

REPOINTED = facts("a; b<a; c<b", "a; b<a; c<a", "a; b<a; c<a")
PUT_BENEATH = facts("a; b<a; c<b", "a; x<a; b<x; c<b; y<a", "a; x<a; b<x; c<b; y<a")


def under(given: Facts, fix: str, *rows: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What becomes of the database with these rows: the kind, what runs again, and the way out."""
    [account] = fork_outcomes(given)
    [states] = [each.states for each in account.fixes if each.fix.kind == fix]
    [state] = [state for state in states if state.rows == rows]
    return state.outcome.kind, state.outcome.again, state.remedy


def test_the_warning_says_what_runs_again() -> None:
    [finding] = found(REPOINTED, Code.HISTORY_EDITED)
    assert finding.message == (
        "The parent of `c` was `b`; it now follows `a`. A database at `c` has run `b` already, and its next upgrade "
        "runs it again."
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a; b<a; c<a,b", "a; b<a; c<b"),  # the same way, told shorter
        ("a; b<a; c<b", "a; c<a"),  # what is gone from the chain runs no more
        ("a; b<a; c<b", "a; b<a; x<b; c<x"),
    ],
)
def test_where_nothing_runs_again_it_says_nothing_of_it(before: str, after: str) -> None:
    edited = [each for each in found(facts(before, after, after), Code.HISTORY_EDITED) if "parent" in each.message]
    assert edited
    assert "again" not in edited[0].message


def test_the_merge_says_whom_it_harms() -> None:
    chosen = plan(REPOINTED, Evidence())
    assert isinstance(chosen, Merge)
    [reason] = [each for each in chosen.reasons if each.code is ReasonCode.RUNS_AGAIN]
    assert reason.message == (
        "A database at `c` has run `b` already, and the merge makes it run that again. Rather give back their old "
        "parents to the published revisions."
    )


def test_the_state_table_says_so_with_a_way_out() -> None:
    assert under(REPOINTED, "merge", "c") == (
        "repeat",
        ("b",),
        ("alembic stamp --purge b c", "alembic upgrade head"),
    )
    assert under(REPOINTED, "merge", "b")[0] == "ok"
    assert under(REPOINTED, "merge", "b", "c")[0] == "ok"
    [table] = state_tables(REPOINTED)
    assert [[o.kind for o in row.outcomes] for row in table.states if row.rows == (("c",),)] == [["error", "repeat"]]
    [account] = fork_outcomes(REPOINTED, ("c",))
    assert [each.states[0].outcome.kind for each in account.fixes][:2] == ["error", "repeat"]


def test_what_was_put_beneath_a_published_revision_never_runs_where_that_has_run() -> None:
    assert under(PUT_BENEATH, "merge", "c")[0] == "loss"
    assert under(PUT_BENEATH, "merge", "c", "y")[0] == "ok"


def test_real_databases_agree(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("a0a0", None), ("b0b0", "a0a0"), ("c0c0", "b0b0")))
    repo.branch("topic", "main")
    path = f"{VERSIONS}/c0c0_tc0c0.py"
    repo.commit("topic", {path: repo.read("main", path).replace('= "b0b0"', '= "a0a0"')})
    result = repaired(repo)
    assert isinstance(result.plan, Merge)
    url = f"sqlite:///{tmp_path}/published.db"
    Deployment(checked_out(repo, "main", tmp_path / "main"), url).upgrade()
    after = Deployment(checked_out(repo, result.sha(), tmp_path / "after"), url)
    with pytest.raises(OperationalError, match="table tb0b0 already exists"):
        after.upgrade()
    [examined] = result.examination.environments
    # The way out that is told, under the id that the merge has got.
    [account] = fork_outcomes(examined.facts, ("c0c0",))
    [state] = [each.states[0] for each in account.fixes if each.fix.kind == "merge"]
    assert state.outcome.again == ("b0b0",)
    for line in state.remedy:
        after.run(line)
    assert after.rows() == after.heads()
    assert after.tables() == {"ta0a0", "tb0b0", "tc0c0"}

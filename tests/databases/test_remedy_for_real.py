"""Every way out that is shown, typed into real Alembic on a database that a re-parent harmed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from onehead.databases.model import DatabaseState
from onehead.databases.state_table import fork_outcomes
from onehead.databases.states import Fix
from onehead.plan.findings import Facts
from onehead.revisions.model import Environment
from tests.chains import graph
from tests.databases.replay import recording

CHAIN = "root; x1<root; x2<x1; y1<root; y2<y1"


def harmed() -> list[tuple[Fix, DatabaseState]]:
    """Every state that a move does not leave well, in both directions."""
    forked = graph(CHAIN)
    (told,) = fork_outcomes(Facts(Environment("versions", None, None, None, ()), forked, None, forked))
    return [
        (under.fix, state)
        for under in told.fixes
        if under.fix.kind == "reparent"
        for state in under.states
        if state.outcome.kind != "ok"
    ]


@pytest.mark.parametrize(
    ("fix", "state"), harmed(), ids=lambda value: getattr(value, "onto", None) or ",".join(value.rows)
)
def test_nothing_is_lost_and_nothing_runs_twice(fix: Fix, state: DatabaseState, tmp_path: Path) -> None:
    file = tmp_path / "database.sqlite"
    real = recording(fix.graph, tmp_path, file)
    real.set_rows(state.rows)
    with closing(sqlite3.connect(file)) as database, database:
        database.executemany("INSERT INTO ran VALUES (?)", [("root",), *((id_,) for id_ in state.applied)])
    assert state.remedy
    for line in state.remedy:
        real.run(line)
    with closing(sqlite3.connect(file)) as database, database:
        ran = sorted(id_ for (id_,) in database.execute("SELECT id FROM ran"))
    assert ran == ["root", "x1", "x2", "y1", "y2"]
    assert real.rows() == fix.graph.heads


def test_there_are_as_many_as_the_theorem_says() -> None:
    """Two moves with three by three databases each; a third of them, those without the moved side, fare well."""
    assert len(harmed()) == 2 * 9 - 2 * 3

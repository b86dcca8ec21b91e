"""Once published revisions are changed, the databases that ran them lose something: which, and what."""

from __future__ import annotations

from itertools import pairwise

import pytest

from onehead.databases.reported import Standpoint
from onehead.databases.state_table import MAX_WALKED, edited_table
from onehead.plan.judge import judge
from tests.plan.cases import facts

CHAIN = "016; 017<016; 018<017; 019<018"


def fates(target: str, head: str, *known: Standpoint) -> dict[str, str]:
    """Rows of the databases that are told of → how the upgrade ends for them, and by what."""
    given = facts(target, head, head)
    table = edited_table(given, judge(given), known)
    if table is None:
        return {}
    [*outcomes] = [(rows, row.outcomes[0]) for row in table.states for rows in row.rows]
    return {
        ",".join(rows): f"{outcome.kind} {','.join(outcome.lost or outcome.again)}".strip()
        for rows, outcome in outcomes
    }


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("016; 017<016; 018<017", {"019": "error"}),
        ("016; 018<016; 019<018", {"017": "error"}),
        ("016; 017<016; 018<017; 019<new; new<018", {"019": "loss new"}),
        ("016; 017<016; 019<017; 018<019", {"018": "loss 019", "019": "repeat 018"}),
        (CHAIN, {}),
        (f"{CHAIN}; 020<019", {}),
    ],
)
def test_who_loses_what(head: str, told: dict[str, str]) -> None:
    assert fates(CHAIN, head) == told


def test_a_known_database_is_told_of_however_it_fares() -> None:
    known = [Standpoint("staging", ("016",), "2026-11-28"), Standpoint("live", ("019",), "2026-11-28")]
    told = fates(CHAIN, "016; 017<016; 018<017", *known)
    assert told == {"016": "ok", "019": "error"}


def test_of_a_long_chain_only_the_newest_databases_are_looked_at() -> None:
    ids = [f"r{number:04}" for number in range(MAX_WALKED + 1)]
    chain = "; ".join([ids[0], *(f"{one}<{before}" for before, one in pairwise(ids))])
    head = chain.replace("r0002<r0001", "r0002<new; new<r0001")
    assert fates(chain, head) == {ids[-1]: "loss new"}

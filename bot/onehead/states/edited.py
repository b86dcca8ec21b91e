"""What becomes of databases that have run a chain, once a branch has changed the published part of it."""

from __future__ import annotations

from collections.abc import Iterable

from onehead.plan.facts import Facts
from onehead.plan.findings import Code, Finding
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph
from onehead.states.account import StateRow, StateTable
from onehead.states.databases import with_rows
from onehead.states.outcome import Outcome, Target
from onehead.states.reported import Standpoint
from onehead.states.upgrade import Deployed, upgrade

MOST_CONSIDERED = 40
"""Databases that are looked at, beside the known ones."""

MOST_WALKED = 1000
"""Revisions of a chain up to which databases far below its heads are looked at: Alembic's own walk is quadratic."""


def edited_table(facts: Facts, findings: Iterable[Finding], known: Iterable[Standpoint] = ()) -> StateTable | None:
    """Which databases do not get well through the first upgrade after the branch has landed; `None` where all do.

    Looked at are databases that went through the target's chain and stand at its heads, at a revision that is edited
    or just beneath one, and all known ones, which are told of however they fare.

    Args:
        facts: the environment.
        findings: those about it.
        known: where databases stand.
    """
    edited = [id_ for f in findings if f.code is Code.HISTORY_EDITED for id_ in f.revisions if id_ in facts.target]
    if facts.head is None or not edited:
        return None
    here: dict[tuple[str, ...], tuple[str, ...]] = {}
    for each in sorted(known):
        here[each.rows] = (*here.get(each.rows, ()), each.database)
    target: Target = "head" if len(facts.merged.heads) <= 1 else "heads"
    after = Deployed(facts.merged)
    grouped: dict[object, list[tuple[tuple[str, ...], Outcome]]] = {}
    for rows in dict.fromkeys((*here, *_places(facts.target, edited))):
        outcome = upgrade(after, with_rows(facts.target, rows), target)
        if rows in here or outcome.kind != "ok":
            # Of an error the kind counts, and not the id in it.
            alike = (outcome.kind, outcome.lost, outcome.again, (outcome.error or "").partition(" ")[0])
            grouped.setdefault(rows if rows in here else alike, []).append((rows, outcome))
    found = [
        StateRow(tuple(rows for rows, _ in group), (group[0][1],), here.get(group[0][0], ()))
        for group in grouped.values()
    ]
    found.sort(key=lambda row: not row.here)
    return StateTable(Fork(facts.merged.heads, (), (), "head"), ("edited",), tuple(found), 0) if found else None


def _places(graph: Graph, edited: list[str]) -> list[tuple[str, ...]]:
    heads = [tuple(graph.heads)] if graph.heads else []
    if len(graph) > MOST_WALKED:
        return heads
    near = [id_ for each in edited for id_ in (each, *graph.parents(each))]
    return [*heads, *((id_,) for id_ in dict.fromkeys(near))][:MOST_CONSIDERED]

"""What each fix does to each database that may exist: the table that comments and pull requests show."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import product

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork, forks_between, forks_within
from onehead.plan.plans import Move
from onehead.plan.reparent import NotMovable, moves_for
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision
from onehead.states.outcome import THE_MERGE, Outcome, StateRow, StateTable
from onehead.states.upgrade import upgrade_head

MOST_STATES = 200
"""States computed per fork; more are counted and left out, never silently."""

FEW_STATES = 10
"""Up to so many states each has a line of its own; more are grouped by what happens to them."""


def state_tables(facts: Facts) -> tuple[StateTable, ...]:
    """One table per fork that the judged side brings."""
    forks = forks_within(facts.target) if facts.head is None else forks_between(facts.target, facts.merged)
    return tuple(_table(facts, fork) for fork in forks if facts.head is None or fork.introduced_by == "head")


def _table(facts: Facts, fork: Fork) -> StateTable:
    fixes = _fixes(facts, fork)
    states, left_out = _states(facts.merged, fork)
    few = len(states) <= FEW_STATES
    grouped: dict[tuple[object, ...], list[tuple[tuple[str, ...], tuple[Outcome, ...]]]] = {}
    for rows, applied in states:
        outcomes = tuple(upgrade_head(graph, rows, applied) for graph in fixes.values())
        alike = tuple((outcome.kind, outcome.lost, (outcome.error or "")[:24]) for outcome in outcomes)
        grouped.setdefault((rows,) if few else alike, []).append((rows, outcomes))
    found = [StateRow(tuple(rows for rows, _ in group), group[0][1]) for group in grouped.values()]
    return StateTable(fork, tuple(fixes), tuple(found), left_out)


def _fixes(facts: Facts, fork: Fork) -> dict[str, Graph]:
    """The chain as it is, merged, and re-parented where that is possible."""
    old = [head for head in fork.heads if facts.head is None or head in facts.target]
    parents = (*(head for head in fork.heads if head not in old), *old)
    fixes = {
        "none": facts.merged,
        "merge": facts.merged.replaced([Revision(THE_MERGE, parents, "~merge", "")]),
    }
    if fork.new:
        with suppress(NotMovable):
            fixes["reparent"] = moved(facts.merged, moves_for(facts.target, facts.merged, fork))
    return fixes


def moved(graph: Graph, moves: Iterable[Move]) -> Graph:
    """The chain after some revisions got other parents."""
    return graph.replaced(replace(graph.revisions[move.revision], parents=move.new_parents) for move in moves)


def _states(graph: Graph, fork: Fork) -> tuple[list[tuple[tuple[str, ...], frozenset[str]]], int]:
    """Rows and applied revisions of every consistent database from the parting point up.

    Each side is applied from its start, in an order that its parents allow: so a side is a list of steps, and a
    database is as far on each side as it got.
    """
    shared = frozenset.intersection(*(graph.ancestors(head) for head in fork.heads))
    sides = [_steps(graph, graph.ancestors(head) - shared) for head in fork.heads]
    lengths = [range(len(side) + 1) for side in sides]
    found = []
    total = 1
    for length in lengths:
        total *= len(length)
    for taken in product(*lengths):
        applied = shared.union(*(side[:count] for side, count in zip(sides, taken, strict=True)))
        found.append((_rows(graph, applied), applied))
        if len(found) == MOST_STATES:
            break
    unique = dict(found)
    return [(rows, unique[rows]) for rows in sorted(unique, key=lambda rows: (len(rows), rows))], total - len(found)


def _steps(graph: Graph, side: frozenset[str]) -> list[str]:
    return sorted(side, key=lambda id_: (len(graph.ancestors(id_)), id_))


def _rows(graph: Graph, applied: frozenset[str]) -> tuple[str, ...]:
    """What `alembic_version` holds when exactly these are applied: those without an applied child."""
    return tuple(sorted(id_ for id_ in applied if not applied.intersection(graph.children[id_])))

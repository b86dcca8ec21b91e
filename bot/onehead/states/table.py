"""What each fix does to each database that may exist: the whole account, and the short form that comments show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork, forks_of
from onehead.plan.repairs import NotMovable, moves_for
from onehead.revisions.graph import Graph
from onehead.states.account import Account, Omitted, State, StateRow, StateTable, UnderFix
from onehead.states.ailments import Ailment
from onehead.states.corrupt import corrupt_databases
from onehead.states.crop import cropped
from onehead.states.databases import Databases, as_published, databases_of, parents_first, with_rows
from onehead.states.fixes import as_it_is, both_directions, merging, moved, roots, under_new_ids
from onehead.states.near import neighbourhood
from onehead.states.outcome import THE_MERGE, Database, Fix, Outcome, Target
from onehead.states.remedy import remedy
from onehead.states.reported import Standpoint
from onehead.states.upgrade import Deployed, upgrade

MOST_STATES = 200
"""States computed per fork; more are counted and left out, never silently."""

MOST_FORKS = 10
"""Forks of one environment that are told of."""

FEW_STATES = 10
"""Up to so many states each has a line of its own; more are grouped by what happens to them."""

_WORST_FIRST = {"loss": 0, "repeat": 1, "error": 2, "ok": 3}


def accounts(
    facts: Facts,
    rows: tuple[str, ...] | None = None,
    merges: Mapping[frozenset[str], str] | None = None,
    known: Iterable[Standpoint] = (),
    new_ids: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Account, ...]:
    """One account per fork of an environment; without a fork, one of the given rows alone.

    Args:
        facts: the environment.
        rows: only this content of `alembic_version`; `None` for every consistent one.
        merges: heads → id of the merge revision that would join them, where it is known.
        known: databases of this environment; each gets a state, whatever its rows are.
        new_ids: old id → new one, of what a re-parent of the judged branch renames.
    """
    names, here = merges or {}, _by_rows(known)
    forks = _forks(facts)
    found = [
        _account(facts, fork, rows, names.get(frozenset(fork.heads), THE_MERGE), here, new_ids)
        for fork in forks[:MOST_FORKS]
    ]
    if len(forks) > MOST_FORKS:
        last = found[-1]
        found[-1] = replace(last, omitted=last.omitted._replace(forks=len(forks) - MOST_FORKS))
    if found or rows is None:
        return tuple(found)
    target: Target = "head" if len(facts.merged.heads) <= 1 else "heads"
    near = neighbourhood(facts.merged, Fork(facts.merged.heads, (), (), "target"), rows)
    database = as_published(facts.target, facts.merged, with_rows(near.graph, rows))
    fix = as_it_is(near.graph)
    state = _state(_Chain(fix, target), database, (), here=here.get(database.rows, ()))
    return (Account(None, (), target, (UnderFix(fix, (state,)),), omitted=Omitted(near.left_out)),)


def state_tables(
    facts: Facts, known: Iterable[Standpoint] = (), new_ids: Mapping[str, str] = MappingProxyType({})
) -> tuple[StateTable, ...]:
    """One table per fork that the judged side brings; each known database of the environment has its place in it.

    Args:
        facts: the environment.
        known: where databases stand.
        new_ids: old id → new one, of what a re-parent of the judged branch renames.
    """
    here = _by_rows(known)
    forks = [fork for fork in _forks(facts) if facts.head is None or fork.introduced_by == "head"]
    return tuple(_table(facts, fork, here, new_ids) for fork in forks[:MOST_FORKS])


_Here = Mapping[tuple[str, ...], tuple[str, ...]]
"""Rows → names of the known databases that hold just these."""


def _by_rows(known: Iterable[Standpoint]) -> _Here:
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for each in sorted(known):
        found[each.rows] = (*found.get(each.rows, ()), each.database)
    return found


def _forks(facts: Facts) -> tuple[Fork, ...]:
    return forks_of(facts)


def _target(facts: Facts, fork: Fork) -> Target:
    """Where other heads are meant to stay, deploys can only run `upgrade heads`."""
    return "head" if len(facts.merged.heads) == len(fork.heads) else "heads"


def _account(
    facts: Facts, fork: Fork, rows: tuple[str, ...] | None, merge: str, here: _Here, new_ids: Mapping[str, str]
) -> Account:
    target = _target(facts, fork)
    near = neighbourhood(facts.merged, fork, rows or [row for held in here for row in held])
    graph, heads = near.graph, len(fork.heads)
    directions = [
        # Only the judged branch's own revisions are ever renamed.
        fix if fix.onto in fork.new else under_new_ids(fix, new_ids)
        for fix in both_directions(graph, near.fork)
        if _is_whole(facts.merged, fork, fix)
    ]
    fork = near.fork
    databases = _databases(facts, graph, fork)
    shared = frozenset.intersection(*(graph.ancestors(head) for head in fork.heads))
    told = []
    for fix in (as_it_is(graph), merging(facts._replace(merged=graph), fork, merge), *directions):
        chain = _Chain(fix, target)
        if rows is not None:
            asked = as_published(facts.target, facts.merged, with_rows(graph, rows))
            state = _state(chain, asked, databases.above, here=here.get(asked.rows, ()))
            told.append(UnderFix(fix, (state,)))
            continue
        states = [
            _state(chain, database, databases.above, here=here.get(database.rows, ()))
            for database in (*databases.found, *_more(facts, graph, here, databases.found))
        ]
        corrupt = [
            _state(chain, database, databases.above, ailment)
            for ailment, database in corrupt_databases(graph, fork, merge, merged=fix.kind == "merge")
        ]
        states.sort(key=lambda state: (_WORST_FIRST[state.outcome.kind], len(state.rows), state.rows))
        told.append(UnderFix(fix, tuple(states), tuple(corrupt)))
    return Account(
        fork,
        tuple(tuple(parents_first(graph, graph.ancestors(head) - shared)) for head in fork.heads),
        target,
        tuple(told),
        databases.left_out + near.above if rows is None else 0,
        Omitted(near.left_out, heads - len(fork.heads)),
    )


def _is_whole(graph: Graph, fork: Fork, fix: Fix) -> bool:
    """Whether a re-parent that was made of what is near the fork moves all that it has to."""
    return all(list(fix.moved) == roots(graph, head, fix.onto or "") for head in fork.heads if head != fix.onto)


def _databases(facts: Facts, graph: Graph, fork: Fork) -> Databases:
    """Those of the fork; a database whose rows are the target's has gone the target's way."""
    found = databases_of(graph, fork, MOST_STATES)
    return replace(found, found=tuple(as_published(facts.target, facts.merged, each) for each in found.found))


def _more(facts: Facts, graph: Graph, here: _Here, found: tuple[Database, ...]) -> tuple[Database, ...]:
    """Known databases that stand where no consistent one of this fork does: further down, or out of order."""
    listed = {database.rows for database in found}
    fresh = (with_rows(graph, rows) for rows in here if rows not in listed)
    return tuple(as_published(facts.target, facts.merged, each) for each in fresh)


class _Chain:
    """A chain after a fix, deployed: what becomes of databases there."""

    def __init__(self, fix: Fix, target: Target) -> None:
        self._fix = fix
        self._deployed = Deployed(fix.graph)
        self._target = target

    def outcome(self, database: Database) -> Outcome:
        return upgrade(self._deployed, self._fix.meets(database), self._target)

    def ways_out(self, database: Database, *, is_sure: bool) -> tuple[str, ...]:
        """A row that the fix itself has renamed is no riddle: what ran under the old id is known."""
        named = all(row in self._fix.graph or row in self._fix.new_ids for row in database.rows)
        return remedy(self._deployed, self._fix.meets(database), self._target, is_sure=is_sure or named)


def _state(
    chain: _Chain,
    database: Database,
    above: tuple[str, ...],
    ailment: Ailment | None = None,
    *,
    here: tuple[str, ...] = (),
) -> State:
    outcome = chain.outcome(database)
    # Of the examples of corrupt databases it is known what has run, but where a row leaves that open.
    is_sure = ailment is not None and bool(database.applied)
    ways = () if outcome.kind == "ok" else chain.ways_out(database, is_sure=is_sure)
    applied = tuple(id_ for id_ in above if id_ in database.applied)
    return State(database.rows, applied, outcome, ways, ailment, here)


def _table(facts: Facts, fork: Fork, here: _Here, new_ids: Mapping[str, str]) -> StateTable:
    near = neighbourhood(facts.merged, fork, [row for held in here for row in held])
    shown = near.graph if near.left_out else cropped(facts, fork).merged
    fixes = _fixes(facts, shown, near.fork, new_ids)
    databases = _databases(facts, near.graph, near.fork)
    target = _target(facts, fork)
    chains = [_Chain(fix, target) for fix in fixes]
    few = len(databases.found) <= FEW_STATES
    grouped: dict[tuple[object, ...], list[tuple[tuple[str, ...], tuple[Outcome, ...]]]] = {}
    for database in databases.found:
        outcomes = tuple(chain.outcome(database) for chain in chains)
        alike = tuple((outcome.kind, outcome.lost, outcome.again, (outcome.error or "")[:24]) for outcome in outcomes)
        lone = few or database.rows in here
        grouped.setdefault((database.rows,) if lone else alike, []).append((database.rows, outcomes))
    found = [StateRow(tuple(r for r, _ in group), group[0][1], here.get(group[0][0], ())) for group in grouped.values()]
    more = _more(facts, near.graph, here, databases.found)
    if more:
        # These may stand beneath the fork, where the shortened chain knows nothing.
        complete = [_Chain(fix, target) for fix in _fixes(facts, near.graph, near.fork, new_ids)]
        found += [StateRow((d.rows,), tuple(chain.outcome(d) for chain in complete), here[d.rows]) for d in more]
    found.sort(key=lambda row: not row.here)
    left_out = databases.left_out + near.above
    renamed = {old: new for fix in fixes for old, new in fix.new_ids.items()}
    return StateTable(fork, tuple(fix.kind for fix in fixes), tuple(found), left_out, renamed)


def _fixes(facts: Facts, graph: Graph, fork: Fork, new_ids: Mapping[str, str]) -> list[Fix]:
    """Nothing, the merge, and the re-parent where the judged branch can be moved; under new ids where it gets some.

    `graph` is what is looked at of the chain; what can be moved is a matter of the whole of it.
    """
    fixes = [as_it_is(graph), merging(facts._replace(merged=graph), fork)]
    if fork.new:
        with suppress(NotMovable):
            moves = moves_for(facts.target, facts.merged, fork)
            if all(move.revision in graph for move in moves):
                begun = tuple(move.revision for move in moves)
                fixes.append(under_new_ids(Fix("reparent", moved(graph, moves), begun), new_ids))
    return fixes

"""The state table: what each fix does to each database that may exist, inconsistent ones and edited chains included.

Rows that fit one chain and not another, such as those of both sides after one was moved onto the other, need no case of
their own: before the move they were consistent, so they are in the table of every fix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from onehead.databases.model import DatabaseState, ForkOutcomes, Omitted, ProblemKind, StateRow, StateTable, UnderFix
from onehead.databases.reported import Standpoint
from onehead.databases.states import (
    THE_MERGE,
    Database,
    Fix,
    Outcome,
    Target,
    as_published,
    databases_of,
    neighbourhood,
    parents_first,
    rows_of,
    with_rows,
)
from onehead.databases.upgrade import Deployed, remedy, upgrade
from onehead.plan.findings import Code, Facts, Finding
from onehead.plan.forks import Fork, forks_of
from onehead.plan.plans import BEFORE, Move, NotMovable, merge_steps, moves_for
from onehead.revisions.command_line import typed
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Revision


def as_it_is(graph: Graph) -> Fix:
    """Nothing is done."""
    return Fix("none", graph)


def merging(facts: Facts, fork: Fork, id_: str = THE_MERGE) -> Fix:
    """A merge revision of all heads, the target's last; or several in a row, the last of them with the id."""
    old = [head for head in fork.heads if facts.head is None or head in facts.target]
    steps = merge_steps(facts.merged, (*(head for head in fork.heads if head not in old), *old))
    merges: list[Revision] = []
    for left, step in zip(reversed(range(len(steps))), steps, strict=True):
        own, path = (f"{id_} {left}", f"~merge {left}") if left else (id_, "~merge")
        before = merges[-1].id if merges else ""
        merges.append(Revision(own, tuple(before if parent == BEFORE else parent for parent in step), path, ""))
    return Fix("merge", facts.merged.replaced(merges))


def moving(graph: Graph, head: str, onto: str) -> Fix | None:
    """The side under `head` moved by its roots onto the other head; `None` where that leaves no single line."""
    begun = roots(graph, head, onto)
    after = moved(graph, [Move(root, graph.revisions[root].parents, (onto,)) for root in begun])
    if after.cycles or set(after.heads) != set(graph.heads) - {onto}:
        return None
    return Fix("reparent", after, tuple(begun), onto)


def roots(graph: Graph, head: str, onto: str) -> list[str]:
    """The revisions that a side begins with: those under one head and not under the other that follow none of it."""
    return _beginnings(graph, graph.ancestors(head) - graph.ancestors(onto))


def _beginnings(graph: Graph, side: frozenset[str]) -> list[str]:
    return sorted(id_ for id_ in side if side.isdisjoint(graph.parents(id_)))


def both_directions(graph: Graph, fork: Fork) -> list[Fix]:
    """Each side of a fork between two heads moved onto the other; the judged branch's own side first."""
    if len(fork.heads) != 2:
        return []
    first, second = sorted(fork.heads, key=lambda head: head not in fork.new)
    return [fix for fix in (moving(graph, first, second), moving(graph, second, first)) if fix is not None]


def under_new_ids(fix: Fix, new_ids: Mapping[str, str]) -> Fix:
    """The same, after what it moves was given new ids (by the old ones)."""
    along = fix.graph.descendants(*fix.moved) if new_ids else frozenset()
    renamed = {old: new for old, new in new_ids.items() if old in along}

    def named(ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(renamed.get(id_, id_) for id_ in ids)

    revisions = [
        each._replace(id=named((each.id,))[0], parents=named(each.parents), depends_on=named(each.depends_on))
        for each in fix.graph
    ]
    return replace(fix, graph=Graph(revisions, fix.graph.unreadable), new_ids=renamed)


def moved(graph: Graph, moves: Iterable[Move]) -> Graph:
    """The chain after some revisions got other parents."""
    return graph.replaced(graph.revisions[move.revision]._replace(parents=move.new_parents) for move in moves)


MAX_CONSIDERED = 40
"""Databases that are looked at, beside the known ones."""

MAX_WALKED = 1000
"""Revisions of a chain up to which databases far below its heads are looked at: Alembic's own walk is quadratic."""


def edited_table(facts: Facts, findings: Iterable[Finding], known: Iterable[Standpoint] = ()) -> StateTable | None:
    """Which databases do not get well through the first upgrade after the branch has landed; `None` where all do.

    Looked at are databases that went through the target's chain and stand at its heads, at a revision that is edited
    or just beneath one, and all known ones, which are told of however they fare.
    """
    edited = [id_ for f in findings if f.code is Code.HISTORY_EDITED for id_ in f.revisions if id_ in facts.target]
    if facts.head is None or not edited:
        return None
    here = _by_rows(known)
    target: Target = "head" if len(facts.merged.heads) <= 1 else "heads"
    after = Deployed(facts.merged)
    fates: list[_Fate] = []
    for rows in dict.fromkeys((*here, *_places(facts.target, edited))):
        outcome = upgrade(after, with_rows(facts.target, rows), target)
        if rows in here or outcome.kind != "ok":
            # Of an error the kind counts, and not the id in it.
            alike = (outcome.kind, outcome.lost, outcome.again, (outcome.error or "").partition(" ")[0])
            fates.append((rows if rows in here else alike, rows, (outcome,)))
    found = _rows(fates, here)
    return StateTable(Fork(facts.merged.heads, (), (), "head"), ("edited",), found, 0) if found else None


_Fate = tuple[object, tuple[str, ...], tuple[Outcome, ...]]
"""What is equal for databases that fare alike, the rows of one of them, and its outcome under each fix."""


def _rows(fates: Iterable[_Fate], here: _Here) -> tuple[StateRow, ...]:
    groups: dict[object, list[_Fate]] = {}
    for fate in fates:
        groups.setdefault(fate[0], []).append(fate)
    found = [
        StateRow(tuple(rows for _, rows, _ in group), group[0][2], here.get(group[0][1], ()))
        for group in groups.values()
    ]
    return tuple(sorted(found, key=lambda row: not row.here))


def _places(graph: Graph, edited: list[str]) -> list[tuple[str, ...]]:
    heads = [tuple(graph.heads)] if graph.heads else []
    if len(graph) > MAX_WALKED:
        return heads
    near = [id_ for each in edited for id_ in (each, *graph.parents(each))]
    return [*heads, *((id_,) for id_ in dict.fromkeys(near))][:MAX_CONSIDERED]


NO_FILE = "(an id that no file has)"
"""Stands for a row that no file declares: no real id has parentheses."""

MAX_HEADS = 4
"""Of a fork with more heads, so many serve as examples."""


class InconsistentDatabase(NamedTuple):
    """One such database: what is wrong with it, and its rows and what it really went through.

    Nothing has run where a row leaves that open.
    """

    problem: ProblemKind
    database: Database


def inconsistent_databases(graph: Graph, fork: Fork, merge: str, *, merged: bool) -> tuple[InconsistentDatabase, ...]:
    """Examples of every kind, for each side of a fork in the chain as the databases have known it.

    `merge` joins the heads where they are merged (`THE_MERGE` while its id is not chosen), which is the fix that is
    told about where they are `merged`.
    """
    found = _examples(graph, fork, None if merge == THE_MERGE else merge, merged=merged)
    return tuple(dict.fromkeys(InconsistentDatabase(p, Database(tuple(sorted(rows)), ran)) for p, rows, ran in found))


def _examples(
    graph: Graph, fork: Fork, merge: str | None, *, merged: bool
) -> Iterator[tuple[ProblemKind, tuple[str, ...], frozenset[str]]]:
    """What is wrong, the rows, and what has run."""
    below = {head: graph.ancestors(head) for head in fork.heads[:MAX_HEADS]}
    shared = frozenset.intersection(*(graph.ancestors(head) for head in fork.heads))
    everything = graph.ancestors(*fork.heads)
    # Alone and beside another; and the merge's own row, where it was deployed and then taken back.
    yield ProblemKind.UNKNOWN_ROW, (NO_FILE,), frozenset()
    yield ProblemKind.UNKNOWN_ROW, (fork.heads[0], NO_FILE), frozenset()
    if merge is not None and not merged:
        yield ProblemKind.UNKNOWN_ROW, (merge,), everything
    # The table has lost its primary key, and somebody wrote what was there.
    for row in (*fork.points, *below):
        yield ProblemKind.REPEATED_ROW, (row, row), graph.ancestors(row)
    # A row beside its own ancestor: written by hand, or left behind when an id was made longer.
    for head, side in below.items():
        for under in (*fork.points, *_beginnings(graph, side - shared)):
            if under != head:
                yield ProblemKind.OVERLAPPING_ROWS, (under, head), side
    if merge is not None and merged:
        yield ProblemKind.OVERLAPPING_ROWS, (fork.heads[0], merge), everything | {merge}
    # The tables are there, and no row: a table that was cleared, a dump without it, `create_all`.
    yield from ((ProblemKind.NO_ROWS, (), there) for there in (shared, everything) if there)
    # More is there than is recorded: stamped too low, or an upgrade that stopped half-way and stayed so.
    if shared:
        for side in (*below.values(), everything):
            yield ProblemKind.AHEAD, rows_of(graph, shared), side
    for side in below.values():
        yield ProblemKind.AHEAD, rows_of(graph, side), everything
    # Stamped without having run: it looks like a way out of a crash, and is the worst.
    yield ProblemKind.LOST, rows_of(graph, everything), shared


MAX_STATES = 200
"""States computed per fork; more are counted and left out, never silently."""

MAX_FORKS = 10
"""Forks of one environment that are told of."""

FEW_STATES = 10
"""Up to so many states each has a line of its own; more are grouped by what happens to them."""

_WORST_FIRST = {"loss": 0, "repeat": 1, "error": 2, "ok": 3}


def fork_outcomes(
    facts: Facts,
    rows: tuple[str, ...] | None = None,
    merges: Mapping[frozenset[str], str] | None = None,
    known: Iterable[Standpoint] = (),
    new_ids: Mapping[str, str] = MappingProxyType({}),
) -> tuple[ForkOutcomes, ...]:
    """One account per fork of an environment; without a fork, one of the given rows alone.

    `rows` are the only content of `alembic_version` that is asked about; `None`: every consistent one. `merges`: heads
    → id of the merge revision that would join them, where it is known. Each `known` database of this environment gets a
    state, whatever its rows are. `new_ids`: old id → new one, of what a re-parent of the judged branch renames.
    """
    names, here = merges or {}, _by_rows(known)
    forks = forks_of(facts)
    found = [
        _outcomes_of(facts, fork, rows, names.get(frozenset(fork.heads), THE_MERGE), here, new_ids)
        for fork in forks[:MAX_FORKS]
    ]
    if len(forks) > MAX_FORKS:
        last = found[-1]
        found[-1] = replace(last, omitted=last.omitted._replace(forks=len(forks) - MAX_FORKS))
    if found or rows is None:
        return tuple(found)
    target: Target = "head" if len(facts.merged.heads) <= 1 else "heads"
    near = neighbourhood(facts.merged, Fork(facts.merged.heads, (), (), "target"), rows)
    database = as_published(facts.target, facts.merged, with_rows(near.graph, rows))
    fix = as_it_is(near.graph)
    state = _DeployedChain(fix, target, facts.environment, here).state(database, ())
    return (ForkOutcomes(None, (), target, (UnderFix(fix, (state,)),), omitted=Omitted(near.left_out)),)


def state_tables(
    facts: Facts, known: Iterable[Standpoint] = (), new_ids: Mapping[str, str] = MappingProxyType({})
) -> tuple[StateTable, ...]:
    """One table per fork that the judged side brings; each known database of the environment has its place in it.

    What a re-parent of the judged branch renames has `new_ids` (by the old ones).
    """
    here = _by_rows(known)
    forks = [fork for fork in forks_of(facts) if facts.head is None or fork.introduced_by == "head"]
    return tuple(_table(facts, fork, here, new_ids) for fork in forks[:MAX_FORKS])


_Here = Mapping[tuple[str, ...], tuple[str, ...]]
"""Rows → names of the known databases that hold just these."""


def _by_rows(known: Iterable[Standpoint]) -> _Here:
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for each in sorted(known):
        found[each.rows] = (*found.get(each.rows, ()), each.database)
    return found


def _target(facts: Facts, fork: Fork) -> Target:
    """Where other heads are meant to stay, deploys can only run `upgrade heads`."""
    return "head" if len(facts.merged.heads) == len(fork.heads) else "heads"


def _outcomes_of(
    facts: Facts, whole: Fork, rows: tuple[str, ...] | None, merge: str, here: _Here, new_ids: Mapping[str, str]
) -> ForkOutcomes:
    target = _target(facts, whole)
    near = neighbourhood(facts.merged, whole, rows or [row for held in here for row in held])
    graph, fork = near.graph, near.fork
    directions = [
        # Only the judged branch's own revisions are ever renamed.
        fix if fix.onto in whole.new else under_new_ids(fix, new_ids)
        for fix in both_directions(graph, fork)
        if _is_whole(facts.merged, whole, fix)
    ]
    databases = databases_of(graph, fork, MAX_STATES)
    if rows is None:
        asked = _with_known(facts, graph, here, databases.found)
    else:
        asked = [as_published(facts.target, facts.merged, with_rows(graph, rows))]
    under = []
    for fix in (as_it_is(graph), merging(facts._replace(merged=graph), fork, merge), *directions):
        chain = _DeployedChain(fix, target, facts.environment, here)
        states = [chain.state(database, databases.above) for database in asked]
        states.sort(key=lambda state: (_WORST_FIRST[state.outcome.kind], len(state.rows), state.rows))
        examples = inconsistent_databases(graph, fork, merge, merged=fix.kind == "merge") if rows is None else ()
        inconsistent = [chain.state(database, databases.above, problem) for problem, database in examples]
        under.append(UnderFix(fix, tuple(states), tuple(inconsistent)))
    shared = frozenset.intersection(*(graph.ancestors(head) for head in fork.heads))
    return ForkOutcomes(
        fork,
        tuple(tuple(parents_first(graph, graph.ancestors(head) - shared)) for head in fork.heads),
        target,
        tuple(under),
        databases.left_out + near.above if rows is None else 0,
        Omitted(near.left_out, len(whole.heads) - len(fork.heads)),
    )


def _is_whole(graph: Graph, fork: Fork, fix: Fix) -> bool:
    """Whether a re-parent that was made of what is near the fork moves all that it has to."""
    return all(list(fix.moved) == roots(graph, head, fix.onto or "") for head in fork.heads if head != fix.onto)


def _with_known(facts: Facts, graph: Graph, here: _Here, found: Iterable[Database]) -> list[Database]:
    """These, and the known databases that stand where no consistent one of this fork does: further down, or astray.

    A database whose rows are the target's has gone the target's way.
    """
    consistent = [as_published(facts.target, facts.merged, database) for database in found]
    listed = {database.rows for database in consistent}
    fresh = [with_rows(graph, rows) for rows in here if rows not in listed]
    return [*consistent, *(as_published(facts.target, facts.merged, database) for database in fresh)]


class _DeployedChain:
    """A chain after a fix, deployed: what becomes of databases there."""

    def __init__(self, fix: Fix, target: Target, environment: Environment, here: _Here = MappingProxyType({})) -> None:
        self._fix = fix
        self._environment = environment
        self._here = here
        self._deployed = Deployed(fix.graph)
        self._target = target

    def outcome(self, database: Database) -> Outcome:
        return upgrade(self._deployed, self._fix.meets(database), self._target)

    def state(self, database: Database, above: tuple[str, ...], problem: ProblemKind | None = None) -> DatabaseState:
        outcome = self.outcome(database)
        # Of the examples of inconsistent databases it is known what has run, but where a row leaves that open. Nor is a
        # row that the fix itself has renamed a riddle: what ran under the old id is known.
        is_known = all(row in self._fix.graph or row in self._fix.new_ids for row in database.rows)
        is_sure = is_known or (problem is not None and bool(database.applied))
        ways: tuple[str, ...] = ()
        if outcome.kind != "ok":
            ways = remedy(self._deployed, self._fix.meets(database), self._target, is_sure=is_sure)
        applied = tuple(id_ for id_ in above if id_ in database.applied)
        here = self._here.get(database.rows, ()) if problem is None else ()
        return DatabaseState(database.rows, applied, outcome, typed(self._environment, ways), problem, here)


def _table(facts: Facts, fork: Fork, here: _Here, new_ids: Mapping[str, str]) -> StateTable:
    near = neighbourhood(facts.merged, fork, [row for held in here for row in held])
    databases = databases_of(near.of_fork, near.fork, MAX_STATES)
    every = _with_known(facts, near.graph, here, databases.found)
    number = len(databases.found)
    target = _target(facts, fork)

    def chains(fixes: Iterable[Fix]) -> list[_DeployedChain]:
        return [_DeployedChain(fix, target, facts.environment) for fix in fixes]

    fixes = _fixes(facts, near.of_fork, near.fork, new_ids)
    short = chains(fixes)
    # Known ones may stand beneath the fork, where the shortened chain knows nothing.
    complete = chains(_fixes(facts, near.graph, near.fork, new_ids)) if every[number:] else []
    fates: list[_Fate] = []
    for at, database in enumerate(every):
        outcomes = tuple(chain.outcome(database) for chain in (short if at < number else complete))
        alike = tuple((outcome.kind, outcome.lost, outcome.again, (outcome.error or "")[:24]) for outcome in outcomes)
        is_alone = number <= FEW_STATES or database.rows in here
        fates.append(((database.rows,) if is_alone else alike, database.rows, outcomes))
    return StateTable(
        fork,
        tuple(fix.kind for fix in fixes),
        _rows(fates, here),
        databases.left_out + near.above,
        {old: new for fix in fixes for old, new in fix.new_ids.items()},
    )


def _fixes(facts: Facts, graph: Graph, fork: Fork, new_ids: Mapping[str, str]) -> list[Fix]:
    """Nothing, the merge, and the re-parent where the judged branch can be moved; under new ids where it gets some.

    `graph` is what is looked at of the chain; what can be moved is a matter of the whole of it.
    """
    fixes = [as_it_is(graph), merging(facts._replace(merged=graph), fork)]
    if fork.new:
        with suppress(NotMovable):
            moves = moves_for(facts.target, facts.merged, fork).moves
            if all(move.revision in graph for move in moves):
                begun = tuple(move.revision for move in moves)
                fixes.append(under_new_ids(Fix("reparent", moved(graph, moves), begun), new_ids))
    return fixes

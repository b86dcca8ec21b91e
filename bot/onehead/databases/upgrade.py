"""What `alembic upgrade` would do to a database, computed with Alembic's own code on a chain as short as it may be.

Alembic is given the revisions as values: no file of the repository is loaded, no `env.py` is run.

Alembic's own walk takes time that grows with the square of what it runs, and a fork of many revisions has databases
without number. So the chain is shortened: what is beneath the fork is left out, and of a large chain all that is not
near the fork. Each revision that is kept stands for itself and for all that was left out beneath it, which it now
follows directly. A database that stands at a kept revision fares the same there; only where `depends_on` joins what is
kept and what is not, Alembic may stop on one and not on the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any, NamedTuple

from alembic.runtime.migration import HeadMaintainer
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision as AlembicRevision
from alembic.script.revision import RevisionError, RevisionMap
from alembic.util import CommandError

from onehead.databases.states import Database, Outcome, OutcomeKind, Target, dependencies, parents_first
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph

_TROUBLE = (CommandError, RevisionError, KeyError, AssertionError)
"""How Alembic stops. An assertion fails where a revision bears a name with a meaning of its own, such as `base`."""


class AlembicStops(Exception):
    """Alembic refuses; the message is its own text.

    Attributes:
        runs: revisions that had run before, in order; empty where it stops before it begins, as it mostly does.
        rows: content of the version table by then, sorted. PostgreSQL takes all of this back, other databases keep it.
    """

    def __init__(self, text: str, runs: tuple[str, ...] = (), rows: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.runs = runs
        self.rows = tuple(sorted(rows))


class Deployed:
    """Alembic as it runs where one chain is deployed: its decisions, with nothing executed.

    Attributes:
        graph: the chain as the deployed files declare it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._trouble = ""
        try:
            self._directory = _script_directory(graph)
        except _TROUBLE as error:
            self._trouble = _text(error)

    def upgrade(self, rows: Iterable[str], target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Do `alembic upgrade TARGET`: the revisions that run, in order, and the rows afterwards, sorted.

        Raises:
            AlembicStops: it ends with an error.
        """
        before = tuple(rows)
        steps = self._steps("_upgrade_revs", target, before)
        runs = tuple(step.revision.revision for step in steps)
        return runs, _rows_after(before, steps, runs)

    def downgrade(self, rows: Iterable[str], target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Do `alembic downgrade TARGET`: the revisions that are undone, in order, and the rows afterwards, sorted.

        Raises:
            AlembicStops: it ends with an error.
        """
        before = tuple(rows)
        steps = self._steps("_downgrade_revs", target, before)
        return tuple(step.revision.revision for step in steps), _rows_after(before, steps)

    def stamp_purge(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Do `alembic stamp --purge REVISION…`: the rows afterwards, sorted; without revisions, `base` is stamped.

        Raises:
            AlembicStops: it ends with an error.
        """
        return _rows_after((), self._steps("_stamp_revs", tuple(revisions), ()))

    def _steps(self, question: str, *arguments: object) -> list[Any]:
        if self._trouble:
            raise AlembicStops(self._trouble)
        try:
            return list(getattr(self._directory, question)(*arguments))
        except _TROUBLE as error:
            raise AlembicStops(_text(error)) from error


def upgrade(
    deployed: Deployed, database: Database, target: Target = "head", harmless: frozenset[str] = frozenset()
) -> Outcome:
    """Simulate `alembic upgrade head`, and find what it leaves out and what it does twice.

    Args:
        deployed: the chain.
        database: what it is run on.
        target: what a deploy upgrades to.
        harmless: revisions that do nothing, so that it is no matter whether they run again.
    """
    try:
        runs, after = deployed.upgrade(database.rows, target)
    except AlembicStops as stop:
        return Outcome("error", stop.runs, stop.rows if stop.runs else tuple(sorted(database.rows)), error=str(stop))
    again = tuple(id_ for id_ in runs if id_ in database.applied - harmless)
    lost = deployed.graph.ancestors(*after) - database.applied - set(runs)
    kind: OutcomeKind = "repeat" if again else "loss" if lost else "ok"
    return Outcome(kind, runs, after, tuple(sorted(lost)), again=again)


def _rows_after(before: tuple[str, ...], steps: list[Any], runs: tuple[str, ...] = ()) -> tuple[str, ...]:
    table = _Rows(before)
    for number, step in enumerate(steps):
        kept = list(table.rows)
        try:
            table.update_to_step(step)
        except _TROUBLE as error:
            raise AlembicStops(_text(error), runs[:number], kept) from error
    return tuple(sorted(table.rows))


def _text(error: Exception) -> str:
    """What Alembic itself shows: the bare message of its own errors, the kind of any other."""
    if isinstance(error, CommandError | RevisionError):
        return in_order(str(error))
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def in_order(text: str) -> str:
    """Alembic's complaint about overlapping rows with the rows sorted: it names them in the order of a hash."""
    before, overlaps, rows = text.partition(" overlaps with other requested revisions ")
    return f"{before}{overlaps}{', '.join(sorted(rows.split(', ')))}" if overlaps else text


def _script_directory(graph: Graph) -> ScriptDirectory:
    directory: ScriptDirectory = ScriptDirectory.__new__(ScriptDirectory)
    directory.revision_map = RevisionMap(lambda: _revisions(graph))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # missing parents and duplicates are findings of their own
        directory.revision_map.heads  # noqa: B018 - builds the map
    return directory


def _revisions(graph: Graph) -> Iterator[AlembicRevision]:
    """Alembic consumes these, so they are made anew each time; path order decides the order of unmerged heads."""
    for revision in sorted(graph, key=lambda r: r.path):
        made = AlembicRevision(
            revision.id, revision.parents or None, revision.depends_on or None, revision.branch_labels or None
        )
        made.module = SimpleNamespace(upgrade=None, downgrade=None)  # type: ignore[attr-defined]
        yield made


class _Rows(HeadMaintainer):
    """Alembic's bookkeeping of `alembic_version`, without the SQL.

    Attributes:
        rows: what the table holds. Where it has lost its primary key a row may stand there twice: Alembic does not see
            that until a statement matches both.
    """

    def __init__(self, rows: tuple[str, ...]) -> None:
        nothing: Any = None
        super().__init__(nothing, rows)
        self.rows = list(rows)

    def _insert_version(self, version: str) -> None:
        if version in self.heads:
            raise AssertionError
        self.heads.add(version)
        self.rows.append(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)
        self._match_one(version, f"deleting '{version}'")
        self.rows.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        if to_ in self.heads:
            raise AssertionError
        self.heads.remove(from_)
        self.heads.add(to_)
        self._match_one(from_, f"updating '{from_}' to '{to_}'")
        self.rows[self.rows.index(from_)] = to_

    def _match_one(self, version: str, doing: str) -> None:
        found = self.rows.count(version)
        if found != 1:
            raise CommandError(
                f"Online migration expected to match one row when {doing} in 'alembic_version'; {found} found"
            )


MAX_WALKED = 1000
"""Size up to which a chain is walked whole: its revisions, and each merge point as often as `_MERGE` says."""

MAX_NEAR = 60
"""Revisions kept above the place where the ways part, the nearest to it."""

MAX_HEADS = 12
"""Heads of one fork that are told of; and further ends of the chain, beside it, that are kept."""

_MERGE = 10


class Near(NamedTuple):
    """What is kept of a chain.

    Attributes:
        graph: the chain of what is kept.
        of_fork: the same without what every database of the fork has run, where that can be told.
        fork: with the heads that are kept, and where their ways part in that chain.
        left_out: how many revisions are not kept.
        above: how many of these stand above the place where the ways part.
    """

    graph: Graph
    of_fork: Graph
    fork: Fork
    left_out: int = 0
    above: int = 0


def neighbourhood(graph: Graph, fork: Fork, rows: Iterable[str] = ()) -> Near:
    """The chain itself, or of a large one what is near a fork and what the rows of a database name.

    Args:
        graph: the chain, with all sides of the fork.
        fork: its heads; the points are found anew for those that are kept.
        rows: kept too, also where they are no more than the beginning of an id.
    """
    told = fork.narrowed(MAX_HEADS)
    # Of a broken chain nothing is run, however large it is: Alembic stops when it reads it.
    if graph.missing or graph.cycles:
        return Near(graph, graph, told)
    if told == fork and _size(graph) <= MAX_WALKED:
        of_fork = from_the_point(graph, fork.points[0]) if len(fork.points) == 1 else graph
        return Near(graph, of_fork, told)
    points = graph.fork_points(told.heads)
    above = graph.ancestors(*told.heads) - graph.ancestors(*points)
    beside = [head for head in graph.heads if head not in fork.heads]
    kept = {*told.heads, *points[:MAX_HEADS], *beside[:MAX_HEADS], *_nearest(graph, above), *_named(graph, rows)}
    kept_graph = _bridged(graph, kept)
    parted = told._replace(points=kept_graph.fork_points(told.heads))
    return Near(kept_graph, kept_graph, parted, len(graph) - len(kept), len(above - kept))


def _size(graph: Graph) -> int:
    return len(graph) + _MERGE * sum(len(revision.parents) > 1 for revision in graph)


def _nearest(graph: Graph, above: frozenset[str]) -> list[str]:
    """The lowest revisions of all sides, level by level."""
    found = dict.fromkeys(sorted(id_ for id_ in above if above.isdisjoint(graph.parents(id_))))
    todo = list(found)
    for id_ in todo:  # grows while it is walked: breadth first
        if len(todo) >= MAX_NEAR:
            break
        fresh = [child for child in graph.children[id_] if child in above and child not in found]
        found.update(dict.fromkeys(fresh))
        todo += fresh
    return todo[:MAX_NEAR]


def _named(graph: Graph, rows: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for row in rows:
        if row in graph:
            found.add(row)
        elif row:
            found.update(islice((id_ for id_ in graph.revisions if id_.startswith(row)), 2))
    return found


def _bridged(graph: Graph, kept: set[str]) -> Graph:
    """Each kept revision over the nearest kept ones beneath it: parents, or needs where a dependency leads there."""
    made: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    beneath: dict[str, frozenset[str]] = {}
    for id_ in parents_first(graph, kept & graph.revisions.keys()):
        parents, needed = _nearest_kept(graph, id_, kept)
        reached = frozenset[str]().union(*(beneath.get(each, frozenset()) for each in (*parents, *needed)))
        # A parent that it names itself stays, though it is beneath another one too: Alembic may stumble over it.
        parents = tuple(each for each in parents if each not in reached or each in graph.parents(id_))
        needed = tuple(each for each in needed if each not in reached and each not in parents)
        made[id_] = parents, needed
        beneath[id_] = reached.union(parents, needed)
    return Graph(graph.revisions[id_]._replace(parents=p, depends_on=n) for id_, (p, n) in made.items())


def _nearest_kept(graph: Graph, id_: str, kept: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: dict[bool, dict[str, None]] = {False: {}, True: {}}
    seen: set[tuple[str, bool]] = set()
    todo = [(id_, False)]
    while todo:
        at, by_need = todo.pop()
        steps = [*((each, by_need) for each in graph.parents(at)), *((each, True) for each in dependencies(graph, at))]
        for step in reversed(steps):
            other, needed = step
            if other in kept:
                found[needed].setdefault(other)
            elif step not in seen:
                seen.add(step)
                todo.append(step)
    return tuple(reversed(found[False])), tuple(reversed(found[True]))


def from_the_point(graph: Graph, point: str) -> Graph:
    """The chain without what is beneath the point where a fork parts, which becomes a base.

    Every database of the fork has run all of that, so whatever Alembic does to it happens above. Where something above
    refers to what is beneath, or one id is declared twice, the chain stays whole.
    """
    if graph.duplicates:
        return graph
    beneath = graph.ancestors(point) - {point}
    if any(not beneath.issuperset(graph.revisions[id_].depends_on) for id_ in (point, *beneath)):
        return graph
    named = beneath | {label for id_ in beneath for label in graph.revisions[id_].branch_labels}
    above = [revision for revision in graph if revision.id not in beneath and revision.id != point]
    if any(not named.isdisjoint((*each.parents, *each.depends_on)) for each in above):
        return graph
    return Graph([graph.revisions[point]._replace(parents=(), depends_on=()), *above])

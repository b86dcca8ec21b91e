"""What `alembic upgrade` would do to a database, and the commands that repair one, computed with Alembic's own code.

Alembic is given the revisions as values: no file of the repository is loaded, no `env.py` is run.

Each list of commands is simulated before it is shown. The method: `stamp --purge` records what is really there,
upgrades run what is missing beneath it, a second stamp records the result, and `upgrade` does the rest. If a revision
would run twice or be left out, no remedy is offered; nor where it depends on what nobody knows.

Nearly every migration was run once by its author. After a re-parent, that database skips the other side or no longer
finds its row. The remedy is to downgrade on the branch as it is, before the merge, and to upgrade afterwards.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from shlex import join
from types import SimpleNamespace
from typing import Any

from alembic.runtime.migration import HeadMaintainer
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision as AlembicRevision
from alembic.script.revision import RevisionError, RevisionMap
from alembic.util import CommandError

from onehead.databases.model import OwnDatabase
from onehead.databases.states import (
    Database,
    Fix,
    Outcome,
    OutcomeKind,
    Target,
    from_the_point,
    parents_first,
    rows_of,
    with_rows,
)
from onehead.plan.plans import Plan, Reissue, Reparent
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

    Each command raises `AlembicStops` where it would end with an error.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._trouble = ""
        try:
            self._directory = _script_directory(graph)
        except _TROUBLE as error:
            self._trouble = _text(error)

    def upgrade(self, rows: Iterable[str], target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Do `alembic upgrade TARGET`: the revisions that run, in order, and the rows afterwards, sorted."""
        before = tuple(rows)
        steps = self._steps("_upgrade_revs", target, before)
        runs = tuple(step.revision.revision for step in steps)
        return runs, _rows_after(before, steps, runs)

    def downgrade(self, rows: Iterable[str], target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Do `alembic downgrade TARGET`: the revisions that are undone, in order, and the rows afterwards, sorted."""
        before = tuple(rows)
        steps = self._steps("_downgrade_revs", target, before)
        return tuple(step.revision.revision for step in steps), _rows_after(before, steps)

    def stamp_purge(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """Do `alembic stamp --purge REVISION…`: the rows afterwards, sorted; without revisions, `base` is stamped."""
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

    Of `harmless` revisions, which do nothing, it is no matter whether they run again.
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

    Where the table has lost its primary key a row may stand there twice: Alembic does not see that until a statement
    matches both.
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


AlembicCommand = tuple[str, ...]
"""The words after `alembic`: `upgrade` and one target, or `stamp --purge` and any number of revisions."""


def stamping(rows: tuple[str, ...]) -> AlembicCommand:
    """The command that makes these the rows."""
    return ("stamp", "--purge", *(rows or ("base",)))


def line(command: AlembicCommand) -> str:
    """A command as it is typed."""
    return join(("alembic", *command))


def remedy(deployed: Deployed, database: Database, target: Target, *, is_sure: bool = False) -> tuple[str, ...]:
    """Command lines, in order, that bring the database to the end of the chain; empty where none is proven.

    A database that ran what no file declares has been where these files don't lead, so nothing is proposed. Nor is for
    a row that no file declares, unless it `is_sure` what ran all the same.
    """
    if not deployed.graph.revisions.keys() >= database.applied:
        return ()
    if not is_sure and any(row not in deployed.graph for row in database.rows):
        return ()
    for commands in _candidates(deployed, database, target):
        if proven(deployed, database, commands):
            return tuple(map(line, commands))
    return ()


def proven(deployed: Deployed, database: Database, commands: tuple[AlembicCommand, ...]) -> bool:
    """Whether the commands run every revision that is missing, once, after its parents, and end with each row once."""
    rows, applied = database.rows, set(database.applied)
    try:
        for verb, *arguments in commands:
            if verb == "stamp":
                rows = deployed.stamp_purge(arguments[1:] if arguments[1:] != ["base"] else ())
                continue
            runs, rows = deployed.upgrade(rows, arguments[0])
            for id_ in runs:
                if id_ in applied or not applied.issuperset(deployed.graph.parents(id_)):
                    return False
                applied.add(id_)
    except AlembicStops:
        return False
    is_clean = len(rows) == len(set(rows))
    return is_clean and deployed.graph.ancestors(*rows) == applied == set(deployed.graph.revisions)


def _candidates(deployed: Deployed, database: Database, target: Target) -> Iterator[tuple[AlembicCommand, ...]]:
    graph = deployed.graph
    yield (("upgrade", "heads"),)
    below = graph.ancestors(*database.applied)
    missing = below - database.applied
    # Only what stands on complete ground may be claimed before the missing ones have run.
    ground = rows_of(graph, database.applied - graph.descendants(*missing))
    late = [id_ for id_ in parents_first(graph, missing) if not missing.intersection(graph.children[id_])]
    steps = [stamping(ground), *(("upgrade", id_) for id_ in late)] if late else []
    steps.append(stamping(rows_of(graph, below)))
    if ground == database.rows:
        steps = steps[1:]
    yield (*steps, ("upgrade", target))
    yield (*steps, ("upgrade", "heads"))


def own_database(branch: Graph | None, plan: Plan, after: Graph) -> OwnDatabase | None:
    """What a re-parent or re-issue means to that database; `None` where it means nothing.

    `branch` is the chain on the branch as it is, `after` the one once what is planned is merged.
    """
    if branch is None or not isinstance(plan, Reparent | Reissue) or branch.duplicates or branch.missing:
        return None
    moved = frozenset(plan.moved) & branch.revisions.keys()
    branch, after = _above(branch, after, moved)
    database = with_rows(branch, branch.heads)
    fix = Fix("reparent", after, new_ids=plan.new_ids)
    deployed = Deployed(after)
    target: Target = "head" if len(after.heads) == 1 else "heads"
    outcome = upgrade(deployed, fix.meets(database), target)
    if not moved or outcome.kind == "ok":
        return None
    here = Deployed(branch)
    before = next((each for each in _ways_back(branch, moved) if _is_undone(here, deployed, database, each, moved)), ())
    ways = remedy(deployed, fix.meets(database), target, is_sure=True)
    return OwnDatabase(database.rows, tuple(line(("downgrade", place)) for place in before), outcome, ways)


def _above(branch: Graph, after: Graph, moved: frozenset[str]) -> tuple[Graph, Graph]:
    """Both chains from where the ways part, which says the same in less time; as they are where they differ below."""
    points = {parent for id_ in moved for parent in branch.parents(id_)} - moved
    if len(points) != 1 or not points <= after.revisions.keys():
        return branch, after
    [point] = points
    short = from_the_point(branch, point), from_the_point(after, point)
    left_out = [
        whole.revisions.keys() - kept.revisions.keys() for whole, kept in zip((branch, after), short, strict=True)
    ]
    return short if left_out[0] == left_out[1] else (branch, after)


def _ways_back(branch: Graph, moved: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Places to go back to: beneath each revision that moves by itself, the highest first; or one of them alone."""
    roots = [id_ for id_ in parents_first(branch, moved) if moved.isdisjoint(branch.parents(id_))]
    places = list(dict.fromkeys(next(iter(branch.parents(root)), f"{root}@base") for root in reversed(roots)))
    yield tuple(places)
    yield from ((place,) for place in reversed(places))
    yield ("base",)


def _is_undone(
    here: Deployed, repaired: Deployed, database: Database, places: tuple[str, ...], moved: frozenset[str]
) -> bool:
    """Whether nothing that moves is left, and an upgrade after the repair then ends well."""
    rows, applied = database.rows, set(database.applied)
    try:
        for place in places:
            undone, rows = here.downgrade(rows, place)
            applied.difference_update(undone)
    except AlembicStops:
        return False
    left = Database(rows, frozenset(applied))
    return (
        applied.isdisjoint(moved)
        and rows == rows_of(here.graph, left.applied)
        and upgrade(repaired, left, "heads").kind == "ok"
    )

"""What Alembic would do to a database, computed with Alembic's own code and without a database.

Alembic is given the revisions as values: no file of the repository is loaded, no `env.py` is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from alembic.runtime.migration import HeadMaintainer
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision as AlembicRevision
from alembic.script.revision import RevisionError, RevisionMap
from alembic.util import CommandError

from onehead.revisions.graph import Graph
from onehead.states.outcome import Database, Outcome, OutcomeKind, Target

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
    """Run `alembic upgrade head` in thought and look for what it leaves out, and for what it does twice.

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

"""What databases have reported of themselves, and what that proves about the revisions of an environment. Pure.

A report is the content of `alembic_version`. It can prove that a revision was run, and never that one was not: what a
database has named once stays known, whatever it names later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from onehead.plan.facts import Facts, Held
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.states.databases import with_rows
from onehead.states.rows import read_rows

MOST_HELD = 2000
"""Rows remembered per database; one that has named more counts as one that has run everything."""


LONGEST_ROW = 255
"""Characters. Alembic's own column has 32, and some projects have widened it."""


def is_quotable(text: str) -> bool:
    """Whether a name or row can be one, and can stand between backticks: whoever may push can write it down."""
    return len(text) <= LONGEST_ROW and text.isprintable() and "`" not in text


class Known(NamedTuple):
    """A database that has reported itself.

    Attributes:
        name: as its deploy job names it.
        environment: path of the environment, or of its configuration or scripts; empty where the report named none.
        rows: content of `alembic_version` in the newest report, sorted.
        at: time of the report that brought these rows, in UTC: `2026-11-28T10:15:00Z`.
        held: every row that it ever named → the time at which it was named first.
        overfull: whether it has named more rows than are remembered.
    """

    name: str
    environment: str
    rows: tuple[str, ...]
    at: str
    held: tuple[tuple[str, str], ...]
    overfull: bool = False


class Proof(NamedTuple):
    """What the known databases prove about one environment.

    Attributes:
        run: path of a revision file → what databases held when they had run that revision.
        unplaced: rows of today that no file of either side declares.
        overfull: names of databases that have named more rows than are remembered.
    """

    run: dict[str, tuple[Held, ...]]
    unplaced: tuple[Held, ...]
    overfull: tuple[str, ...]


class Standpoint(NamedTuple):
    """Where a known database stands: its name, its rows by their full ids (sorted), and since which day."""

    database: str
    rows: tuple[str, ...]
    day: str


def learnt(known: Known | None, name: str, environment: str, rows: Iterable[str], at: str) -> Known:
    """What is known of a database after one more report: the very same value where that says nothing new.

    Args:
        known: what was known before.
        name: of the database.
        environment: as in `Known`.
        rows: content of `alembic_version`.
        at: when, as in `Known`; a report that is older than the newest one adds to `held` and to nothing else.
    """
    now = tuple(sorted(set(rows)))
    if known is None:
        return _bounded(Known(name, environment, now, at, tuple((row, at) for row in now)))
    held = known.held + tuple((row, at) for row in now if row not in dict(known.held))
    is_newest = at > known.at and (now, environment) != (known.rows, known.environment)
    after = known._replace(rows=now, at=at, environment=environment) if is_newest else known
    return _bounded(after._replace(held=held))


def _bounded(known: Known) -> Known:
    if len(known.held) <= MOST_HELD:
        return known
    return known._replace(held=known.held[:MOST_HELD], overfull=True)


def proof_of(facts: Facts, databases: Iterable[Known], movable: Iterable[Revision]) -> Proof:
    """What databases prove about an environment.

    What the target has is published anyway, so a row of the target proves nothing more: of two files with one id, it
    is the target's that such a database has run.

    Args:
        facts: the environment.
        databases: all that are known in the repository.
        movable: the revisions that a repair may have to move.
    """
    wanted = tuple(movable)
    databases = tuple(databases)
    rows = sorted({row for each in databases for row in (*each.rows, *(row for row, _ in each.held))})
    fresh = [row for row in rows if row not in facts.target]
    graphs = (facts.target, facts.merged, facts.head)
    meanings = [(graph, _meanings(graph, fresh)) for graph in graphs if graph is not None]
    run_by = {row: _run_by(row, meanings) for row in fresh}
    run: dict[str, list[Held]] = {}
    unplaced: list[Held] = []
    for database in databases:
        for row, at in database.held:
            if _is_about(facts, database, row):
                for revision in wanted:
                    if revision.id in run_by.get(row, ()):
                        run.setdefault(revision.path, []).append(Held(database.name, row, day(at)))
        unplaced += [
            Held(database.name, row, day(database.at))
            for row in database.rows
            if _names_it(facts, database) and row not in facts.elsewhere and row in run_by and not run_by[row]
        ]
    overfull = tuple(database.name for database in databases if database.overfull)
    return Proof({path: tuple(found) for path, found in run.items()}, tuple(unplaced), overfull)


def standpoints(facts: Facts, databases: Iterable[Known]) -> tuple[Standpoint, ...]:
    """Where the databases of an environment stand now, by name."""
    found = []
    for database in databases:
        rows = database.rows
        means = _meanings(facts.merged, rows)
        here = any(means[row] and _is_about(facts, database, row) for row in rows)
        lost = _names_it(facts, database) and not any(row in facts.elsewhere for row in rows)
        if here or lost:
            found.append(Standpoint(database.name, _full(facts.merged, rows), day(database.at)))
    return tuple(sorted(found))


class Progress(NamedTuple):
    """How far a database is along one chain: the rows that no file declares, and how many revisions it has not run."""

    unknown: tuple[str, ...]
    missing: int


def progress(facts: Facts, known: Known) -> Progress | None:
    """How far a database is; `None` where it is one of another environment."""
    for at in standpoints(facts, (known,)):
        unknown = tuple(row for row in at.rows if row not in facts.merged)
        return Progress(unknown, len(facts.merged) - len(with_rows(facts.merged, at.rows).applied))
    return None


def day(at: str) -> str:
    """The day of a time."""
    return at[:10]


def _full(graph: Graph, rows: Iterable[str]) -> tuple[str, ...]:
    """Rows by the ids that Alembic takes them for."""
    return tuple(sorted({row.means[0] if row.kind == "prefix" else row.text for row in read_rows(graph, rows)}))


def _meanings(graph: Graph, rows: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Row → the ids that it may mean; an ambiguous one means them all, for who knows."""
    return {row.text: row.means for row in read_rows(graph, rows)}


def _run_by(row: str, meanings: Iterable[tuple[Graph, Mapping[str, tuple[str, ...]]]]) -> frozenset[str]:
    """Every revision that a database with this row has run."""
    found: frozenset[str] = frozenset()
    for graph, means in meanings:
        if means[row]:
            found |= with_rows(graph, means[row]).applied
    return found


def _names_it(facts: Facts, database: Known) -> bool:
    """Whether a database may be one of this environment, as far as its report tells."""
    place = facts.environment
    return database.environment in ("", place.path, place.script_location, place.config)


def _is_about(facts: Facts, database: Known, row: str) -> bool:
    """Whether a row speaks of this environment: of two that both use an id, the report has to say which it means."""
    return _names_it(facts, database) or row not in facts.elsewhere

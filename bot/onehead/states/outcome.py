"""How an upgrade ends: a database, a fix, and what comes of the two. Values only, without Alembic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from onehead.revisions.graph import Graph

OutcomeKind = Literal["ok", "repeat", "error", "loss"]

Target = Literal["head", "heads"]
"""What a deploy upgrades to: `heads` only where several heads are meant."""


@dataclass(frozen=True, slots=True)
class Database:
    """What one database holds.

    Attributes:
        rows: content of `alembic_version`, sorted; empty for a fresh database; twice where it stands there twice.
        applied: the revisions that it really went through, whatever its rows imply.
    """

    rows: tuple[str, ...]
    applied: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How `alembic upgrade head` ends.

    Attributes:
        kind: `ok`; `error` (Alembic stops); `loss` (it exits with 0 and some revision will never run); or `repeat`
            (Alembic runs something again that has run: the database stops it at the first statement that can't be
            done twice, and what can, such as a change of rows, is done twice).
        runs: the revisions it runs, in order; for an `error`, those that had run by then, nearly always none.
        rows_after: content of `alembic_version` afterwards, sorted. After an `error`, as it is then on a database that
            keeps what was done; PostgreSQL takes back `runs` and rows. For `repeat`, if nothing in it fails.
        lost: revisions below the rows that neither were applied nor ran, sorted.
        error: Alembic's own text, `None` when it does not stop.
        again: for `repeat`: the revisions that had run before, in the order in which they run again.
    """

    kind: OutcomeKind
    runs: tuple[str, ...]
    rows_after: tuple[str, ...]
    lost: tuple[str, ...] = ()
    error: str | None = None
    again: tuple[str, ...] = ()


FixKind = Literal["none", "merge", "reparent"]

THE_MERGE = "(the merge)"
"""Stands for the merge revision while its id is not chosen: no real id has parentheses."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing that could be done.

    Attributes:
        kind: what.
        graph: the chain as it would be then.
        moved: the revisions that get another parent (the roots of one side), by their old ids, sorted; for a re-parent
            only.
        onto: the head that becomes their parent.
        new_ids: old id → the id in `graph`, of the revisions that get a new one.
    """

    kind: FixKind
    graph: Graph
    moved: tuple[str, ...] = ()
    onto: str | None = None
    new_ids: Mapping[str, str] = field(default_factory=dict)

    def meets(self, database: Database) -> Database:
        """The database as the chain names what it went through; its rows stay what they are."""
        return Database(database.rows, frozenset(self.new_ids.get(id_, id_) for id_ in database.applied))


MOST_RUNS = 8
"""Revisions that are named one by one."""


def spoken(outcome: Outcome, *, for_many: bool = False) -> str:
    """An outcome in a few words, for a table cell: what runs, what is lost, or why Alembic stops.

    Args:
        outcome: what happens.
        for_many: it stands for several databases, of which each runs what it lacks.
    """
    if outcome.kind == "loss":
        return f"{', '.join(outcome.lost)} never run{'s' if len(outcome.lost) == 1 else ''}"
    if outcome.kind == "repeat":
        return f"{', '.join(outcome.again)} run{'s' if len(outcome.again) == 1 else ''} again"
    if outcome.kind == "error":
        error = outcome.error or ""
        return "Multiple heads" if error.startswith("Multiple head") else error
    shown = [id_ for id_ in outcome.runs if id_ != THE_MERGE]
    if for_many:
        return "runs what is missing"
    if not shown:
        return "nothing to do"
    return " ".join(shown) if len(shown) <= MOST_RUNS else f"{' '.join(shown[:3])} … {shown[-1]} ({len(shown)})"

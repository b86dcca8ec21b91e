"""The words of this room: how an upgrade ends, and the table of all of them. Values only; loads no Alembic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onehead.plan.forks import Fork

OutcomeKind = Literal["ok", "error", "loss"]

THE_MERGE = "(the merge)"
"""Stands for the merge revision, whose id is not chosen yet: no real id has parentheses."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How `alembic upgrade head` ends.

    Attributes:
        kind: `ok`; `error` (Alembic stops); or `loss` (it exits with 0 and some revision will never run).
        runs: the revisions it runs, in order.
        rows_after: content of `alembic_version` afterwards, sorted.
        lost: revisions below the rows that neither were applied nor ran, sorted.
        error: Alembic's own text, `None` when it succeeds.
    """

    kind: OutcomeKind
    runs: tuple[str, ...]
    rows_after: tuple[str, ...]
    lost: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StateRow:
    """Databases to which every fix does the same.

    Attributes:
        rows: contents of `alembic_version`, each sorted.
        outcomes: one per fix, in the order of `StateTable.fixes`; of the first of these databases.
    """

    rows: tuple[tuple[str, ...], ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class StateTable:
    """All states of one fork.

    Attributes:
        fork: the heads and the parting point.
        fixes: `none`, `merge`, and `reparent` where the chain can be moved.
        states: one row per group of databases.
        left_out: how many states were not computed.
    """

    fork: Fork
    fixes: tuple[str, ...]
    states: tuple[StateRow, ...]
    left_out: int


def spoken(outcome: Outcome, *, for_many: bool = False) -> str:
    """An outcome in a few words, for a table cell: what runs, what is lost, or why Alembic stops.

    Args:
        outcome: what happens.
        for_many: it stands for several databases, of which each runs what it lacks.
    """
    if outcome.kind == "loss":
        return f"{', '.join(outcome.lost)} never run{'s' if len(outcome.lost) == 1 else ''}"
    if outcome.kind == "error":
        error = outcome.error or ""
        return "Multiple heads" if error.startswith("Multiple head") else error
    shown = [id_ for id_ in outcome.runs if id_ != THE_MERGE]
    if for_many:
        return "runs what is missing"
    if not shown:
        return "nothing to do"
    return " ".join(shown) if len(shown) <= 6 else f"{' '.join(shown[:3])} … {shown[-1]} ({len(shown)})"

"""The words of the state tables: databases, fixes, and how an upgrade ends. Values only, without Alembic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph

OutcomeKind = Literal["ok", "error", "loss"]

Target = Literal["head", "heads"]
"""What a deploy upgrades to: `heads` only where several heads are meant."""


@dataclass(frozen=True, slots=True)
class Database:
    """What one database holds.

    Attributes:
        rows: content of `alembic_version`, sorted; empty for a fresh database.
        applied: the revisions that it really went through, whatever its rows imply.
    """

    rows: tuple[str, ...]
    applied: frozenset[str]


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


FixKind = Literal["none", "merge", "reparent"]

THE_MERGE = "(the merge)"
"""Stands for the merge revision while its id is not chosen: no real id has parentheses."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing that could be done.

    Attributes:
        kind: what.
        graph: the chain as it would be then.
        moved: the revisions that get another parent (the roots of one side), sorted; for a re-parent only.
        onto: the head that becomes their parent.
    """

    kind: FixKind
    graph: Graph
    moved: tuple[str, ...] = ()
    onto: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """One database under one fix.

    Attributes:
        rows: content of `alembic_version`, sorted.
        applied: the revisions above the parting point that are physically there, parents first.
        outcome: what `alembic upgrade head` does.
        remedy: command lines, in order, where it does not end well and there is a way out; proven in thought.
    """

    rows: tuple[str, ...]
    applied: tuple[str, ...]
    outcome: Outcome
    remedy: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Everything about one fork, or about one database where nothing is forked.

    Attributes:
        fork: the heads and the parting point; `None` where nothing is forked.
        sides: the revisions of each head that not all heads share, parents first.
        target: what a deploy upgrades to.
        fixes: each with its states, worst first.
        left_out: how many states were not computed, at least.
    """

    fork: Fork | None
    sides: tuple[tuple[str, ...], ...]
    target: Target
    fixes: tuple[tuple[Fix, tuple[State, ...]], ...]
    left_out: int = 0


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
    """All states of one fork, in short.

    Attributes:
        fork: the heads and the parting point.
        fixes: `none`, `merge`, and `reparent` where the judged branch can be moved.
        states: one row per group of databases.
        left_out: how many states were not computed, at least.
    """

    fork: Fork
    fixes: tuple[str, ...]
    states: tuple[StateRow, ...]
    left_out: int


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
    if outcome.kind == "error":
        error = outcome.error or ""
        return "Multiple heads" if error.startswith("Multiple head") else error
    shown = [id_ for id_ in outcome.runs if id_ != THE_MERGE]
    if for_many:
        return "runs what is missing"
    if not shown:
        return "nothing to do"
    return " ".join(shown) if len(shown) <= MOST_RUNS else f"{' '.join(shown[:3])} … {shown[-1]} ({len(shown)})"

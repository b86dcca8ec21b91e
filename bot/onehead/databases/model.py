"""The values of state tables and diagnoses; loading them does not load Alembic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from onehead.databases.schema_effects import Inspection, Thing, UnseenStep
from onehead.databases.schema_evidence import RevisionEvidence
from onehead.databases.states import Fix, Outcome, Row, Target
from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph

Severity = Literal["error", "warning"]


class ProblemKind(StrEnum):
    """What can be wrong with a database, the most fundamental first."""

    BROKEN_CHAIN = "broken-chain"
    MULTIPLE_HEADS = "multiple-heads"
    UNKNOWN_ROW = "unknown-row"
    RENAMED_ROW = "renamed-row"
    AMBIGUOUS_ROW = "ambiguous-row"
    PREFIX_ROW = "prefix-row"
    REPEATED_ROW = "repeated-row"
    OVERLAPPING_ROWS = "overlapping-rows"
    NO_ROWS = "no-rows"
    OTHER_VERSION_TABLE = "other-version-table"
    INVALID_INDEX = "invalid-index"
    HALF_APPLIED = "half-applied"
    INCOMPLETE = "incomplete"
    LEFTOVER_TABLE = "leftover-table"
    AHEAD = "ahead"
    LOST = "lost"
    ID_TOO_LONG = "id-too-long"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        names: the revisions it is about, parents first, or the rows or tables.
        severity: `error`: the next upgrade fails, or loses something. `warning`: somebody should know.
    """

    problem: ProblemKind
    names: tuple[str, ...]
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class RevisionState:
    """One revision as this database has it: whether the rows say that it ran, and what the schema shows."""

    id: str
    claimed: bool
    in_schema: RevisionEvidence
    unseen: tuple[UnseenStep, ...] = ()


Effect = Literal["reads", "safe", "destructive"]
"""`reads`: changes nothing. `safe`: what every deploy does. `destructive`: something is gone afterwards."""


@dataclass(frozen=True, slots=True)
class RemedyStep:
    """One command line or SQL statement to type, and what it does or what is gone afterwards."""

    command: str
    effect: Effect
    why: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way out: its steps, in order, and when it is the right one, as a clause after "if" (empty for always)."""

    condition: str
    steps: tuple[RemedyStep, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that is known about one database, seen from one chain.

    Attributes:
        rows: what the version table holds, and what that means; `None` where there is no version table.
        inspection: what the database shows; `None` where only its rows are known.
        revisions: id → how it stands, parents first.
        applied: what has really run, as far as that is known; claimed revisions are believed where nothing shows.
        doubtful: revisions of which a person must say whether they ran, parents first.
        target: what a deploy upgrades to.
        outcome: what that does.
        says: what the database says when that stops in it.
        complaints: what is wrong, the most fundamental first.
        unbuilt: indexes that PostgreSQL holds as invalid and a revision that has still to run makes.
        ways: ways out; empty where all is well, and where none is certain.
    """

    graph: Graph
    rows: tuple[Row, ...] | None
    inspection: Inspection | None
    revisions: Mapping[str, RevisionState]
    applied: frozenset[str]
    doubtful: tuple[str, ...]
    target: Target
    outcome: Outcome
    says: str
    complaints: tuple[Complaint, ...]
    unbuilt: tuple[Thing, ...] = ()
    ways: tuple[Remedy, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether the next upgrade does what it should."""
        return self.outcome.kind == "ok" and all(complaint.severity != "error" for complaint in self.complaints)

    def of(self, problem: ProblemKind) -> tuple[str, ...]:
        """What one complaint names; empty where there is none of the kind."""
        return next((each.names for each in self.complaints if each.problem == problem), ())


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """One database under one fix.

    Attributes:
        rows: content of `alembic_version`, sorted.
        applied: the revisions above the parting point that are physically there, parents first.
        outcome: what `alembic upgrade head` does.
        remedy: command lines, in order, where it does not end well and there is a remedy; simulated.
        problem: what is wrong with the database before anything is done; `None` for a consistent one.
        here: names of known databases that stand there, sorted.
    """

    rows: tuple[str, ...]
    applied: tuple[str, ...]
    outcome: Outcome
    remedy: tuple[str, ...]
    problem: ProblemKind | None = None
    here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnderFix:
    """What becomes of the databases under one fix.

    Attributes:
        states: the consistent databases, worst first; or the one that was asked about.
        inconsistent: examples of each kind of database that should not exist and does.
    """

    fix: Fix
    states: tuple[DatabaseState, ...]
    inconsistent: tuple[DatabaseState, ...] = ()


class Omitted(NamedTuple):
    """How much is not told of, because there is too much: revisions far from the fork, heads of it, further forks."""

    revisions: int = 0
    heads: int = 0
    forks: int = 0


NOTHING_OMITTED = Omitted()


@dataclass(frozen=True, slots=True)
class ForkOutcomes:
    """Everything about one fork, or about one database where nothing is forked.

    Attributes:
        fork: the heads and the parting point.
        sides: the revisions of each head that not all heads share, parents first.
        target: what a deploy upgrades to.
        left_out: how many consistent states were not computed, at least.
        omitted: how much of chain and fork is not told of; further forks by the last account.
    """

    fork: Fork | None
    sides: tuple[tuple[str, ...], ...]
    target: Target
    fixes: tuple[UnderFix, ...]
    left_out: int = 0
    omitted: Omitted = NOTHING_OMITTED


@dataclass(frozen=True, slots=True)
class StateRow:
    """Databases to which every fix does the same.

    Attributes:
        rows: contents of `alembic_version`, each sorted.
        outcomes: one per fix, in the order of `StateTable.fixes`; of the first of these databases.
        here: names of known databases that stand there, sorted.
    """

    rows: tuple[tuple[str, ...], ...]
    outcomes: tuple[Outcome, ...]
    here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateTable:
    """All states of one fork, in short.

    Attributes:
        fixes: `none`, `merge`, and `reparent` where the judged branch can be moved.
        states: one row per group of databases; those where a known database stands come first.
        left_out: how many states were not computed, at least.
        new_ids: old id → new one, of what a re-parent renames.
    """

    fork: Fork
    fixes: tuple[str, ...]
    states: tuple[StateRow, ...]
    left_out: int
    new_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnDatabase:
    """A database that has run a whole branch: that of its author, nearly always.

    Attributes:
        rows: content of its `alembic_version`, sorted.
        before: simulated command lines, in order, for the branch as it is.
        outcome: what an upgrade does after the repair, where these were forgotten.
        after: command lines, in order, that lead out then.
    """

    rows: tuple[str, ...]
    before: tuple[str, ...]
    outcome: Outcome
    after: tuple[str, ...]

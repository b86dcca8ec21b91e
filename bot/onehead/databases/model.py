"""The values of state tables and diagnoses; loading them does not load Alembic.

Everywhere here, rows are the content of one `alembic_version`, sorted; revisions stand parents first; commands were
simulated and stand in the order in which they are typed.
"""

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
    """One thing that is wrong, with the names of the revisions, rows or tables that it is about.

    `error`: the next upgrade fails, or loses something. `warning`: somebody should know.
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
        rows: `None` where there is no version table.
        inspection: `None` where only the rows are known.
        applied: what has really run, as far as that is known; claimed revisions are believed where nothing shows.
        doubtful: revisions of which a person must say whether they ran.
        says: what the database says when the upgrade stops in it.
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

    `applied`: the revisions above the parting point that are physically there. `remedy`: commands, where the upgrade
    does not end well and there is a remedy. `problem`: what is wrong with the database before anything is done; `None`
    for a consistent one. `here`: names of known databases that stand there, sorted.
    """

    rows: tuple[str, ...]
    applied: tuple[str, ...]
    outcome: Outcome
    remedy: tuple[str, ...]
    problem: ProblemKind | None = None
    here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnderFix:
    """What becomes of the consistent databases under one fix, worst first; or of the one that was asked about.

    `inconsistent` has examples of each kind of database that should not exist and does.
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

    `sides`: the revisions of each head that not all heads share. `left_out`: how many consistent states were not
    computed, at least. `omitted`: how much of chain and fork is not told of; further forks by the last account.
    """

    fork: Fork | None
    sides: tuple[tuple[str, ...], ...]
    target: Target
    fixes: tuple[UnderFix, ...]
    left_out: int = 0
    omitted: Omitted = NOTHING_OMITTED


@dataclass(frozen=True, slots=True)
class StateRow:
    """Databases to which every fix does the same; of the first, the outcome under each of `StateTable.fixes`."""

    rows: tuple[tuple[str, ...], ...]
    outcomes: tuple[Outcome, ...]
    here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateTable:
    """All states of one fork, in short.

    `fixes`: `none`, `merge`, and `reparent` where the judged branch can be moved. `states`: one row per group of
    databases; those where a known database stands come first. `left_out`: how many states were not computed, at least.
    `new_ids`: old id → new one, of what a re-parent renames.
    """

    fork: Fork
    fixes: tuple[str, ...]
    states: tuple[StateRow, ...]
    left_out: int
    new_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnDatabase:
    """A database that has run a whole branch: that of its author, nearly always.

    `before`: commands for the branch as it is. `outcome`: what an upgrade does after the repair, where these were
    forgotten. `after`: commands that lead out then.
    """

    rows: tuple[str, ...]
    before: tuple[str, ...]
    outcome: Outcome
    after: tuple[str, ...]

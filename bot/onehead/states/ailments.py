"""The words of a diagnosis: what can be wrong with a database, how it stands, and the ways out. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from onehead.revisions.graph import Graph
from onehead.states.outcome import Outcome, Target
from onehead.states.rows import Row
from onehead.states.traces import Sight, Thing, Untraced
from onehead.states.witnesses import Witnessed

Severity = Literal["error", "warning"]


class Ailment(StrEnum):
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
        ailment: what.
        names: the revisions it is about, parents first, or the rows or tables.
        severity: `error`: the next upgrade fails, or loses something. `warning`: somebody should know.
    """

    ailment: Ailment
    names: tuple[str, ...]
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Revisited:
    """One revision as this database has it.

    Attributes:
        id: the revision.
        claimed: the rows say that it ran.
        witnessed: what the schema shows.
        untraced: what it does that can't be seen afterwards.
    """

    id: str
    claimed: bool
    witnessed: Witnessed
    untraced: tuple[Untraced, ...] = ()


Effect = Literal["reads", "safe", "destructive"]
"""`reads`: changes nothing. `safe`: what every deploy does. `destructive`: something is gone afterwards."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to type.

    Attributes:
        command: a command line, or an SQL statement.
        effect: what it may cost.
        why: what it does, or what is gone afterwards.
    """

    command: str
    effect: Effect
    why: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way out.

    Attributes:
        condition: when it is the right one, as a clause after "if"; empty for always.
        steps: in order.
    """

    condition: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that is known about one database, seen from one chain.

    Attributes:
        graph: the chain.
        rows: what the version table holds, and what that means; `None` where there is no version table.
        sight: what the database shows; `None` where only its rows are known.
        revisions: id → how it stands, parents first.
        applied: what has really run, as far as that is known; claimed revisions are believed where nothing shows.
        doubtful: revisions of which a person must say whether they ran, parents first.
        target: what a deploy upgrades to.
        outcome: what that does.
        says: what the database says when that stops in it; empty where it does not.
        complaints: what is wrong, the most fundamental first.
        unbuilt: indexes that PostgreSQL holds as invalid and a revision that has still to run makes.
        ways: ways out; empty where all is well, and where none is certain.
    """

    graph: Graph
    rows: tuple[Row, ...] | None
    sight: Sight | None
    revisions: Mapping[str, Revisited]
    applied: frozenset[str]
    doubtful: tuple[str, ...]
    target: Target
    outcome: Outcome
    says: str
    complaints: tuple[Complaint, ...]
    unbuilt: tuple[Thing, ...] = ()
    ways: tuple[Way, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether the next upgrade does what it should."""
        return self.outcome.kind == "ok" and all(complaint.severity != "error" for complaint in self.complaints)

    def of(self, ailment: Ailment) -> tuple[str, ...]:
        """What one complaint names; empty where there is none of the kind."""
        return next((each.names for each in self.complaints if each.ailment == ailment), ())

"""The plans that there are for one environment, with their reasons."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from onehead.revisions.file_names import Renumbered


class ReasonCode(StrEnum):
    """Why a plan was chosen; stable names."""

    ONE_HEAD = "one-head"
    REJOINED = "rejoined"
    INTENDED = "intended"
    INHERITED = "inherited"
    NOT_ESCAPED = "not-escaped"
    ESCAPED = "escaped"
    EVIDENCE_INCOMPLETE = "evidence-incomplete"
    REPORTED = "reported"
    UNKNOWN_ROW = "unknown-row"
    SEVERAL_TARGET_HEADS = "several-target-heads"
    NOT_MOVABLE = "not-movable"
    STRATEGY = "strategy"
    PUBLISHED_FORK = "published-fork"
    RUNS_AGAIN = "runs-again"
    MERGE_EXISTS = "merge-exists"
    DUPLICATE_NOT_ESCAPED = "duplicate-not-escaped"
    DUPLICATE_PUBLISHED = "duplicate-published"
    DUPLICATE_COPY = "duplicate-copy"
    CYCLE = "cycle"
    MISSING_PARENT = "missing-parent"
    UNREADABLE = "unreadable"
    EDIT_FAILED = "edit-failed"
    POLICY_DOUBTFUL = "policy-doubtful"
    FRESH_IDS = "fresh-ids"
    RENUMBERED = "renumbered"
    SEMANTIC_CONFLICT = "semantic-conflict"
    ORDER_MATTERS = "order-matters"
    TWO_BY_TWO = "two-by-two"


class Reason(NamedTuple):
    """One step of the argument: a stable code and a sentence."""

    code: ReasonCode
    message: str


MAX_REASONS = 10
"""Reasons of one kind that a plan gives; the rest is one more, with their number."""


def bounded(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The first reasons, and the number of the others."""
    told = list(reasons)
    rest = len(told) - MAX_REASONS
    more = (Reason(told[-1].code, f"The same goes for {rest} more of the kind."),) if rest > 0 else ()
    return (*told[:MAX_REASONS], *more)


class Move(NamedTuple):
    """One revision gets other parents; all that grows from it moves along."""

    revision: str
    old_parents: tuple[str, ...]
    new_parents: tuple[str, ...]


class Nothing(NamedTuple):
    """Nothing to repair."""

    reasons: tuple[Reason, ...]
    kind: str = "none"


class Reparent(NamedTuple):
    """The branch's roots move onto the target's head; only for revisions that have not escaped.

    Attributes:
        moves: the roots, each with its old and new parents.
        moved: every revision that moves along, roots included, by its old id; sorted.
        heads: the environment's heads afterwards, sorted.
        renumbered: revisions whose files get another number, and their ids where these carry it.
    """

    moves: tuple[Move, ...]
    moved: tuple[str, ...]
    heads: tuple[str, ...]
    reasons: tuple[Reason, ...]
    kind: str = "reparent"
    renumbered: tuple[Renumbered, ...] = ()

    @property
    def new_ids(self) -> dict[str, str]:
        """Old id → new one, of the revisions that get one; parents first."""
        return {each.old_id: each.new_id for each in self.renumbered if each.new_id != each.old_id}


class Merge(NamedTuple):
    """A merge revision joins the heads; right for every database.

    Attributes:
        merges: parents of each merge revision to write, in the order of the tuple: the target's head comes last, for
            Alembic runs the last parent first. One per fork, or several in a row (see `plan.repairs`).
        others: heads that stay beside because they are meant to; sorted.
    """

    merges: tuple[tuple[str, ...], ...]
    others: tuple[str, ...]
    reasons: tuple[Reason, ...]
    kind: str = "merge"


class Reissue(NamedTuple):
    """Revisions whose id is taken, or shall not be used again, get a new one, and move where they must.

    A copy, which does the same as the file that has the id, is dropped instead: two ids would run it twice.

    Attributes:
        files: id → the file that gets a new id: the one that has not escaped.
        moves: revisions that also get other parents; a re-issued one goes by its old id here.
        moved: every revision that changes or moves along, by old id; sorted.
        dropped: id → the file that goes, a copy.
        issued: old id → new one; empty until the files are written, for their content decides.
    """

    files: tuple[tuple[str, str], ...]
    moves: tuple[Move, ...]
    moved: tuple[str, ...]
    reasons: tuple[Reason, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    kind: str = "reissue"
    issued: tuple[tuple[str, str], ...] = ()

    @property
    def new_ids(self) -> dict[str, str]:
        """Old id → new one, of the revisions that get one; empty until the files are written."""
        return dict(self.issued)

    @property
    def by_policy(self) -> bool:
        """Whether no id is taken: the policy wants new ones for what is re-parented."""
        return any(reason.code == ReasonCode.FRESH_IDS for reason in self.reasons)


class Refuse(NamedTuple):
    """A person has to decide; each of the options is a full sentence."""

    reasons: tuple[Reason, ...]
    options: tuple[str, ...]
    kind: str = "refuse"


Plan = Nothing | Reparent | Merge | Reissue | Refuse

"""The state tables: every database that a fork may meet, under every fix. Values only, without Alembic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from onehead.plan.forks import Fork
from onehead.states.ailments import Ailment
from onehead.states.outcome import Fix, Outcome, Target


@dataclass(frozen=True, slots=True)
class State:
    """One database under one fix.

    Attributes:
        rows: content of `alembic_version`, sorted.
        applied: the revisions above the parting point that are physically there, parents first.
        outcome: what `alembic upgrade head` does.
        remedy: command lines, in order, where it does not end well and there is a way out; proven in thought.
        ailment: what is wrong with the database before anything is done; `None` for a consistent one.
        here: names of known databases that stand there, sorted.
    """

    rows: tuple[str, ...]
    applied: tuple[str, ...]
    outcome: Outcome
    remedy: tuple[str, ...]
    ailment: Ailment | None = None
    here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnderFix:
    """What becomes of the databases under one fix.

    Attributes:
        fix: what is done about the fork.
        states: the consistent databases, worst first; or the one that was asked about.
        corrupt: databases that should not exist and do, in the order of their ailments: examples of each kind.
    """

    fix: Fix
    states: tuple[State, ...]
    corrupt: tuple[State, ...] = ()


class Omitted(NamedTuple):
    """How much is not told of, because there is too much of it.

    Attributes:
        revisions: of the chain, far from the fork; those that are told of stand for what was left out beneath them.
        heads: of the fork.
        forks: of the environment.
    """

    revisions: int = 0
    heads: int = 0
    forks: int = 0


NOTHING_OMITTED = Omitted()


@dataclass(frozen=True, slots=True)
class Account:
    """Everything about one fork, or about one database where nothing is forked.

    Attributes:
        fork: the heads and the parting point; `None` where nothing is forked.
        sides: the revisions of each head that not all heads share, parents first.
        target: what a deploy upgrades to.
        fixes: each with its databases.
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
        fork: the heads and the parting point.
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
        before: command lines, in order, for the branch as it is; proven in thought, like a remedy. Empty for none.
        outcome: what an upgrade does after the repair, where these were forgotten.
        after: command lines, in order, that lead out then; empty for none.
    """

    rows: tuple[str, ...]
    before: tuple[str, ...]
    outcome: Outcome
    after: tuple[str, ...]

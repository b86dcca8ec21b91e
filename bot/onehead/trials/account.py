"""The words of a trial: which ways were gone, how each ended, and what the schemas say. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Result(StrEnum):
    """How one way to the head ended."""

    OK = "ok"
    DIFFERENT = "different"
    LOSS = "loss"
    FAILED = "failed"
    REFUSED = "refused"
    NOT_STARTED = "not-started"
    OUT_OF_TIME = "out-of-time"
    OUT_OF_MEMORY = "out-of-memory"
    ENDED = "ended"
    NOT_RUN = "not-run"

    @property
    def breaks_a_deploy(self) -> bool:
        """Whether it is certain that a deploy would break, or would leave such a database unlike the others."""
        return self in (Result.DIFFERENT, Result.LOSS, Result.FAILED, Result.REFUSED)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an upgrade came to no good end.

    Attributes:
        message: what the database, Alembic or Python said; no password is in it.
        kind: the kind of the error, such as `DuplicateTable`; empty where a limit was hit.
        target: what was upgraded to: `head`, or a revision where the database was still being made.
        revision: the revision that was running; `None`: none was.
        statement: the SQL statement that failed or was being executed; `None` where it was none.
        path: the line's file, from the top of the repository; `None` where no file of the project is to blame.
        line: 1-based.
        output: the end of what the run printed.
        making: it failed while the database was being made, before it was upgraded to the head.
    """

    message: str
    kind: str = ""
    target: str = "head"
    revision: str | None = None
    statement: str | None = None
    path: str | None = None
    line: int | None = None
    output: str = ""
    making: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two schemas don't agree on.

    Attributes:
        thing: what it is: `column users.name`.
        fresh: how it is after a fresh run; `None` where it is not there.
        here: the same after this way.
    """

    thing: str
    fresh: str | None
    here: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """One way from a database to the head.

    Attributes:
        rows: what `alembic_version` holds at the start, sorted; empty for a fresh database.
        reached: the revisions that the database has been through, in that order.
        legs: the upgrade targets that bring an empty database there.
        alike: the rows of further databases that go through the same revisions in the same order.
    """

    rows: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    legs: tuple[str, ...] = ()
    alike: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """A way that was gone.

    Attributes:
        way: which one.
        result: how it ended.
        ran: the revisions that ran on the last part, to the head, in order.
        rows_after: content of `alembic_version` at the end, sorted.
        lost: revisions below these rows that never ran, sorted.
        seconds: what the upgrade to the head took.
        failure: what went wrong.
        differences: from the schema of the fresh run.
        notes: what differs and does no harm.
    """

    way: Way
    result: Result
    ran: tuple[str, ...] = ()
    rows_after: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    seconds: float = 0.0
    failure: Failure | None = None
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One environment.

    Attributes:
        path: its name.
        config: the file that declares it.
        target: what was upgraded to: `heads` only where several heads are meant.
        revisions: how many Alembic loaded.
        heads: of what it loaded.
        database: kind and version of the database.
        tried: the fresh run first.
        left_out: rows-sets that were not tried, at least.
        things: how many things of the schema were compared.
        versions: what ran it: `python`, `alembic`, `sqlalchemy`, `driver` → version or name.
    """

    path: str
    config: str | None
    target: Literal["head", "heads"]
    revisions: int
    heads: tuple[str, ...]
    database: str
    tried: tuple[Tried, ...]
    left_out: int = 0
    things: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> frozenset[Result]:
        """Every way's end."""
        return frozenset(each.result for each in self.tried)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take: seconds, and mebibytes of address space."""

    seconds: int
    mebibytes: int


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was verified.

    Attributes:
        at: the name of what was verified, and its SHA; for a work tree the SHA of its commit.
        target: whose migrations made the databases, where that is another commit.
        trials: one per environment.
        limits: of each run.
        network: how the network was cut off, in a sentence.
        is_cut_off: whether it was.
        coverage: what was read of the repository, in a sentence.
    """

    at: tuple[str, str]
    target: tuple[str, str] | None
    trials: tuple[Trial, ...]
    limits: Limits
    network: str
    is_cut_off: bool
    coverage: str

    @property
    def verdict(self) -> Literal["ok", "broken", "unjudged"]:
        """The worst of all; what is certain goes before what could not be judged."""
        results = frozenset[Result]().union(*(trial.results for trial in self.trials))
        if any(result.breaks_a_deploy for result in results):
            return "broken"
        return "unjudged" if results - {Result.OK} else "ok"

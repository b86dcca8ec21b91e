"""The words of this room: what there is to do for one repository. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BranchMoved:
    """A branch was created or points to another commit. `ref` is full: `refs/heads/main`."""

    ref: str


@dataclass(frozen=True, slots=True)
class BranchDeleted:
    """A branch is gone. `ref` is full: `refs/heads/main`."""

    ref: str


@dataclass(frozen=True, slots=True)
class PullChanged:
    """A pull request was opened, closed, merged, pushed to, retitled or pointed at another base."""

    number: int


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """Somebody wrote a comment that may hold a command.

    Attributes:
        comment: the forge's id of the comment; its text is read again when the job runs.
        number: the pull request or issue it stands under.
        may_write: whether a signed webhook says that its author may push to the repository;
            `None` where nothing said so (found by the sweep). The payload is the only place where a bot
            without admin rights learns this.
    """

    comment: int
    number: int
    may_write: bool | None = None


@dataclass(frozen=True, slots=True)
class RowsReported:
    """A database has told what its `alembic_version` holds; unlike the other subjects, nothing else knows of it.

    Attributes:
        database: its name.
        environment: path of its environment; empty where the report named none.
        rows: the content, sorted; `None` where the database is to be forgotten.
        at: when, in UTC: `2026-11-28T10:15:00Z`.
    """

    database: str
    environment: str
    rows: tuple[str, ...] | None
    at: str


@dataclass(frozen=True, slots=True)
class Everything:
    """Look at the whole repository: what the sweep asks for, and what covers every lost event."""


@dataclass(frozen=True, slots=True)
class ScopeLeft:
    """The repository was looked after and is not any more: what goes on in it is to be ended."""


Subject = BranchMoved | BranchDeleted | PullChanged | CommandGiven | RowsReported | Everything | ScopeLeft


@dataclass(frozen=True, slots=True)
class Job:
    """One repository and what may have changed in it.

    Subjects are hints, not history: they carry no order and no commit ids, because the run reads the
    forge's present state anyway. That makes them safe to merge: five pushes and a moved target share one
    run and one fetch. Reports of rows carry their time, so they too may be done in any order, and twice.

    Attributes:
        repository: full name, `owner/name`; the key by which jobs are merged.
        subjects: what to look at; never empty.
    """

    repository: str
    subjects: frozenset[Subject]

    def __post_init__(self) -> None:
        if not self.subjects:
            msg = f"a job for {self.repository} without subjects asks for nothing"
            raise ValueError(msg)

    @property
    def is_routine(self) -> bool:
        """Whether nobody is waiting for it: the sweep came by, no event happened."""
        return self.subjects == frozenset({Everything()})

    def merged_with(self, other: Job) -> Job:
        """The job that does the work of both."""
        return Job(self.repository, self.subjects | other.subjects)

"""Judge branches: what is found out about them from git alone, as values.

`Analysis` reads revision files and runs Alembic's rules. It needs a mirror and a cache, no forge and no secret; what
goes in and what comes out are values, so it can run in a process of its own. `Judge` is one run's memory of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from onehead.databases.diagnosis import diagnose_rows
from onehead.databases.model import Diagnosis, ForkOutcomes, OwnDatabase, ProblemKind, StateTable
from onehead.databases.reported import standpoints
from onehead.databases.state_table import edited_table, fork_outcomes, state_tables
from onehead.databases.states import Outcome, RevisionLocation
from onehead.examine.changes import contents_before, own_databases, prepare
from onehead.examine.evidence import Others, gather_evidence
from onehead.examine.examine import TargetTree, WrittenChain, examine, read_target, written_chains
from onehead.examine.locations import effects_in, formerly, locations_of
from onehead.examine.next_revision import OpenPulls, look_ahead
from onehead.examine.read import Memory
from onehead.examine.repair import RepairDraft, TextConflict, draft_repair
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import Ref, describe
from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.plan.next_revision import Ahead
from onehead.plan.policy import Strategy
from onehead.plan.rivals import Brought, brought
from onehead.plan.verdict import Examination, Point
from onehead.reports.graph import recent_picture
from onehead.reports.terminal import diff

if TYPE_CHECKING:
    from onehead.gitrepo.mirror import Mirror

_MAX_KEPT = 1_000_000
"""Revisions that the verdicts of one run may hold in memory, at some 200 bytes each; what is more is judged anew."""

_MAX_RECENT = 8  # databases of which an explanation tells where nothing is forked: one at each of the newest revisions


@dataclass(frozen=True, slots=True)
class Judged:
    """All that is known of a branch as it would be once merged into a target, or of the target itself.

    Tables and databases are by the path of their environment.
    """

    examination: Examination
    repair: RepairDraft | None  # `None` where there is nothing to repair or `unmergeable` says why not
    unmergeable: tuple[str, ...]  # paths that git can't merge by itself, beneath a repair
    tables: dict[str, tuple[StateTable, ...]]  # of every database, one per fork that the judged side brings
    edits: dict[str, StateTable]  # the databases that lose by a change of published revisions, where any does
    own_databases: dict[str, OwnDatabase]  # what the repair means to one on which the author has tried the branch
    diff: str
    brought: tuple[Brought, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.examination.verdict == "ok"

    @property
    def point(self) -> Point:
        """What was judged: the head, or the target itself."""
        return self.examination.head or self.examination.target

    @property
    def weight(self) -> int:
        """How many revisions it holds in memory."""
        held = sum(len(e.facts.merged) + len(e.facts.head or ()) for e in self.examination.environments)
        return held + sum(map(len, self.repair.promised.values() if self.repair else ()))


class RowsDiagnosis(NamedTuple):
    """What ails a database that holds certain rows, and where rows stand that nobody knows here.

    `merged`: what becomes of the database once a merge is there; `None` where nothing is forked.
    """

    diagnosis: Diagnosis
    places: dict[str, RevisionLocation]
    merged: Outcome | None


class NextAnswer(NamedTuple):
    """What a new revision takes, by environment, and what moving the branch's own ones means to databases (by path)."""

    environments: tuple[Ahead, ...]
    own_databases: dict[str, OwnDatabase]


class Analyst(Protocol):
    """Judges one mirror, in this process or in another: see `Analysis`."""

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        """See `Analysis.judge`."""

    def written(self, target: Point, written: Point) -> tuple[WrittenChain, ...]:
        """See `Analysis.written`."""

    def recent(self, facts: Facts) -> tuple[ForkOutcomes, ...]:
        """See `Analysis.recent`."""

    def diagnose(self, facts: Facts, rows: tuple[str, ...]) -> RowsDiagnosis:
        """See `Analysis.diagnose`."""

    def effects(self, blobs: tuple[str, ...]) -> dict[str, str]:
        """See `Analysis.effects`."""

    def next(self, target: Point, head: Point | None, pulls: OpenPulls, now: datetime) -> NextAnswer:
        """See `Analysis.next`."""


class Analysis:
    """One mirror, read and judged as it is now.

    The mirror must not change below it but for commits that are added: what was read once is not read again.
    """

    def __init__(self, git: Git, memory: Memory, others: Others | None = None) -> None:
        """Judge nothing yet; `others`: its other refs, where the repository alone does not show what they are."""
        self._git = git
        self._memory = memory
        self._others = others or Others(git, memory)
        self._dates: dict[str, datetime] = {}
        self._targets: dict[str, TargetTree | Exception] = {}

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        """Judge the target by itself, or a branch as it would be once merged into it.

        `strategy`: chosen by a person for this branch; `None` for what the repository wants.
        """
        examination, trees = examine(
            self._git,
            target,
            head,
            against=self._target(target),
            strategy=strategy,
            memory=self._memory,
            evidence=lambda facts, policy: gather_evidence(self._others, facts, policy, target, head),
        )
        repairs = prepare(examination, trees)
        examination = repairs.examination
        repair, unmergeable = None, tuple[str, ...]()
        try:
            repair = draft_repair(repairs, trees, self._dated(target, head)) if repairs.changes else None
        except TextConflict as conflict:
            unmergeable = conflict.paths
        edited = {
            e.facts.environment.path: edited_table(e.facts, e.findings, standpoints(e.facts, self._others.databases))
            for e in examination.environments
        }
        return Judged(
            examination=examination,
            repair=repair,
            unmergeable=unmergeable,
            tables=self._tables(examination) if head is None or examination.verdict != "ok" else {},
            edits={path: table for path, table in edited.items() if table is not None},
            own_databases=own_databases(repairs),
            diff=diff(repairs.all(), contents_before(repairs, trees)) if repairs.changes else "",
            brought=tuple(item for each in examination.environments for item in brought(each.facts)) if head else (),
        )

    def written(self, target: Point, written: Point) -> tuple[WrittenChain, ...]:
        """The chains of a repair that was written for a target."""
        return written_chains(self._git, self._target(target), self._memory, target, written)

    def recent(self, facts: Facts) -> tuple[ForkOutcomes, ...]:
        """What becomes of databases at the newest revisions, and of those that have reported themselves."""
        known = standpoints(facts, self._others.databases)
        rows: list[tuple[str, ...]] = [(), *((node.id,) for node in recent_picture(facts.target, _MAX_RECENT).nodes)]
        rows += [each.rows for each in known[:_MAX_RECENT]]
        return tuple(account for each in dict.fromkeys(rows) for account in fork_outcomes(facts, each, known=known))

    def diagnose(self, facts: Facts, rows: tuple[str, ...]) -> RowsDiagnosis:
        """What ails a database with these rows, and what becomes of it."""
        diagnosis = diagnose_rows(facts, rows, formerly(self._others, facts, rows))
        unknown = diagnosis.of(ProblemKind.UNKNOWN_ROW)
        outcomes = [
            state.outcome
            for account in (fork_outcomes(facts, rows) if forks_of(facts) and not unknown else ())
            for under in account.fixes
            if under.fix.kind == "merge"
            for state in under.states
        ]
        return RowsDiagnosis(diagnosis, locations_of(self._others, facts, unknown), outcomes[-1] if outcomes else None)

    def effects(self, blobs: tuple[str, ...]) -> dict[str, str]:
        """What revision files do to a schema, by git's ids of them: see `effects_in`."""
        return effects_in(self._git, blobs)

    def next(self, target: Point, head: Point | None, pulls: OpenPulls, now: datetime) -> NextAnswer:
        """What a new revision takes, and where those of a branch belong, with all open pull requests in view."""
        # Forgejo moves the refs of pull requests some time after their branches.
        others = Others(self._git, self._memory, more=[Ref(each.ref, each.sha) for each in pulls.others])
        found = look_ahead(others, self._target(target), target, head, pulls, now)
        return NextAnswer(found.environments, found.own_databases())

    def _dated(self, *points: Point | None) -> dict[str, datetime]:
        """The dates of commits; those of all branches are asked for at once."""
        missing = [point.sha for point in points if point is not None and point.sha not in self._dates]
        if missing:
            tips = [] if self._dates else [ref.sha for ref in self._others.refs]
            self._dates |= {sha: commit.date for sha, commit in describe(self._git, [*missing, *tips]).items()}
        return self._dates

    def _target(self, target: Point) -> TargetTree:
        if target.sha not in self._targets:
            self._targets[target.sha] = _outcome(lambda: read_target(self._git, target, self._memory))
        return _given(self._targets[target.sha])

    def _tables(self, examination: Examination) -> dict[str, tuple[StateTable, ...]]:
        return {
            e.facts.environment.path: state_tables(e.facts, standpoints(e.facts, self._others.databases), e.moved_ids)
            for e in examination.environments
        }


class CompletedAnalysis:
    """An analysis whose mirror is given the files that it was cloned without, where judging turns out to need them."""

    def __init__(self, analysis: Analyst, mirror: Mirror) -> None:
        self._analysis = analysis
        self._with_files = mirror.with_files

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        """See `Analysis.judge`."""
        return self._with_files(lambda: self._analysis.judge(target, head, strategy))

    def written(self, target: Point, written: Point) -> tuple[WrittenChain, ...]:
        """See `Analysis.written`."""
        return self._with_files(lambda: self._analysis.written(target, written))

    def recent(self, facts: Facts) -> tuple[ForkOutcomes, ...]:
        """See `Analysis.recent`."""
        return self._analysis.recent(facts)

    def diagnose(self, facts: Facts, rows: tuple[str, ...]) -> RowsDiagnosis:
        """See `Analysis.diagnose`."""
        return self._with_files(lambda: self._analysis.diagnose(facts, rows))

    def effects(self, blobs: tuple[str, ...]) -> dict[str, str]:
        """See `Analysis.effects`."""
        return self._with_files(lambda: self._analysis.effects(blobs))

    def next(self, target: Point, head: Point | None, pulls: OpenPulls, now: datetime) -> NextAnswer:
        """See `Analysis.next`."""
        return self._with_files(lambda: self._analysis.next(target, head, pulls, now))


class Judge:
    """The judgements of one run, each made once; `learn` is told each new one."""

    def __init__(self, analysis: Analyst, learn: Callable[[Judged], None]) -> None:
        self.analysis = analysis
        self._learn = learn
        self._known: dict[tuple[Point, Point | None, Strategy | None], Judged | Exception] = {}
        self._room = _MAX_KEPT

    def judged(self, target: Point, head: Point | None, strategy: Strategy | None = None) -> Judged:
        """As `Analysis.judge`."""
        key = (target, head, strategy)
        found = self._known.get(key)
        if found is None:
            found = _outcome(lambda: self.analysis.judge(target, head, strategy))
            if isinstance(found, Judged):
                self._learn(found)
            weight = found.weight if isinstance(found, Judged) else 0
            if weight <= self._room:
                self._known[key] = found
                self._room -= weight
        return _given(found)


Found = TypeVar("Found")


def _outcome(find: Callable[[], Found]) -> Found | Exception:
    """What was found, or why nothing could be: what failed once in a run is not tried again for each that asks."""
    try:
        return find()
    except Exception as error:
        return error


def _given(outcome: Found | Exception) -> Found:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome

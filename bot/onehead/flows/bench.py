"""One repository while it is being worked on: what is there now, and the judging of its branches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from onehead.flows import ours
from onehead.flows.agenda import is_local
from onehead.flows.changes import Repairs, contents_before, prepare
from onehead.flows.desk import Desk
from onehead.flows.evidence import gather_evidence
from onehead.flows.examine import Ground, Trees, examine, read_ground
from onehead.flows.landings import Landings
from onehead.flows.memory import Memory, memory_for
from onehead.flows.others import Others
from onehead.flows.page import Page
from onehead.flows.whereabouts import whereabouts
from onehead.forge.values import PullRequest, Repository, StatusState
from onehead.gitrepo.command import Git
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import describe, is_ancestor
from onehead.jobs.job import BranchMoved, PullChanged
from onehead.plan.facts import Facts
from onehead.plan.plans import Plan, Reissue
from onehead.plan.policy import Policy, Strategy
from onehead.plan.rivals import Brought, brought
from onehead.plan.verdict import Examination, Point
from onehead.reports.diff import diff
from onehead.states.account import StateTable
from onehead.states.reported import Known, standpoints
from onehead.states.rows import Whereabouts
from onehead.states.table import state_tables

HEADS = "refs/heads/"

_MOST_KEPT = 1_000_000
"""Revisions that the verdicts of one run may hold in memory, at some 200 bytes each; what is more is judged anew."""


@dataclass(frozen=True, slots=True)
class Target:
    """A branch that is deployed.

    Attributes:
        name: short.
        point: full ref and commit.
        policy: what its own tree says that the repository wants.
    """

    name: str
    point: Point
    policy: Policy


@dataclass(frozen=True)
class Case:
    """A branch that was judged.

    Attributes:
        target: what it was judged against.
        repairs: the verdict, with plans that can be carried out, and what they change.
        trees: what was read.
        databases: all that have reported themselves.
    """

    target: Target
    repairs: Repairs
    trees: Trees
    databases: tuple[Known, ...] = ()

    @property
    def examination(self) -> Examination:
        """The verdict."""
        return self.repairs.examination

    @cached_property
    def tables(self) -> dict[str, tuple[StateTable, ...]]:
        """Environment → what becomes of every database, one table per fork that the judged side brings."""
        return {
            e.facts.environment.path: state_tables(e.facts, standpoints(e.facts, self.databases), _renamed(e.plan))
            for e in self.examination.environments
        }

    @cached_property
    def diff(self) -> str:
        """What the repair changes in files; empty where there is none."""
        return diff(self.repairs.all(), contents_before(self.repairs, self.trees))

    @property
    def weight(self) -> int:
        """How many revisions it holds in memory."""
        environments = self.examination.environments
        return sum(len(e.facts.merged) + len(e.facts.head or ()) for e in environments)


def _renamed(plan: Plan) -> tuple[str, ...]:
    """The revisions that a re-parent gives new ids."""
    return tuple(id_ for id_, _ in plan.files) if isinstance(plan, Reissue) and plan.by_policy else ()


@dataclass
class Bench:
    """One repository, its mirror held and fresh.

    Attributes:
        desk: the tools.
        repository: as the forge describes it now.
        mirror: held.
        pulls: all open pull requests.
        heads: short branch name → commit.
        pull_heads: number of a pull request → the commit of its branch, closed ones included.
        laid_ready: full name of a ref with a repair for a branch in a fork → commit.
        targets: short name → deployed branch; the default branch first.
        reported: commit of what databases have reported; empty where none has.
        kept: repair branches that this run found to be needed.
        told: pull requests on which this run has explained a fork of a target.
        credits: target and head (SHAs; empty for the target itself) → who brought what, where it was asked.
        pushed: what this run has pushed a repair onto, and the commit; it has to be looked at again.
        refusal: the first trouble with a single page or branch, to be raised once everything else is done.
        told_statuses: commits whose status this run has set, or found right.
        shared: commits of which several things are judged, such as one branch with pull requests into two targets.
        statuses: of those: what the status says so far; a commit has only one, and the worst counts.
        mended: branch → the pull request for which this run has offered a repair of it.
        unneeded: branch → why one of its pull requests needs no repair of it (any more).
    """

    desk: Desk
    repository: Repository
    mirror: Mirror
    pulls: tuple[PullRequest, ...]
    heads: dict[str, str]
    pull_heads: dict[int, str]
    laid_ready: dict[str, str]
    targets: dict[str, Target]
    reported: str = ""
    kept: set[str] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    pushed: dict[BranchMoved | PullChanged, str] = field(default_factory=dict)
    credits: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    refusal: Exception | None = None
    told_statuses: set[str] = field(default_factory=set)
    shared: frozenset[str] = frozenset()
    statuses: dict[str, tuple[StatusState, str]] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    unneeded: dict[str, str] = field(default_factory=dict)
    _pages: dict[int, Page] = field(default_factory=dict)
    _grounds: dict[str, Ground] = field(default_factory=dict)
    _cases: dict[tuple[str, str, str], Case] = field(default_factory=dict)
    _room: int = _MOST_KEPT

    @property
    def git(self) -> Git:
        """The mirror's door for reading, and for writing commits."""
        return self.mirror.git

    @property
    def url(self) -> str:
        """Where git finds the repository."""
        return self.desk.clone_url(self.repository)

    @property
    def main(self) -> Target:
        """The target that branches without a pull request are judged against."""
        return next(iter(self.targets.values()))

    def judge(self, target: Target, head: Point | None, strategy: Strategy | None = None) -> Case:
        """Judge the target by itself, or a branch as it would be once merged into it.

        Args:
            target: the deployed branch.
            head: the branch; `None` for the target itself.
            strategy: chosen by a person for this branch; `None` for what the repository wants.
        """
        key = (target.name, head.ref + head.sha if head else "", strategy or "")
        case = self._cases.get(key)
        if case is None:
            case = self._judge(target, head, strategy)
            if case.weight <= self._room:
                self._cases[key] = case
                self._room -= case.weight
        return case

    def _judge(self, target: Target, head: Point | None, strategy: Strategy | None) -> Case:
        if target.name not in self._grounds:
            self._grounds[target.name] = read_ground(self.git, target.point, self._memory)
        examination, trees = examine(
            self.git,
            target.point,
            head,
            ground=self._grounds[target.name],
            strategy=strategy,
            memory=self._memory,
            evidence=lambda facts, policy: gather_evidence(self._others, facts, policy, target.point, head),
        )
        if head is not None:
            found = tuple(item for each in examination.environments for item in brought(each.facts))
            self.desk.recollection.learn_brought(self.url, target.point.sha, head.sha, found)
        self.desk.judged(self.repository.name, examination)
        return Case(target, prepare(examination, trees), trees, self._others.ledger.databases)

    @cached_property
    def _memory(self) -> Memory:
        return memory_for(self.url, self.desk.cache)

    @cached_property
    def _others(self) -> Others:
        return Others(self.git, self._memory)

    def whereabouts(self, facts: Facts, ids: Iterable[str]) -> dict[str, Whereabouts]:
        """Where revisions stand that an environment does not have: on another branch, or in the past."""
        return whereabouts(self._others, facts, ids)

    @cached_property
    def landings(self) -> Landings:
        """How files came onto branches."""
        return Landings(self.git, self.desk.api, self.repository.name)

    def brought(self, target: Target, head: Point) -> tuple[Brought, ...]:
        """What a branch would bring to a target."""
        known = self.desk.recollection.brought(self.url, target.point.sha, head.sha)
        if known is None:
            self.judge(target, head)
            known = self.desk.recollection.brought(self.url, target.point.sha, head.sha)
        return known or ()

    def page(self, number: int) -> Page:
        """The comments of a pull request or issue, read once."""
        if number not in self._pages:
            comments = self.desk.api.comments(self.repository.name, number)
            self._pages[number] = Page(number, tuple(comments), self.desk.me.id)
        return self._pages[number]

    def forget_page(self, number: int) -> None:
        """Read the page again when it is next asked for: something was written there."""
        self._pages.pop(number, None)

    def head_of(self, pull: PullRequest) -> Point | None:
        """The branch of a pull request as it was fetched; `None` where it could not be.

        Forgejo moves `refs/pull/N/head` some time after the branch itself.
        """
        sha = self.heads.get(pull.head.ref) if is_local(pull) else self.pull_heads.get(pull.number)
        return None if sha is None else Point(f"{HEADS}{pull.head.ref}", sha)

    def is_ours(self, pull: PullRequest) -> bool:
        """Whether it is a repair of ours."""
        return pull.head.ref.startswith(ours.BRANCHES) and pull.author.id == self.desk.me.id

    def holds_our_work(self, branch: str) -> bool:
        """Whether nothing on a repair branch is lost with it: we wrote its last commit, or all of it has landed."""
        tip = self.heads.get(branch)
        if tip is None:
            return False
        repaired = self.heads.get(ours.repaired_by(branch))
        landed = repaired is not None and is_ancestor(self.git, tip, repaired)
        return landed or describe(self.git, [tip])[tip].author_email == ours.EMAIL

    def repairs_into(self, branch: str) -> list[PullRequest]:
        """Our open repair pull requests into a branch."""
        return [pull for pull in self.pulls if pull.base.ref == branch and self.is_ours(pull)]

"""One repository while it is being worked on: what is there now, and the judging of its branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar

from onehead.databases.model import OwnDatabase, StateTable
from onehead.databases.reported import ReportedDatabase, standpoints
from onehead.databases.state_table import edited_table, state_tables
from onehead.databases.states import Former, RevisionLocation
from onehead.examine import naming
from onehead.examine.changes import Repairs, contents_before, own_databases, prepare
from onehead.examine.evidence import Others, gather_evidence
from onehead.examine.examine import Ground, Trees, examine, read_ground
from onehead.examine.locations import formerly, whereabouts
from onehead.examine.read import Memory, memory_for
from onehead.forge.models import PullRequest, Repository
from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import describe, is_ancestor
from onehead.plan.facts import Facts
from onehead.plan.policy import Policy, Strategy
from onehead.plan.rivals import Brought, brought
from onehead.plan.verdict import Examination, Point
from onehead.reports.parts import diff
from onehead.service.agenda import is_local
from onehead.service.desk import Desk
from onehead.service.engine import BranchMoved, PullChanged
from onehead.service.landings import Landings
from onehead.service.page import VERDICT, Page
from onehead.service.statuses import Statuses
from onehead.service.troubles import Troubles, page

HEADS = "refs/heads/"

_MAX_KEPT = 1_000_000
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
    databases: tuple[ReportedDatabase, ...] = ()

    @property
    def examination(self) -> Examination:
        """The verdict."""
        return self.repairs.examination

    @cached_property
    def tables(self) -> dict[str, tuple[StateTable, ...]]:
        """Environment → what becomes of every database, one table per fork that the judged side brings."""
        return {
            e.facts.environment.path: state_tables(e.facts, standpoints(e.facts, self.databases), e.moved_ids)
            for e in self.examination.environments
        }

    @cached_property
    def edits(self) -> dict[str, StateTable]:
        """Environment → the databases that lose by a change of published revisions; absent where none does."""
        tables = {
            e.facts.environment.path: edited_table(e.facts, e.findings, standpoints(e.facts, self.databases))
            for e in self.examination.environments
        }
        return {path: table for path, table in tables.items() if table is not None}

    @cached_property
    def own_databases(self) -> dict[str, OwnDatabase]:
        """Environment → what its repair means to a database on which the author has tried the branch."""
        return own_databases(self.repairs)

    @cached_property
    def diff(self) -> str:
        """What the repair changes in files; empty where there is none."""
        return diff(self.repairs.all(), contents_before(self.repairs, self.trees))

    @property
    def weight(self) -> int:
        """How many revisions it holds in memory."""
        environments = self.examination.environments
        held = sum(len(e.facts.merged) + len(e.facts.head or ()) for e in environments)
        return held + sum(map(len, self.repairs.promised.values()))


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
        troubles: what went wrong with single subjects.
        reported: commit of what databases have reported; empty where none has.
        has_pulls: whether there can be pull requests: they may be switched off, or hidden from the bot's account.
        kept: repair branches that this run found to be needed.
        outdated: repair branches onto which this run could not push what is needed now.
        told: pull requests on which this run has explained a fork of a target.
        credits: target and head (SHAs; empty for the target itself) → who brought what, where it was asked.
        pushed: what this run has pushed a repair onto, and the commit; it has to be looked at again.
        statuses: what the status of each judged commit is to say.
        mended: branch → the pull request for which this run has offered a repair of it.
        unneeded: branch → why one of its pull requests needs no repair of it (any more).
        signing: deployed branch → whether it takes signed commits only, as far as that was found out.
    """

    desk: Desk
    repository: Repository
    mirror: Mirror
    pulls: tuple[PullRequest, ...]
    heads: dict[str, str]
    pull_heads: dict[int, str]
    laid_ready: dict[str, str]
    targets: dict[str, Target]
    troubles: Troubles
    reported: str = ""
    has_pulls: bool = True
    kept: set[str] = field(default_factory=set)
    outdated: set[str] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    pushed: dict[BranchMoved | PullChanged, str] = field(default_factory=dict)
    credits: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    statuses: Statuses = field(default_factory=Statuses)
    mended: dict[str, int] = field(default_factory=dict)
    unneeded: dict[str, str] = field(default_factory=dict)
    signing: dict[str, Literal["no", "likely", "required"]] = field(default_factory=dict)
    _pages: dict[int, Page] = field(default_factory=dict)
    _grounds: dict[str, Ground | Exception] = field(default_factory=dict)
    _cases: dict[tuple[str, str, str, str], Case | Exception] = field(default_factory=dict)
    _room: int = _MAX_KEPT

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
        key = (target.name, target.point.sha, head.ref + head.sha if head else "", strategy or "")
        found = self._cases.get(key)
        if found is None:
            found = _outcome(lambda: self._judge(target, head, strategy))
            weight = 0 if isinstance(found, Exception) else found.weight
            if weight <= self._room:
                self._cases[key] = found
                self._room -= weight
        return _given(found)

    def _judge(self, target: Target, head: Point | None, strategy: Strategy | None) -> Case:
        examination, trees = examine(
            self.git,
            target.point,
            head,
            ground=self._ground(target),
            strategy=strategy,
            memory=self._memory,
            evidence=lambda facts, policy: gather_evidence(self._others, facts, policy, target.point, head),
        )
        if head is not None:
            found = tuple(item for each in examination.environments for item in brought(each.facts))
            self.desk.recollection.learn_brought(self.url, target.point.sha, head.sha, found)
        self.desk.judged(self.repository.name, examination)
        return Case(target, prepare(examination, trees), trees, self._others.databases)

    def _ground(self, target: Target) -> Ground:
        if target.point.sha not in self._grounds:
            self._grounds[target.point.sha] = _outcome(lambda: read_ground(self.git, target.point, self._memory))
        return _given(self._grounds[target.point.sha])

    @cached_property
    def _memory(self) -> Memory:
        return memory_for(self.url, self.desk.cache)

    @cached_property
    def _others(self) -> Others:
        return Others(self.git, self._memory)

    def whereabouts(self, facts: Facts, ids: Iterable[str]) -> dict[str, RevisionLocation]:
        """Where revisions stand that an environment does not have: on another branch, or in the past."""
        return whereabouts(self._others, facts, ids)

    def formerly(self, facts: Facts, rows: Iterable[str]) -> dict[str, Former]:
        """What became of ids that an environment does not declare any more."""
        return formerly(self._others, facts, rows)

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
            for comment, _ in self._pages[number].ours(VERDICT):
                self.statuses.link(page(number), comment.html_url)
        return self._pages[number]

    def forget_page(self, number: int) -> None:
        """Read the page again when it is next asked for: something was written there."""
        self._pages.pop(number, None)

    def head_of(self, pull: PullRequest) -> Point | None:
        """The branch of a pull request as it was fetched; `None` where it could not be.

        Forgejo moves `refs/pull/N/head` some time after the branch itself.
        """
        sha = self.heads.get(pull.head.ref) if is_local(pull) else self.pull_heads.get(pull.number)
        return None if sha is None else Point(f"{HEADS}{pull.head.ref}" if pull.has_branch else pull.head.ref, sha)

    def is_ours(self, pull: PullRequest) -> bool:
        """Whether it is a repair of ours."""
        return pull.head.ref.startswith(naming.BRANCHES) and pull.author.id == self.desk.me.id

    def holds_our_work(self, branch: str) -> bool:
        """Whether nothing on a repair branch is lost with it: we wrote its last commit, or all of it has landed."""
        tip = self.heads.get(branch)
        if tip is None:
            return False
        repaired = self.heads.get(naming.repaired_by(branch))
        landed = repaired is not None and is_ancestor(self.git, tip, repaired)
        return landed or describe(self.git, [tip])[tip].author_email == naming.EMAIL

    @property
    def in_doubt(self) -> set[str]:
        """Branches with which something went wrong: it is not known what they need, so nothing of theirs is removed."""
        troubled = {each.subject for each in self.troubles.kept}
        pulls = {pull.head.ref for pull in self.pulls if page(pull.number) in troubled and is_local(pull)}
        return pulls | {subject.removeprefix(HEADS) for subject in troubled}

    def repairs_into(self, branch: str) -> list[PullRequest]:
        """Our open repair pull requests into a branch."""
        return [pull for pull in self.pulls if pull.base.ref == branch and self.is_ours(pull)]

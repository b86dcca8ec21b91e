"""One repository while it is being worked on: what is there now, and the judging of its branches."""

from __future__ import annotations

from dataclasses import dataclass, field

from onehead.flows import ours
from onehead.flows.agenda import is_local
from onehead.flows.changes import Repairs, prepare
from onehead.flows.desk import Desk
from onehead.flows.evidence import gather_evidence
from onehead.flows.examine import Trees, examine
from onehead.flows.memory import memory_for
from onehead.flows.page import Page
from onehead.forge.values import PullRequest, Repository
from onehead.gitrepo.command import Git
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import describe
from onehead.jobs.job import BranchMoved, PullChanged
from onehead.plan.policy import Policy, Strategy
from onehead.plan.rivals import Brought, brought
from onehead.plan.verdict import Examination, Point

HEADS = "refs/heads/"


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


@dataclass(frozen=True, slots=True)
class Case:
    """A branch that was judged.

    Attributes:
        target: what it was judged against.
        repairs: the verdict, with plans that can be carried out, and what they change.
        trees: what was read.
    """

    target: Target
    repairs: Repairs
    trees: Trees

    @property
    def examination(self) -> Examination:
        """The verdict."""
        return self.repairs.examination


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
        targets: short name → deployed branch; the default branch first.
        kept: repair branches that this run found to be needed.
        told: pull requests on which this run has explained a fork of a target.
        pushed: what this run has pushed a repair onto, and the commit; it has to be looked at again.
    """

    desk: Desk
    repository: Repository
    mirror: Mirror
    pulls: tuple[PullRequest, ...]
    heads: dict[str, str]
    pull_heads: dict[int, str]
    targets: dict[str, Target]
    kept: set[str] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    pushed: dict[BranchMoved | PullChanged, str] = field(default_factory=dict)
    _pages: dict[int, Page] = field(default_factory=dict)

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
        memory = memory_for(self.url, self.desk.cache)
        examination, trees = examine(
            self.git,
            target.point,
            head,
            strategy=strategy,
            memory=memory,
            evidence=lambda facts, policy: gather_evidence(self.git, facts, policy, target.point, head, memory),
        )
        if head is not None:
            found = tuple(item for each in examination.environments for item in brought(each.facts))
            self.desk.recollection.learn_brought(self.url, target.point.sha, head.sha, found)
        return Case(target, prepare(examination, trees), trees)

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
        """Whether the last commit of a branch is one that we wrote."""
        tip = self.heads.get(branch)
        return tip is not None and describe(self.git, [tip])[tip].author_email == ours.EMAIL

    def repairs_into(self, branch: str) -> list[PullRequest]:
        """Our open repair pull requests into a branch."""
        return [pull for pull in self.pulls if pull.base.ref == branch and self.is_ours(pull)]

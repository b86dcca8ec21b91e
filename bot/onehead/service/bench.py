"""One repository while it is being worked on: what is there now, and the judging of its branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from onehead.examine import naming
from onehead.examine.read import memory_for
from onehead.forge.models import PullRequest, Repository
from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import describe, is_ancestor
from onehead.plan.policy import Policy, Strategy
from onehead.plan.rivals import Brought
from onehead.plan.verdict import Examination, Point
from onehead.service.agenda import is_local
from onehead.service.desk import Desk
from onehead.service.engine import BranchMoved, PullChanged
from onehead.service.judge import Analysis, Judge, Judged
from onehead.service.landings import Landings
from onehead.service.page import VERDICT, Page
from onehead.service.statuses import Statuses
from onehead.service.troubles import Troubles, page

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


@dataclass(frozen=True)
class Case:
    """A branch that was judged, and against what."""

    target: Target
    judged: Judged

    @property
    def examination(self) -> Examination:
        """The verdict."""
        return self.judged.examination


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

    @cached_property
    def analysis(self) -> Analysis:
        """The mirror, read and judged."""
        return Analysis(self.git, memory_for(self.url, self.desk.cache))

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.analysis, self._learn)

    def judge(self, target: Target, head: Point | None, strategy: Strategy | None = None) -> Case:
        """Judge the target by itself, or a branch as it would be once merged into it."""
        return Case(target, self._judge.judged(target.point, head, strategy))

    def _learn(self, judged: Judged) -> None:
        examination = judged.examination
        if examination.head is not None:
            memory = self.desk.recollection
            memory.learn_brought(self.url, examination.target.sha, examination.head.sha, judged.brought)
        self.desk.judged(self.repository.name, examination)

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

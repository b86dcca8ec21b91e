"""What a run knows before it decides, and what a repository is to look like then, as values. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from onehead.examine import naming
from onehead.forge.models import MAX_DESCRIPTION_LENGTH, PullRequest, Status, StatusState
from onehead.gitrepo.refs import HEADS
from onehead.plan.rivals import Rival
from onehead.plan.verdict import Point
from onehead.reports.replies import Ending
from onehead.reports.terminal import short_ref
from onehead.service.judge import Judged
from onehead.service.snapshot import Choices, Page, Snapshot, Target
from onehead.text import cut_words

_MAX_LENGTH_BEFORE_A_NOTE = 140


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one subject: a pull request into its target, a branch, a deployed branch."""

    sha: str
    state: StatusState
    text: str
    about: str = ""  # what is said of it where more is judged of the commit; empty: its subject
    next: str = ""  # the next step as far as it is known before anything is done; a note replaces it


class Statuses:
    """What the status of each judged commit is to say.

    A commit has one status, and several things may be judged of it: a branch that is proposed to two targets, or a
    branch that nobody has added to yet. The worst verdict counts.
    """

    def __init__(self) -> None:
        self._verdicts: dict[str, dict[str, Verdict]] = defaultdict(dict)
        self._notes: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def learn(self, subject: str, verdict: Verdict) -> None:
        """Keep a verdict; a later one about the same subject and commit replaces it."""
        self._verdicts[verdict.sha][subject] = verdict

    def note(self, subject: str, text: str) -> None:
        """Something that is told behind the verdict about a subject, such as the next step; the last one counts."""
        self._notes[subject] = text

    def link(self, subject: str, url: str) -> None:
        """The page that says more about a subject."""
        if url:
            self._links[subject] = url

    def worst(self) -> Iterator[tuple[str, Verdict]]:
        """The verdict that counts for each commit, with its subject: failures first.

        Among several failures the first that was learned counts, so the text does not change from run to run.
        """
        chosen = []
        for verdicts in self._verdicts.values():
            failures = [each for each in verdicts.items() if each[1].state is not StatusState.SUCCESS]
            subject, verdict = next(iter(failures or verdicts.items()))
            if failures and len(verdicts) > 1:
                verdict = replace(verdict, text=f"{verdict.about or short_ref(subject)}: {verdict.text}")
            chosen.append((subject, verdict))
        yield from sorted(chosen, key=lambda each: each[1].state is StatusState.SUCCESS)

    def red_beside(self, subject: str, sha: str) -> str:
        """Which other subject of a commit fails, so that its status is red whatever this one says; empty for none."""
        others = self._verdicts[sha].items()
        return next((each for each, found in others if each != subject and found.state is not StatusState.SUCCESS), "")

    def wanted(self, subject: str, verdict: Verdict, present: Status | None) -> Status:
        """What the status of a commit is to say; the link of the present one stays where this run knows no other.

        The note of the subject whose verdict counts goes before those of the others at the same commit.
        """
        subjects = (subject, *self._verdicts[verdict.sha])
        note = next((self._notes[each] for each in subjects if each in self._notes), verdict.next)
        text = f"{_before_a_note(verdict)} {note}" if note else _line(verdict)
        link = self._links.get(subject, present.target_url if present else "")
        return Status(naming.STATUS, verdict.state.value, cut_words(text, MAX_DESCRIPTION_LENGTH), link)


def tells(present: Status, verdict: Verdict) -> bool:
    """Whether a status tells a verdict already, whatever note stands behind it: notes are known only at the end."""
    is_same = present.description == cut_words(_line(verdict), MAX_DESCRIPTION_LENGTH)
    return present.state == verdict.state and (is_same or present.description.startswith(f"{_before_a_note(verdict)} "))


def _line(verdict: Verdict) -> str:
    return " ".join(verdict.text.split())


def _before_a_note(verdict: Verdict) -> str:
    return cut_words(_line(verdict), _MAX_LENGTH_BEFORE_A_NOTE)


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A deployed branch that was judged by itself; where it could not be, `why` says the reason."""

    target: Target
    judged: Judged | None = None
    why: str = ""
    tells: tuple[int, ...] = ()  # pull requests whose pages tell of its fork
    behind: tuple[int, ...] = ()  # those that brought its fork
    settles: tuple[int, ...] = ()  # those on which a fork of it was told that is gone
    repair: int | None = None
    elsewhere: str = ""  # where somebody else's merge of its heads is, as far as that is known


@dataclass(frozen=True, slots=True)
class KnownPull:
    """An open pull request, judged as people have chosen for it; where it could not be, `why` says the reason.

    `target` is `None` where what it goes into is not deployed, so that nothing is judged.
    """

    pull: PullRequest
    head: Point
    target: Target | None
    rivals: tuple[Rival, ...] = ()
    judged: Judged | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class KnownBranch:
    """A branch without a pull request; where it could not be judged, `why` says the reason."""

    name: str
    head: Point
    judged: Judged | None = None
    why: str = ""
    refused: bool = False  # whether somebody has closed its pull request without merging it, and left the branch


@dataclass(frozen=True, slots=True)
class KnownState:
    """All that one run knows before it decides."""

    snapshot: Snapshot
    targets: tuple[KnownTarget, ...] = ()
    pulls: tuple[KnownPull, ...] = ()  # open ones, oldest first
    branches: tuple[KnownBranch, ...] = ()
    closed: tuple[PullRequest, ...] = ()
    gone: tuple[str, ...] = ()  # branches that were deleted, short names
    pages: Mapping[int, Page] = field(default_factory=dict)  # as far as they can be read
    faults: Mapping[int, str] = field(default_factory=dict)  # number of a changed repair → what it would leave, if any
    everything: bool = False  # whether all of the repository was looked at
    commands: bool = True  # whether somebody answers commands on its pages

    def choices(self, pull: PullRequest) -> Choices:
        """What people chose; nothing where the page can't be read, so that the status stays red."""
        found = self.pages.get(pull.number)
        return Choices() if found is None else found.choices

    def standing_repair(self, branch: str) -> PullRequest | None:
        """An open repair of a branch that does what it is for, or is about to be brought up to date."""
        return next((pull for pull in self.snapshot.repairs_into(branch) if not self.faults.get(pull.number)), None)


Source = Literal["branch", "agit", "gone"]


def source_of(pull: PullRequest) -> Source:
    """Where the commits of a pull request come from, as far as that tells who can push to it."""
    if pull.has_branch and pull.head.repository is not None:
        return "branch"
    return "agit" if pull.head.repository == pull.base.repository else "gone"


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of a repair.

    Where it can have no pull request, `branch` is the ref of the base repository that holds it. The branch judged is in
    a fork: a full name, and no branch, see `naming.LAID_READY`. Pull requests are switched off: a branch.
    """

    pull: PullRequest | None = None  # with a `trouble`, one that is not what onehead would propose now
    branch: str = ""
    patch: str = ""  # the same, for `git am`
    pushed: str = ""  # the commit, where it was pushed onto the branch itself
    merged_first: bool = False  # whether a merge of the target stands beneath the fix
    trouble: str = ""  # why it was not offered, and what to do instead
    fault: str = ""  # what its pull request would leave, where it could not be brought up to date
    source: Source = "branch"
    commit: str = ""  # the one with the fix, wherever it lies


@dataclass(frozen=True, slots=True)
class WantedRepair:
    """A repair that is to be there, and for whom.

    `tell`: pull requests that are told about a fork of the target, and will be told when it is gone; remembered in the
    hidden marker of the repair, so that nothing else needs storage.
    """

    subject: str  # what it repairs: `#12` or the full name of a branch
    target: Target
    judged: Judged
    pull: PullRequest | None = None  # the one that it repairs; `None` for the target and for a branch without one
    choices: Choices = field(default_factory=Choices)
    earlier: frozenset[int] = frozenset()  # numbers of repair pull requests that were offered for it before
    tell: tuple[int, ...] = ()
    alone: bool = False  # whether it is a branch without a pull request: nothing is pushed onto it unasked
    told: bool = False  # whether a page of a person's tells of it

    @property
    def is_here(self) -> bool:
        """Whether the branch is one of the repository itself."""
        return self.pull is None or self.pull.is_local

    @property
    def base(self) -> str:
        """The branch that is repaired, short."""
        return short_ref(self.judged.point.ref)

    @property
    def key(self) -> str:
        """What is repaired: a branch has one repair, whoever proposes it."""
        return f"{HEADS}{self.base}" if self.is_branch else self.subject

    @property
    def is_branch(self) -> bool:
        """Whether a branch of the repository is to be repaired, by a pull request or by a push."""
        return self.is_here and self.target.policy.delivery != "comment"

    @property
    def ref(self) -> str:
        """Full name of the ref that holds it."""
        kind = self.judged.repair.kind if self.judged.repair else ""
        if self.pull is not None and not self.is_here:
            return f"{naming.LAID_READY}{kind}/pr-{self.pull.number}"
        return f"{HEADS}{naming.BRANCHES}{kind}/{self.base}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A comment with a problem and what becomes of its repair."""

    target: Target
    judged: Judged
    rivals: tuple[Rival, ...]
    subject: str  # whose status leads to the comment
    repair: str  # key of the repair of which it tells
    offer: Offer | None = None  # what is told instead, where there is none


@dataclass(frozen=True, slots=True)
class Notice:
    """A comment without a repair: its text, and what it is about."""

    text: str
    state: str


@dataclass(frozen=True, slots=True)
class ProblemGone:
    """The end of a problem that is gone; `repair` may have mended it."""

    judged: Judged
    repair: int | None
    gone: str  # what is not there any more, a sentence
    red: str  # what keeps the status of the commit red all the same, as Markdown


DesiredComment = Problem | Notice | ProblemGone | Ending


@dataclass(slots=True)
class Desired:
    """What a repository is to look like."""

    statuses: Statuses
    repairs: dict[str, WantedRepair] = field(default_factory=dict)  # by key: one per branch
    unneeded: dict[str, str] = field(default_factory=dict)  # branch → why it needs no repair (any more)
    comments: dict[int, DesiredComment] = field(default_factory=dict)  # by the number of the pull request
    replaced: dict[int, tuple[int, ...]] = field(default_factory=dict)  # … → ids of comments that CI jobs wrote there
    removed: tuple[str, ...] = ()  # refs of ours that are to go, by full name

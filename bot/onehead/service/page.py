"""What stands on the page of a pull request or issue. Our own comments there are all the memory that onehead has.

Anybody can copy a hidden marker, so only those in comments of our own account count. Choices that people made with
commands stand in the facts of our answers; the newest of each kind counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from onehead.forge.api import ForgejoApi
from onehead.forge.intents import Marker, parse
from onehead.forge.models import Comment, RepositoryName
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Examination

VERDICT = "verdict"
"""Kind of the one comment that says how a pull request stands."""

ANSWER = "answer"
"""Kind of the replies to commands; `about` is the id of the comment that is answered."""


PROBLEM, HEADS_UP, WARNED, ENDED = "problem", "heads-up", "warned", "ended"
"""What the one comment is about at present; kept in its marker."""


@dataclass(frozen=True, slots=True)
class IgnoredFindings:
    """Somebody has decided, for a reason or none, to live with the problems of that time: see `problem_keys`."""

    by: str
    reason: str
    problems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Choices:
    """What people chose for one pull request, by commands.

    Attributes:
        strategy: the repair that was asked for; `None` where nobody asked, or took it back.
        strategy_at: when that was last said.
    """

    strategy: Strategy | None = None
    strategy_at: datetime | None = None
    ignored: IgnoredFindings | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The comments of one pull request or issue, oldest first: all of them, or those of the last days."""

    number: int
    comments: tuple[Comment, ...]
    me: int

    def ours(self, kind: str) -> Iterator[tuple[Comment, Marker]]:
        """Our comments of one kind, oldest first."""
        for comment in self.comments:
            marker = parse(comment.body) if comment.author.id == self.me else None
            if marker is not None and marker.kind == kind:
                yield comment, marker

    @property
    def verdict(self) -> Marker | None:
        """The marker of the comment that says how the pull request stands; `None` where nothing was said yet."""
        return next((marker for _, marker in self.ours(VERDICT)), None)

    @property
    def state(self) -> str:
        """What the one comment is about at present; empty where there is none."""
        return str(self.verdict.facts.get("state", "")) if self.verdict is not None else ""

    @property
    def ended_as(self) -> str:
        """The title under which the comment told how it ended; empty where nothing was said or something goes on."""
        marker = self.verdict
        return str(marker.facts.get("as", "")) if marker is not None and self.state == ENDED else ""

    @property
    def earlier_repair(self) -> int | None:
        """The number of the repair pull request that the comment points to."""
        known = self.verdict.facts.get("repair") if self.verdict else None
        return known if isinstance(known, int) else None

    @property
    def url(self) -> str:
        """The address of the comment that says how the pull request stands; empty where there is none."""
        return next((comment.html_url for comment, _ in self.ours(VERDICT)), "")

    def answer_to(self, comment: int) -> Marker | None:
        """The marker of our reply to the commands in a comment; `None` where there is none."""
        return next((marker for _, marker in self.ours(ANSWER) if marker.about == str(comment)), None)

    @property
    def choices(self) -> Choices:
        """What people chose; a later choice replaces an earlier one of its kind."""
        strategy: Strategy | None = None
        strategy_at: datetime | None = None
        ignored: IgnoredFindings | None = None
        for reply, marker in self.ours(ANSWER):
            if "strategy" in marker.facts:
                strategy, strategy_at = _strategy(marker), reply.created_at
            if "ignored" in marker.facts:
                ignored = _ignored(marker)
        return Choices(strategy, strategy_at, ignored)


class Pages:
    """The pages of one repository, each read once."""

    def __init__(self, api: ForgejoApi, repository: RepositoryName, me: int) -> None:
        """Read nothing yet."""
        self._api = api
        self._repository = repository
        self._me = me
        self._read: dict[int, Page] = {}

    def __getitem__(self, number: int) -> Page:
        if number not in self._read:
            self._read[number] = Page(number, tuple(self._api.comments(self._repository, number)), self._me)
        return self._read[number]

    def forget(self, number: int) -> None:
        """Read the page again when it is next asked for: something was written there."""
        self._read.pop(number, None)


def _strategy(marker: Marker) -> Strategy | None:
    """What was asked for; `auto` takes it back, so that the policy decides."""
    asked = marker.facts["strategy"]
    return asked if asked == "merge" or asked == "reparent" else None  # noqa: PLR1714 - narrows the type


def _ignored(marker: Marker) -> IgnoredFindings | None:
    problems = marker.facts["ignored"]
    if not isinstance(problems, list):
        return None
    by, reason = marker.facts.get("by"), marker.facts.get("reason")
    return IgnoredFindings(str(by or "somebody"), str(reason or ""), frozenset(str(problem) for problem in problems))


def problem_keys(examination: Examination) -> frozenset[str]:
    """What the judged side brings, by names that stay the same when only the target moves."""
    keys = {
        f"{finding.code}@:{finding.message}"
        for finding in examination.findings
        if finding.severity == "error" and finding.introduced_by == examination.judged
    }
    for examined in examination.environments:
        for finding in examined.findings:
            if finding.severity == "error" and finding.introduced_by == examination.judged:
                own = [id_ for id_ in finding.revisions if id_ not in examined.facts.target]
                keys.add(f"{finding.code}@{examined.facts.environment.path}:{','.join(own)}")
    return frozenset(keys)

"""The verdict on a branch or a push: the findings and the plan of every environment, and one word for all of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from onehead.plan.findings import Code, Facts, Finding, Severity, Side
from onehead.plan.forks import Fork, Interaction, forks_of
from onehead.plan.plans import Plan, Reissue, Reparent

Verdict = Literal["ok", "collision", "fork", "broken", "unreadable"]


class Point(NamedTuple):
    """A place in the history: the name it was asked for by, and the commit it stands for."""

    ref: str
    sha: str


class Coverage(NamedTuple):
    """How many environments were judged and left out by the policy, and how many of their revision files were read."""

    environments: int
    files: int
    read: int
    ignored: int = 0


class Unjudged(NamedTuple):
    """What a verdict does not speak of, although one could think so.

    `no-comparison`: no branch was compared with the target; `uncommitted`: the work tree holds revisions that are in no
    commit; `ignored`: environments that the policy leaves out. The paths are those of files or environments, sorted.
    """

    code: Literal["no-comparison", "uncommitted", "ignored", "no-environment"]
    message: str
    paths: tuple[str, ...] = ()


class Examined(NamedTuple):
    """One environment; `interactions` tell how the sides of its forks get along.

    Its repair must not use the ids and file stems that are `taken` (see `Evidence`). Where the plan is a merge, `asked`
    is what would be done if a re-parent was asked for.
    """

    facts: Facts
    findings: tuple[Finding, ...]
    plan: Plan
    interactions: tuple[Interaction, ...] = ()
    taken: frozenset[str] = frozenset()
    asked: Plan | None = None

    @property
    def moved_ids(self) -> dict[str, str]:
        """Old id → new one, of what a re-parent renames here, whether or not it is the plan."""
        plan = self.asked or self.plan
        if isinstance(plan, Reparent) or (isinstance(plan, Reissue) and plan.by_policy):
            return plan.new_ids
        return {}


class Examination(NamedTuple):
    """All environments of a repository by path, judged for one target and, if there is one, one head.

    `head` is the branch that was pushed, `None` when the target, the branch that is deployed, is judged itself;
    `merge_base` is `None` then too, and without common history. `findings` are about the repository as a whole, such as
    its policy.
    """

    target: Point
    head: Point | None
    merge_base: str | None
    coverage: Coverage
    environments: tuple[Examined, ...]
    findings: tuple[Finding, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def judged(self) -> Side:
        """Which side answers for the findings that count."""
        return "target" if self.head is None else "head"

    def own_errors(self) -> tuple[Finding, ...]:
        """Error findings that the judged side brought, over all environments."""
        return self._own("error")

    def own_warnings(self) -> tuple[Finding, ...]:
        """Warnings that the judged side brought, over all environments: nobody else will tell of them."""
        return self._own("warning")

    def _own(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(
            finding
            for findings in (self.findings, *(examined.findings for examined in self.environments))
            for finding in findings
            if finding.severity == severity and finding.introduced_by == self.judged
        )

    @property
    def verdict(self) -> Verdict:
        """One word: what is certain comes before what is unknown."""
        errors = self.own_errors()
        certain = {finding.code for finding in errors if not finding.blinds}
        if Code.COLLISION in certain:
            return "collision"
        if Code.FORK in certain:
            return "fork"
        if certain:
            return "broken"
        return "unreadable" if errors else "ok"

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 a deploy would break, 3 could not judge."""
        return {"ok": 0, "unreadable": 3}.get(self.verdict, 1)


Before = Literal["itself", "default", "nothing"]
"""What a pushed branch is compared with: its own old tip; the default branch's, where the branch is new; nothing, where
there is no default branch yet."""


class PushedBranch(NamedTuple):
    """A deployed branch as a push would leave it: the pushed commit in the place of what it was compared with.

    `grows`: whether what stood there before is part of what is pushed (no force push, no new branch).
    """

    branch: str
    before: Before
    examination: Examination
    grows: bool = True


def objections(pushed: PushedBranch) -> tuple[Finding, ...]:
    """Why the push is refused; empty where it is accepted.

    It answers for the errors that it brings: what the branch had already is no reason, so that a forked branch can
    still be worked on, and repaired. Of a repository's very first push nobody can say what it brings, so only
    what is certain counts: a file that can't be read may have been there for years.
    """
    errors = pushed.examination.own_errors()
    if pushed.before == "nothing":
        return tuple(finding for finding in errors if not finding.blinds)
    return errors


def new_forks(examined: Examined, side: Side) -> tuple[Fork, ...]:
    """The forks of one environment that this side brings."""
    return tuple(fork for fork in forks_of(examined.facts) if fork.introduced_by == side)


def remaining_forks(pushed: PushedBranch) -> tuple[Fork, ...]:
    """Forks that the branch had and keeps."""
    if pushed.before != "itself":
        return ()
    return tuple(fork for examined in pushed.examination.environments for fork in new_forks(examined, "target"))


def mended(pushed: PushedBranch) -> tuple[Examined, ...]:
    """Environments that were forked, and are at one head again by this push."""
    if pushed.before != "itself":
        return ()
    return tuple(
        examined
        for examined in pushed.examination.environments
        if len(examined.facts.merged.heads) == 1
        and forks_of(examined.facts._replace(head=None, merged=examined.facts.target))
    )

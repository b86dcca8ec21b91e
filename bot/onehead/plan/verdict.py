"""The whole answer to "may this branch be merged?": every environment's findings and plan, and one verdict."""

from __future__ import annotations

from typing import Literal, NamedTuple

from onehead.plan.facts import Facts
from onehead.plan.findings import Code, Finding, Side
from onehead.plan.meetings import Meeting
from onehead.plan.plans import Plan, Reissue, Reparent

Verdict = Literal["ok", "collision", "fork", "broken", "unreadable"]


class Point(NamedTuple):
    """A place in the history: the name it was asked for by, and the commit it stands for."""

    ref: str
    sha: str


class Coverage(NamedTuple):
    """What was looked at.

    Attributes:
        environments: how many were judged.
        files: revision files in them.
        read: how many of these could be read.
        ignored: environments that the policy leaves out.
    """

    environments: int
    files: int
    read: int
    ignored: int = 0


class Unjudged(NamedTuple):
    """What a verdict does not speak of, although one could think so.

    Attributes:
        code: `no-comparison` (no branch was compared with the target), `uncommitted` (the work tree holds revisions
            that are in no commit), `ignored` (environments that the policy leaves out) or `no-environment`.
        message: what that means, and what to do about it.
        paths: files or environments concerned, sorted.
    """

    code: Literal["no-comparison", "uncommitted", "ignored", "no-environment"]
    message: str
    paths: tuple[str, ...] = ()


class Examined(NamedTuple):
    """One environment.

    Attributes:
        facts: what is known.
        findings: what is wrong with it.
        plan: what should be done.
        meetings: how the sides of its forks get along.
        taken: ids and file stems that its repair must not use (see `Evidence`).
        asked: where the plan is a merge: what would be done if a re-parent was asked for.
    """

    facts: Facts
    findings: tuple[Finding, ...]
    plan: Plan
    meetings: tuple[Meeting, ...] = ()
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
    """All environments of a repository, judged for one target and, if there is one, one head.

    Attributes:
        target: the branch that is deployed.
        head: the branch that was pushed; `None` when the target itself is judged.
        merge_base: where the two parted; `None` without a head or without common history.
        coverage: what was looked at in the judged tree.
        environments: sorted by path.
        text_conflicts: paths anywhere in the repository that git can't merge by itself.
        findings: what is wrong with the repository as a whole, such as its policy.
        unjudged: what was not looked at.
    """

    target: Point
    head: Point | None
    merge_base: str | None
    coverage: Coverage
    environments: tuple[Examined, ...]
    text_conflicts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def judged(self) -> Side:
        """Which side answers for the findings that count."""
        return "target" if self.head is None else "head"

    def own_errors(self) -> tuple[Finding, ...]:
        """Error findings that the judged side brought, over all environments."""
        return tuple(
            finding
            for findings in (self.findings, *(examined.findings for examined in self.environments))
            for finding in findings
            if finding.severity == "error" and finding.introduced_by == self.judged
        )

    def own_warnings(self) -> tuple[Finding, ...]:
        """Warnings that the judged side brought, over all environments: nobody else will tell of them."""
        return tuple(
            finding
            for findings in (self.findings, *(examined.findings for examined in self.environments))
            for finding in findings
            if finding.severity == "warning" and finding.introduced_by == self.judged
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

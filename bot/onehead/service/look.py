"""One look at a repository: what is there now, and what can be asked about it. Only `apply` writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from onehead.examine.read import memory_for
from onehead.examine.repair import merged_commit
from onehead.forge.models import PullRequest, Repository
from onehead.gitrepo.mirror import Mirror
from onehead.plan.policy import Strategy
from onehead.plan.rivals import Brought
from onehead.plan.verdict import Point
from onehead.reports.comment import one_line
from onehead.service.desk import Desk
from onehead.service.judge import Analysis, Analyst, Judge, Judged
from onehead.service.page import Pages
from onehead.service.provenance import Provenance
from onehead.service.snapshot import HEADS, Snapshot, Target, take_snapshot
from onehead.service.troubles import Troubles


@dataclass(frozen=True, slots=True)
class Look:
    """What a run works with.

    Attributes:
        desk: the tools.
        mirror: held and fresh.
        snapshot: what is there.
        judge: what is found out from git alone.
        pages: comments, read where they are asked for.
        provenance: who brought what.
        troubles: what went wrong with single subjects.
    """

    desk: Desk
    mirror: Mirror
    snapshot: Snapshot
    judge: Judge
    pages: Pages
    provenance: Provenance
    troubles: Troubles

    @property
    def repository(self) -> Repository:
        """As the forge describes it."""
        return self.snapshot.repository

    @property
    def url(self) -> str:
        """Where git finds the repository."""
        return self.desk.clone_url(self.repository)

    def judged(self, target: Target, head: Point | None, strategy: Strategy | None = None) -> Judged:
        """Judge the target by itself, or a branch as it would be once merged into it."""
        return self.judge.judged(target.point, head, strategy)

    def brought(self, target: Target, head: Point) -> tuple[Brought, ...]:
        """What a branch would bring to a target."""
        known = self.desk.recollection.brought(self.url, target.point.sha, head.sha)
        return self.judged(target, head).brought if known is None else known

    def fault_of(self, pull: PullRequest) -> str:
        """What a repair of ours would leave, if a person has changed it: another one is made anew when it has to be."""
        head = None if pull.head.ref in self.snapshot.untouched else self.snapshot.head_of(pull)
        return "" if head is None else self.left_by_repair(pull, head)

    def left_by_repair(self, pull: PullRequest, head: Point) -> str:
        """What would still be wrong with a branch once one of our repairs is merged into it, a sentence."""
        base = self.snapshot.heads.get(pull.base.ref)
        if base is None:
            return ""
        merged = merged_commit(self.snapshot.git, base, head.sha)
        if merged is None:
            return f"git can't merge it into {pull.base.ref} by itself."
        into = self.snapshot.targets.get(pull.base.ref)
        if into is not None:
            after = [self.judged(replace(into, point=Point(into.point.ref, merged)), None)]
        else:
            point = Point(f"{HEADS}{pull.base.ref}", merged)
            needing = (
                each for each in self._targets_of(pull.base.ref) if not self.judged(each, Point(point.ref, base)).is_ok
            )
            # It is made for the first of them.
            after = [self.judged(target, point) for target in [*needing][:1]]
        return next((one_line(judged.examination) for judged in after if not judged.is_ok), "")

    def _targets_of(self, branch: str) -> list[Target]:
        """What a branch is proposed to."""
        targets = self.snapshot.targets
        proposed = dict.fromkeys(pull.base.ref for pull in self.snapshot.proposing(branch))
        return [targets[name] for name in proposed if name in targets] or [self.snapshot.main]


def _analyst(desk: Desk, mirror: Mirror, url: str) -> Analyst:
    if desk.analyzers is None:
        return Analysis(mirror.git, memory_for(url, desk.cache))
    return desk.analyzers.open(Path(mirror.git.directory), desk.cache, url)


def look_at(desk: Desk, repository: Repository, mirror: Mirror, troubles: Troubles) -> Look | None:
    """Look at a repository; `None` where there is nothing to see yet."""
    snapshot = take_snapshot(desk, repository, mirror, troubles)
    if snapshot is None:
        return None
    url = desk.clone_url(repository)

    def learn(judged: Judged) -> None:
        examination = judged.examination
        if examination.head is not None:
            desk.recollection.learn_brought(url, examination.target.sha, examination.head.sha, judged.brought)
        desk.judged(repository.name, examination)

    return Look(
        desk=desk,
        mirror=mirror,
        snapshot=snapshot,
        judge=Judge(_analyst(desk, mirror, url), learn),
        pages=Pages(desk.api, repository.name, desk.me.id),
        provenance=Provenance(snapshot, desk.api, troubles),
        troubles=troubles,
    )

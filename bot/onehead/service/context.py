"""What a run works with: the service's tools, and one look at a repository. Only `apply` writes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from onehead.examine.read import memory_for
from onehead.examine.repair import merged_commit
from onehead.forge.api import ForgejoApi, own_account
from onehead.forge.intents import ForgeWriter, Write, WriteKind
from onehead.forge.models import PullRequest, Repository, RepositoryName, User
from onehead.gitrepo.mirror import Mirror, Mirrors
from onehead.gitrepo.refs import HEADS
from onehead.gitrepo.remote import PushOutcome, PushStatus, RefUpdate
from onehead.plan.policy import Strategy
from onehead.plan.rivals import Brought, Rival
from onehead.plan.verdict import Examination, Point
from onehead.reports.comment import one_line
from onehead.service.analyzer import Analyzers
from onehead.service.judge import Analysis, Analyst, CompletedAnalysis, Judge, Judged
from onehead.service.memory import OwnShelf, Remembered, Shelf
from onehead.service.page_store import PageStore
from onehead.service.probe import NothingToJudge, refs_without_alembic, snapshot_without_alembic
from onehead.service.snapshot import Pages, Provenance, Target, open_pulls, take_snapshot
from onehead.service.troubles import Troubles
from onehead.service.verdict_writer import RepositoryAccess

_MAX_REMEMBERED = 20_000  # judged branches of which it is remembered what they bring; about half a kilobyte each
_MAX_PROBED = 50_000  # repositories without Alembic that are remembered; about a kilobyte for ten branches
_MAX_TIPS_OF_ONE = 100  # commits that are remembered of one of them


class Recollection:
    """What is remembered between jobs, to save work, by clone URL. All of it may be lost at any moment."""

    def __init__(self, shelf: Shelf) -> None:
        # … and target → the rivals of which the pull requests into it were told last.
        self._rivals: Remembered[dict[int, tuple[Rival, ...]]] = Remembered(
            shelf, "rivals", dict[int, tuple[Rival, ...]]
        )
        # The commit of what databases had reported when all was judged last; empty for none.
        self.reported: Remembered[str] = Remembered(shelf, "reported", str)
        # … and the commits of a target and of a head → what that brings, where this process has judged them.
        self.brought: OrderedDict[tuple[str, str, str], tuple[Brought, ...]] = OrderedDict()
        # … → commits in which nothing hints at Alembic, of repositories without it.
        self.without_alembic: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def rivals(self, clone_url: str, target: str) -> dict[int, tuple[Rival, ...]]:
        """The rivals, by pull request, of which those into a target were told last."""
        return self._rivals.get(f"{clone_url} {target}") or {}

    def learn_rivals(self, clone_url: str, found: Mapping[str, dict[int, tuple[Rival, ...]]]) -> None:
        """Remember the rivals by target."""
        self._rivals.put({f"{clone_url} {target}": rivals for target, rivals in found.items()})

    def learn_brought(self, clone_url: str, target: str, head: str, found: tuple[Brought, ...]) -> None:
        """Remember what a commit brings to another one."""
        self.brought[clone_url, target, head] = found
        while len(self.brought) > _MAX_REMEMBERED:
            self.brought.popitem(last=False)

    def learn_without_alembic(self, clone_url: str, tips: Collection[str]) -> None:
        """Remember the commits of a repository in which nothing hints at Alembic."""
        self.without_alembic.pop(clone_url, None)
        self.without_alembic[clone_url] = tuple(sorted(tips)[:_MAX_TIPS_OF_ONE])
        while len(self.without_alembic) > _MAX_PROBED:
            self.without_alembic.popitem(last=False)


@dataclass
class ServiceContext:
    """The service's tools.

    Attributes:
        forgejo_url: where the service reaches the forge, without a trailing slash; clone URLs that the forge tells
            are built from its own idea of its address, which may be another one.
        bot: name of its account, where we were told; empty where the forge is to say.
        cache: where parsed files are remembered.
        ensure_webhook: makes the webhook of a repository anew, where somebody has deleted it and it can be made.
        dry_run: whether writes are only recorded.
        analyzers: the processes that judge; `None`: it is judged in this one.
        page: keeps what is shown of each repository; `None`: nothing is.
    """

    api: ForgejoApi
    mirrors: Mirrors
    forgejo_url: str
    token: str
    cache: Path
    bot: str = ""
    covers: Callable[[Repository], bool] = lambda _repository: True
    judged: Callable[[RepositoryName, Examination], None] = lambda _name, _examination: None
    ensure_webhook: Callable[[Repository], object] = lambda _repository: None
    record: Callable[[Write], None] = lambda _write: None
    dry_run: bool = False
    analyzers: Analyzers | None = None
    page: PageStore | None = None
    recollection: Recollection = field(default_factory=lambda: Recollection(OwnShelf()))

    @cached_property
    def me(self) -> User:
        """The account that the token belongs to."""
        return self.whoami()

    def whoami(self) -> User:
        """Ask the forge for it anew."""
        return own_account(self.api, self.bot)

    def clone_url(self, repository: Repository) -> str:
        """Where git finds the repository."""
        return f"{self.forgejo_url}/{repository.name}.git"


@dataclass(frozen=True, slots=True)
class Look(RepositoryAccess):
    """What a run works with; the mirror is held and fresh."""

    context: ServiceContext
    mirror: Mirror
    judge: Judge

    @property
    def url(self) -> str:
        """Where git finds the repository."""
        return self.context.clone_url(self.repository)

    def push(self, updates: Sequence[RefUpdate], elsewhere: str | None = None) -> list[PushOutcome]:
        """Push commits of the mirror, see `Mirror.push`; in a dry run they only are recorded, and count as done."""
        wanted = [self.writer.record(WriteKind.PUSHED, update.ref.removeprefix(HEADS)) for update in updates]
        if not all(wanted):
            return [PushOutcome(update.ref, PushStatus.OK) for update in updates]
        return self.mirror.push(updates, elsewhere)

    def judged(self, target: Target, head: Point | None, strategy: Strategy | None = None) -> Judged:
        """Judge the target by itself, or a branch as it would be once merged into it."""
        return self.judge.judged(target.point, head, strategy)

    def brought(self, target: Target, head: Point) -> tuple[Brought, ...]:
        """What a branch would bring to a target."""
        known = self.context.recollection.brought.get((self.url, target.point.sha, head.sha))
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
        merged = self.mirror.with_files(lambda: merged_commit(self.snapshot.git, base, head.sha))
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


def look_at(context: ServiceContext, repository: Repository, mirror: Mirror, troubles: Troubles) -> Look | None:
    """Look at a repository; `None` where there is nothing to see yet.

    One that has no mirror, and in which nothing hints at Alembic, gets none.
    """
    pulls = open_pulls(context.api, repository)
    url = context.clone_url(repository)
    refs = None if context.mirrors.idle(url) is not None else _probed(context, url, pulls or ())
    if refs is None:
        snapshot = take_snapshot(context.me, repository, pulls, mirror, troubles)
    else:
        snapshot = snapshot_without_alembic(context.me, repository, pulls, refs, mirror.git)
    if snapshot is None:
        return None
    analyst: Analyst
    if refs is not None:
        analyst = NothingToJudge()
    elif context.analyzers is None:
        analyst = Analysis(mirror.git, memory_for(url, context.cache))
    else:
        analyst = context.analyzers.open(Path(mirror.git.directory), context.cache, url)

    def learn(judged: Judged) -> None:
        examination = judged.examination
        if examination.head is not None and snapshot.is_mirrored:
            context.recollection.learn_brought(url, examination.target.sha, examination.head.sha, judged.brought)
        context.judged(repository.name, examination)

    return Look(
        api=context.api,
        context=context,
        mirror=mirror,
        snapshot=snapshot,
        judge=Judge(CompletedAnalysis(analyst, mirror), learn),
        pages=Pages(context.api, repository.name, context.me.id),
        provenance=Provenance(snapshot, context.api, troubles),
        troubles=troubles,
        writer=ForgeWriter(context.api, repository.name, context.me, context.record, dry_run=context.dry_run),
        commands=True,
    )


def _probed(context: ServiceContext, url: str, pulls: Collection[PullRequest]) -> dict[str, str] | None:
    """See `refs_without_alembic`."""
    known = context.recollection.without_alembic.get(url, ())
    refs = refs_without_alembic(url, context.token, pulls, known)
    if refs is not None:
        context.recollection.learn_without_alembic(url, set(refs.values()))
    return refs

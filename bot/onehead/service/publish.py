"""Tell of a pull request from a CI job what the service would tell: the one comment and the commit status.

It is decided and written by the same code, so texts, marker and status are the same. Nothing is repaired: no branch is
pushed and no pull request opened, and the comment shows what to type instead.

Any workflow of a repository writes as the account of its jobs, so nothing that stands in a comment is believed: only
that there is one, which is then edited. Where a service has written, nothing is added.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from onehead.errors import OneheadError
from onehead.examine import naming
from onehead.examine.examine import read_policy
from onehead.forge.api import ForgejoApi
from onehead.forge.intents import ForgeWriter, Write, WriteKind, parse
from onehead.forge.models import PullRequest, Repository, RepositoryName, User
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import HEADS
from onehead.plan.verdict import Examination, Point
from onehead.service.decide import desired, next_step
from onehead.service.desired import KnownPull, KnownState, Offer
from onehead.service.judge import Analysis
from onehead.service.snapshot import Page, Pages, Provenance, Snapshot, Target
from onehead.service.troubles import NO_STATUS, NOT_READ, NOT_TOLD, Trouble, Troubles, page
from onehead.service.verdict_writer import RepositoryAccess, VerdictWriter


@dataclass(frozen=True, slots=True)
class PullOfJob:
    """A pull request as a CI job knows it: where it is, the branch that it goes into, and the commits to compare."""

    repository: RepositoryName
    number: int
    base: str
    target: str
    head: str


class Publication(NamedTuple):
    """What became of it.

    Attributes:
        done: what was written, or why nothing was to be: sentences.
        troubles: what could not be written.
        by_job: whether it was written with the token that every job has, and not with that of an account.
        from_fork: whether the pull request comes from a fork, or has no branch: then a job's token may do less.
    """

    done: tuple[str, ...]
    troubles: tuple[Trouble, ...] = ()
    by_job: bool = False
    from_fork: bool = False


def publish(api: ForgejoApi, job: PullOfJob, git: Git, analysis: Analysis) -> Publication:
    """Write the comment and the status where they are not so already.

    Raises:
        ForgeError: the forge tells nothing of the pull request, or not who is asking.
    """
    me, pull = api.me(), api.pull(job.repository, job.number)
    stale = _moved_on(pull, job)
    if stale:
        return Publication((stale,))
    writes: list[Write] = []
    troubles = Troubles(str(job.repository), lambda: None)
    access = _access(api, me, pull, job, git, troubles, writes)
    pages: dict[int, Page] = {}
    with troubles.apart(page(job.number), NOT_READ):
        pages[job.number] = access.pages[job.number]
    [target] = access.snapshot.targets.values()
    head = access.snapshot.head_of(pull)
    if head is None:
        raise ValueError("the head of the pull request was judged, so it is known")
    judged = analysis.judge(target.point, head, None)
    known = KnownPull(pull, head, target, (), judged)
    wanted = desired(KnownState(access.snapshot, pulls=(known,), pages=pages, commands=False))
    by_hand = Offer()
    for repair in wanted.repairs.values():
        wanted.statuses.note(repair.subject, next_step(repair, by_hand, has_pulls=True))
    verdicts = VerdictWriter(wanted, access)
    done = []
    if speaker := next(map(_speaker, pages.values()), ""):
        done.append(f"{speaker} comments on {page(job.number)} as onehead already, so no comment was written.")
    else:
        verdicts.comments(dict.fromkeys(wanted.repairs, by_hand))
    with troubles.apart(page(job.number), NO_STATUS):
        if setter := _setter(api, me, job):
            done.append(f"{setter} has set the status of {job.head[:10]} already, so it was left as it is.")
        else:
            verdicts.statuses()
    # Writes are recorded before they are made.
    refused = {each.doing for each in troubles.kept}
    done += [
        _said(each) for each in writes if (NO_STATUS if each.kind is WriteKind.STATUS else NOT_TOLD) not in refused
    ]
    if not done and not troubles.kept:
        done.append(f"{page(job.number)} is up to date: nothing had to be written.")
    return Publication(tuple(done), troubles.kept, api.is_of_jobs(me), not pull.is_local)


def _moved_on(pull: PullRequest, job: PullOfJob) -> str:
    """Why what was judged is not what the pull request is now, so that another job tells of it; else empty."""
    if not pull.is_open:
        return f"{page(job.number)} is closed, so nothing was written."
    if pull.head.sha != job.head:
        return f"{page(job.number)} is at {pull.head.sha[:10]} by now; the job of that commit writes about it."
    if pull.base.ref != job.base:
        return f"{page(job.number)} goes into {pull.base.ref} by now, so nothing was written."
    return ""


def _access(
    api: ForgejoApi,
    me: User,
    pull: PullRequest,
    job: PullOfJob,
    git: Git,
    troubles: Troubles,
    writes: list[Write],
) -> RepositoryAccess:
    """The repository as far as the job knows it: one branch, and one pull request into it."""
    repository = pull.base.repository
    if repository is None:
        raise ValueError("a pull request always goes into a repository")
    target = Target(job.base, Point(f"{HEADS}{job.base}", job.target), read_policy(git, job.target).policy)
    snapshot = Snapshot(
        repository=repository,
        git=git,
        me=me.id,
        pulls=(pull,),
        heads={job.base: job.target, **({pull.head.ref: job.head} if pull.is_local else {})},
        pull_heads={job.number: job.head},
        laid_ready={},
        targets={job.base: target},
        reported="",
        has_pulls=True,
    )
    return RepositoryAccess(
        api=api,
        snapshot=snapshot,
        pages=_PagesOfJob(api, repository, me),
        provenance=_ProvenanceOfJob(snapshot, api, troubles),
        troubles=troubles,
        writer=ForgeWriter(api, repository.name, me, writes.append, is_ours=api.is_of_jobs),
        commands=False,
    )


class _PagesOfJob(Pages):
    """Comments of any job count as ours, and nothing in them is believed."""

    def __init__(self, api: ForgejoApi, repository: Repository, me: User) -> None:
        super().__init__(api, repository.name, me.id)
        self._api = api
        self._account = me

    def __getitem__(self, number: int) -> Page:
        found = super().__getitem__(number)
        comments = (
            replace(each, author=self._account) if self._api.is_of_jobs(each.author) else each
            for each in found.comments
        )
        return replace(found, comments=tuple(comments), believed=False)


class _ProvenanceOfJob(Provenance):
    """Who brought what, as far as the clone shows: a partial one lacks older trees, and none are fetched for this."""

    def brought_by(self, examination: Examination) -> dict[str, str]:
        with suppress(OneheadError):
            return super().brought_by(examination)
        return {}


def _speaker(there: Page) -> str:
    """Who else writes as onehead there; empty for nobody.

    Whoever copies a marker keeps the comment away by that, and neither the status nor the exit code of the job.
    """
    others = (each for each in there.comments if each.author.id != there.me)
    return next((each.author.login for each in others if parse(each.body) is not None), "")


def _setter(api: ForgejoApi, me: User, job: PullOfJob) -> str:
    """Who else has set the status that would be set; empty for nobody."""
    found = api.status_with_creator(job.repository, job.head, naming.STATUS)
    creator = None if found is None else found[1]
    if creator is None or creator.id == me.id or api.is_of_jobs(creator):
        return ""
    return creator.login


def _said(write: Write) -> str:
    match write.kind:
        case WriteKind.COMMENTED:
            return f"wrote the comment on {write.where}."
        case WriteKind.COMMENT_EDITED:
            return "brought the comment up to date."
        case WriteKind.STATUS:
            return f"set the status `{naming.STATUS}` of {write.where}."
        case _:
            return f"{write.kind} ({write.where})."

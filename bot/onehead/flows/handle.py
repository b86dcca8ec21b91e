"""One job, start to end: which branches and pull requests it asks to be looked at, each in its own short story.

A job is a hint. What is done follows from the forge's and the repository's state now, so a story can be told twice,
late, or after other stories, and ends the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from onehead.flows import ours
from onehead.flows.desk import Bench, Desk
from onehead.flows.publish import publish_branch, publish_pull, publish_target, withdraw
from onehead.forge.errors import NotFound
from onehead.forge.values import PullRequest, Repository, RepositoryName
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import list_refs
from onehead.jobs.job import BranchDeleted, BranchMoved, CommandGiven, Everything, Job, PullChanged, Subject
from onehead.plan.verdict import Point

log = structlog.get_logger(__name__)

_HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Agenda:
    """What one run looks at.

    Attributes:
        target: the deployed branch itself.
        pulls: open pull requests, by number.
        branches: branches without a pull request, short names.
        gone: branches that were deleted, short names.
    """

    target: bool
    pulls: tuple[PullRequest, ...]
    branches: tuple[str, ...]
    gone: tuple[str, ...]


def handle(job: Job, desk: Desk) -> None:
    """Do one job.

    Raises:
        OneheadError: the forge or git could not do its part; the engine tries again.
    """
    try:
        repository = desk.api.repository(RepositoryName.parse(job.repository))
    except NotFound:
        log.info("The repository is gone or not visible to the token; nothing to do.", repository=job.repository)
        return
    reason = _out_of_reach(repository)
    if reason:
        log.info("The repository is left alone.", repository=job.repository, reason=reason)
        return
    pulls = tuple(desk.api.open_pulls(repository.name))
    with desk.mirrors.hold(desk.clone_url(repository), desk.token) as mirror:
        mirror.fetch()
        heads = _heads(mirror)
        if repository.default_branch not in heads:
            log.info("The default branch does not exist yet; nothing to do.", repository=job.repository)
            return
        target = Point(_HEADS + repository.default_branch, heads[repository.default_branch])
        bench = Bench(desk, repository, mirror, target)
        _work_through(bench, agenda(job.subjects, repository.default_branch, pulls, heads), pulls, heads)


def agenda(subjects: Iterable[Subject], target: str, pulls: tuple[PullRequest, ...], heads: Iterable[str]) -> Agenda:
    """What has to be looked at, given what is there now. Pure.

    When the target moves, every pull request into it is judged again: that is when most collisions are born, and
    Forgejo sends no event for those pull requests.
    """
    known = set(heads)
    whole = False
    wanted: set[int] = set()
    branches: list[str] = []
    gone: list[str] = []
    for subject in subjects:
        match subject:
            case Everything():
                whole = True
            case BranchMoved(ref=ref):
                name = ref.removeprefix(_HEADS)
                mine = [pull.number for pull in pulls if _is_from(pull, name)]
                whole = whole or name == target
                wanted.update(mine)
                if name != target and not mine and name in known and not name.startswith(ours.BRANCHES):
                    branches.append(name)
            case BranchDeleted(ref=ref):
                if ref.removeprefix(_HEADS) not in known:
                    gone.append(ref.removeprefix(_HEADS))
            case PullChanged(number=number) | CommandGiven(number=number):
                wanted.add(number)
    chosen = [pull for pull in pulls if pull.number in wanted or (whole and pull.base.ref == target)]
    return Agenda(whole, tuple(chosen), tuple(sorted(set(branches))), tuple(sorted(set(gone))))


def _is_from(pull: PullRequest, branch: str) -> bool:
    head, base = pull.head.repository, pull.base.repository
    return pull.head.ref == branch and head is not None and base is not None and head.id == base.id


def _out_of_reach(repository: Repository) -> str:
    if repository.archived:
        return "it is archived"
    if repository.empty:
        return "it is empty"
    if repository.mirror:
        return "it is a mirror of another repository"
    if not repository.permissions.push:
        return "the token may not write to it"
    return ""


def _heads(mirror: Mirror) -> dict[str, str]:
    return {ref.name.removeprefix(_HEADS): ref.sha for ref in list_refs(mirror.git, "refs/heads")}


def _work_through(bench: Bench, items: Agenda, pulls: tuple[PullRequest, ...], heads: dict[str, str]) -> None:
    fetched = {ref.name: ref.sha for ref in list_refs(bench.mirror.git, "refs/pull")}
    if items.target:
        publish_target(bench, pulls)
    for pull in items.pulls:
        sha = fetched.get(f"refs/pull/{pull.number}/head")
        if sha is None:
            log.info("The pull request's branch can't be fetched yet.", pull=pull.number)
            continue
        publish_pull(bench, pull, sha, pulls)
    for branch in items.branches:
        publish_branch(bench, Point(_HEADS + branch, heads[branch]), pulls)
    for branch in items.gone:
        withdraw(bench, branch, pulls, "its branch was deleted")

"""One job, start to end: read what is there now, judge what the job asks for, and write what is desired.

A job is a hint. What is done follows from the forge's and the repository's state now, so a job can run twice, late, or
after others, and ends the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from onehead.databases.reported import RowsReported
from onehead.errors import OneheadError
from onehead.examine import naming
from onehead.examine.ledger import remember
from onehead.forge.errors import NotFound
from onehead.forge.models import Comment, PullRequest, Repository, RepositoryName, StatusState
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import HEADS, PULLS, list_refs
from onehead.service.apply import apply
from onehead.service.commands import answer_commands, unanswered
from onehead.service.context import Look, ServiceContext, look_at
from onehead.service.decide import desired, desired_at_the_end
from onehead.service.engine import BranchMoved, CommandGiven, Everything, Job, PullChanged, ScopeLeft, Subject
from onehead.service.repairs import RepairWriter
from onehead.service.snapshot import ENDED, VERDICT, Page
from onehead.service.subjects import (
    RunSubjects,
    all_concerned,
    find_out,
    lone_branches,
    read_pages,
    run_subjects,
    worth_judging,
)
from onehead.service.sweep import out_of_reach
from onehead.service.troubles import NO_STATUS, NOT_ANSWERED, Troubles, page

RECENT = timedelta(days=7)
"""How far back the sweep looks for commands that nobody answered and comments that were not brought to an end."""

_MAX_ROUNDS = 3
"""A repair that is pushed onto its branch makes that branch worth another look; more looks than these are a defect."""

_AFTER_A_PUSH = (0.2, 0.4, 0.8, 1.6, 3.2)  # seconds; an idle Forgejo takes two or so

log = structlog.get_logger(__name__)


def handle(job: Job, context: ServiceContext) -> None:
    """Do one job.

    Raises:
        OneheadError: the forge or git could not do its part; the engine tries again.
    """
    try:
        _handle(job, context)
    except Exception as error:
        if context.page is not None:
            context.page.fail(job.repository, error)
        raise


def _handle(job: Job, context: ServiceContext) -> None:
    try:
        repository = context.api.repository(RepositoryName.parse(job.repository))
    except NotFound:
        log.info("The repository is gone or not visible to the token; nothing to do.", repository=job.repository)
        _forget(context, job.repository)
        return
    if str(repository.name) != job.repository:  # it has another name now
        _forget(context, job.repository)
    reason = out_of_reach(repository) or ("" if context.covers(repository) else "the settings leave it out")
    if reason:
        log.info("The repository is left alone.", repository=job.repository, reason=reason)
        _forget(context, str(repository.name))
        if out_of_reach(repository) or ScopeLeft() not in job.subjects:
            return
    troubles = Troubles(str(repository.name), context.api.version)
    if Everything() in job.subjects and not reason:
        with troubles.apart("webhook", "it could not be looked after"):
            context.ensure_webhook(repository)
    _make_room(context)
    with context.mirrors.hold(context.clone_url(repository), context.token) as mirror:
        if reason:
            _end(context, repository, mirror, troubles)
            return
        subjects: frozenset[Subject] = job.subjects
        reports = {each for each in subjects if isinstance(each, RowsReported)}
        if reports:
            tip = _remember(mirror, repository, reports)
            if reports == subjects and tip == context.recollection.reported.get(context.clone_url(repository)):
                return
        _look(context, repository, mirror, subjects, troubles)
    troubles.raise_kept()


def _forget(context: ServiceContext, repository: str) -> None:
    if context.page is not None:
        context.page.forget(repository)


def _make_room(context: ServiceContext) -> None:
    """Let mirrors give way that were not used for long; what goes wrong with it costs no repository its look."""
    try:
        gone = context.mirrors.make_room()
    except OneheadError as trouble:
        log.warning("A mirror could not be removed.", error=trouble.message, hint=trouble.hint)
    else:
        for mirror in gone:
            log.info("A mirror was removed: all of them took more than they may.", mirror=mirror)


def _end(context: ServiceContext, repository: Repository, mirror: Mirror, troubles: Troubles) -> None:
    """Forget a repository that is not looked after any more.

    What is offered is closed, what is told is ended, and no status is left that keeps anybody from merging.
    """
    look = look_at(context, repository, mirror, troubles)
    if look is not None:
        snapshot = look.snapshot
        heads = {head.sha for pull in snapshot.pulls if (head := snapshot.head_of(pull)) is not None}
        heads |= {target.point.sha for target in snapshot.targets.values()}
        heads |= {
            snapshot.heads[name]
            for name in worth_judging(look, lone_branches(snapshot.pulls, snapshot.heads, snapshot.targets))
        }
        theirs = [pull.number for pull in snapshot.pulls if not snapshot.is_ours(pull)]
        red = [sha for sha in sorted(heads) if _is_red(look, sha)]
        apply(desired_at_the_end(snapshot, read_pages(look, theirs), red), look, RepairWriter(look))
        log.info("Stopped looking after a repository.", repository=str(snapshot.repository.name))
    troubles.raise_kept()
    if not context.dry_run:
        mirror.remove()


def _is_red(look: Look, sha: str) -> bool:
    """Whether a commit has a status of ours that is not green; others stay as they are."""
    with look.troubles.apart(sha, NO_STATUS):
        found = look.context.api.status_with_creator(look.repository.name, sha, naming.STATUS)
        return found is not None and found[0].state != StatusState.SUCCESS
    return False


def _look(
    context: ServiceContext, repository: Repository, mirror: Mirror, subjects: frozenset[Subject], troubles: Troubles
) -> None:
    """Look at what is asked for, and again at what a repair was pushed onto."""
    for _ in range(_MAX_ROUNDS):
        look = look_at(context, repository, mirror, troubles)
        if look is None:
            return
        subjects |= _moved_by_reports(look)
        pushed = _work_through(look, _subjects(look, subjects))
        if troubles.all_last:
            context.recollection.reported.put({look.url: look.snapshot.reported})
        if not pushed or context.dry_run or not _has_arrived(look, pushed.values()):
            return
        subjects = frozenset(pushed)


def _work_through(look: Look, items: RunSubjects) -> dict[BranchMoved | PullChanged, str]:
    """Do what is asked for by commands, judge, decide, and write; what a repair was pushed onto, and the commit."""
    repairs = RepairWriter(look)
    chosen: set[int] = set()
    for command in items.commands:
        with look.troubles.apart(page(command.number), NOT_ANSWERED):
            chosen |= answer_commands(look, repairs, command)
    # What a command has pushed onto is looked at again, with the new commit.
    moved = {each.number for each in repairs.pushed if isinstance(each, PullChanged)}
    work = all_concerned(look, replace(items, pulls=(*items.pulls, *chosen)))
    work = replace(work, pulls=tuple(each for each in work.pulls if each[0].number not in moved))
    known = find_out(look, work, items)
    wanted = desired(known)
    offers = apply(wanted, look, repairs)
    if look.context.page is not None:
        look.context.page.learn(known, wanted, offers, look.judge.analysis)
    look.context.recollection.learn_rivals(look.url, work.rivals)
    return repairs.pushed


def _remember(mirror: Mirror, repository: Repository, reports: set[RowsReported]) -> str:
    """Keep what databases have reported; the commit that holds it."""
    tip = remember(mirror, reports)
    for report in sorted(reports, key=lambda each: (each.at, each.database)):
        place = {"repository": str(repository.name), "database": report.database, "commit": tip}
        if report.rows is None:
            log.info("A database is forgotten.", **place)
        else:
            log.info("A database has reported its rows.", rows=",".join(report.rows[:10]), **place)
    return tip


def _moved_by_reports(look: Look) -> set[Subject]:
    """What a database has reported counts like a move of the targets: all that goes into them is judged again."""
    before = look.context.recollection.reported.get(look.url)
    if before == look.snapshot.reported or (before is None and not look.snapshot.reported):
        return set()
    return {BranchMoved(target.point.ref) for target in look.snapshot.targets.values()}


def _has_arrived(look: Look, pushed: Collection[str]) -> bool:
    """Whether the forge shows what was pushed: it copies the branches of forks a moment later, and is waited for.

    Where that takes too long, its webhook about the push sets off the next look, or the sweep does.
    """
    for seconds in _AFTER_A_PUSH:
        look.mirror.fetch()
        if {ref.sha for ref in list_refs(look.snapshot.git, HEADS, PULLS)}.issuperset(pushed):
            return True
        look.context.api.wait(seconds)
    return False


def _subjects(look: Look, subjects: frozenset[Subject]) -> RunSubjects:
    known = {pull.number for pull in look.snapshot.pulls}
    wanted = {subject.number for subject in subjects if isinstance(subject, PullChanged)}
    forgotten: set[CommandGiven] = set()
    if Everything() in subjects:
        since = datetime.now(UTC) - RECENT
        for each in _recent_pages(look, since):
            forgotten |= {CommandGiven(comment.id, each.number) for comment in unanswered(each, since)}
            if any(marker.facts.get("state") != ENDED for _, marker in each.ours(VERDICT)):
                wanted.add(each.number)  # our comment there tells of something that goes on
    closed = {number: pull for number in sorted(wanted - known) if (pull := _closed(look, number)) is not None}
    given = {subject.comment for subject in subjects if isinstance(subject, CommandGiven)}
    told_of = {each for each in forgotten if each.comment not in given}
    touched = {PullChanged(number) for number in closed}
    return run_subjects(
        subjects | told_of | touched, look.snapshot.targets, look.snapshot.pulls, look.snapshot.heads, closed
    )


def _closed(look: Look, number: int) -> PullRequest | None:
    """A pull request that is not open any more; `None` where it is gone."""
    with look.troubles.apart(page(number), "it could not be read"):
        try:
            return look.context.api.pull(look.repository.name, number)
        except NotFound:
            log.info("The pull request is gone.", pull=number)
    return None


def _recent_pages(look: Look, since: datetime) -> list[Page]:
    """The comments of the last days, by the page on which they stand; none where they can't be read."""
    pages: dict[int, list[Comment]] = defaultdict(list)
    with look.troubles.apart("comments", "the latest could not be read"), suppress(NotFound):
        for number, comment in look.context.api.recent_comments(look.repository.name, since):
            pages[number].append(comment)
    return [Page(number, tuple(found), look.context.me.id) for number, found in sorted(pages.items())]

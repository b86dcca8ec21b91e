"""One job, start to end: see what is there now, and tell the story of everything that the job asks to be looked at.

A job is a hint. What is done follows from the forge's and the repository's state now, so a story can be told twice,
late, or after other stories, and ends the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from onehead.databases.reported import RowsReported
from onehead.examine import naming
from onehead.examine.examine import read_policy
from onehead.examine.ledger import remember
from onehead.forge.errors import NotFound
from onehead.forge.models import Comment, PullRequest, Repository, RepositoryName
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import list_refs
from onehead.plan.policy import targets_of
from onehead.plan.verdict import Point
from onehead.service import say, verdicts
from onehead.service.agenda import Agenda, agenda
from onehead.service.bench import HEADS, Bench, Target
from onehead.service.closing import remove_branch
from onehead.service.commands import answer_commands, unanswered
from onehead.service.concerned import Work, all_concerned
from onehead.service.desk import Desk
from onehead.service.engine import BranchMoved, CommandGiven, Everything, Job, PullChanged, ScopeLeft, Subject
from onehead.service.leave import leave
from onehead.service.offer import drop_laid_ready
from onehead.service.page import VERDICT, Page
from onehead.service.publish import (
    close_unneeded,
    finish_branch,
    finish_pull,
    publish_branch,
    publish_pull,
    publish_target,
)
from onehead.service.say import ENDED
from onehead.service.statuses import Verdict
from onehead.service.sweep import out_of_reach
from onehead.service.troubles import (
    NOT_ANSWERED,
    NOT_ENDED,
    NOT_JUDGED,
    NOT_REMOVED,
    NOT_REPAIRED,
    NOT_TOLD,
    Troubles,
    cause,
    page,
)

RECENT = timedelta(days=7)
"""How far back the sweep looks for commands that nobody answered and comments that were not brought to an end."""

_MAX_ROUNDS = 3
"""A repair that is pushed onto its branch makes that branch worth another look; more looks than these are a defect."""

_AFTER_A_PUSH = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds; an idle Forgejo takes two or so."""

log = structlog.get_logger(__name__)


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
    reason = out_of_reach(repository) or ("" if desk.covers(repository) else "the settings leave it out")
    if reason:
        log.info("The repository is left alone.", repository=job.repository, reason=reason)
        if out_of_reach(repository) or ScopeLeft() not in job.subjects:
            return
    troubles = Troubles(str(repository.name), desk.api.version)
    if Everything() in job.subjects and not reason:
        with troubles.apart("webhook", "it could not be looked after"):
            desk.ensure_webhook(repository)
    with desk.mirrors.hold(desk.clone_url(repository), desk.token) as mirror:
        if reason:
            _leave(desk, repository, mirror, troubles)
            return
        subjects: frozenset[Subject] = job.subjects
        reports = {each for each in subjects if isinstance(each, RowsReported)}
        if reports:
            tip = _remember(mirror, repository, reports)
            if reports == subjects and tip == desk.recollection.reported(desk.clone_url(repository)):
                return
        _look(desk, repository, mirror, subjects, troubles)
    troubles.raise_kept()


def _leave(desk: Desk, repository: Repository, mirror: Mirror, troubles: Troubles) -> None:
    """End everything in a repository that is not looked after any more, and forget it."""
    bench = _lay_out(desk, repository, mirror, troubles)
    if bench is not None:
        leave(bench)
    troubles.raise_kept()
    if not desk.rehearsal:
        mirror.remove()


def _look(desk: Desk, repository: Repository, mirror: Mirror, subjects: frozenset[Subject], troubles: Troubles) -> None:
    """Look at what is asked for, and again at what a repair was pushed onto."""
    for _ in range(_MAX_ROUNDS):
        bench = _lay_out(desk, repository, mirror, troubles)
        if bench is None:
            return
        subjects |= _moved_by_reports(bench)
        _work_through(bench, _agenda(bench, subjects))
        if troubles.all_last:
            desk.recollection.learn_reported(bench.url, bench.reported)
        if not bench.pushed or desk.rehearsal or not _has_arrived(bench):
            return
        subjects = frozenset(bench.pushed)


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


def _moved_by_reports(bench: Bench) -> set[Subject]:
    """What a database has reported counts like a move of the targets: all that goes into them is judged again."""
    before = bench.desk.recollection.reported(bench.url)
    if before == bench.reported or (before is None and not bench.reported):
        return set()
    return {BranchMoved(target.point.ref) for target in bench.targets.values()}


def _has_arrived(bench: Bench) -> bool:
    """Whether the forge shows what was pushed: it copies the branches of forks a moment later, and is waited for.

    Where that takes too long, its webhook about the push sets off the next look, or the sweep does.
    """
    for seconds in _AFTER_A_PUSH:
        bench.mirror.fetch()
        shown = {ref.sha for ref in list_refs(bench.git, "refs/heads", "refs/pull")}
        if shown.issuperset(bench.pushed.values()):
            return True
        bench.desk.api.wait(seconds)
    return False


def _lay_out(desk: Desk, repository: Repository, mirror: Mirror, troubles: Troubles) -> Bench | None:
    """What is there now. Pull requests are listed before branches are fetched: a branch may be newer, never older."""
    pulls = _open_pulls(desk, repository)
    mirror.fetch()
    heads = {ref.name.removeprefix(HEADS): ref.sha for ref in list_refs(mirror.git, "refs/heads")}
    if repository.default_branch not in heads:
        log.info("The default branch does not exist yet; nothing to do.", repository=str(repository.name))
        return None
    pull_heads = {
        int(number): ref.sha
        for ref in list_refs(mirror.git, "refs/pull")
        if (number := ref.name.split("/")[2]).isdecimal()
    }
    laid_ready = {ref.name: ref.sha for ref in list_refs(mirror.git, naming.LAID_READY)}
    reported = laid_ready.pop(naming.DATABASES, "")
    targets = _targets(mirror, repository, heads, troubles)
    return Bench(
        desk,
        repository,
        mirror,
        pulls or (),
        heads,
        pull_heads,
        laid_ready,
        targets,
        troubles,
        reported,
        has_pulls=pulls is not None,
    )


def _open_pulls(desk: Desk, repository: Repository) -> tuple[PullRequest, ...] | None:
    """All open pull requests; `None` where there are none to see: switched off, or hidden from the bot's account."""
    if repository.has_pulls:
        with suppress(NotFound):
            return tuple(desk.api.open_pulls(repository.name))
    log.warning(
        "Pull requests are switched off, or hidden from the bot's account; only branches are judged.",
        repository=str(repository.name),
        hint="Switch them on in the settings of the repository (Units), or let the bot's team see them.",
    )
    return None


def _targets(mirror: Mirror, repository: Repository, heads: dict[str, str], troubles: Troubles) -> dict[str, Target]:
    """The deployed branches: which they are, the default branch says; what is wanted of each, it says itself.

    Where one can't say it, what the default branch says holds: as a deployed branch it is judged all the same.
    """
    main = repository.default_branch
    policies = {main: read_policy(mirror.git, heads[main]).policy}
    names = [name for name in targets_of(policies[main], main, heads) if not name.startswith(naming.BRANCHES)]
    for name in names:
        if name != main:
            with troubles.apart(f"{HEADS}{name}", "its policy could not be read"):
                policies[name] = read_policy(mirror.git, heads[name]).policy
    return {
        name: Target(name, Point(f"{HEADS}{name}", heads[name]), policies.get(name, policies[main])) for name in names
    }


def _agenda(bench: Bench, subjects: frozenset[Subject]) -> Agenda:
    known = {pull.number for pull in bench.pulls}
    wanted = {subject.number for subject in subjects if isinstance(subject, PullChanged)}
    forgotten: set[CommandGiven] = set()
    if Everything() in subjects:
        since = datetime.now(UTC) - RECENT
        for each in _recent_pages(bench, since):
            forgotten |= {CommandGiven(comment.id, each.number) for comment in unanswered(each, since)}
            if _is_unfinished(each):
                wanted.add(each.number)
    closed = {number: pull for number in sorted(wanted - known) if (pull := _closed(bench, number)) is not None}
    given = {subject.comment for subject in subjects if isinstance(subject, CommandGiven)}
    told_of = {each for each in forgotten if each.comment not in given}
    touched = {PullChanged(number) for number in closed}
    return agenda(subjects | told_of | touched, bench.targets, bench.pulls, bench.heads, closed)


def _closed(bench: Bench, number: int) -> PullRequest | None:
    """A pull request that is not open any more; `None` where it is gone."""
    with bench.troubles.apart(page(number), "it could not be read"):
        try:
            return bench.desk.api.pull(bench.repository.name, number)
        except NotFound:
            log.info("The pull request is gone.", pull=number)
    return None


def _recent_pages(bench: Bench, since: datetime) -> list[Page]:
    """The comments of the last days, by the page on which they stand; none where they can't be read."""
    pages: dict[int, list[Comment]] = defaultdict(list)
    with bench.troubles.apart("comments", "the latest could not be read"), suppress(NotFound):
        for number, comment in bench.desk.api.recent_comments(bench.repository.name, since):
            pages[number].append(comment)
    return [Page(number, tuple(found), bench.desk.me.id) for number, found in sorted(pages.items())]


def _is_unfinished(page: Page) -> bool:
    """Whether our comment tells of something that goes on."""
    return any(marker.facts.get("state") != ENDED for _, marker in page.ours(VERDICT))


def _work_through(bench: Bench, items: Agenda) -> None:
    """All statuses first. What follows (replies, repairs, comments, closings) may fail for one without the others."""
    work = all_concerned(bench, items)
    _judge(bench, work)
    chosen: set[int] = set()
    for command in items.commands:
        with bench.troubles.apart(page(command.number), NOT_ANSWERED):
            chosen |= answer_commands(bench, command)
    if chosen:
        work = all_concerned(bench, replace(items, pulls=(*items.pulls, *chosen)))
        _judge(bench, work)
    _publish(bench, work, items)
    for name, found in work.rivals.items():
        bench.desk.recollection.learn_rivals(bench.url, name, found)
    close_unneeded(bench)
    if items.everything:
        _tidy_up(bench)
    say.notes_on_statuses(bench)


def _judge(bench: Bench, work: Work) -> None:
    """Judge everything, and set the statuses once all verdicts are known."""
    for target in work.targets:
        _learn(bench, target.point.ref, target.point.sha, partial(verdicts.of_target, bench, target))
    for pull, head, rivals in work.pulls:
        _learn(bench, page(pull.number), head.sha, partial(verdicts.of_pull, bench, pull, head, rivals))
    for branch in work.branches:
        _learn(bench, f"{HEADS}{branch}", bench.heads[branch], partial(verdicts.of_branch, bench, branch))
    say.statuses(bench)


def _learn(bench: Bench, subject: str, sha: str, verdict: Callable[[], Verdict]) -> None:
    with bench.troubles.apart(subject, NOT_JUDGED) as step:
        bench.statuses.learn(subject, verdict())
    if step.error is not None:
        bench.statuses.learn(subject, verdicts.unknown(sha, cause(step.error)))


def _publish(bench: Bench, work: Work, items: Agenda) -> None:
    """What is told on pages, and repairs; of what could not be judged nothing more can be said."""
    unknown = {trouble.subject for trouble in bench.troubles.kept if trouble.doing == NOT_JUDGED}
    apart = bench.troubles.apart
    for target in work.targets:
        if target.point.ref not in unknown:
            with apart(target.point.ref, NOT_TOLD):
                publish_target(bench, target, items.closed)
    for pull, head, rivals in work.pulls:
        if page(pull.number) not in unknown:
            with apart(page(pull.number), NOT_TOLD):
                publish_pull(bench, pull, head, rivals)
    for branch in work.branches:
        if f"{HEADS}{branch}" not in unknown:
            with apart(f"{HEADS}{branch}", NOT_REPAIRED):
                publish_branch(bench, branch)
    for branch in items.gone:
        with apart(f"{HEADS}{branch}", NOT_ENDED):
            finish_branch(bench, branch)
    for pull in items.closed:
        with apart(page(pull.number), NOT_ENDED):
            finish_pull(bench, pull)


def _tidy_up(bench: Bench) -> None:
    """Delete repair branches that no pull request proposes and that nobody needs any more."""
    in_doubt = bench.in_doubt
    with bench.troubles.apart("repairs", "those without use could not be looked for"):
        listed = bench.desk.api.open_pulls(bench.repository.name) if bench.has_pulls else ()
        kept = {pull.head.ref for pull in listed} | bench.kept
        for branch in [name for name in bench.heads if name.startswith(naming.BRANCHES) and name not in kept]:
            if branch not in in_doubt and naming.repaired_by(branch) not in in_doubt:
                with bench.troubles.apart(f"{HEADS}{branch}", NOT_REMOVED):
                    remove_branch(bench, branch)
    still_open = {pull.number for pull in bench.pulls}
    for ref, tip in list(bench.laid_ready.items()):
        if naming.laid_ready_for(ref) not in still_open:
            with bench.troubles.apart(ref, NOT_REMOVED):
                drop_laid_ready(bench, ref, tip)

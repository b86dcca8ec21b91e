"""One job, start to end: see what is there now, and tell the story of everything that the job asks to be looked at.

A job is a hint. What is done follows from the forge's and the repository's state now, so a story can be told twice,
late, or after other stories, and ends the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from onehead.errors import OneheadError
from onehead.flows import ours
from onehead.flows.agenda import Agenda, agenda, lone_branches
from onehead.flows.bench import HEADS, Bench, Target
from onehead.flows.commands import answer_commands, unanswered
from onehead.flows.desk import Desk
from onehead.flows.offer import drop_laid_ready, remove_branch
from onehead.flows.page import VERDICT, Page
from onehead.flows.policy import read_policy
from onehead.flows.publish import (
    close_unneeded,
    finish_branch,
    finish_pull,
    publish_branch,
    publish_pull,
    publish_target,
    unfinished,
)
from onehead.flows.remember import remember
from onehead.flows.say import ENDED, shared_successes
from onehead.flows.scope import out_of_reach
from onehead.forge.errors import MissingScope, NotFound, Unavailable
from onehead.forge.values import Comment, PullRequest, Repository, RepositoryName
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.refs import describe, is_ancestor, list_refs
from onehead.jobs.job import BranchMoved, CommandGiven, Everything, Job, PullChanged, RowsReported, Subject
from onehead.plan.policy import Policy, targets_of
from onehead.plan.rivals import Contender, Rival, rivals
from onehead.plan.verdict import Point

RECENT = timedelta(days=7)
"""How far back the sweep looks for commands that nobody answered and comments that were not brought to an end."""

FRESH = timedelta(days=30)
"""A branch without a pull request is judged when its last commit is younger: older ones were left behind."""

_MOST_ROUNDS = 3
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
        return
    if Everything() in job.subjects:
        desk.ensure_webhook(repository)
    with desk.mirrors.hold(desk.clone_url(repository), desk.token) as mirror:
        subjects: frozenset[Subject] = job.subjects
        reports = {each for each in subjects if isinstance(each, RowsReported)}
        if reports:
            tip = _remember(mirror, repository, reports)
            if reports == subjects and tip == desk.recollection.reported(desk.clone_url(repository)):
                return
        for _ in range(_MOST_ROUNDS):
            bench = _lay_out(desk, repository, mirror)
            if bench is None:
                return
            subjects |= _moved_by_reports(bench)
            _work_through(bench, _agenda(bench, subjects))
            desk.recollection.learn_reported(bench.url, bench.reported)
            if bench.refusal is not None:
                raise bench.refusal
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


def _lay_out(desk: Desk, repository: Repository, mirror: Mirror) -> Bench | None:
    """What is there now. Pull requests are listed before branches are fetched: a branch may be newer, never older."""
    pulls = tuple(desk.api.open_pulls(repository.name))
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
    laid_ready = {ref.name: ref.sha for ref in list_refs(mirror.git, ours.LAID_READY)}
    reported = laid_ready.pop(ours.DATABASES, "")
    targets = _targets(mirror, repository, heads)
    return Bench(desk, repository, mirror, pulls, heads, pull_heads, laid_ready, targets, reported)


def _targets(mirror: Mirror, repository: Repository, heads: dict[str, str]) -> dict[str, Target]:
    """The deployed branches: which they are, the default branch says; what is wanted of each, it says itself."""
    policies: dict[str, Policy] = {}

    def policy(name: str) -> Policy:
        if name not in policies:
            policies[name] = read_policy(mirror.git, heads[name]).policy
        return policies[name]

    names = targets_of(policy(repository.default_branch), repository.default_branch, heads)
    return {
        name: Target(name, Point(f"{HEADS}{name}", heads[name]), policy(name))
        for name in names
        if not name.startswith(ours.BRANCHES)
    }


def _agenda(bench: Bench, subjects: frozenset[Subject]) -> Agenda:
    known = {pull.number for pull in bench.pulls}
    closed: dict[int, PullRequest] = {}
    for subject in subjects:
        if isinstance(subject, PullChanged) and subject.number not in known:
            try:
                closed[subject.number] = bench.desk.api.pull(bench.repository.name, subject.number)
            except NotFound:
                log.info("The pull request is gone.", pull=subject.number)
    forgotten: set[Subject] = set()
    if Everything() in subjects:
        since = datetime.now(UTC) - RECENT
        for page in _readable_pages(bench, since):
            forgotten |= {CommandGiven(comment.id, page.number) for comment in unanswered(page, since)}
            if page.number not in known and _is_unfinished(page):
                closed[page.number] = bench.desk.api.pull(bench.repository.name, page.number)
    given = {subject.comment for subject in subjects if isinstance(subject, CommandGiven)}
    told_of = {each for each in forgotten if isinstance(each, CommandGiven) and each.comment not in given}
    touched = {PullChanged(number) for number in closed}
    return agenda(subjects | told_of | touched, bench.targets, bench.pulls, bench.heads, closed)


def _readable_pages(bench: Bench, since: datetime) -> Iterable[Page]:
    """The comments of the last days; none where the token may not read them, which is told once all else is done."""
    try:
        return _recent_pages(bench, since)
    except MissingScope as refusal:
        bench.refusal = refusal
        return ()


def _recent_pages(bench: Bench, since: datetime) -> Iterable[Page]:
    """The comments of the last days, by the page on which they stand."""
    pages: dict[int, list[Comment]] = defaultdict(list)
    for number, comment in bench.desk.api.recent_comments(bench.repository.name, since):
        pages[number].append(comment)
    return [Page(number, tuple(found), bench.desk.me.id) for number, found in sorted(pages.items())]


def _is_unfinished(page: Page) -> bool:
    """Whether our comment tells of something that goes on."""
    return any(marker.facts.get("state") != ENDED for _, marker in page.ours(VERDICT))


def _work_through(bench: Bench, items: Agenda) -> None:
    numbers = set(items.pulls)
    for command in items.commands:
        with _apart(bench, f"#{command.number}"):
            numbers |= answer_commands(bench, command)
    items, numbers = _with_their_likes(bench, items, numbers)
    for name in items.targets:
        with _apart(bench, name):
            publish_target(bench, bench.targets[name], items.closed)
    told = {name: _rivals(bench, bench.targets[name]) for name in _bases(bench, numbers, items)}
    for name, found in told.items():
        before = bench.desk.recollection.rivals(bench.url, name)
        numbers |= {number for number in before.keys() | found.keys() if before.get(number) != found.get(number)}
    for pull in sorted(bench.pulls, key=lambda pull: pull.number):
        head = bench.head_of(pull)
        if pull.number not in numbers:
            continue
        if head is None:
            log.info("The pull request's branch can't be fetched yet.", pull=pull.number)
            continue
        with _apart(bench, f"#{pull.number}", head):
            publish_pull(bench, pull, head, told.get(pull.base.ref, {}).get(pull.number, ()))
    for name, found in told.items():
        bench.desk.recollection.learn_rivals(bench.url, name, found)
    for branch in _worth_judging(bench, items.branches):
        with _apart(bench, branch):
            publish_branch(bench, branch)
    for branch in items.gone:
        with _apart(bench, branch):
            finish_branch(bench, branch)
    for pull in items.closed:
        with _apart(bench, f"#{pull.number}"):
            finish_pull(bench, pull)
    with _apart(bench, "repairs that nobody needs"):
        close_unneeded(bench)
    shared_successes(bench)
    if items.everything:
        _tidy_up(bench)


@contextmanager
def _apart(bench: Bench, subject: str, head: Point | None = None) -> Iterator[None]:
    """Do one step of a run: trouble with a page or branch (its author has blocked us) concerns that one alone.

    What the step raises is logged, and raised once the rest is done, so that the job is tried again. A pull request of
    which the step has not set the status yet gets one that is not green.

    Raises:
        Unavailable: the forge gives no answer at all; the other steps would only wait for it too.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Unavailable) and not error.status:
            raise
        known = isinstance(error, OneheadError)
        cause = error.message if isinstance(error, OneheadError) else f"{type(error).__name__}: {error}"
        place = {"repository": str(bench.repository.name), "subject": subject}
        log.warning("One thing failed; the rest goes on.", **place, error=cause, exc_info=None if known else error)
        bench.refusal = bench.refusal or error
        if head is not None and head.sha not in bench.told_statuses:
            with _apart(bench, subject):
                unfinished(bench, head, cause)


def _with_their_likes(bench: Bench, items: Agenda, numbers: set[int]) -> tuple[Agenda, set[int]]:
    """What stands at the same commit as something that is judged is judged too: it has a say in the same status."""
    heads = {pull.number: head.sha for pull in bench.pulls if (head := bench.head_of(pull)) is not None}
    lone = lone_branches(bench.pulls, bench.heads, bench.targets)
    targets = {name: target.point.sha for name, target in bench.targets.items()}
    count = Counter([*heads.values(), *targets.values(), *(bench.heads[name] for name in lone)])
    bench.shared = frozenset(sha for sha, times in count.items() if times > 1)
    chosen = {
        *(heads[number] for number in numbers if number in heads),
        *(targets[name] for name in items.targets),
        *(bench.heads[name] for name in items.branches),
    }
    chosen &= bench.shared
    more = replace(
        items,
        targets=tuple(name for name in bench.targets if name in items.targets or targets[name] in chosen),
        branches=tuple(name for name in lone if name in items.branches or bench.heads[name] in chosen),
    )
    return more, numbers | {number for number, sha in heads.items() if sha in chosen}


def _bases(bench: Bench, numbers: set[int], items: Agenda) -> list[str]:
    """Targets whose pull requests may have got other rivals."""
    touched = {
        pull.base.ref for pull in (*bench.pulls, *items.closed) if pull.number in numbers or pull in items.closed
    }
    return [name for name in bench.targets if name in touched or name in items.targets]


def _rivals(bench: Bench, target: Target) -> dict[int, tuple[Rival, ...]]:
    """Who would collide with whom, among all that is ready to be merged into a target."""
    contenders = []
    for pull in bench.pulls:
        head = bench.head_of(pull)
        if pull.base.ref == target.name and head is not None and not pull.draft and not bench.is_ours(pull):
            # What can't be judged is told when it is its turn; the others may still be rivals.
            with suppress(OneheadError):
                contenders.append(Contender(pull.number, bench.brought(target, head)))
    return rivals(contenders)


def _worth_judging(bench: Bench, branches: Iterable[str]) -> list[str]:
    """Those with something of their own that somebody has worked on lately."""
    found = []
    for branch in branches:
        tip = bench.heads[branch]
        age = datetime.now(UTC) - describe(bench.git, [tip])[tip].date
        if age < FRESH and not is_ancestor(bench.git, tip, bench.main.point.sha):
            found.append(branch)
    return found


def _tidy_up(bench: Bench) -> None:
    """Delete repair branches that no pull request proposes and that nobody needs any more."""
    proposed = {pull.head.ref for pull in bench.desk.api.open_pulls(bench.repository.name)}
    for branch in list(bench.heads):
        if branch.startswith(ours.BRANCHES) and branch not in proposed | bench.kept:
            remove_branch(bench, branch)
    still_open = {pull.number for pull in bench.pulls}
    for ref, tip in list(bench.laid_ready.items()):
        if ours.laid_ready_for(ref) not in still_open:
            drop_laid_ready(bench, ref, tip)

"""What a run looks at, what has to be judged again because of that, and what it finds out before it decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from onehead.examine import naming
from onehead.forge.errors import NotFound
from onehead.forge.intents import parse
from onehead.forge.models import PullRequest
from onehead.gitrepo.refs import HEADS, describe, is_ancestor
from onehead.plan.rivals import Contender, Rival, rivals
from onehead.plan.verdict import Point
from onehead.service.context import Look
from onehead.service.decide import merges_fork
from onehead.service.desired import KnownBranch, KnownPull, KnownState, KnownTarget
from onehead.service.engine import BranchGone, BranchMoved, CommandGiven, Everything, PullChanged, Subject
from onehead.service.judge import Judged
from onehead.service.snapshot import Page, Target
from onehead.service.troubles import NOT_JUDGED, NOT_READ, NOT_TOLD, cause, page

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunSubjects:
    """What one run looks at; branches by their short names."""

    everything: bool = False  # whether the sweep came by: what no event tells of is looked for as well
    targets: tuple[str, ...] = ()  # deployed branches to judge, each with all that would be merged into it
    pulls: tuple[int, ...] = ()
    branches: tuple[str, ...] = ()  # those without a pull request
    gone: tuple[str, ...] = ()
    closed: tuple[PullRequest, ...] = ()
    commands: tuple[CommandGiven, ...] = ()  # the oldest comment first


def run_subjects(
    subjects: Collection[Subject],
    targets: Collection[str],
    pulls: Collection[PullRequest],
    heads: Collection[str],
    closed: Mapping[int, PullRequest],
) -> RunSubjects:
    """What has to be looked at; targets and heads by their short names.

    When a target moves, every pull request into it is judged again: that is when most collisions are born, and
    Forgejo sends no event for those pull requests. A merged pull request has moved its target, whether or not the
    push was heard of.
    """
    everything = Everything() in subjects
    touched = {each for each in subjects if isinstance(each, PullChanged)}
    over = [closed[each.number] for each in touched if each.number in closed]
    moved = {each.ref.removeprefix(HEADS) for each in subjects if isinstance(each, BranchMoved)}
    deleted = {each.ref.removeprefix(HEADS) for each in subjects if isinstance(each, BranchGone)} - set(heads)
    landed = {pull.base.ref for pull in over if pull.merged}
    numbers = {each.number for each in touched}
    # What a person does to a repair (close it, reopen it, delete its branch) changes what is said of what it repairs.
    repairs = [pull for pull in pulls if pull.number in numbers and pull.head.ref.startswith(naming.BRANCHES)]
    repairs += [pull for pull in over if pull.head.ref.startswith(naming.BRANCHES)]
    mended = {pull.base.ref for pull in repairs} | {naming.repaired_by(name) for name in deleted}
    chosen = {name for name in targets if everything or name in moved | landed | mended}
    # A branch may be proposed to two targets: the other pull request's repair and status depended on this one.
    repaired = mended | {pull.base.ref for pull in over} | {pull.head.ref for pull in over if pull.is_local}
    wanted = {
        pull.number
        for pull in pulls
        if everything
        or pull.number in numbers
        or pull.base.ref in chosen
        or (pull.is_local and pull.head.ref in moved | repaired)
    }
    free = lone_branches(pulls, heads, targets)
    # Of two hints about one comment the one that knows what its author may do comes first: the first is answered.
    commands = sorted(
        (each for each in subjects if isinstance(each, CommandGiven)),
        key=lambda each: (each.comment, each.may_write is None),
    )
    return RunSubjects(
        everything=everything,
        targets=tuple(name for name in targets if name in chosen | _joined(pulls, numbers)),
        pulls=tuple(sorted(wanted)),
        branches=tuple(
            name for name in free if everything or name in moved | repaired or next(iter(targets), "") in chosen
        ),
        gone=tuple(sorted(deleted)),
        closed=tuple(sorted(over, key=lambda pull: pull.number)),
        commands=tuple(commands),
    )


def lone_branches(pulls: Iterable[PullRequest], heads: Iterable[str], targets: Collection[str]) -> tuple[str, ...]:
    """Branches that nobody proposes to merge and that are not deployed; our own repairs are none of them."""
    proposed = {pull.head.ref for pull in pulls if pull.is_local}
    return tuple(
        sorted(
            name
            for name in heads
            if name not in proposed and name not in targets and not name.startswith(naming.BRANCHES)
        )
    )


def _joined(pulls: Collection[PullRequest], touched: Collection[int]) -> set[str]:
    """Forked targets into which somebody proposes something: it may be the merge that ours is not needed for then."""
    forked = {pull.base.ref for pull in pulls if pull.head.ref.startswith(naming.BRANCHES)}
    theirs = (pull for pull in pulls if pull.number in touched and not pull.head.ref.startswith(naming.BRANCHES))
    return {pull.base.ref for pull in theirs} & forked


FRESH = timedelta(days=30)
"""A branch without a pull request is judged when its last commit is younger: older ones were left behind."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that one run judges: open pull requests, oldest first, each with its head and rivals; lone branches.

    `rivals`: target → pull request → its rivals, for the targets whose pull requests may have got others.
    """

    targets: tuple[Target, ...]
    pulls: tuple[tuple[PullRequest, Point, tuple[Rival, ...]], ...]
    branches: tuple[str, ...]
    rivals: dict[str, dict[int, tuple[Rival, ...]]]


def all_concerned(look: Look, items: RunSubjects) -> Work:
    """What is asked for, and what depends on it.

    A verdict may change the status of a commit, and the rivals of others; those bring more of the same in. It ends,
    because nothing is ever taken out.
    """
    numbers = set(items.pulls)
    told: dict[str, dict[int, tuple[Rival, ...]]] = {}
    while True:
        items, numbers = _with_their_likes(look, items, numbers)
        for name in _bases(look, numbers, items):
            if name not in told:
                told[name] = _rivals(look, look.snapshot.targets[name])
        changed = _with_other_rivals(look, told)
        if changed <= numbers:
            break
        numbers |= changed
    pulls = []
    for pull in sorted(look.snapshot.pulls, key=lambda pull: pull.number):
        if pull.number in numbers:
            head = look.snapshot.head_of(pull)
            if head is None:
                log.info("The pull request's branch can't be fetched yet.", pull=pull.number)
                continue
            pulls.append((pull, head, told.get(pull.base.ref, {}).get(pull.number, ())))
    # Where there is no Alembic, nobody waits for what is said of a branch itself: what asks for a status are rules
    # about what is merged.
    names = items.targets if look.snapshot.is_mirrored else ()
    targets = tuple(look.snapshot.targets[name] for name in names)
    return Work(targets, tuple(pulls), worth_judging(look, items.branches), told)


def _with_their_likes(look: Look, items: RunSubjects, numbers: set[int]) -> tuple[RunSubjects, set[int]]:
    """What stands at the same commit as something that is judged is judged too: it has a say in the same status."""
    heads = {pull.number: head.sha for pull in look.snapshot.pulls if (head := look.snapshot.head_of(pull)) is not None}
    lone = lone_branches(look.snapshot.pulls, look.snapshot.heads, look.snapshot.targets)
    targets = {name: target.point.sha for name, target in look.snapshot.targets.items()}
    chosen = {
        *(heads[number] for number in numbers if number in heads),
        *(targets[name] for name in items.targets),
        *(look.snapshot.heads[name] for name in items.branches),
    }
    more = replace(
        items,
        targets=tuple(name for name in look.snapshot.targets if targets[name] in chosen),
        branches=tuple(name for name in lone if look.snapshot.heads[name] in chosen),
    )
    return more, numbers | {number for number, sha in heads.items() if sha in chosen}


def _bases(look: Look, numbers: set[int], items: RunSubjects) -> list[str]:
    """Targets whose pull requests may have got other rivals."""
    touched = {
        pull.base.ref
        for pull in (*look.snapshot.pulls, *items.closed)
        if pull.number in numbers or pull in items.closed
    }
    return [name for name in look.snapshot.targets if name in touched or name in items.targets]


def _rivals(look: Look, target: Target) -> dict[int, tuple[Rival, ...]]:
    """Who would collide with whom, among all that is ready to be merged into a target."""
    contenders = []
    for pull in look.snapshot.pulls:
        head = look.snapshot.head_of(pull)
        if pull.base.ref == target.name and head is not None and not pull.draft and not look.snapshot.is_ours(pull):
            with look.troubles.apart(page(pull.number), NOT_JUDGED):
                contenders.append(Contender(pull.number, look.brought(target, head)))
    return rivals(contenders)


def _with_other_rivals(look: Look, told: dict[str, dict[int, tuple[Rival, ...]]]) -> set[int]:
    """Pull requests whose rivals are not those of which they were told last."""
    changed: set[int] = set()
    for name, found in told.items():
        before = look.context.recollection.rivals(look.url, name)
        changed |= {number for number in before.keys() | found.keys() if before.get(number) != found.get(number)}
    return changed


def worth_judging(look: Look, branches: Iterable[str]) -> tuple[str, ...]:
    """Those with something of their own that somebody has worked on lately."""
    found = []
    for branch in branches:
        with look.troubles.apart(f"{HEADS}{branch}", NOT_JUDGED):
            tip = look.snapshot.heads[branch]
            age = datetime.now(UTC) - describe(look.snapshot.git, [tip])[tip].date
            if age < FRESH and not is_ancestor(look.snapshot.git, tip, look.snapshot.main.point.sha):
                found.append(branch)
    return tuple(found)


Found = TypeVar("Found")


def find_out(look: Look, work: Work, items: RunSubjects) -> KnownState:
    """Judge everything, and ask what follows from it."""
    targets = _targets(look, work.targets, items.closed)
    pulls = [_pull(look, *each) for each in work.pulls]
    told = {number for target in targets for number in (*target.tells, *target.settles)}
    told |= {pull.number for pull in items.closed}
    told |= {each.pull.number for each in pulls if not each.why and not look.snapshot.is_ours(each.pull)}
    return KnownState(
        snapshot=look.snapshot,
        targets=tuple(targets),
        pulls=tuple(pulls),
        branches=tuple(_branch(look, name) for name in work.branches),
        closed=items.closed,
        gone=items.gone,
        pages=read_pages(look, told),
        faults=_faults(look),
        everything=items.everything,
    )


def _judge(look: Look, subject: str, judge: Callable[[], Found]) -> tuple[Found | None, str]:
    """A judgement, or why there can be none."""
    with look.troubles.apart(subject, NOT_JUDGED) as step:
        return judge(), ""
    return None, "" if step.error is None else cause(step.error)


def _targets(look: Look, chosen: Iterable[Target], closed: Collection[PullRequest]) -> list[KnownTarget]:
    """The targets that were chosen, and those whose fork is to be told now where that of a chosen one is gone."""
    targets = list(chosen)
    found = []
    for target in targets:  # grows while it is walked
        judged, why = _judge(look, target.point.ref, lambda target=target: look.judged(target, None))  # type: ignore[misc]
        if judged is None:
            found.append(KnownTarget(target, None, why))
        elif judged.is_ok:
            repair, told = None, list[int]()
            with look.troubles.apart(target.point.ref, NOT_TOLD):
                repair, told = _told(look, target.name, closed)
            speaks = _speakers(look) if told else {}
            settles = tuple(number for number in told if number not in speaks)
            others = dict.fromkeys(speaks[number].name for number in told if number in speaks)
            targets += [look.snapshot.targets[name] for name in others if look.snapshot.targets[name] not in targets]
            found.append(KnownTarget(target, judged, settles=settles, repair=repair))
        else:
            found.append(_forked(look, target, judged))
    return found


def _forked(look: Look, target: Target, judged: Judged) -> KnownTarget:
    with look.troubles.apart(target.point.ref, NOT_TOLD):
        tells = tuple(sorted(number for number, speaker in _speakers(look).items() if speaker == target))
        behind = look.provenance.pulls_behind(judged.examination)
        return KnownTarget(target, judged, tells=tells, behind=behind, elsewhere=_merge_of(look, target, judged))
    return KnownTarget(target, judged)


def _speakers(look: Look) -> dict[int, Target]:
    """Pull requests that brought forks → the deployed branch whose fork their page tells of.

    A release branch has the fork of the branch that it was made from, and a page has one comment: of several branches
    the first one speaks there.
    """
    found: dict[int, Target] = {}
    for target in look.snapshot.targets.values():
        with look.troubles.apart(target.point.ref, NOT_JUDGED):
            judged = look.judged(target, None)
            if not judged.is_ok:
                for number in look.provenance.pulls_behind(judged.examination):
                    found.setdefault(number, target)
    return found


def _merge_of(look: Look, target: Target, judged: Judged) -> str:
    """The pull request that would bring the merge that a forked target needs; empty where there is none."""
    snapshot = look.snapshot
    theirs = [pull for pull in snapshot.pulls if pull.base.ref == target.name and not snapshot.is_ours(pull)]
    for pull in theirs if judged.repair is None else ():
        head = snapshot.head_of(pull)
        if head is not None and merges_fork(judged, look.brought(target, head)):
            return f"#{pull.number}"
    return ""


def _told(look: Look, target: str, closed: Collection[PullRequest]) -> tuple[int | None, list[int]]:
    """The newest repair of a target, and the pull requests on which its fork was explained: it remembers them."""
    snapshot = look.snapshot
    lately = [pull for pull in closed if pull.base.ref == target and snapshot.is_ours(pull)]
    repair = max([*snapshot.repairs_into(target), *lately], key=lambda pull: pull.number, default=None)
    if repair is None:
        try:  # any one of them, as the forge knows no order here
            repair = look.context.api.pull_between(look.repository.name, target, f"{naming.BRANCHES}merge/{target}")
        except NotFound:
            return None, []
    marker = parse(repair.body)
    if marker is None or repair.author.id != snapshot.me:
        return None, []
    told = marker.facts.get("told")
    numbers = [number for number in told if isinstance(number, int)] if isinstance(told, list) else []
    return repair.number, [repair.number, *numbers]


def _pull(look: Look, pull: PullRequest, head: Point, rivals: tuple[Rival, ...]) -> KnownPull:
    target = look.snapshot.targets.get(pull.base.ref)
    if target is None:
        return KnownPull(pull, head, None)
    judged, why = _judge(look, page(pull.number), lambda: _as_chosen(look, pull, target, head))
    return KnownPull(pull, head, target, rivals, judged, why)


def _as_chosen(look: Look, pull: PullRequest, target: Target, head: Point) -> Judged:
    """A pull request, repaired in the way that people have chosen for it where it has problems."""
    judged = look.judged(target, head)
    if judged.is_ok or look.snapshot.is_ours(pull):
        return judged
    found = read_pages(look, [pull.number]).get(pull.number)
    strategy = None if found is None else found.choices.strategy
    return judged if strategy is None else look.judged(target, head, strategy)


def _branch(look: Look, name: str) -> KnownBranch:
    snapshot = look.snapshot
    head = Point(f"{HEADS}{name}", snapshot.heads[name])
    judged, why = _judge(look, head.ref, lambda: look.judged(snapshot.main, head))
    wanted = judged is not None and not judged.is_ok and snapshot.main.policy.branches != "status"
    return KnownBranch(name, head, judged, why, refused=wanted and _was_refused(look, name))


def _was_refused(look: Look, branch: str) -> bool:
    """Whether somebody has closed the branch's pull request without merging it, and left the branch."""
    try:
        pull = look.context.api.pull_between(look.repository.name, look.snapshot.main.name, branch)
    except NotFound:
        return False
    return not pull.is_open and not pull.merged


def read_pages(look: Look, numbers: Collection[int]) -> dict[int, Page]:
    """The comments of pull requests, as far as they can be read."""
    found = {}
    for number in sorted(numbers):
        with look.troubles.apart(page(number), NOT_READ):
            found[number] = look.pages[number]
    return found


def _faults(look: Look) -> dict[int, str]:
    """Number of a repair that a person has changed → what it would leave; empty: nothing."""
    found = {}
    for pull in look.snapshot.pulls:
        if look.snapshot.is_ours(pull):
            with look.troubles.apart(page(pull.number), NOT_JUDGED) as step:
                found[pull.number] = look.fault_of(pull)
            if step.error is not None:
                found[pull.number] = cause(step.error)
    return found

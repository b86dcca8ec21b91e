"""Find out what a run has to know before it decides: judgements, comments, and what only the forge can tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from onehead.examine import naming
from onehead.forge.errors import NotFound
from onehead.forge.intents import parse
from onehead.forge.models import PullRequest
from onehead.plan.rivals import Rival
from onehead.plan.verdict import Point
from onehead.service.agenda import Agenda, Work, by_branch
from onehead.service.context import Look
from onehead.service.desired import KnownBranch, KnownPull, KnownState, KnownTarget, merges_fork
from onehead.service.judge import Judged
from onehead.service.page import Page
from onehead.service.snapshot import HEADS, Target
from onehead.service.troubles import NOT_JUDGED, NOT_TOLD, cause, page

Found = TypeVar("Found")


def find_out(look: Look, work: Work, items: Agenda) -> KnownState:
    """Judge everything, and ask what follows from it."""
    targets = _targets(look, work.targets, items.closed)
    judged = [_pull(look, *each) for each in sorted(work.pulls, key=lambda each: by_branch(each[0]))]
    pulls = sorted(judged, key=lambda each: each.pull.number)
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
            branch = f"{naming.BRANCHES}merge/{target}"
            repair = look.context.api.pull_between(look.repository.name, target, branch)
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
        with look.troubles.apart(page(number), "its comments could not be read"):
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

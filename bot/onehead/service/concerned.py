"""What has to be judged because of something else that is: it stands at the same commit, or it has other rivals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from onehead.forge.models import PullRequest
from onehead.gitrepo.refs import describe, is_ancestor
from onehead.plan.rivals import Contender, Rival, rivals
from onehead.plan.verdict import Point
from onehead.service.agenda import Agenda, lone_branches
from onehead.service.bench import HEADS, Bench, Target
from onehead.service.troubles import NOT_JUDGED, page

FRESH = timedelta(days=30)
"""A branch without a pull request is judged when its last commit is younger: older ones were left behind."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """All that one run judges.

    Attributes:
        targets: deployed branches.
        pulls: open pull requests, oldest first, each with its head and its rivals.
        branches: short names of branches without a pull request.
        rivals: target → pull request → its rivals, for the targets whose pull requests may have got others.
    """

    targets: tuple[Target, ...]
    pulls: tuple[tuple[PullRequest, Point, tuple[Rival, ...]], ...]
    branches: tuple[str, ...]
    rivals: dict[str, dict[int, tuple[Rival, ...]]]


def all_concerned(bench: Bench, items: Agenda) -> Work:
    """What is asked for, and what depends on it.

    A verdict may change the status of a commit, and the rivals of others; those bring more of the same in. It ends,
    because nothing is ever taken out.
    """
    numbers = set(items.pulls)
    told: dict[str, dict[int, tuple[Rival, ...]]] = {}
    while True:
        items, numbers = _with_their_likes(bench, items, numbers)
        for name in _bases(bench, numbers, items):
            if name not in told:
                told[name] = _rivals(bench, bench.targets[name])
        changed = _with_other_rivals(bench, told)
        if changed <= numbers:
            break
        numbers |= changed
    pulls = []
    for pull in sorted(bench.pulls, key=lambda pull: pull.number):
        if pull.number in numbers:
            head = bench.head_of(pull)
            if head is None:
                log.info("The pull request's branch can't be fetched yet.", pull=pull.number)
                continue
            pulls.append((pull, head, told.get(pull.base.ref, {}).get(pull.number, ())))
    targets = tuple(bench.targets[name] for name in items.targets)
    return Work(targets, tuple(pulls), worth_judging(bench, items.branches), told)


def _with_their_likes(bench: Bench, items: Agenda, numbers: set[int]) -> tuple[Agenda, set[int]]:
    """What stands at the same commit as something that is judged is judged too: it has a say in the same status."""
    heads = {pull.number: head.sha for pull in bench.pulls if (head := bench.head_of(pull)) is not None}
    lone = lone_branches(bench.pulls, bench.heads, bench.targets)
    targets = {name: target.point.sha for name, target in bench.targets.items()}
    chosen = {
        *(heads[number] for number in numbers if number in heads),
        *(targets[name] for name in items.targets),
        *(bench.heads[name] for name in items.branches),
    }
    more = replace(
        items,
        targets=tuple(name for name in bench.targets if targets[name] in chosen),
        branches=tuple(name for name in lone if bench.heads[name] in chosen),
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
            with bench.troubles.apart(page(pull.number), NOT_JUDGED):
                contenders.append(Contender(pull.number, bench.brought(target, head)))
    return rivals(contenders)


def _with_other_rivals(bench: Bench, told: dict[str, dict[int, tuple[Rival, ...]]]) -> set[int]:
    """Pull requests whose rivals are not those of which they were told last."""
    changed: set[int] = set()
    for name, found in told.items():
        before = bench.desk.recollection.rivals(bench.url, name)
        changed |= {number for number in before.keys() | found.keys() if before.get(number) != found.get(number)}
    return changed


def worth_judging(bench: Bench, branches: Iterable[str]) -> tuple[str, ...]:
    """Those with something of their own that somebody has worked on lately."""
    found = []
    for branch in branches:
        with bench.troubles.apart(f"{HEADS}{branch}", NOT_JUDGED):
            tip = bench.heads[branch]
            age = datetime.now(UTC) - describe(bench.git, [tip])[tip].date
            if age < FRESH and not is_ancestor(bench.git, tip, bench.main.point.sha):
                found.append(branch)
    return tuple(found)

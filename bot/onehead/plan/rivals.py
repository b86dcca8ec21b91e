"""Open pull requests that would collide with each other once both have landed. Pure.

Each is healthy by itself, and whichever lands second collides. Both are warned early and neither is blocked, with one
exception: two different revisions under one id can't be told apart once a database has run one of them, so the younger
pull request has to wait.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from onehead.plan.findings import Facts
from onehead.revisions.file_names import file_number, stem_of
from onehead.revisions.model import Revision

MAX_RIVALS = 20
"""Others that one pull request is told to clash with, the worst and oldest first."""

_MAX_COMPARED = 200
"""Pull requests at one place whose lines are looked at."""


class RivalConflict(StrEnum):
    """What two pull requests share and should not, the worst first."""

    ID = "id"
    PARENT = "parent"
    NUMBER = "number"


class Brought(NamedTuple):
    """One revision that a pull request brings to an environment; its file name starts with `number`, if numbered."""

    environment: str
    revision: Revision
    number: int | None


class Contender(NamedTuple):
    """An open pull request: the smaller its number, the older it is."""

    number: int
    brought: tuple[Brought, ...]


class Rival(NamedTuple):
    """Another open pull request that clashes with one: what both have, the worst where it is several things."""

    number: int
    clash: RivalConflict
    environment: str
    what: str


def brought(facts: Facts) -> tuple[Brought, ...]:
    """What the judged branch would bring to one environment."""
    used = {number for revision in facts.target if (number := _number(revision)) is not None}
    highest = max(used, default=0)
    found = []
    for revision in facts.merged:
        if revision.id not in facts.target:
            number = _number(revision)
            # A number that is lower than others says nothing about the order: it is part of a name.
            counts = len(used) > 1 and number is not None and number > highest
            found.append(Brought(facts.environment.path, revision, number if counts else None))
    return tuple(found)


def rivals(contenders: Collection[Contender]) -> dict[int, tuple[Rival, ...]]:
    """Pull request → those it clashes with, the worst clash first and the oldest first among equals."""
    places: dict[tuple[str, RivalConflict, str], list[tuple[int, Revision]]] = defaultdict(list)
    for contender in contenders:
        for item in contender.brought:
            for clash, what in _claims(item):
                places[item.environment, clash, what].append((contender.number, item.revision))
    held = {each.number: {item.revision.id for item in each.brought} for each in contenders}
    worst: dict[int, dict[int, Rival]] = defaultdict(dict)
    for (environment, clash, what), claims in sorted(places.items(), key=lambda place: _RANK[place[0][1]]):
        nearest = _oldest(clash, claims)
        for mine, revision in claims:
            for other, theirs in nearest:
                if len(worst[mine]) == MAX_RIVALS:
                    break
                # Whoever carries the other's revision too has seen it, and was judged with it.
                aware = clash is not RivalConflict.ID and (theirs.id in held[mine] or revision.id in held[other])
                if mine != other and not aware and _clash(clash, revision, theirs):
                    worst[mine].setdefault(other, Rival(other, clash, environment, what))
    return {
        number: tuple(sorted(found.values(), key=lambda rival: (_RANK[rival.clash], rival.number)))
        for number, found in sorted(worst.items())
        if found
    }


class MergeStep(NamedTuple):
    """A pull request in the order of merging, and those before it with which it clashes: it is to be repaired then."""

    number: int
    after: tuple[int, ...]


def merge_order(found: Mapping[int, tuple[Rival, ...]]) -> tuple[tuple[MergeStep, ...], ...]:
    """Which pull request is best merged first: an order for each group of those that clash, the oldest group first.

    What clashes with nothing that was merged before it needs no repair. So of those the next one is always what the
    fewest of the others clash with, and of equals the oldest. That is a good order and not always the best: to find
    that one takes a time that doubles with each pull request. Of two revisions under one id the older goes first.
    """
    clashing: dict[int, set[int]] = defaultdict(set)
    waits: dict[int, set[int]] = defaultdict(set)
    for number, theirs in found.items():
        for rival in theirs:
            clashing[number].add(rival.number)
            clashing[rival.number].add(number)
            if rival.clash is RivalConflict.ID:
                waits[max(number, rival.number)].add(min(number, rival.number))
    return tuple(_ordered(group, clashing, waits) for group in _groups(clashing))


def _groups(clashing: Mapping[int, set[int]]) -> list[set[int]]:
    """What hangs together, by its oldest member."""
    groups: list[set[int]] = []
    seen: set[int] = set()
    for number in sorted(clashing):
        if number not in seen:
            group = [number]
            seen.add(number)
            for each in group:  # grows while it is walked
                fresh = clashing[each] - seen
                seen |= fresh
                group += sorted(fresh)
            groups.append(set(group))
    return groups


def _ordered(group: set[int], clashing: Mapping[int, set[int]], waits: Mapping[int, set[int]]) -> tuple[MergeStep, ...]:
    left = set(group)
    steps: list[MergeStep] = []
    while left:
        free = [number for number in left if not waits.get(number, set()) & left]
        number = min(free, key=lambda each: (bool(clashing[each] - left), len(clashing[each] & left), each))
        left.remove(number)
        steps.append(MergeStep(number, tuple(sorted(clashing[number] - left))))
    return tuple(steps)


def _oldest(clash: RivalConflict, claims: list[tuple[int, Revision]]) -> list[tuple[int, Revision]]:
    """Those that everybody else is compared with: the oldest, of each different content under one id."""
    counts: Counter[str] = Counter()
    found = []
    for number, revision in sorted(claims, key=lambda claim: claim[0]):
        kind = revision.blob if clash is RivalConflict.ID else ""
        counts[kind] += 1
        if counts[kind] <= (MAX_RIVALS if clash is RivalConflict.ID else _MAX_COMPARED):
            found.append((number, revision))
    return found


_RANK = {clash: rank for rank, clash in enumerate(RivalConflict)}


def _claims(item: Brought) -> list[tuple[RivalConflict, str]]:
    parents = item.revision.parents or ("",)
    claims = [(RivalConflict.ID, item.revision.id), *((RivalConflict.PARENT, parent) for parent in parents)]
    return claims if item.number is None else [*claims, (RivalConflict.NUMBER, str(item.number))]


def _clash(clash: RivalConflict, one: Revision, other: Revision) -> bool:
    if clash is RivalConflict.ID:
        # The same content in both is one revision that both carry, as where a branch is built upon another.
        return one.blob != other.blob
    if clash is RivalConflict.PARENT:
        # Branches with labels of their own are meant to part.
        return not (one.branch_labels and other.branch_labels and set(one.branch_labels) != set(other.branch_labels))
    return True


def _number(revision: Revision) -> int | None:
    return file_number(stem_of(revision.path))

"""What has to hold after every round, beside what the simulated month promises: nothing twice or at two places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.chaos.gate import Seen
from tests.standin.world import Repository, Status

BLUR = 0.01
"""Seconds by which a log line may be late."""


class Ran(NamedTuple):
    """A run of a repository, as the log of the process tells it. Times in seconds since 1970."""

    repository: str
    began: float
    ended: float
    who: str


def repeated_statuses(repository: Repository) -> Iterator[str]:
    """A status that says what the one before it on this commit says."""
    for sha, statuses in repository.statuses.items():
        for before, after in pairwise(sorted((s for s in statuses if s.context == "onehead"), key=lambda s: s.id)):
            if _said(before) == _said(after):
                yield f"{repository.full_name}: {sha[:10]} is told twice in a row: {after.state}, {after.description}"


def _said(status: Status) -> tuple[str, str, str]:
    return status.state, status.description, status.target_url


def at_two_places(runs: Iterable[Ran], seen: Iterable[Seen], lost: Sequence[float]) -> Iterator[str]:
    """Runs of one repository that overlap.

    A run that came to its end has a line in the log; of one that was cut off there are the requests that it sent. A
    lock in the database is a lease: what began before the database was lost may overlap with what comes after.

    Args:
        runs: of all processes.
        seen: what they have asked the forge.
        lost: when the database was killed or stopped.
    """
    by_place: dict[str, list[Ran]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.began):
        by_place[run.repository].append(run)
    for place, here in by_place.items():
        for before, after in pairwise(here):
            if before.ended - BLUR > after.began and not _any_in(lost, before.began, before.ended):
                yield f"{place}: {after.who} began {before.ended - after.began:.3f} s before {before.who} had ended"
    began: dict[tuple[str, str], float] = {}
    for each in sorted(seen, key=lambda each: each.began):
        who, place, what = each.asked
        if what == "GET ":
            began[who, place] = each.began
        for run in by_place.get(place, ()):
            if run.who != who and run.began + BLUR < each.began < run.ended - BLUR:
                if not _any_in(lost, began.get((who, place), each.began), each.began):
                    yield f"{place}: {who} asks for {what!r} amid a run of {run.who}"
                break


def _any_in(moments: Sequence[float], begin: float, end: float) -> bool:
    return any(begin <= moment <= end for moment in moments)

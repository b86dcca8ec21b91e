"""From a command line to a judged examination: what `check` and `fix` share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from onehead.entrypoints.sides import by_itself, two_sides
from onehead.entrypoints.terminal import SignOfLife
from onehead.errors import OneheadError, UsageError
from onehead.examine.examine import Trees, examine, no_comparison, uncommitted_revisions
from onehead.examine.read import memory_for
from onehead.gitrepo.git import Git
from onehead.plan.facts import Evidence, Facts
from onehead.plan.policy import Policy, Strategy
from onehead.plan.verdict import Examination, Point
from onehead.reports.terminal import short_ref

if TYPE_CHECKING:
    from onehead.examine.changes import Repairs
    from onehead.examine.evidence import Others


class Work(NamedTuple):
    """An examination, how its sides were found and are named again, and what is needed to write its repair."""

    git: Git
    examination: Examination
    trees: Trees
    found: str
    find: Callable[[str], Point]

    def named(self, point: Point) -> str:
        """What to type for a side: the shortest name that means one commit here, else the commit itself."""
        for name in dict.fromkeys((short_ref(point.ref), point.ref)):
            with suppress(OneheadError):
                self.find(name)
                return name
        return point.sha

    def repairs(self) -> Repairs | None:
        """How the plans would be carried out, those that turn out impossible replaced by refusals; `None`: no plan."""
        kinds = {examined.plan.kind for examined in self.examination.environments}
        if not kinds & {"merge", "reparent", "reissue"}:
            return None
        from onehead.examine.changes import prepare  # noqa: PLC0415 - writing costs a start-up that judging need not pay

        return prepare(self.examination, self.trees)


def narrowed(examination: Examination, environment: str | None) -> Examination:
    """The examination of one environment alone; `None`: of all.

    Raises:
        UsageError: there is no such environment.
    """
    if environment is None:
        return examination
    path = os.path.normpath(environment)
    names = (environment, "" if path == "." else path)
    chosen = tuple(each for each in examination.environments if each.facts.environment.path in names)
    if not chosen:
        there = [each.facts.environment.path or "." for each in examination.environments]
        raise UsageError(
            f"There is no environment {environment!r} at {(examination.head or examination.target).ref}.",
            f"There are: {', '.join(there) or 'none'}.",
        )
    return examination._replace(environments=chosen)


def examined(options: argparse.Namespace, strategy: Strategy | None = None) -> Work:
    """Resolve the sides, read both and judge.

    Raises:
        OneheadError: what could not be read, and what to do about it.
    """
    git = Git(os.path.realpath(options.repo))
    sides = two_sides(git, by_itself(options))
    memory = memory_for(os.path.realpath(options.repo))

    others: list[Others] = []

    def evidence(facts: Facts, policy: Policy) -> Evidence:
        # Only where something is to be repaired.
        from onehead.examine.evidence import Others, gather_evidence  # noqa: PLC0415

        if not others:
            found = None if sides.on_origin is None else sides.on_origin()
            more, unseen = ((), None) if found is None else found
            others.append(Others(git, memory, own=sides.own, more=more, unseen=unseen))
        return gather_evidence(others[0], facts, policy, sides.target, sides.head)

    with SignOfLife("reading revisions"):
        examination, trees = examine(
            git,
            sides.target,
            sides.head,
            strategy=strategy,
            memory=memory,
            evidence=evidence,
        )
    # `fix` repairs a target by itself, and does not offer `--at`.
    alone = options.target is not None and options.head is None and getattr(options, "at", "") is None
    missing = [no_comparison(sides.target.ref)] if alone else []
    # A CI job works on what was committed, and people edit nothing there.
    missing += [] if sides.found else uncommitted_revisions(git, examination, trees)
    return Work(git, examination._replace(unjudged=(*examination.unjudged, *missing)), trees, sides.found, sides.find)

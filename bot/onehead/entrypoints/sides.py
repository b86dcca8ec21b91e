"""Which commits a command line means."""

from __future__ import annotations

import argparse

from onehead.errors import UsageError
from onehead.gitrepo.command import Git
from onehead.gitrepo.refs import current_branch, destination, resolve
from onehead.plan.verdict import Point


def two_sides(git: Git, options: argparse.Namespace) -> tuple[Point, Point | None]:
    """Target and head of `--target` and `--head`; what is not given is found in the checkout.

    With `--target` alone the target itself is judged. With neither, HEAD is judged against the branch that it would
    be merged into, or by itself when it is that branch.

    Raises:
        UsageError: a name means no commit, or there is no telling which branch HEAD would be merged into.
    """
    if options.target is not None:
        target = Point(options.target, resolve(git, options.target))
        return target, None if options.head is None else Point(options.head, resolve(git, options.head))
    head = Point(options.head or "HEAD", resolve(git, options.head or "HEAD"))
    into = destination(git)
    if into is None:
        raise UsageError(
            "Which branch this one would be merged into can't be told: there is no remote default branch, no main, "
            "master or develop.",
            "Name it: `onehead check --target BRANCH --head BRANCH`, or `--target BRANCH` alone to judge that branch.",
        )
    target = Point(into.name, into.sha)
    here = current_branch(git) if options.head is None else None
    if here == into.name:
        return target, None
    return target, Point(here, head.sha) if here else head

"""Which commits a command line means."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import NamedTuple

from onehead.errors import CannotJudge, UsageError
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import Ref, current_branch, destination, resolve
from onehead.pipeline import Pipeline, event_file, pipeline_of
from onehead.plan.verdict import Point

_LARGEST_EVENT = 16 * 1024 * 1024
"""Bytes. Forges cap their payloads far below."""


class OnOrigin(NamedTuple):
    """What origin has beside what is compared.

    Attributes:
        refs: its branches and tags, as far as their commits are here.
        unseen: why others could not be looked at; empty where there are none.
    """

    refs: tuple[Ref, ...] = ()
    unseen: str = ""


class Sides(NamedTuple):
    """What is to be compared.

    Attributes:
        target: the branch that is deployed.
        head: the branch to judge; `None`: the target itself is judged.
        find: what a name means when it is typed here.
        found: how both were found, for people (`Forgejo Actions, pull request 12`); empty where they were named, or
            are those of the checkout.
        own: full names of refs that are the head's own, beside those of its branch.
        on_origin: what stands on other branches and tags of origin; `None` where only the clone itself can tell. It may
            ask origin, so it is called only when needed.
    """

    target: Point
    head: Point | None
    find: Callable[[str], Point]
    found: str = ""
    own: tuple[str, ...] = ()
    on_origin: Callable[[], OnOrigin] | None = None


def by_itself(options: argparse.Namespace) -> argparse.Namespace:
    """The options with what `--at` means: that commit as the target, and no head.

    Raises:
        UsageError: it was given together with `--target` or `--head`.
    """
    at = getattr(options, "at", None)
    if at is None:
        return options
    if options.target is not None or options.head is not None:
        raise UsageError(
            "`--at` judges one commit by itself, so it does not go with `--target` or `--head`.",
            "Give either `--at REF`, or `--target REF --head REF` for what a merge would bring.",
        )
    return argparse.Namespace(**{**vars(options), "target": at})


def two_sides(git: Git, options: argparse.Namespace) -> Sides:
    """Target and head of `--target` and `--head`; what is not given is found in the CI job, else in the checkout.

    With `--target` alone the target itself is judged. With neither, HEAD is judged against the branch that it would
    be merged into, or by itself when it is that branch.

    Raises:
        UsageError: a name means no commit, or there is no telling which branch HEAD would be merged into.
        CannotJudge: a CI job does not tell its sides, or what it needs is neither here nor to be had from origin.
    """
    job = _pipeline(git, options)
    if job is None and options.fetch != "always":

        def find(name: str) -> Point:
            return Point(name, resolve(git, name))

        return Sides(*named_sides(git, options, find), find)
    from onehead.entrypoints.pipeline_sides import sides_of_job  # noqa: PLC0415 - only where origin may be asked

    return sides_of_job(git, options, job)


def named_sides(git: Git, options: argparse.Namespace, point: Callable[[str], Point]) -> tuple[Point, Point | None]:
    """The sides that the options name, and those of the checkout where they name none; `point` finds a commit."""
    if options.target is not None:
        return point(options.target), None if options.head is None else point(options.head)
    pushed = None if options.head else _pushed(git)
    head = pushed or point(options.head or "HEAD")
    into = destination(git)
    if into is None:
        raise UsageError(
            "Which branch this one would be merged into can't be told: there is no remote default branch, no main, "
            "master or develop.",
            "Name it: `onehead check --target BRANCH --head BRANCH`, or `--target BRANCH` alone to judge that branch.",
        )
    target = point(into.name)
    here = current_branch(git) if options.head is None and pushed is None else None
    if here == into.name:
        return target, None
    return target, Point(here, head.sha) if here else head


def is_here(git: Git, sha: str) -> bool:
    """Whether a commit is in the repository."""
    return git.ask("cat-file", "-e", f"{sha}^{{commit}}").code == 0


def _pushed(git: Git) -> Point | None:
    """What the pre-commit framework says is being pushed: it need not be what is checked out."""
    sha = os.environ.get("PRE_COMMIT_TO_REF", "")
    if not os.environ.get("PRE_COMMIT") or not sha or not is_here(git, sha):
        return None
    return Point(os.environ.get("PRE_COMMIT_LOCAL_BRANCH") or sha, sha)


def _pipeline(git: Git, options: argparse.Namespace) -> Pipeline | None:
    """The CI job that runs this, if the repository is the one that it has checked out."""
    try:
        job = pipeline_of(os.environ, _event())
    except CannotJudge:
        if options.target is not None:
            return None
        raise
    if job is None:
        return None
    its_own = job.workspace and os.path.realpath(options.repo) == os.path.realpath(job.workspace)
    return job if its_own or is_here(git, job.commit) else None


def _event() -> str:
    path = event_file(os.environ)
    if not path:
        return ""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes 6 ms to load
            return file.read(_LARGEST_EVENT).decode("utf-8", "replace")
    except OSError:
        return ""

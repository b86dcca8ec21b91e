"""`onehead next`: which parent, id and number a new migration takes; with `--write`, one's own ones are moved there."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime
from shlex import quote
from typing import NamedTuple

from onehead.cli.open_pulls import ask_forge
from onehead.cli.sides import again, narrowed, sign_of_life
from onehead.errors import OneheadError, UsageError
from onehead.examine.changes import contents_before
from onehead.examine.evidence import Others, bare_name
from onehead.examine.examine import TargetTree, read_target
from onehead.examine.next_revision import LookAhead, look_ahead
from onehead.examine.read import memory_for
from onehead.gitrepo.git import Git, kept_open
from onehead.gitrepo.process import as_typed
from onehead.gitrepo.refs import HEADS, Ref, current_branch, destination, list_refs, resolve
from onehead.gitrepo.rewrite import rewrite
from onehead.gitrepo.worktree import full_name, top_of, work_commit
from onehead.plan.next_revision import MESSAGE, Ahead, OwnState
from onehead.plan.policy import Policy, targets_of
from onehead.plan.verdict import Point
from onehead.reports.next_revision import NextReport, next_document, next_text
from onehead.reports.terminal import diff, named_again, painted, short_ref
from onehead.screen import painter

_UNKNOWN_TARGET = (
    "onehead can't find the branch that this one would be merged into: there is no remote default branch, no main, "
    "master or develop."
)


class _Checkout(NamedTuple):
    """What is checked out.

    `judged` is the work tree as a commit, `shown` the commit that people know; `None` in a bare repository. `branches`
    are the short names under which it may be proposed, and `own` full names of refs that are its own, beside those of
    its name.
    """

    judged: Point | None
    shown: Point | None
    branches: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


def _checkout(git: Git, work: str | None, target: Point, policy: Policy) -> _Checkout:
    """Find out; `work` is the commit of the work tree."""
    if work is None:
        return _Checkout(None, None)
    name = current_branch(git)
    answer = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    sha = answer.out.decode("ascii", "replace").strip() or work
    own = _upstream(git, target, policy) if name else _only_branch_at(git, sha)
    branches = dict.fromkeys(bare_name(ref) for ref in (name, *own) if ref)
    return _Checkout(Point(name or "HEAD", work), Point(name or "HEAD", sha), tuple(branches), own)


def _upstream(git: Git, target: Point, policy: Policy) -> tuple[str, ...]:
    """Where the branch is pushed to, under another name perhaps; not the branch that it was made from."""
    answer = git.ask("rev-parse", "--verify", "--quiet", "--symbolic-full-name", "@{upstream}")
    ref = answer.out.decode("utf-8", "surrogateescape").strip()
    default = destination(git)
    deployed = {bare_name(each) for each in (target.ref, default.name if default else "")}
    deployed |= set(targets_of(policy, bare_name(default.name) if default else "", [bare_name(ref)]))
    return (ref,) if ref.startswith("refs/remotes/") and bare_name(ref) not in deployed else ()


def _only_branch_at(git: Git, sha: str) -> tuple[str, ...]:
    """Where HEAD is detached at the commit of one branch, that is meant: all refs of its name."""
    refs = list_refs(git, HEADS, "refs/remotes")
    names = {bare_name(ref.name) for ref in refs if ref.sha == sha}
    return tuple(ref.name for ref in refs if bare_name(ref.name) in names) if len(names) == 1 else ()


def run(options: argparse.Namespace) -> int:
    """Answer; 1 when the branch's own revisions are not where they belong, and were not moved there."""
    git = Git(os.path.realpath(options.repo))
    top = top_of(git)
    if options.write and top is None:
        raise UsageError(f"{git.directory} has no work tree, so there is nothing to move.", "Leave out `--write`.")
    target = _target(git, options.target)
    against = read_target(git, target, memory_for(git.directory))
    with work_commit(git, _folders(against)) as (seen, work):
        checkout = _checkout(git, work, target, against.policy.policy)
        with sign_of_life("looking at what others bring"):
            found, trouble, by_forge = _look(seen, options, target, against, checkout)
        chosen = _chosen(found, options.environment)
        own = found._replace(environments=chosen).own_databases()
        moving = [change for each in chosen if each.state is OwnState.TO_MOVE for change in each.changes]
        before = contents_before(found.repairs, found.trees)
        shown = diff([change for each in chosen for change in each.changes], before)
    if options.write and top is not None and moving:
        rewrite(top, moving, before)
    name = _named(git, target)
    commands = (
        as_typed(git.directory, "merge", name),
        as_typed(git.directory, "restore", f"--source={name}", "--"),
        f"onehead fix{named_again(options.repo)} --target {quote(name)}",
    )
    looked, written = found.examination, bool(options.write and moving)
    report = NextReport(
        target,
        checkout.shown,
        chosen,
        looked.coverage,
        looked.unjudged,
        own,
        trouble,
        by_forge,
        *commands,
        written=written,
        to_write=options.write,
    )
    sys.stdout.write(_written(options, report, shown))
    if looked.verdict == "unreadable":
        return 3
    return 1 if report.needs_more else 0


def _written(options: argparse.Namespace, report: NextReport, shown: str) -> str:
    """What is printed; `shown` is the difference that was or would be made."""
    if options.format == "json":
        return json.dumps(next_document(report), indent=2) + "\n"
    paint = painter(sys.stdout)
    target = "" if options.target is None else f" --target {quote(options.target)}"
    typed = f"onehead next{named_again(options.repo)}{target}"
    return again(options, next_text(report, typed, paint, painted(shown, paint)))


def _target(git: Git, name: str | None) -> Point:
    if name is not None:
        return Point(full_name(git, name) or name, resolve(git, name))
    into = destination(git)
    if into is None:
        resolve(git, "HEAD")  # says so where there is nothing at all
        raise UsageError(_UNKNOWN_TARGET, "Name it: `onehead next --target BRANCH`.")
    return Point(into.name, into.sha)


def _named(git: Git, point: Point) -> str:
    """The shortest name of the target that git takes for it."""
    short = short_ref(point.ref)
    try:
        return short if resolve(git, short) == point.sha else point.ref
    except OneheadError:
        return point.ref


def _folders(against: TargetTree) -> tuple[str, ...]:
    """Where new revisions may lie that git does not track yet."""
    chains = against.reading.survey.chains.values()
    return tuple(sorted({place.path for chain in chains for place in chain.environment.locations if not place.blocked}))


class _Found(NamedTuple):
    """What was seen; `trouble` says why the forge could not be asked, or what it lacks."""

    ahead: LookAhead
    trouble: str
    by_forge: bool


def _look(git: Git, options: argparse.Namespace, target: Point, against: TargetTree, checkout: _Checkout) -> _Found:
    # Of a fork that somebody works in, `origin` is the fork.
    parts = target.ref.split("/")
    forge = ask_forge(git, checkout.branches, parts[2] if parts[:2] == ["refs", "remotes"] else "origin")
    pulls = forge.pulls
    more = [Ref(each.ref, each.sha) for each in pulls.others] if pulls else []
    more += [forge.reports] if forge.reports else []
    with kept_open(git):
        others = Others(git, memory_for(git.directory), own=checkout.own, more=more)
        message = options.message or MESSAGE
        # Ids that are dates are made of the time that people see.
        now = datetime.now().astimezone().replace(tzinfo=None)
        ahead = look_ahead(others, against, target, checkout.judged, pulls, now, message)
    return _Found(ahead, forge.trouble, by_forge=pulls is not None)


def _chosen(found: LookAhead, environment: str | None) -> tuple[Ahead, ...]:
    """The environments that were asked for."""
    paths = {each.facts.environment.path for each in narrowed(found.examination, environment).environments}
    return tuple(each for each in found.environments if each.path in paths)

"""`onehead history`: the past of a branch. What would onehead have caught here?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from onehead.errors import UsageError
from onehead.examine.history import Period, Watch, look_back
from onehead.examine.read import memory_for
from onehead.gitrepo.git import Git, kept_open
from onehead.gitrepo.refs import destination, resolve
from onehead.plan.incidents import History
from onehead.plan.verdict import Point
from onehead.reports.history import history_document, history_text
from onehead.reports.timeline import timeline
from onehead.screen import painter, progress_bar


def run(options: argparse.Namespace) -> int:
    """Look back and print. What was found is past, so it exits with 0 whatever that was."""
    git = Git(os.path.realpath(options.repo))
    with kept_open(git), _progress() as watch:
        target = _target(git, options.target)
        period = Period(options.since or "", options.commits)
        history = look_back(git, target, period, memory_for(git.directory), datetime.now(UTC), watch)
    sys.stdout.write(_written(history, options.format))
    return 0


def _target(git: Git, name: str | None) -> Point:
    if name is not None:
        return Point(name, resolve(git, name))
    found = destination(git)
    if found is None:
        resolve(git, "HEAD")  # says so where there is nothing at all
        raise UsageError(
            "onehead can't find the branch whose past is meant: there is no remote default branch, no main, master or "
            "develop.",
            "Name it: `onehead history --target BRANCH`.",
        )
    return Point(found.name, found.sha)


def _written(history: History, form: str) -> str:
    if form == "json":
        return json.dumps(history_document(history), indent=2) + "\n"
    return timeline(history) if form == "svg" else history_text(history, painter(sys.stdout))


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar while it goes on, where standard error is a terminal."""
    with progress_bar() as progress:
        task = progress.add_task("Looking back", total=None)
        yield lambda done, every: progress.update(task, completed=done, total=every)

"""`onehead pre-receive`: git asks it whether a push may come in.

Git waits for it in every push. So most pushes are let through because of the paths that they change, and what is not
needed for that is not loaded; `push_verdict.py` is for the others. Whatever happens, there is an answer in time, and
the pusher reads sentences and no traceback.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from onehead.errors import UsageError
from onehead.examine.touched import MAX_LOOKED_AT, Update, read_updates, touches
from onehead.gitrepo.process import Quick

if TYPE_CHECKING:
    from argparse import Namespace
    from types import SimpleNamespace


def run(options: Namespace | SimpleNamespace) -> int:
    """Judge a push; returns 0 to let it in and 1 to refuse it."""
    until = time.monotonic() + options.timeout
    updates = _updates()
    if os.environ.get("GITEA_REPO_IS_WIKI") == "true" or os.environ.get("GITEA_INTERNAL_PUSH") == "true":
        # A wiki is not deployed; and what Forgejo itself puts into a new repository, nobody could push better.
        return 0
    branches = tuple(update for update in updates if update.branch and not update.deletes)
    try:
        if len(branches) <= MAX_LOOKED_AT:
            git = Quick(until)
            branches = tuple(update for update in branches if touches(git, update))
        if not branches:
            return 0
        from onehead.cli.push_verdict import judge  # noqa: PLC0415 - most pushes need none of it

        return judge(branches, options.timeout, until, several=len(updates) > 1)
    except Exception as trouble:
        from onehead.cli.push_verdict import give_up  # noqa: PLC0415

        return give_up(trouble, refused=options.on_error == "refuse")


def _updates() -> list[Update]:
    if sys.stdin.isatty():
        raise UsageError(
            "`onehead pre-receive` reads what git gives to a hook, and this is a terminal.",
            "Put it into a repository with `onehead install hook --repository DIR`; to judge a branch here, run "
            "`onehead check`.",
        )
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        return read_updates(text)
    except ValueError:
        raise UsageError(
            "Standard input is not what git gives to a pre-receive hook.",
            "It has one line for each ref: OLD-SHA NEW-SHA REF.",
        ) from None

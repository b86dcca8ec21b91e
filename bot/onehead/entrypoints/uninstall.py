"""`onehead uninstall`: take away what `install` made, and nothing else."""

from __future__ import annotations

import argparse

from onehead.entrypoints.setting_up import Site, site
from onehead.errors import UsageError
from onehead.flows.setup import CONTEXT, clean, remove_hooks, remove_required


def run(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    if options.clean and options.system:
        raise UsageError("--clean does not go with --system.", "Run it with --owner or --repo.")
    with site(options) as where:
        count = remove_hooks(where.admin, where.place, where.service_url)
        gone = f"{count} deleted" if count else "none there: already so"
        print(f"webhook of {where.place.words}: {gone}.")
        for repository in where.repositories:
            done = remove_required(where.admin, repository)
            print(f"required check {CONTEXT} of {repository.name}: {done or 'none there: already so'}.")
        if options.clean:
            _clean(where, options.bot)
        print("Comments and statuses stay; they are the history. The bot's account and token are yours to delete.")
    return 0


def _clean(where: Site, bot: str | None) -> None:
    account = where.admin.account(bot) if bot else where.me
    for repository in where.repositories:
        done = list(clean(where.api, repository.name, account, where.me))
        print(f"{repository.name}: {'; '.join(done) if done else 'no open repairs'}.")

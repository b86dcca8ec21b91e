"""`onehead uninstall`: take away what `install` made, and nothing else."""

from __future__ import annotations

import argparse

from onehead.entrypoints.setting_up import Site, account_named, site
from onehead.errors import UsageError
from onehead.flows.ours import DATABASES, LABEL, STATUS, laid_ready_for
from onehead.flows.setup import clean, remove_hooks, remove_label, remove_refs, remove_required
from onehead.forge.errors import MissingScope
from onehead.forge.values import RepositoryName


def run(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    for asked, option in ((options.clean, "--clean"), (options.forget_databases, "--forget-databases")):
        if asked and options.system:
            raise UsageError(f"{option} does not go with --system.", "Run it with --owner or --repo.")
    with site(options) as where:
        where.admin.ask_to_write(where.place.path)
        count = remove_hooks(where.admin, where.place, where.service_url)
        gone = f"{count} deleted" if count else "none there: already so"
        print(f"webhook of {where.place.words}: {gone}.")
        for repository in where.repositories:
            done = remove_required(where.admin, repository)
            print(f"required check {STATUS} of {repository.name}: {done or 'none there: already so'}.")
            print(f"label {LABEL} of {repository.name}: {_label(where, repository.name)}.")
        if options.clean:
            _clean(where, options.bot)
        if options.forget_databases:
            _forget_databases(where)
        if options.bot:
            _access(where, options.bot)
        print("Comments and statuses stay; they are the history. The bot's account and token are yours to delete.")
    return 0


def _label(where: Site, repository: RepositoryName) -> str:
    try:
        where.admin.ask_to_write(f"/repos/{repository}/labels")
        return "deleted" if remove_label(where.admin, repository) else "none there: already so"
    except MissingScope as lacking:
        return f"not looked at, as the token lacks {' or '.join(lacking.scopes)}"


def _access(where: Site, bot: str) -> None:
    """The bot is no collaborator any more; what a team gives it stays."""
    login = account_named(where.admin, bot).login
    for repository in where.repositories:
        was_one = where.admin.is_collaborator(repository.name, login)
        if was_one:
            where.admin.remove_collaborator(repository.name, login)
        print(f"collaborator {login} of {repository.name}: {'removed' if was_one else 'none there: already so'}.")


def _clean(where: Site, bot: str | None) -> None:
    account = account_named(where.admin, bot) if bot else where.me
    for repository in where.repositories:
        done = list(clean(where.api, repository.name, account, where.me))
        done += remove_refs(
            f"{where.url}/{repository.name}.git", where.token, lambda ref: laid_ready_for(ref) is not None
        )
        print(f"{repository.name}: {'; '.join(done) if done else 'no open repairs'}.")


def _forget_databases(where: Site) -> None:
    """What databases have reported is memory, so it goes only when that is asked for."""
    for repository in where.repositories:
        done = list(remove_refs(f"{where.url}/{repository.name}.git", where.token, lambda ref: ref == DATABASES))
        print(f"databases of {repository.name}: {'; '.join(done) if done else 'none have reported'}.")

"""`onehead uninstall`: take away what `install` made, and nothing else."""

from __future__ import annotations

import argparse

from onehead.entrypoints.setting_up import Site, account_named, readiness, site
from onehead.errors import UsageError
from onehead.examine.naming import DATABASES, LABEL, STATUS, laid_ready_for
from onehead.forge.admin import of_repository
from onehead.forge.errors import ForgeError, MissingScope, Unauthorised, Unavailable
from onehead.forge.models import RepositoryName
from onehead.service.setup import clean, remove_hooks, remove_label, remove_refs, remove_required, serving


def run(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    for asked, option in ((options.clean, "--clean"), (options.forget_databases, "--forget-databases")):
        if asked and options.system:
            raise UsageError(f"{option} does not go with --system.", "Run it with --owner or --repo.")
    with site(options) as where:
        where.admin.ask_to_write(where.place.path)
        count = remove_hooks(where.admin, where.place, where.service_url)
        print(f"webhook of {where.place.words}: {_gone(count)}.")
        count += _webhooks_below(where)
        _webhooks_above(where)
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
        if count and readiness(where.service_url) is not None:
            print("Next: stop the service, or leave this place out of ONEHEAD_REPOSITORIES: where the bot is an")
            print("administrator, its next sweep makes the webhook of a repository again.")
    return 0


def _gone(count: int) -> str:
    return f"{count} deleted" if count else "none there: already so"


def _webhooks_below(where: Site) -> int:
    """The repositories of a place may have webhooks of their own, which the service's sweep makes too."""
    if where.place.is_system:
        print("webhooks of organisations and of single repositories: not looked at; --owner takes those away.")
        return 0
    if where.place.repository is not None:
        return 0
    total = 0
    for repository in (*where.repositories, *where.others):
        place = of_repository(repository.name)
        try:
            count = remove_hooks(where.admin, place, where.service_url)
        except ForgeError as error:
            if isinstance(error, Unavailable | Unauthorised):
                raise
            print(f"webhook of {place.words}: left there. {error.message}")
            continue
        total += count
        if count:
            print(f"webhook of {place.words}: {_gone(count)}.")
    if not total:
        print(f"webhooks of its single repositories: {_gone(0)}.")
    return total


def _webhooks_above(where: Site) -> None:
    """A repository's events may still come, by a webhook that is not its own."""
    name = where.place.repository
    for place in serving(where.admin, name, where.service_url, where.me) if name else ():
        how = "--system" if place.is_system else f"--owner {name.owner}" if name else ""
        print(f"webhook of {place.words}: it still sends the events of this repository; uninstall {how} takes it away.")


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
        done = [] if repository.empty else list(clean(where.api, repository.name, account, where.me))
        done += remove_refs(
            f"{where.url}/{repository.name}.git", where.token, lambda ref: laid_ready_for(ref) is not None
        )
        print(f"{repository.name}: {'; '.join(done) if done else 'no open repairs'}.")


def _forget_databases(where: Site) -> None:
    """What databases have reported is memory, so it goes only when that is asked for."""
    for repository in where.repositories:
        done = list(remove_refs(f"{where.url}/{repository.name}.git", where.token, lambda ref: ref == DATABASES))
        print(f"databases of {repository.name}: {'; '.join(done) if done else 'none have reported'}.")

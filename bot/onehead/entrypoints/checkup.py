"""`onehead checkup`: how a set-up stands, part by part, and how to mend what is not right. Writes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext

from onehead.entrypoints.setting_up import Site, account_named, ask_service, readiness, secret_told, site, told
from onehead.entrypoints.terminal import painter
from onehead.errors import UsageError
from onehead.examine.naming import LABEL
from onehead.forge.admin import Administration
from onehead.forge.api import ForgejoApi, own_account
from onehead.forge.client import Connection
from onehead.forge.errors import Forbidden, ForgeError, MissingScope, NotFound, Unauthorised
from onehead.forge.models import Permissions, RepositoryName, User
from onehead.service.setup import Part, Standing, has_proven_access, judge_hook, judge_rule, judge_version, serving
from onehead.wording import listed

_STYLES = {
    Standing.OK: "good",
    Standing.MISSING: "bad",
    Standing.WRONG: "bad",
    Standing.LIMITED: "note",
    Standing.UNSEEN: "note",
}

_UNTRIED = "what it may do was not tried, as no repository is named"
_MOST_NAMED = 5


def run(options: argparse.Namespace) -> int:
    """Look at everything; returns 1 when something is to be mended."""
    paint, trouble = painter(sys.stdout), 0
    with site(options) as where:
        for part in _parts(where, options):
            print(f"{paint(_STYLES[part.standing], f'{part.standing.value:<13}')} {part.subject}: {part.says}")
            if part.fix:
                print(f"{'':<13} → {part.fix}")
            trouble += part.to_mend
    if not trouble:
        print("All is well.")
        return 0
    print("One thing has to be corrected." if trouble == 1 else f"{trouble} things have to be corrected.")
    return 1


def _parts(where: Site, options: argparse.Namespace) -> Iterator[Part]:
    yield judge_version(where.version)
    yield Part("administrator's token", Standing.OK, f"It belongs to {where.me.login}.")
    bot = account_named(where.admin, options.bot) if options.bot else None
    token = secret_told("TOKEN")
    if token:
        yield from _bots_token(where, ForgejoApi(Connection(where.url, token)), bot)
    else:
        fix = "Set ONEHEAD_TOKEN to have it looked at."
        yield Part("bot's token", Standing.UNSEEN, "ONEHEAD_TOKEN is not set here.", fix)
    if bot:
        yield from _access(where, bot, token)
    where.admin.ask_to_write(where.place.path)
    yield _webhook(where)
    said = "Forgejo shows its latest deliveries and their answers only on the webhook's page."
    yield Part("deliveries", Standing.UNSEEN, said)
    for repository in where.repositories:
        rule = where.admin.rule_for(repository.name, repository.default_branch)
        yield judge_rule(rule, f"{repository.default_branch} of {repository.name}")
        yield _label(where, repository.name)
    yield _service(where.service_url)


def _webhook(where: Site) -> Part:
    """Whether events come, by the place's own webhook or by a wider one."""
    part = judge_hook(list(where.admin.hooks(where.place)), where.place, where.service_url)
    name = where.place.repository
    if part.standing is Standing.OK or name is None:
        return part
    wider = serving(where.admin, name, where.service_url, where.me)
    if not wider:
        return part
    says = f"It needs none that works: {listed([place.words for place in wider])} sends its events."
    return Part(part.subject, Standing.OK, says)


def _bots_token(where: Site, api: ForgejoApi, bot: User | None) -> Iterator[Part]:
    """Whose it is, which scopes it lacks and what it can't do, found out by requests that change nothing."""
    subject, advice = "bot's token", "Make a new one for the bot with write:repository, write:issue and read:user."
    with api:
        try:
            me, knows_itself = _whose(api, bot.login if bot else told("BOT"))
            if bot and me.id != bot.id:
                yield Part(subject, Standing.WRONG, f"It belongs to {me.login}, not to {bot.login}.", advice)
                return
            rights = {} if knows_itself else {each.name: _rights(api, each.name) for each in where.repositories}
            unreached = [str(name) for name, granted in rights.items() if not granted.push]
            if unreached:
                more = f" and {len(unreached) - _MOST_NAMED} more" if len(unreached) > _MOST_NAMED else ""
                names = ", ".join(unreached[:_MOST_NAMED]) + more
                said = f"{me.login} can't write to {names} with it: the token does not name it, or the account may not."
                fix = "Make a new token that names every repository, or narrow ONEHEAD_REPOSITORIES to those it names."
                yield Part(subject, Standing.WRONG, said, fix)
                return
            asks = Administration(api.connection)
            for repository in where.repositories[:1]:
                path = f"/repos/{repository.name}"
                asks.ask_to_write(f"{path}/branches")
                asks.ask_to_write(f"{path}/issues/0/comments")
        except MissingScope as error:
            if "read:user" in error.scopes:
                advice += " One for named repositories can't have read:user: then add --bot NAME, and set ONEHEAD_BOT."
            yield Part(subject, Standing.WRONG, f"It lacks the scope {' or '.join(error.scopes)}.", advice)
            return
        except (UsageError, NotFound) as error:
            yield Part(subject, Standing.WRONG, error.message, error.hint)
            return
        except Unauthorised:
            yield Part(subject, Standing.WRONG, "Forgejo does not accept it.", advice)
            return
        except Forbidden:
            said = f"Its account, {me.login}, may not write to {where.repositories[0].name}."
            yield Part(subject, Standing.WRONG, said, f"Run onehead install --bot {me.login}.")
            return
        if knows_itself:
            seen = "with all it needs" if where.repositories else _UNTRIED
            yield Part(subject, Standing.OK, f"It belongs to {me.login}, {seen}.")
        else:
            yield from _lost(me, is_admin=any(granted.admin for granted in rights.values()))


def _whose(api: ForgejoApi, named: str) -> tuple[User, bool]:
    """The account, and whether the token may ask for it."""
    try:
        return api.me(), True
    except MissingScope:
        return own_account(api, named), False


def _rights(api: ForgejoApi, name: RepositoryName) -> Permissions:
    try:
        return api.repository(name).permissions
    except NotFound:
        return Permissions()


def _lost(me: User, *, is_admin: bool) -> Iterator[Part]:
    """What a token without `read:user` can't do: a token for named repositories, as a rule."""
    said = f"It belongs to {me.login}, but lacks read:user, so the service can't read its own name."
    yield Part("bot's token", Standing.LIMITED, said, f"Set ONEHEAD_BOT={me.login} where the service runs.")
    said = "A token for named repositories pushes to no fork, not even where the author of a pull request allows edits."
    way = (
        "Nothing, or make a token with read:user for all repositories. Repairs come as a patch and a ref of their own."
    )
    yield Part("repairs for forks", Standing.LIMITED, said, way)
    if is_admin:
        said = f"{me.login} is an administrator, which does not count with a token for named repositories."
        way = "Nothing. The service makes no lost webhook anew and can't ask for permissions: it needs the webhook."
        yield Part("rights of an administrator", Standing.LIMITED, said, way)


def _access(where: Site, bot: User, token: str) -> Iterator[Part]:
    """Whether the bot may write to each repository: its own token knows best, where that is given."""
    with ForgejoApi(Connection(where.url, token)) if token else nullcontext() as own:
        for repository in where.repositories:
            name, subject = repository.name, f"access to {repository.name}"
            pushes = None if own is None else _may_push(own, name)
            proven = has_proven_access(where.admin, where.api, name, bot.login)
            if pushes or (pushes is None and proven):
                yield Part(subject, Standing.OK, f"{bot.login} may write there.")
            elif proven:
                said = f"{bot.login} is listed as one who may write there, but its token may not push."
                fix = "See that the token names the repository, and that its code is switched on (Settings → Units)."
                yield Part(subject, Standing.WRONG, said, fix)
            else:
                said = f"{bot.login} can't write there, or only by a team, which may leave out the code."
                yield Part(subject, Standing.MISSING, said, f"Run onehead install --bot {bot.login}.")


def _may_push(own: ForgejoApi, name: RepositoryName) -> bool | None:
    """What the bot's own token says; `None` where it says nothing."""
    try:
        return own.repository(name).permissions.push
    except ForgeError:
        return None


def _label(where: Site, repository: RepositoryName) -> Part:
    """Whether repairs get a label."""
    subject = f"label of {repository}"
    try:
        there = any(label.name == LABEL for label in where.admin.labels(repository))
    except MissingScope as lacking:
        return Part(subject, Standing.UNSEEN, f"The administrator's token lacks {' or '.join(lacking.scopes)}.")
    if there:
        return Part(subject, Standing.OK, f"Repairs get the label {LABEL}.")
    fix = "Run onehead install --label, or leave it: it only helps to find them in lists."
    return Part(subject, Standing.UNSEEN, f"There is no label {LABEL}, so repairs have none.", fix)


def _service(service_url: str) -> Part:
    """Whether the service answers, and says that it can work."""
    alive = ask_service(service_url, "/healthz")
    if alive is None or alive[0] != 200:
        said = f"Nothing of onehead answers at {service_url}/healthz, seen from here."
        fix = "Start onehead serve there, or correct --service-url; a proxy must pass on every path below it."
        return Part("service", Standing.MISSING, said, fix)
    ready = readiness(service_url)
    if ready is None or ready[0] != 200:
        forge = (ready[1] if ready else {}).get("forge")
        trouble = forge.get("trouble") if isinstance(forge, dict) else None
        said = f"It runs, but is not ready: {trouble or 'see /readyz'}."
        return Part(
            "service", Standing.WRONG, said, "Look at its log; most often its token or ONEHEAD_FORGEJO_URL is wrong."
        )
    return Part("service", Standing.OK, f"It runs at {service_url} and is ready.")

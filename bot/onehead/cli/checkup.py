"""`onehead checkup`: what is right about a set-up and what is not; and the options that `install` shares with it."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from onehead.cli.report_rows import exchange, fields_in
from onehead.errors import UsageError
from onehead.examine.naming import LABEL
from onehead.forge.admin import SYSTEM, Administration, HookPlace, of_organisation, of_own_account, of_repository
from onehead.forge.api import ForgejoApi, own_account
from onehead.forge.client import Connection
from onehead.forge.errors import Forbidden, ForgeError, MissingScope, NotFound, Unauthorised
from onehead.forge.models import Permissions, Repository, RepositoryName, User
from onehead.screen import painter
from onehead.service.setup import (
    PartState,
    SetupPart,
    has_proven_access,
    judge_hook,
    judge_rule,
    judge_version,
    serving,
)
from onehead.settings import secret_in, secret_told, told
from onehead.text import listed

_TOKENS_PAGE = "Forgejo → Settings → Applications → Access tokens"


@dataclass(frozen=True, slots=True)
class Site:
    """A Forgejo, seen with an administrator's token, and the part of it that is meant. No address ends with a slash.

    `me`: whose token it is. `place`: where the webhook belongs. `repositories`: in that place, and looked after; none
    for the whole site. `others`: in that place, and not looked after: archived ones and mirrors.
    """

    api: ForgejoApi
    admin: Administration
    version: str
    me: User
    place: HookPlace
    repositories: tuple[Repository, ...]
    others: tuple[Repository, ...]
    service_url: str
    url: str
    token: str


@contextmanager
def site(options: argparse.Namespace) -> Iterator[Site]:
    """Open what the options name; everything in it has been looked at once."""
    url = options.url or told("FORGEJO_URL")
    if options.token_file:
        token = secret_in(options.token_file, "--token-file")
    else:
        token = options.token or secret_told("TOKEN")
    service_url = options.service_url or told("PUBLIC_URL")
    needed = {
        "the address of Forgejo (--url or ONEHEAD_FORGEJO_URL)": url,
        "an administrator's token (--token-file, --token or ONEHEAD_TOKEN)": token,
        "the address of the service (--service-url or ONEHEAD_PUBLIC_URL)": service_url,
        "where (--repo OWNER/NAME, --owner NAME or --system)": options.owner or options.repo or options.system,
    }
    if missing := [what for what, value in needed.items() if not value]:
        raise UsageError(f"Not given: {'; '.join(missing)}.", "Add what is missing and run it again.")
    if urlsplit(service_url).scheme not in {"http", "https"} or not urlsplit(service_url).netloc:
        raise UsageError("The address of the service is no web address.", "Write it like https://onehead.example.org.")
    with ForgejoApi(Connection(url, token)) as api, _explained():
        version, me, place, found = _looked_at(api, options)
        others = tuple(each for each in found if options.owner and (each.archived or each.mirror))
        used = tuple(each for each in found if each not in others)
        admin = Administration(api.connection)
        yield Site(api, admin, version, me, place, used, others, service_url.rstrip("/"), url.rstrip("/"), token)


def _looked_at(api: ForgejoApi, options: argparse.Namespace) -> tuple[str, User, HookPlace, tuple[Repository, ...]]:
    version = api.version()
    known = judge_version(version)
    if known.standing is not PartState.OK:
        raise UsageError(known.says, known.fix)
    me = api.me()
    if options.system:
        return version, me, SYSTEM, ()
    if options.repo:
        found = _repository_named(api, options.repo)
        return version, me, of_repository(found.name), (found,)
    owner = account_named(Administration(api.connection), options.owner)
    place = of_own_account(owner.login) if owner.id == me.id else of_organisation(owner.login)
    return version, me, place, tuple(each for each in api.repositories(owner) if each.name.owner == owner.login)


def account_named(admin: Administration, name: str) -> User:
    """A user or an organisation."""
    try:
        return admin.account(name)
    except NotFound as error:
        raise UsageError(
            f"There is no user and no organisation {name!r} on this Forgejo.", "Correct the name, or make the account."
        ) from error


def _repository_named(api: ForgejoApi, name: str) -> Repository:
    try:
        return api.repository(RepositoryName.parse(name))
    except NotFound as error:
        raise UsageError(
            f"There is no repository {name} on this Forgejo, or the token's account may not see it.",
            "Correct the name, or give the token of one of its administrators.",
        ) from error


@contextmanager
def _explained() -> Iterator[None]:
    """Refusals of the forge, said for the person who sets onehead up and not for the bot."""
    try:
        yield
    except MissingScope as error:
        scopes = " or ".join(error.scopes)
        raise UsageError(
            f"The administrator's token lacks the scope {scopes}.",
            f"Make a new one for your own account ({_TOKENS_PAGE}) with {scopes} besides write:repository and "
            "read:user, and give it with --token-file. Delete it afterwards: the service has its own.",
        ) from error
    except Unauthorised as error:
        raise UsageError(
            "Forgejo does not accept the administrator's token.",
            f"It may have been deleted or mistyped. Make a new one: {_TOKENS_PAGE}.",
        ) from error
    except Forbidden as error:
        raise UsageError(
            f"{error.message} The account of the token lacks the rights for this.",
            "A repository's webhook needs an administrator of the repository, --owner an owner of the "
            "organisation (or that account itself), --system and --token-out a site administrator.",
        ) from error


def webhook_secret(options: argparse.Namespace) -> str:
    """The secret that the user has already: from the file of --secret-file, else from the settings; or empty."""
    if options.secret_file and is_there(options.secret_file):
        return secret_in(options.secret_file, "--secret-file")
    return secret_told("WEBHOOK_SECRET").partition(",")[0].strip()


def is_there(path: str) -> bool:
    """Whether a file can be seen; one that can't is found out by whoever writes there."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _ask_service(service_url: str, path: str) -> tuple[int, str] | None:
    """What the service says to a GET: its status and text, `None` where nobody answers within five seconds."""
    try:
        return exchange(service_url, path, 5)
    except (OSError, HTTPException, ValueError):
        return None


def deliveries_seen(service_url: str) -> dict[str, float] | None:
    """How many webhook deliveries the service has counted, by outcome; `None` where it does not say."""
    answer = _ask_service(service_url, "/metrics")
    if answer is None or answer[0] != 200:
        return None
    counted: dict[str, float] = defaultdict(float)
    for line in answer[1].splitlines():
        if line.startswith("onehead_webhooks_total{"):
            labels, _, number = line.rpartition(" ")
            counted[labels.partition('outcome="')[2].partition('"')[0]] += float(number)
    return counted


def readiness(service_url: str) -> tuple[int, dict[str, object]] | None:
    """What `/readyz` says; `None` where nobody answers."""
    answer = _ask_service(service_url, "/readyz")
    return None if answer is None else (answer[0], fields_in(answer[1]))


_STYLES = {
    PartState.OK: "good",
    PartState.MISSING: "bad",
    PartState.WRONG: "bad",
    PartState.LIMITED: "note",
    PartState.UNSEEN: "note",
}

_UNTRIED = "what it may do was not tried, as no repository is named"
_MAX_NAMED = 5


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


def _parts(where: Site, options: argparse.Namespace) -> Iterator[SetupPart]:
    yield judge_version(where.version)
    yield SetupPart("administrator's token", PartState.OK, f"It belongs to {where.me.login}.")
    bot = account_named(where.admin, options.bot) if options.bot else None
    token = secret_told("TOKEN")
    if token:
        yield from _bots_token(where, ForgejoApi(Connection(where.url, token)), bot)
    else:
        fix = "Set ONEHEAD_TOKEN to have it looked at."
        yield SetupPart("bot's token", PartState.UNSEEN, "ONEHEAD_TOKEN is not set here.", fix)
    if bot:
        yield from _access(where, bot, token)
    where.admin.ask_to_write(where.place.path)
    yield _webhook(where)
    said = "Forgejo shows its latest deliveries and their answers only on the webhook's page."
    yield SetupPart("deliveries", PartState.UNSEEN, said)
    for repository in where.repositories:
        rule = where.admin.rule_for(repository.name, repository.default_branch)
        yield judge_rule(rule, f"{repository.default_branch} of {repository.name}")
        yield _label(where, repository.name)
    yield _service(where.service_url)


def _webhook(where: Site) -> SetupPart:
    """Whether events come, by the place's own webhook or by a wider one."""
    part = judge_hook(list(where.admin.hooks(where.place)), where.place, where.service_url)
    name = where.place.repository
    if part.standing is PartState.OK or name is None:
        return part
    wider = serving(where.admin, name, where.service_url, where.me)
    if not wider:
        return part
    says = f"It needs none that works: {listed([place.words for place in wider])} sends its events."
    return SetupPart(part.subject, PartState.OK, says)


def _bots_token(where: Site, api: ForgejoApi, bot: User | None) -> Iterator[SetupPart]:
    """Whose it is, which scopes it lacks and what it can't do, found out by requests that change nothing."""
    subject, advice = "bot's token", "Make a new one for the bot with write:repository, write:issue and read:user."
    with api:
        try:
            me, knows_itself = _whose(api, bot.login if bot else told("BOT"))
            if bot and me.id != bot.id:
                yield SetupPart(subject, PartState.WRONG, f"It belongs to {me.login}, not to {bot.login}.", advice)
                return
            rights = {} if knows_itself else {each.name: _rights(api, each.name) for each in where.repositories}
            unreached = [str(name) for name, granted in rights.items() if not granted.push]
            if unreached:
                names = listed(unreached, _MAX_NAMED, last=", ")
                said = f"{me.login} can't write to {names} with it: the token does not name it, or the account may not."
                fix = "Make a new token that names every repository, or narrow ONEHEAD_REPOSITORIES to those it names."
                yield SetupPart(subject, PartState.WRONG, said, fix)
                return
            asks = Administration(api.connection)
            for repository in where.repositories[:1]:
                path = f"/repos/{repository.name}"
                asks.ask_to_write(f"{path}/branches")
                asks.ask_to_write(f"{path}/issues/0/comments")
        except MissingScope as error:
            if "read:user" in error.scopes:
                advice += " One for named repositories can't have read:user: then add --bot NAME, and set ONEHEAD_BOT."
            yield SetupPart(subject, PartState.WRONG, f"It lacks the scope {' or '.join(error.scopes)}.", advice)
            return
        except (UsageError, NotFound) as error:
            yield SetupPart(subject, PartState.WRONG, error.message, error.hint)
            return
        except Unauthorised:
            yield SetupPart(subject, PartState.WRONG, "Forgejo does not accept it.", advice)
            return
        except Forbidden:
            said = f"Its account, {me.login}, may not write to {where.repositories[0].name}."
            yield SetupPart(subject, PartState.WRONG, said, f"Run onehead install --bot {me.login}.")
            return
        if knows_itself:
            seen = "with all it needs" if where.repositories else _UNTRIED
            yield SetupPart(subject, PartState.OK, f"It belongs to {me.login}, {seen}.")
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


def _lost(me: User, *, is_admin: bool) -> Iterator[SetupPart]:
    """What a token without `read:user` can't do: a token for named repositories, as a rule."""
    said = f"It belongs to {me.login}, but lacks read:user, so the service can't read its own name."
    yield SetupPart("bot's token", PartState.LIMITED, said, f"Set ONEHEAD_BOT={me.login} where the service runs.")
    said = "A token for named repositories pushes to no fork, not even where the author of a pull request allows edits."
    fix = (
        "Nothing, or make a token with read:user for all repositories. Repairs come as a patch and a ref of their own."
    )
    yield SetupPart("repairs for forks", PartState.LIMITED, said, fix)
    if is_admin:
        said = f"{me.login} is an administrator, which does not count with a token for named repositories."
        fix = "Nothing. The service can't recreate a lost webhook or ask for permissions, so it needs the webhook."
        yield SetupPart("rights of an administrator", PartState.LIMITED, said, fix)


def _access(where: Site, bot: User, token: str) -> Iterator[SetupPart]:
    """Whether the bot may write to each repository: its own token knows best, where that is given."""
    with ForgejoApi(Connection(where.url, token)) if token else nullcontext() as own:
        for repository in where.repositories:
            name, subject = repository.name, f"access to {repository.name}"
            pushes = None if own is None else _may_push(own, name)
            proven = has_proven_access(where.admin, where.api, name, bot.login)
            if pushes or (pushes is None and proven):
                yield SetupPart(subject, PartState.OK, f"{bot.login} may write there.")
            elif proven:
                said = f"{bot.login} is listed as one who may write there, but its token may not push."
                fix = "See that the token names the repository, and that its code is switched on (Settings → Units)."
                yield SetupPart(subject, PartState.WRONG, said, fix)
            else:
                said = f"{bot.login} can't write there, or only by a team, which may leave out the code."
                yield SetupPart(subject, PartState.MISSING, said, f"Run onehead install --bot {bot.login}.")


def _may_push(own: ForgejoApi, name: RepositoryName) -> bool | None:
    """What the bot's own token says; `None` where it says nothing."""
    try:
        return own.repository(name).permissions.push
    except ForgeError:
        return None


def _label(where: Site, repository: RepositoryName) -> SetupPart:
    subject = f"label of {repository}"
    try:
        there = any(label.name == LABEL for label in where.admin.labels(repository))
    except MissingScope as lacking:
        return SetupPart(subject, PartState.UNSEEN, f"The administrator's token lacks {' or '.join(lacking.scopes)}.")
    if there:
        return SetupPart(subject, PartState.OK, f"Repairs get the label {LABEL}.")
    fix = "Run onehead install --label, or leave it: it only helps to find them in lists."
    return SetupPart(subject, PartState.UNSEEN, f"There is no label {LABEL}, so repairs have none.", fix)


def _service(service_url: str) -> SetupPart:
    """Whether the service answers, and says that it can work."""
    alive = _ask_service(service_url, "/healthz")
    if alive is None or alive[0] != 200:
        said = f"Nothing of onehead answers at {service_url}/healthz, seen from here."
        fix = "Start onehead serve there, or correct --service-url; a proxy must pass on every path below it."
        return SetupPart("service", PartState.MISSING, said, fix)
    ready = readiness(service_url)
    if ready is None or ready[0] != 200:
        forge = (ready[1] if ready else {}).get("forge")
        trouble = forge.get("trouble") if isinstance(forge, dict) else None
        said = f"It runs, but is not ready: {trouble or 'see /readyz'}."
        fix = "Look at its log; most often its token or ONEHEAD_FORGEJO_URL is wrong."
        return SetupPart("service", PartState.WRONG, said, fix)
    analyzer = ready[1].get("analyzer")
    exposed = analyzer.get("trouble") if isinstance(analyzer, dict) else None
    if exposed:
        said = f"It runs at {service_url} and is ready. What strangers push is judged without all of its isolation:"
        return SetupPart("service", PartState.LIMITED, f"{said} {exposed}")
    return SetupPart("service", PartState.OK, f"It runs at {service_url} and is ready.")

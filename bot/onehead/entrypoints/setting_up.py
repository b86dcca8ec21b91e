"""What `install`, `checkup` and `uninstall` are told, and where in the forge that is."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from onehead.errors import UsageError
from onehead.forge.admin import SYSTEM, Administration, HookPlace, of_organisation, of_own_account, of_repository
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.errors import Forbidden, MissingScope, NotFound, Unauthorised
from onehead.forge.models import Repository, RepositoryName, User
from onehead.service.setup import Standing, judge_version

if TYPE_CHECKING:
    from types import TracebackType

_TOKENS_PAGE = "Forgejo → Settings → Applications → Access tokens"


@dataclass(frozen=True, slots=True)
class Site:
    """A Forgejo, seen with an administrator's token, and the part of it that is meant.

    Attributes:
        me: whose token it is.
        place: where the webhook belongs.
        repositories: in that place, and looked after; none for the whole site.
        others: in that place, and not looked after: archived ones and mirrors.
        service_url: where the service is, without a slash at the end.
        url: of the Forgejo, without a slash at the end.
        token: the administrator's, for git.
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
    """Open what the options name; everything in it has been looked at once.

    Raises:
        UsageError: something is not given, or the token may not do what is asked.
        ForgeError: the forge does not answer, or not as a Forgejo.
    """
    url = options.url or told("FORGEJO_URL")
    token = content(options.token_file, "--token-file") if options.token_file else options.token or secret_told("TOKEN")
    service_url = options.service_url or told("PUBLIC_URL")
    missing = [
        what
        for what, value in (
            ("the address of Forgejo (--url or ONEHEAD_FORGEJO_URL)", url),
            ("an administrator's token (--token-file, --token or ONEHEAD_TOKEN)", token),
            ("the address of the service (--service-url or ONEHEAD_PUBLIC_URL)", service_url),
            ("where (--repo OWNER/NAME, --owner NAME or --system)", options.owner or options.repo or options.system),
        )
        if not value
    ]
    if missing:
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
    if known.standing is not Standing.OK:
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
    """A user or an organisation.

    Raises:
        UsageError: there is none of that name.
    """
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


class _explained:  # noqa: N801 - reads as a clause
    """Refusals of the forge, said for the person who sets onehead up and not for the bot."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, MissingScope):
            scopes = " or ".join(error.scopes)
            raise UsageError(
                f"The administrator's token lacks the scope {scopes}.",
                f"Make a new one for your own account ({_TOKENS_PAGE}) with {scopes} besides write:repository and "
                "read:user, and give it with --token-file. Delete it afterwards: the service has its own.",
            ) from error
        if isinstance(error, Unauthorised):
            raise UsageError(
                "Forgejo does not accept the administrator's token.",
                f"It may have been deleted or mistyped. Make a new one: {_TOKENS_PAGE}.",
            ) from error
        if isinstance(error, Forbidden):
            raise UsageError(
                f"{error.message} The account of the token has not the rights for this.",
                "A repository's webhook needs an administrator of the repository, --owner an owner of the "
                "organisation (or that account itself), --system and --token-out a site administrator.",
            ) from error


def webhook_secret(options: argparse.Namespace) -> str:
    """The secret that the user has already: from the file of --secret-file, else from the settings; or empty."""
    if options.secret_file and is_there(options.secret_file):
        return content(options.secret_file, "--secret-file")
    return secret_told("WEBHOOK_SECRET").partition(",")[0].strip()


def secret_told(name: str) -> str:
    """The setting of this name from the environment, or from the file that its `_FILE` twin names; or empty."""
    path = told(f"{name}_FILE")
    return content(path, f"ONEHEAD_{name}_FILE") if path else told(name)


def told(name: str) -> str:
    """The setting of this name from the environment; or empty."""
    return os.environ.get(f"ONEHEAD_{name}", "").strip()


def is_there(path: str) -> bool:
    """Whether a file can be seen; one that can't is found out by whoever writes there."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def content(path: str, option: str) -> str:
    """The secret in a file that an option or setting names.

    Raises:
        UsageError: it can't be read, or holds nothing.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{option} names {path}, which can't be read: {reason}.", "Check path and rights.") from error
    if not text:
        raise UsageError(f"{option} names {path}, which is empty.", "Put the secret into it, or delete it.")
    return text


def ask_service(service_url: str, path: str) -> tuple[int, str] | None:
    """What the service says to a GET: its status and text, `None` where nobody answers within five seconds."""
    parts = urlsplit(service_url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        line = kind(parts.netloc, timeout=5)
        try:
            line.request("GET", parts.path.rstrip("/") + path)
            answer = line.getresponse()
            return answer.status, answer.read(1_000_000).decode("utf-8", "replace")
        finally:
            line.close()
    except (OSError, HTTPException, ValueError):
        return None


def deliveries_seen(service_url: str) -> dict[str, float] | None:
    """How many webhook deliveries the service has counted, by outcome; `None` where it does not say."""
    answer = ask_service(service_url, "/metrics")
    if answer is None or answer[0] != 200:
        return None
    counted: dict[str, float] = {}
    for line in answer[1].splitlines():
        if line.startswith("onehead_webhooks_total{"):
            labels, _, number = line.rpartition(" ")
            outcome = labels.partition('outcome="')[2].partition('"')[0]
            counted[outcome] = counted.get(outcome, 0.0) + float(number)
    return counted


def readiness(service_url: str) -> tuple[int, dict[str, object]] | None:
    """What `/readyz` says; `None` where nobody answers."""
    answer = ask_service(service_url, "/readyz")
    if answer is None:
        return None
    try:
        said = json.loads(answer[1])
    except ValueError:
        said = {}
    return answer[0], said if isinstance(said, dict) else {}
